"""Accounts: all that one owns as one document, and the end of an account."""

from datetime import datetime
from typing import Any

from focusmate_core import codec
from focusmate_core.context import Context, Preparation, QueryContext
from focusmate_core.features.credentials import (
    Credential,
    Verified,
    WrongPassword,
    confirmed,
    unchanged,
)
from focusmate_core.features.people import (
    Person,
    PersonDeleted,
    PersonLeaving,
    living,
    person_stream,
)
from focusmate_core.fields import Password
from focusmate_core.finding import Find, Is, find_all
from focusmate_core.idempotency import Answer
from focusmate_core.messages import (
    Command,
    Query,
    Value,
    command,
    handler,
    prepares,
    query,
    reacts,
    view,
)

# -- all that one owns ----------------------------------------------------------------------------


@view
class Export(Value):
    """All that is held of a person, in parts, each as the feature shows it that holds it."""

    person_id: str
    exported_at: datetime
    parts: dict[str, Any]


@query("accounts.export", secret=True, lags=True)
class ExportAccount(Query[Export]):
    """All that is held of the caller, as one document: some 500 bytes for each session."""


@handler
def export_account(_: ExportAccount, ctx: QueryContext) -> Export:
    """Refuses nothing."""
    parts = ctx.contributions("export", ctx.actor.id)
    plain = {name: codec.plain(part) for name, part in sorted(parts.items())}
    return Export(person_id=ctx.actor.id, exported_at=ctx.now, parts=plain)


# -- the end --------------------------------------------------------------------------------------


@command("accounts.delete", secret=True)
class DeleteAccount(Command[None]):
    """End one's account for good: one leaves all rooms, and what was private is erased at once.

    It takes the password, too, unless an embedder vouches for who one is.
    """

    password: Password | None = None


@prepares(DeleteAccount)
def prepare_delete_account(ask: DeleteAccount, ctx: Preparation) -> Verified | None:
    """Verify the password, where there is one; refuses what `confirmed` does."""
    if ctx.store.get(Credential, ctx.actor.id) is None:
        return None
    return confirmed(ask.password or "", ctx)


@handler
def delete_account(_: DeleteAccount, ctx: Context) -> None:
    """Refuses `WrongPassword`, also when it was changed in this very moment; `NotSignedIn`."""
    person_id, verified = ctx.actor.id, ctx.prepared
    if verified is not None and unchanged(verified.credential, ctx) is None:
        raise WrongPassword
    person = ctx.store.get(Person, person_id)
    if person is not None:
        living(person)
    rooms = ctx.contributions("rooms", person_id).values()
    ctx.settle("room", *sorted(set().union(*rooms)))
    # Whoever leaves is credited, so everybody has to have left before anything is erased.
    ctx.emit(PersonLeaving(person_id=person_id), to=())
    ctx.react()
    ctx.emit(PersonDeleted(person_id=person_id), to=person_stream(person_id))


@reacts(to=PersonDeleted)
def forget_answers(fact: PersonDeleted, ctx: Context) -> None:
    """What they were answered under their idempotency keys is theirs, too."""
    for answer in list(find_all(ctx.store, Find(Answer, where=(Is("caller", fact.person_id),)))):
        ctx.store.delete(Answer, (answer.caller, answer.key))
