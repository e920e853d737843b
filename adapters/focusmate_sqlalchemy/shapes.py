"""Shapes: statements compiled once by SQLAlchemy, then run as text on the driver's connection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, bindparam
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler

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

    def as_given(self) -> Shape:
        """The same, where values are given in the order of the markers and are not arranged."""
        assert self.arrange is _as_given, f"the order of the values is another in {self.sql}"
        return self


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


class Unindexed(ColumnElement[Any]):
    """A column that narrows what another index yields, and whose own index is left alone."""

    inherit_cache = True

    def __init__(self, column: ColumnElement[Any]) -> None:
        self.column, self.type = column, column.type


@compiles(Unindexed)
def _plain(element: Unindexed, compiler: SQLCompiler, **how: Any) -> str:
    return compiler.process(element.column, **how)


@compiles(Unindexed, "sqlite")
def _plus(element: Unindexed, compiler: SQLCompiler, **how: Any) -> str:
    return f"+{compiler.process(element.column, **how)}"


def inserting(dialect: Dialect) -> Callable[..., Any]:
    """The dialect's INSERT that knows ON CONFLICT."""
    return sqlite.insert if dialect.name == "sqlite" else postgresql.insert


@lru_cache(maxsize=1024)
def portions(count: int, largest: int) -> tuple[int, ...]:
    """A count as a sum of powers of two, so that a few shapes serve lists of any length."""
    rest = count % largest
    bits = [1 << bit for bit in reversed(range(rest.bit_length())) if rest >> bit & 1]
    return (largest,) * (count // largest) + tuple(bits)
