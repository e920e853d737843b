"""The law of the model: a storage answers every question as MemoryStorage does."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Any

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from focusmate_core.deadlines import Deadline
from focusmate_core.entities import Entity
from focusmate_core.finding import Among, Between, Find, Is, NoIndex
from focusmate_core.outbox import Envelope
from focusmate_core.ports.storage import Reader, Storage, Unit
from focusmate_core.refusals import BadInput, Conflict
from focusmate_core.testing.conformance.storage.kit import (
    ENTITIES,
    NOON,
    Laws,
    Mood,
    Pair,
    Poster,
    Thing,
    Undo,
    all_pages,
    fresh,
)
from focusmate_core.testing.memory import MemoryStorage

LARGE = 1000
EVER_AFTER = NOON + timedelta(days=10_000)
_example = itertools.count()

_ids = st.sampled_from("abcdef")
_shelves = st.sampled_from(["s", "t"])
_ranks = st.integers(-2, 2)
_instants = st.integers(0, 5).map(lambda hours: NOON + timedelta(hours=hours))
_labels = st.sampled_from([None, "l", "m", "n"])
_slots = st.sampled_from([None, 0, 1])
_texts = st.sampled_from(["", "focus", "Focus hour", "공부방", "조용한 공부", "focusing 공"])
_moods = st.sampled_from(Mood)
_limits = st.integers(1, 4)
STREAMS = ("room:1", "room:2", "public")
_streams = st.sampled_from(STREAMS)
_keys = st.sampled_from(["phase", "lease", "ring"])

_things = st.builds(
    Thing,
    id=_ids,
    shelf=_shelves,
    rank=_ranks,
    made_at=st.none() | _instants,
    label=_labels,
    slot=_slots,
    title=_texts,
    note=st.none() | _texts,
    mood=_moods,
)
_pairs = st.builds(Pair, left=_ids, right=_ids, weight=st.sampled_from([0.5, -1.0]))
_versions = st.sampled_from([None, None, None, 0, 1, 2])
_posters = st.builds(Poster, id=_ids, title=_texts, is_up=st.booleans(), is_public=st.booleans())
_puts = st.tuples(_things | _things | _pairs | _posters, _versions)
_names = st.tuples(st.sampled_from([Thing, Poster]), _ids) | st.tuples(
    st.just(Pair), st.tuples(_ids, _ids)
)
_deadlines = st.builds(
    Deadline,
    key=_keys,
    due_at=_instants,
    wire=st.just("kit.do"),
    version=st.just(1),
    data=st.sampled_from(["{}", '{"x":"«»"}']),
    try_at=_instants,
    attempts=st.integers(0, 3),
    error=st.sampled_from(["", "fault"]),
    parked=st.sampled_from([False, False, True]),
)

_signs = st.sampled_from(["", "-"])
_narrowing = st.lists(
    st.one_of(
        st.builds(Is, st.just("label"), _labels),
        st.builds(Is, st.just("made_at"), st.none() | _instants),
        st.builds(Among, st.just("mood"), st.lists(_moods, max_size=2).map(tuple)),
        st.builds(Between, st.just("rank"), st.none() | _ranks, st.none() | _ranks),
        st.builds(Between, st.just("made_at"), st.none() | _instants, st.none() | _instants),
    ),
    max_size=2,
)


@st.composite
def _finds(draw: st.DrawFn) -> Find[Any]:
    sign, where = draw(_signs), draw(_narrowing)
    shelf = Is("shelf", draw(_shelves))
    shelves = st.lists(_shelves, max_size=2).map(tuple)
    made: Find[Any] = draw(
        st.sampled_from(
            [
                Find(Thing, where, [f"{sign}id"]),
                Find(Thing, [shelf, *where], [f"{sign}rank"]),
                Find(Thing, [shelf, *where], [f"{sign}made_at"]),
                Find(Thing, [shelf, Is("mood", draw(_moods)), *where], [f"{sign}rank"]),
                Find(Thing, [Among("shelf", draw(shelves)), *where]),
                Find(Thing, [shelf, Between("rank", draw(_ranks), draw(_ranks))], [f"{sign}rank"]),
                Find(Thing, where, [f"{sign}id"], words=draw(_texts)),
                Find(Thing, where, words=draw(_texts)[:4]),
                Find(Poster, [], [f"{sign}id"], words=draw(_texts)),
                Find(Pair, [Is("right", draw(_ids))], [f"{sign}left"]),
                Find(Pair, order=[f"{sign}left", f"{sign}right"]),
                Find(Pair, [Between("left", draw(_ids), None)]),
                Find(Thing, [Is("title", draw(_texts))]),
                Find(Thing, where, [f"{sign}rank"]),
            ]
        )
    )
    return attrs.evolve(made, limit=draw(_limits))


class _Pair:
    """The model and the storage under test, asked the same and held to the same answer."""

    def __init__(self, storage: Storage) -> None:
        self.model = MemoryStorage()
        self.model.open(ENTITIES)
        self.tested = storage
        self.units: tuple[Unit, Unit] | None = None
        self.open: list[tuple[AbstractContextManager[Any], AbstractContextManager[Any]]] = []

    def enter(self) -> None:
        """Begin a unit of work, or a savepoint in the one at hand."""
        if self.units is None:
            begun = (self.model.write(), self.tested.write())
            self.units = (begun[0].__enter__(), begun[1].__enter__())
            self.open.append(begun)
        else:
            points = (self.units[0].savepoint(), self.units[1].savepoint())
            for point in points:
                point.__enter__()
            self.open.append(points)

    def leave(self, undo: Undo | None = None) -> None:
        """End the innermost of what was begun, or take it back."""
        for manager in self.open.pop():
            kept_silent = manager.__exit__(type(undo) if undo else None, undo, None)
            assert not kept_silent, "a unit of work swallows an exception"
        if not self.open:
            self.units = None

    def ask(self, question: Callable[[Any], Any]) -> Any:
        """Put one question to both readers; their one answer."""
        with self.readers() as (model, tested):
            expected, answer = _answer(question, model), _answer(question, tested)
        assert answer == expected
        return expected

    def do(self, work: Callable[[Any], Any]) -> Any:
        """Do one thing in both units, each under a savepoint, since it may be refused."""
        assert self.units is not None

        def guarded(unit: Unit) -> Any:
            with unit.savepoint():
                return work(unit)

        expected, answer = _answer(guarded, self.units[0]), _answer(guarded, self.units[1])
        assert answer == expected
        return expected

    @contextmanager
    def readers(self) -> Iterator[tuple[Reader, Reader]]:
        if self.units is not None:
            yield self.units
        else:
            with self.model.read() as model, self.tested.read() as tested:
                yield model, tested

    def empty(self) -> None:
        """Bring the storage under test to where the model begins, through the port alone."""
        with self.tested.write() as unit:
            for entity in ENTITIES:
                for thing in all_pages(unit, Find(entity)):
                    unit.delete(entity, thing.declared.key_of(thing))
            for deadline in (*unit.claim(EVER_AFTER, LARGE), *unit.parked(LARGE)):
                unit.unschedule(deadline.key)
            while unit.prune(EVER_AFTER, LARGE):
                pass


def _answer(question: Callable[[Any], Any], asked: Any) -> Any:
    try:
        return _comparable(question(asked))
    except (Conflict, NoIndex, BadInput) as refused:
        return type(refused)


def _comparable(answer: Any) -> Any:
    if isinstance(answer, list) and answer and isinstance(answer[0], Envelope):
        return [attrs.evolve(envelope, position="") for envelope in answer]
    return answer


class StorageMachine(RuleBasedStateMachine):
    """Random work on a storage and on the model; every answer must be the same."""

    storage: Storage

    @initialize()
    def begin_empty(self) -> None:
        self.both = _Pair(self.storage)
        self.both.empty()
        self.mark = f"example {next(_example)} "
        self.places = [("", self.storage_end())]

    def storage_end(self) -> str:
        with self.storage.read() as reader:
            return reader.end()

    def teardown(self) -> None:
        while hasattr(self, "both") and self.both.open:
            self.both.leave(Undo())

    def in_unit(self) -> bool:
        return hasattr(self, "both") and self.both.units is not None

    @rule()
    def begin(self) -> None:
        self.both.enter()

    @precondition(in_unit)
    @rule()
    def keep(self) -> None:
        self.both.leave()
        self._look_at_everything()

    @precondition(in_unit)
    @rule()
    def undo(self) -> None:
        self.both.leave(Undo())
        self._look_at_everything()

    def _look_at_everything(self) -> None:
        for entity in ENTITIES:
            self._find(Find(entity), LARGE)
        self.read(0, LARGE)
        self.look_at_deadlines(LARGE)
        if self.in_unit():
            self.claim(EVER_AFTER, LARGE, None)

    @precondition(in_unit)
    @rule(things=st.lists(_puts, min_size=1, max_size=6))
    def put(self, things: list[tuple[Entity, int | None]]) -> None:
        for thing, version in things:
            self._put(thing, version)

    def _put(self, thing: Entity, version: int | None) -> None:
        key = thing.declared.key_of(thing)
        stored = self.both.ask(lambda unit: unit.get(type(thing), key))
        now = version if version is not None else stored.version if stored else 0
        self.both.do(lambda unit: unit.put(thing.but(version=now)))

    @precondition(in_unit)
    @rule(names=st.lists(_names, min_size=1, max_size=4))
    def delete(self, names: list[tuple[type[Entity], Any]]) -> None:
        for entity, key in names:
            self._delete(entity, key)

    def _delete(self, entity: type[Entity], key: Any) -> None:
        self.both.do(lambda unit: unit.delete(entity, key))

    @rule(name=_names, hold=st.booleans())
    def get(self, name: tuple[type[Entity], Any], hold: bool) -> None:  # noqa: FBT001
        self.both.ask(lambda reader: reader.get(*name, hold=hold and self.in_unit()))

    @rule(ids=st.lists(_ids))
    def get_many(self, ids: list[str]) -> None:
        self.both.ask(lambda reader: reader.get_many(Thing, ids))

    @rule(questions=st.lists(_finds(), min_size=1, max_size=4), bound=st.integers(0, 4))
    def find(self, questions: list[Find[Any]], bound: int) -> None:
        for asked in questions:
            self._find(asked, bound)

    def _find(self, asked: Find[Any], bound: int) -> None:
        self.both.ask(lambda reader: reader.find(asked))
        self.both.ask(lambda reader: all_pages(reader, asked))
        self.both.ask(lambda reader: reader.count(asked, bound))

    @precondition(in_unit)
    @rule(happened=st.lists(st.tuples(_streams, _instants), max_size=8))
    def append(self, happened: list[tuple[str, Any]]) -> None:
        events = [fresh(self.mark + stream, "{}", at) for stream, at in happened]
        self.both.do(lambda unit: unit.append(events))

    @rule(after=st.integers(0, 6), limit=_limits)
    def read(self, after: int, limit: int) -> None:
        for stream in STREAMS:
            self._read(self.mark + stream, after, limit)

    def _read(self, stream: str, after: int, limit: int) -> None:
        self.both.ask(lambda reader: reader.head(stream))
        self.both.ask(lambda reader: reader.read(stream, after, limit))

    @rule(place=st.integers(0, 5), limit=_limits)
    def tail(self, place: int, limit: int) -> None:
        at = self.places[place % len(self.places)]
        with self.both.readers() as (model, tested):
            expected, answer = model.tail(at[0], limit), tested.tail(at[1], limit)
        assert _comparable(answer) == _comparable(expected)
        if not self.in_unit():
            pairs = zip(expected, answer, strict=True)
            self.places += [(one.position, other.position) for one, other in pairs]

    @precondition(in_unit)
    @rule(before=_instants, limit=_limits)
    def prune(self, before: Any, limit: int) -> None:
        self.both.do(lambda unit: unit.prune(before, limit))

    @precondition(in_unit)
    @rule(deadline=_deadlines)
    def schedule(self, deadline: Deadline) -> None:
        self.both.do(lambda unit: unit.schedule(deadline))

    @precondition(in_unit)
    @rule(key=_keys)
    def unschedule(self, key: str) -> None:
        self.both.do(lambda unit: unit.unschedule(key))

    @precondition(in_unit)
    @rule(now=_instants, limit=_limits, key=st.none() | _keys)
    def claim(self, now: Any, limit: int, key: str | None) -> None:
        self.both.do(lambda unit: unit.claim(now, limit, key))

    @rule(limit=_limits)
    def look_at_deadlines(self, limit: int) -> None:
        self.both.ask(lambda reader: reader.next_due())
        self.both.ask(lambda reader: reader.parked(limit))


def compare_with_model(storage: Storage, **limits: Any) -> None:
    """Run the machine on an open storage; `limits` are settings of hypothesis."""
    machine = type("Machine", (StorageMachine,), {"storage": storage})
    often = 3 * settings().max_examples  # so many verbs need more examples than a single law
    limits = {"max_examples": often, "report_multiple_bugs": False, **limits}
    run_state_machine_as_test(machine, settings=settings(**limits))


class ModelLaws(Laws):
    """That a storage is as the model is."""

    def test_every_answer_is_the_models(self, opened: Storage) -> None:
        compare_with_model(opened)
