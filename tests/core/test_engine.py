"""The engine: access, keys, refusals, conflicts, reactions, batches, queries, tokens."""

import sys
from contextlib import contextmanager
from datetime import timedelta

import pytest

from focusmate_core import (
    ANONYMOUS,
    SYSTEM,
    Actor,
    Call,
    Command,
    Context,
    Event,
    Find,
    command,
    event,
    handler,
    reacts,
)
from focusmate_core.bearers import REMEMBERED_TOKENS
from focusmate_core.context import Store
from focusmate_core.engine import TRIES
from focusmate_core.idempotency import KEPT, LONGEST_KEY, Answer
from focusmate_core.refusals import (
    BadInput,
    Conflict,
    KeyNotTaken,
    KeyReused,
    NotAllowed,
    NotSignedIn,
    Unavailable,
)
from focusmate_core.testing.conformance.storage.kit import in_threads
from focusmate_core.testing.memory import MemoryStorage
from focusmate_core.testing.recorders import RefusalRecorder
from tests.core.conftest import ADA, BOB
from tests.core.faulty import BrokenQuery, Lie
from tests.core.sample import (
    BROKEN,
    MOST,
    UNLUCKY,
    Burn,
    Burnt,
    Count,
    Die,
    HowMany,
    Press,
    Ring,
    Squeeze,
    Swallow,
    Tally,
    TallyIsFull,
    TallyView,
    Total,
    Unlucky,
    Whisper,
    stream,
)

T = "01890a5d-ac96-774b-bcce-000000000001"
U = "01890a5d-ac96-774b-bcce-000000000002"
AT_ONCE = 100


def got(engine, entity, key):
    with engine.storage.read() as reader:
        return reader.get(entity, key)


def numbers(engine, of=T):
    with engine.storage.read() as reader:
        return [event.seq for event in reader.read(stream(of), 0, 1000)]


# -- one message ----------------------------------------------------------------------------------


def test_a_message_is_answered_and_what_it_did_is_there(engine, clock):
    assert engine.execute(Count(tally_id=T, by=3), actor=ADA) == TallyView(id=T, count=3)
    assert got(engine, Tally, T).count == 3
    assert got(engine, Total, "total").count == 1
    with engine.storage.read() as reader:
        (event,) = reader.read(stream(T), 0, 10)
    told = (event.type, event.version, event.at, event.recorded_at, event.seq)
    assert told == ("sample.counted", 2, clock.now(), clock.now(), 1)
    assert event.data == f'{{"tally_id":"{T}","count":3}}'


def test_a_query_is_answered(engine):
    engine.execute(Count(tally_id=T), actor=ADA)
    assert engine.execute(HowMany(), actor=ADA) == 1


def test_a_faulty_query_is_a_fault(engine):
    with pytest.raises(ZeroDivisionError):
        engine.execute(BrokenQuery(), actor=ADA)


@pytest.mark.parametrize(
    ("message", "actor", "said"),
    [
        (Count(tally_id=T), ANONYMOUS, NotSignedIn),
        (HowMany(), ANONYMOUS, NotSignedIn),
        (Ring(tally_id=T), ADA, NotAllowed),
        (Ring(tally_id=T), ANONYMOUS, NotAllowed),
        (Ring(tally_id=T), Actor(id="a", roles=frozenset({"admin"})), NotAllowed),
    ],
)
def test_who_may_not_send_a_message_is_refused_before_anything_else(engine, message, actor, said):
    before = engine.storage.fingerprint()
    with pytest.raises(said):
        engine.execute(message, actor=actor)
    assert engine.storage.fingerprint() == before


def test_the_library_itself_may_send_anything(engine):
    engine.execute(Ring(tally_id=T), actor=SYSTEM)
    assert got(engine, Tally, T).count == 1


def test_a_handlers_store_reads_many_counts_and_finds(engine):
    for each in (T, U):
        engine.execute(Count(tally_id=each), actor=ADA)
    with engine.storage.write() as unit:
        store = Store(unit)
        assert set(store.get_many(Tally, [T, U, "none"])) == {T, U}
        assert store.count(Find(Tally), 10) == 2
        assert [tally.id for tally in store.find(Find(Tally)).items] == [T, U]


