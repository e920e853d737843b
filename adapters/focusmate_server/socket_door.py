"""The socket door: how the other processes of this machine send their messages to the executor."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from focusmate_core.calls import Outcome
from focusmate_server.executor import Executor
from focusmate_server.frames import (
    Broken,
    OtherStorage,
    Unpacker,
    call_of,
    check_greeting,
    fault_frame,
    greeting_frame,
    outcome_frame,
    pack,
)

Job = Callable[[Callable[[int | Exception], None]], None]
"""Something of the worker's, done where the executor is; tells how many it did, or the fault."""
log = logging.getLogger(__name__)


class Visitor(asyncio.Protocol):
    """One process at the other end, trusted: the socket's file belongs to this user alone."""

    def __init__(
        self, executor: Executor, jobs: Mapping[str, Job], storage: str, visitors: set[Visitor]
    ) -> None:
        self._executor = executor
        self._jobs = jobs
        self._storage = storage
        self._visitors = visitors
        self._is_greeted = False
        self._unpacker = Unpacker()
        self._transport: asyncio.Transport | None = None
        self._answers: list[bytes] = []
        self._loop = asyncio.get_running_loop()
        self._wake = self._loop.call_soon_threadsafe

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to listen to it."""
        # uvloop's transports are none of asyncio's classes.
        self._transport = cast("asyncio.Transport", transport)
        self._visitors.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """It went; what it asked for is done all the same."""
        self._transport = None
        self._visitors.discard(self)

    def hang_up(self) -> None:
        """End the connection, after what was answered is sent."""
        if self._transport is not None:
            self._flush()
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Submit the calls that are complete, once it was said what they are for."""
        try:
            for frame in self._unpacker.feed(data):
                if self._is_greeted:
                    self._take(frame)
                else:
                    self._greet(frame)
        except OtherStorage as other:
            log.warning("a process that means %s was sent away", other.theirs)
            self.hang_up()
        except Broken:
            log.warning("a process on the local socket speaks another language; hung up")
            if self._transport is not None:
                self._transport.abort()

    def _greet(self, frame: dict[str, Any]) -> None:
        # It is told what is written to here before it is judged, so that it can tell its user.
        self._answer(greeting_frame(self._storage))
        check_greeting(frame, self._storage)
        self._is_greeted = True

    def _take(self, frame: dict[str, Any]) -> None:
        number = frame["n"]
        if "job" in frame:
            self._take_job(number, frame["job"])
            return
        try:
            call = call_of(frame, self._executor.engine.registry)
        except Exception as failed:  # noqa: BLE001  it is the call's outcome
            self._answer(_framed(number, Outcome.of(failed)))
            return
        self._executor.submit(
            call, lambda outcome: self._answer(_framed(number, outcome)), self._wake
        )

    def _take_job(self, number: int, name: str) -> None:
        job = self._jobs.get(name)
        if job is None:
            self._answer(_faulty(number, LookupError(f"there is no job {name!r}")))
            return

        def done(result: int | Exception) -> None:
            try:
                self._wake(self._answer, _counted(number, result))
            except RuntimeError:
                log.info("the loop ended before «%s» did", name)

        job(done)

    def _answer(self, frame: bytes) -> None:
        if not self._answers:
            # All answers of one wake-up leave in one write.
            self._loop.call_soon(self._flush)
        self._answers.append(frame)

    def _flush(self) -> None:
        frames, self._answers = self._answers, []
        if frames and self._transport is not None:
            self._transport.write(b"".join(frames))


def _framed(number: int, outcome: Outcome[Any]) -> bytes:
    if outcome.fault is not None:
        return _faulty(number, outcome.fault)
    try:
        return outcome_frame(number, outcome)
    except Exception as fault:  # noqa: BLE001  it is logged, and told to the one who waits
        return _faulty(number, fault)


def _counted(number: int, result: int | Exception) -> bytes:
    if isinstance(result, Exception):
        return _faulty(number, result)
    return pack({"n": number, "ok": result})


def _faulty(number: int, fault: Exception) -> bytes:
    error_id = secrets.token_hex(8)
    log.error("what came over the socket failed, error id %s", error_id, exc_info=fault)
    return fault_frame(number, fault, error_id)


def _bind(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o177)
    try:
        listening.bind(str(path))
    finally:
        os.umask(mask)
    return listening


class SocketDoor:
    """The socket that is listened on, and who came."""

    def __init__(self, server: asyncio.AbstractServer, visitors: set[Visitor]) -> None:
        self._server = server
        self._visitors = visitors

    def close(self) -> None:
        """Take nobody more, and hang up on who is there."""
        self._server.close()
        for visitor in tuple(self._visitors):
            visitor.hang_up()


async def open_socket(
    path: Path, executor: Executor, jobs: Mapping[str, Job], storage: str
) -> SocketDoor:
    """Listen at this path, for this user alone, and for who means this storage.

    The caller holds the writer's lock, so what stands there was left by a process that is gone.
    """
    visitors: set[Visitor] = set()
    loop = asyncio.get_running_loop()
    server = await loop.create_unix_server(
        lambda: Visitor(executor, jobs, storage, visitors), sock=_bind(path)
    )
    return SocketDoor(server, visitors)
