"""Links: invitations for whoever holds a code, as often and as long as they say."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from focusmate_core.context import Context, QueryContext
from focusmate_core.entities import Entity, entity
from focusmate_core.features.bans import Ban, PersonBanned, is_banned
from focusmate_core.features.invitations import KEPT, Cursor, RoomPreview, preview
from focusmate_core.features.inviting import check_inviter, check_no_desk
from focusmate_core.features.people import PersonDeleted, PersonLeaving
from focusmate_core.features.rooms import (
    Room,
    RoomClosed,
    RoomView,
    Seat,
    held_room,
    known_room,
    room_stream,
    shown,
    the_room,
)
from focusmate_core.features.seats import take_seat
from focusmate_core.fields import Id, Limit, Secret, Span, Whole
from focusmate_core.finding import Between, Find, Is, find_all
from focusmate_core.messages import (
    Command,
    Event,
    Query,
    Value,
    command,
    contributes,
    event,
    handler,
    query,
    reacts,
    sweeps,
    view,
    view_of,
)
from focusmate_core.ports.codes import Codes
from focusmate_core.refusals import Kind, Refusal, refusal

# -- nouns ----------------------------------------------------------------------------------------

MOST = 100
"""How many links of one room may be good at a time: its closing ends all of them at once."""
FOREVER = datetime(9999, 12, 31, tzinfo=UTC)
NOWHERE = ""
Code = Annotated[str, Secret(1, 100)]
Lifetime = Annotated[timedelta, Span(timedelta(minutes=5), timedelta(days=365))]
Uses = Annotated[int, Whole(1, 1000)]


@entity(
    "links",
    unique=["code"],
    index=[("room_id", "created_at"), ("room_id", "over_at"), "over_at", "created_by"],
)
class InviteLink(Entity):
    """A code that lets whoever holds it sit down in a room."""

    id: str
    room_id: str
    code: Code
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    max_uses: int | None
    over_at: datetime
    """When it ended, or will by itself."""
    uses: int = 0
    """How many seats it gave."""
    revoked_at: datetime | None = None
    version: int = 0

    def is_good(self, now: datetime) -> bool:
        """Whether it gives a seat to who has none."""
        return self.is_known(now) and (self.max_uses is None or self.uses < self.max_uses)

    def is_known(self, now: datetime) -> bool:
        """Whether it is neither revoked nor expired: who came in by it may say so again."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def use(self, now: datetime) -> "InviteLink":
        """The link with one more use; over with its last."""
        used = self.but(uses=self.uses + 1)
        return used if used.is_good(now) else used.but(over_at=now)

    def revoke(self, now: datetime) -> "InviteLink":
        """The link, good for nobody any more."""
        return self.but(revoked_at=now, over_at=min(now, self.over_at))


@view
class LinkView(Value):
    """A link as who may invite sees it; nobody else is shown the code."""

    id: Id
    room_id: Id
    code: Code
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    max_uses: int | None
    uses: int
    revoked_at: datetime | None
    is_good: bool
    """Whether it gives a seat, as long as the room has one."""


@view
class OwnLink(Value):
    """A link as who made it takes it along: what they said, and not what became of it."""

    id: Id
    room_id: Id
    created_at: datetime
    expires_at: datetime | None
    max_uses: int | None


def told(link: InviteLink, now: datetime) -> LinkView:
    """The view of a link, as it is by now."""
    return view_of(LinkView, link, is_good=link.is_good(now))


# -- facts ----------------------------------------------------------------------------------------


@event("links.opened")
class LinkOpened(Event):
    """A link leads into the room from now on; its code is told to who may invite, when they ask."""

    link_id: str
    room_id: str
    created_by: str
    expires_at: datetime | None
    max_uses: int | None


@event("links.revoked")
class LinkRevoked(Event):
    """A link leads into the room no more."""

    link_id: str
    room_id: str


# -- refusals -------------------------------------------------------------------------------------


@refusal(
    "links.not_good",
    "This link leads nowhere, or no more; ask for another one.",
    kind=Kind.NOT_FOUND,
)
class LinkIsNotGood(Refusal):
    """No such code, or one that was revoked, is expired or used up, or whose room was closed."""


@refusal(
    "links.not_found",
    "The room has no such link; look at the list of its links.",
    kind=Kind.NOT_FOUND,
)
class LinkNotFound(Refusal):
    """None of the room's links has this id."""


