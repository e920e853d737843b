"""Subscribers: each hears what was committed, at its own pace, keeping its own place."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from focusmate_core.context import Outside, Ports
from focusmate_core.entities import Entity, entity
from focusmate_core.outbox import Envelope
from focusmate_core.ports.clock import Clock
from focusmate_core.ports.storage import Storage, Unit
from focusmate_core.registry import Registry, Subscription

_LONGEST = timedelta(minutes=10)


@entity("places")
class Place(Entity):
    """How far one subscriber has come; each keeps its own, so that none waits for another."""

    id: str
    position: str
    seen_at: datetime
    """Until when it has seen everything that was recorded."""
    try_at: datetime
    attempts: int = 0
    error: str = ""
    parked: bool = False
    """It fell behind what is retained: an operator decides where it goes on."""
    version: int = 0

    def moved(self, position: str, seen_at: datetime) -> Place:
        """Further on, its faults forgotten."""
        return self.but(position=position, seen_at=seen_at, try_at=seen_at, attempts=0, error="")

    def failed(self, error: str, now: datetime) -> Place:
        """Where it was, to be tried again later: twice as late each time, ten minutes at most."""
        wait = min(timedelta(seconds=2 ** min(self.attempts, 20)), _LONGEST)
        return self.but(try_at=now + wait, attempts=self.attempts + 1, error=error[:500])


class Turns:
    """Lets subscribers hear what came since their places."""

    def __init__(
        self,
        storage: Storage,
        registry: Registry,
        clock: Clock,
        ports: Ports,
        execute: Callable[..., Any],
    ) -> None:
        self._storage = storage
        self._registry = registry
        self._clock = clock
        self._ports = ports
        self._execute = execute

    def take(self, one: Subscription, limit: int) -> int:
        """One subscriber's turn; how many events it heard."""
        now = self._clock.now()
        with self._storage.read() as reader:
            place = reader.get(Place, one.name)
            if place is None:
                place = Place(id=one.name, position=reader.end(), seen_at=now, try_at=now)
            elif place.parked or place.try_at > now:
                return 0
            ahead = reader.tail(place.position, limit)
        heard, place = self._hear(one, place, ahead, now)
        if ahead or place.version == 0:
            with self._storage.write() as unit:
                unit.put(place)
        return heard

    def _hear(
        self, one: Subscription, place: Place, ahead: list[Envelope], now: datetime
    ) -> tuple[int, Place]:
        wires = {event.fact.wire for event in one.events}
        heard = 0
        for envelope in ahead:
            if envelope.type in wires:
                try:
                    event = self._registry.decode_event(
                        envelope.type, envelope.version, envelope.data
                    )
                    one.function(event, envelope, Outside(now, self._ports, self._execute))
                except Exception as fault:  # noqa: BLE001  it is kept in the place, for an operator
                    return heard, place.failed(repr(fault), now)
                heard += 1
            place = place.moved(envelope.position, envelope.recorded_at)
        return heard, place


def park_late(unit: Unit, names: Iterable[str], horizon: datetime) -> None:
    """Park the subscribers that have not seen what was recorded before the horizon."""
    for name in names:
        place = unit.get(Place, name, hold=True)
        if place is None or place.parked or place.seen_at >= horizon:
            continue
        ahead = unit.tail(place.position, 1)
        if ahead and ahead[0].recorded_at < horizon:
            unit.put(place.but(parked=True, error="it fell behind what is retained"))
