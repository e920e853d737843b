"""What the live connections to SQLite are: their settings, their locks, and how they are kept."""

import sqlite3
import threading
from datetime import timedelta

import pytest

from focusmate_core.finding import Find
from focusmate_core.refusals import Unavailable
from focusmate_core.testing.conformance.storage.kit import ENTITIES, Thing, keep, kept
from focusmate_sqlalchemy import BadUrl, SqlStorage


@pytest.fixture
def path(tmp_path):
    return tmp_path / "kit.db"


@pytest.fixture
def storage(path):
    storage = SqlStorage(f"sqlite:///{path}")
    storage.open(ENTITIES)
    yield storage
    storage.close()


def pragma(unit, name):
    return unit._line.connection.execute(f"PRAGMA {name}").fetchone()[0]


def test_a_unit_is_durable_and_waits_for_others(storage):
    with storage.write() as unit:
        asked = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "query_only")
        assert [pragma(unit, name) for name in asked] == ["wal", 2, 1, 5000, 0]


def test_a_reader_can_only_read(storage):
    with storage.read() as reader:
        asked = ("journal_mode", "foreign_keys", "busy_timeout", "query_only")
        assert [pragma(reader, name) for name in asked] == ["wal", 1, 5000, 1]


@pytest.mark.parametrize(("level", "number"), [("OFF", 0), ("NORMAL", 1), ("EXTRA", 3)])
def test_durability_can_be_chosen(path, level, number):
    storage = SqlStorage(
        f"sqlite:///{path}", synchronous=level, busy_timeout=timedelta(milliseconds=70)
    )
    storage.open(ENTITIES)
    with storage.write() as unit:
        assert (pragma(unit, "synchronous"), pragma(unit, "busy_timeout")) == (number, 70)
    storage.close()


def test_a_durability_that_does_not_exist_is_refused(path):
    with pytest.raises(ValueError, match="OFF, NORMAL, FULL, EXTRA"):
        SqlStorage(f"sqlite:///{path}", synchronous="FULL; DROP TABLE outbox")


def test_no_reader_takes_or_awaits_the_lock_of_the_writer(storage, path):
    other = sqlite3.connect(path, timeout=0, isolation_level=None)
    with storage.read() as reader:
        reader.find(Find(Thing))
        other.execute("BEGIN IMMEDIATE")
        with storage.read() as second:
            assert second.find(Find(Thing)).items == ()
        other.execute("ROLLBACK")
    other.close()


def test_readers_share_few_connections_and_connect_once(storage, monkeypatch):
    made = []
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: made.append(1) or connect(*a, **k))
    for _ in range(50):
        with storage.read() as outer, storage.read() as inner:
            assert (outer.head("s"), inner.head("s")) == (0, 0)
    assert len(made) <= 2


def test_a_snapshot_begins_where_the_with_begins(storage):
    with storage.read() as reader:
        keep(storage, Thing(id="1"))
        assert reader.get(Thing, "1") is None


def test_a_unit_that_is_over_refuses_what_is_asked_of_it(storage):
    with storage.write() as unit:
        unit.put(Thing(id="1"))
    with storage.read() as reader:
        pass
    for over in (unit, reader):
        with pytest.raises(RuntimeError, match="is over"):
            over.get(Thing, "1")
    with pytest.raises(RuntimeError, match="is over"):
        unit.put(Thing(id="2"))


def test_a_unit_within_a_unit_is_refused_instead_of_waiting_for_itself(storage):
    with storage.write():
        with pytest.raises(RuntimeError, match="savepoint"), storage.write():
            pass
        with pytest.raises(RuntimeError, match="leave it"):
            storage.close()
    keep(storage, Thing(id="1"))


def test_a_closed_storage_is_unavailable_and_opens_again(storage):
    with storage.read() as reader:
        storage.close()
        assert reader.get(Thing, "1") is None
    for begun in (storage.read, storage.write):
        with pytest.raises(Unavailable), begun():
            pass
    storage.open(ENTITIES)
    keep(storage, Thing(id="1"))
    assert kept(storage, Thing, "1") is not None


def test_closing_waits_for_the_unit_under_way(storage):
    begun, go = threading.Event(), threading.Event()

    def write():
        with storage.write() as unit:
            begun.set()
            go.wait(10)
            unit.put(Thing(id="1"))

    writer = threading.Thread(target=write)
    writer.start()
    begun.wait(10)
    closer = threading.Thread(target=storage.close)
    closer.start()
    go.set()
    writer.join(10)
    closer.join(10)
    storage.open(ENTITIES)
    assert kept(storage, Thing, "1") is not None


def test_two_storages_in_one_process_ring_each_other(storage, path):
    other = SqlStorage(f"sqlite:///{path}")
    other.open(ENTITIES)
    bells = [storage.bell(), other.bell()]
    keep(other, Thing(id="1"))
    assert [bell.rung() for bell in bells] == [True, True]
    assert [bell.rung() for bell in bells] == [False, False]
    for bell in bells:
        bell.close()
    other.close()


def test_an_interrupt_that_leaves_a_transaction_behind_blocks_nobody(storage):
    storage._driver._writer.execute("BEGIN IMMEDIATE")
    storage._driver._writer.execute("INSERT INTO stream_heads VALUES ('lost', 1)")
    keep(storage, Thing(id="1"))
    with storage.read() as reader:
        assert reader.head("lost") == 0


def test_a_relative_path_stays_where_it_was_when_the_directory_changes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    storage = SqlStorage("sqlite:///kit.db")
    storage.open(ENTITIES)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    keep(storage, Thing(id="1"))
    assert kept(storage, Thing, "1") is not None
    storage.close()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_copy_has_what_is_committed_and_waits_for_no_unit_under_way(storage, tmp_path):
    keep(storage, Thing(id="1"))
    with storage.write() as unit:
        unit.put(Thing(id="2"))
        storage.copy(tmp_path / "copy.db")
    copied = SqlStorage(f"sqlite:///{tmp_path / 'copy.db'}")
    copied.open(ENTITIES)
    assert [kept(copied, Thing, each) is None for each in ("1", "2")] == [False, True]
    copied.close()


def test_of_what_is_not_there_or_no_database_no_copy_is_made(tmp_path):
    (tmp_path / "letter.db").write_text("Dear Ada, " * 100)
    with pytest.raises(BadUrl, match="there is no database"):
        SqlStorage(f"sqlite:///{tmp_path / 'away.db'}").copy(tmp_path / "copy.db")
    with pytest.raises(BadUrl, match="is not a database"):
        SqlStorage(f"sqlite:///{tmp_path / 'letter.db'}").copy(tmp_path / "copy.db")
