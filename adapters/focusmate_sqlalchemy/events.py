"""The outbox in SQL: events numbered stream by stream, read and pruned."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import column, delete, func, insert, literal_column, select, table
from sqlalchemy.engine import Dialect

from focusmate_core.outbox import START, Envelope, Fresh
from focusmate_sqlalchemy.driver import Line
from focusmate_sqlalchemy.kinds import instant_of, microseconds_at
from focusmate_sqlalchemy.shapes import Shape, inserting, mark, portions
from focusmate_sqlalchemy.tables import Tables

_MOST_STREAMS = 64
_FRESH = ("stream", "seq", "type", "version", "at", "recorded_at", "data")


class Events:
    """The statements on outbox and stream heads; made once for a storage."""

    def __init__(self, tables: Tables, dialect: Dialect) -> None:
        self._heads, self._dialect = tables.heads, dialect
        self._numbering: dict[int, Shape] = {}
        outbox, heads = tables.outbox, tables.heads
        rows = select(*outbox.c)
        is_stream = outbox.c.stream == mark("b_stream")
        limit = mark("b_limit")

        def shape(statement: Any, *names: str) -> Shape:
            return Shape(statement, dialect, names)

        values = {name: mark(f"b_{name}") for name in _FRESH}
        self._insert = shape(
            insert(outbox).values(values), *(f"b_{name}" for name in _FRESH)
        ).as_given()
        head = select(heads.c.seq).where(heads.c.stream == mark("b_stream"))
        self._head = shape(head, "b_stream")
        after = rows.where(is_stream, outbox.c.seq > mark("b_seq"))
        self._read = shape(
            after.order_by(outbox.c.seq).limit(limit), "b_stream", "b_seq", "b_limit"
        )
        past = rows.where(outbox.c.position > mark("b_position"))
        self._tail = shape(past.order_by(outbox.c.position).limit(limit), "b_position", "b_limit")
        self._end = shape(_last_position(tables, dialect))
        up_to = delete(outbox).where(outbox.c.position <= mark("b_position"))
        self._prune = shape(up_to, "b_position")

    def append(self, line: Line, fresh: Sequence[Fresh]) -> None:
        """Number the events of all streams, streams in sorted order, and keep them."""
        counts: dict[str, int] = {}
        for event in fresh:
            counts[event.stream] = counts.get(event.stream, 0) + 1
        seqs = self._number(line, sorted(counts.items()))
        for stream, count in counts.items():
            seqs[stream] -= count
        rows = []
        for event in fresh:
            seqs[event.stream] += 1
            rows.append(_row(event, seqs[event.stream]))
        line.change_many(self._insert.sql, rows)

    def head(self, line: Line, stream: str) -> int:
        found = line.rows(self._head.sql, (stream,))
        return int(found[0][0]) if found else 0

    def read(self, line: Line, stream: str, after: int, limit: int) -> list[Envelope]:
        return self._envelopes(line, self._read, (stream, after, limit))

    def tail(self, line: Line, after: str, limit: int) -> list[Envelope]:
        return self._envelopes(line, self._tail, (int(after or 0), limit))

    def end(self, line: Line) -> str:
        found = line.rows(self._end.sql, ())
        return _position(found[0][0]) if found and found[0][0] else START

    def prune(self, line: Line, before: datetime, limit: int) -> int:
        """Oldest first, and never past one that is to be kept: a stream gets no hole."""
        last = 0
        for envelope in self.tail(line, START, limit):
            if envelope.recorded_at >= before:
                break
            last = int(envelope.position)
        return line.change(self._prune.sql, (last,)) if last else 0

    def _number(self, line: Line, counts: list[tuple[str, int]]) -> dict[str, int]:
        last: dict[str, int] = {}
        for portion in portions(len(counts), _MOST_STREAMS):
            some, counts = counts[:portion], counts[portion:]
            shape = self._numbering.get(portion) or self._compile_numbering(portion)
            given = shape.arrange([value for pair in some for value in pair])
            last.update(line.rows(shape.sql, given))
        return last

    def _compile_numbering(self, portion: int) -> Shape:
        heads = self._heads
        rows = [{"stream": mark(f"stream_{i}"), "seq": mark(f"seq_{i}")} for i in range(portion)]
        fresh = inserting(self._dialect)(heads).values(rows)
        counted = fresh.on_conflict_do_update(
            index_elements=[heads.c.stream], set_={"seq": heads.c.seq + fresh.excluded.seq}
        ).returning(heads.c.stream, heads.c.seq)
        names = [f"{name}_{i}" for i in range(portion) for name in ("stream", "seq")]
        self._numbering[portion] = shape = Shape(counted, self._dialect, names)
        return shape

    def _envelopes(self, line: Line, shape: Shape, values: Sequence[Any]) -> list[Envelope]:
        return [_envelope(row) for row in line.rows(shape.sql, shape.arrange(values))]


def _last_position(tables: Tables, dialect: Dialect) -> Any:
    """The last position ever given, also when its row is pruned."""
    if dialect.name != "sqlite":
        return select(func.max(tables.outbox.c.position))
    counter = table("sqlite_sequence", column("name"), column("seq"))
    return select(counter.c.seq).where(counter.c.name == literal_column("'outbox'"))


def _position(number: int) -> str:
    return f"{number:016d}"


def _row(event: Fresh, seq: int) -> tuple[Any, ...]:
    return (
        event.stream,
        seq,
        event.type,
        event.version,
        microseconds_at(event.at),
        microseconds_at(event.recorded_at),
        event.data,
    )


def _envelope(row: Sequence[Any]) -> Envelope:
    position, stream, seq, kind, version, at, recorded_at, data = row
    return Envelope(
        stream=stream,
        type=kind,
        version=version,
        at=instant_of(at),
        recorded_at=instant_of(recorded_at),
        data=data,
        seq=seq,
        position=_position(position),
    )
