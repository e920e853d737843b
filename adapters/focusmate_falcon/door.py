"""The door itself: what every request passes before Falcon's app, and every answer bears."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import Any

import falcon

from focusmate_falcon.cors import Cors
from focusmate_falcon.problems import MEDIA_TYPE, of_http
from focusmate_falcon.settings import DoorSettings

Event = dict[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Asgi = Callable[[Event, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

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


class HttpDoor:
    """Falcon's app behind the guards: security headers, CORS, and a time limit for bodies.

    They stand here and not in Falcon's middleware, where each would cost several times as much.
    """

    def __init__(self, app: Asgi, settings: DoorSettings) -> None:
        self._app = app
        self._cors = Cors.of(settings.origins)
        self._body_within = settings.body_within.total_seconds()

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        """Answer one request; what is no request is Falcon's alone."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, bearing = scope["headers"], SECURITY
        if type(headers) is not list:
            # ASGI promises no more than iterables, which may be good for one reading.
            headers = scope["headers"] = [tuple(header) for header in headers]
        if self._cors is not None:
            leave = self._cors.preflight(scope["method"], headers)
            if leave is not None:
                await _send(send, HTTPStatus.NO_CONTENT, SECURITY + leave)
                return
            bearing = SECURITY + self._cors.headers(headers)
        if _has_body(headers):
            receive = _within(self._body_within, receive)
        try:
            await self._app(scope, receive, _with(bearing, send))
        except falcon.HTTPError as early:
            await _send_early(send, early, bearing)


def _with(bearing: Headers, send: Send) -> Send:
    def bear(event: Event) -> Awaitable[None]:
        if event["type"] == "http.response.start":
            event["headers"].extend(bearing)
        return send(event)

    return bear


async def _send_early(send: Send, error: falcon.HTTPError, bearing: Headers) -> None:
    """Falcon waits for the beginning of a body before it handles errors, so here it is for it."""
    told = of_http(error)
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
