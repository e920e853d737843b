"""Inviting: whom a room's host and its moderators ask to come in."""

from datetime import datetime, timedelta
from typing import Annotated

from focusmate_core.context import Context, QueryContext
from focusmate_core.features.bans import is_banned
from focusmate_core.features.invitations import (
    Cursor,
    Invitation,
    InvitationNotFound,
    InvitationState,
    InvitationView,
    PersonInvited,
    end,
    found,
    held,
    pending,
    received,
    sent,
    tell,
    told,
)
from focusmate_core.features.people import Person, PersonNotFound
from focusmate_core.features.rooms import Room, Seat, held_room, is_known_to, known_room
from focusmate_core.fields import Id, Limit, Span, Text
from focusmate_core.finding import Find, Is
from focusmate_core.messages import (
    Actor,
    Command,
    Query,
    Value,
    command,
    contributes,
    handler,
    query,
    view,
    view_of,
)
from focusmate_core.refusals import Kind, NotAllowed, Refusal, refusal

MOST = 200
"""How many people may be invited to one room at a time: its closing ends all of that at once."""
Lifetime = Annotated[timedelta, Span(timedelta(minutes=1), timedelta(days=30))]

# -- refusals -------------------------------------------------------------------------------------


@refusal(
    "invitations.to_oneself",
    "Nobody invites themselves; give somebody else's id.",
    kind=Kind.IMPOSSIBLE,
)
class InvitedOneself(Refusal):
    """Who may invite needs no invitation."""


@refusal(
    "invitations.already_in",
    "This person has a seat in the room; there is nothing to do.",
    kind=Kind.IMPOSSIBLE,
)
class PersonIsIn(Refusal):
    """Only who has no seat can be invited."""


@refusal(
    "invitations.banned",
    "This person is banned from the room; lift the ban first.",
    kind=Kind.IMPOSSIBLE,
)
class PersonIsBanned(Refusal):
    """Whoever is banned could not come in."""


@refusal(
    "invitations.to_a_desk",
    "A desk is for one person alone; open a room and invite to that.",
    kind=Kind.IMPOSSIBLE,
)
class InvitedToDesk(Refusal):
    """Nobody is invited to a desk, by whatever way."""


@refusal(
    "invitations.too_many",
    "{most} people are invited to this room; revoke an invitation, or open a link.",
    kind=Kind.IMPOSSIBLE,
)
class TooManyInvited(Refusal):
    """As many invitations to the room are pending as may be."""

    most: int


# -- for the features above -----------------------------------------------------------------------


def check_inviter(room: Room, ctx: Context | QueryContext) -> None:
    """Refuse whoever may not let others in: `NotAllowed`."""
    if not _may_invite(room, ctx.store.get(Seat, (room.id, ctx.actor.id)), ctx.actor):
        raise NotAllowed(needed="the room's host or one of its moderators")


def check_no_desk(room: Room) -> None:
    """Refuse to let others sit at a desk: `InvitedToDesk`."""
    if room.is_for_one:
        raise InvitedToDesk


def _may_invite(room: Room, seat: Seat | None, actor: Actor) -> bool:
    return actor.id == room.host_id or (seat is not None and seat.is_moderator)


# -- invite ---------------------------------------------------------------------------------------


@command("invitations.invite", touches={"room": "room_id"})
class InvitePerson(Command[InvitationView]):
    """Invite somebody to a room; who is invited already is so for at least as long from now on."""

    room_id: Id
    person_id: Annotated[str, Text(1, 200)]
    message: Annotated[str, Text(0, 500, lines=True)] = ""
    expires_in: Lifetime = timedelta(days=7)


@handler
def invite_person(ask: InvitePerson, ctx: Context) -> InvitationView:
    """Refuses `RoomNotFound`, `RoomIsClosed`, `NotAllowed`, and whom there is no use to invite.

    `PersonNotFound`: whose account has ended. Of an embedder's people nothing is known here.
    """
    room = held_room(ask.room_id, ctx)
    check_inviter(room, ctx)
    check_no_desk(room)
    _check_invited(room, ask.person_id, ctx)
    former = ctx.store.get(Invitation, (room.id, ask.person_id), hold=True)
    if former is None or not former.is_pending(ctx.now):
        _check_number(room, ctx)
    made = ctx.store.put(_made(ask, former, ctx))
    tell(view_of(PersonInvited, made, invitation_id=made.id), ctx)
    return told(made, ctx.now)


def _check_invited(room: Room, person_id: str, ctx: Context) -> None:
    if person_id == ctx.actor.id:
        raise InvitedOneself
    if ctx.store.get(Seat, (room.id, person_id)) is not None:
        raise PersonIsIn
    if is_banned(room, person_id, ctx):
        raise PersonIsBanned
    person = ctx.store.get(Person, person_id)
    if person is not None and person.deleted_at is not None:
        raise PersonNotFound