@refusal(
    "links.too_many",
    "This room has {most} links that are good; revoke one first.",
    kind=Kind.IMPOSSIBLE,
)
class TooManyLinks(Refusal):
    """As many links of the room are good as may be."""

    most: int


# -- open and revoke ------------------------------------------------------------------------------


@command("links.open", touches={"room": "room_id"}, secret=True)
class OpenLink(Command[LinkView]):
    """Make a link into a room; without a limit it is good until it is revoked."""

    room_id: Id
    expires_in: Lifetime | None = timedelta(days=7)
    max_uses: Uses | None = None


@handler
def open_link(ask: OpenLink, ctx: Context) -> LinkView:
    """Refuses `RoomNotFound`, `RoomIsClosed`, `NotAllowed`, `InvitedToDesk`, `TooManyLinks`."""
    room = held_room(ask.room_id, ctx)
    check_inviter(room, ctx)
    check_no_desk(room)
    if ctx.store.count(_not_over(room.id, ctx), MOST) == MOST:
        raise TooManyLinks(most=MOST)
    expires_at = None if ask.expires_in is None else ctx.now + ask.expires_in
    link = InviteLink(
        id=ctx.new_id(),
        room_id=room.id,
        code=ctx.port(Codes).new(),
        created_by=ctx.actor.id,
        created_at=ctx.now,
        expires_at=expires_at,
        max_uses=ask.max_uses,
        over_at=expires_at or FOREVER,
    )
    ctx.emit(view_of(LinkOpened, link, link_id=link.id), to=room_stream(room.id))
    return told(ctx.store.put(link), ctx.now)


def _not_over(room_id: str, ctx: Context) -> Find[InviteLink]:
    ahead = Between("over_at", ctx.now + timedelta.resolution, None)
    return Find(InviteLink, where=(Is("room_id", room_id), ahead), order=("over_at",))


@command("links.revoke", touches={"room": "room_id"})
class RevokeLink(Command[None]):
    """Let a link be good for nobody any more; twice is once. Who came in by it stays."""

    room_id: Id
    link_id: Id


@handler
def revoke_link(ask: RevokeLink, ctx: Context) -> None:
    """Refuses `RoomNotFound`, `RoomIsClosed`, `NotAllowed`, `LinkNotFound`."""
    room = held_room(ask.room_id, ctx)
    check_inviter(room, ctx)
    link = ctx.store.get(InviteLink, ask.link_id, hold=True)
    if link is None or link.room_id != room.id:
        raise LinkNotFound
    if link.revoked_at is None:
        _revoke(link, ctx)


def _revoke(link: InviteLink, ctx: Context) -> None:
    ctx.store.put(link.revoke(ctx.now))
    ctx.emit(LinkRevoked(link_id=link.id, room_id=link.room_id), to=room_stream(link.room_id))


@reacts(to=RoomClosed)
def revoke_with_the_room(fact: RoomClosed, ctx: Context) -> None:
    """Nothing leads into a closed room. That it was closed says so."""
    for link in list(find_all(ctx.store, _not_over(fact.room_id, ctx))):
        ctx.store.put(link.revoke(ctx.now))


@reacts(to=PersonBanned)
def revoke_with_the_ban(fact: PersonBanned, ctx: Context) -> None:
    """Who is banned lets nobody in."""
    for link in list(find_all(ctx.store, _not_over(fact.room_id, ctx))):
        if link.created_by == fact.person_id:
            _revoke(link, ctx)


def _by(person_id: str, ctx: Context | QueryContext) -> list[InviteLink]:
    return list(find_all(ctx.store, Find(InviteLink, where=(Is("created_by", person_id),))))


@contributes("rooms", "links")
def rooms_led_into(person_id: str, ctx: Context) -> frozenset[str]:
    """The rooms into which a link of theirs leads."""
    return frozenset(link.room_id for link in _by(person_id, ctx) if link.over_at > ctx.now)


@reacts(to=PersonLeaving)
def revoke_with_the_account(fact: PersonLeaving, ctx: Context) -> None:
    """No link of somebody who is no more leads anywhere."""
    for link in _by(fact.person_id, ctx):
        if link.over_at > ctx.now:
            the_room(link.room_id, ctx)
            _revoke(link, ctx)


