"""How a field's value stands in a column: its SQL type, and the way in and out, lossless."""

from __future__ import annotations

import enum
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import attrs
from sqlalchemy import BigInteger, Boolean, Double, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from focusmate_core.entities import Column
from focusmate_sqlalchemy.nested import nested

T = TypeVar("T")
Way = Callable[[Any], Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY, _SECOND = 86_400_000_000, 1_000_000
LEAST_INTEGER = -(2**63)

ORDERED_TEXT = Text().with_variant(Text(collation="C"), "postgresql")
"""Text that sorts by code point everywhere, as Python does."""


def microseconds(span: timedelta) -> int:
    """A span as a whole number of microseconds."""
    return span.days * _DAY + span.seconds * _SECOND + span.microseconds


def span_of(count: int) -> timedelta:
    """The span of so many microseconds."""
    return timedelta(0, 0, count)


def microseconds_at(instant: datetime) -> int:
    """An aware instant as microseconds since 1970."""
    span = instant - _EPOCH
    return span.days * _DAY + span.seconds * _SECOND + span.microseconds


def instant_of(count: int) -> datetime:
    """The instant so many microseconds after 1970, in UTC."""
    return _EPOCH + timedelta(0, 0, count)


class _Converted(TypeDecorator[Any]):
    """A column type that goes both ways by two functions."""

    cache_ok = True
    way_in: Way
    way_out: Way

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else type(self).way_in(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return None if value is None else type(self).way_out(value)


class Instant(_Converted):
    """An aware UTC datetime as BIGINT microseconds since 1970."""

    impl = BigInteger
    way_in = staticmethod(microseconds_at)
    way_out = staticmethod(instant_of)


class Span(_Converted):
    """A timedelta as BIGINT microseconds."""

    impl = BigInteger
    way_in = staticmethod(microseconds)
    way_out = staticmethod(span_of)


@attrs.frozen
class Kind:
    """One sort of column. `least` sorts before every value; None ways take the value as it is."""

    sql: TypeEngine[Any]
    least: Any
    way_in: Way | None = None
    way_out: Way | None = None


_PLAIN: dict[Any, Kind] = {
    str: Kind(ORDERED_TEXT, ""),
    int: Kind(BigInteger(), LEAST_INTEGER),
    float: Kind(Double(), float("-inf"), None, float),
    bool: Kind(Boolean(), False, None, bool),  # noqa: FBT003  False sorts first
    datetime: Kind(Instant(), LEAST_INTEGER, microseconds_at, instant_of),
    timedelta: Kind(Span(), LEAST_INTEGER, microseconds, span_of),
}


def kind_of(column: Column) -> Kind:
    """How the values of a declared field are stored."""
    if column.is_enum:
        return _enum_kind(column.type)
    if column.is_nested:
        return _nested_kind(column.type)
    return _PLAIN[column.type]


def _enum_kind(cls: type[enum.Enum]) -> Kind:
    members = {member.value: member for member in cls}
    types = {type(value) for value in members}
    if types not in ({str}, {int}):
        msg = f"{cls.__name__} is stored by value, so its values must be all text or all integers"
        raise TypeError(msg)
    stored = _PLAIN[types.pop()]
    return Kind(stored.sql, stored.least, _value, members.__getitem__)


def _value(member: enum.Enum) -> Any:
    return member.value


def _nested_kind(annotation: Any) -> Kind:
    way = nested(annotation)
    return Kind(Text(), "", way.write, way.read)
