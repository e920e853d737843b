"""Invitations: whoever may asks somebody in; it is accepted, declined, revoked, or expires."""

from __future__ import annotations

import tempfile
from datetime import timedelta
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

from focusmate_core import Actor, BadInput
from focusmate_core.context import Store
from focusmate_core.features import inviting
from focusmate_core.features.accounts import DeleteAccount
from focusmate_core.features.desks import OpenDesk
from focusmate_core.features.invitations import (
    AcceptInvitation,
    DeclineInvitation,
    Invitation,
    InvitationState,
    MyInvitations,
)
from focusmate_core.features.inviting import InvitationsOfRoom, InvitePerson, RevokeInvitation
from focusmate_core.features.moderation import BanPerson, RemovePerson
from focusmate_core.features.plans import Plan
from focusmate_core.features.room_changes import UpdateRoom
from focusmate_core.features.rooms import CloseRoom, RoomById, Seat
from focusmate_core.features.seats import AppointModerator, JoinRoom, LeaveRoom
from focusmate_core.features.timer_control import StartTimer
from focusmate_core.testing.conformance.storage.kit import in_threads
from tests.features.test_private_rooms import WaitingStorage
from tests.features.town import PASSWORD, STORAGES, Town, Watcher

MINUTE, DAY, WEEK = timedelta(minutes=1), timedelta(days=1), timedelta(days=7)

SOME_ID = "01890a5d-ac96-774b-bcce-000000000001"


@pytest.fixture
def room(town, ada):
    """A room of Ada's that strangers do not find."""
    return town.open_room(ada, is_public=False, capacity=2, description="quiet")


@pytest.fixture
def invited(town, ada, bob, room):
    """Ada's invitation to Bob."""
    return invite(town, ada, room, bob, message="Come and read")


def invite(town, host, room, person, **more):
    return town.do(InvitePerson(room_id=room.id, person_id=person.id, **more), host)


def accept(invitation):
    return AcceptInvitation(invitation_id=invitation.id)


def decline(invitation):
    return DeclineInvitation(invitation_id=invitation.id)


def revoke(invitation):
    return RevokeInvitation(invitation_id=invitation.id)


def mine(town, person):
    return town.do(MyInvitations(), person).items


def moderated(town, host, person, room):
    """The room, with this person as a moderator of it."""
    town.do(JoinRoom(room_id=room.id), person)
    town.do(AppointModerator(room_id=room.id, person_id=person.id), host)
    return room


def of_room(town, room, person):
    return town.do(InvitationsOfRoom(room_id=room.id), person).items


def ends(town, stream):
    """How the invitations of a stream ended, in order."""
    told = [town.decoded(each) for each in town.told(stream)]
    return [each.state.value for each in told if each.fact.wire == "invitations.ended"]


# -- the way in ------------------------------------------------------------------------------------


def test_who_is_invited_sees_the_room_and_sits_down(town, ada, bob, room, invited):
    (seen,) = mine(town, bob)
    assert (seen.id, seen.invited_by, seen.message) == (invited.id, ada.id, "Come and read")
    assert (seen.room.id, seen.room.name, seen.room.description) == (room.id, "Library", "quiet")
    assert (seen.room.host_id, seen.room.seated, seen.room.capacity) == (ada.id, 1, 2)
    assert (seen.room.is_public, seen.room.avatar_url) == (False, None)
    assert seen.expires_at == town.clock.now() + WEEK
    assert town.do(accept(invited), bob).seated == 2
    assert mine(town, bob) == of_room(town, room, ada) == ()


def test_until_then_the_room_itself_is_not_there_for_them(town, bob, room, invited):
    assert town.code(RoomById(room_id=room.id), bob) == "rooms.not_found"
    assert town.code(JoinRoom(room_id=room.id), bob) == "rooms.not_found"
    town.do(accept(invited), bob)
    assert town.code(RoomById(room_id=room.id), bob) == "ok"


