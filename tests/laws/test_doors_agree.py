"""All doors agree: what is said through any of them is answered, refused and stored alike."""

from __future__ import annotations

import json
import re
import typing
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from focusmate_core.features.plans import Plan, TimerKind
from focusmate_core.testing import strategies
from focusmate_core.testing.clock import START
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
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
names = st.sampled_from(["ada", "Bob", "cleo"])
plans = st.builds(
    Plan,
    kind=st.sampled_from(TimerKind),
    work=st.sampled_from([MINUTE, 3 * MINUTE]),
    short_break=st.just(MINUTE),
    auto_start_breaks=st.booleans(),
    auto_start_work=st.booleans(),
)
passwords = st.sampled_from([PASSWORD, PASSWORD, "wrong horse 9", "password1"])


class Conversation:
    """The same words through every door; all must tell and store what the engine in Python does."""

    def __init__(self, doors) -> None:
        self.doors = {name: door for name, (door, _) in doors.items()}
        self.engines = {name: engine for name, (_, engine) in doors.items()}
        ids = ("room_id", "person_id", "session_id", "invitation_id", "link_id")
        self.known = {name: [NOBODY] for name in ids}
        self.known |= {name: ["nonsense"] for name in ("refresh_token", "code")}
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
        if wire in {"rooms.open", "desks.open"}:
            self.known["room_id"].append(answer["id"])
        elif wire in {"sessions.record", "sessions.schedule"}:
            self.known["session_id"].append(answer["id"])
        elif wire in {"rooms.public", "sessions.history"}:
            self.known["session_id"] += [each["id"] for each in answer["items"] if "why" in each]
            self.cursors += [answer["next_cursor"]] if answer["next_cursor"] else []
        elif wire == "invitations.invite":
            self.known["invitation_id"].append(answer["id"])
        elif wire == "links.open":
            self.known["link_id"].append(answer["id"])
            self.known["code"].append(answer["code"])
        elif wire == "credentials.register":
            self.known["person_id"].append(answer["id"])
        elif wire in {"credentials.sign_in", "credentials.refresh"}:
            self.known["refresh_token"].append(answer["refresh_token"])
            self.tokens.append(answer["access_token"])

    def let_pass(self, **span):
        """Time passes alike for all, and the worker does what is due."""
        for engine in self.engines.values():
            engine.clock.advance(**span)
            engine.run_due()

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
            "plan": plans,
            "length": st.sampled_from([MINUTE, 30 * MINUTE]),
            "started_at": st.sampled_from([START - HOUR, START - 2 * HOUR, START + HOUR]),
            "starts_at": st.sampled_from([START - HOUR, START + MINUTE, START + HOUR]),
            "time_zone": st.sampled_from(["UTC", "Asia/Seoul", "No/Such", "Europe/Paris"]),
        }

    def drawn_data(self, draw, wire):
        cls = REGISTRY.messages[wire]
        hints = typing.get_type_hints(cls, include_extras=True)
        wanted = {n: s.filter(_fits(hints[n])) for n, s in self.fields().items() if n in hints}
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


def _fits(annotation):
    """Whether a text is one that this field takes: fields of one name may have their own rules."""
    return lambda drawn: not isinstance(drawn, str) or strategies.is_taken(drawn, annotation)


def _shown(how, told):
    return (
        (how, _anywhere(told)) if how == "ok" else (how, {n: told[n] for n in TELLS if n in told})
    )


def _anywhere(told):
    """An answer without the addresses of sign-ins: each door has its own peers."""
    if isinstance(told, list):
        return [_anywhere(each) for each in told]
    if not isinstance(told, dict):
        return told
    kept = {name: _anywhere(each) for name, each in told.items()}
    return kept | {"address": ""} if "is_current" in told else kept


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


def test_invitations_and_links_are_the_same_through_every_door():
    with all_doors() as opened:
        talk = Conversation(opened)
        _invite(talk)
        talk.check_what_was_stored()


def _invite(talk):
    ada, bob = talk.person("ada"), talk.person("bob")
    about = {"room_id": talk.say("rooms.open", ada, name="Library", is_public=False)["id"]}
    person_id = talk.say("people.me", bob)["id"]
    invited = talk.say("invitations.invite", ada, "k", person_id=person_id, **about)
    assert [each["id"] for each in talk.say("invitations.mine", bob)["items"]] == [invited["id"]]
    assert talk.say("invitations.of_room", ada, **about)["items"] == [invited]
    mine = {"invitation_id": invited["id"]}
    assert talk.send("invitations.accept", mine, ada)["code"] == "invitations.not_found"
    assert talk.send("invitations.decline", mine, bob, "k")["state"] == "declined"
    assert talk.send("invitations.revoke", mine, ada)["code"] == "invitations.over"
    link = talk.send("links.open", {**about, "max_uses": 1, "expires_in": None}, ada)
    assert talk.say("links.preview", bob, code=link["code"])["may_join"]
    assert talk.say("links.join", bob, "k", code=link["code"])["code"].endswith("key_not_taken")
    assert talk.say("links.join", bob, code=link["code"])["seated"] == 2
    assert talk.send("links.of_room", about, bob)["code"] == "not_allowed"
    assert talk.send("links.revoke", {**about, "link_id": link["id"]}, ada) is None
    assert talk.say("links.join", bob, code=link["code"])["code"] == "links.not_good"
    assert talk.send("links.of_room", about, ada)["items"][0]["uses"] == 1


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
    _focus(talk, ada, bob, about)
    assert talk.send("rooms.close", about, ada)["is_open"] is False
    assert talk.send("rooms.leave", about, bob)["code"] == "rooms.closed"


