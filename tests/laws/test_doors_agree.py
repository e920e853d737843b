"""All doors agree: what is said through any of them is answered, refused and stored alike."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from focusmate_core.testing import strategies
from focusmate_core.testing.conformance.door import (
    NOBODY,
    PASSWORD,
    REGISTRY,
    WIRES,
    Talk,
)
from tests.laws.doors import all_doors
from tests.server.running import run

TELLS = ("code", "detail", "fields", "params")
HALF_A_PAIR = re.compile(r"\\ud[89a-f]")
names = st.sampled_from(["ada", "Bob", "cleo"])
passwords = st.sampled_from([PASSWORD, PASSWORD, "wrong horse 9", "password1"])


class Conversation:
    """The same words through every door; all must tell and store what the engine in Python does."""

    def __init__(self, doors) -> None:
        self.doors = {name: door for name, (door, _) in doors.items()}
        self.engines = {name: engine for name, (_, engine) in doors.items()}
        self.known = {"room_id": [NOBODY], "person_id": [NOBODY], "refresh_token": ["nonsense"]}
        self.tokens = [None, "nonsense"]
        self.cursors = [None, "nonsense"]

    def say(self, wire, token=None, key=None, /, **data):
        return self.send(wire, data, token, key)

    def send(self, wire, data, token=None, key=None):
        """What all doors tell; AssertionError that names the one that tells something else."""
        told = {
            name: _shown(*door.send(wire, data, token=token, key=key))
            for name, door in self.doors.items()
        }
        expected = told["python"]
        for name, said in told.items():
            assert said == expected, f"{name}: {wire} {data}"
        how, answer = expected
        if how == "ok":
            self._learn(wire, answer)
        return answer

    def _learn(self, wire, answer):
        if wire == "rooms.open":
            self.known["room_id"].append(answer["id"])
        elif wire == "rooms.public" and answer["next_cursor"]:
            self.cursors.append(answer["next_cursor"])
        elif wire == "credentials.register":
            self.known["person_id"].append(answer["id"])
        elif wire in {"credentials.sign_in", "credentials.refresh"}:
            self.known["refresh_token"].append(answer["refresh_token"])
            self.tokens.append(answer["access_token"])

    def person(self, name):
        email = f"{name}@example.org"
        self.say("credentials.register", email=email, username=name, password=PASSWORD)
        return self.say("credentials.sign_in", login=name, password=PASSWORD)["access_token"]

    def fields(self):
        """What the fields that are to fit together are drawn from."""
        known = {name: st.sampled_from(values) for name, values in self.known.items()}
        return known | {
            "username": names,
            "email": names.map("{}@example.org".format),
            "login": names | names.map("{}@example.org".format),
            "password": passwords,
            "cursor": st.sampled_from(self.cursors),
            "words": st.none() | st.sampled_from(["deep", "공부방", '"', "a%2Fb&c=d"]),
            "capacity": st.none() | st.integers(2, 3),
        }

    def drawn_data(self, draw, wire):
        cls = REGISTRY.messages[wire]
        wanted = {n: s for n, s in self.fields().items() if n in cls.__annotations__}
        if draw(st.sampled_from(["right", "right", "broken"])) == "right":
            return draw(strategies.data(cls, **wanted))
        return draw(strategies.broken(cls, **wanted)).data

    def check_what_was_stored(self):
        """The outboxes hold the same, to the last id and instant."""
        stored = {name: _outbox(engine) for name, engine in self.engines.items()}
        for name, outbox in stored.items():
            assert outbox == stored["python"], name


class Typed:
    """`focusmate do` in a folder of its own, each message a process."""

    def __init__(self, folder) -> None:
        self.folder = folder

    def send(self, wire, data, *, token=None, key=None):
        words = [f"{name}={_word(value)}" for name, value in data.items()]
        words += ["--token", token] if token else []
        words += ["--key", key] if key else []
        done = run(self.folder, "do", wire, *words)
        said = ("error", done.stderr) if done.returncode else ("ok", done.stdout)
        return said[0], json.loads(said[1])


def _word(value):
    return value if isinstance(value, str) else json.dumps(value)


def _shown(how, told):
    return (how, told) if how == "ok" else (how, {n: told[n] for n in TELLS if n in told})


def _outbox(engine):
    with engine.storage.read() as reader:
        return reader.tail("", 10_000)


@pytest.fixture(scope="module")
def doors():
    with all_doors() as opened:
        yield opened


def test_a_whole_conversation_is_the_same_through_every_door():
    with all_doors() as opened:
        talk = Conversation(opened)
        _converse(talk)
        talk.check_what_was_stored()


def _converse(talk):
    ada, bob = talk.person("ada"), talk.person("bob")
    room = talk.say("rooms.open", ada, "key", name="공부방 «deep»", plan={"work": "PT50M"})
    assert talk.say("rooms.open", ada, "key", name="공부방 «deep»", plan={"work": "PT50M"}) == room
    assert talk.say("rooms.open", ada, "key", name="Other")["code"] == "idempotency.key_reused"
    about = {"room_id": room["id"]}
    assert talk.send("timer.state", about, bob)["code"] == "rooms.not_in_it"
    assert talk.send("rooms.join", about, bob)["seated"] == 2
    assert talk.send("timer.start", about, bob)["code"] == "not_allowed"
    assert talk.send("timer.start", about)["code"] == "not_signed_in"
    assert talk.send("timer.start", about, "forged")["code"] == "not_signed_in"
    assert talk.send("timer.start", about, ada)["state"] == "running"
    assert talk.send("timer.pause", about, ada)["left"] == "PT50M"
    assert talk.send("timer.start", about, ada)["code"] == "timer.paused"
    assert talk.say("rooms.public", bob, words="공부", with_count=True)["count"] == 1
    wrong = talk.say("rooms.open", ada, name=" ", capacity="7", plan={"work": "25"}, no_such=1)
    assert {problem["field"] for problem in wrong["fields"]} == {
        "name",
        "capacity",
        "plan.work",
        "no_such",
    }
    assert talk.send("rooms.close", about, ada)["is_open"] is False
    assert talk.send("rooms.leave", about, bob)["code"] == "rooms.closed"


@settings(max_examples=settings().max_examples // 2)
@given(data=st.data())
def test_any_conversation_is_the_same_through_every_door(data):
    with all_doors() as opened:
        talk = Conversation(opened)
        talk.person("ada")
        for _ in range(data.draw(st.integers(1, 12), label="messages")):
            wire = data.draw(st.sampled_from(WIRES), label="wire")
            sent = talk.drawn_data(data.draw, wire)
            if HALF_A_PAIR.search(ascii(sent)):
                continue
            token = data.draw(st.sampled_from(talk.tokens[::-1]), label="token")
            key = data.draw(st.sampled_from([None, None, None, "k1", "k2"]), label="key")
            talk.send(wire, sent, token, key)
        talk.check_what_was_stored()


@pytest.mark.parametrize("wire", ["rooms.open", "credentials.register"])
def test_half_a_surrogate_pair_is_no_text_at_any_door(doors, wire):
    for name, (door, _) in doors.items():
        how, told = door.send(wire, {"name": "half \ud800", "username": "\ud800"})
        assert (how, told["code"]) in {("error", "bad_input"), ("error", "malformed")}, name


def test_the_command_itself_agrees_with_the_engine(tmp_path):
    """The same words typed into processes of their own, over a database on the disk."""

    class Typed:
        def send(self, wire, data, *, token=None, key=None):
            words = [f"{name}={_word(value)}" for name, value in data.items()]
            words += ["--token", token] if token else []
            words += ["--key", key] if key else []
            done = run(tmp_path, "do", wire, *words)
            return (
                ("error", json.loads(done.stderr))
                if done.returncode
                else (
                    "ok",
                    json.loads(done.stdout),
                )
            )

    with all_doors() as opened:
        typed, said = Talk(Typed()), Talk(opened["python"][0])
        for talk in (typed, said):
            ada = talk.person("ada")
            room = talk.say("rooms.open", ada, "k", name="Deep work", plan={"work": "PT50M"})
            talk.say("timer.start", ada, room_id=room["id"])
            talk.say("timer.resume", ada, room_id=room["id"])
            talk.say("rooms.open", ada, name="", capacity=1)
            talk.say("rooms.public", ada, words="deep", limit=1)
        assert typed.told == said.told


def _word(value):
    return value if isinstance(value, str) else json.dumps(value)
