"""The timer of a room: what happens to it, by itself or with the room, and how it is seen."""

import enum
from datetime import datetime, timedelta

from focusmate_core.context import Context, QueryContext
from focusmate_core.features.plans import Phase, Plan, TimerKind
from focusmate_core.features.presence import attended_until
from focusmate_core.features.rooms import (
    Room,
    RoomClosed,
    RoomOpened,
    RoomView,
    known_room,
    room_stream,
    the_room,
)
from focusmate_core.features.seats import check_member
from focusmate_core.features.timer_machine import (
    Stretch,
    Timer,
    TimerFacts,
    TimerView,
    beginning,
    facts,
    seen,
    settled,
)
from focusmate_core.fields import Id
from focusmate_core.messages import (
    Access,
    Command,
    Event,
    Query,
    applies,
    command,
    event,
    handler,
    query,
    reacts,
    settles,
    snapshot,
    view,
    view_of,
)

# -- facts ----------------------------------------------------------------------------------------


@view
class TimerChanged(TimerFacts, Event):
    """What all events of the timer tell: the room, and what the timer is from then on."""

    room_id: str


@event("timer.started")
class TimerStarted(TimerChanged):
    """Somebody started the phase."""

    by: str


@event("timer.paused")
class TimerPaused(TimerChanged):
    """Somebody stopped the phase for a while."""

    by: str


@event("timer.resumed")
class TimerResumed(TimerChanged):
    """Somebody let the phase go on."""

    by: str


@event("timer.reset")
class TimerReset(TimerChanged):
    """Somebody put the timer back to the beginning; nobody, where the room was closed."""

    by: str | None


@event("timer.skipped")
class TimerSkipped(TimerChanged):
    """Somebody went on to the next phase before this one was over."""

    skipped: Phase
    by: str


@event("timer.extended")
class TimerExtended(TimerChanged):
    """Somebody gave the phase more time."""

    span: timedelta
    by: str


@event("timer.completed")
class TimerCompleted(TimerChanged):
    """Somebody completed a flowtime."""

    by: str


@event("timer.plan_changed")
class PlanChanged(TimerChanged):
    """Somebody changed the plan; what runs or is paused goes on as it was planned."""

    plan: Plan
    by: str


@event("timer.phase_ended")
class PhaseEnded(TimerChanged):
    """A phase was over, at the instant this event bears; what the timer is since."""

    ended: Phase


class Ending(enum.Enum):
    """How a phase ended."""

    OVER = "over"
    """By itself, or a flowtime because somebody completed it."""
    SKIPPED = "skipped"
    RESET = "reset"
    CLOSED = "closed"
    """Its room was closed."""


@event("timer.work_ended")
class WorkEnded(Event):
    """A phase of work is no more, whichever way; told to nobody, for reactions alone."""

    room_id: str
    run: int
    kind: TimerKind
    length: timedelta
    began_at: datetime
    first_move: int
    ending: Ending


@event("timer.work_paused")
class WorkPaused(Event):
    """A phase of work stands still for a while; told to nobody, for reactions alone."""

    room_id: str
    run: int
    kind: TimerKind
    length: timedelta
    began_at: datetime
    first_move: int
    span: timedelta
    """For how long it had run since it began or was resumed."""


# -- keep -----------------------------------------------------------------------------------------


def kept_timer(room: Room, ctx: Context) -> Timer:
    """The timer as it is stored, locked; of a room where nothing has run yet, its beginning."""
    return ctx.store.get(Timer, room.id, hold=True) or beginning(room.id, room.plan)


def keep_timer(
    before: Timer, after: Timer, room: Room, ctx: Context, *, ending: Ending = Ending.OVER
) -> Timer:
    """Store what a timer has become, the deadline it needs, and the work that was done until now.

    `ending` says how the phase ended, if it did.
    """
    if before.phase is Phase.WORK:
        goes_on = after.began_at is not None and after.run == before.run
        if before.since is not None and not (goes_on and after.since is not None):
            _keep_stretch(before, before.since, room, ctx)
        if before.began_at is not None and not goes_on:
            ctx.emit(view_of(WorkEnded, before, ending=ending), to=())
        elif before.since is not None and after.since is None:
            ctx.emit(view_of(WorkPaused, before, span=ctx.at - before.since), to=())
    return _store(after, ctx)


