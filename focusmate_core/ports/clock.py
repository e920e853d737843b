"""The clock port: the one place where time comes in."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time, which may jump, and a monotonic reading for waits."""

    def now(self) -> datetime:
        """The instant, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment; never falls."""
        ...
