"""Seats: who is in a room; joining takes one, leaving gives it back, never more than there are."""

from datetime import datetime
from typing import Annotated

from focusmate_core.context import Context, QueryContext
from focusmate_core.features.bans import check_welcome
from focusmate_core.features.rooms import (
    Control,
    Room,
    RoomClosed,
    RoomNotFound,
    RoomOpened,
    RoomView,
    Seat,
    held_room,
    known_room,
    room_stream,
    shown,
)
from focusmate_core.fields import Id, Limit, Text
from focusmate_core.finding import Find, Is, find_all
from focusmate_core.messages import (
    Command,
    Event,
    Query,
    Value,
    applies,
    command,
    event,
    handler,
    query,
    reacts,
    snapshot,
    view,
    view_of,
    watches,
)
from focusmate_core.refusals import Kind, NotAllowed, NotSignedIn, Refusal, StreamNotFound, refusal

# -- nouns ----------------------------------------------------------------------------------------


@view
class SeatView(Value):
    """Who sits in a room, since when, and whether the host made them a moderator of it."""

    person_id: str
    since: datetime
    is_moderator: bool = False


# -- facts ----------------------------------------------------------------------------------------


@event("rooms.joined")
class RoomJoined(Event):
    """Somebody sat down; `seated` counts the people in the room then."""

    room_id: str
    person_id: str
    seated: int


@event("rooms.left", ends_watching="person_id")
class RoomLeft(Event):
    """Somebody gave up the seat, or was removed; `seated` counts the people in the room then."""

    room_id: str
    person_id: str
    seated: int
    removed_by: str | None = None
    """Who took the seat from them; None for who went on their own."""


@event("rooms.removed")
class RemovedFromRoom(Event):
    """Whom the seat was taken from is told so; `is_banned`: they may not come back."""

    room_id: str
    by: str
    is_banned: bool


@event("rooms.taken_again")
class SeatTakenAgain(Event):
    """Somebody joined who has a seat there; told to nobody, for features that care to react."""

    room_id: str
    person_id: str


@event("rooms.appointed")
class ModeratorAppointed(Event):
    """Somebody is a moderator of the room from now on, or no longer."""

    room_id: str
    person_id: str
    is_moderator: bool


# -- refusals -------------------------------------------------------------------------------------


@refusal("rooms.not_in_it", "You are not in this room; join it first.", kind=Kind.NOT_ALLOWED)
class NotInRoom(Refusal):
    """Only who has a seat in the room may do this."""


@refusal(
    "rooms.person_not_in_it",
    "This person has no seat in the room; they have to join it first.",
    kind=Kind.IMPOSSIBLE,
)
class PersonNotInRoom(Refusal):
    """Only who has a seat can be made a moderator, or the host."""


# -- for the features above -----------------------------------------------------------------------


def check_seat(room: Room, ctx: Context | QueryContext) -> None:
    """Refuse whoever does not sit in the room: `NotInRoom`."""
    if ctx.store.get(Seat, (room.id, ctx.actor.id)) is None:
        raise NotInRoom


def check_member(room: Room, ctx: Context | QueryContext) -> None:
    """Refuse whoever neither sits in the room nor is its host: `NotInRoom`."""
    if ctx.actor.id != room.host_id:
        check_seat(room, ctx)


def check_control(room: Room, ctx: Context) -> None:
    """Refuse whoever may not control the room's timer: `NotAllowed`, `NotInRoom`."""
    if ctx.actor.id == room.host_id:
        return
    seat = ctx.store.get(Seat, (room.id, ctx.actor.id))
    if seat is None:
        raise NotInRoom
    if room.control is Control.HOST:
        raise NotAllowed(needed="the room's host")
    if room.control is Control.MODERATORS and not seat.is_moderator:
        raise NotAllowed(needed="the room's host or one of its moderators")


def check_host(room: Room, ctx: Context) -> None:
    """Refuse whoever is not the room's host: `NotAllowed`."""
    if ctx.actor.id != room.host_id:
        raise NotAllowed(needed="the room's host")


# -- join and leave -------------------------------------------------------------------------------


def _sit_down(room: Room | RoomView, person_id: str, ctx: Context) -> None:
    ctx.store.put(Seat(room_id=room.id, person_id=person_id, since=ctx.now))
    joined = RoomJoined(room_id=room.id, person_id=person_id, seated=room.seated)
    ctx.emit(joined, to=room_stream(room.id))


@reacts(to=RoomOpened)
def seat_the_host(fact: RoomOpened, ctx: Context) -> None:
    """Who opens a room sits in it: the room counts its host from the beginning."""
    _sit_down(fact.room, fact.room.host_id, ctx)


@command("rooms.join", touches={"room": "room_id"})
class JoinRoom(Command[RoomView]):
    """Sit down in a room; joining twice is joining once."""

    room_id: Id


@handler
def join_room(ask: JoinRoom, ctx: Context) -> RoomView:
    """Refuses `RoomNotFound`, `RoomIsClosed`, `RoomIsFull`, `BannedFromRoom`."""
    return shown(take_seat(held_room(ask.room_id, ctx), ctx))


def take_seat(room: Room, ctx: Context) -> Room:
    """Have the caller sit down in an open room, or sit there again.

    Every way into a room comes here. Refuses `RoomIsFull`, and who is banned.
    """
    if ctx.store.get(Seat, (room.id, ctx.actor.id)) is not None:
        ctx.emit(SeatTakenAgain(room_id=room.id, person_id=ctx.actor.id), to=())
        return room
    check_welcome(room, ctx)
    room = ctx.store.put(room.seat_one())
    _sit_down(room, ctx.actor.id, ctx)
    return room


