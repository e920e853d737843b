"""Password hashes that cost nothing and protect nothing."""

import hashlib
from typing import ClassVar

_MARK = "for-tests-only"
COMMON = frozenset({"password", "12345678", "password1", "qwertyuiop", "iloveyou"})


class FakePasswords:
    """Keeps the passwords port with plain SHA-256, which says in each hash that it is for tests."""

    slow: ClassVar[bool] = True

    def __init__(self) -> None:
        self._made = 0
        self.parameters = 1
        """Part of each hash; when a test changes it, the hashes made before are outdated."""

    def hash(self, password: str) -> str:
        self._made += 1
        return _hash(f"{self.parameters}-{self._made:08x}", password)

    def verify(self, password: str, hashed: str | None) -> bool:
        dummy = _hash("1-00000000", "")
        salt = (hashed or dummy).split("$")[1]
        return _hash(salt, password) == hashed

    def is_outdated(self, hashed: str) -> bool:
        return not hashed.startswith(f"{_MARK}${self.parameters}-")

    def is_common(self, password: str) -> bool:
        return password.casefold() in COMMON


def _hash(salt: str, password: str) -> str:
    digest = hashlib.sha256(f"{salt}{password}".encode()).hexdigest()
    return f"{_MARK}${salt}${digest}"
