"""The executor: many share a commit, nobody hears before it, and there is always a bound."""

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from focusmate_core import (
    Access,
    Actor,
    Call,
    Command,
    Context,
    Engine,
    Entity,
    Outcome,
    Query,
    QueryContext,
    command,
    entity,
    handler,
    prepares,
    query,
)
from focusmate_core.context import Preparation
from focusmate_core.messages import Origin
from focusmate_core.refusals import Unavailable
from focusmate_core.testing.clock import FakeClock
from focusmate_core.testing.ids import SequentialIds
from focusmate_core.testing.memory import MemoryStorage
from focusmate_server.asyncio_runner import AsyncioRunner
from focusmate_server.executor import Executor
from focusmate_server.preparing import WAITING

ADA = Actor(id="ada")


@entity("test_counters")
class Counter(Entity):
    id: str
    count: int
    version: int = 0


@command("test.count", access=Access.ANYONE)
class Count(Command[int]):
    name: str


@handler
def count(ask: Count, ctx: Context) -> int:
    counter = ctx.store.get(Counter, ask.name) or Counter(id=ask.name, count=0)
    return ctx.store.put(counter.but(count=counter.count + 1)).count


@command("test.break", access=Access.ANYONE)
class Break(Command[None]):
    """A bug: it writes, and then it fails."""


@handler
def break_down(_: Break, ctx: Context) -> None:
    ctx.store.put(Counter(id="half", count=1))
    msg = "a bug"
    raise RuntimeError(msg)


@command("test.wait", access=Access.ANYONE)
class Wait(Command[None]):
    """Holds the writing thread until the test lets it go."""


@handler
def wait(_: Wait, _ctx: Context) -> None:
    gate.wait(10)


@command("test.slow", access=Access.ANYONE)
class Slow(Command[int]):
    """Has a preparation."""


@prepares(Slow)
def prepare_slow(_: Slow, _ctx: Preparation) -> int:
    gate.wait(10)
    return threading.get_ident()


@handler
def slow(_: Slow, ctx: Context) -> int:
    thread: int = ctx.prepared
    return thread


@query("test.counted", access=Access.ANYONE)
class Counted(Query[int]):
    name: str


@handler
def counted(ask: Counted, ctx: QueryContext) -> int:
    counter = ctx.store.get(Counter, ask.name)
    return counter.count if counter else 0


gate = threading.Event()


class Commits(MemoryStorage):
    """Counts its commits, and can be away."""

    def __init__(self) -> None:
        super().__init__()
        self.units = 0
        self.away = False

    def write(self) -> Any:
        if self.away:
            raise Unavailable
        self.units += 1
        return super().write()


@pytest.fixture
def storage() -> Commits:
    return Commits()


@pytest.fixture
def engine(storage: Commits) -> Engine:
    gate.clear()
    here = sys.modules[__name__]
    return Engine(storage, features=[here], clock=FakeClock(), ids=SequentialIds())


@pytest.fixture
def make(engine: Engine) -> Iterator[Callable[..., Executor]]:
    made = []

    def start(**sizes: int) -> Executor:
        executor = Executor(engine, **sizes)
        executor.start()
        made.append(executor)
        return executor

    yield start
    gate.set()
    for executor in made:
        executor.close(10)


