"""The engine: the one way in; access, preparation, idempotency, unit of work, reactions, outbox."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from types import ModuleType
from typing import Any, TypeVar

import attrs

from focusmate_core import upkeep
from focusmate_core.bearers import Bearers
from focusmate_core.calls import Call, Outcome
from focusmate_core.context import Ports, Preparation, QueryContext
from focusmate_core.idempotency import Answer, check_key
from focusmate_core.messages import (
    ANONYMOUS,
    Actor,
    Message,
    Origin,
)
from focusmate_core.outbox import Envelope, Fresh
from focusmate_core.ports.clock import Clock
from focusmate_core.ports.ids import Ids
from focusmate_core.ports.storage import Reader, Storage
from focusmate_core.refusals import (
    Conflict,
    NotSignedIn,
    Unavailable,
)
from focusmate_core.registry import Registry
from focusmate_core.streams import Snapshot, Streams
from focusmate_core.subscriptions import Place, Turns
from focusmate_core.work import Work, admit

R = TypeVar("R")

TRIES = 10
"""How often a message is tried again when somebody else changed what it read."""
PREPARED_WITHIN = timedelta(minutes=5)
"""What may lie, at the most, between a call's preparation and its unit of work."""


class Engine:
    """Executes messages against one storage. Thread-safe when its ports are; holds no thread.

    `features` are modules from the ground up, such as `focusmate_core.features.BUNDLED`. `ports`
    maps further port classes to their adapters. `authenticate` replaces what a token means.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        clock: Clock,
        ids: Ids,
        features: Iterable[ModuleType],
        ports: Ports | None = None,
        authenticate: Callable[[str], Actor] | None = None,
    ) -> None:
        self.storage = storage
        self.clock = clock
        self.ids = ids
        self.ports: Ports = ports or {}
        self.registry = Registry(features)
        self._authenticate = authenticate
        self._bearers = Bearers(self._look_at, self.registry, clock)
        self._work = Work(self.registry, clock, ids, self.ports)
        self._streams = Streams(storage, self.registry, clock, self.ports)
        storage.open(self.entities)

    @property
    def entities(self) -> tuple[type[Any], ...]:
        """All entities that are stored: the features' and the engine's own."""
        return (*self.registry.entities.values(), Answer, Place)

    # -- one message ------------------------------------------------------------------------------

    def execute(
        self,
        message: Message[R],
        *,
        actor: Actor = ANONYMOUS,
        key: str | None = None,
        origin: Origin = Origin(),
    ) -> R:
        """Carry out one message and give its answer; raises its refusal, and then nothing remains.

        `key` is an idempotency key: within 24 h the same caller, key and content get the same
        answer and one effect.
        """
        return self.outcome(Call(message, actor, origin, key)).result()

    def outcome(self, call: Call[R]) -> Outcome[R]:
        """What becomes of one call, prepared and run alone; never raises for it."""
        try:
            ready = self.ready(call)
        except Exception as failed:  # noqa: BLE001  it is the call's outcome
            return Outcome.of(failed)
        run = self.answer if call.message.spec.is_query else self.run
        return run([ready])[0]

    def ready(self, call: Call[R]) -> Call[R]:
        """What comes before the unit of work: access, the key's form, and the slow preparation."""
        admit(call.actor, call.message.spec.access)
        if call.key is not None:
            check_key(call.key, call.message)
            if not call.actor.id:
                # Nobody's keys would be everybody's.
                raise NotSignedIn
        step = self.registry.preparations.get(type(call.message))
        if step is None:
            return call
        now = self.clock.now()
        with self.storage.read() as reader:
            known = call.key and reader.get(Answer, (call.actor.id, call.key))
            if known and known.expires_at > now + PREPARED_WITHIN:
                # It was carried out before: the unit of work will find the answer and give it.
                return call
            ctx = Preparation(call.actor, call.origin, now, reader, self.ports, self.registry)
            return attrs.evolve(call, prepared=step(call.message, ctx))

    def is_slow(self, message: Message[Any]) -> bool:
        """Whether `ready` may take long, so that a door calls it from a pool of threads."""
        return type(message) in self.registry.preparations

    # -- many messages, one commit ----------------------------------------------------------------

    def run(self, calls: Sequence[Call[Any]]) -> list[Outcome[Any]]:
        """Carry out commands that are ready: one commit for all, each under its own savepoint.

        Never raises for a call. Who lost against another writer is tried again alone; when the
        commit itself fails, each is. `Unavailable` is told to all, and nothing was done.
        """
        outcomes = self._run_once(calls)
        return [
            self._run_again(call) if isinstance(outcome.refusal, Conflict) else outcome
            for call, outcome in zip(calls, outcomes, strict=True)
        ]

    def _run_again(self, call: Call[Any]) -> Outcome[Any]:
        for _ in range(TRIES):
            outcome = self._run_once([call])[0]
            if not isinstance(outcome.refusal, Conflict):
                return outcome
        return Outcome(refusal=Unavailable(retry_after=1))

    def _run_once(self, calls: Sequence[Call[Any]]) -> list[Outcome[Any]]:
        fresh: list[Fresh] = []
        now = self.clock.now()
        try:
            with self.storage.write() as unit:
                outcomes = [self._work.guarded(call, unit, fresh) for call in calls]
                if fresh:
                    unit.append(fresh)
        except Unavailable as away:
            return [Outcome(refusal=away) for _ in calls]
        except Exception as failed:  # noqa: BLE001  it is the call's outcome
            if len(calls) > 1:
                return [self._run_once([call])[0] for call in calls]
            return [Outcome.of(failed)]
        self._work.note(now, outcomes)
        self._bearers.forget(fresh)
        return outcomes

    # -- queries ----------------------------------------------------------------------------------

    def answer(self, calls: Sequence[Call[Any]]) -> list[Outcome[Any]]:
        """Answer queries that are ready from one consistent view. Never raises for a call."""
        try:
            with self.storage.read() as reader:
                return [self._ask(call, reader) for call in calls]
        except Unavailable as away:
            return [Outcome(refusal=away) for _ in calls]

    def _ask(self, call: Call[Any], reader: Reader) -> Outcome[Any]:
        ctx = self._query_context(call.actor, call.origin, reader)
        try:
            return Outcome(answer=self.registry.handlers[type(call.message)](call.message, ctx))
        except Unavailable:
            raise
        except Exception as failed:  # noqa: BLE001  it is the call's outcome
            return Outcome.of(failed)

    def _query_context(self, actor: Actor, origin: Origin, reader: Reader) -> QueryContext:
        now = self.clock.now()
        return QueryContext(actor, origin, now, reader, self.ports, self.registry)

    # -- who asks ---------------------------------------------------------------------------------

    def authenticate(self, token: str, *, again: bool = False) -> Actor:
        """Who a token stands for; `NotSignedIn` if it is wrong, expired, or nothing vouches.

        A token of an actor that says when it expires is remembered for at most five seconds, and
        no longer than until this engine commits that a sign-in of theirs ended; any other is looked
        at each time, and every one when asked `again`. Several features may authenticate: the first
        that knows the token does. Raises `Unavailable`.
        """
        return self._bearers.of(token, again=again)

    def _look_at(self, token: str) -> Actor:
        if self._authenticate is not None:
            return self._authenticate(token)
        with self.storage.read() as reader:
            ctx = self._query_context(ANONYMOUS, Origin(), reader)
            for look in self.registry.authenticators:
                try:
                    actor: Actor = look(token, ctx)
                except NotSignedIn:
                    continue
                return actor
        raise NotSignedIn

    # -- streams ----------------------------------------------------------------------------------

    def subscribe(
        self, stream: str, *, actor: Actor, after: int | None = None
    ) -> Snapshot | list[Envelope]:
        """Begin to watch a stream: what came after number `after`, or a snapshot.

        A snapshot also where what came after it is no longer held or too much. One consistent view:
        nothing lies between the snapshot and its number. Refuses whoever may not watch.
        """
        return self._streams.subscribe(stream, actor=actor, after=after)

    def may_watch(self, stream: str, *, actor: Actor) -> bool:
        """Whether this actor may watch this stream now."""
        return self._streams.may_watch(stream, actor=actor)

    def snapshot(self, stream: str) -> Snapshot:
        """The stored facts of a stream and its number, in one view; asks nobody's leave."""
        return self._streams.snapshot(stream)

    # -- what is due ------------------------------------------------------------------------------

    def run_due(self, limit: int = 256) -> int:
        """Execute what is due, at most `limit` deadlines, in one unit of work; how many there were.

        Each takes effect once, however many workers call this. A refusal clears the deadline; a
        fault is tried again later and parked in the end. Raises `Unavailable`.
        """
        return upkeep.run_due(self.storage, self._work, self._bearers.forget, limit)

    def run_subscribers(self, limit: int = 100) -> int:
        """Let each subscriber hear what came since its place; how many events were heard.

        At least once, in outbox order, each subscriber on its own: a fault of one is kept in its
        place and holds back no other. One that is new hears what comes after its first turn.
        """
        turns = Turns(self.storage, self.registry, self.clock, self.ports, self.execute)
        return sum(turns.take(each, limit) for each in self.registry.subscriptions.values())

    # -- what nobody needs any more ---------------------------------------------------------------

    def sweep(self, *, retention: timedelta, limit: int = 500) -> int:
        """Delete, at most `limit` of each kind, what is older than its time; how many there were.

        The outbox keeps `retention`; a subscriber that has not seen what goes is parked first.
        """
        return upkeep.sweep(self.storage, self._work, self._bearers.forget, retention, limit)
