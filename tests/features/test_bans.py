"""Bans: who is banned is not let in, whatever way they come by, until the ban is lifted."""

from __future__ import annotations

import pytest

from focusmate_core import BadInput, Call
from focusmate_core.features.accounts import DeleteAccount
from focusmate_core.features.directory import PreviewRoom
from focusmate_core.features.invitations import AcceptInvitation
from focusmate_core.features.inviting import InvitePerson
from focusmate_core.features.links import JoinByLink, OpenLink
from focusmate_core.features.moderation import BanPerson, RemovePerson, RoomBans, UnbanPerson
from focusmate_core.features.rooms import CloseRoom
from focusmate_core.features.seats import JoinRoom, RoomMembers


def ban(room, who, **more):
    return BanPerson(room_id=room.id, person_id=who.id, **more)


def banned(town, room, by):
    return [each.person_id for each in town.do(RoomBans(room_id=room.id), by).items]


def test_who_is_banned_is_out_and_stays_out(town, ada, bob, room):
    town.do(JoinRoom(room_id=room.id), bob)
    view = town.do(ban(room, bob, reason="shouts"), ada)
    assert (view.person_id, view.by, view.at) == (bob.id, ada.id, town.clock.now())
    assert view.reason == "shouts"
    assert [each.person_id for each in town.do(RoomMembers(room_id=room.id), ada).items] == [ada.id]
    assert town.code(JoinRoom(room_id=room.id), bob) == "rooms.banned"
    town.restart()
    assert town.code(JoinRoom(room_id=room.id), bob) == "rooms.banned"


def test_banning_twice_is_banning_once_and_the_first_word_stands(town, ada, bob, room):
    town.do(JoinRoom(room_id=room.id), bob)
    first = town.do(ban(room, bob, reason="first"), ada)
    told = town.all_told()
    town.clock.advance(hours=1)
    assert town.do(ban(room, bob, reason="second"), ada) == first
    assert town.all_told() == told


def test_who_was_never_there_can_be_banned_and_is_not_told(town, ada, bob, room):
    told = town.all_told()
    town.do(ban(room, bob), ada)
    assert town.all_told() == told
    assert town.code(JoinRoom(room_id=room.id), bob) == "rooms.banned"


def test_a_ban_that_is_lifted_is_none(town, ada, bob, room):
    town.do(ban(room, bob), ada)
    for _ in range(2):
        town.do(UnbanPerson(room_id=room.id, person_id=bob.id), ada)
    assert banned(town, room, ada) == []
    assert town.code(JoinRoom(room_id=room.id), bob) == "ok"


def test_who_is_banned_takes_no_invitation_either(town, ada, bob, room):
    ask = InvitePerson(room_id=room.id, person_id=bob.id)
    invitation = town.do(ask, ada)
    town.do(ban(room, bob), ada)
    assert town.code(AcceptInvitation(invitation_id=invitation.id), bob) != "ok"
    assert town.code(JoinRoom(room_id=room.id), bob) == "rooms.banned"


def test_a_ban_outlasts_the_account_without_its_reason(town, ada, bob, room):
    town.do(ban(room, bob, reason="shouts"), ada)
    town.do(DeleteAccount(), bob)
    assert town.code(JoinRoom(room_id=room.id), bob) == "rooms.banned"
    (kept,) = town.do(RoomBans(room_id=room.id), ada).items
    assert (kept.person_id, kept.by, kept.reason) == (bob.id, ada.id, "")


def test_a_ban_is_of_one_room(town, ada, bob, room):
    town.do(ban(room, bob), ada)
    assert town.code(JoinRoom(room_id=town.open_room(ada).id), bob) == "ok"


def test_before_joining_who_is_banned_sees_that_they_are(town, ada, bob, room):
    town.do(ban(room, bob), ada)
    seen = town.do(PreviewRoom(room_id=room.id), bob)
    assert (seen.may_join, seen.refusal) == (False, "rooms.banned")


def test_the_bans_of_a_room_are_listed_page_by_page_and_by_id(town, ada, room):
    crowd = sorted(town.somebody().id for _ in range(25))
    for each in reversed(crowd):
        town.do(BanPerson(room_id=room.id, person_id=each), ada)
    town.do(BanPerson(room_id=town.open_room(ada).id, person_id="somebody else"), ada)
    first = town.do(RoomBans(room_id=room.id), ada)
    rest = town.do(RoomBans(room_id=room.id, limit=100, cursor=first.next_cursor), ada)
    assert [each.person_id for each in (*first.items, *rest.items)] == crowd
    assert (len(first.items), rest.next_cursor) == (20, None)
    with pytest.raises(BadInput):
        town.do(RoomBans(room_id=room.id, cursor="nonsense"), ada)


def test_nobody_is_banned_from_a_closed_room_or_let_in_again_and_the_list_can_be_read(
    town, ada, bob, room
):
    town.do(ban(room, bob), ada)
    town.do(CloseRoom(room_id=room.id), ada)
    assert town.code(ban(room, bob), ada) == "rooms.closed"
    assert town.code(UnbanPerson(room_id=room.id, person_id=bob.id), ada) == "rooms.closed"
    assert banned(town, room, ada) == [bob.id]


def test_removed_first_and_banned_in_one_commit_is_out_once(town, ada, bob, room):
    town.do(JoinRoom(room_id=room.id), bob)
    asks = [RemovePerson(room_id=room.id, person_id=bob.id), ban(room, bob)]
    for outcome in town.engine.run([Call(ask, ada) for ask in asks]):
        outcome.result()
    assert town.types(f"room:{room.id}").count("rooms.left") == 1
    assert town.types(f"user:{bob.id}") == ["rooms.removed"]


def test_a_link_lets_nobody_in_who_is_banned_and_tells_them_nothing_of_a_private_room(
    town, ada, bob
):
    codes = []
    for is_public in (True, False):
        room = town.open_room(ada, is_public=is_public)
        code = town.do(OpenLink(room_id=room.id), ada).code
        town.do(ban(room, bob), ada)
        codes.append(town.code(JoinByLink(code=code), bob))
    assert codes == ["rooms.banned", "links.not_good"]
