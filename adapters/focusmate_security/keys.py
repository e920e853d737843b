"""Keys that sign tokens: the newest signs, and each that is still held verifies its own."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from typing import Protocol

import attrs
from joserfc.jwk import OctKey

SHORTEST_KEY = 32
_ABOUT = b"focusmate: the name of a signing key"
_NAME_BYTES = 6


class BadKey(Exception):
    """The signing key is too short to protect anything."""


def new_key() -> bytes:
    """A key of 32 random bytes."""
    return secrets.token_bytes(SHORTEST_KEY)


@attrs.frozen
class Key:
    """A secret and its name, which stands in the tokens and tells nothing of the secret."""

    name: str
    secret: OctKey = attrs.field(repr=False)

    @classmethod
    def of(cls, secret: bytes) -> Key:
        """The key of these bytes; `BadKey` for less than 32."""
        if len(secret) < SHORTEST_KEY:
            msg = f"a signing key has at least {SHORTEST_KEY} bytes, not {len(secret)}"
            raise BadKey(msg)
        digest = hmac.digest(secret, _ABOUT, "sha256")
        return cls(digest[:_NAME_BYTES].hex(), OctKey.import_key(secret))


class Keys(Protocol):
    """Which keys there are at the moment; quick, and thread-safe."""

    def signing(self) -> Key:
        """The newest."""
        ...

    def verifying(self, name: object) -> Sequence[Key]:
        """The key of this name, if it is held; all of them for None."""
        ...


class FixedKeys:
    """`Keys` that are what they are, the newest first."""

    def __init__(self, newest: bytes, *former: bytes) -> None:
        self._keys = tuple(Key.of(each) for each in (newest, *former))

    def signing(self) -> Key:
        """The first."""
        return self._keys[0]

    def verifying(self, name: object) -> Sequence[Key]:
        """The one of this name; all for None."""
        return [each for each in self._keys if name is None or each.name == name]
