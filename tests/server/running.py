"""Real processes: a server in a folder of its own, what it says, and clients over real sockets."""

import contextlib
import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from websockets.sync.client import connect

from focusmate_core import Actor, Engine
from focusmate_core.features import BUNDLED, rooms, seats, signs, timer_control
from focusmate_core.features.plans import Plan
from focusmate_core.features.presence import PresencePolicy
from focusmate_core.testing.clock import FakeClock
from focusmate_sqlalchemy import SqlStorage
from focusmate_system import RandomIds

READY_S = 60
END_S = 20
PR_SET_PDEATHSIG = 1
PRCTL = ctypes.CDLL(None).prctl if sys.platform == "linux" else None
PASSWORD = "a quiet morning"
MINUTE = timedelta(minutes=1)
LIMITS = ("READS", "WRITES", "SIGN_INS", "REQUESTS", "ACCOUNTS")
"""Of HTTP, as settings; tests ask more often than people may."""


def environment(**settings):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FOCUSMATE_")}
    return kept | settings


def command(*words):
    return [sys.executable, "-m", "focusmate_server", *words]


def end_with_the_tests():
    """Where the system can, so that tests which are killed leave no server behind."""
    if PRCTL is not None:
        PRCTL(PR_SET_PDEATHSIG, signal.SIGKILL)


def run(folder: Path, *words, **settings):
    """Run a command to its end."""
    return subprocess.run(
        command(*words),
        cwd=folder,
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=READY_S,
        check=False,
    )


