"""The realtime role: the WebSocket door on trio, which sends its calls to the writer's process."""

from __future__ import annotations

import functools
import logging
import socket
import time
from collections.abc import Callable

import trio

from focusmate_core.engine import Engine
from focusmate_server import signals
from focusmate_server.places import Places, places_of
from focusmate_server.settings import Settings
from focusmate_server.trio_runner import GREETED_WITHIN_S, SocketRunner
from focusmate_server.wiring import open_engine
from focusmate_server.writer_client import NoWriter, dial
from focusmate_trio.door import serve

log = logging.getLogger(__name__)


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
    trio.run(_live, engine, SocketRunner(places, engine.registry), listening, announce)
    engine.storage.close()


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
    engine: Engine, runner: SocketRunner, listening: socket.socket, announce: Callable[[], None]
) -> None:
    with trio.open_signal_receiver(*signals.that_end()) as asked:
        async with trio.open_nursery() as lines:
            await lines.start(runner.live)
            async with trio.open_nursery() as doors:
                door = functools.partial(serve, engine, runner, listeners=[listening])
                await doors.start(door)
                announce()
                await anext(aiter(asked))
                doors.cancel_scope.cancel()
            lines.cancel_scope.cancel()
