"""The worker: what is due is executed without anybody asking, and no fault ends it."""

import threading
import time
from datetime import timedelta

import pytest

from focusmate_core import Actor, Engine
from focusmate_core.features import BUNDLED, rooms, timer, timer_control
from focusmate_core.testing.clock import FakeClock
from focusmate_core.testing.ids import SequentialIds
from focusmate_core.testing.memory import MemoryStorage
from focusmate_server import worker as module
from focusmate_server.worker import DUE, SWEEP, Worker, overdue

ADA = Actor(id="ada")


class Jobs:
    """Does the worker's jobs in this thread, and remembers them; fails as often as it is told."""

    def __init__(self, engine):
        self.engine, self.done, self.failures, self.rows = engine, [], 0, 0
        self._changed = threading.Condition()

    def __call__(self, job):
        with self._changed:
            if self.failures:
                self.failures -= 1
                raise RuntimeError("a bug")
            if job == DUE:
                count = self.engine.run_due()
            else:
                count, self.rows = min(self.rows, 500), max(0, self.rows - 500)
            self.done.append((job, count))
            self._changed.notify_all()
            return count

    def wait_for(self, job):
        with self._changed:
            assert self._changed.wait_for(lambda: job in self.done, timeout=10), self.done


@pytest.fixture
def engine():
    clock = FakeClock()
    return Engine(MemoryStorage(), features=BUNDLED, clock=clock, ids=SequentialIds())


@pytest.fixture
def jobs(engine, monkeypatch):
    monkeypatch.setattr(module, "LONGEST_S", 0.05)
    made = Jobs(engine)
    worker = Worker(engine, made)
    worker.start()
    yield made
    assert worker.is_alive
    assert worker.stop(5)


def run_a_phase(engine):
    room = engine.execute(rooms.OpenRoom(name="Library"), actor=ADA)
    ends_at = engine.execute(timer_control.StartTimer(room_id=room.id), actor=ADA).ends_at
    engine.clock.advance(minutes=25)
    return room.id, ends_at


def test_a_phase_ends_without_anybody_asking(engine, jobs):
    room_id, _ = run_a_phase(engine)
    jobs.wait_for((DUE, 1))
    state = engine.execute(timer.TimerState(room_id=room_id), actor=ADA)
    assert state.completed == 1
    assert overdue(engine) < 0


def test_a_fault_is_tried_again(engine, jobs, monkeypatch, caplog):
    monkeypatch.setattr(module, "BACKOFF_S", 0.05)
    jobs.failures = 2
    run_a_phase(engine)
    jobs.wait_for((DUE, 1))
    assert len([r for r in caplog.records if r.exc_info]) == 2


def test_a_sweep_goes_on_in_small_steps_until_nothing_is_left(engine, jobs):
    jobs.rows = 700
    for expected in ((SWEEP, 500), (SWEEP, 200), (SWEEP, 0)):
        engine.clock.advance(seconds=module.STEP_S)
        jobs.wait_for(expected)
    swept = len(jobs.done)
    engine.clock.advance(seconds=module.SWEEP_S - 1)
    time.sleep(0.2)
    assert len(jobs.done) == swept
    engine.clock.advance(seconds=1)
    until = time.monotonic() + 10
    while len(jobs.done) == swept:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_it_is_overdue_by_what_has_passed_since(engine):
    assert overdue(engine) < 0
    run_a_phase(engine)
    engine.clock.advance(timedelta(seconds=3))
    assert overdue(engine) == 3
