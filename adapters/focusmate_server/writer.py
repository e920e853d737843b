"""The writer: executor, socket door and worker in the one process that writes to a database."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from datetime import timedelta

from focusmate_core.engine import Engine
from focusmate_core.ports.runner import Runner
from focusmate_server.aside import Aside
from focusmate_server.asyncio_client import AsyncioClient
from focusmate_server.asyncio_runner import AsyncioRunner
from focusmate_server.executor import Executor
from focusmate_server.frames import OtherStorage
from focusmate_server.parked import sentence
from focusmate_server.places import Places
from focusmate_server.settings import Settings
from focusmate_server.socket_door import Job, SocketDoor, open_socket
from focusmate_server.worker import (
    DUE,
    JOB_WITHIN_S,
    SUBSCRIBERS,
    SUBSCRIBERS_WITHIN_S,
    SWEEP,
    Worker,
    overdue,
)
from focusmate_server.writer_client import NoWriter, dial

OK, ENDED = "ok", "its thread ended"
FREE_WITHIN_S = 1.0
LATE_S = 5.0
"""A deadline overdue for longer means that the worker does not keep up."""


class Writer:
    """What runs beside the HTTP door where nobody else writes. Made on the loop it serves."""

    def __init__(self, engine: Engine, settings: Settings, places: Places) -> None:
        self._engine = engine
        self._places = places
        self._executor = Executor(
            engine, batch=settings.batch, waiting=settings.queue, preparers=settings.preparers
        )
        self._queue = settings.queue
        self.runner: Runner = AsyncioRunner(self._executor)
        # Subscribers write their places: here, where the one pen is, but not on the write lane.
        self._subscribers = Aside("focusmate-hearing", engine.run_subscribers, self._executor.ring)
        self._jobs: Mapping[str, Job] = {
            **jobs_of(self._executor, settings),
            SUBSCRIBERS: self._subscribers,
        }
        self._worker = Worker(engine, self._do)
        self._door: SocketDoor | None = None

    async def start(self) -> None:
        """Begin to write; `OtherStorage` if another database's writer listens on the socket."""
        await asyncio.to_thread(_check_free, self._places)
        await asyncio.to_thread(self._executor.start)
        self._executor.after_commit(self._worker.ring)
        self._door = await open_socket(
            self._places.socket, self._executor, self._jobs, self._places.storage
        )
        self._worker.start()

    async def stop(self, within: float) -> None:
        """Take no more, finish what was taken."""
        if self._door is not None:
            self._places.socket.unlink(missing_ok=True)
        await asyncio.to_thread(self._finish, time.monotonic() + within, within)
        if self._door is not None:
            self._door.close()

    def _finish(self, until: float, within: float) -> None:
        self._worker.stop(within / 4)
        self._executor.close(until - time.monotonic())
        self._subscribers.wait(until - time.monotonic())

    def _do(self, job: str) -> int:
        within = SUBSCRIBERS_WITHIN_S if job == SUBSCRIBERS else JOB_WITHIN_S
        return wait_for(self._jobs[job], within)

    async def parts(self) -> Mapping[str, str]:
        """What each part says of itself: `ok`, or what is wrong."""
        queued, alive = self._executor.queued, self._worker.is_alive
        full = f"{queued} commands wait, and there is room for {self._queue}"
        return {
            "executor": OK if self._executor.is_alive else ENDED,
            "queue": OK if queued < self._queue else full,
            "worker": await asyncio.to_thread(_in_time, self._engine) if alive else ENDED,
        }


class Follower:
    """What runs beside the HTTP door where another process writes."""

    def __init__(self, engine: Engine, places: Places) -> None:
        self._engine = engine
        self._client = AsyncioClient(places, engine.registry)
        self.runner: Runner = self._client

    async def start(self) -> None:
        """Find the writer; OSError if it is not there, `OtherStorage` if it is not this one's."""
        await self._client.connect()

    async def stop(self, within: float) -> None:
        """Hang up."""
        self._client.close()

    async def parts(self) -> Mapping[str, str]:
        """What each part says of itself: `ok`, or what is wrong."""
        with contextlib.suppress(OSError, OtherStorage):
            await self._client.connect()
        return {
            "writer": OK if self._client.is_connected else "no process carries out commands",
            "worker": await asyncio.to_thread(_in_time, self._engine),
        }


def _check_free(places: Places) -> None:
    # Whoever held our pen is gone; who listens here all the same writes to another database.
    with contextlib.suppress(NoWriter):
        dial(places, FREE_WITHIN_S).close()


def _in_time(engine: Engine) -> str:
    late = overdue(engine)
    if late >= LATE_S:
        return f"the next deadline has been due for {late:.0f} s"
    told = sentence(engine)
    return f"{OK}, but {told}" if told else OK


def jobs_of(executor: Executor, settings: Settings) -> Mapping[str, Job]:
    """The worker's jobs, done by the executor between two batches."""
    engine = executor.engine
    held = timedelta(days=settings.retention_days)

    def sweep(done: Callable[[int | Exception], None]) -> None:
        executor.run_job(lambda: engine.sweep(retention=held), done)

    return {DUE: executor.run_due, SWEEP: sweep}


def wait_for(job: Job, within: float) -> int:
    """Have a job done and wait; how many it did. Raises its fault."""
    told: list[int | Exception] = []
    come = threading.Event()

    def done(result: int | Exception) -> None:
        told.append(result)
        come.set()

    job(done)
    if not come.wait(within):
        raise TimeoutError(f"it was not done within {within:.0f} s")
    if isinstance(told[0], Exception):
        raise told[0]
    return told[0]
