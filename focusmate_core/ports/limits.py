"""The limits port: how often something may be done, counted per limit and key."""

from datetime import timedelta
from typing import Protocol

import attrs


@attrs.frozen(cache_hash=True)
class Rate:
    """At most so many in any span of this length."""

    most: int
    per: timedelta


@attrs.frozen
class Allowance:
    """What is left of a rate: how many more may be done now, and when there is the next after that.

    `wait` is zero while `left` is not; otherwise how long until one more may be done.
    """

    left: int
    wait: timedelta


class Limits(Protocol):
    """Counts in sliding windows; thread-safe, quick, and forgetful: a restart may begin anew."""

    def take(self, limit: str, rate: Rate, key: str) -> bool:
        """Count one more of this key under this limit; False, and not counted, above the rate."""
        ...

    def spend(self, limit: str, rate: Rate, key: str) -> tuple[bool, Allowance]:
        """Take and look in one: whether one more was counted, and what is left."""
        ...

    def look(self, limit: str, rate: Rate, key: str) -> Allowance:
        """What is left for this key, which counts nothing."""
        ...

    def clear(self, limit: str, rate: Rate, key: str) -> None:
        """Begin anew with this key."""
        ...
