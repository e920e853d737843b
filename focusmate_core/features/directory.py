"""The directory: the public rooms, listed, searched and watched; one's own, and a look into one."""

import enum
from typing import Annotated

from focusmate_core.context import QueryContext
from focusmate_core.features.bans import BannedFromRoom, is_banned
from focusmate_core.features.people import Person, profile
from focusmate_core.features.rooms import (
    PUBLIC,
    Room,
    RoomIsClosed,
    RoomIsFull,
    RoomView,
    Seat,
    known_room,
    shown,
)
from focusmate_core.fields import Id, Limit, Text
from focusmate_core.finding import Between, Find, Is
from focusmate_core.messages import Actor, Query, Value, handler, query, view, watches
from focusmate_core.outbox import stream_of
from focusmate_core.refusals import NotSignedIn, Refusal, StreamNotFound

COUNTED = 1000
"""How far a list is counted."""
AT_ONCE = 100
"""How many of one's rooms are looked through at a time."""


@view
class RoomPage(Value):
    """One page of rooms; `next_cursor` is None on the last."""

    items: tuple[RoomView, ...]
    next_cursor: str | None
    count: int | None = None
    """How many there are, where it was asked for; exact up to 1,000, and 1,001 for more."""


@query("rooms.public")
class PublicRooms(Query[RoomPage]):
    """The open public rooms, the newest first.

    With words: those that have all of them, the last as a beginning, in name or description.
    """

    words: Annotated[str, Text(1, 200)] | None = None
    limit: Limit = 20
    cursor: Annotated[str, Text(1, 500)] | None = None
    with_count: bool = False


@handler
def public_rooms(ask: PublicRooms, ctx: QueryContext) -> RoomPage:
    """Refuses `BadInput` for a cursor of another list."""
    asked = Find(
        Room,
        where=(Is("is_open", True), Is("is_public", True)),  # noqa: FBT003  the values looked for
        order=("-id",) if ask.words else ("-opened_at",),
        words=ask.words,
        limit=ask.limit,
        after=ask.cursor,
    )
    page = ctx.store.find(asked)
    count = ctx.store.count(asked, COUNTED + 1) if ask.with_count else None
    items = tuple(shown(room) for room in page.items)
    return RoomPage(items=items, next_cursor=page.next, count=count)


# -- one's own ------------------------------------------------------------------------------------


@query("rooms.mine")
class MyRooms(Query[RoomPage]):
    """The rooms one has a seat in or is the host of, the newest first; open ones, unless asked."""

    with_closed: bool = False
    limit: Limit = 20
    cursor: Id | None = None


@handler
def my_rooms(ask: MyRooms, ctx: QueryContext) -> RoomPage:
    """Refuses nothing."""
    found: list[Room] = []
    ids = _own_ids(ask, ask.cursor, ctx)
    while ids and len(found) <= ask.limit:
        rooms = ctx.store.get_many(Room, ids)
        found += [rooms[each] for each in ids if rooms[each].is_open or ask.with_closed]
        ids = _own_ids(ask, ids[-1], ctx)
    items = tuple(shown(room) for room in found[: ask.limit])
    return RoomPage(items=items, next_cursor=items[-1].id if len(found) > len(items) else None)


def _own_ids(ask: MyRooms, before: str | None, ctx: QueryContext) -> list[str]:
    """Some of the ids of one's own rooms, the last made first, from those made before one."""
    sits = (Is("person_id", ctx.actor.id), Between("room_id", None, before))
    seats = ctx.store.find(Find(Seat, where=sits, order=("-room_id",), limit=AT_ONCE)).items
    ids = {seat.room_id for seat in seats}
    for is_open in (True, False) if ask.with_closed else (True,):
        whose = (Is("host_id", ctx.actor.id), Is("is_open", is_open), Between("id", None, before))
        hosts = Find(Room, where=whose, order=("-id",), limit=AT_ONCE)
        ids |= {room.id for room in ctx.store.find(hosts).items}
    return sorted(ids, reverse=True)[:AT_ONCE]


# -- before joining -------------------------------------------------------------------------------


class Standing(enum.Enum):
    """What somebody is in a room."""

    NONE = "none"
    MEMBER = "member"
    MODERATOR = "moderator"
    HOST = "host"


@view
class Preview(Value):
    """A room as one sees it before joining."""

    room: RoomView
    host_name: str | None
    """The host's public name, as their profile has it; None for who has no account here."""
    standing: Standing
    may_join: bool
    refusal: str | None
    """The code that joining would be refused with now; None if it would not."""


@query("rooms.preview")
class PreviewRoom(Query[Preview]):
    """A room as one sees it before joining: whose it is, how full, and how one stands to it."""

    room_id: Id


@handler
def preview_room(ask: PreviewRoom, ctx: QueryContext) -> Preview:
    """Refuses `RoomNotFound`."""
    room = known_room(ask.room_id, ctx)
    host = ctx.store.get(Person, room.host_id)
    seat = ctx.store.get(Seat, (room.id, ctx.actor.id))
    refused = _refused_with(room, seat, ctx)
    return Preview(
        room=shown(room),
        host_name=profile(host).display_name if host else None,
        standing=_standing(room, seat, ctx.actor),
        may_join=refused is None,
        refusal=refused.code if refused else None,
    )


def _standing(room: Room, seat: Seat | None, actor: Actor) -> Standing:
    if actor.id == room.host_id:
        return Standing.HOST
    if seat is None:
        return Standing.NONE
    return Standing.MODERATOR if seat.is_moderator else Standing.MEMBER


def _refused_with(room: Room, seat: Seat | None, ctx: QueryContext) -> type[Refusal] | None:
    if not room.is_open:
        return RoomIsClosed
    if seat is not None:
        return None
    if is_banned(room, ctx.actor.id, ctx):
        return BannedFromRoom
    return RoomIsFull if room.is_full else None


# -- the stream public ----------------------------------------------------------------------------


@watches("public")
def anyone_signed_in(key: str, ctx: QueryContext) -> None:
    """What is public is for all who are signed in; a list of rooms is asked for, not streamed."""
    if key:
        raise StreamNotFound(stream=stream_of(PUBLIC, key)[:100])
    if not ctx.actor.id:
        raise NotSignedIn
