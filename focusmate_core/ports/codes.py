"""The codes port: short texts that nobody can guess, such as an invitation link bears."""

from typing import Protocol


class Codes(Protocol):
    """Makes codes; at least 128 bits of chance each, of the characters A-Z, a-z, 0-9, - and _."""

    def new(self) -> str:
        """A code that was never given before."""
        ...
