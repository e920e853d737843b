"""The HTTP role: Falcon under uvicorn, and the writer, unless another process is it already."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import uvicorn
import uvloop

from focusmate_core.calls import Call, Outcome
from focusmate_core.engine import Engine
from focusmate_core.ports.runner import Runner
from focusmate_core.refusals import Unavailable
from focusmate_falcon.app import create_app
from focusmate_falcon.settings import DoorSettings
from focusmate_limits import WindowLimits
from focusmate_server import signals
from focusmate_server.places import Pen, places_of
from focusmate_server.proxies import address_of
from focusmate_server.settings import CannotStart, Settings
from focusmate_server.wiring import open_engine
from focusmate_server.writer import OK, Follower, Writer
from focusmate_server.writer_client import NoWriter
from focusmate_trio.asyncapi import page
from focusmate_trio.opening import DOCUMENT

R = TypeVar("R")
log = logging.getLogger(__name__)

REQUESTS_WITHIN_S = 3
"""How long requests that were taken have to be answered once the end is asked for."""
REST_WITHIN_S = 2.0
WRITER_WITHIN_S = 5.0
"""How long to look for a process that holds the pen and does not answer."""


def serve_http(settings: Settings, listening: socket.socket, announce: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT; `announce` is called when requests are answered."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        loop.run(HttpRole(settings).live(listening, announce))


class Server(uvicorn.Server):
    """uvicorn without its signal handlers, which would end the process before the writer has."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer, and say so."""
        await super().startup(sockets)
        self._announce()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the role."""
        yield


class HttpRole:
    """The `Runner` of its own door: calls go to the writer here, or to the one there is."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._places = places_of(settings)
        self._pen = Pen(self._places.lock)
        self._engine: Engine
        self._behind: Writer | Follower
        self._runner: Runner
        self._heir: asyncio.Task[None] | None = None
        self._server: Server

    async def run(self, call: Call[R]) -> Outcome[R]:
        """What became of the call."""
        return await self._runner.run(call)

    async def live(self, listening: socket.socket, announce: Callable[[], None]) -> None:
        """Serve until a signal comes."""
        self._engine = open_engine(self._settings)
        app = create_app(
            self._engine,
            self,
            settings=door_settings(self._settings),
            ready=self._ready,
            limits=WindowLimits(),
            pages={DOCUMENT: (page(self._engine.registry), "application/json")},
        )
        self._server = Server(_config(app), announce)
        await self._begin()
        for number in signals.that_end():
            asyncio.get_running_loop().add_signal_handler(number, self._end)
        await self._server.serve(sockets=[listening])
        await self._close()

    def _end(self) -> None:
        self._server.should_exit = True

    async def _close(self) -> None:
        failed = None
        if self._heir is not None:
            self._heir.cancel()
            (failed,) = await asyncio.gather(self._heir, return_exceptions=True)
        await self._behind.stop(REST_WITHIN_S)
        self._engine.storage.close()
        if isinstance(failed, Exception):
            raise CannotStart("this process could not go on writing; the log says why")

    async def _begin(self) -> None:
        until = time.monotonic() + WRITER_WITHIN_S
        while not self._pen.take():
            try:
                return await self._follow()
            except OSError as nobody:
                # It is starting, or about to end: then the pen is ours.
                if time.monotonic() > until:
                    raise NoWriter(self._places.socket) from nobody
                await asyncio.sleep(0.1)
        return await self._write()

    async def _write(self) -> None:
        self._behind = Writer(self._engine, self._settings, self._places)
        await self._behind.start()
        self._runner = self._behind.runner
        log.info("this process writes to %s", self._settings.storage)

    async def _follow(self) -> None:
        self._behind = Follower(self._engine, self._places)
        await self._behind.start()
        self._runner = self._behind.runner
        log.info("another process writes to %s; this one sends to it", self._settings.storage)
        self._heir = asyncio.create_task(self._inherit())
        self._heir.add_done_callback(self._inherited)

    def _inherited(self, heir: asyncio.Task[None]) -> None:
        """End if it failed: the pen is held here, and another process may be luckier with it."""
        fault = None if heir.cancelled() else heir.exception()
        if fault is not None:
            log.error("this process could not go on writing, and ends", exc_info=fault)
            self._end()

    async def _inherit(self) -> None:
        """When who wrote has ended, go on writing."""
        free = asyncio.get_running_loop().create_future()
        wait = threading.Thread(target=self._wait_for_pen, args=(free,), daemon=True)
        wait.start()
        await free
        former = self._behind
        await self._write()
        await former.stop(0)

    def _wait_for_pen(self, free: asyncio.Future[None]) -> None:
        fault = None
        try:
            self._pen.wait()
        except OSError as wrong:
            fault = wrong
        with contextlib.suppress(RuntimeError):  # this process ends, too
            free.get_loop().call_soon_threadsafe(_settle, free, fault)

    async def _ready(self) -> Mapping[str, str]:
        try:
            parts = await self._behind.parts()
        except Unavailable as away:
            return {"storage": away.detail}
        return {"storage": OK, **parts}


def door_settings(settings: Settings) -> DoorSettings:
    """The door's own."""
    return DoorSettings(
        origins=settings.cors_origins,
        reads=settings.limit_reads,
        writes=settings.limit_writes,
        sign_ins=settings.limit_sign_ins,
        renewals=settings.limit_renewals,
        requests=settings.limit_requests,
        address_of=address_of(settings),
    )


def _config(app: object) -> uvicorn.Config:
    return uvicorn.Config(
        app,  # type: ignore[arg-type]  # uvicorn's own type for an ASGI app
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=REQUESTS_WITHIN_S,
    )


def _settle(free: asyncio.Future[None], fault: Exception | None) -> None:
    if free.done():
        return
    if fault is None:
        free.set_result(None)
    else:
        free.set_exception(fault)
