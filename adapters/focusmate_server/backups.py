"""Backups: the database and the signing keys copied while a server runs, whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from focusmate_server import keys, wiring
from focusmate_server.places import places_of
from focusmate_server.settings import CannotStart, Settings


def back_up(settings: Settings, target: Path) -> list[Path]:
    """Copy to `target`, and the keys to `target.key` and so on; says which files were made.

    `CannotStart` where one of them is there already, or there is nothing to copy.
    """
    key, copied_key = places_of(settings).key, target.with_name(f"{target.name}.key")
    for made in (target, copied_key):
        if os.path.lexists(made):
            raise CannotStart(f"{made} is there already: name another file, or move it away")
    with _whole(target) as draft:
        wiring.copy_storage(settings, draft)
    if not key.exists():
        return [target]
    # The newest first: if it is replaced meanwhile, it is among the former ones.
    copies = [_copied(key, copied_key)]
    for former in keys.former_of(key):
        ending = former.path.name.removeprefix(key.name)
        copies.append(_copied(former.path, copied_key.with_name(copied_key.name + ending)))
    return [target, *copies]


def _copied(key: Path, target: Path) -> Path:
    with _whole(target) as draft:
        draft.write_bytes(key.read_bytes())
    return target


@contextmanager
def _whole(target: Path) -> Iterator[Path]:
    """A draft for this user alone, which takes its name when it is whole and on the disk."""
    try:
        made, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            yield Path(name)
            os.fsync(made)
            target.hardlink_to(name)
            _keep_name(target)
        finally:
            os.close(made)
            _remove(name)
    except OSError as wrong:
        raise CannotStart(f"{target} cannot be written ({wrong.strerror})") from None


def _keep_name(target: Path) -> None:
    """That the folder has the name has to be on the disk, too."""
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _remove(draft: str) -> None:
    for ending in ("", "-journal", "-wal", "-shm"):
        Path(draft + ending).unlink(missing_ok=True)
