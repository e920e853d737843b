"""Answers every request at once in the same words; fans events out by a loop of writes."""

import argparse
import asyncio
import itertools
import json
import os
from base64 import b64encode
from collections import defaultdict
from collections.abc import Callable
from hashlib import sha1
from typing import cast

import uvloop

from tests.benchmarks.load.frames import frame

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
SPACE = b" " * 90
NUMBERS = itertools.count(1)
WATCHERS: dict[str, set[int]] = defaultdict(set)
SEQUENCE: dict[str, int] = defaultdict(int)


def tell(room: str) -> None:
    """Write one event to all who watch the room."""
    stream = f"room:{room}"
    if not WATCHERS.get(stream):
        return
    SEQUENCE[stream] += 1
    event = {
        "stream": stream,
        "seq": SEQUENCE[stream],
        "type": "timer.changed",
        "data": SPACE.decode(),
    }
    whole, write = frame(json.dumps(event).encode()), os.write
    for watcher in WATCHERS[stream]:
        write(watcher, whole)


class Bare(asyncio.Protocol):
    """One connection, of either kind."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._file: int = transport.get_extra_info("socket").fileno()
        self._held = b""
        self._receive: Callable[[bytes], None] = self._http

    def data_received(self, data: bytes) -> None:
        self._receive(data)

    def connection_lost(self, exc: Exception | None) -> None:
        for watchers in WATCHERS.values():
            watchers.discard(self._file)

    def _http(self, data: bytes) -> None:
        path = data.split(b" ", 2)[1].decode()
        if path == "/v1/ws":
            self._upgrade(data)
            return
        answer = json.dumps({"id": str(next(NUMBERS)), "access_token": "nobody's"}).encode()
        self._transport.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
            % len(answer)
            + answer
        )
        if "/timer/" in path:
            tell(path.split("/")[3])

    def _upgrade(self, data: bytes) -> None:
        key = data.split(b"Sec-WebSocket-Key: ", 1)[1].split(b"\r\n", 1)[0].decode()
        accept = b64encode(sha1((key + GUID).encode()).digest()).decode()
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: %s\r\n\r\n" % accept.encode()
        )
        self._receive = self._frames

    def _frames(self, data: bytes) -> None:
        data = self._held + data
        while len(data) > 1:
            size, head = data[1] & 0x7F, 6
            if size == 126:
                size, head = int.from_bytes(data[2:4], "big"), 8
            if len(data) < head + size:
                break
            if data[0] & 0xF == 1:
                self._answer(_unmasked(data[head - 4 : head], data[head : head + size]))
            data = data[head + size :]
        self._held = data

    def _answer(self, payload: bytes) -> None:
        asked = json.loads(payload)
        if asked["do"] == "subscribe":
            WATCHERS[asked["with"]["stream"]].add(self._file)
        self._transport.write(frame(json.dumps({"id": asked["id"], "ok": {}}).encode()))
        if "room_id" in asked["with"]:
            tell(asked["with"]["room_id"])


def _unmasked(mask: bytes, payload: bytes) -> bytes:
    size = len(payload)
    stream = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
    return (int.from_bytes(payload, "big") ^ stream).to_bytes(size, "big")


async def serve(port: int) -> None:
    """Listen for ever."""
    server = await asyncio.get_running_loop().create_server(Bare, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="bare")
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(serve(parser.parse_args().port))
