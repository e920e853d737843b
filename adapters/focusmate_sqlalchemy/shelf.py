"""A shelf: the table of one entity, with its statements and the way of its things in and out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, Table, delete, select, tuple_, update
from sqlalchemy.engine import Dialect

from focusmate_core.entities import Entity
from focusmate_core.refusals import Conflict
from focusmate_sqlalchemy.driver import Line
from focusmate_sqlalchemy.kinds import Kind, kind_of
from focusmate_sqlalchemy.makers import Maker
from focusmate_sqlalchemy.shapes import Shape, inserting, mark, portions
from focusmate_sqlalchemy.words import Words

E = TypeVar("E", bound=Entity)
_MOST_KEYS = 64


class Shelf(Generic[E]):
    """One entity as this storage keeps it; made once, used by every unit of work."""

    def __init__(
        self, entity: type[E], table: Table, words: Table | None, dialect: Dialect
    ) -> None:
        self.entity, self.table, self.dialect = entity, table, dialect
        self.declared = entity.declared
        self.kinds: dict[str, Kind] = {c.name: kind_of(c) for c in self.declared.columns}
        self.words = None if words is None else Words(self.declared, words, dialect)
        self._maker = Maker(self.declared, self.kinds)
        self.thing: Callable[[Sequence[Any]], E] = self._maker.thing
        names = tuple(self.kinds)
        self._names = names
        self._key_ins = [self.kinds[name].way_in for name in self.declared.key]
        self._plain_key = not any(self._key_ins)
        self._key_at = [names.index(name) for name in self.declared.key]
        self._many: dict[int, Shape] = {}

    def get(self, line: Line, key: Any, *, hold: bool) -> E | None:
        shape = self._get_held if hold else self._get
        rows = line.rows(shape.sql, self.key_values(key))
        return self.thing(rows[0]) if rows else None

    def get_many(self, line: Line, keys: Sequence[Any]) -> dict[Any, E]:
        asked = {key: self.declared.key_from(key) for key in keys}
        todo = list(dict.fromkeys(asked.values()))
        found: dict[Any, E] = {}
        for count in portions(len(todo), _MOST_KEYS):
            some, todo = todo[:count], todo[count:]
            values = [value for key in some for value in self.key_values(key)]
            things = map(self.thing, line.rows(self._get_several(count).sql, values))
            found |= {self.declared.key_of(thing): thing for thing in things}
        return {key: found[parts] for key, parts in asked.items() if parts in found}

    def put(self, line: Line, thing: E) -> E:
        is_new = thing.version == 0  # type: ignore[attr-defined]  # checked by @entity
        if is_new:
            # DO NOTHING instead of an error, which would end a transaction of PostgreSQL.
            changed = line.change(self._insert.sql, self._maker.inserted(thing))
        else:
            changed = line.change(self._update.sql, self._maker.updated(thing))
        if changed == 0:
            raise Conflict
        if self.words is not None:
            key = self.key_values(self.declared.key_of(thing))
            self.words.keep(line, thing, key, is_new=is_new)
        stored: E = self._maker.stored(thing)
        return stored

    def delete(self, line: Line, key: Any) -> bool:
        values = self.key_values(key)
        if self.words is not None:
            self.words.forget(line, values)
        return line.change(self._delete.sql, values) > 0

    def key_values(self, key: Any) -> tuple[Any, ...]:
        """A key as its columns hold it."""
        given = self.declared.key_from(key)
        if self._plain_key:
            return given
        return tuple(
            way(value) if way else value for way, value in zip(self._key_ins, given, strict=True)
        )

    def row_key(self, row: Sequence[Any]) -> tuple[Any, ...]:
        """The key columns of a row, as they sort."""
        return tuple(row[at] for at in self._key_at)

    def stored(self, name: str, value: Any) -> Any:
        """One field's value as its column holds it."""
        way = self.kinds[name].way_in
        return value if value is None or way is None else way(value)

    def select(self) -> Select[Any]:
        """All columns, in the order `thing` expects."""
        return select(*self.table.c)

    def shape(self, statement: Any, names: Sequence[str]) -> Shape:
        return Shape(statement, self.dialect, names).as_given()

    def _is_key(self) -> list[Any]:
        return [self.table.c[name] == mark(f"key_{name}") for name in self.declared.key]

    @property
    def _key_names(self) -> list[str]:
        return [f"key_{name}" for name in self.declared.key]

    @cached_property
    def _get(self) -> Shape:
        return self.shape(self.select().where(*self._is_key()), self._key_names)

    @cached_property
    def _get_held(self) -> Shape:
        asked = self.select().where(*self._is_key()).with_for_update()
        return self.shape(asked, self._key_names)

    def _get_several(self, count: int) -> Shape:
        if count not in self._many:
            columns = [self.table.c[name] for name in self.declared.key]
            names = [[f"{name}_{i}" for name in self.declared.key] for i in range(count)]
            if len(columns) == 1:
                among = columns[0].in_([mark(one) for (one,) in names])
            else:
                among = tuple_(*columns).in_([tuple_(*map(mark, some)) for some in names])
            flat = [name for some in names for name in some]
            self._many[count] = self.shape(self.select().where(among), flat)
        return self._many[count]

    @cached_property
    def _insert(self) -> Shape:
        values = {name: mark(f"v_{name}") for name in self._names}
        made = inserting(self.dialect)(self.table).values(values).on_conflict_do_nothing()
        return self.shape(made, [f"v_{name}" for name in self._names])

    @cached_property
    def _update(self) -> Shape:
        changed = {name: mark(f"v_{name}") for name in self._names if name not in self.declared.key}
        is_read = self.table.c.version == mark("version_read")
        is_key = [self.table.c[name] == mark(f"v_{name}") for name in self.declared.key]
        made = update(self.table).values(changed).where(*is_key, is_read)
        names = [*changed, *self.declared.key]
        return self.shape(made, [*(f"v_{name}" for name in names), "version_read"])

    @cached_property
    def _delete(self) -> Shape:
        return self.shape(delete(self.table).where(*self._is_key()), self._key_names)
