"""The executor: what is ready waits in a queue, some hundred share a commit, then all hear."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from focusmate_core.calls import Call, Outcome
from focusmate_core.engine import Engine
from focusmate_core.networks import network
from focusmate_core.refusals import AnswerLost, Unavailable
from focusmate_server.preparing import Pool
from focusmate_server.returning import Returning

Done = Callable[[Outcome[Any]], None]
Wake = Callable[..., object]
"""How a callback with its arguments is brought to a loop: `loop.call_soon_threadsafe`."""
log = logging.getLogger(__name__)


@attrs.frozen(eq=False)
class Waiting:
    """A call in a queue, what to do with its outcome, and on whose loop."""

    call: Call[Any]
    done: Done
    wake: Wake


def at_once(callback: Callable[..., object], *args: Any) -> None:
    """The wake of a caller that has no loop: called on the executor's thread."""
    callback(*args)


class Lane:
    """One thread that takes what has come, up to a batch, and lets it be carried out together."""

    def __init__(
        self,
        name: str,
        carry_out: Callable[[Sequence[Call[Any]]], list[Outcome[Any]]],
        *,
        batch: int,
        waiting: int,
    ) -> None:
        self._carry_out = carry_out
        self._batch = batch
        self._most = waiting
        self._queue: deque[Waiting] = deque()
        self._jobs: deque[Callable[[], None]] = deque()
        self._come = threading.Condition(threading.Lock())
        self._closing = False
        self._thread = threading.Thread(target=self._live, name=f"focusmate-{name}", daemon=True)

    def start(self) -> None:
        """Begin to take calls."""
        self._thread.start()

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def is_alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def put(self, waiting: Waiting) -> bool:
        """Queue a call; False, at once, when there is no room or it is closing."""
        with self._come:
            if self._closing or len(self._queue) >= self._most:
                return False
            self._queue.append(waiting)
            self._come.notify()
            return True

    def put_job(self, job: Callable[[], None]) -> None:
        """Have something else done on this thread, between two batches."""
        with self._come:
            self._jobs.append(job)
            self._come.notify()

    def refuse_more(self) -> None:
        """Take no more calls, and end when none is queued."""
        with self._come:
            self._closing = True
            self._come.notify()

    def finish(self, timeout: float) -> bool:
        """Whether all was done in time (seconds); what was not begun by then is refused."""
        if self._thread.is_alive():
            self._thread.join(max(0.0, timeout))
        with self._come:
            left, self._queue = tuple(self._queue), deque()
        _refuse(left)
        return not self._thread.is_alive()

    def _live(self) -> None:
        while True:
            with self._come:
                while not (self._queue or self._jobs or self._closing):
                    self._come.wait()
                if self._closing and not (self._queue or self._jobs):
                    return
                jobs, self._jobs = self._jobs, deque()
                taken = [self._queue.popleft() for _ in range(min(len(self._queue), self._batch))]
            for job in jobs:
                job()
            if taken:
                self._serve(taken)

    def _serve(self, taken: list[Waiting]) -> None:
        try:
            outcomes = self._carry_out([waiting.call for waiting in taken])
        except Exception as fault:
            log.exception("a batch of %d failed as a whole", len(taken))
            outcomes = [Outcome(fault=fault) for _ in taken]
        _hand_back(taken, outcomes)


def _hand_back(taken: Sequence[Waiting], outcomes: Sequence[Outcome[Any]]) -> None:
    """Wake each loop once, whatever the number of its callers."""
    by_loop: dict[Wake, list[tuple[Done, Outcome[Any]]]] = {}
    for waiting, outcome in zip(taken, outcomes, strict=True):
        by_loop.setdefault(waiting.wake, []).append((waiting.done, outcome))
    for wake, pairs in by_loop.items():
        try:
            wake(_tell, pairs)
        except RuntimeError:
            # The loop was closed while its callers waited: nobody is left to be told.
            log.info("%d callers had gone before their outcome", len(pairs))


def _refuse(waiting: Sequence[Waiting]) -> None:
    _hand_back(waiting, [Outcome(refusal=Unavailable(retry_after=2)) for _ in waiting])


def _refuse_one(waiting: Waiting) -> None:
    _refuse([waiting])


def _asker(call: Call[Any]) -> str:
    """Who takes turns with others: a person, or whoever is behind an address."""
    return call.actor.id or network(call.origin.address)


