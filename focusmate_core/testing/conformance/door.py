"""What every door promises: subclass `DoorContract` and give the fixture `door`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar, Protocol

import attrs
import pytest

from focusmate_core import codec
from focusmate_core.calls import Call
from focusmate_core.engine import Engine
from focusmate_core.features import BUNDLED
from focusmate_core.fields import UUID
from focusmate_core.idempotency import takes_key
from focusmate_core.messages import ANONYMOUS, Access, Message, Origin
from focusmate_core.refusals import BadInput, Refusal
from focusmate_core.registry import Registry
from focusmate_core.testing import strategies
from focusmate_core.testing.clock import FakeClock
from focusmate_core.testing.ids import SequentialIds
from focusmate_core.testing.memory import MemoryStorage
from focusmate_core.testing.ports import fake_ports

Told = tuple[str, Any]
"""`("ok", the answer as plain data)` or `("error", {code, detail, fields?, params?})`."""
Script = Callable[["Talk"], None]

PASSWORD = "correct horse 9"
NOBODY = "01890a5d-ac96-774b-bcce-b302099a8057"
EXAMPLES: tuple[Any, ...] = (
    NOBODY,
    "ada@example.org",
    "ada",
    PASSWORD,
    1,
    "PT25M",
    True,
    "2026-01-05",
    "2026-01-05T09:00:00Z",
    {},
    [],
)
"""One of these does for each field that is needed."""
REGISTRY = Registry(BUNDLED)
SYSTEMS = [w for w, cls in REGISTRY.messages.items() if cls.spec.access is Access.SYSTEM]
WIRES = sorted(set(REGISTRY.messages) - set(SYSTEMS))


class Door(Protocol):
    """A door as the contract uses it."""

    def send(
        self, wire: str, data: Any, *, token: str | None = None, key: str | None = None
    ) -> Told:
        """Send one message; what is told of it."""
        ...


class PythonDoor:
    """The engine itself, as a door: what the others are compared with."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def send(
        self, wire: str, data: Any, *, token: str | None = None, key: str | None = None
    ) -> Told:
        """Send one message; what is told of it."""
        try:
            actor = ANONYMOUS if token is None else self._engine.authenticate(token)
            message: Message[Any] = codec.value_of(data, self._engine.registry.message(wire))
            outcome = self._engine.outcome(Call(message, actor, Origin("python"), key))
            return "ok", codec.plain(outcome.result())
        except Refusal as refused:
            return "error", told_of(refused)


def told_of(refused: Refusal) -> dict[str, Any]:
    """A refusal as plain data."""
    told: dict[str, Any] = {"code": refused.code, "detail": refused.detail}
    if isinstance(refused, BadInput):
        return told | {"fields": codec.plain(refused.fields)}
    params = codec.plain(refused.params())
    return told | {"params": params} if params else told


def bundled_engine(clock: FakeClock) -> Engine:
    """An engine of the bundled features in memory."""
    return Engine(
        MemoryStorage(),
        clock=clock,
        ids=SequentialIds(),
        features=BUNDLED,
        ports=fake_ports(clock),
    )