def test_accepting_twice_is_accepting_once_while_one_is_inside(town, bob, room, invited):
    first = town.do(accept(invited), bob)
    told = town.all_told()
    assert town.do(accept(invited), bob) == first
    assert town.all_told() == told
    town.do(LeaveRoom(room_id=room.id), bob)
    refused = town.refused(accept(invited), bob)
    assert (refused.code, refused.params()) == ("invitations.over", {"state": "accepted"})


def test_declining_twice_is_declining_once_and_the_room_is_told(town, ada, bob, room, invited):
    first = town.do(decline(invited), bob)
    assert first.state is InvitationState.DECLINED
    assert town.do(decline(invited), bob) == first
    assert ends(town, f"room:{room.id}") == ends(town, f"user:{bob.id}") == ["declined"]
    assert town.code(accept(invited), bob) == "invitations.over"
    assert of_room(town, room, ada) == ()


def test_revoking_twice_is_revoking_once_and_the_invited_is_told(town, ada, bob, room, invited):
    first = town.do(revoke(invited), ada)
    assert first.state is InvitationState.REVOKED
    assert town.do(revoke(invited), ada) == first
    assert ends(town, f"room:{room.id}") == ends(town, f"user:{bob.id}") == ["revoked"]
    for ask in (accept(invited), decline(invited)):
        assert town.refused(ask, bob).params() == {"state": "revoked"}


def test_what_was_accepted_or_declined_cannot_be_revoked(town, ada, bob, invited):
    town.do(decline(invited), bob)
    assert town.refused(revoke(invited), ada).params() == {"state": "declined"}


def test_the_message_is_for_the_invited_and_who_may_invite_not_for_the_room(town, room, invited):
    told = town.told(f"room:{room.id}")
    assert "invitations.invited" in [each.type for each in told]
    assert not any("Come and read" in each.data for each in town.all_told())


def test_a_full_room_is_full_for_the_invited_too_and_the_invitation_stays(
    town, ada, bob, room, invited
):
    cleo = town.somebody()
    town.do(accept(invite(town, ada, room, cleo)), cleo)
    assert town.code(accept(invited), bob) == "rooms.full"
    town.do(LeaveRoom(room_id=room.id), cleo)
    assert town.code(accept(invited), bob) == "ok"


# -- for how long ----------------------------------------------------------------------------------


def test_it_expires_whether_or_not_anybody_looks(town, ada, bob, room):
    invited = invite(town, ada, room, bob, expires_in=MINUTE)
    town.clock.advance(MINUTE - timedelta.resolution)
    assert len(mine(town, bob)) == len(of_room(town, room, ada)) == 1
    town.clock.advance(timedelta.resolution)
    assert mine(town, bob) == of_room(town, room, ada) == ()
    for ask, who in ((accept, bob), (decline, bob), (revoke, ada)):
        assert town.refused(ask(invited), who).params() == {"state": "expired"}


def test_inviting_again_renews_what_is_pending(town, ada, bob, room, invited):
    town.clock.advance(DAY)
    again = invite(town, ada, room, bob, message="Still there?", expires_in=DAY)
    assert (again.id, again.created_at) == (invited.id, invited.created_at)
    assert (again.message, again.expires_at) == ("Still there?", invited.expires_at)
    longer = invite(town, ada, room, bob, expires_in=2 * WEEK)
    assert longer.expires_at == town.clock.now() + 2 * WEEK
    assert [each.id for each in mine(town, bob)] == [invited.id]
    assert town.types(f"user:{bob.id}") == ["invitations.invited"] * 3


@pytest.mark.parametrize("how", ["declined", "revoked", "expired", "accepted"])
def test_inviting_after_the_end_is_another_invitation(town, ada, bob, room, invited, how):
    if how == "accepted":
        town.do(accept(invited), bob)
        town.do(LeaveRoom(room_id=room.id), bob)
    elif how == "expired":
        town.clock.advance(WEEK)
    else:
        town.do(
            {"declined": decline, "revoked": revoke}[how](invited), bob if how[0] == "d" else ada
        )
    again = invite(town, ada, room, bob)
    assert again.id != invited.id
    assert town.code(accept(invited), bob) == "invitations.not_found"
    assert town.code(accept(again), bob) == "ok"


