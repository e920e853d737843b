"""Links: whoever holds the code comes in, as often and as long as the link says, and no more."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from itertools import cycle
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from focusmate_core import Actor, BadInput, Call, Engine, Refusal
from focusmate_core.features import BUNDLED, links
from focusmate_core.features.bans import Ban
from focusmate_core.features.desks import OpenDesk
from focusmate_core.features.inviting import InvitePerson
from focusmate_core.features.links import (
    JoinByLink,
    LinksOfRoom,
    OpenLink,
    PreviewLink,
    RevokeLink,
)
from focusmate_core.features.moderation import BanPerson
from focusmate_core.features.rooms import CloseRoom, RoomById
from focusmate_core.features.seats import AppointModerator, JoinRoom, LeaveRoom
from focusmate_core.testing.conformance.storage.kit import in_threads
from focusmate_core.testing.ports import fake_ports
from focusmate_sqlalchemy import SqlStorage
from focusmate_system import RandomIds
from tests.features.test_invitations import SOME_ID, Asked, ends, mine
from tests.features.test_private_rooms import WaitingStorage
from tests.features.town import STORAGES, Town, Watcher

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
def room(town, ada):
    """A room of Ada's that strangers do not find."""
    return town.open_room(ada, is_public=False)


def open_link(town, host, room, **more):
    return town.do(OpenLink(room_id=room.id, **more), host)


def join(link):
    return JoinByLink(code=link.code)


def revoke(link):
    return RevokeLink(room_id=link.room_id, link_id=link.id)


def links_of(town, room, host):
    return town.do(LinksOfRoom(room_id=room.id), host).items


def as_listed(town, link, host):
    found = town.do(LinksOfRoom(room_id=link.room_id, limit=100), host).items
    return next(each for each in found if each.id == link.id)


# -- the way in ------------------------------------------------------------------------------------


def test_who_holds_the_code_sees_the_room_and_sits_down(town, ada, bob, room):
    link = open_link(town, ada, room)
    seen = town.do(PreviewLink(code=link.code), bob)
    assert (seen.room.name, seen.room.seated, seen.room.is_public) == ("Library", 1, False)
    assert (seen.is_in, seen.may_join) == (False, True)
    assert town.code(RoomById(room_id=room.id), bob) == "rooms.not_found"
    assert town.do(join(link), bob).seated == 2
    seen = town.do(PreviewLink(code=link.code), bob)
    assert (seen.is_in, seen.may_join) == (True, True)
    assert as_listed(town, link, ada).uses == 1


def test_who_sits_there_already_uses_nothing_up(town, ada, bob, room):
    link = open_link(town, ada, room, max_uses=1)
    first = town.do(join(link), bob)
    told = town.all_told()
    assert town.do(join(link), bob) == first
    assert town.code(join(link), ada) == "ok"
    assert town.all_told() == told
    assert as_listed(town, link, ada).uses == 1


def test_coming_back_is_another_use(town, ada, bob, room):
    link = open_link(town, ada, room, max_uses=2)
    for _ in range(2):
        town.do(join(link), bob)
        town.do(LeaveRoom(room_id=room.id), bob)
    assert as_listed(town, link, ada).uses == 2
    assert town.code(join(link), bob) == "links.not_good"


def test_coming_in_by_a_link_accepts_an_invitation(town, ada, bob, room):
    town.do(InvitePerson(room_id=room.id, person_id=bob.id), ada)
    town.do(join(open_link(town, ada, room)), bob)
    assert mine(town, bob) == ()
    assert ends(town, f"user:{bob.id}") == ["accepted"]


def test_a_full_room_is_full_and_costs_no_use(town, ada, bob):
    room = town.open_room(ada, capacity=2, is_public=False)
    link, cleo = open_link(town, ada, room, max_uses=5), town.somebody()
    town.do(join(link), bob)
    assert town.do(PreviewLink(code=link.code), cleo).may_join is False
    assert town.code(join(link), cleo) == "rooms.full"
    assert as_listed(town, link, ada).uses == 1


def test_who_is_banned_does_not_come_in_by_a_link_either(town, ada, bob):
    room = town.open_room(ada)
    link = open_link(town, ada, room)
    town.do(BanPerson(room_id=room.id, person_id=bob.id), ada)
    assert town.do(PreviewLink(code=link.code), bob).may_join is False
    assert town.code(join(link), bob) == "rooms.banned"
    assert as_listed(town, link, ada).uses == 0


