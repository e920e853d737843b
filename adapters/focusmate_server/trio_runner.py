"""The runner for doors on a trio loop: calls go over the local socket to the executor's process."""

from __future__ import annotations

import itertools
import logging
from pathlib import Path
from typing import Any, TypeVar

import trio

from focusmate_core.calls import Call, Outcome
from focusmate_core.refusals import AnswerLost, Unavailable
from focusmate_core.registry import Registry
from focusmate_server.frames import Broken, Unpacker, call_frame, outcome_of
from focusmate_server.writer_client import NoWriter

R = TypeVar("R")
log = logging.getLogger(__name__)

RETRY = 0.2


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

    def __init__(self, path: Path, registry: Registry) -> None:
        self._path = path
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
        self._pending[number] = pending
        self._outgoing.append(call_frame(number, call))
        self._something.set()
        try:
            await pending.come.wait()
        finally:
            self._pending.pop(number, None)
        return pending.outcome

    async def live(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep the connection, for ever; started once it stands, `NoWriter` if it never did."""
        stream = await self._connect()
        if stream is None:
            raise NoWriter(self._path)
        task_status.started()
        while True:
            if stream is not None:
                await self._use(stream)
            await trio.sleep(RETRY)
            stream = await self._connect()

    async def _connect(self) -> trio.SocketStream | None:
        try:
            return await trio.open_unix_socket(self._path)
        except OSError:
            return None

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
