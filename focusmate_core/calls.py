"""Calls and outcomes: one message on its way to the engine, and what became of it."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import attrs

from focusmate_core.messages import ANONYMOUS, Actor, Message, Origin
from focusmate_core.refusals import Refusal

R = TypeVar("R")


@attrs.frozen
class Call(Generic[R]):
    """One message on its way: who sends it, from where, under which idempotency key."""

    message: Message[R]
    actor: Actor = ANONYMOUS
    origin: Origin = Origin()
    key: str | None = None
    prepared: Any = None


@attrs.frozen
class Outcome(Generic[R]):
    """What became of a call: an answer, a refusal, or a fault, which is a bug."""

    answer: R | None = None
    refusal: Refusal | None = None
    fault: Exception | None = None

    @classmethod
    def of(cls, failed: Exception) -> Outcome[R]:
        """The outcome of a call that raised."""
        return cls(refusal=failed) if isinstance(failed, Refusal) else cls(fault=failed)

    @property
    def is_done(self) -> bool:
        """Whether there is an answer."""
        return self.refusal is None and self.fault is None

    def result(self) -> R:
        """The answer; raises the refusal or the fault."""
        if self.refusal is not None:
            raise self.refusal
        if self.fault is not None:
            raise self.fault
        return self.answer  # type: ignore[return-value]  # None is an answer where R is None
