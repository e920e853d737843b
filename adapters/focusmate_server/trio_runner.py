"""The runner for doors on a trio loop: calls go over the local socket to the executor's process."""

from __future__ import annotations

import itertools
import logging
from typing import Any, TypeVar

import trio

from focusmate_core.calls import Call, Outcome
from focusmate_core.refusals import AnswerLost, Unavailable
from focusmate_core.registry import Registry
from focusmate_server.frames import (
    Broken,
    OtherStorage,
    Unpacker,
    call_frame,
    check_greeting,
    greeting_frame,
    outcome_of,
)
from focusmate_server.places import Places
from focusmate_server.writer_client import NoWriter

R = TypeVar("R")
log = logging.getLogger(__name__)

RETRY = 0.2
ANSWER_WITHIN_S = 30.0
"""After this it is not known what became of a call."""
GREETED_WITHIN_S = 5.0


class Pending:
    """One call that waits for its answer."""

    __slots__ = ("answers", "come", "outcome")

    def __init__(self, answers: Any) -> None:
        self.answers = answers
        self.come = trio.Event()
        self.outcome: Outcome[Any] = Outcome(refusal=AnswerLost())

    def tell(self, outcome: Outcome[Any]) -> None:
        """Wake who waits."""
        self.outcome = outcome
        self.come.set()


class SocketRunner:
    """`Runner`: one connection for all calls, made again when the executor's process was gone."""

    def __init__(self, places: Places, registry: Registry) -> None:
        self._places = places
        self._registry = registry
        self._numbers = itertools.count(1)
        self._pending: dict[int, Pending] = {}
        self._outgoing: list[bytes] = []
        self._something = trio.Event()
        self._connected = False

    async def run(self, call: Call[R]) -> Outcome[R]:
        """What became of the call; `Unavailable` at once while nobody carries out commands."""
        if not self._connected:
            return Outcome(refusal=Unavailable(retry_after=1))
        number, pending = next(self._numbers), Pending(call.message.spec.answers)
        self._outgoing.append(call_frame(number, call))
        self._pending[number] = pending
        self._something.set()
        try:
            with trio.move_on_after(ANSWER_WITHIN_S):
                await pending.come.wait()
        finally:
            self._pending.pop(number, None)
        return pending.outcome

    async def live(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep the connection, for ever; started once it stands.

        `NoWriter` if it never did, `OtherStorage` if who listens there writes to another database.
        """
        stream = await self._connect()
        if stream is None:
            raise NoWriter(self._places.socket)
        task_status.started()
        while True:
            if stream is not None:
                await self._use(stream)
            await trio.sleep(RETRY)
            try:
                stream = await self._connect()
            except OtherStorage as other:
                log.error("no writer answers: %s", other)  # noqa: TRY400  no bug: it says it all
                stream = None

    async def _connect(self) -> trio.SocketStream | None:
        try:
            stream = await trio.open_unix_socket(self._places.socket)
        except OSError:
            return None
        try:
            with trio.fail_after(GREETED_WITHIN_S):
                await self._greet(stream)
        except OtherStorage:
            await trio.aclose_forcefully(stream)
            raise
        except (trio.BrokenResourceError, trio.TooSlowError, Broken) as nobody:
            log.warning("the executor's process does not greet: %r", nobody)
            await trio.aclose_forcefully(stream)
            return None
        return stream

    async def _greet(self, stream: trio.SocketStream) -> None:
        await stream.send_all(greeting_frame(self._places.storage))
        unpacker = Unpacker()
        async for data in stream:
            for frame in unpacker.feed(data):
                return check_greeting(frame, self._places.storage)
        raise Broken

    async def _use(self, stream: trio.SocketStream) -> None:
        self._connected = True
        try:
            async with stream, trio.open_nursery() as nursery:
                nursery.start_soon(self._send, stream)
                await self._receive(stream)
                nursery.cancel_scope.cancel()
        except* (trio.BrokenResourceError, trio.ClosedResourceError, Broken) as gone:
            log.warning("the executor's process hung up: %s", gone.exceptions)
        finally:
            self._connected = False
            self._lose_all()

    def _lose_all(self) -> None:
        self._outgoing.clear()
        for pending in self._pending.values():
            pending.tell(Outcome(refusal=AnswerLost()))

    async def _send(self, stream: trio.SocketStream) -> None:
        while True:
            await self._something.wait()
            self._something = trio.Event()
            frames, self._outgoing = self._outgoing, []
            await stream.send_all(b"".join(frames))

    async def _receive(self, stream: trio.SocketStream) -> None:
        unpacker = Unpacker()
        async for data in stream:
            for frame in unpacker.feed(data):
                pending = self._pending.get(frame["n"])
                if pending is not None:
                    pending.tell(outcome_of(frame, pending.answers, self._registry))
