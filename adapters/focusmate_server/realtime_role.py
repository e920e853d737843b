"""The realtime role: the WebSocket door on trio, which sends its calls to the writer's process."""

from __future__ import annotations

import functools
import logging
import socket
import time
from collections.abc import Awaitable, Callable

import trio

from focusmate_server import signals
from focusmate_server.places import Places, places_of
from focusmate_server.proxies import address_of
from focusmate_server.settings import Settings
from focusmate_server.trio_runner import GREETED_WITHIN_S, SocketRunner
from focusmate_server.wiring import open_engine
from focusmate_server.writer_client import NoWriter, dial
from focusmate_trio import DoorSettings, serve

log = logging.getLogger(__name__)

RENEWALS_A_LEASE = 3


def serve_realtime(
    settings: Settings,
    listening: socket.socket,
    announce: Callable[[], None],
    *,
    writer_within: float = 0.0,
) -> None:
    """Serve until SIGTERM or SIGINT; `NoWriter` if no process writes after so many seconds.

    `announce` is called when WebSockets are answered.
    """
    places = places_of(settings)
    _find_writer(places, writer_within)
    engine = open_engine(settings, hashes=False)
    runner = SocketRunner(places, engine.registry)
    door = functools.partial(
        serve, engine, runner, listeners=[listening], settings=door_settings(settings)
    )
    trio.run(_live, runner, door, announce)
    engine.storage.close()


def door_settings(settings: Settings) -> DoorSettings:
    """The door's own: under a lease it renews whoever is connected, and can miss a turn."""
    lease = settings.lease
    return DoorSettings(
        renew_every=lease and lease / RENEWALS_A_LEASE, address_of=address_of(settings)
    )


def _find_writer(places: Places, within: float) -> None:
    until = time.monotonic() + within
    while True:
        try:
            return dial(places, GREETED_WITHIN_S).close()
        except NoWriter:
            if time.monotonic() >= until:
                raise
        time.sleep(0.02)


async def _live(
    runner: SocketRunner, door: Callable[..., Awaitable[object]], announce: Callable[[], None]
) -> None:
    with trio.open_signal_receiver(*signals.that_end()) as asked:
        async with trio.open_nursery() as lines:
            await lines.start(runner.live)
            async with trio.open_nursery() as doors:
                await doors.start(door)
                announce()
                await anext(aiter(asked))
                doors.cancel_scope.cancel()
            lines.cancel_scope.cancel()
