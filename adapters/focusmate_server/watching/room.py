"""The room as it is watched: a snapshot, and the events applied to it by the features' reducers."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import attrs

from focusmate_core import codec
from focusmate_core.features import BUNDLED
from focusmate_core.features.plans import TimerKind
from focusmate_core.features.presence import PresenceView
from focusmate_core.features.rooms import RoomView
from focusmate_core.features.seats import SeatView
from focusmate_core.features.timer_machine import Timer, TimerFacts
from focusmate_core.fields import instant
from focusmate_core.messages import Event, view_of
from focusmate_core.refusals import BadInput
from focusmate_core.registry import Registry

REGISTRY = Registry(BUNDLED)


class Gap(Exception):
    """An event is missing: only a new snapshot helps."""


class OtherVersion(Exception):
    """What the server tells cannot be read here."""


@attrs.frozen
class Happened:
    """One event: when, what, and the fact itself where we know that kind of event."""

    at: datetime
    type: str
    fact: Event | None


@attrs.frozen
class Parts:
    """The parts of a room's snapshot."""

    room: RoomView
    seats: tuple[SeatView, ...]
    presence: tuple[PresenceView, ...]
    timer: TimerFacts

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Parts:
        """The parts in a frame; `OtherVersion`."""
        functions = REGISTRY.snapshots["room"]
        names = [each.name for each in attrs.fields(cls)]
        hints = {name: typing.get_type_hints(functions[name])["return"] for name in names}
        return cls(**{name: _read(plain.get(name), hints[name]) for name in names})

    def after(self, fact: Event, at: datetime) -> Parts:
        """The parts as they are after an event: exactly as the server sees them."""
        parts = {each.name: getattr(self, each.name) for each in attrs.fields(Parts)}
        return Parts(**REGISTRY.apply(parts, fact, at))


class WatchedRoom:
    """A stream's number and what there is at it."""

    def __init__(self, subscribed: Mapping[str, Any]) -> None:
        self.seq = 0
        self.parts = Parts.of(subscribed["snapshot"])
        self.begin(subscribed)

    def begin(self, subscribed: Mapping[str, Any]) -> None:
        """Go on from what a subscription is answered."""
        if "snapshot" in subscribed:
            self.parts = Parts.of(subscribed["snapshot"])
        self.seq = subscribed["seq"]

    def hear(self, frame: Mapping[str, Any]) -> Happened | None:
        """Apply an event; None for one that is known already, `Gap` if one is missing."""
        if frame["seq"] <= self.seq:
            return None
        if frame["seq"] != self.seq + 1:
            raise Gap
        happened = happened_in(frame)
        if happened.fact is not None:
            self.parts = self.parts.after(happened.fact, happened.at)
        self.seq += 1
        return happened


def _read(plain: Any, kind: Any) -> Any:
    try:
        return codec.value_of(plain, kind)
    except BadInput as odd:
        raise OtherVersion(odd.detail) from None


def happened_in(frame: Mapping[str, Any]) -> Happened:
    """What an event's frame tells; `OtherVersion`."""
    cls = REGISTRY.events.get(frame["type"])
    fact = None if cls is None else _read(frame["data"], cls)
    return Happened(instant(frame["at"]), frame["type"], fact)


def left(timer: TimerFacts, now: datetime) -> timedelta:
    """What is left of the phase at an instant of the server's clock, as the server reckons it."""
    return view_of(Timer, timer, **_UNTOLD).left_at(now)


def counted(timer: TimerFacts, now: datetime) -> timedelta:
    """What the timer shows: what is left, or of a flowtime what has passed."""
    if timer.kind is TimerKind.FLOWTIME:
        return timer.length - left(timer, now)
    return left(timer, now)


def _untold() -> dict[str, Any]:
    """What a timer has that its facts do not tell."""
    told = attrs.fields_dict(TimerFacts)
    rest = {each.name: each.default for each in attrs.fields(Timer) if each.name not in told}
    return rest | {"room_id": ""}


_UNTOLD = _untold()