def _focus(talk, ada, bob, about):
    talk.send("timer.reset", about, ada)
    assert talk.say("timer.change_plan", ada, **about, plan={"work": "PT5M"})["length"] == "PT5M"
    assert talk.send("timer.skip", about, ada)["phase"] == "short_break"
    assert talk.send("timer.reset", about, ada)["phase"] == "work"
    assert talk.say("rooms.appoint", ada, **about, person_id=NOBODY)["code"]
    talk.say("rooms.leave", bob, **about)
    assert talk.say("presence.enter", bob, **about)["code"] == "rooms.not_in_it"
    talk.send("timer.start", about, ada)
    talk.let_pass(minutes=2)
    talk.send("rooms.join", about, bob)
    assert talk.say("presence.report", bob, is_idle=True)["status"] == "idle"
    assert talk.say("presence.mine", bob)["here"]["status"] == "idle"
    assert len(talk.send("presence.in_room", about, ada)["items"]) == 2
    assert talk.send("timer.complete", about, ada)["code"] == "timer.not_over"
    talk.let_pass(minutes=3)
    (session,) = talk.say("sessions.history", bob, limit=5)["items"]
    assert session["why"] == "3 of 5 min: joined 2 min late"
    assert talk.send("timer.complete", about, ada)["phase"] == "short_break"
    said = {"session_id": session["id"], "focus": 5, "note": "Chapter «two»"}
    assert talk.send("sessions.annotate", said, bob)["focus"] == 5
    assert talk.say("sessions.by_id", ada, session_id=session["id"])["code"] == "sessions.not_found"
    _keep_a_diary(talk, bob)


def _keep_a_diary(talk, bob):
    noon = {"started_at": "2026-01-05T08:00:00Z", "length": "PT30M"}
    made = talk.say("sessions.record", bob, "by hand", **noon)
    assert talk.say("sessions.record", bob, **noon)["code"] == "sessions.overlaps"
    ahead = talk.say("sessions.schedule", bob, starts_at="2026-01-06T08:00:00Z", length="PT30M")
    assert talk.say("sessions.cancel", bob, session_id=ahead["id"])["status"] == "cancelled"
    days = {"first": "2026-01-01", "last": "2026-01-31"}
    assert talk.say("stats.days", bob, **days)["recorded"] == "PT30M"
    assert talk.say("stats.recount", bob) == {"days": 1, "mended": 0}
    assert talk.say("sessions.remove", bob, session_id=made["id"]) == made
    assert talk.say("days.change", bob, time_zone="Asia/Seoul", day_start=4)["day_start"] == 4
    assert talk.say("days.today", bob)["today"] == "2026-01-05"
    assert talk.say("desks.open", bob)["capacity"] == 1


@settings(max_examples=settings().max_examples // 2)
@given(data=st.data())
def test_any_conversation_is_the_same_through_every_door(data):
    with all_doors() as opened:
        talk = Conversation(opened)
        talk.person("ada")
        for _ in range(data.draw(st.integers(1, 12), label="messages")):
            wire = data.draw(st.sampled_from(WIRES), label="wire")
            sent = talk.drawn_data(data.draw, wire)
            if data.draw(st.sampled_from([False, False, True]), label="time passes"):
                talk.let_pass(minutes=1)
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
    with all_doors() as opened:
        typed, said = Talk(Typed(tmp_path)), Talk(opened["python"][0])
        for talk in (typed, said):
            ada = talk.person("ada")
            talk.say("stats.days", ada, first="2026-01-01", last="2026-01-31")
            talk.say("sessions.history", ada, limit=3)
            talk.say("presence.mine", ada)
            room = talk.say("rooms.open", ada, "k", name="Deep work", plan={"work": "PT50M"})
            talk.say("presence.in_room", ada, room_id=room["id"])
            talk.say("presence.report", ada, is_idle=True)
            talk.say("timer.start", ada, room_id=room["id"])
            talk.say("timer.resume", ada, room_id=room["id"])
            talk.say("rooms.open", ada, name="", capacity=1)
            talk.say("rooms.public", ada, words="deep", limit=1)
        assert typed.told == said.told
