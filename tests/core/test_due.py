"""Deadlines: one effect each, faults put off and parked, refusals cleared, old ones understood."""

import sys
from datetime import timedelta

import attrs
import pytest

from focusmate_core import Command, Context, codec, command, handler
from focusmate_core.deadlines import PARKED_AFTER, Deadline, after_fault
from focusmate_core.refusals import Unavailable
from focusmate_core.testing.conformance.storage.kit import in_threads
from tests.core.conftest import ADA
from tests.core.sample import Count, Later, Never, Ring, Tally, stream

T = "01890a5d-ac96-774b-bcce-000000000001"
WORKERS = 10
HALF_HOUR = timedelta(minutes=30)


def counted(engine, of=T):
    with engine.storage.read() as reader:
        tally = reader.get(Tally, of)
        return tally.count if tally else 0


def parked(engine):
    with engine.storage.read() as reader:
        return reader.parked(10)


def later(engine, of=T, **named):
    engine.execute(Later(tally_id=of, span=HALF_HOUR, **named), actor=ADA)


def test_what_is_due_takes_effect_once_and_at_its_time(engine, clock):
    later(engine)
    clock.advance(HALF_HOUR - timedelta(microseconds=1))
    assert engine.run_due() == 0
    clock.advance(microseconds=1)
    assert (engine.run_due(), counted(engine)) == (1, 1)
    assert (engine.run_due(), counted(engine)) == (0, 1)
    with engine.storage.read() as reader:
        assert [event.seq for event in reader.read(stream(T), 0, 10)] == [1]
        assert reader.next_due() is None


def test_a_later_deadline_takes_the_place_of_the_former(engine, clock):
    later(engine)
    clock.advance(minutes=10)
    later(engine)
    clock.advance(minutes=20)
    assert engine.run_due() == 0
    clock.advance(minutes=10)
    assert engine.run_due() == 1


def test_what_is_unscheduled_never_happens(engine, clock):
    later(engine)
    engine.execute(Never(tally_id=T), actor=ADA)
    clock.advance(days=1)
    assert (engine.run_due(), counted(engine)) == (0, 0)


def test_however_many_workers_each_deadline_has_one_effect(engine, clock):
    tallies = [f"01890a5d-ac96-774b-bcce-0000000001{n:02}" for n in range(20)]
    for tally in tallies:
        later(engine, tally)
    clock.advance(HALF_HOUR)

    def work():
        done = 0
        while ran := engine.run_due(limit=3):
            done += ran
        return done

    assert sum(in_threads(*[work] * WORKERS)) == len(tallies)
    assert [counted(engine, tally) for tally in tallies] == [1] * len(tallies)


def test_a_refusal_clears_the_deadline_and_leaves_no_trace(engine, clock):
    later(engine, way="refuse")
    clock.advance(HALF_HOUR)
    assert (engine.run_due(), counted(engine)) == (1, 0)
    clock.advance(days=1)
    assert (engine.run_due(), parked(engine)) == (0, [])


@pytest.mark.parametrize(
    ("way", "error"), [("break", "RuntimeError('the bell is broken')"), ("conflict", "Conflict()")]
)
def test_a_fault_is_tried_again_twice_as_late_each_time_and_parked_in_the_end(
    engine, clock, way, error
):
    later(engine, way=way)
    clock.advance(HALF_HOUR)
    waits = []
    while not parked(engine):
        assert (engine.run_due(), counted(engine)) == (1, 0)
        assert engine.run_due() == 0
        with engine.storage.read() as reader:
            at = reader.next_due()
        if at is not None:
            waits.append((at - clock.now()).total_seconds())
            clock.set(at)
    assert waits == [2.0**n for n in range(PARKED_AFTER - 1)]
    (stuck,) = parked(engine)
    assert (stuck.attempts, stuck.error) == (PARKED_AFTER, error)
    assert stuck.due_at < stuck.try_at
    clock.advance(days=365)
    assert engine.run_due() == 0


