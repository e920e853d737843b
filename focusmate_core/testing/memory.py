"""MemoryStorage: the model of the storage port, in plain dicts."""

from __future__ import annotations

import enum
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any, TypeVar

from focusmate_core.deadlines import Deadline
from focusmate_core.entities import Entity
from focusmate_core.finding import (
    Among,
    Between,
    Condition,
    Find,
    Is,
    Page,
    index_for,
    matches_tokens,
    tokens,
)
from focusmate_core.outbox import START, Envelope, Fresh
from focusmate_core.refusals import Conflict, Unavailable

E = TypeVar("E", bound=Entity)

HEADS, EVENTS, OUTBOX, LAST, DEADLINES = "heads", "events", "outbox", "last", "deadlines"
_ABSENT: Any = object()
_GONE: Any = object()


class _Tables(dict[Any, dict[Any, Any]]):
    def __missing__(self, table: Any) -> dict[Any, Any]:
        name = getattr(table, "__name__", table)
        raise LookupError(f"the storage was opened without {name}; name it to `open`")


class MemoryReader:
    """Committed tables that nobody changes any more, seen through what the unit itself changed."""

    def __init__(self, tables: _Tables) -> None:
        self._tables = tables
        self._own: defaultdict[Any, dict[Any, Any]] = defaultdict(dict)

    def get(self, entity: type[E], key: Any, *, hold: bool = False) -> E | None:
        found: E | None = self._look(entity, entity.declared.key_from(key))
        return found

    def get_many(self, entity: type[E], keys: Sequence[Any]) -> dict[Any, E]:
        found = {key: self.get(entity, key) for key in keys}
        return {key: thing for key, thing in found.items() if thing is not None}

    def find(self, asked: Find[E]) -> Page[E]:
        rows = self._found(asked)
        rows.sort(key=lambda row: _rank(asked, row), reverse=asked.descending)
        start = asked.start()
        if start is not None:
            after = tuple(map(_place, start))
            rows = [row for row in rows if _is_past(_rank(asked, row), after, asked.descending)]
        items = tuple(rows[: asked.limit])
        return Page(items, asked.next_of(items[-1]) if len(rows) > len(items) else None)

    def count(self, asked: Find[E], bound: int) -> int:
        return min(len(self._found(asked)), bound)

    def head(self, stream: str) -> int:
        return self._look(HEADS, stream) or 0

    def read(self, stream: str, after: int, limit: int) -> list[Envelope]:
        numbers = range(after + 1, self.head(stream) + 1)
        return _first(limit, (self._look(EVENTS, (stream, number)) for number in numbers))

    def tail(self, after: str, limit: int) -> list[Envelope]:
        places = range(int(after or 0) + 1, self._last() + 1)
        return _first(limit, (self._look(OUTBOX, place) for place in places))

    def end(self) -> str:
        return _position(self._last()) if self._last() else START

    def next_due(self) -> datetime | None:
        return min((d.try_at for d in self._values(DEADLINES) if not d.parked), default=None)

    def parked(self, limit: int) -> list[Deadline]:
        stuck = [deadline for deadline in self._values(DEADLINES) if deadline.parked]
        return sorted(stuck, key=attrgetter("key"))[:limit]

    def _look(self, table: Any, key: Any) -> Any:
        if self._own and (own := self._own.get(table)):
            held = own.get(key, _ABSENT)
            if held is not _ABSENT:
                return None if held is _GONE else held
        return self._tables[table].get(key)

    def _values(self, table: Any) -> list[Any]:
        held = self._tables[table]
        own = self._own.get(table)
        if own:
            held = {**held, **own}
        return [value for value in held.values() if value is not _GONE]

    def _found(self, asked: Find[E]) -> list[E]:
        index_for(asked)
        rows = [row for row in self._values(asked.entity) if _meets(row, asked.where)]
        if asked.words is None:
            return rows
        words, text_of = tokens(asked.words), asked.entity.declared.text_of
        return [row for row in rows if matches_tokens(words, _held_tokens(text_of(row)))]

    def _last(self) -> int:
        return self._look(LAST, "") or 0


