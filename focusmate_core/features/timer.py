"""The timer: a state and an instant; what it is at any moment is a pure function of both."""

import enum
from datetime import datetime, timedelta

from focusmate_core.context import Context, QueryContext
from focusmate_core.entities import Entity, entity
from focusmate_core.features.plans import Phase, Plan
from focusmate_core.features.rooms import (
    Room,
    RoomClosed,
    RoomOpened,
    known_room,
    room_stream,
)
from focusmate_core.features.seats import check_seat
from focusmate_core.fields import Id
from focusmate_core.messages import (
    Access,
    Command,
    Event,
    Query,
    Value,
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
from focusmate_core.refusals import Kind, Refusal, refusal

# -- nouns ----------------------------------------------------------------------------------------


class State(enum.Enum):
    """What the timer does."""

    IDLE = "idle"
    RUNNING = "running"
    PAUSED = "paused"


@view
class TimerFacts(Value):
    """What a timer is, in facts that do not go stale."""

    state: State
    phase: Phase
    completed: int
    """How many work phases ended since the beginning or the last reset."""
    length: timedelta
    """The whole length of the phase."""
    ends_at: datetime | None
    """When the phase ends; only while running."""
    left: timedelta | None
    """What is left of the phase; only while paused."""


@entity("timers", key="room_id")
class Timer(Entity):
    """A room's timer. Legal: `ends_at` if and only if running, `left` if and only if paused."""

    room_id: str
    state: State
    phase: Phase
    completed: int
    length: timedelta
    ends_at: datetime | None = None
    left: timedelta | None = None
    version: int = 0

    def start(self, now: datetime) -> "Timer":
        """Running from now; as it is when it runs; `TimerIsPaused`."""
        if self.state is State.PAUSED:
            raise TimerIsPaused
        if self.state is State.RUNNING:
            return self
        return self.but(state=State.RUNNING, ends_at=now + self.length)

    def pause(self, now: datetime) -> "Timer":
        """Stopped with what is left; `TimerIsNotRunning`."""
        if self.ends_at is None:
            raise TimerIsNotRunning(state=self.state.value)
        return self.but(state=State.PAUSED, ends_at=None, left=self.left_at(now))

    def resume(self, now: datetime) -> "Timer":
        """Running again with what was left; `TimerIsNotPaused`."""
        if self.left is None:
            raise TimerIsNotPaused(state=self.state.value)
        return self.but(state=State.RUNNING, ends_at=now + self.left, left=None)

    def reset(self, plan: Plan) -> "Timer":
        """At the very beginning of the plan."""
        return beginning(self.room_id, plan).but(version=self.version)

    def left_at(self, now: datetime) -> timedelta:
        """What is left of the phase; never more than its length, whatever the clock says."""
        if self.ends_at is not None:
            return max(timedelta(0), min(self.ends_at - now, self.length))
        return self.length if self.left is None else self.left

    def end_phase(self, plan: Plan, *, attended: bool) -> "Timer":
        """In the next phase.

        Running from the instant the last ended, where the plan says so and somebody is there.
        """
        completed = self.completed + (self.phase is Phase.WORK)
        phase = plan.next_phase(self.phase, completed)
        following = self.but(
            state=State.IDLE,
            phase=phase,
            completed=completed,
            length=plan.length_of(phase),
            ends_at=None,
        )
        if self.ends_at is None or not (attended and plan.goes_on_with(phase)):
            return following
        return following.start(self.ends_at)


def beginning(room_id: str, plan: Plan) -> Timer:
    """The timer of a room where nothing has run yet."""
    return Timer(room_id=room_id, state=State.IDLE, phase=Phase.WORK, completed=0, length=plan.work)


def settled(
    timer: Timer, plan: Plan, now: datetime, *, attended: bool
) -> tuple[Timer, list[tuple[Timer, Timer]]]:
    """The timer brought up to now, and each boundary on the way as (before, after)."""
    boundaries = []
    while timer.ends_at is not None and timer.ends_at <= now:
        after = timer.end_phase(plan, attended=attended)
        boundaries.append((timer, after))
        timer = after
    return timer, boundaries


def facts(timer: Timer) -> TimerFacts:
    """The timer as its stream tells it."""
    return view_of(TimerFacts, timer)


@view
class TimerView(TimerFacts):
    """A timer as it is at `now`; here `left` is what is left then, whatever the state."""

    room_id: Id
    now: datetime


def seen(timer: Timer, now: datetime) -> TimerView:
    """The timer as it is now."""
    return view_of(TimerView, timer, now=now, left=timer.left_at(now))


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


@event("timer.phase_ended")
class PhaseEnded(TimerChanged):
    """A phase was over, at the instant this event bears; what the timer is since."""

    ended: Phase


# -- refusals -------------------------------------------------------------------------------------


@refusal("timer.paused", "The timer is paused; resume it, or reset it first.", kind=Kind.IMPOSSIBLE)
class TimerIsPaused(Refusal):
    """Starting needs an idle timer."""


@refusal(
    "timer.not_running",
    "The timer is {state}, so it cannot be paused; start it first.",
    kind=Kind.IMPOSSIBLE,
)
class TimerIsNotRunning(Refusal):
    """Pausing needs a running timer."""

    state: str


@refusal(
    "timer.not_paused",
    "The timer is {state}, so there is nothing to resume; start or pause it.",
    kind=Kind.IMPOSSIBLE,
)
class TimerIsNotPaused(Refusal):
    """Resuming needs a paused timer."""

    state: str


# -- time passes ----------------------------------------------------------------------------------


def _deadline(room_id: str) -> str:
    return f"timer:{room_id}"


def keep_timer(timer: Timer, ctx: Context) -> Timer:
    """Store the timer, and with it the deadline its state needs."""
    stored = ctx.store.put(timer)
    if stored.ends_at is None:
        ctx.unschedule(_deadline(stored.room_id))
    else:
        ctx.schedule(_deadline(stored.room_id), stored.ends_at, EndPhase(room_id=stored.room_id))
    return stored


@settles("room")
def settle_timer(room_id: str, ctx: Context) -> None:
    """End the phases that are over, each at its own instant."""
    timer = ctx.store.get(Timer, room_id, hold=True)
    if timer is None or timer.ends_at is None or timer.ends_at > ctx.now:
        return
    room = known_room(room_id, ctx)
    timer, boundaries = settled(timer, room.plan, ctx.now, attended=room.seated > 0)
    for before, after in boundaries:
        ended = view_of(PhaseEnded, after, ended=before.phase)
        ctx.emit(ended, to=room_stream(room_id), at=before.ends_at)
    keep_timer(timer, ctx)


@command("timer.end_phase", access=Access.SYSTEM, touches={"room": "room_id"})
class EndPhase(Command[None]):
    """A phase may be over: its deadline is due."""

    room_id: Id


@handler
def end_phase(ask: EndPhase, ctx: Context) -> None:
    """Settling did it; a clock that was set back meanwhile finds the deadline again."""
    timer = ctx.store.get(Timer, ask.room_id, hold=True)
    if timer is not None and timer.ends_at is not None:
        ctx.schedule(_deadline(ask.room_id), timer.ends_at, ask)


@reacts(to=RoomClosed)
def stop_with_the_room(fact: RoomClosed, ctx: Context) -> None:
    """No timer goes on in a closed room."""
    timer = ctx.store.get(Timer, fact.room_id, hold=True)
    if timer is not None:
        stopped = keep_timer(timer.reset(known_room(fact.room_id, ctx).plan), ctx)
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
    check_seat(room, ctx)
    timer = ctx.store.get(Timer, room.id) or beginning(room.id, room.plan)
    timer, _ = settled(timer, room.plan, ctx.now, attended=room.seated > 0)
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
@applies(PhaseEnded, part="timer")
def timerview_of(_: TimerFacts | None, fact: TimerChanged, _at: datetime) -> TimerFacts:
    """What the event tells."""
    return TimerFacts(
        state=fact.state,
        phase=fact.phase,
        completed=fact.completed,
        length=fact.length,
        ends_at=fact.ends_at,
        left=fact.left,
    )
