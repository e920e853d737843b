"""Passwords by Argon2id, with the parameters that RFC 9106 recommends second: 64 MiB, 3 passes."""

import functools
import secrets
from typing import ClassVar

from pwdlib.hashers.argon2 import Argon2Hasher


class Argon2Passwords:
    """`Passwords`; about 100 ms and 64 MiB a call on one core."""

    slow: ClassVar[bool] = True

    def __init__(self) -> None:
        self._hasher = Argon2Hasher()
        # Made now: at the first unknown user it would double the time and tell that there is none.
        self._dummy = self._hasher.hash(secrets.token_urlsafe())

    def hash(self, password: str) -> str:
        """A salted hash that says its own parameters."""
        return self._hasher.hash(password)

    def verify(self, password: str, hashed: str | None) -> bool:
        """Whether it is the password of the hash; for None a dummy is verified, and False."""
        return self._hasher.verify(password, hashed or self._dummy) and hashed is not None

    def is_outdated(self, hashed: str) -> bool:
        """Whether a hash of today would have other parameters."""
        return self._hasher.check_needs_rehash(hashed)

    def is_common(self, password: str) -> bool:
        """Whether it is among the 30,000 most common passwords, in whatever case."""
        return password.lower() in _common()


@functools.cache
def _common() -> frozenset[str]:
    # A tenth of a second to read, and only who registers needs it.
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(FREQUENCY_LISTS["passwords"])
