"""The deadlines in SQL: one under a key at most, found by when they are to be tried."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.engine import Dialect

from focusmate_core.deadlines import Deadline
from focusmate_sqlalchemy.driver import Line
from focusmate_sqlalchemy.kinds import instant_of, microseconds_at
from focusmate_sqlalchemy.shapes import Shape, inserting, mark
from focusmate_sqlalchemy.tables import IS_LIVE, IS_PARKED, Tables

_FIELDS = ("key", "due_at", "wire", "version", "data", "try_at", "attempts", "error", "parked")
_values = attrgetter(*_FIELDS)


class Due:
    """The statements on deadlines; made once for a storage."""

    def __init__(self, tables: Tables, dialect: Dialect) -> None:
        kept = tables.deadlines
        rows = select(*(kept.c[name] for name in _FIELDS))
        is_key, limit = kept.c.key == mark("b_key"), mark("b_limit")
        is_due = kept.c.try_at <= mark("b_now")

        def shape(statement: Any, *names: str) -> Shape:
            return Shape(statement, dialect, names)

        values = {name: mark(f"b_{name}") for name in _FIELDS}
        fresh = inserting(dialect)(kept).values(values)
        others = {name: fresh.excluded[name] for name in _FIELDS[1:]}
        upsert = fresh.on_conflict_do_update(index_elements=[kept.c.key], set_=others)
        self._schedule = shape(upsert, *(f"b_{name}" for name in _FIELDS))
        self._unschedule = shape(delete(kept).where(is_key), "b_key")
        # Another worker's claims are passed over where rows are locked singly.
        due = rows.where(IS_LIVE, is_due).with_for_update(skip_locked=True).limit(limit)
        in_order = due.order_by(kept.c.try_at, kept.c.key)
        self._claim = shape(in_order, "b_now", "b_limit")
        self._claim_one = shape(due.where(is_key), "b_now", "b_key", "b_limit")
        self._next = shape(select(func.min(kept.c.try_at)).where(IS_LIVE))
        stuck = rows.where(IS_PARKED).order_by(kept.c.key).limit(limit)
        self._parked = shape(stuck, "b_limit")

    def schedule(self, line: Line, deadline: Deadline) -> None:
        values = list(_values(deadline))
        values[1], values[5] = microseconds_at(values[1]), microseconds_at(values[5])
        line.change(self._schedule.sql, self._schedule.arrange(values))

    def unschedule(self, line: Line, key: str) -> None:
        line.change(self._unschedule.sql, (key,))

    def claim(self, line: Line, now: datetime, limit: int, key: str | None) -> list[Deadline]:
        at = microseconds_at(now)
        if key is None:
            return self._deadlines(line, self._claim, (at, limit))
        return self._deadlines(line, self._claim_one, (at, key, limit))

    def next_due(self, line: Line) -> datetime | None:
        (least,) = line.rows(self._next.sql, ())[0]
        return None if least is None else instant_of(least)

    def parked(self, line: Line, limit: int) -> list[Deadline]:
        return self._deadlines(line, self._parked, (limit,))

    def _deadlines(self, line: Line, shape: Shape, values: Sequence[Any]) -> list[Deadline]:
        return [_deadline(row) for row in line.rows(shape.sql, shape.arrange(values))]


def _deadline(row: Sequence[Any]) -> Deadline:
    key, due_at, wire, version, data, try_at, attempts, error, parked = row
    return Deadline(
        key=key,
        due_at=instant_of(due_at),
        wire=wire,
        version=version,
        data=data,
        try_at=instant_of(try_at),
        attempts=attempts,
        error=error,
        parked=bool(parked),
    )
