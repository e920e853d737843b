"""Accounts: what is held of somebody is theirs to take along, and all of it ends with them."""

from __future__ import annotations

import re
from datetime import timedelta

import attrs
import pytest

from focusmate_core import Origin, codec
from focusmate_core.calls import Call
from focusmate_core.context import QueryContext
from focusmate_core.features import accounts, rooms
from focusmate_core.features.accounts import DeleteAccount, ExportAccount
from focusmate_core.features.credentials import ChangePassword, Register
from focusmate_core.features.days import ChangeDays
from focusmate_core.features.desks import OpenDesk
from focusmate_core.features.invitations import AcceptInvitation
from focusmate_core.features.inviting import InvitePerson, RevokeInvitation
from focusmate_core.features.links import JoinByLink, OpenLink, RevokeLink
from focusmate_core.features.moderation import BanPerson
from focusmate_core.features.people import Person, PersonById
from focusmate_core.features.presence import PresencePolicy, Stay
from focusmate_core.features.profiles import (
    ChangePrivateProfile,
    Me,
    SearchPeople,
    UpdateProfile,
    export_private,
)
from focusmate_core.features.records import RecordSession, ScheduleSession, SessionHistory
from focusmate_core.features.rooms import CloseRoom, RoomById
from focusmate_core.features.seats import AppointModerator, JoinRoom, LeaveRoom
from focusmate_core.features.sessions import Session
from focusmate_core.features.sign_ins import SignIn
from focusmate_core.features.signs import EnterRoom
from focusmate_core.features.stats import DayTotal
from focusmate_core.features.timer_control import StartTimer
from focusmate_core.finding import Find, find_all
from focusmate_core.refusals import NotSignedIn
from focusmate_core.testing.memory import MemoryStorage
from tests.features.test_private_rooms import OverheardStorage, WaitingStorage
from tests.features.town import PASSWORD, Town, Watcher

MINUTE = timedelta(minutes=1)
LEASED = PresencePolicy(lease=2 * MINUTE)
HOME = "203.0.113.77"
NEW = "battery staple 7"
NOWHERE = Origin()


@pytest.fixture
def ada(town):
    return town.person("ada")


@pytest.fixture
def bob(town):
    return town.person("bob")


@pytest.fixture
def cleo(town):
    return town.person("cleo")


def delete(town, person, password=PASSWORD):
    return town.do(DeleteAccount(password=password), person)


def join(town, room, *people):
    for person in people:
        town.do(JoinRoom(room_id=room.id), person)


def rows(town, entity):
    with town.storage.read() as reader:
        return list(find_all(reader, Find(entity)))


def theirs(town, entity, person):
    return [row for row in rows(town, entity) if row.person_id == person.id]


# -- a full life -----------------------------------------------------------------------------------

SAID = {
    "display_name": "Augusta King",
    "bio": "Enchantress of numbers",
    "avatar_url": "https://example.org/lovelace.png",
    "locale": "en-GB",
}
NOTED = {
    "phone": "+44 20 7946 0815",
    "address": "St James's Square 12",
    "education": "Tutored by De Morgan",
}
TEXTS = [
    "countess",
    "augusta king",
    "enchantress",
    "lovelace.png",
    "7946",
    "james's",
    "de morgan",
    "an analytical note",
    "ahead of me",
    "example.org/lovelace",
    "countess@example.org",
    HOME,
    "asia/tokyo",
    "come and count",
]
"""What was hers, as it would stand in any row."""


WHY = "She counts aloud"
"""Why she is banned somewhere; not hers to take along."""


