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
    GREETING,
    Broken,
    OtherStorage,
    Unpacker,
    call_frame,
    check_greeting,
    count_of,
    greeting_frame,
    job_frame,
    outcome_of,
)
from focusmate_server.places import Places
from focusmate_server.settings import CannotStart

R = TypeVar("R")


class NoWriter(CannotStart):
    """No process carries out commands for this storage."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"no writer at {path}: start `focusmate serve http` first")


class WriterClient:
    """One connection, one call at a time; `NoWriter` when nobody answers there, `OtherStorage`."""

    def __init__(self, places: Places, registry: Registry, *, timeout: float = 30.0) -> None:
        self._places = places
        self._registry = registry
        self._timeout = timeout
        self._numbers = itertools.count(1)
        self._one_at_a_time = threading.Lock()
        self._unpacker = Unpacker()
        self._socket: socket.socket | None = dial(places, timeout)

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
                connected = self._send(call_frame(number, call))
            except (OSError, CannotStart):
                self.close()
                return Outcome(refusal=Unavailable(retry_after=1))
            try:
                frame = self._receive(number, connected)
            except (OSError, Broken):
                self.close()
                return Outcome(refusal=AnswerLost())
            return outcome_of(frame, call.message.spec.answers, self._registry)

    def job(self, name: str) -> int:
        """Have a job of the worker's done; how many it did. `RemoteFault`, `NoWriter`, OSError."""
        with self._one_at_a_time:
            number = next(self._numbers)
            try:
                frame = self._receive(number, self._send(job_frame(number, name)))
            except (OSError, Broken):
                self.close()
                raise
            return count_of(frame)

    def _send(self, frame: bytes) -> socket.socket:
        if self._socket is None:
            self._socket, self._unpacker = dial(self._places, self._timeout), Unpacker()
        self._socket.sendall(frame)
        return self._socket

    def _receive(self, number: int, connected: socket.socket) -> dict[str, Any]:
        return receive(number, connected, self._unpacker)


def dial(places: Places, timeout: float) -> socket.socket:
    """A connection to the writer of this storage; `NoWriter`, `OtherStorage`."""
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(timeout)
    try:
        made.connect(str(places.socket))
        made.sendall(greeting_frame(places.storage))
        check_greeting(receive(GREETING, made, Unpacker()), places.storage)
    except (OSError, Broken) as nobody:
        made.close()
        raise NoWriter(places.socket) from nobody
    except OtherStorage:
        made.close()
        raise
    return made


def receive(number: int, connected: socket.socket, unpacker: Unpacker) -> dict[str, Any]:
    """The next frame of this number; OSError once the other side is gone, `Broken`."""
    while True:
        data = connected.recv(65536)
        if not data:
            raise ConnectionResetError
        for frame in unpacker.feed(data):
            if frame["n"] == number:
                return frame
