"""The local socket: calls go over and outcomes come back whole, and a loss is told as one."""

import asyncio
import socket
import stat
import tempfile
import threading
import typing
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from focusmate_core import Actor, BadInput, Call, Engine, FieldProblem, Outcome, Refusal
from focusmate_core.features import BUNDLED, directory, rooms, seats, timer
from focusmate_core.messages import Origin
from focusmate_core.refusals import AnswerLost, Unavailable
from focusmate_core.registry import Registry
from focusmate_core.testing.clock import FakeClock
from focusmate_core.testing.ids import SequentialIds
from focusmate_core.testing.memory import MemoryStorage
from focusmate_falcon import problems
from focusmate_server import asyncio_client, trio_runner
from focusmate_server.asyncio_client import AsyncioClient
from focusmate_server.executor import Executor
from focusmate_server.frames import (
    LONGEST,
    Broken,
    NotUnderstood,
    OtherStorage,
    RemoteFault,
    Unpacker,
    call_frame,
    call_of,
    fault_frame,
    greeting_frame,
    outcome_frame,
    outcome_of,
    pack,
)
from focusmate_server.places import Places
from focusmate_server.socket_door import open_socket
from focusmate_server.trio_runner import SocketRunner
from focusmate_server.writer_client import NoWriter, WriterClient
from focusmate_trio.conversation import Conversation

REGISTRY = Registry(BUNDLED)
ADA = Actor(id="019b8d62-7a80-7000-8000-000000000001", roles=frozenset({"admin", "moderator"}))
NOWHERE = "019b8d62-7a80-7000-8000-00000000ffff"


@given(
    st.lists(st.dictionaries(st.text(max_size=5), st.integers(0, 9), max_size=3), max_size=8),
    st.data(),
)
def test_frames_come_out_whole_however_they_arrive(bodies: list[dict[str, int]], data: Any):
    frames: list[dict[str, Any]] = [{**body, "n": i} for i, body in enumerate(bodies)]
    wire = b"".join(pack(frame) for frame in frames)
    unpacker, out, at = Unpacker(), [], 0
    while at < len(wire):
        size = data.draw(st.integers(1, len(wire) - at))
        out += unpacker.feed(wire[at : at + size])
        at += size
    assert out == frames


@pytest.mark.parametrize(
    "garbage",
    [b"\xff\xff\xff\xff", b"\x00\x00\x00\x02[]", b"\x00\x00\x00\x01{", b"GET / HTTP/1.1\r\n\r\n"],
)
def test_what_is_no_frame_of_ours_is_told_apart(garbage: bytes):
    with pytest.raises(Broken):
        list(Unpacker().feed(garbage))


def test_a_call_goes_over_whole():
    origin = Origin("websocket", "127.0.0.1", "one of two")
    call = Call(rooms.OpenRoom(name="공부방"), ADA, origin, "a key")
    (frame,) = Unpacker().feed(call_frame(7, call))
    assert frame["n"] == 7
    assert call_of(frame, REGISTRY) == call


SAMPLES = {
    str: "text",
    int: 7,
    float: 1.5,
    datetime: datetime(2026, 2, 28, 23, 59, 59, 999_999, tzinfo=UTC),
    timedelta: timedelta(minutes=7, microseconds=1),
    tuple[FieldProblem, ...]: (FieldProblem("a.b", "is required"),),
}


def _fields_of(cls: type[Refusal]) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    return {name: hints[name] for name in attrs.fields_dict(cls)}


@pytest.mark.parametrize("code", sorted(REGISTRY.refusals))
def test_every_refusal_comes_back_as_what_it_is(code: str):
    cls = REGISTRY.refusals[code]
    params = {name: SAMPLES[kind] for name, kind in _fields_of(cls).items()}
    said = cls(**params)
    (frame,) = Unpacker().feed(outcome_frame(1, Outcome(refusal=said)))
    heard = outcome_of(frame, None, REGISTRY).refusal
    assert type(heard) is cls
    assert (heard.params(), heard.detail) == (said.params(), said.detail)


