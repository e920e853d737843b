"""The hub: who watches which stream, and the way of an event to all of them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import attrs

from focusmate_core.engine import Engine
from focusmate_core.outbox import Envelope
from focusmate_core.refusals import Refusal, Unavailable
from focusmate_trio.frames import ended_frame, event_frame
from focusmate_trio.people import People, SignedIn
from focusmate_trio.refusals import MayNotWatch, Resync
from focusmate_trio.stream import Wire

_LOG = logging.getLogger("focusmate.websocket")

WRITES_AT_ONCE = 2000
"""How many writes a turn of the loop may take, but for one event with more watchers than that."""
Give = Callable[[Wire, bytes], None]


class Watcher(SignedIn, Protocol):
    """A connection as the hub sees it."""

    wire: Wire

    def stopped(self, stream: str) -> None:
        """It watches this stream no more."""


class Channel:
    """One stream's watchers. All of `live` have been given everything up to `head`."""

    __slots__ = ("ahead", "awaited", "head", "live", "stream")

    def __init__(self, stream: str) -> None:
        self.stream = stream
        self.head: int | None = None
        """The number of the event that came last; None before the first."""
        self.live: dict[Watcher, Wire] = {}
        self.ahead: dict[Watcher, int] = {}
        """Who was given more by a snapshot than has come by here: up to which number."""
        self.awaited = 0
        """How many are reading what they begin with."""

    @property
    def is_empty(self) -> bool:
        """Whether nobody watches, nor is about to."""
        return not (self.live or self.ahead or self.awaited)

    def has(self, watcher: Watcher) -> bool:
        """Whether this one watches."""
        return watcher in self.live or watcher in self.ahead

    def remove(self, watcher: Watcher) -> None:
        self.live.pop(watcher, None)
        self.ahead.pop(watcher, None)


@attrs.frozen
class Run:
    """Events of one stream that follow one another, encoded, and whose watching ends with them."""

    channel: Channel
    frames: list[tuple[int, bytes]]
    leavers: list[Watcher] = attrs.Factory(list)
    reason: Refusal = attrs.Factory(MayNotWatch)


