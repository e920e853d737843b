"""The ids port: where new ids come from."""

from datetime import datetime
from typing import Protocol


class Ids(Protocol):
    """UUIDv7 as text: ordered by time, never twice."""

    def new(self, now: datetime) -> str:
        """A new id, lower-case, whose time part is `now`."""
        ...