class Life:
    """Ada did everything that leaves something behind."""

    def __init__(self):
        self.town = town = Town(MemoryStorage())
        self.bob = town.person("bob")
        home = Origin(address=HOME)
        email = "Countess@example.org"
        ask = Register(email=email, username="Countess", password=PASSWORD)
        town.do(ask, origin=home)
        self.token = town.do(sign_in(email), origin=home).access_token
        self.ada = ada = town.engine.authenticate(self.token)
        town.do(UpdateProfile(**SAID, shows=frozenset({"focused"})), ada, key="k1")
        town.do(ChangePrivateProfile(**NOTED), ada)
        town.do(ChangeDays(time_zone="Asia/Tokyo"), ada)
        self.sessions()
        self.rooms()

    def sessions(self):
        """One credited, one recorded, one scheduled, and one that goes on."""
        town, ada, now = self.town, self.ada, self.town.clock.now()
        ago, ahead = now - timedelta(days=2), now + timedelta(days=2)
        note = "An analytical note"
        town.do(RecordSession(started_at=ago, length=30 * MINUTE, note=note), ada)
        town.do(ScheduleSession(starts_at=ahead, length=30 * MINUTE, note="Ahead of me"), ada)
        self.over = town.open_room(ada)
        town.do(StartTimer(room_id=self.over.id), ada)
        town.clock.advance(minutes=25)
        town.engine.run_due()
        town.do(CloseRoom(room_id=self.over.id), ada)

    def rooms(self):
        """A desk, a room that goes on with Bob, a seat in his, ways in, and bans."""
        town, ada, bob = self.town, self.ada, self.bob
        self.desk = town.do(OpenDesk(), ada)
        self.hers = town.open_room(ada, name="Engine")
        join(town, self.hers, bob)
        self.his = town.open_room(bob)
        join(town, self.his, ada)
        other = town.open_room(bob)
        town.do(BanPerson(room_id=other.id, person_id=ada.id, reason=WHY), bob)
        town.do(BanPerson(room_id=self.hers.id, person_id=town.somebody().id), ada)
        invited = InvitePerson(room_id=town.open_room(bob).id, person_id=ada.id)
        town.do(invited, bob)
        eve = town.person("eve")
        ask = InvitePerson(room_id=self.hers.id, person_id=eve.id, message="Come and count")
        self.invitation = town.do(ask, ada)
        self.link = town.do(OpenLink(room_id=self.hers.id), ada)
        self.what_is_over()
        town.do(StartTimer(room_id=self.his.id), bob)
        for person in (ada, bob):
            town.do(EnterRoom(room_id=self.his.id), person)
        town.clock.advance(minutes=5)

    def what_is_over(self):
        """An invitation and a link that she took back."""
        town, ada, room_id = self.town, self.ada, self.hers.id
        ask = InvitePerson(room_id=room_id, person_id=town.somebody().id)
        town.do(RevokeInvitation(invitation_id=town.do(ask, ada).id), ada)
        link_id = town.do(OpenLink(room_id=room_id), ada).id
        town.do(RevokeLink(room_id=room_id, link_id=link_id), ada)

    def entities(self):
        return {each.declared.name: each for each in self.town.engine.entities}

    def stored(self):
        """Every row that is stored, by the name of its entity; events and deadlines aside."""
        with self.town.storage.read() as reader:
            return {
                name: [codec.plain(row) for row in find_all(reader, Find(entity))]
                for name, entity in self.entities().items()
            }


def sign_in(email):
    return SignIn(login=email, password=PASSWORD)


@pytest.fixture
def life():
    return Life()


NOT_PEOPLE = {"room_id"}
"""Fields named like those that hold people."""
PEOPLE = re.compile("(.+_)?(id|by|caller)")


def person_fields(entity):
    """The fields of an entity that may hold a person's id."""
    names = {field.name for field in attrs.fields(entity)} - NOT_PEOPLE
    own_key = set() if entity is Person else {"id"}
    return {name for name in names - own_key if PEOPLE.fullmatch(name)}


# -- export ----------------------------------------------------------------------------------------

EXPORTED = {
    "people": "profile",
    "private_profiles": "private",
    "day_rules": "zones",
    "credentials": "credentials",
    "sign_ins": "sign_ins",
    "rooms": "rooms",
    "desks": "rooms",
    "seats": "seats",
    "invitations": "invitations",
    "links": "links",
    "presences": "presence",
    "stays": "stays",
    "sessions": "sessions",
    "day_totals": "days",
}
"""The part of an export in which rows of an entity stand."""
NOT_EXPORTED = {
    "bans": "whom a room does not let in is what its host knows and answers for",
    "answers": "copies of what was answered, kept for a day",
}


def test_every_entity_that_knows_of_people_is_exported_or_says_why_not(life):
    knowing = {name for name, each in life.entities().items() if person_fields(each)}
    assert knowing == EXPORTED.keys() | NOT_EXPORTED.keys()


def test_a_life_leaves_something_in_every_entity_that_knows_of_people(life):
    for name, stored in life.stored().items():
        fields = person_fields(life.entities()[name])
        found = any(row[field] == life.ada.id for row in stored for field in fields)
        assert found == bool(fields), name


