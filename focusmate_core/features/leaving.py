"""Leaving: where somebody is and was, and what becomes of it when their account ends."""

from datetime import datetime

from focusmate_core.context import Context, QueryContext
from focusmate_core.features.desks import Desk
from focusmate_core.features.people import PersonDeleted, PersonLeaving
from focusmate_core.features.presence import Presence, PresenceView, Stay
from focusmate_core.features.room_changes import RoomHandedOver, keep_change
from focusmate_core.features.rooms import Room, RoomView, Seat, closed, shown, the_room
from focusmate_core.features.seats import give_back
from focusmate_core.finding import Find, Is, find_all
from focusmate_core.messages import Value, contributes, reacts, view, view_of

# -- where somebody is and was --------------------------------------------------------------------


@view
class OwnSeat(Value):
    """A seat of one's own; in a closed room one may read the end."""

    room_id: str
    since: datetime
    is_moderator: bool


@view
class OwnStay(Value):
    """From when until when one was in a room."""

    room_id: str
    since: datetime
    until: datetime


def _hosted(whose: tuple[Is, ...], ctx: Context | QueryContext) -> list[Room]:
    return list(find_all(ctx.store, Find(Room, where=whose, order=("is_open",))))


def _seats(person_id: str, ctx: Context | QueryContext) -> list[Seat]:
    return list(find_all(ctx.store, Find(Seat, where=(Is("person_id", person_id),))))


def _stays(person_id: str, ctx: Context | QueryContext) -> list[Stay]:
    where = (Is("person_id", person_id),)
    return list(find_all(ctx.store, Find(Stay, where=where, order=("room_id", "went"))))


@contributes("export", "rooms")
def export_rooms(person_id: str, ctx: QueryContext) -> list[RoomView]:
    """The rooms they are the host of, open or closed."""
    return [shown(room) for room in _hosted((Is("host_id", person_id),), ctx)]


@contributes("export", "seats")
def export_seats(person_id: str, ctx: QueryContext) -> list[OwnSeat]:
    """Their seats."""
    return [view_of(OwnSeat, seat) for seat in _seats(person_id, ctx)]


@contributes("export", "presence")
def export_presence(person_id: str, ctx: QueryContext) -> PresenceView | None:
    """Where they are now, as far as it is known."""
    here = ctx.store.get(Presence, person_id)
    return view_of(PresenceView, here) if here else None


@contributes("export", "stays")
def export_stays(person_id: str, ctx: QueryContext) -> list[OwnStay]:
    """Where they were."""
    return [view_of(OwnStay, stay) for stay in _stays(person_id, ctx)]


# -- the end of an account ------------------------------------------------------------------------


@contributes("rooms", "seats")
def rooms_of(person_id: str, ctx: Context | QueryContext) -> frozenset[str]:
    """The rooms that change when they leave for good."""
    seats = [seat.room_id for seat in _seats(person_id, ctx)]
    hosted = _hosted((Is("host_id", person_id), Is("is_open", True)), ctx)  # noqa: FBT003  a value
    sat_in = ctx.store.get_many(Room, seats).values()
    return frozenset(room.id for room in (*hosted, *sat_in) if room.is_open)


@reacts(to=PersonLeaving)
def leave_for_good(fact: PersonLeaving, ctx: Context) -> None:
    """They leave each room as by leaving; what they host has another host, or is closed."""
    rooms = (the_room(room_id, ctx) for room_id in sorted(rooms_of(fact.person_id, ctx)))
    # Asked once more under the lock: one may have been closed a moment ago.
    for room in (each for each in rooms if each.is_open):
        left = give_back(room, fact.person_id, ctx)
        if left.host_id == fact.person_id:
            _go_on_without(left, ctx)


def _go_on_without(room: Room, ctx: Context) -> None:
    """A moderator is the next host, or whoever is there for the longest; an empty room is over."""
    seats = find_all(ctx.store, Find(Seat, where=(Is("room_id", room.id),)))
    heirs = sorted(seats, key=lambda seat: (not seat.is_moderator, seat.since, seat.person_id))
    if heirs:
        after = room.but(host_id=heirs[0].person_id)
        keep_change(room, after, ctx, RoomHandedOver, former_host_id=room.host_id)
    else:
        closed(room, ctx)


@reacts(to=PersonDeleted)
def forget_where(fact: PersonDeleted, ctx: Context) -> None:
    """Nothing is left of where they were: neither seats in closed rooms, nor stays, nor a desk."""
    for seat in _seats(fact.person_id, ctx):
        ctx.store.delete(Seat, (seat.room_id, seat.person_id))
    for stay in _stays(fact.person_id, ctx):
        ctx.store.delete(Stay, (stay.room_id, stay.came))
    ctx.store.delete(Desk, fact.person_id)
