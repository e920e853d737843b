"""SQLite keeps the contract of the storage port."""

import pytest
from focusmate_sqlalchemy import SqlStorage

from focusmate_core.testing.conformance.storage import StorageContract


class TestSqliteStorage(StorageContract):
    @pytest.fixture
    def storage(self, tmp_path):
        return SqlStorage(f"sqlite:///{tmp_path / 'kit.db'}")
