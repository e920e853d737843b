"""Limits in memory that go by a clock one is given."""

import threading
from collections import defaultdict
from datetime import datetime, timedelta

from focusmate_core.ports.clock import Clock
from focusmate_core.ports.limits import Allowance, Rate

_NOTHING = timedelta(0)


class MemoryLimits:
    """Keeps the limits port exactly: each take is remembered for as long as it counts."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._turn = threading.RLock()
        self._taken: defaultdict[tuple[str, str], list[datetime]] = defaultdict(list)

    def take(self, limit: str, rate: Rate, key: str) -> bool:
        with self._turn:
            counted = self._counted(limit, rate, key)
            if len(counted) >= rate.most:
                return False
            counted.append(self._clock.now())
            return True

    def spend(self, limit: str, rate: Rate, key: str) -> tuple[bool, Allowance]:
        with self._turn:
            return self.take(limit, rate, key), self.look(limit, rate, key)

    def look(self, limit: str, rate: Rate, key: str) -> Allowance:
        counted = self._counted(limit, rate, key)
        left = rate.most - len(counted)
        wait = _NOTHING if left else counted[0] + rate.per - self._clock.now()
        return Allowance(left, wait)

    def clear(self, limit: str, rate: Rate, key: str) -> None:
        self._taken.pop((limit, key), None)

    def _counted(self, limit: str, rate: Rate, key: str) -> list[datetime]:
        with self._turn:
            taken = self._taken[limit, key]
            since = self._clock.now() - rate.per
            taken[:] = [at for at in taken if at > since]
            return taken


class NoLimits:
    """Lets everything pass, where limits are not what is tested."""

    def take(self, limit: str, rate: Rate, key: str) -> bool:
        return True

    def spend(self, limit: str, rate: Rate, key: str) -> tuple[bool, Allowance]:
        return True, self.look(limit, rate, key)

    def look(self, limit: str, rate: Rate, key: str) -> Allowance:
        return Allowance(rate.most, _NOTHING)

    def clear(self, limit: str, rate: Rate, key: str) -> None:
        pass