@pytest.mark.parametrize("span", [MINUTE - timedelta.resolution, 30 * DAY + timedelta.resolution])
def test_it_lasts_from_a_minute_to_thirty_days(span):
    with pytest.raises(BadInput, match="expires_in"):
        InvitePerson(room_id=SOME_ID, person_id="bob", expires_in=span)


def test_what_ended_thirty_days_ago_is_swept_in_small_steps(town, ada, room):
    people = [town.somebody() for _ in range(3)]
    for person in people:
        invited = invite(town, ada, room, person, expires_in=DAY)
    town.do(decline(invited), people[-1])
    town.clock.advance(30 * DAY + timedelta.resolution)
    assert town.engine.sweep(retention=365 * DAY, limit=2) == 1
    town.clock.advance(DAY)
    assert [town.engine.sweep(retention=365 * DAY, limit=1) for _ in range(3)] == [1, 1, 0]
    assert town.code(decline(invited), people[-1]) == "invitations.not_found"


# -- what else ends it -----------------------------------------------------------------------------


def test_who_comes_in_another_way_has_accepted(town, ada, bob):
    room = town.open_room(ada)
    invited = invite(town, ada, room, bob)
    town.do(JoinRoom(room_id=room.id), bob)
    assert mine(town, bob) == ()
    assert ends(town, f"user:{bob.id}") == ["accepted"]
    assert town.code(accept(invited), bob) == "ok"


def test_what_has_expired_is_not_accepted_by_coming_in(town, ada, bob):
    room = town.open_room(ada)
    invite(town, ada, room, bob, expires_in=MINUTE)
    town.clock.advance(MINUTE)
    town.do(JoinRoom(room_id=room.id), bob)
    assert ends(town, f"user:{bob.id}") == []


def test_closing_the_room_ends_what_is_pending(town, ada, bob, room, invited):
    other = town.somebody()
    town.do(decline(invite(town, ada, room, other)), other)
    town.do(CloseRoom(room_id=room.id), ada)
    assert ends(town, f"user:{bob.id}") == ["revoked"]
    assert ends(town, f"user:{other.id}") == ["declined"]
    assert mine(town, bob) == ()
    assert town.refused(accept(invited), bob).params() == {"state": "revoked"}


def test_who_sat_in_a_room_that_was_closed_is_told_that_it_is(town, ada, bob, room, invited):
    town.do(accept(invited), bob)
    town.do(CloseRoom(room_id=room.id), ada)
    assert town.code(accept(invited), bob) == "rooms.closed"


def test_who_is_banned_is_invited_no_more(town, ada, bob, room, invited):
    town.do(BanPerson(room_id=room.id, person_id=bob.id), ada)
    assert ends(town, f"user:{bob.id}") == ["revoked"]
    assert town.refused(accept(invited), bob).params() == {"state": "revoked"}
    ask = InvitePerson(room_id=room.id, person_id=bob.id)
    assert town.code(ask, ada) == "invitations.banned"


def test_a_ban_revokes_what_who_is_banned_sent_for_that_room_and_demotion_nothing(town, ada, bob):
    cleo, dan, room = town.somebody(), town.somebody(), town.open_room(ada)
    other = moderated(town, ada, bob, town.open_room(ada))
    invited = invite(town, bob, moderated(town, ada, bob, room), cleo)
    invite(town, ada, room, dan)
    elsewhere = invite(town, bob, other, cleo)
    town.do(AppointModerator(room_id=room.id, person_id=bob.id, is_moderator=False), ada)
    assert [each.id for each in mine(town, cleo)] == [invited.id, elsewhere.id]
    town.do(BanPerson(room_id=room.id, person_id=bob.id), ada)
    assert [each.id for each in mine(town, cleo)] == [elsewhere.id]
    assert (ends(town, f"user:{cleo.id}"), len(mine(town, dan))) == (["revoked"], 1)


