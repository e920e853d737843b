"""Presence: who is where, from when until when and how; what a lease ends, and what it bridges."""

from __future__ import annotations

from datetime import timedelta

import pytest

from focusmate_core import SYSTEM, Origin
from focusmate_core.features.desks import OpenDesk
from focusmate_core.features.presence import SIGNS, Presence, PresencePolicy, Status, Stay
from focusmate_core.features.rooms import CloseRoom
from focusmate_core.features.seats import JoinRoom, LeaveRoom
from focusmate_core.features.signs import (
    EnterRoom,
    Heard,
    MyPresence,
    PresenceInRoom,
    RenewPresence,
    ReportStatus,
    ReturnService,
)
from focusmate_core.finding import Find
from focusmate_core.refusals import BadInput
from tests.features.town import Town

LEASE = timedelta(seconds=60)
SECOND = timedelta(seconds=1)
MOMENT = timedelta(microseconds=1)
ZERO = timedelta(0)


def stream(room):
    return f"room:{room.id}"


def here(town, room, by):
    """Who is there, and how, as a query tells it."""
    items = town.do(PresenceInRoom(room_id=room.id), by).items
    return {each.person_id: each.status for each in items}


def whereabouts(town, person):
    found = town.do(MyPresence(), person).here
    return found and found.room_id


def moves(town, room):
    """Comings, goings and changes, since the beginning, as a stream tells them."""
    told = [each for each in town.told(stream(room)) if each.type.startswith("presence.")]
    return [
        (each.at - town.start, each.type.removeprefix("presence."), town.decoded(each).person_id)
        for each in told
    ]


def stored(town, person):
    with town.storage.read() as reader:
        return reader.get(Presence, person.id)


def stays(town):
    """Spans of presence that are over, since the beginning."""
    with town.storage.read() as reader:
        found = reader.find(Find(Stay)).items
    return [(each.person_id, each.since - town.start, each.until - town.start) for each in found]


def phone(connection="1"):
    return Origin("websocket", connection=connection)


def renew(town, *people, quiet=ZERO, connection="1"):
    """The gateway vouches for these, who were silent for that long."""
    heard = tuple(Heard(person_id=each.id, connection=connection, quiet=quiet) for each in people)
    town.do(RenewPresence(heard=heard), SYSTEM, origin=Origin("websocket"))


def keep_alive(town, *people, span, every=20 * SECOND):
    """Time passes, and a gateway renews for these; the worker is at hand."""
    end = town.clock.now() + span
    while town.clock.now() + every < end:
        town.clock.advance(every)
        town.engine.run_due()
        renew(town, *people)
    town.clock.set(end)
    renew(town, *people)


@pytest.fixture
def town(town):
    town.start = town.clock.now()
    return town


@pytest.fixture
def leased(storage):
    town = Town(storage, settings=[PresencePolicy(lease=LEASE)])
    town.start = town.clock.now()
    return town


# -- joined: from joining to leaving ---------------------------------------------------------------


def test_who_opens_or_joins_a_room_is_there_and_who_leaves_is_not(town, ada, bob, room):
    assert here(town, room, ada) == {ada.id: Status.ACTIVE}
    town.do(JoinRoom(room_id=room.id), bob)
    assert here(town, room, ada) == {ada.id: Status.ACTIVE, bob.id: Status.ACTIVE}
    town.clock.advance(minutes=3)
    town.do(LeaveRoom(room_id=room.id), bob)
    assert here(town, room, ada) == {ada.id: Status.ACTIVE}
    assert stays(town) == [(bob.id, ZERO, timedelta(minutes=3))]


def test_without_a_lease_nobody_needs_to_say_that_they_are_there(town, ada, room):
    town.clock.advance(days=400)
    assert town.engine.run_due() == 0
    assert here(town, room, ada) == {ada.id: Status.ACTIVE}


def test_who_is_in_another_room_left_this_one_and_keeps_the_seat(town, ada, bob, room):
    town.do(JoinRoom(room_id=room.id), bob)
    town.clock.advance(minutes=1)
    other = town.open_room(bob)
    assert here(town, room, ada) == {ada.id: Status.ACTIVE}
    assert {seat.person_id for seat in town.parts(stream(room))["seats"]} == {ada.id, bob.id}
    assert moves(town, room)[-1] == (timedelta(minutes=1), "left", bob.id)
    assert whereabouts(town, bob) == other.id
    town.do(EnterRoom(room_id=room.id), bob)
    assert (whereabouts(town, bob), here(town, other, bob)) == (room.id, {})


