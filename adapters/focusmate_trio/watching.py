"""Watching: whose a connection is, and which streams it watches."""

import secrets
from collections.abc import Callable
from functools import partial
from typing import Any

import attrs
import trio

from focusmate_core.engine import Engine
from focusmate_core.fields import instant_text
from focusmate_core.messages import ANONYMOUS, Actor
from focusmate_core.outbox import Envelope
from focusmate_core.ports.runner import Runner
from focusmate_core.streams import Snapshot
from focusmate_trio.asking import Subscribe
from focusmate_trio.frames import answer_frame, event_frame
from focusmate_trio.hub import Channel, Hub
from focusmate_trio.refusals import OtherPerson, TooManyConnections, TooManySubscriptions
from focusmate_trio.settings import DoorSettings
from focusmate_trio.stream import Wire
from focusmate_trio.vouching import Vouching

TurnOut = Callable[[int, str], None]


@attrs.frozen
class Shared:
    """What all connections of one door share."""

    engine: Engine
    runner: Runner
    settings: DoorSettings
    hub: Hub
    vouching: Vouching
    document: bytes
    """What the door says of itself, as JSON."""
    nudge: Callable[[], None]
    """Has the outbox looked at now."""
    readers: trio.CapacityLimiter | None
    """How many threads read snapshots; without it they are read in the loop."""

    async def read(self, read: Callable[[], Any]) -> Any:
        """What a reading function gives, without holding up the loop."""
        if self.readers is None:
            await trio.lowlevel.checkpoint()
            return read()
        return await trio.to_thread.run_sync(read, limiter=self.readers)


@attrs.frozen
class Beginning:
    """What a subscription begins with: the answer and the events after it, up to number `last`."""

    last: int
    frames: list[bytes]


class Watching:
    """One connection as the hub knows it."""

    def __init__(self, shared: Shared, wire: Wire, turn_out: TurnOut) -> None:
        self.actor: Actor = ANONYMOUS
        self.token = ""
        self.wire = wire
        self._turn_out = turn_out
        self.connection = secrets.token_hex(8)
        """Tells it from all others of its person, whichever door they go through."""
        self._shared = shared
        self._engine = shared.engine
        self._hub = shared.hub
        self._streams: set[str] = set()
        self._has_left = False

    def become(self, actor: Actor) -> None:
        """Be this person's from now on; refuses one who has too many, and a second person."""
        former = self.actor
        if former.id and former.id != actor.id:
            raise OtherPerson
        most = self._shared.settings.connections_per_person
        if not former.id and len(self._hub.people.of(actor.id)) >= most:
            raise TooManyConnections(most=most)
        lost = self._lost_by(actor) if actor.roles != former.roles else []
        self.actor = actor
        if not former.id:
            self._hub.people.add(self)
            self._shared.vouching.came(self.connection, actor.id, self.wire)
        for stream in lost:
            self._hub.end(self, stream)

    def _lost_by(self, actor: Actor) -> list[str]:
        """The streams that one may watch no more as this actor."""
        may = self._engine.may_watch
        return [stream for stream in self._streams if not may(stream, actor=actor)]

    def turn_out(self, code: int, reason: str) -> None:
        """Hear nothing any more, and be closed once what is on its way is answered."""
        self.leave()
        self._turn_out(code, reason)

    def leave(self) -> None:
        """Watch nothing any more, and be nobody's connection."""
        for stream in self._streams:
            self._hub.leave(self, stream)
        self._streams.clear()
        if self.actor.id and not self._has_left:
            self._hub.people.remove(self)
            self._shared.vouching.went(self.connection)
        self._has_left = True

    def stopped(self, stream: str) -> None:
        """The hub ended a subscription."""
        self._streams.discard(stream)

    def unsubscribe(self, stream: str) -> None:
        """Watch a stream no more; doing so twice is doing it once."""
        self._hub.leave(self, stream)
        self._streams.discard(stream)

    async def subscribe(self, number: int | None, want: Subscribe) -> None:
        """Answer the frame of this number, and watch from there on without a gap.

        Whoever watches the stream already begins anew.
        """
        most = self._shared.settings.subscriptions
        if want.stream not in self._streams and len(self._streams) >= most:
            raise TooManySubscriptions(most=most)
        with self._hub.expecting(want.stream) as channel:
            beginning = await self._read_beginning(number, want)
            # A thread that reads is waited for even when the connection has ended meanwhile.
            if not self._has_left:
                self._begin(channel, beginning)

    async def _read_beginning(self, number: int | None, want: Subscribe) -> Beginning:
        """What one begins with, as the actor that one still is when it has been read."""
        while True:
            actor = self.actor
            beginning: Beginning = await self._shared.read(partial(self._look, number, want))
            if self.actor.roles == actor.roles:
                return beginning

    def _look(self, number: int | None, want: Subscribe) -> Beginning:
        """What a watcher begins with, encoded; runs in a thread."""
        found = self._engine.subscribe(want.stream, actor=self.actor, after=want.after)
        told: dict[str, Any] = {"stream": want.stream, "seq": want.after}
        came: list[Envelope] = []
        if isinstance(found, Snapshot):
            told |= {"seq": found.seq, "now": instant_text(found.now)}
            told |= {"resync": want.after is not None, "snapshot": found.parts}
        else:
            came = found
            told |= {"now": instant_text(self._engine.clock.now()), "resync": False}
        events = [event_frame(envelope, self._engine.registry) for envelope in came]
        return Beginning(told["seq"] + len(came), [answer_frame(number, told), *events])

    def _begin(self, channel: Channel, beginning: Beginning) -> None:
        """Answer, tell what came meanwhile, and go live, all in one turn of the loop."""
        missed = self._hub.missed(channel, beginning.last)
        ending = self._hub.first_ending(self, channel, missed)
        missed = missed[:ending]
        events = [event_frame(envelope, self._engine.registry) for envelope in missed]
        self.wire.answer(b"".join([*beginning.frames, *events]))
        self._streams.add(channel.stream)
        self._hub.enter(self, channel, beginning.last + len(missed))
        if ending is not None:
            self._hub.end(self, channel.stream)