def test_an_export_holds_every_row_of_ones_own(life):
    export = life.town.do(ExportAccount(), life.ada)
    assert (export.person_id, export.exported_at) == (life.ada.id, life.town.clock.now())
    assert set(export.parts) == set(EXPORTED.values())
    for name, part in EXPORTED.items():
        fields = person_fields(life.entities()[name])
        own = [row for row in life.stored()[name] if life.ada.id in {row[at] for at in fields}]
        found = export.parts[part]
        if name == "desks":
            assert own[0]["room_id"] in {room["id"] for room in found}
        else:
            assert len(own) == (len(found) if isinstance(found, (list, tuple)) else bool(found))


def test_an_export_says_what_one_said_and_no_secret(life):
    told = repr(life.town.do(ExportAccount(), life.ada).parts).lower()
    assert [text for text in TEXTS if text.lower() not in told.replace('"', "'")] == []
    assert not {"hash", "generation", "signs"} & set(re.findall(r"'(\w+)':", told))


def test_of_what_one_sent_an_export_holds_what_one_said_and_not_what_became_of_it(life):
    parts = life.town.do(ExportAccount(), life.ada).parts
    received, *sent = parts["invitations"]
    said = frozenset({"id", "room_id", "created_at", "expires_at"})
    assert (received["person_id"], received["state"]) == (life.ada.id, "pending")
    assert {frozenset(each) for each in sent} == {said | {"person_id", "message"}}
    assert {frozenset(each) for each in parts["links"]} == {said | {"max_uses"}}


def test_a_part_of_an_export_is_of_whom_it_is_asked_about(life):
    with life.town.storage.read() as reader:
        ctx = QueryContext(life.bob, NOWHERE, life.town.clock.now(), reader, {}, None)
        assert export_private(life.ada.id, ctx).phone == NOTED["phone"]


def test_an_export_goes_through_json_as_it_is(life):
    export = life.town.do(ExportAccount(), life.ada)
    sent = codec.loads(codec.dumps(codec.plain(export)))
    assert codec.value_of(sent, accounts.Export) == export


def test_whom_an_embedder_vouches_for_takes_along_what_they_have(town):
    ghost = town.somebody()
    town.do(ChangePrivateProfile(phone="7"), ghost)
    parts = town.do(ExportAccount(), ghost).parts
    assert (parts["profile"], parts["credentials"], parts["private"]["phone"]) == (None, None, "7")


# -- the end ---------------------------------------------------------------------------------------

TEXTS_REMAIN = {
    ("people", "username_key"): "nobody else may take the username and pass for them",
}
IDS_REMAIN = {
    ("people", "id"): "that there was somebody; posts and messages are theirs",
    ("rooms", "host_id"): "whose room it was that is closed",
    ("bans", "by"): "that somebody is banned holds, whoever said so",
    ("bans", "person_id"): "whom an embedder vouches for may come again, and is still banned",
}


def test_nothing_that_was_private_is_stored_when_an_account_has_ended(life):
    def found():
        return {
            (name, field)
            for name, stored in life.stored().items()
            for row in stored
            for field, value in row.items()
            if any(text.lower() in str(value).lower() for text in (*TEXTS, WHY))
        }

    assert len(found()) > len(TEXTS) - 4
    delete(life.town, life.ada)
    assert found() == set(TEXTS_REMAIN)


def test_where_an_ended_account_is_still_named_there_is_a_reason(life):
    delete(life.town, life.ada)
    found = {
        (name, field)
        for name, stored in life.stored().items()
        for row in stored
        for field, value in row.items()
        if life.ada.id in str(value)
    }
    assert found == set(IDS_REMAIN)


def test_nothing_comes_back_when_time_goes_on(life):
    delete(life.town, life.ada)
    for _ in range(3):
        life.town.clock.advance(hours=1)
        life.town.engine.run_due()
    for entity in (Session, DayTotal, Stay):
        assert theirs(life.town, entity, life.ada) == []
    assert life.town.do(SessionHistory(), life.bob).items[0].credited == 25 * MINUTE


def test_whoever_is_no_more_signs_in_nowhere(life):
    delete(life.town, life.ada)
    with pytest.raises(NotSignedIn):
        life.town.engine.authenticate(life.token)
    assert life.town.code(sign_in("countess@example.org")) == "credentials.wrong"
    assert life.town.code(sign_in("Countess")) == "credentials.wrong"


