"""Sessions: each person's minutes of a phase of work, right to the second, and why so many."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from focusmate_core import SYSTEM, Origin
from focusmate_core.features.days import ChangeDays
from focusmate_core.features.plans import Plan, TimerKind
from focusmate_core.features.presence import PresencePolicy
from focusmate_core.features.records import AnnotateSession, SessionById, SessionHistory
from focusmate_core.features.rooms import CloseRoom, Control
from focusmate_core.features.seats import JoinRoom, LeaveRoom
from focusmate_core.features.sessions import SessionKind, SessionStatus
from focusmate_core.features.signs import (
    EnterRoom,
    Heard,
    RenewPresence,
    ReportStatus,
    ReturnService,
)
from focusmate_core.features.stats import DaysOf
from focusmate_core.features.timer_control import (
    CompleteTimer,
    ExtendPhase,
    PauseTimer,
    ResetTimer,
    ResumeTimer,
    SkipPhase,
    StartTimer,
)
from focusmate_core.testing.memory import MemoryStorage
from tests.features.town import Town

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
MOMENT = timedelta(microseconds=1)
LEASE = timedelta(seconds=60)
ZERO = timedelta(0)
COMPLETED, CANCELLED = SessionStatus.COMPLETED, SessionStatus.CANCELLED
ACTIVE = SessionStatus.ACTIVE
BY_ITSELF = Plan(auto_start_breaks=True, auto_start_work=True)


class Story:
    """A town told by the clock: at minute so and so somebody does something."""

    def __init__(self, town):
        self.town = town
        self.start = town.clock.now()
        self.sent = []

    def at(self, minute, message, who, room, **more):
        """Time passes up to then; the worker is at hand all the time."""
        self.wait_until(minute)
        self.town.do(message(room_id=room.id, **more), who)

    def wait_until(self, minute):
        """The worker meets everything at its instant, and doors renew for who is connected."""
        end = self.start + minute * MINUTE
        while self.town.clock.now() < end:
            step = min(end, self.town.clock.now() + 10 * SECOND)
            self.town.clock.set(step)
            self.meet_all()
            self.renew()
        self.meet_all()

    def meet_all(self):
        while self.town.engine.run_due():
            pass

    def renew(self):
        if self.sent:
            heard = tuple(Heard(person_id=p, connection=c, quiet=ZERO) for p, c in self.sent)
            self.town.do(RenewPresence(heard=heard), SYSTEM, origin=Origin("websocket"))

    def connect(self, *people, connection="1"):
        """Hold a connection for these from now on."""
        self.sent += [(each.id, connection) for each in people]
        self.renew()

    def drop(self, *people, connection="1"):
        """The connection is gone, without a word."""
        self.sent = [each for each in self.sent if each not in {(p.id, connection) for p in people}]

    def sessions(self, person):
        found = self.town.do(SessionHistory(limit=100), person).items
        return sorted(found, key=lambda each: each.started_at)

    def only(self, person):
        (found,) = self.sessions(person)
        return found

    def why(self, person):
        return [(each.why, each.status) for each in self.sessions(person)]

    def day_total(self, person):
        return self.town.do(DaysOf(first="2026-01-04", last="2026-01-07"), person).focused


@pytest.fixture
def story(town):
    return Story(town)


@pytest.fixture
def leased(storage):
    return Story(Town(storage, settings=[PresencePolicy(lease=LEASE)]))


def two(story, **more):
    """Ada's room, in which Bob has a seat."""
    ada, bob = story.town.somebody(), story.town.somebody()
    room = story.town.open_room(ada, **more)
    story.town.do(JoinRoom(room_id=room.id), bob)
    return ada, bob, room


# -- joined ----------------------------------------------------------------------------------------


def test_who_was_there_for_all_of_it_is_credited_all_of_it(story):
    ada, _, room = two(story)
    story.at(0, StartTimer, ada, room)
    story.wait_until(25)
    done = story.only(ada)
    assert (done.why, done.status, done.credited) == ("25 min", COMPLETED, 25 * MINUTE)
    assert (done.started_at, done.ended_at) == (story.start, story.start + 25 * MINUTE)
    assert (done.kind, done.planned, done.room_id) == (SessionKind.POMODORO, 25 * MINUTE, room.id)
    assert not done.is_manual
    assert story.day_total(ada) == 25 * MINUTE


