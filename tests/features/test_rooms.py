"""Rooms: opened and closed by their host, for good."""

from __future__ import annotations

from datetime import timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from focusmate_core import Actor, BadInput, codec
from focusmate_core.features.plans import Phase, Plan
from focusmate_core.features.rooms import CloseRoom, Control, OpenRoom, Room, RoomById, RoomView
from focusmate_core.features.seats import JoinRoom
from focusmate_core.testing.conformance.storage.kit import in_threads
from focusmate_core.testing.memory import MemoryStorage
from focusmate_core.testing.strategies import instances
from tests.features.town import Town


def test_who_opens_a_room_is_its_host_and_sits_in_it(town, ada):
    room = town.open_room(ada)
    assert (room.host_id, room.seated, room.is_open) == (ada.id, 1, True)
    assert (room.opened_at, room.closed_at) == (town.clock.now(), None)
    parts = town.parts(f"room:{room.id}")
    assert parts["room"] == room
    assert [seat.person_id for seat in parts["seats"]] == [ada.id]


@given(ask=instances(OpenRoom))
def test_a_room_is_as_it_was_asked_for(ask):
    town = Town(MemoryStorage())
    ada = town.somebody()
    room = town.do(ask, ada)
    set_by_the_host = attrs.fields_dict(OpenRoom)
    assert {name: getattr(room, name) for name in set_by_the_host} == {
        name: getattr(ask, name) for name in set_by_the_host
    }
    assert room.revision == 1
    assert town.do(RoomById(room_id=room.id), ada) == room


def test_anybody_who_is_signed_in_sees_a_room(town, ada, bob, room):
    assert town.do(RoomById(room_id=room.id), bob) == town.do(RoomById(room_id=room.id), ada)


def test_a_room_that_is_not_is_not_found(town, ada):
    for message in (RoomById, CloseRoom):
        assert town.code(message(room_id=town.somebody().id), ada) == "rooms.not_found"


def test_opening_twice_under_one_key_is_opening_once(town, ada):
    ask = OpenRoom(name="Library", plan=Plan(long_break_every=0), control=Control.EVERYONE)
    room = town.do(ask, ada, key="open it")
    assert town.do(ask, ada, key="open it") == room
    assert town.types("public") == ["rooms.opened"]
    assert town.code(ask.but(name="Other"), ada, key="open it") == "idempotency.key_reused"


def test_a_hundred_openings_at_once_under_one_key_are_one_room_and_one_answer(town, ada):
    ask = OpenRoom(name="Library")
    answers = in_threads(*[lambda: town.do(ask, ada, key="open it")] * 100)
    assert len(set(answers)) == 1
    assert town.types("public") == ["rooms.opened"]


# -- close -----------------------------------------------------------------------------------------


def test_a_closed_room_is_empty_and_still_to_be_seen(town, ada, bob, room):
    town.do(JoinRoom(room_id=room.id), bob)
    town.clock.advance(hours=1)
    closed = town.do(CloseRoom(room_id=room.id), ada)
    assert (closed.is_open, closed.seated, closed.closed_at) == (False, 0, town.clock.now())
    assert town.do(RoomById(room_id=room.id), bob) == closed
    assert town.parts(f"room:{room.id}")["seats"] == ()


def test_closing_twice_is_closing_once(town, ada, room):
    closed = town.do(CloseRoom(room_id=room.id), ada)
    told = town.all_told()
    town.clock.advance(timedelta(hours=1))
    assert town.do(CloseRoom(room_id=room.id), ada) == closed
    assert town.all_told() == told


def test_only_its_host_and_moderators_close_a_room(town, ada, bob):
    roles = {(): "not_allowed", ("member",): "not_allowed", ("moderator",): "ok", ("admin",): "ok"}
    for held, code in roles.items():
        room = town.open_room(ada)
        other = Actor(id=bob.id, roles=frozenset(held))
        assert town.code(CloseRoom(room_id=room.id), other) == code


def test_what_is_public_hears_of_opening_and_closing_and_never_of_joins(town, ada, bob, room):
    town.do(JoinRoom(room_id=room.id), bob)
    town.do(CloseRoom(room_id=room.id), ada)
    assert town.types("public") == ["rooms.opened", "rooms.closed"]
    assert town.types(f"room:{room.id}") == [
        "rooms.opened",
        "rooms.joined",
        "presence.entered",
        "rooms.joined",
        "presence.entered",
        "rooms.closed",
    ]


# -- the form of what is asked for -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("name", ""),
        ("name", " \t "),
        ("name", "a" * 81),
        ("name", "two\nlines"),
        ("name", 7),
        ("description", "a" * 2001),
        ("description", "bell\x07"),
        ("capacity", 1),
        ("capacity", 1001),
        ("capacity", "7"),
        ("capacity", True),
        ("is_public", None),
        ("avatar_url", "ftp://example.org"),
        ("settings", "{}"),
        ("settings", {"a": "a" * 4096}),
    ],
)
def test_a_room_of_a_wrong_form_is_refused_by_the_field(field, wrong):
    with pytest.raises(BadInput) as refused:
        OpenRoom(**{"name": "Library", field: wrong})
    assert [problem.field for problem in refused.value.fields] == [field]


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("work", timedelta()),
        ("work", timedelta(minutes=181)),
        ("short_break", timedelta(minutes=61)),
        ("long_break", timedelta(seconds=59)),
        ("long_break_every", -1),
        ("auto_start_work", 1),
    ],
)
def test_a_plan_of_a_wrong_form_is_refused_by_the_field(field, wrong):
    with pytest.raises(BadInput) as refused:
        Plan(**{field: wrong})
    assert [problem.field for problem in refused.value.fields] == [field]


@given(plan=instances(Plan), completed=st.integers(0, 1000))
def test_after_every_break_comes_work_and_after_work_a_break(plan, completed):
    after = {phase: plan.next_phase(phase, completed) for phase in Phase}
    assert after[Phase.SHORT_BREAK] is after[Phase.LONG_BREAK] is Phase.WORK
    assert after[Phase.WORK] is not Phase.WORK
    assert plan.goes_on_with(Phase.SHORT_BREAK) == plan.goes_on_with(Phase.LONG_BREAK)


def test_a_room_that_storage_lost_is_a_fault_where_somebody_is_in_it(town, ada, room):
    with town.storage.write() as unit:
        unit.delete(Room, room.id)
    with pytest.raises(LookupError, match=room.id):
        town.open_room(ada)


def test_what_was_stored_of_a_room_before_it_had_settings_can_still_be_read():
    old = {
        name: None if name in {"capacity", "closed_at"} else value
        for name, value in codec.plain(Town(MemoryStorage()).open_room(Actor(id="a"))).items()
        if name not in {"is_public", "avatar_url", "settings", "revision"}
    }
    room = codec.value_of(old, RoomView)
    assert (room.is_public, room.avatar_url, room.settings, room.revision) == (True, None, {}, 1)
