"""Work: one message in a unit of work; what is due, its handler, reactions, its key's answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from focusmate_core import codec
from focusmate_core.calls import Call, Outcome
from focusmate_core.context import Context, Ports
from focusmate_core.doubts import Doubts
from focusmate_core.idempotency import KEPT, Answer, fingerprint
from focusmate_core.messages import Access, Actor, Message, Origin
from focusmate_core.outbox import Fresh
from focusmate_core.ports.clock import Clock
from focusmate_core.ports.ids import Ids
from focusmate_core.ports.storage import Unit
from focusmate_core.refusals import (
    BadInput,
    KeyReused,
    NotAllowed,
    NotSignedIn,
    Refusal,
    Unavailable,
)
from focusmate_core.registry import Registry

WHO = {
    Access.MODERATOR: "a moderator",
    Access.ADMIN: "an admin",
    Access.SYSTEM: "the library itself",
}


def admit(actor: Actor, access: Access) -> None:
    """Refuse whom messages of this access are not open to: `NotSignedIn`, `NotAllowed`."""
    if actor.may(access):
        return
    if not actor.id and access is not Access.SYSTEM:
        raise NotSignedIn
    raise NotAllowed(needed=WHO[access])


class Work:
    """Carries out messages in units of work that its caller opens and commits."""

    def __init__(self, registry: Registry, clock: Clock, ids: Ids, ports: Ports) -> None:
        self.registry = registry
        self._clock = clock
        self._ids = ids
        self._ports = ports
        self._doubts = Doubts(clock)
        self._latest = datetime.max.replace(tzinfo=UTC)
        """Whoever comes earlier than this finds a clock that was set back, or may have been."""

    def now(self) -> datetime:
        """The clock's time."""
        return self._clock.now()

    def note(self, now: datetime, outcomes: Sequence[Outcome[Any]]) -> None:
        """A unit of work that began at this instant was committed."""
        if now >= self._latest or any(each.is_done for each in outcomes):
            self._latest = now

    def guarded(self, call: Call[Any], unit: Unit, fresh: list[Fresh]) -> Outcome[Any]:
        """What becomes of a call under a savepoint of its own; raises `Unavailable` alone."""
        mark = len(fresh)
        try:
            with unit.savepoint():
                return self.carry_out(call, unit, fresh)
        except Unavailable:
            raise
        except Exception as failed:  # noqa: BLE001  it is the call's outcome
            del fresh[mark:]
            return Outcome.of(failed)

    def carry_out(self, call: Call[Any], unit: Unit, fresh: list[Fresh]) -> Outcome[Any]:
        """Settle what is due, handle, react; an answer that was given under this key before."""
        ctx = self.context(call.actor, call.origin, unit, fresh, call.prepared)
        if ctx.vouch():
            admit(ctx.actor, call.message.spec.access)
        if ctx.now < self._latest:
            ctx.settle("clock", "")
        if call.key is None:
            return self._handle(call.message, ctx)
        known = self._answered(call, ctx)
        if known is not None:
            return known
        outcome = self._handle(call.message, ctx)
        if outcome.refusal is None:
            self._remember(call, ctx, outcome.answer)
        return outcome

    def context(
        self, actor: Actor, origin: Origin, unit: Unit, fresh: list[Fresh], prepared: Any = None
    ) -> Context:
        """What one message may use in a unit of work."""
        return Context(
            actor=actor,
            origin=origin,
            now=self._clock.now(),
            unit=unit,
            fresh=fresh,
            ids=self._ids,
            ports=self._ports,
            registry=self.registry,
            doubts=self._doubts,
            prepared=prepared,
        )

    def _handle(self, message: Message[Any], ctx: Context) -> Outcome[Any]:
        spec = message.spec
        for kind, name in spec.touches:
            ctx.touch(kind, getattr(message, name))
        answer = self.registry.handlers[type(message)](message, ctx)
        ctx.react()
        if isinstance(answer, Refusal):
            return Outcome(refusal=_declared(answer, spec.leaves, spec.wire))
        return Outcome(answer=answer)

    def _answered(self, call: Call[Any], ctx: Context) -> Outcome[Any] | None:
        known = ctx.store.get(Answer, (call.actor.id, call.key))
        if known is None or known.expires_at <= ctx.now:
            return None
        if known.fingerprint != fingerprint(call.message):
            raise KeyReused
        try:
            answer = codec.value_of(codec.loads(known.answer), call.message.spec.answers)
        except BadInput as changed:
            msg = f"the answer of «{call.message.spec.wire}» is kept in a form of another version"
            raise LookupError(msg) from changed
        return Outcome(answer=answer)

    def _remember(self, call: Call[Any], ctx: Context, answer: Any) -> None:
        former = ctx.store.get(Answer, (call.actor.id, call.key))
        ctx.store.put(
            Answer(
                caller=call.actor.id,
                key=call.key or "",
                fingerprint=fingerprint(call.message),
                answer=codec.dumps(codec.plain(answer)),
                expires_at=ctx.now + KEPT,
                version=former.version if former else 0,
            )
        )


def _declared(answer: Refusal, leaves: tuple[type[Refusal], ...], wire: str) -> Refusal:
    if not isinstance(answer, leaves):
        msg = f"«{wire}» returned {type(answer).__name__}: raise it, or declare leaves=[…]"
        raise TypeError(msg)
    return answer
