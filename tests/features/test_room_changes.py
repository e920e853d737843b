"""Room changes: only what is given changes, by whose word, and whoever knows of it is told."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focusmate_core import BadInput, codec
from focusmate_core.features.desks import OpenDesk
from focusmate_core.features.directory import PublicRooms
from focusmate_core.features.plans import Plan, TimerKind
from focusmate_core.features.room_changes import HandOverRoom, UpdateRoom
from focusmate_core.features.rooms import CloseRoom, Control, RoomById, RoomView
from focusmate_core.features.seats import AppointModerator, JoinRoom, LeaveRoom, RoomMembers
from focusmate_core.features.timer import TimerState
from focusmate_core.features.timer_control import ChangePlan, StartTimer
from focusmate_core.testing.memory import MemoryStorage
from focusmate_core.testing.strategies import instances
from tests.features.town import Town, Watcher

LONGER = Plan(work=timedelta(minutes=50))
SET = ("name", "description", "is_public", "control", "settings", "plan")


def update(town, room, by, **changes):
    return town.do(UpdateRoom(room_id=room.id, **changes), by)


def refused(town, room, by, **changes):
    return town.refused(UpdateRoom(room_id=room.id, **changes), by)


@given(ask=instances(UpdateRoom, revision=st.none()))
def test_exactly_what_is_given_changes(ask):
    town = Town(MemoryStorage())
    ada = town.somebody()
    room = town.open_room(ada, capacity=9, avatar_url="https://a.b/c", settings={"a": 1})
    ask = ask.but(room_id=room.id, capacity=2 if ask.capacity == 1 else ask.capacity)
    watcher = Watcher(town, f"room:{room.id}")
    expected = {name: getattr(ask, name) for name in SET if getattr(ask, name) is not None}
    for name in ("avatar_url", "capacity"):
        if getattr(ask, name) is not None:
            expected[name] = getattr(ask, name) or None
    wanted = room.but(**expected)
    changed = town.do(ask, ada)
    is_other = codec.plain(wanted) != codec.plain(room)
    assert changed == wanted.but(revision=2 if is_other else 1)
    assert town.do(RoomById(room_id=room.id), ada) == changed
    watcher.catch_up()


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "공부방"},
        {"description": ""},
        {"avatar_url": "https://example.org/a.png"},
        {"capacity": 2},
        {"is_public": False},
        {"control": Control.EVERYONE},
        {"settings": {"b": [1, None], "a": {"c": "d"}}},
        {"plan": LONGER},
    ],
)
def test_saying_what_is_already_so_changes_nothing(town, ada, changes):
    room = town.open_room(ada, description="Quiet", settings={"old": True})
    changed = update(town, room, ada, **changes)
    assert codec.plain(changed) == codec.plain(room.but(**changes, revision=2))
    told = town.all_told()
    assert update(town, room, ada, **changes) == changed
    assert town.all_told() == told


def test_true_is_not_one_in_what_a_host_keeps(town, ada):
    room = town.open_room(ada, settings={"a": 1})
    assert update(town, room, ada, settings={"a": True}).revision == 2
    assert codec.plain(town.do(RoomById(room_id=room.id), ada).settings) == {"a": True}


def test_what_is_empty_is_there_no_more(town, ada):
    room = town.open_room(
        ada, capacity=5, avatar_url="https://example.org/a.png", settings={"a": 1}
    )
    changed = update(town, room, ada, capacity=0, avatar_url="", settings={}, description="")
    assert (changed.capacity, changed.avatar_url, changed.settings) == (None, None, {})


def test_a_room_seats_two_or_more(town, ada, room):
    with pytest.raises(BadInput, match="capacity: must be from 2"):
        update(town, room, ada, capacity=1)


def test_only_the_host_changes_a_room_and_only_an_open_one(town, ada, bob, room):
    town.do(JoinRoom(room_id=room.id), bob)
    town.do(AppointModerator(room_id=room.id, person_id=bob.id), ada)
    assert refused(town, room, bob, name="Mine").code == "not_allowed"
    town.do(CloseRoom(room_id=room.id), ada)
    assert refused(town, room, ada, name="Mine").code == "rooms.closed"


# -- revisions ------------------------------------------------------------------------------------


def test_a_change_of_a_revision_that_is_no_more_is_not_made(town, ada, room):
    update(town, room, ada, name="Second", revision=1)
    refusal = refused(town, room, ada, name="Third", revision=1)
    assert (refusal.code, refusal.params()) == ("outdated", {"revision": 2})
    assert refused(town, room, ada, name="Second", revision=1).code == "outdated"
    assert update(town, room, ada, name="Third", revision=2).revision == 3


def test_who_comes_and_goes_changes_no_revision(town, ada, bob, room):
    for ask in (JoinRoom, LeaveRoom):
        assert town.do(ask(room_id=room.id), bob).revision == 1


# -- capacity -------------------------------------------------------------------------------------


def test_a_capacity_goes_down_to_those_inside_and_not_below(town, ada, bob):
    room = town.open_room(ada)
    for who in (bob, town.somebody()):
        town.do(JoinRoom(room_id=room.id), who)
    refusal = refused(town, room, ada, capacity=2)
    assert (refusal.code, refusal.params()) == ("rooms.too_few_seats", {"seated": 3})
    assert update(town, room, ada, capacity=3).capacity == 3
    assert town.code(JoinRoom(room_id=room.id), town.somebody()) == "rooms.full"
    assert update(town, room, ada, name="Still three").capacity == 3


def test_a_desk_stays_a_desk(town, ada):
    desk = town.do(OpenDesk(), ada)
    for changes in ({"capacity": 2}, {"capacity": 0}, {"is_public": True}):
        assert refused(town, desk, ada, **changes).code == "rooms.for_one"
    assert update(town, desk, ada, name="Kitchen", plan=LONGER).name == "Kitchen"
    assert town.told("public") == []


# -- public and private ---------------------------------------------------------------------------


def list_of(town):
    """The list of public rooms as a watcher of `public` keeps it."""
    rooms = {}
    for envelope in town.told("public"):
        told = codec.loads(envelope.data)
        if "room" in told:
            rooms[told["room"]["id"]] = codec.value_of(told["room"], RoomView)
        else:
            del rooms[told["room_id"]]
    return rooms


def test_whoever_watches_what_is_public_keeps_the_list_right(town, ada, bob):
    rooms = [town.open_room(ada, is_public=is_public) for is_public in (True, True, False)]
    town.do(JoinRoom(room_id=rooms[0].id), bob)

    def is_right():
        listed = {room.id: room for room in town.do(PublicRooms(), ada).items}
        return list_of(town) == {key: room.but(seated=1) for key, room in listed.items()}

    town.do(LeaveRoom(room_id=rooms[0].id), bob)
    for room in rooms:
        update(town, room, ada, name=f"Now {room.id[-4:]}")
        assert is_right()
    for is_public in (False, True, False, True):
        for room in rooms:
            update(town, room, ada, is_public=is_public)
            assert is_right()
    town.do(ChangePlan(room_id=rooms[0].id, plan=LONGER), ada)
    town.do(CloseRoom(room_id=rooms[1].id), ada)
    assert is_right()


def test_of_a_room_that_is_private_now_the_public_hears_only_that_it_is_gone(town, ada, room):
    update(town, room, ada, is_public=False, name="Secret")
    update(town, room, ada, name="More secret")
    town.do(CloseRoom(room_id=room.id), ada)
    assert town.types("public") == ["rooms.opened", "rooms.withdrawn"]
    assert "ecret" not in "".join(each.data for each in town.told("public"))


# -- plan -----------------------------------------------------------------------------------------


def told_of(town, way, steps, plan):
    """What is there, and what was told, after a plan was changed in this way."""
    host = town.somebody()
    room = town.open_room(host)
    watcher = Watcher(town, f"room:{room.id}")
    for step in steps:
        town.do(step(room_id=room.id), host)
    town.do(way(room_id=room.id, plan=plan), host)
    watcher.catch_up()
    timer = town.do(TimerState(room_id=room.id), host)
    changed = town.do(RoomById(room_id=room.id), host)
    return timer.but(room_id=""), changed.but(id="", host_id=""), town.types(f"room:{room.id}")


@pytest.mark.parametrize("steps", [(), (StartTimer,)])
@pytest.mark.parametrize("plan", [LONGER, Plan(kind=TimerKind.COUNTDOWN), Plan()])
def test_a_plan_changed_with_the_room_is_a_plan_changed(town, steps, plan):
    told = told_of(town, UpdateRoom, steps, plan)
    assert told == told_of(town, ChangePlan, steps, plan)
    assert told[2].count("timer.plan_changed") == (plan != Plan())


# -- hand over ------------------------------------------------------------------------------------


def hand_over(room, who):
    return HandOverRoom(room_id=room.id, person_id=who.id)


def seats_of(town, room, by):
    items = town.do(RoomMembers(room_id=room.id), by).items
    return {seat.person_id: seat.is_moderator for seat in items}


def test_who_is_handed_a_room_is_its_host_and_the_former_one_a_moderator(town, ada, bob, room):
    watcher = Watcher(town, f"room:{room.id}")
    town.do(JoinRoom(room_id=room.id), bob)
    handed = town.do(hand_over(room, bob), ada)
    assert (handed.host_id, handed.revision) == (bob.id, 2)
    assert seats_of(town, room, bob) == {ada.id: True, bob.id: False}
    assert town.code(UpdateRoom(room_id=room.id, name="Mine"), ada) == "not_allowed"
    assert town.code(UpdateRoom(room_id=room.id, name="Mine"), bob) == "ok"
    watcher.catch_up()
    assert town.types("public")[1:] == ["rooms.handed_over", "rooms.changed"]


def test_handing_over_twice_is_handing_over_once(town, ada, bob, room):
    town.do(JoinRoom(room_id=room.id), bob)
    assert town.do(hand_over(room, ada), ada).host_id == ada.id
    town.do(hand_over(room, bob), ada)
    told = town.all_told()
    assert town.do(hand_over(room, bob), bob).host_id == bob.id
    assert town.code(hand_over(room, bob), ada) == "not_allowed"
    assert town.all_told() == told
    town.do(hand_over(room, ada), bob)
    assert seats_of(town, room, ada) == {ada.id: True, bob.id: True}


def test_only_who_sits_there_is_handed_a_room(town, ada, bob, room):
    assert town.code(hand_over(room, bob), ada) == "rooms.person_not_in_it"
    town.do(JoinRoom(room_id=room.id), bob)
    assert town.code(hand_over(room, bob), bob) == "not_allowed"
    town.do(CloseRoom(room_id=room.id), ada)
    assert town.code(hand_over(room, bob), ada) == "rooms.closed"


def test_a_host_who_left_may_hand_the_room_over_and_is_no_member_by_that(town, ada, bob, room):
    town.do(JoinRoom(room_id=room.id), bob)
    town.do(LeaveRoom(room_id=room.id), ada)
    town.do(hand_over(room, bob), ada)
    assert seats_of(town, room, bob) == {bob.id: False}
