"""Plans: how a Pomodoro goes; its phases, how long they last and which follows which."""

import enum
from datetime import timedelta
from typing import Annotated

from focusmate_core.fields import Whole, minutes
from focusmate_core.messages import Value, value


class Phase(enum.Enum):
    """What the time is for."""

    WORK = "work"
    SHORT_BREAK = "short_break"
    LONG_BREAK = "long_break"


@value
class Plan(Value):
    """The lengths of the phases, and what starts by itself."""

    work: Annotated[timedelta, minutes(1, 180)] = timedelta(minutes=25)
    short_break: Annotated[timedelta, minutes(1, 60)] = timedelta(minutes=5)
    long_break: Annotated[timedelta, minutes(1, 60)] = timedelta(minutes=15)
    long_break_every: Annotated[int, Whole(0, 100)] = 4
    """Every how many work phases the break is a long one; 0 for never."""
    auto_start_breaks: bool = False
    auto_start_work: bool = False

    def length_of(self, phase: Phase) -> timedelta:
        """How long a phase lasts."""
        if phase is Phase.WORK:
            return self.work
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
