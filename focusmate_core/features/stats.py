"""Statistics: what each person's days come to, kept with every credit and rebuilt from records."""

from datetime import date, timedelta

from focusmate_core.context import Context, QueryContext
from focusmate_core.entities import Entity, entity
from focusmate_core.features.credit import ZERO
from focusmate_core.features.days import day_after, day_of
from focusmate_core.features.people import PersonDeleted, Total
from focusmate_core.features.records import SessionRecorded, SessionRemoved
from focusmate_core.features.sessions import Session, SessionCredited
from focusmate_core.fields import Day
from focusmate_core.finding import Between, Find, Is, find_all
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
from focusmate_core.refusals import BadInput

LONGEST_RANGE = 366
"""How many days are looked at at once."""


@view
class DayView(Value):
    """What a day came to; `focused` was credited, `recorded` was recorded by hand."""

    day: str
    focused: timedelta
    sessions: int
    """How many sessions have credit."""
    recorded: timedelta


@entity("day_totals", key=("person_id", "day"))
class DayTotal(Entity):
    """A person's local day in numbers."""

    person_id: str
    day: str
    focused: timedelta = ZERO
    sessions: int = 0
    recorded: timedelta = ZERO
    version: int = 0

    def plus(
        self, focused: timedelta = ZERO, sessions: int = 0, recorded: timedelta = ZERO
    ) -> "DayTotal":
        """The day with so much more."""
        return self.but(
            focused=self.focused + focused,
            sessions=self.sessions + sessions,
            recorded=self.recorded + recorded,
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left of it."""
        return not (self.focused or self.sessions or self.recorded)


# -- kept with every credit -----------------------------------------------------------------------


def _total(person_id: str, day: str, ctx: Context) -> DayTotal:
    known = ctx.store.get(DayTotal, (person_id, day), hold=True)
    return known or DayTotal(person_id=person_id, day=day)


@reacts(to=SessionCredited)
def count_credit(fact: SessionCredited, ctx: Context) -> None:
    """Every credit is in its day's total, in the same unit of work."""
    session = fact.session
    if fact.added:
        more = int(session.credited == fact.added) - int(not session.credited)
        total = _total(session.person_id, session.day, ctx)
        _put(total.plus(focused=fact.added, sessions=more), ctx)


@reacts(to=SessionRecorded)
def count_record(fact: SessionRecorded, ctx: Context) -> None:
    """So is what was recorded by hand, apart."""
    session = fact.session
    ctx.store.put(_total(session.person_id, session.day, ctx).plus(recorded=session.credited))


@reacts(to=SessionRemoved)
def discount_record(fact: SessionRemoved, ctx: Context) -> None:
    """And no more when it is taken back."""
    session = fact.session
    _put(_total(session.person_id, session.day, ctx).plus(recorded=-session.credited), ctx)


def _put(total: DayTotal, ctx: Context) -> None:
    if not total.is_empty:
        ctx.store.put(total)
    else:
        ctx.store.delete(DayTotal, (total.person_id, total.day))


# -- look -----------------------------------------------------------------------------------------


@view
class DaysView(Value):
    """Some days, in order, and their sum; a day without anything is left out."""

    days: tuple[DayView, ...]
    focused: timedelta
    sessions: int
    recorded: timedelta


@query("stats.days", lags=True)
class DaysOf(Query[DaysView]):
    """What one's own local days came to, both included; at most 366 days at once."""

    first: Day
    last: Day


@handler
def days_of(ask: DaysOf, ctx: QueryContext) -> DaysView:
    """Refuses `BadInput` where the range is too long or ends before it begins."""
    span = date.fromisoformat(ask.last) - date.fromisoformat(ask.first)
    if not 0 <= span.days < LONGEST_RANGE:
        raise BadInput.of("last", f"must be up to {LONGEST_RANGE - 1} days after «first»")
    where = (Is("person_id", ctx.actor.id), Between("day", ask.first, day_after(ask.last)))
    found = ctx.store.find(Find(DayTotal, where=where, limit=LONGEST_RANGE)).items
    return DaysView(
        days=tuple(view_of(DayView, each) for each in found),
        focused=sum((each.focused for each in found), ZERO),
        sessions=sum(each.sessions for each in found),
        recorded=sum((each.recorded for each in found), ZERO),
    )


# -- what others may see, what is exported, and erased --------------------------------------------


@contributes("profile", "focused")
def focused(person_id: str, ctx: QueryContext) -> Total:
    """What was credited in their last 366 days, by hand not counted: no profile costs more."""
    today = day_of(person_id, ctx.now, ctx).day
    first = date.fromisoformat(today) - timedelta(days=LONGEST_RANGE - 1)
    days = Between("day", first.isoformat(), day_after(today))
    asked = Find(DayTotal, where=(Is("person_id", person_id), days), limit=LONGEST_RANGE)
    found = ctx.store.find(asked).items
    time = sum((each.focused for each in found), ZERO)
    return Total(time=time, count=sum(each.sessions for each in found))


@contributes("export", "days")
def export_days(person_id: str, ctx: QueryContext) -> list[DayView]:
    """All their days, in order."""
    found = find_all(ctx.store, Find(DayTotal, where=(Is("person_id", person_id),)))
    return [view_of(DayView, each) for each in found]


@reacts(to=PersonDeleted)
def forget_days(fact: PersonDeleted, ctx: Context) -> None:
    """Nothing is left of what their days came to."""
    for day in list(find_all(ctx.store, Find(DayTotal, where=(Is("person_id", fact.person_id),)))):
        ctx.store.delete(DayTotal, (day.person_id, day.day))


# -- recount --------------------------------------------------------------------------------------


@view
class Recounted(Value):
    """How many days there are, and how many of them had been counted wrongly."""

    days: int
    mended: int


@command("stats.recount")
class RecountDays(Command[Recounted]):
    """Rebuild the totals of one's days from one's sessions; it finds nothing to mend."""


@handler
def recount_days(_: RecountDays, ctx: Context) -> Recounted:
    """Refuses nothing."""
    person_id = ctx.actor.id
    counted = counted_again(person_id, ctx)
    known = find_all(ctx.store, Find(DayTotal, where=(Is("person_id", person_id),)))
    kept = {each.day: each for each in known}
    mended = 0
    for day in sorted(counted.keys() | kept.keys()):
        none = DayTotal(person_id=person_id, day=day)
        former = kept.get(day, none)
        right = counted.get(day, none).but(version=former.version)
        if right != former:
            mended += 1
            _put(right, ctx)
    return Recounted(days=len(counted.keys() | kept.keys()), mended=mended)


def counted_again(person_id: str, ctx: Context | QueryContext) -> dict[str, DayTotal]:
    """The totals of a person's days, from their sessions alone."""
    counted: dict[str, DayTotal] = {}
    asked = Find(Session, where=(Is("person_id", person_id),), order=("day", "started_at"))
    for session in find_all(ctx.store, asked):
        if session.credited:
            day = counted.get(session.day) or DayTotal(person_id=person_id, day=session.day)
            counted[session.day] = day.plus(
                focused=ZERO if session.is_manual else session.credited,
                sessions=int(not session.is_manual),
                recorded=session.credited if session.is_manual else ZERO,
            )
    return counted
