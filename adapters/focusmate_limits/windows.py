"""Limits as moving windows in the memory of this process."""

from __future__ import annotations

import math
import time
from datetime import timedelta
from functools import cache

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from focusmate_core.ports.limits import Allowance, Rate

_NOTHING = timedelta(0)


class WindowLimits:
    """`Limits` by the machine's clock; spans count in whole seconds, rounded up."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

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


@cache
def _item(rate: Rate) -> RateLimitItem:
    return RateLimitItemPerSecond(rate.most, math.ceil(rate.per.total_seconds()))