def test_one_that_is_faulty_holds_back_no_other(engine, clock):
    later(engine, way="break")
    later(engine, T.replace("0001", "0002"), way="refuse")
    later(engine, T.replace("0001", "0003"))
    clock.advance(HALF_HOUR)
    assert engine.run_due() == 3
    assert counted(engine, T.replace("0001", "0003")) == 1


def test_waiting_after_faults_has_an_end(clock):
    deadline = Deadline("k", clock.now(), "w", 1, "{}", clock.now())
    often = attrs.evolve(deadline, attempts=10_000)
    assert after_fault(often, "x" * 1000, clock.now()).try_at == clock.now() + timedelta(minutes=10)
    assert len(after_fault(often, "x" * 1000, clock.now()).error) == 500


@pytest.mark.parametrize(
    ("version", "data"), [(1, '{"tally":"%s"}'), (2, '{"id":"%s"}'), (3, '{"tally_id":"%s"}')]
)
def test_a_deadline_stored_by_an_older_release_is_understood(engine, clock, version, data):
    with engine.storage.write() as unit:
        now = clock.now()
        unit.schedule(Deadline("old", now, "sample.ring", version, data % T, now))
    assert (engine.run_due(), counted(engine)) == (1, 1)


@pytest.mark.parametrize(
    ("wire", "data"),
    [("none.such", "{}"), ("sample.ring", '{"nonsense":1}')],
)
def test_a_deadline_that_nobody_understands_waits_until_somebody_does(engine, clock, wire, data):
    with engine.storage.write() as unit:
        unit.schedule(Deadline("old", clock.now(), wire, 3, data, clock.now()))
    for _ in range(PARKED_AFTER):
        assert engine.run_due() == 1
        clock.advance(timedelta(minutes=10))
    assert engine.run_due() == 0
    (kept,) = parked(engine)
    assert (kept.wire, kept.data) == (wire, data)
    assert "understands" in kept.error


@command("due.move")
class Move(Command[None]):
    """Its deadline moves, or takes away, another that is due at the same time."""

    away: bool


@handler
def move(ask: Move, ctx: Context) -> None:
    if ask.away:
        ctx.unschedule("two")
    else:
        ctx.schedule("two", ctx.now + HALF_HOUR, Ring(tally_id=T))


@pytest.mark.parametrize("away", [True, False])
def test_what_was_moved_by_one_that_was_due_with_it_is_not_executed_as_it_was(
    make_engine, clock, away
):
    engine = make_engine(sys.modules[__name__])
    now = clock.now()
    with engine.storage.write() as unit:
        data = codec.dumps({"away": away})
        unit.schedule(Deadline("one", now - HALF_HOUR, "due.move", 1, data, now - HALF_HOUR))
        unit.schedule(Deadline("two", now, "sample.ring", 3, codec.dumps({"tally_id": T}), now))
    assert (engine.run_due(), counted(engine)) == (2, 0)
    clock.advance(HALF_HOUR)
    assert (engine.run_due(), counted(engine)) == ((0, 0) if away else (1, 1))


def test_a_storage_that_goes_away_leaves_every_deadline(engine, clock, monkeypatch):
    def gone(*_):
        raise Unavailable

    later(engine)
    clock.advance(HALF_HOUR)
    with monkeypatch.context() as patch:
        patch.setattr("tests.core.sample.Tally.plus", gone)
        with pytest.raises(Unavailable):
            engine.run_due()
    assert (engine.run_due(), counted(engine)) == (1, 1)


def test_a_command_settles_what_it_touches_first(engine, clock):
    engine.execute(Count(tally_id=T), actor=ADA)
    clock.advance(minutes=1)
    engine.execute(Count(tally_id=T), actor=ADA)
    with engine.storage.read() as reader:
        assert reader.get(Tally, T).settled_at == clock.now()
