"""The tables: derived from what entities declare, and those of the core's own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from focusmate_core.entities import Declaration, Entity
from focusmate_sqlalchemy.kinds import ORDERED_TEXT, Instant, kind_of

VERSION_TABLE = "focusmate_version"
"""Where Alembic keeps the revision; a name of its own, so that an embedder's may live beside it."""

IS_LIVE, IS_PARKED = text("NOT parked"), text("parked")
"""Word for word in the indexes and in what is asked of them: that is how SQLite matches the two."""


@attrs.frozen
class Tables:
    """All tables of one storage."""

    metadata: MetaData
    outbox: Table
    heads: Table
    deadlines: Table
    entities: dict[type[Entity], tuple[Table, Table | None]]
    """Per entity its table and, where it is searchable, the table of its words."""


def build(entities: Iterable[type[Entity]]) -> Tables:
    """The tables of the core and of these entities; TypeError if two claim one name."""
    metadata = MetaData()
    core = _outbox(metadata), _heads(metadata), _deadlines(metadata)
    kept = {entity: _entity_tables(metadata, entity.declared) for entity in entities}
    return Tables(metadata, *core, kept)


def ordering(declared: Declaration, path: tuple[str, ...]) -> tuple[str, ...]:
    """The columns of the index that serves a path: the path, then the key that breaks ties."""
    return path + tuple(name for name in declared.key if name not in path)


def index_name(declared: Declaration, path: tuple[str, ...]) -> str | None:
    """The index by which a declared path is walked; None if that is the primary key's own."""
    if path in declared.uniques and not _optional(declared) & set(path):
        return unique_name(declared, path)
    columns = ordering(declared, path)
    return None if columns == declared.key else f"ix_{declared.name}_{'_'.join(columns)}"


def _optional(declared: Declaration) -> set[str]:
    return {column.name for column in declared.columns if column.optional}


def unique_name(declared: Declaration, path: tuple[str, ...]) -> str:
    """The name of the index that keeps a declared unique."""
    return f"ux_{declared.name}_{'_'.join(path)}"


def _outbox(metadata: MetaData) -> Table:
    return Table(
        "outbox",
        metadata,
        # AUTOINCREMENT, so that no position returns after the last rows are pruned.
        Column("position", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True),
        Column("stream", ORDERED_TEXT, nullable=False),
        Column("seq", BigInteger(), nullable=False),
        Column("type", Text(), nullable=False),
        Column("version", Integer(), nullable=False),
        Column("at", Instant(), nullable=False),
        Column("recorded_at", Instant(), nullable=False),
        Column("data", Text(), nullable=False),
        Index("ux_outbox_stream_seq", "stream", "seq", unique=True),
        sqlite_autoincrement=True,
    )


def _heads(metadata: MetaData) -> Table:
    return Table(
        "stream_heads",
        metadata,
        Column("stream", ORDERED_TEXT, primary_key=True),
        Column("seq", BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )


def _deadlines(metadata: MetaData) -> Table:
    table = Table(
        "deadlines",
        metadata,
        Column("key", ORDERED_TEXT, primary_key=True),
        Column("due_at", Instant(), nullable=False),
        Column("wire", Text(), nullable=False),
        Column("version", Integer(), nullable=False),
        Column("data", Text(), nullable=False),
        Column("try_at", Instant(), nullable=False),
        Column("attempts", Integer(), nullable=False),
        Column("error", Text(), nullable=False),
        Column("parked", Boolean(), nullable=False),
        sqlite_with_rowid=False,
    )
    due: dict[str, Any] = {"sqlite_where": IS_LIVE, "postgresql_where": IS_LIVE}
    parked: dict[str, Any] = {"sqlite_where": IS_PARKED, "postgresql_where": IS_PARKED}
    Index("ix_deadlines_due", table.c.try_at, table.c.key, **due)
    Index("ix_deadlines_parked", table.c.key, **parked)
    return table


def _entity_tables(metadata: MetaData, declared: Declaration) -> tuple[Table, Table | None]:
    table = _table(metadata, declared)
    return table, _words(metadata, declared) if declared.search else None


def _table(metadata: MetaData, declared: Declaration) -> Table:
    _look_free(metadata, declared.name)
    columns = [
        Column(column.name, kind_of(column).sql, nullable=column.optional)
        for column in declared.columns
    ]
    table = Table(declared.name, metadata, *columns, PrimaryKeyConstraint(*declared.key))
    for path in declared.uniques:
        Index(
            unique_name(declared, path),
            *(table.c[name] for name in path),
            unique=True,
            **_where_all_given(declared, path),
        )
    for name, path in _walked(declared).items():
        Index(name, *(table.c[column] for column in ordering(declared, path)))
    return table


def _where_all_given(declared: Declaration, path: tuple[str, ...]) -> dict[str, Any]:
    """None is never taken; and SQLite, held to think so, would sort all None as if it were one."""
    optional = _optional(declared)
    given = " AND ".join(f'"{name}" IS NOT NULL' for name in path if name in optional)
    return {"sqlite_where": text(given), "postgresql_where": text(given)} if given else {}


def _walked(declared: Declaration) -> dict[str, tuple[str, ...]]:
    kept = {unique_name(declared, path) for path in declared.uniques}
    paths = {index_name(declared, path): path for path in (*declared.indexes, *declared.uniques)}
    return {name: path for name, path in paths.items() if name and name not in kept}


def _words(metadata: MetaData, declared: Declaration) -> Table:
    name = f"{declared.name}_words"
    _look_free(metadata, name)
    types = {column.name: kind_of(column).sql for column in declared.columns}
    return Table(
        name,
        metadata,
        Column("token", ORDERED_TEXT, nullable=False),
        *(Column(f"of_{part}", types[part], nullable=False) for part in declared.key),
        PrimaryKeyConstraint("token", *(f"of_{part}" for part in declared.key)),
        Index(f"ix_{name}", *(f"of_{part}" for part in declared.key), "token", unique=True),
        sqlite_with_rowid=False,
    )


def _look_free(metadata: MetaData, name: str) -> None:
    if name in metadata.tables or name in {VERSION_TABLE, "sqlite_sequence"}:
        msg = f"two tables are called «{name}»: give the entity another name"
        raise TypeError(msg)
