"""Sign-ins: families of refresh tokens, how they are made and renewed, and what a token means."""

import enum
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import attrs

from focusmate_core.context import Context, Preparation, QueryContext
from focusmate_core.entities import Entity, entity
from focusmate_core.features.attempts import count, forgive, guesses, look
from focusmate_core.features.credentials import (
    Credential,
    Verified,
    credential_of,
    login_key,
    unchanged,
)
from focusmate_core.features.people import Person, person_stream
from focusmate_core.fields import Password, Span, Text, Token
from focusmate_core.finding import Between, Condition, Find, Is, find_all
from focusmate_core.messages import (
    Access,
    Actor,
    Command,
    Event,
    Value,
    authenticates,
    command,
    event,
    handler,
    prepares,
    sweeps,
    value,
    view,
    vouches,
)
from focusmate_core.networks import network
from focusmate_core.ports.passwords import Passwords
from focusmate_core.ports.tokens import Tokens
from focusmate_core.refusals import Kind, NotSignedIn, Refusal, refusal

MOST = 100
"""How many sign-ins are kept of a person, ended ones included: all can be looked at in a moment."""

# -- nouns ----------------------------------------------------------------------------------------


@value
class SignInPolicy(Value):
    """How long tokens are good: a setting, given to the engine among its ports."""

    access: Annotated[timedelta, Span(timedelta(minutes=1), timedelta(hours=1))] = timedelta(
        minutes=15
    )
    """Until an access token has to be renewed; it ends earlier with its sign-in."""
    refresh: Annotated[timedelta, Span(timedelta(hours=1), timedelta(days=365))] = timedelta(
        days=30
    )
    """Until who does not come back has to sign in again."""
    device: Annotated[timedelta, Span(timedelta(days=1), timedelta(days=3650))] = timedelta(
        days=365
    )
    """Until a device that was not signed in on is a stranger's again."""


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
    """Where it was made from, as far as the door knows; of IPv6 the /64."""
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
    device_token: Token
    """Signs nobody in: sent along with the next sign-in on this device, it says that the person was
    here before, so that nobody else's guesses keep them out."""


def until(now: datetime, span: timedelta) -> datetime:
    """The end of a span in whole seconds, rounded down: a token can say no more than that."""
    return (now + span).replace(microsecond=0)


def sign_ins_of(person_id: str, *where: Condition) -> Find[SignedInSession]:
    """Those of a person, the oldest first."""
    conditions = (Is("person_id", person_id), *where)
    return Find(SignedInSession, where=conditions, order=("created_at",), limit=MOST)


def lasting(now: datetime) -> Condition:
    """That a sign-in's time is not over yet, though it may have been ended."""
    return Between("expires_at", now + timedelta.resolution, None)


# -- facts ----------------------------------------------------------------------------------------


class Ending(enum.Enum):
    """Why a sign-in has ended before its time."""

    SIGNED_OUT = "signed_out"
    ENDED = "ended"
    """Its person ended it from another one, or all at once."""
    PASSWORD_CHANGED = "password_changed"  # noqa: S105  a word for why
    REFRESH_REUSED = "refresh_reused"
    """One of its refresh tokens came twice: it may have been stolen."""
    TOO_MANY = "too_many"
    """Its person signed in so often that it had to make place."""


@event("credentials.sign_in_ended", ends_sign_in="person_id")
class SignInEnded(Event):
    """All tokens of one sign-in are good for nothing from now on."""

    person_id: str
    sign_in_id: str
    why: Ending


# -- refusals -------------------------------------------------------------------------------------


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


# -- sign in --------------------------------------------------------------------------------------


@command("credentials.sign_in", access=Access.ANYONE, secret=True)
class SignIn(Command[SignedIn]):
    """Prove who one is by e-mail address or username, and password."""

    login: Annotated[str, Text(1, 254)]
    password: Password
    device_token: Token | None = None


