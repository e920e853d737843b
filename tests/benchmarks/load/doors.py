"""The two doors as a load generator uses them: each answers an ask with a future."""

import asyncio
import itertools
import json
from collections import deque
from typing import Any, cast

from tests.benchmarks.load.frames import CLOSE, PING, PONG, TEXT, Scanner, handshake, masked
from tests.benchmarks.load.keepalive import KeepAlive, connect

SUCCESS = range(200, 300)
Answer = tuple[bool, str]


class HttpDoor:
    """A connection that takes one command after another, and is opened anew when closed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._client = KeepAlive()
        self._waiting: deque[tuple[bytes, asyncio.Future[Answer]]] = deque()
        self._busy = False

    def ask(self, asked: bytes) -> asyncio.Future[Answer]:
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, answered))
        if not self._busy:
            self._busy = True
            self._next(None)
        return answered

    def _next(self, opening: asyncio.Task[KeepAlive] | None) -> None:
        if opening:
            self._client = opening.result()
        elif self._client.closed:
            asyncio.ensure_future(connect(self._port)).add_done_callback(self._next)
            return
        asked, answered = self._waiting.popleft()
        self._client.ask(asked, lambda status, body: self._done(answered, status, body))

    def _done(self, answered: asyncio.Future[Answer], status: int, body: bytes) -> None:
        answered.set_result((status in SUCCESS, f"{status} {body[:200]!r}"))
        self._busy = bool(self._waiting)
        if self._busy:
            self._next(None)

    def close(self) -> None:
        self._client.close()


class WebSocketDoor(asyncio.Protocol):
    """A signed-in WebSocket whose answers are found by their id."""

    def __init__(self) -> None:
        self._scanner = Scanner()
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Answer]] = {}
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._head: bytes | None = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(handshake("/v1/ws"))

    def data_received(self, data: bytes) -> None:
        if self._head is not None:
            self._head += data
            head, found, data = self._head.partition(b"\r\n\r\n")
            if not found:
                return
            self._head = None
            if not head.startswith(b"HTTP/1.1 101"):
                self.opened.set_exception(RuntimeError(repr(head)))
                return
            self.opened.set_result(None)
        for opcode, payload in self._scanner.feed(data):
            self._heard(opcode, payload)

    def _heard(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            self._transport.write(masked(PONG, payload))
        elif opcode == CLOSE:
            self._fail(f"closed with {payload!r}")
        elif opcode == TEXT:
            answer = json.loads(payload)
            answered = self._asked.pop(answer.get("id"), None)
            if answered and not answered.done():
                answered.set_result(("error" not in answer, repr(answer)[:200]))

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(f"connection lost: {exc!r}")

    def _fail(self, why: str) -> None:
        for answered in self._asked.values():
            if not answered.done():
                answered.set_result((False, why))
        self._asked.clear()

    def ask(self, do: str, given: dict[str, Any]) -> asyncio.Future[Answer]:
        number = next(self._numbers)
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._asked[number] = answered
        self._transport.write(
            masked(TEXT, json.dumps({"id": number, "do": do, "with": given}).encode())
        )
        return answered

    def close(self) -> None:
        self._transport.close()


async def websocket(port: int, token: str) -> WebSocketDoor:
    """Open one and sign in by its first frame."""
    _, door = await asyncio.get_running_loop().create_connection(WebSocketDoor, "127.0.0.1", port)
    await door.opened
    good, said = await door.ask("sign_in", {"token": token})
    if not good:
        raise RuntimeError(said)
    return door
