"""Moderation: who is removed from a room, and banned."""

from datetime import datetime
from typing import Annotated

from focusmate_core.context import Context, QueryContext
from focusmate_core.features.bans import Ban, PersonBanned
from focusmate_core.features.people import PersonDeleted, person_stream
from focusmate_core.features.rooms import (
    Room,
    RoomView,
    Seat,
    held_room,
    known_room,
    looks_after,
    shown,
)
from focusmate_core.features.seats import RemovedFromRoom, give_back
from focusmate_core.fields import Id, Limit, Text
from focusmate_core.finding import Find, Is, find_all
from focusmate_core.messages import (
    Command,
    Query,
    Value,
    command,
    handler,
    query,
    reacts,
    view,
    view_of,
)
from focusmate_core.refusals import Kind, NotAllowed, Refusal, refusal

PersonId = Annotated[str, Text(1, 200)]

# -- nouns ----------------------------------------------------------------------------------------


@view
class BanView(Value):
    """Who may not come into a room, by whose word, since when and why."""

    person_id: str
    by: str
    at: datetime
    reason: str


# -- refusals -------------------------------------------------------------------------------------


@refusal(
    "rooms.host_stays",
    "The host of a room can be neither removed nor banned; only the host can hand it over.",
    kind=Kind.IMPOSSIBLE,
)
class HostStays(Refusal):
    """Nobody takes a room away from its host."""


# -- who may --------------------------------------------------------------------------------------


def check_moderates(room: Room, ctx: Context | QueryContext) -> None:
    """Refuse whoever moderates neither this room nor the community: `NotAllowed`."""
    if not looks_after(room, ctx.actor):
        seat = ctx.store.get(Seat, (room.id, ctx.actor.id))
        if seat is None or not seat.is_moderator:
            raise NotAllowed(needed="the room's host or one of its moderators")


def _moderated(room_id: str, person_id: str, ctx: Context) -> Room:
    """The room, in which the caller may act on this person."""
    room = held_room(room_id, ctx)
    check_moderates(room, ctx)
    if person_id == room.host_id:
        raise HostStays
    seat = ctx.store.get(Seat, (room.id, person_id))
    if seat is not None and seat.is_moderator and not looks_after(room, ctx.actor):
        raise NotAllowed(needed="the room's host")
    return room


def _take_away(room: Room, person_id: str, ctx: Context, *, is_banned: bool) -> Room:
    """Take somebody's seat, and tell them; one who has none is in peace."""
    if ctx.store.get(Seat, (room.id, person_id)) is None:
        # Nor is anything settled where they are: they may be in a room unknown to whoever asks.
        return room
    # What happened before, wherever they are, stands before this on their stream.
    ctx.settle("person", person_id)
    after = give_back(room, person_id, ctx, removed_by=ctx.actor.id)
    fact = RemovedFromRoom(room_id=room.id, by=ctx.actor.id, is_banned=is_banned)
    ctx.emit(fact, to=person_stream(person_id))
    return after


# -- remove ---------------------------------------------------------------------------------------


@command("rooms.remove", touches={"room": "room_id"})
class RemovePerson(Command[RoomView]):
    """Take somebody's seat in a room; removing twice is removing once. They may come back."""

    room_id: Id
    person_id: PersonId


@handler
def remove_person(ask: RemovePerson, ctx: Context) -> RoomView:
    """Refuses `RoomNotFound`, `RoomIsClosed`, `NotAllowed`, `HostStays`."""
    room = _moderated(ask.room_id, ask.person_id, ctx)
    return shown(_take_away(room, ask.person_id, ctx, is_banned=False))


# -- ban ------------------------------------------------------------------------------------------


@command("rooms.ban", touches={"room": "room_id"})
class BanPerson(Command[BanView]):
    """Remove somebody from a room, if they are in, and let them in no more.

    Banning twice is banning once: the first word stands.
    """

    room_id: Id
    person_id: PersonId
    reason: Annotated[str, Text(0, 200)] = ""


@handler
def ban_person(ask: BanPerson, ctx: Context) -> BanView:
    """Refuses `RoomNotFound`, `RoomIsClosed`, `NotAllowed`, `HostStays`."""
    room = _moderated(ask.room_id, ask.person_id, ctx)
    ban = ctx.store.get(Ban, (room.id, ask.person_id))
    if ban is None:
        ban = ctx.store.put(view_of(Ban, ask, by=ctx.actor.id, at=ctx.now, version=0))
        ctx.emit(view_of(PersonBanned, ban), to=())
        _take_away(room, ask.person_id, ctx, is_banned=True)
    return view_of(BanView, ban)


@command("rooms.unban", touches={"room": "room_id"})
class UnbanPerson(Command[None]):
    """Let somebody else come into a room again; saying so twice is saying it once."""

    room_id: Id
    person_id: PersonId


@handler
def unban_person(ask: UnbanPerson, ctx: Context) -> None:
    """Refuses `RoomNotFound`, `RoomIsClosed`, `NotAllowed`."""
    room = held_room(ask.room_id, ctx)
    check_moderates(room, ctx)
    if ask.person_id == ctx.actor.id:
        raise NotAllowed(needed="somebody else who looks after the room")
    ctx.store.delete(Ban, (room.id, ask.person_id))


@reacts(to=PersonDeleted)
def forget_reasons(fact: PersonDeleted, ctx: Context) -> None:
    """A ban outlasts an account, since the same person may come again; why is forgotten."""
    bans = find_all(ctx.store, Find(Ban, where=(Is("person_id", fact.person_id),)))
    for ban in list(bans):
        ctx.store.put(ban.but(reason=""))


# -- look -----------------------------------------------------------------------------------------


@view
class Bans(Value):
    """Who is banned from a room, by id; `next_cursor` is None on the last page."""

    items: tuple[BanView, ...]
    next_cursor: str | None


@query("rooms.bans")
class RoomBans(Query[Bans]):
    """Who is banned from a room, for whoever moderates it."""

    room_id: Id
    limit: Limit = 20
    cursor: Annotated[str, Text(1, 500)] | None = None


@handler
def room_bans(ask: RoomBans, ctx: QueryContext) -> Bans:
    """Refuses `RoomNotFound`, `NotAllowed`, `BadInput` for a cursor of another list."""
    room = known_room(ask.room_id, ctx)
    check_moderates(room, ctx)
    asked = Find(Ban, where=(Is("room_id", room.id),), limit=ask.limit, after=ask.cursor)
    page = ctx.store.find(asked)
    items = tuple(view_of(BanView, ban) for ban in page.items)
    return Bans(items=items, next_cursor=page.next)
