"""Schemas say what the classes say, and refusals are read off the code that raises them."""

import enum
import functools
from datetime import datetime, timedelta
from typing import Annotated, Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from focusmate_core import codec
from focusmate_core.features import BUNDLED, bans, credentials, people, plans, rooms, seats
from focusmate_core.fields import Id, Password, Text, minutes
from focusmate_core.messages import Command, Value, command, value, view
from focusmate_core.refusals import BadInput, Kind, Refusal, TooLarge, TooOften, refusal
from focusmate_core.registry import Registry
from focusmate_core.schema import Schemas, needed, refusals_in
from focusmate_core.testing.strategies import instances

REGISTRY = Registry(BUNDLED)


class Mood(enum.Enum):
    CALM = "calm"
    WILD = "wild"


@value
class Inner(Value):
    """Something inside."""

    size: int = 1


@command("test.everything")
class Everything(Command[None]):
    """All kinds of fields."""

    name: Annotated[str, Text(1, 80)]
    secret: Password
    whose: Id | None = None
    mood: Mood = Mood.CALM
    maybe: Mood | None = None
    inner: Inner = Inner()
    spans: tuple[Annotated[timedelta, minutes(1, 5)], ...] = (timedelta(minutes=2),)
    tags: frozenset[str] = frozenset({"a"})
    ratio: float = 0.5
    at: datetime | None = None
    free: Any = None


def test_what_is_given_is_told_field_by_field():
    schemas = Schemas()
    assert schemas.given(Everything) == {"$ref": "#/$defs/Everything"}
    told = schemas.named["Everything"]
    assert (told["required"], told["additionalProperties"]) == (["name", "secret"], False)
    assert told["properties"] == {
        "name": {"type": "string", "minLength": 1, "maxLength": 80},
        "secret": {
            "type": "string",
            "format": "password",
            "minLength": 8,
            "maxLength": 128,
            "writeOnly": True,
        },
        "whose": {
            "type": ["string", "null"],
            "format": "uuid",
            "maxLength": 36,
            "description": "an id (a UUID)",
            "default": None,
        },
        "mood": {"type": "string", "enum": ["calm", "wild"], "default": "calm"},
        "maybe": {
            "anyOf": [{"type": "string", "enum": ["calm", "wild"]}, {"type": "null"}],
            "default": None,
        },
        "inner": {"$ref": "#/$defs/InnerGiven", "default": {"size": 1}},
        "spans": {
            "type": "array",
            "items": {
                "type": "string",
                "format": "duration",
                "description": "from PT1M to PT5M",
            },
            "default": ["PT2M"],
        },
        "tags": {
            "type": "array",
            "items": {"type": "string"},
            "uniqueItems": True,
            "default": ["a"],
        },
        "ratio": {"type": "number", "default": 0.5},
        "at": {"type": ["string", "null"], "format": "date-time", "default": None},
        "free": {"default": None},
    }


def test_a_field_that_is_given_elsewhere_can_be_left_out():
    told = Schemas().message(rooms.RoomById, without={"room_id"})
    assert (told["properties"], "required" in told) == ({}, False)
    assert needed(rooms.RoomById) == ["room_id"]


def test_what_is_told_is_complete_and_may_grow():
    schemas = Schemas("#/components/schemas/")
    assert schemas.told(plans.Plan) == {"$ref": "#/components/schemas/Plan"}
    assert "long_break_every" in schemas.named["Plan"]["required"]
    assert "additionalProperties" not in schemas.named["Plan"]
    assert schemas.told(None) == {"type": "null"}
    assert schemas.told(dict[str, int]) == {
        "type": "object",
        "additionalProperties": {"type": "integer"},
    }


def test_a_field_is_of_one_type():
    with pytest.raises(TypeError, match="one type"):
        Schemas().told(int | str | None)


@view
class Tree(Value):
    """A class that holds itself."""

    branches: "tuple[Tree, ...]"


def test_a_class_may_hold_itself():
    schemas = Schemas()
    assert schemas.told(Tree) == {"$ref": "#/$defs/Tree"}
    assert schemas.named["Tree"]["properties"]["branches"]["items"] == {"$ref": "#/$defs/Tree"}


