"""SqlStorage: keeps the storage port in a SQL database."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from types import TracebackType

from sqlalchemy.engine import Dialect, make_url
from sqlalchemy.exc import ArgumentError

from focusmate_core.entities import Entity
from focusmate_core.ports.bell import Bell
from focusmate_core.refusals import Unavailable
from focusmate_sqlalchemy import migrating
from focusmate_sqlalchemy.driver import Driver, Line
from focusmate_sqlalchemy.errors import BadUrl
from focusmate_sqlalchemy.sqlite import SqliteDriver
from focusmate_sqlalchemy.tables import Tables, build
from focusmate_sqlalchemy.unit import Library, SqlReader, SqlUnit


class SqlStorage:
    """Keeps what entities declare in typed tables.

    `url` as SQLAlchemy writes it: `sqlite:///relative.db`, `sqlite:////absolute.db`. A commit is on
    the disk when `write` is left, unless `synchronous` is lowered to NORMAL or OFF. `busy_timeout`
    is how long a unit waits for another process that writes before it is `Unavailable`.
    """

    def __init__(
        self,
        url: str,
        *,
        synchronous: str = "FULL",
        busy_timeout: timedelta = timedelta(seconds=5),
    ) -> None:
        self._driver: Driver = SqliteDriver(
            _path(url), synchronous=synchronous, busy_timeout=busy_timeout
        )
        self._library: Library | None = None

    def open(self, entities: Iterable[type[Entity]]) -> None:
        """Make an empty database, or check that this one is as the entities declare it.

        `NeedsMigration` and `NewerDatabase` say what to do; `BadUrl` that it can be kept nowhere.
        """
        tables, library = _made_for(tuple(entities), self._driver.dialect)
        self._driver.start()
        try:
            migrating.check(self._driver, tables)
        except BaseException:
            self._driver.stop()
            raise
        self._library = library

    def migrate(self, entities: Iterable[type[Entity]]) -> None:
        """Bring the database to what this version and these entities declare; data is kept."""
        self._driver.start()
        try:
            migrating.migrate(self._driver, build(entities))
        finally:
            if self._library is None:
                self._driver.stop()

    def copy(self, path: Path) -> None:
        """All that is committed at one instant, into an empty file, while others write.

        It needs not be open, and may be of another version. `BadUrl` says why it cannot be copied.
        """
        self._driver.copy(path)

    def read(self) -> _Reading:
        return _Reading(self._driver, self._opened())

    def write(self) -> _Writing:
        return _Writing(self._driver, self._opened())

    def bell(self) -> Bell:
        return self._driver.bell()

    def close(self) -> None:
        """Every `read` and `write` is refused until it is opened again."""
        self._driver.stop()
        self._library = None

    def _opened(self) -> Library:
        if self._library is None:
            raise Unavailable
        return self._library


@lru_cache(maxsize=8)
def _made_for(entities: tuple[type[Entity], ...], dialect: Dialect) -> tuple[Tables, Library]:
    """Statements know no connection, so storages of the same entities compile them once."""
    tables = build(entities)
    return tables, Library(tables, dialect)


def _path(url: str) -> str:
    try:
        asked = make_url(url)
    except ArgumentError:
        raise BadUrl("this is no URL of a database: use sqlite:///path") from None
    if asked.drivername != "sqlite":
        raise BadUrl(f"«{asked.drivername}» is not kept by this storage: use sqlite:///path")
    if asked.database in {None, "", ":memory:"}:
        raise BadUrl(
            "SQLite in memory cannot be shared by readers and a writer: name a file, or use "
            "focusmate_core.testing.memory.MemoryStorage"
        )
    if asked.query:
        raise BadUrl(f"a sqlite URL takes no options, and this one has {sorted(asked.query)}")
    return str(asked.database)


class _Reading:
    __slots__ = ("_driver", "_library", "_line")
    _line: Line

    def __init__(self, driver: Driver, library: Library) -> None:
        self._driver, self._library = driver, library

    def __enter__(self) -> SqlReader:
        self._line = self._driver.begin_reading()
        return SqlReader(self._line, self._library)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._driver.end_reading(self._line)


class _Writing:
    __slots__ = ("_driver", "_library", "_line")
    _line: Line

    def __init__(self, driver: Driver, library: Library) -> None:
        self._driver, self._library = driver, library

    def __enter__(self) -> SqlUnit:
        self._line = self._driver.begin_writing()
        return SqlUnit(self._line, self._library)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._driver.commit(self._line)
        else:
            self._driver.roll_back(self._line)