def test_nothing_is_shown_before_anything_is_known(story):
    ada, _, room = two(story)
    story.at(0, StartTimer, ada, room)
    story.wait_until(24.99)
    assert story.sessions(ada) == []


def test_who_joins_late_is_credited_from_then_on(story):
    ada, bob, room = two(story)
    story.at(0, StartTimer, ada, room)
    carl = story.town.somebody()
    story.at(7, JoinRoom, carl, room)
    story.wait_until(25)
    assert story.why(carl) == [("18 of 25 min: joined 7 min late", COMPLETED)]
    assert story.why(bob) == [("25 min", COMPLETED)]
    assert story.only(carl).started_at == story.start + 7 * MINUTE


@pytest.mark.parametrize(
    ("late", "said"),
    [
        (timedelta(milliseconds=499), "25 min"),
        (timedelta(milliseconds=501), "24 min 59 s of 25 min: joined 1 s late"),
    ],
)
def test_what_is_less_than_half_a_second_is_not_worth_a_word(story, late, said):
    ada, _, room = two(story)
    story.at(0, StartTimer, ada, room)
    story.town.clock.advance(late)
    carl = story.town.somebody()
    story.town.do(JoinRoom(room_id=room.id), carl)
    story.wait_until(25)
    assert story.why(carl) == [(said, COMPLETED)]
    assert story.only(carl).credited == 25 * MINUTE - late


def test_who_leaves_early_is_credited_up_to_then_and_at_once(story):
    ada, bob, room = two(story)
    story.at(0, StartTimer, ada, room)
    story.at(20, LeaveRoom, bob, room)
    assert story.why(bob) == [("20 of 25 min", ACTIVE)]
    assert story.day_total(bob) == 20 * MINUTE
    story.wait_until(25)
    assert story.why(bob) == [("20 of 25 min: left 5 min early", COMPLETED)]
    assert story.day_total(bob) == 20 * MINUTE


def test_who_leaves_and_comes_back_has_one_session_with_a_gap(story):
    ada, bob, room = two(story)
    story.at(0, StartTimer, ada, room)
    story.at(5.5, LeaveRoom, bob, room)
    story.at(7, JoinRoom, bob, room)
    story.at(24, LeaveRoom, bob, room)
    story.wait_until(25)
    said = "22 min 30 s of 25 min: away for 1 min 30 s, left 1 min early"
    assert story.why(bob) == [(said, COMPLETED)]


def test_a_pause_is_credited_to_nobody_and_being_away_in_it_costs_nothing(story):
    ada, bob, room = two(story)
    story.at(0, StartTimer, ada, room)
    story.at(5, PauseTimer, ada, room)
    story.at(6, LeaveRoom, bob, room)
    story.at(9, JoinRoom, bob, room)
    story.at(10, ResumeTimer, ada, room)
    story.at(15, PauseTimer, ada, room)
    story.at(16, ResumeTimer, ada, room)
    story.wait_until(31)
    for who in (ada, bob):
        assert story.why(who) == [("25 min", COMPLETED)]
        assert story.only(who).ended_at == story.start + 31 * MINUTE


def test_who_joins_after_the_first_pause_missed_what_ran_before_it(story):
    ada, _, room = two(story)
    carl = story.town.somebody()
    story.at(0, StartTimer, ada, room)
    story.at(5, PauseTimer, ada, room)
    story.at(7, JoinRoom, carl, room)
    story.at(10, ResumeTimer, ada, room)
    story.wait_until(30)
    assert story.why(carl) == [("20 of 25 min: joined 5 min late", COMPLETED)]


def test_who_moves_to_another_room_is_credited_in_each_what_was_there(story):
    ada, bob, room = two(story)
    carl = story.town.somebody()
    other = story.town.open_room(carl)
    for host, each in ((ada, room), (carl, other)):
        story.at(0, StartTimer, host, each)
    story.at(10, JoinRoom, bob, other)
    story.at(12, JoinRoom, bob, room)
    story.wait_until(25)
    assert story.why(bob) == [
        ("23 of 25 min: away for 2 min", COMPLETED),
        ("2 of 25 min: joined 10 min late, left 13 min early", COMPLETED),
    ]
    assert story.day_total(bob) == 25 * MINUTE


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (ResetTimer, "the timer was reset after 12 min"),
        (SkipPhase, "the phase was skipped after 12 min"),
        (CloseRoom, "the room was closed after 12 min"),
    ],
)
def test_what_was_worked_before_the_host_ended_it_stays_credited(story, message, said):
    ada, _, room = two(story)
    carl = story.town.somebody()
    story.at(0, StartTimer, ada, room)
    story.at(2, JoinRoom, carl, room)
    story.at(12, message, ada, room)
    assert story.why(ada) == [(f"12 of 25 min: {said}", CANCELLED)]
    assert story.why(carl) == [(f"10 of 25 min: joined 2 min late, {said}", CANCELLED)]
    story.wait_until(60)
    assert story.day_total(ada) == 12 * MINUTE


