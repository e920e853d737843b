"""Room changes: what a host may change of a room, and handing it over."""

from datetime import datetime
from typing import Annotated, Any

from focusmate_core import codec
from focusmate_core.context import Context
from focusmate_core.features.plans import Plan
from focusmate_core.features.rooms import (
    PUBLIC,
    Control,
    Description,
    Name,
    Room,
    RoomView,
    Seat,
    held_room,
    shown,
    told_on,
)
from focusmate_core.features.seats import PersonNotInRoom, appointed, check_host
from focusmate_core.fields import FreeForm, Id, Text, UrlOrNone, Whole
from focusmate_core.messages import Command, Event, applies, command, event, handler
from focusmate_core.refusals import BadInput, Kind, Outdated, Refusal, refusal

# -- facts ----------------------------------------------------------------------------------------


@event("rooms.changed")
class RoomChanged(Event):
    """What the host set of a room is another from now on: the room as it is since."""

    room: RoomView


@event("rooms.handed_over")
class RoomHandedOver(RoomChanged):
    """A room has another host from now on."""

    former_host_id: str


@event("rooms.withdrawn")
class RoomWithdrawn(Event):
    """A room is public no more; to whoever is not in it, it is gone."""

    room_id: str


@event("rooms.replanned")
class RoomReplanned(Event):
    """A room has another plan; told to nobody, for the timer to react."""

    room_id: str


# -- refusals -------------------------------------------------------------------------------------


@refusal(
    "rooms.too_few_seats",
    "There are {seated} people in the room; give as many seats or more, or wait until some leave.",
    kind=Kind.IMPOSSIBLE,
)
class TooFewSeats(Refusal):
    """Nobody loses a seat because a room is made smaller."""

    seated: int


@refusal(
    "rooms.for_one",
    "A desk is for one person and for nobody else to know of; open a room for others.",
    kind=Kind.IMPOSSIBLE,
)
class RoomIsForOne(Refusal):
    """A desk stays a desk."""


# -- for the features above -----------------------------------------------------------------------


def keep_change(
    before: Room, after: Room, ctx: Context, told: type[RoomChanged] = RoomChanged, **more: Any
) -> Room:
    """Store a room that its host changed, and tell whoever knows of it."""
    room = ctx.store.put(after.but(revision=before.revision + 1))
    ctx.emit(told(room=shown(room), **more), to=told_on(room))
    if before.is_public and not room.is_public:
        ctx.emit(RoomWithdrawn(room_id=room.id), to=PUBLIC)
    return room


# -- update ---------------------------------------------------------------------------------------


@command("rooms.update", touches={"room": "room_id"})
class UpdateRoom(Command[RoomView]):
    """Change one's room; what is left out stays, and what is empty is there no more.

    A capacity of 0 is none: as many as come. `settings` are taken as a whole. A plan applies as by
    `timer.change_plan`. With a `revision` only that one is changed.
    """

    room_id: Id
    name: Name | None = None
    description: Description | None = None
    avatar_url: UrlOrNone | None = None
    capacity: Annotated[int, Whole(0, 1000)] | None = None
    is_public: bool | None = None
    control: Control | None = None
    settings: FreeForm | None = None
    plan: Plan | None = None
    revision: Annotated[int, Whole(1, 2**53 - 1)] | None = None


@handler
def update_room(ask: UpdateRoom, ctx: Context) -> RoomView:
    """Refuses `RoomNotFound`, `RoomIsClosed`, `NotAllowed`, `Outdated`, `TooFewSeats`."""
    room = held_room(ask.room_id, ctx)
    check_host(room, ctx)
    if ask.revision not in {None, room.revision}:
        raise Outdated(revision=room.revision)
    after = room.but(**_changes(ask))
    if after == room:
        return shown(room)
    _check(room, after)
    kept = keep_change(room, after, ctx)
    if kept.plan != room.plan:
        ctx.emit(RoomReplanned(room_id=room.id), to=())
    return shown(kept)


def _changes(ask: UpdateRoom) -> dict[str, Any]:
    if ask.capacity == 1:
        raise BadInput.of("capacity", "must be from 2 to 1000, or 0 for none")
    plain = ("name", "description", "is_public", "control", "plan")
    given = {name: getattr(ask, name) for name in plain}
    if ask.settings is not None:
        given["settings"] = codec.dumps(ask.settings)
    maybe = {name: getattr(ask, name) for name in ("avatar_url", "capacity")}
    changes = {name: said for name, said in given.items() if said is not None}
    return changes | {name: said or None for name, said in maybe.items() if said is not None}


def _check(room: Room, after: Room) -> None:
    if room.is_for_one and (not after.is_for_one or after.is_public):
        raise RoomIsForOne
    if after.capacity is not None and after.capacity < room.seated:
        raise TooFewSeats(seated=room.seated)


# -- hand over ------------------------------------------------------------------------------------


@command("rooms.hand_over", touches={"room": "room_id"})
class HandOverRoom(Command[RoomView]):
    """Make somebody who is in one's room its host, and oneself one of its moderators.

    Whoever is no member, by having left, is none by this.
    """

    room_id: Id
    person_id: Annotated[str, Text(1, 200)]


@handler
def hand_over_room(ask: HandOverRoom, ctx: Context) -> RoomView:
    """Refuses `RoomNotFound`, `RoomIsClosed`, `NotAllowed`, `PersonNotInRoom`."""
    room = held_room(ask.room_id, ctx)
    check_host(room, ctx)
    if ask.person_id == room.host_id:
        return shown(room)
    if ctx.store.get(Seat, (room.id, ask.person_id)) is None:
        raise PersonNotInRoom
    after = room.but(host_id=ask.person_id)
    handed = keep_change(room, after, ctx, RoomHandedOver, former_host_id=room.host_id)
    seat = ctx.store.get(Seat, (room.id, room.host_id))
    if seat is not None:
        appointed(seat, ctx, is_moderator=True)
    return shown(handed)


# -- the stream room:<id> -------------------------------------------------------------------------


@applies(RoomChanged, part="room")
@applies(RoomHandedOver, part="room")
def room_changed(_: RoomView, fact: RoomChanged, _at: datetime) -> RoomView:
    """The room as it is since."""
    return fact.room
