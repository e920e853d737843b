"""What a handler may use: who asks, the time, the store, and what it says has happened."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, TypeVar

from focusmate_core import codec
from focusmate_core.deadlines import Deadline
from focusmate_core.doubts import Doubts
from focusmate_core.entities import Entity
from focusmate_core.finding import Find, Page
from focusmate_core.messages import Actor, Command, Event, Message, Origin
from focusmate_core.outbox import Fresh
from focusmate_core.ports.ids import Ids
from focusmate_core.ports.storage import Reader, Unit
from focusmate_core.registry import Registry

E = TypeVar("E", bound=Entity)
P = TypeVar("P")
R = TypeVar("R")

Ports = Mapping[type, Any]


def port_of(ports: Ports, port: type[P], *, slow_too: bool) -> P:
    """The adapter that was wired for a port; LookupError or TypeError with what to do."""
    if port not in ports:
        msg = f"no {port.__name__} is wired: give the engine ports={{{port.__name__}: …}}"
        raise LookupError(msg)
    if getattr(port, "slow", False) and not slow_too:
        msg = f"{port.__name__} is slow and would hold the write lock: use it in a @prepares step"
        raise TypeError(msg)
    found: P = ports[port]
    return found


def setting_of(ports: Ports, setting: type[P]) -> P:
    """What the embedder set, given among the ports; the class's own defaults otherwise."""
    found: P = ports[setting] if setting in ports else setting()
    return found


class QueryContext:
    """What a query may use: all of it only reads."""

    __slots__ = ("_ports", "_registry", "actor", "now", "origin", "store")

    def __init__(
        self,
        actor: Actor,
        origin: Origin,
        now: datetime,
        store: Reader,
        ports: Ports,
        registry: Registry,
    ) -> None:
        self.actor = actor
        self.origin = origin
        self.now = now
        self.store = store
        self._ports = ports
        self._registry = registry

    def contributions(
        self, to: str, key: str, only: Container[str] | None = None
    ) -> dict[str, Any]:
        """What the features add to a whole (`@contributes`), each under its part's name."""
        parts = self._registry.contributions.get(to, {})
        return {
            name: part(key, self) for name, part in parts.items() if only is None or name in only
        }

    def port(self, port: type[P]) -> P:
        """What is wired for a quick port."""
        return port_of(self._ports, port, slow_too=False)

    def setting(self, setting: type[P]) -> P:
        """What was set of this class of settings, or its defaults."""
        return setting_of(self._ports, setting)


class Preparation(QueryContext):
    """What a step before the unit of work may use: the slow ports too."""

    __slots__ = ()

    def port(self, port: type[P]) -> P:
        """What is wired for any port."""
        return port_of(self._ports, port, slow_too=True)


class Store:
    """The unit's storage as one message sees it: what was read once is not read again."""

    __slots__ = ("_held", "_is_alone", "_seen", "_unit")

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._is_alone = unit.is_alone
        self._seen: dict[Any, Any] = {}
        self._held: set[Any] = set()

    def get(self, entity: type[E], key: Any, *, hold: bool = False) -> E | None:
        """The thing under a key, or None; `hold` locks it until the unit of work ends."""
        at = (entity, entity.declared.key_from(key))
        if at in self._seen and (not hold or self._is_alone or at in self._held):
            seen: E | None = self._seen[at]
            return seen
        if hold:
            self._held.add(at)
        found = self._seen[at] = self._unit.get(entity, key, hold=hold)
        return found

    def get_many(self, entity: type[E], keys: Sequence[Any]) -> dict[Any, E]:
        """The things under these keys, by key; those that are not there are left out."""
        return self._unit.get_many(entity, keys)

    def put(self, thing: E) -> E:
        """Insert (version 0) or update what was read; gives what is stored, to go on with."""
        stored = self._unit.put(thing)
        declared = thing.declared
        self._seen[declared.cls, declared.key_of(stored)] = stored
        return stored

    def delete(self, entity: type[Entity], key: Any) -> bool:
        """Remove what is under a key; whether there was something."""
        self._seen.pop((entity, entity.declared.key_from(key)), None)
        return self._unit.delete(entity, key)

    def find(self, asked: Find[E]) -> Page[E]:
        """One page of what was asked for; NoIndex if no declared index serves it."""
        return self._unit.find(asked)

    def count(self, asked: Find[E], bound: int) -> int:
        """How many there are, counted no further than the bound."""
        return self._unit.count(asked, bound)


