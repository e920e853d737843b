"""Messages: commands, queries, events, values, and the decorators that mark what answers them."""

from __future__ import annotations

import enum
import functools
import inspect
import operator
import typing
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar, dataclass_transform

import attrs

from focusmate_core.fields import cleaning, hiding
from focusmate_core.refusals import Refusal

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
C = TypeVar("C", bound=type)
V = TypeVar("V", bound="Value")
F = TypeVar("F", bound=Callable[..., Any])


class Access(enum.Enum):
    """Who may send a message at all; ownership and a room's roles are decided by the nouns."""

    ANYONE = "anyone"
    SIGNED_IN = "signed in"
    MODERATOR = "moderator"
    ADMIN = "admin"
    SYSTEM = "system"
    """Only the library itself, by a deadline; no door offers it."""


class Value:
    """A value without identity: a view, a part of a message, a nested value of an entity."""

    __slots__ = ()
    if TYPE_CHECKING:
        __attrs_attrs__: ClassVar[tuple[attrs.Attribute[Any], ...]]

    def but(self, **changes: Any) -> Self:
        """The same value with some fields changed."""
        return view_of(type(self), self, **changes)


def view_of(cls: type[V], source: Any, **more: Any) -> V:
    """A view made of the source's fields of the same names, and of `more`."""
    names, read = _taken(cls, tuple(more))  # type: ignore[arg-type]  # a class can be hashed
    return cls(**dict(zip(names, read(source), strict=True)), **more)


@functools.cache
def _taken(
    cls: type[Value], given: tuple[str, ...]
) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]:
    """Which fields a view takes from its source where these are given, and what reads them."""
    names = tuple(field.name for field in cls.__attrs_attrs__ if field.name not in given)
    if len(names) > 1:
        return names, operator.attrgetter(*names)
    return names, lambda source: tuple(getattr(source, name) for name in names)


class Message(Value, Generic[R_co]):
    """What a door hands to the engine; `R_co` is the type of the answer."""

    __slots__ = ()
    spec: ClassVar[Spec]


class Command(Message[R_co]):
    """A request that may change something; named in the imperative."""

    __slots__ = ()


class Query(Message[R_co]):
    """A request that changes nothing; named by a noun."""

    __slots__ = ()


class Event(Value):
    """A fact; named in the past. It bears nothing that goes stale when it is read later."""

    __slots__ = ()
    fact: ClassVar[Fact]


@attrs.frozen
class Spec:
    """What is declared of a command or a query beside its fields."""

    wire: str
    access: Access
    version: int = 1
    answers: Any = None
    """The type of the answer, as written in `Command[...]`."""
    secret: bool = False
    """It carries or answers with a secret: no idempotency key, never logged."""
    touches: tuple[tuple[str, str], ...] = ()
    """Pairs of a kind and the field with its id: what is due for these is settled first."""
    leaves: tuple[type[Refusal], ...] = ()
    """Refusals its handler may return instead of raise: what was done remains."""
    is_query: bool = False
    lags: bool = False
    """A query of what was settled: what is due and not met yet is missing in the answer."""


@attrs.frozen
class Fact:
    """What is declared of an event beside its fields."""

    wire: str
    version: int = 1
    ends_watching: str | None = None
    """The field with the person who may no longer watch the stream this event went to."""
    ends_sign_in: str | None = None
    """The field with the person of whom a sign-in has ended: their tokens are looked at again."""


@dataclass_transform(kw_only_default=True, frozen_default=True)
def value(cls: C) -> C:
    """Make a value class: frozen, keyword-only, its fields cleaned by their rules."""
    return attrs.define(frozen=True, kw_only=True, slots=True, field_transformer=cleaning)(cls)


@dataclass_transform(kw_only_default=True, frozen_default=True)
def view(cls: C) -> C:
    """Make a value class whose fields are not checked again: made by a handler, of clean values."""
    return attrs.define(frozen=True, kw_only=True, slots=True, field_transformer=hiding)(cls)


