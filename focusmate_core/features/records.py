"""Records: what people say of their sessions, record by hand, schedule, and look up."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from focusmate_core.context import Context, QueryContext
from focusmate_core.features.credit import ZERO
from focusmate_core.features.days import day_after, day_of
from focusmate_core.features.people import person_stream
from focusmate_core.features.plans import Phase
from focusmate_core.features.presence import Presence, present
from focusmate_core.features.sessions import (
    Distractions,
    Rating,
    Session,
    SessionCredited,
    SessionKind,
    SessionStatus,
    SessionView,
    told,
)
from focusmate_core.features.timer_machine import Timer
from focusmate_core.fields import Day, Id, Limit, Text, minutes
from focusmate_core.finding import Between, Find, Is, find_all
from focusmate_core.messages import (
    Command,
    Event,
    Query,
    Value,
    command,
    event,
    handler,
    query,
    reacts,
    view,
)
from focusmate_core.refusals import BadInput, Kind, Refusal, refusal

LONGEST = timedelta(hours=25)
"""How far back a session that may overlap began: a flowtime lasts a day, with its pauses longer."""
LONGEST_RECORD = timedelta(minutes=480)
FURTHEST = timedelta(days=366)
EARLIEST = datetime(1970, 1, 3, tzinfo=UTC)
"""From here on an instant has a day that can be asked for, in every zone and by any day-start."""
Note = Annotated[str, Text(0, 2000, lines=True)]
Length = Annotated[timedelta, minutes(1, 480)]

# -- facts ----------------------------------------------------------------------------------------


@event("sessions.recorded")
class SessionRecorded(Event):
    """Somebody recorded a session by hand."""

    session: SessionView


@event("sessions.removed")
class SessionRemoved(Event):
    """Somebody took back what they had recorded by hand."""

    session: SessionView


@event("sessions.scheduled")
class SessionScheduled(Event):
    """Somebody means to focus at a time to come."""

    session: SessionView


@event("sessions.changed")
class SessionChanged(Event):
    """A session was rated or noted, or what was scheduled was kept or cancelled."""

    session: SessionView


# -- refusals -------------------------------------------------------------------------------------


@refusal(
    "sessions.not_found",
    "You have no such session; look at your history.",
    kind=Kind.NOT_FOUND,
)
class SessionNotFound(Refusal):
    """None of the caller's sessions has this id."""


@refusal(
    "sessions.not_over",
    "What is recorded by hand has to be over; give an earlier beginning, or schedule it.",
    kind=Kind.IMPOSSIBLE,
)
class SessionIsNotOver(Refusal):
    """A record by hand is of what was."""


@refusal(
    "sessions.not_ahead",
    "A session is scheduled for a time to come, at most a year ahead; give another beginning.",
    kind=Kind.IMPOSSIBLE,
)
class SessionIsNotAhead(Refusal):
    """Only what is to come can be scheduled."""


@refusal(
    "sessions.overlaps",
    "You have a session from {since} to {until}; give a time that no other session has.",
    kind=Kind.IMPOSSIBLE,
)
class SessionOverlaps(Refusal):
    """Nobody focuses twice at once."""

    since: datetime
    until: datetime


@refusal(
    "sessions.not_by_hand",
    "What was credited stays; only what was recorded by hand can be removed.",
    kind=Kind.IMPOSSIBLE,
)
class SessionWasCredited(Refusal):
    """Credited sessions are facts."""


@refusal(
    "sessions.not_scheduled",
    "The session is {status}, so it cannot be cancelled.",
    kind=Kind.IMPOSSIBLE,
)
class SessionIsNotScheduled(Refusal):
    """Only what is scheduled, and not kept yet, can be cancelled."""

    status: str


# -- say something of a session -------------------------------------------------------------------


def _own(session_id: str, ctx: Context) -> Session:
    """The caller's session, as it is by now."""
    present(ctx.actor.id, ctx)
    session = ctx.store.get(Session, session_id)
    if session is None or session.person_id != ctx.actor.id:
        raise SessionNotFound
    if session.work is not None:
        ctx.settle("room", session.work.room_id)
    # One that waits may turn out to be none; its person is in that room, which was settled above.
    return ctx.store.get(Session, session_id, hold=True) or session


