"""Sign-outs: where somebody is signed in, as they see it, and how they end it from elsewhere."""

from datetime import datetime
from typing import Annotated

import attrs

from focusmate_core.context import Context, QueryContext
from focusmate_core.features.credentials import PasswordChanged
from focusmate_core.features.people import PersonDeleted
from focusmate_core.features.sign_ins import (
    Ending,
    SignedInSession,
    end,
    end_all,
    lasting,
    sign_ins_of,
)
from focusmate_core.fields import Id, Limit, Text
from focusmate_core.finding import Is, find_all
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
from focusmate_core.refusals import Kind, Refusal, refusal

# -- nouns ----------------------------------------------------------------------------------------


@view
class SignInView(Value):
    """One place where somebody is signed in; `address` is empty where the door knows none."""

    id: str
    created_at: datetime
    used_at: datetime | None
    expires_at: datetime
    address: str
    is_current: bool
    """Whether it is the one that asked."""


@view
class SignInPage(Value):
    """One page of sign-ins; `next_cursor` is None on the last."""

    items: tuple[SignInView, ...]
    next_cursor: str | None


# -- refusals -------------------------------------------------------------------------------------


@refusal(
    "credentials.sign_in_not_found",
    "You have no sign-in with this id; list yours again.",
    kind=Kind.NOT_FOUND,
)
class SignInNotFound(Refusal):
    """No such sign-in, or somebody else's."""


# -- list sign-ins --------------------------------------------------------------------------------


@query("credentials.sign_ins")
class SignIns(Query[SignInPage]):
    """Where one is signed in, the newest first."""

    limit: Limit = 20
    cursor: Annotated[str, Text(1, 500)] | None = None


@handler
def sign_ins(ask: SignIns, ctx: QueryContext) -> SignInPage:
    """Refuses `BadInput` for a cursor of another list."""
    asked = sign_ins_of(ctx.actor.id, Is("ended_at", None), lasting(ctx.now))
    newest_first = attrs.evolve(asked, order=("-created_at",), limit=ask.limit, after=ask.cursor)
    page = ctx.store.find(newest_first)
    return SignInPage(items=tuple(_shown(each, ctx) for each in page.items), next_cursor=page.next)


def _shown(session: SignedInSession, ctx: QueryContext) -> SignInView:
    return view_of(SignInView, session, is_current=session.id == ctx.actor.sign_in)


# -- end sign-ins ---------------------------------------------------------------------------------


@command("credentials.end_sign_in")
class EndSignIn(Command[None]):
    """End one of one's own sign-ins, on another device say; twice is once."""

    sign_in_id: Id


@handler
def end_sign_in(ask: EndSignIn, ctx: Context) -> None:
    """Refuses `SignInNotFound`."""
    session = ctx.store.get(SignedInSession, ask.sign_in_id, hold=True)
    if session is None or session.person_id != ctx.actor.id or session.expires_at <= ctx.now:
        raise SignInNotFound
    end(session, Ending.ENDED, ctx)


@command("credentials.sign_out_everywhere")
class SignOutEverywhere(Command[None]):
    """End all of one's sign-ins, or all but the one this is sent by."""

    keep_this: bool = False


@handler
def sign_out_everywhere(ask: SignOutEverywhere, ctx: Context) -> None:
    """Who is signed in nowhere has nothing to end."""
    end_all(ctx.actor.id, ctx.actor.sign_in if ask.keep_this else "", Ending.ENDED, ctx)


@reacts(to=PasswordChanged)
def end_the_others(changed: PasswordChanged, ctx: Context) -> None:
    """Whoever signed in with the former password is out, but for who changed it."""
    end_all(changed.person_id, changed.by_sign_in, Ending.PASSWORD_CHANGED, ctx)


# -- what a person takes along, and what goes -----------------------------------------------------


@contributes(to="export", part="sign_ins")
def exported(person_id: str, ctx: QueryContext) -> tuple[SignInView, ...]:
    """All that are kept, ended ones too."""
    return tuple(_shown(each, ctx) for each in find_all(ctx.store, sign_ins_of(person_id)))


@reacts(to=PersonDeleted)
def erase_sign_ins(gone: PersonDeleted, ctx: Context) -> None:
    """With the account go its sign-ins; that every token is good for nothing is told by that."""
    for session in tuple(find_all(ctx.store, sign_ins_of(gone.person_id))):
        ctx.store.delete(SignedInSession, session.id)
