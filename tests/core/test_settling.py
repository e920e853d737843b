"""Settling, settings and facts told to nobody: what features see of each other within a unit."""

import sys
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focusmate_core import (
    Command,
    Context,
    Engine,
    Entity,
    Event,
    Origin,
    Query,
    QueryContext,
    Value,
    command,
    entity,
    event,
    handler,
    query,
    reacts,
    settles,
    value,
)
from focusmate_core.testing.clock import FakeClock
from focusmate_core.testing.ids import SequentialIds
from focusmate_core.testing.memory import MemoryStorage
from tests.core.conftest import ADA

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
GEAR = timedelta(seconds=90)
"""After a small wheel's turn the big one turns."""


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


@entity("settling_clocks")
class Clockwork(Entity):
    """Two wheels, and when each turns next."""

    id: str
    small: tuple[datetime, ...] = ()
    big: tuple[datetime, ...] = ()
    chain: bool = False
    """Whether the small wheel, when it has turned, sets the big one."""
    version: int = 0


@value
class Loudness(Value):
    """A setting."""

    level: int = 3


@event("settling.turned")
class Turned(Event):
    """A wheel turned."""

    clockwork_id: str
    wheel: str


@event("settling.whispered")
class Whispered(Event):
    """Told to nobody."""


@event("settling.echoed")
class Echoed(Event):
    """What a reaction made of it."""

    of: str


def next_small(key: str, ctx: Context) -> datetime | None:
    works = ctx.store.get(Clockwork, key)
    return works.small[0] if works and works.small else None


def next_big(key: str, ctx: Context) -> datetime | None:
    works = ctx.store.get(Clockwork, key)
    return works.big[0] if works and works.big else None


def turn(wheel: str, key: str, ctx: Context) -> None:
    works = ctx.store.get(Clockwork, key)
    rest = getattr(works, wheel)[1:]
    ctx.store.put(works.but(**{wheel: rest}))
    ctx.emit(Turned(clockwork_id=key, wheel=wheel), to=f"clock:{key}")


# The big wheel is declared first: only its instants may put it before the small one.
@settles("clock", when=next_big)
def turn_big(key: str, ctx: Context) -> None:
    turn("big", key, ctx)


@settles("clock", when=next_small)
def turn_small(key: str, ctx: Context) -> None:
    turn("small", key, ctx)


@reacts(to=Turned)
def set_the_big_wheel(fact: Turned, ctx: Context) -> None:
    works = ctx.store.get(Clockwork, fact.clockwork_id)
    if works.chain and fact.wheel == "small":
        ctx.store.put(works.but(big=tuple(sorted([*works.big, ctx.at + GEAR]))))


@command("settling.look", touches={"clock": "key"})
class Look(Command[str]):
    """Says which instant it is for it."""

    key: str


@handler
def look(_: Look, ctx: Context) -> str:
    return ctx.at.isoformat()


@command("settling.look_around")
class LookAround(Command[None]):
    """Looks at several."""

    keys: tuple[str, ...]


@handler
def look_around(ask: LookAround, ctx: Context) -> None:
    ctx.settle("clock", *ask.keys)


@command("settling.look_aside")
class LookAside(Command[None]):
    """Has something happen of old, whose reaction settles another thing."""

    key: str
    ago: timedelta


@event("settling.aside")
class Aside(Event):
    """What happened then."""

    key: str


@handler
def look_aside(ask: LookAside, ctx: Context) -> None:
    ctx.emit(Aside(key=ask.key), to=(), at=ctx.now - ask.ago)


@reacts(to=Aside)
def settle_the_other(fact: Aside, ctx: Context) -> None:
    ctx.settle("clock", fact.key)
    ctx.emit(Echoed(of="aside"), to="echo:1")


@command("settling.whisper")
class Whisper(Command[None]):
    """Says something to nobody."""


@handler
def whisper(_: Whisper, ctx: Context) -> None:
    ctx.emit(Whispered(), to=())


@reacts(to=Whispered)
def echo(_: Whispered, ctx: Context) -> None:
    ctx.emit(Echoed(of="whisper"), to="echo:1")


@command("settling.loudness")
class HowLoud(Command[int]):
    """The setting as a command sees it."""


@handler
def how_loud(_: HowLoud, ctx: Context) -> int:
    return ctx.setting(Loudness).level


@query("settling.loudness_now", lags=True)
class LoudNow(Query[int]):
    """The setting as a query sees it."""


@handler
def loud_now(_: LoudNow, ctx: QueryContext) -> int:
    return ctx.setting(Loudness).level


@command("settling.where")
class Where(Command[str]):
    """Where the message came in."""


@handler
def where(_: Where, ctx: Context) -> str:
    return f"{ctx.origin.door}|{ctx.origin.connection}"


@pytest.fixture
def clock():
    return FakeClock(NOON)


@pytest.fixture
def make(clock):
    def made(ports=None):
        storage = MemoryStorage()
        here = sys.modules[__name__]
        return Engine(storage, clock=clock, ids=SequentialIds(), features=[here], ports=ports)

    return made


@pytest.fixture
def engine(make):
    return make()


def wind(engine, key="1", **wheels):
    with engine.storage.write() as unit:
        unit.put(Clockwork(id=key, **wheels))


def heard(engine, stream="clock:1"):
    with engine.storage.read() as reader:
        told = reader.read(stream, 0, 1000)
    read = engine.registry.decode_event
    return [(each.at, read(each.type, each.version, each.data)) for each in told]


