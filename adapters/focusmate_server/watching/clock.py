"""The server's clock from afar: estimated from pings, on a clock of one's own that nobody sets."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime, timedelta

import attrs

DRIFT = 500e-6
"""How far two clocks go apart: what the kernel lets a wall clock be slewed by."""
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def steady() -> float:
    """Seconds on a clock that no setting of the time moves and, where it can, no sleep stops."""
    return time.clock_gettime(_STEADY)


@attrs.frozen
class Reading:
    """The server's time at one instant of the steady clock, right within so many seconds."""

    steady: float
    server: datetime
    within: float

    @classmethod
    def of(cls, sent: float, heard: float, said: datetime) -> Reading:
        """What a ping tells: it was said some time between sending and hearing, so amidst."""
        return cls(steady=(sent + heard) / 2, server=said, within=(heard - sent) / 2)

    def at(self, steady: float) -> datetime:
        """The server's time at another instant."""
        return self.server + timedelta(seconds=steady - self.steady)

    def error_at(self, steady: float) -> float:
        """How far off `at` may be, in seconds."""
        return self.within + DRIFT * abs(steady - self.steady)

    def contradicts(self, other: Reading) -> bool:
        """Whether the two cannot both be right: somebody set the server's clock."""
        apart = abs((self.at(other.steady) - other.server).total_seconds())
        return apart > self.error_at(other.steady) + other.within


class ServerClock:
    """The best reading so far."""

    def __init__(self) -> None:
        self._reading: Reading | None = None

    @property
    def is_known(self) -> bool:
        """Whether there was any ping yet."""
        return self._reading is not None

    def learn(self, readings: Iterable[Reading]) -> None:
        """Take the reading with the smallest round trip, unless what is known is better still."""
        new = min(readings, key=lambda each: each.within)
        known = self._reading
        if known is None or new.contradicts(known) or new.within <= known.error_at(new.steady):
            self._reading = new

    def at(self, steady: float) -> datetime:
        """The server's time at an instant of the steady clock; LookupError before any ping."""
        return self._known().at(steady)

    def error_at(self, steady: float) -> float:
        """How far off that may be, in seconds."""
        return self._known().error_at(steady)

    def now(self) -> datetime:
        """The server's time."""
        return self.at(steady())

    def _known(self) -> Reading:
        if self._reading is None:
            raise LookupError("there was no ping yet")
        return self._reading
