"""Timer control: who may, and what skipping, completing, extending and another plan do."""

from __future__ import annotations

from datetime import timedelta

import pytest

from focusmate_core.features.plans import LONGEST_FLOW, Phase, Plan, TimerKind, break_after
from focusmate_core.features.presence import PresencePolicy
from focusmate_core.features.rooms import CloseRoom, Control, RoomById
from focusmate_core.features.seats import AppointModerator, JoinRoom, LeaveRoom
from focusmate_core.features.signs import EnterRoom
from focusmate_core.features.timer import TimerState
from focusmate_core.features.timer_control import (
    ChangePlan,
    CompleteTimer,
    ExtendPhase,
    PauseTimer,
    ResetTimer,
    ResumeTimer,
    SkipPhase,
    StartTimer,
)
from focusmate_core.features.timer_machine import State
from focusmate_core.refusals import BadInput
from tests.features.town import Town

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
MOMENT = timedelta(microseconds=1)
LEASE = timedelta(seconds=60)
BY_ITSELF = Plan(auto_start_breaks=True, auto_start_work=True)
FLOWTIME = Plan(kind=TimerKind.FLOWTIME)
COUNTDOWN = Plan(kind=TimerKind.COUNTDOWN, work=40 * MINUTE)


def stream(room):
    return f"room:{room.id}"


def state(town, room, by):
    return town.do(TimerState(room_id=room.id), by)


def do(town, message, room, by, **more):
    return town.do(message(room_id=room.id, **more), by)


def how(timer):
    return (timer.state, timer.phase, timer.completed)


# -- who may ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("control", "member", "moderator"),
    [
        (Control.HOST, "not_allowed", "not_allowed"),
        (Control.MODERATORS, "not_allowed", "ok"),
        (Control.EVERYONE, "ok", "ok"),
    ],
)
def test_the_room_says_who_controls_its_timer(town, ada, bob, control, member, moderator):
    room, carl = town.open_room(ada, control=control), town.somebody()
    for each in (bob, carl):
        do(town, JoinRoom, room, each)
    do(town, AppointModerator, room, ada, person_id=carl.id)
    assert town.code(StartTimer(room_id=room.id), bob) == member
    assert town.code(StartTimer(room_id=room.id), carl) == moderator
    assert town.code(StartTimer(room_id=room.id), ada) == "ok"


def test_who_is_a_moderator_no_longer_controls_it_no_longer(town, ada, bob):
    room = town.open_room(ada, control=Control.MODERATORS)
    do(town, JoinRoom, room, bob)
    for is_moderator, code in ((True, "ok"), (False, "not_allowed")):
        do(town, AppointModerator, room, ada, person_id=bob.id, is_moderator=is_moderator)
        assert town.code(ResetTimer(room_id=room.id), bob) == code


def test_a_moderator_who_is_in_another_room_still_controls_it(town, ada, bob):
    room = town.open_room(ada, control=Control.MODERATORS)
    do(town, JoinRoom, room, bob)
    do(town, AppointModerator, room, ada, person_id=bob.id)
    town.open_room(bob)
    assert do(town, StartTimer, room, bob).state is State.RUNNING


# -- skip ------------------------------------------------------------------------------------------


def test_skipping_goes_on_to_the_next_phase_and_completes_nothing(town, ada, room):
    do(town, StartTimer, room, ada)
    town.clock.advance(minutes=10)
    assert how(do(town, SkipPhase, room, ada)) == (State.IDLE, Phase.SHORT_BREAK, 0)
    assert how(do(town, SkipPhase, room, ada)) == (State.IDLE, Phase.WORK, 0)
    told = [each for each in town.told(stream(room)) if each.type == "timer.skipped"]
    assert [town.decoded(each).skipped for each in told] == [Phase.WORK, Phase.SHORT_BREAK]


@pytest.mark.parametrize("steps", [(), (StartTimer,), (StartTimer, PauseTimer)])
def test_what_is_skipped_to_runs_if_the_former_had_begun_and_the_plan_says_so(town, ada, steps):
    room = town.open_room(ada, plan=BY_ITSELF)
    for step in steps:
        do(town, step, room, ada)
    skipped = do(town, SkipPhase, room, ada)
    assert skipped.state is (State.RUNNING if steps else State.IDLE)
    assert skipped.phase is Phase.SHORT_BREAK
    assert skipped.left == 5 * MINUTE