def test_a_fault_comes_back_as_one_with_its_id():
    (frame,) = Unpacker().feed(fault_frame(1, ValueError("a secret"), "0123abcd"))
    fault = outcome_of(frame, None, REGISTRY).fault
    assert isinstance(fault, RemoteFault)
    assert fault.error_id == "0123abcd"
    assert "secret" not in str(frame)


def test_the_doors_tell_and_log_the_id_that_the_other_process_logged(caplog: Any):
    fault = RemoteFault("KeyError", "0123abcd")
    assert problems.of_fault(fault, "GET /").more == {"params": {"error_id": "0123abcd"}}
    told = Conversation._fault(object.__new__(Conversation), 1, fault)
    assert b'"error_id":"0123abcd"' in told
    assert caplog.text.count("error id 0123abcd") == 2


@pytest.mark.parametrize(
    "told",
    [
        {"no": "rooms.haunted", "params": {}},
        {"no": "rooms.not_found", "params": {"nobody": "knows"}},
        {"no": "rooms.not_found"},
        {"ok": {"id": 7}},
        {"ok": None},
        {},
        {"fault": "RuntimeError"},
    ],
)
def test_what_cannot_be_read_is_a_fault_of_the_one_call(told: dict[str, Any]):
    outcome = outcome_of({"n": 1, **told}, rooms.Room, REGISTRY)
    assert isinstance(outcome.fault, NotUnderstood)
    assert outcome.refusal is None


def test_what_is_longer_than_the_other_side_reads_is_not_sent():
    with pytest.raises(ValueError, match="too long"):
        pack({"n": 1, "ok": "x" * (LONGEST + 1)})


STORAGE = "/srv/study.db"


def place(path: Path, storage: str = STORAGE) -> Places:
    return Places(key=path, lock=path, socket=path, storage=storage)