def _check_number(room: Room, ctx: Context) -> None:
    asked = Find(Invitation, where=pending(Is("room_id", room.id), ctx.now))
    if ctx.store.count(asked, MOST) == MOST:
        raise TooManyInvited(most=MOST)


def _made(ask: InvitePerson, former: Invitation | None, ctx: Context) -> Invitation:
    """A new one, or the one that is pending as it is from now on."""
    is_renewed = former is not None and former.is_pending(ctx.now)
    until = ctx.now + ask.expires_in
    expires_at = max(until, former.expires_at) if former and is_renewed else until
    return Invitation(
        room_id=ask.room_id,
        person_id=ask.person_id,
        id=former.id if former and is_renewed else ctx.new_id(),
        invited_by=ctx.actor.id,
        message=ask.message,
        created_at=former.created_at if former and is_renewed else ctx.now,
        expires_at=expires_at,
        over_at=expires_at,
        version=former.version if former else 0,
    )


# -- revoke ---------------------------------------------------------------------------------------


@command("invitations.revoke")
class RevokeInvitation(Command[InvitationView]):
    """Take an invitation back, as who sent it, host or moderator; twice is once.

    Who sent it and may not know of the room any more knows of no invitation to it either.
    """

    invitation_id: Id


@handler
def revoke_invitation(ask: RevokeInvitation, ctx: Context) -> InvitationView:
    """Refuses `InvitationNotFound`, `NotAllowed`, `InvitationIsOver`."""
    invitation = _revocable(found(ask.invitation_id, ctx), ask, ctx)
    # Decided once more under the lock: who may is another matter than a moment ago, perhaps.
    invitation = _revocable(held(invitation, ctx), ask, ctx, hold=True)
    return end(invitation, InvitationState.REVOKED, ctx)


def _revocable(
    invitation: Invitation | None, ask: RevokeInvitation, ctx: Context, *, hold: bool = False
) -> Invitation:
    """The invitation, if the caller may take it back."""
    # Looked for where there is no invitation, too: what it costs to be refused tells nothing.
    room_id = invitation.room_id if invitation else ask.invitation_id
    room = ctx.store.get(Room, room_id, hold=hold)
    seat = ctx.store.get(Seat, (room_id, ctx.actor.id), hold=hold)
    if invitation is None or room is None or not _concerns(invitation, room, seat, ctx.actor):
        raise InvitationNotFound
    if ctx.actor.id != invitation.invited_by and not _may_invite(room, seat, ctx.actor):
        raise NotAllowed(needed="who sent it, the room's host or one of its moderators")
    return invitation


def _concerns(invitation: Invitation, room: Room, seat: Seat | None, actor: Actor) -> bool:
    """Whether an invitation is there at all for somebody who has this seat in its room, or none."""
    if actor.id in {room.host_id, invitation.invited_by}:
        return is_known_to(actor, room, seat)
    return seat is not None or actor.id == invitation.person_id


# -- look -----------------------------------------------------------------------------------------


@view
class InvitationPage(Value):
    """One page of invitations; `next_cursor` is None on the last."""

    items: tuple[InvitationView, ...]
    next_cursor: str | None


@query("invitations.of_room")
class InvitationsOfRoom(Query[InvitationPage]):
    """The pending invitations to a room; those that expire first come first."""

    room_id: Id
    limit: Limit = 20
    cursor: Cursor | None = None


@handler
def invitations_of_room(ask: InvitationsOfRoom, ctx: QueryContext) -> InvitationPage:
    """Refuses `RoomNotFound`, `NotAllowed`, and `BadInput` for a cursor of another list."""
    check_inviter(known_room(ask.room_id, ctx), ctx)
    where = pending(Is("room_id", ask.room_id), ctx.now)
    asked = Find(Invitation, where=where, order=("over_at",), limit=ask.limit, after=ask.cursor)
    page = ctx.store.find(asked)
    items = tuple(told(each, ctx.now) for each in page.items)
    return InvitationPage(items=items, next_cursor=page.next)


# -- what is exported -----------------------------------------------------------------------------


@view
class SentInvitation(Value):
    """An invitation as who sent it takes it along: what they said, and not what became of it."""

    id: Id
    room_id: Id
    person_id: str
    message: str
    created_at: datetime
    expires_at: datetime


@contributes("export", "invitations")
def export_invitations(person_id: str, ctx: QueryContext) -> list[InvitationView | SentInvitation]:
    """Those that they were sent; and what they said in those that they sent."""
    to_them = [told(each, ctx.now) for each in received(person_id, ctx)]
    return [*to_them, *(view_of(SentInvitation, each) for each in sent(person_id, ctx))]
