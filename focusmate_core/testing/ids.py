"""Ids that come in the same order every time."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class SequentialIds:
    """Keeps the ids port: UUIDv7 in form, a counter where the random bits would be."""

    def __init__(self) -> None:
        self._made = 0

    def new(self, now: datetime) -> str:
        self._made += 1
        milliseconds = (now - _EPOCH) // _MILLISECOND
        return str(UUID(int=milliseconds << 80 | 0x7 << 76 | 0x2 << 62 | self._made))
