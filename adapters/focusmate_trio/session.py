"""A session: who a connection belongs to, what it watches, and what its frames are answered."""

import logging
import math
import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Any

import attrs
import trio

from focusmate_core import codec
from focusmate_core.calls import Call
from focusmate_core.engine import Engine
from focusmate_core.fields import instant_text
from focusmate_core.messages import ANONYMOUS, Access, Actor, Origin
from focusmate_core.outbox import Envelope
from focusmate_core.ports.runner import Runner
from focusmate_core.refusals import KeyNotTaken, NotSignedIn, Refusal, UnknownMessage
from focusmate_core.streams import Snapshot
from focusmate_trio import frames
from focusmate_trio.asking import (
    Ask,
    Bucket,
    Ping,
    SignInHere,
    Subscribe,
    Unsubscribe,
    ask_of,
    number_of,
)
from focusmate_trio.hub import Channel, Hub
from focusmate_trio.refusals import (
    OtherPerson,
    SignInExpires,
    TooManyConnections,
    TooManySubscriptions,
)
from focusmate_trio.settings import DoorSettings
from focusmate_trio.stream import Wire

_LOG = logging.getLogger("focusmate.websocket")

Close = Callable[[int, str], None]


@attrs.frozen
class Gateway:
    """What all connections of one door share."""

    engine: Engine
    runner: Runner
    settings: DoorSettings
    hub: Hub
    readers: trio.CapacityLimiter | None
    """How many threads read snapshots; without it they are read in the loop."""

    async def read(self, read: Callable[[], Any]) -> Any:
        """What a reading function gives, without holding up the loop."""
        if self.readers is None:
            await trio.lowlevel.checkpoint()
            return read()
        return await trio.to_thread.run_sync(read, limiter=self.readers)


