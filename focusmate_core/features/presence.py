"""Presence: who is where, from when until when, and how; intervals that a lease may end."""

import enum
from datetime import UTC, datetime, timedelta
from typing import Annotated

from focusmate_core.context import Context, QueryContext
from focusmate_core.entities import Entity, entity
from focusmate_core.features.rooms import Room, RoomClosed, RoomOpened, room_stream, the_room
from focusmate_core.features.seats import RoomJoined, RoomLeft, SeatTakenAgain
from focusmate_core.fields import Span
from focusmate_core.finding import Between, Find, Is, find_all
from focusmate_core.messages import (
    Event,
    Value,
    applies,
    event,
    reacts,
    settles,
    snapshot,
    value,
    view,
    view_of,
)

# -- nouns ----------------------------------------------------------------------------------------

SIGNS = 20
"""How many connections of a person are told apart."""
NEVER = datetime.min.replace(tzinfo=UTC)
ALWAYS = datetime.max.replace(tzinfo=UTC)


@value
class PresencePolicy(Value):
    """What ends a presence: a setting, given to the engine among its ports."""

    lease: Annotated[timedelta, Span(timedelta(seconds=1), timedelta(days=1))] | None = None
    """None for «joined»: from joining to leaving. Otherwise «leased»: up to the last sign of life,
    and over when there was none for so long."""

    def is_over(self, until: datetime, returned: datetime) -> datetime:
        """When a presence is over of which there was no sign after `until`.

        Who was there when the service died has a whole lease from its return.
        """
        return ALWAYS if self.lease is None else max(until, returned) + self.lease

    def is_quiet(self, until: datetime) -> datetime:
        """When somebody is idle of whom there was no sign after `until`: half a lease later."""
        return ALWAYS if self.lease is None else until + self.lease / 2


class Status(enum.Enum):
    """How somebody is in a room. Who has a seat there but no presence is away."""

    ACTIVE = "active"
    IDLE = "idle"
    """All their connections say so, or there was no sign of life for half a lease."""


@view
class Sign(Value):
    """What one connection of a person, or a door without connections, said last."""

    source: str
    seen_at: datetime
    is_idle: bool | None
    """None: it never said anything; it vouches for them, and has no say in how they are."""


@entity("presences", key="person_id", index=["room_id", "until", ("room_id", "status", "until")])
class Presence(Entity):
    """Where a person is now: in one room at the most, hence the key."""

    person_id: str
    room_id: str
    since: datetime
    until: datetime
    """The last sign of life."""
    came: int
    """The room's count of moves when they came."""
    signs: tuple[Sign, ...]
    status: Status = Status.ACTIVE
    asked_at: datetime | None = None
    """Somebody waits to know whether they were still there at this instant."""
    version: int = 0

    def word_of(self, source: str) -> bool | None:
        """Whether this connection said that they are idle; None if it said nothing."""
        return next((each.is_idle for each in self.signs if each.source == source), None)

    def heard(self, sign: Sign, policy: PresencePolicy) -> "Presence":
        """With one more sign of life; idle if all say so that still count and said anything.

        Without a lease nobody renews a sign, so that the latest one alone counts.
        """
        until = max(self.until, sign.seen_at)
        others = [each for each in self.signs if each.source != sign.source and policy.lease]
        kept = [each for each in others if policy.is_quiet(each.seen_at) > until]
        latest = sorted([*kept, sign], key=lambda each: each.seen_at)[-SIGNS:]
        signs = tuple(sorted(latest, key=lambda each: each.source))
        words = [each.is_idle for each in signs if each.is_idle is not None]
        is_idle = bool(words) and all(words)
        return self.but(until=until, signs=signs, status=Status.IDLE if is_idle else Status.ACTIVE)


@entity(
    "stays",
    key=("room_id", "came"),
    index=[("room_id", "went", "came"), ("person_id", "room_id", "went", "came")],
)
class Stay(Entity):
    """A presence that is over: this person was in this room from `since` until `until`."""

    room_id: str
    came: int
    went: int
    person_id: str
    since: datetime
    until: datetime
    version: int = 0


@view
class PresenceView(Value):
    """Who is in a room, since when and how."""

    person_id: str
    room_id: str
    since: datetime
    status: Status


# -- facts ----------------------------------------------------------------------------------------


@event("presence.entered")
class PresenceEntered(Event):
    """Somebody is in the room from now on."""

    room_id: str
    person_id: str
    status: Status


@event("presence.left")
class PresenceLeft(Event):
    """Somebody is in the room no more, since the instant which this event bears."""

    room_id: str
    person_id: str


@event("presence.changed")
class PresenceChanged(Event):
    """Somebody in the room is active again, or idle."""

    room_id: str
    person_id: str
    status: Status


