"""Laws of the unit of work: all or nothing, savepoints, snapshots, and no lost update."""

from __future__ import annotations

import threading

import pytest

from focusmate_core.deadlines import Deadline
from focusmate_core.finding import Find
from focusmate_core.ports.storage import Storage, Unit
from focusmate_core.refusals import Conflict
from focusmate_core.testing.conformance.storage.kit import (
    ENTITIES,
    NOON,
    Laws,
    Thing,
    elsewhere,
    fresh,
    in_threads,
    keep,
    kept,
    taken_back,
)

WRITERS, ROUNDS = 4, 6


def _change_everything(unit: Unit) -> None:
    unit.put(Thing(id="2"))
    unit.delete(Thing, "1")
    unit.append([fresh("room:1")])
    unit.schedule(Deadline("later", NOON, "kit.do", 1, "{}", NOON))
    unit.unschedule("soon")


def _put_both(unit: Unit, first: Thing, second: Thing) -> None:
    unit.put(first)
    unit.put(second)


class UnitLaws(Laws):
    """What a unit of work and a reader promise."""

    @pytest.fixture
    def begun(self, opened: Storage) -> Storage:
        with opened.write() as unit:
            unit.put(Thing(id="1"))
            unit.schedule(Deadline("soon", NOON, "kit.do", 1, "{}", NOON))
        return opened

    def test_a_unit_left_well_is_kept_whole(self, begun: Storage) -> None:
        with begun.write() as unit:
            _change_everything(unit)
        with begun.read() as reader:
            assert [thing.id for thing in reader.find(Find(Thing)).items] == ["2"]
            assert reader.head("room:1") == 1
        with begun.write() as unit:
            assert [deadline.key for deadline in unit.claim(NOON, 10)] == ["later"]

    def test_a_unit_left_by_an_exception_leaves_no_trace(self, begun: Storage) -> None:
        with taken_back(begun.write()) as unit:
            _change_everything(unit)
        self._is_as_begun(begun)

    def test_a_savepoint_left_by_an_exception_drops_its_part_alone(self, begun: Storage) -> None:
        with begun.write() as unit:
            unit.put(Thing(id="before"))
            with taken_back(unit.savepoint()):
                _change_everything(unit)
            unit.put(Thing(id="after"))
        with begun.read() as reader:
            ids = [thing.id for thing in reader.find(Find(Thing)).items]
            assert ids == ["1", "after", "before"]
            assert (reader.head("room:1"), reader.tail("", 10)) == (0, [])

    def test_savepoints_nest(self, begun: Storage) -> None:
        with begun.write() as unit:
            with unit.savepoint():
                unit.put(Thing(id="outer"))
                with taken_back(unit.savepoint()):
                    unit.put(Thing(id="inner"))
                    with unit.savepoint():
                        unit.put(Thing(id="innermost"))
                with unit.savepoint():
                    unit.put(Thing(id="second"))
            assert [thing.id for thing in unit.find(Find(Thing)).items] == ["1", "outer", "second"]

    def test_an_outer_savepoint_takes_the_inner_ones_back(self, begun: Storage) -> None:
        with begun.write() as unit, taken_back(unit.savepoint()), unit.savepoint():
            _change_everything(unit)
        self._is_as_begun(begun)

    def test_a_unit_sees_its_own_writes(self, begun: Storage) -> None:
        with begun.write() as unit:
            _change_everything(unit)
            assert [thing.id for thing in unit.find(Find(Thing)).items] == ["2"]
            assert (unit.get(Thing, "1"), unit.count(Find(Thing), 10)) == (None, 1)
            assert [event.seq for event in unit.read("room:1", 0, 10)] == [1]
            assert [event.seq for event in unit.tail("", 10)] == [unit.head("room:1")]

    def test_nobody_sees_what_is_not_committed(self, begun: Storage) -> None:
        with begun.write() as unit:
            _change_everything(unit)
            elsewhere(lambda: self._is_as_begun(begun, claims=False))

    def test_a_reader_sees_one_state_whatever_is_committed_meanwhile(self, begun: Storage) -> None:
        def write() -> None:
            with begun.write() as unit:
                _change_everything(unit)

        writer = threading.Thread(target=write, daemon=True)
        with begun.read() as reader:
            before = reader.get(Thing, "1")
            writer.start()
            writer.join(0.5)  # a storage may make the writer wait for its readers
            assert (reader.get(Thing, "1"), reader.get(Thing, "2")) == (before, None)
            assert reader.find(Find(Thing)).items == (before,)
            assert (reader.head("room:1"), reader.tail("", 10)) == (0, [])
        writer.join(5)
        assert kept(begun, Thing, "2") == Thing(id="2", version=1)

    def test_what_was_read_before_another_put_it_cannot_be_put(self, begun: Storage) -> None:
        mine = kept(begun, Thing, "1")
        assert mine is not None
        keep(begun, mine.but(title="theirs"))
        with pytest.raises(Conflict):
            keep(begun, mine.but(title="mine"))
        assert kept(begun, Thing, "1") == Thing(id="1", title="theirs", version=2)

    def test_a_conflict_leaves_the_unit_usable_after_its_savepoint(self, begun: Storage) -> None:
        with begun.write() as unit:
            unit.put(Thing(id="before", label="taken"))
            for wrong in (Thing(id="1"), Thing(id="new", label="taken"), Thing(id="x", version=3)):
                with pytest.raises(Conflict), unit.savepoint():
                    _put_both(unit, Thing(id="part"), wrong)
            unit.put(Thing(id="after"))
        assert kept(begun, Thing, "part") is None
        assert kept(begun, Thing, "before") is not None
        assert kept(begun, Thing, "after") is not None

    def test_no_update_is_lost_when_many_count_at_once(self, begun: Storage) -> None:
        def count() -> None:
            for _ in range(ROUNDS):
                self._count_up(begun)

        in_threads(*[count] * WRITERS)
        counted = kept(begun, Thing, "1")
        assert counted is not None
        assert (counted.rank, counted.version) == (WRITERS * ROUNDS, WRITERS * ROUNDS + 1)

    def test_who_holds_a_row_meets_no_conflict(self, begun: Storage) -> None:
        def count() -> None:
            for _ in range(ROUNDS):
                with begun.write() as unit:
                    held = unit.get(Thing, "1", hold=True)
                    assert held is not None
                    unit.put(held.but(rank=held.rank + 1))

        in_threads(*[count] * WRITERS)
        counted = kept(begun, Thing, "1")
        assert counted is not None
        assert counted.rank == WRITERS * ROUNDS

    def test_of_many_who_insert_one_key_one_does(self, begun: Storage) -> None:
        def insert() -> bool:
            try:
                keep(begun, Thing(id="wanted", label="wanted"))
            except Conflict:
                return False
            return True

        assert sum(in_threads(*[insert] * WRITERS)) == 1

    def test_what_was_committed_is_there_after_a_reopening(self, begun: Storage) -> None:
        with begun.write() as unit:
            unit.append([fresh("room:1")])
        begun.close()
        begun.open(ENTITIES)
        with begun.write() as unit:
            assert unit.get(Thing, "1") == Thing(id="1", version=1)
            assert [deadline.key for deadline in unit.claim(NOON, 10)] == ["soon"]
            unit.append([fresh("room:1")])
            assert unit.head("room:1") == 2

    def test_the_bell_rings_after_a_commit(self, begun: Storage) -> None:
        bell = begun.bell()
        bell.rung()
        elsewhere(lambda: keep(begun, Thing(id="2")))
        assert bell.rung()
        bell.close()

    def test_the_bell_falls_silent(self, begun: Storage) -> None:
        bell = begun.bell()
        keep(begun, Thing(id="2"))
        assert not all(bell.rung() for _ in range(1000))
        bell.close()

    def _is_as_begun(self, storage: Storage, *, claims: bool = True) -> None:
        with storage.read() as reader:
            assert reader.find(Find(Thing)).items == (Thing(id="1", version=1),)
            assert reader.get(Thing, "2") is None
            assert (reader.head("room:1"), reader.read("room:1", 0, 10)) == (0, [])
            assert (reader.tail("", 10), reader.next_due()) == ([], NOON)
        if claims:
            with storage.write() as unit:
                assert [deadline.key for deadline in unit.claim(NOON, 10)] == ["soon"]

    def _count_up(self, storage: Storage) -> None:
        while True:
            try:
                with storage.write() as unit:
                    seen = unit.get(Thing, "1")
                    assert seen is not None
                    unit.put(seen.but(rank=seen.rank + 1))
            except Conflict:
                continue
            return
