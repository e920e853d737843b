"""Credentials: how people prove who they are; passwords, sign-ins and their tokens."""

import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from focusmate_core.context import Context, Preparation, QueryContext
from focusmate_core.entities import Entity, entity
from focusmate_core.features.people import (
    Person,
    PersonView,
    enter,
    username_key,
)
from focusmate_core.fields import Email, Password, Secret, Text, Token, Username
from focusmate_core.finding import Between, Find, Is
from focusmate_core.messages import (
    Access,
    Actor,
    Command,
    Value,
    authenticates,
    command,
    handler,
    prepares,
    sweeps,
    view,
)
from focusmate_core.ports.passwords import Passwords
from focusmate_core.ports.tokens import Tokens
from focusmate_core.refusals import BadInput, Kind, NotSignedIn, Refusal, refusal

ACCESS_LASTS = timedelta(minutes=15)
REFRESH_LASTS = timedelta(days=30)

# -- nouns ----------------------------------------------------------------------------------------


@entity("credentials", key="person_id", unique=["email_key"])
class Credential(Entity):
    """What a person signs in with; never leaves in any view."""

    person_id: str
    email: str
    email_key: str
    password_hash: Annotated[str, Secret()]
    version: int = 0


@entity("sign_ins", index=["expires_at", ("person_id", "created_at")])
class SignedInSession(Entity):
    """A family of refresh tokens: only the one of the current generation is good, and once."""

    id: str
    person_id: str
    generation: int
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None
    address: str = ""
    """Where it was made from, as far as the door knows."""
    used_at: datetime | None = None
    """When it was refreshed last."""
    version: int = 0

    def is_good(self, now: datetime) -> bool:
        """Whether it can still be refreshed."""
        return self.ended_at is None and now < self.expires_at


@view
class SignedIn(Value):
    """A pair of tokens: one to send with each request, one to get the next pair with, once."""

    person_id: str
    access_token: Token
    access_expires_at: datetime
    refresh_token: Token
    refresh_expires_at: datetime


