"""The laws of credit and presence: whatever people, doors, clocks and workers do."""

from __future__ import annotations

import os
import random
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from focusmate_core.features.desks import OpenDesk
from focusmate_core.features.plans import Plan, TimerKind
from focusmate_core.features.presence import PresencePolicy
from focusmate_core.features.records import SessionHistory
from focusmate_core.features.rooms import Control
from focusmate_core.features.seats import JoinRoom, LeaveRoom
from focusmate_core.features.signs import EnterRoom, MyPresence
from focusmate_core.features.timer import TimerState
from focusmate_core.features.timer_control import ChangePlan, PauseTimer, StartTimer
from focusmate_core.features.timer_machine import State
from tests.features.naive_credit import ZERO
from tests.features.naive_history import CONTROLS
from tests.features.naive_laws import LawfulHistory
from tests.features.town import STORAGES, Town

MINUTES = (1, 2, 3, 5, 5, 25)
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Pacific/Honolulu",
    "Asia/Tokyo",
    "Australia/Lord_Howe",  # its summer time is half an hour
    "Pacific/Apia",
    "Asia/Kolkata",
    "Mars/Olympus",
)
STARTS = [
    datetime(*start, tzinfo=UTC)
    for start in (
        (2026, 1, 5, 9, 0),
        (2026, 3, 28, 22, 50),  # before midnight in Berlin, whose next day has 23 hours
        (2026, 3, 29, 0, 45),
        (2026, 4, 4, 14, 50),  # Lord Howe
        (2026, 10, 24, 21, 50),  # before a day of 25 hours
        (2026, 10, 25, 0, 50),
        (2026, 11, 1, 5, 50),  # New York
        (2028, 2, 28, 23, 50),
        (2028, 2, 29, 23, 50),
    )
]
LEASES = [None, timedelta(seconds=60), timedelta(seconds=60), timedelta(minutes=5)]
SECONDS = (0, 1, 20, 59, 60, 61, 90, 120, 180, 300, 600, 1500, 3600, 7200)

spans = st.one_of(
    st.sampled_from(SECONDS).map(lambda number: timedelta(seconds=number)),
    st.integers(0, 400_000_000).map(lambda number: timedelta(microseconds=number)),
)
a_while = st.sampled_from([5, 20, 45, 60, 61, 100, 180, 400]).map(
    lambda number: timedelta(seconds=number)
)
lengths = st.sampled_from(MINUTES).map(lambda number: timedelta(minutes=number))
minutes = st.sampled_from(MINUTES)
kinds = st.sampled_from([*[TimerKind.POMODORO] * 4, TimerKind.COUNTDOWN, TimerKind.FLOWTIME])
plans = st.builds(
    Plan,
    kind=kinds,
    work=lengths,
    short_break=lengths,
    long_break=lengths,
    long_break_every=st.integers(0, 3),
    auto_start_breaks=st.booleans(),
    auto_start_work=st.booleans(),
)
MEMBERS = ("ada", "bob", "cy", "eve")
members = st.sampled_from(MEMBERS)
anybody = st.sampled_from((*MEMBERS, "zed"))
some = st.integers(0, 15).map(
    lambda bits: [name for n, name in enumerate(MEMBERS) if not bits >> n & 1]
)
rooms = st.sampled_from([0, 0, 0, 1, 1, 2, 3])
doors = st.integers(0, 2)


def deed(name, *args):
    """A method of a history, and what to call it with."""
    return st.tuples(st.just(name), st.tuples(*args))


