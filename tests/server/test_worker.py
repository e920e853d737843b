"""The worker: what is due is executed without anybody asking, and no fault ends it."""

import sys
import threading
import time
from collections import Counter
from datetime import timedelta

import pytest

from focusmate_core import Actor, Engine, Envelope, Outside, subscriber
from focusmate_core.features import BUNDLED, rooms, timer, timer_control
from focusmate_core.testing.clock import FakeClock
from focusmate_core.testing.ids import SequentialIds
from focusmate_core.testing.memory import MemoryStorage
from focusmate_server import worker as module
from focusmate_server.worker import DUE, SUBSCRIBERS, SWEEP, Worker, overdue
from focusmate_server.writer_client import NoWriter

ADA = Actor(id="ada")


@subscriber("test.hear", to=[timer.TimerStarted])
def hear(event: timer.TimerStarted, envelope: Envelope, ctx: Outside) -> None:
    """There is one, so that there is a thread for it; nothing is heard by it here."""


class Jobs:
    """Does the worker's jobs in this thread, and remembers them; fails as often as it is told."""

    def __init__(self, engine):
        self.engine, self.done, self.failures, self.rows = engine, [], Counter(), 0
        self.raised = RuntimeError("a bug")
        self.asked, self.slow = [], threading.Event()
        self.slow.set()
        self._changed = threading.Condition()

    def __call__(self, job):
        self.asked.append(job)
        if job == SUBSCRIBERS:
            self.slow.wait(10)
        with self._changed:
            if self.failures[job]:
                self.failures[job] -= 1
                raise self.raised
            if job == DUE:
                count = self.engine.run_due()
            elif job == SUBSCRIBERS:
                count = 0
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
    features = (*BUNDLED, sys.modules[__name__])
    return Engine(MemoryStorage(), features=features, clock=clock, ids=SequentialIds())


@pytest.fixture
def jobs(engine, monkeypatch):
    monkeypatch.setattr(module, "LONGEST_S", 0.05)
    made = Jobs(engine)
    made.worker = worker = Worker(engine, made)
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


def test_a_fault_is_tried_again_within_a_second(engine, jobs, caplog):
    jobs.failures[DUE] = 5
    run_a_phase(engine)
    began = time.monotonic()
    jobs.wait_for((DUE, 1))
    assert time.monotonic() - began < 6
    assert len([r for r in caplog.records if r.exc_info]) == 5


@pytest.mark.parametrize("job", [SUBSCRIBERS, SWEEP])
def test_a_job_that_always_fails_delays_no_timer_and_is_seldom_tried(engine, jobs, job):
    jobs.failures[job] = 1000
    engine.clock.advance(seconds=module.SWEEP_S)
    time.sleep(1)
    assert 2 <= jobs.asked.count(job) <= 4
    began = time.monotonic()
    run_a_phase(engine)
    jobs.wait_for((DUE, 1))
    assert time.monotonic() - began < 0.5


def test_a_bell_is_heard_while_another_look_failed(engine, jobs):
    jobs.failures[DUE] = 4
    run_a_phase(engine)
    until = time.monotonic() + 10
    while jobs.asked.count(DUE) < 4:
        assert time.monotonic() < until
        time.sleep(0.01)
    began = time.monotonic()
    jobs.worker.ring()
    jobs.wait_for((DUE, 1))
    assert time.monotonic() - began < module.DUE_BACKOFF_S / 2


def test_a_slow_subscriber_delays_no_timer(engine, jobs):
    jobs.slow.clear()
    time.sleep(0.1)
    began = time.monotonic()
    run_a_phase(engine)
    jobs.wait_for((DUE, 1))
    assert time.monotonic() - began < 0.5
    jobs.slow.set()


def test_where_nobody_subscribes_nobody_is_asked_to_hear(jobs):
    worker = Worker(
        Engine(MemoryStorage(), features=BUNDLED, clock=FakeClock(), ids=SequentialIds()), jobs
    )
    assert [beat for beat in worker._all if beat._name == SUBSCRIBERS] == []


def test_a_sweep_goes_on_in_small_steps_until_nothing_is_left(engine, jobs):
    assert module.STEP_S <= 0.1
    jobs.rows = 700
    for expected in ((SWEEP, 500), (SWEEP, 200), (SWEEP, 0)):
        engine.clock.advance(seconds=module.STEP_S + 0.01)
        jobs.wait_for(expected)
    swept = jobs.asked.count(SWEEP)
    engine.clock.advance(seconds=module.SWEEP_S - 1)
    time.sleep(0.2)
    assert jobs.asked.count(SWEEP) == swept
    engine.clock.advance(seconds=1)
    until = time.monotonic() + 10
    while jobs.asked.count(SWEEP) == swept:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_it_is_overdue_by_what_has_passed_since(engine):
    assert overdue(engine) < 0
    run_a_phase(engine)
    engine.clock.advance(timedelta(seconds=3))
    assert overdue(engine) == 3


def test_a_writer_that_is_away_is_told_without_a_traceback(engine, jobs, caplog):
    jobs.raised = NoWriter("/nowhere")
    jobs.failures[DUE] = 1
    run_a_phase(engine)
    jobs.wait_for((DUE, 1))
    (record,) = [record for record in caplog.records if DUE in record.getMessage()]
    assert (record.levelname, record.exc_info) == ("WARNING", None)
    assert "no writer at /nowhere" in record.getMessage()
