"""The stream under each connection: whole frames of both sides in order, and a bounded backlog."""

import socket
from collections import deque
from collections.abc import Awaitable, Callable

import trio

from focusmate_trio.frames import TOO_SLOW, close_frame

CHUNK = 64 * 1024
CLOSES = 0x88
PONG = b"\x8a"
Spawn = Callable[[Callable[[], Awaitable[None]]], None]


def nothing() -> None:
    """Where nobody wants to know."""


class Wire(trio.abc.Stream):
    """A socket to which trio-websocket and the fan-out write whole frames.

    `push` never waits: it sends at once what the socket takes and keeps the rest. Of shared frames
    it keeps `backlog` bytes, beyond it the peer is told 4408 and no more. After a close frame
    whatever else is written is dropped.
    """

    def __init__(self, sock: socket.socket, *, backlog: int, spawn: Spawn) -> None:
        self._socket = sock
        self._send = sock.send
        self._spawn = spawn
        self._backlog: deque[bytes] = deque()
        self._waiting = 0
        self._limit = self._allowed = backlog
        self._is_writing = False
        self._moved = trio.lowlevel.ParkingLot()
        self._unread = b""
        self.is_shut = False
        """A close frame is among what was written: nothing may follow it."""
        self.is_gone = False
        self.is_ended = False
        """Nothing more will be received."""
        self.heard_at = trio.current_time()
        self.on_end = nothing
        """Called when the peer ended what it sends, or trio-websocket wants no more of it."""
        self.on_slow = nothing
        """Called when the backlog was full."""
        self.on_pong = nothing
        """Called before a ping of the peer is answered."""

    # -- what the fan-out and the connection write ------------------------------------------------

    def push(self, frame: bytes) -> None:
        """Send whole frames now or as soon as the socket takes them."""
        if self._backlog or self.is_shut:
            self._keep_shared(frame)
            return
        try:
            sent = self._send(frame)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.drop()
            return
        if sent != len(frame):
            self._keep(frame[sent:] if sent else frame)

    def answer(self, frame: bytes) -> None:
        """Send what was asked for: however long it is, it does not count as slowness."""
        if not self.is_shut:
            self._allowed += len(frame)
            self.push(frame)
            if not self._backlog:
                self._allowed = self._limit

    def finish(self, closing: bytes) -> None:
        """Send a close frame after what waits, and nothing after it."""
        if not self.is_shut:
            self._allowed += len(closing)
            self.push(closing)
            self.is_shut = True

    def drop(self) -> None:
        """Close the socket now; what waits is lost."""
        if self.is_gone:
            return
        self.is_gone = self.is_shut = True
        self._backlog.clear()
        self._waiting = 0
        trio.lowlevel.notify_closing(self._socket)
        self._socket.close()
        self._moved.unpark_all()
        self._end()

    def _keep_shared(self, frame: bytes) -> None:
        if self.is_shut:
            return
        if self._waiting + len(frame) > self._allowed:
            self._give_up()
        else:
            self._keep(frame)

    def _keep(self, frame: bytes) -> None:
        self._backlog.append(frame)
        self._waiting += len(frame)
        if not self._is_writing:
            self._is_writing = True
            self._spawn(self._write)

    def _give_up(self) -> None:
        # The first one may be cut: its rest must go out before a frame can be read again.
        first = self._backlog.popleft()
        self._backlog.clear()
        self._waiting = 0
        self.is_shut = True
        self._keep(first)
        self._keep(close_frame(TOO_SLOW, "too slow: reconnect and resume by sequence number"))
        self.on_slow()

    async def _write(self) -> None:
        # Whoever opened the wire drops it in the end, and that ends this, too.
        with trio.CancelScope(shield=True):
            try:
                while self._backlog:
                    await trio.lowlevel.wait_writable(self._socket)
                    self._write_some()
            except trio.ClosedResourceError:
                self.drop()
        self._is_writing = False
        self._allowed = self._limit

    def _write_some(self) -> None:
        pieces = [self._backlog.popleft()]
        size = len(pieces[0])
        while self._backlog and size + len(self._backlog[0]) <= CHUNK:
            size += len(self._backlog[0])
            pieces.append(self._backlog.popleft())
        chunk = b"".join(pieces)
        try:
            sent = self._send(chunk)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.drop()
            return
        self._waiting -= sent
        if sent != size:
            self._backlog.appendleft(chunk[sent:])
        self._moved.unpark_all()

    async def wait_room(self, most: int = CHUNK) -> None:
        """Wait until at most so many bytes wait to be sent, or the socket is gone."""
        while self._waiting > most:
            await self._moved.park()

    # -- what trio-websocket does -----------------------------------------------------------------

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint()
        if self.is_gone:
            raise trio.ClosedResourceError
        if data[:1] == PONG:
            self.on_pong()
        self.answer(bytes(data))
        self.is_shut = self.is_shut or data[:1] == bytes((CLOSES,))
        await self.wait_room()

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()
        await self.wait_room()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        if self._unread:
            data, self._unread = self._unread, b""
            return data
        data = await self._receive(max_bytes or CHUNK)
        self.heard_at = trio.current_time()
        if not data:
            self._end()
        return data

    async def _receive(self, most: int) -> bytes:
        while not self.is_gone:
            try:
                return self._socket.recv(most)
            except BlockingIOError:
                await trio.lowlevel.wait_readable(self._socket)
            except OSError as broken:
                if isinstance(broken, ConnectionResetError):
                    # The peer, or its machine, said so; of one that fell silent nothing is known.
                    self.heard_at = trio.current_time()
                self.drop()
                raise trio.BrokenResourceError from broken
        raise trio.ClosedResourceError

    def unread(self, data: bytes) -> None:
        """Let what was received be received once more."""
        self._unread = data + self._unread

    async def aclose(self) -> None:
        """Say that trio-websocket is done; whoever opened the wire lets it linger and drops it."""
        self._end()
        await trio.lowlevel.checkpoint()

    def _end(self) -> None:
        if not self.is_ended:
            self.is_ended = True
            self.on_end()

    # -- the end ----------------------------------------------------------------------------------

    async def linger(self) -> None:
        """Let what was written arrive: dropped at once, it could be lost with what was not read."""
        if self.is_gone:
            return
        await self.wait_room(0)
        try:
            self._socket.shutdown(socket.SHUT_WR)
            while await self.receive_some():
                pass
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            return
