"""What ends a presence is a setting, and may be another one after a restart."""

from __future__ import annotations

from datetime import timedelta

from focusmate_core import SYSTEM
from focusmate_core.features.presence import PresencePolicy
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