@pytest.mark.parametrize("plan", [FLOWTIME, COUNTDOWN])
def test_what_has_one_phase_has_none_to_skip_to(town, ada, plan):
    room = town.open_room(ada, plan=plan)
    do(town, StartTimer, room, ada)
    refusal = town.refused(SkipPhase(room_id=room.id), ada)
    assert (refusal.code, refusal.counts) == ("timer.one_phase", plan.kind.value)


# -- complete --------------------------------------------------------------------------------------


def test_nobody_completes_what_is_not_over(town, ada, room):
    do(town, StartTimer, room, ada)
    for advanced in (0 * MINUTE, 25 * MINUTE - MOMENT):
        town.clock.advance(advanced)
        refusal = town.refused(CompleteTimer(room_id=room.id), ada)
        assert (refusal.code, refusal.left) == ("timer.not_over", 25 * MINUTE - advanced)
    town.clock.advance(MOMENT)
    assert town.code(CompleteTimer(room_id=room.id), ada) == "ok"


def test_completing_what_has_just_ended_confirms_it_once_or_often(town, ada, room):
    do(town, StartTimer, room, ada)
    town.clock.advance(minutes=25)
    first = do(town, CompleteTimer, room, ada)
    assert how(first) == (State.IDLE, Phase.SHORT_BREAK, 1)
    told = town.types(stream(room))
    town.clock.advance(hours=3)
    assert how(do(town, CompleteTimer, room, ada)) == how(first)
    assert town.types(stream(room)) == told


def test_completing_confirms_the_former_phase_for_a_minute_after_the_next_began_by_itself(
    town, ada
):
    room = town.open_room(ada, plan=BY_ITSELF)
    do(town, StartTimer, room, ada)
    town.clock.advance(25 * MINUTE + MINUTE - MOMENT)
    confirmed = do(town, CompleteTimer, room, ada)
    assert how(confirmed) == (State.RUNNING, Phase.SHORT_BREAK, 1)
    town.clock.advance(MOMENT)
    assert town.code(CompleteTimer(room_id=room.id), ada) == "timer.not_over"


@pytest.mark.parametrize("steps", [(), (StartTimer, ResetTimer), (StartTimer, SkipPhase)])
def test_where_nothing_ended_there_is_nothing_to_complete(town, ada, room, steps):
    for step in steps:
        do(town, step, room, ada)
    assert town.code(CompleteTimer(room_id=room.id), ada) == "timer.not_running"


def test_a_new_start_forgets_that_something_had_ended(town, ada, room):
    do(town, StartTimer, room, ada)
    town.clock.advance(minutes=25)
    do(town, StartTimer, room, ada)
    assert town.code(CompleteTimer(room_id=room.id), ada) == "timer.not_over"


# -- countdown and flowtime ------------------------------------------------------------------------


def test_a_countdown_ends_completed_and_starts_anew(town, ada):
    room = town.open_room(ada, plan=COUNTDOWN)
    do(town, StartTimer, room, ada)
    town.clock.advance(hours=5)
    over = state(town, room, ada)
    assert (how(over), over.left) == ((State.COMPLETED, Phase.WORK, 1), 0 * MINUTE)
    assert over.suggested_break is None
    assert how(do(town, CompleteTimer, room, ada)) == how(over)
    again = do(town, StartTimer, room, ada)
    assert (how(again), again.left) == ((State.RUNNING, Phase.WORK, 1), 40 * MINUTE)


