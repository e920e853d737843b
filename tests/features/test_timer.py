"""The timer: what it does when people ask, and what it does when nobody does."""

from __future__ import annotations

from datetime import timedelta

import pytest

from focusmate_core.features.plans import Phase, Plan, TimerKind
from focusmate_core.features.rooms import CloseRoom, Control
from focusmate_core.features.seats import JoinRoom, LeaveRoom
from focusmate_core.features.timer import EndPhase, TimerState
from focusmate_core.features.timer_control import (
    ChangePlan,
    PauseTimer,
    ResetTimer,
    ResumeTimer,
    SkipPhase,
    StartTimer,
)
from focusmate_core.features.timer_machine import State

CONTROLS = (StartTimer, PauseTimer, ResumeTimer, ResetTimer)
MINUTE = timedelta(minutes=1)
ALL_BY_ITSELF = Plan(auto_start_breaks=True, auto_start_work=True)


def stream(room):
    return f"room:{room.id}"


def state(town, room, by):
    return town.do(TimerState(room_id=room.id), by)


def ends(town, room):
    """Which phases ended, and when."""
    facts = [
        (e.at, town.decoded(e).ended)
        for e in town.told(stream(room))
        if e.type == "timer.phase_ended"
    ]
    return [(at - town.start, phase) for at, phase in facts]


@pytest.fixture
def town(town):
    town.start = town.clock.now()
    return town


def test_a_new_rooms_timer_is_idle_before_the_first_work_phase(town, ada, room):
    timer = state(town, room, ada)
    assert (timer.state, timer.phase, timer.completed) == (State.IDLE, Phase.WORK, 0)
    assert timer.left == timer.length == timedelta(minutes=25)
    assert timer.ends_at is None


def test_starting_runs_the_phase_to_its_whole_length(town, ada, room):
    timer = town.do(StartTimer(room_id=room.id), ada)
    assert timer.state is State.RUNNING
    assert timer.ends_at == town.start + timedelta(minutes=25)
    assert timer.now == town.start


def test_what_is_left_shrinks_with_the_time(town, ada, room):
    town.do(StartTimer(room_id=room.id), ada)
    town.clock.advance(minutes=10, microseconds=1)
    assert state(town, room, ada).left == timedelta(minutes=15) - timedelta(microseconds=1)


def test_starting_a_running_timer_gives_its_state_and_tells_nobody(town, ada, room):
    town.do(StartTimer(room_id=room.id), ada)
    town.clock.advance(minutes=3)
    again = town.do(StartTimer(room_id=room.id), ada)
    assert again == state(town, room, ada)
    assert town.types(stream(room)).count("timer.started") == 1


def test_a_paused_timer_keeps_what_is_left_however_long(town, ada, room):
    town.do(StartTimer(room_id=room.id), ada)
    town.clock.advance(minutes=10)
    town.do(PauseTimer(room_id=room.id), ada)
    town.clock.advance(days=400)
    town.engine.run_due()
    assert state(town, room, ada).left == timedelta(minutes=15)
    resumed = town.do(ResumeTimer(room_id=room.id), ada)
    assert resumed.ends_at == town.clock.now() + timedelta(minutes=15)
    assert ends(town, room) == []


def test_resetting_goes_back_to_the_beginning_from_anywhere(town, ada, room):
    for steps in ((), (StartTimer,), (StartTimer, PauseTimer)):
        for step in steps:
            town.do(step(room_id=room.id), ada)
        town.clock.advance(minutes=26)
        reset = town.do(ResetTimer(room_id=room.id), ada)
        facts = (reset.state, reset.phase, reset.completed, reset.left)
        assert facts == (State.IDLE, Phase.WORK, 0, timedelta(minutes=25))
        assert reset.ends_at is None


@pytest.mark.parametrize(
    ("steps", "message", "code"),
    [
        ((), PauseTimer, "timer.not_running"),
        ((), ResumeTimer, "timer.not_paused"),
        ((StartTimer,), ResumeTimer, "timer.not_paused"),
        ((StartTimer, PauseTimer), StartTimer, "timer.paused"),
        ((StartTimer, PauseTimer), PauseTimer, "timer.not_running"),
    ],
)
def test_what_is_impossible_in_this_state_is_refused_and_changes_nothing(
    town, ada, room, steps, message, code
):
    for step in steps:
        town.do(step(room_id=room.id), ada)
    before, told = state(town, room, ada), town.all_told()
    refusal = town.refused(message(room_id=room.id), ada)
    assert refusal.code == code
    assert refusal.params().get("state", before.state.value) == before.state.value
    assert state(town, room, ada) == before
    assert town.all_told() == told


# -- a phase ends by itself ------------------------------------------------------------------------


def test_a_phase_ends_by_its_deadline_without_anybody_asking(town, ada, room):
    town.do(StartTimer(room_id=room.id), ada)
    town.clock.advance(minutes=25)
    assert town.engine.run_due() == 1
    assert ends(town, room) == [(timedelta(minutes=25), Phase.WORK)]
    assert town.engine.run_due() == 0


