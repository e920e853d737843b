"""The tokens port: claims signed so that only who holds the key can have made them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol


class Tokens(Protocol):
    """Signed, readable, not encrypted; quick enough for a handler."""

    def sign(self, claims: Mapping[str, Any], expires_at: datetime) -> str:
        """A token of these claims (`exp` is added) that is good until `expires_at`."""
        ...

    def verify(self, token: str, now: datetime) -> Mapping[str, Any] | None:
        """The claims, `exp` in seconds since 1970 among them; None if forged, broken or expired."""
        ...
