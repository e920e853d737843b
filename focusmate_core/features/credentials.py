"""Credentials: what people prove with who they are; opening an account, changing the password."""

import unicodedata
from typing import Annotated

from focusmate_core.context import Context, Preparation, QueryContext
from focusmate_core.entities import Entity, entity
from focusmate_core.features.attempts import (
    count,
    count_account,
    forgive,
    guesses_inside,
    look,
)
from focusmate_core.features.people import (
    Person,
    PersonDeleted,
    PersonView,
    enter,
    person_stream,
    username_key,
)
from focusmate_core.fields import Email, Password, Secret, Text, Username
from focusmate_core.finding import Find, Is
from focusmate_core.messages import (
    Access,
    Command,
    Event,
    Value,
    command,
    contributes,
    event,
    handler,
    prepares,
    reacts,
    view,
)
from focusmate_core.ports.passwords import Passwords
from focusmate_core.refusals import BadInput, Kind, Refusal, refusal

# -- nouns ----------------------------------------------------------------------------------------


@entity("credentials", key="person_id", unique=["email_key"])
class Credential(Entity):
    """What a person signs in with; never leaves in any view."""

    person_id: str
    email: str
    email_key: str
    password_hash: Annotated[str, Secret()]
    generation: int = 1
    """Counts their passwords; one that is hashed anew is the same password."""
    version: int = 0


@view
class Verified(Value):
    """A credential whose password was right just now, and the hash it is to have next, if any."""

    credential: Credential
    fresh_hash: Annotated[str, Secret()] | None = None


@view
class CredentialExport(Value):
    """What is held for a person to sign in with, as they may take it with them."""

    email: str


def email_key(email: str) -> str:
    """An e-mail address as it is compared: one that looks the same is the same, in any case."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", email).casefold())


def login_key(login: str) -> str:
    """What is typed to sign in, e-mail address or username, as it is compared."""
    return email_key(login) if "@" in login else username_key(login)


# -- facts ----------------------------------------------------------------------------------------


@event("credentials.password_changed")
class PasswordChanged(Event):
    """A person has another password from now on, and of their sign-ins only one goes on."""

    person_id: str
    by_sign_in: str
    """Which one; empty for none."""


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
    "credentials.wrong_password",
    "This is not your current password; type it again.",
    kind=Kind.NOT_ALLOWED,
)
class WrongPassword(Refusal):
    """Who is signed in did not prove that they know the password, too; they stay signed in."""


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
    """Hash the password, unless it is clear already that it is for nothing.

    Refuses `TooOften` when too many accounts were tried to be opened from one address.
    """
    _check_common("password", ask.password, ctx)
    count_account(ctx)
    _check_free(ask, ctx)
    return ctx.port(Passwords).hash(ask.password)


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


def _check_common(field: str, password: str, ctx: Preparation) -> None:
    if ctx.port(Passwords).is_common(password):
        raise BadInput.of(field, "is one of those that are guessed first; choose another")


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


# -- change of password ---------------------------------------------------------------------------


@command("credentials.change_password", secret=True)
class ChangePassword(Command[None]):
    """Take another password; every sign-in but the one this is sent by ends."""

    current_password: Password
    new_password: Password


@prepares(ChangePassword)
def prepare_change_password(ask: ChangePassword, ctx: Preparation) -> Verified:
    """Verify the current password and hash the new one; refuses what `confirmed` does."""
    _check_common("new_password", ask.new_password, ctx)
    verified = confirmed(ask.current_password, ctx)
    return verified.but(fresh_hash=ctx.port(Passwords).hash(ask.new_password))


@handler
def change_password(_: ChangePassword, ctx: Context) -> None:
    """Refuses `WrongPassword`, also when it was changed in this very moment."""
    current = unchanged(ctx.prepared.credential, ctx)
    if current is None:
        raise WrongPassword
    following = current.but(
        password_hash=ctx.prepared.fresh_hash, generation=current.generation + 1
    )
    ctx.store.put(following)
    changed = PasswordChanged(person_id=current.person_id, by_sign_in=ctx.actor.sign_in)
    ctx.emit(changed, to=person_stream(current.person_id))


# -- for the features above -----------------------------------------------------------------------


def credential_of(login: str, ctx: QueryContext) -> Credential | None:
    """The credential of who signs in as this; what is read is as much when there is none."""
    if "@" in login:
        return _by_email(login, ctx)
    person = _by_username(login, ctx)
    return ctx.store.get(Credential, person.id if person else "")


def confirmed(password: str, ctx: Preparation) -> Verified:
    """The caller's credential, if this is its password: a step before what is asked for twice.

    Refuses `WrongPassword`, which counts as an attempt, and `TooOften`.
    """
    counts = guesses_inside(ctx)
    look(counts, ctx)
    credential = ctx.store.get(Credential, ctx.actor.id)
    hashed = credential.password_hash if credential else None
    if not ctx.port(Passwords).verify(password, hashed) or credential is None:
        count(counts, ctx)
        raise WrongPassword
    forgive(counts, ctx)
    return Verified(credential=credential)


def unchanged(verified: Credential, ctx: Context) -> Credential | None:
    """The credential as it is stored, locked; None if its password is not the one verified."""
    current = ctx.store.get(Credential, verified.person_id, hold=True)
    if current is None or current.generation != verified.generation:
        return None
    return current


# -- what a person takes along, and the end of an account -----------------------------------------


@contributes(to="export", part="credentials")
def exported(person_id: str, ctx: QueryContext) -> CredentialExport | None:
    """The e-mail address; None where an embedder vouches for the person."""
    credential = ctx.store.get(Credential, person_id)
    return CredentialExport(email=credential.email) if credential else None


@reacts(to=PersonDeleted)
def erase_credential(gone: PersonDeleted, ctx: Context) -> None:
    """With it goes the e-mail address; nobody signs in to the account any more."""
    ctx.store.delete(Credential, gone.person_id)
