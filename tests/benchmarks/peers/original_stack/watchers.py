"""Who watches which stream, and the loop that tells them."""

import asyncio
from collections import defaultdict
from contextlib import suppress

from fastapi import WebSocket, WebSocketDisconnect


class Watchers:
    """An event is encoded once, queued after its commit, and sent to each watcher in turn."""

    def __init__(self) -> None:
        self._of: dict[str, set[WebSocket]] = defaultdict(set)
        self._waiting: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    def add(self, stream: str, socket: WebSocket) -> None:
        self._of[stream].add(socket)

    def drop(self, socket: WebSocket) -> None:
        for sockets in self._of.values():
            sockets.discard(socket)

    def tell(self, stream: str, text: str) -> None:
        if self._of.get(stream):
            self._waiting.put_nowait((stream, text))

    async def broadcast(self) -> None:
        """Run for ever."""
        while True:
            stream, text = await self._waiting.get()
            for socket in list(self._of[stream]):
                with suppress(WebSocketDisconnect, RuntimeError):
                    await socket.send_text(text)
