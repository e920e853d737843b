"""Random histories of an engine: messages about what there is, sent by whoever there is."""

from __future__ import annotations

import functools
import typing
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from types import ModuleType
from typing import Any

import attrs
from hypothesis import strategies as st

from focusmate_core import codec
from focusmate_core.calls import Call, Outcome
from focusmate_core.context import Ports, QueryContext
from focusmate_core.engine import Engine
from focusmate_core.fields import Pattern, Secret, rule_of
from focusmate_core.idempotency import takes_key
from focusmate_core.messages import ANONYMOUS, SYSTEM, Access, Actor, Message, Origin
from focusmate_core.outbox import Envelope, split_stream
from focusmate_core.ports.codes import Codes
from focusmate_core.ports.storage import Reader
from focusmate_core.testing import strategies
from focusmate_core.testing.clock import FakeClock
from focusmate_core.testing.codes import SequentialCodes
from focusmate_core.testing.ids import SequentialIds
from focusmate_core.testing.memory import MemoryStorage

Values = Mapping[str, st.SearchStrategy[Any]]

ACTORS = (
    *(Actor(id=f"01890a5d-ac96-774b-bcce-00000000000{n}") for n in range(3)),
    Actor(id="01890a5d-ac96-774b-bcce-00000000000a", roles=frozenset({"admin"})),
)
STRANGE: Any = object()
RECENT = 4
"""How many of the things that came up are talked about."""
OFTEN = 5
MANY = 10_000
AT_ONCE = 1000
"""How often more may come due while no time passes."""


@functools.cache
def _values(annotation: Any) -> st.SearchStrategy[Any]:
    """Made once: hypothesis looks long at a strategy that is new."""
    return strategies.values(annotation)


def _is_id(annotation: Any) -> bool:
    rule = rule_of(annotation)
    return isinstance(rule, Pattern) and rule.format == "uuid"


def _is_name(name: str, annotation: Any, values: Values) -> bool:
    """Whether only what came up before makes sense here: an id or a token."""
    return name not in values and (_is_id(annotation) or isinstance(rule_of(annotation), Secret))


@attrs.define
class Recipe:
    """What a world is made of."""

    features: Sequence[ModuleType]
    ports: Ports
    values: Values