def _keep_stretch(timer: Timer, since: datetime, room: Room, ctx: Context) -> None:
    if since < ctx.at:
        stretch = Stretch(
            room_id=room.id,
            run=timer.run,
            number=timer.stretches,
            since=since,
            until=ctx.at,
            moves_before=timer.moves,
            moves_after=room.moves,
        )
        ctx.store.put(stretch)


def _store(timer: Timer, ctx: Context) -> Timer:
    stored = ctx.store.put(timer)
    key = f"timer:{stored.room_id}"
    if stored.ends_at is None:
        ctx.unschedule(key)
    else:
        ctx.schedule(key, stored.ends_at, EndPhase(room_id=stored.room_id))
    return stored


# -- time passes ----------------------------------------------------------------------------------


def ends_at(room_id: str, ctx: Context) -> datetime | None:
    """When the phase that runs in a room ends."""
    timer = ctx.store.get(Timer, room_id, hold=True)
    return timer.ends_at if timer else None


@settles("room", when=ends_at)
def let_phase_end(room_id: str, ctx: Context) -> None:
    """End the phase that is over, at its own instant."""
    room = the_room(room_id, ctx)
    before = kept_timer(room, ctx)
    attended = ctx.at < attended_until(room_id, ctx)
    after = before.end_phase(room.plan, room.moves, attended=attended)
    ctx.emit(view_of(PhaseEnded, after, ended=before.phase), to=room_stream(room_id))
    keep_timer(before, after, room, ctx)


@command("timer.end_phase", access=Access.SYSTEM, touches={"room": "room_id"})
class EndPhase(Command[None]):
    """A phase may be over: its deadline is due."""

    room_id: Id


@handler
def end_phase(ask: EndPhase, ctx: Context) -> None:
    """Settling did it; a clock that was set back meanwhile finds the deadline again."""
    timer = ctx.store.get(Timer, ask.room_id, hold=True)
    if timer is not None and timer.ends_at is not None:
        _store(timer, ctx)


@reacts(to=RoomClosed)
def stop_with_the_room(fact: RoomClosed, ctx: Context) -> None:
    """No timer goes on in a closed room."""
    before = ctx.store.get(Timer, fact.room_id, hold=True)
    if before is not None:
        room = the_room(fact.room_id, ctx)
        after = before.reset(room.plan)
        stopped = keep_timer(before, after, room, ctx, ending=Ending.CLOSED)
        ctx.emit(view_of(TimerReset, stopped, by=None), to=room_stream(fact.room_id))


# -- look -----------------------------------------------------------------------------------------


@query("timer.state")
class TimerState(Query[TimerView]):
    """The timer as it is now."""

    room_id: Id


@handler
def timer_state(ask: TimerState, ctx: QueryContext) -> TimerView:
    """Refuses `RoomNotFound`, `NotInRoom`."""
    room = known_room(ask.room_id, ctx)
    check_member(room, ctx)
    timer = ctx.store.get(Timer, room.id) or beginning(room.id, room.plan)
    if timer.ends_at is not None and timer.ends_at <= ctx.now:
        timer = settled(timer, room.plan, ctx.now, attended_until(room.id, ctx))
    return seen(timer, ctx.now)


@snapshot("room", "timer")
def timer_part(room_id: str, ctx: QueryContext) -> TimerFacts | None:
    """The stored facts of the timer; None before there is a room."""
    room = ctx.store.get(Room, room_id)
    if room is None:
        return None
    return facts(ctx.store.get(Timer, room_id) or beginning(room_id, room.plan))


@applies(RoomOpened, part="timer")
def timer_laid_out(_: TimerFacts | None, fact: RoomOpened, _at: datetime) -> TimerFacts:
    """Idle before the first work phase."""
    return facts(beginning(fact.room.id, fact.room.plan))


@applies(TimerStarted, part="timer")
@applies(TimerPaused, part="timer")
@applies(TimerResumed, part="timer")
@applies(TimerReset, part="timer")
@applies(TimerSkipped, part="timer")
@applies(TimerExtended, part="timer")
@applies(TimerCompleted, part="timer")
@applies(PlanChanged, part="timer")
@applies(PhaseEnded, part="timer")
def timer_of(_: TimerFacts | None, fact: TimerChanged, _at: datetime) -> TimerFacts:
    """What the event tells."""
    return view_of(TimerFacts, fact)


@applies(PlanChanged, part="room")
def room_replanned(room: RoomView, fact: PlanChanged, _at: datetime) -> RoomView:
    """The same room with another plan."""
    return room.but(plan=fact.plan)