def email_key(email: str) -> str:
    """An e-mail address as it is compared: one that looks the same is the same, in any case."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", email).casefold())


def until(now: datetime, span: timedelta) -> datetime:
    """The end of a span in whole seconds, rounded down: a token can say no more than that."""
    return (now + span).replace(microsecond=0)


# -- refusals -------------------------------------------------------------------------------------


@refusal(
    "credentials.username_taken",
    "The username «{username}» is taken; choose another.",
    kind=Kind.IMPOSSIBLE,
)
class UsernameTaken(Refusal):
    """Somebody has this username, in whatever case."""

    username: str


@refusal(
    "credentials.email_taken",
    "There is an account for this e-mail address; sign in with it instead.",
    kind=Kind.IMPOSSIBLE,
)
class EmailTaken(Refusal):
    """Somebody registered with this e-mail address."""


@refusal(
    "credentials.wrong",
    "No account has this name and this password together; correct one of them.",
    kind=Kind.NOT_SIGNED_IN,
)
class WrongCredentials(Refusal):
    """Unknown user or wrong password: which of the two is not told, nor does the time tell it."""


@refusal(
    "credentials.refresh_not_good",
    "This refresh token is not good, or not any more; sign in again.",
    kind=Kind.NOT_SIGNED_IN,
)
class RefreshNotGood(Refusal):
    """Forged, expired, or its sign-in has ended."""


@refusal(
    "credentials.refresh_reused",
    "This refresh token was used before, so everybody who held one of its family is signed out; "
    "sign in again.",
    kind=Kind.NOT_SIGNED_IN,
)
class RefreshReused(Refusal):
    """A refresh token came a second time: somebody else may hold it, so its family ends."""


# -- register -------------------------------------------------------------------------------------


@command("credentials.register", access=Access.ANYONE)
class Register(Command[PersonView]):
    """Open an account: an e-mail address, a username and a password of 8 to 128 characters."""

    email: Email
    username: Username
    password: Password
    display_name: Annotated[str, Text(1, 50)] | None = None


@prepares(Register)
def prepare_register(ask: Register, ctx: Preparation) -> str:
    """Hash the password, unless it is clear already that it is for nothing."""
    passwords = ctx.port(Passwords)
    if passwords.is_common(ask.password):
        raise BadInput.of("password", "is one of those that are guessed first; choose another")
    _check_free(ask, ctx)
    return passwords.hash(ask.password)


@handler
def register(ask: Register, ctx: Context) -> PersonView:
    """Refuses `UsernameTaken` and `EmailTaken`."""
    _check_free(ask, ctx)
    person = enter(ctx, ask.username, ask.display_name or ask.username)
    ctx.store.put(
        Credential(
            person_id=person.id,
            email=ask.email,
            email_key=email_key(ask.email),
            password_hash=ctx.prepared,
        )
    )
    return person


def _check_free(ask: Register, ctx: Context | Preparation) -> None:
    if _by_username(ask.username, ctx):
        raise UsernameTaken(username=ask.username)
    if _by_email(ask.email, ctx):
        raise EmailTaken


def _by_username(username: str, ctx: Context | QueryContext) -> Person | None:
    where = (Is("username_key", username_key(username)),)
    return next(iter(ctx.store.find(Find(Person, where=where, limit=1)).items), None)


def _by_email(email: str, ctx: Context | QueryContext) -> Credential | None:
    where = (Is("email_key", email_key(email)),)
    return next(iter(ctx.store.find(Find(Credential, where=where, limit=1)).items), None)


# -- sign in --------------------------------------------------------------------------------------


@command("credentials.sign_in", access=Access.ANYONE, secret=True)
class SignIn(Command[SignedIn]):
    """Prove who one is by e-mail address or username, and password."""

    login: Annotated[str, Text(1, 254)]
    password: Password


@prepares(SignIn)
def prepare_sign_in(ask: SignIn, ctx: Preparation) -> Credential:
    """Verify the password; as long for an unknown user, against a dummy."""
    known = _credential(ask.login, ctx)
    passwords = ctx.port(Passwords)
    if not passwords.verify(ask.password, known.password_hash if known else None) or not known:
        raise WrongCredentials
    return known


def _credential(login: str, ctx: QueryContext) -> Credential | None:
    if "@" in login:
        return _by_email(login, ctx)
    person = _by_username(login, ctx)
    return ctx.store.get(Credential, person.id) if person else None


@handler
def sign_in(_: SignIn, ctx: Context) -> SignedIn:
    """Refuses `WrongCredentials`, also when the password was changed in this very moment."""
    verified: Credential = ctx.prepared
    current = ctx.store.get(Credential, verified.person_id)
    if current is None or current.password_hash != verified.password_hash:
        raise WrongCredentials
    session = ctx.store.put(
        SignedInSession(
            id=ctx.new_id(),
            person_id=current.person_id,
            generation=1,
            created_at=ctx.now,
            expires_at=until(ctx.now, REFRESH_LASTS),
        )
    )
    return _tokens(session, ctx)


def _tokens(session: SignedInSession, ctx: Context) -> SignedIn:
    person = ctx.store.get(Person, session.person_id)
    if person is None:
        raise WrongCredentials
    tokens, access_until = ctx.port(Tokens), until(ctx.now, ACCESS_LASTS)
    access = {"use": "access", "sub": person.id, "sid": session.id, "roles": sorted(person.roles)}
    refresh = {"use": "refresh", "sid": session.id, "gen": session.generation}
    return SignedIn(
        person_id=person.id,
        access_token=tokens.sign(access, access_until),
        access_expires_at=access_until,
        refresh_token=tokens.sign(refresh, session.expires_at),
        refresh_expires_at=session.expires_at,
    )


# -- refresh and sign out -------------------------------------------------------------------------


@command("credentials.refresh", access=Access.ANYONE, secret=True, leaves=[RefreshReused])
class Refresh(Command[SignedIn]):
    """Take the next pair of tokens for a refresh token, which is then used up."""

    refresh_token: Token


@handler
def refresh(ask: Refresh, ctx: Context) -> SignedIn | RefreshReused:
    """Refuses `RefreshNotGood`; `RefreshReused` ends the family, and that remains."""
    claims, session = _family(ask.refresh_token, ctx)
    if session is None or not session.is_good(ctx.now):
        raise RefreshNotGood
    if claims["gen"] != session.generation:
        ctx.store.put(session.but(ended_at=ctx.now))
        return RefreshReused()
    renewed = session.but(
        generation=session.generation + 1, expires_at=until(ctx.now, REFRESH_LASTS)
    )
    return _tokens(ctx.store.put(renewed), ctx)


def _family(token: str, ctx: Context) -> tuple[Mapping[str, Any], SignedInSession | None]:
    claims = ctx.port(Tokens).verify(token, ctx.now)
    if claims is None or claims.get("use") != "refresh":
        return {}, None
    return claims, ctx.store.get(SignedInSession, claims["sid"], hold=True)


@command("credentials.sign_out", access=Access.ANYONE, secret=True)
class SignOut(Command[None]):
    """End the sign-in a refresh token belongs to; ending it twice is ending it once.

    Access tokens that were given out stay good until they expire, 15 minutes at most.
    """

    refresh_token: Token


@handler
def sign_out(ask: SignOut, ctx: Context) -> None:
    """Refuses `RefreshNotGood` for a token that was never ours or has expired."""
    _, session = _family(ask.refresh_token, ctx)
    if session is None:
        raise RefreshNotGood
    if session.is_good(ctx.now):
        ctx.store.put(session.but(ended_at=ctx.now))


# -- what a token means ---------------------------------------------------------------------------


@authenticates
def bearer(token: str, ctx: QueryContext) -> Actor:
    """The person an access token was given to; `NotSignedIn` for any other token."""
    claims = ctx.port(Tokens).verify(token, ctx.now)
    if claims is None or claims.get("use") != "access":
        raise NotSignedIn
    until = datetime.fromtimestamp(claims["exp"], UTC)
    return Actor(id=claims["sub"], roles=frozenset(claims["roles"]), expires_at=until)


@sweeps
def sweep_sign_ins(ctx: Context, limit: int) -> int:
    """Forget sign-ins that have expired: their tokens have, too."""
    old = Find(SignedInSession, where=(Between("expires_at", None, ctx.now),), limit=limit)
    return sum(ctx.store.delete(SignedInSession, each.id) for each in ctx.store.find(old).items)