@pytest.mark.parametrize(
    ("worked", "rest"),
    [
        (SECOND, 5),
        (25 * MINUTE, 5),
        (25 * MINUTE + MOMENT, 8),
        (50 * MINUTE, 8),
        (51 * MINUTE, 10),
        (90 * MINUTE, 10),
        (91 * MINUTE, 15),
        (timedelta(hours=23), 15),
    ],
)
def test_a_flowtime_suggests_the_break_that_suits_what_was_worked(town, ada, worked, rest):
    room = town.open_room(ada, plan=FLOWTIME)
    do(town, StartTimer, room, ada)
    town.clock.advance(worked)
    done = do(town, CompleteTimer, room, ada)
    assert (how(done), done.suggested_break) == (
        (State.COMPLETED, Phase.WORK, 1),
        rest * MINUTE,
    )
    assert break_after(worked) == rest * MINUTE
    assert do(town, CompleteTimer, room, ada) == done
    assert do(town, StartTimer, room, ada).suggested_break is None


def test_of_a_flowtime_only_what_ran_counts_for_the_break(town, ada):
    room = town.open_room(ada, plan=FLOWTIME)
    do(town, StartTimer, room, ada)
    town.clock.advance(minutes=20)
    do(town, PauseTimer, room, ada)
    town.clock.advance(hours=4)
    assert do(town, CompleteTimer, room, ada).suggested_break == 5 * MINUTE


def test_a_flowtime_ends_after_a_day_all_the_same(town, ada):
    room = town.open_room(ada, plan=FLOWTIME)
    do(town, StartTimer, room, ada)
    town.clock.advance(LONGEST_FLOW)
    town.engine.run_due()
    ended = [each for each in town.told(stream(room)) if each.type == "timer.phase_ended"]
    assert [each.at for each in ended] == [town.clock.now()]
    assert state(town, room, ada).suggested_break == 15 * MINUTE


# -- extend ----------------------------------------------------------------------------------------


def test_an_extended_phase_ends_that_much_later(town, ada, room):
    do(town, StartTimer, room, ada)
    town.clock.advance(minutes=24)
    extended = do(town, ExtendPhase, room, ada, span=10 * MINUTE)
    assert (extended.left, extended.length) == (11 * MINUTE, 35 * MINUTE)
    town.clock.advance(11 * MINUTE - MOMENT)
    assert town.engine.run_due() == 0
    town.clock.advance(MOMENT)
    assert town.engine.run_due() == 1


def test_a_paused_phase_has_more_left_when_it_was_extended(town, ada, room):
    do(town, StartTimer, room, ada)
    town.clock.advance(minutes=24)
    do(town, PauseTimer, room, ada)
    assert do(town, ExtendPhase, room, ada, span=10 * MINUTE).left == 11 * MINUTE
    assert do(town, ResumeTimer, room, ada).left == 11 * MINUTE


def test_what_does_not_run_is_not_extended_and_nothing_beyond_three_hours(town, ada, room):
    ask = ExtendPhase(room_id=room.id, span=60 * MINUTE)
    assert town.code(ask, ada) == "timer.not_running"
    do(town, StartTimer, room, ada)
    assert [town.code(ask, ada) for _ in range(3)] == ["ok", "ok", "timer.too_long"]
    assert do(town, ExtendPhase, room, ada, span=35 * MINUTE).length == 180 * MINUTE


@pytest.mark.parametrize("minutes", [0, 61, -5])
def test_a_phase_is_extended_by_a_minute_to_an_hour(room, minutes):
    with pytest.raises(BadInput):
        ExtendPhase(room_id=room.id, span=minutes * MINUTE)


# -- another plan ----------------------------------------------------------------------------------

LONGER = Plan(work=50 * MINUTE, short_break=10 * MINUTE)


def test_a_plan_changed_while_idle_applies_at_once(town, ada, room):
    changed = do(town, ChangePlan, room, ada, plan=LONGER)
    assert (how(changed), changed.left) == ((State.IDLE, Phase.WORK, 0), 50 * MINUTE)
    assert town.do(RoomById(room_id=room.id), ada).plan == LONGER
    assert town.parts(stream(room))["room"].plan == LONGER


@pytest.mark.parametrize("steps", [(), (PauseTimer,)])
def test_a_plan_changed_in_mid_phase_applies_from_the_next_phase(town, ada, room, steps):
    do(town, StartTimer, room, ada)
    town.clock.advance(minutes=10)
    for step in steps:
        do(town, step, room, ada)
    before = state(town, room, ada)
    assert do(town, ChangePlan, room, ada, plan=LONGER) == before
    for _ in steps:
        do(town, ResumeTimer, room, ada)
    town.clock.advance(minutes=15)
    after = state(town, room, ada)
    assert (how(after), after.left) == ((State.IDLE, Phase.SHORT_BREAK, 1), 10 * MINUTE)


