"""Places: where the server keeps what stands beside its database, and who holds the pen."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import attrs

from focusmate_server.settings import BadSetting, CannotStart, Settings

LONGEST_SOCKET = 100
"""Bytes; the operating systems allow 104 to 108."""


@attrs.frozen
class Places:
    """The files of one server, and the one name that its storage has for all its processes."""

    key: Path
    lock: Path
    socket: Path
    storage: str


def places_of(settings: Settings) -> Places:
    """Where they are: beside the database (`study.db`, `study.db.key` …), unless it is set.

    What is in no file has them in the working folder, named by a hash of its URL.
    """
    scheme, _, name = settings.storage.partition(":///")
    if scheme == "sqlite" and name:
        beside = Path(name).resolve()
        storage = str(beside)
    else:
        storage = _hashed(_without_password(settings.storage))
        beside = Path(f"focusmate-{storage}").absolute()
    return Places(
        key=settings.signing_key_file or _with(beside, ".key"),
        lock=_with(beside, ".lock"),
        socket=_reachable(settings.socket, _with(beside, ".sock")),
        storage=storage,
    )


def _with(beside: Path, ending: str) -> Path:
    # Behind the whole name: `a.db` and `a.sqlite3` are two databases.
    return beside.with_name(beside.name + ending)


def _hashed(name: str) -> str:
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:16]


def _without_password(url: str) -> str:
    """The URL as it stays when the password is changed, which must not cost the signing key."""
    parts = urlsplit(url)
    before, at, host = parts.netloc.rpartition("@")
    return parts._replace(netloc=before.partition(":")[0] + at + host).geturl()


def _reachable(asked: Path | None, beside: Path) -> Path:
    if asked is not None:
        if len(os.fsencode(asked)) > LONGEST_SOCKET:
            raise BadSetting(f"FOCUSMATE_SOCKET must have at most {LONGEST_SOCKET} bytes: {asked}")
        return asked
    if len(os.fsencode(beside)) <= LONGEST_SOCKET:
        return beside
    # The path of a socket is bounded, that of a database is not.
    return _own_folder() / f"{_hashed(str(beside))}.sock"


def _own_folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"focusmate-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise CannotStart(f"{folder} is not this user's alone: remove it, or set FOCUSMATE_SOCKET")
    return folder


class Pen:
    """The right to write to a database: one process holds it, and loses it by ending."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as wrong:
            said = f"{path} cannot be used ({wrong.strerror})"
            raise BadSetting(f"FOCUSMATE_STORAGE: {said}") from None

    def take(self) -> bool:
        """Take it if nobody holds it; whether this process holds it now."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def wait(self) -> None:
        """Wait until it is free, and take it."""
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def release(self) -> None:
        """Give it back."""
        os.close(self._file)