class Session:
    """One connection as the library sees it; `close` ends it with a code and a reason."""

    def __init__(self, gateway: Gateway, wire: Wire, address: str, close: Close) -> None:
        self.actor: Actor = ANONYMOUS
        self.wire = wire
        self.is_busy = False
        """A message of the library is on its way: the socket may not be read meanwhile."""
        self.patience = trio.CancelScope()
        """Runs out when nobody has signed in."""
        self._gateway = gateway
        self._engine = gateway.engine
        self._hub = gateway.hub
        self._settings = gateway.settings
        self._origin = Origin("websocket", address)
        self._close = close
        self.verdict: tuple[int, str] | None = None
        """How it is to be closed once the frame at hand, or the message on its way, is answered."""
        self._streams: set[str] = set()
        self._has_left = False
        self._is_told = False
        self._frames = Bucket(self._settings.frames_per_second, self._settings.frame_burst)
        self._commands = Bucket(self._settings.commands_per_second, self._settings.command_burst)
        self._own: dict[str, Callable[[Ask], Awaitable[bytes | None]]] = {
            "sign_in": self._sign_in,
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
            "ping": self._ping,
        }

    # -- its life ---------------------------------------------------------------------------------

    def close(self, code: int, reason: str) -> None:
        """Watch nothing any more and end the connection."""
        self.leave()
        self._close(code, reason)

    def leave(self) -> None:
        """Be known to the hub no more."""
        for stream in self._streams:
            self._hub.leave(self, stream)
        self._streams.clear()
        if self.actor.id and not self._has_left:
            self._hub.remove(self)
        self._has_left = True

    def stopped(self, stream: str) -> None:
        """The hub ended a subscription."""
        self._streams.discard(stream)

    def look_at_expiry(self, now: datetime) -> None:
        """Tell that the sign-in expires; close once it has."""
        until = self.actor.expires_at
        if until is None:
            return
        if until <= now:
            self.close(frames.NOT_SIGNED_IN, "the sign-in expired")
        elif until - now <= self._settings.expiry_told and not self._is_told:
            self._is_told = True
            self.wire.push(frames.notice_frame(SignInExpires(expires_at=until)))

    # -- its frames -------------------------------------------------------------------------------

    async def hear(self, raw: str) -> None:
        """Answer one frame; whatever is wrong with it, the connection goes on."""
        number = None
        try:
            told = codec.loads(raw)
            number = number_of(told)
            self._frames.take()
            answer = await self._do(ask_of(told))
        except Refusal as refusal:
            answer = frames.refusal_frame(number, refusal)
        except Exception as fault:  # noqa: BLE001  it is logged, and told with the id it has there
            answer = self._fault(number, fault)
        if answer is not None:
            self.wire.answer(answer)
        if self.verdict is not None:
            self.close(*self.verdict)

    async def _do(self, ask: Ask) -> bytes | None:
        own = self._own.get(ask.do)
        if own is None:
            self._check_signed_in()
            return await self._run(ask)
        if ask.key is not None:
            raise KeyNotTaken(name=ask.do)
        if ask.do != "sign_in":
            self._check_signed_in()
        return await own(ask)

    def _check_signed_in(self) -> None:
        until = self.actor.expires_at
        if not self.actor.id:
            raise NotSignedIn
        if until is not None and until <= self._engine.clock.now():
            self.verdict = (frames.NOT_SIGNED_IN, "the sign-in expired")
            raise NotSignedIn

    async def _run(self, ask: Ask) -> bytes:
        self._commands.take()
        message = self._engine.registry.message(ask.do)
        if message.spec.access is Access.SYSTEM:
            raise UnknownMessage(name=ask.do)
        asked: Any = codec.value_of(ask.given, message)
        call: Call[Any] = Call(asked, self.actor, self._origin, ask.key)
        self.is_busy = True
        try:
            outcome = await self._gateway.runner.run(call)
        finally:
            self.is_busy = False
        if outcome.fault is not None:
            return self._fault(ask.id, outcome.fault)
        return frames.answer_frame(ask.id, codec.plain(outcome.result()))

    def _fault(self, number: int | None, fault: Exception) -> bytes:
        error_id = secrets.token_hex(8)
        _LOG.error("a frame could not be answered, error id %s", error_id, exc_info=fault)
        return frames.fault_frame(number, error_id)

    # -- sign in ----------------------------------------------------------------------------------

    async def _sign_in(self, ask: Ask) -> bytes:
        given: SignInHere = codec.value_of(ask.given, SignInHere)
        self.sign_in(given.token)
        until = self.actor.expires_at
        told = {"person_id": self.actor.id, "expires_at": until and instant_text(until)}
        return frames.answer_frame(ask.id, told)

    def sign_in(self, token: str) -> None:
        """Let the connection be whose token this is; refuses a bad one, and another person's.

        A connection that is not signed in yet is closed after a refusal.
        """
        try:
            if not token.isascii():
                raise NotSignedIn
            self._become(self._engine.authenticate(token))
        except NotSignedIn:
            if not self.actor.id:
                self.verdict = (frames.NOT_SIGNED_IN, "the access token is not good")
            raise

    def _become(self, actor: Actor) -> None:
        if not self.actor.id:
            most = self._settings.connections_per_person
            if self._hub.connections_of(actor.id) >= most:
                self.verdict = (frames.TOO_MANY, "too many connections of one person")
                raise TooManyConnections(most=most)
            self.actor = actor
            self._hub.add(self)
        elif actor.id != self.actor.id:
            raise OtherPerson
        self.actor, former = actor, self.actor
        self._is_told = False
        self.patience.deadline = math.inf
        if actor.roles != former.roles:
            self._hub.check_again(self, tuple(self._streams))

    # -- watch ------------------------------------------------------------------------------------

    async def _subscribe(self, ask: Ask) -> None:
        want: Subscribe = codec.value_of(ask.given, Subscribe)
        most = self._settings.subscriptions
        if want.stream not in self._streams and len(self._streams) >= most:
            raise TooManySubscriptions(most=most)
        read = partial(self._engine.subscribe, want.stream, actor=self.actor, after=want.after)
        with self._hub.expecting(want.stream) as channel:
            found = await self._gateway.read(read)
            if not self.wire.is_shut:
                self._begin(ask, want, channel, found)

    def _begin(
        self, ask: Ask, want: Subscribe, channel: Channel, found: Snapshot | list[Envelope]
    ) -> None:
        """Answer, tell what came meanwhile, and go live, all in one turn of the loop."""
        start = found.seq if isinstance(found, Snapshot) else want.after or 0
        came = [] if isinstance(found, Snapshot) else found
        last = start + len(came)
        missed = self._hub.missed(channel, last)
        ending = self._hub.first_ending(self, channel, missed)
        missed = missed[:ending]
        told = self._opening(want, start, found)
        registry = self._engine.registry
        events = [frames.event_frame(envelope, registry) for envelope in [*came, *missed]]
        self._hub.leave(self, want.stream)
        self.wire.answer(b"".join([frames.answer_frame(ask.id, told), *events]))
        self._streams.add(want.stream)
        if ending is None:
            self._hub.enter(self, channel, last + len(missed))
        else:
            self._hub.end(self, want.stream)

    def _opening(
        self, want: Subscribe, start: int, found: Snapshot | list[Envelope]
    ) -> dict[str, Any]:
        now = found.now if isinstance(found, Snapshot) else self._engine.clock.now()
        told: dict[str, Any] = {"stream": want.stream, "seq": start, "now": instant_text(now)}
        if isinstance(found, Snapshot):
            told["resync"] = want.after is not None
            told["snapshot"] = found.parts
        else:
            told["resync"] = False
        return told

    async def _unsubscribe(self, ask: Ask) -> bytes:
        want: Unsubscribe = codec.value_of(ask.given, Unsubscribe)
        self._hub.leave(self, want.stream)
        self._streams.discard(want.stream)
        return frames.answer_frame(ask.id, {"stream": want.stream})

    async def _ping(self, ask: Ask) -> bytes:
        codec.value_of(ask.given, Ping)
        return frames.answer_frame(ask.id, {"now": instant_text(self._engine.clock.now())})
