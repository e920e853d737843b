"""Limits as moving windows of the library limits, in the memory of this process."""

from __future__ import annotations

import math
import time
from datetime import timedelta
from functools import cache, lru_cache

from limits import RateLimitItemPerSecond
from limits.strategies import MovingWindowRateLimiter

from focusmate_core.ports.limits import Allowance, Rate
from focusmate_limits.slots import SlotStorage

_NOTHING = timedelta(0)


class WindowLimits:
    """`Limits` by the machine's clock; spans count in whole seconds, rounded up."""

    def __init__(self) -> None:
        self._storage = SlotStorage()
        self._limiter = MovingWindowRateLimiter(self._storage)
        self._begun: dict[str, tuple[Rate, str, int]] = {}

    def take(self, limit: str, rate: Rate, key: str) -> bool:
        """Count one more of this key under this limit; False, and not counted, above the rate."""
        return self._limiter.hit(_item(rate), limit, key)

    def spend(self, limit: str, rate: Rate, key: str) -> tuple[bool, Allowance]:
        """Take and look in one: whether one more was counted, and what is left."""
        begun = self._begun.get(limit)
        if begun is None or begun[0] is not rate:
            # A limit mostly has one rate, and to find its item takes as long as the rest of this.
            item = _item(rate)
            begun = self._begun[limit] = rate, f"{item.prefix}/{limit}/", item.span
        passes, left, wait = self._storage.spend(begun[1] + key, rate.most, begun[2])
        return passes, _some(left) if left else Allowance(0, timedelta(seconds=wait))

    def look(self, limit: str, rate: Rate, key: str) -> Allowance:
        """What is left for this key, which counts nothing."""
        reset_at, left = self._limiter.get_window_stats(_item(rate), limit, key)
        if left > 0:
            return Allowance(left, _NOTHING)
        return Allowance(0, timedelta(seconds=max(0.0, reset_at - time.time())))

    def clear(self, limit: str, rate: Rate, key: str) -> None:
        """Begin anew with this key."""
        self._limiter.clear(_item(rate), limit, key)


class _Item(RateLimitItemPerSecond):
    __slots__ = ("prefix", "span")

    def __init__(self, rate: Rate) -> None:
        self.span = math.ceil(rate.per.total_seconds())
        super().__init__(rate.most, self.span)
        self.prefix = f"{rate.most}/{self.span}"

    def key_for(self, *identifiers: bytes | str | float) -> str:
        """The library's own takes as long as all the rest of a take."""
        return "/".join((self.prefix, *map(str, identifiers)))


@lru_cache(8192)
def _some(left: int) -> Allowance:
    return Allowance(left, _NOTHING)


@cache
def _item(rate: Rate) -> _Item:
    return _Item(rate)
