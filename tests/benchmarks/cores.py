"""Which core the servers run on and which the load, and how a process is put there."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

OPEN_FILES = 16_384


@dataclass(frozen=True)
class Cores:
    """Disjoint sets of cores; None where the system cannot pin or has only one."""

    server: frozenset[int] | None
    commands: frozenset[int] | None
    watchers: frozenset[int] | None

    @property
    def everything(self) -> frozenset[int] | None:
        return self.server and self.server | (self.commands or frozenset()) | (
            self.watchers or frozenset()
        )

    def described(self) -> str:
        if self.server is None:
            return "not pinned: this system cannot, or has one core"
        parts = (("server", self.server), ("commands", self.commands), ("watchers", self.watchers))
        return ", ".join(
            f"{name} on core {'+'.join(map(str, sorted(cores or ())))}" for name, cores in parts
        )


def chosen() -> Cores:
    """Give the servers one core, and the load the next, or the next two where there are three."""
    if not hasattr(os, "sched_getaffinity"):
        return Cores(None, None, None)
    free = sorted(os.sched_getaffinity(0))
    if len(free) == 1:
        return Cores(None, None, None)
    return Cores(frozenset(free[:1]), frozenset(free[1:2]), frozenset(free[2:3] or free[1:2]))


@contextmanager
def on(cores: frozenset[int] | None) -> Iterator[None]:
    """Run here, so that a process started inside inherits it."""
    if cores is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def move(group: int, cores: frozenset[int] | None) -> None:
    """Put every thread of every process of a process group there."""
    if cores is None:
        return
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(process.name)) == group:
                for thread in (process / "task").iterdir():
                    os.sched_setaffinity(int(thread.name), cores)
        except (ProcessLookupError, FileNotFoundError):
            continue


def allow_many_files() -> None:
    """Let this process and its children hold a few thousand sockets."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
