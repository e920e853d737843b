"""Returning: before anything is judged, it is noted that the service is back."""

import asyncio
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest

from focusmate_core import Actor, Call, Engine
from focusmate_core.features import BUNDLED, records, rooms, seats, signs, timer_control
from focusmate_core.features.presence import Presence, PresencePolicy
from focusmate_core.messages import SYSTEM, Origin
from focusmate_core.refusals import Unavailable
from focusmate_core.testing.clock import FakeClock
from focusmate_core.testing.ids import SequentialIds
from focusmate_server.doing import CommandDoor, Who
from focusmate_server.executor import Executor
from focusmate_server.places import Places
from focusmate_server.returning import Returning
from focusmate_server.settings import Settings
from focusmate_server.writer import Writer, wait_for
from focusmate_server.writer_client import WriterClient
from tests.features.town import STORAGES

LEASE = timedelta(seconds=60)
ADA, BEN = Actor(id="ada"), Actor(id="ben")


@pytest.fixture(params=STORAGES)
def storage(request, tmp_path):
    storage = STORAGES[request.param](tmp_path)
    yield storage
    storage.close()


@pytest.fixture
def clock():
    return FakeClock()


def engine_of(storage, clock):
    ports = {PresencePolicy: PresencePolicy(lease=LEASE)}
    return Engine(storage, features=BUNDLED, clock=clock, ids=SequentialIds(), ports=ports)


@pytest.fixture
def engine(storage, clock):
    return engine_of(storage, clock)


def present(engine, person):
    with engine.storage.read() as reader:
        return reader.get(Presence, person.id)


def run_all_due(engine):
    while engine.run_due():
        pass


def renew(engine, *people):
    heard = tuple(
        signs.Heard(person_id=each.id, connection=each.id, quiet=timedelta(0)) for each in people
    )
    engine.execute(signs.RenewPresence(heard=heard), actor=SYSTEM, origin=Origin("websocket"))


def live(engine, clock, minutes, *people):
    """Time passes, and whoever is connected is renewed by their gateway."""
    for _ in range(3 * minutes):
        clock.advance(seconds=20)
        run_all_due(engine)
        renew(engine, *people)


def sessions_of(engine, person):
    page = engine.execute(records.SessionHistory(), actor=person)
    return [(each.credited, each.why) for each in page.items]


def test_of_two_who_were_there_when_the_service_died_the_one_who_is_back_in_time_has_it_all(
    storage, clock, engine
):
    room = engine.execute(rooms.OpenRoom(name="Library"), actor=ADA)
    engine.execute(seats.JoinRoom(room_id=room.id), actor=BEN)
    engine.execute(timer_control.StartTimer(room_id=room.id), actor=ADA)
    began = clock.now()
    live(engine, clock, 10, ADA, BEN)
    clock.advance(minutes=30)
    engine = engine_of(storage, clock)
    Returning(engine).say()
    run_all_due(engine)
    clock.advance(seconds=50)
    renew(engine, ADA)
    live(engine, clock, 3, ADA)
    assert present(engine, ADA).since == began
    assert present(engine, BEN) is None
    assert sessions_of(engine, ADA) == [(timedelta(minutes=25), "25 min")]
    assert sessions_of(engine, BEN) == [(timedelta(minutes=10), "10 of 25 min: left 15 min early")]


def test_who_is_back_later_than_a_lease_after_the_return_has_what_was_known_and_comes_anew(
    storage, clock, engine
):
    room = engine.execute(rooms.OpenRoom(name="Library"), actor=ADA)
    engine.execute(timer_control.StartTimer(room_id=room.id), actor=ADA)
    live(engine, clock, 10, ADA)
    clock.advance(minutes=30)
    Returning(engine).say()
    clock.advance(seconds=60)
    renew(engine, ADA)
    assert present(engine, ADA) is None
    engine.execute(signs.EnterRoom(room_id=room.id), actor=ADA)
    run_all_due(engine)
    assert present(engine, ADA).since == clock.now()
    assert sessions_of(engine, ADA) == [(timedelta(minutes=10), "10 of 25 min: left 15 min early")]


async def begin_to_write(engine, path):
    """Let the worker and a client of the socket in, as soon as they can be."""
    writer = Writer(engine, Settings(), Places(key=path, lock=path, socket=path, storage="a"))
    await writer.start()
    client = await asyncio.to_thread(
        WriterClient, Places(key=path, lock=path, socket=path, storage="a"), engine.registry
    )
    await asyncio.to_thread(client.job, "due")
    client.close()
    await writer.stop(2)


