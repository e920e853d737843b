"""Laws of words: every storage finds the same texts, and no sign in a question means anything."""

from __future__ import annotations

import pytest

from focusmate_core.finding import Find, Is, matches
from focusmate_core.ports.storage import Reader, Storage
from focusmate_core.testing.conformance.storage.kit import Laws, Poster, Thing, all_pages, keep

TEXTS = {
    "a": ("Morning focus", "Quiet, please"),
    "b": ("조용한 공부방", None),
    "c": ('She said "focus" twice; 100% done_now', None),
    "d": ("focusing mornings", "evening"),
    "e": ("Straße ÉTUDE \ufb01ne", None),
    "f": ("図書館で勉強", "x" * 300),
    "g": ("", None),
}
QUESTIONS = {
    "focus": "acd",
    "FOCUS": "acd",
    "focus mor": "a",
    "mornings focus": "d",
    "focusing": "d",
    "morning": "ad",
    "please": "a",
    "quiet morning": "a",
    "공부": "b",
    "부방": "b",
    "공": "b",
    "공부방": "b",
    "조용 공부": "b",
    "勉強": "f",
    "図書館": "f",
    "strasse": "e",
    "étude": "e",
    "e\u0301tude": "e",
    "fine": "e",
    "x" * 64: "f",
    "x" * 400: "f",
    '"focus"': "acd",
    'fo"cus': "",
    "focus*": "acd",
    "focus OR evening": "",
    "NEAR(focus)": "",
    "focus AND": "",
    "100%": "c",
    "do_e": "",
    "done_now": "c",
    "-focus": "acd",
    "title:focus": "",
    "cus": "",
    "": "",
    "  ": "",
    "!?": "",
    "'; drop table kit_things; --": "",
}


class WordLaws(Laws):
    """What the search for words promises."""

    @pytest.fixture
    def library(self, opened: Storage) -> Storage:
        keep(opened, *(Thing(id=i, title=t, note=n) for i, (t, n) in TEXTS.items()))
        return opened

    @pytest.mark.parametrize(("question", "found"), QUESTIONS.items())
    def test_words_are_found_as_the_core_says(
        self, library: Storage, question: str, found: str
    ) -> None:
        assert _found(library, question) == found
        assert found == "".join(
            i for i, (title, note) in TEXTS.items() if matches(question, f"{title}\n{note or ''}")
        )

    def test_words_are_found_in_the_order_of_the_key_either_way(self, library: Storage) -> None:
        assert _found(library, "focus", order=["id"], limit=1) == "acd"
        assert _found(library, "focus", order=["-id"], limit=1) == "dca"

    def test_words_and_conditions_narrow_one_another(self, library: Storage) -> None:
        assert _found(library, "focus", where=[Is("note", None)]) == "c"
        with library.read() as reader:
            assert reader.count(Find(Thing, words="focus"), 10) == 3
            assert reader.count(Find(Thing, words="focus"), 2) == 2

    def test_a_changed_text_is_found_by_its_new_words_alone(self, library: Storage) -> None:
        with library.write() as unit:
            thing = unit.get(Thing, "a")
            assert thing is not None
            unit.put(thing.but(title="Rain", note=None))
            assert [t.id for t in unit.find(Find(Thing, words="rain")).items] == ["a"]
        assert _found(library, "focus") == "cd"
        assert _found(library, "quiet") == ""
        assert _found(library, "rain") == "a"

    def test_a_deleted_text_is_found_no_more(self, library: Storage) -> None:
        with library.write() as unit:
            unit.delete(Thing, "a")
        assert _found(library, "focus") == "cd"
        keep(library, Thing(id="a", title="other"))
        assert _found(library, "focus") == "cd"

    @pytest.mark.parametrize("question", ["focus", "fo", "hour focus", "focus ho"])
    def test_a_thing_is_found_by_words_only_while_it_may_be(
        self, opened: Storage, question: str
    ) -> None:
        keep(opened, *(Poster(id=i, title="Focus hour") for i in "abc"))
        keep(opened, Poster(id="d", title="Focus hour", is_up=False), Poster(id="e", title=""))
        turns = [(False, True), (True, False), (True, True), (False, False), (True, True)]
        for is_up, is_public in turns:
            with opened.write() as unit:
                poster = unit.get(Poster, "b")
                assert poster is not None
                unit.put(poster.but(is_up=is_up, is_public=is_public))
                expected = "abc" if is_up and is_public else "ac"
                assert _posters(unit, question) == expected
            with opened.read() as reader:
                assert _posters(reader, question) == expected

    def test_what_may_not_be_found_is_found_by_no_condition_beside_the_words(
        self, opened: Storage
    ) -> None:
        keep(opened, Poster(id="a", title="Focus", is_up=False), Poster(id="b", title="Focus"))
        with opened.read() as reader:
            for is_up, found in ((False, 0), (True, 1)):
                asked = Find(Poster, [Is("is_up", is_up)], words="focus")
                assert len(reader.find(asked).items) == reader.count(asked, 5) == found
            assert reader.get(Poster, "a") is not None
            assert [poster.id for poster in reader.find(Find(Poster)).items] == ["a", "b"]

    def test_what_changes_while_it_may_not_be_found_returns_with_its_new_words(
        self, opened: Storage
    ) -> None:
        keep(opened, Poster(id="a", title="Focus", is_up=False))
        with opened.write() as unit:
            stored = unit.put(Poster(id="a", title="Rain", is_up=False, version=1))
            unit.put(stored.but(is_up=True))
            assert [_posters(unit, words) for words in ("rain", "focus")] == ["a", ""]
            unit.delete(Poster, "a")
            unit.put(Poster(id="a", title="Snow"))
            assert [_posters(unit, words) for words in ("snow", "rain")] == ["a", ""]


def _found(storage: Storage, question: str, **asked: object) -> str:
    with storage.read() as reader:
        find: Find[Thing] = Find(Thing, words=question, **asked)  # type: ignore[arg-type]
        return "".join(thing.id for thing in all_pages(reader, find))


def _posters(reader: Reader, question: str) -> str:
    asked = Find(Poster, words=question, limit=1)
    found = "".join(poster.id for poster in all_pages(reader, asked))
    assert reader.count(asked, 10) == len(found)
    return found
