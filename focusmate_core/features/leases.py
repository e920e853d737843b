"""Leases: a presence of which there is no sign of life any more ends with the last one."""

from datetime import datetime

from focusmate_core.context import Context, QueryContext
from focusmate_core.entities import Entity, entity
from focusmate_core.features.presence import (
    ALWAYS,
    NEVER,
    Presence,
    PresenceEntered,
    PresencePolicy,
    depart,
)
from focusmate_core.features.rooms import Room
from focusmate_core.fields import Id
from focusmate_core.finding import Find, Is
from focusmate_core.messages import Access, Command, command, handler, reacts, settles

SERVICE = "service"


@entity("returns")
class Return(Entity):
    """When the service last came back."""

    id: str
    at: datetime
    version: int = 0


def _watch(room: Room, at: datetime | None, ctx: Context) -> None:
    """Look next at this instant for presences that lapse."""
    ctx.store.put(room.but(lapses_at=at))
    if at is None:
        ctx.unschedule(f"presence:{room.id}")
    else:
        ctx.schedule(f"presence:{room.id}", at, EndLapsed(room_id=room.id))


@reacts(to=PresenceEntered)
def watch_over(fact: PresenceEntered, ctx: Context) -> None:
    """Under a lease, look after who came; who is there already has the room looked at sooner."""
    lease = ctx.setting(PresencePolicy).lease
    room = ctx.store.get(Room, fact.room_id, hold=True)
    if lease is not None and room is not None and room.lapses_at is None:
        _watch(room, ctx.now + lease, ctx)


def lapses_at(room_id: str, ctx: Context) -> datetime | None:
    """When to look next for presences that lapse in a room."""
    room = ctx.store.get(Room, room_id, hold=True)
    return room.lapses_at if room else None


@settles("room", when=lapses_at)
def let_one_lapse(room_id: str, ctx: Context) -> None:
    """End the presence whose lease ran out first, or look again when the next one does."""
    room = ctx.store.get(Room, room_id, hold=True)
    asked = Find(Presence, where=(Is("room_id", room_id),), order=("until",), limit=1)
    over_at, policy = ALWAYS, ctx.setting(PresencePolicy)
    for first in ctx.store.find(asked).items:
        over_at = policy.is_over(first.until, returned_at(ctx))
        if over_at <= ctx.at:
            depart(first, ctx, until=first.until)
            return
    if room is not None:
        _watch(room, None if over_at is ALWAYS else over_at, ctx)


def returned_at(ctx: Context | QueryContext) -> datetime:
    """When the service last came back; NEVER before it ever did."""
    known = ctx.store.get(Return, SERVICE)
    return known.at if known else NEVER


@command("presence.end_lapsed", access=Access.SYSTEM, touches={"room": "room_id"})
class EndLapsed(Command[None]):
    """A lease in a room may have run out: its deadline is due."""

    room_id: Id


@handler
def end_lapsed(ask: EndLapsed, ctx: Context) -> None:
    """Settling did it; a clock that was set back meanwhile finds the deadline again."""
    room = ctx.store.get(Room, ask.room_id, hold=True)
    if room is not None and room.lapses_at is not None:
        _watch(room, room.lapses_at, ctx)
