"""A thousand watchers of one stream in one process, counting frames at the speed of a dict."""

import json
import select
import socket
import sys
import time
from typing import Any

from tests.benchmarks.load.frames import (
    CLOSE,
    PING,
    PONG,
    TEXT,
    Scanner,
    frame,
    handshake,
    masked,
    size_of,
)
from tests.benchmarks.load.plans import Share, read_plan, say

SINGLE = 0x80 | TEXT
HELLO_S = 30


class Watcher:
    """One connection, signed in and subscribed."""

    def __init__(self, port: int, token: str, stream: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), HELLO_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.scanner = Scanner()
        self._open()
        self._say(1, "sign_in", {"token": token})
        self._say(2, "subscribe", {"stream": stream})
        self.socket.settimeout(0)

    def _open(self) -> None:
        self.socket.sendall(handshake("/v1/ws"))
        head = b""
        while b"\r\n\r\n" not in head:
            head += self._more()
        if not head.startswith(b"HTTP/1.1 101"):
            raise RuntimeError(f"no WebSocket: {head!r}")
        self.scanner.held = head.split(b"\r\n\r\n", 1)[1]

    def _more(self) -> bytes:
        data = self.socket.recv(1 << 16)
        if not data:
            raise RuntimeError("closed while opening")
        return data

    def _say(self, number: int, do: str, given: dict[str, str]) -> None:
        self.socket.sendall(
            masked(TEXT, json.dumps({"id": number, "do": do, "with": given}).encode())
        )
        while True:
            for opcode, payload in self.scanner.feed(self._more()):
                if opcode == CLOSE:
                    raise RuntimeError(f"{do}: closed with {payload!r}")
                answer = json.loads(payload) if opcode == TEXT else {}
                if answer.get("id") == number:
                    if "error" in answer:
                        raise RuntimeError(f"{do}: {answer}")
                    return


class Crowd:
    """Counts each distinct frame and notes when its last watcher had it."""

    def __init__(self, watchers: list[Watcher]) -> None:
        self._watchers = {watcher.socket.fileno(): watcher for watcher in watchers}
        self._size = len(watchers)
        self._seen: dict[bytes, int] = {}
        self._partial: set[int] = set()
        self.last_ns: dict[bytes, int] = {}
        self.lost = 0
        self._poll = select.epoll()
        for number in self._watchers:
            self._poll.register(number, select.EPOLLIN)
        self._poll.register(sys.stdin.fileno(), select.EPOLLIN)

    def watch(self) -> None:
        """Read until a line comes on the standard input."""
        receive = {number: watcher.socket.recv for number, watcher in self._watchers.items()}
        seen, size, partial = self._seen, self._size, self._partial
        while True:
            for number, _ in self._poll.poll():
                if number not in receive:
                    return
                data = receive[number](1 << 16)
                if data in seen and number not in partial:
                    seen[data] += 1
                    if seen[data] == size:
                        self.last_ns[data] = time.monotonic_ns()
                else:
                    self._first(number, data)

    def _first(self, number: int, data: bytes) -> None:
        if not data:
            self.lost += 1
            self._poll.unregister(number)
            return
        whole = size_of(data)
        if number not in self._partial and data[0] == SINGLE and whole and whole[1] == len(data):
            self._count(data)
            return
        self._slowly(number, data)

    def _slowly(self, number: int, data: bytes) -> None:
        watcher = self._watchers[number]
        for opcode, payload in watcher.scanner.feed(data):
            if opcode == TEXT:
                self._count(frame(payload))
            elif opcode == PING:
                watcher.socket.send(masked(PONG, payload))
        (self._partial.add if watcher.scanner.held else self._partial.discard)(number)

    def _count(self, whole: bytes) -> None:
        self._seen[whole] = self._seen.get(whole, 0) + 1
        if self._seen[whole] == self._size:
            self.last_ns[whole] = time.monotonic_ns()

    def report(self) -> dict[str, Any]:
        """Give, in the stream's order, each event's type and when the last watcher had it."""
        events = []
        for whole, count in self._seen.items():
            begins, ends = size_of(whole) or (0, 0)
            event = json.loads(whole[begins:ends])
            events.append([event["seq"], event["type"], count, self.last_ns.get(whole)])
        return {"events": sorted(events), "lost": self.lost, "watchers": self._size}


def main() -> None:
    """Follow the plan {port, stream, tokens, watchers}."""
    plan = read_plan()
    tokens = plan["tokens"]
    watchers = [
        Watcher(plan["port"], tokens[turn % len(tokens)], plan["stream"])
        for turn in range(plan["watchers"])
    ]
    crowd = Crowd(watchers)
    say(ready=True)
    share = Share()
    crowd.watch()
    say(**crowd.report(), generator_cpu=share.now())


if __name__ == "__main__":
    main()
