"""Laws of the deadlines: one under a key, only what is due, and each claimed by one."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from typing import Any

import attrs

from focusmate_core.deadlines import PARKED_AFTER, Deadline, after_fault
from focusmate_core.ports.storage import Storage
from focusmate_core.testing.conformance.storage.kit import NOON, Laws, in_threads

SECOND = timedelta(seconds=1)
WORKERS = 4


def _due(key: str, at: datetime = NOON, **changes: Any) -> Deadline:
    made = Deadline(key, at, "kit.do", 2, '{"id":"공부"}', at)
    return attrs.evolve(made, **changes)


def _schedule(storage: Storage, *deadlines: Deadline) -> None:
    with storage.write() as unit:
        for deadline in deadlines:
            unit.schedule(deadline)


def _claimed(
    storage: Storage, now: datetime, limit: int = 10, key: str | None = None
) -> list[Deadline]:
    with storage.write() as unit:
        return unit.claim(now, limit, key)


class DeadlineLaws(Laws):
    """What schedule, unschedule, claim, next_due and parked promise."""

    def test_a_deadline_comes_back_as_it_was_scheduled(self, opened: Storage) -> None:
        deadline = _due("k", NOON + timedelta(microseconds=1), attempts=2, error="«faulty»")
        _schedule(opened, deadline)
        (came,) = _claimed(opened, NOON + SECOND)
        assert came == deadline
        assert (came.due_at.utcoffset(), came.try_at.utcoffset()) == (timedelta(), timedelta())

    def test_there_is_one_under_a_key(self, opened: Storage) -> None:
        _schedule(opened, _due("k"), _due("k", NOON + SECOND))
        assert _claimed(opened, NOON) == []
        assert _claimed(opened, NOON + SECOND) == [_due("k", NOON + SECOND)]

    def test_only_what_is_due_is_claimed_earliest_first(self, opened: Storage) -> None:
        _schedule(opened, _due("c"), _due("b"), _due("a", NOON + SECOND), _due("z", NOON - SECOND))
        assert [one.key for one in _claimed(opened, NOON - 2 * SECOND)] == []
        assert [one.key for one in _claimed(opened, NOON)] == ["z", "b", "c"]
        assert [one.key for one in _claimed(opened, NOON, limit=2)] == ["z", "b"]
        assert [one.key for one in _claimed(opened, NOON + SECOND)] == ["z", "b", "c", "a"]

    def test_a_deadline_is_claimed_to_the_microsecond(self, opened: Storage) -> None:
        _schedule(opened, _due("k"))
        assert _claimed(opened, NOON - timedelta(microseconds=1)) == []
        assert _claimed(opened, NOON) == [_due("k")]

    def test_one_key_is_claimed_alone_and_only_if_due(self, opened: Storage) -> None:
        _schedule(opened, _due("a"), _due("b"), _due("c", NOON + SECOND))
        assert [one.key for one in _claimed(opened, NOON, key="b")] == ["b"]
        assert _claimed(opened, NOON, key="c") == _claimed(opened, NOON, key="none") == []

    def test_what_is_unscheduled_is_due_no_more(self, opened: Storage) -> None:
        _schedule(opened, _due("a"), _due("b"))
        with opened.write() as unit:
            unit.unschedule("a")
            unit.unschedule("never there")
            assert [one.key for one in unit.claim(NOON, 10)] == ["b"]

    def test_a_claim_alone_clears_nothing(self, opened: Storage) -> None:
        _schedule(opened, _due("a"))
        assert _claimed(opened, NOON) == _claimed(opened, NOON) == [_due("a")]

    def test_a_fault_puts_it_off(self, opened: Storage) -> None:
        later = after_fault(_due("a"), "fault", NOON)
        _schedule(opened, _due("a"), later)
        assert _claimed(opened, NOON) == []
        assert _claimed(opened, later.try_at) == [later]
        assert (later.due_at, later.attempts) == (NOON, 1)

    def test_what_is_parked_is_shown_and_never_claimed(self, opened: Storage) -> None:
        deadline = _due("a")
        for _ in range(PARKED_AFTER):
            deadline = after_fault(deadline, "fault", NOON)
        _schedule(opened, deadline, _due("b", parked=True, error="fault"))
        assert _claimed(opened, NOON + timedelta(days=365)) == []
        assert _claimed(opened, NOON + timedelta(days=365), key="a") == []
        with opened.read() as reader:
            assert [one.key for one in reader.parked(10)] == ["a", "b"]
            assert (reader.parked(1), reader.next_due()) == ([deadline], None)

    def test_the_next_due_is_the_earliest_try(self, opened: Storage) -> None:
        with opened.read() as reader:
            assert reader.next_due() is None
        _schedule(opened, _due("a", try_at=NOON + 2 * SECOND), _due("b", NOON + SECOND))
        _schedule(opened, _due("c", parked=True))
        with opened.read() as reader:
            assert reader.next_due() == NOON + SECOND

    def test_many_workers_have_each_deadline_once(self, opened: Storage) -> None:
        keys = [f"{n:02}" for n in range(20)]
        _schedule(opened, *map(_due, keys))

        def work() -> list[str]:
            done: list[str] = []
            while True:
                with opened.write() as unit:
                    claimed = [one.key for one in unit.claim(NOON, 3)]
                    for key in claimed:
                        unit.unschedule(key)
                done += claimed
                if not claimed:
                    return done

        assert sorted(itertools.chain(*in_threads(*[work] * WORKERS))) == keys
