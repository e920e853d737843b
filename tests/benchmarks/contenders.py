"""Who is measured: focusmate as it is by default, its peers, and the limits of the machine."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from tests.benchmarks import cores

READY_S = 60
END_S = 15
ROOT = Path(__file__).parents[2]
PEER_NEEDS = (
    "fastapi",
    "pydantic",
    "sqlalchemy",
    "aiosqlite",
    "jwt",
    "argon2",
    "uvicorn",
    "uvloop",
    "httptools",
)


UNLIMITED = {
    f"FOCUSMATE_LIMIT_{each}": "100000000/1"
    for each in ("READS", "WRITES", "SIGN_INS", "REQUESTS", "ACCOUNTS")
}
"""Counted like any other, and never reached: a few people here ask for thousands."""


@dataclass(frozen=True)
class Launch:
    """How a server is started, and where it listens."""

    command: list[str]
    environment: dict[str, str]
    http_port: int
    realtime_port: int


@dataclass(frozen=True)
class Contender:
    """One thing to measure; `needs` are the modules without which it is missing."""

    name: str
    role: Literal["ours", "peer", "limit"]
    launch: Callable[[Path], Launch]
    needs: tuple[str, ...]

    def missing(self) -> str | None:
        """Say why it cannot be measured, or None."""
        absent = [name for name in self.needs if not _installed(name)]
        return f"{', '.join(absent)} not installed" if absent else None


def _installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _focusmate(home: Path) -> Launch:
    http, realtime = free_port(), free_port()
    script = Path(sys.executable).with_name("focusmate")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FOCUSMATE_")}
    settings = {
        "FOCUSMATE_STORAGE": f"sqlite:///{home / 'focusmate.db'}",
        "FOCUSMATE_HTTP_BIND": f"127.0.0.1:{http}",
        "FOCUSMATE_REALTIME_BIND": f"127.0.0.1:{realtime}",
        **UNLIMITED,
    }
    return Launch([str(script), "serve"], kept | settings, http, realtime)


def _original_stack(*more: str) -> Callable[[Path], Launch]:
    def launch(home: Path) -> Launch:
        port = free_port()
        given = ["--port", str(port), "--database", str(home / "original_stack.db"), *more]
        return Launch(_module("original_stack", *given), dict(os.environ), port, port)

    return launch


def _bare(home: Path) -> Launch:
    port = free_port()
    return Launch(_module("bare.server", "--port", str(port)), dict(os.environ), port, port)


def _asgi(home: Path) -> Launch:
    port = free_port()
    return Launch(_module("bare.asgi", "--port", str(port)), dict(os.environ), port, port)


def _module(name: str, *given: str) -> list[str]:
    return [sys.executable, "-m", f"tests.benchmarks.peers.{name}", *given]


OURS = Contender("focusmate", "ours", _focusmate, ("focusmate_server.commands",))
# Tuned: whoever writes waits in a fair queue for the one connection that does.
ORIGINAL_STACK = Contender("original_stack", "peer", _original_stack(), PEER_NEEDS)
# As SQLAlchemy pools by default, 5 and 10 more: SQLite's busy handler lets writers in unfairly.
ORIGINAL_STACK_POOLED = Contender(
    "original_stack, default pool", "peer", _original_stack("--writers", "15"), PEER_NEEDS
)
BARE = Contender("bare responder", "limit", _bare, ("uvloop",))
EMPTY_ASGI = Contender("empty ASGI application", "limit", _asgi, ("uvicorn", "uvloop", "httptools"))


class Server:
    """A contender's processes, in a group of their own, on the server's core."""

    def __init__(self, contender: Contender, home: Path, where: cores.Cores) -> None:
        self.contender = contender
        self.home = home
        self._where = where
        self._launch = contender.launch(home)
        self.http_port, self.realtime_port = self._launch.http_port, self._launch.realtime_port
        self._log = (home / "server.log").open("wb")
        with cores.on(where.server):
            self._process = subprocess.Popen(
                self._launch.command,
                cwd=ROOT,
                env=self._launch.environment,
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait_ready()

    def log(self) -> str:
        return (self.home / "server.log").read_text(errors="replace")[-4000:]

    def _wait_ready(self) -> None:
        until = time.monotonic() + READY_S
        while not (_answers(self.http_port) and _listens(self.realtime_port)):
            if self._process.poll() is not None or time.monotonic() > until:
                self.stop()
                raise RuntimeError(f"{self.contender.name} did not start:\n{self.log()}")
            time.sleep(0.05)

    def freeze(self) -> None:
        """Stop the clock of all its processes, so that it costs the next one nothing."""
        os.killpg(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.killpg(self._process.pid, signal.SIGCONT)

    def spread_out(self) -> None:
        """Let it use every core, for what is not measured."""
        cores.move(self._process.pid, self._where.everything)

    def draw_in(self) -> None:
        """Put it back on the server's core."""
        cores.move(self._process.pid, self._where.server)

    def stop(self) -> None:
        if self._process.poll() is None:
            self.thaw()
            self._process.terminate()
            try:
                self._process.wait(END_S)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        self._log.close()


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 2).close()
    except OSError:
        return False
    return True
