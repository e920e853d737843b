"""Recorders: they remember what they were told, and do nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

from focusmate_core.context import Outside
from focusmate_core.messages import Event, subscriber
from focusmate_core.outbox import Envelope
from focusmate_core.refusals import Refusal


class EventRecorder:
    """A subscriber that remembers; load it as a feature: `features=[…, recorder.feature]`."""

    def __init__(self, *events: type[Event], name: str = "recorder") -> None:
        self.events: list[Event] = []
        self.envelopes: list[Envelope] = []
        self.faults: list[Exception] = []
        """What to raise, one a call, instead of remembering."""
        self.feature = _feature(name, events, self._hear)

    def _hear(self, event: Event, envelope: Envelope, _: Outside) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self.events.append(event)
        self.envelopes.append(envelope)


def _feature(
    name: str, events: Iterable[type[Event]], hear: Callable[[Event, Envelope, Outside], None]
) -> ModuleType:
    feature = ModuleType(f"recorder_{name}", "One subscriber that remembers.")

    def record(event: Event, envelope: Envelope, ctx: Outside) -> None:
        hear(event, envelope, ctx)

    # The registry reads of a module only what was written in it.
    record.__module__ = feature.__name__
    feature.record = subscriber(name, to=events)(record)  # type: ignore[attr-defined]
    return feature


class RefusalRecorder:
    """Remembers the refusals of what it is told to call, and lets everything else through."""

    def __init__(self) -> None:
        self.refusals: list[Refusal] = []

    def call(self, work: Callable[..., Any], *args: Any, **named: Any) -> Any:
        """What the work gives, or None and its refusal is remembered."""
        try:
            return work(*args, **named)
        except Refusal as refused:
            self.refusals.append(refused)
            return None

    @property
    def codes(self) -> list[str]:
        """The codes of the refusals so far."""
        return [refusal.code for refusal in self.refusals]
