"""Invitations: to a person, accepted or declined until they expire."""

import enum
from datetime import datetime, timedelta
from typing import Annotated

from focusmate_core.context import Context, QueryContext
from focusmate_core.entities import Entity, entity
from focusmate_core.features.bans import PersonBanned
from focusmate_core.features.people import PersonDeleted, PersonLeaving, person_stream
from focusmate_core.features.rooms import (
    Room,
    RoomClosed,
    RoomView,
    Seat,
    open_only,
    room_stream,
    shown,
    the_room,
)
from focusmate_core.features.seats import RoomJoined, take_seat
from focusmate_core.fields import Id, Limit, Text
from focusmate_core.finding import Between, Condition, Find, Is, find_all
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
from focusmate_core.refusals import Kind, Refusal, refusal

# -- nouns ----------------------------------------------------------------------------------------

KEPT = timedelta(days=30)
"""How long what has ended is kept."""
Cursor = Annotated[str, Text(1, 500)]


class InvitationState(enum.Enum):
    """What has become of an invitation."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    """By saying so, or by coming in some other way."""
    DECLINED = "declined"
    REVOKED = "revoked"
    """By somebody who may, or since the room was closed or the invited banned."""
    EXPIRED = "expired"


@entity(
    "invitations",
    key=("room_id", "person_id"),
    unique=["id"],
    index=[
        ("room_id", "state", "over_at", "person_id"),
        ("person_id", "state", "over_at", "room_id"),
        "over_at",
        "invited_by",
    ],
)
class Invitation(Entity):
    """Somebody's invitation to a room; the next one takes the place of one that has ended."""

    room_id: str
    person_id: str
    id: str
    invited_by: str
    message: str
    created_at: datetime
    expires_at: datetime
    over_at: datetime
    """When it ended, or will if nothing is done about it."""
    state: InvitationState = InvitationState.PENDING
    """What was done about it. That it expired is written nowhere, but seen: `state_at`."""
    version: int = 0

    def state_at(self, now: datetime) -> InvitationState:
        """What has become of it by now."""
        is_late = self.state is InvitationState.PENDING and now >= self.expires_at
        return InvitationState.EXPIRED if is_late else self.state

    def is_pending(self, now: datetime) -> bool:
        """Whether it can still be accepted."""
        return self.state_at(now) is InvitationState.PENDING


@view
class RoomPreview(Value):
    """A room as who is invited sees it before they are in it."""

    id: Id
    name: str
    description: str
    avatar_url: str | None
    host_id: str
    seated: int
    capacity: int | None
    is_public: bool


@view
class InvitationView(Value):
    """An invitation as both sides see it."""

    id: Id
    room_id: Id
    person_id: str
    invited_by: str
    message: str
    created_at: datetime
    expires_at: datetime
    state: InvitationState


def told(invitation: Invitation, now: datetime) -> InvitationView:
    """The view of an invitation, as it is by now."""
    return view_of(InvitationView, invitation, state=invitation.state_at(now))


# -- facts ----------------------------------------------------------------------------------------


@event("invitations.invited")
class PersonInvited(Event):
    """Somebody is invited to a room, or anew; until when is told with it, and not once more."""

    invitation_id: str
    room_id: str
    person_id: str
    invited_by: str
    expires_at: datetime


@event("invitations.ended")
class InvitationEnded(Event):
    """An invitation was accepted, declined or revoked."""

    invitation_id: str
    room_id: str
    person_id: str
    state: InvitationState


# -- refusals -------------------------------------------------------------------------------------


@refusal(
    "invitations.not_found",
    "There is no such invitation; look at the list of yours.",
    kind=Kind.NOT_FOUND,
)
class InvitationNotFound(Refusal):
    """No invitation has this id, or none that is the caller's business."""


@refusal(
    "invitations.over",
    "The invitation is {state}; ask for another one.",
    kind=Kind.IMPOSSIBLE,
)
class InvitationIsOver(Refusal):
    """Only what is pending can be accepted, declined or revoked."""

    state: str


# -- for the features above -----------------------------------------------------------------------


def preview(room: Room) -> RoomPreview:
    """What the invited see of a room."""
    return view_of(RoomPreview, room)


