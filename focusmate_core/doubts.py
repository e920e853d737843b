"""Doubts: whose calls may have come in before a sign-in of theirs ended, for a while after it."""

from __future__ import annotations

from focusmate_core.ports.clock import Clock

LASTS = 360.0
"""Seconds: a call may be prepared for five minutes, by a token that was looked at just before."""
FIRST_SWEEP = 256


class Doubts:
    """About people, by id and by the clock's reading that never falls; thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}
        self._sweep_at = FIRST_SWEEP

    def have(self, person_id: str) -> None:
        """Doubt what is said in this person's name, from now on and for a while."""
        now = self._clock.monotonic()
        self._until[person_id] = now + LASTS
        if len(self._until) > self._sweep_at:
            for each, until in list(self._until.items()):
                if until <= now:
                    self._until.pop(each, None)
            self._sweep_at = max(FIRST_SWEEP, 2 * len(self._until))

    def about(self, person_id: str) -> bool:
        """Whether there are any about this person."""
        until = self._until.get(person_id)
        return until is not None and until > self._clock.monotonic()
