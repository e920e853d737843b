"""The peer's engines: WAL, synchronous=FULL, foreign keys, and writers that begin as writers."""

from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import event
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from tests.benchmarks.peers.original_stack.models import Base
from tests.benchmarks.peers.original_stack.settings import Settings

PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA busy_timeout=30000",
    "PRAGMA cache_size=-65536",
    "PRAGMA temp_store=MEMORY",
)


@dataclass(frozen=True)
class Database:
    """Sessions that read, sessions that write, and their engines to dispose of."""

    read: async_sessionmaker[AsyncSession]
    write: async_sessionmaker[AsyncSession]
    engines: tuple[AsyncEngine, AsyncEngine]


def _prepare(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _engine(settings: Settings, size: int, begin: str) -> AsyncEngine:
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{settings.database}",
        pool_size=size,
        max_overflow=0,
        pool_timeout=60,
        pool_reset_on_return=None,  # every session here ends its transaction itself
        json_serializer=lambda value: orjson.dumps(value).decode(),
        json_deserializer=orjson.loads,
    )
    event.listen(engine.sync_engine, "connect", _prepare)

    def started(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine.sync_engine, "begin", started)
    return engine


async def open_database(settings: Settings) -> Database:
    """Open the file, creating what is missing in it."""
    write = _engine(settings, settings.writers, "BEGIN IMMEDIATE")
    read = _engine(settings, settings.readers, "BEGIN")
    async with write.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    keep: dict[str, Any] = {"expire_on_commit": False, "autoflush": False}
    return Database(
        async_sessionmaker(read, **keep), async_sessionmaker(write, **keep), (write, read)
    )