def _tell(cls: type[Event], session: Session, ctx: Context) -> SessionView:
    ctx.emit(cls(session=told(session)), to=person_stream(session.person_id))  # type: ignore[call-arg]
    return told(session)


@command("sessions.annotate")
class AnnotateSession(Command[SessionView]):
    """Rate a session, count its distractions, note something; what is left out stays as it is."""

    session_id: Id
    kind: SessionKind | None = None
    productivity: Rating | None = None
    focus: Rating | None = None
    distractions: Distractions | None = None
    note: Note | None = None


@handler
def annotate_session(ask: AnnotateSession, ctx: Context) -> SessionView:
    """Refuses `SessionNotFound`."""
    session = _own(ask.session_id, ctx)
    names = ("kind", "productivity", "focus", "distractions", "note")
    given = {name: getattr(ask, name) for name in names}
    annotated = session.but(**{name: said for name, said in given.items() if said is not None})
    if annotated == session:
        return told(session)
    return _tell(SessionChanged, ctx.store.put(annotated), ctx)


# -- by hand --------------------------------------------------------------------------------------


@command("sessions.record")
class RecordSession(Command[SessionView]):
    """Record by hand what no timer saw. It is marked as such and counts for no leaderboard."""

    started_at: datetime
    length: Length
    kind: SessionKind = SessionKind.CUSTOM
    productivity: Rating | None = None
    focus: Rating | None = None
    distractions: Distractions | None = None
    note: Note = ""


@handler
def record_session(ask: RecordSession, ctx: Context) -> SessionView:
    """Refuses `SessionIsNotOver`, `SessionOverlaps`, and `BadInput` for what is too long ago."""
    if ask.started_at < EARLIEST:
        raise BadInput.of("started_at", f"must be {EARLIEST:%Y-%m-%d} or later")
    present(ctx.actor.id, ctx)
    if ask.started_at > ctx.now - ask.length:
        raise SessionIsNotOver
    _check_free(ask.started_at, ask.started_at + ask.length, ctx)
    made = _made(ask.started_at, ask.length, ask.kind, ask.note, ctx).but(
        status=SessionStatus.COMPLETED,
        is_manual=True,
        credited=ask.length,
        productivity=ask.productivity,
        focus=ask.focus,
        distractions=ask.distractions,
    )
    return _tell(SessionRecorded, ctx.store.put(made), ctx)


def _made(
    started_at: datetime, length: timedelta, kind: SessionKind, note: str, ctx: Context
) -> Session:
    day = day_of(ctx.actor.id, started_at, ctx)
    return Session(
        id=ctx.new_id(),
        person_id=ctx.actor.id,
        kind=kind,
        status=SessionStatus.SCHEDULED,
        is_manual=False,
        started_at=started_at,
        ended_at=started_at + length,
        planned=length,
        credited=ZERO,
        day=day.day,
        offset=day.offset,
        note=note,
    )


def _check_free(since: datetime, until: datetime, ctx: Context) -> None:
    where = (Is("person_id", ctx.actor.id), Between("started_at", since - LONGEST, until))
    for other in find_all(ctx.store, Find(Session, where=where, order=("-started_at",))):
        is_active = other.status is SessionStatus.ACTIVE
        over_at = other.work.over_at if is_active and other.work else None
        ended_at = over_at or other.ended_at
        if (other.credited or is_active) and ended_at > since:
            raise SessionOverlaps(since=other.started_at, until=ended_at)
    _check_no_work_goes_on(until, ctx)


def _check_no_work_goes_on(until: datetime, ctx: Context) -> None:
    """Refuse a time which the timer of the room one is in may credit yet."""
    here = ctx.store.get(Presence, ctx.actor.id)
    timer = here and ctx.store.get(Timer, here.room_id)
    if here and timer and timer.began_at and timer.phase is Phase.WORK:
        began = max(here.since, timer.began_at)
        if began < until:
            raise SessionOverlaps(since=began, until=ctx.now)


@command("sessions.remove")
class RemoveSession(Command[SessionView]):
    """Take back what was recorded by hand."""

    session_id: Id


