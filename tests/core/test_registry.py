"""What features declare is found, and what contradicts itself is refused by name."""

from types import ModuleType
from typing import Annotated

import pytest

from focusmate_core import (
    BadFeature,
    Command,
    Context,
    Event,
    Refusal,
    command,
    entity,
    event,
    handler,
    refusal,
    upcasts,
)
from focusmate_core.entities import Entity
from focusmate_core.fields import Text
from focusmate_core.messages import applies, prepares, reacts, snapshot, subscriber, watches
from focusmate_core.refusals import Kind, UnknownMessage
from focusmate_core.registry import Registry
from tests.core import sample
from tests.core.sample import Count, Counted, Squeeze, count


def feature(*things, name="stranger"):
    module = ModuleType(name)
    for number, thing in enumerate(things):
        thing.__module__ = name
        setattr(module, f"thing_{number}", thing)
    return module


def test_what_a_feature_declares_is_found():
    registry = Registry([sample])
    assert registry.message("sample.count") is Count
    assert registry.events["sample.counted"] is Counted
    assert registry.handlers[Count] is count
    assert set(registry.entities) == {"sample_tallies", "sample_totals", "sample_bans"}
    assert {"sample.full", "sample.unlucky", "sample.burnt"} <= set(registry.refusals)


def test_what_a_feature_only_imports_is_not_its_own():
    user = ModuleType("user")
    user.Count, user.count = Count, count
    assert Registry([user]).messages == {}


def test_a_message_that_no_feature_has_is_unknown():
    with pytest.raises(UnknownMessage) as refused:
        Registry([sample]).message("x" * 1000)
    assert refused.value.name == "x" * 100


def _command(wire="stranger.do", **declared):
    @command(wire, **declared)
    class Do(Command[None]):
        name: Annotated[str, Text()] = ""

    return Do


def _handler(cls):
    def do(ask, ctx: Context) -> None: ...

    do.__annotations__["ask"] = cls
    return handler(do)


def _event(wire="sample.counted"):
    @event(wire)
    class Again(Event):
        pass

    return Again


def _entity():
    @entity("sample_tallies")
    class Again(Entity):
        id: str
        version: int = 0

    return Again


def _refusal():
    @refusal("sample.full", "Full.", kind=Kind.IMPOSSIBLE)
    class Again(Refusal):
        pass

    return Again


def test_a_stranger_may_bring_a_message_with_its_handler():
    cls = _command()
    registry = Registry([sample, feature(cls, _handler(cls))])
    assert registry.message("stranger.do") is cls


HEARS = subscriber("s", to=[Counted])


def _twice(cls):
    return [cls, _handler(cls), _handler(cls)]


def _marked(mark):
    def function(first, second, third=None): ...

    return [mark(function)]


@pytest.mark.parametrize(
    ("things", "said"),
    [
        ([_command()], "Do has no @handler"),
        ([_handler(_command())], "handles Do, which nobody declares"),
        (_twice(_command()), "both claim"),
        ([_command("sample.count")], "both claim 'sample.count'"),
        ([_event()], "both claim 'sample.counted'"),
        ([_entity()], "both claim 'sample_tallies'"),
        ([_refusal()], "both claim 'sample.full'"),
        (_marked(prepares(Squeeze)), "both claim"),
        (_marked(snapshot("tally", "count")), "both claim 'count'"),
        (_marked(watches("tally")), "both claim 'tally'"),
        (_marked(upcasts("sample.ring", 1)), "both claim"),
        (_twice(_command(touches={"tally": "none"}))[:2], r"Do touches \['none'\]"),
        (_marked(prepares(_command("stranger.gone"))), "prepares Do: nobody declares it"),
        (_marked(reacts(to=_event("stranger.gone"))), "waits for Again, which nobody declares"),
        (_marked(applies(_event("stranger.gone"), part="count")), "waits for Again"),
        (_marked(subscriber("t", to=[_event("stranger.gone")])), "waits for Again"),
        (
            _marked(subscriber("s", to=[Counted])) + _marked(subscriber("s", to=[])),
            "both claim 's'",
        ),
    ],
)
def test_what_contradicts_itself_or_another_is_refused_by_name(things, said):
    with pytest.raises(BadFeature, match=said):
        Registry([sample, feature(*things)])
