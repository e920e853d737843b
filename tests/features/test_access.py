"""Who may do what: every message, sent by everybody; a message without a row here fails."""

from __future__ import annotations

from itertools import product

import pytest

from focusmate_core import ANONYMOUS, SYSTEM, Actor
from focusmate_core.features import BUNDLED, rooms, seats
from focusmate_core.features.timer_control import PauseTimer, ResetTimer, ResumeTimer, StartTimer
from focusmate_core.registry import Registry
from focusmate_core.testing.memory import MemoryStorage
from tests.features.town import PASSWORD, Town

WHO = ("nobody", "a stranger", "a member", "the host", "a moderator", "an admin", "the library")

# A room whose timer the host controls; a moderator and an admin are not in it.
NOBODYS = ("not_signed_in",)
OPEN_TO_ALL = ("ok",) * 7
SIGNED_IN = NOBODYS + ("ok",) * 6
HOSTS_TIMER = ("rooms.not_in_it", "not_allowed", "ok", *("rooms.not_in_it",) * 3)

TABLE: dict[str, tuple[str, ...]] = {
    "credentials.register": OPEN_TO_ALL,
    "credentials.sign_in": OPEN_TO_ALL,
    "credentials.refresh": OPEN_TO_ALL,
    "credentials.sign_out": OPEN_TO_ALL,
    "people.me": NOBODYS + ("ok",) * 5 + ("not_signed_in",),
    "people.by_id": SIGNED_IN,
    "rooms.open": SIGNED_IN,
    "rooms.by_id": SIGNED_IN,
    "rooms.public": SIGNED_IN,
    "rooms.join": SIGNED_IN,
    "rooms.leave": SIGNED_IN,
    "rooms.close": (*NOBODYS, "not_allowed", "not_allowed", "ok", "ok", "ok", "not_allowed"),
    "timer.state": (*NOBODYS, "rooms.not_in_it", "ok", "ok", *("rooms.not_in_it",) * 3),
    "timer.start": NOBODYS + HOSTS_TIMER,
    "timer.pause": NOBODYS + HOSTS_TIMER,
    "timer.resume": NOBODYS + HOSTS_TIMER,
    "timer.reset": NOBODYS + HOSTS_TIMER,
    "timer.end_phase": ("not_allowed",) * 6 + ("ok",),
}

BEFORE = {"timer.pause": (StartTimer,), "timer.resume": (StartTimer, PauseTimer)}
"""What the host does first, so that the message is possible."""
NEW = {"email": "new@example.org", "username": "new"}


class Scene:
    """A room with its host and a member; others stand outside."""

    def __init__(self, storage, wire):
        self.town = town = Town(storage)
        self.ada, bob = town.person("ada"), town.person("bob")
        self.room = town.open_room(self.ada)
        self.tokens = town.sign_in("bob")
        town.do(seats.JoinRoom(room_id=self.room.id), bob)
        for step in BEFORE.get(wire, ()):
            town.do(step(room_id=self.room.id), self.ada)
        self.people = {
            "nobody": ANONYMOUS,
            "a stranger": town.person("eve"),
            "a member": bob,
            "the host": self.ada,
            "a moderator": Actor(id=town.person("moe").id, roles=frozenset({"moderator"})),
            "an admin": Actor(id=town.person("root").id, roles=frozenset({"admin"})),
            "the library": SYSTEM,
        }

    def message(self, wire):
        """One that is possible here, so that only who sends it matters."""
        token = self.tokens.refresh_token
        fields = {
            "credentials.register": {**NEW, "password": PASSWORD},
            "credentials.sign_in": {"login": "bob", "password": PASSWORD},
            "credentials.refresh": {"refresh_token": token},
            "credentials.sign_out": {"refresh_token": token},
            "people.me": {},
            "people.by_id": {"person_id": self.ada.id},
            "rooms.open": {"name": "Other"},
            "rooms.public": {},
        }.get(wire, {"room_id": self.room.id})
        return self.town.engine.registry.message(wire)(**fields)

    def send(self, wire, who):
        return self.town.code(self.message(wire), self.people[who])


def test_every_message_has_its_row_with_a_word_for_everybody():
    assert set(Registry(BUNDLED).messages) == set(TABLE)
    assert {len(row) for row in TABLE.values()} == {len(WHO)}


@pytest.mark.parametrize(("wire", "number"), [*product(TABLE, range(len(WHO)))])
def test_everybody_may_do_what_the_table_says_and_no_more(wire, number):
    scene = Scene(MemoryStorage(), wire)
    before = scene.town.storage.fingerprint()
    code = scene.send(wire, WHO[number])
    assert code == TABLE[wire][number]
    if code != "ok":
        assert scene.town.storage.fingerprint() == before


@pytest.mark.parametrize("message", [StartTimer, PauseTimer, ResumeTimer, ResetTimer])
def test_where_everyone_controls_the_timer_still_only_who_is_inside_does(message):
    wire = message.spec.wire
    scene = Scene(MemoryStorage(), wire)
    host = scene.people["the host"]
    scene.room = scene.town.open_room(host, control=rooms.Control.EVERYONE)
    scene.town.do(seats.JoinRoom(room_id=scene.room.id), scene.people["a member"])
    codes = {}
    for who in WHO:
        scene.town.do(ResetTimer(room_id=scene.room.id), host)
        for step in BEFORE.get(wire, ()):
            scene.town.do(step(room_id=scene.room.id), host)
        codes[who] = scene.send(wire, who)
    assert codes.pop("nobody") == "not_signed_in"
    assert {who for who, code in codes.items() if code == "ok"} == {"a member", "the host"}
    assert set(codes.values()) == {"ok", "rooms.not_in_it"}