@handler
def remove_session(ask: RemoveSession, ctx: Context) -> SessionView:
    """Refuses `SessionNotFound`, `SessionWasCredited`."""
    session = _own(ask.session_id, ctx)
    if not session.is_manual:
        raise SessionWasCredited
    ctx.store.delete(Session, session.id)
    return _tell(SessionRemoved, session, ctx)


# -- ahead ----------------------------------------------------------------------------------------


@command("sessions.schedule")
class ScheduleSession(Command[SessionView]):
    """Say when one means to focus. It is kept by focusing within that time, in whatever room."""

    starts_at: datetime
    length: Length
    kind: SessionKind = SessionKind.CUSTOM
    note: Note = ""


@handler
def schedule_session(ask: ScheduleSession, ctx: Context) -> SessionView:
    """Refuses `SessionIsNotAhead`."""
    present(ctx.actor.id, ctx)
    if not ctx.now < ask.starts_at <= ctx.now + FURTHEST:
        raise SessionIsNotAhead
    made = _made(ask.starts_at, ask.length, ask.kind, ask.note, ctx)
    return _tell(SessionScheduled, ctx.store.put(made), ctx)


@command("sessions.cancel")
class CancelSession(Command[SessionView]):
    """Give up what is scheduled; cancelling twice is cancelling once."""

    session_id: Id


@handler
def cancel_session(ask: CancelSession, ctx: Context) -> SessionView:
    """Refuses `SessionNotFound`, `SessionIsNotScheduled`."""
    session = _own(ask.session_id, ctx)
    if session.work is None and session.status is SessionStatus.CANCELLED:
        return told(session)
    if session.status is not SessionStatus.SCHEDULED:
        raise SessionIsNotScheduled(status=session.status.value)
    return _tell(SessionChanged, ctx.store.put(session.but(status=SessionStatus.CANCELLED)), ctx)


@reacts(to=SessionCredited)
def keep_what_was_scheduled(fact: SessionCredited, ctx: Context) -> None:
    """Who focuses in the time that was scheduled keeps the appointment."""
    done = fact.session
    if not done.credited:
        return
    meant = (Is("person_id", done.person_id), Is("status", SessionStatus.SCHEDULED))
    then = Between("started_at", done.started_at - LONGEST_RECORD, done.ended_at)
    asked = Find(Session, where=(*meant, then), order=("started_at",))
    for planned in list(find_all(ctx.store, asked)):
        if planned.started_at < done.ended_at and done.started_at < planned.ended_at:
            kept = ctx.store.put(planned.but(status=SessionStatus.COMPLETED))
            _tell(SessionChanged, kept, ctx)


# -- look -----------------------------------------------------------------------------------------


@query("sessions.by_id", lags=True)
class SessionById(Query[SessionView]):
    """One of one's own sessions."""

    session_id: Id


@handler
def session_by_id(ask: SessionById, ctx: QueryContext) -> SessionView:
    """Refuses `SessionNotFound`."""
    session = ctx.store.get(Session, ask.session_id)
    if session is None or session.person_id != ctx.actor.id:
        raise SessionNotFound
    return told(session)


@view
class SessionPage(Value):
    """One page of sessions; `next_cursor` is None on the last."""

    items: tuple[SessionView, ...]
    next_cursor: str | None


@query("sessions.history", lags=True)
class SessionHistory(Query[SessionPage]):
    """One's own sessions of some local days, both included, the latest first."""

    first: Day | None = None
    last: Day | None = None
    limit: Limit = 20
    cursor: Annotated[str, Text(1, 500)] | None = None


@handler
def session_history(ask: SessionHistory, ctx: QueryContext) -> SessionPage:
    """Refuses `BadInput` for a cursor of another list."""
    behind = None if ask.last is None else day_after(ask.last)
    asked = Find(
        Session,
        where=(Is("person_id", ctx.actor.id), Between("day", ask.first, behind)),
        order=("-day", "-started_at"),
        limit=ask.limit,
        after=ask.cursor,
    )
    page = ctx.store.find(asked)
    return SessionPage(items=tuple(told(each) for each in page.items), next_cursor=page.next)