@event("presence.known")
class PresenceKnown(Event):
    """Somebody was still there when it was asked; told to nobody, for reactions alone."""

    room_id: str
    person_id: str


# -- for the features above -----------------------------------------------------------------------


def present(person_id: str, ctx: Context) -> Presence | None:
    """Where a person is now; that room is brought up to now first."""
    here = ctx.store.get(Presence, person_id, hold=True)
    if here is None:
        return None
    ctx.settle("room", here.room_id)
    return ctx.store.get(Presence, person_id, hold=True)


def due_where_they_are(person_id: str, ctx: Context) -> datetime | None:
    """When something is due next in the room where somebody is."""
    here = ctx.store.get(Presence, person_id, hold=True)
    return ctx.due("room", here.room_id) if here else None


@settles("person", when=due_where_they_are)
def bring_up_where_they_are(person_id: str, ctx: Context) -> None:
    """What happened there stands on their stream before what they are told next."""
    present(person_id, ctx)


def attended_until(room_id: str, ctx: Context | QueryContext) -> datetime:
    """Until when somebody counts as there without any further sign of life; NEVER for nobody."""
    last = [first_of(room_id, status, ctx, order="-until") for status in Status]
    # Nobody vouches for the time in which the service was away.
    over = ctx.setting(PresencePolicy).is_over
    return max((over(each.until, NEVER) for each in last if each), default=NEVER)


def is_known(here: Presence, at: datetime, ctx: Context | QueryContext) -> bool:
    """Whether it is known by now that somebody who came before was still there at that instant."""
    return ctx.setting(PresencePolicy).lease is None or here.until >= at


def ask_after(here: Presence, at: datetime, ctx: Context) -> None:
    """Have `PresenceKnown` or `PresenceLeft` tell once it is known who was there at an instant."""
    asked = min(at, here.asked_at or at)
    ctx.store.put(here.but(asked_at=asked))


def first_of(
    room_id: str, status: Status, ctx: Context | QueryContext, *, order: str = "until"
) -> Presence | None:
    """The first of all who are in a room in this way, by their last sign of life."""
    where = (Is("room_id", room_id), Is("status", status))
    found = ctx.store.find(Find(Presence, where=where, order=(order,), limit=1)).items
    return found[0] if found else None


def everybody_in(room_id: str, ctx: Context | QueryContext) -> list[Presence]:
    """All who are in a room, by id, as stored."""
    return list(find_all(ctx.store, Find(Presence, where=(Is("room_id", room_id),))))


# -- come and go ----------------------------------------------------------------------------------


def sign_of(ctx: Context, *, is_idle: bool = False) -> Sign:
    """The sign of life that a message of the caller's is."""
    source = f"{ctx.origin.door} {ctx.origin.connection}".rstrip()
    return Sign(source=source, seen_at=ctx.now, is_idle=is_idle)


def arrive(person_id: str, room_id: str, ctx: Context) -> Presence:
    """Let somebody be in a room, from now on or still; wherever else they were they leave."""
    here, sign = present(person_id, ctx), sign_of(ctx)
    if here is not None and here.room_id == room_id:
        return hear(here, sign.but(is_idle=bool(here.word_of(sign.source))), ctx)
    if here is not None:
        depart(here, ctx, until=ctx.now)
    return _enter(person_id, room_id, (sign,), ctx)


def _enter(person_id: str, room_id: str, signs: tuple[Sign, ...], ctx: Context) -> Presence:
    room = _moved(room_id, ctx)
    come = Presence(
        person_id=person_id,
        room_id=room_id,
        since=ctx.now,
        until=ctx.now,
        came=room.moves,
        signs=signs,
    )
    ctx.emit(view_of(PresenceEntered, come), to=room_stream(room_id), at=ctx.now)
    return ctx.store.put(come)


def become(here: Presence, changed: Presence, ctx: Context) -> Presence:
    """Store somebody's presence as it is now, and tell if it is in another way."""
    if changed.status is not here.status:
        ctx.emit(view_of(PresenceChanged, changed), to=room_stream(here.room_id))
    return ctx.store.put(changed)


def hear(here: Presence, sign: Sign, ctx: Context) -> Presence:
    """Note a sign of life, and tell whoever waits for it."""
    heard = here.heard(sign, ctx.setting(PresencePolicy))
    if heard.asked_at is not None and heard.until >= heard.asked_at:
        heard = heard.but(asked_at=None)
        ctx.emit(view_of(PresenceKnown, heard), to=())
    return become(here, heard, ctx)