@pytest.mark.parametrize(("is_alone", "reads"), [(False, [False, True]), (True, [False])])
def test_a_handlers_store_reads_a_thing_once_and_holds_it_when_others_write(
    engine, is_alone, reads
):
    engine.execute(Count(tally_id=T), actor=ADA)
    with engine.storage.write() as unit:
        unit.is_alone, asked = is_alone, []
        unit.get, get = lambda *a, hold=False: asked.append(hold) or get(*a, hold=hold), unit.get
        store = Store(unit)
        for hold in (False, False, True, True, False):
            tally = store.get(Tally, T, hold=hold)
        assert asked == reads
        assert store.get(Tally, T) == tally
        stored = store.put(tally.but(count=7))
        assert store.get(Tally, T) == stored
        assert store.delete(Tally, T)
        assert store.get(Tally, T) is None


# -- refusals -------------------------------------------------------------------------------------


def test_a_raised_refusal_leaves_no_trace(engine, clock):
    engine.execute(Count(tally_id=T, by=MOST), actor=ADA)
    clock.advance(seconds=1)  # so that settling would leave a trace
    before = engine.storage.fingerprint()
    with pytest.raises(TallyIsFull) as refused:
        engine.execute(Count(tally_id=T), actor=ADA, key="k")
    assert refused.value.most == MOST
    assert engine.storage.fingerprint() == before


def test_a_returned_refusal_leaves_its_own_trace_and_keeps_no_key(engine):
    with pytest.raises(Burnt):
        engine.execute(Burn(tally_id=T), actor=ADA, key="k")
    assert (got(engine, Tally, T).count, numbers(engine)) == (MOST, [1])
    with pytest.raises(TallyIsFull):
        engine.execute(Burn(tally_id=T), actor=ADA, key="k")
    assert got(engine, Total, "total").count == 1


def test_a_returned_refusal_that_was_not_declared_is_a_fault_and_leaves_nothing(engine):
    with pytest.raises(TypeError, match=r"«faulty\.lie» returned Burnt"):
        engine.execute(Lie(tally_id=T), actor=ADA)
    assert numbers(engine) == []


# -- reactions ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "said"), [(UNLUCKY, Unlucky), (BROKEN, RuntimeError)])
def test_a_reaction_that_fails_undoes_what_caused_it(engine, count, said):
    engine.execute(Count(tally_id=T), actor=ADA)
    before = engine.storage.fingerprint()
    with pytest.raises(said):
        engine.execute(Count(tally_id=T, by=count - 1), actor=ADA)
    assert engine.storage.fingerprint() == before


# -- idempotency keys -----------------------------------------------------------------------------


def test_one_key_and_one_content_is_one_effect_and_one_answer(engine):
    first = engine.execute(Count(tally_id=T), actor=ADA, key="k")
    engine.execute(Count(tally_id=T), actor=ADA)
    before = engine.storage.fingerprint()
    assert engine.execute(Count(tally_id=T), actor=ADA, key="k") == first
    assert engine.storage.fingerprint() == before


def test_one_key_with_other_content_is_refused(engine):
    engine.execute(Count(tally_id=T), actor=ADA, key="k")
    before = engine.storage.fingerprint()
    for other in (Count(tally_id=T, by=2), Count(tally_id=U)):
        with pytest.raises(KeyReused):
            engine.execute(other, actor=ADA, key="k")
    assert engine.storage.fingerprint() == before


def test_each_caller_has_keys_of_their_own(engine):
    engine.execute(Count(tally_id=T), actor=ADA, key="k")
    assert engine.execute(Count(tally_id=T), actor=BOB, key="k").count == 2


def test_a_key_is_forgotten_after_a_day(engine, clock):
    engine.execute(Count(tally_id=T), actor=ADA, key="k")
    clock.advance(KEPT - timedelta(microseconds=1))
    assert engine.execute(Count(tally_id=T), actor=ADA, key="k").count == 1
    clock.advance(microseconds=1)
    assert engine.execute(Count(tally_id=T, by=2), actor=ADA, key="k").count == 3
    assert engine.execute(Count(tally_id=T, by=2), actor=ADA, key="k").count == 3


