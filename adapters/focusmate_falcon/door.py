"""The door itself: what every request passes before Falcon's app, and every answer bears."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import Any

import attrs
import falcon

from focusmate_core.refusals import TooOften
from focusmate_falcon.cors import Cors
from focusmate_falcon.health import LIVE, READY
from focusmate_falcon.metering import Meter
from focusmate_falcon.problems import MEDIA_TYPE, Problem, of_http, of_refusal
from focusmate_falcon.settings import DoorSettings, the_peer
from focusmate_falcon.viewer import HEADERS, assets

Event = dict[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Asgi = Callable[[Event, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

_READING = frozenset({"GET", "HEAD"})
SECURITY: Headers = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
]
"""Nothing that is answered may be cached, framed, guessed at, or told to other sites.

Each costs the server most of a microsecond an answer; X-Frame-Options would say what
`frame-ancestors` says.
"""
VIEWERS: Headers = HEADERS
"""Of the viewer's own files, which may be cached and are allowed one another."""
UNCOUNTED = frozenset({LIVE, READY})
"""A flood does not make a server seem dead to who watches over it."""


class HttpDoor:
    """Falcon's app behind the guards: who asks and how often, headers, a time limit for bodies.

    They stand here and not in Falcon's middleware, where each would cost several times as much.
    """

    def __init__(self, app: Asgi, settings: DoorSettings, meter: Meter | None = None) -> None:
        self._app = app
        self._meter = meter
        self._address_of = None if settings.address_of is the_peer else settings.address_of
        self._cors = Cors.of(settings.origins)
        self._body_within = settings.body_within.total_seconds()
        self._shown = frozenset(assets())

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        """Answer one request; what is no request is Falcon's alone."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        headers = scope["headers"]
        if type(headers) is not list:
            # ASGI promises no more than iterables, which may be good for one reading.
            headers = scope["headers"] = [tuple(header) for header in headers]
        bearing = SECURITY
        if self._cors is not None:
            leave = self._cors.preflight(scope["method"], headers)
            if leave is not None:
                return await _send(send, HTTPStatus.NO_CONTENT, SECURITY + leave)
            bearing = SECURITY + self._cors.headers(headers)
        refused = self._refused(scope)
        if refused is not None:
            return await _send_early(send, refused, bearing)
        if _has_body(headers):
            receive = _within(self._body_within, receive)
        if scope["path"] in self._shown and scope["method"] in _READING:
            bearing = VIEWERS + bearing[len(SECURITY) :]
        try:
            return await self._app(scope, receive, _with(bearing, send))
        except falcon.HTTPError as early:
            return await _send_early(send, of_http(early), bearing)

    def _refused(self, scope: Event) -> Problem | None:
        """Put who is behind the peer in its place; what to say if they ask too often."""
        host, port = scope.get("client") or ("", 0)
        if self._address_of is not None:
            host = self._address_of(host, scope["headers"])
        scope["client"] = (host, port)
        if self._meter is None or scope["path"] in UNCOUNTED:
            return None
        wait = self._meter.check(host)
        if not wait:
            return None
        told = of_refusal(TooOften(retry_after=wait))
        return attrs.evolve(told, headers={**told.headers, **self._meter.above(wait)})


def _with(bearing: Headers, send: Send) -> Send:
    def bear(event: Event) -> Awaitable[None]:
        if event["type"] == "http.response.start":
            event["headers"].extend(bearing)
        return send(event)

    return bear


async def _send_early(send: Send, told: Problem, bearing: Headers) -> None:
    """Falcon waits for the beginning of a body before it handles errors, so here it is for it."""
    headers = [(name.lower().encode(), value.encode()) for name, value in told.headers.items()]
    headers.append((b"content-type", MEDIA_TYPE.encode()))
    await _send(send, told.status, headers + bearing, told.document())


async def _send(send: Send, status: int, headers: Headers, body: bytes = b"") -> None:
    if body:
        headers = [*headers, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _has_body(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    for name, value in headers:
        if name == b"content-length":
            return value != b"0"
        if name == b"transfer-encoding":
            return True
    return False


def _within(seconds: float, receive: Receive) -> Receive:
    """Receive the whole body before so many seconds are over, or raise 408."""
    until = asyncio.get_running_loop().time() + seconds

    async def in_time() -> Event:
        try:
            async with asyncio.timeout_at(until):
                return await receive()
        except TimeoutError:
            raise falcon.HTTPError(408, headers={"Connection": "close"}) from None

    return in_time