def test_the_username_stays_theirs_and_the_e_mail_address_is_free(life):
    delete(life.town, life.ada)
    again = {"email": "countess@example.org", "password": PASSWORD}
    taken = Register(**again, username="COUNTESS")
    assert life.town.code(taken) == "credentials.username_taken"
    assert life.town.do(Register(**again, username="ada")).username == "ada"


def test_others_see_a_deleted_user_and_nothing_else(life):
    delete(life.town, life.ada)
    seen = life.town.do(PersonById(person_id=life.ada.id), life.bob)
    assert (seen.username, seen.display_name, seen.is_deleted) == ("deleted user",) * 2 + (True,)
    assert (seen.bio, seen.avatar_url, seen.totals) == ("", None, {})
    for words in ("countess", "augusta", "deleted", "user"):
        assert life.town.do(SearchPeople(words=words), life.bob).items == ()


def test_ones_stream_tells_the_end_last(life):
    watcher = Watcher(life.town, f"user:{life.ada.id}")
    delete(life.town, life.ada)
    assert [each.type for each in watcher.catch_up()][-1] == "people.deleted"
    assert watcher.parts["person"].display_name == ""


def test_whoever_is_no_more_does_nothing_more(life):
    delete(life.town, life.ada)
    before = life.town.storage.fingerprint()
    for message in (DeleteAccount(), Me(), UpdateProfile(bio="boo")):
        assert life.town.code(message, life.ada) == "not_signed_in"
    assert life.town.storage.fingerprint() == before


# -- who may ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("password", ["wrong horse 9", None])
def test_an_account_does_not_end_without_its_password(town, ada, password):
    refused = town.refused(DeleteAccount(password=password), ada)
    assert refused.code == "credentials.wrong_password"
    assert town.do(Me(), ada).username == "ada"


def test_an_account_does_not_end_by_a_password_that_was_changed_in_that_moment(town, ada):
    ready = town.engine.ready(Call(DeleteAccount(password=PASSWORD), ada))
    town.do(ChangePassword(current_password=PASSWORD, new_password=NEW), ada)
    (outcome,) = town.engine.run([ready])
    assert outcome.refusal.code == "credentials.wrong_password"
    delete(town, ada, NEW)


def test_whom_an_embedder_vouches_for_needs_no_password_and_may_come_again(town, bob):
    ghost = town.somebody()
    town.do(ChangePrivateProfile(phone="7"), ghost)
    room = town.open_room(ghost)
    town.do(DeleteAccount(), ghost)
    assert not town.do(RoomById(room_id=room.id), bob).is_open
    assert town.do(ExportAccount(), ghost).parts["private"]["phone"] == ""
    assert town.open_room(ghost).is_open
    town.do(DeleteAccount(), ghost)


# -- rooms -----------------------------------------------------------------------------------------


def test_a_room_goes_on_with_a_moderator_as_host(town, ada, bob, cleo):
    room = town.open_room(ada)
    join(town, room, bob, cleo)
    town.do(AppointModerator(room_id=room.id, person_id=cleo.id), ada)
    watcher = Watcher(town, f"room:{room.id}")
    delete(town, ada)
    told = [each.type for each in watcher.catch_up()]
    assert told == ["rooms.left", "rooms.handed_over", "presence.left"]
    assert town.do(RoomById(room_id=room.id), bob).host_id == cleo.id
    assert town.do(RoomById(room_id=room.id), bob).seated == 2


def test_without_a_moderator_whoever_is_there_for_the_longest_is_the_host(town, ada, bob, cleo):
    room = town.open_room(ada)
    for person in (cleo, bob):
        town.clock.advance(minutes=1)
        join(town, room, person)
    delete(town, ada)
    assert town.do(RoomById(room_id=room.id), bob).host_id == cleo.id


def test_a_host_who_left_before_has_an_heir_too(town, ada, bob):
    room = town.open_room(ada)
    join(town, room, bob)
    town.do(LeaveRoom(room_id=room.id), ada)
    delete(town, ada)
    assert town.do(RoomById(room_id=room.id), bob).host_id == bob.id


