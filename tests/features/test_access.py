"""Who may do what: every message, sent by everybody; a message without a row here fails."""

from __future__ import annotations

from datetime import timedelta
from itertools import product

import pytest

from focusmate_core import ANONYMOUS, SYSTEM, Actor
from focusmate_core.features import BUNDLED, rooms, seats
from focusmate_core.features.inviting import InvitePerson
from focusmate_core.features.links import OpenLink
from focusmate_core.features.plans import Plan, TimerKind
from focusmate_core.features.records import RecordSession, ScheduleSession
from focusmate_core.features.roles import ChangeRoles, Role
from focusmate_core.features.timer_control import PauseTimer, StartTimer
from focusmate_core.registry import Registry
from focusmate_core.testing.clock import START
from focusmate_core.testing.memory import MemoryStorage
from tests.features.town import PASSWORD, Town

WHO = (
    "nobody",
    "a stranger",
    "a member",
    "a moderator of the room",
    "the host",
    "a moderator",
    "an admin",
    "the library",
)

NAMES = {
    "a stranger": "eve",
    "a member": "bob",
    "a moderator of the room": "cleo",
    "the host": "ada",
    "a moderator": "moe",
    "an admin": "root",
}

# A room whose timer the host controls; a moderator and an admin are not in it.
NOBODYS = ("not_signed_in",)
OPEN_TO_ALL = ("ok",) * 8
SIGNED_IN = NOBODYS + ("ok",) * 7
HOSTS_TIMER = ("rooms.not_in_it", "not_allowed", "not_allowed", "ok", *("rooms.not_in_it",) * 3)
MEMBERS = (*NOBODYS, "rooms.not_in_it", "ok", "ok", "ok", *("rooms.not_in_it",) * 3)
HOSTS = (*NOBODYS, *("not_allowed",) * 3, "ok", *("not_allowed",) * 3)
# Whoever moderates the room, or all rooms.
MODERATORS = (*NOBODYS, *("not_allowed",) * 2, *("ok",) * 5)
THE_LIBRARYS = ("not_allowed",) * 7 + ("ok",)
INVITERS = (*NOBODYS, *("not_allowed",) * 2, "ok", "ok", *("not_allowed",) * 3)
# An invitation to the stranger, by the host.
THE_INVITED = (*NOBODYS, "ok", *("invitations.not_found",) * 6)
# A session of the member's.
ONES_OWN = (*NOBODYS, "sessions.not_found", "ok", *("sessions.not_found",) * 5)

# A sign-in of the member's.
NO_SIGN_IN = "credentials.sign_in_not_found"

