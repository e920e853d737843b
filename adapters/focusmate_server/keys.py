"""The signing keys: made at the first start, rotated, and refused where others could read them.

The newest stands in the file that is set, each former one beside it (`study.db.key.retired-…`, with
the instant at which it was replaced) until somebody deletes it. All are 32 raw bytes or more.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import attrs

from focusmate_security import Key, new_key
from focusmate_security.keys import SHORTEST_KEY
from focusmate_server.settings import BadSetting, CannotStart

NAME = "FOCUSMATE_SIGNING_KEY_FILE"
_RETIRED = ".retired-"
_WHEN = "%Y%m%dT%H%M%SZ"
log = logging.getLogger(__name__)


def signing_key(path: Path) -> bytes:
    """The key in this file; a new one, readable by this user alone, if there is no file yet.

    `BadSetting` for a key that others may read, that is too short, or that cannot be read.
    """
    try:
        if not path.exists():
            _make(path)
    except OSError as wrong:
        raise _unusable(path, wrong) from None
    return _held(path)


def _held(path: Path) -> bytes:
    try:
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise BadSetting(f"{NAME}: others may read {path}: run `chmod 600 {path}`")
        key = path.read_bytes()
    except OSError as wrong:
        raise _unusable(path, wrong) from None
    if len(key) < SHORTEST_KEY:
        said = f"holds {len(key)} bytes and needs {SHORTEST_KEY}: restore it, or delete it"
        raise BadSetting(f"{NAME}: {path} {said} (then everybody signs in anew)")
    return key


def _unusable(path: Path, wrong: OSError) -> BadSetting:
    return BadSetting(f"{NAME}: {path} cannot be used ({wrong.strerror})")


def _make(path: Path) -> None:
    """Whole or not at all, and once, however many start at the same time."""
    with _draft(path) as draft, contextlib.suppress(FileExistsError):
        path.hardlink_to(draft)


@contextlib.contextmanager
def _draft(path: Path) -> Iterator[Path]:
    """A new key in a file beside, for this user alone, on the disk."""
    made, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    draft = Path(name)
    try:
        with os.fdopen(made, "wb") as file:
            file.write(new_key())
            file.flush()
            os.fsync(file.fileno())
        yield draft
    finally:
        draft.unlink(missing_ok=True)


# -- former keys ----------------------------------------------------------------------------------


@attrs.frozen
class Former:
    """A key that signs no more, and since when."""

    path: Path
    retired_at: datetime


def former_of(path: Path) -> list[Former]:
    """The keys that stood in this file before and are still held, the newest first."""
    found = []
    for each in path.parent.iterdir():
        name, retired, when = each.name.partition(_RETIRED)
        if retired and name == path.name:
            with contextlib.suppress(ValueError):
                found.append(Former(each, datetime.strptime(when, _WHEN).replace(tzinfo=UTC)))
    return sorted(found, key=lambda each: each.retired_at, reverse=True)


def rotate(path: Path) -> Former:
    """Put a new key in the place of the one there is, which stays beside it.

    At every moment there is a whole key in the file, and none is lost. `CannotStart` if there is no
    key yet, or one was replaced in this very second.
    """
    if not path.exists():
        raise CannotStart(f"{NAME}: {path} is not there: the first start of the server makes it")
    with _alone_in(path.parent):
        _clear_half_done(path)
        now = datetime.now(UTC).replace(microsecond=0)
        former = Former(path.with_name(f"{path.name}{_RETIRED}{now.strftime(_WHEN)}"), now)
        try:
            former.path.hardlink_to(path)
            with _draft(path) as draft:
                draft.replace(path)
        except FileExistsError:
            raise CannotStart(f"{path} was replaced a moment ago; see `keys list`") from None
        except OSError as wrong:
            raise CannotStart(f"{NAME}: {path} cannot be replaced ({wrong.strerror})") from None
    return former


def _clear_half_done(path: Path) -> None:
    """Remove what a rotation that was killed left: hidden, it would outlive the key's deletion."""
    key = _held(path)
    for each in former_of(path):
        if _held(each.path) == key:
            each.path.unlink()


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Two who rotate at once would lose the key of one; what was done is on the disk at the end."""
    held = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
        os.fsync(held)
    finally:
        os.close(held)


# -- all of them, while a server runs -------------------------------------------------------------


@attrs.frozen
class Ring:
    """The keys as they were when the files were read."""

    newest: Key
    former: dict[str, Former]
    keys: dict[str, Key]
    stamp: tuple[int, int]


class KeyFiles:
    """`Keys` in files, which may be rotated and deleted while a server runs.

    The files are looked at for every token, which takes microseconds: an engine remembers a token
    for seconds, so none is verified more often than that.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        signing_key(path)
        self._ring = _read(path)

    def signing(self) -> Key:
        """The newest as it is now."""
        return self._now().newest

    def verifying(self, name: object) -> Sequence[Key]:
        """The key of this name, if it is still there; all for None."""
        ring = self._now()
        # Keys had no names before they could be rotated.
        names = ring.keys if name is None else [name] if isinstance(name, str) else []
        return [ring.keys[each] for each in names if _is_held(each, ring)]

    def _now(self) -> Ring:
        try:
            if _stamp(self._path) != self._ring.stamp:
                self._ring = _read(self._path)
        except (OSError, BadSetting) as wrong:
            log.error("the signing key is kept as it was: %s", wrong)  # noqa: TRY400  it says all
        return self._ring


def ring_of(path: Path) -> Ring:
    """All keys as they are in their files now; `BadSetting` where one cannot be used."""
    try:
        return _read(path)
    except OSError as wrong:
        raise _unusable(path, wrong) from None


def _is_held(name: str, ring: Ring) -> bool:
    former = ring.former.get(name)
    return name in ring.keys and (former is None or former.path.exists())


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_ino, found.st_mtime_ns


def _read(path: Path) -> Ring:
    # The stamp first: if the file is replaced just after it, it is read once more.
    stamp, newest = _stamp(path), Key.of(_held(path))
    keys, former = {newest.name: newest}, {}
    for each in former_of(path):
        key = Key.of(_held(each.path))
        if key.name not in keys:
            keys[key.name], former[key.name] = key, each
    return Ring(newest, former, keys, stamp)
