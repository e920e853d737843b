"""Laws of the single row: versions, keys, uniques, and that every type comes back as it went."""

from __future__ import annotations

import itertools
from datetime import UTC, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from focusmate_core.ports.storage import Storage
from focusmate_core.refusals import Conflict
from focusmate_core.testing.conformance.storage.kit import (
    NOON,
    Everything,
    Laws,
    Mood,
    Pair,
    Part,
    Thing,
    Unopened,
    keep,
    kept,
)

_number = itertools.count()

_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
_instants = st.datetimes(timezones=st.just(UTC))
_spans = st.timedeltas(timedelta(days=-99_999), timedelta(days=99_999))
_whole = st.integers(-(2**63), 2**63 - 1)
_ratios = st.floats(allow_nan=False, allow_infinity=False)
_moods = st.sampled_from(Mood)
_parts = st.builds(Part, name=_text, span=_spans, at=st.none() | _instants)
_everything = st.builds(
    Everything,
    id=st.builds(lambda: f"any {next(_number)}"),
    text=_text,
    flag=st.booleans(),
    number=_whole,
    ratio=_ratios,
    at=_instants,
    span=_spans,
    mood=_moods,
    part=_parts,
    parts=st.lists(_parts, max_size=3).map(tuple),
    names=st.lists(_text, max_size=3).map(tuple),
    counts=st.dictionaries(_text, _whole, max_size=3),
    maybe_text=st.none() | _text,
    maybe_flag=st.none() | st.booleans(),
    maybe_number=st.none() | _whole,
    maybe_ratio=st.none() | _ratios,
    maybe_at=st.none() | _instants,
    maybe_span=st.none() | _spans,
    maybe_mood=st.none() | _moods,
    maybe_part=st.none() | _parts,
)


class RowLaws(Laws):
    """What get, get_many, put and delete promise."""

    def test_put_gives_what_is_stored_with_its_puts_counted(self, opened: Storage) -> None:
        with opened.write() as unit:
            first = unit.put(Thing(id="1", title="new"))
            second = unit.put(first.but(title="changed"))
        assert first == Thing(id="1", title="new", version=1)
        assert second == Thing(id="1", title="changed", version=2)
        assert kept(opened, Thing, "1") == second

    def test_a_version_that_is_not_the_one_stored_is_refused(self, opened: Storage) -> None:
        keep(opened, Thing(id="1"))
        for wrong in (Thing(id="1"), Thing(id="1", version=2), Thing(id="2", version=1)):
            with pytest.raises(Conflict):
                keep(opened, wrong)

    def test_a_new_thing_under_a_deleted_key_counts_from_one(self, opened: Storage) -> None:
        keep(opened, Thing(id="1", title="old", label="l"))
        with opened.write() as unit:
            assert unit.delete(Thing, "1")
            assert not unit.delete(Thing, "1")
            assert unit.put(Thing(id="1", label="l")).version == 1
        assert kept(opened, Thing, "1") == Thing(id="1", label="l", version=1)

    def test_a_key_may_be_of_several_fields(self, opened: Storage) -> None:
        keep(opened, Pair(left="a", right="b", weight=1.5), Pair(left="b", right="a"))
        assert kept(opened, Pair, ("a", "b")) == Pair(left="a", right="b", weight=1.5, version=1)
        with opened.write() as unit:
            assert unit.delete(Pair, ("a", "b"))
            assert unit.get(Pair, ("a", "b")) is None
            assert unit.get(Pair, ("b", "a")) is not None

    def test_get_many_gives_those_there_are_by_the_keys_asked_for(self, opened: Storage) -> None:
        keep(opened, *(Thing(id=str(n)) for n in range(5)), Pair(left="a", right="b"))
        with opened.read() as reader:
            found = reader.get_many(Thing, ["3", "none", "1", "3"])
            assert found == {n: Thing(id=n, version=1) for n in ("3", "1")}
            pairs = reader.get_many(Pair, [("a", "b"), ("b", "a")])
            assert pairs == {("a", "b"): Pair(left="a", right="b", version=1)}
            assert reader.get_many(Thing, []) == {}

    def test_get_many_takes_a_thousand_keys(self, opened: Storage) -> None:
        keep(opened, *(Thing(id=f"{n:04}") for n in range(0, 1000, 2)))
        with opened.read() as reader:
            assert len(reader.get_many(Thing, [f"{n:04}" for n in range(1000)])) == 1000 // 2

    def test_what_is_unique_is_held_once(self, opened: Storage) -> None:
        keep(opened, Thing(id="1", label="l"), Thing(id="2", shelf="a", slot=1))
        for second in (Thing(id="3", label="l"), Thing(id="3", shelf="a", slot=1)):
            with pytest.raises(Conflict):
                keep(opened, second)
        keep(opened, Thing(id="3", shelf="b", slot=1, label="other"))

    def test_none_is_never_twice_what_is_unique(self, opened: Storage) -> None:
        keep(opened, Thing(id="1"), Thing(id="2"))
        assert kept(opened, Thing, "2") is not None

    def test_what_is_unique_is_free_again_when_given_up(self, opened: Storage) -> None:
        with opened.write() as unit:
            first = unit.put(Thing(id="1", label="l", slot=1))
            unit.put(first.but(label="m", slot=2))
            unit.put(Thing(id="2", label="l", slot=1))
            unit.delete(Thing, "1")
            unit.put(Thing(id="3", label="m", slot=2))
        assert kept(opened, Thing, "3") == Thing(id="3", label="m", slot=2, version=1)

    def test_an_update_may_not_take_what_another_holds(self, opened: Storage) -> None:
        keep(opened, Thing(id="1", label="l"), Thing(id="2", label="m"))
        with pytest.raises(Conflict):
            keep(opened, Thing(id="2", label="l", version=1))
        keep(opened, Thing(id="2", label="m", title="its own", version=1))

    def test_an_entity_the_storage_was_not_opened_with_is_refused_by_name(
        self, opened: Storage
    ) -> None:
        with opened.read() as reader, pytest.raises(LookupError, match="Unopened"):
            reader.get(Unopened, "1")

    @settings(
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,  # the examples have ids of their own
            HealthCheck.differing_executors,  # several storages inherit this in one run
            HealthCheck.too_slow,
        ],
        deadline=None,
    )
    @given(thing=_everything)
    def test_every_value_comes_back_as_it_was(self, opened: Storage, thing: Everything) -> None:
        keep(opened, thing)
        found = kept(opened, Everything, thing.id)
        assert found == thing.but(version=1)

    def test_instants_come_back_aware_in_utc_to_the_microsecond(self, opened: Storage) -> None:
        at = NOON + timedelta(microseconds=1)
        keep(opened, Everything(id="1", at=at, maybe_at=at, part=Part(name="p", at=at)))
        found = kept(opened, Everything, "1")
        assert found is not None
        for came in (found.at, found.maybe_at, found.part.at):
            assert came is not None
            assert (came, came.utcoffset()) == (at, timedelta())

    def test_types_come_back_not_only_equals(self, opened: Storage) -> None:
        keep(opened, Everything(id="1", flag=True, number=1, ratio=1.0, maybe_flag=False))
        found = kept(opened, Everything, "1")
        assert found is not None
        came = (found.flag, found.number, found.ratio, found.maybe_flag, found.parts)
        assert [type(value) for value in came] == [bool, int, float, bool, tuple]