def test_who_was_removed_may_be_invited_anew(town, ada, bob, room, invited):
    town.do(accept(invited), bob)
    town.do(RemovePerson(room_id=room.id, person_id=bob.id), ada)
    assert town.code(accept(invited), bob) == "invitations.over"
    assert town.code(accept(invite(town, ada, room, bob)), bob) == "ok"


def test_nothing_is_kept_of_an_invitation_to_who_is_no_more(town, ada, room):
    bob = town.person("bob")
    invited = invite(town, ada, room, bob)
    town.do(DeleteAccount(password=PASSWORD), bob)
    assert of_room(town, room, ada) == ()
    assert town.code(revoke(invited), ada) == "invitations.not_found"


# -- who may ---------------------------------------------------------------------------------------


def test_moderators_of_the_room_invite_and_revoke_members_do_not(town, ada, bob):
    room = town.open_room(ada)
    cleo, dan = town.somebody(), town.somebody()
    town.do(JoinRoom(room_id=room.id), bob)
    ask = InvitePerson(room_id=room.id, person_id=cleo.id)
    assert town.code(ask, bob) == town.code(InvitationsOfRoom(room_id=room.id), bob)
    assert town.code(ask, bob) == "not_allowed"
    invited = invite(town, ada, room, cleo)
    assert town.code(revoke(invited), bob) == "not_allowed"
    assert town.code(revoke(invited), cleo) == "not_allowed"
    assert town.code(revoke(invited), dan) == "invitations.not_found"
    town.do(AppointModerator(room_id=room.id, person_id=bob.id), ada)
    assert town.code(revoke(invited), bob) == "ok"
    assert invite(town, bob, room, dan).invited_by == bob.id


def test_who_sent_it_may_revoke_it_even_after_leaving(town, ada, bob):
    room = moderated(town, ada, bob, town.open_room(ada))
    invited = invite(town, bob, room, town.somebody())
    town.do(LeaveRoom(room_id=room.id), bob)
    assert town.code(revoke(invited), bob) == "ok"


def test_who_sent_it_and_may_know_of_the_room_no_more_is_told_of_no_invitation(
    town, ada, bob, monkeypatch
):
    room = moderated(town, ada, bob, town.open_room(ada))
    invited = invite(town, bob, room, town.somebody())
    town.do(UpdateRoom(room_id=room.id, is_public=False), ada)
    town.do(LeaveRoom(room_id=room.id), bob)
    asked = Asked(monkeypatch)
    nothing = asked.of(town, RevokeInvitation(invitation_id=bob.id), bob)
    assert nothing[0].startswith("invitations.not_found: ")
    assert asked.of(town, revoke(invited), bob) == nothing
    town.do(LeaveRoom(room_id=room.id), ada)
    assert town.code(revoke(invited), ada) == "ok"


def test_there_is_no_use_in_inviting_oneself_or_who_is_in(town, ada, bob, room, invited):
    assert town.code(InvitePerson(room_id=room.id, person_id=ada.id), ada) == (
        "invitations.to_oneself"
    )
    town.do(accept(invited), bob)
    assert town.code(InvitePerson(room_id=room.id, person_id=bob.id), ada) == (
        "invitations.already_in"
    )


def test_nobody_is_invited_whose_account_has_ended(town, ada, room):
    cleo = town.person("cleo")
    town.do(DeleteAccount(password=PASSWORD), cleo)
    ask = InvitePerson(room_id=room.id, person_id=cleo.id)
    assert town.code(ask, ada) == "people.not_found"


def test_nobody_is_invited_to_a_desk_or_to_a_closed_room(town, ada, bob, room):
    desk = town.do(OpenDesk(), ada)
    ask = InvitePerson(room_id=desk.id, person_id=bob.id)
    assert town.code(ask, ada) == "invitations.to_a_desk"
    town.do(CloseRoom(room_id=room.id), ada)
    assert town.code(InvitePerson(room_id=room.id, person_id=bob.id), ada) == "rooms.closed"