def test_nothing_ends_a_moment_too_early(town, ada, room):
    town.do(StartTimer(room_id=room.id), ada)
    town.clock.advance(timedelta(minutes=25) - timedelta(microseconds=1))
    assert town.engine.run_due() == 0
    assert state(town, room, ada).left == timedelta(microseconds=1)


def test_a_phase_is_stamped_with_when_it_truly_ended_however_late_it_is_noticed(town, ada, room):
    town.do(StartTimer(room_id=room.id), ada)
    town.clock.advance(hours=30)
    town.do(ResetTimer(room_id=room.id), ada)
    assert ends(town, room) == [(timedelta(minutes=25), Phase.WORK)]
    noticed = next(e for e in town.told(stream(room)) if e.type == "timer.phase_ended")
    assert noticed.recorded_at == town.start + timedelta(hours=30)


def test_a_timer_goes_on_through_a_death_of_the_service(town, ada):
    room = town.open_room(ada, plan=ALL_BY_ITSELF)
    town.do(StartTimer(room_id=room.id), ada)
    town.restart()
    town.clock.advance(minutes=61)
    assert town.engine.run_due() == 1
    assert ends(town, room) == [
        (timedelta(minutes=25), Phase.WORK),
        (timedelta(minutes=30), Phase.SHORT_BREAK),
        (timedelta(minutes=55), Phase.WORK),
        (timedelta(minutes=60), Phase.SHORT_BREAK),
    ]
    assert state(town, room, ada).left == timedelta(minutes=24)


def test_without_auto_start_the_next_phase_waits(town, ada, room):
    town.do(StartTimer(room_id=room.id), ada)
    town.clock.advance(hours=3)
    timer = state(town, room, ada)
    assert (timer.state, timer.phase, timer.completed) == (State.IDLE, Phase.SHORT_BREAK, 1)
    assert timer.left == timer.length == timedelta(minutes=5)


@pytest.mark.parametrize(
    ("plan", "runs", "waits_in"),
    [
        (Plan(auto_start_breaks=True), [Phase.WORK, Phase.SHORT_BREAK], Phase.WORK),
        (Plan(auto_start_work=True), [Phase.WORK], Phase.SHORT_BREAK),
    ],
)
def test_only_what_the_plan_says_starts_by_itself(town, ada, plan, runs, waits_in):
    room = town.open_room(ada, plan=plan)
    town.do(StartTimer(room_id=room.id), ada)
    town.clock.advance(days=1)
    town.engine.run_due()
    assert [phase for _, phase in ends(town, room)] == runs
    timer = state(town, room, ada)
    assert (timer.state, timer.phase) == (State.IDLE, waits_in)


@pytest.mark.parametrize("every", [1, 2, 4])
def test_every_nth_break_is_a_long_one(town, ada, every):
    room = town.open_room(ada, plan=ALL_BY_ITSELF.but(long_break_every=every))
    town.do(StartTimer(room_id=room.id), ada)
    town.clock.advance(hours=12)
    town.engine.run_due()
    breaks = [phase for _, phase in ends(town, room) if phase is not Phase.WORK]
    assert len(breaks) >= 8
    for number, phase in enumerate(breaks, 1):
        assert (phase is Phase.LONG_BREAK) == (number % every == 0)


def test_with_no_nth_there_is_no_long_break(town, ada):
    room = town.open_room(ada, plan=ALL_BY_ITSELF.but(long_break_every=0))
    town.do(StartTimer(room_id=room.id), ada)
    town.clock.advance(hours=12)
    town.engine.run_due()
    assert {phase for _, phase in ends(town, room)} == {Phase.WORK, Phase.SHORT_BREAK}


def test_an_unattended_timer_stops_at_the_next_boundary(town, ada):
    room = town.open_room(ada, plan=ALL_BY_ITSELF)
    town.do(StartTimer(room_id=room.id), ada)
    town.clock.advance(minutes=26)
    town.do(LeaveRoom(room_id=room.id), ada)
    town.clock.advance(days=30)
    town.do(JoinRoom(room_id=room.id), ada)
    timer = state(town, room, ada)
    assert (timer.state, timer.phase, timer.completed) == (State.IDLE, Phase.WORK, 1)
    assert [at for at, _ in ends(town, room)] == [timedelta(minutes=25), timedelta(minutes=30)]


def test_who_came_after_the_boundary_did_not_attend_it(town, ada, bob):
    room = town.open_room(ada, plan=ALL_BY_ITSELF)
    town.do(StartTimer(room_id=room.id), ada)
    town.do(LeaveRoom(room_id=room.id), ada)
    town.clock.advance(minutes=25)
    town.do(JoinRoom(room_id=room.id), bob)
    assert state(town, room, bob).state is State.IDLE


def test_a_clock_that_was_set_back_only_delays_the_end(town, ada, room):
    town.do(StartTimer(room_id=room.id), ada)
    town.clock.set(town.start - timedelta(hours=1))
    assert town.engine.run_due() == 0
    assert state(town, room, ada).left == timedelta(minutes=25)
    town.clock.set(town.start + timedelta(minutes=25))
    assert town.engine.run_due() == 1
    assert state(town, room, ada).state is State.IDLE