TABLE: dict[str, tuple[str, ...]] = {
    "credentials.register": OPEN_TO_ALL,
    "credentials.sign_in": OPEN_TO_ALL,
    "credentials.refresh": OPEN_TO_ALL,
    "credentials.sign_out": OPEN_TO_ALL,
    "credentials.change_password": NOBODYS + ("ok",) * 6 + ("credentials.wrong_password",),
    "credentials.sign_ins": SIGNED_IN,
    "credentials.end_sign_in": (*NOBODYS, NO_SIGN_IN, "ok", *(NO_SIGN_IN,) * 5),
    "credentials.sign_out_everywhere": SIGNED_IN,
    "people.change_roles": NOBODYS + ("not_allowed",) * 5 + ("ok", "ok"),
    "accounts.export": SIGNED_IN,
    "accounts.delete": SIGNED_IN,
    "people.me": NOBODYS + ("ok",) * 6 + ("not_signed_in",),
    "people.update": NOBODYS + ("ok",) * 6 + ("not_signed_in",),
    "people.by_id": SIGNED_IN,
    "people.search": SIGNED_IN,
    "people.private": SIGNED_IN,
    "people.change_private": SIGNED_IN,
    "rooms.open": SIGNED_IN,
    "rooms.by_id": SIGNED_IN,
    "rooms.public": SIGNED_IN,
    "rooms.join": SIGNED_IN,
    "rooms.leave": SIGNED_IN,
    "rooms.close": (*NOBODYS, *("not_allowed",) * 3, *("ok",) * 4),
    "rooms.appoint": HOSTS,
    "rooms.mine": SIGNED_IN,
    "rooms.preview": SIGNED_IN,
    "rooms.update": HOSTS,
    "rooms.hand_over": HOSTS,
    "rooms.members": MEMBERS,
    "rooms.remove": MODERATORS,
    "rooms.ban": MODERATORS,
    "rooms.unban": MODERATORS,
    "rooms.bans": MODERATORS,
    "presence.enter": MEMBERS,
    "presence.report": (*NOBODYS, "presence.nowhere", *("ok",) * 3, *("presence.nowhere",) * 3),
    "presence.in_room": MEMBERS,
    "presence.mine": SIGNED_IN,
    "presence.renew": THE_LIBRARYS,
    "presence.service_returned": THE_LIBRARYS,
    "presence.end_lapsed": THE_LIBRARYS,
    "desks.open": SIGNED_IN,
    "invitations.invite": INVITERS,
    "invitations.of_room": INVITERS,
    "invitations.revoke": (*INVITERS[:5], *("invitations.not_found",) * 3),
    "invitations.mine": SIGNED_IN,
    "invitations.accept": THE_INVITED,
    "invitations.decline": THE_INVITED,
    "links.open": INVITERS,
    "links.of_room": INVITERS,
    "links.revoke": INVITERS,
    "links.preview": SIGNED_IN,
    "links.join": SIGNED_IN,
    "days.change": SIGNED_IN,
    "days.today": SIGNED_IN,
    "days.history": SIGNED_IN,
    "timer.state": MEMBERS,
    "timer.start": NOBODYS + HOSTS_TIMER,
    "timer.pause": NOBODYS + HOSTS_TIMER,
    "timer.resume": NOBODYS + HOSTS_TIMER,
    "timer.reset": NOBODYS + HOSTS_TIMER,
    "timer.skip": NOBODYS + HOSTS_TIMER,
    "timer.complete": NOBODYS + HOSTS_TIMER,
    "timer.extend": NOBODYS + HOSTS_TIMER,
    "timer.change_plan": HOSTS,
    "timer.end_phase": THE_LIBRARYS,
    "sessions.by_id": ONES_OWN,
    "sessions.history": SIGNED_IN,
    "sessions.annotate": ONES_OWN,
    "sessions.record": SIGNED_IN,
    "sessions.remove": ONES_OWN,
    "sessions.schedule": SIGNED_IN,
    "sessions.cancel": ONES_OWN,
    "stats.days": SIGNED_IN,
    "stats.recount": SIGNED_IN,
}

BEFORE = {
    "timer.pause": (StartTimer,),
    "timer.resume": (StartTimer, PauseTimer),
    "timer.complete": (StartTimer,),
    "timer.extend": (StartTimer,),
}
"""What the host does first, so that the message is possible."""
CONTROLS = [wire for wire, row in TABLE.items() if row == NOBODYS + HOSTS_TIMER]
MINUTE = timedelta(minutes=1)
NEW = "battery staple 7"


