"""The laws of the timer, under any interleaving of commands, time and workers."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from focusmate_core.features.plans import Plan, TimerKind
from focusmate_core.features.rooms import CloseRoom, Control, OpenRoom
from focusmate_core.features.seats import JoinRoom, LeaveRoom
from focusmate_core.features.stats import DaysOf
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
from focusmate_core.features.timer_machine import State, Timer
from focusmate_core.testing.strategies import instances
from tests.features.timer_model import ZERO, NaiveRoom, Told, plain
from tests.features.town import STORAGES, Town, Watcher, is_gapless

VERBS = {
    "start": StartTimer,
    "pause": PauseTimer,
    "resume": ResumeTimer,
    "reset": ResetTimer,
    "skip": SkipPhase,
    "complete": CompleteTimer,
}
MOVES = {"join": JoinRoom, "leave": LeaveRoom, "close": CloseRoom}
NAMES = ("host", "ada", "bob")

# Many phases may end in one jump, so plans of a minute or two are as likely as those of hours.
short = st.integers(1, 3).map(lambda number: timedelta(minutes=number))
brief = {"work": short, "short_break": short, "long_break": short}
always = st.sampled_from([True])
restless = {"auto_start_breaks": always, "auto_start_work": always}
plans = st.one_of(
    instances(Plan),
    instances(Plan, **brief, long_break_every=st.integers(0, 3)),
    instances(Plan, **brief, **restless, long_break_every=st.integers(0, 3)),
    instances(Plan, **brief, **restless, kind=st.just(TimerKind.POMODORO)),
)
extensions = st.integers(1, 60).map(lambda number: timedelta(minutes=number))
jumps = st.one_of(
    st.timedeltas(ZERO, timedelta(seconds=2)),
    st.integers(0, 180).map(lambda number: timedelta(minutes=number)),
    st.timedeltas(ZERO, timedelta(hours=6)),
    st.integers(0, 2).map(lambda number: timedelta(days=number)),
)
shorter = st.one_of(
    st.sampled_from([ZERO, timedelta(seconds=59), timedelta(minutes=1)]),
    st.timedeltas(ZERO, timedelta(minutes=40)),
)
POSSIBLE = {
    "idle": ("start", "start", "start", "skip"),
    "running": ("pause", "complete", "extend", "change_plan", "skip", "reset"),
    "paused": ("resume", "resume", "complete", "extend"),
    "completed": ("start", "start", "complete", "change_plan"),
}
people = st.sampled_from(NAMES)
often = st.sampled_from(("host", "host", *NAMES))


class Watched:
    """A room in a town of its own, and a watcher who applies every event to what was seen first."""

    def __init__(self, town: Town, plan: Plan, control: Control) -> None:
        self.town = town
        self.people = {name: town.somebody() for name in NAMES}
        opened = town.do(OpenRoom(name="Library", plan=plan, control=control), self.people["host"])
        self.room_id = opened.id
        self.elsewhere = town.open_room(town.somebody()).id
        self.began_at = town.clock.now()
        self.stream = f"room:{opened.id}"
        self.watcher = Watcher(town, self.stream)
        self.seen = [self._as_told(envelope) for envelope in town.told(self.stream)]

    def send(self, message: type, who: str, **more) -> str:
        """What becomes of a command; a refusal must leave no trace but what was due anyway."""
        return self.town.code(message(room_id=self.room_id, **more), self.people[who])

    def go_elsewhere(self, who: str) -> None:
        """Be in another room, and keep the seat in this one."""
        self.town.do(JoinRoom(room_id=self.elsewhere), self.people[who])

    def state(self, who: str):
        return self.town.do(TimerState(room_id=self.room_id), self.people[who])

    def told(self) -> list[Told]:
        """All events so far, as somebody knows them who watches from the beginning."""
        self.seen += map(self._as_told, self.watcher.catch_up())
        return self.seen

    @property
    def timer(self):
        """The timer's stored facts, as that watcher knows them by the events told."""
        return self.watcher.parts["timer"]

    @property
    def stored(self) -> Timer | None:
        """The timer as it is stored, with what no stream tells."""
        with self.town.storage.read() as reader:
            return reader.get(Timer, self.room_id)

    def credited(self, who: str) -> timedelta:
        """What somebody's days came to since the beginning."""
        first, last = self.began_at.date(), self.town.clock.now().date()
        total = timedelta()
        while first <= last:
            up_to = min(last, first + timedelta(days=300))
            ask = DaysOf(first=first.isoformat(), last=up_to.isoformat())
            total += self.town.do(ask, self.people[who]).focused
            first = up_to + timedelta(days=1)
        return total

    def _as_told(self, envelope) -> Told:
        ended = None
        if envelope.type == "timer.phase_ended":
            ended = self.town.decoded(envelope).ended.value
        return Told(envelope.type, envelope.at, ended)

    def be_on_time(self, span: timedelta) -> None:
        """Let time pass with a worker who is there at every due instant."""
        until = self.town.clock.now() + span
        while (due := self._next_due()) is not None and due <= until:
            self.town.clock.set(due)
            assert self.town.engine.run_due() == 1
            assert self._next_due() != due
        self.town.clock.set(until)

    def _next_due(self):
        with self.town.storage.read() as reader:
            return reader.next_due()


