"""The line: one WebSocket connection to a server; asks and is answered, and hears what it tells."""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

import attrs
import trio
from trio_websocket import (
    ConnectionClosed,
    ConnectionRejected,
    WebSocketConnection,
    wrap_client_stream,
)

from focusmate_server.watching.clock import steady
from focusmate_server.watching.words import printable

CONNECT_WITHIN = 10.0
ANSWER_WITHIN = 10.0
CLOSE_WITHIN = 0.2
"""Seconds for what was said last to be read: nobody hears the answer any more."""
LARGEST = 16 * 1024 * 1024
"""Bytes of a snapshot; a thousand seats take a few hundred thousand."""
BACKLOG = 10_000
"""Frames that wait for who prints them; with more the line is dropped, and taken up again."""
NOT_FOUND, FAULT = 404, 500
_RETRY = "retry_after="


class Lost(Exception):
    """There is no line, or no more; one may be tried again, after so many seconds if it says."""

    def __init__(self, why: str, *, retry_after: float | None = None, passes: bool = False) -> None:
        super().__init__(why)
        self.passes = passes
        self.retry_after = retry_after


class Refused(Exception):
    """The server understood, and said no."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(printable(error["detail"]))
        self.code: str = error["code"]
        self.params: dict[str, Any] = error.get("params", {})


@attrs.define
class _Waiting:
    answered: trio.Event = attrs.field(factory=trio.Event)
    frame: dict[str, Any] | None = None
    heard: float = 0.0


@attrs.frozen
class Answer:
    """What was answered, and when it was asked for and heard, on the steady clock."""

    ok: Any
    sent: float
    heard: float


class Line:
    """One connection; `read` runs beside whoever asks."""

    def __init__(self, websocket: WebSocketConnection) -> None:
        self._websocket = websocket
        self._number = 0
        self._waiting: dict[int, _Waiting] = {}
        self._told, self.frames = trio.open_memory_channel[dict[str, Any]](BACKLOG)
        self.lost: Lost | None = None

    async def read(self) -> None:
        """Hand on what comes until nothing does; then `lost` says why, and `frames` end."""
        try:
            while self.lost is None:
                frame = json.loads(await self._websocket.get_message())
                self._take(frame, steady())
        except ConnectionClosed as closed:
            self.drop(_why(closed))
        except ValueError:
            self.drop(Lost("what answers there is no focusmate server"))
        except trio.WouldBlock:
            self.drop(Lost("more happened than could be printed"))

    def _take(self, frame: dict[str, Any], heard: float) -> None:
        if "id" not in frame:
            self._told.send_nowait(frame)
        elif waiting := self._waiting.get(frame["id"]):
            waiting.frame, waiting.heard = frame, heard
            waiting.answered.set()

    def drop(self, lost: Lost) -> Lost:
        """Use it no more; gives what it was lost by first."""
        self.lost = self.lost or lost
        self._told.close()
        for waiting in self._waiting.values():
            waiting.answered.set()
        return self.lost

    async def tell(self, do: str, **given: Any) -> None:
        """Send a frame, whatever is answered. `Lost`."""
        await self._send(self._next(), do, given)

    async def ask(self, do: str, **given: Any) -> Answer:
        """What is answered; `Refused`, and `Lost` if nothing comes in time."""
        number, sent = self._next(), steady()
        waiting = self._waiting[number] = _Waiting()
        try:
            await self._send(number, do, given)
            with trio.move_on_after(ANSWER_WITHIN):
                await waiting.answered.wait()
        finally:
            del self._waiting[number]
        if waiting.frame is None:
            raise self.drop(Lost("the server does not answer"))
        if "error" in waiting.frame:
            raise Refused(waiting.frame["error"])
        return Answer(waiting.frame["ok"], sent, waiting.heard)

    def _next(self) -> int:
        self._number += 1
        return self._number

    async def _send(self, number: int, do: str, given: dict[str, Any]) -> None:
        try:
            await self._websocket.send_message(json.dumps({"id": number, "do": do, "with": given}))
        except ConnectionClosed as closed:
            raise self.drop(_why(closed)) from None
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise self.drop(Lost("the connection broke")) from None

    async def close(self) -> None:
        """Say goodbye, for a moment at the most, also while all else is cancelled."""
        with trio.move_on_after(CLOSE_WITHIN, shield=True):
            await self._websocket.aclose()


def _why(closed: ConnectionClosed) -> Lost:
    """What a close frame says, or its absence."""
    if closed.reason is None or closed.reason.code == 1006:  # noqa: PLR2004  RFC 6455: no close frame
        return Lost("the connection broke")
    code, reason = closed.reason.code, printable(closed.reason.reason or "")
    if not reason.startswith(_RETRY):
        return Lost(reason or f"the server closed the connection ({code})")
    try:
        after = max(0.0, float(reason.removeprefix(_RETRY)))
    except ValueError:
        after = 0.0
    return Lost("the server restarts", retry_after=after)


# -- open and close -------------------------------------------------------------------------------


class _Ending:
    """A stream that says when it has ended: trio-websocket's handshake does not notice."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self.on_end: Callable[[], None] = _nothing

    async def receive_some(self, most: int | None = None) -> bytes:
        try:
            data = await self._stream.receive_some(most)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.on_end()
            raise
        if not data:
            self.on_end()
        return bytes(data)

    async def send_all(self, data: bytes) -> None:
        await self._stream.send_all(data)

    async def aclose(self) -> None:
        self.on_end()
        await self._stream.aclose()


