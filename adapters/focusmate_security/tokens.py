"""Tokens as signed JWTs (RFC 7519): HMAC with SHA-256 over claims that anyone may read."""

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from joserfc import jwt
from joserfc.jwk import OctKey

SHORTEST_KEY = 32
_HEADER = {"alg": "HS256"}


class BadKey(Exception):
    """The signing key is too short to protect anything."""


def new_key() -> bytes:
    """A key of 32 random bytes."""
    return secrets.token_bytes(SHORTEST_KEY)


class SignedTokens:
    """`Tokens` under one secret key of at least 32 bytes; `BadKey` for a shorter one."""

    def __init__(self, key: bytes) -> None:
        if len(key) < SHORTEST_KEY:
            msg = f"a signing key has at least {SHORTEST_KEY} bytes, not {len(key)}"
            raise BadKey(msg)
        self._key = OctKey.import_key(key)

    def sign(self, claims: Mapping[str, Any], expires_at: datetime) -> str:
        """A token of these claims and `exp`, in whole seconds rounded down."""
        return jwt.encode(_HEADER, {**claims, "exp": int(expires_at.timestamp())}, self._key)

    def verify(self, token: str, now: datetime) -> Mapping[str, Any] | None:
        """The claims; None if forged, broken, of another algorithm, or expired."""
        try:
            claims = jwt.decode(token, self._key, algorithms=["HS256"]).claims
        except Exception:  # noqa: BLE001  whatever a stranger's text does in there, it is no token
            return None
        until = claims.get("exp")
        return claims if isinstance(until, int) and now.timestamp() < until else None
