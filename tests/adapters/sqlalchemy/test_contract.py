"""SQLite keeps the contract of the storage port."""

import pytest

from focusmate_core.testing.conformance.storage import StorageContract
from focusmate_sqlalchemy import SqlStorage


class TestSqliteStorage(StorageContract):
    @pytest.fixture
    def storage(self, tmp_path):
        return SqlStorage(f"sqlite:///{tmp_path / 'kit.db'}")