def give_back(room: Room, person_id: str, ctx: Context, *, removed_by: str | None = None) -> Room:
    """Have somebody's seat be free again; one who has none is not in it already."""
    if not ctx.store.delete(Seat, (room.id, person_id)):
        return room
    room = ctx.store.put(room.but(seated=room.seated - 1))
    left = RoomLeft(room_id=room.id, person_id=person_id, seated=room.seated, removed_by=removed_by)
    ctx.emit(left, to=room_stream(room.id))
    return room


@command("rooms.leave", touches={"room": "room_id"})
class LeaveRoom(Command[RoomView]):
    """Give up one's seat; leaving twice is leaving once. A host who leaves remains the host."""

    room_id: Id


@handler
def leave_room(ask: LeaveRoom, ctx: Context) -> RoomView:
    """Refuses `RoomNotFound`, `RoomIsClosed`."""
    return shown(give_back(held_room(ask.room_id, ctx), ctx.actor.id, ctx))


@command("rooms.appoint", touches={"room": "room_id"})
class AppointModerator(Command[SeatView]):
    """Make somebody a moderator of one's room, or no longer; saying so twice is saying it once."""

    room_id: Id
    person_id: Annotated[str, Text(1, 200)]
    is_moderator: bool = True


@handler
def appoint_moderator(ask: AppointModerator, ctx: Context) -> SeatView:
    """Refuses `RoomNotFound`, `RoomIsClosed`, `NotAllowed`, `PersonNotInRoom`."""
    room = held_room(ask.room_id, ctx)
    check_host(room, ctx)
    seat = ctx.store.get(Seat, (room.id, ask.person_id), hold=True)
    if seat is None:
        raise PersonNotInRoom
    return view_of(SeatView, appointed(seat, ctx, is_moderator=ask.is_moderator))


def appointed(seat: Seat, ctx: Context, *, is_moderator: bool) -> Seat:
    """A seat whose owner is a moderator from now on, or no longer."""
    if seat.is_moderator is is_moderator:
        return seat
    seat = ctx.store.put(seat.but(is_moderator=is_moderator))
    ctx.emit(view_of(ModeratorAppointed, seat), to=room_stream(seat.room_id))
    return seat


# -- look -----------------------------------------------------------------------------------------


@view
class Members(Value):
    """Who has a seat in a room, by id; `next_cursor` is None on the last page."""

    items: tuple[SeatView, ...]
    next_cursor: str | None


@query("rooms.members")
class RoomMembers(Query[Members]):
    """Who has a seat in a room, for those who are in it; nobody once it is closed."""

    room_id: Id
    limit: Limit = 20
    cursor: Annotated[str, Text(1, 500)] | None = None


@handler
def room_members(ask: RoomMembers, ctx: QueryContext) -> Members:
    """Refuses `RoomNotFound`, `NotInRoom`, `BadInput` for a cursor of another list."""
    room = known_room(ask.room_id, ctx)
    check_member(room, ctx)
    if not room.is_open:
        return Members(items=(), next_cursor=None)
    asked = Find(Seat, where=(Is("room_id", room.id),), limit=ask.limit, after=ask.cursor)
    page = ctx.store.find(asked)
    return Members(
        items=tuple(view_of(SeatView, seat) for seat in page.items), next_cursor=page.next
    )


# -- the stream room:<id> -------------------------------------------------------------------------


@watches("room")
def only_who_sits_there(room_id: str, ctx: QueryContext) -> None:
    """A room's stream is for the people in it."""
    if not ctx.actor.id:
        raise NotSignedIn
    try:
        room = known_room(room_id, ctx)
    except RoomNotFound:
        raise StreamNotFound(stream=room_stream(room_id)[:100]) from None
    check_seat(room, ctx)


@snapshot("room", "seats")
def seats_part(room_id: str, ctx: QueryContext) -> tuple[SeatView, ...]:
    """Who sits there, by id; nobody once it is closed."""
    room = ctx.store.get(Room, room_id)
    if room is None or not room.is_open:
        return ()
    seats = find_all(ctx.store, Find(Seat, where=(Is("room_id", room_id),)))
    return tuple(view_of(SeatView, seat) for seat in seats)


@applies(RoomJoined, part="room")
def room_joined(room: RoomView, fact: RoomJoined, _at: datetime) -> RoomView:
    """One more in it."""
    return room.but(seated=fact.seated)


@applies(RoomLeft, part="room")
def room_left(room: RoomView, fact: RoomLeft, _at: datetime) -> RoomView:
    """One less in it."""
    return room.but(seated=fact.seated)


@applies(RoomJoined, part="seats")
def seat_taken(seats: tuple[SeatView, ...], fact: RoomJoined, at: datetime) -> tuple[SeatView, ...]:
    """The seats with one more, by id."""
    more = (*seats, SeatView(person_id=fact.person_id, since=at))
    return tuple(sorted(more, key=lambda seat: seat.person_id))


@applies(ModeratorAppointed, part="seats")
def seat_changed(
    seats: tuple[SeatView, ...], fact: ModeratorAppointed, _at: datetime
) -> tuple[SeatView, ...]:
    """The same seats, one with another right."""
    return tuple(
        seat.but(is_moderator=fact.is_moderator) if seat.person_id == fact.person_id else seat
        for seat in seats
    )


@applies(RoomLeft, part="seats")
def seat_given_up(
    seats: tuple[SeatView, ...], fact: RoomLeft, _at: datetime
) -> tuple[SeatView, ...]:
    """The seats without that person's."""
    return tuple(seat for seat in seats if seat.person_id != fact.person_id)


@applies(RoomClosed, part="seats")
def seats_emptied(
    _: tuple[SeatView, ...], _fact: RoomClosed, _at: datetime
) -> tuple[SeatView, ...]:
    """Nobody is left."""
    return ()
