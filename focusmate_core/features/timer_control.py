"""Timer control: what whoever controls a room's timer may do with it."""

from datetime import timedelta
from typing import Annotated, Any

from focusmate_core.context import Context
from focusmate_core.features.plans import Phase, Plan
from focusmate_core.features.presence import attended_until
from focusmate_core.features.room_changes import RoomReplanned, keep_change
from focusmate_core.features.rooms import Room, held_room, room_stream, the_room
from focusmate_core.features.seats import check_control, check_host
from focusmate_core.features.timer import (
    Ending,
    PlanChanged,
    TimerChanged,
    TimerCompleted,
    TimerExtended,
    TimerPaused,
    TimerReset,
    TimerResumed,
    TimerSkipped,
    TimerStarted,
    keep_timer,
    kept_timer,
)
from focusmate_core.features.timer_machine import State, Timer, TimerView, seen
from focusmate_core.fields import Id, minutes
from focusmate_core.messages import Command, command, handler, reacts, view_of


def _controlled(room_id: str, ctx: Context) -> tuple[Room, Timer]:
    room = held_room(room_id, ctx)
    check_control(room, ctx)
    return room, kept_timer(room, ctx)


def _become(
    given: tuple[Room, Timer],
    after: Timer,
    told: type[TimerChanged],
    ctx: Context,
    *,
    ending: Ending = Ending.OVER,
    **more: Any,
) -> TimerView:
    """Store and tell what the timer has become; nothing of either if it is as it was."""
    room, before = given
    if after is not before:
        ctx.emit(view_of(told, after, by=ctx.actor.id, **more), to=room_stream(after.room_id))
        after = keep_timer(before, after, room, ctx, ending=ending)
    return seen(after, ctx.now)


@command("timer.start", touches={"room": "room_id"})
class StartTimer(Command[TimerView]):
    """Start the phase; starting a running timer gives its state."""

    room_id: Id


@handler
def start_timer(ask: StartTimer, ctx: Context) -> TimerView:
    """Refuses `TimerIsPaused`, and whoever may not control the timer."""
    room, timer = given = _controlled(ask.room_id, ctx)
    return _become(given, timer.start(ctx.now, room.moves, room.plan), TimerStarted, ctx)


@command("timer.pause", touches={"room": "room_id"})
class PauseTimer(Command[TimerView]):
    """Stop the phase for a while; what is left stays."""

    room_id: Id


@handler
def pause_timer(ask: PauseTimer, ctx: Context) -> TimerView:
    """Refuses `TimerIsNotRunning`, and whoever may not control the timer."""
    _, timer = given = _controlled(ask.room_id, ctx)
    return _become(given, timer.pause(ctx.now), TimerPaused, ctx)


@command("timer.resume", touches={"room": "room_id"})
class ResumeTimer(Command[TimerView]):
    """Let a paused phase go on."""

    room_id: Id


@handler
def resume_timer(ask: ResumeTimer, ctx: Context) -> TimerView:
    """Refuses `TimerIsNotPaused`, and whoever may not control the timer."""
    room, timer = given = _controlled(ask.room_id, ctx)
    return _become(given, timer.resume(ctx.now, room.moves), TimerResumed, ctx)


@command("timer.reset", touches={"room": "room_id"})
class ResetTimer(Command[TimerView]):
    """Put the timer back to the beginning of the plan: idle, first work phase, nothing counted.

    What was worked until now is credited.
    """

    room_id: Id


@handler
def reset_timer(ask: ResetTimer, ctx: Context) -> TimerView:
    """Refuses whoever may not control the timer."""
    room, timer = given = _controlled(ask.room_id, ctx)
    return _become(given, timer.reset(room.plan), TimerReset, ctx, ending=Ending.RESET)


@command("timer.skip", touches={"room": "room_id"})
class SkipPhase(Command[TimerView]):
    """Go on to the next phase.

    Work that is skipped is credited as far as it went, and does not count as completed.
    """

    room_id: Id


@handler
def skip_phase(ask: SkipPhase, ctx: Context) -> TimerView:
    """Refuses `TimerHasOnePhase`, and whoever may not control the timer."""
    room, timer = given = _controlled(ask.room_id, ctx)
    attended = ctx.now < attended_until(room.id, ctx)
    after, skipped = timer.skip(ctx.now, room.moves, room.plan, attended=attended), timer.phase
    return _become(given, after, TimerSkipped, ctx, ending=Ending.SKIPPED, skipped=skipped)


@command("timer.complete", touches={"room": "room_id"})
class CompleteTimer(Command[TimerView]):
    """Complete a flowtime, or confirm that a phase has just ended, once or often."""

    room_id: Id


@handler
def complete_timer(ask: CompleteTimer, ctx: Context) -> TimerView:
    """Refuses `TimerIsNotOver`, `TimerIsNotRunning`, and whoever may not control the timer."""
    _, timer = given = _controlled(ask.room_id, ctx)
    return _become(given, timer.complete(ctx.now), TimerCompleted, ctx)


@command("timer.extend", touches={"room": "room_id"})
class ExtendPhase(Command[TimerView]):
    """Give the phase that runs or is paused more time."""

    room_id: Id
    span: Annotated[timedelta, minutes(1, 60)]


@handler
def extend_phase(ask: ExtendPhase, ctx: Context) -> TimerView:
    """Refuses `TimerIsNotRunning`, `TimerIsTooLong`, and whoever may not control the timer."""
    _, timer = given = _controlled(ask.room_id, ctx)
    return _become(given, timer.extend(ask.span), TimerExtended, ctx, span=ask.span)


@command("timer.change_plan", touches={"room": "room_id"})
class ChangePlan(Command[TimerView]):
    """Give a room another plan; what runs or is paused goes on as it was planned."""

    room_id: Id
    plan: Plan


@handler
def change_plan(ask: ChangePlan, ctx: Context) -> TimerView:
    """Refuses `RoomNotFound`, `RoomIsClosed`, `NotAllowed`."""
    room = held_room(ask.room_id, ctx)
    check_host(room, ctx)
    if ask.plan == room.plan:
        return seen(kept_timer(room, ctx), ctx.now)
    return _keep_to_plan(keep_change(room, room.but(plan=ask.plan), ctx), ctx)


@reacts(to=RoomReplanned)
def change_plan_with_the_room(fact: RoomReplanned, ctx: Context) -> None:
    """The plan may be changed with whatever else the host changes of a room."""
    _keep_to_plan(the_room(fact.room_id, ctx), ctx)


def _keep_to_plan(room: Room, ctx: Context) -> TimerView:
    after = timer = kept_timer(room, ctx)
    if timer.state is State.IDLE:
        phase = timer.phase if room.plan.kind is timer.kind else Phase.WORK
        after = timer.laid_out(room.plan, phase).but(ended_at=timer.ended_at)
    return _become((room, timer), after.but(), PlanChanged, ctx, plan=room.plan)
