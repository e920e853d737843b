"""The registry: what the loaded features declare, found by wire name, class or kind."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

import attrs

from focusmate_core import codec, refusals
from focusmate_core.entities import Entity
from focusmate_core.messages import Event, Mark, Message
from focusmate_core.refusals import Refusal, UnknownMessage

Function = Callable[..., Any]


class BadFeature(Exception):
    """A feature contradicts itself or another; the text names both and what to change."""


@attrs.frozen
class Settler:
    """One step that brings a thing up to now, and what says when it is due."""

    when: Function
    step: Function


@attrs.frozen
class Subscription:
    """One subscriber: under which name its place is kept, what it hears, what it does."""

    name: str
    events: tuple[type[Event], ...]
    function: Function


class Registry:
    """All declarations of some feature modules; the modules come from the ground up."""

    def __init__(self, modules: Iterable[ModuleType]) -> None:
        self.modules = tuple(modules)
        self.messages: dict[str, type[Message[Any]]] = {}
        self.events: dict[str, type[Event]] = {}
        self.entities: dict[str, type[Entity]] = {}
        self.refusals: dict[str, type[Refusal]] = {}
        self.handlers: dict[type, Function] = {}
        self.preparations: dict[type, Function] = {}
        self.reactions: dict[type, list[Function]] = defaultdict(list)
        self.subscriptions: dict[str, Subscription] = {}
        self.settlers: dict[str, list[Settler]] = defaultdict(list)
        self.snapshots: dict[str, dict[str, Function]] = defaultdict(dict)
        self.reducers: dict[type, list[tuple[str, Function]]] = defaultdict(list)
        self.guards: dict[str, Function] = {}
        self.knowers: dict[str, Function] = {}
        self.vouchers: list[Function] = []
        self.contributions: dict[str, dict[str, Function]] = defaultdict(dict)
        self.sweepers: list[Function] = []
        self.authenticators: list[Function] = []
        self.upcasters: dict[tuple[str, int], Function] = {}
        for module in (refusals, *self.modules):
            self._read(module)
        self._check()

    def message(self, wire: str) -> type[Message[Any]]:
        """The message class of a wire name; `UnknownMessage` if no feature has it."""
        found = self.messages.get(wire)
        if found is None:
            raise UnknownMessage(name=wire[:100])
        return found

    def decode_message(self, wire: str, version: int, data: str) -> Message[Any]:
        """A stored message, brought to the version of today's class."""
        cls = self.message(wire)
        current: Message[Any] = codec.value_of(self._upcast(wire, version, data), cls)
        return current

    def decode_event(self, wire: str, version: int, data: str) -> Event:
        """A stored event, brought to the version of today's class; LookupError if unknown."""
        cls = self.events.get(wire)
        if cls is None:
            msg = f"the outbox holds «{wire}», which no loaded feature knows"
            raise LookupError(msg)
        current: Event = codec.value_of(self._upcast(wire, version, data), cls)
        return current

    def apply(self, parts: dict[str, Any], event: Event, at: Any) -> dict[str, Any]:
        """The parts of a snapshot after an event: pure, by the features' reducers."""
        made = dict(parts)
        for part, reducer in self.reducers.get(type(event), ()):
            if part in made:
                made[part] = reducer(made[part], event, at)
        return made

    def _upcast(self, wire: str, version: int, data: str) -> Any:
        plain = codec.loads(data)
        while (wire, version) in self.upcasters:
            plain = self.upcasters[wire, version](plain)
            version += 1
        return plain

    def _read(self, module: ModuleType) -> None:
        for thing in vars(module).values():
            if getattr(thing, "__module__", None) != module.__name__:
                continue
            if inspect.isclass(thing):
                self._read_class(thing)
            for mark in getattr(thing, "focusmate_marks", ()):
                self._read_mark(mark, thing)

    def _read_class(self, cls: Any) -> None:
        if "spec" in vars(cls):
            _once(self.messages, cls.spec.wire, cls)
        elif "fact" in vars(cls):
            _once(self.events, cls.fact.wire, cls)
        elif "declared" in vars(cls):
            _once(self.entities, cls.declared.name, cls)
        elif issubclass(cls, Refusal) and "code" in vars(cls):
            _once(self.refusals, cls.code, cls)

    def _read_mark(self, mark: Mark, function: Function) -> None:
        getattr(self, f"_read_{mark.role}")(mark, function)

    def _read_handler(self, mark: Mark, function: Function) -> None:
        _once(self.handlers, mark.about, function)

    def _read_prepares(self, mark: Mark, function: Function) -> None:
        _once(self.preparations, mark.about, function)

    def _read_reacts(self, mark: Mark, function: Function) -> None:
        self.reactions[mark.about].append(function)

    def _read_subscriber(self, mark: Mark, function: Function) -> None:
        _once(self.subscriptions, mark.part, Subscription(mark.part, mark.about, function))

    def _read_settles(self, mark: Mark, function: Function) -> None:
        kind, when = mark.about
        self.settlers[kind].append(Settler(when, function))

    def _read_snapshot(self, mark: Mark, function: Function) -> None:
        _once(self.snapshots[mark.about], mark.part, function)

    def _read_applies(self, mark: Mark, function: Function) -> None:
        self.reducers[mark.about].append((mark.part, function))

    def _read_watches(self, mark: Mark, function: Function) -> None:
        _once(self.guards, mark.about, function)

    def _read_vouches(self, _: Mark, function: Function) -> None:
        self.vouchers.append(function)

    def _read_knows(self, mark: Mark, function: Function) -> None:
        _once(self.knowers, mark.about, function)

    def _read_contributes(self, mark: Mark, function: Function) -> None:
        _once(self.contributions[mark.about], mark.part, function)

    def _read_sweeps(self, _: Mark, function: Function) -> None:
        self.sweepers.append(function)

    def _read_authenticates(self, _: Mark, function: Function) -> None:
        self.authenticators.append(function)

    def _read_upcasts(self, mark: Mark, function: Function) -> None:
        _once(self.upcasters, (mark.about, int(mark.part)), function)

    def _check(self) -> None:
        known = set(self.messages.values())
        for lonely in known - set(self.handlers):
            msg = f"{lonely.__name__} has no @handler: write one in {lonely.__module__}"
            raise BadFeature(msg)
        for stray in set(self.handlers) - known:
            msg = f"{self.handlers[stray].__name__} handles {stray.__name__}, which nobody declares"
            raise BadFeature(msg)
        self._check_events(set(self.events.values()))
        for message in known:
            unknown = {name for _, name in message.spec.touches} - set(attrs.fields_dict(message))
            if unknown:
                msg = f"{message.__name__} touches {sorted(unknown)}, which are not its fields"
                raise BadFeature(msg)

    def _check_events(self, known: set[type[Event]]) -> None:
        heard = {*self.reactions, *self.reducers}
        heard |= {each for one in self.subscriptions.values() for each in one.events}
        for stray in heard - known:
            msg = f"something waits for {stray.__name__}, which nobody declares: load its feature"
            raise BadFeature(msg)
        for stray in set(self.preparations) - set(self.messages.values()):
            msg = (
                f"{self.preparations[stray].__name__} prepares {stray.__name__}: nobody declares it"
            )
            raise BadFeature(msg)


def _once(table: dict[Any, Any], name: Any, thing: Any) -> None:
    if table.setdefault(name, thing) is not thing:
        msg = f"{thing!r} and {table[name]!r} both claim {name!r}: rename one"
        raise BadFeature(msg)
