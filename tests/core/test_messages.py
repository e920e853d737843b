"""What is declared of messages, who may send them, and that decorators mark and never register."""

from typing import Annotated

import pytest

from focusmate_core import (
    ANONYMOUS,
    SYSTEM,
    Access,
    Actor,
    Command,
    Context,
    QueryContext,
    applies,
    command,
    handler,
    reacts,
    snapshot,
    subscriber,
    sweeps,
    upcasts,
    view_of,
    watches,
)
from focusmate_core.fields import Text
from focusmate_core.refusals import BadInput
from tests.core.sample import Burn, Burnt, Count, Counted, HowMany, Tally, TallyView, Whisper

ANYBODY = Actor(id="a")
MODERATOR = Actor(id="m", roles=frozenset({"moderator"}))
ADMIN = Actor(id="x", roles=frozenset({"admin"}))
EVERYBODY = (ANONYMOUS, ANYBODY, MODERATOR, ADMIN, SYSTEM)
T = "01890a5d-ac96-774b-bcce-000000000001"


@pytest.mark.parametrize(
    ("access", "may"),
    [
        (Access.ANYONE, (True, True, True, True, True)),
        (Access.SIGNED_IN, (False, True, True, True, True)),
        (Access.MODERATOR, (False, False, True, True, True)),
        (Access.ADMIN, (False, False, False, True, True)),
        (Access.SYSTEM, (False, False, False, False, True)),
    ],
)
def test_access_is_open_to(access, may):
    assert tuple(actor.may(access) for actor in EVERYBODY) == may


def test_a_message_says_all_that_was_declared_of_it():
    spec = Count.spec
    assert (spec.wire, spec.access, spec.answers) == ("sample.count", Access.SIGNED_IN, TallyView)
    assert (spec.touches, spec.leaves, spec.is_query) == ((("tally", "tally_id"),), (), False)
    assert Burn.spec.leaves == (Burnt,)
    assert (HowMany.spec.is_query, HowMany.spec.answers) == (True, int)
    assert Whisper.spec.secret
    assert (Counted.fact.wire, Counted.fact.version) == ("sample.counted", 2)


def test_a_message_is_frozen_and_takes_its_fields_by_name():
    message = Count(tally_id=T)
    with pytest.raises(AttributeError):
        message.by = 2
    with pytest.raises(TypeError):
        Count(T)
    assert message.but(by=2) == Count(tally_id=T, by=2)
    with pytest.raises(BadInput):
        message.but(by=0)


def test_a_message_that_says_no_answer_is_refused():
    with pytest.raises(TypeError, match="Mute says no answer: derive it from Command"):

        @command("tests.mute")
        class Mute(Command):
            name: Annotated[str, Text()]


def test_a_view_is_made_of_the_fields_of_the_same_names():
    tally = Tally(id="7", count=3)
    assert view_of(TallyView, tally) == TallyView(id="7", count=3)
    assert view_of(TallyView, tally, count=4) == TallyView(id="7", count=4)


def test_decorators_mark_and_leave_the_function_as_it_is():
    def function(ask: Count, ctx: Context) -> None: ...

    assert handler(function) is function
    for mark in (reacts(to=Counted), watches("tally"), snapshot("tally", "part"), sweeps):
        assert mark(function) is function
    subscriber("name", to=[Counted])(function)
    upcasts("wire", 1)(function)
    applies(Counted, part="part")(function)
    told = [(mark.role, mark.about, mark.part) for mark in function.focusmate_marks]
    assert told == [
        ("handler", Count, ""),
        ("reacts", Counted, ""),
        ("watches", "tally", ""),
        ("snapshot", "tally", "part"),
        ("sweeps", None, ""),
        ("subscriber", (Counted,), "name"),
        ("upcasts", "wire", "1"),
        ("applies", Counted, "part"),
    ]


def test_a_handler_names_its_message_by_its_first_parameter():
    def how_many(ask: HowMany, ctx: QueryContext) -> int: ...

    assert handler(how_many).focusmate_marks[0].about is HowMany
