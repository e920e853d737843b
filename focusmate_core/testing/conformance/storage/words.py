"""Laws of words: every storage finds the same texts, and no sign in a question means anything."""

from __future__ import annotations

import pytest

from focusmate_core.finding import Find, Is, matches
from focusmate_core.ports.storage import Storage
from focusmate_core.testing.conformance.storage.kit import Laws, Thing, all_pages, keep

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


def _found(storage: Storage, question: str, **asked: object) -> str:
    with storage.read() as reader:
        find: Find[Thing] = Find(Thing, words=question, **asked)  # type: ignore[arg-type]
        return "".join(thing.id for thing in all_pages(reader, find))