def _answer_type(cls: type) -> Any:
    for base in getattr(cls, "__orig_bases__", ()):
        if typing.get_origin(base) in {Command, Query}:
            return typing.get_args(base)[0]
    msg = f"{cls.__name__} says no answer: derive it from Command[...] or Query[...]"
    raise TypeError(msg)


def _request(wire: str, *, is_query: bool, **declared: Any) -> Callable[[C], C]:
    def build(cls: C) -> C:
        made = value(cls)
        made.spec = Spec(wire=wire, is_query=is_query, answers=_answer_type(cls), **declared)  # type: ignore[attr-defined]
        return made

    return build


@dataclass_transform(kw_only_default=True, frozen_default=True)
def command(
    wire: str,
    *,
    access: Access = Access.SIGNED_IN,
    version: int = 1,
    secret: bool = False,
    touches: dict[str, str] | None = None,
    leaves: Iterable[type[Refusal]] = (),
) -> Callable[[C], C]:
    """Make a command class under a wire name, which is written by hand since classes may move.

    `touches` maps a kind (`"room"`) to the field that holds its id: whatever is already due for it
    is settled before the handler runs. `leaves` names the refusals the handler may return.
    """
    pairs = tuple((touches or {}).items())
    return _request(
        wire,
        is_query=False,
        access=access,
        version=version,
        secret=secret,
        touches=pairs,
        leaves=tuple(leaves),
    )


@dataclass_transform(kw_only_default=True, frozen_default=True)
def query(
    wire: str, *, access: Access = Access.SIGNED_IN, secret: bool = False, lags: bool = False
) -> Callable[[C], C]:
    """Make a query class under a wire name.

    A query projects what is stored to now; one that `lags` answers from the records alone, which
    the worker makes when they are due.
    """
    return _request(wire, is_query=True, access=access, secret=secret, lags=lags)


@dataclass_transform(kw_only_default=True, frozen_default=True)
def event(
    wire: str,
    *,
    version: int = 1,
    ends_watching: str | None = None,
    ends_sign_in: str | None = None,
) -> Callable[[C], C]:
    """Make an event class under a wire name."""

    def build(cls: C) -> C:
        made = view(cls)
        made.fact = Fact(wire, version, ends_watching, ends_sign_in)  # type: ignore[attr-defined]
        return made

    return build


@attrs.frozen
class Mark:
    """What a decorator left on a function for the loader to find; marking registers nothing."""

    role: str
    about: Any
    part: str = ""


def _mark(function: F, role: str, about: Any, part: str = "") -> F:
    marks = [*getattr(function, "focusmate_marks", ()), Mark(role, about, part)]
    function.focusmate_marks = tuple(marks)  # type: ignore[attr-defined]
    return function


def _first_parameter(function: Callable[..., Any]) -> Any:
    name = next(iter(inspect.signature(function).parameters))
    return typing.get_type_hints(function)[name]


def handler(function: F) -> F:
    """Mark `(ask, ctx) -> answer` as the one handler of the message its first parameter names."""
    return _mark(function, "handler", _first_parameter(function))


def prepares(message: type[Message[Any]]) -> Callable[[F], F]:
    """Mark `(ask, ctx) -> prepared` as the slow step before the unit of work of a message."""
    return lambda function: _mark(function, "prepares", message)


def reacts(to: type[Event]) -> Callable[[F], F]:
    """Mark `(event, ctx)` to run in the unit of work that emitted the event.

    While it runs `ctx.at` is the instant at which the event truly happened, and what it emits
    happened then, too.
    """
    return lambda function: _mark(function, "reacts", to)


def subscriber(name: str, *, to: Iterable[type[Event]]) -> Callable[[F], F]:
    """Mark `(event, envelope, ctx)` to run after the commit, at least once, in outbox order.

    `name` is under which its place in the outbox is kept, so it must never change.
    An event that was told on several streams is heard once for each: `envelope.stream` says which.
    """
    return lambda function: _mark(function, "subscriber", tuple(to), name)


