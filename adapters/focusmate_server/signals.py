"""Signals: those that ask this process to end."""

from __future__ import annotations

import signal


def leave_interrupts_to_the_supervisor() -> None:
    """A terminal sends its interrupt to all processes; the supervisor tells the others in order."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def that_end() -> list[signal.Signals]:
    """SIGTERM, and SIGINT unless it is left to the supervisor."""
    asked = (signal.SIGTERM, signal.SIGINT)
    return [each for each in asked if signal.getsignal(each) is not signal.SIG_IGN]