class Running:
    """A server that runs, in a process group of its own; its ports are any that are free."""

    def __init__(self, folder: Path, *words, **settings):
        binds = {
            "FOCUSMATE_HTTP_BIND": "127.0.0.1:0",
            "FOCUSMATE_REALTIME_BIND": "127.0.0.1:0",
        }
        unlimited = {f"FOCUSMATE_LIMIT_{each}": "1000000/1" for each in LIMITS}
        self.folder = folder
        self.said, self.logged = [], []
        self.process = subprocess.Popen(
            command("serve", *words),
            cwd=folder,
            env=environment(**(binds | unlimited | settings)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=end_with_the_tests,  # noqa: PLW1509  it is one system call
        )
        self._readers = [
            threading.Thread(target=self._read, args=pair)
            for pair in ((self.process.stdout, self.said), (self.process.stderr, self.logged))
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream, lines):
        with stream:
            for line in stream:
                lines.append(line.rstrip("\n"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.kill_all()
        self.wait()

    def wait_for(self, pattern, lines=None):
        """The first match of a pattern in a line that is said (or logged), waiting for it."""
        lines = self.said if lines is None else lines
        until = time.monotonic() + READY_S
        while time.monotonic() < until:
            for line in tuple(lines):
                if found := re.search(pattern, line):
                    return found
            if self.process.poll() is not None and not any(r.is_alive() for r in self._readers):
                break
            time.sleep(0.02)
        raise AssertionError(f"no «{pattern}» in {self.said}\n" + "\n".join(self.logged))

    @property
    def http(self):
        return self.wait_for(r"(http://[\d.:]+)$")[1]

    @property
    def realtime(self):
        return self.wait_for(r"(ws://[\d.:]+/v1/ws)$")[1]

    def pid_of(self, role, nth=1):
        """The process of a role, the nth that was started."""
        until = time.monotonic() + READY_S
        while time.monotonic() < until:
            found = re.findall(rf"{role} is ready, process (\d+)", "\n".join(self.logged))
            if len(found) >= nth:
                return int(found[nth - 1])
            time.sleep(0.02)
        raise AssertionError("\n".join(self.logged))

    def kill_all(self):
        """SIGKILL to every process at once."""
        os.killpg(self.process.pid, signal.SIGKILL)

    def terminate(self):
        self.process.terminate()

    def interrupt(self):
        """What a terminal sends for Ctrl-C: to every process at once."""
        os.killpg(self.process.pid, signal.SIGINT)

    def wait(self):
        """Its exit code, after all it had to say was read."""
        code = self.process.wait(END_S)
        for reader in self._readers:
            reader.join(END_S)
            assert not reader.is_alive(), "a child outlived its supervisor"
        return code


class Person:
    """Somebody who registered and signed in by HTTP."""

    def __init__(self, url, name):
        self._client = httpx.Client(base_url=url, timeout=30)
        account = {"email": f"{name}@example.org", "username": name, "password": PASSWORD}
        self._client.post("/v1/accounts", json=account)
        self._name = name
        self.sign_in()

    def sign_in(self):
        self._client.headers.pop("Authorization", None)
        proof = {"login": self._name, "password": PASSWORD}
        signed_in = self._client.post("/v1/tokens", json=proof).raise_for_status().json()
        self.id, self.token = signed_in["person_id"], signed_in["access_token"]
        self.refresh_token = signed_in["refresh_token"]
        self._client.headers["Authorization"] = f"Bearer {self.token}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._client.close()

    def do(self, wire, **fields):
        return self._client.post(f"/v1/do/{wire}", json=fields).raise_for_status().json()

    def do_whenever_it_can(self, wire, *, key=None, **fields):
        """The same, over and over until a server that is being started again answers."""
        headers = {} if key is None else {"Idempotency-Key": key}
        until = time.monotonic() + READY_S
        while True:
            try:
                answer = self._client.post(f"/v1/do/{wire}", json=fields, headers=headers)
                if answer.status_code == 401:
                    self.sign_in()
                elif answer.status_code != 503:
                    return answer.raise_for_status().json()
            except httpx.TransportError:
                pass
            assert time.monotonic() < until
            time.sleep(0.05)


class Watcher:
    """A WebSocket that signed in and watches one stream."""

    def __init__(self, url, token, stream, after=None):
        self._stack = contextlib.ExitStack()
        self._socket = self._stack.enter_context(connect(url, open_timeout=30, close_timeout=5))
        self._number = 0
        self.events = []
        self.ask("sign_in", token=token)
        where = {"stream": stream} | ({} if after is None else {"after": after})
        self.subscribed = self.ask("subscribe", **where)["ok"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stack.close()

    def ask(self, do, **given):
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "do": do, "with": given}))
        while True:
            frame = self.receive()
            if frame.get("id") == self._number:
                return frame

    def receive(self, within=30):
        frame = json.loads(self._socket.recv(within))
        if "seq" in frame and "type" in frame:
            self.events.append(frame)
        return frame

    def wait_for(self, kind, within=30):
        """The next event of this type; all that came before it are kept too."""
        for event in self.events:
            if event["type"] == kind:
                return event
        while True:
            frame = self.receive(within)
            if frame.get("type") == kind:
                return frame


def a_room_whose_phase_ends_in(seconds, folder, host, guest):
    """The shortest work phase, begun by an embedder beside the server; its room and its end.

    Both are there, and were heard just now.
    """
    clock = FakeClock(datetime.now(UTC) + timedelta(seconds=seconds) - MINUTE)
    storage = SqlStorage(f"sqlite:///{folder / 'focusmate.db'}")
    ports = {PresencePolicy: PresencePolicy(lease=MINUTE)}
    engine = Engine(storage, features=BUNDLED, clock=clock, ids=RandomIds(), ports=ports)
    plan = Plan(work=MINUTE, auto_start_breaks=True)
    room = engine.execute(rooms.OpenRoom(name="Short", plan=plan), actor=Actor(id=host.id))
    engine.execute(seats.JoinRoom(room_id=room.id), actor=Actor(id=guest.id))
    timer = engine.execute(timer_control.StartTimer(room_id=room.id), actor=Actor(id=host.id))
    clock.advance(datetime.now(UTC) - clock.now())
    for each in (host, guest):
        engine.execute(signs.EnterRoom(room_id=room.id), actor=Actor(id=each.id))
    storage.close()
    return room.id, timer.ends_at
