"""Desks: a room of one, for who focuses alone."""

from typing import Annotated

from focusmate_core.context import Context
from focusmate_core.entities import Entity, entity
from focusmate_core.features.rooms import OpenRoom, Room, RoomView, lay_out, shown
from focusmate_core.features.seats import take_seat
from focusmate_core.fields import Text
from focusmate_core.messages import Command, command, handler


@entity("desks", key="person_id")
class Desk(Entity):
    """Which room is somebody's desk."""

    person_id: str
    room_id: str
    version: int = 0


@command("desks.open")
class OpenDesk(Command[RoomView]):
    """Sit down at one's desk; it is made at the first time, and again after it was closed.

    A desk is a room that nobody else knows of, with a timer like any other.
    """

    name: Annotated[str, Text(1, 80)] = "Desk"


@handler
def open_desk(ask: OpenDesk, ctx: Context) -> RoomView:
    """Gives the room; a name is taken only when it is made."""
    desk = ctx.store.get(Desk, ctx.actor.id, hold=True)
    if desk is not None:
        ctx.settle("room", desk.room_id)
    room = desk and ctx.store.get(Room, desk.room_id, hold=True)
    if room and room.is_open:
        return shown(take_seat(room, ctx))
    made = lay_out(OpenRoom(name=ask.name), ctx, is_desk=True)
    version = desk.version if desk else 0
    ctx.store.put(Desk(person_id=ctx.actor.id, room_id=made.id, version=version))
    return made
