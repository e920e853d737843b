"""Tokens as signed JWTs (RFC 7519): HMAC with SHA-256 over claims that anyone may read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from joserfc import jws, jwt

from focusmate_security.keys import FixedKeys, Keys

_ALGORITHM = "HS256"


class SignedTokens:
    """`Tokens` under one secret key of at least 32 bytes, or under several that may change.

    Each says in its header (`kid`) which key signed it; one that does not was signed before keys
    had names. `BadKey` for a key that is too short.
    """

    def __init__(self, keys: bytes | Keys) -> None:
        self._keys = FixedKeys(keys) if isinstance(keys, bytes) else keys

    def sign(self, claims: Mapping[str, Any], expires_at: datetime) -> str:
        """A token of these claims and `exp`, in whole seconds rounded down."""
        key, until = self._keys.signing(), int(expires_at.timestamp())
        header = {"alg": _ALGORITHM, "kid": key.name}
        return jwt.encode(header, {**claims, "exp": until}, key.secret)

    def verify(self, token: str, now: datetime) -> Mapping[str, Any] | None:
        """The claims; None if forged, broken, of another key or algorithm, or expired."""
        claims = self._claims(token)
        until = claims.get("exp")
        return claims if isinstance(until, int) and now.timestamp() < until else None

    def _claims(self, token: str) -> dict[str, Any]:
        try:
            header = jws.extract_compact(token.encode()).headers()
            keys = self._keys.verifying(header.get("kid"))
        except Exception:  # noqa: BLE001  whatever a stranger's text does in there, it is no token
            return {}
        for key in keys:
            try:
                return jwt.decode(token, key.secret, algorithms=[_ALGORITHM]).claims
            except Exception:  # noqa: BLE001, S112  as above: not by this key
                continue
        return {}
