"""What is parked is told: once in the log, and as a number to who asks after the health."""

import sys

import attrs
import pytest

from focusmate_core import Engine, Envelope, Outside, subscriber
from focusmate_core.deadlines import Deadline
from focusmate_core.features import BUNDLED, rooms
from focusmate_core.subscriptions import Place
from focusmate_core.testing.clock import FakeClock
from focusmate_core.testing.ids import SequentialIds
from focusmate_core.testing.memory import MemoryStorage
from focusmate_falcon.health import NOTED
from focusmate_server.parked import Lookout, sentence
from focusmate_server.worker import Worker
from focusmate_server.writer import OK, _in_time


@subscriber("test.mail", to=[rooms.RoomOpened])
def mail(_: rooms.RoomOpened, _envelope: Envelope, _ctx: Outside) -> None:
    """It falls behind."""


@pytest.fixture
def engine():
    features = (*BUNDLED, sys.modules[__name__])
    return Engine(MemoryStorage(), features=features, clock=FakeClock(), ids=SequentialIds())


def park(engine, key="phase:1", **changes):
    now = engine.clock.now()
    one = Deadline(key, now, "timer.end_phase", 1, "{}", now, 8, "KeyError('x')", parked=True)
    with engine.storage.write() as unit:
        unit.schedule(attrs.evolve(one, **changes))


def park_subscriber(engine):
    now = engine.clock.now()
    with engine.storage.write() as unit:
        place = Place(id="test.mail", position="", seen_at=now, try_at=now)
        unit.put(place.but(parked=True, error="it fell behind"))


def test_each_is_logged_once_with_its_reason(engine, caplog):
    lookout = Lookout(engine)
    lookout.look()
    assert caplog.text == ""
    park(engine)
    park_subscriber(engine)
    for _ in range(3):
        lookout.look()
    first, second = sorted(record.getMessage() for record in caplog.records)
    assert "phase:1 (timer.end_phase" in first
    assert "KeyError('x')" in first
    assert second == "the subscriber test.mail is parked at '': it fell behind"


def test_what_is_parked_anew_is_logged_anew(engine, caplog):
    lookout = Lookout(engine)
    for parked in (True, False, True):
        park(engine, parked=parked)
        lookout.look()
    assert len(caplog.records) == 2


def test_the_health_names_their_number_and_is_fine_all_the_same(engine):
    assert _in_time(engine) == OK
    park(engine)
    assert _in_time(engine).startswith(f"{NOTED}1 deadline parked: ")
    park(engine, "phase:2")
    park_subscriber(engine)
    assert sentence(engine).startswith("2 deadlines and 1 subscriber parked: ")


def test_the_worker_looks(engine, caplog):
    park(engine)
    worker = Worker(engine, lambda _: 0)
    worker.start()
    while "phase:1" not in caplog.text:
        pass
    assert worker.stop(5)