def settles(kind: str, *, when: Callable[[str, Any], datetime | None]) -> Callable[[F], F]:
    """Mark `(id, ctx)` as one step that brings a thing of this kind up to now.

    Before a command touches the thing, the earliest step that is due is taken, again and again:
    `when`, `(id, ctx) -> instant`, says when this one is, or None. While it runs `ctx.at` is that
    instant. A step must leave the thing such that the same instant is not due again.
    """
    return lambda function: _mark(function, "settles", (kind, when))


def vouches(function: F) -> F:
    """Mark `(actor, ctx) -> actor`: the actor as they are now, or a refusal if it is they no more.

    It is asked in the unit of work of a command that may have come in before a sign-in of its actor
    ended, or before they lost a role.
    """
    return _mark(function, "vouches", None)


def knows(kind: str) -> Callable[[F], F]:
    """Mark `(id, ctx)` which refuses, by raising, who may not know of a thing of this kind.

    It is asked before anything that is due for the thing is settled, so that neither the refusal
    nor what it costs tells whether the thing is there.
    """
    return lambda function: _mark(function, "knows", kind)


def contributes(to: str, part: str) -> Callable[[F], F]:
    """Mark `(id, ctx) -> part`: what a feature adds to a whole that one below it collects.

    `to` names the whole (`"profile"`, `"export"`), which says what the id is and who collects it.
    """
    return lambda function: _mark(function, "contributes", to, part)


def snapshot(kind: str, part: str) -> Callable[[F], F]:
    """Mark `(id, ctx) -> part` as one part of the snapshot of the streams `kind:<id>`."""
    return lambda function: _mark(function, "snapshot", kind, part)


def applies(to: type[Event], *, part: str) -> Callable[[F], F]:
    """Mark the pure `(part, event, at) -> part` that applies an event to a snapshot's part."""
    return lambda function: _mark(function, "applies", to, part)


def watches(kind: str) -> Callable[[F], F]:
    """Mark `(id, ctx)` which refuses, by raising, who may not watch the streams `kind:<id>`."""
    return lambda function: _mark(function, "watches", kind)


def sweeps(function: F) -> F:
    """Mark `(ctx, limit) -> count` which deletes a bounded number of rows nobody needs any more."""
    return _mark(function, "sweeps", None)


def authenticates(function: F) -> F:
    """Mark `(token, ctx) -> Actor` as what a door's token means; an embedder may bring another."""
    return _mark(function, "authenticates", None)


def upcasts(wire: str, version: int) -> Callable[[F], F]:
    """Mark the pure `(data) -> data` that makes version + 1 of a stored message from version."""
    return lambda function: _mark(function, "upcasts", wire, str(version))


@attrs.frozen
class Actor:
    """Who asks: an id and the roles that the embedder, or the feature credentials, vouches for."""

    id: str = ""
    roles: frozenset[str] = frozenset()
    expires_at: datetime | None = None
    """When what proved it ends; a door that holds a connection asks again by then."""
    sign_in: str = ""
    """The id of the sign-in that vouches for it, where there is one."""

    def may(self, access: Access) -> bool:
        """Whether a message of this access is open to this actor."""
        if access is Access.SYSTEM or "system" in self.roles:
            return "system" in self.roles
        if access is Access.ANYONE:
            return True
        if access is Access.SIGNED_IN:
            return bool(self.id)
        return "admin" in self.roles or access.value in self.roles


ANONYMOUS = Actor()
SYSTEM = Actor(id="system", roles=frozenset({"system"}))


@attrs.frozen
class Origin:
    """Where a message came in: the door's name and, for a network door, the peer's address."""

    door: str = "python"
    address: str = ""
    connection: str = ""
    """Which of a person's connections, where the door keeps any."""
