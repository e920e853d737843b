"""Bans: who may not come into a room any more."""

from datetime import datetime

from focusmate_core.context import Context, QueryContext
from focusmate_core.entities import Entity, entity
from focusmate_core.features.rooms import Room
from focusmate_core.messages import Event, event
from focusmate_core.refusals import Kind, Refusal, refusal


@entity("bans", key=("room_id", "person_id"), index=["person_id"])
class Ban(Entity):
    """Somebody may not come into a room, by whose word and why."""

    room_id: str
    person_id: str
    by: str
    at: datetime
    reason: str
    version: int = 0


@event("rooms.person_banned")
class PersonBanned(Event):
    """Somebody may not come into a room from now on; told to nobody, for reactions alone."""

    room_id: str
    person_id: str


@refusal(
    "rooms.banned",
    "You are banned from this room; ask its host, or join another.",
    kind=Kind.NOT_ALLOWED,
)
class BannedFromRoom(Refusal):
    """Somebody who was banned from a room wants in."""


def is_banned(room: Room, person_id: str, ctx: Context | QueryContext) -> bool:
    """Whether somebody may not come into the room."""
    return ctx.store.get(Ban, (room.id, person_id)) is not None


def check_welcome(room: Room, ctx: Context) -> None:
    """Refuse whoever is banned: `BannedFromRoom`. Who may not know of it comes nowhere near."""
    if is_banned(room, ctx.actor.id, ctx):
        raise BannedFromRoom
