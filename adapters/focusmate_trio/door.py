"""The door: accepts connections, keeps them alive, and lets them go when the process ends."""

import errno
import logging
import random
import socket
from collections.abc import Sequence

import trio

from focusmate_core.engine import Engine
from focusmate_core.ports.runner import Runner
from focusmate_core.refusals import Unavailable
from focusmate_trio import frames
from focusmate_trio.asyncapi import page
from focusmate_trio.connection import Connection
from focusmate_trio.hub import Hub, Watcher
from focusmate_trio.settings import DoorSettings
from focusmate_trio.stream import Wire
from focusmate_trio.tail import Tail
from focusmate_trio.vouching import LAG, Vouching
from focusmate_trio.watching import Shared

_LOG = logging.getLogger("focusmate.websocket")

WAITING = 4096
"""How many connections the kernel may hold until they are accepted."""
AT_ONCE = 64
"""How many are accepted, or pinged, before others have their turn."""
LOOKS_AT_ONCE = 5
"""How many tokens are looked at before others have their turn: each is read in the storage."""
FULL = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
TICK = 1.0


def listen(host: str, port: int) -> list[socket.socket]:
    """Sockets that listen on this address, for `serve`; port 0 takes one that is free."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return [
        socket.create_server(address[:2], family=family, backlog=WAITING)
        for family, _, _, _, address in dict.fromkeys(found)
    ]


async def serve(
    engine: Engine,
    runner: Runner,
    *,
    listeners: Sequence[socket.socket],
    settings: DoorSettings = DoorSettings(),  # noqa: B008  a frozen value
    task_status: trio.TaskStatus[list[tuple[str, int]]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve WebSockets until cancelled, then say goodbye to everybody, within a few seconds.

    `engine` is read from and authenticates, in this process; what changes something goes to
    `runner`. The listeners are taken over. Started with the addresses that are listened on.
    """
    hub = Hub(engine)
    threads = settings.reading_threads
    readers = trio.CapacityLimiter(threads) if threads else None
    tail = Tail(engine, hub, settings)
    vouching = Vouching(runner, settings)
    door = Door(
        Shared(engine, runner, settings, hub, vouching, page(engine.registry), tail.nudge, readers)
    )
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(tail.follow)
            for task in (door.keep, door.look_again, vouching.live):
                nursery.start_soon(task)
            for listener in listeners:
                listener.setblocking(False)  # noqa: FBT003
                nursery.start_soon(door.accept, listener, nursery)
            task_status.started([listener.getsockname()[:2] for listener in listeners])
            try:
                await trio.sleep_forever()
            finally:
                await door.let_go()
    finally:
        for listener in listeners:
            listener.close()
        await vouching.finish()


class Door:
    """All connections of one `serve`."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._settings = shared.settings
        self._connections: dict[Connection, None] = {}
        self._all_gone = trio.Event()

    # -- who comes --------------------------------------------------------------------------------

    async def accept(self, listener: socket.socket, nursery: trio.Nursery) -> None:
        """Take in whoever comes, for ever."""
        while True:
            await trio.lowlevel.wait_readable(listener)
            for _ in range(AT_ONCE):
                try:
                    sock, address = listener.accept()
                except BlockingIOError:
                    break
                except OSError as failed:
                    await self._wait_for_room(failed)
                    break
                nursery.start_soon(self._attend, sock, str(address[0]), nursery)

    async def _wait_for_room(self, failed: OSError) -> None:
        # Anything else is the fault of one peer, who has gone.
        if failed.errno in FULL:
            _LOG.warning("no more connections can be accepted: %s", failed)
            await trio.sleep(0.1)

    async def _attend(self, sock: socket.socket, address: str, nursery: trio.Nursery) -> None:
        with sock:
            sock.setblocking(False)  # noqa: FBT003
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._settings.send_buffer)
            wire = Wire(sock, backlog=self._settings.backlog, spawn=nursery.start_soon)
            connection = Connection(self._shared, wire, address)
            self._connections[connection] = None
            try:
                await connection.attend()
            finally:
                del self._connections[connection]
                if not self._connections:
                    self._all_gone.set()

    # -- who stays --------------------------------------------------------------------------------

    async def keep(self) -> None:
        """Ping everybody now and then, part with who is silent, look at who may no longer stay."""
        every = self._settings.pings_every.total_seconds()
        ping_at = trio.current_time() + every
        while True:
            await trio.sleep(min(TICK, every * LAG))
            pings = trio.current_time() >= ping_at
            if pings:
                ping_at += every
            for count, connection in enumerate(tuple(self._connections), 1):
                if connection.is_open:
                    self._look_at(connection, pings=pings)
                if count % AT_ONCE == 0:
                    await trio.lowlevel.checkpoint()

    def _look_at(self, connection: Connection, *, pings: bool) -> None:
        conversation, wire = connection.conversation, connection.conversation.wire
        silent = trio.current_time() - wire.heard_at
        if silent > self._settings.silent_after.total_seconds() and not conversation.is_busy:
            wire.drop()
            return
        conversation.look_at_expiry(self._shared.engine.clock.now())
        if pings:
            wire.push(frames.PING)

    async def look_again(self) -> None:
        """Look at every token once between two pings, since a key that is dropped tells nobody."""
        every = self._settings.pings_every.total_seconds()
        while True:
            began, everybody = trio.current_time(), self._shared.hub.people.everybody()
            for count, watcher in enumerate(everybody, 1):
                await self._look_again_at(watcher)
                if count % LOOKS_AT_ONCE == 0:
                    await trio.sleep_until(began + every * count / len(everybody))
            await trio.sleep_until(began + every)

    async def _look_again_at(self, watcher: Watcher) -> None:
        while True:
            try:
                self._shared.hub.people.look_at(watcher)
            except Unavailable:
                await trio.sleep(TICK)
            else:
                return

    # -- the end ----------------------------------------------------------------------------------

    async def let_go(self) -> None:
        """Say goodbye to everybody, let them read it for a while, then drop who is left."""
        for connection in tuple(self._connections):
            if connection.is_open:
                connection.conversation.close_when_answered(*self._farewell())
            else:
                connection.life.cancel()
        within = 2 * self._settings.closing_within.total_seconds()
        with trio.CancelScope(shield=True, deadline=trio.current_time() + within):
            if self._connections:
                self._all_gone = trio.Event()
                await self._all_gone.wait()
        for connection in tuple(self._connections):
            connection.life.cancel()

    def _farewell(self) -> tuple[int, str]:
        # Not all at once: whoever takes over has to let everybody in again.
        later = random.uniform(0, self._settings.retry_within.total_seconds())  # noqa: S311
        return frames.RESTARTING, f"retry_after={later:.1f}"
