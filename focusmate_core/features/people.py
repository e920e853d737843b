"""People: who somebody is to the others; how they prove it is another feature's matter."""

from datetime import datetime

from focusmate_core.context import Context, QueryContext
from focusmate_core.entities import Entity, entity
from focusmate_core.fields import Id
from focusmate_core.messages import (
    Event,
    Query,
    Value,
    applies,
    event,
    handler,
    query,
    snapshot,
    view,
    watches,
)
from focusmate_core.outbox import stream_of
from focusmate_core.refusals import Kind, NotSignedIn, Refusal, StreamNotFound, refusal

# -- nouns ----------------------------------------------------------------------------------------


@entity("people", unique=["username_key"])
class Person(Entity):
    """Somebody with an account; `username_key` is the username as it is compared."""

    id: str
    username: str
    username_key: str
    display_name: str
    roles: frozenset[str]
    created_at: datetime
    bio: str = ""
    avatar_url: str | None = None
    locale: str | None = None
    shows: frozenset[str] = frozenset()
    """Which further parts of their profile they let everybody see."""
    revision: int = 1
    """Counts the changes of what they say of themselves."""
    deleted_at: datetime | None = None
    version: int = 0


@view
class PersonView(Value):
    """What anyone signed in may see of a person."""

    id: Id
    username: str
    display_name: str
    created_at: datetime


def profile(person: Person) -> PersonView:
    """The public view of a person."""
    return PersonView(
        id=person.id,
        username=person.username,
        display_name=person.display_name,
        created_at=person.created_at,
    )


def username_key(username: str) -> str:
    """A username as it is compared: case does not tell two apart."""
    return username.casefold()


def person_stream(person_id: str) -> str:
    """The stream that only this person watches."""
    return stream_of("user", person_id)


# -- facts ----------------------------------------------------------------------------------------


@event("people.registered")
class PersonRegistered(Event):
    """Somebody has an account from now on."""

    person: PersonView


@event("people.leaving")
class PersonLeaving(Event):
    """Somebody's account is about to end: they leave wherever they are, as by leaving.

    Told to nobody, for reactions alone; all that follows from it is done before `PersonDeleted`.
    """

    person_id: str


@event("people.deleted", ends_sign_in="person_id")
class PersonDeleted(Event):
    """Somebody's account has ended: each feature that reacts erases what it holds of them."""

    person_id: str


# -- refusals -------------------------------------------------------------------------------------


@refusal(
    "people.not_found",
    "There is nobody with this id; look the person up again.",
    kind=Kind.NOT_FOUND,
)
class PersonNotFound(Refusal):
    """No such person."""


# -- for the features above -----------------------------------------------------------------------


def enter(ctx: Context, username: str, display_name: str) -> PersonView:
    """Add a person; `Conflict` if the username was taken in this very moment."""
    person = ctx.store.put(
        Person(
            id=ctx.new_id(),
            username=username,
            username_key=username_key(username),
            display_name=display_name,
            roles=frozenset(),
            created_at=ctx.now,
        )
    )
    ctx.emit(PersonRegistered(person=profile(person)), to=person_stream(person.id))
    return profile(person)


# -- requests -------------------------------------------------------------------------------------


@query("people.me")
class Me(Query[PersonView]):
    """The caller's own profile."""


@handler
def me(_: Me, ctx: QueryContext) -> PersonView:
    """Refuses `NotSignedIn` when the account behind the token is gone."""
    person = ctx.store.get(Person, ctx.actor.id)
    if person is None:
        raise NotSignedIn
    return profile(person)


@query("people.by_id")
class PersonById(Query[PersonView]):
    """Anyone's public profile."""

    person_id: Id


@handler
def person_by_id(ask: PersonById, ctx: QueryContext) -> PersonView:
    """Refuses `PersonNotFound`."""
    person = ctx.store.get(Person, ask.person_id)
    if person is None:
        raise PersonNotFound
    return profile(person)


# -- the stream user:<id> -------------------------------------------------------------------------


@watches("user")
def only_oneself(person_id: str, ctx: QueryContext) -> None:
    """A person's stream is that person's alone."""
    if not ctx.actor.id or ctx.actor.id != person_id:
        raise StreamNotFound(stream=person_stream(person_id)[:100])


@snapshot("user", "person")
def person_part(person_id: str, ctx: QueryContext) -> PersonView | None:
    """The profile; None for a person whom only the embedder knows."""
    person = ctx.store.get(Person, person_id)
    return profile(person) if person else None


@applies(PersonRegistered, part="person")
def person_registered(_: PersonView | None, fact: PersonRegistered, _at: datetime) -> PersonView:
    """The profile as registered."""
    return fact.person