@pytest.mark.parametrize("message", [ResetTimer, SkipPhase, CloseRoom])
def test_a_paused_phase_that_is_ended_is_credited_what_it_ran(story, message):
    ada, _, room = two(story)
    story.at(0, StartTimer, ada, room)
    story.at(12, PauseTimer, ada, room)
    story.at(40, message, ada, room)
    assert story.only(ada).credited == 12 * MINUTE


def test_who_left_is_credited_although_the_phase_never_ends(story):
    ada, bob, room = two(story)
    story.at(0, StartTimer, ada, room)
    story.at(20, LeaveRoom, bob, room)
    story.at(22, PauseTimer, ada, room)
    story.town.clock.advance(days=400)
    story.meet_all()
    assert story.why(bob) == [("20 of 25 min", ACTIVE)]
    assert story.day_total(bob) == 20 * MINUTE


def test_who_leaves_in_a_pause_is_credited_what_ran_before_it(story):
    ada, bob, room = two(story)
    story.at(0, StartTimer, ada, room)
    story.at(10, PauseTimer, ada, room)
    story.at(15, LeaveRoom, bob, room)
    assert story.why(bob) == [("10 of 25 min", ACTIVE)]


def test_who_comes_and_goes_again_in_the_pause_is_told_nothing_new(story):
    ada, bob, room = two(story)
    story.at(0, StartTimer, ada, room)
    story.at(10, PauseTimer, ada, room)
    story.at(15, LeaveRoom, bob, room)
    told = story.town.told(f"user:{bob.id}")
    story.at(16, JoinRoom, bob, room)
    story.at(17, LeaveRoom, bob, room)
    assert story.town.told(f"user:{bob.id}") == told
    assert story.why(bob) == [("10 of 25 min", ACTIVE)]


def test_a_break_is_no_session(story):
    ada, bob, room = two(story, plan=BY_ITSELF)
    story.at(0, StartTimer, ada, room)
    story.at(26, LeaveRoom, bob, room)
    story.wait_until(30)
    assert [len(story.sessions(who)) for who in (ada, bob)] == [1, 1]
    story.wait_until(55)
    assert [len(story.sessions(who)) for who in (ada, bob)] == [2, 1]
    assert story.day_total(ada) == 50 * MINUTE


def test_an_extended_phase_was_planned_as_long_as_it_became(story):
    ada, _, room = two(story)
    story.at(0, StartTimer, ada, room)
    story.at(20, ExtendPhase, ada, room, span=5 * MINUTE)
    story.wait_until(30)
    assert story.why(ada) == [("30 min", COMPLETED)]


# -- nothing is earned -----------------------------------------------------------------------------


@pytest.mark.parametrize("message", [ResetTimer, SkipPhase, CloseRoom])
def test_what_is_ended_right_after_it_began_earns_nothing(story, message):
    ada, _, room = two(story)
    story.at(0, StartTimer, ada, room)
    story.at(59 / 60, message, ada, room)
    assert story.sessions(ada) == []
    assert story.day_total(ada) == ZERO


def test_completing_right_after_the_start_is_refused_and_earns_nothing(story):
    ada, _, room = two(story)
    story.at(0, StartTimer, ada, room)
    refusal = story.town.refused(CompleteTimer(room_id=room.id), ada)
    assert (refusal.code, refusal.left) == ("timer.not_over", 25 * MINUTE)
    assert story.sessions(ada) == []


def test_joining_in_the_last_second_earns_nothing(story):
    ada, _, room = two(story)
    carl = story.town.somebody()
    story.at(0, StartTimer, ada, room)
    story.at(25 - 1 / 60, JoinRoom, carl, room)
    story.wait_until(25)
    assert story.sessions(carl) == []
    assert story.day_total(carl) == ZERO


