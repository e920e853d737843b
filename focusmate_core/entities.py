"""Entities: what is stored; key, indexes, uniques and searchable text declared on the class."""

from __future__ import annotations

import enum
import typing
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeVar, dataclass_transform

import attrs

from focusmate_core.fields import hiding, is_optional, plain_type
from focusmate_core.messages import Value

E = TypeVar("E", bound="type[Entity]")

STORED = (str, bool, int, float, datetime, timedelta)
"""The field types a storage keeps as they are; enums by value, everything else as JSON."""


class Entity(Value):
    """What is stored under a key; frozen. `version` counts the puts, 0 before the first."""

    __slots__ = ()
    declared: ClassVar[Declaration]


@attrs.frozen
class Column:
    """One field as a storage sees it."""

    name: str
    type: Any
    """One of `STORED`, an Enum class, or any other annotation: nested, kept as JSON."""
    optional: bool

    @property
    def is_enum(self) -> bool:
        """Whether the field holds a member of an enum, stored by its value."""
        return isinstance(self.type, type) and issubclass(self.type, enum.Enum)

    @property
    def is_nested(self) -> bool:
        """Whether the field is neither a plain value nor an enum: stored as JSON."""
        return self.type not in STORED and not self.is_enum


@attrs.frozen
class Declaration:
    """All that a storage knows of an entity."""

    name: str
    cls: type[Entity]
    key: tuple[str, ...]
    indexes: tuple[tuple[str, ...], ...]
    uniques: tuple[tuple[str, ...], ...]
    search: tuple[str, ...]
    found_while: tuple[str, ...]
    columns: tuple[Column, ...]

    def key_of(self, thing: Entity) -> tuple[Any, ...]:
        """The key of one thing, as a tuple in the declared order."""
        return tuple(getattr(thing, name) for name in self.key)

    def key_from(self, given: Any) -> tuple[Any, ...]:
        """A key as a caller gives it, a single value or a tuple, as a tuple."""
        key = given if isinstance(given, tuple) else (given,)
        if len(key) != len(self.key):
            msg = f"{self.cls.__name__} is kept under {self.key}, so {given!r} is no key of it"
            raise TypeError(msg)
        return key

    def text_of(self, thing: Entity) -> str:
        """The searchable text of one thing; none while it may not be found by words."""
        for name in self.found_while:
            if not getattr(thing, name):
                return ""
        return "\n".join([getattr(thing, name) or "" for name in self.search])


def _paths(given: Iterable[Any]) -> tuple[tuple[str, ...], ...]:
    return tuple((path,) if isinstance(path, str) else tuple(path) for path in given)


@dataclass_transform(kw_only_default=True, frozen_default=True)
def entity(
    name: str,
    *,
    key: str | tuple[str, ...] = "id",
    index: Iterable[str | tuple[str, ...]] = (),
    unique: Iterable[str | tuple[str, ...]] = (),
    search: tuple[str, ...] = (),
    found_while: tuple[str, ...] = (),
) -> Callable[[E], E]:
    """Make an entity class, stored under a name that is written by hand since classes may move.

    `index` and `unique` list paths of fields, `search` the text fields that words are looked up in.
    Only while all fields of `found_while`, each a bool, are true does a thing have words: else no
    find with words comes upon it, whatever it asks for, nor takes longer for it.
    The class declares `version: int = 0` itself: a storage counts puts in it.
    """

    def build(cls: E) -> E:
        made = attrs.define(frozen=True, kw_only=True, slots=True, field_transformer=hiding)(cls)
        hints = typing.get_type_hints(made, include_extras=True)
        columns = tuple(
            Column(field.name, plain_type(hints[field.name]), is_optional(hints[field.name]))
            for field in made.__attrs_attrs__
        )
        made.declared = Declaration(
            name,
            made,
            _paths([key])[0],
            _paths(index),
            _paths(unique),
            search,
            found_while,
            columns,
        )
        _check(made.declared)
        return made

    return build


def _check(declared: Declaration) -> None:
    names = {column.name for column in declared.columns}
    texts, flags = declared.search, declared.found_while
    used = {declared.key, *declared.indexes, *declared.uniques, texts, flags}
    unknown = sorted({name for path in used for name in path} - names)
    if unknown:
        msg = f"{declared.cls.__name__} declares {unknown}, which are not among its fields"
        raise TypeError(msg)
    vague = [c.name for c in declared.columns if c.name in flags and c.type is not bool]
    if vague:
        msg = f"{declared.cls.__name__} is found while {vague}, which must be bool"
        raise TypeError(msg)
    if "version" not in names:
        msg = f"{declared.cls.__name__} needs the field «version: int = 0»"
        raise TypeError(msg)