def test_a_room_has_a_number_of_pending_invitations_at_the_most(town, ada, room, monkeypatch):
    monkeypatch.setattr(inviting, "MOST", 2)
    bob, cleo, dan = (town.somebody() for _ in range(3))
    first = invite(town, ada, room, bob)
    invite(town, ada, room, cleo)
    refused = town.refused(InvitePerson(room_id=room.id, person_id=dan.id), ada)
    assert (refused.code, refused.params()) == ("invitations.too_many", {"most": 2})
    invite(town, ada, room, bob)
    town.do(decline(first), bob)
    invite(town, ada, room, dan)


class Asked:
    """What a message asks of the storage: which verbs, of which entities."""

    def __init__(self, monkeypatch):
        self.verbs = []
        for name in ("get", "get_many", "find", "count", "put", "delete"):
            monkeypatch.setattr(Store, name, self._noted(name, getattr(Store, name)))

    def _noted(self, name, method):
        def noted(store, about, *words, **more):
            entity = about if isinstance(about, type) else getattr(about, "entity", type(about))
            self.verbs.append((name, entity.__name__, more.get("hold", False)))
            return method(store, about, *words, **more)

        return noted

    def of(self, town, ask, who):
        self.verbs.clear()
        return str(town.refused(ask, who)), tuple(self.verbs)


@pytest.mark.parametrize("message", [AcceptInvitation, DeclineInvitation, RevokeInvitation])
def test_an_invitation_that_is_not_ones_own_is_and_costs_what_one_costs_that_is_not(
    town, invited, message, monkeypatch
):
    eve = town.somebody()
    asked = Asked(monkeypatch)
    nothing = asked.of(town, message(invitation_id=eve.id), eve)
    assert nothing[0].startswith("invitations.not_found: ")
    assert asked.of(town, message(invitation_id=invited.id), eve) == nothing


def test_a_person_of_the_embedders_needs_no_account(town, ada, room):
    bob = Actor(id="bob of the embedder")
    town.do(accept(invite(town, ada, room, bob)), bob)
    assert town.do(RoomById(room_id=room.id), bob).seated == 2


# -- lists -----------------------------------------------------------------------------------------


def test_lists_are_paged_and_what_expires_first_comes_first(town, ada, bob):
    rooms = [town.open_room(ada, name=f"Room {n}", is_public=False) for n in range(5)]
    for hours, room in zip((3, 1, 5, 2, 4), rooms, strict=True):
        invite(town, ada, room, bob, expires_in=timedelta(hours=hours))
    seen, cursor = [], None
    for _ in range(3):
        page = town.do(MyInvitations(limit=2, cursor=cursor), bob)
        seen += [each.room.name for each in page.items]
        cursor = page.next_cursor
    assert (seen, cursor) == ([f"Room {n}" for n in (1, 3, 0, 4, 2)], None)


def test_those_of_a_room_are_paged_too(town, ada, room):
    people = [town.somebody() for _ in range(3)]
    for person in people:
        invite(town, ada, room, person)
    first = town.do(InvitationsOfRoom(room_id=room.id, limit=2), ada)
    rest = town.do(InvitationsOfRoom(room_id=room.id, limit=2, cursor=first.next_cursor), ada)
    told = [each.person_id for each in (*first.items, *rest.items)]
    assert (told, rest.next_cursor) == ([each.id for each in people], None)


def test_what_happened_where_the_invited_is_stands_before_it_on_their_stream(town, ada, bob, room):
    theirs = town.open_room(bob, plan=Plan(work=MINUTE))
    town.do(StartTimer(room_id=theirs.id), bob)
    town.clock.advance(hours=1)
    invite(town, ada, room, bob)
    assert town.types(f"user:{bob.id}") == ["sessions.credited", "invitations.invited"]


# -- all at once -----------------------------------------------------------------------------------


