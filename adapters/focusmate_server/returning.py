"""Returning: before anything is judged by the time, it is noted that the service is back."""

from __future__ import annotations

import logging

from focusmate_core.calls import Call
from focusmate_core.engine import Engine
from focusmate_core.features.signs import ReturnService
from focusmate_core.messages import SYSTEM, Origin
from focusmate_core.refusals import Refusal, Unavailable

log = logging.getLogger(__name__)


class Returning:
    """Whether that is still to be said: at first, and after the storage was away.

    While nothing can be stored no sign of life can be, either, so that is being away, too. To say
    it once too often lengthens no presence, only the time in which somebody may be back.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._is_known = ReturnService in engine.registry.handlers
        """Else the engine has no presences."""
        self._is_due = self._is_known

    def say(self) -> Refusal | None:
        """Say it if it is due; what is in the way, if anything: then nothing may be written."""
        if not self._is_due:
            return None
        outcome = self._engine.outcome(Call(ReturnService(), SYSTEM, Origin("worker")))
        if outcome.fault is not None:
            told = "it could not be noted that the service is back: who was there may be away"
            log.error(told, exc_info=outcome.fault)
        self._is_due = outcome.refusal is not None
        return outcome.refusal

    def note(self, failed: Exception | None) -> None:
        """Have it said again if this is what one is told while the storage is away."""
        if isinstance(failed, Unavailable):
            self._is_due = self._is_known