def test_a_key_whose_message_was_refused_is_free(engine):
    engine.execute(Count(tally_id=T, by=UNLUCKY - 1), actor=ADA)
    with pytest.raises(Unlucky):
        engine.execute(Count(tally_id=T), actor=ADA, key="k")
    assert engine.execute(Count(tally_id=T, by=2), actor=ADA, key="k").count == UNLUCKY + 1


def test_one_key_many_times_at_once_is_one_effect_and_one_answer(engine):
    def send():
        return engine.execute(Count(tally_id=T), actor=ADA, key="k")

    assert set(in_threads(*[send] * AT_ONCE)) == {TallyView(id=T, count=1)}
    assert numbers(engine) == [1]


@pytest.mark.parametrize("key", ["", "x" * (LONGEST_KEY + 1), "schlüssel", "line\n"])
def test_a_malformed_key_is_bad_input(engine, key):
    with pytest.raises(BadInput, match="idempotency_key"):
        engine.execute(Count(tally_id=T), actor=ADA, key=key)


@pytest.mark.parametrize("message", [Whisper(), Swallow(word="secret"), HowMany()])
def test_what_is_secret_or_writes_nothing_takes_no_key(engine, message):
    with pytest.raises(KeyNotTaken):
        engine.execute(message, actor=ADA, key="k")


# -- preparation ----------------------------------------------------------------------------------


def test_what_is_slow_is_prepared_before_the_unit_of_work(engine, press):
    assert engine.is_slow(Squeeze(text="lemon"))
    assert not engine.is_slow(Count(tally_id=T))
    assert engine.execute(Squeeze(text="lemon")) == "~lemon~ 4"
    with engine.storage.write():
        engine.ready(Call(Squeeze(text="lime")))  # would wait for itself in a unit of work
    assert press.squeezed == ["lemon", "lime"]


def test_a_preparation_may_refuse(engine, press):
    with pytest.raises(Burnt):
        engine.execute(Squeeze(text="stone"))
    assert press.squeezed == []


def test_a_handler_may_not_use_a_slow_port(engine):
    with pytest.raises(TypeError, match=r"Press is slow.*@prepares"):
        engine.execute(Squeeze(text="hastily"))


def test_a_port_that_is_not_wired_is_named(make_engine, press):
    engine = make_engine(ports={Press: press})
    with pytest.raises(LookupError, match="no Die is wired"):
        engine.execute(Squeeze(text="lemon"))
    assert Die not in engine.ports


# -- conflicts ------------------------------------------------------------------------------------


class Contended(MemoryStorage):
    """Loses so many times against another writer, in a way it is told."""

    def __init__(self):
        super().__init__()
        self.losses = []
        self.units = 0

    @contextmanager
    def write(self):
        self.units += 1
        with super().write() as unit:
            if self.losses and self.losses[0] == "put":
                self.losses.pop(0)
                unit.put = _lose
            yield unit
            if self.losses and self.losses[0] != "put":
                raise self.losses.pop(0)


def _lose(_):
    raise Conflict


@pytest.fixture
def storage():
    return Contended()


def test_who_loses_against_another_writer_is_tried_again(engine, storage, press):
    storage.losses = ["put", "put", Conflict(), "put"]
    assert engine.execute(Count(tally_id=T), actor=ADA, key="k").count == 1
    assert numbers(engine) == [1]
    assert storage.losses == []


def test_who_loses_every_time_is_told_to_come_again(engine, storage):
    storage.losses = ["put"] * (TRIES + 1)
    with pytest.raises(Unavailable) as refused:
        engine.execute(Count(tally_id=T), actor=ADA)
    assert refused.value.retry_after > 0
    assert (storage.losses, numbers(engine)) == ([], [])


def test_a_storage_that_is_away_is_unavailable_and_nothing_was_done(engine, storage):
    engine.execute(Count(tally_id=T), actor=ADA)
    before = storage.fingerprint()
    storage.losses = [Unavailable(retry_after=3)]
    outcomes = engine.run([Call(Count(tally_id=T), ADA)] * 2)
    assert [outcome.refusal.retry_after for outcome in outcomes] == [3, 3]
    assert storage.fingerprint() == before
    storage.close()
    with pytest.raises(Unavailable):
        engine.execute(Count(tally_id=T), actor=ADA)
    with pytest.raises(Unavailable):
        engine.execute(HowMany(), actor=ADA)
    with pytest.raises(Unavailable):
        engine.run_due()


