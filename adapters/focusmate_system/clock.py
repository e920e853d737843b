"""The machine's clock."""

import time
from datetime import UTC, datetime


class SystemClock:
    """`Clock` as the operating system tells it; the wall clock may be set while it runs."""

    def now(self) -> datetime:
        """The instant, aware, in UTC, to the microsecond."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since some moment; never falls."""
        return time.monotonic()
