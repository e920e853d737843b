"""Desks: a room of one that nobody else knows of."""

from __future__ import annotations

import pytest

from focusmate_core import Actor, Refusal
from focusmate_core.features.desks import OpenDesk
from focusmate_core.features.directory import PublicRooms
from focusmate_core.features.plans import Plan
from focusmate_core.features.presence import Status
from focusmate_core.features.rooms import CloseRoom, RoomById
from focusmate_core.features.seats import AppointModerator, JoinRoom, LeaveRoom
from focusmate_core.features.signs import EnterRoom, MyPresence, PresenceInRoom
from focusmate_core.features.timer import TimerState
from focusmate_core.features.timer_control import (
    ChangePlan,
    CompleteTimer,
    PauseTimer,
    ResetTimer,
    ResumeTimer,
    SkipPhase,
    StartTimer,
)
from focusmate_core.features.timer_machine import State

ABOUT_A_ROOM = (
    RoomById,
    JoinRoom,
    LeaveRoom,
    CloseRoom,
    EnterRoom,
    PresenceInRoom,
    TimerState,
    StartTimer,
    PauseTimer,
    ResumeTimer,
    ResetTimer,
    SkipPhase,
    CompleteTimer,
)


@pytest.fixture
def desk(town, ada):
    return town.do(OpenDesk(), ada)


def test_a_desk_is_a_room_of_one_with_a_timer_like_any_other(town, ada, desk):
    assert (desk.host_id, desk.capacity, desk.seated, desk.is_public) == (ada.id, 1, 1, False)
    assert town.do(StartTimer(room_id=desk.id), ada).state is State.RUNNING
    here = town.do(PresenceInRoom(room_id=desk.id), ada).items
    assert [(each.person_id, each.status) for each in here] == [(ada.id, Status.ACTIVE)]


def test_sitting_down_again_is_sitting_at_the_same_desk(town, ada, desk):
    before = town.all_told()
    again = town.do(OpenDesk(name="Other"), ada)
    assert again == desk
    assert town.all_told() == before


def test_each_has_a_desk_of_their_own(town, bob, desk):
    assert town.do(OpenDesk(), bob).id != desk.id


@pytest.mark.parametrize("message", ABOUT_A_ROOM)
def test_a_stranger_does_not_know_of_it(town, bob, desk, message):
    nowhere = town.refused(message(room_id=bob.id), bob)
    refused = town.refused(message(room_id=desk.id), bob)
    assert str(refused) == str(nowhere)
    assert refused.code == "rooms.not_found"


def test_nor_may_a_stranger_change_its_plan_or_appoint_anybody(town, bob, desk):
    for ask in (
        ChangePlan(room_id=desk.id, plan=Plan()),
        AppointModerator(room_id=desk.id, person_id=bob.id),
    ):
        assert town.code(ask, bob) == "rooms.not_found"


def test_a_stranger_cannot_watch_it_and_is_told_that_there_is_no_such_stream(town, ada, bob, desk):
    stream = f"room:{desk.id}"
    with pytest.raises(Refusal) as refused:
        town.engine.subscribe(stream, actor=bob)
    assert refused.value.code == "stream_not_found"
    assert town.engine.may_watch(stream, actor=ada)


def test_nobody_hears_of_it_and_it_is_in_no_list(town, ada, bob, desk):
    town.do(CloseRoom(room_id=desk.id), ada)
    assert town.told("public") == []
    for who in (ada, bob):
        assert town.do(PublicRooms(), who).items == ()


def test_an_admin_knows_of_it(town, desk):
    admin = Actor(id=town.somebody().id, roles=frozenset({"admin"}))
    assert town.do(RoomById(room_id=desk.id), admin).id == desk.id


def test_a_desk_that_was_closed_is_made_anew(town, ada, desk):
    town.do(CloseRoom(room_id=desk.id), ada)
    anew = town.do(OpenDesk(name="Kitchen"), ada)
    assert (anew.id != desk.id, anew.name, anew.is_open) == (True, "Kitchen", True)
    assert town.do(MyPresence(), ada).here.room_id == anew.id
    assert town.do(OpenDesk(), ada) == anew


def test_who_stood_up_from_the_desk_sits_down_again_by_opening_it(town, ada, desk):
    town.do(LeaveRoom(room_id=desk.id), ada)
    assert town.do(MyPresence(), ada).here is None
    again = town.do(OpenDesk(), ada)
    assert (again.id, again.seated) == (desk.id, 1)
    assert town.do(MyPresence(), ada).here.room_id == desk.id
    assert town.engine.may_watch(f"room:{desk.id}", actor=ada)
    assert town.do(StartTimer(room_id=desk.id), ada).state is State.RUNNING
