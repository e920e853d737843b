"""The frames on the local socket: a greeting, then calls and jobs, and what became of each."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import attrs
import orjson

from focusmate_core import codec
from focusmate_core.calls import Call, Outcome
from focusmate_core.messages import Actor, Message, Origin
from focusmate_core.registry import Registry
from focusmate_server.settings import CannotStart

LENGTH = struct.Struct(">I")
LONGEST = 16 * 2**20


class Broken(Exception):
    """What came over the socket is no frame of ours: another version, or not us at all."""


class OtherStorage(CannotStart):
    """The process that listens on the socket writes to another database than is meant."""

    def __init__(self, theirs: str, ours: str) -> None:
        said = f"the process on the local socket writes to {theirs}, not to {ours}"
        self.theirs = theirs
        super().__init__(f"{said}: give each database a FOCUSMATE_SOCKET of its own")


class RemoteFault(Exception):
    """The process that carries out commands met a bug; its log has it under the error id."""

    def __init__(self, told: str, error_id: str) -> None:
        super().__init__(f"{told}, there logged as {error_id}")
        self.error_id = error_id


class NotUnderstood(Exception):
    """What became of a call was told in a way that this process does not know."""


def pack(frame: dict[str, Any]) -> bytes:
    """A frame as it goes over the socket; ValueError if it is too long, TypeError if no JSON."""
    body = orjson.dumps(frame)
    if len(body) > LONGEST:
        raise ValueError(f"a frame of {len(body)} bytes is too long: {LONGEST} may be sent")
    return LENGTH.pack(len(body)) + body


class Unpacker:
    """Cuts what arrives into frames."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes | bytearray) -> Iterator[dict[str, Any]]:
        """The frames that are complete now; `Broken` for what cannot be one."""
        held = self._held
        held += data
        at = 0
        while len(held) - at >= LENGTH.size:
            (length,) = LENGTH.unpack_from(held, at)
            if length > LONGEST:
                raise Broken
            end = at + LENGTH.size + length
            if len(held) < end:
                break
            yield _load(bytes(held[at + LENGTH.size : end]))
            at = end
        del held[:at]


def _load(body: bytes) -> dict[str, Any]:
    try:
        frame = orjson.loads(body)
    except orjson.JSONDecodeError as wrong:
        raise Broken from wrong
    if not isinstance(frame, dict) or not isinstance(frame.get("n"), int):
        raise Broken
    return frame


GREETING = 0
"""The number of the first frame of each side; calls and jobs count from 1."""


def greeting_frame(storage: str) -> bytes:
    """The first frame, packed: each side says which storage it means, and takes no other."""
    return pack({"n": GREETING, "storage": storage})


def check_greeting(frame: dict[str, Any], storage: str) -> None:
    """`OtherStorage` unless the other side means the same; `Broken` if this is no greeting."""
    if frame["n"] != GREETING or not isinstance(frame.get("storage"), str):
        raise Broken
    if frame["storage"] != storage:
        raise OtherStorage(frame["storage"], storage)


def call_frame(number: int, call: Call[Any]) -> bytes:
    """A call, packed; what was prepared stays where it was, the other side prepares itself."""
    return pack(
        {
            "n": number,
            "do": call.message.spec.wire,
            "with": codec.plain(call.message),
            "actor": [call.actor.id, sorted(call.actor.roles), call.actor.sign_in],
            "origin": [call.origin.door, call.origin.address, call.origin.connection],
            "key": call.key,
        }
    )


def job_frame(number: int, job: str) -> bytes:
    """A job of the worker's, packed."""
    return pack({"n": number, "job": job})


def call_of(frame: dict[str, Any], registry: Registry) -> Call[Any]:
    """The call in a frame. Refuses what the message refuses."""
    message: Message[Any] = codec.value_of(frame["with"], registry.message(frame["do"]))
    actor_id, roles, sign_in = frame["actor"]
    actor = Actor(actor_id, frozenset(roles), sign_in=sign_in)
    origin = Origin(*frame["origin"])
    return Call(message, actor, origin, frame["key"])


def outcome_frame(number: int, outcome: Outcome[Any]) -> bytes:
    """What became of a call that met no bug, packed."""
    if outcome.refusal is not None:
        params = {k: codec.plain(v) for k, v in attrs.asdict(outcome.refusal).items()}
        return pack({"n": number, "no": outcome.refusal.code, "params": params})
    return pack({"n": number, "ok": codec.plain(outcome.answer)})


def fault_frame(number: int, fault: Exception, error_id: str) -> bytes:
    """That a call or job met a bug, and how this process's log calls it, packed."""
    return pack({"n": number, "fault": type(fault).__name__, "error_id": error_id})


def outcome_of(frame: dict[str, Any], answers: Any, registry: Registry) -> Outcome[Any]:
    """What a frame says became of a call whose answers are of this type; never raises for it.

    Each process has plugins of its own: what only the other knows is a fault of this one call.
    """
    try:
        return _outcome_of(frame, answers, registry)
    except Exception as wrong:  # noqa: BLE001  it is the call's outcome
        fault = NotUnderstood(f"the answer cannot be read here: {wrong!r}")
        fault.__cause__ = wrong
        return Outcome(fault=fault)


def count_of(frame: dict[str, Any]) -> int:
    """How many a job did; raises `RemoteFault`."""
    if "fault" in frame:
        raise RemoteFault(frame["fault"], frame["error_id"])
    done: int = frame["ok"]
    return done


def _outcome_of(frame: dict[str, Any], answers: Any, registry: Registry) -> Outcome[Any]:
    if "fault" in frame:
        return Outcome(fault=RemoteFault(frame["fault"], frame["error_id"]))
    if "no" in frame:
        cls = registry.refusals[frame["no"]]
        return Outcome(refusal=codec.value_of(frame["params"], cls))
    return Outcome(answer=codec.value_of(frame["ok"], answers))
