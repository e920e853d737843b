"""The timer's machine: its states and what leads from one to another, in pure functions."""

import enum
from datetime import datetime, timedelta

from focusmate_core.entities import Entity, entity
from focusmate_core.features.plans import LONGEST_PHASE, Phase, Plan, TimerKind, break_after
from focusmate_core.fields import Id
from focusmate_core.messages import Value, view, view_of
from focusmate_core.refusals import Kind, Refusal, refusal

# -- nouns ----------------------------------------------------------------------------------------

ZERO = timedelta(0)
CONFIRMED_WITHIN = timedelta(minutes=1)
"""How long after a phase ended, and the next began by itself, `complete` still means the first."""


class State(enum.Enum):
    """What the timer does."""

    IDLE = "idle"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    """A countdown or a flowtime is over; a pomodoro goes on to its next phase instead."""


@view
class TimerFacts(Value):
    """What a timer is, in facts that do not go stale."""

    kind: TimerKind = TimerKind.POMODORO
    state: State
    phase: Phase
    completed: int
    """How many work phases ended since the beginning or the last reset."""
    length: timedelta
    """The whole length of the phase; of a flowtime, the most it may last."""
    ends_at: datetime | None
    """When the phase ends; only while running."""
    left: timedelta | None
    """What is left of the phase; only while paused."""
    suggested_break: timedelta | None = None
    """The break that suits what was worked; only after a flowtime."""


@entity("timers", key="room_id")
class Timer(Entity):
    """A room's timer.

    Legal: `ends_at` and `since` if and only if running, `left` if and only if paused, `began_at` if
    and only if running or paused, `suggested_break` only if completed.
    """

    room_id: str
    kind: TimerKind
    state: State
    phase: Phase
    completed: int
    length: timedelta
    ends_at: datetime | None = None
    left: timedelta | None = None
    suggested_break: timedelta | None = None
    run: int = 0
    """How many phases began in this room: which one this is."""
    began_at: datetime | None = None
    """When this phase began; None before it does."""
    since: datetime | None = None
    """Since when it runs without a pause; only while running."""
    ended_at: datetime | None = None
    """When the phase before ended by itself; None after anything else."""
    stretches: int = 0
    """How often this phase ran so far, up to a pause."""
    first_move: int = 0
    """The room's count of moves when this phase began."""
    moves: int = 0
    """The room's count of moves since which it runs without a pause."""
    version: int = 0

    def start(self, now: datetime, moves: int, plan: Plan) -> "Timer":
        """Running from now; as it is when it runs; `TimerIsPaused`."""
        if self.state is State.PAUSED:
            raise TimerIsPaused
        if self.state is State.RUNNING:
            return self
        idle = self if self.state is State.IDLE else self.laid_out(plan, Phase.WORK)
        return idle.begin(now, moves).but(ended_at=None)

    def begin(self, at: datetime, moves: int) -> "Timer":
        """The phase that is laid out, running from this instant, and from so many moves on."""
        return self.but(
            state=State.RUNNING,
            ends_at=at + self.length,
            run=self.run + 1,
            began_at=at,
            since=at,
            first_move=moves,
            moves=moves,
        )

    def pause(self, now: datetime) -> "Timer":
        """Stopped with what is left; `TimerIsNotRunning`."""
        if self.ends_at is None:
            raise TimerIsNotRunning(state=self.state.value)
        return self.but(
            state=State.PAUSED,
            ends_at=None,
            since=None,
            left=self.left_at(now),
            stretches=self.stretches + 1,
        )

    def resume(self, now: datetime, moves: int) -> "Timer":
        """Running again with what was left; `TimerIsNotPaused`."""
        if self.left is None:
            raise TimerIsNotPaused(state=self.state.value)
        ends_at = now + self.left
        return self.but(state=State.RUNNING, ends_at=ends_at, since=now, moves=moves, left=None)

    def reset(self, plan: Plan) -> "Timer":
        """At the very beginning of the plan."""
        return self.laid_out(plan, Phase.WORK).but(completed=0)

    def laid_out(self, plan: Plan, phase: Phase) -> "Timer":
        """Idle before a phase of the plan, which is work where there are no breaks."""
        phase = phase if plan.kind is TimerKind.POMODORO else Phase.WORK
        return Timer(
            room_id=self.room_id,
            kind=plan.kind,
            state=State.IDLE,
            phase=phase,
            completed=self.completed,
            length=plan.length_of(phase),
            run=self.run,
            version=self.version,
        )

    def left_at(self, now: datetime) -> timedelta:
        """What is left of the phase; never more than its length, whatever the clock says."""
        if self.ends_at is not None:
            return max(ZERO, min(self.ends_at - now, self.length))
        if self.state is State.COMPLETED:
            return ZERO
        return self.length if self.left is None else self.left

    def end_phase(self, plan: Plan, moves: int, *, attended: bool) -> "Timer":
        """After the end of a phase that runs: a pomodoro is in the next one, others are completed.

        The next one runs from the instant the last ended, where the plan says so and somebody is
        there.
        """
        if self.kind is not TimerKind.POMODORO:
            return self.completed_with(ZERO).but(ended_at=self.ends_at)
        completed = self.completed + (self.phase is Phase.WORK)
        phase = plan.next_phase(self.phase, completed)
        following = self.laid_out(plan, phase).but(completed=completed, ended_at=self.ends_at)
        if self.ends_at is None or not (attended and plan.goes_on_with(following.phase)):
            return following
        return following.begin(self.ends_at, moves)

    def completed_with(self, left: timedelta) -> "Timer":
        """Over with so much left; a flowtime suggests a break."""
        is_flow = self.kind is TimerKind.FLOWTIME
        return self.but(
            state=State.COMPLETED,
            completed=self.completed + 1,
            ends_at=None,
            left=None,
            since=None,
            began_at=None,
            suggested_break=break_after(self.length - left) if is_flow else None,
        )

    def complete(self, now: datetime) -> "Timer":
        """A flowtime is over; a phase that has just ended is confirmed, and remains as it is.

        `TimerIsNotOver` before the time is: nobody earns a pomodoro by asking for it.
        `TimerIsNotRunning` where nothing has just ended.
        """
        if self.began_at is not None and self.kind is TimerKind.FLOWTIME:
            return self.completed_with(self.left_at(now)).but(ended_at=now)
        if self.ended_at is not None and (
            self.began_at is None or now - self.ended_at < CONFIRMED_WITHIN
        ):
            return self
        if self.began_at is not None:
            raise TimerIsNotOver(left=self.left_at(now))
        raise TimerIsNotRunning(state=self.state.value)

    def skip(self, now: datetime, moves: int, plan: Plan, *, attended: bool) -> "Timer":
        """In the next phase, without having completed this one; `TimerHasOnePhase`."""
        if self.kind is not TimerKind.POMODORO:
            raise TimerHasOnePhase(counts=self.kind.value)
        phase = Phase.SHORT_BREAK if self.phase is Phase.WORK else Phase.WORK
        following = self.laid_out(plan, phase)
        goes_on = self.began_at is not None and attended and plan.goes_on_with(following.phase)
        return following.begin(now, moves) if goes_on else following

    def extend(self, span: timedelta) -> "Timer":
        """With so much more time; `TimerIsNotRunning`, `TimerIsTooLong`."""
        if self.began_at is None:
            raise TimerIsNotRunning(state=self.state.value)
        if self.length + span > LONGEST_PHASE:
            raise TimerIsTooLong
        ends_at = self.ends_at and self.ends_at + span
        left = None if self.left is None else self.left + span
        return self.but(length=self.length + span, ends_at=ends_at, left=left)


