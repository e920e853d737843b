"""Passwords by Argon2id in a thread pool, and signed access tokens."""

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TypeVar

import jwt
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from tests.benchmarks.peers.original_stack.settings import Settings

ACCESS = timedelta(minutes=30)
REFRESH = timedelta(days=30)
HASHING_THREADS = 2

R = TypeVar("R")


class Security:
    """Hashes, checks and signs; what is slow runs beside the event loop."""

    def __init__(self, settings: Settings) -> None:
        self._hasher = PasswordHasher(settings.passes, settings.memory, settings.lanes)
        self._secret = settings.secret
        self._threads = ThreadPoolExecutor(HASHING_THREADS, "argon2")
        self._decoy = self._hasher.hash(secrets.token_hex())

    async def hash(self, password: str) -> str:
        return await self._beside(lambda: self._hasher.hash(password))

    async def matches(self, password: str, hashed: str | None) -> bool:
        """Take the same time whether or not there is anybody to compare with."""
        return (
            await self._beside(lambda: self._verify(hashed or self._decoy, password))
            and hashed is not None
        )

    def sign(self, account_id: str) -> str:
        now = datetime.now(UTC)
        claims = {"sub": account_id, "iat": now, "exp": now + ACCESS}
        return jwt.encode(claims, self._secret, algorithm="HS256")

    def account_of(self, token: str) -> str:
        """Give the account a token was signed for, or raise jwt.InvalidTokenError."""
        claims = jwt.decode(
            token, self._secret, algorithms=["HS256"], options={"require": ["exp", "sub"]}
        )
        return str(claims["sub"])

    @staticmethod
    def refresh_token() -> tuple[str, str]:
        token = secrets.token_urlsafe(32)
        return token, sha256(token.encode()).hexdigest()

    def _verify(self, hashed: str, password: str) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except VerifyMismatchError:
            return False

    async def _beside(self, work: Callable[[], R]) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)
