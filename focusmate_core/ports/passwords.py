"""The passwords port: slow hashes, so only steps before the unit of work may use it."""

from typing import ClassVar, Protocol


class Passwords(Protocol):
    """Hashes that are slow on purpose; both calls take about as long whatever they are given."""

    slow: ClassVar[bool] = True

    def hash(self, password: str) -> str:
        """A salted hash that says its own parameters."""
        ...

    def verify(self, password: str, hashed: str | None) -> bool:
        """Whether it is the password of the hash; for None a dummy is verified, and False."""
        ...

    def is_common(self, password: str) -> bool:
        """Whether it is among the passwords that are guessed first."""
        ...