def depart(here: Presence, ctx: Context, *, until: datetime, is_told: bool = True) -> None:
    """Let a presence end with this instant; keep it as a stay."""
    until = max(until, here.since)
    room = _moved(here.room_id, ctx)
    ctx.store.delete(Presence, here.person_id)
    ctx.store.put(view_of(Stay, here, went=room.moves, until=until, version=0))
    told = room_stream(here.room_id) if is_told else ()
    ctx.emit(view_of(PresenceLeft, here), to=told, at=until)


def _moved(room_id: str, ctx: Context) -> Room:
    room = the_room(room_id, ctx)
    return ctx.store.put(room.but(moves=room.moves + 1))


def set_back(_: str, ctx: Context) -> datetime | None:
    """Now, if somebody was heard of at an instant that is still to come."""
    ahead = Between("until", ctx.now + timedelta.resolution, None)
    found = ctx.store.find(Find(Presence, where=(ahead,), limit=1)).items
    return ctx.now if found else None


@settles("clock", when=set_back)
def begin_anew(_: str, ctx: Context) -> None:
    """A clock was set back: who was heard of at an instant to come leaves then, and enters now.

    So nobody is taken to be there, when that instant comes again, for having been there before.
    """
    ahead = Between("until", ctx.now + timedelta.resolution, None)
    for here in list(find_all(ctx.store, Find(Presence, where=(ahead,)))):
        depart(here, ctx, until=here.until)
        signs = tuple(each.but(seen_at=min(each.seen_at, ctx.now)) for each in here.signs)
        _enter(here.person_id, here.room_id, signs, ctx)


@reacts(to=RoomJoined)
def enter_by_joining(fact: RoomJoined, ctx: Context) -> None:
    """Who joins is there."""
    arrive(fact.person_id, fact.room_id, ctx)


@reacts(to=SeatTakenAgain)
def enter_by_joining_again(fact: SeatTakenAgain, ctx: Context) -> None:
    """Who joins again is there again."""
    arrive(fact.person_id, fact.room_id, ctx)


@reacts(to=RoomLeft)
def leave_with_the_seat(fact: RoomLeft, ctx: Context) -> None:
    """Who gives up the seat, or has to, is not there any more."""
    here = ctx.store.get(Presence, fact.person_id, hold=True)
    if here is not None and here.room_id == fact.room_id:
        depart(here, ctx, until=_attended(here, ctx, is_own=fact.removed_by is None))


@reacts(to=RoomClosed)
def leave_with_the_room(fact: RoomClosed, ctx: Context) -> None:
    """Nobody is in a closed room; that it was closed says so, of who was there until then."""
    for here in everybody_in(fact.room_id, ctx):
        until = _attended(here, ctx, is_own=here.person_id == ctx.actor.id)
        depart(here, ctx, until=until, is_told=until < ctx.now)


def _attended(here: Presence, ctx: Context, *, is_own: bool) -> datetime:
    """Until when somebody was there: under a lease only what one does oneself is a sign of life."""
    is_leased = ctx.setting(PresencePolicy).lease is not None
    return here.until if is_leased and not is_own else ctx.now


# -- the stream room:<id> -------------------------------------------------------------------------


@snapshot("room", "presence")
def presence_part(room_id: str, ctx: QueryContext) -> tuple[PresenceView, ...]:
    """Who is there, by id."""
    return tuple(view_of(PresenceView, here) for here in everybody_in(room_id, ctx))


@applies(RoomOpened, part="presence")
def nobody_yet(_: object, _fact: RoomOpened, _at: datetime) -> tuple[PresenceView, ...]:
    """Nobody is in a new room; its host enters next."""
    return ()


@applies(PresenceEntered, part="presence")
def entered(
    people: tuple[PresenceView, ...], fact: PresenceEntered, at: datetime
) -> tuple[PresenceView, ...]:
    """With one more, by id."""
    more = (*people, view_of(PresenceView, fact, since=at))
    return tuple(sorted(more, key=lambda each: each.person_id))


@applies(PresenceLeft, part="presence")
def went(
    people: tuple[PresenceView, ...], fact: PresenceLeft, _at: datetime
) -> tuple[PresenceView, ...]:
    """Without that person."""
    return tuple(each for each in people if each.person_id != fact.person_id)


@applies(PresenceChanged, part="presence")
def changed(
    people: tuple[PresenceView, ...], fact: PresenceChanged, _at: datetime
) -> tuple[PresenceView, ...]:
    """The same people, one of them in another way."""
    return tuple(
        each.but(status=fact.status) if each.person_id == fact.person_id else each
        for each in people
    )


@applies(RoomClosed, part="presence")
def all_went(_: object, _fact: RoomClosed, _at: datetime) -> tuple[PresenceView, ...]:
    """Nobody is in a closed room."""
    return ()