def pending(whose: Is, now: datetime) -> tuple[Condition, ...]:
    """What is asked to find the pending ones of a room or a person."""
    ahead = Between("over_at", now + timedelta.resolution, None)
    return (whose, Is("state", InvitationState.PENDING), ahead)


def found(invitation_id: str, ctx: Context) -> Invitation | None:
    """The invitation of this id, as it was a moment ago."""
    items = ctx.store.find(Find(Invitation, where=(Is("id", invitation_id),), limit=1)).items
    return items[0] if items else None


def held(invitation: Invitation, ctx: Context) -> Invitation | None:
    """The same, with its room brought up to now and locked: only then is one changed.

    None where it is there no more by then, or another one has taken its place.
    """
    ctx.settle("room", invitation.room_id)
    the_room(invitation.room_id, ctx)
    key = (invitation.room_id, invitation.person_id)
    by_now = ctx.store.get(Invitation, key, hold=True)
    return by_now if by_now is not None and by_now.id == invitation.id else None


def tell(fact: PersonInvited | InvitationEnded, ctx: Context) -> None:
    """Tell the invited, and who is in the room."""
    # What happened before, wherever the invited is, stands before this on their stream.
    ctx.settle("person", fact.person_id)
    ctx.emit(fact, to=(room_stream(fact.room_id), person_stream(fact.person_id)))


def end(invitation: Invitation, state: InvitationState, ctx: Context) -> InvitationView:
    """Have a pending one end like this; once, however often it is asked for."""
    by_now = invitation.state_at(ctx.now)
    if by_now is state:
        return told(invitation, ctx.now)
    if by_now is not InvitationState.PENDING:
        raise InvitationIsOver(state=by_now.value)
    ended = ctx.store.put(invitation.but(state=state, over_at=ctx.now))
    tell(view_of(InvitationEnded, ended, invitation_id=ended.id), ctx)
    return told(ended, ctx.now)


def end_if_pending(room_id: str, person_id: str, state: InvitationState, ctx: Context) -> None:
    """Have somebody's invitation to a room end like this, if there is one."""
    invitation = ctx.store.get(Invitation, (room_id, person_id), hold=True)
    if invitation is not None and invitation.is_pending(ctx.now):
        end(invitation, state, ctx)


# -- accept and decline ---------------------------------------------------------------------------


def _own(invitation_id: str, ctx: Context) -> Invitation:
    seen = found(invitation_id, ctx)
    invitation = held(seen, ctx) if seen and seen.person_id == ctx.actor.id else None
    if invitation is None:
        raise InvitationNotFound
    return invitation


@command("invitations.accept")
class AcceptInvitation(Command[RoomView]):
    """Sit down where one is invited; twice is once while one is inside."""

    invitation_id: Id


@handler
def accept_invitation(ask: AcceptInvitation, ctx: Context) -> RoomView:
    """Refuses `InvitationNotFound`, `InvitationIsOver`, `RoomIsClosed`, and as joining does."""
    invitation = _own(ask.invitation_id, ctx)
    by_now = invitation.state_at(ctx.now)
    is_in = ctx.store.get(Seat, (invitation.room_id, ctx.actor.id)) is not None
    is_again = is_in and by_now is InvitationState.ACCEPTED
    if by_now is not InvitationState.PENDING and not is_again:
        raise InvitationIsOver(state=by_now.value)
    return shown(take_seat(open_only(the_room(invitation.room_id, ctx)), ctx))


@command("invitations.decline")
class DeclineInvitation(Command[InvitationView]):
    """Say no to an invitation; twice is once."""

    invitation_id: Id


@handler
def decline_invitation(ask: DeclineInvitation, ctx: Context) -> InvitationView:
    """Refuses `InvitationNotFound`, `InvitationIsOver`."""
    return end(_own(ask.invitation_id, ctx), InvitationState.DECLINED, ctx)


# -- what else ends one ---------------------------------------------------------------------------


@reacts(to=RoomJoined)
def accept_by_joining(fact: RoomJoined, ctx: Context) -> None:
    """Who is in the room has accepted, whichever way they came."""
    end_if_pending(fact.room_id, fact.person_id, InvitationState.ACCEPTED, ctx)


