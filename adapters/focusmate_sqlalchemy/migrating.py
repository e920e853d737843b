"""Migrating: an empty database is made, an old one brought up to date, a strange one refused.

The tables of the bundled features change by the revisions in `migrations/versions`, numbered 0001,
0002 … and written by `python tools/revise.py "what changes"` from what the entities declare. What
strangers' entities declare beyond that is added without a revision.
"""

from __future__ import annotations

import io
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, select, table, text
from sqlalchemy.engine import Connection

from focusmate_sqlalchemy.driver import Driver
from focusmate_sqlalchemy.errors import NeedsMigration, NewerDatabase
from focusmate_sqlalchemy.tables import VERSION_TABLE, Tables
from focusmate_sqlalchemy.topping import lacking, top_up

if TYPE_CHECKING:
    from alembic.config import Config

SCRIPTS = "focusmate_sqlalchemy:migrations"
_upgrading = threading.Lock()


def check(driver: Driver, tables: Tables) -> None:
    """Make an empty database; else see that it is as declared, and refuse it if not."""
    with driver.inspecting() as connection:
        revision = revision_of(connection)
        if revision is not None:
            _compare(connection, revision, tables)
            return
    migrate(driver, tables)


def migrate(driver: Driver, tables: Tables) -> None:
    """Bring the database to the newest revision and add what entities declare beyond it."""
    with driver.migrating() as connection:
        revision = revision_of(connection)
        if revision is not None and revision not in revisions():
            raise NewerDatabase(revision)
        if revision != revisions()[-1]:
            upgrade(connection)
        top_up(connection, tables)


def revisions() -> list[str]:
    """All revisions, oldest first; read off the files' names, since Alembic takes 0.2 s to come."""
    folder = Path(__file__).parent / "migrations" / "versions"
    return sorted(path.name[:4] for path in folder.glob("[0-9][0-9][0-9][0-9]_*.py"))


def revision_of(connection: Connection) -> str | None:
    """Where the database stands; None if it is empty as far as we are concerned."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found = select(text("version_num")).select_from(table(VERSION_TABLE))
    return connection.execute(found).scalar_one_or_none()


def _compare(connection: Connection, revision: str, tables: Tables) -> None:
    known = revisions()
    if revision not in known:
        raise NewerDatabase(revision)
    if revision != known[-1]:
        raise NeedsMigration(f"stands at revision {revision}, and this version needs {known[-1]}")
    lack = next(lacking(connection, tables.metadata), None)
    if lack is not None:
        raise NeedsMigration(f"lacks {lack}")


def upgrade(connection: Connection) -> None:
    """Run all revisions that are still to run."""
    from alembic import command

    with _upgrading:  # Alembic's `op` and `context` are the whole process's
        command.upgrade(configured(connection), "head")


def configured(connection: Connection) -> Config:
    """Alembic's configuration for one connection."""
    from alembic.config import Config

    config = Config(stdout=io.StringIO())
    config.set_main_option("script_location", SCRIPTS)
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
