"""A feature that uses every mechanism once: tallies that people count up, and that ring."""

from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Protocol

from focusmate_core import (
    Access,
    Actor,
    Command,
    Context,
    Entity,
    Event,
    Kind,
    Preparation,
    Query,
    QueryContext,
    Refusal,
    Value,
    applies,
    authenticates,
    command,
    entity,
    event,
    handler,
    prepares,
    query,
    reacts,
    refusal,
    settles,
    snapshot,
    sweeps,
    upcasts,
    view,
    watches,
)
from focusmate_core.fields import Id, Secret, Text, Whole, minutes
from focusmate_core.refusals import Conflict, NotSignedIn, StreamNotFound

MOST = 1000
UNLUCKY, BROKEN = 13, 666


class Press(Protocol):
    """A slow port."""

    slow: ClassVar[bool] = True

    def squeeze(self, text: str) -> str: ...


class Die(Protocol):
    """A quick port."""

    def throw(self) -> int: ...


@entity("sample_tallies")
class Tally(Entity):
    """A number that only grows."""

    id: str
    count: int = 0
    settled_at: datetime | None = None
    version: int = 0

    def plus(self, by: int) -> "Tally":
        if self.count + by > MOST:
            raise TallyIsFull(most=MOST)
        return self.but(count=self.count + by)


@entity("sample_totals")
class Total(Entity):
    """The sum of all tallies, kept by a reaction."""

    id: str
    count: int = 0
    version: int = 0


@entity("sample_bans", key=("tally_id", "person_id"))
class Ban(Entity):
    """Somebody who may not watch a tally any more."""

    tally_id: str
    person_id: str
    version: int = 0


@view
class TallyView(Value):
    """A tally as seen."""

    id: str
    count: int


@event("sample.counted", version=2)
class Counted(Event):
    """Somebody counted."""

    tally_id: str
    count: int


@event("sample.expelled", ends_watching="person_id")
class Expelled(Event):
    """Somebody may not watch any more."""

    person_id: str


@refusal("sample.full", "It counts to {most}; begin another.", kind=Kind.IMPOSSIBLE)
class TallyIsFull(Refusal):
    """No tally counts further."""

    most: int


@refusal("sample.unlucky", "{count} brings no luck; count past it.", kind=Kind.IMPOSSIBLE)
class Unlucky(Refusal):
    """A reaction refuses."""

    count: int


@refusal("sample.burnt", "It is burnt; begin another.", kind=Kind.IMPOSSIBLE)
class Burnt(Refusal):
    """Said with a trace left."""


# -- count ----------------------------------------------------------------------------------------


def stream(tally_id: str) -> str:
    return f"tally:{tally_id}"


def add(tally_id: str, by: int, ctx: Context) -> Tally:
    tally = ctx.store.get(Tally, tally_id, hold=True) or Tally(id=tally_id)
    tally = ctx.store.put(tally.plus(by))
    ctx.emit(Counted(tally_id=tally_id, count=tally.count), to=stream(tally_id))
    return tally


@command("sample.count", touches={"tally": "tally_id"})
class Count(Command[TallyView]):
    """Count a tally up."""

    tally_id: Id
    by: Annotated[int, Whole(1, 1000)] = 1


@handler
def count(ask: Count, ctx: Context) -> TallyView:
    tally = add(ask.tally_id, ask.by, ctx)
    return TallyView(id=tally.id, count=tally.count)


@reacts(to=Counted)
def keep_total(fact: Counted, ctx: Context) -> None:
    if fact.count == UNLUCKY:
        raise Unlucky(count=fact.count)
    if fact.count == BROKEN:
        raise RuntimeError("a reaction is broken")
    total = ctx.store.get(Total, "total") or Total(id="total")
    ctx.store.put(total.but(count=total.count + 1))


@query("sample.total")
class HowMany(Query[int]):
    """How often was counted."""


@handler
def how_many(_: HowMany, ctx: QueryContext) -> int:
    total = ctx.store.get(Total, "total")
    return total.count if total else 0


# -- refusals returned ----------------------------------------------------------------------------


@command("sample.burn", leaves=[Burnt])
class Burn(Command[TallyView]):
    """Fill a tally up, and say so by a refusal; refused outright when it is full."""

    tally_id: Id


@handler
def burn(ask: Burn, ctx: Context) -> Burnt:
    tally = ctx.store.get(Tally, ask.tally_id) or Tally(id=ask.tally_id)
    add(ask.tally_id, max(1, MOST - tally.count), ctx)
    return Burnt()


# -- preparation ----------------------------------------------------------------------------------


@command("sample.press", access=Access.ANYONE)
class Squeeze(Command[str]):
    """Needs a slow port, before the unit of work."""

    text: Annotated[str, Text(1, 20)]