class Told:
    """Remembers the outcomes, and can wait for a number of them."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome[Any]] = []
        self._more = threading.Condition()

    def __call__(self, outcome: Outcome[Any]) -> None:
        with self._more:
            self.outcomes.append(outcome)
            self._more.notify_all()

    def wait_for(self, number: int) -> list[Outcome[Any]]:
        with self._more:
            assert self._more.wait_for(lambda: len(self.outcomes) >= number, 10)
        return self.outcomes


def _held(executor: Executor, storage: Commits) -> Told:
    """An executor whose writing thread is held by one call until the gate opens."""
    told, before = Told(), storage.units
    executor.submit(Call(Wait()), told)
    while storage.units == before:
        pass
    return told


def test_what_came_while_one_commit_was_made_shares_the_next(make, storage):
    executor = make()
    first, told = _held(executor, storage), Told()
    for _ in range(100):
        executor.submit(Call(Count(name="a")), told)
    assert first.outcomes == told.outcomes == []
    gate.set()
    answers = [outcome.result() for outcome in told.wait_for(100)]
    assert answers == list(range(1, 101))
    assert storage.units == 2


def test_a_batch_has_a_size(make, storage):
    executor = make(batch=10)
    _held(executor, storage)
    told = Told()
    for _ in range(25):
        executor.submit(Call(Count(name="a")), told)
    gate.set()
    told.wait_for(25)
    assert storage.units == 1 + 3


def test_a_bug_in_one_call_leaves_the_others_whole_and_nothing_of_itself(make, storage):
    executor, told = make(), Told()
    _held(executor, storage)
    for message in (Count(name="a"), Break(), Count(name="a")):
        executor.submit(Call(message), told)
    gate.set()
    one, two, three = told.wait_for(3)
    assert (one.answer, three.answer) == (1, 2)
    assert isinstance(two.fault, RuntimeError)
    assert executor.run(Call(Counted(name="half"))).result() == 0


def test_when_storage_is_away_all_hear_it_and_nothing_was_done(make, storage):
    executor = make()
    storage.away = True
    outcomes = [executor.run(Call(Count(name="a"))) for _ in range(3)]
    assert all(isinstance(outcome.refusal, Unavailable) for outcome in outcomes)
    storage.away = False
    assert executor.run(Call(Count(name="a"))).result() == 1


def test_beyond_the_queue_the_answer_comes_at_once(make, storage):
    executor, told = make(waiting=5), Told()
    _held(executor, storage)
    for _ in range(8):
        executor.submit(Call(Count(name="a")), told)
    assert [type(outcome.refusal) for outcome in told.outcomes] == [Unavailable] * 3
    assert executor.queued == 5
    gate.set()
    told.wait_for(8)
    assert executor.run(Call(Counted(name="a"))).result() == 5


def test_preparations_wait_in_a_bounded_pool_and_hold_back_no_command(make):
    executor, told = make(preparers=1), Told()
    people = [Actor(id=f"person {number}") for number in range(WAITING + 4)]
    for person in people:
        executor.submit(Call(Slow(), person), told)
    # One of them may have been taken out of the room already.
    assert {type(outcome.refusal) for outcome in told.outcomes} == {Unavailable}
    assert len(told.outcomes) in {3, 4}
    assert executor.run(Call(Count(name="a"))).result() == 1
    gate.set()
    threads = {o.result() for o in told.wait_for(len(people)) if o.refusal is None}
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_who_asks_for_much_that_is_slow_leaves_room_for_others(make):
    executor, much, others = make(preparers=1), Told(), Told()
    for _ in range(2 * WAITING):
        executor.submit(Call(Slow(), origin=Origin("http", "192.0.2.1")), much)
    for number in range(WAITING // 2):
        executor.submit(Call(Slow(), origin=Origin("http", f"198.51.100.{number}")), others)
    assert others.outcomes == []
    gate.set()
    assert all(outcome.refusal is None for outcome in others.wait_for(WAITING // 2))


def test_a_query_does_not_wait_for_the_commands(make, storage):
    executor = make()
    _held(executor, storage)
    assert executor.run(Call(Counted(name="a")), timeout=10).result() == 0


def test_one_key_a_hundred_times_at_once_is_one_effect_and_one_answer(make, storage):
    executor, told = make(batch=7), Told()
    _held(executor, storage)
    for _ in range(100):
        executor.submit(Call(Count(name="a"), ADA, key="one"), told)
    gate.set()
    assert {outcome.result() for outcome in told.wait_for(100)} == {1}


def test_closing_finishes_what_was_taken_and_takes_no_more(make, storage):
    executor, told = make(), Told()
    _held(executor, storage)
    for _ in range(10):
        executor.submit(Call(Count(name="a")), told)
    gate.set()
    assert executor.close(10)
    assert [outcome.answer for outcome in told.outcomes] == list(range(1, 11))
    assert not executor.is_alive
    for message in (Count(name="a"), Slow()):
        assert isinstance(executor.run(Call(message), timeout=1).refusal, Unavailable)


def test_closing_ends_in_time_whatever_is_stuck_and_tells_who_waits(make, storage):
    executor, slow, waiting, quick = make(preparers=1), Told(), Told(), Told()
    _held(executor, storage)
    executor.submit(Call(Slow()), slow)
    for _ in range(5):
        executor.submit(Call(Slow()), waiting)
        executor.submit(Call(Count(name="a")), quick)
    began = time.monotonic()
    assert not executor.close(0.4)
    assert time.monotonic() - began < 2
    for told in (waiting, quick):
        refusals = [outcome.refusal for outcome in told.wait_for(5)]
        assert [type(refusal) for refusal in refusals] == [Unavailable] * 5
    assert not executor._reads.is_alive
    gate.set()
    assert isinstance(slow.wait_for(1)[0].refusal, Unavailable)
    assert executor.close(10)
    assert len(waiting.outcomes) == len(quick.outcomes) == 5


def test_a_loop_is_woken_once_for_all_its_callers_in_a_batch(make, storage):
    executor = make()

    async def ask() -> tuple[list[int], int]:
        runner = AsyncioRunner(executor)
        loop, wakes = asyncio.get_running_loop(), 0
        plain = loop.call_soon_threadsafe

        def counting(callback: Any, *args: Any, context: Any = None) -> Any:
            nonlocal wakes
            wakes += 1
            return plain(callback, *args, context=context)

        runner._wake = counting
        _held(executor, storage)
        asked = [asyncio.ensure_future(runner.run(Call(Count(name="a")))) for _ in range(50)]
        await asyncio.sleep(0)
        gate.set()
        return [outcome.result() for outcome in await asyncio.gather(*asked)], wakes

    answers, wakes = asyncio.run(ask())
    assert answers == list(range(1, 51))
    assert wakes == 1


def test_a_caller_that_cannot_be_told_does_not_cost_the_others_their_answers(make, storage, caplog):
    executor, told = make(), Told()
    _held(executor, storage)

    def burst(_: Outcome[Any]) -> None:
        msg = "a bug"
        raise RuntimeError(msg)

    for done in (burst, told, burst, told):
        executor.submit(Call(Count(name="a")), done)
    gate.set()
    assert [outcome.result() for outcome in told.wait_for(2)] == [2, 4]
    assert executor.run(Call(Count(name="a")), timeout=10).result() == 5
    assert len([record for record in caplog.records if record.exc_info]) == 2


def test_a_caller_that_is_gone_troubles_nobody(make, storage):
    executor, told = make(), Told()

    async def leave() -> None:
        runner = AsyncioRunner(executor)
        _held(executor, storage)
        asked = asyncio.ensure_future(runner.run(Call(Count(name="a"))))
        await asyncio.sleep(0)
        asked.cancel()

    asyncio.run(leave())
    gate.set()
    executor.submit(Call(Count(name="a")), told)
    assert told.wait_for(1)[0].result() == 2
