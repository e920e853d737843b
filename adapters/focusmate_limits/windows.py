"""Limits as moving windows of the library limits, in the memory of this process."""

from __future__ import annotations

import math
import time
from datetime import timedelta
from functools import cache

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.storage import Storage
from limits.strategies import MovingWindowRateLimiter

from focusmate_core.ports.limits import Allowance, Rate
from focusmate_limits.slots import SlotStorage

_NOTHING = timedelta(0)


class WindowLimits:
    """`Limits` by the machine's clock; spans count in whole seconds, rounded up.

    Any storage of the library that knows moving windows will do; without one they are counted here.
    """

    def __init__(self, storage: Storage | None = None) -> None:
        self._limiter = MovingWindowRateLimiter(SlotStorage() if storage is None else storage)

    def take(self, limit: str, rate: Rate, key: str) -> bool:
        """Count one more of this key under this limit; False, and not counted, above the rate."""
        return self._limiter.hit(_item(rate), limit, key)

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
    def key_for(self, *identifiers: bytes | str | float) -> str:
        """The library's own takes as long as all the rest of a take."""
        return f"{self.amount}/{self.multiples}/{'/'.join(map(str, identifiers))}"


@cache
def _item(rate: Rate) -> RateLimitItem:
    return _Item(rate.most, math.ceil(rate.per.total_seconds()))
