"""Subscribers: they are heard in the process that writes, and hold back no command."""

import asyncio
import sys
import tempfile
import threading
from pathlib import Path

from focusmate_core import Actor, Engine, Envelope, Outside, subscriber
from focusmate_core.features import BUNDLED, rooms
from focusmate_core.testing.clock import FakeClock
from focusmate_core.testing.ids import SequentialIds
from focusmate_core.testing.memory import MemoryStorage
from focusmate_server.aside import Aside
from focusmate_server.places import Places
from focusmate_server.settings import Settings
from focusmate_server.worker import SUBSCRIBERS
from focusmate_server.writer import Writer
from focusmate_server.writer_client import WriterClient


def told_of(aside):
    told, come = [], threading.Event()
    aside(lambda result: (told.append(result), come.set()))
    assert come.wait(10)
    return told[0]


def test_it_rings_after_it_did_something_and_only_then():
    counts, rings = [3, 0], []
    aside = Aside("trial", lambda: counts.pop(0), lambda: rings.append(len(counts)))
    assert (told_of(aside), told_of(aside)) == (3, 0)
    assert rings == [1]


def test_a_fault_is_told_and_the_next_is_done():
    aside = Aside("trial", lambda: {}["a bug"], lambda: None)
    assert isinstance(told_of(aside), KeyError)
    assert isinstance(told_of(aside), KeyError)


def test_it_is_never_done_twice_at_once():
    gate, runs = threading.Event(), []
    aside = Aside("trial", lambda: runs.append(gate.wait(10)) or 7, lambda: None)
    told, come = [], threading.Event()
    aside(lambda result: (told.append(result), come.set()))
    assert told_of(aside) == 0
    assert not aside.wait(0)
    gate.set()
    assert come.wait(10)
    assert (told, len(runs)) == ([7], 1)
    assert aside.wait(1)
    assert told_of(aside) == 0


heard = []


@subscriber("test.hear", to=[rooms.RoomOpened])
def hear(_: rooms.RoomOpened, _envelope: Envelope, _ctx: Outside) -> None:
    heard.append(threading.current_thread().name)


def test_a_worker_on_its_own_has_subscribers_hear_in_the_process_that_writes():
    here = sys.modules[__name__]
    features = (*BUNDLED, here)
    engine = Engine(MemoryStorage(), features=features, clock=FakeClock(), ids=SequentialIds())

    async def serve(places: Places) -> list[int]:
        writer = Writer(engine, Settings(), places)
        writer._worker.start = lambda: None  # the worker is another process here
        await writer.start()
        client = await asyncio.to_thread(WriterClient, places, engine.registry)
        counts = [await asyncio.to_thread(client.job, SUBSCRIBERS)]
        engine.execute(rooms.OpenRoom(name="Library"), actor=Actor(id="ada"))
        counts.append(await asyncio.to_thread(client.job, SUBSCRIBERS))
        client.close()
        await writer.stop(2)
        return counts

    with tempfile.TemporaryDirectory(prefix="fm") as folder:
        path = Path(folder)
        places = Places(key=path / "k", lock=path / "l", socket=path / "s", storage="trial")
        before, after = asyncio.run(serve(places))
    assert (before, after) == (0, len(heard))
    assert set(heard) == {"focusmate-hearing"}
