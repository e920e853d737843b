"""The writer: one socket is one database's, and stays it."""

import asyncio
import tempfile
from pathlib import Path

import pytest

from focusmate_core import Engine
from focusmate_core.features import BUNDLED
from focusmate_core.testing.clock import FakeClock
from focusmate_core.testing.ids import SequentialIds
from focusmate_core.testing.memory import MemoryStorage
from focusmate_server.frames import OtherStorage
from focusmate_server.places import Places
from focusmate_server.settings import Settings
from focusmate_server.writer import Writer
from focusmate_server.writer_client import WriterClient


def writer_of(storage, path):
    engine = Engine(MemoryStorage(), features=BUNDLED, clock=FakeClock(), ids=SequentialIds())
    places = Places(key=path, lock=path, socket=path, storage=storage)
    return Writer(engine, Settings(), places), places, engine


async def two_on_one_socket(path):
    (first, places, engine), (second, *_) = (writer_of(name, path) for name in "ab")
    await first.start()
    with pytest.raises(OtherStorage, match="writes to a, not to b"):
        await second.start()
    client = await asyncio.to_thread(WriterClient, places, engine.registry)
    assert await asyncio.to_thread(client.job, "due") == 0
    client.close()
    await second.stop(1)
    assert path.exists()
    await first.stop(2)
    assert not path.exists()


def test_a_second_database_does_not_take_the_socket_of_the_first():
    with tempfile.TemporaryDirectory(prefix="fm") as folder:
        asyncio.run(two_on_one_socket(Path(folder) / "s"))


def test_what_a_writer_that_was_killed_left_there_is_replaced():
    async def start_and_stop(path):
        writer, *_ = writer_of("a", path)
        await writer.start()
        await writer.stop(2)

    with tempfile.TemporaryDirectory(prefix="fm") as folder:
        path = Path(folder) / "s"
        path.touch()
        asyncio.run(start_and_stop(path))
