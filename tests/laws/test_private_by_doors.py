"""A private room is not found, by any door: what a stranger is told of it is told of no room."""

from __future__ import annotations

import json
from itertools import count

import attrs
import pytest

from focusmate_core.features import timer_control
from focusmate_core.testing.conformance.door import NOBODY, REGISTRY, WIRES, example
from tests.features.town import Town
from tests.laws.doors import all_doors

ABOUT_A_ROOM = [wire for wire in WIRES if "room_id" in attrs.fields_dict(REGISTRY.messages[wire])]
ABOUT_OTHER_THINGS = [wire for wire in WIRES if wire not in ABOUT_A_ROOM]
NAME = "Whispering gallery"
numbers = count(1)


@pytest.fixture(scope="module")
def doors():
    """Each with a private room in which a phase is overdue."""
    with all_doors() as opened:
        scenes = {}
        for name, (door, engine) in opened.items():
            town = Town.around(engine)
            ada = town.person("ada")
            room = town.open_room(ada, name=NAME, is_public=False)
            town.do(timer_control.StartTimer(room_id=room.id), ada)
            engine.clock.advance(minutes=26)
            scenes[name] = (door, town, room)
        yield scenes


@pytest.fixture
def tokens(doors):
    """Somebody who is not in it, at each door: another one every time, since some end accounts."""
    name = f"eve{next(numbers)}"
    for _, town, _ in doors.values():
        town.register(name)
    return {door: town.sign_in(name).access_token for door, (_, town, _) in doors.items()}


@pytest.mark.parametrize("wire", ABOUT_A_ROOM)
def test_a_stranger_is_told_of_a_private_room_what_is_told_of_none(doors, tokens, wire):
    for name, (door, _, room) in doors.items():
        there, nowhere = (
            door.send(wire, {**example(wire), "room_id": room_id}, token=tokens[name])
            for room_id in (room.id, NOBODY)
        )
        assert there == nowhere, name
        assert there[1]["code"] == "rooms.not_found", name


@pytest.mark.parametrize("wire", ABOUT_OTHER_THINGS)
def test_nothing_else_that_a_stranger_asks_for_speaks_of_it(doors, tokens, wire):
    searching = (
        {"words": "whispering"} if "words" in REGISTRY.messages[wire].__annotations__ else {}
    )
    for name, (door, _, room) in doors.items():
        told = json.dumps(door.send(wire, {**example(wire), **searching}, token=tokens[name]))
        assert room.id not in told, name
        assert NAME not in told, name
