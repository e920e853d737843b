"""Rooms: places where people focus together, opened and closed by their host."""

import enum
from datetime import datetime
from typing import Annotated, Any

from focusmate_core import codec
from focusmate_core.context import Context, QueryContext
from focusmate_core.entities import Entity, entity
from focusmate_core.features.plans import Plan
from focusmate_core.fields import FreeForm, Id, Text, Url, Whole
from focusmate_core.messages import (
    Access,
    Actor,
    Command,
    Event,
    Query,
    Value,
    applies,
    command,
    event,
    handler,
    knows,
    query,
    snapshot,
    view,
    view_of,
)
from focusmate_core.outbox import stream_of
from focusmate_core.refusals import Kind, NotAllowed, Refusal, refusal

# -- nouns ----------------------------------------------------------------------------------------


Name = Annotated[str, Text(1, 80)]
Description = Annotated[str, Text(0, 2000, lines=True)]
Capacity = Annotated[int, Whole(2, 1000)]
NO_SETTINGS: dict[str, Any] = {}


class Control(enum.Enum):
    """Who controls a room's timer."""

    HOST = "host"
    MODERATORS = "moderators"
    """The host, and whom the host made a moderator of the room."""
    EVERYONE = "everyone"


@entity(
    "rooms",
    index=[("is_open", "is_public", "opened_at"), ("host_id", "is_open")],
    search=("name", "description"),
    found_while=("is_open", "is_public"),
)
class Room(Entity):
    """A place to focus together; `seated` people have a seat in it now."""

    id: str
    name: str
    description: str
    host_id: str
    control: Control
    capacity: int | None
    plan: Plan
    seated: int
    is_open: bool
    is_public: bool
    """Whether anyone signed in may find it and come in; else only who is in it knows of it."""
    opened_at: datetime
    closed_at: datetime | None = None
    lapses_at: datetime | None = None
    """Before this instant nobody in it becomes idle or away by being silent; None: nobody can."""
    moves: int = 0
    """How many came and went: the order in which they did, whatever a clock says."""
    avatar_url: str | None = None
    settings: str = "{}"
    """What its host keeps with it in any form: a JSON object, as text."""
    revision: int = 1
    """Counts the changes of what its host set; who comes and goes changes no revision."""
    version: int = 0

    @property
    def is_for_one(self) -> bool:
        """Whether it is a desk: never anybody's but its host's."""
        return self.capacity == 1

    @property
    def is_full(self) -> bool:
        """Whether all its seats are taken."""
        return self.capacity is not None and self.seated >= self.capacity

    def seat_one(self) -> "Room":
        """The room with one more person in it; `RoomIsFull` above the capacity."""
        if self.capacity is not None and self.is_full:
            raise RoomIsFull(capacity=self.capacity)
        return self.but(seated=self.seated + 1)

    def close(self, now: datetime) -> "Room":
        """The room closed and empty."""
        return self.but(is_open=False, closed_at=now, seated=0)


@entity("seats", key=("room_id", "person_id"), index=["person_id"])
class Seat(Entity):
    """Somebody's place in a room. It outlives the closing: who was there may read the end."""

    room_id: str
    person_id: str
    since: datetime
    is_moderator: bool = False
    version: int = 0


@view
class RoomView(Value):
    """A room as whoever may know of it sees it."""

    id: Id
    name: str
    description: str
    host_id: str
    control: Control
    capacity: int | None
    plan: Plan
    seated: int
    is_open: bool
    is_public: bool = True
    opened_at: datetime
    closed_at: datetime | None
    avatar_url: str | None = None
    settings: FreeForm = NO_SETTINGS
    revision: int = 1


def shown(room: Room) -> RoomView:
    """The view of a room."""
    return view_of(RoomView, room, settings=codec.loads(room.settings))


def room_stream(room_id: str) -> str:
    """The stream of all that happens in a room."""
    return stream_of("room", room_id)


PUBLIC = stream_of("public")
"""The stream of what happens to public rooms: opened, changed and closed, never joins."""


def told_on(room: Room) -> tuple[str, ...]:
    """The streams that hear of a room's beginning and end, and of what its host changes."""
    return (room_stream(room.id), PUBLIC) if room.is_public else (room_stream(room.id),)


# -- facts ----------------------------------------------------------------------------------------


@event("rooms.opened")
class RoomOpened(Event):
    """A room is open from now on."""

    room: RoomView


@event("rooms.closed")
class RoomClosed(Event):
    """The room is over; nobody is in it any more."""

    room_id: str


# -- refusals -------------------------------------------------------------------------------------


@refusal(
    "rooms.not_found",
    "There is no such room; look at the list of public rooms.",
    kind=Kind.NOT_FOUND,
)
class RoomNotFound(Refusal):
    """No room has this id, or none that the caller may know of."""


@refusal(
    "rooms.full",
    "All {capacity} seats are taken; wait until somebody leaves, or open a room of your own.",
    kind=Kind.IMPOSSIBLE,
)
class RoomIsFull(Refusal):
    """As many people are in as the room seats."""

    capacity: int


@refusal(
    "rooms.closed",
    "The room was closed; open another, or join one of the public rooms.",
    kind=Kind.IMPOSSIBLE,
)
class RoomIsClosed(Refusal):
    """Nothing happens in a closed room any more."""


# -- for the features above -----------------------------------------------------------------------


def known_room(room_id: str, ctx: Context | QueryContext) -> Room:
    """The room, open or closed; `RoomNotFound`, also where the caller may not know of it."""
    return _known(room_id, ctx)


