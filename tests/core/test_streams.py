"""Streams: what a watcher is given, who may watch, what subscribers hear, and what is swept."""

from datetime import timedelta

import pytest

from focusmate_core import ANONYMOUS, Snapshot
from focusmate_core.idempotency import KEPT, Answer
from focusmate_core.outbox import Fresh, split_stream, stream_of
from focusmate_core.refusals import NotSignedIn, StreamNotFound, Unavailable
from focusmate_core.streams import RESUMED_AT_MOST
from focusmate_core.subscriptions import Place
from focusmate_core.testing.recorders import EventRecorder
from tests.core.conftest import ADA, BOB
from tests.core.sample import Count, Counted, Expel, Total, stream

T = "01890a5d-ac96-774b-bcce-000000000001"
RETENTION = timedelta(days=7)


def count(engine, times=1, by=1):
    for _ in range(times):
        engine.execute(Count(tally_id=T, by=by), actor=ADA)


def test_a_stream_is_named_by_kind_and_id():
    assert (stream_of("room", "7"), stream_of("public")) == ("room:7", "public")
    assert split_stream("room:7:8") == ("room", "7:8")
    assert split_stream("public") == ("public", "")


# -- watching -------------------------------------------------------------------------------------


def test_without_a_number_one_is_given_a_snapshot_and_its_number(engine, clock):
    count(engine, 3)
    given = engine.subscribe(stream(T), actor=ADA)
    assert given == Snapshot(stream(T), 3, clock.now(), {"count": 3})
    assert engine.snapshot(stream(T)) == given


def test_with_a_number_one_is_given_what_came_after_it(engine):
    count(engine, 3)
    assert [e.seq for e in engine.subscribe(stream(T), actor=ADA, after=1)] == [2, 3]
    assert engine.subscribe(stream(T), actor=ADA, after=3) == []


def test_what_is_no_longer_held_or_never_was_is_a_snapshot(engine, clock):
    count(engine, 2)
    clock.advance(RETENTION + timedelta(seconds=1))
    count(engine)
    engine.sweep(retention=RETENTION)
    for after in (0, 1, 4, -1):
        assert engine.subscribe(stream(T), actor=ADA, after=after).seq == 3
    assert [e.seq for e in engine.subscribe(stream(T), actor=ADA, after=2)] == [3]


def test_too_much_to_catch_up_is_a_snapshot(engine, clock):
    with engine.storage.write() as unit:
        now = clock.now()
        unit.append([Fresh(stream(T), "sample.counted", 2, now, now, "{}")] * RESUMED_AT_MOST)
    assert len(engine.subscribe(stream(T), actor=ADA, after=0)) == RESUMED_AT_MOST
    count(engine)
    assert isinstance(engine.subscribe(stream(T), actor=ADA, after=0), Snapshot)


@pytest.mark.parametrize(
    ("name", "actor", "said"),
    [
        (stream(T), ANONYMOUS, NotSignedIn),
        ("none:7", ADA, StreamNotFound),
        ("", ADA, StreamNotFound),
    ],
)
def test_who_may_not_watch_is_refused(engine, name, actor, said):
    assert not engine.may_watch(name, actor=actor)
    with pytest.raises(said):
        engine.subscribe(name, actor=actor)


def test_who_is_expelled_watches_no_more(engine):
    assert engine.may_watch(stream(T), actor=BOB)
    engine.execute(Expel(tally_id=T, person_id=BOB.id), actor=ADA)
    assert not engine.may_watch(stream(T), actor=BOB)


def test_who_may_watch_may(engine):
    assert engine.may_watch(stream(T), actor=ADA)


def test_nobody_knows_who_may_watch_while_the_storage_is_away(engine):
    engine.storage.close()
    with pytest.raises(Unavailable):
        engine.may_watch(stream(T), actor=ADA)


def test_a_stream_without_parts_has_an_empty_snapshot(engine):
    engine.execute(Expel(tally_id=T, person_id=BOB.id), actor=ADA)
    assert engine.snapshot(f"user:{BOB.id}").parts == {}


def test_one_event_may_go_to_several_streams(engine):
    engine.execute(Expel(tally_id=T, person_id=BOB.id), actor=ADA)
    with engine.storage.read() as reader:
        heard = [(e.stream, e.seq, e.type) for e in reader.tail("", 10)]
    expelled = "sample.expelled"
    assert heard == [(stream(T), 1, expelled), (f"user:{BOB.id}", 1, expelled)]


# -- subscribers ----------------------------------------------------------------------------------


@pytest.fixture
def recorder():
    return EventRecorder(Counted)


@pytest.fixture
def hearing(make_engine, recorder):
    engine = make_engine(recorder.feature)
    engine.run_subscribers()
    return engine


def place(engine):
    with engine.storage.read() as reader:
        return reader.get(Place, "recorder")


def heard(recorder):
    return [event.count for event in recorder.events]


def test_a_new_subscriber_hears_what_comes_after_its_first_turn(make_engine, recorder):
    engine = make_engine(recorder.feature)
    count(engine)
    assert engine.run_subscribers() == 0
    count(engine, 2)
    assert (engine.run_subscribers(), heard(recorder)) == (2, [2, 3])


def test_a_subscriber_hears_each_event_it_asked_for_in_order(hearing, recorder):
    count(hearing, 3)
    hearing.execute(Expel(tally_id=T, person_id=BOB.id), actor=ADA)
    assert hearing.run_subscribers(limit=2) == 2
    assert hearing.run_subscribers() == 1
    assert hearing.run_subscribers() == 0
    assert heard(recorder) == [1, 2, 3]
    assert [envelope.seq for envelope in recorder.envelopes] == [1, 2, 3]


