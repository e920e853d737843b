"""What a find is served by, where its pages break, and what a word is."""

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focusmate_core.entities import Entity, entity
from focusmate_core.finding import (
    LONGEST_TOKEN,
    Among,
    Between,
    Find,
    Is,
    NoIndex,
    find_all,
    index_for,
    matches,
    read_cursor,
    tokens,
    write_cursor,
)
from focusmate_core.refusals import BadInput
from focusmate_core.testing.memory import MemoryStorage


@entity(
    "finding_books",
    index=[("shelf", "rank"), ("shelf", "colour", "rank"), "lent_at"],
    unique=["isbn"],
    search=("title",),
)
class Book(Entity):
    """Something to find."""

    id: str
    shelf: str
    rank: int
    colour: str = ""
    title: str = ""
    isbn: str | None = None
    lent_at: datetime | None = None
    version: int = 0


@entity("finding_loans", key=("book", "person"), index=[("person", "book")])
class Loan(Entity):
    """Something under two fields."""

    book: str
    person: str
    version: int = 0


ON_A = Is("shelf", "a")


@pytest.mark.parametrize(
    ("asked", "served_by"),
    [
        (Find(Book), ("id",)),
        (Find(Book, order=["-id"]), ("id",)),
        (Find(Book, [Is("id", "1")]), ("id",)),
        (Find(Book, [Among("id", ("1", "2"))]), ("id",)),
        (Find(Book, [Between("id", "1", "2")]), ("id",)),
        (Find(Book, [Is("isbn", "1")]), ("isbn",)),
        (Find(Book, [ON_A], ["rank"]), ("shelf", "rank")),
        (Find(Book, [ON_A], ["-rank"]), ("shelf", "rank")),
        (Find(Book, [ON_A], ["rank", "id"]), ("shelf", "rank")),
        (Find(Book, [ON_A, Is("rank", 1)]), ("shelf", "rank")),
        (Find(Book, [ON_A, Between("rank", 1, 2)]), ("shelf", "rank")),
        (Find(Book, [ON_A, Is("title", "x")], ["rank"]), ("shelf", "rank")),
        (Find(Book, [Is("colour", "r"), ON_A], ["rank"]), ("shelf", "rank")),
        (Find(Book, [Among("shelf", ("a", "b"))]), ("shelf", "rank")),
        (Find(Book, order=["lent_at"]), ("lent_at",)),
        (Find(Book, [Between("lent_at", None, None)]), ("lent_at",)),
        (Find(Book, words="x"), ("title",)),
        (Find(Book, [ON_A], ["-id"], words="x"), ("title",)),
        (Find(Loan, [Is("book", "1")]), ("book", "person")),
        (Find(Loan, [Is("person", "1"), Is("book", "1")]), ("book", "person")),
        (Find(Loan, order=["book", "person"]), ("book", "person")),
    ],
)
def test_a_find_is_served_by_an_index(asked, served_by):
    assert index_for(asked) == served_by


@pytest.mark.parametrize(
    "asked",
    [
        Find(Book, [Is("title", "x")]),
        Find(Book, [Is("rank", 1)]),
        Find(Book, [ON_A]),
        Find(Book, [ON_A], ["title"]),
        Find(Book, order=["rank"]),
        Find(Book, [Among("shelf", ("a",))], ["rank"]),
        Find(Book, [ON_A], ["rank", "-id"]),
        Find(Book, [Is("none", 1)]),
        Find(Book, order=["none"]),
        Find(Book, words="x", order=["rank"]),
        Find(Loan, words="x"),
    ],
)
def test_a_find_that_no_index_serves_is_refused(asked):
    with pytest.raises(NoIndex):
        index_for(asked)


def test_the_refusal_says_what_to_declare():
    with pytest.raises(NoIndex, match=r"Book.*@entity\(index=") as refused:
        index_for(Find(Book, [Is("title", "x")]))
    assert "title" in str(refused.value)


@pytest.mark.parametrize("order", [("id",), ("shelf",)])
def test_a_condition_that_leads_no_index_is_not_walked_for(order):
    with pytest.raises(NoIndex):
        index_for(Find(Book, where=(Is("colour", "red"),), order=order))


# -- cursors --------------------------------------------------------------------------------------

books = st.builds(
    Book,
    id=st.text(max_size=5),
    shelf=st.text(max_size=5),
    rank=st.integers(),
    isbn=st.none() | st.text(max_size=5),
    lent_at=st.none() | st.datetimes(timezones=st.just(UTC)),
)