@pytest.mark.parametrize(("stayed", "credited"), [(59 * SECOND, 0), (MINUTE, 1)])
def test_a_session_is_a_minute_at_least(story, stayed, credited):
    ada, bob, room = two(story)
    story.at(0, StartTimer, ada, room)
    story.at(stayed / MINUTE, LeaveRoom, bob, room)
    story.wait_until(25)
    assert [each.credited for each in story.sessions(bob)] == [MINUTE] * credited


def test_short_visits_add_up(story):
    ada, bob, room = two(story)
    story.at(0, StartTimer, ada, room)
    story.at(0.5, LeaveRoom, bob, room)
    assert story.sessions(bob) == []
    story.at(24.5, JoinRoom, bob, room)
    story.wait_until(25)
    assert story.why(bob) == [("1 of 25 min: away for 24 min", COMPLETED)]


def test_a_strangers_and_a_members_command_touch_nothing(story):
    ada, bob, room = two(story)
    eve = story.town.somebody()
    story.at(0, StartTimer, ada, room)
    story.wait_until(10)
    for who in (bob, eve):
        for message in (PauseTimer, ResetTimer, SkipPhase, CompleteTimer):
            assert story.town.code(message(room_id=room.id), who) != "ok"
    story.wait_until(25)
    assert story.why(bob) == [("25 min", COMPLETED)]
    assert story.sessions(eve) == []


def test_a_clock_set_back_earns_nothing_twice(story):
    ada, bob, room = two(story, control=Control.EVERYONE)
    story.at(0, StartTimer, ada, room)
    story.wait_until(20)
    story.town.clock.set(story.start)
    carl = story.town.somebody()
    story.town.do(JoinRoom(room_id=room.id), carl)
    story.town.do(PauseTimer(room_id=room.id), ada)
    story.town.do(LeaveRoom(room_id=room.id), bob)
    assert story.sessions(carl) == []
    assert sum((each.credited for each in story.sessions(bob)), ZERO) == ZERO


# -- leased: as long as there were signs of life ---------------------------------------------------


def test_who_drops_and_is_back_within_the_lease_misses_nothing(leased):
    ada, bob, room = two(leased)
    leased.connect(ada, bob)
    leased.at(0, StartTimer, ada, room)
    leased.wait_until(10)
    leased.drop(bob)
    leased.wait_until(10.9)
    leased.connect(bob)
    leased.wait_until(25.2)
    assert leased.why(bob) == [("25 min", COMPLETED)]


def test_who_is_back_beyond_the_lease_was_away_since_the_last_sign(leased):
    ada, bob, room = two(leased)
    leased.connect(ada, bob)
    leased.at(0, StartTimer, ada, room)
    leased.wait_until(10)
    leased.drop(bob)
    leased.at(13, EnterRoom, bob, room)
    leased.connect(bob)
    leased.wait_until(25.2)
    assert leased.why(bob) == [("22 of 25 min: away for 3 min", COMPLETED)]
    assert leased.why(ada) == [("25 min", COMPLETED)]


def test_who_never_comes_back_was_there_up_to_the_last_sign(leased):
    ada, bob, room = two(leased)
    leased.connect(ada, bob)
    leased.at(0, StartTimer, ada, room)
    leased.wait_until(10)
    leased.drop(bob)
    leased.wait_until(11.1)
    assert leased.why(bob) == [("10 of 25 min", ACTIVE)]
    leased.wait_until(25.2)
    assert leased.why(bob) == [("10 of 25 min: left 15 min early", COMPLETED)]


def test_one_browser_of_two_is_enough(leased):
    ada, _, room = two(leased)
    leased.connect(ada, connection="1")
    leased.connect(ada, connection="2")
    leased.at(0, StartTimer, ada, room)
    leased.wait_until(5)
    leased.drop(ada, connection="1")
    leased.wait_until(15)
    leased.connect(ada, connection="1")
    leased.drop(ada, connection="2")
    leased.wait_until(25.2)
    assert leased.why(ada) == [("25 min", COMPLETED)]


