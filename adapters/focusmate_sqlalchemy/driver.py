"""What the storage needs of a database's driver; one module each implements it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy.engine import Connection, Dialect

from focusmate_core.ports.bell import Bell

Values = Sequence[Any]


class Line(Protocol):
    """One connection within one transaction.

    A fault of the database raises `Unavailable` and breaks the line: whatever is asked of it after
    that is refused, so that nothing is written outside the transaction that was lost.
    A unique that is already taken raises `Conflict`, and the line goes on.
    """

    def rows(self, sql: str, values: Values) -> list[Any]:
        """All rows of a query."""
        ...

    def change(self, sql: str, values: Values) -> int:
        """How many rows a statement changed."""
        ...

    def change_many(self, sql: str, values: Sequence[Values]) -> None:
        """One statement with many sets of values."""
        ...

    def run(self, sql: str) -> None:
        """A statement that steers the transaction."""
        ...


class Driver(Protocol):
    """One database: its dialect, transactions on connections that are kept, its bell.

    A line that was begun is ended by `end_reading`, `commit` or `roll_back`, on any path.
    """

    dialect: Dialect

    def start(self) -> None:
        """Begin to answer; `Unavailable` if the database is away."""
        ...

    def begin_reading(self) -> Line: ...
    def end_reading(self, line: Any) -> None: ...
    def begin_writing(self) -> Line: ...
    def commit(self, line: Any) -> None: ...
    def roll_back(self, line: Any) -> None: ...

    def inspecting(self) -> AbstractContextManager[Connection]:
        """SQLAlchemy's connection, to look at the tables."""
        ...

    def migrating(self) -> AbstractContextManager[Connection]:
        """SQLAlchemy's connection in one exclusive transaction, to change the tables."""
        ...

    def copy(self, path: Path) -> None:
        """All that is committed at one instant, into an empty file, while others write."""
        ...

    def bell(self) -> Bell: ...
    def stop(self) -> None: ...
