"""What SQLite's faults become: Unavailable, nothing half-done, and the next unit works."""

import contextlib
import resource
import sqlite3
import subprocess
import sys
from datetime import timedelta

import pytest

from focusmate_core.refusals import Conflict, Unavailable
from focusmate_core.testing.conformance.storage.kit import (
    ENTITIES,
    Everything,
    Thing,
    fresh,
    keep,
    kept,
)
from focusmate_sqlalchemy import SqlStorage

LARGE = "x" * 300_000


@pytest.fixture
def path(tmp_path):
    return tmp_path / "kit.db"


@pytest.fixture
def storage(path):
    storage = SqlStorage(f"sqlite:///{path}", busy_timeout=timedelta(milliseconds=50))
    storage.open(ENTITIES)
    keep(storage, Everything(id="before"))
    yield storage
    storage.close()


@contextlib.contextmanager
def locked_by_another_process(path):
    code = (
        "import sqlite3, sys\n"
        "other = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "other.execute('BEGIN IMMEDIATE')\n"
        "print('locked', flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"locked\n"
        yield
        other.stdin.close()
        assert other.wait(10) == 0


def make_full(storage):
    """No page more than there are: as if the disk were full, until the connection is replaced."""
    storage._driver._writer.execute("PRAGMA max_page_count = 1")


def test_locked_by_another_process_is_unavailable_and_passes(storage, path):
    with locked_by_another_process(path):
        with pytest.raises(Unavailable) as told, storage.write():
            pass
        assert isinstance(told.value.__cause__, sqlite3.OperationalError)
        assert kept(storage, Everything, "before") is not None
    keep(storage, Everything(id="after"))


def test_a_full_disk_is_unavailable_and_leaves_nothing_half_done(storage):
    make_full(storage)
    with pytest.raises(Unavailable), storage.write() as unit:  # noqa: PT012  the whole unit is lost
        unit.put(Everything(id="small"))
        unit.append([fresh("room:1")])
        unit.put(Everything(id="large", text=LARGE))
    assert kept(storage, Everything, "small") is None
    keep(storage, Everything(id="large", text=LARGE))
    with storage.read() as reader:
        assert reader.head("room:1") == 0
        assert reader.get(Everything, "before") is not None


def test_who_passes_over_a_fault_cannot_write_outside_the_unit(storage):
    make_full(storage)
    with pytest.raises(Unavailable), storage.write() as unit:  # noqa: PT012  the whole unit is lost
        unit.put(Everything(id="first"))
        with pytest.raises(Unavailable), unit.savepoint():
            unit.put(Everything(id="large", text=LARGE))
        with pytest.raises(Unavailable):
            unit.put(Everything(id="second"))
        with pytest.raises(Unavailable), unit.savepoint():
            pass
    for lost in ("first", "second", "large"):
        assert kept(storage, Everything, lost) is None
    keep(storage, Everything(id="first"))


@contextlib.contextmanager
def no_file_may_grow(path):
    """As a full disk is: what was written stays, and nothing more can be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    log = path.with_name(path.name + "-wal")
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size + 4096, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_commit_that_fails_raises_and_nothing_is_kept(storage, path):
    with no_file_may_grow(path):
        begun = storage.write()
        unit = begun.__enter__()
        for n in range(10):
            unit.put(Everything(id=f"{n}", text="x" * 10_000))
        with pytest.raises(Unavailable) as told:
            begun.__exit__(None, None, None)
        assert isinstance(told.value.__cause__, sqlite3.OperationalError)
        assert kept(storage, Everything, "0") is None
    keep(storage, Everything(id="0"))
    assert kept(storage, Everything, "0") is not None


def test_a_fault_of_a_reader_spoils_no_other(storage):
    with storage.read() as reader:
        cause = sqlite3.OperationalError("disk I/O error")
        cause.sqlite_errorcode = sqlite3.SQLITE_IOERR_READ
        line = reader._line
        with pytest.raises(Unavailable):
            line._fail(cause)
        with pytest.raises(Unavailable):
            reader.get(Everything, "before")
    with storage.read() as reader:
        assert reader._line.connection is not line.connection
        assert reader.get(Everything, "before") is not None


def test_a_mistake_is_told_as_it_is_and_the_unit_goes_on(storage):
    with storage.write() as unit:
        with pytest.raises(sqlite3.Error), unit.savepoint():
            unit.put(Everything(id="x", text=object()))
        with pytest.raises(sqlite3.IntegrityError), unit.savepoint():
            unit.put(Everything(id="x", text=None))
        unit.put(Everything(id="y"))
    assert kept(storage, Everything, "y") is not None


def test_a_unique_that_an_update_takes_is_a_conflict(storage):
    keep(storage, Thing(id="1", label="taken"), Thing(id="2"))
    with storage.write() as unit:
        with pytest.raises(Conflict), unit.savepoint():
            unit.put(unit.get(Thing, "2").but(label="taken"))
        unit.put(unit.get(Thing, "2").but(label="free"))
    assert kept(storage, Thing, "2").label == "free"


def test_a_file_that_is_no_database_is_told_as_it_is(tmp_path):
    path = tmp_path / "text.db"
    path.write_text("no database " * 1000)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        SqlStorage(f"sqlite:///{path}").open(ENTITIES)


def test_a_folder_in_the_place_of_the_file_is_unavailable(tmp_path):
    with pytest.raises(Unavailable):
        SqlStorage(f"sqlite:///{tmp_path}").open(ENTITIES)
