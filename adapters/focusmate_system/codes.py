"""Codes by the machine's randomness."""

import secrets

_BYTES = 16


class RandomCodes:
    """`Codes` of 128 random bits, 22 characters."""

    def new(self) -> str:
        """A code that was never given before, as far as chance can tell."""
        return secrets.token_urlsafe(_BYTES)
