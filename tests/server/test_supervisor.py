"""The supervisor: it starts anew what dies, gives up where that does not help, and always ends."""

import asyncio
import os
import signal
import socket
import sys
import time

import pytest

from focusmate_server import supervisor
from focusmate_server.supervisor import Role, supervise

READY = "print('ready', flush=True);"
WAIT = "sys.stdin.read()"


@pytest.fixture
def listening():
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(supervisor, "FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(supervisor, "END_WITHIN_S", 0.5)


def role(listening, program, *words):
    start = "import os, signal, sys, time;"
    return Role("trial", [sys.executable, "-c", start + program, *words], listening)


def terminate_ourselves():
    os.kill(os.getpid(), signal.SIGTERM)


def test_a_role_that_does_not_start_ends_it_with_the_roles_own_code(listening):
    waiting = role(listening, READY + WAIT)
    refusing = role(listening, "sys.exit(2)")
    assert asyncio.run(supervise([refusing, waiting], terminate_ourselves)) == 2
    assert waiting.process is None or waiting.process.returncode is not None


def test_a_role_that_dies_again_and_again_ends_it(listening, tmp_path):
    count = tmp_path / "count"
    dying = role(listening, READY + "open(sys.argv[1], 'a').write('x'); sys.exit(7)", str(count))
    assert asyncio.run(supervise([dying], lambda: None)) == 7
    assert len(count.read_text()) == supervisor.QUICK_DEATHS


def test_a_role_that_dies_once_is_started_again(listening, tmp_path):
    once = tmp_path / "once"
    dying = role(
        listening,
        "first = not os.path.exists(sys.argv[1]); open(sys.argv[1], 'a').close();"
        + READY
        + "sys.exit(1) if first else (os.kill(os.getppid(), signal.SIGTERM), sys.stdin.read())",
        str(once),
    )
    assert asyncio.run(supervise([dying], lambda: None)) == 0


def test_a_role_that_will_not_end_is_killed(listening):
    stubborn = role(listening, "signal.signal(signal.SIGTERM, signal.SIG_IGN);" + READY + WAIT)
    began = time.monotonic()
    assert asyncio.run(supervise([stubborn], terminate_ourselves)) == 0
    assert stubborn.process.returncode == -signal.SIGKILL
    assert time.monotonic() - began < 10


def test_the_last_role_ends_first(listening, tmp_path):
    told = tmp_path / "told"
    say = "open(sys.argv[1], 'a').write(sys.argv[2])"
    end = f"signal.signal(signal.SIGTERM, lambda *_: ({say}, sys.exit(0)));"
    roles = [role(listening, end + READY + WAIT, str(told), name) for name in ("a", "b")]
    assert asyncio.run(supervise(roles, terminate_ourselves)) == 0
    assert told.read_text() == "ba"
