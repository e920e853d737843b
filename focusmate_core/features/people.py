"""People: who somebody is to the others; how they prove it is another feature's matter."""

from datetime import datetime, timedelta
from typing import Any

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
    reacts,
    snapshot,
    view,
    view_of,
    watches,
)
from focusmate_core.outbox import stream_of
from focusmate_core.refusals import Kind, NotSignedIn, Refusal, StreamNotFound, refusal

# -- nouns ----------------------------------------------------------------------------------------

DELETED = "deleted user"
"""What stands for the names of somebody whose account has ended; no username has a space."""


@entity("people", unique=["username_key"], search=("username", "display_name"))
class Person(Entity):
    """Somebody with an account; `username_key` is the username as it is compared.

    When the account has ended the names are empty, and the key stays: nobody else can take it.
    """

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
class Total(Value):
    """A number of somebody's that everybody may see: a time, a count, or both."""

    time: timedelta | None = None
    count: int | None = None


@view
class PersonView(Value):
    """What anyone signed in may see of a person."""

    id: Id
    username: str
    display_name: str
    created_at: datetime
    bio: str = ""
    avatar_url: str | None = None
    is_deleted: bool = False
    """The account has ended; «deleted user» stands for the names."""


@view
class Profile(Value):
    """A person's public profile, with the totals that they let everybody see, by name."""

    id: Id
    username: str
    display_name: str
    created_at: datetime
    bio: str
    avatar_url: str | None
    is_deleted: bool
    totals: dict[str, Total]


@view
class OwnView(Value):
    """What a person has said of themselves, as their own stream tells it."""

    id: Id
    username: str
    display_name: str
    created_at: datetime
    bio: str = ""
    avatar_url: str | None = None
    locale: str | None = None
    shows: frozenset[str] = frozenset()
    revision: int = 1


def profile(person: Person) -> PersonView:
    """The public view of a person."""
    is_deleted = person.deleted_at is not None
    names = dict.fromkeys(("username", "display_name"), DELETED) if is_deleted else {}
    return view_of(PersonView, person, is_deleted=is_deleted, **names)


NOTHING: dict[str, Any] = {
    "username": "",
    "display_name": "",
    "bio": "",
    "avatar_url": None,
    "locale": None,
    "shows": frozenset(),
}
"""What is left of what somebody said of themselves when the account has ended."""


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


@event("people.changed")
class PersonChanged(Event):
    """Somebody said something else of themselves."""

    person: OwnView


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


def living(person: Person | None) -> Person:
    """The caller, who has an account; `NotSignedIn` where there is none or none any more."""
    if person is None or person.deleted_at is not None:
        raise NotSignedIn
    return person


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


@reacts(to=PersonDeleted)
def forget_person(fact: PersonDeleted, ctx: Context) -> None:
    """What remains is that there was somebody, and that the username stays theirs."""
    person = ctx.store.get(Person, fact.person_id, hold=True)
    if person is not None:
        gone = person.but(**NOTHING, revision=person.revision + 1)
        ctx.store.put(gone.but(roles=frozenset(), deleted_at=ctx.now))


# -- requests -------------------------------------------------------------------------------------


@query("people.by_id", lags=True)
class PersonById(Query[Profile]):
    """Anyone's public profile, with the totals that they let everybody see."""

    person_id: Id


@handler
def person_by_id(ask: PersonById, ctx: QueryContext) -> Profile:
    """Refuses `PersonNotFound`."""
    person = ctx.store.get(Person, ask.person_id)
    if person is None:
        raise PersonNotFound
    totals = ctx.contributions("profile", person.id, only=person.shows)
    return view_of(Profile, profile(person), totals=totals)


# -- the stream user:<id> -------------------------------------------------------------------------


@watches("user")
def only_oneself(person_id: str, ctx: QueryContext) -> None:
    """A person's stream is that person's alone."""
    if not ctx.actor.id or ctx.actor.id != person_id:
        raise StreamNotFound(stream=person_stream(person_id)[:100])


@snapshot("user", "person")
def person_part(person_id: str, ctx: QueryContext) -> OwnView | None:
    """What they said of themselves; None for a person whom only the embedder knows."""
    person = ctx.store.get(Person, person_id)
    return view_of(OwnView, person) if person else None


@applies(PersonRegistered, part="person")
def person_registered(_: OwnView | None, fact: PersonRegistered, _at: datetime) -> OwnView:
    """The profile as registered."""
    new = fact.person
    return OwnView(
        id=new.id,
        username=new.username,
        display_name=new.display_name,
        created_at=new.created_at,
    )


@applies(PersonChanged, part="person")
def person_changed(_: OwnView | None, fact: PersonChanged, _at: datetime) -> OwnView:
    """As they say now."""
    return fact.person


@applies(PersonDeleted, part="person")
def person_deleted(person: OwnView | None, _: PersonDeleted, _at: datetime) -> OwnView | None:
    """Nothing that they said is left."""
    return person and person.but(**NOTHING, revision=person.revision + 1)
