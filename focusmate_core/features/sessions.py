"""Sessions: what each person did in a phase of work, and why they are credited so much of it."""

import enum
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated

from focusmate_core.context import Context, QueryContext
from focusmate_core.entities import Entity, entity
from focusmate_core.features.credit import HALF_A_SECOND, Account, part_text, span_text
from focusmate_core.features.people import PersonDeleted
from focusmate_core.features.plans import TimerKind
from focusmate_core.features.timer import Ending
from focusmate_core.fields import Id, Whole
from focusmate_core.finding import Find, Is, find_all
from focusmate_core.messages import Event, Value, contributes, event, reacts, view, view_of

# -- nouns ----------------------------------------------------------------------------------------

LEAST = timedelta(minutes=1)
"""What is shorter is no session, and nothing is credited."""
Rating = Annotated[int, Whole(1, 5)]
Distractions = Annotated[int, Whole(0, 1000)]


class SessionKind(enum.Enum):
    """What sort of focus it was."""

    POMODORO = "pomodoro"
    DEEP_WORK = "deep_work"
    CUSTOM = "custom"


KINDS = {
    TimerKind.POMODORO: SessionKind.POMODORO,
    TimerKind.FLOWTIME: SessionKind.DEEP_WORK,
    TimerKind.COUNTDOWN: SessionKind.CUSTOM,
}


class SessionStatus(enum.Enum):
    """How far a session has come."""

    SCHEDULED = "scheduled"
    ACTIVE = "active"
    """The phase is not over, or it is not known yet who was there at its end."""
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    """The phase was reset, skipped or closed; what was credited stays credited."""


@view
class Work(Value):
    """A phase of work in a room."""

    room_id: str
    run: int
    """Which of the phases that began in this room it is."""
    kind: SessionKind
    length: timedelta
    began_at: datetime
    first_move: int
    """The room's count of moves when it began."""
    over_at: datetime | None = None
    """When it ended; None while it goes on."""
    ending: Ending | None = None


@entity(
    "sessions",
    index=[
        ("person_id", "day", "started_at"),
        ("person_id", "status", "started_at"),
        ("person_id", "started_at"),
    ],
)
class Session(Entity):
    """One person's part in one phase of work, a record made by hand, or what is scheduled."""

    id: str
    person_id: str
    kind: SessionKind
    status: SessionStatus
    is_manual: bool
    started_at: datetime
    ended_at: datetime
    planned: timedelta
    credited: timedelta
    day: str
    """The person's local day when it began, and the offset of their zone from UTC then."""
    offset: timedelta
    work: Work | None = None
    """The phase it is a part of; None for what was recorded by hand or is scheduled."""
    account: Account | None = None
    productivity: int | None = None
    focus: int | None = None
    distractions: int | None = None
    note: str = ""
    version: int = 0


@view
class SessionView(Value):
    """A session as its person sees it; `why` says how the credit came about."""

    id: Id
    person_id: str
    kind: SessionKind
    status: SessionStatus
    is_manual: bool
    started_at: datetime
    ended_at: datetime
    planned: timedelta
    credited: timedelta
    why: str
    day: str
    offset: timedelta
    room_id: str | None
    account: Account | None
    productivity: int | None
    focus: int | None
    distractions: int | None
    note: str


def told(session: Session) -> SessionView:
    """The view of a session."""
    room_id = session.work.room_id if session.work else None
    return view_of(SessionView, session, why=why(session), room_id=room_id)


def why(session: Session) -> str:
    """How the credit came about, in a sentence: «18 min of 25 min: joined 7 min late»."""
    if session.is_manual:
        return f"{span_text(session.credited)}, recorded by hand"
    if session.account is None or session.work is None:
        return f"{span_text(session.planned)} planned" + PLANS.get(session.status, "")
    is_known = session.status is not SessionStatus.ACTIVE
    reasons = ", ".join(_reasons(session.work, session.account, is_known=is_known))
    has_plan = session.work.kind is not SessionKind.DEEP_WORK
    planned = session.planned if has_plan else session.credited
    return part_text(session.credited, planned) + (f": {reasons}" if reasons else "")


PLANS = {SessionStatus.COMPLETED: ", and kept", SessionStatus.CANCELLED: ", and cancelled"}
ENDINGS = {
    Ending.SKIPPED: "the phase was skipped",
    Ending.RESET: "the timer was reset",
    Ending.CLOSED: "the room was closed",
}


def _reasons(work: Work, parts: Account, *, is_known: bool) -> Iterable[str]:
    if parts.late >= HALF_A_SECOND:
        yield f"joined {span_text(parts.late)} late"
    if parts.away >= HALF_A_SECOND:
        yield f"away for {span_text(parts.away)}"
    # While the phase goes on nobody knows how early it was.
    if parts.early and work.over_at:
        early = span_text(parts.early)
        yield f"left {early} early" if is_known else f"not known yet for the last {early}"
    if work.ending in ENDINGS:
        yield f"{ENDINGS[work.ending]} after {span_text(parts.ran)}"


# -- facts ----------------------------------------------------------------------------------------


@event("sessions.credited")
class SessionCredited(Event):
    """Somebody's session has more credit, or is over; less where the clock was set back."""

    session: SessionView
    added: timedelta
    """By how much the credit grew; below zero where it shrank."""


# -- what is exported, and erased -----------------------------------------------------------------


@contributes("export", "sessions")
def export_sessions(person_id: str, ctx: QueryContext) -> list[SessionView]:
    """All sessions of theirs, in order."""
    asked = Find(Session, where=(Is("person_id", person_id),), order=("started_at",))
    return [told(each) for each in find_all(ctx.store, asked)]


@contributes("rooms", "sessions")
def rooms_of_sessions(person_id: str, ctx: Context | QueryContext) -> frozenset[str]:
    """Where a phase goes on of which they have a part, whether or not they are there still."""
    where = (Is("person_id", person_id), Is("status", SessionStatus.ACTIVE))
    found = find_all(ctx.store, Find(Session, where=where, order=("started_at",)))
    return frozenset(each.work.room_id for each in found if each.work)


@reacts(to=PersonDeleted)
def forget_sessions(fact: PersonDeleted, ctx: Context) -> None:
    """Nothing is left of what they did."""
    asked = Find(Session, where=(Is("person_id", fact.person_id),), order=("started_at",))
    for session in list(find_all(ctx.store, asked)):
        ctx.store.delete(Session, session.id)