def silent_at_the_end(leased):
    """Ada's last sign is ten seconds before the end of the phase."""
    ada, _, room = two(leased)
    leased.connect(ada)
    leased.at(0, StartTimer, ada, room)
    leased.wait_until(25 - 10 / 60)
    leased.drop(ada)
    leased.wait_until(25)
    said = "24 min 50 s of 25 min: not known yet for the last 10 s"
    assert leased.why(ada) == [(said, ACTIVE)]
    return ada, room


def test_what_waits_to_be_known_is_finished_by_the_next_sign_of_life(leased):
    ada, _ = silent_at_the_end(leased)
    assert leased.day_total(ada) == 24 * MINUTE + 50 * SECOND
    leased.wait_until(25.4)
    leased.connect(ada)
    assert leased.why(ada) == [("25 min", COMPLETED)]
    assert leased.day_total(ada) == 25 * MINUTE


def test_what_waits_to_be_known_is_finished_by_the_lapse(leased):
    ada, _ = silent_at_the_end(leased)
    leased.wait_until(27)
    assert leased.why(ada) == [("24 min 50 s of 25 min: left 10 s early", COMPLETED)]
    assert leased.day_total(ada) == 24 * MINUTE + 50 * SECOND


def test_what_waits_to_be_known_is_finished_by_leaving(leased):
    ada, room = silent_at_the_end(leased)
    leased.at(25.25, LeaveRoom, ada, room)
    assert leased.why(ada) == [("25 min", COMPLETED)]


def test_who_waits_and_had_less_than_a_minute_has_no_session_in_the_end(leased):
    ada, _, room = two(leased)
    carl = leased.town.somebody()
    leased.connect(ada)
    leased.at(0, StartTimer, ada, room)
    leased.at(24.5, JoinRoom, carl, room)
    leased.wait_until(25)
    assert leased.sessions(carl) == []
    leased.wait_until(27)
    assert leased.sessions(carl) == []
    assert leased.day_total(carl) == ZERO


def test_who_closes_a_room_is_there_and_the_others_were_up_to_their_last_sign(leased):
    ada, bob, room = two(leased)
    leased.connect(ada, bob)
    leased.at(0, StartTimer, ada, room)
    leased.wait_until(12)
    leased.town.clock.advance(seconds=5)
    leased.town.do(CloseRoom(room_id=room.id), ada)
    closed = "the room was closed after 12 min 5 s"
    assert leased.why(ada) == [(f"12 min 5 s of 25 min: {closed}", CANCELLED)]
    # Her closing says nothing of him, whose last sign was five seconds before.
    assert leased.why(bob) == [(f"12 of 25 min: left 5 s early, {closed}", CANCELLED)]


# -- the service was away --------------------------------------------------------------------------


def test_who_is_back_within_a_lease_of_the_return_is_credited_what_was_bridged(leased):
    ada, bob, room = two(leased)
    leased.connect(ada, bob)
    leased.at(0, StartTimer, ada, room)
    leased.wait_until(10)
    leased.drop(ada, bob)
    leased.town.clock.set(leased.start + 40 * MINUTE)
    leased.town.restart()
    leased.town.do(ReturnService(), SYSTEM)
    leased.wait_until(40.5)
    assert leased.why(ada) == [("10 of 25 min: not known yet for the last 15 min", ACTIVE)]
    leased.at(40.9, EnterRoom, ada, room)
    leased.wait_until(42)
    assert leased.why(ada) == [("25 min", COMPLETED)]
    assert leased.why(bob) == [("10 of 25 min: left 15 min early", COMPLETED)]


# -- kinds -----------------------------------------------------------------------------------------


def test_a_countdown_is_credited_like_any_phase(story):
    ada, _, room = two(story, plan=Plan(kind=TimerKind.COUNTDOWN, work=40 * MINUTE))
    story.at(0, StartTimer, ada, room)
    story.wait_until(40)
    assert story.why(ada) == [("40 min", COMPLETED)]
    assert story.only(ada).kind is SessionKind.CUSTOM


def test_of_a_flowtime_what_was_done_was_planned(story):
    ada, _, room = two(story, plan=Plan(kind=TimerKind.FLOWTIME))
    carl = story.town.somebody()
    story.at(0, StartTimer, ada, room)
    story.at(2, JoinRoom, carl, room)
    story.at(42.5, CompleteTimer, ada, room)
    assert story.why(ada) == [("42 min 30 s", COMPLETED)]
    assert story.why(carl) == [("40 min 30 s: joined 2 min late", COMPLETED)]
    assert story.only(ada).kind is SessionKind.DEEP_WORK
    assert story.only(ada).planned == 42 * MINUTE + 30 * SECOND