def test_joining_again_is_coming_back_and_being_there_still_is_no_event(town, ada, bob, room):
    town.do(JoinRoom(room_id=room.id), bob)
    before = moves(town, room)
    for message in (JoinRoom, EnterRoom):
        town.do(message(room_id=room.id), bob)
    assert moves(town, room) == before
    town.open_room(bob)
    town.do(JoinRoom(room_id=room.id), bob)
    assert whereabouts(town, bob) == room.id


def test_ones_desk_is_a_room_like_any_other_to_be_in(town, ada, room):
    desk = town.do(OpenDesk(), ada)
    assert whereabouts(town, ada) == desk.id
    town.do(EnterRoom(room_id=room.id), ada)
    assert town.do(OpenDesk(), ada).id == whereabouts(town, ada) == desk.id


def test_nobody_is_in_a_closed_room_and_that_it_was_closed_says_so(town, ada, bob, room):
    town.do(JoinRoom(room_id=room.id), bob)
    town.clock.advance(minutes=2)
    town.do(CloseRoom(room_id=room.id), ada)
    assert "presence.left" not in town.types(stream(room))
    assert town.parts(stream(room))["presence"] == ()
    assert [whereabouts(town, each) for each in (ada, bob)] == [None, None]
    assert sorted(stays(town)) == sorted(
        (each.id, ZERO, timedelta(minutes=2)) for each in (ada, bob)
    )
    assert town.code(EnterRoom(room_id=room.id), bob) == "rooms.closed"


def test_leaving_a_room_where_one_only_has_a_seat_ends_nothing_elsewhere(town, ada, bob, room):
    town.do(JoinRoom(room_id=room.id), bob)
    other = town.open_room(bob)
    before = moves(town, room)
    town.do(LeaveRoom(room_id=room.id), bob)
    assert whereabouts(town, bob) == other.id
    assert moves(town, room) == before


def test_who_has_no_seat_cannot_enter_and_who_is_nowhere_cannot_say_how(town, ada, bob, room):
    assert town.code(EnterRoom(room_id=room.id), bob) == "rooms.not_in_it"
    assert town.code(ReportStatus(is_idle=True), bob) == "presence.nowhere"
    assert whereabouts(town, bob) is None


# -- how: over several connections -----------------------------------------------------------------


def report(town, person, *, is_idle, connection):
    ask = ReportStatus(is_idle=is_idle)
    return town.do(ask, person, origin=phone(connection)).status


def test_a_person_is_idle_when_all_their_connections_say_so(leased):
    ada = leased.somebody()
    room = leased.open_room(ada)
    leased.do(EnterRoom(room_id=room.id), ada, origin=phone("1"))
    leased.do(EnterRoom(room_id=room.id), ada, origin=phone("2"))
    assert report(leased, ada, is_idle=True, connection="python") is Status.ACTIVE
    assert report(leased, ada, is_idle=True, connection="1") is Status.ACTIVE
    assert report(leased, ada, is_idle=True, connection="2") is Status.ACTIVE
    # She opened the room by another door still.
    assert leased.do(ReportStatus(is_idle=True), ada).status is Status.IDLE
    assert here(leased, room, ada) == {ada.id: Status.IDLE}
    assert report(leased, ada, is_idle=False, connection="2") is Status.ACTIVE


def test_without_a_lease_the_latest_word_counts_since_nobody_renews_the_others(town, ada, room):
    town.do(EnterRoom(room_id=room.id), ada, origin=phone("1"))
    assert report(town, ada, is_idle=True, connection="2") is Status.IDLE
    assert report(town, ada, is_idle=False, connection="1") is Status.ACTIVE
    assert len(stored(town, ada).signs) == 1


def test_a_change_is_told_and_saying_the_same_again_is_not(town, ada, room):
    for is_idle in (True, True, False, False):
        town.clock.advance(minutes=1)
        town.do(ReportStatus(is_idle=is_idle), ada)
    changes = [move for move in moves(town, room) if move[1] == "changed"]
    assert changes == [
        (timedelta(minutes=1), "changed", ada.id),
        (timedelta(minutes=3), "changed", ada.id),
    ]
    assert [each.status for each in town.parts(stream(room))["presence"]] == [Status.ACTIVE]


def test_connections_are_bounded_and_the_latest_count(leased):
    ada = leased.somebody()
    room = leased.open_room(ada)
    leased.do(ReportStatus(is_idle=True), ada)
    for number in range(SIGNS + 5):
        leased.clock.advance(seconds=1)
        report(leased, ada, is_idle=number < SIGNS, connection=str(number))
    kept = stored(leased, ada).signs
    assert len(kept) == SIGNS
    assert min(each.seen_at for each in kept) == leased.start + 6 * SECOND
    assert here(leased, room, ada) == {ada.id: Status.ACTIVE}


