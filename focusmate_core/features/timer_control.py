"""Timer control: what whoever controls a room's timer may do with it."""

from focusmate_core.context import Context
from focusmate_core.features.rooms import Room, held_room, room_stream
from focusmate_core.features.seats import check_control
from focusmate_core.features.timer import (
    Timer,
    TimerChanged,
    TimerPaused,
    TimerReset,
    TimerResumed,
    TimerStarted,
    TimerView,
    beginning,
    keep_timer,
    seen,
)
from focusmate_core.fields import Id
from focusmate_core.messages import Command, command, handler, view_of


def _controlled(room_id: str, ctx: Context) -> tuple[Room, Timer]:
    room = held_room(room_id, ctx)
    check_control(room, ctx)
    timer = ctx.store.get(Timer, room_id, hold=True)
    return room, timer or beginning(room_id, room.plan)


def _tell(cls: type[TimerChanged], timer: Timer, ctx: Context) -> TimerView:
    stored = keep_timer(timer, ctx)
    ctx.emit(view_of(cls, stored, by=ctx.actor.id), to=room_stream(stored.room_id))
    return seen(stored, ctx.now)


@command("timer.start", touches={"room": "room_id"})
class StartTimer(Command[TimerView]):
    """Start the phase; starting a running timer gives its state."""

    room_id: Id


@handler
def start_timer(ask: StartTimer, ctx: Context) -> TimerView:
    """Refuses `TimerIsPaused`, and whoever may not control the timer."""
    _, timer = _controlled(ask.room_id, ctx)
    started = timer.start(ctx.now)
    if started is timer:
        return seen(timer, ctx.now)
    return _tell(TimerStarted, started, ctx)


@command("timer.pause", touches={"room": "room_id"})
class PauseTimer(Command[TimerView]):
    """Stop the phase for a while; what is left stays."""

    room_id: Id


@handler
def pause_timer(ask: PauseTimer, ctx: Context) -> TimerView:
    """Refuses `TimerIsNotRunning`, and whoever may not control the timer."""
    _, timer = _controlled(ask.room_id, ctx)
    return _tell(TimerPaused, timer.pause(ctx.now), ctx)


@command("timer.resume", touches={"room": "room_id"})
class ResumeTimer(Command[TimerView]):
    """Let a paused phase go on."""

    room_id: Id


@handler
def resume_timer(ask: ResumeTimer, ctx: Context) -> TimerView:
    """Refuses `TimerIsNotPaused`, and whoever may not control the timer."""
    _, timer = _controlled(ask.room_id, ctx)
    return _tell(TimerResumed, timer.resume(ctx.now), ctx)


@command("timer.reset", touches={"room": "room_id"})
class ResetTimer(Command[TimerView]):
    """Put the timer back to the beginning of the plan: idle, first work phase, nothing counted."""

    room_id: Id


@handler
def reset_timer(ask: ResetTimer, ctx: Context) -> TimerView:
    """Refuses whoever may not control the timer."""
    room, timer = _controlled(ask.room_id, ctx)
    return _tell(TimerReset, timer.reset(room.plan), ctx)