def check_legal(timer, stored) -> None:
    """The invariants that Timer's docstring states, and the bounds of what is left."""
    running, paused = timer.state is State.RUNNING, timer.state is State.PAUSED
    assert (timer.ends_at is not None) == running
    assert (timer.left is not None) == paused
    if timer.left is not None:
        assert ZERO <= timer.left <= timer.length
    assert timer.completed >= 0
    assert timer.suggested_break is None or (
        timer.state is State.COMPLETED and timer.kind is TimerKind.FLOWTIME
    )
    if timer.kind is not TimerKind.POMODORO:
        assert timer.phase.value == "work"
    else:
        assert timer.state is not State.COMPLETED
    if stored is not None:
        assert (stored.since is not None) == running
        assert (stored.began_at is not None) == (running or paused)


class Machine(RuleBasedStateMachine):
    """Storages made by `storage_of`, closed at the end."""

    storage_of = staticmethod(STORAGES["memory"])
    databases = Path()

    def __init__(self) -> None:
        super().__init__()
        self._storages = []

    def a_town(self) -> Town:
        self._storages.append(self.storage_of(self.databases))
        return Town(self._storages[-1])

    def teardown(self) -> None:
        for storage in self._storages:
            storage.close()


class ForwardTime(Machine):
    """One town whose worker is always on time, one that has none, and a naive room."""

    @initialize(plan=plans, control=st.sampled_from(Control))
    def open(self, plan, control):
        self.prompt, self.lazy = (Watched(self.a_town(), plan, control) for _ in "ab")
        now = self.prompt.town.clock.now()
        self.naive = NaiveRoom(plan, "host", now, for_all=control is Control.EVERYONE)
        self.settled = True

    def both(self, message, who, **more):
        codes = {watched.send(message, who, **more) for watched in (self.prompt, self.lazy)}
        assert len(codes) == 1
        return codes.pop()

    @rule(verb=st.sampled_from(sorted(VERBS)), who=often)
    def control(self, verb, who):
        code = self.both(VERBS[verb], who)
        assert code == self.naive.control(verb, who)
        self.settled = self.settled or code == "ok"

    @rule(span=extensions, who=often)
    def extend(self, span, who):
        code = self.both(ExtendPhase, who, span=span)
        assert code == self.naive.control("extend", who, span=span)
        self.settled = self.settled or code == "ok"

    @rule(plan=plans, who=often)
    def change_plan(self, plan, who):
        code = self.both(ChangePlan, who, plan=plan)
        assert code == self.naive.change_plan(who, plan)
        self.settled = self.settled or code == "ok"

    @precondition(lambda self: not self.naive.closed)
    @rule(steps=st.lists(st.tuples(st.integers(0, 11), shorter, plans), min_size=1, max_size=4))
    def let_the_host_do_what_is_possible(self, steps):
        """Drawn at random, most commands are impossible in the state that there is."""
        for number, span, plan in steps:
            possible = POSSIBLE[self.naive.state]
            verb = possible[number % len(possible)]
            if verb == "change_plan":
                self.change_plan(plan, "host")
            elif verb == "extend":
                self.extend(span=timedelta(minutes=1 + number), who="host")
            else:
                self.control(verb, "host")
            self.let_time_pass(span)

    @rule(who=people)
    def go_elsewhere(self, who):
        was_here = who in self.naive.here
        self.naive.go_elsewhere(who)
        for watched in (self.prompt, self.lazy):
            watched.go_elsewhere(who)
        self.settled = self.settled or was_here

    @rule(verb=st.sampled_from(["join", "leave"]), who=people)
    def move(self, verb, who):
        code = self.both(MOVES[verb], who)
        assert code == getattr(self.naive, verb)(who)
        self.settled = self.settled or code == "ok"

    @precondition(lambda self: self.naive.told[20:])
    @rule(who=people)
    def close(self, who):
        code = self.both(CloseRoom, who)
        assert code == self.naive.close(who)
        self.settled = self.settled or code == "ok"

    @rule(span=jumps)
    def let_time_pass(self, span):
        # As many phases as may end by themselves in a while; more of them take long and are alike.
        plan = self.naive.plan
        span = min(span, 60 * min(plan.work, plan.short_break, plan.long_break))
        self.naive.pass_time(span)
        self.prompt.be_on_time(span)
        self.lazy.town.clock.advance(span)
        self.settled = False

    @precondition(lambda self: self.naive.state == "running")
    @rule(more=st.sampled_from([timedelta(microseconds=n) for n in (-1, 0, 1)]))
    def let_time_pass_to_the_very_end(self, more):
        self.let_time_pass(max(ZERO, self.naive.left + more))

    @precondition(lambda self: self.naive.state == "running" and self.naive.here)
    @rule(span=jumps, seated=st.booleans())
    def leave_it_alone(self, span, seated):
        for who in sorted(self.naive.here):
            if seated:
                self.go_elsewhere(who)
            else:
                self.move("leave", who)
        self.let_time_pass(span)
        self.move("join", "ada")

    @rule()
    def let_a_worker_come_late(self):
        self.lazy.town.engine.run_due()
        assert self.lazy.town.engine.run_due() == 0
        self.settled = True
        passed = self.naive.now - self.lazy.began_at
        for who in NAMES:
            assert self.prompt.credited(who) == self.lazy.credited(who) <= passed

    @precondition(lambda self: self.naive.state == "running")
    @rule()
    def pause_and_resume_at_one_instant(self):
        before = self.naive.facts()
        for verb in ("pause", "resume"):
            self.control(verb, "host")
        assert self.naive.facts() == before

    @precondition(lambda self: self.naive.watchers())
    @rule(span=jumps, looks=st.integers(1, 5))
    def look_often_while_time_passes(self, span, looks):
        """Whoever looks never sees what is left rise within a phase, and changes nothing."""
        who = min(self.naive.watchers())
        before = None
        for _ in range(looks):
            self.let_time_pass(span / looks)
            seen = self.lazy.state(who)
            if before and (seen.phase, seen.completed) == (before.phase, before.completed):
                assert seen.left <= before.left
            before = seen
        assert all(self.lazy.state(who) == before for _ in range(5))

    @invariant()
    def who_is_there_sees_what_the_naive_room_shows(self):
        facts, watchers = self.naive.facts(), self.naive.watchers()
        for watched in (self.prompt, self.lazy):
            for who in sorted(watchers)[:1]:
                seen = watched.state(who)
                assert (seen.left, seen.now) == (self.naive.left, self.naive.now)
                assert {**plain(seen), "left": facts["left"]} == facts
            for who in sorted(set(NAMES) - watchers)[:1]:
                assert watched.send(TimerState, who) == "rooms.not_in_it"

    @invariant()
    def all_is_told_at_its_true_instant_and_what_is_stored_is_legal(self):
        assert self.prompt.told() == self.naive.told
        late = self.lazy.told()
        assert late == self.naive.told[: len(late)]
        assert not self.settled or len(late) == len(self.naive.told)
        for watched in (self.prompt, self.lazy):
            check_legal(watched.timer, watched.stored)
        assert plain(self.prompt.timer) == self.naive.facts()