def test_a_subscriber_that_fails_hears_the_same_again_and_later_each_time(hearing, recorder, clock):
    count(hearing, 2)
    recorder.faults = [RuntimeError("deaf"), RuntimeError("still deaf")]
    assert hearing.run_subscribers() == 0
    assert (place(hearing).attempts, place(hearing).error) == (1, "RuntimeError('deaf')")
    assert hearing.run_subscribers() == 0
    clock.advance(seconds=1)
    hearing.run_subscribers()
    assert place(hearing).try_at == clock.now() + timedelta(seconds=2)
    clock.advance(seconds=2)
    assert (hearing.run_subscribers(), heard(recorder)) == (2, [1, 2])
    assert (place(hearing).attempts, place(hearing).error) == (0, "")


def test_what_was_heard_before_a_fault_is_not_heard_again(hearing, recorder, clock):
    count(hearing)
    hearing.run_subscribers()
    count(hearing)
    recorder.faults = [RuntimeError("deaf")]
    hearing.run_subscribers()
    clock.advance(minutes=1)
    hearing.run_subscribers()
    assert heard(recorder) == [1, 2]


def test_one_deaf_subscriber_holds_back_no_other(make_engine, recorder):
    deaf = EventRecorder(Counted, name="deaf")
    engine = make_engine(deaf.feature, recorder.feature)
    engine.run_subscribers()
    deaf.faults = [RuntimeError("deaf")] * 3
    count(engine, 2)
    assert (engine.run_subscribers(), heard(recorder), heard(deaf)) == (2, [1, 2], [])


def test_a_restarted_process_goes_on_where_the_last_one_stood(hearing, recorder, make_engine):
    count(hearing)
    hearing.run_subscribers()
    count(hearing)
    again = make_engine(recorder.feature)
    assert (again.run_subscribers(), heard(recorder)) == (1, [1, 2])


def test_an_event_stored_by_an_older_release_is_understood(hearing, recorder, clock):
    with hearing.storage.write() as unit:
        now, data = clock.now(), f'{{"tally_id":"{T}","n":7}}'
        unit.append([Fresh(stream(T), "sample.counted", 1, now, now, data)])
    hearing.run_subscribers()
    assert recorder.events == [Counted(tally_id=T, count=7)]


def test_an_event_that_nobody_understands_waits_for_an_operator(hearing, recorder, clock):
    with hearing.storage.write() as unit:
        now = clock.now()
        unit.append([Fresh(stream(T), "sample.counted", 2, now, now, '{"nonsense":1}')])
    assert hearing.run_subscribers() == 0
    assert "nonsense" in place(hearing).error
    with pytest.raises(LookupError, match=r"none\.such"):
        hearing.registry.decode_event("none.such", 1, "{}")


def test_a_subscriber_may_use_slow_ports_and_send_messages(make_engine, press, clock):
    said = []

    class Answering(EventRecorder):
        def _hear(self, event, envelope, ctx):
            super()._hear(event, envelope, ctx)
            said.append(ctx.port(type(press)).squeeze("x"))
            if event.count < 3:
                ctx.execute(Count(tally_id=T), actor=BOB)

    recorder = Answering(Counted)
    engine = make_engine(recorder.feature)
    engine.ports = {**engine.ports, type(press): press}
    engine.run_subscribers()
    count(engine)
    while engine.run_subscribers():
        pass
    assert (heard(recorder), said) == ([1, 2, 3], ["~x~"] * 3)


# -- sweeping -------------------------------------------------------------------------------------


def test_sweeping_takes_what_is_past_its_time_and_nothing_else(engine, clock):
    engine.execute(Count(tally_id=T), actor=ADA, key="k")
    assert engine.sweep(retention=RETENTION) == 1  # the feature's own sweeper
    clock.advance(KEPT + timedelta(microseconds=1))
    assert engine.sweep(retention=RETENTION) == 1  # the kept answer
    clock.advance(RETENTION)
    assert engine.sweep(retention=RETENTION) == 2  # both events: the count and the sweeper's
    assert engine.sweep(retention=RETENTION) == 0
    with engine.storage.read() as reader:
        assert (reader.tail("", 10), reader.head(stream(T))) == ([], 1)
        assert reader.get(Answer, (ADA.id, "k")) is None
        assert reader.get(Total, "total") is None


def test_sweeping_is_bounded(engine, clock):
    count(engine, 5)
    engine.sweep(retention=RETENTION)
    clock.advance(RETENTION + timedelta(seconds=1))
    assert [engine.sweep(retention=RETENTION, limit=4) for _ in range(3)] == [4, 2, 0]


def test_a_subscriber_that_fell_behind_what_is_retained_is_parked(hearing, recorder, clock):
    count(hearing, 2)
    recorder.faults = [RuntimeError("deaf")]
    hearing.run_subscribers()
    clock.advance(RETENTION + timedelta(seconds=1))
    hearing.sweep(retention=RETENTION)
    assert place(hearing).parked
    count(hearing)
    assert (hearing.run_subscribers(), heard(recorder)) == (0, [])
    hearing.sweep(retention=RETENTION)
    assert place(hearing).error == "it fell behind what is retained"


def test_a_subscriber_that_has_heard_all_is_not_parked_by_silence(hearing, recorder, clock):
    count(hearing)
    hearing.run_subscribers()
    clock.advance(RETENTION * 3)
    hearing.sweep(retention=RETENTION)
    assert not place(hearing).parked
    count(hearing)
    assert (hearing.run_subscribers(), heard(recorder)) == (2, [1, 0, 2])  # 0 is the sweeper's


def test_a_subscriber_behind_by_less_than_what_is_swept_is_not_parked(hearing, recorder, clock):
    clock.advance(RETENTION * 2)
    count(hearing)
    hearing.sweep(retention=RETENTION)
    assert not place(hearing).parked