def _tell(pairs: Sequence[tuple[Done, Outcome[Any]]]) -> None:
    for done, outcome in pairs:
        try:
            done(outcome)
        except Exception:
            log.exception("a caller could not be told what became of its call")


class Executor:
    """Runs calls for all doors of a process: a write lane, a read lane, a pool for preparation.

    Thread-safe. `batch` calls at most share a commit; beyond `waiting` calls in a lane, and where
    the pool has no more room, for all or for one asker, the answer is `Unavailable` at once.
    """

    def __init__(
        self, engine: Engine, *, batch: int = 256, waiting: int = 4096, preparers: int = 2
    ) -> None:
        self.engine = engine
        self._after_commit: list[Callable[[], None]] = []
        self._writes = Lane("writes", self._write, batch=batch, waiting=waiting)
        self._reads = Lane("reads", engine.answer, batch=batch, waiting=waiting)
        self._pool: Pool[Waiting] = Pool(preparers, self._submit_ready, _refuse_one)
        self._returning = Returning(engine)

    def start(self) -> None:
        """Say that the service is back, then begin to take calls; once."""
        self._returning.say()
        self._returning.watch()
        self._writes.start()
        self._reads.start()

    def close(self, timeout: float = 10.0) -> bool:
        """Take no more, finish what was taken; whether that was done in time (seconds).

        Who still waits to be prepared after half of it, or in a lane after all of it, is refused.
        """
        until = time.monotonic() + timeout
        self._returning.stop()
        self._pool.close(timeout / 2)
        lanes = (self._writes, self._reads)
        for lane in lanes:
            lane.refuse_more()
        ends = [lane.finish(until - time.monotonic()) for lane in lanes]
        return all(ends)

    @property
    def is_alive(self) -> bool:
        """Whether both lanes take calls."""
        return self._writes.is_alive and self._reads.is_alive

    @property
    def queued(self) -> int:
        """How many commands wait."""
        return len(self._writes)

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Have this called after each commit, on the thread that made it; it must be quick."""
        self._after_commit.append(callback)

    def submit(self, call: Call[Any], done: Done, wake: Wake = at_once) -> None:
        """Prepare and run a call; `done(outcome)` is called once, through `wake`."""
        waiting = Waiting(call, done, wake)
        if self.engine.is_slow(call.message):
            self._pool.submit(_asker(call), waiting)
        else:
            self._submit_ready(waiting)

    def run(self, call: Call[Any], timeout: float | None = None) -> Outcome[Any]:
        """Run a call and wait for its outcome, on a thread that may wait."""
        told: list[Outcome[Any]] = []
        come = threading.Event()

        def done(outcome: Outcome[Any]) -> None:
            told.append(outcome)
            come.set()

        self.submit(call, done)
        return told[0] if come.wait(timeout) else Outcome(refusal=AnswerLost())

    def run_due(self, done: Callable[[int | Exception], None]) -> None:
        """Execute what is due between two batches; `done` gets how many, or the fault."""
        self.run_job(self.engine.run_due, done)

    def run_job(self, work: Callable[[], int], done: Callable[[int | Exception], None]) -> None:
        """Have something that writes done between two batches; `done` gets its number, or fault."""

        def job() -> None:
            count: int | Exception
            try:
                count = self._returning.say() or work()
            except Exception as fault:  # noqa: BLE001  the worker logs it and tries again
                count = fault
                self._returning.note(fault)
            if count and isinstance(count, int):
                self.ring()
            done(count)

        self._writes.put_job(job)

    def _write(self, calls: Sequence[Call[Any]]) -> list[Outcome[Any]]:
        away = self._returning.say()
        if away is not None:
            return [Outcome(refusal=away) for _ in calls]
        outcomes = self.engine.run(calls)
        for outcome in outcomes:
            self._returning.note(outcome.refusal)
        self.ring()
        return outcomes

    def ring(self) -> None:
        """Tell who asked by `after_commit` that something was committed."""
        for callback in self._after_commit:
            callback()

    def _submit_ready(self, waiting: Waiting) -> None:
        try:
            ready = attrs.evolve(waiting, call=self.engine.ready(waiting.call))
        except Exception as failed:  # noqa: BLE001  it is the call's outcome
            _hand_back([waiting], [Outcome.of(failed)])
            return
        lane = self._reads if ready.call.message.spec.is_query else self._writes
        if not lane.put(ready):
            _hand_back([waiting], [Outcome(refusal=Unavailable(retry_after=1))])