def test_a_connection_that_fell_silent_says_nothing_of_how_one_is(leased):
    ada = leased.somebody()
    room = leased.open_room(ada)
    leased.do(EnterRoom(room_id=room.id), ada, origin=phone("busy"))
    leased.clock.advance(seconds=25)
    assert report(leased, ada, is_idle=True, connection="idle") is Status.ACTIVE
    leased.clock.advance(seconds=25)
    assert report(leased, ada, is_idle=True, connection="idle") is Status.IDLE


def test_a_renewal_keeps_what_its_connection_said(leased):
    ada = leased.somebody()
    room = leased.open_room(ada)
    leased.clock.advance(seconds=20)
    report(leased, ada, is_idle=True, connection="1")
    keep_alive(leased, ada, span=timedelta(minutes=5))
    assert here(leased, room, ada) == {ada.id: Status.IDLE}
    assert report(leased, ada, is_idle=False, connection="2") is Status.ACTIVE


def test_a_connection_that_only_watches_has_no_say_in_how_one_is(leased):
    ada = leased.somebody()
    room = leased.open_room(ada)
    leased.do(ReportStatus(is_idle=True), ada)
    renew(leased, ada, connection="a watch")
    assert here(leased, room, ada) == {ada.id: Status.IDLE}
    leased.clock.advance(seconds=31)
    renew(leased, ada, connection="a watch")
    assert here(leased, room, ada) == {ada.id: Status.ACTIVE}


# -- leased: up to the last sign of life -----------------------------------------------------------


@pytest.fixture
def library(leased):
    leased.ada, leased.bob = leased.somebody(), leased.somebody()
    return leased.open_room(leased.ada)


def test_who_is_renewed_is_there_without_any_event(leased, library):
    keep_alive(leased, leased.ada, span=timedelta(hours=1))
    assert moves(leased, library) == [(ZERO, "entered", leased.ada.id)]
    assert stored(leased, leased.ada).since == leased.start


def test_who_is_silent_is_idle_after_half_a_lease_and_away_after_a_whole_one(leased, library):
    leased.do(JoinRoom(room_id=library.id), leased.bob)
    seen = []
    for _ in range(7):
        leased.clock.advance(seconds=10)
        renew(leased, leased.ada)
        seen.append(here(leased, library, leased.ada).get(leased.bob.id))
    assert seen == [Status.ACTIVE] * 2 + [Status.IDLE] * 3 + [None] * 2


def test_a_query_knows_it_although_no_worker_came(leased, library):
    leased.clock.advance(LEASE / 2 - MOMENT)
    assert here(leased, library, leased.ada) == {leased.ada.id: Status.ACTIVE}
    leased.clock.advance(MOMENT)
    assert here(leased, library, leased.ada) == {leased.ada.id: Status.IDLE}
    leased.clock.advance(LEASE / 2 - MOMENT)
    assert whereabouts(leased, leased.ada) == library.id
    leased.clock.advance(MOMENT)
    assert here(leased, library, leased.ada) == {}
    assert whereabouts(leased, leased.ada) is None
    assert moves(leased, library) == [(ZERO, "entered", leased.ada.id)]


@pytest.mark.parametrize("late", [ZERO, timedelta(days=3)])
def test_a_lapse_is_told_with_the_instant_of_the_last_sign(leased, library, late):
    ada = leased.ada
    keep_alive(leased, ada, span=timedelta(minutes=5))
    leased.clock.advance(LEASE + late)
    while leased.engine.run_due():
        pass
    five = timedelta(minutes=5)
    assert moves(leased, library)[1:] == [
        (five + LEASE / 2, "changed", ada.id),
        (five, "left", ada.id),
    ]
    assert stays(leased) == [(ada.id, ZERO, five)]
    with leased.storage.read() as reader:
        assert reader.next_due() is None


def test_coming_back_within_half_a_lease_leaves_no_event_and_no_gap(leased, library):
    leased.clock.advance(LEASE / 2 - MOMENT)
    leased.do(EnterRoom(room_id=library.id), leased.ada)
    keep_alive(leased, leased.ada, span=timedelta(minutes=1))
    assert moves(leased, library) == [(ZERO, "entered", leased.ada.id)]
    assert stays(leased) == []


