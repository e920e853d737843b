"""What the peer is started with."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """A database file, Argon2id's cost (KiB, passes, lanes) and how many connections may write."""

    database: str
    memory: int
    passes: int
    lanes: int
    writers: int = 1
    readers: int = 4
    secret: str = "a benchmark's secret of at least thirty-two bytes"