class Scene:
    """A room with its host and a member; others stand outside."""

    def __init__(self, town, wire, suffix=""):
        self.town = town
        self.suffix = suffix
        self.ada, self.bob, cleo = (self.person(name) for name in ("ada", "bob", "cleo"))
        bob = self.bob
        self.plan = Plan(kind=TimerKind.FLOWTIME) if wire == "timer.complete" else Plan()
        self.room = town.open_room(self.ada, plan=self.plan)
        self.tokens = town.sign_in(f"bob{suffix}")
        self.cleo = cleo
        self.take_seats()
        for step in BEFORE.get(wire, ()):
            town.do(step(room_id=self.room.id), self.ada)
        self.session = self.a_session(wire)
        self.people = {
            "nobody": ANONYMOUS,
            "a stranger": self.person("eve"),
            "a member": bob,
            "a moderator of the room": cleo,
            "the host": self.ada,
            "a moderator": self.official("moe", Role.MODERATOR),
            "an admin": self.official("root", Role.ADMIN),
            "the library": SYSTEM,
        }
        self.invitation, self.link = self.ways_in(wire)

    def take_seats(self):
        """Two join, and one of them is made a moderator of the room."""
        for member in (self.bob, self.cleo):
            self.town.do(seats.JoinRoom(room_id=self.room.id), member)
        appoint = seats.AppointModerator(room_id=self.room.id, person_id=self.cleo.id)
        self.town.do(appoint, self.ada)

    def ways_in(self, wire):
        """An invitation to the stranger and a link, where the message is about such."""
        if not wire.startswith(("invitations.", "links.")):
            return None, None
        ask = InvitePerson(room_id=self.room.id, person_id=self.people["a stranger"].id)
        link = OpenLink(room_id=self.room.id)
        return self.town.do(ask, self.ada).id, self.town.do(link, self.ada)

    def person(self, name):
        """Somebody whose name no other scene in this town has."""
        return self.town.person(name + self.suffix)

    def official(self, name, role):
        """Somebody with a role in the whole community."""
        change = ChangeRoles(person_id=self.person(name).id, roles=frozenset({role}))
        self.town.do(change, Actor(id="the first admin", roles=frozenset({"admin"})))
        return self.town.engine.authenticate(self.town.sign_in(name + self.suffix).access_token)

    def token(self, who):
        """An access token of theirs; None for who has none."""
        name = NAMES.get(who)
        return name and self.town.sign_in(name + self.suffix).access_token

    def a_session(self, wire):
        """The member's: an hour ago by hand, or in an hour, where only that can be cancelled."""
        hour, now = timedelta(hours=1), self.town.clock.now()
        ask = RecordSession(started_at=now - hour, length=hour)
        if wire == "sessions.cancel":
            ask = ScheduleSession(starts_at=now + hour, length=hour)
        return self.town.do(ask, self.bob).id

    def message(self, wire):
        """One that is possible here, so that only who sends it matters."""
        token = self.tokens.refresh_token
        fields = {
            "credentials.register": {**self.new(), "password": PASSWORD},
            "credentials.sign_in": {"login": f"bob{self.suffix}", "password": PASSWORD},
            "credentials.refresh": {"refresh_token": token},
            "credentials.sign_out": {"refresh_token": token},
            "credentials.change_password": {"current_password": PASSWORD, "new_password": NEW},
            "credentials.sign_ins": {},
            "credentials.end_sign_in": {"sign_in_id": self.bob.sign_in},
            "credentials.sign_out_everywhere": {},
            "people.change_roles": {"person_id": self.bob.id, "roles": frozenset()},
            "accounts.export": {},
            "accounts.delete": {"password": PASSWORD},
            "people.me": {},
            "people.update": {"bio": "Here to read."},
            "people.by_id": {"person_id": self.ada.id},
            "people.search": {"words": "ada"},
            "people.private": {},
            "people.change_private": {"phone": "+41 44 123 45 67"},
            "rooms.open": {"name": "Other"},
            "rooms.public": {},
            "rooms.appoint": {"room_id": self.room.id, "person_id": self.bob.id},
            "rooms.mine": {},
            "rooms.hand_over": {"room_id": self.room.id, "person_id": self.bob.id},
            "rooms.remove": {"room_id": self.room.id, "person_id": self.bob.id},
            "rooms.ban": {"room_id": self.room.id, "person_id": self.bob.id},
            "rooms.unban": {"room_id": self.room.id, "person_id": self.bob.id},
            "presence.report": {"is_idle": True},
            "presence.mine": {},
            "presence.renew": {"heard": ()},
            "presence.service_returned": {},
            "desks.open": {},
            "invitations.invite": {"room_id": self.room.id, "person_id": "somebody"},
            "invitations.revoke": {"invitation_id": self.invitation},
            "invitations.mine": {},
            "invitations.accept": {"invitation_id": self.invitation},
            "invitations.decline": {"invitation_id": self.invitation},
            "links.revoke": {"room_id": self.room.id, "link_id": self.link and self.link.id},
            "links.preview": {"code": self.link and self.link.code},
            "links.join": {"code": self.link and self.link.code},
            "days.change": {"time_zone": "Asia/Tokyo"},
            "days.today": {},
            "days.history": {},
            "timer.extend": {"room_id": self.room.id, "span": MINUTE},
            "timer.change_plan": {"room_id": self.room.id, "plan": Plan(work=MINUTE)},
            "sessions.by_id": {"session_id": self.session},
            "sessions.annotate": {"session_id": self.session, "note": "good"},
            "sessions.remove": {"session_id": self.session},
            "sessions.cancel": {"session_id": self.session},
            "sessions.history": {},
            "sessions.record": {"started_at": START - timedelta(days=1), "length": MINUTE},
            "sessions.schedule": {"starts_at": START + timedelta(days=1), "length": MINUTE},
            "stats.days": {"first": "2026-01-05", "last": "2026-01-05"},
            "stats.recount": {},
        }.get(wire, {"room_id": self.room.id})
        return self.town.engine.registry.message(wire)(**fields)

    def new(self):
        name = f"new{self.suffix}"
        return {"email": f"{name}@example.org", "username": name}

    def send(self, wire, who):
        return self.town.code(self.message(wire), self.people[who])