@pytest.mark.parametrize("message", [JoinByLink, PreviewLink])
def test_a_good_code_of_a_private_room_is_for_who_is_banned_as_any_that_is_not(
    town, ada, bob, room, message, monkeypatch
):
    link = open_link(town, ada, room)
    town.do(BanPerson(room_id=room.id, person_id=bob.id), ada)
    asked = Asked(monkeypatch)
    nothing = asked.of(town, message(code="nonsense"), bob)
    assert nothing[0].startswith("links.not_good: ")
    assert asked.of(town, message(code=link.code), bob) == nothing


def test_who_is_banned_while_they_wait_for_the_room_is_not_let_in_by_a_link():
    town = Town(WaitingStorage())
    ada, bob = town.somebody(), town.somebody()
    room = town.open_room(ada, is_public=False)
    link = open_link(town, ada, room)
    ban = Ban(room_id=room.id, person_id=bob.id, by=ada.id, at=town.clock.now(), reason="")
    town.storage.meanwhile = lambda unit: unit.put(ban)
    assert town.code(join(link), bob) == "links.not_good"
    assert town.storage.meanwhile is None


def test_a_ban_revokes_the_links_of_who_is_banned_into_that_room_and_demotion_none(town, ada, bob):
    rooms = [town.open_room(ada) for _ in range(2)]
    for room in rooms:
        town.do(JoinRoom(room_id=room.id), bob)
        town.do(AppointModerator(room_id=room.id, person_id=bob.id), ada)
    theirs, elsewhere = (open_link(town, bob, room) for room in rooms)
    hers = open_link(town, ada, rooms[0])
    ask = AppointModerator(room_id=rooms[0].id, person_id=bob.id, is_moderator=False)
    town.do(ask, ada)
    assert as_listed(town, theirs, ada).is_good
    watcher = Watcher(town, f"room:{rooms[0].id}")
    town.do(BanPerson(room_id=rooms[0].id, person_id=bob.id), ada)
    assert [each.type for each in watcher.catch_up()].count("links.revoked") == 1
    good = [as_listed(town, each, ada).is_good for each in (theirs, hers, elsewhere)]
    assert good == [False, True, True]


# -- how long it is good ---------------------------------------------------------------------------


def bad_codes(town, ada, room):
    """A code of each way in which it can be of no use, and what cannot be a code of anybody's."""
    expired = open_link(town, ada, room, expires_in=5 * MINUTE)
    revoked, used = open_link(town, ada, room), open_link(town, ada, room, max_uses=1)
    town.do(revoke(revoked), ada)
    town.do(join(used), town.somebody())
    closed = open_link(town, ada, town.open_room(ada))
    town.do(CloseRoom(room_id=closed.room_id), ada)
    town.clock.advance(5 * MINUTE)
    return ["nonsense", *(each.code for each in (expired, revoked, used, closed))]


@pytest.mark.parametrize("message", [JoinByLink, PreviewLink])
def test_whatever_is_wrong_with_a_code_it_is_one_refusal(town, ada, bob, room, message):
    codes = bad_codes(town, ada, room)
    said = {str(town.refused(message(code=code), bob)) for code in codes}
    assert said == {"links.not_good: This link leads nowhere, or no more; ask for another one."}


def test_whatever_is_wrong_with_a_code_it_costs_the_same(town, ada, bob, room, monkeypatch):
    codes = bad_codes(town, ada, room)
    asked = Asked(monkeypatch)
    costs = {asked.of(town, JoinByLink(code=code), bob) for code in codes}
    assert len(costs) == 1


def test_a_link_is_good_to_the_last_microsecond_before_it_expires(town, ada, bob, room):
    link = open_link(town, ada, room, expires_in=DAY)
    assert link.expires_at == town.clock.now() + DAY
    town.clock.advance(DAY - timedelta.resolution)
    assert as_listed(town, link, ada).is_good
    assert town.code(join(link), bob) == "ok"
    town.clock.advance(timedelta.resolution)
    assert not as_listed(town, link, ada).is_good
    assert town.code(join(link), bob) == "links.not_good"


