"""Typed messages: words become fields by the message's own types, and the answer is JSON."""

import io
import json
import re
import sys

import pytest

from focusmate_core import Engine, Outcome
from focusmate_core.features import BUNDLED, rooms
from focusmate_core.ports.tokens import Tokens
from focusmate_core.refusals import BadInput
from focusmate_core.testing.clock import FakeClock
from focusmate_core.testing.conformance.door import REGISTRY, DoorContract
from focusmate_core.testing.ids import SequentialIds
from focusmate_core.testing.memory import MemoryStorage
from focusmate_core.testing.tokens import FakeTokens
from focusmate_server.doing import CommandDoor, Who, fields_of
from focusmate_server.frames import RemoteFault

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
    assert json.loads(told.err)["code"] == code


def test_a_bug_is_one_line_with_an_id_and_its_traceback_is_in_the_log(door, capsys, caplog):
    caplog.set_level("DEBUG")
    door._run = lambda _: Outcome(fault=KeyError("a bug"))
    assert door.do("rooms.open", ["name=Library"], who=ADA) == 1
    told = capsys.readouterr()
    assert told.out == ""
    error_id = re.fullmatch(
        r"focusmate: rooms\.open failed, error id (\w{16}): KeyError; .*\n", told.err
    )[1]
    (record,) = [record for record in caplog.records if record.exc_info]
    assert error_id in record.getMessage()
    assert record.levelname == "DEBUG"


def test_a_bug_in_the_server_is_told_by_the_id_in_its_log(door, capsys):
    door._run = lambda _: Outcome(fault=RemoteFault("KeyError", "0123abcd"))
    assert door.do("rooms.open", ["name=Library"], who=ADA) == 1
    said = "focusmate: rooms.open failed, and the server has logged it as 0123abcd\n"
    assert capsys.readouterr().err == said


class Typed:
    """The command line as a door; words where they can say it, else JSON on the input."""

    def __init__(self, door, capsys, monkeypatch):
        self._door, self._capsys, self._monkeypatch = door, capsys, monkeypatch

    def send(self, wire, data, *, token=None, key=None):
        words = as_words(wire, data)
        if words is None:
            words = ["-"]
            given = io.TextIOWrapper(io.BytesIO(json.dumps(data).encode()))
            self._monkeypatch.setattr(sys, "stdin", given)
        code = self._door.do(wire, words, who=Who(token=token), key=key)
        told = self._capsys.readouterr()
        if code == 0:
            assert told.err == ""
            return "ok", json.loads(told.out)
        assert (code, told.out) == (1, "")
        return "error", json.loads(told.err)


def as_words(wire, data):
    cls = REGISTRY.messages.get(wire)
    if cls is None or not isinstance(data, dict):
        return None
    words = [
        f"{name}={value if isinstance(value, str) else json.dumps(value)}"
        for name, value in data.items()
    ]
    try:
        return words if fields_of(cls, words) == data else None
    except BadInput:
        return None


class TestTyped(DoorContract):
    @pytest.fixture
    def door(self, engine, capsys, monkeypatch):
        return Typed(CommandDoor(engine), capsys, monkeypatch)