def test_a_storage_that_goes_away_in_the_midst_of_a_unit_undoes_all(engine, storage, monkeypatch):
    def gone(*_):
        raise Unavailable

    monkeypatch.setattr("tests.core.sample.Tally.plus", gone)
    outcomes = engine.run([Call(Squeeze(text="x"), prepared=""), Call(Count(tally_id=T), ADA)])
    assert [outcome.refusal.code for outcome in outcomes] == ["unavailable"] * 2


# -- many messages, one commit --------------------------------------------------------------------


def test_many_messages_share_one_commit_and_each_stands_alone(engine, storage):
    engine.execute(Count(tally_id=U, by=UNLUCKY - 1), actor=ADA)
    storage.units = 0
    calls = [
        Count(tally_id=T),
        Count(tally_id=U),
        Lie(tally_id=T),
        Count(tally_id=T),
        Burn(tally_id=T),
    ]
    outcomes = engine.run([Call(message, ADA) for message in calls])
    assert storage.units == 1
    assert [outcome.answer and outcome.answer.count for outcome in outcomes] == [
        1,
        None,
        None,
        2,
        None,
    ]
    said = [type(outcome.refusal or outcome.fault) for outcome in outcomes]
    assert said == [type(None), Unlucky, TypeError, type(None), Burnt]
    assert (numbers(engine, T), numbers(engine, U)) == ([1, 2, 3], [1])
    assert got(engine, Total, "total").count == 4


def test_when_the_commit_fails_each_is_tried_alone(engine, storage):
    storage.losses = [RuntimeError("disk on fire")]
    outcomes = engine.run([Call(Count(tally_id=T), ADA), Call(Count(tally_id=U), ADA)])
    assert [outcome.result().count for outcome in outcomes] == [1, 1]
    storage.losses = [RuntimeError("first"), RuntimeError("disk on fire")]
    outcomes = engine.run([Call(Count(tally_id=T), ADA), Call(Count(tally_id=U), ADA)])
    assert [repr(outcome.fault) for outcome in outcomes] == ["RuntimeError('disk on fire')", "None"]
    assert outcomes[1].result().count == 2
    assert (numbers(engine, T), numbers(engine, U)) == ([1], [1, 2])


def test_who_lost_in_a_batch_is_tried_alone(engine, storage):
    storage.losses = ["put"]
    outcomes = engine.run([Call(Count(tally_id=T), ADA), Call(Count(tally_id=T), ADA)])
    assert sorted(outcome.result().count for outcome in outcomes) == [1, 2]


def test_queries_share_one_view(engine):
    engine.execute(Count(tally_id=T), actor=ADA)
    outcomes = engine.answer([Call(HowMany(), ADA), Call(BrokenQuery(), ADA)])
    assert outcomes[0].result() == 1
    assert isinstance(outcomes[1].fault, ZeroDivisionError)


def test_a_query_meets_a_storage_that_goes_away(engine, monkeypatch):
    def gone(*_):
        raise Unavailable

    monkeypatch.setitem(engine.registry.handlers, HowMany, gone)
    outcomes = engine.answer([Call(HowMany(), ADA)])
    assert outcomes[0].refusal.code == "unavailable"


def test_many_count_at_once_and_none_is_lost(engine):
    def send():
        return engine.execute(Count(tally_id=T), actor=ADA).count

    heard = RefusalRecorder()
    counts = in_threads(*[lambda: heard.call(send)] * (UNLUCKY - 1))
    assert sorted(counts) == list(range(1, UNLUCKY))
    assert heard.codes == []
    assert heard.call(send) is None
    assert heard.codes == ["sample.unlucky"]


# -- who asks -------------------------------------------------------------------------------------