class World:
    """An engine over the model, and what has come up in it so far."""

    def __init__(self, recipe: Recipe) -> None:
        self.values = recipe.values
        self.storage = MemoryStorage()
        self.clock = FakeClock()
        self.engine = Engine(
            self.storage,
            clock=self.clock,
            ids=SequentialIds(),
            features=recipe.features,
            # Whatever is another each time begins anew in each world, as the ids do.
            ports={**recipe.ports, Codes: SequentialCodes()},
        )
        self.registry = self.engine.registry
        self.streams: set[str] = set()
        self._known: defaultdict[str, list[Any]] = defaultdict(list)
        self._lucky: list[Actor] = []

    # -- what to say ------------------------------------------------------------------------------

    def messages(self, *, queries: bool) -> list[type[Message[Any]]]:
        """The messages a caller may send, by wire name."""
        return [
            cls
            for _, cls in sorted(self.registry.messages.items())
            if cls.spec.is_query == queries and cls.spec.access is not Access.SYSTEM
        ]

    def draw_call(self, draw: Any, *, queries: bool) -> Call[Any]:
        """One message, mostly about what there is, mostly by somebody who is known."""
        all_of_them = self.messages(queries=queries)
        about_known = [cls for cls in all_of_them if self._has_known(cls)]
        cls = draw(st.sampled_from(about_known * OFTEN + all_of_them))
        named: Any = attrs.fields_dict(typing.cast("type[attrs.AttrsInstance]", cls))
        message = cls(**{name: self._draw_value(draw, name, at.type) for name, at in named.items()})
        key = draw(st.sampled_from([None] * 4 + ["k1", "k2"])) if takes_key(cls) else None
        origin = Origin(connection=draw(st.sampled_from(["", "1", "2"])))
        return Call(message, self._draw_actor(draw), origin, key)

    def _draw_actor(self, draw: Any) -> Actor:
        named = self._known["person_id"][-RECENT:] + self._known["user_id"][-RECENT:]
        people = [Actor(id=each) for each in named]
        often = [*ACTORS[:2], *ACTORS, *self._lucky * OFTEN] * 2
        actor: Actor = draw(st.sampled_from([*often, *people, ANONYMOUS]))
        return actor

    def _has_known(self, cls: Any) -> bool:
        named = ((name, field.type) for name, field in attrs.fields_dict(cls).items())
        return all(self._known_for(*each) for each in named if _is_name(*each, self.values))

    def _known_for(self, name: str, annotation: Any) -> list[Any]:
        as_it_is = name in self._known or not _is_id(annotation)
        recent = self._known[name if as_it_is else "id"][-RECENT:]
        # Fields of one name may have rules of their own: what one takes another may refuse.
        return [each for each in recent if strategies.is_taken(each, annotation)]

    def _draw_value(self, draw: Any, name: str, annotation: Any) -> Any:
        if name in self.values:
            return draw(self.values[name])
        if _is_name(name, annotation, self.values):
            known = self._known_for(name, annotation)
            chosen = draw(st.sampled_from(known * OFTEN + [STRANGE]))
            if chosen is not STRANGE:
                return chosen
        return draw(_values(annotation))

    # -- what has come up -------------------------------------------------------------------------

    def learn(self, call: Call[Any], outcome: Outcome[Any], events: Sequence[Envelope]) -> None:
        """Remember names and streams for what is said next, and who had something done."""
        if events:
            self._lucky = [call.actor]
        self._learn("answer", codec.plain(outcome.answer))
        for event in events:
            kind, key = split_stream(event.stream)
            self.streams.add(event.stream)
            self._learn(f"{kind}_id", key)
            self._learn(event.type, codec.loads(event.data))

    def _learn(self, name: str, plain: Any) -> None:
        if isinstance(plain, dict):
            for inner, value in plain.items():
                self._learn(inner, value)
        elif isinstance(plain, list):
            for value in plain:
                self._learn(name, value)
        elif isinstance(plain, str) and plain and plain not in self._known[name]:
            self._known[name].append(plain)

    # -- what there is ----------------------------------------------------------------------------

    def parts(self, stream: str, reader: Reader) -> dict[str, Any]:
        """The snapshot of a stream as its features made it."""
        kind, key = split_stream(stream)
        now, ports = self.clock.now(), self.engine.ports
        ctx = QueryContext(SYSTEM, Origin(), now, reader, ports, self.registry)
        made = self.registry.snapshots.get(kind, {})
        return {name: part(key, ctx) for name, part in made.items()}

    def applied(self, stream: str, before: Reader, events: Sequence[Envelope]) -> dict[str, Any]:
        """The snapshot before, with the stream's events applied."""
        parts = self.parts(stream, before)
        for each in events:
            if each.stream == stream:
                event = self.registry.decode_event(each.type, each.version, each.data)
                parts = self.registry.apply(parts, event, each.at)
        return parts

    @contextmanager
    def lawful(self) -> Iterator[list[Envelope]]:
        """Whatever is done within: the snapshot before with the events is the snapshot after."""
        events: list[Envelope] = []
        with self.storage.read() as before:
            yield events
            with self.storage.read() as after:
                events += after.tail(before.end(), MANY)
                self.streams |= {event.stream for event in events}
                for stream in sorted(self.streams):
                    said, found = self.applied(stream, before, events), self.parts(stream, after)
                    assert said == found, f"snapshot + events ≠ snapshot of «{stream}»"
            self._look_who_watches(events)

    def _look_who_watches(self, events: Sequence[Envelope]) -> None:
        for each in events:
            event = self.registry.decode_event(each.type, each.version, each.data)
            if event.fact.ends_watching is not None:
                person = Actor(id=getattr(event, event.fact.ends_watching))
                watches = self.engine.may_watch(each.stream, actor=person)
                assert not watches, f"«{each.type}» did not end the watching of «{each.stream}»"

    def due(self) -> dict[str, Any]:
        """What is due now, by key; nothing is done about it."""
        with self.storage.write() as unit:
            return {each.key: each for each in unit.claim(self.clock.now(), MANY)}

    def meet_all(self) -> None:
        """Let everything that is due happen; each deadline is met once, and none is faulty."""
        for _ in range(AT_ONCE):
            due = self.due()
            if not due:
                return
            assert self.engine.run_due(limit=MANY) == len(due)
            self._look_at_what_is_left(due)
        raise AssertionError("deadlines come due for ever, and no time passes")

    def _look_at_what_is_left(self, met: Mapping[str, Any]) -> None:
        for key, deadline in self.storage.fingerprint()["deadlines"].items():
            assert not deadline.attempts, f"the deadline «{key}» is faulty: {deadline.error}"
            same = key in met and deadline.due_at <= met[key].due_at
            assert not same, f"the deadline «{key}» was met and is still due"

    def pass_time(self, span: timedelta) -> None:
        """Time passes, and every deadline on the way is met at its instant."""
        end = self.clock.now() + span
        while True:
            self.meet_all()
            with self.storage.read() as reader:
                due = reader.next_due()
            if due is None or due > end:
                break
            self.clock.advance(max(due - self.clock.now(), timedelta()))
        self.clock.advance(end - self.clock.now())
        self.meet_all()
