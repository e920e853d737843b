"""Histories to hold the laws of credit against: a town, what people did in it, and what passed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from focusmate_core.features.credit import ZERO
from focusmate_core.features.days import ChangeDays
from focusmate_core.features.desks import OpenDesk
from focusmate_core.features.plans import Plan
from focusmate_core.features.presence import PresencePolicy
from focusmate_core.features.records import (
    AnnotateSession,
    CancelSession,
    RecordSession,
    RemoveSession,
    ScheduleSession,
)
from focusmate_core.features.rooms import CloseRoom, Control, OpenRoom
from focusmate_core.features.seats import AppointModerator, JoinRoom, LeaveRoom
from focusmate_core.features.sessions import Session
from focusmate_core.features.signs import (
    EnterRoom,
    Heard,
    RenewPresence,
    ReportStatus,
    ReturnService,
)
from focusmate_core.features.stats import DayTotal
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
from focusmate_core.features.timer_machine import Timer
from focusmate_core.finding import Find, Is, find_all
from focusmate_core.messages import SYSTEM, Actor, Origin
from focusmate_core.ports.storage import Storage
from focusmate_core.refusals import Refusal
from focusmate_core.testing.clock import FakeClock
from tests.features.town import Town, Watcher

NAMES = ("ada", "bob", "cy", "eve", "zed")
"""Ada and Bob open rooms, Eve is a moderator of the whole place, Zed is never let in."""
DOORS = (Origin("http"), Origin("websocket", connection="1"), Origin("websocket", connection="2"))
CONTROLS = {
    "start": StartTimer,
    "pause": PauseTimer,
    "resume": ResumeTimer,
    "reset": ResetTimer,
    "skip": SkipPhase,
    "complete": CompleteTimer,
}
MOVES = {"join": JoinRoom, "enter": EnterRoom, "leave": LeaveRoom}
MOST_ROOMS = 3
FAR = datetime(9999, 1, 1, tzinfo=UTC)


class History:
    """One town from its beginning, and what the people in it do."""

    def __init__(self, storage: Storage, start: datetime, lease: timedelta | None) -> None:
        self.lease = lease
        self.town = Town(storage, clock=FakeClock(start), settings=[PresencePolicy(lease=lease)])
        self.clock = self.town.clock
        self.people = {name: self.town.somebody() for name in NAMES}
        self.people["eve"] = Actor(id=self.people["eve"].id, roles=frozenset({"moderator"}))
        self.rooms: list[str] = []
        self.hosts: dict[str, str] = {}
        self.desks: set[str] = set()
        self.desk_of: dict[str, str] = {}
        self.watchers: list[Watcher] = []
        self.records: list[tuple[str, str]] = []
        self.seats: dict[str, int] = {}
        self.passed = ZERO
        self.was_set_back = self.was_bridged = False
        self.signs: defaultdict[str, list[datetime]] = defaultdict(list)
        self.rules: defaultdict[str, list[tuple[datetime, str, int]]] = defaultdict(list)
        self.steps = 0

    # -- messages ---------------------------------------------------------------------------------

    def send(self, message: Any, who: str, door: int = 0) -> tuple[str, Any]:
        """The code and the answer; a refused command leaves no trace."""
        self.steps += 1
        before = self._traces()
        try:
            return "ok", self.town.do(message, self.people[who], origin=DOORS[door])
        except Refusal as refusal:
            assert self._traces() == before
            return refusal.code, None

    def _traces(self) -> Any:
        fingerprint = getattr(self.town.storage, "fingerprint", None)
        if fingerprint is not None:
            return fingerprint()
        with self.town.storage.read() as reader:
            return reader.end(), reader.next_due()

    def room(self, number: int) -> str:
        return self.rooms[number % len(self.rooms)]

    def host_of(self, number: int) -> str:
        return self.hosts[self.room(number)]

    def open(self, who: str, plan: Plan, control: Control) -> str:
        if len(self.rooms) - len(self.desks) >= MOST_ROOMS:
            return "enough"
        code, room = self.send(OpenRoom(name="Room", plan=plan, control=control), who)
        self._watch(room.id, who)
        return code

    def sit_at_desk(self, who: str) -> str:
        code, room = self.send(OpenDesk(), who)
        if room.id not in self.desks:
            self.desks.add(room.id)
            self.desk_of[who] = room.id
            self._watch(room.id, who)
        else:
            self._sign(who)
        return code

    def plan_at_desk(self, who: str, plan: Plan) -> str:
        """Sit down, and start with this plan; where one runs, the next phase has it."""
        self.sit_at_desk(who)
        number = self.rooms.index(self.desk_of[who])
        self.change_plan(number, who, plan)
        return self.control("start", number, who)

    def _watch(self, room_id: str, who: str) -> None:
        self.rooms.append(room_id)
        self.hosts[room_id] = who
        self.watchers.append(Watcher(self.town, f"room:{room_id}"))
        self._sign(who)

    def _sign(self, who: str) -> None:
        self.signs[who].append(self.clock.now())

    def move(self, verb: str, number: int, who: str, door: int) -> str:
        code, _ = self.send(MOVES[verb](room_id=self.room(number)), who, door)
        if code == "ok":
            self._sign(who)
        if code == "ok" and verb != "leave":
            self.seats[who] = number
        return code

    def come_back(self, who: str) -> str:
        """To where they last were, if they may."""
        return self.move("enter", self.seats.get(who, 0), who, 0)

    def close(self, number: int, who: str) -> str:
        code, _ = self.send(CloseRoom(room_id=self.room(number)), who)
        if code == "ok":
            # Whoever was there is seen out by the host.
            for name in NAMES:
                self._sign(name)
        return code

    def control(self, verb: str, number: int, who: str) -> str:
        return self.send(CONTROLS[verb](room_id=self.room(number)), who)[0]

    def control_as_host(self, verb: str, number: int) -> str:
        return self.control(verb, number, self.host_of(number))

    def extend(self, number: int, who: str, minutes: int) -> str:
        span = timedelta(minutes=minutes)
        return self.send(ExtendPhase(room_id=self.room(number), span=span), who)[0]

    def change_plan(self, number: int, who: str, plan: Plan) -> str:
        return self.send(ChangePlan(room_id=self.room(number), plan=plan), who)[0]

    def appoint(self, number: int, who: str, whom: str, rank: str) -> str:
        whom_id, room_id = self.people[whom].id, self.room(number)
        ask = AppointModerator(room_id=room_id, person_id=whom_id, is_moderator=rank == "moderator")
        return self.send(ask, who)[0]

    def report(self, who: str, door: int, how: str) -> str:
        code, _ = self.send(ReportStatus(is_idle=how == "idle"), who, door)
        if code == "ok":
            self._sign(who)
        return code

    def renew(self, names: Iterable[str], quiet: timedelta = ZERO) -> None:
        """A gateway vouches for several people at once."""
        people = [(name, self.people[name].id) for name in names]
        heard = tuple(Heard(person_id=id_, connection="1", quiet=quiet) for _, id_ in people)
        self.town.do(RenewPresence(heard=heard), SYSTEM, origin=Origin("websocket"))
        for name, _ in people:
            self.signs[name].append(self.clock.now() - quiet)

    def change_days(self, who: str, zone: str, day_start: int) -> str:
        code, _ = self.send(ChangeDays(time_zone=zone, day_start=day_start), who)
        if code == "ok":
            self.rules[who].append((self.clock.now(), zone, day_start))
        return code

    def record(self, who: str, ago: timedelta, minutes: int) -> str:
        started_at, length = self.clock.now() - ago, timedelta(minutes=minutes)
        return self._keep(who, RecordSession(started_at=started_at, length=length))

    def schedule(self, who: str, ahead: timedelta, minutes: int) -> str:
        starts_at, length = self.clock.now() + ahead, timedelta(minutes=minutes)
        return self._keep(who, ScheduleSession(starts_at=starts_at, length=length))

    def _keep(self, who: str, ask: Any) -> str:
        code, made = self.send(ask, who)
        if code == "ok":
            self.records.append((who, made.id))
        return code

    def change_record(self, verb: str, number: int, who: str) -> str:
        if not self.records:
            return "nothing"
        _, session_id = self.records[number % len(self.records)]
        asks = {
            "remove": RemoveSession(session_id=session_id),
            "cancel": CancelSession(session_id=session_id),
            "annotate": AnnotateSession(session_id=session_id, focus=1 + number % 5),
        }
        return self.send(asks[verb], who)[0]

    def change_own_record(self, verb: str, number: int) -> str:
        if not self.records:
            return "nothing"
        who, _ = self.records[number % len(self.records)]
        return self.change_record(verb, number, who)

    def rate_what_was_credited(self, who: str, number: int) -> str:
        """Everybody tries it; only one's own can be rated, and nothing of it be removed."""
        credited = [each for name in NAMES for each in self.sessions(name) if each.work]
        if not credited:
            return "nothing"
        chosen = credited[number % len(credited)]
        code = self.send(RemoveSession(session_id=chosen.id), who)[0]
        assert code != "ok"
        return self.send(AnnotateSession(session_id=chosen.id, productivity=3), who)[0]

    # -- time -------------------------------------------------------------------------------------

    def let_pass(self, span: timedelta) -> None:
        self.clock.advance(span)
        self.passed += span

    def let_pass_with_a_worker(self, span: timedelta) -> None:
        """With a worker who is there at every due instant."""
        until = self.clock.now() + span
        while (due := self.next_due()) is not None and due <= until:
            self.let_pass(max(ZERO, due - self.clock.now()))
            assert self.town.engine.run_due() > 0
            assert self.next_due() != due, "what was met is due again at the same instant"
        self.let_pass(until - self.clock.now())

    def span_to_the_end(self, number: int) -> timedelta | None:
        """Until the phase that runs in a room ends."""
        with self.town.storage.read() as reader:
            timer = reader.get(Timer, self.room(number))
        if timer is None or timer.ends_at is None:
            return None
        return max(ZERO, timer.ends_at - self.clock.now())

    def turn_back(self, span: timedelta) -> None:
        self.was_set_back = True
        self.clock.set(self.clock.now() - span)

    def work(self) -> None:
        """A worker comes, late perhaps, and finds all it can do."""
        for _ in range(1000):
            if self.town.engine.run_due() == 0:
                break
        else:
            raise AssertionError("a worker never has done")
        self._check_no_fault()

    def _check_no_fault(self) -> None:
        with self.town.storage.write() as unit:
            faults = [due.error for due in unit.claim(FAR, 100) if due.attempts]
            assert faults == [] == unit.parked(10)

    def restart(self, span: timedelta) -> None:
        """The service dies, is away for so long, and says first thing that it is back."""
        self.let_pass(span)
        self.town.restart()
        self.town.do(ReturnService(), SYSTEM)
        self.was_bridged = True

    def next_due(self) -> datetime | None:
        with self.town.storage.read() as reader:
            return reader.next_due()

    # -- what is stored ---------------------------------------------------------------------------

    def sessions(self, name: str) -> list[Session]:
        return self._all(Session, name, "started_at")

    def day_totals(self, name: str) -> dict[str, tuple[timedelta, int, timedelta]]:
        found = self._all(DayTotal, name, "day")
        return {each.day: (each.focused, each.sessions, each.recorded) for each in found}

    def told(self, number: int) -> list[Any]:
        """What the stream of a room tells, less when it was recorded."""
        envelopes = self.town.told(f"room:{self.rooms[number]}")
        return [(each.type, each.at, each.data) for each in envelopes]

    def results(self) -> list[Any]:
        """All sessions and totals, whatever was stored how often."""
        made = [each.but(version=0) for name in NAMES for each in self.sessions(name)]
        return [made, [self.day_totals(name) for name in NAMES], self.told_to_people()]

    def told_to_people(self) -> list[Any]:
        """What people were told of themselves; of two rooms, in either order."""
        streams = [self.town.told(f"user:{self.people[name].id}") for name in NAMES]
        return [sorted((each.type, each.at, each.data) for each in told) for told in streams]

    def _all(self, entity: Any, name: str, order: str) -> list[Any]:
        order = ("day", "started_at") if entity is Session else ("day",)
        asked = Find(entity, where=(Is("person_id", self.people[name].id),), order=order)
        with self.town.storage.read() as reader:
            return list(find_all(reader, asked))