def test_every_message_has_its_row_with_a_word_for_everybody():
    assert set(Registry(BUNDLED).messages) == set(TABLE)
    assert {len(row) for row in TABLE.values()} == {len(WHO)}


@pytest.mark.parametrize(("wire", "number"), [*product(TABLE, range(len(WHO)))])
def test_everybody_may_do_what_the_table_says_and_no_more(wire, number):
    scene = Scene(Town(MemoryStorage()), wire)
    before = scene.town.storage.fingerprint()
    code = scene.send(wire, WHO[number])
    assert code == TABLE[wire][number]
    if code != "ok":
        assert scene.town.storage.fingerprint() == before


@pytest.mark.parametrize("wire", CONTROLS)
@pytest.mark.parametrize(
    ("control", "allowed"),
    [
        (rooms.Control.EVERYONE, {"a member", "a moderator of the room", "the host"}),
        (rooms.Control.MODERATORS, {"a moderator of the room", "the host"}),
        (rooms.Control.HOST, {"the host"}),
    ],
)
def test_whoever_controls_the_timer_only_who_is_inside_does(wire, control, allowed):
    codes = codes_of(wire, control)
    assert codes.pop("nobody") == "not_signed_in"
    assert {who for who, code in codes.items() if code == "ok"} == allowed
    outside = set(codes) - {"a member", "a moderator of the room", "the host"}
    assert {codes[who] for who in outside} == {"rooms.not_in_it"}


@pytest.mark.parametrize("wire", CONTROLS)
def test_whom_the_host_made_a_moderator_controls_the_timer_of_moderators(wire):
    appoint = [seats.AppointModerator]
    assert codes_of(wire, rooms.Control.MODERATORS, appoint)["a member"] == "ok"
    assert codes_of(wire, rooms.Control.HOST, appoint)["a member"] == "not_allowed"


def codes_of(wire, control, before=()):
    """What each is told in a room of this control, each in a scene of their own."""
    codes = {}
    for who in WHO:
        scene = Scene(Town(MemoryStorage()), wire)
        host, bob = scene.ada, scene.bob
        scene.room = scene.town.open_room(host, control=control, plan=scene.plan)
        scene.take_seats()
        for step in before:
            scene.town.do(step(room_id=scene.room.id, person_id=bob.id), host)
        for step in BEFORE.get(wire, ()):
            scene.town.do(step(room_id=scene.room.id), host)
        codes[who] = scene.send(wire, who)
    return codes
