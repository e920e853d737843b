"""The kit's own tools: strategies for every kind of field, threads that tell what went wrong."""

import enum
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Annotated

import attrs
import pytest
from hypothesis import Phase, find, given
from hypothesis import strategies as st
from hypothesis.errors import Flaky

from focusmate_core import codec
from focusmate_core.fields import Day, Rule, Text, minutes
from focusmate_core.messages import Command, Value, command, value
from focusmate_core.refusals import BadInput, Conflict
from focusmate_core.testing import strategies
from focusmate_core.testing.conformance.storage import StorageContract, kit
from focusmate_core.testing.conformance.storage.machine import compare_with_model
from focusmate_core.testing.memory import MemoryStorage


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Even(Rule):
    """A rule the kit does not know."""

    def clean(self, given):
        if type(given) is not int or given % 2:
            raise ValueError("must be even")
        return given


@value
class Inner(Value):
    """Something inside."""

    size: int


@command("tests.everything")
class Everything(Command[None]):
    """A field of each kind."""

    colour: Colour
    inner: Inner
    inners: tuple[Inner, ...]
    names: frozenset[str]
    flag: bool
    ratio: float
    at: datetime
    span: timedelta
    short_span: Annotated[timedelta, minutes(1, 60)]
    text: str
    day: Day
    short: Annotated[str, Text(0, 3)] | None = None
    maybe: Colour | None = None


@given(strategies.instances(Everything))
def test_there_is_a_strategy_for_every_kind_of_field(made):
    sent = codec.loads(codec.dumps(codec.plain(made)))
    assert codec.value_of(sent, Everything) == made


def test_every_kind_of_field_can_be_wrong():
    right = find(strategies.data(Everything), lambda _: True)
    ways = {}
    for fault in strategies.faults(Everything):
        broken = fault(right)
        ways.setdefault(broken.field, []).append(broken.way)
        with pytest.raises(BadInput, match=broken.field):
            codec.value_of(broken.data, Everything)
    assert set(ways) == {*attrs.fields_dict(Everything), "no_such_field"}
    assert "is 'false'" in ways["flag"]


def test_a_field_of_an_unknown_kind_needs_a_strategy_by_name():
    @value
    class Strange(Value):
        number: Annotated[int, Even()]
        thing: complex

    with pytest.raises(LookupError, match="complex"):
        strategies.instances(Strange)
    named = strategies.instances(Strange, thing=st.just(1j), number=st.just(2))
    assert find(named, lambda _: True) == Strange(thing=1j, number=2)


def test_what_a_thread_raises_is_raised_in_the_test():
    def fail():
        raise LookupError("in a thread")

    with pytest.raises(LookupError, match="in a thread"):
        kit.elsewhere(fail)


class Optimistic(MemoryStorage):
    """Lets every second unit lose when it wants to commit."""

    def __init__(self):
        super().__init__()
        self.units = 0

    @contextmanager
    def write(self):
        with super().write() as unit:
            yield unit
            self.units += 1
            if self.units % 2:
                raise Conflict


def test_the_laws_hold_for_a_storage_that_makes_writers_lose():
    storage = Optimistic()
    storage.open(kit.ENTITIES)
    with pytest.raises(Conflict):
        kit.keep(storage, kit.Thing(id="1"))
    kit.keep(storage, kit.Thing(id="1"))
    StorageContract().test_no_update_is_lost_when_many_count_at_once(storage)
    assert storage.units > kit.kept(storage, kit.Thing, "1").rank


@pytest.mark.checkout
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "flaw",
    ["_claim_uniques", "prune", "savepoint", "find", "unschedule", "delete"],
)
def test_the_law_of_the_model_sees_a_flaw(flaw):
    # One run is no proof: it misses the rarest flaws about every second time, and a derandomized
    # draw that happens to see them need not where hypothesis draws otherwise (tests/conftest.py).
    assert any(_seen(flaw) for _ in range(12))


def _seen(flaw):
    storage = Flawed(flaw)
    storage.open(kit.ENTITIES)
    try:
        compare_with_model(storage, phases=[Phase.generate], derandomize=False, database=None)
    except (AssertionError, Flaky):
        # What it leaves behind may also spoil the run that should show the failure again.
        return True
    return False


class Flawed(MemoryStorage):
    """A storage with one verb that does not do what it should."""

    def __init__(self, flaw):
        super().__init__()
        self.flaw = flaw

    @contextmanager
    def write(self):
        with super().write() as unit:
            setattr(unit, self.flaw, getattr(self, f"_flawed_{self.flaw.strip('_')}")(unit))
            yield unit

    def _flawed_claim_uniques(self, unit):
        return lambda *_: None

    def _flawed_prune(self, unit):
        return lambda before, limit: type(unit).prune(unit, before, limit + 1)

    def _flawed_savepoint(self, unit):
        @contextmanager
        def savepoint():
            yield

        return savepoint

    def _flawed_find(self, unit):
        def find(asked):
            return type(unit).find(unit, attrs.evolve(asked, limit=asked.limit + 1))

        return find

    def _flawed_unschedule(self, unit):
        return lambda *_: None

    def _flawed_delete(self, unit):
        return lambda entity, key: unit.get(entity, key) is not None
