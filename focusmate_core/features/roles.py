"""Roles: who looks after the community; given and taken by admins."""

import enum

from focusmate_core.context import Context
from focusmate_core.features.people import Person, PersonNotFound, person_stream
from focusmate_core.fields import Id
from focusmate_core.messages import Access, Command, Event, Value, command, event, handler, view
from focusmate_core.refusals import Kind, NotAllowed, Refusal, refusal

# -- nouns ----------------------------------------------------------------------------------------


class Role(enum.Enum):
    """What somebody may do beside what everybody may."""

    MODERATOR = "moderator"
    ADMIN = "admin"


@view
class PersonRoles(Value):
    """The roles of a person; none for a user like any other."""

    person_id: str
    roles: frozenset[Role]


# -- facts ----------------------------------------------------------------------------------------


@event("people.roles_changed", ends_sign_in="person_id")
class RolesChanged(Event):
    """A person has these roles from now on.

    Their tokens are looked at again as if a sign-in had ended, since each says what they may do.
    """

    person_id: str
    roles: frozenset[Role]


# -- refusals -------------------------------------------------------------------------------------


@refusal(
    "people.own_roles",
    "Nobody changes their own roles, so that an admin is left; ask another admin.",
    kind=Kind.IMPOSSIBLE,
)
class OwnRoles(Refusal):
    """The caller named themselves."""


# -- requests -------------------------------------------------------------------------------------


@command("people.change_roles", access=Access.ADMIN)
class ChangeRoles(Command[PersonRoles]):
    """Give a person these roles instead of those they have; none makes them a user again."""

    person_id: Id
    roles: frozenset[Role]


@handler
def change_roles(ask: ChangeRoles, ctx: Context) -> PersonRoles:
    """Refuses `OwnRoles`, `PersonNotFound`, and `NotAllowed` for who is no admin any more."""
    if ask.person_id == ctx.actor.id:
        raise OwnRoles
    # Always in one order, so that two admins who take the role from each other wait for each other.
    both = {each: _locked(each, ctx) for each in sorted({ask.person_id, ctx.actor.id})}
    person, admin = both[ask.person_id], both[ctx.actor.id]
    if ctx.actor.sign_in and (admin is None or Role.ADMIN.value not in admin.roles):
        raise NotAllowed(needed="an admin")
    if person is None or person.deleted_at:
        raise PersonNotFound
    roles = frozenset(role.value for role in ask.roles)
    if roles != person.roles:
        ctx.store.put(person.but(roles=roles))
        changed = RolesChanged(person_id=person.id, roles=ask.roles)
        ctx.emit(changed, to=person_stream(person.id))
    return PersonRoles(person_id=person.id, roles=ask.roles)


def _locked(person_id: str, ctx: Context) -> Person | None:
    return ctx.store.get(Person, person_id, hold=True)
