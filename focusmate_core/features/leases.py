"""Leases: who is silent is idle, then away, and was there up to the last sign of life."""

from datetime import datetime, timedelta

from focusmate_core.context import Context, QueryContext
from focusmate_core.entities import Entity, entity
from focusmate_core.features.presence import (
    ALWAYS,
    NEVER,
    Presence,
    PresenceChanged,
    PresenceEntered,
    PresencePolicy,
    Status,
    become,
    depart,
    first_of,
)
from focusmate_core.features.rooms import Room, the_room
from focusmate_core.fields import Id
from focusmate_core.messages import Access, Command, command, handler, reacts, settles

SERVICE = "service"


@entity("returns")
class Return(Entity):
    """When the service last came back, and which lease it gave from then on."""

    id: str
    at: datetime
    lease: timedelta | None
    version: int = 0


def _watch(room: Room, at: datetime | None, ctx: Context) -> None:
    """Look next at this instant for who is silent."""
    ctx.store.put(room.but(lapses_at=at))
    if at is None:
        ctx.unschedule(f"presence:{room.id}")
    else:
        ctx.schedule(f"presence:{room.id}", at, EndLapsed(room_id=room.id))


@reacts(to=PresenceEntered)
@reacts(to=PresenceChanged)
def watch_over(fact: PresenceEntered | PresenceChanged, ctx: Context) -> None:
    """Under a lease, look after who came, or is active again, unless the room is looked at sooner.

    Who is idle was active before, so that the room is looked at soon enough for them, too.
    """
    look_after(fact.room_id, ctx)


def look_after(room_id: str, ctx: Context) -> None:
    """Look at a room in half a lease at the latest."""
    room = the_room(room_id, ctx)
    at = ctx.setting(PresencePolicy).is_quiet(ctx.now)
    if at < (room.lapses_at or ALWAYS):
        _watch(room, at, ctx)


def lapses_at(room_id: str, ctx: Context) -> datetime | None:
    """When to look next for who is silent in a room."""
    room = ctx.store.get(Room, room_id, hold=True)
    return room.lapses_at if room else None


@settles("room", when=lapses_at)
def let_silence_tell(room_id: str, ctx: Context) -> None:
    """Whoever is silent is idle, and then away: the next of them, or the next time to look."""
    at, who = _next(room_id, ctx)
    if who is None or at > ctx.at:
        _watch(the_room(room_id, ctx), at if who else None, ctx)
    elif who.status is Status.ACTIVE:
        become(who, who.but(status=Status.IDLE), ctx)
    else:
        depart(who, ctx, until=who.until)


def _next(room_id: str, ctx: Context) -> tuple[datetime, Presence | None]:
    """Who becomes idle or away next by being silent, and when; nobody, unless there is a lease."""
    policy = ctx.setting(PresencePolicy)
    active = first_of(room_id, Status.ACTIVE, ctx)
    idle = first_of(room_id, Status.IDLE, ctx)
    quiet_at = policy.is_quiet(active.until) if active else ALWAYS
    over_at = policy.is_over(idle.until, returned_at(ctx)) if idle else ALWAYS
    if quiet_at <= over_at:
        return quiet_at, active if quiet_at < ALWAYS else None
    return over_at, idle


def returns_to_come(_: str, ctx: Context) -> datetime | None:
    """Now, if the service came back at an instant that is still to come."""
    return ctx.now if returned_at(ctx) > ctx.now else None


@settles("clock", when=returns_to_come)
def return_now(_: str, ctx: Context) -> None:
    """A clock was set back: what is left of the lease that a return gave begins again now."""
    for known in ctx.store.get_many(Return, [SERVICE]).values():
        ctx.store.put(known.but(at=ctx.now))


def returned_at(ctx: Context | QueryContext) -> datetime:
    """When the service last came back; NEVER before it ever did."""
    known = ctx.store.get(Return, SERVICE)
    return known.at if known else NEVER


@command("presence.end_lapsed", access=Access.SYSTEM, touches={"room": "room_id"})
class EndLapsed(Command[None]):
    """Somebody in a room may have been silent for too long: its deadline is due."""

    room_id: Id


@handler
def end_lapsed(ask: EndLapsed, ctx: Context) -> None:
    """Settling did it; a clock that was set back meanwhile finds the deadline again."""
    room = ctx.store.get(Room, ask.room_id, hold=True)
    if room is not None and room.lapses_at is not None:
        _watch(room, room.lapses_at, ctx)