controls = st.one_of(
    deed("control_as_host", st.sampled_from([*["start", "resume"] * 4, *CONTROLS]), rooms),
    deed("control_as_host", st.sampled_from(["start", "pause"]), rooms),
    deed("control", st.sampled_from(sorted(CONTROLS)), rooms, anybody),
    deed("extend", rooms, anybody, minutes),
)
moves = st.one_of(
    deed("move", st.sampled_from(["join", "enter"]), rooms, members, doors),
    deed("move", st.sampled_from(["enter", "leave"]), rooms, members, doors),
    deed("sit_at_desk", members),
)
asides = st.one_of(
    deed("move", st.sampled_from(["enter", "leave"]), rooms, st.just("zed"), doors),
    deed("close", rooms, anybody),
    deed("open", members, plans, st.sampled_from(Control)),
    deed("change_plan", rooms, anybody, plans),
    deed("appoint", rooms, anybody, anybody, st.sampled_from(["moderator", "member"])),
    deed("report", anybody, doors, st.sampled_from(["idle", "active"])),
    deed("renew", some, st.sampled_from([ZERO, timedelta(seconds=50), timedelta(hours=1)])),
    deed("change_days", members, st.sampled_from(ZONES), st.sampled_from([0, 0, 1, 4, 23])),
    deed("record", anybody, spans, minutes),
    deed("schedule", anybody, spans, minutes),
    deed("change_record", st.sampled_from(["remove", "cancel", "annotate"]), rooms, anybody),
    deed("change_own_record", st.sampled_from(["remove", "cancel", "annotate"]), rooms),
)
fates = st.one_of(
    deed("turn_back", spans),
    deed("restart", spans),
    deed("let_pass_with_a_worker", spans),
    deed("look_while_it_passes", rooms, spans, st.integers(1, 3)),
    deed("rate_what_was_credited", anybody, rooms),
    deed("recount", anybody),
    deed("look"),
)
beats = st.sampled_from([20, 40, 59, 59, 60]).map(lambda number: timedelta(seconds=number))
STEPS = 20
BATCH = 500
"""How many histories follow from one seed: enough to vary, few enough to replay."""
BEAT = timedelta(seconds=50)
BEATS = 40
"""How often at the most somebody says that they are there, while time passes."""
done: Counter[str] = Counter()
"""What the histories came to, for whoever runs many."""


class Anything(RuleBasedStateMachine):
    """What people may do, in one town or in several that have to agree."""

    storage_of = staticmethod(STORAGES["memory"])
    databases = Path()

    def __init__(self) -> None:
        super().__init__()
        self.storages = []
        self.towns: list[LawfulHistory] = []

    def begin(self, count, start, lease, plans, control, zone) -> None:
        for _ in range(count):
            self.storages.append(self.storage_of(self.databases))
            self.towns.append(LawfulHistory(self.storages[-1], start, lease))
        for host, plan in zip(("ada", "bob"), plans, strict=True):
            self.do("open", (host, plan, control))
            self.do("change_days", (host, zone, 0))
        self.do("move", ("join", 0, "cy", 1))
        self.do("control_as_host", ("start", 0))
        self.do("control_as_host", ("start", 1))

    def do(self, name, args) -> None:
        """Do it in all towns; they answer alike."""
        answers = [getattr(town, name)(*args) for town in self.towns]
        for answer in answers[1:]:
            assert answer == answers[0]

    def teardown(self) -> None:
        try:
            if self.towns and sys.exc_info()[0] is None:
                self.conclude()
        finally:
            for storage in self.storages:
                storage.close()

    def conclude(self) -> None:
        for town in self.towns:
            town.end()
            town.check()
        done["histories"] += 1
        done["commands"] += sum(town.steps for town in self.towns)
        done["sessions compared"] += sum(town.compared for town in self.towns)

    @rule(what=controls)
    def control(self, what):
        self.do(*what)

    @rule(what=moves)
    def move(self, what):
        self.do(*what)

    @rule(what=asides)
    def do_something_else(self, what):
        self.do(*what)

    def pass_time(self, span) -> None:
        for town in self.towns:
            town.let_pass(span)

    @rule(span=spans, names=some)
    def be_silent_and_come_back(self, span, names):
        self.pass_time(span)
        for name in names:
            self.do("come_back", (name,))

    @rule(number=rooms, names=some, beat=beats, more=st.sampled_from([-1, 0, 0, 1]))
    def see_a_phase_end(self, number, names, beat, more):
        span = self.towns[0].span_to_the_end(number)
        if span is not None:
            self._beat(min(span, BEATS * beat) + timedelta(microseconds=more), names, beat)

    @rule(names=some, beat=beats, times=st.integers(1, 6))
    def let_time_pass_with_signs_of_life(self, names, beat, times):
        self._beat(times * beat, names, beat)

    @rule(number=rooms, work=a_while, pause=a_while, names=some)
    def pause_for_a_while(self, number, work, pause, names):
        self._beat(work, MEMBERS, BEAT)
        self.do("control_as_host", ("pause", number))
        self._beat(pause, names, BEAT)
        self.do("control_as_host", ("resume", number))

    @rule(
        number=rooms,
        who=members,
        out=st.sampled_from(["leave", "silence", "desk"]),
        before=a_while,
        span=a_while,
        door=doors,
    )
    def go_away_and_come_back(self, number, who, out, before, span, door):
        self.do("move", ("join", number, who, door))
        self._beat(before, MEMBERS, BEAT)
        if out == "desk":
            self.do("sit_at_desk", (who,))
        elif out == "leave":
            self.do("move", ("leave", number, who, door))
        self._beat(span, [name for name in MEMBERS if name != who], BEAT)
        self.do("move", ("join", number, who, door))

    @rule(who=members, plan=plans, span=a_while)
    def focus_at_ones_desk(self, who, plan, span):
        self.do("plan_at_desk", (who, plan))
        self._beat(span, MEMBERS, BEAT)

    def _beat(self, span, names, beat) -> None:
        while span > ZERO:
            self.pass_time(min(span, beat))
            self.do("renew", (names,))
            span -= beat

    @rule()
    def let_a_worker_come(self):
        self.towns[-1].work()