def test_accepting_while_it_is_revoked_is_one_or_the_other(town, ada, bob, room):
    for _ in range(10):
        accepts, revokes = [ask(invite(town, ada, room, bob)) for ask in (accept, revoke)]
        said = in_threads(
            lambda ask=accepts: town.code(ask, bob), lambda ask=revokes: town.code(ask, ada)
        )
        assert sorted(said) == ["invitations.over", "ok"]
        assert town.do(RoomById(room_id=room.id), ada).seated == (2 if said[0] == "ok" else 1)
        if said[0] == "ok":
            town.do(LeaveRoom(room_id=room.id), bob)


def test_many_moderators_who_invite_one_person_at_once_make_one_invitation(town, ada, bob, room):
    asks = [lambda: town.do(InvitePerson(room_id=room.id, person_id=bob.id), ada).id] * 10
    assert len(set(in_threads(*asks))) == 1
    assert len(mine(town, bob)) == 1


class Meanwhile:
    """Bob is a moderator of Ada's private room; he has invited Cleo."""

    def __init__(self):
        self.town = town = Town(WaitingStorage())
        self.ada, self.bob, self.cleo = (town.somebody() for _ in range(3))
        self.room = moderated(town, self.ada, self.bob, town.open_room(self.ada))
        self.invited = invite(town, self.bob, self.room, self.cleo)
        town.do(UpdateRoom(room_id=self.room.id, is_public=False), self.ada)

    def replace(self, unit):
        """The invitation has ended, and Cleo has another one."""
        first = unit.get(Invitation, (self.room.id, self.cleo.id))
        unit.put(first.but(id=SOME_ID, invited_by=self.ada.id))

    def waits(self, meanwhile, ask, who):
        """What is told to whoever has to wait for the room while something happens."""
        self.town.storage.meanwhile = meanwhile
        code = self.town.code(ask, who)
        assert self.town.storage.meanwhile is None
        return code


@pytest.mark.parametrize(("ask", "who"), [(accept, "cleo"), (decline, "cleo"), (revoke, "ada")])
def test_an_invitation_that_another_one_took_the_place_of_is_there_no_more(ask, who):
    scene = Meanwhile()
    code = scene.waits(scene.replace, ask(scene.invited), getattr(scene, who))
    assert code == "invitations.not_found"


def test_who_is_removed_while_they_wait_for_the_room_revokes_nothing_in_it():
    scene = Meanwhile()

    def remove(unit):
        unit.delete(Seat, (scene.room.id, scene.bob.id))

    assert scene.waits(remove, revoke(scene.invited), scene.bob) == "invitations.not_found"


@pytest.mark.parametrize("state", list(InvitationState))
def test_an_account_ends_whatever_becomes_of_an_invitation_in_that_moment(state):
    scene = Meanwhile()

    def end(unit):
        unit.put(unit.get(Invitation, (scene.room.id, scene.cleo.id)).but(state=state))

    assert scene.waits(end, DeleteAccount(), scene.cleo) == "ok"
    assert of_room(scene.town, scene.room, scene.ada) == ()


def test_an_account_ends_though_another_invitation_took_the_place_of_one():
    scene = Meanwhile()
    scene.town.do(LeaveRoom(room_id=scene.room.id), scene.bob)
    assert scene.waits(scene.replace, DeleteAccount(), scene.bob) == "ok"
    assert [each.id for each in mine(scene.town, scene.cleo)] == [SOME_ID]


# -- any order -------------------------------------------------------------------------------------

GUESTS = range(3)
guests = st.sampled_from(GUESTS)