@prepares(SignIn)
def prepare_sign_in(ask: SignIn, ctx: Preparation) -> Verified:
    """Verify the password; as long for an unknown user, against a dummy.

    Refuses `TooOften` before, in the same way whether or not there is such a user. A hash of
    former parameters is made anew.
    """
    known = credential_of(ask.login, ctx)
    is_known = _was_here(known.person_id if known else "", ctx)
    device = _device(ask.device_token, known, ctx)
    counts = guesses(login_key(ask.login), is_known=is_known, device=device, ctx=ctx)
    look(counts, ctx)
    passwords = ctx.port(Passwords)
    if not passwords.verify(ask.password, known.password_hash if known else None) or not known:
        count(counts, ctx)
        raise WrongCredentials
    forgive(counts, ctx)
    is_outdated = passwords.is_outdated(known.password_hash)
    return Verified(
        credential=known, fresh_hash=passwords.hash(ask.password) if is_outdated else None
    )


def _was_here(person_id: str, ctx: Preparation) -> bool:
    """Whether there is a sign-in from this address, be it over, whose time is not yet."""
    here = sign_ins_of(person_id, Is("address", network(ctx.origin.address)), lasting(ctx.now))
    return bool(ctx.store.find(attrs.evolve(here, limit=1)).items)


def _device(token: str | None, known: Credential | None, ctx: Preparation) -> str:
    """Which device this is, if it was signed in on under the present password; else empty."""
    claims = token and ctx.port(Tokens).verify(token, ctx.now)
    if not claims or claims.get("use") != "device" or not known:
        return ""
    is_its_own = (claims["sub"], claims["gen"]) == (known.person_id, known.generation)
    return str(claims["did"]) if is_its_own else ""


@handler
def sign_in(_: SignIn, ctx: Context) -> SignedIn:
    """Refuses `WrongCredentials`, also when the password was changed in this very moment."""
    verified: Verified = ctx.prepared
    current = unchanged(verified.credential, ctx)
    person = _there(verified.credential.person_id, ctx)
    if current is None or person is None:
        raise WrongCredentials
    if verified.fresh_hash and current.password_hash == verified.credential.password_hash:
        ctx.store.put(current.but(password_hash=verified.fresh_hash))
    _make_place(person.id, ctx)
    session = SignedInSession(
        id=ctx.new_id(),
        person_id=person.id,
        generation=1,
        created_at=ctx.now,
        expires_at=until(ctx.now, ctx.setting(SignInPolicy).refresh),
        address=network(ctx.origin.address),
    )
    return _tokens(ctx.store.put(session), ctx)


def _there(person_id: str, ctx: Context | QueryContext) -> Person | None:
    person = ctx.store.get(Person, person_id)
    return None if person is None or person.deleted_at else person


def _make_place(person_id: str, ctx: Context) -> None:
    """At most so many are kept: what is over goes first, then what was not used for longest."""
    kept = ctx.store.find(sign_ins_of(person_id)).items
    if len(kept) < MOST:
        return
    oldest = min(kept, key=lambda each: (each.is_good(ctx.now), each.used_at or each.created_at))
    if oldest.is_good(ctx.now):
        _tell_end(oldest, Ending.TOO_MANY, ctx)
    ctx.store.delete(SignedInSession, oldest.id)


def _tokens(session: SignedInSession, ctx: Context) -> SignedIn:
    tokens, policy = ctx.port(Tokens), ctx.setting(SignInPolicy)
    access_until = until(ctx.now, policy.access)
    credential = ctx.store.get(Credential, session.person_id)
    generation = credential.generation if credential else 0
    access = {"use": "access", "sub": session.person_id, "sid": session.id}
    refresh = {"use": "refresh", "sid": session.id, "gen": session.generation}
    device = {"use": "device", "sub": session.person_id, "did": session.id, "gen": generation}
    return SignedIn(
        person_id=session.person_id,
        access_token=tokens.sign(access, access_until),
        access_expires_at=access_until,
        refresh_token=tokens.sign(refresh, session.expires_at),
        refresh_expires_at=session.expires_at,
        device_token=tokens.sign(device, until(ctx.now, policy.device)),
    )


# -- refresh --------------------------------------------------------------------------------------


@command("credentials.refresh", access=Access.ANYONE, secret=True, leaves=[RefreshReused])
class Refresh(Command[SignedIn]):
    """Take the next pair of tokens for a refresh token, which is then used up."""

    refresh_token: Token