def test_whoever_begins_to_write_says_so_before_a_lease_is_looked_at(engine, clock):
    engine.execute(rooms.OpenRoom(name="Library"), actor=ADA)
    came = present(engine, ADA).since
    clock.advance(hours=1)
    with tempfile.TemporaryDirectory(prefix="fm") as folder:
        asyncio.run(begin_to_write(engine, Path(folder) / "s"))
    assert present(engine, ADA).until == came
    clock.advance(LEASE)
    run_all_due(engine)
    assert present(engine, ADA) is None


def test_a_command_without_a_server_ends_no_presence_that_the_server_left(engine, clock, capsys):
    room = engine.execute(rooms.OpenRoom(name="Library"), actor=ADA)
    clock.advance(hours=1)
    assert CommandDoor(engine).do("rooms.join", [f"room_id={room.id}"], who=Who("ben")) == 0
    assert capsys.readouterr().err == ""
    assert present(engine, ADA)
    clock.advance(hours=1)
    Returning(engine).say()
    run_all_due(engine)
    assert {present(engine, ADA).person_id, present(engine, BEN).person_id} == {"ada", "ben"}


def test_a_question_without_a_server_writes_nothing(engine, clock):
    room = engine.execute(rooms.OpenRoom(name="Library"), actor=ADA)
    clock.advance(hours=1)
    CommandDoor(engine).do("rooms.by_id", [f"room_id={room.id}"], who=Who("ada"))
    run_all_due(engine)
    assert present(engine, ADA) is None


@pytest.fixture
def executor(engine):
    executor = Executor(engine)
    executor.start()
    yield executor
    assert executor.close(10)


def opens(executor, person):
    return executor.run(Call(rooms.OpenRoom(name="Library"), person), 30)


def meets_deadlines(executor):
    return wait_for(executor.run_due, 30)


def test_nobody_is_away_because_the_storage_was(storage, clock, engine, executor):
    room = opens(executor, ADA).result()
    storage.close()
    clock.advance(hours=1)
    assert isinstance(opens(executor, BEN).refusal, Unavailable)
    with pytest.raises(Unavailable):
        meets_deadlines(executor)
    storage.open(engine.entities)
    assert executor.run(Call(seats.JoinRoom(room_id=room.id), BEN), 30).result()
    assert present(engine, ADA)
    clock.advance(LEASE)
    while meets_deadlines(executor):
        pass
    assert present(engine, ADA) is None


def test_that_the_storage_was_away_is_noticed_by_the_worker_alone(storage, clock, engine, executor):
    opens(executor, ADA)
    storage.close()
    clock.advance(hours=1)
    with pytest.raises(Unavailable):
        meets_deadlines(executor)
    storage.open(engine.entities)
    while meets_deadlines(executor):
        pass
    assert present(engine, ADA)


def test_a_storage_that_is_away_at_the_start_stops_no_start_and_nothing_is_judged_before(
    storage, clock, engine
):
    engine.execute(rooms.OpenRoom(name="Library"), actor=ADA)
    clock.advance(hours=1)
    storage.close()
    executor = Executor(engine)
    executor.start()
    assert isinstance(opens(executor, BEN).refusal, Unavailable)
    storage.open(engine.entities)
    while meets_deadlines(executor):
        pass
    assert executor.close(10)
    assert present(engine, ADA)


def test_nobody_is_away_because_the_process_stood_still(engine, clock):
    steady = iter([0.0, 0.5, 1.5, 100.0, 101.0, 102.0])
    returning = Returning(engine, steady=lambda: next(steady))
    assert returning.say() is None
    room = engine.execute(rooms.OpenRoom(name="Library"), actor=ADA)
    returning.look()
    clock.advance(LEASE * 2)
    assert returning.say() is None
    while engine.run_due():
        pass
    assert present(engine, ADA)
    clock.advance(LEASE)
    assert returning.say() is None
    while engine.run_due():
        pass
    assert present(engine, ADA) is None
    assert room.is_open


def test_a_bug_on_the_way_back_is_logged_and_keeps_nobody_waiting(
    clock, engine, executor, monkeypatch, caplog
):
    def broken(*_):
        raise KeyError("a bug")

    monkeypatch.setitem(engine.registry.handlers, signs.ReturnService, broken)
    again = Executor(engine)
    again.start()
    assert opens(again, ADA).result()
    assert again.close(10)
    assert [record.getMessage() for record in caplog.records] == [
        "it could not be noted that the service is back: who was there may be away"
    ]
