"""The runner for an asyncio loop that is not the executor's: calls go over the local socket."""

from __future__ import annotations

import asyncio
import itertools
import logging
from typing import Any, TypeVar

from focusmate_core.calls import Call, Outcome
from focusmate_core.refusals import AnswerLost, Unavailable
from focusmate_core.registry import Registry
from focusmate_server.frames import (
    GREETING,
    Broken,
    OtherStorage,
    Unpacker,
    call_frame,
    check_greeting,
    greeting_frame,
    outcome_of,
)
from focusmate_server.places import Places

R = TypeVar("R")
log = logging.getLogger(__name__)

ANSWER_WITHIN_S = 30.0
"""After this it is not known what became of a call."""
GREETED_WITHIN_S = 5.0


class AsyncioClient(asyncio.Protocol):
    """`Runner` over one connection; made again, at the next call, when it was lost."""

    def __init__(self, places: Places, registry: Registry) -> None:
        self._places = places
        self._registry = registry
        self._numbers = itertools.count(1)
        self._unpacker = Unpacker()
        self._waiting: dict[int, tuple[asyncio.Future[Outcome[Any]], Any]] = {}
        self._transport: asyncio.Transport | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._greeting: asyncio.Future[dict[str, Any]]

    async def run(self, call: Call[R]) -> Outcome[R]:
        """What became of the call; `Unavailable` while nobody carries out commands."""
        try:
            await self.connect()
        except (OSError, OtherStorage):
            return Outcome(refusal=Unavailable(retry_after=1))
        if self._transport is None:
            return Outcome(refusal=Unavailable(retry_after=1))
        number = next(self._numbers)
        future: asyncio.Future[Outcome[R]] = asyncio.get_running_loop().create_future()
        self._transport.write(call_frame(number, call))
        self._waiting[number] = (future, call.message.spec.answers)
        try:
            return await asyncio.wait_for(future, ANSWER_WITHIN_S)
        except TimeoutError:
            return Outcome(refusal=AnswerLost())
        finally:
            self._waiting.pop(number, None)

    async def connect(self) -> None:
        """Connect, if it is not; OSError if nobody answers there, `OtherStorage`."""
        if self._transport is not None:
            return
        if self._connecting is None:
            self._connecting = asyncio.ensure_future(self._connect())
            self._connecting.add_done_callback(self._connected)
        await asyncio.shield(self._connecting)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        self._greeting = loop.create_future()
        made, _ = await loop.create_unix_connection(lambda: self, str(self._places.socket))
        try:
            made.write(greeting_frame(self._places.storage))
            frame = await asyncio.wait_for(self._greeting, GREETED_WITHIN_S)
            check_greeting(frame, self._places.storage)
        except Broken as nobody:
            made.abort()
            raise ConnectionRefusedError from nobody
        except (OSError, OtherStorage):
            made.abort()
            raise
        if made.is_closing():
            raise ConnectionResetError
        self._transport = made

    def _connected(self, task: asyncio.Task[None]) -> None:
        self._connecting = None
        if task.cancelled() or task.exception() is None:
            return
        level = logging.ERROR if isinstance(task.exception(), OtherStorage) else logging.DEBUG
        log.log(level, "no writer answers: %s", task.exception())

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
        self._unpacker = Unpacker()

    def data_received(self, data: bytes) -> None:
        """Tell each caller what became of its call."""
        try:
            for frame in self._unpacker.feed(data):
                if frame["n"] == GREETING and not self._greeting.done():
                    self._greeting.set_result(frame)
                future, answers = self._waiting.get(frame["n"], (None, None))
                if future is not None and not future.done():
                    future.set_result(outcome_of(frame, answers, self._registry))
        except Broken:
            log.warning("the executor's process speaks another language; hung up")
            self._lose(ConnectionRefusedError())
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody knows what became of the calls that were on their way."""
        self._transport = None
        self._lose(exc or ConnectionResetError())

    def _lose(self, exc: Exception) -> None:
        if not self._greeting.done():
            self._greeting.set_exception(exc)
        for future, _ in self._waiting.values():
            if not future.done():
                future.set_result(Outcome(refusal=AnswerLost()))