@reacts(to=PersonBanned)
def revoke_with_the_ban(fact: PersonBanned, ctx: Context) -> None:
    """Who is banned is not invited, and invites nobody."""
    end_if_pending(fact.room_id, fact.person_id, InvitationState.REVOKED, ctx)
    for invitation in _pending_in(fact.room_id, ctx):
        if invitation.invited_by == fact.person_id:
            end(invitation, InvitationState.REVOKED, ctx)


@reacts(to=RoomClosed)
def revoke_with_the_room(fact: RoomClosed, ctx: Context) -> None:
    """Nobody is invited to a closed room."""
    for invitation in _pending_in(fact.room_id, ctx):
        end(invitation, InvitationState.REVOKED, ctx)


def _pending_in(room_id: str, ctx: Context) -> list[Invitation]:
    asked = Find(Invitation, where=pending(Is("room_id", room_id), ctx.now))
    return list(find_all(ctx.store, asked))


def received(person_id: str, ctx: Context | QueryContext) -> list[Invitation]:
    """Those that somebody was sent."""
    whose = (Is("person_id", person_id),)
    return list(find_all(ctx.store, Find(Invitation, where=whose, order=("state", "over_at"))))


def sent(person_id: str, ctx: Context | QueryContext) -> list[Invitation]:
    """Those that somebody sent."""
    return list(find_all(ctx.store, Find(Invitation, where=(Is("invited_by", person_id),))))


def _of(person_id: str, ctx: Context) -> list[Invitation]:
    return received(person_id, ctx) + sent(person_id, ctx)


@contributes("rooms", "invitations")
def rooms_invited_to(person_id: str, ctx: Context) -> frozenset[str]:
    """The rooms where somebody is told when they invite nobody any more."""
    return frozenset(each.room_id for each in _of(person_id, ctx) if each.is_pending(ctx.now))


@reacts(to=PersonLeaving)
def revoke_with_the_account(fact: PersonLeaving, ctx: Context) -> None:
    """Nobody is invited who is no more, or by whoever is no more."""
    for each in _of(fact.person_id, ctx):
        by_now = held(each, ctx) if each.is_pending(ctx.now) else None
        if by_now is not None and by_now.is_pending(ctx.now):
            end(by_now, InvitationState.REVOKED, ctx)


@reacts(to=PersonDeleted)
def forget_with_the_account(fact: PersonDeleted, ctx: Context) -> None:
    """Nothing is kept of an invitation to or by somebody who is no more."""
    for each in _of(fact.person_id, ctx):
        ctx.store.delete(Invitation, (each.room_id, each.person_id))


@sweeps
def sweep_invitations(ctx: Context, limit: int) -> int:
    """Forget invitations that ended long ago."""
    old = Find(Invitation, where=(Between("over_at", None, ctx.now - KEPT),), limit=limit)
    keys = [(each.room_id, each.person_id) for each in ctx.store.find(old).items]
    return sum(ctx.store.delete(Invitation, key) for key in keys)


# -- look -----------------------------------------------------------------------------------------


@view
class ReceivedInvitation(Value):
    """An invitation as the invited sees it, with a look into the room: made for them alone."""

    id: Id
    room: RoomPreview
    invited_by: str
    message: str
    created_at: datetime
    expires_at: datetime


@view
class ReceivedPage(Value):
    """One page of one's own invitations; `next_cursor` is None on the last."""

    items: tuple[ReceivedInvitation, ...]
    next_cursor: str | None


@query("invitations.mine")
class MyInvitations(Query[ReceivedPage]):
    """The pending invitations one has; those that expire first come first."""

    limit: Limit = 20
    cursor: Cursor | None = None


@handler
def my_invitations(ask: MyInvitations, ctx: QueryContext) -> ReceivedPage:
    """Refuses `BadInput` for a cursor of another list."""
    where = pending(Is("person_id", ctx.actor.id), ctx.now)
    asked = Find(Invitation, where=where, order=("over_at",), limit=ask.limit, after=ask.cursor)
    page = ctx.store.find(asked)
    rooms = ctx.store.get_many(Room, [each.room_id for each in page.items])
    items = tuple(
        view_of(ReceivedInvitation, each, room=preview(rooms[each.room_id])) for each in page.items
    )
    return ReceivedPage(items=items, next_cursor=page.next)