def _nothing() -> None:
    """Nobody waits for the end."""


async def converse(
    url: str,
    body: Callable[[Line], Awaitable[None]],
    *tasks: Callable[[Line], Awaitable[None]],
    failures: tuple[type[Exception], ...],
) -> None:
    """Have a body talk to the server of this URL, and tasks for as long; raises `Lost`, failures.

    They come out bare, in no group, and the socket is closed before they do.
    """
    stream = await _reached(url)
    failed: Exception | None = None
    is_open = False
    known: tuple[type[Exception], ...] = (Lost, *failures)
    try:
        async with trio.open_nursery() as nursery:
            try:
                line = Line(await _handshake(url, stream, nursery))
                is_open = True
                for task in (Line.read, *tasks):
                    nursery.start_soon(task, line)
                await body(line)
            except known as failure:
                failed = failure
            nursery.cancel_scope.cancel()
    except* Exception as odd:
        # What is no WebSocket's answer breaks the libraries below in ways of their own.
        if is_open:
            raise
        failed = _rejected(url, odd.exceptions[0])
    finally:
        await trio.aclose_forcefully(stream)
    if failed is not None:
        raise failed


async def _reached(url: str) -> trio.abc.Stream:
    parts = urlsplit(url)
    host, is_secret = parts.hostname or "", parts.scheme == "wss"
    try:
        with trio.fail_after(CONNECT_WITHIN):
            if not is_secret:
                return await trio.open_tcp_stream(host, parts.port or 80)
            return await _secured(host, parts.port or 443)
    except trio.TooSlowError:
        raise Lost(f"{url} does not answer") from None
    except (OSError, trio.BrokenResourceError) as failed:
        cause = _innermost(failed)
        if isinstance(cause, ssl.SSLError):
            raise Lost(f"there is no secure connection to {url} ({_insecure(cause)})") from None
        raise Lost(f"there is no server at {url}{_said(cause)}") from None


async def _secured(host: str, port: int) -> trio.abc.Stream:
    stream = await trio.open_ssl_over_tcp_stream(host, port, https_compatible=True)
    try:
        await stream.do_handshake()
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return stream


async def _handshake(
    url: str, stream: trio.abc.Stream, nursery: trio.Nursery
) -> WebSocketConnection:
    parts, ending = urlsplit(url), _Ending(stream)
    resource = urlunsplit(("", "", parts.path or "/", parts.query, ""))
    with trio.move_on_after(CONNECT_WITHIN) as opening:
        ending.on_end = opening.cancel
        websocket = await wrap_client_stream(
            nursery,
            cast("trio.SocketStream", ending),
            parts.netloc.rpartition("@")[2],
            resource,
            max_message_size=LARGEST,
        )
        ending.on_end = _nothing
        return websocket
    raise Lost(f"{url} does not answer")


def _rejected(url: str, rejected: BaseException) -> Lost:
    if not isinstance(rejected, ConnectionRejected):
        return Lost(f"{url} does not answer as a WebSocket does")
    if (status := rejected.status_code) >= FAULT:
        return Lost(f"{url} answers {status} just now", passes=True)
    hint = ": is /v1/ws at its end, and is it the WebSocket address?" if status == NOT_FOUND else ""
    return Lost(f"{url} answers {status}, and is no focusmate server{hint}")


def _innermost(failed: BaseException) -> BaseException:
    while (inner := failed.__cause__) is not None:
        failed = inner
    return failed.exceptions[0] if isinstance(failed, ExceptionGroup) else failed


def _insecure(failed: ssl.SSLError) -> str:
    """What is wrong with a certificate, or else with the handshake."""
    wrong = getattr(failed, "verify_message", "") or failed.reason or str(failed)
    return printable(wrong if " " in wrong else wrong.replace("_", " ").lower())


def _said(failed: BaseException) -> str:
    """What the system said."""
    said = str(failed)
    if isinstance(failed, OSError) and failed.errno is not None:
        said = os.strerror(failed.errno) if failed.errno > 0 else failed.strerror or said
    return f" ({said})" if said else ""