def test_coming_back_within_a_lease_leaves_no_gap(leased, library):
    leased.clock.advance(LEASE - MOMENT)
    leased.do(EnterRoom(room_id=library.id), leased.ada)
    assert [what for _, what, _ in moves(leased, library)] == ["entered", "changed", "changed"]
    assert (stored(leased, leased.ada).since, stays(leased)) == (leased.start, [])


def test_coming_back_beyond_the_lease_is_coming_again(leased, library):
    leased.clock.advance(LEASE)
    leased.do(EnterRoom(room_id=library.id), leased.ada)
    assert moves(leased, library) == [
        (ZERO, "entered", leased.ada.id),
        (LEASE / 2, "changed", leased.ada.id),
        (ZERO, "left", leased.ada.id),
        (LEASE, "entered", leased.ada.id),
    ]
    assert stays(leased) == [(leased.ada.id, ZERO, ZERO)]


def test_a_renewal_lets_nobody_in(leased, library):
    stranger = leased.somebody()
    leased.clock.advance(LEASE)
    renew(leased, leased.ada, stranger)
    assert (whereabouts(leased, leased.ada), whereabouts(leased, stranger)) == (None, None)
    assert leased.code(ReportStatus(is_idle=False), leased.ada) == "presence.nowhere"


def test_a_renewal_says_for_how_long_nothing_was_heard(leased, library):
    leased.clock.advance(seconds=50)
    renew(leased, leased.ada, quiet=20 * SECOND)
    assert stored(leased, leased.ada).until == leased.start + 30 * SECOND
    renew(leased, leased.ada, quiet=timedelta(minutes=59))
    assert stored(leased, leased.ada).until == leased.start + 30 * SECOND


def test_each_lapses_in_turn_at_their_own_last_sign(leased, library):
    carl = leased.somebody()
    for who, last in ((leased.bob, 10), (carl, 5)):
        leased.do(JoinRoom(room_id=library.id), who)
        leased.clock.advance(seconds=last)
        renew(leased, who)
    leased.clock.advance(hours=1)
    leased.engine.run_due()
    left = [move for move in moves(leased, library) if move[1] == "left"]
    assert left == [
        (ZERO, "left", leased.ada.id),
        (10 * SECOND, "left", leased.bob.id),
        (15 * SECOND, "left", carl.id),
    ]


def test_who_leaves_in_silence_was_there_until_they_left(leased, library):
    leased.clock.advance(seconds=45)
    leased.do(LeaveRoom(room_id=library.id), leased.ada)
    assert stays(leased) == [(leased.ada.id, ZERO, 45 * SECOND)]


def test_who_enters_another_room_in_silence_was_in_the_first_until_then(leased, library):
    leased.clock.advance(seconds=45)
    leased.open_room(leased.ada)
    assert stays(leased) == [(leased.ada.id, ZERO, 45 * SECOND)]


def test_after_a_clock_was_set_back_everybody_who_was_heard_of_begins_anew(leased, library):
    keep_alive(leased, leased.ada, span=timedelta(minutes=5))
    back = leased.start + timedelta(minutes=2)
    leased.clock.set(back)
    assert leased.engine.run_due() == 0
    renew(leased, leased.ada)
    known = stored(leased, leased.ada)
    assert (known.since, known.until) == (back, back)
    assert stays(leased) == [(leased.ada.id, ZERO, timedelta(minutes=5))]
    assert [move[1] for move in moves(leased, library)] == ["entered", "left", "entered"]


def test_a_refused_message_notices_no_clock_that_was_set_back_and_the_next_does(leased, library):
    keep_alive(leased, leased.ada, span=timedelta(minutes=5))
    leased.clock.set(leased.start + timedelta(minutes=2))
    before = moves(leased, library)
    leased.refused(EnterRoom(room_id=library.id), leased.somebody())
    assert moves(leased, library) == before
    leased.do(EnterRoom(room_id=library.id), leased.ada)
    assert [move[1] for move in moves(leased, library)] == ["entered", "left", "entered"]


def test_a_clock_set_back_while_the_service_is_away_is_noticed_at_its_return(leased, library):
    keep_alive(leased, leased.ada, span=timedelta(minutes=5))
    leased.clock.set(leased.start + timedelta(minutes=2))
    leased.engine = leased._engine()
    leased.do(ReturnService(), SYSTEM)
    assert [move[1] for move in moves(leased, library)] == ["entered", "left", "entered"]


