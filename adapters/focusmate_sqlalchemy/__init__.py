"""Storage on SQLite, through SQLAlchemy Core and Alembic."""

from focusmate_sqlalchemy.errors import BadUrl, NeedsMigration, NewerDatabase, StorageError
from focusmate_sqlalchemy.storage import SqlStorage

__all__ = ["BadUrl", "NeedsMigration", "NewerDatabase", "SqlStorage", "StorageError"]
