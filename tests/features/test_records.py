"""Records: what people say of their sessions, record by hand, schedule, and look up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from focusmate_core import Actor
from focusmate_core.features.days import ChangeDays
from focusmate_core.features.plans import Plan
from focusmate_core.features.presence import ALWAYS, NEVER, PresencePolicy
from focusmate_core.features.records import (
    EARLIEST,
    AnnotateSession,
    CancelSession,
    RecordSession,
    RemoveSession,
    ScheduleSession,
    SessionById,
    SessionHistory,
)
from focusmate_core.features.seats import JoinRoom, LeaveRoom
from focusmate_core.features.sessions import SessionKind, SessionStatus
from focusmate_core.features.signs import EnterRoom
from focusmate_core.features.timer_control import StartTimer
from focusmate_core.refusals import BadInput
from tests.features.town import Town

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
MOMENT = timedelta(microseconds=1)
ZERO = timedelta(0)


def history(town, person, **asked):
    return town.do(SessionHistory(**asked), person)


def by_id(town, person, made):
    return town.do(SessionById(session_id=made.id), person)


def record(town, person, ago=2 * HOUR, length=HOUR, **more):
    ask = RecordSession(started_at=town.clock.now() - ago, length=length, **more)
    return town.do(ask, person)


def schedule(town, person, ahead=HOUR, length=HOUR, **more):
    ask = ScheduleSession(starts_at=town.clock.now() + ahead, length=length, **more)
    return town.do(ask, person)


def focus(town, person, minutes=25):
    """A session that the timer saw."""
    room = town.open_room(person, plan=Plan(work=minutes * MINUTE))
    town.do(StartTimer(room_id=room.id), person)
    town.clock.advance(minutes=minutes)
    town.engine.run_due()
    return history(town, person).items[-1]


# -- by hand ---------------------------------------------------------------------------------------


def test_what_is_recorded_by_hand_is_marked_and_says_so(town, ada):
    made = record(town, ada, length=45 * MINUTE, focus=4, note="Tensors\nand tea")
    assert made.is_manual
    assert (made.status, made.credited) == (SessionStatus.COMPLETED, 45 * MINUTE)
    assert made.ended_at - made.started_at == 45 * MINUTE
    assert (made.why, made.note, made.focus) == (
        "45 min, recorded by hand",
        "Tensors\nand tea",
        4,
    )
    assert (made.room_id, made.account) == (None, None)
    assert by_id(town, ada, made) == made
    (told,) = town.told(f"user:{ada.id}")
    assert (told.type, town.decoded(told).session) == ("sessions.recorded", made)


def test_what_is_recorded_has_to_be_over(town, ada):
    now = town.clock.now()
    for started_at, code in ((now - HOUR, "ok"), (now - HOUR + MOMENT, "sessions.not_over")):
        assert town.code(RecordSession(started_at=started_at, length=HOUR), ada) == code


def test_nobody_focuses_twice_at_once(town, ada, bob):
    made = record(town, ada, ago=5 * HOUR, length=2 * HOUR)
    for ago, length in ((6, 2), (5, 2), (4.5, 1), (4, 3), (6, 4)):
        ask = RecordSession(started_at=town.clock.now() - ago * HOUR, length=length * HOUR)
        refusal = town.refused(ask, ada)
        assert refusal.code == "sessions.overlaps"
        assert (refusal.since, refusal.until) == (made.started_at, made.ended_at)
        assert town.code(ask, bob) in {"ok", "sessions.overlaps"}
    for ago, length in ((6, 1), (3, 2)):
        assert record(town, ada, ago=ago * HOUR, length=length * HOUR).is_manual


def test_what_a_timer_saw_is_not_recorded_again(town, ada):
    focus(town, ada)
    ask = RecordSession(started_at=town.clock.now() - 10 * MINUTE, length=5 * MINUTE)
    assert town.code(ask, ada) == "sessions.overlaps"


def test_what_is_only_scheduled_takes_no_time(town, ada):
    schedule(town, ada)
    town.clock.advance(hours=5)
    assert record(town, ada, ago=4 * HOUR).is_manual


@pytest.mark.parametrize("minutes", [0, 481])
def test_a_record_lasts_from_a_minute_to_eight_hours(town, minutes):
    with pytest.raises(BadInput):
        RecordSession(started_at=town.clock.now(), length=minutes * MINUTE)


@pytest.mark.parametrize(
    ("started_at", "code"),
    [
        (NEVER, "bad_input"),
        (EARLIEST - MOMENT, "bad_input"),
        (EARLIEST, "ok"),
        (ALWAYS, "sessions.not_over"),
    ],
)
def test_a_record_of_any_time_at_all_is_answered(town, ada, started_at, code):
    assert town.code(RecordSession(started_at=started_at, length=HOUR), ada) == code
    ahead = ScheduleSession(starts_at=started_at, length=HOUR)
    assert town.code(ahead, ada) == "sessions.not_ahead"


def test_whatever_is_recorded_has_a_day_that_can_be_asked_for(town, ada):
    town.clock.set(EARLIEST - DAY)
    town.do(ChangeDays(time_zone="Pacific/Pago_Pago", day_start=23), ada)
    town.clock.set(datetime(2026, 1, 5, tzinfo=UTC))
    made = town.do(RecordSession(started_at=EARLIEST, length=HOUR), ada)
    assert history(town, ada, first=made.day, last=made.day).items == (made,)


def test_an_instant_in_any_zone_is_the_same_instant(town, ada):
    local = (town.clock.now() - 3 * HOUR).astimezone(ZoneInfo("Asia/Kathmandu"))
    made = town.do(RecordSession(started_at=local, length=HOUR), ada)
    assert by_id(town, ada, made) == made
    assert made.started_at == local
    ask = RecordSession(started_at=local + 30 * MINUTE, length=HOUR)
    assert town.code(ask, ada) == "sessions.overlaps"


def test_a_record_is_counted_in_the_day_that_was_ones_own_then(town, ada):
    town.do(ChangeDays(time_zone="Asia/Tokyo", day_start=4), ada)
    town.clock.set(datetime(2026, 1, 8, 12, tzinfo=UTC))
    ask = RecordSession(started_at=datetime(2026, 1, 7, 18, 30, tzinfo=UTC), length=HOUR)
    made = town.do(ask, ada)
    assert (made.day, made.offset) == ("2026-01-07", 9 * HOUR)


def test_what_was_recorded_can_be_taken_back_once(town, ada):
    made = record(town, ada)
    assert town.do(RemoveSession(session_id=made.id), ada) == made
    assert history(town, ada).items == ()
    assert town.code(RemoveSession(session_id=made.id), ada) == "sessions.not_found"
    assert town.types(f"user:{ada.id}") == ["sessions.recorded", "sessions.removed"]
    assert record(town, ada).is_manual


def test_what_was_credited_stays(town, ada):
    done = focus(town, ada)
    assert town.code(RemoveSession(session_id=done.id), ada) == "sessions.not_by_hand"
    assert town.code(CancelSession(session_id=done.id), ada) == "sessions.not_scheduled"


# -- said of a session -----------------------------------------------------------------------------


def test_what_is_left_out_stays_as_it_was(town, ada):
    done = focus(town, ada)
    first = AnnotateSession(session_id=done.id, productivity=5, distractions=0, note="good")
    rated = town.do(first, ada)
    assert (rated.productivity, rated.focus, rated.distractions) == (5, None, 0)
    again = town.do(AnnotateSession(session_id=done.id, focus=1, note=""), ada)
    assert (again.productivity, again.focus, again.distractions, again.note) == (5, 1, 0, "")
    custom = AnnotateSession(session_id=done.id, kind=SessionKind.DEEP_WORK)
    assert town.do(custom, ada).kind is SessionKind.DEEP_WORK
    assert (again.credited, again.why) == (done.credited, done.why)


def test_saying_the_same_again_tells_nobody(town, ada):
    done = focus(town, ada)
    for _ in range(2):
        town.do(AnnotateSession(session_id=done.id, focus=3), ada)
    assert town.types(f"user:{ada.id}").count("sessions.changed") == 1


def test_what_was_said_of_a_session_that_goes_on_is_kept(town, ada):
    room = town.open_room(ada)
    bob = town.somebody()
    town.do(JoinRoom(room_id=room.id), bob)
    town.do(StartTimer(room_id=room.id), ada)
    town.clock.advance(minutes=10)
    town.do(LeaveRoom(room_id=room.id), bob)
    (going,) = history(town, bob).items
    town.do(AnnotateSession(session_id=going.id, note="train"), bob)
    town.clock.advance(minutes=15)
    town.engine.run_due()
    (done,) = history(town, bob).items
    assert (done.note, done.status) == ("train", SessionStatus.COMPLETED)


@pytest.mark.parametrize("field", ["productivity", "focus"])
@pytest.mark.parametrize("rating", [0, 6, "5", True])
def test_ratings_are_from_one_to_five(ada, field, rating):
    with pytest.raises(BadInput):
        AnnotateSession(session_id=ada.id, **{field: rating})


@pytest.mark.parametrize("message", [AnnotateSession, RemoveSession, CancelSession, SessionById])
def test_of_anothers_session_nobody_knows(town, ada, bob, message):
    for made in (record(town, ada), schedule(town, ada)):
        ask = message(session_id=made.id)
        assert town.code(ask, bob) == "sessions.not_found"
        admin = Actor(id=bob.id, roles=frozenset({"admin"}))
        assert town.code(ask, admin) == "sessions.not_found"
    assert town.code(message(session_id=bob.id), bob) == "sessions.not_found"


# -- ahead -----------------------------------------------------------------------------------------


def test_a_session_is_scheduled_for_a_time_to_come(town, ada):
    made = schedule(town, ada, length=50 * MINUTE, kind=SessionKind.DEEP_WORK, note="thesis")
    assert (made.status, made.credited, made.planned) == (
        SessionStatus.SCHEDULED,
        ZERO,
        50 * MINUTE,
    )
    assert (made.why, made.is_manual, made.kind) == ("50 min planned", False, SessionKind.DEEP_WORK)
    for ahead, code in (
        (ZERO, "sessions.not_ahead"),
        (MOMENT, "ok"),
        (366 * DAY, "ok"),
        (366 * DAY + MOMENT, "sessions.not_ahead"),
    ):
        ask = ScheduleSession(starts_at=town.clock.now() + ahead, length=HOUR)
        assert town.code(ask, ada) == code


def test_who_focuses_in_the_time_that_was_scheduled_kept_it(town, ada):
    kept = schedule(town, ada, ahead=10 * MINUTE, length=30 * MINUTE)
    later = schedule(town, ada, ahead=2 * HOUR)
    focus(town, ada)
    assert by_id(town, ada, kept).status is SessionStatus.COMPLETED
    assert by_id(town, ada, kept).credited == ZERO
    assert by_id(town, ada, later).status is SessionStatus.SCHEDULED
    assert town.code(CancelSession(session_id=kept.id), ada) == "sessions.not_scheduled"
    changed = [each for each in town.told(f"user:{ada.id}") if each.type == "sessions.changed"]
    assert [town.decoded(each).session.id for each in changed] == [kept.id]


def test_focusing_just_before_or_after_keeps_nothing(town, ada):
    before = schedule(town, ada, ahead=25 * MINUTE)
    focus(town, ada)
    assert by_id(town, ada, before).status is SessionStatus.SCHEDULED
    town.clock.advance(HOUR)
    focus(town, ada)
    assert by_id(town, ada, before).status is SessionStatus.SCHEDULED


def test_another_persons_focus_keeps_nothing_of_mine(town, ada, bob):
    mine = schedule(town, ada, ahead=MINUTE)
    focus(town, bob)
    assert by_id(town, ada, mine).status is SessionStatus.SCHEDULED


def test_cancelling_twice_is_cancelling_once(town, ada):
    made = schedule(town, ada)
    first = town.do(CancelSession(session_id=made.id), ada)
    assert first.status is SessionStatus.CANCELLED
    assert town.do(CancelSession(session_id=made.id), ada) == first
    assert town.types(f"user:{ada.id}").count("sessions.changed") == 1


def test_what_was_cancelled_is_not_kept_any_more(town, ada):
    made = schedule(town, ada, ahead=MINUTE)
    town.do(CancelSession(session_id=made.id), ada)
    focus(town, ada)
    assert by_id(town, ada, made).status is SessionStatus.CANCELLED


# -- look ------------------------------------------------------------------------------------------


@pytest.fixture
def month(town, ada):
    """A record on each of thirty days, the latest yesterday."""
    return [record(town, ada, ago=(n + 1) * DAY) for n in range(30)]


def test_history_comes_with_the_latest_day_first_page_by_page(town, ada, month):
    seen, cursor = [], None
    while True:
        page = history(town, ada, limit=7, cursor=cursor)
        seen += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
        assert len(page.items) == 7
    assert seen == month


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({}, 30),
        ({"first": "2026-01-01"}, 4),
        ({"last": "2025-12-10"}, 5),
        ({"first": "2025-12-20", "last": "2025-12-22"}, 3),
        ({"first": "2025-12-22", "last": "2025-12-22"}, 1),
        ({"first": "2025-12-22", "last": "2025-12-20"}, 0),
    ],
)
def test_history_is_of_the_days_asked_for_both_included(town, ada, month, asked, count):
    found = history(town, ada, limit=100, **asked).items
    assert len(found) == count
    assert all(asked.get("first", "") <= each.day <= asked.get("last", "9") for each in found)


def test_a_foreign_cursor_is_bad_input(town, ada, month):
    assert town.code(SessionHistory(cursor="nonsense"), ada) == "bad_input"


def test_each_has_a_history_of_their_own(town, ada, bob, month):
    assert history(town, bob).items == ()


# -- what a timer sees is not recorded by hand -----------------------------------------------------


def by_hand(town, minutes):
    """A record of the last so many minutes."""
    length = timedelta(minutes=minutes)
    return RecordSession(started_at=town.clock.now() - length, length=length)


def test_what_a_phase_that_goes_on_may_credit_yet_is_not_recorded_by_hand(town, ada, bob, room):
    town.do(StartTimer(room_id=room.id), ada)
    town.clock.advance(minutes=20)
    assert town.code(by_hand(town, 20), ada) == "sessions.overlaps"
    assert town.code(by_hand(town, 20), bob) == "ok"
    town.do(JoinRoom(room_id=room.id), bob)
    assert town.code(by_hand(town, 40), bob) == "sessions.overlaps"


def test_a_time_before_the_phase_is_recorded_while_it_goes_on(town, ada, room):
    town.clock.advance(minutes=10)
    town.do(StartTimer(room_id=room.id), ada)
    before = RecordSession(
        started_at=town.clock.now() - timedelta(minutes=10), length=timedelta(minutes=10)
    )
    town.clock.advance(minutes=5)
    assert town.code(before, ada) == "ok"


def test_what_is_not_known_yet_of_a_session_is_not_recorded_by_hand(storage):
    town = Town(storage, settings=[PresencePolicy(lease=timedelta(minutes=10))])
    ada, bob = town.somebody(), town.somebody()
    room = town.open_room(ada)
    town.do(JoinRoom(room_id=room.id), bob)
    town.do(StartTimer(room_id=room.id), ada)
    for _ in range(4):
        town.clock.advance(minutes=5)
        for who in (ada, bob):
            town.do(EnterRoom(room_id=room.id), who)
    town.clock.advance(minutes=6)
    assert town.code(by_hand(town, 5), bob) == "sessions.overlaps"


def test_only_what_is_scheduled_near_a_session_is_kept_by_it(town, ada, room):
    def scheduled(hours):
        at = town.clock.now() + timedelta(hours=hours)
        return town.do(ScheduleSession(starts_at=at, length=timedelta(hours=1)), ada).id

    now, later = scheduled(1), scheduled(30)
    town.clock.advance(hours=1)
    town.do(StartTimer(room_id=room.id), ada)
    town.clock.advance(minutes=25)
    town.engine.run_due()
    stated = {each.id: each.why for each in town.do(SessionHistory(), ada).items}
    assert stated[now] == "1 h planned, and kept"
    assert stated[later] == "1 h planned"
