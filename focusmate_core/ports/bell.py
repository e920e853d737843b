"""The bell port: a cheap look at whether anything was committed since the last look."""

from typing import Protocol


class Bell(Protocol):
    """Belongs to one thread; may ring for nothing, never stays silent after a commit."""

    def rung(self) -> bool:
        """Whether any process committed to the storage since the last call; microseconds."""
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...
