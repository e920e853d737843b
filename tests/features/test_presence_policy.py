"""What ends a presence is a setting, and may be another one after a restart."""

from __future__ import annotations

from datetime import timedelta

import pytest

from focusmate_core import SYSTEM
from focusmate_core.features.moderation import RemovePerson
from focusmate_core.features.presence import PresencePolicy
from focusmate_core.features.seats import JoinRoom, LeaveRoom
from focusmate_core.features.signs import MyPresence, PresenceInRoom, ReturnService
from tests.features.town import Town

LEASE = timedelta(minutes=1)


def under(town: Town, lease: timedelta | None) -> Town:
    """The same town, restarted with this policy."""
    return Town(town.storage, clock=town.clock, settings=[PresencePolicy(lease=lease)])


def test_who_is_there_when_a_lease_is_introduced_has_one(town, ada, room):
    leased = under(town, LEASE)
    leased.do(ReturnService(), SYSTEM)
    assert leased.do(MyPresence(), ada).here.status.value == "active"
    leased.clock.advance(hours=5)
    while leased.engine.run_due():
        pass
    assert leased.parts(f"room:{room.id}")["presence"] == ()
    assert leased.types(f"room:{room.id}")[-2:] == ["presence.changed", "presence.left"]


def test_who_is_there_when_leases_end_stays(town, ada, room):
    leased = under(town, LEASE)
    leased.do(ReturnService(), SYSTEM)
    joined = under(leased, None)
    joined.do(ReturnService(), SYSTEM)
    joined.clock.advance(hours=5)
    while joined.engine.run_due():
        pass
    assert len(joined.do(PresenceInRoom(room_id=room.id), ada).items) == 1


@pytest.mark.parametrize(("lease", "seen"), [(LEASE, timedelta(0)), (None, timedelta(seconds=20))])
def test_who_is_removed_gives_no_sign_of_life_by_that(town, ada, bob, room, lease, seen):
    town = under(town, lease)
    joined_at = town.clock.now()
    town.do(JoinRoom(room_id=room.id), bob)
    town.clock.advance(seconds=20)
    town.do(RemovePerson(room_id=room.id, person_id=bob.id), ada)
    assert left_at(town, room) == joined_at + seen


@pytest.mark.parametrize("lease", [LEASE, None])
def test_who_leaves_was_there_until_then(town, bob, room, lease):
    town = under(town, lease)
    town.do(JoinRoom(room_id=room.id), bob)
    left = town.clock.advance(seconds=20)
    town.do(LeaveRoom(room_id=room.id), bob)
    assert left_at(town, room) == left


def left_at(town, room):
    """When whoever left last was there for the last time."""
    told = town.told(f"room:{room.id}")
    return [envelope.at for envelope in told if envelope.type == "presence.left"][-1]
