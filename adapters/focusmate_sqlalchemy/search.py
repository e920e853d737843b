"""Search: finds by words, driven by whatever holds the fewest rows, always in key order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

import attrs
from sqlalchemy import ColumnElement, Table, and_, select, tuple_

from focusmate_core.entities import Entity
from focusmate_core.finding import Find, Page, index_for, tokens
from focusmate_sqlalchemy.driver import Line
from focusmate_sqlalchemy.finds import (
    condition_names,
    condition_shape,
    condition_values,
    conditions,
    page_of,
    sort_of,
    start_of,
)
from focusmate_sqlalchemy.shapes import mark
from focusmate_sqlalchemy.shelf import Shelf
from focusmate_sqlalchemy.walks import Ground, Loose, Walk, loose
from focusmate_sqlalchemy.words import AFTER_ALL_WORDS, Words

E = TypeVar("E", bound=Entity)
FEW = 1_000
"""So many rows of words are looked through and sorted; more are walked in key order."""


@attrs.frozen
class Plan:
    """How words are found.

    By the rows of one whole word (`lead`), by those of the prefix when they are few (`by_prefix`),
    or by walking all things that may be found in key order; whatever else is asked for is probed.
    """

    lead: str | None
    by_prefix: bool
    probes: tuple[str, ...]
    prefix: str

    def values(self) -> list[str]:
        """What the plan binds: the lead, the prefix's range, the probes."""
        lead = [] if self.lead is None else [self.lead]
        return [*lead, self.prefix, self.prefix + AFTER_ALL_WORDS, *self.probes]


class Searcher:
    """Finds the things of one shelf by words; keeps a walk for each shape of a question."""

    def __init__(self, shelf: Shelf[Any]) -> None:
        self._shelf = shelf
        self._walks: dict[Any, Walk] = {}

    def find(self, line: Line, asked: Find[E]) -> Page[E]:
        index_for(asked)
        start = start_of(self._shelf, asked, asked.sort_fields)
        rows: list[Any] = []
        for plan in self._plans(line, asked):
            walk, values = self._walk(asked, plan), self._values(asked, plan)
            rows = walk.rows(line, values, start, asked.limit + 1)
        return page_of(self._shelf, asked, rows)

    def count(self, line: Line, asked: Find[Any], bound: int) -> int:
        index_for(asked)
        return sum(
            self._walk(asked, plan).count(line, self._values(asked, plan), bound)
            for plan in self._plans(line, asked)
        )

    def _plans(self, line: Line, asked: Find[Any]) -> Iterator[Plan]:
        """One plan, or none for a question without words."""
        words, asked_for = self._words, tokens(asked.words or "")
        if not asked_for:
            return
        prefix, whole = asked_for[-1], tuple(dict.fromkeys(asked_for[:-1]))
        few = words.count_prefix(line, prefix, FEW)
        counts = {word: words.count(line, word, FEW) for word in whole}
        lead = min(counts, key=counts.__getitem__, default=words.any_word)
        if few < min(counts.values(), default=FEW):
            yield Plan(None, by_prefix=True, probes=whole, prefix=prefix)
        else:
            probes = tuple(word for word in whole if word != lead)
            yield Plan(lead, by_prefix=False, probes=probes, prefix=prefix)

    @property
    def _words(self) -> Words:
        assert self._shelf.words is not None
        return self._shelf.words

    def _values(self, asked: Find[Any], plan: Plan) -> list[Any]:
        return [*plan.values(), *condition_values(self._shelf, asked.where)]

    def _walk(self, asked: Find[Any], plan: Plan) -> Walk:
        how = (plan.lead is None, plan.by_prefix, len(plan.probes))
        shape = (*how, asked.order, tuple(map(condition_shape, asked.where)))
        if shape not in self._walks:
            sort = sort_of(self._shelf, asked.sort_fields, descending=asked.descending)
            self._walks[shape] = Walk(self._ground(asked, plan), sort, self._shelf.dialect)
        return self._walks[shape]

    def _ground(self, asked: Find[Any], plan: Plan) -> Ground:
        shelf, words, key = self._shelf, self._words.table, self._shelf.declared.key
        probes = [f"probe_{at}" for at in range(len(plan.probes))]
        bound = ("low", "high", *probes, *condition_names(asked.where))
        clauses = [self._holds(_is(mark(name))) for name in probes]

        def where(_: Loose) -> list[ColumnElement[bool]]:
            # The index of a condition would yield all it has, to be sorted by key afterwards.
            return [*clauses, *conditions(shelf, asked.where, loose)]

        if plan.lead is None:
            clauses.append(self._is_among_few() if plan.by_prefix else self._holds(_starts))
            return Ground(shelf.select(), where, bound, shelf.table.c)
        clauses += [words.c.token == mark("lead"), self._holds(_starts)]
        made = shelf.select().select_from(words.join(shelf.table, self._same(words)))
        columns = {name: words.c[f"of_{name}"] for name in key}
        return Ground(made, where, ("lead", *bound), columns)

    def _same(self, words: Any) -> ColumnElement[bool]:
        columns, key = self._shelf.table.c, self._shelf.declared.key
        return and_(*(columns[name] == words.c[f"of_{name}"] for name in key))

    def _holds(self, which: Any) -> ColumnElement[bool]:
        words = self._words.table.alias()
        return select(words.c.token).where(self._same(words), which(words)).exists()

    def _is_among_few(self) -> ColumnElement[bool]:
        words: Table = self._words.table
        key = self._shelf.declared.key
        found = select(*(words.c[f"of_{name}"] for name in key)).where(_starts(words))
        if len(key) == 1:
            return self._shelf.table.c[key[0]].in_(found)
        return tuple_(*(self._shelf.table.c[name] for name in key)).in_(found)


def _starts(words: Any) -> ColumnElement[bool]:
    within: ColumnElement[bool] = words.c.token >= mark("low")
    return and_(within, words.c.token < mark("high"))


def _is(token: Any) -> Any:
    return lambda words: words.c.token == token