born = {
    "start": st.sampled_from(STARTS),
    "lease": st.sampled_from(LEASES),
    "plans": st.tuples(plans, plans),
    "control": st.sampled_from(Control),
    "zone": st.sampled_from(ZONES),
}


class AnyHistory(Anything):
    """One town to which everything may happen: clocks set back, restarts, late workers."""

    @initialize(**born)
    def build(self, **born):
        self.begin(1, **born)

    @rule(what=fates)
    def let_it_happen(self, what):
        self.do(*what)

    @rule(
        number=rooms,
        who=members,
        out=st.sampled_from(["leave", "enter"]),
        verb=st.sampled_from(["pause", "start"]),
        before=a_while,
        back=a_while,
        span=a_while,
    )
    def live_through_it_twice(self, number, who, out, verb, before, back, span):
        """By the clock, which is set back meanwhile."""
        self.do("move", ("join", number, who, 0))
        self.do("control_as_host", ("start", number))
        self._beat(before, MEMBERS, BEAT)
        self.do("move", (out, number, who, 0))
        self.do("control_as_host", (verb, number))
        self.do("turn_back", (back,))
        self.do("control_as_host", ("resume", number))
        self._beat(span, MEMBERS, BEAT)
        self.do("move", ("join", number, who, 0))
        self._beat(span, MEMBERS, BEAT)


class OnTimeOrLate(Anything):
    """Two towns with the same people; one has a worker who is always on time."""

    @initialize(**born)
    def build(self, **born):
        self.begin(2, **born)

    def pass_time(self, span) -> None:
        self.towns[0].let_pass_with_a_worker(span)
        self.towns[1].let_pass(span)

    def conclude(self) -> None:
        super().conclude()
        for number in range(len(self.towns[0].rooms)):
            self.do("told", (number,))
        self.do("results", ())


LAWS = {"any history": AnyHistory, "on time or late": OnTimeOrLate}


def run(law: str, name: str, folder: Path, number: int, first: int | None = None) -> None:
    """So many histories of a law on a storage; from a seed, where one is given."""
    where = {"storage_of": staticmethod(STORAGES[name]), "databases": folder}
    machine = type(LAWS[law].__name__, (LAWS[law],), where)
    given = {} if first is None else {"derandomize": False, "database": None}
    tried = settings(stateful_step_count=STEPS, max_examples=number, **given)
    run_state_machine_as_test(machine if first is None else seed(first)(machine), settings=tried)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("name", STORAGES)
