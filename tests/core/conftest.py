"""The engine over the model, with a clock that stands still."""

import pytest

from focusmate_core import Actor, Engine
from focusmate_core.testing.clock import FakeClock
from focusmate_core.testing.conformance.door import bundled_engine
from focusmate_core.testing.ids import SequentialIds
from focusmate_core.testing.memory import MemoryStorage
from tests.core import faulty, sample
from tests.core.sample import Die, Press

ADA = Actor(id="01890a5d-ac96-774b-bcce-b302099a8057")
BOB = Actor(id="01890a5d-ac96-774b-bcce-b302099a8058")


class Hydraulic:
    """A press that remembers what it squeezed."""

    slow = True

    def __init__(self):
        self.squeezed = []

    def squeeze(self, text):
        self.squeezed.append(text)
        return f"~{text}~"


class Loaded:
    """A die that always shows four."""

    def throw(self):
        return 4


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def storage():
    return MemoryStorage()


@pytest.fixture
def press():
    return Hydraulic()


@pytest.fixture
def make_engine(storage, clock, press):
    def make(*more, storage=storage, ports=None, **named):
        return Engine(
            storage,
            clock=clock,
            ids=SequentialIds(),
            features=(sample, faulty, *more),
            ports=ports or {Press: press, Die: Loaded()},
            **named,
        )

    return make


@pytest.fixture
def engine(make_engine):
    return make_engine()


@pytest.fixture
def bundled(clock):
    return bundled_engine(clock)