@contextmanager
def _writer(path: Path) -> Iterator[Engine]:
    """A process that writes, on a thread of this one."""
    engine = Engine(MemoryStorage(), features=BUNDLED, clock=FakeClock(), ids=SequentialIds())
    executor = Executor(engine)
    executor.start()
    ready, loops = threading.Event(), []

    async def serve() -> None:
        door = await open_socket(path, executor, {"due": executor.run_due}, STORAGE)
        loops.append((asyncio.get_running_loop(), stop := asyncio.Event()))
        ready.set()
        await stop.wait()
        door.close()
        await asyncio.sleep(0)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    try:
        yield engine
    finally:
        loop, stop = loops[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        executor.close(10)


@pytest.fixture
def path() -> Iterator[Path]:
    # A socket's path may have 100 characters or so: the usual temporary folder is too deep.
    with tempfile.TemporaryDirectory(prefix="fm") as folder:
        yield Path(folder) / "s"


def test_the_socket_is_for_this_user_alone(path: Path):
    with _writer(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_answers_refusals_and_jobs_come_over_the_socket(path: Path):
    with _writer(path) as engine:
        client = WriterClient(place(path), engine.registry)
        room = client.run(Call(rooms.OpenRoom(name="Library"), ADA)).result()
        assert room == engine.execute(rooms.RoomById(room_id=room.id), actor=ADA)
        with pytest.raises(rooms.RoomNotFound):
            client.run(Call(seats.JoinRoom(room_id=NOWHERE), ADA)).result()
        assert client.job("due") == 0
        with pytest.raises(RemoteFault):
            client.job("no such job")
        client.close()


def test_a_stranger_on_the_socket_is_hung_up_on_and_the_others_go_on(path: Path):
    with _writer(path) as engine:
        client = WriterClient(place(path), engine.registry)
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.connect(str(path))
            stranger.settimeout(10)
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert _hung_up(stranger)
        assert client.job("due") == 0
        client.close()


def test_who_means_another_database_is_sent_away_and_changes_nothing(path: Path):
    other = place(path, "/srv/other.db")
    with _writer(path) as engine:
        with pytest.raises(OtherStorage, match=r"writes to /srv/study\.db, not to /srv/other\.db"):
            WriterClient(other, engine.registry)
        with pytest.RaisesGroup(OtherStorage):
            trio.run(_live_until_started, SocketRunner(other, engine.registry))
        refusal = asyncio.run(_open_a_room(AsyncioClient(other, engine.registry))).refusal
        assert isinstance(refusal, Unavailable)
        assert not engine.execute(directory.PublicRooms(), actor=ADA).items


def test_a_call_that_comes_before_the_greeting_is_not_carried_out(path: Path):
    with _writer(path) as engine:
        with socket.socket(socket.AF_UNIX) as rude:
            rude.connect(str(path))
            rude.settimeout(10)
            rude.sendall(call_frame(1, Call(rooms.OpenRoom(name="Library"), ADA)))
            while not _hung_up(rude):
                pass
        assert not engine.execute(directory.PublicRooms(), actor=ADA).items


async def _live_until_started(runner: SocketRunner) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(runner.live)
        nursery.cancel_scope.cancel()


async def _open_a_room(client: AsyncioClient) -> Outcome[Any]:
    try:
        return await client.run(Call(rooms.OpenRoom(name="Library"), ADA))
    finally:
        client.close()


def test_a_loop_goes_on_after_an_answer_that_it_cannot_read(path: Path):
    """This process lacks what the writer answers with; the next call is answered."""
    registry = Registry(BUNDLED)
    registry.refusals = {k: v for k, v in registry.refusals.items() if k != "rooms.not_found"}

    async def on_trio() -> list[Outcome[Any]]:
        runner = SocketRunner(place(path), registry)
        async with trio.open_nursery() as nursery:
            await nursery.start(runner.live)
            with trio.fail_after(10):
                told = [await runner.run(call) for call in calls]
            nursery.cancel_scope.cancel()
        return told

    async def on_asyncio() -> list[Outcome[Any]]:
        client = AsyncioClient(place(path), registry)
        async with asyncio.timeout(10):
            told = [await client.run(call) for call in calls]
        client.close()
        return told

    lost = Call(seats.JoinRoom(room_id=NOWHERE), ADA)
    calls = [lost, Call(rooms.OpenRoom(name="Library"), ADA)]
    with _writer(path):
        for told in (trio.run(on_trio), asyncio.run(on_asyncio())):
            assert isinstance(told[0].fault, NotUnderstood)
            assert told[1].result().name == "Library"


def test_an_answer_that_does_not_come_is_told_as_lost(path: Path, monkeypatch: Any):
    monkeypatch.setattr(trio_runner, "ANSWER_WITHIN_S", 0.1)
    monkeypatch.setattr(asyncio_client, "ANSWER_WITHIN_S", 0.1)
    call = Call(rooms.OpenRoom(name="Library"), ADA)

    async def on_trio() -> Outcome[Any]:
        runner = SocketRunner(place(path), REGISTRY)
        async with trio.open_nursery() as nursery:
            await nursery.start(runner.live)
            with trio.fail_after(10):
                told = await runner.run(call)
            nursery.cancel_scope.cancel()
        assert not runner._pending
        return told

    with _writer(path) as engine, engine.storage.write():
        assert isinstance(trio.run(on_trio).refusal, AnswerLost)
        told = asyncio.run(_open_a_room(AsyncioClient(place(path), REGISTRY)))
        assert isinstance(told.refusal, AnswerLost)


def test_an_answer_that_cannot_be_sent_is_a_fault_under_the_id_of_the_log(path: Path, caplog: Any):
    with _writer(path) as engine:
        engine.registry.handlers[rooms.RoomById] = lambda *_: {1: object()}
        client = WriterClient(place(path), engine.registry)
        fault = client.run(Call(rooms.RoomById(room_id=NOWHERE), ADA)).fault
        assert isinstance(fault, RemoteFault)
        assert f"error id {fault.error_id}" in caplog.text
        with pytest.raises(RemoteFault) as nothing:
            client.job("no such job")
        assert f"error id {nothing.value.error_id}" in caplog.text
        assert client.job("due") == 0
        client.close()


def test_calls_go_over_from_an_asyncio_loop(path: Path):
    with _writer(path) as engine:
        room = asyncio.run(_open_a_room(AsyncioClient(place(path), engine.registry))).result()
        assert room == engine.execute(rooms.RoomById(room_id=room.id), actor=ADA)


def _hung_up(peer: socket.socket) -> bool:
    try:
        return peer.recv(1) == b""
    except ConnectionResetError:
        return True


def test_bad_input_over_the_socket_is_refused_with_its_fields(path: Path):
    with _writer(path), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.settimeout(10)
        client.sendall(greeting_frame(STORAGE))
        unpacker = Unpacker()
        assert list(unpacker.feed(client.recv(65536))) == [{"n": 0, "storage": STORAGE}]
        frame = {"do": "rooms.join", "with": {"room_id": 7}, "actor": ["a", [], ""]}
        client.sendall(pack({**frame, "origin": ["", ""], "n": 3, "key": None}))
        (told,) = unpacker.feed(client.recv(65536))
    refusal = outcome_of(told, None, REGISTRY).refusal
    assert isinstance(refusal, BadInput)
    assert [problem.field for problem in refusal.fields] == ["room_id"]


def test_without_a_writer_the_client_says_what_to_start(path: Path):
    with pytest.raises(NoWriter, match="focusmate serve http"):
        WriterClient(place(path), REGISTRY)


def test_a_client_comes_back_when_the_writer_does(path: Path):
    with _writer(path) as engine:
        client = WriterClient(place(path), engine.registry)
        client.run(Call(rooms.OpenRoom(name="one"), ADA)).result()
    lost = client.run(Call(rooms.OpenRoom(name="two"), ADA)).refusal
    assert isinstance(lost, (AnswerLost, Unavailable))
    assert isinstance(client.run(Call(rooms.OpenRoom(name="two"), ADA)).refusal, Unavailable)
    with _writer(path):
        assert client.run(Call(rooms.OpenRoom(name="two"), ADA)).result().name == "two"
    client.close()


def test_many_calls_share_the_connection_of_a_trio_loop(path: Path):
    async def ask(runner: SocketRunner, name: str, heard: dict[str, str]) -> None:
        heard[name] = (await runner.run(Call(rooms.OpenRoom(name=name), ADA))).result().name

    async def main(registry: Registry) -> dict[str, str]:
        runner, heard = SocketRunner(place(path), registry), {}
        async with trio.open_nursery() as nursery:
            await nursery.start(runner.live)
            async with trio.open_nursery() as asking:
                for number in range(100):
                    asking.start_soon(ask, runner, str(number), heard)
            nursery.cancel_scope.cancel()
        return heard

    with _writer(path) as engine:
        heard = trio.run(main, engine.registry)
    assert heard == {str(number): str(number) for number in range(100)}


async def _until(runner: SocketRunner, *, answers: bool) -> Refusal | None:
    with trio.fail_after(10):
        while True:
            refusal = (await runner.run(Call(timer.TimerState(room_id=NOWHERE), ADA))).refusal
            if isinstance(refusal, rooms.RoomNotFound) is answers:
                return refusal
            await trio.sleep(0.01)


def test_a_trio_loop_is_told_while_the_writer_is_gone_and_goes_on_when_it_is_back(path: Path):
    async def main(first: Any) -> None:
        runner = SocketRunner(place(path), REGISTRY)
        async with trio.open_nursery() as nursery:
            await nursery.start(runner.live)
            await _until(runner, answers=True)
            await trio.to_thread.run_sync(first.__exit__, None, None, None)
            assert isinstance(await _until(runner, answers=False), (AnswerLost, Unavailable))
            with _writer(path):
                await _until(runner, answers=True)
                nursery.cancel_scope.cancel()

    first = _writer(path)
    first.__enter__()
    trio.run(main, first)


def test_a_trio_loop_that_finds_no_writer_at_first_says_so(path: Path):
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(SocketRunner(place(path), REGISTRY).live)

    with pytest.RaisesGroup(NoWriter):
        trio.run(main)