class MemoryUnit(MemoryReader):
    """A unit of work: its changes, and a journal to take back those of a savepoint."""

    is_alone = True

    def __init__(self, tables: _Tables) -> None:
        super().__init__(tables)
        self._journal: list[tuple[dict[Any, Any], Any, Any]] = []

    def put(self, thing: E) -> E:
        cls, declared = type(thing), thing.declared
        key = declared.key_of(thing)
        before = self._look(cls, key)
        if (before.version if before is not None else 0) != thing.version:  # type: ignore[attr-defined]
            raise Conflict
        stored = thing.but(version=thing.version + 1)  # type: ignore[attr-defined]
        self._claim_uniques(cls, key, before, stored)
        self._set(cls, key, stored)
        return stored

    def delete(self, entity: type[Entity], key: Any) -> bool:
        key = entity.declared.key_from(key)
        before = self._look(entity, key)
        if before is None:
            return False
        self._claim_uniques(entity, key, before, None)
        self._set(entity, key, _GONE)
        return True

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        mark = len(self._journal)
        try:
            yield
        except BaseException:
            while len(self._journal) > mark:
                own, key, before = self._journal.pop()
                own[key] = before
                if before is _ABSENT:
                    del own[key]
            raise

    def append(self, fresh: Sequence[Fresh]) -> None:
        for event in fresh:
            seq, place = self.head(event.stream) + 1, self._last() + 1
            envelope = Envelope(
                stream=event.stream,
                type=event.type,
                version=event.version,
                at=event.at,
                recorded_at=event.recorded_at,
                data=event.data,
                seq=seq,
                position=_position(place),
            )
            self._set(HEADS, event.stream, seq)
            self._set(EVENTS, (event.stream, seq), envelope)
            self._set(OUTBOX, place, envelope)
            self._set(LAST, "", place)

    def schedule(self, deadline: Deadline) -> None:
        self._set(DEADLINES, deadline.key, deadline)

    def unschedule(self, key: str) -> None:
        self._set(DEADLINES, key, _GONE)

    def claim(self, now: datetime, limit: int, key: str | None = None) -> list[Deadline]:
        asked = self._values(DEADLINES) if key is None else [self._look(DEADLINES, key)]
        due = [d for d in asked if d is not None and not d.parked and d.try_at <= now]
        return sorted(due, key=attrgetter("try_at", "key"))[:limit]

    def prune(self, before: datetime, limit: int) -> int:
        """Oldest first, and never past one that is to be kept: a stream gets no hole."""
        pruned = 0
        for envelope in self.tail(START, limit):
            if envelope.recorded_at >= before:
                break
            self._set(EVENTS, (envelope.stream, envelope.seq), _GONE)
            self._set(OUTBOX, int(envelope.position), _GONE)
            pruned += 1
        return pruned

    def _set(self, table: Any, key: Any, value: Any) -> None:
        own = self._own[table]
        self._journal.append((own, key, own.get(key, _ABSENT)))
        own[key] = value

    def _claim_uniques(self, cls: type[Entity], key: Any, before: Any, after: Any) -> None:
        moved = []
        for path in cls.declared.uniques:
            old, new = _values_of(path, before), _values_of(path, after)
            if old != new:
                moved.append(((cls, path), old, new))
        for table, _, new in moved:
            if new is not None and self._look(table, new) is not None:
                raise Conflict
        for table, old, new in moved:
            if old is not None:
                self._set(table, old, _GONE)
            if new is not None:
                self._set(table, new, key)


class MemoryBell:
    """Keeps the bell port by the number of commits."""

    def __init__(self, commits: Callable[[], int]) -> None:
        self._commits = commits
        self._seen = commits()

    def rung(self) -> bool:
        seen, self._seen = self._seen, self._commits()
        return self._seen != seen

    def close(self) -> None:
        """Nothing is held."""


