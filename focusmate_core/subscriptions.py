"""The places of subscribers: how far each has come in the outbox, and what became of its tries."""

from __future__ import annotations

from datetime import datetime, timedelta

from focusmate_core.entities import Entity, entity

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
