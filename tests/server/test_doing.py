"""Typed messages: words become fields by the message's own types, and the answer is JSON."""

import json

import pytest

from focusmate_core import Engine
from focusmate_core.features import BUNDLED, rooms
from focusmate_core.ports.tokens import Tokens
from focusmate_core.refusals import BadInput
from focusmate_core.testing.clock import FakeClock
from focusmate_core.testing.ids import SequentialIds
from focusmate_core.testing.memory import MemoryStorage
from focusmate_core.testing.tokens import FakeTokens
from focusmate_server.doing import CommandDoor, Who, fields_of

ADA = Who("ada")


@pytest.fixture
def door():
    ports = {Tokens: FakeTokens()}
    return CommandDoor(
        Engine(
            MemoryStorage(), features=BUNDLED, clock=FakeClock(), ids=SequentialIds(), ports=ports
        )
    )


@pytest.mark.parametrize(
    ("words", "fields"),
    [
        (["name=7"], {"name": "7"}),
        (["name=null"], {"name": "null"}),
        (['name="Deep work"'], {"name": '"Deep work"'}),
        (["name=a=b"], {"name": "a=b"}),
        (["capacity=7"], {"capacity": 7}),
        (["capacity=null"], {"capacity": None}),
        (["capacity=seven"], {"capacity": "seven"}),
        (["control=everyone"], {"control": "everyone"}),
        (["plan.work=PT50M", "plan.long_break_every=3", "plan.auto_start_work=true"],
         {"plan": {"work": "PT50M", "long_break_every": 3, "auto_start_work": True}}),
        (['plan={"work":"PT50M"}'], {"plan": {"work": "PT50M"}}),
        (["nobody=knows"], {"nobody": "knows"}),
    ],
)  # fmt: skip
def test_words_become_fields(words, fields):
    assert fields_of(rooms.OpenRoom, words) == fields


@pytest.mark.parametrize(
    "words",
    [["name"], ["=x"], ["name=a", "name=b"], ["plan=1", "plan.work=PT5M"],
     ["plan.work=PT5M", "plan={}"], ["name.x=1", "name=2"]],
)  # fmt: skip
def test_words_that_say_nothing_clear_are_refused(words):
    with pytest.raises(BadInput):
        fields_of(rooms.OpenRoom, words)


def test_the_answer_is_json_on_the_output(door, capsys):
    assert door.do("rooms.open", ["name=Library"], who=ADA) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["host_id"] == "ada"
    assert told.err == ""


def test_one_key_is_one_room(door, capsys):
    for _ in range(2):
        assert door.do("rooms.open", ["name=Library"], who=ADA, key="k") == 0
    first, second = capsys.readouterr().out.split("}\n{")
    assert json.loads(first + "}") == json.loads("{" + second)


@pytest.mark.parametrize(
    ("wire", "words", "who", "code"),
    [
        ("rooms.open", ["name="], ADA, "bad_input"),
        ("rooms.open", ["name=x"], Who(), "not_signed_in"),
        ("rooms.open", ["name=x"], Who(token="forged"), "not_signed_in"),
        ("rooms.opne", [], ADA, "unknown_message"),
        ("timer.end_phase", ["room_id=x"], Who("ada", frozenset({"admin"})), "bad_input"),
    ],
)
def test_a_refusal_is_told_by_its_code(door, capsys, wire, words, who, code):
    assert door.do(wire, words, who=who) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"{code}: ")
