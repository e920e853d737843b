"""The passwords port: slow hashes, so only steps before the unit of work may use it."""

from typing import ClassVar, Protocol


class Passwords(Protocol):
    """Hashes that are slow on purpose; `hash` and `verify` take as long whatever they get."""

    slow: ClassVar[bool] = True

    def hash(self, password: str) -> str:
        """A salted hash that says its own parameters."""
        ...

    def verify(self, password: str, hashed: str | None) -> bool:
        """Whether it is the password of the hash; for None a dummy is verified, and False."""
        ...

    def is_outdated(self, hashed: str) -> bool:
        """Whether a hash of today would have other parameters; this call is quick."""
        ...

    def is_common(self, password: str) -> bool:
        """Whether it is among the passwords that are guessed first."""
        ...
