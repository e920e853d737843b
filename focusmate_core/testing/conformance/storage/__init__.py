"""What every storage promises: subclass `StorageContract` and give the fixture `storage`."""

from focusmate_core.testing.conformance.storage.deadlines import DeadlineLaws
from focusmate_core.testing.conformance.storage.finds import FindLaws
from focusmate_core.testing.conformance.storage.machine import ModelLaws
from focusmate_core.testing.conformance.storage.outbox import OutboxLaws
from focusmate_core.testing.conformance.storage.rows import RowLaws
from focusmate_core.testing.conformance.storage.units import UnitLaws
from focusmate_core.testing.conformance.storage.words import WordLaws

__all__ = ["StorageContract"]


class StorageContract(UnitLaws, RowLaws, FindLaws, WordLaws, OutboxLaws, DeadlineLaws, ModelLaws):
    """All laws of the storage port.

        class TestMyStorage(StorageContract):
            @pytest.fixture
            def storage(self, tmp_path):
                return MyStorage(tmp_path / "db")  # fresh and empty, not opened yet

    Its units and readers are used from several threads, each by the thread that opened it.
    """
