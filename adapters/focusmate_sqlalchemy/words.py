"""The words of one entity's texts: kept in step with its rows, token by token."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Table, delete, func, select
from sqlalchemy.engine import Dialect

from focusmate_core.entities import Declaration, Entity
from focusmate_core.finding import tokens
from focusmate_sqlalchemy.driver import Line
from focusmate_sqlalchemy.shapes import Shape, inserting, mark

AFTER_ALL_WORDS = "\U0010ffff"
"""No word holds this code point, so what starts with p lies from p to before p with it."""
ANY_WORD = ""
"""Stands for all words of a thing that is not always found, so that what has none is not walked."""


@lru_cache(maxsize=4096)
def held_tokens(text: str, any_word: str | None) -> frozenset[str]:
    """What the table of words holds of a text."""
    found = frozenset(tokens(text))
    return found if any_word is None or not found else found | {any_word}


def any_word_of(declared: Declaration) -> str | None:
    """`ANY_WORD` for an entity whose things are not always found."""
    return ANY_WORD if declared.found_while else None


class Words:
    """The table of words of one searchable entity."""

    def __init__(self, declared: Declaration, table: Table, dialect: Dialect) -> None:
        self.table = table
        self.any_word = any_word_of(declared)
        """The one under which all things with words stand; None where all things have some."""
        self._text_of = declared.text_of
        keys = [f"of_{name}" for name in declared.key]
        is_key = [table.c[key] == mark(f"b_{key}") for key in keys]
        names = [f"b_{key}" for key in keys]
        values = {column.name: mark(f"b_{column.name}") for column in table.c}
        is_token = table.c.token == mark("b_token")

        def shape(statement: Any, bound: Sequence[str]) -> Shape:
            return Shape(statement, dialect, bound)

        self._held = shape(select(table.c.token).where(*is_key), names)
        self._forget = shape(delete(table).where(*is_key), names)
        self._add = shape(inserting(dialect)(table).values(values), ["b_token", *names])
        self._drop = shape(delete(table).where(is_token, *is_key), ["b_token", *names])
        self._count_one = _counting(shape, table, ["b_token"], is_token)
        is_within = table.c.token >= mark("low"), table.c.token < mark("high")
        self._count_range = _counting(shape, table, ["low", "high"], *is_within)

    def keep(self, line: Line, thing: Entity, key: Sequence[Any], *, is_new: bool) -> None:
        """Make the words those of the thing as it is now."""
        wanted = held_tokens(self._text_of(thing), self.any_word)
        rows = () if is_new else line.rows(self._held.sql, self._held.arrange(key))
        held = {token for (token,) in rows}
        if held == wanted:
            return
        self._each(line, self._drop, held - wanted, key)
        self._each(line, self._add, wanted - held, key)

    def forget(self, line: Line, key: Sequence[Any]) -> None:
        """Drop all words of a thing."""
        line.change(self._forget.sql, self._forget.arrange(key))

    def count(self, line: Line, token: str, bound: int) -> int:
        """How many things hold a word, up to a bound."""
        shape = self._count_one
        return int(line.rows(shape.sql, shape.arrange((token, bound)))[0][0])

    def count_prefix(self, line: Line, prefix: str, bound: int) -> int:
        """How many words start with a prefix, each counted for each thing, up to a bound."""
        shape = self._count_range
        values = (prefix, prefix + AFTER_ALL_WORDS, bound)
        return int(line.rows(shape.sql, shape.arrange(values))[0][0])

    def _each(self, line: Line, shape: Shape, some: set[str] | frozenset[str], key: Any) -> None:
        if some:
            line.change_many(shape.sql, [shape.arrange((token, *key)) for token in sorted(some)])


def _counting(shape: Callable[..., Shape], table: Table, names: list[str], *where: Any) -> Shape:
    found = select(table.c.token).where(*where).limit(mark("bound")).subquery()
    return shape(select(func.count()).select_from(found), [*names, "bound"])
