"""The directory: the public rooms, listed, searched and watched."""

from typing import Annotated

from focusmate_core.context import QueryContext
from focusmate_core.features.rooms import PUBLIC, Room, RoomView, shown
from focusmate_core.fields import Limit, Text
from focusmate_core.finding import Find, Is
from focusmate_core.messages import Query, Value, handler, query, view, watches
from focusmate_core.outbox import stream_of
from focusmate_core.refusals import NotSignedIn, StreamNotFound

COUNTED = 1000
"""How far a list is counted."""


@view
class RoomPage(Value):
    """One page of rooms; `next_cursor` is None on the last."""

    items: tuple[RoomView, ...]
    next_cursor: str | None
    count: int | None = None
    """How many there are, where it was asked for; exact up to 1,000, and 1,001 for more."""


@query("rooms.public")
class PublicRooms(Query[RoomPage]):
    """The open public rooms, the newest first.

    With words: those that have all of them, the last as a beginning, in name or description.
    """

    words: Annotated[str, Text(1, 200)] | None = None
    limit: Limit = 20
    cursor: Annotated[str, Text(1, 500)] | None = None
    with_count: bool = False


@handler
def public_rooms(ask: PublicRooms, ctx: QueryContext) -> RoomPage:
    """Refuses `BadInput` for a cursor of another list."""
    asked = Find(
        Room,
        where=(Is("is_open", True), Is("is_public", True)),  # noqa: FBT003  the values looked for
        order=("-id",) if ask.words else ("-opened_at",),
        words=ask.words,
        limit=ask.limit,
        after=ask.cursor,
    )
    page = ctx.store.find(asked)
    count = ctx.store.count(asked, COUNTED + 1) if ask.with_count else None
    items = tuple(shown(room) for room in page.items)
    return RoomPage(items=items, next_cursor=page.next, count=count)


@watches("public")
def anyone_signed_in(key: str, ctx: QueryContext) -> None:
    """What is public is for all who are signed in; a list of rooms is asked for, not streamed."""
    if key:
        raise StreamNotFound(stream=stream_of(PUBLIC, key)[:100])
    if not ctx.actor.id:
        raise NotSignedIn
