"""Storage on SQLite, through SQLAlchemy Core and Alembic."""
