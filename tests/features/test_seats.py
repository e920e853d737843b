"""Seats: joining takes one, leaving gives it back, and there are never more people than seats."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from focusmate_core import ANONYMOUS, BadInput, Call, Refusal
from focusmate_core.features.rooms import CloseRoom, RoomById
from focusmate_core.features.seats import AppointModerator, JoinRoom, LeaveRoom, RoomMembers
from focusmate_core.testing.conformance.storage.kit import in_threads
from tests.features.town import STORAGES, Town, Watcher, is_gapless


def stream(room):
    return f"room:{room.id}"


def people_in(town, room):
    return {seat.person_id for seat in town.parts(stream(room))["seats"]}


def test_who_joins_is_in_and_counted(town, ada, bob, room):
    joined = town.do(JoinRoom(room_id=room.id), bob)
    assert joined.seated == 2
    assert people_in(town, room) == {ada.id, bob.id}


def test_joining_twice_is_joining_once(town, bob, room):
    joined = town.do(JoinRoom(room_id=room.id), bob)
    told = town.all_told()
    assert town.do(JoinRoom(room_id=room.id), bob) == joined
    assert town.all_told() == told


def test_leaving_twice_is_leaving_once(town, ada, bob, room):
    town.do(JoinRoom(room_id=room.id), bob)
    left = town.do(LeaveRoom(room_id=room.id), bob)
    told = town.all_told()
    assert left.seated == 1
    assert town.do(LeaveRoom(room_id=room.id), bob) == left
    assert town.all_told() == told
    assert people_in(town, room) == {ada.id}


def test_whoever_leaves_may_come_back(town, bob, room):
    for message in (JoinRoom, LeaveRoom, JoinRoom):
        town.do(message(room_id=room.id), bob)
    assert bob.id in people_in(town, room)


def test_a_host_who_leaves_remains_the_host(town, ada, room):
    town.do(LeaveRoom(room_id=room.id), ada)
    assert people_in(town, room) == set()
    assert town.do(CloseRoom(room_id=room.id), ada).is_open is False


def test_a_full_room_says_how_many_it_seats_and_a_leaver_makes_room(town, ada, bob):
    room = town.open_room(ada, capacity=2)
    town.do(JoinRoom(room_id=room.id), bob)
    carl = town.somebody()
    refusal = town.refused(JoinRoom(room_id=room.id), carl)
    assert (refusal.code, refusal.params()) == ("rooms.full", {"capacity": 2})
    assert town.code(JoinRoom(room_id=room.id), bob) == "ok"
    town.do(LeaveRoom(room_id=room.id), bob)
    assert town.do(JoinRoom(room_id=room.id), carl).seated == 2


@pytest.mark.parametrize("message", [JoinRoom, LeaveRoom])
def test_nobody_comes_or_goes_in_a_closed_room_or_in_none(town, ada, bob, room, message):
    town.do(CloseRoom(room_id=room.id), ada)
    for somebody in (ada, bob):
        assert town.code(message(room_id=room.id), somebody) == "rooms.closed"
    assert town.code(message(room_id=bob.id), bob) == "rooms.not_found"


# -- everybody at once -----------------------------------------------------------------------------


def test_of_five_hundred_who_join_at_once_as_many_are_in_as_there_are_seats(town, ada):
    room = town.open_room(ada, capacity=11)
    crowd = [town.somebody() for _ in range(500)]
    ask = JoinRoom(room_id=room.id)
    codes = in_threads(*(lambda one=one: town.code(ask, one) for one in crowd))
    assert (codes.count("ok"), codes.count("rooms.full")) == (10, 490)
    inside = {one.id for one, code in zip(crowd, codes, strict=True) if code == "ok"}
    assert people_in(town, room) == {ada.id} | inside
    assert town.do(RoomById(room_id=room.id), ada).seated == 11
    assert town.types(stream(room)).count("rooms.joined") == 11
    assert is_gapless(town.told(stream(room)))


def test_of_five_hundred_joins_in_one_commit_as_many_are_in_as_there_are_seats(town, ada):
    room = town.open_room(ada, capacity=11)
    calls = [Call(JoinRoom(room_id=room.id), town.somebody()) for _ in range(500)]
    refused = [outcome.refusal for outcome in town.engine.run(calls)]
    assert [refusal and refusal.code for refusal in refused] == [None] * 10 + ["rooms.full"] * 490
    assert len(people_in(town, room)) == 11


def test_one_person_who_joins_many_times_at_once_takes_one_seat(town, ada, bob):
    room = town.open_room(ada, capacity=2)
    codes = in_threads(*[lambda: town.code(JoinRoom(room_id=room.id), bob)] * 50)
    assert set(codes) == {"ok"}
    assert town.types(stream(room)).count("rooms.joined") == 2


def test_nobody_gets_into_a_room_that_is_being_closed(town, ada):
    room = town.open_room(ada)
    crowd = [town.somebody() for _ in range(20)]
    joins = [lambda one=one: town.code(JoinRoom(room_id=room.id), one) for one in crowd]
    in_threads(*joins[:10], lambda: town.code(CloseRoom(room_id=room.id), ada), *joins[10:])
    types = town.types(stream(room))
    assert types[-1] == "rooms.closed"
    assert town.do(RoomById(room_id=room.id), ada).seated == 0


def test_a_room_without_capacity_seats_more_than_a_page_of_people(town, ada):
    room = town.open_room(ada)
    crowd = [town.somebody() for _ in range(1_005)]
    town.engine.run([Call(JoinRoom(room_id=room.id), one) for one in crowd])
    assert people_in(town, room) == {ada.id} | {one.id for one in crowd}
    nothing = town.parts("room:nowhere")
    assert town.applied(nothing, town.told(stream(room))) == town.parts(stream(room))


# -- who may watch ---------------------------------------------------------------------------------


def watching(town, room, who):
    try:
        town.engine.subscribe(stream(room), actor=who)
    except Refusal as refusal:
        assert not town.engine.may_watch(stream(room), actor=who)
        return refusal.code
    assert town.engine.may_watch(stream(room), actor=who)
    return "ok"


def test_a_room_is_watched_by_who_sits_in_it(town, ada, bob, room):
    assert watching(town, room, ada) == "ok"
    assert watching(town, room, bob) == "rooms.not_in_it"
    assert watching(town, room, ANONYMOUS) == "not_signed_in"
    town.do(JoinRoom(room_id=room.id), bob)
    assert watching(town, room, bob) == "ok"
    town.do(LeaveRoom(room_id=room.id), bob)
    assert watching(town, room, bob) == "rooms.not_in_it"


def test_who_sat_there_to_the_end_may_read_the_end(town, ada, bob, room):
    town.do(JoinRoom(room_id=room.id), bob)
    town.do(LeaveRoom(room_id=room.id), bob)
    town.do(CloseRoom(room_id=room.id), ada)
    assert watching(town, room, ada) == "ok"
    assert watching(town, room, bob) == "rooms.not_in_it"


@pytest.mark.parametrize(
    "name", ["room:", "room", "room:nowhere", "nothing", "", "room:" + "x" * 500]
)
def test_a_stream_that_is_not_is_not_found(town, ada, name):
    with pytest.raises(Refusal) as refused:
        town.engine.subscribe(name, actor=ada)
    assert refused.value.code == "stream_not_found"
    assert len(refused.value.params()["stream"]) <= 100


def test_who_has_left_is_named_by_the_event_that_ends_the_watching(town, bob, room):
    town.do(JoinRoom(room_id=room.id), bob)
    town.do(LeaveRoom(room_id=room.id), bob)
    told = [town.decoded(envelope) for envelope in town.told(stream(room))]
    (left,) = (each for each in told if each.fact.ends_watching)
    assert (left.fact.wire, getattr(left, left.fact.ends_watching)) == ("rooms.left", bob.id)


# -- moderators of a room --------------------------------------------------------------------------


def seat_of(town, room, person):
    return next(each for each in town.parts(stream(room))["seats"] if each.person_id == person.id)


def test_the_host_makes_somebody_a_moderator_and_takes_it_back(town, ada, bob, room):
    town.do(JoinRoom(room_id=room.id), bob)
    assert not seat_of(town, room, bob).is_moderator
    for is_moderator in (True, False):
        ask = AppointModerator(room_id=room.id, person_id=bob.id, is_moderator=is_moderator)
        assert town.do(ask, ada).is_moderator is is_moderator
        assert seat_of(town, room, bob).is_moderator is is_moderator
        assert not seat_of(town, room, ada).is_moderator


def test_appointing_twice_is_appointing_once(town, ada, bob, room):
    town.do(JoinRoom(room_id=room.id), bob)
    ask = AppointModerator(room_id=room.id, person_id=bob.id)
    first = town.do(ask, ada)
    assert town.do(ask, ada) == first
    assert town.types(stream(room)).count("rooms.appointed") == 1


def test_only_who_sits_there_is_made_a_moderator_and_a_seat_given_up_was_the_right(
    town, ada, bob, room
):
    ask = AppointModerator(room_id=room.id, person_id=bob.id)
    assert town.code(ask, ada) == "rooms.person_not_in_it"
    town.do(JoinRoom(room_id=room.id), bob)
    town.do(ask, ada)
    town.do(LeaveRoom(room_id=room.id), bob)
    town.do(JoinRoom(room_id=room.id), bob)
    assert not seat_of(town, room, bob).is_moderator


def test_a_moderator_of_the_room_appoints_nobody(town, ada, bob, room):
    town.do(JoinRoom(room_id=room.id), bob)
    town.do(AppointModerator(room_id=room.id, person_id=bob.id), ada)
    ask = AppointModerator(room_id=room.id, person_id=ada.id)
    assert town.code(ask, bob) == "not_allowed"


def test_nobody_is_appointed_in_a_closed_room(town, ada, room):
    town.do(CloseRoom(room_id=room.id), ada)
    ask = AppointModerator(room_id=room.id, person_id=ada.id)
    assert town.code(ask, ada) == "rooms.closed"


# -- who has a seat --------------------------------------------------------------------------------


def test_members_are_listed_page_by_page_and_by_id(town, ada, room):
    crowd = [ada, *(town.somebody() for _ in range(24))]
    for one in crowd[1:]:
        town.clock.advance(seconds=1)
        town.do(JoinRoom(room_id=room.id), one)
    town.do(AppointModerator(room_id=room.id, person_id=crowd[3].id), ada)
    first = town.do(RoomMembers(room_id=room.id), ada)
    rest = town.do(RoomMembers(room_id=room.id, limit=100, cursor=first.next_cursor), crowd[7])
    assert (*first.items, *rest.items) == town.parts(stream(room))["seats"]
    assert (len(first.items), rest.next_cursor) == (20, None)
    with pytest.raises(BadInput):
        town.do(RoomMembers(room_id=room.id, cursor="nonsense"), ada)


def test_only_who_is_in_a_room_or_hosts_it_sees_its_members(town, ada, bob, room):
    ask = RoomMembers(room_id=room.id)
    assert town.code(ask, bob) == "rooms.not_in_it"
    town.do(LeaveRoom(room_id=room.id), ada)
    assert town.do(ask, ada).items == ()
    town.do(JoinRoom(room_id=room.id), bob)
    assert [seat.person_id for seat in town.do(ask, bob).items] == [bob.id]


def test_a_closed_room_has_no_members(town, ada, room):
    town.do(CloseRoom(room_id=room.id), ada)
    assert town.do(RoomMembers(room_id=room.id), ada).items == ()


# -- any order of coming and going -----------------------------------------------------------------

GUESTS = range(5)
guests = st.sampled_from(GUESTS)


class ComingAndGoing(RuleBasedStateMachine):
    """People come and go in a room; a list of names says who is there."""

    storage_of = staticmethod(STORAGES["memory"])
    databases = Path()

    @initialize(capacity=st.none() | st.integers(2, 4))
    def open(self, capacity):
        self.town = Town(self.storage_of(self.databases))
        self.people = [self.town.somebody() for _ in GUESTS]
        self.room = self.town.open_room(self.people[0], capacity=capacity)
        self.watcher = Watcher(self.town, stream(self.room))
        self.seats = capacity or len(GUESTS)
        self.inside = {0}
        self.moderators = set()
        self.closed = False

    @rule(who=guests)
    def join(self, who):
        code = self.town.code(JoinRoom(room_id=self.room.id), self.people[who])
        if self.closed:
            assert code == "rooms.closed"
        elif who in self.inside or len(self.inside) < self.seats:
            assert code == "ok"
            self.inside.add(who)
        else:
            assert code == "rooms.full"

    @rule(who=guests)
    def leave(self, who):
        code = self.town.code(LeaveRoom(room_id=self.room.id), self.people[who])
        assert code == ("rooms.closed" if self.closed else "ok")
        self.inside.discard(who)
        self.moderators -= set() if self.closed else {who}

    @rule(who=guests, is_moderator=st.booleans())
    def appoint(self, who, is_moderator):
        person_id = self.people[who].id
        ask = AppointModerator(room_id=self.room.id, person_id=person_id, is_moderator=is_moderator)
        code = self.town.code(ask, self.people[0])
        if self.closed:
            assert code == "rooms.closed"
        elif who not in self.inside:
            assert code == "rooms.person_not_in_it"
        else:
            assert code == "ok"
            self.moderators = self.moderators - {who} | ({who} if is_moderator else set())

    @precondition(lambda self: len(self.inside) > 1)
    @rule()
    def close(self):
        self.town.do(CloseRoom(room_id=self.room.id), self.people[0])
        self.closed, self.inside, self.moderators = True, set(), set()

    @invariant()
    def exactly_they_are_seen_inside(self):
        expected = {self.people[who].id for who in self.inside}
        assert people_in(self.town, self.room) == expected
        seen = self.town.do(RoomById(room_id=self.room.id), self.people[0])
        assert (seen.seated, seen.is_open) == (len(expected), not self.closed)
        parts = self.town.parts(stream(self.room))
        assert parts["room"] == seen
        moderators = {seat.person_id for seat in parts["seats"] if seat.is_moderator}
        assert moderators == {self.people[who].id for who in self.moderators}

    @invariant()
    def who_applies_the_events_sees_the_same(self):
        self.watcher.catch_up()

    def teardown(self):
        if hasattr(self, "town"):
            self.town.storage.close()


@pytest.mark.parametrize("name", STORAGES)
def test_exactly_those_are_inside_who_came_and_did_not_go(name):
    with tempfile.TemporaryDirectory() as folder:
        where = {"storage_of": staticmethod(STORAGES[name]), "databases": Path(folder)}
        machine = type("ComingAndGoing", (ComingAndGoing,), where)
        run_state_machine_as_test(machine, settings=settings(stateful_step_count=20))
