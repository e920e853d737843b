"""Profiles: what people say of themselves, to all and for themselves alone; and finding people."""

from datetime import datetime
from typing import Annotated, Any

from focusmate_core.context import Context, QueryContext
from focusmate_core.entities import Entity, entity
from focusmate_core.features.days import forget_days, rule_at
from focusmate_core.features.people import (
    OwnView,
    Person,
    PersonChanged,
    PersonDeleted,
    PersonView,
    living,
    person_stream,
    profile,
)
from focusmate_core.fields import Id, Limit, Pattern, Secret, Text, UrlOrNone, Whole
from focusmate_core.finding import Find
from focusmate_core.messages import (
    Command,
    Query,
    Value,
    command,
    contributes,
    handler,
    query,
    reacts,
    view,
    view_of,
)
from focusmate_core.refusals import BadInput, Outdated

# -- nouns ----------------------------------------------------------------------------------------

LANGUAGE = (
    r"[A-Za-z]{2,8}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?"
    r"(-([A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*"
)
DisplayName = Annotated[str, Text(1, 50)]
Bio = Annotated[str, Text(0, 1000, lines=True)]
Locale = Annotated[str, Pattern(f"({LANGUAGE})?", "a language tag, such as de-CH, or empty", 35)]
Part = Annotated[str, Text(1, 50)]


@entity("private_profiles", key="person_id")
class PrivateProfile(Entity):
    """What a person notes of themselves for nobody else; leaves in their own view alone."""

    person_id: str
    phone: Annotated[str, Secret()] = ""
    address: Annotated[str, Secret()] = ""
    education: Annotated[str, Secret()] = ""
    version: int = 0


@view
class MyProfile(Value):
    """All that a person has said of themselves to everybody, and how their days go."""

    id: Id
    username: str
    display_name: str
    created_at: datetime
    bio: str
    avatar_url: str | None
    locale: str | None
    shows: frozenset[str]
    """Which totals they let everybody see."""
    roles: frozenset[str]
    time_zone: str
    day_start: int
    revision: int


@view
class PrivateView(Value):
    """What only its person ever sees."""

    phone: str
    address: str
    education: str


def _mine(person: Person, ctx: Context | QueryContext) -> MyProfile:
    rule = rule_at(person.id, ctx.now, ctx)
    return view_of(MyProfile, person, time_zone=rule.time_zone, day_start=rule.day_start)


# -- what everybody may see -----------------------------------------------------------------------


@query("people.me")
class Me(Query[MyProfile]):
    """The caller's own profile."""


@handler
def me(_: Me, ctx: QueryContext) -> MyProfile:
    """Refuses `NotSignedIn` when there is no account behind the token."""
    return _mine(living(ctx.store.get(Person, ctx.actor.id)), ctx)


@command("people.update")
class UpdateProfile(Command[MyProfile]):
    """Say something else of oneself; what is left out stays, and what is empty is there no more.

    `shows` names the totals that everybody may see. With a `revision` only that one is changed.
    """

    display_name: DisplayName | None = None
    bio: Bio | None = None
    avatar_url: UrlOrNone | None = None
    locale: Locale | None = None
    shows: frozenset[Part] | None = None
    revision: Annotated[int, Whole(1, 2**31)] | None = None


@handler
def update_profile(ask: UpdateProfile, ctx: Context) -> MyProfile:
    """Refuses `NotSignedIn`, `Outdated`, and `BadInput` for a total that nobody keeps."""
    person = living(ctx.store.get(Person, ctx.actor.id, hold=True))
    if ask.revision not in {None, person.revision}:
        raise Outdated(revision=person.revision)
    changed = person.but(**_said(ask, ctx))
    if changed == person:
        return _mine(person, ctx)
    person = ctx.store.put(changed.but(revision=person.revision + 1))
    ctx.emit(PersonChanged(person=view_of(OwnView, person)), to=person_stream(person.id))
    return _mine(person, ctx)


def _said(ask: UpdateProfile, ctx: Context) -> dict[str, Any]:
    known = ctx.contributors("profile")
    unknown = sorted((ask.shows or frozenset()).difference(known))
    if unknown:
        raise BadInput.of("shows", f"must be of {', '.join(known)}; there is no «{unknown[0]}»")
    plain = {name: getattr(ask, name) for name in ("display_name", "bio", "shows")}
    given = {name: said for name, said in plain.items() if said is not None}
    maybe = {name: getattr(ask, name) for name in ("avatar_url", "locale")}
    return given | {name: said or None for name, said in maybe.items() if said is not None}


@view
class PeoplePage(Value):
    """One page of people; `next_cursor` is None on the last."""

    items: tuple[PersonView, ...]
    next_cursor: str | None


@query("people.search")
class SearchPeople(Query[PeoplePage]):
    """The people whose username or display name has all these words, the last as a beginning."""

    words: Annotated[str, Text(1, 200)]
    limit: Limit = 20
    cursor: Annotated[str, Text(1, 500)] | None = None


@handler
def search_people(ask: SearchPeople, ctx: QueryContext) -> PeoplePage:
    """Refuses `BadInput` for a cursor of another list."""
    page = ctx.store.find(Find(Person, words=ask.words, limit=ask.limit, after=ask.cursor))
    return PeoplePage(items=tuple(profile(each) for each in page.items), next_cursor=page.next)


# -- what nobody else may see ---------------------------------------------------------------------


def _private(person_id: str, ctx: Context | QueryContext) -> PrivateProfile:
    known = ctx.store.get(PrivateProfile, person_id)
    return known or PrivateProfile(person_id=person_id)


@query("people.private", secret=True)
class MyPrivateProfile(Query[PrivateView]):
    """What the caller noted of themselves for nobody else."""


@handler
def my_private_profile(_: MyPrivateProfile, ctx: QueryContext) -> PrivateView:
    """Refuses nothing."""
    return view_of(PrivateView, _private(ctx.actor.id, ctx))


@command("people.change_private", secret=True)
class ChangePrivateProfile(Command[PrivateView]):
    """Note something of oneself that nobody else ever sees; what is left out stays as it is."""

    phone: Annotated[str, Text(0, 50)] | None = None
    address: Annotated[str, Text(0, 500, lines=True)] | None = None
    education: Annotated[str, Text(0, 1000, lines=True)] | None = None


@handler
def change_private_profile(ask: ChangePrivateProfile, ctx: Context) -> PrivateView:
    """Refuses nothing."""
    known = _private(ctx.actor.id, ctx)
    given = {name: getattr(ask, name) for name in ("phone", "address", "education")}
    changed = known.but(**{name: said for name, said in given.items() if said is not None})
    return view_of(PrivateView, ctx.store.put(changed) if changed != known else known)


# -- what is exported, and erased -----------------------------------------------------------------


@contributes("export", "profile")
def export_profile(person_id: str, ctx: QueryContext) -> MyProfile | None:
    """The profile; None for a person whom only the embedder knows."""
    person = ctx.store.get(Person, person_id)
    return _mine(person, ctx) if person else None


@contributes("export", "private")
def export_private(person_id: str, ctx: QueryContext) -> PrivateView:
    """The extended private part."""
    return view_of(PrivateView, _private(person_id, ctx))


@reacts(to=PersonDeleted)
def forget_what_was_private(fact: PersonDeleted, ctx: Context) -> None:
    """Nothing is left of it, nor of how their days went."""
    ctx.store.delete(PrivateProfile, fact.person_id)
    forget_days(fact.person_id, ctx)
