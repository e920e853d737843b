"""What a unit of work may ask: the verbs of the storage port, on the statements made for them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, TypeVar

from sqlalchemy.engine import Dialect

from focusmate_core.deadlines import Deadline
from focusmate_core.entities import Entity
from focusmate_core.finding import Find, Page
from focusmate_core.outbox import Envelope, Fresh
from focusmate_sqlalchemy.driver import Line
from focusmate_sqlalchemy.due import Due
from focusmate_sqlalchemy.events import Events
from focusmate_sqlalchemy.finds import Finder
from focusmate_sqlalchemy.search import Searcher
from focusmate_sqlalchemy.shelf import Shelf
from focusmate_sqlalchemy.tables import Tables

E = TypeVar("E", bound=Entity)


class Library(dict[type[Entity], "Kept"]):
    """All statements of one storage: a shelf per entity, the outbox, the deadlines."""

    def __init__(self, tables: Tables, dialect: Dialect) -> None:
        super().__init__()
        self.events = Events(tables, dialect)
        self.due = Due(tables, dialect)
        for entity, (table, words) in tables.entities.items():
            self[entity] = Kept(Shelf(entity, table, words, dialect))

    def __missing__(self, entity: type[Entity]) -> Kept:
        raise LookupError(f"the storage was opened without {entity.__name__}; name it to `open`")


class Kept:
    """One entity: its shelf, and how its things are found."""

    __slots__ = ("finder", "searcher", "shelf")

    def __init__(self, shelf: Shelf[Any]) -> None:
        self.shelf = shelf
        self.finder = Finder(shelf)
        self.searcher = Searcher(shelf)

    def finding(self, asked: Find[Any]) -> Finder | Searcher:
        """Who answers a question: words are looked up in an index of their own."""
        return self.finder if asked.words is None else self.searcher


class SqlReader:
    """One consistent view."""

    __slots__ = ("_library", "_line")

    def __init__(self, line: Line, library: Library) -> None:
        self._line, self._library = line, library

    def get(self, entity: type[E], key: Any, *, hold: bool = False) -> E | None:
        found: E | None = self._library[entity].shelf.get(self._line, key, hold=hold)
        return found

    def get_many(self, entity: type[E], keys: Sequence[Any]) -> dict[Any, E]:
        return self._library[entity].shelf.get_many(self._line, keys)

    def find(self, asked: Find[E]) -> Page[E]:
        return self._library[asked.entity].finding(asked).find(self._line, asked)

    def count(self, asked: Find[E], bound: int) -> int:
        return self._library[asked.entity].finding(asked).count(self._line, asked, bound)

    def head(self, stream: str) -> int:
        return self._library.events.head(self._line, stream)

    def read(self, stream: str, after: int, limit: int) -> list[Envelope]:
        return self._library.events.read(self._line, stream, after, limit)

    def tail(self, after: str, limit: int) -> list[Envelope]:
        return self._library.events.tail(self._line, after, limit)

    def end(self) -> str:
        return self._library.events.end(self._line)

    def next_due(self) -> datetime | None:
        return self._library.due.next_due(self._line)

    def parked(self, limit: int) -> list[Deadline]:
        return self._library.due.parked(self._line, limit)


class SqlUnit(SqlReader):
    """One unit of work."""

    __slots__ = ()
    is_alone = True  # SQLite's one write lock is taken when the unit begins

    def put(self, thing: E) -> E:
        stored: E = self._library[type(thing)].shelf.put(self._line, thing)
        return stored

    def delete(self, entity: type[Entity], key: Any) -> bool:
        return self._library[entity].shelf.delete(self._line, key)

    def savepoint(self) -> Savepoint:
        return Savepoint(self._line)

    def append(self, fresh: Sequence[Fresh]) -> None:
        self._library.events.append(self._line, fresh)

    def schedule(self, deadline: Deadline) -> None:
        self._library.due.schedule(self._line, deadline)

    def unschedule(self, key: str) -> None:
        self._library.due.unschedule(self._line, key)

    def claim(self, now: datetime, limit: int, key: str | None = None) -> list[Deadline]:
        return self._library.due.claim(self._line, now, limit, key)

    def prune(self, before: datetime, limit: int) -> int:
        return self._library.events.prune(self._line, before, limit)


class Savepoint:
    """What is done within it is kept, or undone as a whole when an exception leaves it."""

    __slots__ = ("_line",)

    def __init__(self, line: Line) -> None:
        self._line = line

    def __enter__(self) -> None:
        self._line.run("SAVEPOINT s")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Savepoints of one name nest: the innermost is meant.
        if kind is not None:
            self._line.run("ROLLBACK TO SAVEPOINT s")
        self._line.run("RELEASE SAVEPOINT s")
