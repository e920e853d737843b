"""The writer's client for threads that may wait: the command line, and the worker on its own."""

from __future__ import annotations

import itertools
import socket
import threading
from pathlib import Path
from typing import Any, TypeVar

from focusmate_core.calls import Call, Outcome
from focusmate_core.refusals import AnswerLost, Unavailable
from focusmate_core.registry import Registry
from focusmate_server.frames import (
    Broken,
    RemoteFault,
    Unpacker,
    call_frame,
    job_frame,
    outcome_of,
)
from focusmate_server.settings import CannotStart

R = TypeVar("R")


class NoWriter(CannotStart):
    """No process carries out commands for this storage."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"no writer at {path}: start `focusmate serve http` first")


class WriterClient:
    """One connection, one call at a time; `NoWriter` when nobody listens there."""

    def __init__(self, path: Path, registry: Registry, *, timeout: float = 30.0) -> None:
        self._path = path
        self._registry = registry
        self._timeout = timeout
        self._numbers = itertools.count(1)
        self._one_at_a_time = threading.Lock()
        self._socket: socket.socket | None = self._connect()
        self._unpacker = Unpacker()

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def run(self, call: Call[R]) -> Outcome[R]:
        """What became of a call; `Unavailable` before, `AnswerLost` after it was sent."""
        with self._one_at_a_time:
            number = next(self._numbers)
            try:
                self._send(call_frame(number, call))
            except (OSError, NoWriter):
                self.close()
                return Outcome(refusal=Unavailable(retry_after=1))
            try:
                frame = self._receive(number)
            except (OSError, Broken):
                self.close()
                return Outcome(refusal=AnswerLost())
            return outcome_of(frame, call.message.spec.answers, self._registry)

    def job(self, name: str) -> int:
        """Have a job of the worker's done; how many it did. `RemoteFault`, OSError, `NoWriter`."""
        with self._one_at_a_time:
            number = next(self._numbers)
            try:
                self._send(job_frame(number, name))
                frame = self._receive(number)
            except (OSError, Broken):
                self.close()
                raise
            if "fault" in frame:
                raise RemoteFault(frame["fault"])
            done: int = frame["ok"]
            return done

    def _connect(self) -> socket.socket:
        made = socket.socket(socket.AF_UNIX)
        made.settimeout(self._timeout)
        try:
            made.connect(str(self._path))
        except OSError as nobody:
            made.close()
            raise NoWriter(self._path) from nobody
        return made

    def _send(self, frame: bytes) -> None:
        if self._socket is None:
            self._socket, self._unpacker = self._connect(), Unpacker()
        self._socket.sendall(frame)

    def _receive(self, number: int) -> dict[str, Any]:
        assert self._socket is not None
        while True:
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionResetError
            for frame in self._unpacker.feed(data):
                if frame["n"] == number:
                    return frame
