"""The model keeps the laws it is the model of."""

import sys
from subprocess import run

import pytest

from focusmate_core.refusals import Unavailable
from focusmate_core.testing.conformance.storage import StorageContract
from focusmate_core.testing.conformance.storage.kit import Thing, keep
from focusmate_core.testing.memory import MemoryStorage


class TestMemoryStorage(StorageContract):
    @pytest.fixture
    def storage(self):
        return MemoryStorage()


@pytest.fixture
def opened():
    storage = MemoryStorage()
    storage.open([Thing])
    return storage


def test_a_unit_within_a_unit_is_refused_instead_of_waiting_for_itself(opened):
    with opened.write(), pytest.raises(RuntimeError, match="savepoint"), opened.write():
        pass
    keep(opened, Thing(id="1"))


def test_reading_within_a_unit_sees_what_is_committed(opened):
    with opened.write() as unit:
        unit.put(Thing(id="1"))
        with opened.read() as reader:
            assert reader.get(Thing, "1") is None


def test_a_closed_storage_is_unavailable(opened):
    opened.close()
    with pytest.raises(Unavailable), opened.read():
        pass
    with pytest.raises(Unavailable), opened.write():
        pass


def test_equal_fingerprints_mean_equal_contents(opened):
    empty = opened.fingerprint()
    keep(opened, Thing(id="1", label="l"))
    full = opened.fingerprint()
    assert full != empty
    assert full["kit_things unique label"] == {("l",): ("1",)}
    with opened.write() as unit:
        unit.delete(Thing, "1")
    assert opened.fingerprint() == empty
    assert full["kit_things"] == {("1",): Thing(id="1", label="l", version=1)}


@pytest.mark.parametrize("name", ["memory", "clock", "ids", "passwords", "tokens"])
def test_the_fakes_need_no_test_framework(name):
    code = (
        f"import sys, focusmate_core.testing.{name}\n"
        "sys.exit(bool({'pytest', 'hypothesis'} & set(sys.modules)))"
    )
    assert run([sys.executable, "-c", code], check=False).returncode == 0
