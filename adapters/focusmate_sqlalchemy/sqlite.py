"""SQLite: one connection that writes, some that read, each unit of work in one transaction."""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

from sqlalchemy import create_engine, event
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Connection, Dialect, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from focusmate_core.refusals import Unavailable
from focusmate_sqlalchemy.errors import BadUrl
from focusmate_sqlalchemy.sqlite_line import SqliteLine, fail, is_busy, is_fault

DIALECT: Dialect = sqlite.dialect()
_LEVELS = ("OFF", "NORMAL", "FULL", "EXTRA")
_MOST_IDLE = 32


@contextmanager
def _telling() -> Iterator[None]:
    """What SQLAlchemy raises, as `fail` tells it."""
    try:
        yield
    except DBAPIError as wrapped:
        if isinstance(wrapped.orig, sqlite3.Error) and is_fault(wrapped.orig):
            raise Unavailable from wrapped
        raise


class SqliteDriver:
    """The connections to one file."""

    def __init__(
        self,
        path: str | Path,
        *,
        synchronous: str = "FULL",
        busy_timeout: timedelta = timedelta(seconds=5),
    ) -> None:
        if synchronous not in _LEVELS:
            raise ValueError(f"synchronous must be one of {', '.join(_LEVELS)}")
        self.dialect = DIALECT
        self._path = Path(path).absolute()  # whoever changes the directory means no other file
        self._synchronous = synchronous
        self._timeout = busy_timeout.total_seconds()
        self._idle: deque[sqlite3.Connection] = deque()
        self._writing = threading.Lock()
        self._writer: sqlite3.Connection | None = None
        self._owner: int | None = None
        self._is_on = False

    def start(self) -> None:
        folder = self._path.parent
        if not folder.is_dir():
            raise BadUrl(f"there is no folder {folder} to keep the database in: make it first")
        try:
            with self._writing:
                self._writer = self._writer or self._connect_writer()
        except sqlite3.Error as cause:
            fail(cause)
        self._is_on = True

    def stop(self) -> None:
        """Close what is idle and refuse the next unit; a unit under way ends in its own time."""
        if self._owner == threading.get_ident():
            raise RuntimeError("this thread has a unit of work open; leave it, then close")
        self._is_on = False
        with self._writing:
            if self._writer is not None:
                self._writer.close()
                self._writer = None
        self._close_idle()

    def begin_reading(self) -> SqliteLine:
        self._look_on()
        connection: sqlite3.Connection | None = None
        try:
            connection = self._take()
            connection.execute("BEGIN")
            # A deferred BEGIN sees nothing yet: the first look is what fixes the snapshot.
            connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()
        except sqlite3.Error as cause:
            if connection is not None:
                connection.close()
            fail(cause)
        return SqliteLine(connection)

    def end_reading(self, line: SqliteLine) -> None:
        line.end()
        if line.fault is None and line.connection.in_transaction:
            line.connection.execute("ROLLBACK")
            if len(self._idle) < _MOST_IDLE:
                self._idle.append(line.connection)
                if not self._is_on:
                    self._close_idle()
                return
        line.connection.close()

    def begin_writing(self) -> SqliteLine:
        me = threading.get_ident()
        if self._owner == me:
            raise RuntimeError("this thread has a unit of work open; use its `savepoint` instead")
        self._writing.acquire()
        try:
            line = SqliteLine(self._begun())
        except BaseException:
            self._writing.release()
            raise
        self._owner = me
        return line

    def _begun(self) -> sqlite3.Connection:
        self._look_on()
        try:
            self._writer = self._writer or self._connect_writer()
            if self._writer.in_transaction:  # an interrupt came between BEGIN and its unit
                self._writer.execute("ROLLBACK")
            self._writer.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as cause:
            if self._writer is not None and not is_busy(cause):
                self._replace_writer(self._writer, is_clean=True)
            fail(cause)
        return self._writer

    def commit(self, line: SqliteLine) -> None:
        if line.fault is not None:
            fault = line.fault
            self.roll_back(line)
            raise Unavailable from fault
        try:
            line.connection.execute("COMMIT")
        except sqlite3.Error as cause:
            line.fault = cause
            self.roll_back(line)
            fail(cause)
        self._end_writing(line)

    def roll_back(self, line: SqliteLine) -> None:
        is_clean = True
        try:
            if line.connection.in_transaction:
                line.connection.execute("ROLLBACK")
        except sqlite3.Error as cause:
            line.fault, is_clean = cause, False
        if line.fault is not None:
            self._replace_writer(line.connection, is_clean=is_clean)
        self._end_writing(line)

    @contextmanager
    def inspecting(self) -> Iterator[Connection]:
        with _telling(), self._engine(self.connect).connect() as connection:
            yield connection

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        engine = self._engine(self._connect_writer)
        event.listen(engine, "begin", lambda made: made.exec_driver_sql("BEGIN IMMEDIATE"))
        with _telling(), engine.begin() as connection:
            yield connection

    def _engine(self, connect: Callable[[], sqlite3.Connection]) -> Engine:
        return create_engine("sqlite://", creator=connect, poolclass=NullPool)

    def copy(self, path: Path) -> None:
        if not self._path.is_file():
            raise BadUrl(f"there is no database {self._path}")
        try:
            with closing(self.connect()) as here, closing(sqlite3.connect(path)) as there:
                here.backup(there)  # all pages in one step, so of one instant
        except sqlite3.Error as cause:
            raise BadUrl(f"{self._path} cannot be copied ({cause})") from cause

    def bell(self) -> SqliteBell:
        self._look_on()
        try:
            return SqliteBell(self.connect())
        except sqlite3.Error as cause:
            fail(cause)

    def connect(self) -> sqlite3.Connection:
        """A new connection that can only read."""
        return self._connect("foreign_keys = ON", "query_only = ON")

    def _connect_writer(self) -> sqlite3.Connection:
        settings = ("foreign_keys = ON", "journal_mode = WAL", f"synchronous = {self._synchronous}")
        made = self._connect(*settings)
        mode = made.execute("PRAGMA journal_mode").fetchone()[0]
        if mode != "wal":
            made.close()
            raise BadUrl(f"{self._path} lies where SQLite cannot keep a write-ahead log ({mode})")
        return made

    def _connect(self, *settings: str) -> sqlite3.Connection:
        made = sqlite3.connect(
            self._path,
            timeout=self._timeout,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=512,
        )
        try:
            for setting in settings:
                made.execute(f"PRAGMA {setting}").fetchall()
        except sqlite3.Error:
            made.close()
            raise
        return made

    def _close_idle(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> sqlite3.Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return self.connect()

    def _look_on(self) -> None:
        if not self._is_on:
            raise Unavailable

    def _end_writing(self, line: SqliteLine) -> None:
        line.end()
        self._owner = None
        self._writing.release()

    def _replace_writer(self, old: sqlite3.Connection, *, is_clean: bool) -> None:
        """Connect anew before the old one goes; if that fails too, a clean one stays.

        On a full disk the last to close would take the log's shared memory with it, which nobody
        could make again to read.
        """
        try:
            self._writer = self._connect_writer()
        except (sqlite3.Error, BadUrl):
            self._writer = old if is_clean else None
        if self._writer is not old:
            old.close()


class SqliteBell:
    """Looks at a number that SQLite counts up for every commit of another connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._seen = self._look()

    def rung(self) -> bool:
        seen, self._seen = self._seen, self._look()
        return self._seen != seen

    def close(self) -> None:
        self._connection.close()

    def _look(self) -> int:
        try:
            found: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.Error as cause:
            fail(cause)
        return found
