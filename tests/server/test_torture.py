"""SIGKILL under load, at random instants: what was answered is there, once, and in order."""

import os
import random
import signal
import threading
import time

import pytest

from focusmate_core import Engine
from focusmate_core.features import BUNDLED
from focusmate_sqlalchemy import SqlStorage
from focusmate_system import RandomIds, SystemClock
from tests.server.running import Person, Running

WRITERS = 8
ENTERED = "presence.entered"


class Toggler(threading.Thread):
    """One person who pauses and resumes a timer, each command under a key until it is answered."""

    def __init__(self, url, number):
        super().__init__(daemon=True)
        self._person = Person(url, f"toggler{number}")
        self.room_id = self._person.do("rooms.open", name=f"Room {number}")["id"]
        self._person.do("timer.start", room_id=self.room_id)
        self.answered, self._enough = 0, threading.Event()
        self.fault = None

    def run(self):
        try:
            with self._person:
                while not self._enough.is_set():
                    wire = ("timer.pause", "timer.resume")[self.answered % 2]
                    key = f"{self.room_id}-{self.answered}"
                    told = self._person.do_whenever_it_can(wire, key=key, room_id=self.room_id)
                    assert told["state"] == ("paused", "running")[self.answered % 2]
                    self.answered += 1
        except BaseException as fault:
            self.fault = fault
            raise

    def stop(self):
        self._enough.set()
        self.join(90)
        assert self.fault is None
        assert not self.is_alive()


def hurt(folder, kills, seed):
    """Kill one role or another so many times under load; the togglers, and where it listened."""
    chance = random.Random(seed)
    with Running(folder) as server:
        togglers = [Toggler(server.http, number) for number in range(WRITERS)]
        for toggler in togglers:
            toggler.start()
        alive = {"http": 1, "realtime": 1}
        for _ in range(kills):
            time.sleep(chance.uniform(0.2, 1.5))
            role = chance.choice(["http", "http", "realtime"])
            os.kill(server.pid_of(role, alive[role]), signal.SIGKILL)
            alive[role] += 1
            server.pid_of(role, alive[role])
        for toggler in togglers:
            toggler.stop()
        server.terminate()
        assert server.wait() == 0, server.logged[-20:]
    return togglers


def check(folder, togglers):
    """Each room's stream: opened, started, then each answered toggle once, in order.

    The host says nothing by a connection: idle once, then away once, however often all died.
    """
    storage = SqlStorage(f"sqlite:///{folder / 'focusmate.db'}")
    Engine(storage, features=BUNDLED, clock=SystemClock(), ids=RandomIds())
    with storage.read() as reader:
        for toggler in togglers:
            events = reader.read(f"room:{toggler.room_id}", 0, 1_000_000)
            assert [each.seq for each in events] == list(range(1, len(events) + 1))
            types = [each.type for each in events]
            assert types[:4] == ["rooms.opened", "rooms.joined", ENTERED, "timer.started"]
            presence = [each for each in types if each.startswith("presence.")]
            assert presence == [ENTERED, "presence.changed", "presence.left"][: len(presence)]
            toggles = [each for each in types[4:] if each not in presence]
            wanted = ["timer.paused", "timer.resumed"] * len(toggles)
            assert toggles == wanted[: toggler.answered]
    storage.close()


def survive(folder, kills, seed):
    togglers = hurt(folder, kills, seed)
    check(folder, togglers)
    told = sum(toggler.answered for toggler in togglers)
    print(f"seed {seed}: {kills} kills, {told} commands answered, each there once")  # noqa: T201
    assert told > kills


def test_a_few_kills_lose_nothing(tmp_path):
    survive(tmp_path, kills=3, seed=7)


@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_two_hundred_kills_lose_nothing(tmp_path):
    survive(tmp_path, kills=200, seed=random.SystemRandom().randrange(2**32))
