"""What this adapter contributes: a storage for `sqlite:` URLs."""

from __future__ import annotations

from focusmate_core.hookspecs import hookimpl
from focusmate_sqlalchemy.storage import SqlStorage


@hookimpl
def open_storage(url: str) -> SqlStorage | None:
    """A storage for `sqlite:///path`, not opened yet; `BadUrl` if it names no file."""
    return SqlStorage(url) if url.partition(":")[0] == "sqlite" else None