class Context:
    """What a command's handler, a reaction or a settler may use in its unit of work."""

    __slots__ = (
        "_doubts",
        "_emitted",
        "_fresh",
        "_ids",
        "_ports",
        "_registry",
        "_unit",
        "actor",
        "at",
        "now",
        "origin",
        "prepared",
        "store",
    )

    def __init__(  # noqa: PLR0913  what it holds; the engine alone makes one
        self,
        *,
        actor: Actor,
        origin: Origin,
        now: datetime,
        unit: Unit,
        fresh: list[Fresh],
        ids: Ids,
        ports: Ports,
        registry: Registry,
        doubts: Doubts,
        prepared: Any = None,
    ) -> None:
        self.actor = actor
        self.origin = origin
        self.now = now
        self.at = now
        self.store = Store(unit)
        self.prepared = prepared
        self._unit = unit
        self._fresh = fresh
        self._ids = ids
        self._ports = ports
        self._registry = registry
        self._doubts = doubts
        self._emitted: list[tuple[Event, datetime]] = []

    def new_id(self) -> str:
        """A new UUIDv7."""
        return self._ids.new(self.now)

    def port(self, port: type[P]) -> P:
        """What is wired for a quick port."""
        return port_of(self._ports, port, slow_too=False)

    def setting(self, setting: type[P]) -> P:
        """What was set of this class of settings, or its defaults."""
        return setting_of(self._ports, setting)

    def emit(self, event: Event, *, to: str | Iterable[str], at: datetime | None = None) -> None:
        """Say that something happened, on one or several streams; on none, to reactions alone.

        `at` is when it truly did: now, or in a reaction when that happened which it reacts to.
        """
        fact, at = event.fact, at or self.at
        streams = (to,) if isinstance(to, str) else tuple(to)
        data = codec.dumps(codec.plain(event)) if streams else ""
        for stream in streams:
            self._fresh.append(Fresh(stream, fact.wire, fact.version, at, self.now, data))
        if fact.ends_sign_in is not None:
            self._doubts.have(getattr(event, fact.ends_sign_in))
        self._emitted.append((event, at))

    def schedule(self, key: str, due_at: datetime, message: Command[Any]) -> None:
        """Have a message executed at an instant; it takes the place of the one under this key."""
        spec = message.spec
        data = codec.dumps(codec.plain(message))
        self._unit.schedule(Deadline(key, due_at, spec.wire, spec.version, data, try_at=due_at))

    def unschedule(self, key: str) -> None:
        """Forget the deadline under this key, if there is one."""
        self._unit.unschedule(key)

    def contributions(self, to: str, key: str) -> dict[str, Any]:
        """What the features add to a whole (`@contributes`), each under its part's name."""
        return {name: part(key, self) for name, part in self._contributors(to).items()}

    def contributors(self, to: str) -> tuple[str, ...]:
        """The names of the parts that the features add to a whole."""
        return tuple(self._contributors(to))

    def _contributors(self, to: str) -> Mapping[str, Callable[..., Any]]:
        return self._registry.contributions.get(to, {})

    def vouch(self) -> bool:
        """Look at the actor again if there are doubts; whether they are another than they were."""
        before = self.actor
        if before.sign_in and self._doubts.about(before.id):
            for voucher in self._registry.vouchers:
                self.actor = voucher(self.actor, self)
        return self.actor != before

    def touch(self, kind: str, key: str) -> None:
        """Bring one thing up to now for the actor, who is refused if they may not know of it."""
        may_know = self._registry.knowers.get(kind)
        if may_know is not None:
            may_know(key, self)
        self.settle(kind, key)

    def settle(self, kind: str, *keys: str) -> None:
        """Bring things up to now: every step that is due, each at its own instant, in order."""
        steps = [
            (key, n, each)
            for key in keys
            for n, each in enumerate(self._registry.settlers.get(kind, ()))
        ]
        meanwhile = self.at
        while True:
            due = [(at, key, n, each) for key, n, each in steps if (at := each.when(key, self))]
            if not due:
                break
            at, key, _, first = min(due, key=itemgetter(0, 1, 2))
            if at > self.now:
                break
            self.at = at
            first.step(key, self)
            self.react()
        self.at = meanwhile

    def due(self, kind: str, key: str) -> datetime | None:
        """When the first step is due that brings one thing up to date; None while there is none."""
        steps = self._registry.settlers.get(kind, ())
        return min((at for each in steps if (at := each.when(key, self))), default=None)

    def react(self) -> None:
        """Run the reactions to what was emitted, and to what they emit in turn."""
        meanwhile = self.at
        while self._emitted:
            emitted, self._emitted = self._emitted, []
            for event, self.at in emitted:
                for reaction in self._registry.reactions.get(type(event), ()):
                    reaction(event, self)
        self.at = meanwhile


class Outside:
    """What a subscriber may use after the commit: slow ports, and messages of its own."""

    __slots__ = ("_execute", "_ports", "now")

    def __init__(self, now: datetime, ports: Ports, execute: Callable[..., Any]) -> None:
        self.now = now
        self._ports = ports
        self._execute = execute

    def port(self, port: type[P]) -> P:
        """What is wired for any port."""
        return port_of(self._ports, port, slow_too=True)

    def execute(self, message: Message[R], *, actor: Actor) -> R:
        """Execute a message in a unit of work of its own."""
        answer: R = self._execute(message, actor=actor)
        return answer