class BrokenClock(Machine):
    """A clock that somebody turns back and forth: what can be promised even then."""

    @initialize(plan=plans, control=st.sampled_from(Control))
    def open(self, plan, control):
        self.room = Watched(self.a_town(), plan, control)
        self.clock = self.room.town.clock

    @rule(verb=st.sampled_from(sorted({**VERBS, **MOVES})), who=often)
    def send(self, verb, who):
        self.room.send({**VERBS, **MOVES}[verb], who)

    @rule(span=jumps)
    def let_time_pass(self, span):
        self.clock.advance(span)

    @rule(span=extensions, plan=plans)
    def extend_and_change_the_plan(self, span, plan):
        self.room.send(ExtendPhase, "host", span=span)
        self.room.send(ChangePlan, "host", plan=plan)

    @rule(who=people)
    def go_elsewhere(self, who):
        self.room.go_elsewhere(who)

    @rule(span=jumps)
    def turn_the_clock_back(self, span):
        self.clock.set(self.clock.now() - span)

    @rule()
    def let_a_worker_come(self):
        self.room.town.engine.run_due()
        assert self.room.town.engine.run_due() == 0

    @invariant()
    def every_state_is_legal_and_has_a_deadline_exactly_while_it_runs(self):
        self.room.told()
        check_legal(self.room.timer, self.room.stored)
        with self.room.town.storage.read() as reader:
            assert reader.next_due() == self.room.timer.ends_at

    @invariant()
    def nobody_sees_more_left_than_the_phase_is_long(self):
        for who in NAMES:
            if self.room.send(TimerState, who) == "ok":
                seen = self.room.state(who)
                assert ZERO <= seen.left <= seen.length

    def teardown(self):
        if hasattr(self, "room"):
            self.let_the_clock_be_repaired()
        super().teardown()

    def let_the_clock_be_repaired(self):
        """In the end every phase that ran is over, and the stream has no gap."""
        for who in NAMES:
            self.room.send(LeaveRoom, who)
        self.clock.advance(days=30)
        self.room.town.engine.run_due()
        assert is_gapless(self.room.town.told(self.room.stream))


@pytest.mark.timeout(1800)  # The profile `thorough` needs minutes for each.
@pytest.mark.parametrize("law", [ForwardTime, BrokenClock])
@pytest.mark.parametrize("name", STORAGES)
def test_the_laws_of_the_timer_hold_however_commands_and_time_interleave(law, name):
    with tempfile.TemporaryDirectory() as folder:
        where = {"storage_of": staticmethod(STORAGES[name]), "databases": Path(folder)}
        steps = settings(stateful_step_count=50 if name == "memory" else 25)
        run_state_machine_as_test(type(law.__name__, (law,), where), settings=steps)
