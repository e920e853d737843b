"""One connection of SQLite within one transaction, and what its errors mean."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from focusmate_core.refusals import Conflict, Unavailable

_TAKEN = {sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY}
_FAULTS = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_READONLY,
}


class SqliteLine:
    """A connection of SQLite within one transaction."""

    __slots__ = ("_execute", "connection", "fault")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.fault: sqlite3.Error | None = None
        self._execute: Callable[..., sqlite3.Cursor] = connection.execute

    def rows(self, sql: str, values: Sequence[Any]) -> list[Any]:
        try:
            return self._execute(sql, values).fetchall()
        except sqlite3.Error as cause:
            self._fail(cause)

    def change(self, sql: str, values: Sequence[Any]) -> int:
        try:
            return self._execute(sql, values).rowcount
        except sqlite3.Error as cause:
            self._fail(cause)

    def change_many(self, sql: str, values: Sequence[Sequence[Any]]) -> None:
        try:
            for one in values:
                self._execute(sql, one)
        except sqlite3.Error as cause:
            self._fail(cause)

    def run(self, sql: str) -> None:
        try:
            self._execute(sql)
        except sqlite3.Error as cause:
            self._fail(cause)

    def end(self) -> None:
        """Nothing more may be asked."""
        self._execute = _over

    def _fail(self, cause: sqlite3.Error) -> NoReturn:
        if getattr(cause, "sqlite_errorcode", None) in _TAKEN:
            raise Conflict from cause
        if is_fault(cause) or not self.connection.in_transaction:
            # SQLite may have rolled everything back by itself; what came next would stand alone.
            self.fault = cause
            self._execute = self._broken
        fail(cause)

    def _broken(self, *_: Any) -> NoReturn:
        raise Unavailable from self.fault


def _over(*_: Any) -> NoReturn:
    raise RuntimeError("this unit of work is over; take what it gives within its `with`")


def is_fault(cause: sqlite3.Error) -> bool:
    """Whether the database is away, in contrast to a mistake in what was asked of it."""
    return (getattr(cause, "sqlite_errorcode", 0) & 0xFF) in _FAULTS


def is_busy(cause: sqlite3.Error) -> bool:
    """Whether another process has the lock, and nothing is wrong with the connection."""
    return (getattr(cause, "sqlite_errorcode", 0) & 0xFF) == sqlite3.SQLITE_BUSY


def fail(cause: sqlite3.Error) -> NoReturn:
    """Raise `Unavailable` for a fault, and the error itself for a mistake."""
    if is_fault(cause):
        raise Unavailable from cause
    raise cause