def turns(engine, key="1"):
    return [(at, fact.wheel) for at, fact in heard(engine, f"clock:{key}")]


# -- settling -------------------------------------------------------------------------------------


def test_the_earliest_step_is_taken_first_whoevers_it_is_and_each_at_its_own_instant(engine, clock):
    wind(engine, small=(at(1), at(4)), big=(at(2), at(3)))
    clock.advance(minutes=10)
    engine.execute(Look(key="1"), actor=ADA)
    assert turns(engine) == [(at(1), "small"), (at(2), "big"), (at(3), "big"), (at(4), "small")]


def test_things_that_are_settled_together_take_their_steps_in_the_order_of_their_instants(
    engine, clock
):
    wind(engine, "1", small=(at(1), at(4)))
    wind(engine, "2", small=(at(2), at(4), at(20)))
    clock.advance(minutes=10)
    engine.execute(LookAround(keys=("2", "1")), actor=ADA)
    with engine.storage.read() as reader:
        told = [(each.stream, each.at) for each in reader.tail("", 100)]
    by_instant = [("1", 1), ("2", 2), ("1", 4), ("2", 4)]
    assert told == [(f"clock:{key}", at(minutes)) for key, minutes in by_instant]


def test_of_two_steps_at_one_instant_the_one_declared_first_is_taken_first(engine, clock):
    wind(engine, small=(at(1),), big=(at(1),))
    clock.advance(minutes=1)
    engine.execute(Look(key="1"), actor=ADA)
    assert turns(engine) == [(at(1), "big"), (at(1), "small")]


def test_reactions_run_after_each_step_so_what_they_make_due_has_its_turn(engine, clock):
    wind(engine, small=(at(1), at(2), at(3)), chain=True)
    clock.advance(minutes=3)
    engine.execute(Look(key="1"), actor=ADA)
    assert turns(engine) == [
        (at(1), "small"),
        (at(2), "small"),
        (at(2.5), "big"),
        (at(3), "small"),
    ]


def test_what_is_due_now_is_taken_and_what_is_due_later_is_left(engine, clock):
    moment = timedelta(microseconds=1)
    wind(engine, small=(at(1), at(1) + moment))
    clock.set(at(1) - moment)
    engine.execute(Look(key="1"), actor=ADA)
    assert turns(engine) == []
    clock.set(at(1))
    engine.execute(Look(key="1"), actor=ADA)
    assert turns(engine) == [(at(1), "small")]


def test_once_settled_it_is_now_for_the_handler(engine, clock):
    wind(engine, small=(at(1),))
    clock.advance(minutes=5)
    assert engine.execute(Look(key="1"), actor=ADA) == at(5).isoformat()


def test_what_is_not_there_has_nothing_to_settle(engine):
    assert engine.execute(Look(key="nowhere"), actor=ADA) == NOON.isoformat()


@given(st.lists(st.integers(0, 30), max_size=6), st.lists(st.integers(0, 30), max_size=6))
def test_settling_often_tells_what_settling_once_tells(small, big):
    stories = []
    for looks in (1, 30):
        clock = FakeClock(NOON)
        here = sys.modules[__name__]
        engine = Engine(MemoryStorage(), clock=clock, ids=SequentialIds(), features=[here])
        wheels = {"small": sorted(map(at, small)), "big": sorted(map(at, big))}
        wind(engine, chain=True, **{name: tuple(due) for name, due in wheels.items()})
        for _ in range(looks):
            clock.advance(timedelta(minutes=30) / looks)
            engine.execute(Look(key="1"), actor=ADA)
        stories.append(turns(engine))
    assert stories[0] == stories[1]
    assert [when for when, _ in stories[0]] == sorted(when for when, _ in stories[0])


def test_a_reaction_that_settles_another_thing_is_afterwards_still_at_its_own_instant(
    engine, clock
):
    wind(engine, key="2", small=(at(1), at(9)))
    clock.advance(minutes=10)
    engine.execute(LookAside(key="2", ago=timedelta(minutes=7)), actor=ADA)
    assert turns(engine, "2") == [(at(1), "small"), (at(9), "small")]
    assert [when for when, _ in heard(engine, "echo:1")] == [at(3)]


# -- told to nobody, set by the embedder, where it came from --------------------------------------


def test_what_is_told_to_nobody_is_stored_nowhere_and_still_reacted_to(engine):
    engine.execute(Whisper(), actor=ADA)
    with engine.storage.read() as reader:
        assert [each.type for each in reader.tail("", 10)] == ["settling.echoed"]


def test_a_setting_that_nobody_gave_has_its_defaults(engine):
    assert engine.execute(HowLoud(), actor=ADA) == engine.execute(LoudNow(), actor=ADA) == 3


def test_a_setting_is_given_among_the_ports(make):
    engine = make({Loudness: Loudness(level=11)})
    assert engine.execute(HowLoud(), actor=ADA) == engine.execute(LoudNow(), actor=ADA) == 11


def test_a_query_says_whether_it_waits_for_what_is_due():
    assert LoudNow.spec.lags
    assert not Look.spec.lags


def test_a_message_knows_its_door_and_the_connection_where_there_is_one(engine):
    assert engine.execute(Where(), actor=ADA) == "python|"
    phone = Origin("websocket", "192.0.2.1", connection="7")
    assert engine.execute(Where(), actor=ADA, origin=phone) == "websocket|7"