class Hub:
    """All channels of a door, and whose they are. Belongs to one loop, never waits."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._channels: dict[str, Channel] = {}
        self.people: People[Watcher] = People(engine)

    @property
    def is_idle(self) -> bool:
        """Whether no event matters to anybody here."""
        return not self._channels and self.people.is_idle

    # -- coming and going -------------------------------------------------------------------------

    @contextmanager
    def expecting(self, stream: str) -> Iterator[Channel]:
        """Follow a stream for somebody who is reading what they begin with."""
        channel = self._channels.setdefault(stream, Channel(stream))
        channel.awaited += 1
        try:
            yield channel
        finally:
            channel.awaited -= 1
            self._tidy(channel)

    def leave(self, watcher: Watcher, stream: str) -> None:
        """Watch no more."""
        channel = self._channels.get(stream)
        if channel is not None:
            channel.remove(watcher)
            self._tidy(channel)

    def _tidy(self, channel: Channel) -> None:
        if channel.is_empty and self._channels.get(channel.stream) is channel:
            del self._channels[channel.stream]

    def missed(self, channel: Channel, given: int) -> list[Envelope]:
        """What came by while a newcomer was reading up to the number `given`."""
        if channel.head is None or channel.head <= given:
            return []
        return self._held(channel.stream, given, channel.head)

    def enter(self, watcher: Watcher, channel: Channel, given: int) -> None:
        """Let somebody in, perhaps anew, who was given everything up to this number."""
        channel.remove(watcher)
        if not (channel.live or channel.ahead):
            channel.head = given
        if channel.head == given:
            channel.live[watcher] = watcher.wire
        else:
            channel.ahead[watcher] = given

    def first_ending(
        self, watcher: Watcher, channel: Channel, missed: Sequence[Envelope]
    ) -> int | None:
        """How many of these a newcomer may still hear because the last of them ends it, or None."""
        for place, envelope in enumerate(missed, 1):
            named = self._person_named(envelope) == watcher.actor.id
            if named and not self._may_watch(watcher, channel.stream):
                return place
        return None

    def end(self, watcher: Watcher, stream: str) -> None:
        """End the subscription of somebody who may watch no more, and say so."""
        self._end(watcher, self._channels[stream], MayNotWatch(), Wire.push)

    def _held(self, stream: str, after: int, last: int) -> list[Envelope]:
        with self._engine.storage.read() as reader:
            held = reader.read(stream, after, last - after)
        if [envelope.seq for envelope in held] != list(range(after + 1, last + 1)):
            raise Resync
        return held

    # -- what happened ----------------------------------------------------------------------------

    def publish(self, envelopes: Sequence[Envelope]) -> None:
        """Send each event to all who watch its stream, in one write per watcher.

        Raises `Unavailable`; given again, nothing is sent twice.
        """
        self._send(envelopes)
        self.people.look_again(envelopes)

    def _send(self, envelopes: Sequence[Envelope]) -> None:
        by_channel: dict[Channel, list[Envelope]] = {}
        for envelope in envelopes:
            channel = self._channels.get(envelope.stream)
            if channel is not None:
                by_channel.setdefault(channel, []).append(envelope)
        runs = [run for channel, came in by_channel.items() for run in self._runs(channel, came)]
        if len(runs) == 1:
            self._deliver(runs[0], Wire.push)
            return
        held: dict[Wire, list[bytes]] = {}
        for run in runs:
            self._deliver(run, lambda wire, frame: held.setdefault(wire, []).append(frame))
        for wire, frames in held.items():
            wire.push(frames[0] if len(frames) == 1 else b"".join(frames))

    def turns(self, envelopes: Sequence[Envelope]) -> Iterator[list[Envelope]]:
        """The same in parts, after each of which others may have their turn."""
        part: list[Envelope] = []
        counted: set[str] = set()
        writes = 0
        for envelope in envelopes:
            part.append(envelope)
            channel = self._channels.get(envelope.stream)
            if channel is not None and envelope.stream not in counted:
                counted.add(envelope.stream)
                writes += len(channel.live)
            # Whoever is not signed in any more has nothing of what comes after that.
            if writes >= WRITES_AT_ONCE or self.people.has_ended(envelope):
                yield part
                part, counted, writes = [], set(), 0
        if part:
            yield part

    def _runs(self, channel: Channel, came: list[Envelope]) -> list[Run]:
        runs = [Run(channel, [])]
        try:
            for envelope in self._without_gap(channel, came):
                frame = event_frame(envelope, self._engine.registry)
                runs[-1].frames.append((envelope.seq, frame))
                leavers = self._leavers(channel, envelope)
                if leavers:
                    runs[-1] = attrs.evolve(runs[-1], leavers=leavers)
                    runs.append(Run(channel, []))
        except Unavailable:
            raise
        except Exception as broken:  # noqa: BLE001  it must not hold up the other streams
            if not isinstance(broken, Resync):
                _LOG.error("an event of %s cannot be sent", channel.stream, exc_info=broken)
            everybody = [*channel.live, *channel.ahead]
            runs[-1] = attrs.evolve(runs[-1], leavers=everybody, reason=Resync())
        return [run for run in runs if run.frames or run.leavers]

    def _without_gap(self, channel: Channel, came: list[Envelope]) -> list[Envelope]:
        """What is new here, in order; what is missing before it is read from the outbox."""
        made: list[Envelope] = []
        head = channel.head
        for envelope in came:
            if head is not None and envelope.seq <= head:
                continue
            if head is not None and envelope.seq > head + 1:
                made += self._held(channel.stream, head, envelope.seq - 1)
            made.append(envelope)
            head = envelope.seq
        return made

    def _leavers(self, channel: Channel, envelope: Envelope) -> list[Watcher]:
        """Who watches this stream no more once they have had this event."""
        person = self._person_named(envelope)
        return [
            each
            for each in self.people.of(person)
            if channel.has(each) and not self._may_watch(each, channel.stream)
        ]

    def _person_named(self, envelope: Envelope) -> str:
        known = self._engine.registry.events.get(envelope.type)
        field = known.fact.ends_watching if known is not None else None
        return str(json.loads(envelope.data)[field]) if field is not None else ""

    def _may_watch(self, watcher: Watcher, stream: str) -> bool:
        return self._engine.may_watch(stream, actor=watcher.actor)

    def _deliver(self, run: Run, give: Give) -> None:
        channel = run.channel
        if run.frames:
            whole = b"".join([frame for _, frame in run.frames])
            for wire in tuple(channel.live.values()):
                give(wire, whole)
            channel.head = run.frames[-1][0]
            if channel.ahead:
                self._catch_up(channel, run.frames, give)
        for watcher in run.leavers:
            self._end(watcher, channel, run.reason, give)

    def _catch_up(self, channel: Channel, frames: list[tuple[int, bytes]], give: Give) -> None:
        for watcher, given in list(channel.ahead.items()):
            for number, frame in frames:
                if number > given:
                    give(watcher.wire, frame)
            # Whoever was too slow for this is no longer there.
            if channel.head is not None and given <= channel.head and watcher in channel.ahead:
                del channel.ahead[watcher]
                channel.live[watcher] = watcher.wire

    def _end(self, watcher: Watcher, channel: Channel, reason: Refusal, give: Give) -> None:
        channel.remove(watcher)
        self._tidy(channel)
        watcher.stopped(channel.stream)
        give(watcher.wire, ended_frame(channel.stream, reason))