def held_room(room_id: str, ctx: Context) -> Room:
    """The open room, locked until the unit of work ends; `RoomNotFound`, `RoomIsClosed`."""
    return open_only(_known(room_id, ctx, hold=True))


def the_room(room_id: str, ctx: Context) -> Room:
    """The room, open or closed, locked, whoever asks; LookupError where there is none."""
    room = ctx.store.get(Room, room_id, hold=True)
    if room is None:
        msg = f"there is no room {room_id}, and something happens in it"
        raise LookupError(msg)
    return room


def open_only(room: Room) -> Room:
    """The room, if it is open; else `RoomIsClosed`."""
    if not room.is_open:
        raise RoomIsClosed
    return room


def is_known_to(actor: Actor, room: Room, seat: Seat | None) -> bool:
    """Whether a room is there at all for somebody, who has this seat in it or none."""
    return _is_plain_to(actor, room) or seat is not None


def looks_after(room: Room, actor: Actor) -> bool:
    """Whether somebody is its host, an admin, or, of a public room, a community moderator."""
    needed = Access.MODERATOR if room.is_public else Access.ADMIN
    return actor.id == room.host_id or actor.may(needed)


def _known(room_id: str, ctx: Context | QueryContext, *, hold: bool = False) -> Room:
    room = ctx.store.get(Room, room_id, hold=hold)
    if room is not None and _is_plain_to(ctx.actor, room):
        return room
    # A seat is looked for where there is no room, too: what it costs to be refused tells nothing.
    # Under the lock it is read anew: it may have been taken away since it was looked for first.
    seat = ctx.store.get(Seat, (room_id, ctx.actor.id), hold=hold)
    if room is None or seat is None:
        raise RoomNotFound
    return room


def _is_plain_to(actor: Actor, room: Room) -> bool:
    """Whether somebody knows of a room, wherever they sit."""
    return room.is_public or actor.id == room.host_id or actor.may(Access.ADMIN)


@knows("room")
def who_is_no_stranger(room_id: str, ctx: Context) -> None:
    """Nothing is settled, and nothing locked, in a room that the caller may not know of."""
    known_room(room_id, ctx)


def lay_out(ask: "OpenRoom", ctx: Context, *, is_desk: bool = False) -> RoomView:
    """Open a room for the caller, or a desk: for one person and nobody else to know."""
    room = ctx.store.put(
        Room(
            id=ctx.new_id(),
            name=ask.name,
            description=ask.description,
            host_id=ctx.actor.id,
            control=ask.control,
            capacity=1 if is_desk else ask.capacity,
            plan=ask.plan,
            seated=1,
            is_open=True,
            is_public=ask.is_public and not is_desk,
            opened_at=ctx.now,
            avatar_url=ask.avatar_url,
            settings=codec.dumps(ask.settings),
        )
    )
    ctx.emit(RoomOpened(room=shown(room)), to=told_on(room))
    return shown(room)


# -- open and close -------------------------------------------------------------------------------


@command("rooms.open")
class OpenRoom(Command[RoomView]):
    """Open a room and sit down in it; who opens it is its host.

    One that is not public is there only for who is in it: nobody else finds it, or joins it
    without an invitation.
    """

    name: Name
    description: Description = ""
    capacity: Capacity | None = None
    control: Control = Control.HOST
    plan: Plan = Plan()
    is_public: bool = True
    avatar_url: Url | None = None
    settings: FreeForm = NO_SETTINGS


@handler
def open_room(ask: OpenRoom, ctx: Context) -> RoomView:
    """Gives the room; its host sits in it."""
    return lay_out(ask, ctx)


@command("rooms.close", touches={"room": "room_id"})
class CloseRoom(Command[RoomView]):
    """Close a room for good; its timer stops. Closing twice is closing once."""

    room_id: Id


@handler
def close_room(ask: CloseRoom, ctx: Context) -> RoomView:
    """Refuses `RoomNotFound`, and `NotAllowed` to whoever is neither host nor moderator."""
    room = _known(ask.room_id, ctx, hold=True)
    if not looks_after(room, ctx.actor):
        raise NotAllowed(needed="the room's host or a moderator")
    return shown(closed(room, ctx) if room.is_open else room)


def closed(room: Room, ctx: Context) -> Room:
    """Close an open room."""
    room = ctx.store.put(room.close(ctx.now))
    ctx.emit(RoomClosed(room_id=room.id), to=told_on(room))
    return room


# -- look -----------------------------------------------------------------------------------------


@query("rooms.by_id")
class RoomById(Query[RoomView]):
    """A room, open or closed."""

    room_id: Id


@handler
def room_by_id(ask: RoomById, ctx: QueryContext) -> RoomView:
    """Refuses `RoomNotFound`."""
    return shown(known_room(ask.room_id, ctx))


# -- the stream room:<id> -------------------------------------------------------------------------


@snapshot("room", "room")
def room_part(room_id: str, ctx: QueryContext) -> RoomView | None:
    """The room itself; None before there is one."""
    room = ctx.store.get(Room, room_id)
    return shown(room) if room else None


@applies(RoomOpened, part="room")
def room_opened(_: RoomView | None, fact: RoomOpened, _at: datetime) -> RoomView:
    """The room as it was opened."""
    return fact.room


@applies(RoomClosed, part="room")
def room_closed(room: RoomView, _: RoomClosed, at: datetime) -> RoomView:
    """Closed and empty."""
    return room.but(is_open=False, closed_at=at, seated=0)
