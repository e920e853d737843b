"""CORS: which pages of the web may call the door; none by default."""

from collections.abc import Iterable

import attrs

Headers = list[tuple[bytes, bytes]]

ANY = "*"
_PREFLIGHT: Headers = [
    (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, PATCH, DELETE"),
    (b"access-control-allow-headers", b"Authorization, Content-Type, Idempotency-Key, If-Match"),
    (b"access-control-max-age", b"600"),
]
_EXPOSED = (
    b"access-control-expose-headers",
    b"ETag, Location, RateLimit, RateLimit-Policy, Retry-After, WWW-Authenticate",
)
_ASKED_METHOD = b"access-control-request-method"


@attrs.frozen
class Cors:
    """The answer's headers for pages of these origins (`https://app.example.org`, or `*`)."""

    origins: frozenset[bytes]

    @classmethod
    def of(cls, origins: Iterable[str]) -> "Cors | None":
        """None where no page may call."""
        made = cls(frozenset(origin.encode() for origin in origins))
        return made if made.origins else None

    def headers(self, asked: Iterable[tuple[bytes, bytes]]) -> Headers:
        """What the answer to a request with these headers bears."""
        origin = next((value for name, value in asked if name == b"origin"), None)
        if ANY.encode() in self.origins:
            return [(b"access-control-allow-origin", b"*"), _EXPOSED] if origin else []
        varying = (b"vary", b"Origin")
        if origin is None or origin not in self.origins:
            return [varying]
        return [varying, (b"access-control-allow-origin", origin), _EXPOSED]

    def preflight(self, method: str, asked: Iterable[tuple[bytes, bytes]]) -> Headers | None:
        """The headers of the whole answer where this is a browser asking leave, else None."""
        if method != "OPTIONS" or not any(name == _ASKED_METHOD for name, _ in asked):
            return None
        told = self.headers(asked)
        return [*told, *_PREFLIGHT] if _EXPOSED in told else None