def test_a_clock_set_back_while_a_worker_is_at_it_loses_no_end(town, ada, room, monkeypatch):
    town.do(StartTimer(room_id=room.id), ada)
    end = town.start + timedelta(minutes=25)
    readings = iter([end, end - MINUTE])
    with monkeypatch.context() as patched:
        patched.setattr(town.clock, "now", lambda: next(readings))
        assert town.engine.run_due() == 1
    assert ends(town, room) == []
    town.clock.set(end)
    assert town.engine.run_due() == 1
    assert ends(town, room) == [(timedelta(minutes=25), Phase.WORK)]


# -- a closed room ---------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [(StartTimer,), (StartTimer, PauseTimer)])
def test_a_closed_rooms_timer_stops_for_good(town, ada, room, steps):
    for step in steps:
        town.do(step(room_id=room.id), ada)
    town.clock.advance(minutes=5)
    town.do(CloseRoom(room_id=room.id), ada)
    town.clock.advance(days=1)
    assert town.engine.run_due() == 0
    assert state(town, room, ada).state is State.IDLE
    assert ends(town, room) == []
    assert town.types(stream(room))[-2:] == ["rooms.closed", "timer.reset"]
    for message in CONTROLS:
        assert town.code(message(room_id=room.id), ada) == "rooms.closed"


def test_closing_a_room_where_nothing_ever_ran_resets_nothing(town, ada, room):
    town.do(CloseRoom(room_id=room.id), ada)
    assert "timer.reset" not in town.types(stream(room))


def test_what_ended_before_the_closing_is_told_before_it(town, ada, room):
    town.do(StartTimer(room_id=room.id), ada)
    town.clock.advance(hours=1)
    town.do(CloseRoom(room_id=room.id), ada)
    last = town.types(stream(room))[-3:]
    assert last == ["timer.phase_ended", "rooms.closed", "timer.reset"]


# -- who asks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("message", CONTROLS)
def test_a_member_does_not_control_the_timer_of_the_host(town, ada, bob, room, message):
    town.do(JoinRoom(room_id=room.id), bob)
    assert town.code(message(room_id=room.id), bob) == "not_allowed"


def test_a_member_controls_the_timer_of_everyone(town, ada, bob):
    room = town.open_room(ada, control=Control.EVERYONE)
    town.do(JoinRoom(room_id=room.id), bob)
    for message in CONTROLS:
        assert town.code(message(room_id=room.id), bob) == "ok"
    told = town.told(stream(room))[-len(CONTROLS) :]
    assert all(f'"by":"{bob.id}"' in envelope.data for envelope in told)


@pytest.mark.parametrize("message", [*CONTROLS, TimerState])
def test_who_is_not_in_the_room_neither_sees_nor_controls_its_timer(town, ada, bob, message):
    room = town.open_room(ada, control=Control.EVERYONE)
    assert town.code(message(room_id=room.id), bob) == "rooms.not_in_it"


def test_the_host_controls_the_timer_from_outside(town, ada, room):
    town.do(LeaveRoom(room_id=room.id), ada)
    assert town.do(StartTimer(room_id=room.id), ada).state is State.RUNNING


@pytest.mark.parametrize("message", [*CONTROLS, TimerState])
def test_a_room_that_is_not_has_no_timer(town, ada, message):
    assert town.code(message(room_id=town.somebody().id), ada) == "rooms.not_found"


def test_only_the_library_itself_ends_a_phase(town, ada, room):
    town.do(StartTimer(room_id=room.id), ada)
    assert town.code(EndPhase(room_id=room.id), ada) == "not_allowed"
    assert state(town, room, ada).state is State.RUNNING


def test_asking_a_thousand_times_writes_nothing_and_changes_nothing(town, ada, room):
    town.do(StartTimer(room_id=room.id), ada)
    town.clock.advance(hours=1)
    bell = town.storage.bell()
    bell.rung()
    once = state(town, room, ada)
    assert all(state(town, room, ada) == once for _ in range(1000))
    assert not bell.rung()
    bell.close()


def test_starting_twice_under_one_key_is_starting_once(town, ada, room):
    first = town.do(StartTimer(room_id=room.id), ada, key="start it")
    town.clock.advance(minutes=1)
    town.do(PauseTimer(room_id=room.id), ada)
    assert town.do(StartTimer(room_id=room.id), ada, key="start it") == first
    assert state(town, room, ada).state is State.PAUSED


# -- a plan of another kind ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [TimerKind.COUNTDOWN, TimerKind.FLOWTIME])
@pytest.mark.parametrize("step", [SkipPhase, None])
def test_after_a_plan_without_breaks_was_given_work_is_followed_by_work(town, ada, kind, step):
    room = town.open_room(ada, plan=ALL_BY_ITSELF)
    town.do(StartTimer(room_id=room.id), ada)
    town.do(ChangePlan(room_id=room.id, plan=Plan(kind=kind)), ada)
    if step:
        town.do(step(room_id=room.id), ada)
    town.clock.advance(minutes=25)
    timer = state(town, room, ada)
    assert (timer.kind, timer.state, timer.phase) == (kind, State.IDLE, Phase.WORK)
