"""What every feature promises: subclass `FeatureContract` and give the fixture `features`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from types import ModuleType
from typing import Any, ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from focusmate_core import codec
from focusmate_core.calls import Call, Outcome
from focusmate_core.context import Ports
from focusmate_core.messages import ANONYMOUS, Message
from focusmate_core.refusals import BadInput, NotAllowed, Refusal
from focusmate_core.registry import Registry
from focusmate_core.streams import Snapshot
from focusmate_core.testing.conformance.histories import ACTORS, Recipe, Values, World
from focusmate_core.testing.ports import fake_ports

CORE = Refusal.__module__
WIRE = re.compile(r"[a-z][a-z_]*(\.[a-z][a-z_]*)+")
_several = st.integers(1, 8)
_spans = st.one_of(
    st.sampled_from([timedelta(0), timedelta(microseconds=1), timedelta(minutes=25)]),
    st.timedeltas(timedelta(0), timedelta(hours=3)),
)


class _History(RuleBasedStateMachine):
    recipe: ClassVar[Recipe]

    def begun(self) -> bool:
        return hasattr(self, "world")

    def has_queries(self) -> bool:
        return self.begun() and bool(self.world.messages(queries=True))

    def has_streams(self) -> bool:
        return self.begun() and bool(self.world.streams)

    @initialize()
    def begin(self) -> None:
        self.world = World(self.recipe)


class FeatureMachine(_History):
    """Random work on all features; after each step their laws hold."""

    @precondition(_History.begun)
    @rule(data=st.data())
    def send(self, data: st.DataObject) -> None:
        for _ in range(data.draw(_several)):
            self._send(self.world.draw_call(data.draw, queries=False))

    def _send(self, call: Call[Any]) -> None:
        before = self.world.storage.fingerprint()
        with self.world.lawful() as events:
            outcome = self.world.engine.outcome(call)
        self._look(call, outcome)
        if outcome.refusal is not None and not isinstance(
            outcome.refusal, call.message.spec.leaves
        ):
            assert self.world.storage.fingerprint() == before, "a refusal left a trace"
        elif call.key is not None:
            self._send_again(call, outcome)
        self.world.learn(call, outcome, events)

    def _send_again(self, call: Call[Any], outcome: Outcome[Any]) -> None:
        before = self.world.storage.fingerprint()
        if outcome.refusal is not None:
            assert (call.actor.id, call.key) not in before["answers"], "a refusal was kept"
            return
        again = self.world.engine.outcome(call)
        assert again.result() == outcome.result(), "one key, two answers"
        assert self.world.storage.fingerprint() == before, "one key, two effects"

    @precondition(_History.has_queries)
    @rule(data=st.data())
    def ask(self, data: st.DataObject) -> None:
        call = self.world.draw_call(data.draw, queries=True)
        before = self.world.storage.fingerprint()
        outcome = self.world.engine.outcome(call)
        self._look(call, outcome)
        assert self.world.storage.fingerprint() == before, "a query wrote"
        self.world.learn(call, outcome, ())

    def _look(self, call: Call[Any], outcome: Outcome[Any]) -> None:
        if outcome.fault is not None:
            raise outcome.fault
        if outcome.refusal is not None:
            assert outcome.refusal.detail
            codec.dumps(codec.plain(outcome.refusal.params()))
            return
        assert _came(outcome.answer, call) == outcome.answer, "the answer does not come back"

    @precondition(_History.begun)
    @rule(span=_spans)
    def let_time_pass(self, span: timedelta) -> None:
        before = self._all_parts()
        self.world.clock.advance(span)
        assert self._all_parts() == before, "a snapshot goes stale: it holds what passes"

    @precondition(_History.begun)
    @rule(minutes=st.integers(1, 90))
    def turn_the_clock_back(self, minutes: int) -> None:
        self.world.clock.set(self.world.clock.now() - timedelta(minutes=minutes))

    @precondition(_History.begun)
    @rule()
    def meet_what_is_due(self) -> None:
        with self.world.lawful():
            self.world.meet_all()
        before = self.world.storage.fingerprint()
        assert self.world.engine.run_due() == 0
        assert self.world.storage.fingerprint() == before

    @precondition(_History.has_streams)
    @rule(data=st.data(), actor=st.sampled_from([*ACTORS, ANONYMOUS]), behind=st.integers(0, 3))
    def watch(self, data: st.DataObject, actor: Any, behind: int) -> None:
        stream = data.draw(st.sampled_from(sorted(self.world.streams)))
        engine = self.world.engine
        if not engine.may_watch(stream, actor=actor):
            with pytest.raises(Refusal):
                engine.subscribe(stream, actor=actor)
            return
        given = engine.subscribe(stream, actor=actor)
        assert isinstance(given, Snapshot)
        missed = engine.subscribe(stream, actor=actor, after=max(0, given.seq - behind))
        assert isinstance(missed, list)
        assert len(missed) == min(behind, given.seq)

    def _all_parts(self) -> dict[str, Any]:
        with self.world.storage.read() as reader:
            return {each: self.world.parts(each, reader) for each in sorted(self.world.streams)}


class LateMachine(_History):
    """Two worlds are told the same; in one every deadline is met on time, in the other too late."""

    @initialize()
    def begin(self) -> None:
        self.world, self.late = World(self.recipe), World(self.recipe)

    @precondition(_History.begun)
    @rule(data=st.data())
    def send(self, data: st.DataObject) -> None:
        for _ in range(data.draw(_several)):
            self._tell(self.world.draw_call(data.draw, queries=False))

    @precondition(_History.has_queries)
    @rule(data=st.data())
    def ask(self, data: st.DataObject) -> None:
        self._tell(self.world.draw_call(data.draw, queries=True))

    def _tell(self, call: Call[Any]) -> None:
        if call.message.spec.lags:
            return
        with self.world.lawful() as events:
            outcome = self.world.engine.outcome(call)
        self.world.meet_all()
        late = self.late.engine.outcome(call)
        self.world.learn(call, outcome, events)
        assert _told(late) == _told(outcome), "who asks can tell that deadlines were met too late"

    @precondition(_History.begun)
    @rule(span=_spans)
    def let_time_pass(self, span: timedelta) -> None:
        self.world.pass_time(span)
        self.late.clock.advance(span)

    @precondition(_History.begun)
    @rule()
    def catch_up(self) -> None:
        self.late.meet_all()
        assert self._stories(self.late) == self._stories(self.world), "late is another story"

    def _stories(self, world: World) -> dict[str, Any]:
        with world.storage.read() as reader:
            return {
                stream: [
                    world.parts(stream, reader),
                    *((event.type, event.at, event.data) for event in reader.read(stream, 0, 9999)),
                ]
                for stream in sorted(self.world.streams)
            }


def run_history(machine: type[_History], recipe: Recipe, **limits: Any) -> None:
    """Run a machine of this module in a world; `limits` are settings of hypothesis."""
    told = type(machine.__name__, (machine,), {"recipe": recipe})
    # One broken law breaks others: shrinking each of them takes minutes and says nothing more.
    run_state_machine_as_test(told, settings=settings(report_multiple_bugs=False, **limits))


def _came(answer: Any, call: Call[Any]) -> Any:
    sent = codec.loads(codec.dumps(codec.plain(answer)))
    try:
        return codec.value_of(sent, call.message.spec.answers)
    except BadInput as refused:
        return refused


def _told(outcome: Outcome[Any]) -> Any:
    return outcome.fault and repr(outcome.fault), str(outcome.refusal), outcome.answer


class FeatureContract:
    """All laws of features, for every command, query, event and deadline of those given.

        class TestMyFeature(FeatureContract):
            @pytest.fixture
            def features(self):
                return (*focusmate_core.features.BUNDLED, my_feature)  # from the ground up

    `values` may give hypothesis strategies by the name of a field, where random ones lead nowhere.
    """

    @pytest.fixture
    def ports(self) -> Ports:
        return fake_ports()

    @pytest.fixture
    def values(self) -> Values:
        return {}

    @pytest.fixture
    def recipe(self, features: Sequence[ModuleType], ports: Ports, values: Values) -> Recipe:
        return Recipe(features, ports, values)

    def test_the_laws_hold_along_any_history(self, recipe: Recipe) -> None:
        run_history(FeatureMachine, recipe)

    def test_a_deadline_met_late_is_as_good_as_met_on_time(self, recipe: Recipe) -> None:
        run_history(LateMachine, recipe)

    def test_names_on_the_wire_say_feature_and_message(self, recipe: Recipe) -> None:
        registry = Registry(recipe.features)
        refusals = {cls.code: cls for cls in registry.refusals.values() if cls.__module__ != CORE}
        names = [*registry.messages, *registry.events, *refusals]
        assert [name for name in names if not WIRE.fullmatch(name)] == []

    def test_everything_a_caller_meets_is_explained(self, recipe: Recipe) -> None:
        registry = Registry(recipe.features)
        met = [*registry.messages.values(), *registry.events.values(), *registry.refusals.values()]
        assert [cls.__name__ for cls in met if not _own_doc(cls)] == []

    def test_what_is_shown_may_be_watched_by_somebody(self, recipe: Recipe) -> None:
        registry = Registry(recipe.features)
        assert sorted(set(registry.snapshots) - set(registry.guards)) == []

    def test_every_reducer_has_its_part(self, recipe: Recipe) -> None:
        registry = Registry(recipe.features)
        parts = {part for of_kind in registry.snapshots.values() for part in of_kind}
        reduced = {part for of_event in registry.reducers.values() for part, _ in of_event}
        assert sorted(reduced - parts) == []

    def test_only_the_library_itself_sends_what_is_the_systems(self, recipe: Recipe) -> None:
        engine = World(recipe).engine
        for cls in engine.registry.messages.values():
            if cls.spec.access.value == "system":
                for actor in (ANONYMOUS, *ACTORS):
                    with pytest.raises(NotAllowed):
                        engine.ready(Call(_unchecked(cls), actor))


def _own_doc(cls: type) -> bool:
    return bool(vars(cls).get("__doc__", "").strip())


def _unchecked(cls: type[Message[Any]]) -> Message[Any]:
    return object.__new__(cls)
