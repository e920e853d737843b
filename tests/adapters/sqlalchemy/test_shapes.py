"""Statements: made once for each shape, right whatever drives them, and fit for PostgreSQL too."""

import pytest
from sqlalchemy.dialects import postgresql

from focusmate_core.deadlines import Deadline
from focusmate_core.finding import Between, Find, Is, write_cursor
from focusmate_core.testing.conformance.storage.finds import FindLaws
from focusmate_core.testing.conformance.storage.kit import (
    ENTITIES,
    NOON,
    Mood,
    Pair,
    Poster,
    Thing,
    all_pages,
    fresh,
    keep,
)
from focusmate_core.testing.conformance.storage.words import WordLaws
from focusmate_sqlalchemy import SqlStorage, finds, search
from focusmate_sqlalchemy.shapes import Shape, portions
from focusmate_sqlalchemy.tables import build
from focusmate_sqlalchemy.unit import Library, SqlUnit


class TestWhenNothingIsFew(FindLaws, WordLaws):
    """The other way to each answer: ranges and prefixes are walked instead of sorted."""

    @pytest.fixture(autouse=True)
    def _nothing_is_few(self, monkeypatch):
        monkeypatch.setattr(finds, "FEW", 0)
        monkeypatch.setattr(search, "FEW", 0)

    @pytest.fixture
    def storage(self, tmp_path):
        return SqlStorage(f"sqlite:///{tmp_path / 'kit.db'}")


class TestWhenEverythingIsFew(WordLaws):
    """The first way again, for every prefix."""

    @pytest.fixture(autouse=True)
    def _everything_is_few(self, monkeypatch):
        monkeypatch.setattr(search, "FEW", 1_000_000)

    @pytest.fixture
    def storage(self, tmp_path):
        return SqlStorage(f"sqlite:///{tmp_path / 'kit.db'}")


@pytest.fixture
def storage(tmp_path):
    storage = SqlStorage(f"sqlite:///{tmp_path / 'kit.db'}")
    storage.open(ENTITIES)
    yield storage
    storage.close()


@pytest.mark.parametrize("few", [0, 1_000])
def test_a_range_in_key_order_is_the_same_sorted_or_walked(storage, monkeypatch, few):
    monkeypatch.setattr(finds, "FEW", few)
    moods = [Mood.CALM, Mood.LOUD]
    keep(storage, *(Thing(id=f"{n:02}", mood=moods[n % 2]) for n in range(9)))
    asked = Find(Thing, [Between("mood", Mood.CALM, Mood.LOUD)], limit=2)
    with storage.read() as reader:
        assert [thing.id for thing in all_pages(reader, asked)] == ["00", "02", "04", "06", "08"]


def test_hundreds_are_got_at_once(storage):
    keep(storage, *(Thing(id=f"{n}") for n in range(0, 300, 2)))
    keep(storage, Pair(left="a", right="b"))
    with storage.read() as reader:
        found = reader.get_many(Thing, [f"{n}" for n in range(300)])
        assert list(found) == [f"{n}" for n in range(0, 300, 2)]
        assert all(thing.id == key for key, thing in found.items())
        assert list(reader.get_many(Pair, [("a", "c"), ("a", "b")])) == [("a", "b")]


def test_hundreds_of_streams_are_numbered_at_once(storage):
    with storage.write() as unit:
        for _ in range(2):
            unit.append([fresh(f"room:{n % 150}") for n in range(300)])
    with storage.read() as reader:
        assert {reader.head(f"room:{n}") for n in range(150)} == {4}
        for n in (0, 77, 149):
            assert [event.seq for event in reader.read(f"room:{n}", 0, 9)] == [1, 2, 3, 4]


def test_what_was_asked_before_is_compiled_no_more(storage, monkeypatch):
    def ask(reader, title):
        where = [Is("shelf", "a"), Is("title", title)]
        all_pages(reader, Find(Thing, where, ["-made_at"], limit=2))
        reader.find(Find(Thing, words=f"{title} of all"))
        reader.get_many(Thing, [f"{title}{n}" for n in range(3)])

    for title in ("one", "other"):
        at = (NOON, None) * 4
        keep(storage, *(Thing(id=f"{title}{n}", title=title, made_at=at[n]) for n in range(8)))
    with storage.read() as reader:
        ask(reader, "one")
        monkeypatch.delattr(Shape, "__init__")
        ask(reader, "other")


@pytest.mark.parametrize("largest", [1, 4, 64])
def test_portions_add_up(largest):
    for count in range(200):
        found = portions(count, largest)
        assert sum(found) == count
        assert all(part <= largest and part & (part - 1) == 0 for part in found)


class Listener:
    """A line that answers nothing and sees that every marker has its value."""

    def __init__(self):
        self.heard = []

    def rows(self, sql, values):
        assert sql.count("%s") == len(values)
        self.heard.append(sql)
        if "stream_heads" in sql:
            return [("room:1", 1)]
        return [(0,)] if "count(" in sql or "min(" in sql or "max(" in sql else []

    def change(self, sql, values):
        self.rows(sql, values)
        return 1

    def change_many(self, sql, values):
        for each in values:
            self.rows(sql, each)


def test_every_statement_is_one_of_postgresql_too():
    dialect = postgresql.dialect(paramstyle="format")
    line = Listener()
    unit = SqlUnit(line, Library(build(ENTITIES), dialect))
    unit.put(Thing(id="1", title="a b"))
    unit.put(Thing(id="1", title="a b", version=2))
    unit.get(Thing, "1", hold=True)
    unit.get_many(Pair, [("a", "b"), ("c", "d")])
    unit.delete(Thing, "1")
    unit.append([fresh("room:1")])
    unit.tail("", 1)
    unit.end()
    unit.schedule(Deadline("k", NOON, "kit.do", 1, "{}", NOON))
    unit.claim(NOON, 3)
    unit.claim(NOON, 3, "k")
    unit.next_due()
    unit.parked(3)
    unit.find(Find(Thing, [Is("shelf", "a")], ["made_at"], after=write_cursor([NOON, "1"])))
    unit.find(Find(Thing, [Is("mood", Mood.CALM)], words="a b c"))
    unit.count(Find(Thing, words="a"), 5)
    unit.put(Poster(id="1", title="a"))
    unit.find(Find(Poster, words="a"))
    said = "\n".join(line.heard)
    assert "FOR UPDATE SKIP LOCKED" in said
    assert "ON CONFLICT (stream) DO UPDATE" in said
    assert "sqlite" not in said
