"""Shapes: statements compiled once by SQLAlchemy, then run as text on the driver's connection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import BindParameter, bindparam
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import ClauseElement

Row = Sequence[Any]
Arrange = Callable[[Row], Row]


class Shape:
    """The text of a statement; `arrange` brings given values into the order of its markers."""

    __slots__ = ("arrange", "sql")

    def __init__(self, statement: ClauseElement, dialect: Dialect, names: Sequence[str]) -> None:
        """`names` are the bound parameters of the statement in the order they will be given."""
        compiled: Any = statement.compile(dialect=dialect)
        self.sql = str(compiled)
        self.arrange = _arrangement(compiled.positiontup, list(names), compiled.params)


def _arrangement(marked: list[str], names: list[str], constants: dict[str, Any]) -> Arrange:
    """What SQLAlchemy bound by itself (an OFFSET of 0) is added to what is given."""
    if marked == names:
        return _as_given
    own = [name for name in marked if name not in names]
    values = tuple(constants[name] for name in own)
    places = [*names, *own]
    at = [places.index(name) for name in marked]
    if len(at) == 1:
        return lambda given: ((*given, *values)[at[0]],)
    pick = itemgetter(*at)
    return lambda given: pick((*given, *values))


def _as_given(given: Row) -> Row:
    return given


def mark(name: str) -> BindParameter[Any]:
    """The place of a value that is given when the statement runs."""
    return bindparam(name)


def inserting(dialect: Dialect) -> Callable[..., Any]:
    """The dialect's INSERT that knows ON CONFLICT."""
    return sqlite.insert if dialect.name == "sqlite" else postgresql.insert


def portions(count: int, largest: int) -> list[int]:
    """A count as a sum of powers of two, so that a few shapes serve lists of any length."""
    found = [largest] * (count // largest)
    rest = count % largest
    return found + [1 << bit for bit in reversed(range(rest.bit_length())) if rest >> bit & 1]
