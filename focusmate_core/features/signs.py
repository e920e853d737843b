"""Signs of life: how a person's doors say that they are there, how, and for whom they speak."""

from datetime import datetime, timedelta
from typing import Annotated

from focusmate_core.context import Context, QueryContext
from focusmate_core.features.leases import SERVICE, Return, look_after, returned_at
from focusmate_core.features.presence import (
    Presence,
    PresencePolicy,
    PresenceView,
    Sign,
    Status,
    arrive,
    hear,
    present,
    sign_of,
)
from focusmate_core.features.rooms import held_room, known_room
from focusmate_core.features.seats import check_member, check_seat
from focusmate_core.fields import Id, Limit, Span, Text
from focusmate_core.finding import Find, Is, find_all
from focusmate_core.messages import (
    Access,
    Command,
    Query,
    Value,
    command,
    handler,
    query,
    value,
    view,
    view_of,
)
from focusmate_core.refusals import Kind, Refusal, refusal

LONGEST_QUIET = timedelta(hours=1)


@refusal("presence.nowhere", "You are in no room now; enter one first.", kind=Kind.IMPOSSIBLE)
class NotPresent(Refusal):
    """Only who is in a room can say how."""


# -- one's own ------------------------------------------------------------------------------------


@command("presence.enter", touches={"room": "room_id"})
class EnterRoom(Command[PresenceView]):
    """Be in a room where one has a seat, or be there still: every call is a sign of life.

    Whoever is in another room leaves it. Under a lease a client without a connection calls this
    at least every third of a lease: after half of one without a sign of life they are idle, after a
    whole one they are away.
    """

    room_id: Id


@handler
def enter_room(ask: EnterRoom, ctx: Context) -> PresenceView:
    """Refuses `RoomNotFound`, `RoomIsClosed`, `NotInRoom`."""
    room = held_room(ask.room_id, ctx)
    check_seat(room, ctx)
    return view_of(PresenceView, arrive(ctx.actor.id, room.id, ctx))


@command("presence.report")
class ReportStatus(Command[PresenceView]):
    """Say that one is idle, or active again, as far as this connection can tell.

    A person is idle when all connections say so that entered a room or said anything.
    """

    is_idle: bool


@handler
def report_status(ask: ReportStatus, ctx: Context) -> PresenceView:
    """Refuses `NotPresent`."""
    here = present(ctx.actor.id, ctx)
    if here is None:
        raise NotPresent
    return view_of(PresenceView, hear(here, sign_of(ctx, is_idle=ask.is_idle), ctx))


# -- for all who are connected somewhere ----------------------------------------------------------


@value
class Heard(Value):
    """A connection of a person, and for how long nothing was heard on it."""

    person_id: Annotated[str, Text(1, 200)]
    connection: Annotated[str, Text(0, 200)]
    quiet: Annotated[timedelta, Span(timedelta(0), LONGEST_QUIET)]


@command("presence.renew", access=Access.SYSTEM)
class RenewPresence(Command[None]):
    """A door vouches for all whose connections it holds; who is in no room is passed over."""

    heard: tuple[Heard, ...]


@handler
def renew_presence(ask: RenewPresence, ctx: Context) -> None:
    """Nobody comes by this: who lapsed has to enter again."""
    for each in ask.heard:
        here = present(each.person_id, ctx)
        if here is not None:
            source = f"{ctx.origin.door} {each.connection}".rstrip()
            is_idle = here.word_of(source)
            seen_at = max(here.since, ctx.now - each.quiet)
            hear(here, Sign(source=source, seen_at=seen_at, is_idle=is_idle), ctx)


@command("presence.service_returned", access=Access.SYSTEM)
class ReturnService(Command[None]):
    """The service is back: who was present when it died has one lease to show up again.

    A server says so before it does anything else.
    """


@handler
def return_service(_: ReturnService, ctx: Context) -> None:
    """From now on; where there was no lease before, everybody who is present gets one."""
    lease = ctx.setting(PresencePolicy).lease
    known = ctx.store.get(Return, SERVICE, hold=True)
    version = known.version if known else 0
    ctx.store.put(Return(id=SERVICE, at=ctx.now, lease=lease, version=version))
    if lease is not None and (known is None or known.lease is None):
        for room_id in sorted({each.room_id for each in find_all(ctx.store, Find(Presence))}):
            look_after(room_id, ctx)


# -- look -----------------------------------------------------------------------------------------


@view
class PeoplePresent(Value):
    """Who is in a room, by id; who has a seat and is not among them is away.

    `next_cursor` is None on the last page.
    """

    items: tuple[PresenceView, ...]
    next_cursor: str | None


@query("presence.in_room")
class PresenceInRoom(Query[PeoplePresent]):
    """Who is in a room now, and how."""

    room_id: Id
    limit: Limit = 100
    cursor: Annotated[str, Text(1, 500)] | None = None


@handler
def presence_in_room(ask: PresenceInRoom, ctx: QueryContext) -> PeoplePresent:
    """Refuses `RoomNotFound`, `NotInRoom`, `BadInput` for a cursor of another list."""
    room = known_room(ask.room_id, ctx)
    check_member(room, ctx)
    where = (Is("room_id", room.id),)
    page = ctx.store.find(Find(Presence, where=where, limit=ask.limit, after=ask.cursor))
    returned = returned_at(ctx)
    here = (_by_now(each, returned, ctx) for each in page.items)
    return PeoplePresent(items=tuple(each for each in here if each), next_cursor=page.next)


@view
class Whereabouts(Value):
    """Where somebody is; `here` is None for who is nowhere."""

    here: PresenceView | None


@query("presence.mine")
class MyPresence(Query[Whereabouts]):
    """Where the caller is now."""


@handler
def my_presence(_: MyPresence, ctx: QueryContext) -> Whereabouts:
    """Refuses nothing."""
    here = ctx.store.get(Presence, ctx.actor.id)
    return Whereabouts(here=_by_now(here, returned_at(ctx), ctx) if here else None)


def _by_now(here: Presence, returned: datetime, ctx: QueryContext) -> PresenceView | None:
    """How somebody is in the room whom the worker may not have looked at yet; None for away."""
    policy = ctx.setting(PresencePolicy)
    if ctx.now >= policy.is_over(here.until, returned):
        return None
    is_quiet = ctx.now >= policy.is_quiet(here.until)
    return view_of(PresenceView, here, status=Status.IDLE if is_quiet else here.status)