def test_a_flowtime_that_nobody_completes_ends_after_a_day(story):
    ada, _, room = two(story, plan=Plan(kind=TimerKind.FLOWTIME))
    story.at(0, StartTimer, ada, room)
    story.town.clock.advance(hours=30)
    story.meet_all()
    assert story.why(ada) == [("24 h", COMPLETED)]


# -- the day, the record, who sees it --------------------------------------------------------------


def test_a_session_over_midnight_is_in_the_day_in_which_it_began(story):
    ada, _, room = two(story, plan=Plan(work=30 * MINUTE))
    story.town.do(ChangeDays(time_zone="Asia/Tokyo"), ada)
    story.town.clock.set(datetime(2026, 1, 5, 14, 50, tzinfo=UTC))
    story.town.do(StartTimer(room_id=room.id), ada)
    story.town.clock.advance(minutes=30)
    story.meet_all()
    done = story.only(ada)
    assert (done.day, done.offset, done.credited) == ("2026-01-05", 9 * 60 * MINUTE, 30 * MINUTE)
    days = story.town.do(DaysOf(first="2026-01-04", last="2026-01-07"), ada).days
    assert [(each.day, each.focused) for each in days] == [("2026-01-05", 30 * MINUTE)]


def test_each_is_counted_in_the_day_of_their_own(story):
    ada, bob, room = two(story)
    story.town.clock.set(datetime(2026, 1, 6, 2, tzinfo=UTC))
    story.town.do(ChangeDays(time_zone="Pacific/Honolulu"), bob)
    story.town.do(ChangeDays(time_zone="UTC", day_start=4), ada)
    story.town.do(StartTimer(room_id=room.id), ada)
    story.town.clock.advance(minutes=25)
    story.meet_all()
    assert [story.only(who).day for who in (ada, bob)] == ["2026-01-05"] * 2
    assert [story.only(who).offset for who in (ada, bob)] == [ZERO, -600 * MINUTE]


def test_a_session_is_the_same_however_late_it_is_noticed(storage):
    told = []
    for where, late in ((storage, ZERO), (MemoryStorage(), timedelta(days=2))):
        story = Story(Town(where))
        ada, bob, room = two(story)
        story.town.do(StartTimer(room_id=room.id), ada)
        story.town.clock.advance(25 * MINUTE + late)
        story.meet_all()
        told.append(story.only(bob))
    assert told[0] == told[1]


def test_only_its_person_sees_a_session_and_hears_of_it(story):
    ada, bob, room = two(story)
    story.at(0, StartTimer, ada, room)
    story.wait_until(25)
    done = story.only(ada)
    assert story.town.do(SessionById(session_id=done.id), ada) == done
    assert story.town.code(SessionById(session_id=done.id), bob) == "sessions.not_found"
    (heard,) = story.town.told(f"user:{ada.id}")
    assert (heard.type, heard.at) == ("sessions.credited", story.start + 25 * MINUTE)
    assert story.town.decoded(heard).session == done


def test_what_was_told_to_be_added_is_what_was_credited(leased):
    ada, _ = silent_at_the_end(leased)
    leased.connect(ada)
    told = [leased.town.decoded(each) for each in leased.town.told(f"user:{ada.id}")]
    assert [each.added for each in told] == [24 * MINUTE + 50 * SECOND, 10 * SECOND]
    assert told[-1].session.credited == 25 * MINUTE


# -- a clock that is set back earns nothing --------------------------------------------------------


def test_a_sign_from_before_the_clock_was_set_back_is_none_of_the_time_that_comes(story):
    ada, bob, room = two(story)
    story.wait_until(28)
    story.town.do(ReportStatus(is_idle=False), bob)
    story.town.clock.set(story.start)
    story.at(0, StartTimer, ada, room)
    story.at(1, LeaveRoom, bob, room)
    story.wait_until(31)
    assert story.why(bob) == [("1 of 25 min: left 24 min early", COMPLETED)]
    assert story.why(ada) == [("25 min", COMPLETED)]