def test_two_classes_of_one_name_are_kept_apart():
    other = view(
        type("Tree", (Value,), {"__annotations__": {"tall": int}, "__module__": "a.woods"})
    )
    schemas = Schemas()
    assert schemas.told(Tree) != schemas.told(other)
    assert schemas.told(other) == {"$ref": "#/$defs/woods.Tree"}
    assert "description" not in schemas.named["woods.Tree"]


def test_a_refusal_is_its_code_and_its_parameters():
    assert Schemas().refusal(TooLarge) == {
        "type": "object",
        "properties": {
            "code": {"const": "too_large"},
            "params": {
                "type": "object",
                "properties": {"longest": {"type": "integer"}},
                "required": ["longest"],
            },
        },
        "required": ["code", "params"],
        "description": "A body or a frame over the door's limit, in bytes.",
    }
    told = Schemas().refusal(BadInput)
    assert list(told["properties"]) == ["code", "fields"]


# -- over all that is bundled ---------------------------------------------------------------------


@functools.cache
def validator(cls, *, given):
    schemas = Schemas()
    root = schemas.given(cls) if given else schemas.told(cls)
    return jsonschema.Draft202012Validator({**root, "$defs": schemas.named})


drawn = functools.cache(instances)
MESSAGES = sorted(REGISTRY.messages)
TOLD = [*REGISTRY.events.values(), *(m.spec.answers for m in REGISTRY.messages.values())]


@pytest.mark.parametrize("wire", MESSAGES)
@given(data=st.data())
def test_what_the_codec_takes_its_schema_takes(wire, data):
    message = REGISTRY.messages[wire]
    plain = codec.plain(data.draw(drawn(message)))
    validator(message, given=True).validate(plain)


@pytest.mark.parametrize("cls", [cls for cls in dict.fromkeys(TOLD) if cls is not type(None)])
@given(data=st.data())
def test_what_is_told_is_as_its_schema_says(cls, data):
    plain = codec.plain(data.draw(drawn(cls)))
    validator(cls, given=False).validate(plain)


@pytest.mark.parametrize("wire", MESSAGES)
def test_nothing_unknown_is_taken(wire):
    message = REGISTRY.messages[wire]
    problems = validator(message, given=True).iter_errors({"no_such_field": 1})
    assert "additionalProperties" in {problem.validator for problem in problems}


# -- what may be refused --------------------------------------------------------------------------


def test_refusals_are_found_through_functions_nouns_and_what_is_inside():
    assert refusals_in(seats.join_room) == {
        rooms.RoomNotFound,
        rooms.RoomIsClosed,
        rooms.RoomIsFull,
        bans.BannedFromRoom,
    }
    assert refusals_in(people.person_by_id) == {people.PersonNotFound}
    assert refusals_in(rooms.open_room) == frozenset()


def test_several_steps_are_read_together():
    steps = (credentials.prepare_register, credentials.register)
    assert refusals_in(*steps) == {
        credentials.UsernameTaken,
        credentials.EmailTaken,
        BadInput,
        TooOften,
    }


@refusal("test.no", "No.", kind=Kind.IMPOSSIBLE)
class No(Refusal):
    """For the test below."""


def test_code_within_code_is_read_and_calling_in_circles_ends():
    def inner():
        return [circle(lambda: No()) for _ in "a" if Refusal]  # noqa: PLW0108  read, never run

    assert refusals_in(inner, print) == {No}


def circle(step):
    return circle(step)


def named_by_docstring(function):
    """The refusals that a handler's docstring says it refuses with."""
    told = (function.__doc__ or "").partition("Refuses ")[2]
    return {cls for cls in REGISTRY.refusals.values() if f"`{cls.__name__}`" in told}


@pytest.mark.parametrize("message", REGISTRY.handlers, ids=lambda message: message.__name__)
def test_what_a_handler_says_it_refuses_is_found_in_its_code(message):
    handler = REGISTRY.handlers[message]
    steps = (handler, REGISTRY.preparations.get(message, handler))
    generic = {BadInput, *message.spec.leaves}
    assert named_by_docstring(handler) - generic <= refusals_in(*steps)
