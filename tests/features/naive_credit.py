"""Who is credited what, found a second way: from the event log alone, instant by instant.

Nothing here is taken from what the library stores. A room's stream tells who came and went and how
its timer ran; all instants that it names are put in one row, and what lies between two neighbours
is credited to whoever was there while work ran.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

import attrs

from tests.features.town import Town

ZERO = timedelta()
MINUTE = timedelta(minutes=1)
FOREVER = 10**9
STOPS = {
    "timer.paused": None,
    "timer.phase_ended": "over",
    "timer.completed": "over",
    "timer.skipped": "skipped",
    "timer.reset": "reset",
    "rooms.closed": "closed",
}
"""What lets a timer run no longer, and how the phase ended by it; None if it did not."""


@attrs.define
class Span:
    """From an instant to another, and from a place in the record to another."""

    since: datetime
    first: int
    until: datetime | None = None
    last: int = FOREVER

    def end(self, at: datetime, place: int) -> None:
        self.until, self.last = at, place

    def covers(self, since: datetime, until: datetime) -> bool:
        return self.until is not None and self.since <= since and until <= self.until

    def meets(self, other: Span) -> bool:
        """Whether the two went on at once in the order in which it was told."""
        return self.first < other.last and other.first < self.last


@attrs.define
class Phase:
    """A phase that ran, in one or several stretches."""

    room_id: str
    run: int
    is_work: bool
    kind: str
    began_at: datetime
    length: timedelta
    stretches: list[Span] = attrs.field(factory=list)
    ending: str | None = None

    @property
    def ran(self) -> timedelta:
        spans = [(each.since, each.until) for each in self.stretches]
        return sum((max(ZERO, until - since) for since, until in spans if until), ZERO)


@attrs.frozen
class Credit:
    """What somebody is due for a phase."""

    person_id: str
    phase: Phase
    pieces: list[tuple[datetime, datetime]]

    @property
    def credited(self) -> timedelta:
        return sum((until - since for since, until in self.pieces), ZERO)

    @property
    def first_at(self) -> datetime:
        return self.pieces[0][0]

    @property
    def last_at(self) -> datetime:
        return self.pieces[-1][1]


class RoomLog:
    """A room as its stream tells it.

    Generous, whoever was still there when something was told was there until that happened: so much
    may be known of a visit that bears an earlier end, since the clock was set back before.
    """

    def __init__(self, town: Town, room_id: str, *, is_generous: bool = False) -> None:
        self.room_id = room_id
        self.is_generous = is_generous
        self._latest: datetime | None = None
        self.visits: defaultdict[str, list[Span]] = defaultdict(list)
        self.phases: list[Phase] = []
        self._here: dict[str, Span] = {}
        self._running: Span | None = None
        self._phase: Phase | None = None
        for envelope in town.told(f"room:{room_id}"):
            fact = town.decoded(envelope)
            self._latest = max(envelope.at, self._latest or envelope.at)
            self._note_visit(envelope, fact)
            self._note_timer(envelope, fact)

    def _note_visit(self, envelope, fact) -> None:
        if envelope.type == "presence.entered":
            assert fact.person_id not in self._here, "who is there cannot come"
            self._here[fact.person_id] = Span(envelope.at, envelope.seq)
            self.visits[fact.person_id].append(self._here[fact.person_id])
        elif envelope.type == "presence.left":
            self._end(self._here.pop(fact.person_id), envelope)
        elif envelope.type == "rooms.closed":
            # Of whom it is not said right after this when they left before, they did now.
            for span in self._here.values():
                self._end(span, envelope)

    def _end(self, visit: Span, envelope) -> None:
        visit.end(self._latest if self.is_generous else envelope.at, envelope.seq)

    def _note_timer(self, envelope, fact) -> None:
        if envelope.type in STOPS:
            self._stop(envelope, STOPS[envelope.type])
        state = getattr(fact, "state", None)
        if state is not None and state.value == "running":
            if self._phase is None:
                self._begin(envelope.at, fact)
            self._phase.length = fact.length
            if self._running is None:
                self._running = Span(envelope.at, envelope.seq)
                self._phase.stretches.append(self._running)
        elif self._phase is not None and envelope.type == "timer.extended":
            self._phase.length = fact.length

    def _begin(self, at: datetime, fact) -> None:
        kind, is_work = fact.kind.value, fact.phase.value == "work"
        self._phase = Phase(self.room_id, len(self.phases) + 1, is_work, kind, at, fact.length)
        self.phases.append(self._phase)

    def _stop(self, envelope, ending: str | None) -> None:
        if self._running is not None:
            self._running.end(envelope.at, envelope.seq)
            self._running = None
        if self._phase is not None and ending is not None:
            self._phase.ending, self._phase = ending, None

    def credits(self) -> Iterator[Credit]:
        """What everybody is due for each phase of work; less than a minute is nothing."""
        for phase in self.phases:
            for person_id, visits in self.visits.items():
                credit = Credit(person_id, phase, _attended(phase, visits))
                if phase.is_work and credit.credited >= MINUTE:
                    yield credit


def _attended(phase: Phase, visits: list[Span]) -> list[tuple[datetime, datetime]]:
    """The shortest pieces that somebody attended, stretch by stretch, each counted once."""
    ends = (each.until for each in [*phase.stretches, *visits])
    starts = {each.since for each in [*phase.stretches, *visits]}
    row = sorted(starts | {end for end in ends if end is not None})
    return [
        piece
        for stretch in phase.stretches
        for piece in pairwise(row)
        if stretch.covers(*piece)
        if any(visit.meets(stretch) and visit.covers(*piece) for visit in visits)
    ]
