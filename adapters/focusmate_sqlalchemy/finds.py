"""Finds: a question of the core as a walk over an index, or over several that are merged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, false, or_

from focusmate_core.entities import Entity
from focusmate_core.finding import Among, Between, Condition, Find, Is, Page, index_for
from focusmate_sqlalchemy.driver import Line
from focusmate_sqlalchemy.shapes import mark
from focusmate_sqlalchemy.shelf import Shelf
from focusmate_sqlalchemy.tables import ordering
from focusmate_sqlalchemy.walks import Ground, Sort, Walk

E = TypeVar("E", bound=Entity)


class Finder:
    """Finds the things of one shelf; keeps a walk for each shape of a question."""

    def __init__(self, shelf: Shelf[Any]) -> None:
        self._shelf = shelf
        self._plans: dict[Any, tuple[tuple[str, ...], str | None]] = {}
        self._walks: dict[Any, Walk] = {}

    def find(self, line: Line, asked: Find[E]) -> Page[E]:
        return page_of(self._shelf, asked, self._rows(line, asked))

    def count(self, line: Line, asked: Find[Any], bound: int) -> int:
        index_for(asked)
        values = condition_values(self._shelf, asked.where)
        return self._walk(asked, asked.where).count(line, values, bound)

    def _rows(self, line: Line, asked: Find[Any]) -> list[Any]:
        sort, merged = self._plan(asked)
        start = start_of(self._shelf, asked, sort)
        found: list[Any] = []
        for where in _alternatives(asked.where, merged):
            walk, values = self._walk(asked, where), condition_values(self._shelf, where)
            found += walk.rows(line, values, start, asked.limit + 1)
        if merged is not None:
            found.sort(key=self._shelf.row_key, reverse=asked.descending)
        return found

    def _plan(self, asked: Find[Any]) -> tuple[tuple[str, ...], str | None]:
        """What is sorted by beside what is fixed, and the field whose `Among` is merged."""
        shape = (asked.order, tuple((type(c), c.field) for c in asked.where))
        if shape not in self._plans:
            path = ordering(asked.entity.declared, index_for(asked))
            fixed = {c.field for c in asked.where if isinstance(c, Is)}
            sort = tuple(name for name in asked.sort_fields if name not in fixed)
            self._plans[shape] = sort, _merged_field(asked, path, fixed, sort)
        return self._plans[shape]

    def _walk(self, asked: Find[Any], where: tuple[Condition, ...]) -> Walk:
        shape = (asked.order, tuple(map(condition_shape, where)))
        if shape not in self._walks:
            clauses, names = conditions(self._shelf, where)
            table = self._shelf.table
            ground = Ground(self._shelf.select().where(*clauses), names, table.c)
            sort = sort_of(self._shelf, self._plan(asked)[0], descending=asked.descending)
            self._walks[shape] = Walk(ground, sort, self._shelf.dialect)
        return self._walks[shape]


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


def conditions(
    shelf: Shelf[Any], where: tuple[Condition, ...]
) -> tuple[list[ColumnElement[bool]], tuple[str, ...]]:
    """The clauses of conditions, and the names they bind."""
    clauses, names = [], []
    for at, asked in enumerate(where):
        bound = [f"c{at}_{i}" for i in range(len(_bound(asked)))]
        clauses.append(_clause(shelf.table.c[asked.field], asked, bound))
        names += bound
    return clauses, tuple(names)


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


def _clause(column: Any, asked: Condition, bound: list[str]) -> ColumnElement[bool]:
    names: Iterator[str] = iter(bound)
    made: ColumnElement[bool] = column.is_not(None)
    match asked:
        case Is(value=value):
            made = column.is_(None) if value is None else column == mark(next(names))
        case Among(values=values):
            made = column.in_([mark(name) for name in names]) if bound else false()
            made = or_(made, column.is_(None)) if None in values else made
        case Between(low=low, high=high):
            made = made if low is None else column >= mark(next(names))
            if high is not None:
                top = column < mark(next(names))
                made = top if low is None else made & top
    return made


def _merged_field(
    asked: Find[Any], path: tuple[str, ...], fixed: set[str], sort: tuple[str, ...]
) -> str | None:
    rest = list(path)
    while rest and rest[0] in fixed:
        del rest[0]
    if tuple(rest[: len(sort)]) == sort:
        return None
    leading = [c for c in asked.where if isinstance(c, Among) and c.field == rest[0]]
    return leading[0].field if leading else None


def _alternatives(
    where: tuple[Condition, ...], merged: str | None
) -> Iterator[tuple[Condition, ...]]:
    if merged is None:
        yield where
        return
    at = next(i for i, c in enumerate(where) if isinstance(c, Among) and c.field == merged)
    for value in dict.fromkeys(where[at].values):  # type: ignore[union-attr]
        yield (*where[:at], Is(merged, value), *where[at + 1 :])