@entity("stretches", key=("room_id", "run", "number"))
class Stretch(Entity):
    """A span in which a phase of work ran without a pause; `moves` count who came and went."""

    room_id: str
    run: int
    number: int
    since: datetime
    until: datetime
    moves_before: int
    moves_after: int
    version: int = 0


def beginning(room_id: str, plan: Plan) -> Timer:
    """The timer of a room where nothing has run yet."""
    length = plan.length_of(Phase.WORK)
    return Timer(
        room_id=room_id,
        kind=plan.kind,
        state=State.IDLE,
        phase=Phase.WORK,
        completed=0,
        length=length,
    )


def settled(timer: Timer, plan: Plan, now: datetime, attended: datetime) -> Timer:
    """The timer brought up to now, where somebody is there up to the instant `attended`."""
    while timer.ends_at is not None and timer.ends_at <= now:
        timer = timer.end_phase(plan, timer.moves, attended=timer.ends_at < attended)
    return timer


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


# -- refusals -------------------------------------------------------------------------------------


@refusal("timer.paused", "The timer is paused; resume it, or reset it first.", kind=Kind.IMPOSSIBLE)
class TimerIsPaused(Refusal):
    """Starting needs an idle timer."""


@refusal(
    "timer.not_running",
    "The timer is {state}; start or resume it first.",
    kind=Kind.IMPOSSIBLE,
)
class TimerIsNotRunning(Refusal):
    """Only a phase that goes on can be paused, completed or extended."""

    state: str


@refusal(
    "timer.not_paused",
    "The timer is {state}, so there is nothing to resume; start or pause it.",
    kind=Kind.IMPOSSIBLE,
)
class TimerIsNotPaused(Refusal):
    """Resuming needs a paused timer."""

    state: str


@refusal(
    "timer.not_over",
    "The phase is not over, {left} is left: wait for its end, or skip or reset it.",
    kind=Kind.IMPOSSIBLE,
)
class TimerIsNotOver(Refusal):
    """Only a flowtime is completed before its time is over."""

    left: timedelta


@refusal(
    "timer.one_phase",
    "A {counts} has one phase, so there is none to skip to; complete it, or reset it.",
    kind=Kind.IMPOSSIBLE,
)
class TimerHasOnePhase(Refusal):
    """Skipping needs a pomodoro."""

    counts: str


@refusal(
    "timer.too_long",
    "A phase lasts 180 minutes at the most; extend it by less.",
    kind=Kind.IMPOSSIBLE,
)
class TimerIsTooLong(Refusal):
    """With the extension the phase would be too long."""
