"""A clock that stands still until it is told to move."""

from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
"""A Monday morning."""


class FakeClock:
    """Keeps the clock port. `advance` is time passing, `set` is somebody turning the wall clock."""

    def __init__(self, start: datetime = START) -> None:
        self._now = _aware(start)
        self._passed = timedelta()

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._passed.total_seconds()

    def advance(self, by: timedelta | None = None, **parts: float) -> datetime:
        """Let time pass, `advance(minutes=25)`; gives the new instant. ValueError if it is < 0."""
        span = (by or timedelta()) + timedelta(**parts)
        if span < timedelta():
            raise ValueError("time does not pass backwards; `set` turns the wall clock back")
        self._passed += span
        self._now += span
        return self._now

    def set(self, at: datetime) -> None:
        """Turn the wall clock to an aware instant, back or forth, while no time passes."""
        self._now = _aware(at)


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError(f"{at!r} has no time zone; instants are aware and in UTC")
    return at.astimezone(UTC)
