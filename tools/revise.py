"""Write the next revision of the database: `python tools/revise.py "what changes"`.

It compares what the bundled features declare with what the revisions so far make. Read what it
wrote before it is committed: a column that was renamed looks like one dropped and one added.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from alembic import command

from focusmate_core.engine import Engine
from focusmate_core.features import BUNDLED
from focusmate_core.testing.clock import FakeClock
from focusmate_core.testing.ids import SequentialIds
from focusmate_core.testing.memory import MemoryStorage
from focusmate_sqlalchemy import migrating
from focusmate_sqlalchemy.kinds import ORDERED_TEXT, Instant, Span
from focusmate_sqlalchemy.sqlite import SqliteDriver
from focusmate_sqlalchemy.tables import build


def _render(kind: str, item: Any, context: Any) -> str | bool:
    """A revision names the types of the database, not ours, which may change."""
    if kind != "type":
        return False
    if item is ORDERED_TEXT:
        return "TEXT"
    return "sa.BigInteger()" if isinstance(item, (Instant, Span)) else False


def revise(reason: str) -> None:
    """Write one revision file, which does nothing if nothing has changed."""
    parts = {"features": BUNDLED, "clock": FakeClock(), "ids": SequentialIds()}
    entities = Engine(MemoryStorage(), **parts).entities
    number = f"{len(migrating.revisions()) + 1:04}"
    with tempfile.TemporaryDirectory() as folder:
        driver = SqliteDriver(Path(folder, "empty.db"))
        driver.start()
        with driver.migrating() as connection:
            if migrating.revisions():
                migrating.upgrade(connection)
            config = migrating.configured(connection)
            config.attributes |= {"metadata": build(entities).metadata, "render_item": _render}
            made = command.revision(config, reason, autogenerate=True, rev_id=number)
        driver.stop()
    _tidy(Path(made.path))  # type: ignore[union-attr]  # one revision was asked for


def _tidy(path: Path) -> None:
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if "# ###" not in line))
    format_it = [sys.executable, "-m", "ruff", "format", str(path)]
    subprocess.run(format_it, check=True)  # noqa: S603  our own formatter


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004  the script and the reason
        sys.exit(__doc__)
    revise(sys.argv[1])