def test_one_without_limits_is_good_until_it_is_revoked(town, ada, room):
    link = open_link(town, ada, room, expires_in=None)
    assert (link.expires_at, link.max_uses, link.uses, link.is_good) == (None, None, 0, True)
    for _ in range(3):
        town.clock.advance(300 * DAY)
        assert town.code(join(link), town.somebody()) == "ok"
    town.engine.sweep(retention=DAY)
    town.do(revoke(link), ada)
    assert town.code(join(link), town.somebody()) == "links.not_good"


def test_revoking_twice_is_revoking_once_and_who_came_in_stays(town, ada, bob, room):
    link = open_link(town, ada, room)
    town.do(join(link), bob)
    for _ in range(2):
        assert town.do(revoke(link), ada) is None
    assert town.types(f"room:{room.id}").count("links.revoked") == 1
    assert town.code(RoomById(room_id=room.id), bob) == "ok"
    listed = as_listed(town, link, ada)
    assert (listed.revoked_at, listed.is_good) == (town.clock.now(), False)


def test_closing_the_room_revokes_its_links(town, ada, room):
    link = open_link(town, ada, room)
    town.do(CloseRoom(room_id=room.id), ada)
    assert as_listed(town, link, ada).revoked_at == town.clock.now()
    assert town.code(revoke(link), ada) == town.code(OpenLink(room_id=room.id), ada)
    assert town.code(revoke(link), ada) == "rooms.closed"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("expires_in", 5 * MINUTE - timedelta.resolution),
        ("expires_in", 365 * DAY + timedelta.resolution),
        ("max_uses", 0),
        ("max_uses", 1001),
    ],
)
def test_a_link_says_how_long_and_how_often_within_bounds(field, value):
    with pytest.raises(BadInput, match=field):
        OpenLink(room_id=SOME_ID, **{field: value})


def test_what_ended_thirty_days_ago_is_swept_in_small_steps(town, ada, bob, room):
    kept = open_link(town, ada, room, expires_in=None)
    open_link(town, ada, room, expires_in=DAY)
    used = open_link(town, ada, room, max_uses=1)
    town.do(join(used), bob)
    town.do(revoke(open_link(town, ada, room)), ada)
    town.clock.advance(30 * DAY + timedelta.resolution)
    assert [town.engine.sweep(retention=365 * DAY, limit=1) for _ in range(3)] == [1, 1, 0]
    town.clock.advance(DAY)
    assert town.engine.sweep(retention=365 * DAY) == 1
    assert [each.id for each in links_of(town, room, ada)] == [kept.id]


# -- who may ---------------------------------------------------------------------------------------


def test_moderators_of_the_room_open_and_revoke_members_see_no_code(town, ada, bob):
    room = town.open_room(ada)
    link = open_link(town, ada, room)
    town.do(JoinRoom(room_id=room.id), bob)
    asks = (OpenLink(room_id=room.id), LinksOfRoom(room_id=room.id), revoke(link))
    assert {town.code(ask, bob) for ask in asks} == {"not_allowed"}
    town.do(AppointModerator(room_id=room.id, person_id=bob.id), ada)
    assert {town.code(ask, bob) for ask in asks} == {"ok"}


def test_the_code_is_told_on_no_stream_and_in_no_log(town, ada, room):
    link = open_link(town, ada, room)
    assert not any(link.code in each.data for each in town.all_told())
    asks = (join(link), PreviewLink(code=link.code), links_of(town, room, ada))
    assert link.code not in repr((link, *asks))


def test_what_bears_a_code_takes_no_idempotency_key(town, ada, room):
    assert town.code(OpenLink(room_id=room.id), ada, key="k") == "idempotency.key_not_taken"
    link = open_link(town, ada, room)
    assert town.code(join(link), ada, key="k") == "idempotency.key_not_taken"


def test_a_link_of_another_room_is_not_found(town, ada, room):
    link = open_link(town, ada, town.open_room(ada))
    for link_id in (link.id, SOME_ID):
        ask = RevokeLink(room_id=room.id, link_id=link_id)
        assert town.code(ask, ada) == "links.not_found"


def test_nothing_leads_to_a_desk(town, ada):
    desk = town.do(OpenDesk(), ada)
    assert town.code(OpenLink(room_id=desk.id), ada) == "invitations.to_a_desk"


def test_a_room_has_a_number_of_good_links_at_the_most(town, ada, room, monkeypatch):
    monkeypatch.setattr(links, "MOST", 2)
    first = open_link(town, ada, room)
    open_link(town, ada, room, expires_in=DAY)
    refused = town.refused(OpenLink(room_id=room.id), ada)
    assert (refused.code, refused.params()) == ("links.too_many", {"most": 2})
    town.do(revoke(first), ada)
    open_link(town, ada, room)
    town.clock.advance(DAY)
    open_link(town, ada, room)