def test_a_clock_set_back_while_a_worker_is_at_it_loses_no_lapse(leased, library, monkeypatch):
    due = leased.start + LEASE / 2
    readings = iter([due, due - SECOND])
    with monkeypatch.context() as patched:
        patched.setattr(leased.clock, "now", lambda: next(readings))
        assert leased.engine.run_due() == 1
    assert moves(leased, library) == [(ZERO, "entered", leased.ada.id)]
    leased.clock.advance(LEASE)
    while leased.engine.run_due():
        pass
    assert moves(leased, library)[-1] == (ZERO, "left", leased.ada.id)


# -- the service was away --------------------------------------------------------------------------

TEN, FORTY = timedelta(minutes=10), timedelta(minutes=40)


def die_and_return(town, *people):
    """Everybody is there for ten minutes, then the service is away for half an hour."""
    keep_alive(town, *people, span=TEN)
    town.clock.set(town.start + FORTY)
    town.restart()
    town.do(ReturnService(), SYSTEM)
    while town.engine.run_due():
        pass


def test_who_is_back_within_a_lease_of_its_return_was_there_all_the_time(leased, library):
    leased.do(JoinRoom(room_id=library.id), leased.bob)
    die_and_return(leased, leased.ada, leased.bob)
    leased.clock.advance(LEASE - SECOND)
    leased.do(EnterRoom(room_id=library.id), leased.ada)
    leased.clock.advance(SECOND)
    while leased.engine.run_due():
        pass
    assert here(leased, library, leased.ada) == {leased.ada.id: Status.ACTIVE}
    assert stored(leased, leased.ada).since == leased.start
    assert stays(leased) == [(leased.bob.id, ZERO, TEN)]
    assert (TEN, "left", leased.bob.id) in moves(leased, library)


def test_a_renewal_after_its_return_is_being_back(leased, library):
    die_and_return(leased, leased.ada)
    leased.clock.advance(SECOND)
    renew(leased, leased.ada)
    keep_alive(leased, leased.ada, span=timedelta(minutes=5))
    assert stays(leased) == []


def test_a_service_that_dies_again_and_again_gives_a_lease_each_time(leased, library):
    die_and_return(leased, leased.ada)
    for _ in range(3):
        leased.clock.advance(LEASE - SECOND)
        leased.do(ReturnService(), SYSTEM)
        assert leased.engine.run_due() == 0 or stays(leased) == []
    leased.clock.advance(LEASE)
    while leased.engine.run_due():
        pass
    assert stays(leased) == [(leased.ada.id, ZERO, TEN)]


def test_where_nobody_said_that_it_was_away_silence_is_silence(leased, library):
    keep_alive(leased, leased.ada, span=TEN)
    leased.clock.set(leased.start + FORTY)
    leased.restart()
    leased.do(EnterRoom(room_id=library.id), leased.ada)
    assert stays(leased) == [(leased.ada.id, ZERO, TEN)]


# -- another policy than before --------------------------------------------------------------------


def with_policy(town, *settings):
    town.settings = {type(each): each for each in settings}
    town.restart()


def test_where_there_is_no_lease_any_more_nobody_lapses(leased, library):
    with_policy(leased)
    leased.clock.advance(days=1)
    while leased.engine.run_due():
        pass
    assert here(leased, library, leased.ada) == {leased.ada.id: Status.ACTIVE}
    with leased.storage.read() as reader:
        assert reader.next_due() is None


def test_entering_again_takes_back_no_word_that_one_is_idle(leased):
    ada = leased.somebody()
    room = leased.open_room(ada)
    assert report(leased, ada, is_idle=True, connection="1") is Status.ACTIVE
    leased.do(ReportStatus(is_idle=True), ada)
    for origin in (phone("1"), Origin()):
        leased.do(EnterRoom(room_id=room.id), ada, origin=origin)
    assert here(leased, room, ada) == {ada.id: Status.IDLE}


def test_who_is_in_a_room_is_told_page_by_page(town, ada, room):
    people = {ada.id}
    for _ in range(4):
        someone = town.somebody()
        town.do(JoinRoom(room_id=room.id), someone)
        people.add(someone.id)
    seen, cursor = [], None
    while True:
        page = town.do(PresenceInRoom(room_id=room.id, limit=2, cursor=cursor), ada)
        seen += [each.person_id for each in page.items]
        if (cursor := page.next_cursor) is None:
            break
    assert seen == sorted(people)


@pytest.mark.parametrize("lease", [timedelta(0), timedelta(seconds=-1), timedelta(days=2)])
def test_a_lease_lasts_a_second_to_a_day(lease):
    with pytest.raises(BadInput):
        PresencePolicy(lease=lease)