class Guests(RuleBasedStateMachine):
    """A host invites and revokes, guests answer, come and go, time passes; a dict says what is."""

    storage_of = staticmethod(STORAGES["memory"])
    databases = Path()

    @initialize(capacity=st.none() | st.just(2), is_public=st.booleans())
    def open(self, capacity, is_public):
        self.town = Town(self.storage_of(self.databases))
        self.host = self.town.somebody()
        self.people = [self.town.somebody() for _ in GUESTS]
        self.room = self.town.open_room(self.host, capacity=capacity, is_public=is_public)
        self.watcher = Watcher(self.town, f"room:{self.room.id}")
        self.seats, self.is_public = (capacity or 100) - 1, is_public
        self.inside, self.state, self.until, self.last = set(), {}, {}, {}

    def by_now(self, who):
        state = self.state.get(who)
        is_late = state == "pending" and self.town.clock.now() >= self.until[who]
        return "expired" if is_late else state

    def pending(self):
        return {who for who in GUESTS if self.by_now(who) == "pending"}

    @rule(who=guests, minutes=st.integers(1, 30))
    def invite(self, who, minutes):
        span = timedelta(minutes=minutes)
        ask = InvitePerson(room_id=self.room.id, person_id=self.people[who].id, expires_in=span)
        if who in self.inside:
            assert self.town.code(ask, self.host) == "invitations.already_in"
            return
        made, until = self.town.do(ask, self.host), self.town.clock.now() + span
        is_renewed = who in self.pending()
        assert (made.id == self.last.get(who)) is is_renewed
        self.until[who] = max(until, self.until[who]) if is_renewed else until
        self.last[who], self.state[who] = made.id, "pending"

    def answer(self, message, who, by, state):
        """Whether it was possible; once or again."""
        if who not in self.last:
            return
        code = self.town.code(message(invitation_id=self.last[who]), by)
        possible = self.by_now(who) in {"pending", state}
        assert code == ("ok" if possible else "invitations.over")
        self.state[who] = state if possible else self.state[who]

    @rule(who=guests)
    def decline(self, who):
        self.answer(DeclineInvitation, who, self.people[who], "declined")

    @rule(who=guests)
    def revoke(self, who):
        self.answer(RevokeInvitation, who, self.host, "revoked")

    @rule(who=guests)
    def accept(self, who):
        if who not in self.last:
            return
        state, is_in = self.by_now(who), who in self.inside
        code = self.town.code(AcceptInvitation(invitation_id=self.last[who]), self.people[who])
        if state != "pending" and not (state == "accepted" and is_in):
            assert code == "invitations.over"
        elif is_in or len(self.inside) < self.seats:
            assert code == "ok"
            self.come(who)
        else:
            assert code == "rooms.full"

    def come(self, who):
        self.state |= {who: "accepted"} if who in self.pending() else {}
        self.inside.add(who)

    @rule(who=guests)
    def join(self, who):
        code = self.town.code(JoinRoom(room_id=self.room.id), self.people[who])
        if not self.is_public and who not in self.inside:
            assert code == "rooms.not_found"
        elif who in self.inside or len(self.inside) < self.seats:
            assert code == "ok"
            self.come(who)
        else:
            assert code == "rooms.full"

    @rule(who=guests)
    def leave(self, who):
        code = self.town.code(LeaveRoom(room_id=self.room.id), self.people[who])
        assert code == ("ok" if self.is_public or who in self.inside else "rooms.not_found")
        self.inside.discard(who)

    @rule(minutes=st.integers(0, 40))
    def wait(self, minutes):
        self.town.clock.advance(minutes=minutes)
        self.town.engine.run_due()

    @invariant()
    def everybody_sees_what_is_pending(self):
        expected = self.pending()
        assert {who for who in GUESTS if mine(self.town, self.people[who])} == expected
        listed = of_room(self.town, self.room, self.host)
        assert {each.id for each in listed} == {self.last[who] for who in expected}
        seated = self.town.do(RoomById(room_id=self.room.id), self.host).seated
        assert seated == 1 + len(self.inside)

    @invariant()
    def who_applies_the_events_sees_the_same(self):
        self.watcher.catch_up()

    def teardown(self):
        if hasattr(self, "town"):
            self.town.storage.close()


@pytest.mark.parametrize("name", STORAGES)
def test_an_invitation_is_pending_until_one_thing_becomes_of_it(name):
    with tempfile.TemporaryDirectory() as folder:
        where = {"storage_of": staticmethod(STORAGES[name]), "databases": Path(folder)}
        machine = type("Guests", (Guests,), where)
        run_state_machine_as_test(machine, settings=settings(stateful_step_count=20))
