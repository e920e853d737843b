"""Finds: a question of the core as a walk over an index, or over several that are merged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import attrs
from sqlalchemy import ColumnElement, false, or_

from focusmate_core.entities import Entity
from focusmate_core.finding import Among, Between, Condition, Find, Is, Page, index_for
from focusmate_sqlalchemy.driver import Line
from focusmate_sqlalchemy.shapes import Unindexed, mark
from focusmate_sqlalchemy.shelf import Shelf
from focusmate_sqlalchemy.tables import ordering
from focusmate_sqlalchemy.walks import Ground, Loose, Sort, Walk, loose

E = TypeVar("E", bound=Entity)


FEW = 1_000
"""So many rows of a range are sorted; more are walked in key order instead."""


@attrs.frozen
class Plan:
    """How a find is served: sorted by `sort` beside what is fixed, which its index does alone.

    Else by an `Among` whose values are walked singly and merged, or by a range that is sorted.
    """

    sort: tuple[str, ...]
    merged: str | None
    ranged: bool


class Finder:
    """Finds the things of one shelf; keeps a walk for each shape of a question."""

    def __init__(self, shelf: Shelf[Any]) -> None:
        self._shelf = shelf
        self._plans: dict[Any, Plan] = {}
        self._walks: dict[Any, Walk] = {}

    def find(self, line: Line, asked: Find[E]) -> Page[E]:
        return page_of(self._shelf, asked, self._rows(line, asked))

    def count(self, line: Line, asked: Find[Any], bound: int) -> int:
        index_for(asked)
        values = condition_values(self._shelf, asked.where)
        return self._walk(asked, asked.where).count(line, values, bound)

    def _rows(self, line: Line, asked: Find[Any]) -> list[Any]:
        plan = self._plan(asked)
        start = start_of(self._shelf, asked, plan.sort)
        is_loose = plan.ranged and self.count(line, asked, FEW) >= FEW
        found: list[Any] = []
        for where in _alternatives(asked.where, plan.merged):
            walk = self._walk(asked, where, is_loose=is_loose)
            values = condition_values(self._shelf, where)
            found += walk.rows(line, values, start, asked.limit + 1)
        if plan.merged is not None:
            found.sort(key=self._shelf.row_key, reverse=asked.descending)
        return found

    def _plan(self, asked: Find[Any]) -> Plan:
        shape = (asked.order, tuple((type(c), c.field) for c in asked.where))
        if shape not in self._plans:
            self._plans[shape] = _plan(asked)
        return self._plans[shape]

    def _walk(
        self, asked: Find[Any], where: tuple[Condition, ...], *, is_loose: bool = False
    ) -> Walk:
        shape = (is_loose, asked.order, tuple(map(condition_shape, where)))
        if shape not in self._walks:
            shelf, how = self._shelf, loose if is_loose else None
            ground = Ground(
                shelf.select(),
                lambda step: conditions(shelf, where, how or step),
                condition_names(where),
                shelf.table.c,
            )
            sort = sort_of(shelf, self._plan(asked).sort, descending=asked.descending)
            self._walks[shape] = Walk(ground, sort, shelf.dialect)
        return self._walks[shape]


def _plan(asked: Find[Any]) -> Plan:
    rest = ordering(asked.entity.declared, index_for(asked))
    fixed = {c.field for c in asked.where if isinstance(c, Is)}
    sort = tuple(name for name in asked.sort_fields if name not in fixed)
    while rest and rest[0] in fixed:
        rest = rest[1:]
    if rest[: len(sort)] == sort:
        return Plan(sort, None, ranged=False)
    is_merged = any(isinstance(c, Among) and c.field == rest[0] for c in asked.where)
    return Plan(sort, rest[0] if is_merged else None, ranged=not is_merged)


def page_of(shelf: Shelf[E], asked: Find[E], rows: Sequence[Any]) -> Page[E]:
    """A page of one row more than it holds, if there are more."""
    items = tuple(map(shelf.thing, rows[: asked.limit]))
    return Page(items, asked.next_of(items[-1]) if len(rows) > asked.limit else None)


def start_of(shelf: Shelf[Any], asked: Find[Any], sort: tuple[str, ...]) -> list[Any] | None:
    """The values after which the page begins, as the columns hold them."""
    given = asked.start()
    if given is None:
        return None
    start = dict(zip(asked.sort_fields, given, strict=True))
    return [shelf.stored(name, start[name]) for name in sort]


def sort_of(shelf: Shelf[Any], fields: tuple[str, ...], *, descending: bool) -> Sort:
    optional = {column.name for column in shelf.declared.columns if column.optional}
    kinds = tuple(shelf.kinds[name] for name in fields)
    return Sort(fields, kinds, tuple(name in optional for name in fields), descending)


def condition_shape(asked: Condition) -> tuple[Any, ...]:
    """What of a condition decides its statement."""
    match asked:
        case Is(field=field, value=value):
            return Is, field, value is None
        case Among(field=field, values=values):
            return Among, field, len(_some(values)), None in values
        case Between(field=field, low=low, high=high):
            return Between, field, low is None, high is None


def condition_values(shelf: Shelf[Any], where: tuple[Condition, ...]) -> list[Any]:
    """What the conditions bind, as the columns hold it."""
    return [shelf.stored(asked.field, value) for asked in where for value in _bound(asked)]


def condition_names(where: tuple[Condition, ...]) -> tuple[str, ...]:
    """The names of what conditions bind, in the order of `condition_values`."""
    return tuple(name for at, asked in enumerate(where) for name in _names(at, asked))


def conditions(
    shelf: Shelf[Any], where: tuple[Condition, ...], is_loose: Loose
) -> list[ColumnElement[bool]]:
    """The clauses of conditions."""
    made: list[ColumnElement[bool]] = []
    for at, asked in enumerate(where):
        column, names = shelf.table.c[asked.field], _names(at, asked)
        sides = [Unindexed(column) if is_loose(asked.field, s) else column for s in _sides(asked)]
        made += _clauses(asked, sides, names)
    return made


def _names(at: int, asked: Condition) -> list[str]:
    return [f"c{at}_{i}" for i in range(len(_bound(asked)))]


def _sides(asked: Condition) -> tuple[str, ...]:
    return ("low", "high") if isinstance(asked, Between) else ("is",)


def _bound(asked: Condition) -> list[Any]:
    match asked:
        case Is(value=value):
            given = [value]
        case Among(values=values):
            given = _some(values)
        case Between(low=low, high=high):
            given = [low, high]
    return [value for value in given if value is not None]


def _some(values: Sequence[Any]) -> list[Any]:
    return [value for value in dict.fromkeys(values) if value is not None]


def _clauses(asked: Condition, sides: list[Any], bound: list[str]) -> list[ColumnElement[bool]]:
    marks, column = [mark(name) for name in bound], sides[0]
    match asked:
        case Is(value=value):
            return [column.is_(None) if value is None else column == marks[0]]
        case Among(values=values):
            some = column.in_(marks) if marks else false()
            return [or_(some, column.is_(None)) if None in values else some]
        case Between(low=low, high=high):
            least = [] if low is None else [column >= marks[0]]
            most = [] if high is None else [sides[1] < marks[-1]]
            return [*least, *most] or [column.is_not(None)]


def _alternatives(
    where: tuple[Condition, ...], merged: str | None
) -> Iterator[tuple[Condition, ...]]:
    if merged is None:
        yield where
        return
    at = next(i for i, c in enumerate(where) if isinstance(c, Among) and c.field == merged)
    for value in dict.fromkeys(where[at].values):  # type: ignore[union-attr]
        yield (*where[:at], Is(merged, value), *where[at + 1 :])
