"""Returning: before anything is judged by the time, it is noted that the service is back."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from focusmate_core.calls import Call
from focusmate_core.engine import Engine
from focusmate_core.features.signs import ReturnService
from focusmate_core.messages import SYSTEM, Origin
from focusmate_core.refusals import Refusal, Unavailable

log = logging.getLogger(__name__)

TICK_S = 1.0
STALLED_S = 5.0
"""A process that did nothing at all for so long was stopped, or its machine slept."""


def _steady() -> float:
    """Seconds that never fall, and count while the machine sleeps, where the system can tell."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Returning:
    """Whether that is still to be said: at first, after the storage was away, and after a stall.

    While nothing can be stored no sign of life can be, either, so that is being away, too. To say
    it once too often lengthens no presence, only the time in which somebody may be back.
    """

    def __init__(self, engine: Engine, *, steady: Callable[[], float] = _steady) -> None:
        self._engine = engine
        self._steady = steady
        self._ticked = steady()
        self._end = threading.Event()
        self._ticking = threading.Thread(target=self._tick, name="focusmate-tick", daemon=True)
        self._is_known = ReturnService in engine.registry.handlers
        """Else the engine has no presences."""
        self._is_due = self._is_known

    def say(self) -> Refusal | None:
        """Say it if it is due; what is in the way, if anything: then nothing may be written."""
        self.look()
        if not self._is_due:
            return None
        outcome = self._engine.outcome(Call(ReturnService(), SYSTEM, Origin("worker")))
        if outcome.fault is not None:
            told = "it could not be noted that the service is back: who was there may be away"
            log.error(told, exc_info=outcome.fault)
        self._is_due = outcome.refusal is not None
        return outcome.refusal

    def watch(self) -> None:
        """Notice from now on when this process was stopped for a while."""
        self._ticking.start()

    def stop(self) -> None:
        """Notice no more."""
        self._end.set()

    def _tick(self) -> None:
        while not self._end.wait(TICK_S):
            self.look()

    def look(self) -> None:
        """Have it said if the last look, which is due every second, is too long ago."""
        now = self._steady()
        if now - self._ticked > STALLED_S:
            log.warning("this process stood still for %.0f s", now - self._ticked)
            self._is_due = self._is_known
        self._ticked = now

    def note(self, failed: Exception | None) -> None:
        """Have it said again if this is what one is told while the storage is away."""
        if isinstance(failed, Unavailable):
            self._is_due = self._is_known