def test_who_fell_silent_when_the_clock_was_set_back_has_what_was_before(leased):
    ada, bob, room = two(leased)
    leased.connect(ada, bob)
    leased.at(0, StartTimer, ada, room)
    leased.at(10, PauseTimer, ada, room)
    leased.drop(bob)
    leased.town.clock.set(leased.start)
    leased.at(0, ResumeTimer, ada, room)
    leased.wait_until(17)
    assert leased.why(bob) == [("10 of 25 min: left 15 min early", COMPLETED)]
    assert leased.only(ada).credited == timedelta(minutes=25)


def test_a_return_from_before_the_clock_was_set_back_gives_no_lease_for_hours(leased):
    leased.town.clock.set(leased.start + timedelta(hours=1))
    leased.town.do(ReturnService(), SYSTEM)
    ada, bob, room = two(leased)
    leased.town.clock.set(leased.start)
    leased.connect(ada, bob)
    leased.at(0, StartTimer, ada, room)
    leased.wait_until(2)
    leased.drop(bob)
    leased.wait_until(22)
    leased.connect(bob)
    leased.wait_until(27)
    assert leased.why(bob) == [("2 of 25 min: left 23 min early", COMPLETED)]


# -- a pause settles credit ------------------------------------------------------------------------


def test_a_pause_credits_what_was_done_though_the_phase_may_never_go_on(story):
    ada, bob, room = two(story)
    story.at(0, StartTimer, ada, room)
    story.at(10, PauseTimer, ada, room)
    assert story.why(ada) == story.why(bob) == [("10 of 25 min", ACTIVE)]
    assert story.day_total(bob) == 10 * MINUTE
    story.at(12, ResumeTimer, ada, room)
    story.wait_until(27)
    assert story.why(ada) == [("25 min", COMPLETED)]
    assert story.day_total(bob) == 25 * MINUTE


def test_a_pause_after_less_than_a_minute_waits_for_more(story):
    ada, _, room = two(story)
    story.at(0, StartTimer, ada, room)
    story.at(0.5, PauseTimer, ada, room)
    story.at(1, ResumeTimer, ada, room)
    story.at(1.75, PauseTimer, ada, room)
    assert story.sessions(ada) == []
    story.at(2, ResumeTimer, ada, room)
    story.at(3, PauseTimer, ada, room)
    assert story.why(ada) == [("2 min 15 s of 25 min", ACTIVE)]


def test_under_a_lease_a_pause_credits_up_to_the_last_sign_of_life(leased):
    ada, bob, room = two(leased)
    leased.connect(ada, bob)
    leased.at(0, StartTimer, ada, room)
    leased.wait_until(9.5)
    leased.drop(bob)
    leased.at(10, PauseTimer, ada, room)
    assert leased.only(bob).credited == 9.5 * MINUTE
    leased.connect(bob)
    leased.at(11, ResumeTimer, ada, room)
    leased.wait_until(27)
    assert leased.why(bob) == [("25 min", COMPLETED)]


def test_what_is_not_known_yet_is_at_the_end_also_where_nothing_is_known(storage):
    lease = PresencePolicy(lease=timedelta(minutes=30))
    story = Story(Town(storage, settings=[lease]))
    ada, bob, room = two(story, plan=Plan(work=5 * MINUTE))
    story.at(0, StartTimer, ada, room)
    story.wait_until(5)
    assert story.why(bob) == [("0 s of 5 min: not known yet for the last 5 min", ACTIVE)]
    story.connect(bob)
    assert story.why(bob) == [("5 min", COMPLETED)]


def test_a_reset_right_after_the_start_leaves_nothing_that_waits(leased):
    ada, bob, room = two(leased)
    leased.at(0, StartTimer, ada, room)
    leased.at(5 / 60, ResetTimer, ada, room)
    assert leased.sessions(ada) == leased.sessions(bob) == []


def test_a_session_that_turns_out_to_be_none_cannot_be_annotated(leased):
    ada, bob, room = two(leased)
    leased.connect(ada)
    leased.at(0, StartTimer, ada, room)
    leased.at(23.5, JoinRoom, bob, room)
    leased.at(24.2, EnterRoom, bob, room)
    leased.wait_until(25)
    (waiting,) = leased.sessions(bob)
    assert (waiting.status, waiting.credited) == (ACTIVE, ZERO)
    leased.town.clock.advance(minutes=1)
    ask = AnnotateSession(session_id=waiting.id, note="was I there?")
    assert leased.town.code(ask, bob) == "sessions.not_found"
