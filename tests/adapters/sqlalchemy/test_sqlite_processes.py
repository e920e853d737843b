"""Two processes on one file: both write and read, each hears the other's bell."""

import subprocess
import sys
import textwrap

import pytest

from focusmate_core.finding import Find
from focusmate_core.testing.conformance.storage.kit import ENTITIES, Thing, fresh, keep, kept
from focusmate_sqlalchemy import SqlStorage

START = """
import sys
from focusmate_core.testing.conformance.storage.kit import ENTITIES, Thing, fresh, keep, kept
from focusmate_sqlalchemy import SqlStorage
storage = SqlStorage(f"sqlite:///{sys.argv[1]}")
storage.open(ENTITIES)
"""
COUNT = """
for _ in range(int(sys.argv[2])):
    with storage.write() as unit:
        unit.append([fresh("room:1"), fresh("room:2")])
        seen = unit.get(Thing, "1") or Thing(id="1")
        unit.put(seen.but(rank=seen.rank + 1))
storage.close()
"""
ECHO = """
bell = storage.bell()
print("listening", flush=True)
while not bell.rung():
    pass
print(kept(storage, Thing, "1").title, flush=True)
keep(storage, Thing(id="2", title="heard"))
bell.close()
storage.close()
"""
ROUNDS = 20


@pytest.fixture
def path(tmp_path):
    return tmp_path / "kit.db"


def process(code, path, *arguments):
    command = [sys.executable, "-c", textwrap.dedent(START + code), str(path), *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_processes_that_start_at_once_make_one_database_and_lose_no_update(path):
    counting = [process(COUNT, path, str(ROUNDS)) for _ in range(3)]
    for each in counting:
        with each:
            assert each.wait(60) == 0
    storage = SqlStorage(f"sqlite:///{path}")
    storage.open(ENTITIES)
    with storage.read() as reader:
        assert reader.get(Thing, "1").rank == 3 * ROUNDS
        for stream in ("room:1", "room:2"):
            seqs = [event.seq for event in reader.read(stream, 0, 1000)]
            assert seqs == list(range(1, 3 * ROUNDS + 1))
        positions = [event.position for event in reader.tail("", 1000)]
        assert positions == sorted(set(positions))
        assert len(positions) == 6 * ROUNDS
    storage.close()


def test_each_process_hears_the_bell_of_the_other(path):
    storage = SqlStorage(f"sqlite:///{path}")
    storage.open(ENTITIES)
    with process(ECHO, path) as other:
        assert other.stdout.readline() == "listening\n"
        bell = storage.bell()
        keep(storage, Thing(id="1", title="hello"))
        assert bell.rung()
        assert other.stdout.readline() == "hello\n"
        assert other.wait(30) == 0
        assert bell.rung()
        assert not bell.rung()
    assert kept(storage, Thing, "2").title == "heard"
    bell.close()
    storage.close()


def test_a_process_that_is_killed_leaves_what_it_committed_and_nothing_else(path):
    code = """
with storage.write() as unit:
    unit.put(Thing(id="kept"))
with storage.write() as unit:
    unit.put(Thing(id="lost"))
    unit.append([fresh("room:1")])
    print("half-way", flush=True)
    sys.stdin.read()
"""
    with process(code, path) as other:
        assert other.stdout.readline() == "half-way\n"
        other.kill()
        other.wait(30)
    storage = SqlStorage(f"sqlite:///{path}")
    storage.open(ENTITIES)
    with storage.write() as unit:
        assert [thing.id for thing in unit.find(Find(Thing)).items] == ["kept"]
        unit.append([fresh("room:1")])
        assert unit.head("room:1") == 1
    storage.close()