def test_the_list_is_paged_and_the_newest_comes_first(town, ada, room):
    made = []
    for _ in range(3):
        town.clock.advance(MINUTE)
        made.append(open_link(town, ada, room).id)
    first = town.do(LinksOfRoom(room_id=room.id, limit=2), ada)
    rest = town.do(LinksOfRoom(room_id=room.id, limit=2, cursor=first.next_cursor), ada)
    told = [each.id for each in (*first.items, *rest.items)]
    assert (told, rest.next_cursor) == (made[::-1], None)


# -- everybody at once -----------------------------------------------------------------------------

AT_ONCE = 50


def told_by(code_of, people):
    """How often each code was told to these people, all of whom come at once."""
    codes = in_threads(*(lambda one=one: code_of(one) for one in people))
    return {code: codes.count(code) for code in set(codes)}


@pytest.mark.parametrize(
    ("max_uses", "capacity", "seats", "else_"),
    [
        (1, None, 1, "links.not_good"),
        (10, None, 10, "links.not_good"),
        (AT_ONCE, 8, 7, "rooms.full"),
        (None, 8, 7, "rooms.full"),
    ],
)
def test_of_fifty_who_come_at_once_as_many_are_in_as_the_link_and_the_room_allow(
    town, ada, max_uses, capacity, seats, else_
):
    room = town.open_room(ada, is_public=False, capacity=capacity)
    link = open_link(town, ada, room, max_uses=max_uses)
    people = [town.somebody() for _ in range(AT_ONCE)]
    told = told_by(lambda one: town.code(join(link), one), people)
    assert told == {"ok": seats, else_: AT_ONCE - seats}
    assert as_listed(town, link, ada).uses == seats
    assert town.do(RoomById(room_id=room.id), ada).seated == seats + 1
    assert town.types(f"room:{room.id}").count("rooms.joined") == seats + 1


def test_so_it_is_within_one_commit(town, ada, room):
    link = open_link(town, ada, room, max_uses=10)
    calls = [Call(join(link), town.somebody()) for _ in range(AT_ONCE)]
    refused = [outcome.refusal for outcome in town.engine.run(calls)]
    said = [refusal and refusal.code for refusal in refused]
    assert said == [None] * 10 + ["links.not_good"] * (AT_ONCE - 10)


@pytest.mark.parametrize("max_uses", [1, 10])
def test_so_it_is_with_two_engines_over_one_file(tmp_path, max_uses):
    storages = [SqlStorage(f"sqlite:///{tmp_path / 'town.db'}") for _ in range(2)]
    town = Town(storages[0])
    parts = {"clock": town.clock, "ids": RandomIds(), "ports": fake_ports()}
    engines = [town.engine, Engine(storages[1], features=BUNDLED, **parts)]
    ada, turn = town.somebody(), cycle(engines)
    room = town.open_room(ada, is_public=False)
    link = open_link(town, ada, room, max_uses=max_uses)
    people = {town.somebody(): next(turn) for _ in range(AT_ONCE)}

    def code_of(one):
        try:
            people[one].execute(join(link), actor=one)
        except Refusal as refusal:
            return refusal.code
        return "ok"

    assert told_by(code_of, people) == {"ok": max_uses, "links.not_good": AT_ONCE - max_uses}
    assert as_listed(town, link, ada).uses == max_uses
    assert town.do(RoomById(room_id=room.id), ada).seated == max_uses + 1
    for storage in storages:
        storage.close()


def test_nobody_comes_in_by_a_link_that_is_being_revoked_after_it_was(town, ada, room):
    link = open_link(town, ada, room)
    people = [town.somebody() for _ in range(20)]
    joins = [lambda one=one: town.code(join(link), one) for one in people]
    said = in_threads(*joins[:10], lambda: town.do(revoke(link), ada), *joins[10:])
    types = town.types(f"room:{room.id}")
    assert "rooms.joined" not in types[types.index("links.revoked") :]
    assert as_listed(town, link, ada).uses == said.count("ok") == types.count("rooms.joined") - 1


# -- any order -------------------------------------------------------------------------------------

GUESTS = range(4)
guests = st.sampled_from(GUESTS)
which = st.integers(0, 2)