def test_a_plan_changed_before_a_break_changes_the_break(town, ada, room):
    do(town, StartTimer, room, ada)
    town.clock.advance(minutes=25)
    changed = do(town, ChangePlan, room, ada, plan=LONGER)
    assert (how(changed), changed.left) == ((State.IDLE, Phase.SHORT_BREAK, 1), 10 * MINUTE)
    assert town.code(CompleteTimer(room_id=room.id), ada) == "ok"


def test_a_plan_of_another_kind_begins_with_work(town, ada, room):
    do(town, StartTimer, room, ada)
    town.clock.advance(minutes=25)
    changed = do(town, ChangePlan, room, ada, plan=COUNTDOWN)
    assert (changed.kind, how(changed)) == (TimerKind.COUNTDOWN, (State.IDLE, Phase.WORK, 1))


def test_the_same_plan_again_changes_nothing_and_tells_nobody(town, ada, room):
    for _ in range(2):
        do(town, ChangePlan, room, ada, plan=LONGER)
    assert town.types(stream(room)).count("timer.plan_changed") == 1


def test_a_plan_is_the_hosts_whoever_controls_the_timer(town, ada, bob):
    room = town.open_room(ada, control=Control.EVERYONE)
    do(town, JoinRoom, room, bob)
    assert town.code(ChangePlan(room_id=room.id, plan=LONGER), bob) == "not_allowed"
    do(town, CloseRoom, room, ada)
    assert town.code(ChangePlan(room_id=room.id, plan=LONGER), ada) == "rooms.closed"


# -- by itself, only for somebody ------------------------------------------------------------------


def test_what_starts_by_itself_needs_somebody_who_is_there_and_not_just_a_seat(town, ada):
    room = town.open_room(ada, plan=BY_ITSELF)
    do(town, StartTimer, room, ada)
    town.clock.advance(minutes=24)
    town.open_room(ada)
    town.clock.advance(days=30)
    town.engine.run_due()
    assert how(state(town, room, ada)) == (State.IDLE, Phase.SHORT_BREAK, 1)


def test_a_skip_from_outside_starts_nothing_where_nobody_is(town, ada):
    room = town.open_room(ada, plan=BY_ITSELF)
    do(town, StartTimer, room, ada)
    do(town, LeaveRoom, room, ada)
    assert how(do(town, SkipPhase, room, ada)) == (State.IDLE, Phase.SHORT_BREAK, 0)


@pytest.mark.parametrize(
    ("silent", "goes_on"), [(LEASE - MOMENT, True), (LEASE, False), (20 * MINUTE, False)]
)
def test_under_a_lease_somebody_is_there_whose_last_sign_is_less_than_a_lease_ago(
    storage, silent, goes_on
):
    town = Town(storage, settings=[PresencePolicy(lease=LEASE)])
    ada = town.somebody()
    room = town.open_room(ada, plan=BY_ITSELF)
    do(town, StartTimer, room, ada)
    end = town.clock.now() + 25 * MINUTE
    while town.clock.now() + LEASE / 3 < end - silent:
        town.clock.advance(LEASE / 3)
        do(town, EnterRoom, room, ada)
    town.clock.set(end - silent)
    do(town, EnterRoom, room, ada)
    town.clock.set(end)
    timer = state(town, room, ada)
    town.engine.run_due()
    assert state(town, room, ada) == timer
    expected = State.RUNNING if goes_on else State.IDLE
    assert how(timer) == (expected, Phase.SHORT_BREAK, 1)


def test_catching_up_after_downtime_is_bounded_by_who_was_there(storage):
    town = Town(storage, settings=[PresencePolicy(lease=LEASE)])
    ada = town.somebody()
    room = town.open_room(ada, plan=BY_ITSELF)
    do(town, StartTimer, room, ada)
    town.clock.advance(days=3650)
    town.restart()
    town.engine.run_due()
    assert town.types(stream(room)).count("timer.phase_ended") == 1