def test_the_laws_of_credit_hold_in_any_history(law, name, tmp_path):
    number = settings.default.max_examples
    run(law, name, tmp_path, number * 2 if name == "memory" else number // 2)


@pytest.mark.torture
@pytest.mark.timeout(6 * 3600)
def test_the_laws_of_credit_hold_in_a_hundred_thousand_histories(tmp_path):
    """FOCUSMATE_HISTORIES says how many, FOCUSMATE_SEED which: both are printed, and replay it."""
    number = int(os.environ.get("FOCUSMATE_HISTORIES", "100000"))
    first = int(os.environ.get("FOCUSMATE_SEED", random.SystemRandom().randrange(2**32)))
    done.clear()
    began = time.monotonic()
    while done["histories"] < number:
        # One batch of five has two towns: they take twice as long.
        law = "on time or late" if first % 5 == 0 else "any history"
        print(f"seed {first}: {law}, after {dict(done)}", flush=True)  # noqa: T201
        run(law, "memory", tmp_path, min(BATCH, number - done["histories"]), first)
        first += 1
    took = time.monotonic() - began
    print(f"{dict(done)} in {took:.0f} s; the next seed is {first}")  # noqa: T201
    assert done["sessions compared"] > number


# -- what the laws have found ---------------------------------------------------------------------


def test_who_gave_up_the_seat_at_the_desk_takes_it_again_by_sitting_down(town, ada):
    desk = town.do(OpenDesk(), ada)
    town.do(LeaveRoom(room_id=desk.id), ada)
    assert town.do(OpenDesk(), ada).seated == 1
    town.do(LeaveRoom(room_id=desk.id), ada)
    assert town.do(MyPresence(), ada).here is None


def test_sitting_down_at_a_desk_brings_it_up_to_now_first(town, ada):
    """Nobody was there when the phase ended: no other began, whoever comes later."""
    desk = town.do(OpenDesk(), ada)
    plan = Plan(auto_start_breaks=True, auto_start_work=True)
    town.do(ChangePlan(room_id=desk.id, plan=plan), ada)
    town.do(StartTimer(room_id=desk.id), ada)
    town.do(LeaveRoom(room_id=desk.id), ada)
    town.clock.advance(hours=1)
    town.do(OpenDesk(), ada)
    assert town.do(TimerState(room_id=desk.id), ada).state is State.IDLE


def test_a_clock_set_back_credits_no_instant_of_a_phase_twice(town, ada, bob):
    """Bob stays from 0 to 20, and, by a clock that was set back, from 5 to 25 of 25 minutes."""
    room = town.open_room(ada)
    town.do(JoinRoom(room_id=room.id), bob)
    town.do(StartTimer(room_id=room.id), ada)
    town.clock.advance(minutes=20)
    town.do(LeaveRoom(room_id=room.id), bob)
    town.clock.set(town.clock.now() - timedelta(minutes=15))
    town.do(JoinRoom(room_id=room.id), bob)
    town.clock.advance(minutes=20)
    town.engine.run_due()
    (session,) = town.do(SessionHistory(), bob).items
    assert session.credited == session.account.ran == timedelta(minutes=25)


def test_the_account_of_who_lapsed_is_the_same_whenever_it_is_noticed(storage):
    """The phase is paused and never ends, so what was said at their leaving is what remains."""
    town = Town(storage, settings=[PresencePolicy(lease=timedelta(minutes=1))])
    ada, bob = town.somebody(), town.somebody()
    room = town.open_room(ada)
    town.do(JoinRoom(room_id=room.id), bob)
    town.do(StartTimer(room_id=room.id), ada)
    for _ in range(12):
        town.clock.advance(seconds=50)
        town.do(EnterRoom(room_id=room.id), bob)
    town.clock.advance(minutes=10)
    town.do(PauseTimer(room_id=room.id), ada)
    (session,) = town.do(SessionHistory(), bob).items
    assert session.account.ran == session.credited == timedelta(minutes=10)
