"""Plans: how the time goes; its kind, its phases, how long they last and which follows which."""

import enum
from datetime import timedelta
from typing import Annotated

from focusmate_core.fields import Whole, minutes
from focusmate_core.messages import Value, value

LONGEST_FLOW = timedelta(hours=24)
"""Flowtime has no end of its own; after a day it ends all the same."""
LONGEST_PHASE = timedelta(minutes=180)
FLOW_BREAKS = (
    (timedelta(minutes=25), timedelta(minutes=5)),
    (timedelta(minutes=50), timedelta(minutes=8)),
    (timedelta(minutes=90), timedelta(minutes=10)),
)
LONGEST_FLOW_BREAK = timedelta(minutes=15)


class TimerKind(enum.Enum):
    """What the timer counts."""

    POMODORO = "pomodoro"
    """Down through work and breaks, phase after phase."""
    COUNTDOWN = "countdown"
    """Down through one phase of work, and then it is completed."""
    FLOWTIME = "flowtime"
    """Up, until somebody completes it."""


class Phase(enum.Enum):
    """What the time is for."""

    WORK = "work"
    SHORT_BREAK = "short_break"
    LONG_BREAK = "long_break"


@value
class Plan(Value):
    """The kind, the lengths of the phases, and what starts by itself."""

    kind: TimerKind = TimerKind.POMODORO
    work: Annotated[timedelta, minutes(1, 180)] = timedelta(minutes=25)
    """How long a phase of work, or the countdown, lasts."""
    short_break: Annotated[timedelta, minutes(1, 60)] = timedelta(minutes=5)
    long_break: Annotated[timedelta, minutes(1, 60)] = timedelta(minutes=15)
    long_break_every: Annotated[int, Whole(0, 100)] = 4
    """Every how many work phases the break is a long one; 0 for never."""
    auto_start_breaks: bool = False
    auto_start_work: bool = False

    def length_of(self, phase: Phase) -> timedelta:
        """How long a phase lasts."""
        if phase is Phase.WORK:
            return LONGEST_FLOW if self.kind is TimerKind.FLOWTIME else self.work
        return self.short_break if phase is Phase.SHORT_BREAK else self.long_break

    def next_phase(self, phase: Phase, completed: int) -> Phase:
        """What follows a phase: work after a break; after the n-th work phase a long break."""
        if phase is not Phase.WORK:
            return Phase.WORK
        every = self.long_break_every
        return Phase.LONG_BREAK if every and completed % every == 0 else Phase.SHORT_BREAK

    def goes_on_with(self, phase: Phase) -> bool:
        """Whether this phase starts by itself."""
        return self.auto_start_work if phase is Phase.WORK else self.auto_start_breaks


def break_after(worked: timedelta) -> timedelta:
    """The break that suits a stretch of flow: 5 min up to 25, 8 up to 50, 10 up to 90, else 15.

    The table is the one of the flowtime technique (Zoë Read-Bivens).
    """
    for up_to, rest in FLOW_BREAKS:
        if worked <= up_to:
            return rest
    return LONGEST_FLOW_BREAK