@handler
def refresh(ask: Refresh, ctx: Context) -> SignedIn | RefreshReused:
    """Refuses `RefreshNotGood`; `RefreshReused` ends the family, and that remains."""
    claims, session = _family(ask.refresh_token, ctx)
    if session is None or not session.is_good(ctx.now) or not _there(session.person_id, ctx):
        raise RefreshNotGood
    if claims["gen"] != session.generation:
        end(session, Ending.REFRESH_REUSED, ctx)
        return RefreshReused()
    renewed = session.but(
        generation=session.generation + 1,
        expires_at=until(ctx.now, ctx.setting(SignInPolicy).refresh),
        used_at=ctx.now,
    )
    return _tokens(ctx.store.put(renewed), ctx)


def _family(token: str, ctx: Context) -> tuple[Mapping[str, Any], SignedInSession | None]:
    claims = ctx.port(Tokens).verify(token, ctx.now)
    if claims is None or claims.get("use") != "refresh":
        return {}, None
    return claims, ctx.store.get(SignedInSession, claims["sid"], hold=True)


# -- sign out -------------------------------------------------------------------------------------


@command("credentials.sign_out", access=Access.ANYONE, secret=True)
class SignOut(Command[None]):
    """End the sign-in a refresh token belongs to; ending it twice is ending it once."""

    refresh_token: Token


@handler
def sign_out(ask: SignOut, ctx: Context) -> None:
    """Refuses `RefreshNotGood` for a token that was never ours or has expired."""
    _, session = _family(ask.refresh_token, ctx)
    if session is None:
        raise RefreshNotGood
    end(session, Ending.SIGNED_OUT, ctx)


# -- for the features above -----------------------------------------------------------------------


def end_all(person_id: str, but: str, why: Ending, ctx: Context) -> None:
    """End all sign-ins of a person, or all but one."""
    for session in tuple(find_all(ctx.store, sign_ins_of(person_id))):
        if session.id != but:
            end(session, why, ctx)


def end(session: SignedInSession, why: Ending, ctx: Context) -> None:
    """End a sign-in; one that is over stays as it is."""
    if session.is_good(ctx.now):
        ctx.store.put(session.but(ended_at=ctx.now))
        _tell_end(session, why, ctx)


def _tell_end(session: SignedInSession, why: Ending, ctx: Context) -> None:
    ended = SignInEnded(person_id=session.person_id, sign_in_id=session.id, why=why)
    ctx.emit(ended, to=person_stream(session.person_id))


# -- what a token means ---------------------------------------------------------------------------


@authenticates
def bearer(token: str, ctx: QueryContext) -> Actor:
    """The person an access token was given to, by what is stored of them now.

    `NotSignedIn` for any other token, for one whose sign-in has ended, and for who is gone.
    """
    claims = ctx.port(Tokens).verify(token, ctx.now)
    if claims is None or claims.get("use") != "access":
        raise NotSignedIn
    expires_at = datetime.fromtimestamp(claims["exp"], UTC)
    if not claims["sid"]:
        # Whoever holds the signing key vouches for somebody: no handler gives such a token.
        return Actor(id=claims["sub"], expires_at=expires_at)
    session = ctx.store.get(SignedInSession, claims["sid"])
    person = _there(claims["sub"], ctx)
    if session is None or not session.is_good(ctx.now) or person is None:
        raise NotSignedIn
    return Actor(id=person.id, roles=person.roles, expires_at=expires_at, sign_in=session.id)


@vouches
def still_signed_in(actor: Actor, ctx: Context) -> Actor:
    """With the roles that they have now; `NotSignedIn` for whose sign-in has ended."""
    session = ctx.store.get(SignedInSession, actor.sign_in)
    person = _there(actor.id, ctx)
    if session is None or not session.is_good(ctx.now) or person is None:
        raise NotSignedIn
    return attrs.evolve(actor, roles=person.roles)


@sweeps
def sweep_sign_ins(ctx: Context, limit: int) -> int:
    """Forget sign-ins that have expired: their tokens have, too."""
    old = Find(SignedInSession, where=(Between("expires_at", None, ctx.now),), limit=limit)
    return sum(ctx.store.delete(SignedInSession, each.id) for each in ctx.store.find(old).items)
