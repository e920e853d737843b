"""The opening: what arrives first on a connection, and a plain answer to what is no WebSocket."""

import re

from focusmate_core import codec
from focusmate_trio.stream import Wire

PATH = "/v1/ws"
HEALTH = "/health/live"
DOCUMENT = "/asyncapi.json"
LONGEST_HEAD = 16 * 1024
UPGRADE_REQUIRED = 426

_REQUEST = re.compile(rb"([A-Z]+) (/[!-~]*) HTTP/1\.[01]\r?\n")
_UPGRADE = re.compile(rb"\r?\nupgrade:[ \t]*websocket[ \t]*\r?\n", re.IGNORECASE)
_END = re.compile(rb"\r?\n\r?\n")


class NoRequest(Exception):
    """What arrived is no HTTP request, or nothing arrived."""


class Opening:
    """The head of a request, as far as it decides where the connection goes."""

    def __init__(self, head: bytes) -> None:
        found = _REQUEST.match(head)
        if found is None or not head.isascii():
            raise NoRequest
        self.method = found[1].decode()
        self.path = found[2].decode().partition("?")[0]
        self.is_upgrade = _UPGRADE.search(head) is not None

    @property
    def is_ours(self) -> bool:
        """Whether trio-websocket is to have it."""
        return self.method == "GET" and self.path == PATH and self.is_upgrade

    def answer(self, document: bytes) -> bytes:
        """What a request that is not ours is answered; `document` says what one that is may say."""
        body = self.method != "HEAD"
        if self.method in {"GET", "HEAD"} and self.path in {HEALTH, DOCUMENT}:
            content = document if self.path == DOCUMENT else b'{"status":"ok"}'
            return plain_answer(200, "OK", content, body=body)
        if self.path == PATH:
            detail = "This is a WebSocket: ask for it with Upgrade: websocket."
            return problem(UPGRADE_REQUIRED, "Upgrade Required", detail, body=body)
        return problem(404, "Not Found", f"There is only {PATH} here.", body=body)


async def read_head(wire: Wire) -> bytes:
    """The head of a request; `NoRequest` as soon as it is clear that there will be none."""
    head = b""
    while True:
        data = await wire.receive_some()
        head += data
        if not data or not head[:1].isupper() or len(head) > LONGEST_HEAD:
            raise NoRequest
        if end := _END.search(head):
            # A client must wait for the answer before it sends a frame.
            if end.end() != len(head):
                raise NoRequest
            return head


def problem(status: int, title: str, detail: str, *, body: bool = True) -> bytes:
    """A problem document (RFC 9457) in an answer after which the connection ends."""
    code = "http." + title.lower().replace(" ", "_")
    told = {"type": f"/docs/problems#{code}", "title": title, "status": status, "detail": detail}
    content = codec.dumps({**told, "code": code}).encode()
    return plain_answer(status, title, content, "application/problem+json", body=body)


def plain_answer(
    status: int, title: str, content: bytes, kind: str = "application/json", *, body: bool = True
) -> bytes:
    """JSON in an HTTP answer after which the connection ends."""
    wants = "upgrade, close\r\nUpgrade: websocket" if status == UPGRADE_REQUIRED else "close"
    head = (
        f"HTTP/1.1 {status} {title}\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n"
        f"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: {wants}\r\n\r\n"
    )
    return head.encode() + (content if body else b"")
