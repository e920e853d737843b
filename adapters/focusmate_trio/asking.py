"""Asking: what a client's frame says, read strictly, and how many it may send."""

from typing import Annotated, Any

import attrs
import trio

from focusmate_core.fields import Pattern, Token, Whole
from focusmate_core.messages import Value, value
from focusmate_core.refusals import BadInput, FieldProblem, TooOften

FIELDS = ("id", "do", "with", "key")
LARGEST = 2**53 - 1
"""The largest whole number that every client can hold."""

Stream = Annotated[str, Pattern(r"[a-z_]+(:[!-~]+)?", "a stream, such as room:<id> or public", 200)]


@attrs.frozen
class Ask:
    """One frame of a client: what is to be done, with what, under which idempotency key."""

    id: int | None
    do: str
    given: Any
    key: str | None


@value
class SignInHere(Value):
    """Whose connection this is."""

    token: Token


@value
class Subscribe(Value):
    """Watch a stream, from after one of its events or from a snapshot on."""

    stream: Stream
    after: Annotated[int, Whole(0, LARGEST)] | None = None


@value
class Unsubscribe(Value):
    """Watch a stream no more."""

    stream: Stream


@value
class Ping(Value):
    """Ask for the server's time."""


def number_of(told: Any) -> int | None:
    """The id of a frame, if it has a usable one."""
    number = told.get("id") if isinstance(told, dict) else None
    return number if type(number) is int and 0 <= number <= LARGEST else None


def ask_of(told: Any) -> Ask:
    """What a frame's plain data says; `BadInput` names every field that is wrong."""
    if not isinstance(told, dict):
        raise BadInput.of("", "must be an object with named fields")
    problems = [
        FieldProblem(str(name)[:100], "is not a field of a frame; it has id, do, with and key")
        for name in told
        if name not in FIELDS
    ]
    if told.get("id") is not None and number_of(told) is None:
        problems.append(FieldProblem("id", f"must be a whole number from 0 to {LARGEST}"))
    if "do" not in told:
        problems.append(FieldProblem("do", "is required"))
    elif not isinstance(told["do"], str):
        problems.append(FieldProblem("do", "must be text"))
    if not isinstance(told.get("key"), str | None):
        problems.append(FieldProblem("key", "must be text"))
    if problems:
        raise BadInput(fields=tuple(problems))
    return Ask(number_of(told), told["do"], told.get("with", {}), told.get("key"))


class Bucket:
    """Tokens that come back at a steady rate; each frame takes one."""

    __slots__ = ("_burst", "_full_at", "_rate")

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = burst
        self._full_at = trio.current_time()

    def take(self) -> None:
        """Take one; `TooOften` says when there will be one again."""
        now = trio.current_time()
        full_at = max(self._full_at, now) + 1 / self._rate
        over = full_at - now - self._burst / self._rate
        if over > 1e-9:  # noqa: PLR2004
            raise TooOften(retry_after=round(max(over, 0.001), 3))
        self._full_at = full_at
