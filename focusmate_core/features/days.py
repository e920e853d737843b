"""Days: which day an instant belongs to for a person; by time zone and day-start, as they were."""

from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Annotated
from zoneinfo import ZoneInfo

from focusmate_core.context import Context, QueryContext
from focusmate_core.entities import Entity, entity
from focusmate_core.fields import Limit, Pattern, Text, Whole
from focusmate_core.finding import Between, Find, Is, find_all
from focusmate_core.messages import (
    Command,
    Query,
    Value,
    command,
    contributes,
    handler,
    query,
    view,
    view_of,
)
from focusmate_core.refusals import Kind, Refusal, refusal

# -- nouns ----------------------------------------------------------------------------------------

BEGINNING = datetime.min.replace(tzinfo=UTC)
OF_THE_MACHINE = ("localtime", "posixrules", "Factory", "posix/", "right/")
"""What some machines have beside the zones: their own, placeholders, and clocks of another sort."""
ZoneName = Annotated[
    str, Pattern(r"[A-Za-z][A-Za-z0-9_+/-]{0,63}", "an IANA time zone, such as Europe/Paris", 64)
]


@entity("day_rules", key=("person_id", "since"))
class DayRule(Entity):
    """How a person's days go, from an instant until the next rule."""

    person_id: str
    since: datetime
    time_zone: str
    day_start: int
    version: int = 0


@view
class DayRuleView(Value):
    """How a person's days go: the zone, and the hour (0 to 23) at which a day begins."""

    time_zone: str
    day_start: int


@view
class LocalDay(Value):
    """The day an instant belongs to, as `YYYY-MM-DD`, and the UTC offset it was counted in."""

    day: str
    offset: timedelta


def local_day(at: datetime, zone: tzinfo, day_start: int) -> LocalDay:
    """The date that clocks in the zone show, less the day-start.

    So a day has 23, 24 or 25 hours, and whoever works past midnight is still in the day before.
    Where clocks are put back across the day-start, the day before goes on until they reach it
    again.
    """
    local = at.astimezone(zone)
    shown = local.replace(tzinfo=None) - timedelta(hours=day_start)
    return LocalDay(day=shown.date().isoformat(), offset=local.utcoffset() or timedelta(0))


def zone_of(name: str) -> ZoneInfo:
    """The zone of this name; `NoSuchZone`."""
    if name.startswith(OF_THE_MACHINE):
        raise NoSuchZone(name=name)
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise NoSuchZone(name=name) from None


# -- refusals -------------------------------------------------------------------------------------


@refusal(
    "days.no_such_zone",
    "There is no time zone {name} here; take a name of the IANA database, such as Europe/Paris.",
    kind=Kind.INVALID,
)
class NoSuchZone(Refusal):
    """The zone is unknown, or this machine has no data of it."""

    name: str


def day_after(day: str) -> str:
    """The day after a day of the calendar."""
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()


# -- for the features above -----------------------------------------------------------------------


def rule_at(person_id: str, at: datetime, ctx: Context | QueryContext) -> DayRule:
    """How a person's days went at an instant; UTC and midnight for who never said."""
    until = at + timedelta(microseconds=1)
    where = (Is("person_id", person_id), Between("since", None, until))
    for known in ctx.store.find(Find(DayRule, where=where, order=("-since",), limit=1)).items:
        return known
    return DayRule(person_id=person_id, since=BEGINNING, time_zone="UTC", day_start=0)


def day_of(person_id: str, at: datetime, ctx: Context | QueryContext) -> LocalDay:
    """The day an instant belongs to for a person, by the rule that was in force then.

    Counted in UTC where this machine has lost the zone's data since: no minute waits for that.
    """
    rule = rule_at(person_id, at, ctx)
    zone: tzinfo
    try:
        zone = zone_of(rule.time_zone)
    except NoSuchZone:
        zone = UTC
    return local_day(at, zone, rule.day_start)


def forget_days(person_id: str, ctx: Context, *, since: datetime | None = None) -> None:
    """Forget how a person's days go, from an instant on or altogether."""
    where = (Is("person_id", person_id), Between("since", since, None))
    for rule in list(find_all(ctx.store, Find(DayRule, where=where, order=("since",)))):
        ctx.store.delete(DayRule, (rule.person_id, rule.since))


# -- requests -------------------------------------------------------------------------------------


@command("days.change")
class ChangeDays(Command[DayRuleView]):
    """Say how one's days go from now on; what was counted before stays where it was counted."""

    time_zone: ZoneName
    day_start: Annotated[int, Whole(0, 23)] = 0


@handler
def change_days(ask: ChangeDays, ctx: Context) -> DayRuleView:
    """Refuses `NoSuchZone`."""
    zone_of(ask.time_zone)
    in_force = rule_at(ctx.actor.id, ctx.now, ctx)
    if (in_force.time_zone, in_force.day_start) == (ask.time_zone, ask.day_start):
        return view_of(DayRuleView, in_force)
    _forget_rules_to_come(ctx)
    known = ctx.store.get(DayRule, (ctx.actor.id, ctx.now), hold=True)
    rule = DayRule(
        person_id=ctx.actor.id,
        since=ctx.now,
        time_zone=ask.time_zone,
        day_start=ask.day_start,
        version=known.version if known else 0,
    )
    return view_of(DayRuleView, ctx.store.put(rule))


def _forget_rules_to_come(ctx: Context) -> None:
    """Where a clock was set back: what was said before must not come into force again."""
    forget_days(ctx.actor.id, ctx, since=ctx.now + timedelta.resolution)


@view
class Today(Value):
    """How the caller's days go, and which day it is for them."""

    time_zone: str
    day_start: int
    today: str
    offset: timedelta


@query("days.today")
class WhichDay(Query[Today]):
    """How one's days go, and which day it is."""


@handler
def which_day(_: WhichDay, ctx: QueryContext) -> Today:
    """Refuses nothing."""
    rule = rule_at(ctx.actor.id, ctx.now, ctx)
    today = day_of(ctx.actor.id, ctx.now, ctx)
    return view_of(Today, rule, today=today.day, offset=today.offset)


@view
class DayRuleSince(Value):
    """How a person's days went from an instant until the next rule's."""

    since: datetime
    time_zone: str
    day_start: int


@view
class DayRulePage(Value):
    """One page of rules; `next_cursor` is None on the last."""

    items: tuple[DayRuleSince, ...]
    next_cursor: str | None


@query("days.history")
class DayHistory(Query[DayRulePage]):
    """How one's days went, the latest first; before the first rule they were those of UTC."""

    limit: Limit = 20
    cursor: Annotated[str, Text(1, 500)] | None = None


@handler
def day_history(ask: DayHistory, ctx: QueryContext) -> DayRulePage:
    """Refuses `BadInput` for a cursor of another list."""
    where = (Is("person_id", ctx.actor.id),)
    asked = Find(DayRule, where=where, order=("-since",), limit=ask.limit, after=ask.cursor)
    page = ctx.store.find(asked)
    items = tuple(view_of(DayRuleSince, each) for each in page.items)
    return DayRulePage(items=items, next_cursor=page.next)


@contributes("export", "zones")
def export_zones(person_id: str, ctx: QueryContext) -> list[DayRuleSince]:
    """How their days went, from the first on."""
    asked = Find(DayRule, where=(Is("person_id", person_id),), order=("since",))
    return [view_of(DayRuleSince, each) for each in find_all(ctx.store, asked)]