class Links(RuleBasedStateMachine):
    """Links are opened, used and revoked, people leave, time passes; numbers say what is good."""

    storage_of = staticmethod(STORAGES["memory"])
    databases = Path()

    @initialize(capacity=st.none() | st.integers(2, 4))
    def begin(self, capacity):
        self.town = Town(self.storage_of(self.databases))
        self.host = self.town.somebody()
        self.people = [self.town.somebody() for _ in GUESTS]
        self.room = self.town.open_room(self.host, is_public=False, capacity=capacity)
        self.watcher = Watcher(self.town, f"room:{self.room.id}")
        self.seats = (capacity or 100) - 1
        self.links, self.given, self.revoked, self.inside = [], {}, set(), set()
        self.is_closed = False

    def is_known(self, link):
        is_late = link.expires_at is not None and self.town.clock.now() >= link.expires_at
        return not (is_late or link.id in self.revoked or self.is_closed)

    def is_good(self, link):
        return self.is_known(link) and self.given[link.id] < (link.max_uses or 100)

    @rule(minutes=st.none() | st.integers(5, 20), max_uses=st.none() | st.integers(1, 3))
    def open(self, minutes, max_uses):
        span = None if minutes is None else timedelta(minutes=minutes)
        ask = OpenLink(room_id=self.room.id, expires_in=span, max_uses=max_uses)
        if self.is_closed:
            assert self.town.code(ask, self.host) == "rooms.closed"
            return
        link = self.town.do(ask, self.host)
        self.links.append(link)
        self.given[link.id] = 0

    @rule(who=guests, back=which)
    def join(self, who, back):
        if back >= len(self.links):
            return
        link = self.links[-1 - back]
        code = self.town.code(join(link), self.people[who])
        if who in self.inside:
            assert code == ("ok" if self.is_known(link) else "links.not_good")
        elif not self.is_good(link):
            assert code == "links.not_good"
        elif len(self.inside) >= self.seats:
            assert code == "rooms.full"
        else:
            assert code == "ok"
            self.inside.add(who)
            self.given[link.id] += 1

    @rule(who=guests)
    def leave(self, who):
        code = self.town.code(LeaveRoom(room_id=self.room.id), self.people[who])
        if who in self.inside:
            assert code == ("rooms.closed" if self.is_closed else "ok")
            self.inside -= set() if self.is_closed else {who}
        else:
            assert code in {"rooms.not_found", "rooms.closed"}

    @rule(back=which)
    def revoke(self, back):
        if back < len(self.links):
            link = self.links[-1 - back]
            code = self.town.code(revoke(link), self.host)
            assert code == ("rooms.closed" if self.is_closed else "ok")
            self.revoked |= set() if self.is_closed else {link.id}

    @rule(minutes=st.integers(0, 12))
    def wait(self, minutes):
        self.town.clock.advance(minutes=minutes)
        self.town.engine.run_due()

    @rule(really=st.integers(0, 9))
    def close(self, really):
        if really == 0 and not self.is_closed:
            self.town.do(CloseRoom(room_id=self.room.id), self.host)
            self.is_closed = True

    @invariant()
    def each_gave_as_many_seats_as_it_says_and_no_more_than_it_may(self):
        listed = {link.id: link for link in links_of(self.town, self.room, self.host)}
        for link in self.links[-20:]:
            seen = listed[link.id]
            assert seen.uses == self.given[link.id] <= (link.max_uses or 100)
            assert seen.is_good is self.is_good(link)

    @invariant()
    def a_code_shows_the_room_exactly_while_it_is_good(self):
        stranger = Actor(id="stranger")
        for link in self.links[-3:]:
            code = self.town.code(PreviewLink(code=link.code), stranger)
            assert code == ("ok" if self.is_good(link) else "links.not_good")

    @invariant()
    def who_applies_the_events_sees_the_same(self):
        self.watcher.catch_up()

    def teardown(self):
        if hasattr(self, "town"):
            self.town.storage.close()


@pytest.mark.parametrize("name", STORAGES)
def test_a_link_gives_as_many_seats_as_it_says(name):
    with tempfile.TemporaryDirectory() as folder:
        where = {"storage_of": staticmethod(STORAGES[name]), "databases": Path(folder)}
        machine = type("Links", (Links,), where)
        run_state_machine_as_test(machine, settings=settings(stateful_step_count=20))
