"""What is parked: deadlines and subscribers that go on only once an operator has looked."""

from __future__ import annotations

import logging

from focusmate_core.deadlines import Deadline
from focusmate_core.engine import Engine
from focusmate_core.subscriptions import Place

log = logging.getLogger(__name__)

MOST = 100
"""So many deadlines are looked at; more are told as «100 or more»."""


def parked(engine: Engine) -> tuple[list[Deadline], list[Place]]:
    """The deadlines, `MOST` at most, and the places of subscribers that are parked."""
    with engine.storage.read() as reader:
        places = reader.get_many(Place, sorted(engine.registry.subscriptions))
        return reader.parked(MOST), [place for place in places.values() if place.parked]


def sentence(engine: Engine) -> str:
    """How many there are, for who asks after the server's health; empty if there is none."""
    deadlines, places = parked(engine)
    told = [
        f"{'100 or more' if number >= MOST else number} {thing}{'' if number == 1 else 's'}"
        for number, thing in ((len(deadlines), "deadline"), (len(places), "subscriber"))
        if number
    ]
    return f"{' and '.join(told)} parked: the worker's log says which and why" if told else ""


class Lookout:
    """Logs each of them once, and again if it was let go on and is parked anew."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: set[tuple[str, str]] = set()

    def look(self) -> None:
        """Log what was parked since the last look."""
        deadlines, places = parked(self._engine)
        found = {("deadline", each.key): _of_deadline(each) for each in deadlines}
        found |= {("subscriber", each.id): _of_place(each) for each in places}
        for one in found.keys() - self._known:
            log.error("%s", found[one])
        self._known = set(found)


def _of_deadline(each: Deadline) -> str:
    tried = f"after {each.attempts} faults, the last was {each.error}"
    return f"the deadline {each.key} ({each.wire}, due {each.due_at}) is parked {tried}"


def _of_place(each: Place) -> str:
    return f"the subscriber {each.id} is parked at {each.position!r}: {each.error}"
