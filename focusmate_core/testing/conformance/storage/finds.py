"""Laws of find and count: conditions, order, pages, and that only what is indexed is served."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import attrs
import pytest

from focusmate_core.finding import Among, Between, Find, Is, NoIndex
from focusmate_core.ports.storage import Storage
from focusmate_core.refusals import BadInput
from focusmate_core.testing.conformance.storage.kit import (
    NOON,
    Laws,
    Mood,
    Pair,
    Thing,
    all_pages,
    keep,
)


def _ids(storage: Storage, **asked: Any) -> str:
    with storage.read() as reader:
        return "".join(thing.id for thing in all_pages(reader, Find(Thing, **asked)))


def _shelved(storage: Storage) -> None:
    """On shelf a: b and d ranked 1, a ranked 2, c ranked 3; on shelf z: e ranked 1."""
    keep(
        storage,
        Thing(id="a", rank=2, made_at=NOON),
        Thing(id="b", rank=1, made_at=NOON + timedelta(microseconds=1), mood=Mood.LOUD),
        Thing(id="c", rank=3),
        Thing(id="d", rank=1, made_at=NOON - timedelta(days=1)),
        Thing(id="e", rank=1, shelf="z"),
    )


class FindLaws(Laws):
    """What find and count promise."""

    def test_without_a_question_all_come_in_the_order_of_the_key(self, opened: Storage) -> None:
        _shelved(opened)
        assert _ids(opened) == "abcde"
        assert _ids(opened, order=["id"]) == "abcde"
        assert _ids(opened, order=["-id"]) == "edcba"

    def test_is_finds_equals_in_order_with_ties_by_key(self, opened: Storage) -> None:
        _shelved(opened)
        on_a = [Is("shelf", "a")]
        assert _ids(opened, where=on_a, order=["rank"]) == "bdac"
        assert _ids(opened, where=on_a, order=["-rank"]) == "cadb"

    def test_none_comes_first_going_up_and_last_going_down(self, opened: Storage) -> None:
        _shelved(opened)
        on_a = [Is("shelf", "a")]
        for limit in (1, 2, 20):
            assert _ids(opened, where=on_a, order=["made_at"], limit=limit) == "cdab"
            assert _ids(opened, where=on_a, order=["-made_at"], limit=limit) == "badc"

    def test_none_is_found_like_any_value(self, opened: Storage) -> None:
        _shelved(opened)
        assert _ids(opened, where=[Is("shelf", "a"), Is("made_at", None)]) == "c"

    def test_between_holds_the_low_end_and_not_the_high_one(self, opened: Storage) -> None:
        _shelved(opened)

        def ranked(low: int | None, high: int | None) -> str:
            return _ids(
                opened, where=[Is("shelf", "a"), Between("rank", low, high)], order=["rank"]
            )

        assert ranked(1, 3) == "bda"
        assert ranked(2, None) == "ac"
        assert ranked(None, 2) == "bd"
        assert ranked(3, 3) == ""

    def test_between_finds_instants_to_the_microsecond_and_never_none(
        self, opened: Storage
    ) -> None:
        _shelved(opened)
        later = NOON + timedelta(microseconds=1)
        for low, high, found in ((NOON, later, "a"), (None, later, "da"), (later, None, "b")):
            where = [Is("shelf", "a"), Between("made_at", low, high)]
            assert _ids(opened, where=where, order=["made_at"]) == found

    def test_among_finds_members(self, opened: Storage) -> None:
        _shelved(opened)
        assert _ids(opened, where=[Among("id", ("d", "none", "b"))]) == "bd"
        assert _ids(opened, where=[Among("shelf", ("z", "a")), Is("mood", Mood.CALM)]) == "acde"
        assert _ids(opened, where=[Among("mood", (Mood.LOUD, Mood.CALM))]) == "abcde"
        assert _ids(opened, where=[Among("id", ())]) == ""

    def test_further_conditions_narrow_what_the_index_yields(self, opened: Storage) -> None:
        _shelved(opened)
        where = [Is("shelf", "a"), Is("title", ""), Between("made_at", NOON)]
        assert _ids(opened, where=where, order=["rank"]) == "ba"

    def test_enums_are_found_by_member(self, opened: Storage) -> None:
        _shelved(opened)
        assert _ids(opened, where=[Is("mood", Mood.LOUD)]) == "b"

    def test_text_is_ordered_by_code_point(self, opened: Storage) -> None:
        names = ["", " ", "A", "Z", "a", "z", "é", "ß", "가", "\uffee", "🍅"]
        keep(opened, *(Pair(left=name, right="r") for name in names))
        with opened.read() as reader:
            found = all_pages(reader, Find(Pair, [Is("right", "r")], ["left"], limit=2))
        assert [pair.left for pair in found] == sorted(names)

    def test_pages_are_as_long_as_asked_and_the_last_names_no_next(self, opened: Storage) -> None:
        _shelved(opened)
        with opened.read() as reader:
            first = reader.find(Find(Thing, limit=3))
            second = reader.find(Find(Thing, limit=2, after=first.next))
            whole = reader.find(Find(Thing, limit=5))
        assert [thing.id for thing in first.items] == ["a", "b", "c"]
        assert [thing.id for thing in second.items] == ["d", "e"]
        assert (second.next, whole.next) == (None, None)

    def test_a_list_read_while_it_grows_and_shrinks_has_no_gap_and_no_repeat(
        self, opened: Storage
    ) -> None:
        for shelf, order in (("up", "rank"), ("down", "-rank")):
            stay = [f"{shelf} stays {n}" for n in range(6)]
            keep(opened, *(Thing(id=i, shelf=shelf, rank=n) for n, i in enumerate(stay)))
            found = self._ids_while_it_changes(opened, Find(Thing, [Is("shelf", shelf)], [order]))
            assert found == (stay if shelf == "up" else stay[::-1])

    def _ids_while_it_changes(
        self, storage: Storage, asked: Find[Thing], turn: int = 0
    ) -> list[str]:
        with storage.read() as reader:
            page = reader.find(attrs.evolve(asked, limit=2))
        found = [thing.id for thing in page.items if "stays" in thing.id]
        if page.next is None:
            return found
        with storage.write() as unit:
            unit.delete(Thing, page.items[0].id)
            for rank in (-1, 99):
                shelf = page.items[0].shelf
                unit.put(Thing(id=f"{shelf} new {turn} {rank}", shelf=shelf, rank=rank))
        following = attrs.evolve(asked, after=page.next)
        return found + self._ids_while_it_changes(storage, following, turn + 1)

    def test_a_cursor_of_another_list_is_bad_input(self, opened: Storage) -> None:
        _shelved(opened)
        with opened.read() as reader:
            other = reader.find(Find(Thing, limit=1)).next
            asked = Find(Thing, [Is("shelf", "a")], ["rank"], after=other)
            with pytest.raises(BadInput):
                reader.find(asked)

    def test_what_no_index_serves_is_refused(self, opened: Storage) -> None:
        unserved: list[Find[Any]] = [
            Find(Thing, [Is("title", "x")]),
            Find(Thing, order=["rank"]),
            Find(Thing, [Is("shelf", "a")], ["rank", "-made_at"]),
            Find(Thing, [Is("nonsense", 1)]),
            Find(Pair, words="any"),
            Find(Thing, words="any", order=["rank"]),
        ]
        with opened.read() as reader:
            for asked in unserved:
                with pytest.raises(NoIndex):
                    reader.find(asked)
                with pytest.raises(NoIndex):
                    reader.count(asked, 10)

    def test_counting_stops_at_its_bound_and_knows_no_pages(self, opened: Storage) -> None:
        _shelved(opened)
        on_a = Find(Thing, [Is("shelf", "a")], ["rank"], limit=1)
        with opened.read() as reader:
            bounded = [reader.count(on_a, bound) for bound in (1, 3, 4, 5, 1000)]
            assert bounded == [1, 3, 4, 4, 4]
            after = attrs.evolve(on_a, after=reader.find(on_a).next)
            assert reader.count(after, 10) == 4
            assert reader.count(Find(Thing, [Is("shelf", "none")], ["rank"]), 10) == 0
