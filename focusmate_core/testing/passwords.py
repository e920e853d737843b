"""Password hashes that cost nothing and protect nothing."""

import hashlib
from typing import ClassVar

COMMON = frozenset({"password", "12345678", "password1", "qwertyuiop", "iloveyou"})


class FakePasswords:
    """Keeps the passwords port with plain SHA-256, which says in each hash that it is for tests."""

    slow: ClassVar[bool] = True

    def __init__(self) -> None:
        self._made = 0

    def hash(self, password: str) -> str:
        self._made += 1
        return _hash(f"{self._made:08x}", password)

    def verify(self, password: str, hashed: str | None) -> bool:
        dummy = _hash("00000000", "")
        salt = (hashed or dummy).split("$")[1]
        return _hash(salt, password) == hashed

    def is_common(self, password: str) -> bool:
        return password.casefold() in COMMON


def _hash(salt: str, password: str) -> str:
    digest = hashlib.sha256(f"{salt}{password}".encode()).hexdigest()
    return f"for-tests-only${salt}${digest}"
