"""Every question that is served is served by seeks in the declared index, and sorts nothing."""

import itertools
from datetime import timedelta

import pytest

from focusmate_core.deadlines import Deadline
from focusmate_core.finding import Among, Between, Find, Is
from focusmate_core.testing.conformance.storage.kit import (
    ENTITIES,
    NOON,
    Mood,
    Pair,
    Thing,
    all_pages,
    fresh,
    keep,
)
from focusmate_sqlalchemy import SqlStorage, search

KEY = "sqlite_autoindex_kit_things_1"
ON_A = Is("shelf", "a")


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    storage = SqlStorage(f"sqlite:///{tmp_path_factory.mktemp('plans') / 'kit.db'}")
    storage.open(ENTITIES)
    shelves, moods = itertools.cycle("ab"), itertools.cycle([*Mood, Mood.CALM])
    for n, shelf, mood in zip(range(24), shelves, moods, strict=False):
        keep(
            storage,
            Thing(
                id=f"{n:02}",
                shelf=shelf,
                rank=n % 3,
                made_at=NOON + timedelta(seconds=n % 4) if n % 5 else None,
                label=f"l{n}" if n % 2 else None,
                slot=n if n % 3 else None,
                title=f"all thing{n} {'odd' if n % 2 else 'even'}",
                mood=mood,
            ),
            Pair(left=f"{n:02}", right="r"),
        )
    yield storage
    storage.close()


@pytest.fixture
def plans(opened, monkeypatch):
    """The plans of all statements that are run from now on, as SQLite explains them."""
    found = []
    with opened.read() as reader:
        line = type(reader._line)
        rows = line.rows

        def explain(self, sql, values):
            told = rows(self, f"EXPLAIN QUERY PLAN {sql}", values)
            found.append(" | ".join(row[3] for row in told))
            return rows(self, sql, values)

        monkeypatch.setattr(line, "rows", explain)
        yield reader, found


SERVED = [
    ({}, KEY),
    ({"order": ["-id"]}, KEY),
    ({"where": [Is("id", "03")]}, KEY),
    ({"where": [Between("id", "03", "09")]}, KEY),
    ({"where": [Among("id", ("03", "04", "none"))]}, KEY),
    ({"where": [Is("mood", Mood.CALM)]}, "ix_kit_things_mood_id"),
    ({"where": [Is("mood", Mood.CALM)], "order": ["-id"]}, "ix_kit_things_mood_id"),
    ({"where": [Among("mood", tuple(Mood))]}, "ix_kit_things_mood_id"),
    ({"where": [ON_A], "order": ["rank"]}, "ix_kit_things_shelf_rank_id"),
    ({"where": [ON_A], "order": ["-rank"]}, "ix_kit_things_shelf_rank_id"),
    ({"where": [ON_A, Between("rank", 1, 3)], "order": ["rank"]}, "ix_kit_things_shelf_rank_id"),
    ({"where": [ON_A, Is("title", "x")], "order": ["rank"]}, "ix_kit_things_shelf_rank_id"),
    ({"where": [ON_A], "order": ["made_at"]}, "ix_kit_things_shelf_made_at_id"),
    ({"where": [ON_A], "order": ["-made_at"]}, "ix_kit_things_shelf_made_at_id"),
    ({"where": [ON_A, Is("made_at", None)]}, "ix_kit_things_shelf_made_at_id"),
    (
        {"where": [ON_A, Is("mood", Mood.CALM)], "order": ["rank"]},
        "ix_kit_things_shelf_mood_rank_id",
    ),
    ({"where": [Is("label", "l3")]}, "ux_kit_things_label"),
    ({"order": ["label"]}, "ix_kit_things_label_id"),
    ({"order": ["-label"]}, "ix_kit_things_label_id"),
    ({"where": [ON_A], "order": ["slot"]}, "ix_kit_things_shelf_slot_id"),
    ({"where": [ON_A, Is("slot", 4)]}, "ux_kit_things_shelf_slot"),
]


@pytest.mark.parametrize(("asked", "index"), SERVED)
def test_a_find_walks_its_index_on_every_page(plans, asked, index):
    reader, found = plans
    all_pages(reader, Find(Thing, limit=2, **asked))
    assert found
    for plan in found:
        # The index of a unique serves what is fixed to one row as well as the walking one does.
        assert f"INDEX {index}" in plan or f"INDEX {index[:-3].replace('ix', 'ux', 1)} " in plan
        assert "B-TREE" not in plan


@pytest.mark.parametrize(("asked", "index"), SERVED)
def test_a_count_looks_at_its_index_alone(plans, asked, index):
    reader, found = plans
    reader.count(Find(Thing, **asked), 1000)
    assert all("kit_things USING" in plan for plan in found)
    assert not any("B-TREE" in plan for plan in found)


def test_two_fields_of_a_key_are_walked_either_way(plans):
    reader, found = plans
    all_pages(reader, Find(Pair, limit=5))
    all_pages(reader, Find(Pair, [Is("right", "r")], ["-left"], limit=5))
    assert {"kit_pairs_1" in plan for plan in found} == {True, False}
    assert all("USING" in plan and "B-TREE" not in plan for plan in found)


@pytest.mark.parametrize("words", ["all even", "thing3 al", "even odd all thing", "all"])
@pytest.mark.parametrize("order", ["id", "-id"])
@pytest.mark.parametrize("narrowed", [(), (Is("mood", Mood.CALM),)])
def test_words_are_walked_in_the_order_of_the_key(plans, monkeypatch, words, order, narrowed):
    monkeypatch.setattr(search, "FEW", 3)
    reader, found = plans
    all_pages(reader, Find(Thing, narrowed, [order], words=words, limit=2))
    walks = [plan for plan in found if "kit_things " in f"{plan} "]
    assert walks
    for plan in walks:
        assert "kit_things USING INDEX sqlite_autoindex_kit_things_1" in plan
        assert "B-TREE" not in plan


def test_few_words_are_looked_through(plans):
    reader, found = plans
    assert len(reader.find(Find(Thing, words="thing1", limit=20)).items) == 11
    assert "kit_things_words USING PRIMARY KEY (token>? AND token<?)" in found[-1]


def test_outbox_and_deadlines_are_read_by_seeks(opened, plans):
    reader, found = plans
    with opened.write() as unit:
        unit.append([fresh("room:1")])
        unit.schedule(Deadline("k", NOON, "kit.do", 1, "{}", NOON))
        unit.claim(NOON, 10)
        unit.claim(NOON, 10, "k")
    reader.head("room:1")
    reader.read("room:1", 0, 10)
    reader.tail("", 10)
    reader.next_due()
    reader.parked(10)
    text = "\n".join(found)
    assert "SEARCH deadlines USING INDEX ix_deadlines_due (try_at<?)" in text
    assert "SEARCH deadlines USING PRIMARY KEY (key=?)" in text
    assert "SEARCH deadlines USING INDEX ix_deadlines_due\n" in text
    assert "SCAN deadlines USING INDEX ix_deadlines_parked" in text
    assert "SEARCH stream_heads USING PRIMARY KEY (stream=?)" in text
    assert "SEARCH outbox USING INDEX ux_outbox_stream_seq (stream=? AND seq>?)" in text
    assert "SEARCH outbox USING INTEGER PRIMARY KEY (rowid>?)" in text
    assert "B-TREE" not in text
