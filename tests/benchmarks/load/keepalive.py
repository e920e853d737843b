"""A raw HTTP/1.1 client: one request at a time, and no header read but the length."""

import asyncio
import re
from collections.abc import Callable
from typing import cast

Done = Callable[[int, bytes], None]
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)


def request(method: str, path: str, token: str | None = None, body: bytes = b"{}") -> bytes:
    """Give the bytes of a request with a JSON body."""
    head = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
    if token:
        head.append(f"Authorization: Bearer {token}")
    head.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode() + body


class KeepAlive(asyncio.Protocol):
    """Ask with `ask(request, done)`; `done(status, body)` is called when the whole answer is in."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._held = b""
        self._done: Done | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._done:
            done, self._done = self._done, None
            done(0, repr(exc).encode())

    @property
    def closed(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    def ask(self, asked: bytes, done: Done) -> None:
        if self._transport is None or self.closed:
            done(0, b"closed")
            return
        self._done = done
        self._transport.write(asked)

    def data_received(self, data: bytes) -> None:
        if self._held:
            data = self._held + data
        split = data.find(b"\r\n\r\n")
        if split < 0 or not self._whole(data, split):
            self._held = data
            return
        self._held = b""
        done, self._done = self._done, None
        if done:
            done(int(data[9:12]), data[split + 4 :])

    @staticmethod
    def _whole(data: bytes, split: int) -> bool:
        length = _LENGTH.search(data, 0, split)
        if length:
            return len(data) >= split + 4 + int(length[1])
        return not _CHUNKED.search(data, 0, split) or data.endswith(b"0\r\n\r\n")

    def close(self) -> None:
        if self._transport:
            self._done = None
            self._transport.close()


async def connect(port: int) -> KeepAlive:
    """Open one connection to a server on this machine."""
    _, client = await asyncio.get_running_loop().create_connection(KeepAlive, "127.0.0.1", port)
    return client