class MemoryStorage:
    """Keeps the storage port within one process; all is lost with the object.

    One unit of work at a time, others wait for it. Readers never wait: what they began with is
    copied before a commit changes it. `read` inside a `write` sees what is committed.
    """

    def __init__(self) -> None:
        self._tables = _Tables({table: {} for table in (HEADS, EVENTS, OUTBOX, LAST, DEADLINES)})
        self._is_open = False
        self._readers = 0
        self._commits = 0
        self._latch = threading.Lock()
        self._writing = threading.Lock()
        self._writer: int | None = None

    def open(self, entities: Iterable[type[Entity]]) -> None:
        for entity in entities:
            for table in (entity, *((entity, path) for path in entity.declared.uniques)):
                self._tables.setdefault(table, {})
        self._is_open = True

    def close(self) -> None:
        """Every `read` and `write` is refused until it is opened again; nothing is forgotten."""
        self._is_open = False

    def bell(self) -> MemoryBell:
        return MemoryBell(lambda: self._commits)

    def fingerprint(self) -> dict[str, Any]:
        """All that is committed, as plain dicts to compare with one another."""
        with self._latch:
            return {_name(table): dict(rows) for table, rows in self._tables.items()}

    @contextmanager
    def read(self) -> Iterator[MemoryReader]:
        self._look_open()
        with self._latch:
            self._readers += 1
            view = MemoryReader(_Tables(self._tables))
        try:
            yield view
        finally:
            with self._latch:
                self._readers -= 1

    @contextmanager
    def write(self) -> Iterator[MemoryUnit]:
        self._look_open()
        if self._writer == threading.get_ident():
            raise RuntimeError("this thread has a unit of work open; use its `savepoint` instead")
        with self._writing:
            self._writer = threading.get_ident()
            try:
                unit = MemoryUnit(self._tables)
                yield unit
                self._commit(unit)
            finally:
                self._writer = None

    def _commit(self, unit: MemoryUnit) -> None:
        with self._latch:
            for table, changes in unit._own.items():  # noqa: SLF001  the unit is part of the storage
                rows = self._tables[table]
                if self._readers:
                    rows = self._tables[table] = dict(rows)
                rows.update(changes)
                for key in [key for key, value in changes.items() if value is _GONE]:
                    del rows[key]
            self._commits += 1

    def _look_open(self) -> None:
        if not self._is_open:
            raise Unavailable


def _position(place: int) -> str:
    return f"{place:016d}"


def _name(table: Any) -> str:
    if isinstance(table, tuple):
        return f"{table[0].declared.name} unique {', '.join(table[1])}"
    return table if isinstance(table, str) else table.declared.name


def _first(limit: int, found: Iterable[Any]) -> list[Any]:
    held: list[Any] = []
    for thing in found:
        if len(held) == limit:
            break
        if thing is not None:
            held.append(thing)
    return held


def _values_of(path: tuple[str, ...], thing: Any) -> tuple[Any, ...] | None:
    if thing is None:
        return None
    values = tuple(getattr(thing, name) for name in path)
    return None if None in values else values


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, enum.Enum) else value


def _place(value: Any) -> tuple[Any, ...]:
    return () if value is None else (_plain(value),)


def _rank(asked: Find[Any], row: Any) -> tuple[Any, ...]:
    return tuple(_place(getattr(row, name)) for name in asked.sort_fields)


def _is_past(rank: tuple[Any, ...], after: tuple[Any, ...], descending: bool) -> bool:  # noqa: FBT001
    return rank < after if descending else rank > after


def _meets(row: Any, conditions: tuple[Condition, ...]) -> bool:
    return all(_meets_one(_plain(getattr(row, c.field)), c) for c in conditions)


def _meets_one(value: Any, asked: Condition) -> bool:
    if isinstance(asked, Is):
        return bool(value == _plain(asked.value))
    if isinstance(asked, Among):
        return value in [_plain(one) for one in asked.values]
    return value is not None and _is_between(value, asked)


def _is_between(value: Any, asked: Between) -> bool:
    return (asked.low is None or value >= _plain(asked.low)) and (
        asked.high is None or value < _plain(asked.high)
    )


@lru_cache(maxsize=10_000)
def _held_tokens(text: str) -> frozenset[str]:
    return frozenset(tokens(text))
