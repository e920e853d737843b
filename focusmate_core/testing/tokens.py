"""Signed tokens of the standard library alone."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


class FakeTokens:
    """Keeps the tokens port with JSON under an HMAC: forged and expired ones are really refused."""

    def __init__(self, key: bytes = b"a key for tests only") -> None:
        self._key = key

    def sign(self, claims: Mapping[str, Any], expires_at: datetime) -> str:
        held = json.dumps({**claims, "exp": (expires_at - _EPOCH) // _SECOND}).encode()
        body = base64.urlsafe_b64encode(held).decode()
        return f"{body}.{self._mark(body)}"

    def verify(self, token: str, now: datetime) -> Mapping[str, Any] | None:
        body, _, mark = token.rpartition(".")
        if not token.isascii() or not hmac.compare_digest(mark, self._mark(body)):
            return None
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body))
        return claims if now < _EPOCH + claims["exp"] * _SECOND else None

    def _mark(self, body: str) -> str:
        return hmac.new(self._key, body.encode(), hashlib.sha256).hexdigest()