def test_a_token_stands_for_somebody_until_it_expires(make_engine, clock):
    ada = Actor(id="ada", expires_at=clock.now() + timedelta(minutes=15))
    engine = make_engine(authenticate=lambda _: ada)
    assert engine.authenticate("i am ada") == ada
    clock.advance(minutes=15, microseconds=-1)
    assert engine.authenticate("i am ada") == ada
    clock.advance(microseconds=1)
    for _ in range(2):
        with pytest.raises(NotSignedIn):
            engine.authenticate("i am ada")


def test_a_token_that_is_not_good_is_refused(engine):
    for token in ("", "nonsense", "\ud800"):
        with pytest.raises(NotSignedIn):
            engine.authenticate(token)


def test_an_embedder_may_say_what_a_token_means(make_engine):
    engine = make_engine(authenticate=lambda token: Actor(id=token))
    assert engine.authenticate("eve") == Actor(id="eve")


def test_without_anybody_who_vouches_no_token_is_good(make_engine):
    engine = make_engine()
    engine.registry.authenticators.clear()
    with pytest.raises(NotSignedIn):
        engine.authenticate("i am ada")


def test_remembered_tokens_are_bounded(make_engine, clock):
    asked = []
    until = clock.now() + timedelta(minutes=15)
    engine = make_engine(
        authenticate=lambda token: asked.append(token) or Actor(id=token, expires_at=until)
    )
    for number in (*range(REMEMBERED_TOKENS), 0, "one more", 0):
        engine.authenticate(str(number))
    assert len(asked) == REMEMBERED_TOKENS + 2


def test_an_actor_that_says_no_end_is_asked_for_each_time(make_engine):
    asked = []
    engine = make_engine(authenticate=lambda token: asked.append(token) or Actor(id=token))
    assert engine.authenticate("eve") == engine.authenticate("eve") == Actor(id="eve")
    assert asked == ["eve", "eve"]


def test_features_are_asked_in_turn_what_a_token_means(engine):
    eve = Actor(id="eve")
    engine.registry.authenticators.append(lambda *_: eve)
    assert engine.authenticate("i am ada").id != "eve"
    assert engine.authenticate("another language") == eve


def test_a_repeat_under_a_key_is_not_prepared_again(engine, press, clock):
    first = engine.execute(Squeeze(text="a"), actor=ADA, key="k")
    assert engine.execute(Squeeze(text="a"), actor=ADA, key="k") == first
    assert press.squeezed == ["a"]
    clock.advance(timedelta(hours=24))
    engine.execute(Squeeze(text="a"), actor=ADA, key="k")
    assert press.squeezed == ["a", "a"]


def test_nobody_has_no_keys(engine):
    with pytest.raises(NotSignedIn):
        engine.execute(Squeeze(text="a"), key="k")


def test_an_answer_kept_in_a_form_of_another_version_is_a_fault_not_the_callers(engine):
    engine.execute(Count(tally_id=T), actor=ADA, key="k")
    with engine.storage.write() as unit:
        kept = unit.get(Answer, (ADA.id, "k"))
        unit.put(kept.but(answer='{"no":"longer"}'))
    outcome = engine.outcome(Call(Count(tally_id=T), ADA, key="k"))
    assert isinstance(outcome.fault, LookupError)


@event("engine.happened")
class Happened(Event):
    """Something, at some time."""


@event("engine.followed")
class Followed(Event):
    """What followed from it."""


@command("engine.tell")
class Tell(Command[None]):
    """Says late that something happened."""


@handler
def tell(_: Tell, ctx: Context) -> None:
    ctx.emit(Happened(), to="here", at=ctx.now - timedelta(hours=2))
    ctx.emit(Happened(), to="here")


@reacts(to=Happened)
def follow(_: Happened, ctx: Context) -> None:
    ctx.emit(Followed(), to="there")


def test_a_reaction_knows_when_it_truly_happened_and_so_does_what_it_says(make_engine, clock):
    engine = make_engine(sys.modules[__name__])
    engine.execute(Tell(), actor=ADA)
    now = clock.now()
    with engine.storage.read() as reader:
        told = [(each.at, each.recorded_at) for each in reader.read("there", 0, 10)]
    assert told == [(now - timedelta(hours=2), now), (now, now)]
