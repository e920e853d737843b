"""Walks: one question in the order of an index, page after page, by seeks only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs
from sqlalchemy import ColumnElement, Select, func, literal_column, select
from sqlalchemy.engine import Dialect

from focusmate_sqlalchemy.driver import Line
from focusmate_sqlalchemy.kinds import Kind
from focusmate_sqlalchemy.shapes import Shape, mark

_Step = tuple[str, tuple[bool, ...]]
Loose = Callable[[str, str], bool]
"""Whether a field's condition (`low`, `high` or `is`) only narrows, and takes part in no seek."""


@attrs.frozen
class Ground:
    """What is walked: a select, its conditions, what they bind, and its sort columns by field."""

    select: Select[Any]
    where: Callable[[Loose], list[ColumnElement[bool]]]
    names: tuple[str, ...]
    columns: Any


def tight(field: str, side: str) -> bool:
    """Every condition may take part in a seek."""
    return False


def loose(field: str, side: str) -> bool:
    """No condition takes part in a seek."""
    return True


@attrs.frozen
class Sort:
    """What a walk is sorted by: fields and their kinds, which are optional, and the direction."""

    fields: tuple[str, ...]
    kinds: tuple[Kind, ...]
    optional: tuple[bool, ...]
    descending: bool


class Walk:
    """Rows of a ground in order, from the start or from after given values.

    What lies after (a, b, c) is asked for in steps, each of which an index serves by one seek,
    None included: the same a and b, past c; then the same a, past b; then past a. (One comparison
    of rows is lost where a value is None, and an OR is sorted by a temporary tree.)
    """

    def __init__(self, ground: Ground, sort: Sort, dialect: Dialect) -> None:
        self._ground, self._sort, self._dialect = ground, sort, dialect
        self._shapes: dict[_Step, Shape] = {}
        self._counting: Shape | None = None

    def rows(
        self, line: Line, values: Sequence[Any], start: Sequence[Any] | None, limit: int
    ) -> list[Any]:
        """At most `limit` rows; `values` for the ground, `start` as the columns hold it."""
        found: list[Any] = []
        for step, bounds in self._steps(start):
            shape = self._shapes.get(step) or self._compile(step)
            asked = shape.arrange((*values, *bounds, limit - len(found)))
            found += line.rows(shape.sql, asked)
            if len(found) >= limit:
                break
        return found

    def count(self, line: Line, values: Sequence[Any], bound: int) -> int:
        """How many rows there are, up to a bound."""
        if self._counting is None:
            one: Select[Any] = self._ground.select.with_only_columns(
                literal_column("1"), maintain_column_froms=True
            )
            found = one.where(*self._ground.where(tight)).limit(mark("bound")).subquery()
            counted = select(func.count()).select_from(found)
            self._counting = Shape(counted, self._dialect, [*self._ground.names, "bound"])
        shape = self._counting
        return int(line.rows(shape.sql, shape.arrange((*values, bound)))[0][0])

    def _steps(self, start: Sequence[Any] | None) -> Iterator[tuple[_Step, tuple[Any, ...]]]:
        if start is None:
            yield ("all", ()), ()
            return
        for depth in reversed(range(len(self._sort.fields))):
            nones = tuple(value is None for value in start[:depth])
            same = tuple(value for value in start[:depth] if value is not None)
            for name, bounds in self._past(depth, start[depth]):
                yield (name, nones), (*same, *bounds)

    def _past(self, depth: int, value: Any) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """None stands first when ascending, last when descending."""
        if value is not None:
            yield "past", (value,)
            if self._sort.descending and self._sort.optional[depth]:
                yield "none", ()
        elif not self._sort.descending:
            yield "some", (self._sort.kinds[depth].least,)

    def _compile(self, step: _Step) -> Shape:
        name, nones = step
        sort, names = self._sort, list(self._ground.names)
        where = self._ground.where(self._loosened(step))
        columns = [self._ground.columns[field] for field in sort.fields]
        for at, (column, is_none) in enumerate(zip(columns, nones, strict=False)):
            where.append(column.is_(None) if is_none else column == mark(f"same_{at}"))
            names += [] if is_none else [f"same_{at}"]
        if name != "all":
            where.append(_beyond(columns[len(nones)], name, descending=sort.descending))
            names += [] if name == "none" else ["bound"]
        moving = columns[len(nones) + (name == "none") :]
        order = [column.desc() if sort.descending else column.asc() for column in moving]
        asked = self._ground.select.where(*where).order_by(*order).limit(mark("limit"))
        self._shapes[step] = shape = Shape(asked, self._dialect, [*names, "limit"])
        return shape

    def _loosened(self, step: _Step) -> Loose:
        """What the step itself compares is not sought by: SQLite would take the wrong end."""
        name, nones = step
        fixed = self._sort.fields[: len(nones)]
        bounded = self._sort.fields[len(nones)] if name != "all" else None
        passed = "high" if self._sort.descending else "low"
        return lambda field, side: field in fixed or (field == bounded and side == passed)


def _beyond(column: ColumnElement[Any], name: str, *, descending: bool) -> ColumnElement[bool]:
    if name == "none":
        return column.is_(None)
    if name == "some":
        return column >= mark("bound")
    return column < mark("bound") if descending else column > mark("bound")