@given(books, st.sampled_from([["id"], ["-id"], ["rank"], ["-lent_at"], ["isbn", "rank"]]))
def test_a_page_goes_on_where_the_one_before_ended(book, order):
    asked = Find(Book, order=order)
    after = Find(Book, order=order, after=asked.next_of(book)).start()
    assert after == tuple(getattr(book, name) for name in asked.sort_fields)
    assert asked.start() is None


@pytest.mark.parametrize("number", [0, 1, 1000, 1001, 2001])
def test_all_there_is_comes_in_order_however_many_pages_it_takes(number):
    storage = MemoryStorage()
    storage.open([Book])
    with storage.write() as unit:
        for rank in range(number):
            unit.put(Book(id=f"{rank:05}", shelf="a", rank=-rank))
        unit.put(Book(id="other", shelf="b", rank=0))
        asked = Find(Book, [ON_A], ["rank"], limit=2)
        ranks = [book.rank for book in find_all(unit, asked)]
    assert ranks == sorted(-rank for rank in range(number))


def test_the_key_breaks_ties_in_the_same_direction():
    assert Find(Book, order=["-rank"]).sort_fields == ("rank", "id")
    assert Find(Loan, order=["person"]).sort_fields == ("person", "book")
    assert Find(Book, order=["-rank"]).descending
    assert not Find(Book).descending


def _cursor(values):
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "====",
        "äöü",
        "\ud800",
        "bm9uZQ",
        _cursor("text"),
        _cursor(7),
        _cursor([1, "\ud800"]),
        _cursor([2**63, "b"]),
        _cursor([-(2**63) - 1, "b"]),
        _cursor(None),
        _cursor({}),
        _cursor([]),
        _cursor([1]),
        _cursor([1, "id", "more"]),
        _cursor(["1", "id"]),
        _cursor([True, "id"]),
        _cursor([None, "id"]),
        _cursor([1, None]),
        _cursor([1, ["2026-01-01T00:00:00Z"]]),
        _cursor([[], "id"]),
        _cursor([["not an instant"], "id"]),
        _cursor([[1, 2], "id"]),
        _cursor([{}, "id"]),
        base64.urlsafe_b64encode(b"[" * 100_000).decode(),
        write_cursor(["id"]),
    ],
)
def test_a_foreign_or_mutilated_cursor_is_bad_input(cursor):
    with pytest.raises(BadInput) as refused:
        Find(Book, [ON_A], ["rank"], after=cursor).start()
    assert [problem.field for problem in refused.value.fields] == ["cursor"]


@given(st.text(max_size=30))
def test_no_text_is_worse_than_bad_input(text):
    try:
        values = read_cursor(Book.declared, ("rank", "id"), text)
    except BadInput:
        return
    assert [type(value) for value in values] == [int, str]


# -- words ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ()),
        ("  !?  ", ()),
        ("Morning focus", ("morning", "focus")),
        ("Straße ÉTUDE", ("strasse", "étude")),
        ("e\u0301tude \ufb01n", ("étude", "fin")),
        ("done_now 100%", ("done_now", "100")),
        ("공부방", ("공부", "부방")),
        ("공", ("공",)),
        ("C공부2", ("c", "공부", "2")),
        ("図書館で", ("図書", "書館", "館で")),
        ("don't", ("don", "t")),
        ("x" * 100, ("x" * LONGEST_TOKEN,)),
    ],
)
def test_a_text_has_these_words(text, words):
    assert tokens(text) == words


@given(st.text(max_size=40))
def test_cutting_words_out_twice_is_cutting_once(text):
    words = tokens(text)
    assert all(0 < len(word) <= LONGEST_TOKEN for word in words)
    assert set(tokens(" ".join(words))) == set(words)


@given(st.text(max_size=40))
def test_a_text_is_found_by_itself(text):
    assert matches(text, text) == bool(tokens(text))


@given(st.text("abc 공부방", max_size=12), st.text("abc 공부방", max_size=12))
def test_all_words_are_needed_and_the_last_may_be_a_beginning(question, text):
    asked, held = tokens(question), tokens(text)
    expected = bool(asked) and set(asked[:-1]) <= set(held)
    assert matches(question, text) == (
        expected and any(word.startswith(asked[-1]) for word in held)
    )
