"""The runner for an asyncio loop that is not the executor's: calls go over the local socket."""

from __future__ import annotations

import asyncio
import itertools
import logging
from pathlib import Path
from typing import Any, TypeVar, cast

from focusmate_core.calls import Call, Outcome
from focusmate_core.refusals import AnswerLost, Unavailable
from focusmate_core.registry import Registry
from focusmate_server.frames import Broken, Unpacker, call_frame, outcome_of

R = TypeVar("R")
log = logging.getLogger(__name__)


class AsyncioClient(asyncio.Protocol):
    """`Runner` over one connection; made again, at the next call, when it was lost."""

    def __init__(self, path: Path, registry: Registry) -> None:
        self._path = path
        self._registry = registry
        self._numbers = itertools.count(1)
        self._unpacker = Unpacker()
        self._waiting: dict[int, tuple[asyncio.Future[Outcome[Any]], Any]] = {}
        self._transport: asyncio.Transport | None = None
        self._connecting: asyncio.Task[None] | None = None

    async def run(self, call: Call[R]) -> Outcome[R]:
        """What became of the call; `Unavailable` while nobody carries out commands."""
        try:
            await self.connect()
        except OSError:
            return Outcome(refusal=Unavailable(retry_after=1))
        if self._transport is None:
            return Outcome(refusal=Unavailable(retry_after=1))
        number = next(self._numbers)
        future: asyncio.Future[Outcome[R]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = (future, call.message.spec.answers)
        self._transport.write(call_frame(number, call))
        try:
            return await future
        finally:
            self._waiting.pop(number, None)

    async def connect(self) -> None:
        """Connect, if it is not; OSError if nobody listens there."""
        if self._transport is not None:
            return
        if self._connecting is None:
            self._connecting = asyncio.ensure_future(self._connect())
            self._connecting.add_done_callback(self._connected)
        await asyncio.shield(self._connecting)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_unix_connection(lambda: self, str(self._path))

    def _connected(self, task: asyncio.Task[None]) -> None:
        self._connecting = None
        if not task.cancelled() and task.exception() is not None:
            log.debug("no writer answers: %s", task.exception())

    @property
    def is_connected(self) -> bool:
        """Whether the writer is there, as far as is known."""
        return self._transport is not None

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin anew."""
        # uvloop's transports are none of asyncio's classes.
        self._transport = cast("asyncio.Transport", transport)
        self._unpacker = Unpacker()

    def data_received(self, data: bytes) -> None:
        """Tell each caller what became of its call."""
        try:
            for frame in self._unpacker.feed(data):
                future, answers = self._waiting.get(frame["n"], (None, None))
                if future is not None and not future.done():
                    future.set_result(outcome_of(frame, answers, self._registry))
        except Broken:
            log.warning("the executor's process speaks another language; hung up")
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody knows what became of the calls that were on their way."""
        self._transport = None
        for future, _ in self._waiting.values():
            if not future.done():
                future.set_result(Outcome(refusal=AnswerLost()))
