"""Topping up: tables, columns and indexes that entities declare and no shipped revision makes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import attrs
from sqlalchemy import Column, Index, MetaData, Table, insert, inspect, literal, select
from sqlalchemy.engine import Connection
from sqlalchemy.schema import CreateIndex

from focusmate_core.entities import Declaration
from focusmate_sqlalchemy.kinds import kind_of
from focusmate_sqlalchemy.tables import Tables
from focusmate_sqlalchemy.words import any_word_of, held_tokens


def lacking(connection: Connection, metadata: MetaData) -> Iterator[str]:
    """What the database lacks, in words."""
    held = set(inspect(connection).get_table_names())
    for table in metadata.sorted_tables:
        if table.name not in held:
            yield f"the table «{table.name}»"
            continue
        for part in _missing_parts(connection, table):
            yield f"«{part.name}» of the table «{table.name}»"


def top_up(connection: Connection, tables: Tables) -> None:
    """Add what is lacking; rows that are there get the defaults of the entity, and their words."""
    held = set(inspect(connection).get_table_names())
    for entity, (table, words) in tables.entities.items():
        if table.name in held:
            _extend(connection, table, entity.declared)
        else:
            table.create(connection)
        if words is not None and words.name not in held:
            words.create(connection)
            _fill(connection, entity.declared, table, words)
    tables.metadata.create_all(connection)


def _missing_parts(connection: Connection, table: Table) -> Iterator[Column[Any] | Index]:
    looked = inspect(connection)
    columns = {column["name"] for column in looked.get_columns(table.name)}
    yield from (column for column in table.columns if column.name not in columns)
    indexes = {index["name"] for index in looked.get_indexes(table.name)}
    yield from (index for index in _sorted(table.indexes) if index.name not in indexes)


def _sorted(indexes: set[Index]) -> list[Index]:
    return sorted(indexes, key=lambda index: str(index.name))


def _extend(connection: Connection, table: Table, declared: Declaration) -> None:
    for part in list(_missing_parts(connection, table)):
        if isinstance(part, Index):
            connection.execute(CreateIndex(part))
        else:
            _add_column(connection, table, part, declared)


def _add_column(
    connection: Connection, table: Table, column: Column[Any], declared: Declaration
) -> None:
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    default = None if column.nullable else literal(_default(declared, column.name))
    made: Column[Any] = Column(
        column.name, column.type, nullable=column.nullable, server_default=default
    )
    Operations(MigrationContext.configure(connection)).add_column(table.name, made)


def _default(declared: Declaration, name: str) -> Any:
    """What the rows that are there get, as its column holds it."""
    field = attrs.fields_dict(cast("Any", declared.cls))[name]
    default: Any = field.default
    if default is attrs.NOTHING:
        raise TypeError(f"there are {declared.name} already: give the field «{name}» a default")
    if hasattr(default, "factory"):
        default = default.factory()
    (column,) = (column for column in declared.columns if column.name == name)
    way = kind_of(column).way_in
    return way(default) if way else default


def _fill(connection: Connection, declared: Declaration, table: Table, words: Table) -> None:
    key = [table.c[name] for name in declared.key]
    texts = [table.c[name] for name in declared.search]
    may_be_found = [table.c[name] for name in declared.found_while]
    any_word = any_word_of(declared)
    found = connection.execute(select(*key, *texts).where(*may_be_found)).yield_per(1000)
    for some in found.partitions():
        rows = [
            (token, *row[: len(key)])
            for row in some
            for token in held_tokens("\n".join(text or "" for text in row[len(key) :]), any_word)
        ]
        names = [column.name for column in words.columns]
        if rows:
            connection.execute(insert(words), [dict(zip(names, row, strict=True)) for row in rows])
