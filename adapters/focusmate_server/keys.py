"""The signing key: made at the first start, and refused where others could read it."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

from focusmate_security.tokens import SHORTEST_KEY, new_key
from focusmate_server.settings import BadSetting

NAME = "FOCUSMATE_SIGNING_KEY_FILE"


def signing_key(path: Path) -> bytes:
    """The key in this file; a new one, readable by this user alone, if there is no file yet.

    `BadSetting` for a key that others may read, that is too short, or that cannot be read.
    """
    try:
        if not path.exists():
            _make(path)
        found = path.stat()
        if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise BadSetting(f"{NAME}: others may read {path}: run `chmod 600 {path}`")
        key = path.read_bytes()
    except OSError as wrong:
        raise BadSetting(f"{NAME}: {path} cannot be used ({wrong.strerror})") from None
    if len(key) < SHORTEST_KEY:
        said = f"holds {len(key)} bytes and needs {SHORTEST_KEY}: restore it, or delete it"
        raise BadSetting(f"{NAME}: {path} {said} (then everybody signs in anew)")
    return key


def _make(path: Path) -> None:
    """Whole or not at all, and once, however many start at the same time."""
    made, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    draft = Path(name)
    try:
        with os.fdopen(made, "wb") as file:
            file.write(new_key())
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink()