def test_a_room_that_nobody_is_left_in_is_closed_as_is_a_desk(town, ada, bob):
    room, desk = town.open_room(ada), town.do(OpenDesk(), ada)
    watcher = Watcher(town, f"room:{room.id}")
    delete(town, ada)
    assert not town.do(RoomById(room_id=room.id), bob).is_open
    assert town.engine.snapshot(f"room:{desk.id}").parts["room"]["is_open"] is False
    assert "rooms.closed" in [each.type for each in watcher.catch_up()]


def test_a_room_of_somebody_elses_loses_one_and_a_closed_one_only_its_seat(town, ada, bob):
    closed, open_ = town.open_room(bob), town.open_room(bob)
    join(town, closed, ada)
    join(town, open_, ada)
    town.do(CloseRoom(room_id=closed.id), bob)
    before = town.told(f"room:{closed.id}")
    delete(town, ada)
    assert town.do(RoomById(room_id=open_.id), bob).seated == 1
    assert town.told(f"room:{closed.id}") == before
    assert theirs(town, rooms.Seat, ada) == []
    assert len(theirs(town, rooms.Seat, bob)) == 2


def test_nobody_comes_in_any_more_by_an_invitation_of_whoever_is_no_more(life):
    delete(life.town, life.ada)
    eve = life.town.engine.authenticate(life.town.sign_in("eve").access_token)
    accept = AcceptInvitation(invitation_id=life.invitation.id)
    assert life.town.code(accept, eve) == "invitations.not_found"
    assert life.town.code(JoinByLink(code=life.link.code), eve) == "links.not_good"


def test_rooms_that_are_closed_are_not_locked_when_an_account_ends():
    town = Town(OverheardStorage())
    ada, bob = town.somebody(), town.somebody()
    rooms = [town.open_room(host) for host in (ada, bob, ada)]
    join(town, rooms[1], ada)
    for room, host in zip(rooms[:2], (ada, bob), strict=True):
        town.do(CloseRoom(room_id=room.id), host)
    town.storage.trace.clear()
    town.do(DeleteAccount(), ada)
    locks = [str(each) for each in town.storage.trace if "'hold': True" in str(each)]
    assert [any(room.id in asked for asked in locks) for room in rooms] == [False, False, True]


def test_a_room_that_is_closed_while_they_wait_for_it_is_left_as_it_is(town):
    town = Town(WaitingStorage())
    ada = town.somebody()
    room = town.open_room(ada)
    closed = {"is_open": False, "seated": 0, "closed_at": town.clock.now()}
    town.storage.meanwhile = lambda unit: unit.put(unit.get(rooms.Room, room.id).but(**closed))
    told = town.types(f"room:{room.id}")
    town.do(DeleteAccount(), ada)
    assert town.storage.meanwhile is None
    assert town.types(f"room:{room.id}") == told


# -- credit ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [[], [LEASED]], ids=["joined", "leased"])
@pytest.mark.parametrize("leaves", [False, True])
def test_what_is_erased_is_not_credited_again_and_others_lose_nothing(storage, settings, leaves):
    town = Town(storage, settings=settings)
    ada, bob = town.person("ada"), town.person("bob")
    room = town.open_room(bob)
    join(town, room, ada)
    town.do(StartTimer(room_id=room.id), bob)
    for _ in range(10):
        town.clock.advance(minutes=1)
        town.do(EnterRoom(room_id=room.id), bob)
        town.do(EnterRoom(room_id=room.id), ada)
    if leaves:
        town.do(LeaveRoom(room_id=room.id), ada)
    delete(town, ada)
    for _ in range(16):
        town.clock.advance(seconds=59)
        town.do(EnterRoom(room_id=room.id), bob)
        town.engine.run_due()
    assert [each.person_id for each in rows(town, Session)] == [bob.id]
    assert rows(town, Session)[0].credited == 25 * MINUTE
    for entity in (DayTotal, Stay):
        assert theirs(town, entity, ada) == []


def test_what_is_due_where_they_are_happens_before_they_leave(town, ada, bob):
    room = town.open_room(bob)
    join(town, room, ada)
    town.do(StartTimer(room_id=room.id), bob)
    town.clock.advance(minutes=30)
    delete(town, ada)
    told = town.types(f"room:{room.id}")
    assert told.index("timer.phase_ended") < told.index("rooms.left")
    assert town.types(f"user:{ada.id}")[-2:] == ["sessions.credited", "people.deleted"]
