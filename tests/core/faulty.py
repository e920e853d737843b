"""Messages whose handlers are wrong, for the engine to contain."""

from focusmate_core import Command, Context, Query, QueryContext, command, handler, query
from focusmate_core.fields import Id
from tests.core.sample import Burnt, add


@query("faulty.broken")
class BrokenQuery(
    Query[int],
):
    """Fails."""


@handler
def broken_query(_: BrokenQuery, ctx: QueryContext) -> int:
    return 1 // 0


@command("faulty.lie")
class Lie(Command[None]):
    """Returns a refusal that was not declared."""

    tally_id: Id


@handler
def lie(ask: Lie, ctx: Context) -> Burnt:
    add(ask.tally_id, 1, ctx)
    return Burnt()