@prepares(Squeeze)
def prepare_squeeze(ask: Squeeze, ctx: Preparation) -> str:
    if ask.text == "stone":
        raise Burnt
    return ctx.port(Press).squeeze(ask.text)


@handler
def squeeze(ask: Squeeze, ctx: Context) -> str:
    if ask.text == "hastily":
        return ctx.port(Press).squeeze(ask.text)
    return f"{ctx.prepared} {ctx.port(Die).throw()}"


@command("sample.whisper", access=Access.ANYONE, secret=True)
class Whisper(Command[str]):
    """Answers with a secret."""


@handler
def whisper(_: Whisper, ctx: Context) -> str:
    return ctx.new_id()


@command("sample.swallow")
class Swallow(Command[None]):
    """Is given a secret."""

    word: Annotated[str, Secret(1, 20)]


@handler
def swallow(_: Swallow, ctx: Context) -> None:
    return None


# -- deadlines ------------------------------------------------------------------------------------


@command("sample.later", touches={"tally": "tally_id"})
class Later(Command[None]):
    """Have a tally ring in a while; it rings once, and how it goes is said beforehand."""

    tally_id: Id
    span: Annotated[timedelta, minutes(0, 60)]
    way: Annotated[str, Text(0, 20)] = ""


@handler
def later(ask: Later, ctx: Context) -> None:
    ctx.schedule(
        f"ring:{ask.tally_id}", ctx.now + ask.span, Ring(tally_id=ask.tally_id, way=ask.way)
    )


@command("sample.never")
class Never(Command[None]):
    """Forget the ringing."""

    tally_id: Id


@handler
def never(ask: Never, ctx: Context) -> None:
    ctx.unschedule(f"ring:{ask.tally_id}")


@command("sample.ring", access=Access.SYSTEM, version=3)
class Ring(Command[None]):
    """It rings: counts one, or goes wrong in the way that was said."""

    tally_id: Id
    way: str = ""


@handler
def ring(ask: Ring, ctx: Context) -> None:
    add(ask.tally_id, 1, ctx)
    if ask.way == "refuse":
        raise Burnt
    if ask.way == "conflict":
        raise Conflict
    if ask.way == "break":
        raise RuntimeError("the bell is broken")


@upcasts("sample.ring", 1)
def ring_v2(data: dict[str, str]) -> dict[str, str]:
    return {"id": data["tally"]}


@upcasts("sample.ring", 2)
def ring_v3(data: dict[str, str]) -> dict[str, str]:
    return {"tally_id": data["id"]}


@upcasts("sample.counted", 1)
def counted_v2(data: dict[str, object]) -> dict[str, object]:
    return {"tally_id": data["tally_id"], "count": data["n"]}


# -- time, streams, tokens, sweeping --------------------------------------------------------------


def unsettled(tally_id: str, ctx: Context) -> datetime | None:
    tally = ctx.store.get(Tally, tally_id)
    return None if tally is None or tally.settled_at == ctx.now else ctx.now


@settles("tally", when=unsettled)
def settle_tally(tally_id: str, ctx: Context) -> None:
    tally = ctx.store.get(Tally, tally_id)
    if tally is not None:
        ctx.store.put(tally.but(settled_at=ctx.now))


@snapshot("tally", "count")
def count_part(tally_id: str, ctx: QueryContext) -> int:
    tally = ctx.store.get(Tally, tally_id)
    return tally.count if tally else 0


@applies(Counted, part="count")
def counted(_: int, fact: Counted, _at: datetime) -> int:
    return fact.count


@command("sample.expel")
class Expel(Command[None]):
    """End somebody's watching."""

    tally_id: Id
    person_id: Id


@handler
def expel(ask: Expel, ctx: Context) -> None:
    if ctx.store.get(Ban, (ask.tally_id, ask.person_id)) is None:
        ctx.store.put(Ban(tally_id=ask.tally_id, person_id=ask.person_id))
    ctx.emit(Expelled(person_id=ask.person_id), to=[stream(ask.tally_id), "user:" + ask.person_id])


@watches("tally")
def signed_in_only(tally_id: str, ctx: QueryContext) -> None:
    if not ctx.actor.id:
        raise NotSignedIn
    if ctx.store.get(Ban, (tally_id, ctx.actor.id)):
        raise StreamNotFound(stream=stream(tally_id))


@authenticates
def by_name(token: str, ctx: QueryContext) -> Actor:
    if not token.startswith("i am "):
        raise NotSignedIn
    return Actor(id=token.removeprefix("i am "), expires_at=ctx.now + timedelta(minutes=15))


@sweeps
def sweep_full(ctx: Context, limit: int) -> int:
    total = ctx.store.get(Total, "total")
    if total is None:
        return 0
    ctx.emit(Counted(tally_id="swept", count=0), to="tally:swept")
    return int(ctx.store.delete(Total, "total"))
