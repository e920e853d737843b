"""Laws of the outbox: numbers without gaps, a tail that skips nothing, pruning without holes."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta

from focusmate_core.outbox import START, Envelope
from focusmate_core.ports.storage import Storage
from focusmate_core.testing.conformance.storage.kit import (
    NOON,
    Laws,
    fresh,
    in_threads,
    said,
    taken_back,
)

WRITERS, ROUNDS = 4, 8


def _append(storage: Storage, *streams: str) -> None:
    with storage.write() as unit:
        unit.append([fresh(stream) for stream in streams])


def _tail(storage: Storage, after: str = START, limit: int = 1000) -> list[Envelope]:
    with storage.read() as reader:
        return reader.tail(after, limit)


def _followed(storage: Storage, done: threading.Event) -> list[Envelope]:
    """What who follows the tail has seen once nothing comes any more."""
    seen: list[Envelope] = []
    while True:
        finished = done.is_set()
        new = _tail(storage, seen[-1].position if seen else START, 7)
        seen += new
        if finished and not new:
            return seen


class OutboxLaws(Laws):
    """What append, head, read, tail, end and prune promise."""

    def test_each_stream_counts_from_one(self, opened: Storage) -> None:
        with opened.write() as unit:
            unit.append([fresh("room:2", "a"), fresh("room:1", "b"), fresh("room:2", "c")])
            unit.append([])
            unit.append([fresh("room:1", "d"), fresh("public", "e")])
        with opened.read() as reader:
            assert said(reader.read("room:1", 0, 9)) == [("room:1", 1, "b"), ("room:1", 2, "d")]
            assert said(reader.read("room:2", 0, 9)) == [("room:2", 1, "a"), ("room:2", 2, "c")]
            assert [reader.head(s) for s in ("room:1", "room:2", "public", "none")] == [2, 2, 1, 0]

    def test_an_envelope_bears_what_was_appended(self, opened: Storage) -> None:
        at, recorded_at = NOON + timedelta(microseconds=1), NOON + timedelta(hours=1)
        event = fresh("room:1", '{"name":"공부 🍅"}', recorded_at)
        event = type(event)("room:1", "room.opened", 3, at, recorded_at, event.data)
        with opened.write() as unit:
            unit.append([event])
        (came,) = _tail(opened)
        told = (came.stream, came.type, came.version, came.at, came.recorded_at, came.data)
        assert told == ("room:1", "room.opened", 3, at, recorded_at, event.data)
        assert (came.seq, came.at.utcoffset()) == (1, timedelta())

    def test_a_stream_is_read_after_a_number_up_to_a_limit(self, opened: Storage) -> None:
        _append(opened, *["room:1"] * 5, "room:2")
        with opened.read() as reader:
            assert [event.seq for event in reader.read("room:1", 1, 3)] == [2, 3, 4]
            assert reader.read("room:1", 5, 3) == reader.read("none", 0, 3) == []

    def test_what_is_rolled_back_takes_no_number(self, opened: Storage) -> None:
        _append(opened, "room:1")
        with taken_back(opened.write()) as unit:
            unit.append([fresh("room:1"), fresh("room:2")])
        with opened.write() as unit:
            with taken_back(unit.savepoint()):
                unit.append([fresh("room:1"), fresh("room:2")])
            unit.append([fresh("room:1")])
        assert [(event.stream, event.seq) for event in _tail(opened)] == [
            ("room:1", 1),
            ("room:1", 2),
        ]

    def test_the_tail_keeps_the_order_things_were_appended_in(self, opened: Storage) -> None:
        streams = ["room:2", "room:1", "user:7", "room:2", "public", "room:1"]
        _append(opened, *streams[:4])
        _append(opened, *streams[4:])
        whole = _tail(opened)
        assert [event.stream for event in whole] == streams
        assert _tail(opened, limit=4) == whole[:4]
        assert _tail(opened, whole[1].position, 3) == whole[2:5]
        assert _tail(opened, whole[-1].position) == []

    def test_after_the_end_comes_what_is_appended_later(self, opened: Storage) -> None:
        with opened.read() as reader:
            assert (reader.end(), reader.tail(reader.end(), 10)) == (START, [])
        _append(opened, "room:1")
        with opened.read() as reader:
            end = reader.end()
            assert end == reader.tail(START, 10)[-1].position
        _append(opened, "room:2")
        assert [event.stream for event in _tail(opened, end)] == ["room:2"]

    def test_numbers_have_no_gap_whoever_appends_at_once(self, opened: Storage) -> None:
        def work(name: str) -> None:
            streams = ("room:shared", f"user:{name}")
            for turn in range(ROUNDS):
                begun = opened.write()
                with taken_back(begun) if turn % 3 == 1 else begun as unit:
                    unit.append([fresh(stream, name) for stream in streams])

        in_threads(*[lambda name=name: work(name) for name in "abcd"])
        tail = _tail(opened)
        shared = [event.seq for event in tail if event.stream == "room:shared"]
        kept = sum(turn % 3 != 1 for turn in range(ROUNDS))
        assert shared == list(range(1, 4 * kept + 1))
        assert Counter(event.stream for event in tail)["user:a"] == kept

    def test_who_follows_the_tail_sees_all_once_and_in_order(self, opened: Storage) -> None:
        done = threading.Event()

        def write() -> None:
            for _ in range(ROUNDS):
                _append(opened, "room:1", "room:2")

        def write_all() -> list[Envelope]:
            try:
                in_threads(*[write] * WRITERS)
            finally:
                done.set()
            return []

        _, seen = in_threads(write_all, lambda: _followed(opened, done))
        assert seen == _tail(opened)
        for stream in ("room:1", "room:2"):
            numbers = [event.seq for event in seen if event.stream == stream]
            assert numbers == list(range(1, WRITERS * ROUNDS + 1))

    def test_pruning_takes_what_is_older_and_leaves_the_heads(self, opened: Storage) -> None:
        with opened.write() as unit:
            for hour in range(4):
                unit.append([fresh("room:1", recorded_at=NOON + timedelta(hours=hour))])
        with opened.write() as unit:
            assert unit.prune(NOON + timedelta(hours=2), 10) == 2
            assert unit.prune(NOON + timedelta(hours=2), 10) == 0
        with opened.read() as reader:
            assert [event.seq for event in reader.read("room:1", 0, 10)] == [3, 4]
            assert [event.seq for event in reader.tail(START, 10)] == [3, 4]
            assert reader.head("room:1") == 4

    def test_pruning_everything_forgets_no_number_and_no_place(self, opened: Storage) -> None:
        _append(opened, "room:1", "room:1", "room:2")
        place = _tail(opened)[-1].position
        with opened.write() as unit:
            assert unit.prune(NOON + timedelta(days=1), 10) == 3
        _append(opened, "room:1")
        assert said(_tail(opened, place)) == [("room:1", 3, "{}")]

    def test_pruning_is_bounded_and_begins_with_the_oldest(self, opened: Storage) -> None:
        _append(opened, *["room:1"] * 5)
        with opened.write() as unit:
            assert unit.prune(NOON + timedelta(days=1), 2) == 2
            assert [event.seq for event in unit.read("room:1", 0, 9)] == [3, 4, 5]

    def test_pruning_leaves_no_hole_when_the_clock_was_set_back(self, opened: Storage) -> None:
        hours = (3, 1, 2, 4)
        with opened.write() as unit:
            for hour in hours:
                unit.append([fresh("room:1", recorded_at=NOON + timedelta(hours=hour))])
        with opened.write() as unit:
            unit.prune(NOON + timedelta(hours=3), 10)
            left = [event.seq for event in unit.read("room:1", 0, 9)]
        assert left == list(range(left[0], len(hours) + 1))
        assert len(left) == len(hours)
