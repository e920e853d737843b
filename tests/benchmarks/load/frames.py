"""What a client on one machine needs of RFC 6455: handshake, masked frames, a scanner."""

import os
from base64 import b64encode
from collections.abc import Iterator

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
_SHORT, _MEDIUM = 126, 127


def handshake(path: str) -> bytes:
    """Give the opening request."""
    key = b64encode(os.urandom(16)).decode()
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


def masked(opcode: int, payload: bytes) -> bytes:
    """Give one whole frame as a client must send it."""
    size = len(payload)
    if size < _SHORT:
        head = bytes((0x80 | opcode, 0x80 | size))
    elif size < 1 << 16:
        head = bytes((0x80 | opcode, 0x80 | _SHORT)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, 0x80 | _MEDIUM)) + size.to_bytes(8, "big")
    mask = os.urandom(4)
    stream = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
    return head + mask + (int.from_bytes(payload, "big") ^ stream).to_bytes(size, "big")


def frame(payload: bytes) -> bytes:
    """Give one whole text frame as a server sends it."""
    size = len(payload)
    if size < _SHORT:
        return bytes((0x80 | TEXT, size)) + payload
    if size < 1 << 16:
        return bytes((0x80 | TEXT, _SHORT)) + size.to_bytes(2, "big") + payload
    return bytes((0x80 | TEXT, _MEDIUM)) + size.to_bytes(8, "big") + payload


def size_of(data: bytes, at: int = 0) -> tuple[int, int] | None:
    """Give where the unmasked frame's payload begins and ends, or None when its head is cut."""
    if len(data) < at + 2:
        return None
    size = data[at + 1]
    if size < _SHORT:
        return at + 2, at + 2 + size
    width = 2 if size == _SHORT else 8
    if len(data) < at + 2 + width:
        return None
    begins = at + 2 + width
    return begins, begins + int.from_bytes(data[at + 2 : begins], "big")


class Scanner:
    """Cuts what arrives into whole frames and keeps the rest."""

    def __init__(self) -> None:
        self.held = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield (opcode, the frame's bytes without its head) for every frame now whole."""
        data = self.held + data
        at = 0
        while (found := size_of(data, at)) and found[1] <= len(data):
            begins, ends = found
            yield data[at] & 0xF, data[begins:ends]
            at = ends
        self.held = data[at:]