class Talk:
    """A conversation with one door, written down so that two can be compared."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._names: dict[str, str] = {}
        self.told: list[tuple[str, Any]] = []

    def say(self, wire: str, token: str | None = None, key: str | None = None, **data: Any) -> Any:
        """Send one message; its answer, or its error."""
        return self.send(wire, data, token, key)

    def send(self, wire: str, data: Any, token: str | None = None, key: str | None = None) -> Any:
        """The same, with data that may be of any form."""
        how, told = self._door.send(wire, data, token=token, key=key)
        self.told.append((f"{wire} {how}", self._normal(told)))
        return told

    def person(self, name: str) -> str:
        """Somebody registers and signs in; the access token."""
        email = f"{name}@example.org"
        self.say("credentials.register", email=email, username=name, password=PASSWORD)
        signed_in = self.say("credentials.sign_in", login=name, password=PASSWORD)
        return str(signed_in["access_token"])

    def _normal(self, told: Any, name: str = "") -> Any:
        """What is told without what two doors may tell differently: ids, tokens, the time."""
        if isinstance(told, dict):
            return {inner: self._normal(value, inner) for inner, value in told.items()}
        if isinstance(told, list):
            return [self._normal(value, name) for value in told]
        if not isinstance(told, str):
            return told
        if name.endswith("_token"):
            return "a token"
        if name in {"now", "left"} or name.endswith(("_at", "since")):
            return "a time"
        return re.sub(UUID, self._name_of, told)

    def _name_of(self, found: re.Match[str]) -> str:
        return self._names.setdefault(found.group(), f"id {len(self._names)}")


class DoorContract:
    """All laws of doors: each gives what the engine in Python gives.

        class TestMyDoor(DoorContract):
            @pytest.fixture
            def door(self, engine):
                return MyDoor(engine)  # with `send(wire, data, *, token=None, key=None)`

    `engine` has the bundled features and runs on `clock`. A door in another process brings an
    engine of its own and says so by `clock = None`. `tells` is what its errors tell.
    """

    tells: ClassVar[tuple[str, ...]] = ("code", "detail", "fields", "params")

    @pytest.fixture
    def clock(self) -> FakeClock | None:
        return FakeClock()

    @pytest.fixture
    def engine(self, clock: FakeClock | None) -> Engine:
        return bundled_engine(clock or FakeClock())

    def same(self, door: Door, script: Script) -> None:
        """Have one conversation with the door and with the engine; both must tell the same."""
        talk, reference = Talk(door), Talk(PythonDoor(bundled_engine(FakeClock())))
        script(talk)
        script(reference)
        assert [self._shown(*each) for each in talk.told] == [
            self._shown(*each) for each in reference.told
        ]

    def _shown(self, what: str, told: Any) -> tuple[str, Any]:
        if what.endswith(" error"):
            return what, {name: told[name] for name in self.tells if name in told}
        return what, told

    def test_a_whole_conversation_is_answered_as_in_python(self, door: Door) -> None:
        self.same(door, _conversation)

    def test_text_of_all_the_world_comes_back(self, door: Door) -> None:
        self.same(door, _all_the_world)

    def test_a_refusal_is_told_with_its_code_its_words_and_its_parameters(self, door: Door) -> None:
        self.same(door, _refusals)

    def test_nobody_learns_which_of_name_and_password_was_wrong(self, door: Door) -> None:
        talk = Talk(door)
        talk.person("ada")
        wrong = talk.say("credentials.sign_in", login="ada", password=PASSWORD * 2)
        assert wrong == talk.say("credentials.sign_in", login="nobody", password=PASSWORD)

    @pytest.mark.parametrize("wire", WIRES)
    def test_what_is_wrong_with_a_field_is_told_as_in_python(self, door: Door, wire: str) -> None:
        right = example(wire)
        broken = [fault(right) for fault in strategies.faults(REGISTRY.messages[wire])]
        # Half a surrogate pair is no text to send: a door refuses the whole of it.
        sendable = [each for each in broken if "\\ud" not in ascii(each.data)]

        def script(talk: Talk) -> None:
            token = talk.person("ada")
            for each in sendable:
                told = talk.send(wire, each.data, token)
                assert told["code"] == "bad_input", each

        self.same(door, script)

    @pytest.mark.parametrize("data", [None, [], "text", 7, True, [["name", "x"]]])
    def test_a_message_that_is_no_object_is_refused(self, door: Door, data: Any) -> None:
        talk = Talk(door)
        assert talk.send("rooms.open", data, talk.person("ada"))["code"] == "bad_input"

    @pytest.mark.parametrize(
        "wire", ["no.such", "", "rooms", "ROOMS.OPEN", "rooms.open ", "방.열기"]
    )
    def test_a_message_that_nobody_knows_is_refused(self, door: Door, wire: str) -> None:
        told = Talk(door).send(wire, {})
        assert told["code"] in {"unknown_message", "http.not_found"}

    @pytest.mark.parametrize("wire", SYSTEMS)
    def test_what_only_the_library_itself_sends_is_refused(self, door: Door, wire: str) -> None:
        talk = Talk(door)
        for token in (None, talk.person("ada")):
            told = talk.send(wire, example(wire), token)
            assert told["code"] in {"unknown_message", "not_signed_in", "not_allowed"}

    @pytest.mark.parametrize("wire", WIRES)
    def test_who_is_not_signed_in_is_refused_where_it_matters(self, door: Door, wire: str) -> None:
        data = example(wire)
        if REGISTRY.messages[wire].spec.access is not Access.ANYONE:
            self.same(door, lambda talk: talk.send(wire, data))

    @pytest.mark.parametrize("token", ["x", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "i am ada"])
    def test_a_token_that_is_not_good_is_refused_also_where_none_is_needed(
        self, door: Door, token: str
    ) -> None:
        for wire, data in (("people.me", {}), ("rooms.open", {"name": "x"})):
            assert Talk(door).send(wire, data, token)["code"] == "not_signed_in"

    def test_a_refresh_token_opens_no_door(self, door: Door) -> None:
        talk = Talk(door)
        talk.person("ada")
        both = talk.say("credentials.sign_in", login="ada", password=PASSWORD)
        assert talk.say("people.me", token=both["refresh_token"])["code"] == "not_signed_in"
        assert talk.say("people.me", token=both["access_token"])["username"] == "ada"

    def test_a_token_that_has_expired_is_refused(self, door: Door, clock: FakeClock | None) -> None:
        if clock is None:
            pytest.skip("the door's clock is its own")
        talk = Talk(door)
        token = talk.person("ada")
        assert talk.say("people.me", token=token)["username"] == "ada"
        clock.advance(minutes=16)
        assert talk.say("people.me", token=token)["code"] == "not_signed_in"

    def test_a_refresh_token_used_twice_ends_its_family(self, door: Door) -> None:
        self.same(door, _refreshing)

    def test_a_key_repeated_is_one_effect_and_one_answer(self, door: Door) -> None:
        self.same(door, _keys)

    @pytest.mark.parametrize("key", ["x" * 256, "a\x7fb"])
    def test_a_malformed_key_is_refused(self, door: Door, key: str) -> None:
        talk = Talk(door)
        told = talk.say("rooms.open", talk.person("ada"), key, name="Deep work")
        assert told["code"] in {"bad_input", "malformed"}

    @pytest.mark.parametrize("wire", [w for w in WIRES if not takes_key(REGISTRY.messages[w])])
    def test_what_takes_no_key_says_so(self, door: Door, wire: str) -> None:
        data = example(wire)
        self.same(door, lambda talk: talk.send(wire, data, talk.person("ada"), "k"))


def _conversation(talk: Talk) -> None:
    ada, bob = talk.person("ada"), talk.person("bob")
    talk.say("people.me", ada)
    room = talk.say("rooms.open", ada, name="Deep work", plan={"work": "PT50M"}, capacity=2)["id"]
    talk.say("rooms.join", bob, room_id=room)
    talk.say("rooms.join", bob, room_id=room)
    for wire in ("timer.start", "timer.start", "timer.pause", "timer.resume", "timer.reset"):
        talk.say(wire, ada, room_id=room)
    talk.say("timer.state", bob, room_id=room)
    talk.say("rooms.public", bob, words="deep", with_count=True)
    talk.say("rooms.public", bob, words="nothing")
    talk.say("rooms.leave", bob, room_id=room)
    talk.say("rooms.close", ada, room_id=room)
    talk.say("rooms.by_id", bob, room_id=room)


def _all_the_world(talk: Talk) -> None:
    ada = talk.person("ada")
    for name in ("조용한 공부방", "🍅 x 2", "e\u0301tude «Straße»", '"; drop & <b>%2F\\'):
        talk.say("rooms.open", ada, name=name, description=f"{name}\n\t{name}")
        talk.say("rooms.public", ada, words=name)


def _refusals(talk: Talk) -> None:
    ada, bob, eve = talk.person("ada"), talk.person("bob"), talk.person("eve")
    talk.person("ADA")
    common = {"email": "new@example.org", "username": "neu", "password": "password"}
    talk.send("credentials.register", common)
    room = talk.say("rooms.open", ada, name="Small", capacity=2)["id"]
    talk.say("timer.state", bob, room_id=room)
    talk.say("rooms.join", bob, room_id=room)
    talk.say("rooms.join", eve, room_id=room)
    talk.say("timer.start", bob, room_id=room)
    for wire in ("timer.pause", "timer.resume"):
        talk.say(wire, ada, room_id=room)
    talk.say("rooms.close", bob, room_id=room)
    talk.say("rooms.close", ada, room_id=room)
    talk.say("rooms.join", eve, room_id=room)
    for wire in ("rooms.by_id", "rooms.join", "timer.start"):
        talk.say(wire, ada, room_id=NOBODY)
    talk.say("people.by_id", ada, person_id=NOBODY)
    talk.say("rooms.public", ada, cursor="nonsense")


def _refreshing(talk: Talk) -> None:
    talk.person("ada")
    first = talk.say("credentials.sign_in", login="ada@example.org", password=PASSWORD)
    second = talk.say("credentials.refresh", refresh_token=first["refresh_token"])
    talk.say("credentials.refresh", refresh_token=first["refresh_token"])
    talk.say("credentials.refresh", refresh_token=second["refresh_token"])
    talk.say("credentials.sign_out", refresh_token=second["refresh_token"])
    talk.send("credentials.sign_out", {"refresh_token": "nonsense"})


def _keys(talk: Talk) -> None:
    ada, bob = talk.person("ada"), talk.person("bob")
    for _ in range(3):
        talk.say("rooms.open", ada, "k 1", name="Once")
    talk.say("rooms.open", ada, "k 1", name="Other")
    talk.say("rooms.open", bob, "k 1", name="Once")
    talk.say("rooms.open", ada, "k 2", name="Once")
    talk.say("rooms.public", ada, words="once", with_count=True)


def example(wire: str) -> dict[str, Any]:
    """Data that a message takes: what it needs, and no more."""
    cls: Any = REGISTRY.messages[wire]
    needed = [field for field in attrs.fields(cls) if field.default is attrs.NOTHING]
    return {field.name: _example_of(field.type) for field in needed}


def _example_of(annotation: Any) -> Any:
    return next(given for given in EXAMPLES if strategies.is_taken(given, annotation))
