"""Moderation: who may remove and ban whom; and however many act at once, the room stays right."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from random import Random

import pytest

from focusmate_core import Actor
from focusmate_core.features.directory import MyRooms
from focusmate_core.features.moderation import BanPerson, RemovePerson, RoomBans, UnbanPerson
from focusmate_core.features.presence import PresencePolicy
from focusmate_core.features.records import SessionHistory
from focusmate_core.features.room_changes import UpdateRoom
from focusmate_core.features.rooms import CloseRoom, RoomById
from focusmate_core.features.seats import AppointModerator, JoinRoom, RoomMembers
from focusmate_core.features.signs import MyPresence
from focusmate_core.features.timer_control import StartTimer
from focusmate_core.testing.conformance.storage.kit import in_threads
from focusmate_core.testing.memory import MemoryStorage
from focusmate_sqlalchemy import SqlStorage
from tests.features.town import Town, Watcher, is_gapless

ACTS = (RemovePerson, BanPerson)


def stream(room):
    return f"room:{room.id}"


class Table:
    """A room with a host, two moderators and two members; others stand outside."""

    def __init__(self, town):
        names = ("host", "moderator", "other moderator", "member", "other member", "stranger")
        self.people = {name: town.somebody() for name in names}
        for role in ("moderator", "admin"):
            roles = frozenset({role})
            self.people[f"community {role}"] = Actor(id=town.somebody().id, roles=roles)
        self.room = town.open_room(self.people["host"])
        for name in names[1:5]:
            town.do(JoinRoom(room_id=self.room.id), self.people[name])
        for name in names[1:3]:
            ask = AppointModerator(room_id=self.room.id, person_id=self.people[name].id)
            town.do(ask, self.people["host"])


ABOVE = ("host", "community moderator", "community admin")
INSIDE = ("moderator", "other moderator", "member", "other member")


def expected(who, whom):
    """What whoever acts on somebody else is told."""
    if who not in {*ABOVE, "moderator"}:
        return "not_allowed"
    if whom == "host":
        return "rooms.host_stays"
    if who == "moderator" and whom in {"moderator", "other moderator"}:
        return "not_allowed"
    return "ok"


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize(
    ("who", "whom"),
    [
        *product(
            ("host", "moderator", "member", "stranger", "community moderator", "community admin"),
            ("host", "moderator", "other moderator", "other member", "stranger"),
        )
    ],
)
def test_whoever_looks_after_a_room_removes_who_stands_below_them(act, who, whom):
    town = Town(MemoryStorage())
    table = Table(town)
    watcher = Watcher(town, stream(table.room))
    ask = act(room_id=table.room.id, person_id=table.people[whom].id)
    code = town.code(ask, table.people[who])
    assert code == expected(who, whom)
    if code == "ok":
        inside = {each.person_id for each in watcher_of(town, table).items}
        assert inside == {table.people[name].id for name in ("host", *INSIDE) if name != whom}
    watcher.catch_up()


def watcher_of(town, table):
    return town.do(RoomMembers(room_id=table.room.id), table.people["host"])


@pytest.mark.parametrize(
    "ask", [RoomBans, lambda room_id: UnbanPerson(room_id=room_id, person_id="x")]
)
def test_only_who_looks_after_a_room_sees_and_lifts_its_bans(town, ask):
    table = Table(town)
    codes = {name: town.code(ask(room_id=table.room.id), who) for name, who in table.people.items()}
    allowed = {name for name, code in codes.items() if code == "ok"}
    assert allowed == {*ABOVE, "moderator", "other moderator"}
    assert {codes[name] for name in codes.keys() - allowed} == {"not_allowed"}


def test_whoever_looks_after_public_rooms_is_a_member_like_others_of_a_private_one(town):
    table = Table(town)
    room_id, host = table.room.id, table.people["host"]
    for name in ABOVE[1:]:
        town.do(JoinRoom(room_id=room_id), table.people[name])
    town.do(UpdateRoom(room_id=room_id, is_public=False), host)
    member = table.people["member"].id
    asks = [
        *(act(room_id=room_id, person_id=member) for act in (*ACTS, UnbanPerson)),
        *(look(room_id=room_id) for look in (RoomBans, CloseRoom)),
    ]
    told = {name: {town.code(ask, table.people[name]) for ask in asks} for name in ABOVE[1:]}
    assert told == {"community moderator": {"not_allowed"}, "community admin": {"ok"}}


@pytest.mark.parametrize("name", ["community moderator", "community admin"])
def test_nobody_lifts_the_ban_on_themselves(town, name):
    table = Table(town)
    who = table.people[name]
    town.do(BanPerson(room_id=table.room.id, person_id=who.id), table.people["host"])
    lift = UnbanPerson(room_id=table.room.id, person_id=who.id)
    assert town.code(lift, who) == "not_allowed"
    assert town.code(JoinRoom(room_id=table.room.id), who) == "rooms.banned"
    assert town.code(lift, table.people["moderator"]) == "ok"
    assert town.code(JoinRoom(room_id=table.room.id), who) == "ok"


# -- what removing does ---------------------------------------------------------------------------


def test_who_is_removed_has_no_seat_is_not_there_and_may_come_back(town, ada, bob, room):
    town.do(JoinRoom(room_id=room.id), bob)
    ask = RemovePerson(room_id=room.id, person_id=bob.id)
    assert town.do(ask, ada).seated == 1
    told = town.all_told()
    assert town.do(ask, ada).seated == 1
    assert town.all_told() == told
    assert town.do(MyPresence(), bob).here is None
    assert not town.engine.may_watch(stream(room), actor=bob)
    assert town.do(JoinRoom(room_id=room.id), bob).seated == 2


@pytest.mark.parametrize(("act", "is_banned"), [(RemovePerson, False), (BanPerson, True)])
def test_the_room_is_told_by_whom_and_so_is_whom_it_concerns(town, ada, bob, room, act, is_banned):
    town.do(JoinRoom(room_id=room.id), bob)
    town.do(act(room_id=room.id, person_id=bob.id), ada)
    left = next(each for each in town.told(stream(room)) if each.type == "rooms.left")
    fact = town.decoded(left)
    assert (fact.person_id, fact.removed_by, fact.seated) == (bob.id, ada.id, 1)
    assert getattr(fact, fact.fact.ends_watching) == bob.id
    (envelope,) = town.told(f"user:{bob.id}")
    told = town.decoded(envelope)
    assert (told.room_id, told.by, told.is_banned) == (room.id, ada.id, is_banned)


def test_who_is_removed_in_mid_phase_is_credited_up_to_then(town, ada, bob, room):
    town.do(JoinRoom(room_id=room.id), bob)
    town.do(StartTimer(room_id=room.id), ada)
    town.clock.advance(minutes=10)
    town.do(RemovePerson(room_id=room.id, person_id=bob.id), ada)
    town.clock.advance(minutes=15)
    town.engine.run_due()
    credited = [
        session.credited for who in (ada, bob) for session in town.do(SessionHistory(), who).items
    ]
    assert credited == [timedelta(minutes=25), timedelta(minutes=10)]


def test_what_happened_where_they_are_is_told_before_they_are_removed_elsewhere(storage):
    town = Town(storage, settings=[PresencePolicy(lease=timedelta(hours=1))])
    ada, bob = town.somebody(), town.somebody()
    room, other = town.open_room(ada), town.open_room(bob)
    town.do(JoinRoom(room_id=room.id), bob)
    town.do(JoinRoom(room_id=other.id), bob)
    town.do(StartTimer(room_id=other.id), bob)
    town.clock.advance(minutes=30)
    town.do(RemovePerson(room_id=room.id, person_id=bob.id), ada)
    told = town.told(f"user:{bob.id}")
    assert [each.at for each in told] == sorted(each.at for each in told)
    assert told[-1].type == "rooms.removed"


@pytest.mark.parametrize("act", ACTS)
def test_who_has_no_seat_in_the_room_is_in_peace_wherever_they_are(town, ada, bob, room, act):
    other = town.open_room(bob, is_public=False)
    town.do(StartTimer(room_id=other.id), bob)
    town.clock.advance(minutes=30)
    told = town.all_told()
    town.do(act(room_id=room.id, person_id=bob.id), ada)
    assert town.all_told() == told


# -- everybody at once ----------------------------------------------------------------------------


ROUNDS = 12


@pytest.fixture(params=["memory", "sqlite"])
def engines(request, tmp_path):
    """Two services over what is stored once."""
    if request.param == "memory":
        storages = [MemoryStorage()] * 2
    else:
        url = f"sqlite:///{tmp_path / 'town.db'}"
        storages = [SqlStorage(url, synchronous="OFF") for _ in range(2)]
    first = Town(storages[0])
    second = Town(storages[1], clock=first.clock)
    second.ids, second.engine.ids = first.ids, first.engine.ids
    yield first, second
    for each in set(storages):
        each.close()


def at_once(engines, *asks):
    """Everybody asks at the same time, of the one service and the other; what each is told."""
    towns = [engines[number % 2] for number in range(len(asks))]
    return in_threads(
        *(lambda town=town, ask=ask: town.code(*ask) for town, ask in zip(towns, asks, strict=True))
    )


def joins(room, crowd):
    return [(JoinRoom(room_id=room.id), one) for one in crowd]


def look(town, room, host):
    """The room, who is in it by each that tells, all the same."""
    seen = town.do(RoomById(room_id=room.id), host)
    members = {seat.person_id for seat in town.do(RoomMembers(room_id=room.id), host).items}
    parts = town.parts(stream(room))
    assert parts["room"] == seen
    assert members == {seat.person_id for seat in parts["seats"]}
    assert seen.seated == len(members)
    assert {each.person_id for each in parts["presence"]} <= members
    assert is_gapless(town.told(stream(room)))
    nothing = town.parts("room:nowhere")
    assert town.applied(nothing, town.told(stream(room))) == parts
    return seen, members


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_of_a_join_beside_a_ban_nobody_banned_is_inside(engines, seed):
    town, _ = engines
    ada, *crowd = (town.somebody() for _ in range(5))
    room = town.open_room(ada)
    bans = [(BanPerson(room_id=room.id, person_id=one.id), ada) for one in crowd[:3]]
    asks = [*joins(room, crowd), *joins(room, crowd), *bans]
    Random(seed).shuffle(asks)
    codes = at_once(engines, *asks)
    assert set(codes) <= {"ok", "rooms.banned"}
    _, members = look(town, room, ada)
    assert members == {ada.id, crowd[3].id}
    for one in crowd[:3]:
        assert town.code(JoinRoom(room_id=room.id), one) == "rooms.banned"
        assert town.do(MyPresence(), one).here is None
        assert not town.engine.may_watch(stream(room), actor=one)


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_of_a_join_beside_a_close_nobody_is_seated(engines, seed):
    town, _ = engines
    ada, *crowd = (town.somebody() for _ in range(7))
    room = town.open_room(ada)
    asks = [*joins(room, crowd), (CloseRoom(room_id=room.id), ada)]
    Random(seed).shuffle(asks)
    codes = at_once(engines, *asks)
    assert set(codes) <= {"ok", "rooms.closed"}
    seen, members = look(town, room, ada)
    assert (seen.is_open, members) == (False, set())
    for (_, one), code in zip(asks, codes, strict=True):
        was_in = room.id in {each.id for each in town.do(MyRooms(with_closed=True), one).items}
        assert was_in == (code == "ok")
        assert town.do(MyPresence(), one).here is None
    assert town.types(stream(room))[-1] == "rooms.closed"


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_of_a_join_beside_a_change_of_capacity_there_are_never_more_than_seats(engines, seed):
    town, _ = engines
    ada, *crowd = (town.somebody() for _ in range(7))
    room = town.open_room(ada, capacity=6)
    smaller = [(UpdateRoom(room_id=room.id, capacity=seats), ada) for seats in (4, 3, 2)]
    asks = [*joins(room, crowd), *smaller]
    Random(seed).shuffle(asks)
    codes = at_once(engines, *asks)
    assert set(codes) <= {"ok", "rooms.full", "rooms.too_few_seats"}
    seen, members = look(town, room, ada)
    assert seen.seated <= seen.capacity
    inside = {who.id for (ask, who), code in zip(asks, codes, strict=True) if code == "ok"}
    assert members == inside | {ada.id}


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_of_a_join_beside_the_room_becoming_private_each_is_told_one_or_the_other(engines, seed):
    town, _ = engines
    ada, *crowd = (town.somebody() for _ in range(7))
    room = town.open_room(ada)
    asks = [*joins(room, crowd), (UpdateRoom(room_id=room.id, is_public=False), ada)]
    Random(seed).shuffle(asks)
    codes = at_once(engines, *asks)
    assert set(codes) <= {"ok", "rooms.not_found"}
    _, members = look(town, room, ada)
    inside = {who.id for (_, who), code in zip(asks, codes, strict=True) if code == "ok"}
    assert members == inside | {ada.id}


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_of_two_changes_of_one_revision_one_is_made(engines, seed):
    town, _ = engines
    ada = town.somebody()
    room = town.open_room(ada)
    names = [f"Name {seed} {number}" for number in range(6)]
    asks = [(UpdateRoom(room_id=room.id, name=name, revision=1), ada) for name in names]
    codes = at_once(engines, *asks)
    assert sorted(codes) == ["ok", *["outdated"] * 5]
    seen, _ = look(town, room, ada)
    assert (seen.name, seen.revision) == (names[codes.index("ok")], 2)
