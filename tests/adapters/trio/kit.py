"""A door on loopback, clients of it, and bytes as no client library would send them."""

from __future__ import annotations

import json
from collections import deque
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from focusmate_core.testing.runner import InlineRunner
from focusmate_trio import DoorSettings, listen, serve
from tests.features.town import Town

PATIENCE = 10
QUICK = DoorSettings(closing_within=timedelta(seconds=0.5))


class Client:
    """One signed-in or nameless WebSocket; what it is told without asking is kept in order."""

    def __init__(self, websocket: WebSocketConnection) -> None:
        self.websocket = websocket
        self.told: deque[dict[str, Any]] = deque()
        self._number = 0

    async def send(self, told: Any) -> None:
        await self.websocket.send_message(told if isinstance(told, str) else json.dumps(told))

    async def hear(self) -> dict[str, Any]:
        """The next frame, whatever it is."""
        if self.told:
            return self.told.popleft()
        return await self._next()

    async def _next(self) -> dict[str, Any]:
        with trio.fail_after(PATIENCE):
            return json.loads(await self.websocket.get_message())

    async def ask(self, do: str, /, key: str | None = None, **given: Any) -> dict[str, Any]:
        """What a frame is answered, `ok` or `error`; events that come first are kept."""
        self._number += 1
        frame = {"id": self._number, "do": do, "with": given}
        await self.send(frame if key is None else {**frame, "key": key})
        while (answer := await self._next()).get("id") != self._number:
            self.told.append(answer)
        return answer

    async def get(self, do: str, /, **given: Any) -> Any:
        """The answer, which must not be an error."""
        answer = await self.ask(do, **given)
        assert "ok" in answer, answer
        return answer["ok"]

    async def code(self, do: str, /, **given: Any) -> str:
        """The code of the error a frame is answered with."""
        return (await self.ask(do, **given))["error"]["code"]

    async def events(self, count: int) -> list[dict[str, Any]]:
        """The next frames that were not asked for."""
        return [await self.hear() for _ in range(count)]

    async def hears_nothing(self, seconds: float = 0.1) -> None:
        with trio.move_on_after(seconds):
            raise AssertionError(await self.hear())

    async def end(self) -> tuple[int, str | None]:
        """Code and reason with which the server closes."""
        with trio.fail_after(PATIENCE):
            try:
                while True:
                    self.told.append(json.loads(await self.websocket.get_message()))
            except ConnectionClosed as closed:
                return closed.reason.code, closed.reason.reason


@asynccontextmanager
async def connected(port: int, path: str = "/v1/ws", **how: Any):
    """A WebSocket to this port, closed in the end."""
    async with (
        await trio.open_tcp_stream("127.0.0.1", port) as stream,
        trio.open_nursery() as nursery,
    ):
        with trio.fail_after(PATIENCE):
            websocket = await wrap_client_stream(
                nursery, stream, "localhost", path, message_queue_size=1000, **how
            )
        try:
            yield Client(websocket)
        finally:
            with trio.move_on_after(1, shield=True):
                await websocket.aclose()
            nursery.cancel_scope.cancel()


class House:
    """A town with its WebSocket door open."""

    def __init__(self, town: Town, port: int, stop: Any) -> None:
        self.town = town
        self.port = port
        self.stop = stop

    def token(self, name: str) -> str:
        """An access token; the person is registered at the first time."""
        if name not in self._registered():
            self.town.register(name)
        return self.town.sign_in(name).access_token

    def _registered(self) -> set[str]:
        people = self.town.storage.fingerprint()["people"].values()
        return {person.username for person in people}

    def nameless(self, **how: Any):
        """A connection on which nobody has signed in."""
        return connected(self.port, **how)

    @asynccontextmanager
    async def client(self, name: str):
        """A connection of this person."""
        async with self.nameless() as client:
            await client.get("sign_in", token=self.token(name))
            yield client

    async def raw(self, sent: bytes = b"") -> trio.SocketStream:
        """A bare connection on which these bytes were sent."""
        stream = await trio.open_tcp_stream("127.0.0.1", self.port)
        if sent:
            await stream.send_all(sent)
        return stream

    async def raw_websocket(self, name: str | None = None) -> trio.SocketStream:
        """A bare connection after its handshake, signed in by its header."""
        lines = f"Authorization: Bearer {self.token(name)}\r\n" if name else ""
        stream = await self.raw(handshake(lines))
        head = b""
        while b"\r\n\r\n" not in head:
            head += await stream.receive_some(1)
        assert head.startswith(b"HTTP/1.1 101"), head
        return stream


@asynccontextmanager
async def opened(town: Town, settings: DoorSettings = QUICK, runner: Any = None):
    """A door that is open inside the `with`."""
    scope = trio.CancelScope()

    async def door(task_status):
        with scope:
            await serve(
                town.engine,
                runner or InlineRunner(town.engine),
                listeners=listen("127.0.0.1", 0),
                settings=settings,
                task_status=task_status,
            )

    async with trio.open_nursery() as nursery:
        ((_, port),) = await nursery.start(door)
        yield House(town, port, scope.cancel)
        scope.cancel()


def handshake(lines: str = "", path: str = "/v1/ws") -> bytes:
    """A good opening request, with these header lines more."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {'A' * 22}==\r\nSec-WebSocket-Version: 13\r\n{lines}\r\n"
    ).encode()


def masked(payload: bytes, opcode: int = 0x81, *, mask: bool = True) -> bytes:
    """One frame as a client sends it, or as it must not."""
    size = len(payload)
    bit = 0x80 if mask else 0
    if size < 126:
        head = bytes((opcode, bit | size))
    elif size < 1 << 16:
        head = bytes((opcode, bit | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((opcode, bit | 127)) + size.to_bytes(8, "big")
    if not mask:
        return head + payload
    key = b"mask"
    stream = (key * (size // 4 + 1))[:size]
    return head + key + bytes(a ^ b for a, b in zip(payload, stream, strict=True))


def frames_in(data: bytes) -> list[tuple[int, bytes]]:
    """First byte and payload of all whole frames that a server sent."""
    found, at = [], 0
    while len(data) >= at + 2:
        size, begins = data[at + 1], at + 2
        if size >= 126:
            width = 2 if size == 126 else 8
            size, begins = int.from_bytes(data[at + 2 : at + 2 + width], "big"), at + 2 + width
        if len(data) < begins + size:
            break
        found.append((data[at], data[begins : begins + size]))
        at = begins + size
    return found


async def everything(stream: trio.SocketStream, seconds: float = PATIENCE) -> bytes:
    """All that comes until the server hangs up."""
    data = b""
    with trio.fail_after(seconds):
        try:
            while more := await stream.receive_some():
                data += more
        except trio.BrokenResourceError:
            pass
    return data