@reacts(to=PersonDeleted)
def forget_with_the_account(fact: PersonDeleted, ctx: Context) -> None:
    """Nothing is kept of their links."""
    for link in _by(fact.person_id, ctx):
        ctx.store.delete(InviteLink, link.id)


@contributes("export", "links")
def export_links(person_id: str, ctx: QueryContext) -> list[OwnLink]:
    """What they said of the links that they made."""
    return [view_of(OwnLink, link) for link in _by(person_id, ctx)]


@sweeps
def sweep_links(ctx: Context, limit: int) -> int:
    """Forget links that ended long ago."""
    old = Find(InviteLink, where=(Between("over_at", None, ctx.now - KEPT),), limit=limit)
    return sum(ctx.store.delete(InviteLink, each.id) for each in ctx.store.find(old).items)


# -- come in --------------------------------------------------------------------------------------


def _led_to(
    code: str, ctx: Context | QueryContext, *, hold: bool = False
) -> tuple[InviteLink, Room, bool]:
    """The link of a code, its open room, and whether the caller sits there; `LinkIsNotGood`.

    Every code is looked up alike, so that what it costs to be refused tells nothing of it.
    """
    store = ctx.store
    links = store.find(Find(InviteLink, where=(Is("code", code),), limit=1)).items
    room_id = links[0].room_id if links else NOWHERE
    room = store.get(Room, room_id, hold=hold)
    is_in = store.get(Seat, (room_id, ctx.actor.id), hold=hold) is not None
    is_out = store.get(Ban, (room_id, ctx.actor.id), hold=hold) is not None
    if not links or room is None or not room.is_open or (is_out and not room.is_public):
        raise LinkIsNotGood
    if not (links[0].is_known(ctx.now) if is_in else links[0].is_good(ctx.now)):
        raise LinkIsNotGood
    return links[0], room, is_in


@view
class LinkPreview(Value):
    """What a link leads to, for who holds its code."""

    room: RoomPreview
    is_in: bool
    """Whether one has a seat there already."""
    may_join: bool
    """Whether one would get a seat, or has one: not where the room is full, or bans one."""


@query("links.preview", secret=True)
class PreviewLink(Query[LinkPreview]):
    """The room that a link leads into, as one sees it before joining."""

    code: Code


@handler
def preview_link(ask: PreviewLink, ctx: QueryContext) -> LinkPreview:
    """Refuses `LinkIsNotGood`."""
    _, room, is_in = _led_to(ask.code, ctx)
    may_join = is_in or not (room.is_full or is_banned(room, ctx.actor.id, ctx))
    return LinkPreview(room=preview(room), is_in=is_in, may_join=may_join)


@command("links.join", secret=True)
class JoinByLink(Command[RoomView]):
    """Sit down in the room that a link leads into; who sits there already uses nothing up."""

    code: Code


@handler
def join_by_link(ask: JoinByLink, ctx: Context) -> RoomView:
    """Refuses `LinkIsNotGood`, and as joining does."""
    _, room, _ = _led_to(ask.code, ctx)
    ctx.settle("room", room.id)
    the_room(room.id, ctx)
    # A link changes only under its room's lock: by now it may be another than a moment ago.
    link, room, is_in = _led_to(ask.code, ctx, hold=True)
    if not is_in:
        ctx.store.put(link.use(ctx.now))
    return shown(take_seat(room, ctx))


# -- look -----------------------------------------------------------------------------------------


@view
class LinkPage(Value):
    """One page of links; `next_cursor` is None on the last."""

    items: tuple[LinkView, ...]
    next_cursor: str | None


@query("links.of_room", secret=True)
class LinksOfRoom(Query[LinkPage]):
    """The links into a room, the newest first, also those that ended not long ago."""

    room_id: Id
    limit: Limit = 20
    cursor: Cursor | None = None


@handler
def links_of_room(ask: LinksOfRoom, ctx: QueryContext) -> LinkPage:
    """Refuses `RoomNotFound`, `NotAllowed`, and `BadInput` for a cursor of another list."""
    check_inviter(known_room(ask.room_id, ctx), ctx)
    where = (Is("room_id", ask.room_id),)
    asked = Find(InviteLink, where=where, order=("-created_at",), limit=ask.limit, after=ask.cursor)
    page = ctx.store.find(asked)
    return LinkPage(items=tuple(told(each, ctx.now) for each in page.items), next_cursor=page.next)
