"""A conversation: what a client's frames are answered, in their order, and when it must end."""

import logging
import math
import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Any

import attrs
import trio

from focusmate_core import codec
from focusmate_core.calls import Call
from focusmate_core.fields import instant_text
from focusmate_core.messages import Access, Actor, Origin
from focusmate_core.refusals import (
    KeyNotTaken,
    Malformed,
    NotSignedIn,
    Refusal,
    TooOften,
    UnknownMessage,
)
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
from focusmate_trio.refusals import (
    SignInExpires,
    TooManyConnections,
)
from focusmate_trio.stream import Wire
from focusmate_trio.vouching import DOOR
from focusmate_trio.watching import Shared, Watching

_LOG = logging.getLogger("focusmate.websocket")

Close = Callable[[int, str], None]
OWN = {"sign_in", "subscribe", "unsubscribe", "ping"}
"""What the door itself does; everything else is a message of the library."""


class Conversation:
    """One connection as the library sees it; `close` ends it with a code and a reason."""

    def __init__(self, shared: Shared, wire: Wire, close: Close) -> None:
        self.wire = wire
        self.watching = Watching(shared, wire, self.close_when_answered)
        self.is_busy = False
        """A message of the library is on its way: the socket may not be read meanwhile."""
        self.patience = trio.CancelScope()
        """Runs out when nobody has signed in."""
        self._shared = shared
        self._engine = shared.engine
        self._settings = shared.settings
        self._origin = Origin(DOOR, connection=self.watching.connection)
        self._close = close
        self.verdict: tuple[int, str] | None = None
        """How it is to be closed once the frame at hand, or the message on its way, is answered."""
        self._is_told = False
        self._frames = Bucket(self._settings.frames_per_second, self._settings.frame_burst)
        self._commands = Bucket(self._settings.commands_per_second, self._settings.command_burst)
        self._strikes = 0

    # -- its life ---------------------------------------------------------------------------------

    def comes_from(self, address: str) -> None:
        """Say so of whatever it asks for."""
        self._origin = attrs.evolve(self._origin, address=address)

    def close(self, code: int, reason: str) -> None:
        """Watch nothing any more and end the connection."""
        self.watching.leave()
        self._close(code, reason)

    def close_when_answered(self, code: int, reason: str) -> None:
        """End the connection, but answer what is on its way first."""
        if self.is_busy:
            self.verdict = (code, reason)
        else:
            self.close(code, reason)

    @property
    def actor(self) -> Actor:
        """Who it is; nobody before the sign-in."""
        return self.watching.actor

    def look_at_expiry(self, now: datetime) -> None:
        """Tell that the sign-in expires; close once it has."""
        until = self.actor.expires_at
        if until is None:
            return
        if until <= now:
            self.close_when_answered(frames.NOT_SIGNED_IN, "the sign-in expired")
        elif until - now <= self._settings.expiry_told and not self._is_told:
            self._is_told = True
            self.wire.push(frames.notice_frame(SignInExpires(expires_at=until)))

    # -- its frames -------------------------------------------------------------------------------

    async def hear(self, raw: str) -> None:
        """Answer one frame; whatever is wrong with it, the connection goes on."""
        number = None
        try:
            told = self._read(raw)
            number = number_of(told)
            self._frames.take()
            answer = await self._do(ask_of(told))
            self._strikes = 0
        except TooOften as refusal:
            answer = frames.refusal_frame(number, refusal)
            self._strike()
        except Refusal as refusal:
            answer = frames.refusal_frame(number, refusal)
        except Exception as fault:  # noqa: BLE001  it is logged, and told with the id it has there
            answer = self._fault(number, fault)
        if answer is not None:
            self.wire.answer(answer)
        if self.verdict is not None:
            self.close(*self.verdict)

    def _read(self, raw: str) -> Any:
        try:
            return codec.loads(raw)
        except Malformed:
            self._frames.take()
            raise

    def count_ping(self) -> None:
        """Count a ping of the client as a frame; no answer to it could say that it is too often."""
        try:
            self._frames.take()
        except TooOften:
            self.close_when_answered(frames.TOO_MANY, "too often")

    def _strike(self) -> None:
        """Part with whoever goes on and on although there is nothing to be had."""
        self._strikes += 1
        if self._strikes > self._settings.frame_burst:
            self.verdict = (frames.TOO_MANY, "too often")

    async def _do(self, ask: Ask) -> bytes | None:
        if ask.do not in OWN:
            return await self._run(ask)
        if ask.key is not None:
            raise KeyNotTaken(name=ask.do)
        if ask.do == "sign_in":
            return self._sign_in(ask)
        self._check_signed_in()
        match ask.do:
            case "subscribe":
                want: Subscribe = codec.value_of(ask.given, Subscribe)
                await self.watching.subscribe(ask.id, want)
                return None
            case "unsubscribe":
                return self._unsubscribe(ask)
            case _:
                return self._ping(ask)

    def _check_signed_in(self) -> None:
        self._check_expiry()
        if not self.actor.id:
            raise NotSignedIn

    def _check_expiry(self) -> None:
        until = self.actor.expires_at
        if until is not None and until <= self._engine.clock.now():
            self.verdict = (frames.NOT_SIGNED_IN, "the sign-in expired")
            raise NotSignedIn

    async def _run(self, ask: Ask) -> bytes:
        self._check_expiry()
        self._commands.take()
        message = self._engine.registry.message(ask.do)
        if message.spec.access is Access.SYSTEM:
            raise UnknownMessage(name=ask.do)
        asked: Any = codec.value_of(ask.given, message)
        call: Call[Any] = Call(asked, self.actor, self._origin, ask.key)
        self.is_busy = True
        try:
            outcome = await self._shared.runner.run(call)
        finally:
            self.is_busy = False
        if not message.spec.is_query:
            self._shared.nudge()
        if outcome.fault is not None:
            return self._fault(ask.id, outcome.fault)
        return frames.answer_frame(ask.id, codec.plain(outcome.result()))

    def _fault(self, number: int | None, fault: Exception) -> bytes:
        # A fault that another process met is in its log, under the id it has there.
        error_id = getattr(fault, "error_id", None) or secrets.token_hex(8)
        _LOG.error("a frame could not be answered, error id %s", error_id, exc_info=fault)
        return frames.fault_frame(number, error_id)

    # -- sign in ----------------------------------------------------------------------------------

    def _sign_in(self, ask: Ask) -> bytes:
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
            # What is remembered of a token may be older than the end of its sign-in.
            self.watching.become(self._engine.authenticate(token, again=True))
            self.watching.token = token
        except NotSignedIn:
            if not self.actor.id:
                self.verdict = (frames.NOT_SIGNED_IN, "the access token is not good")
            raise
        except TooManyConnections:
            self.verdict = (frames.TOO_MANY, "too many connections of one person")
            raise
        self._is_told = False
        self.patience.deadline = math.inf

    # -- the rest of what the door does itself ----------------------------------------------------

    def _unsubscribe(self, ask: Ask) -> bytes:
        want: Unsubscribe = codec.value_of(ask.given, Unsubscribe)
        self.watching.unsubscribe(want.stream)
        return frames.answer_frame(ask.id, {"stream": want.stream})

    def _ping(self, ask: Ask) -> bytes:
        codec.value_of(ask.given, Ping)
        return frames.answer_frame(ask.id, {"now": instant_text(self._engine.clock.now())})
