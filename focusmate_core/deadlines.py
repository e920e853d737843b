"""Deadlines: which message is due when, under which key, and what became of its tries."""

from __future__ import annotations

from datetime import datetime, timedelta

import attrs


@attrs.frozen
class Deadline:
    """A message to execute at an instant; there is one at most under a key."""

    key: str
    due_at: datetime
    """When it truly is due."""
    wire: str
    version: int
    data: str
    """The message's fields as JSON text."""
    try_at: datetime
    """When to try next: `due_at`, later after a fault."""
    attempts: int = 0
    error: str = ""
    """The last fault; not empty together with `parked`: an operator has to look."""
    parked: bool = False


PARKED_AFTER = 8
_BACKOFF = timedelta(seconds=1)
_LONGEST = timedelta(minutes=10)


def after_fault(deadline: Deadline, error: str, now: datetime) -> Deadline:
    """The deadline after one more fault: tried later, twice as late each time, then parked."""
    attempts = deadline.attempts + 1
    wait = min(_BACKOFF * 2 ** min(attempts - 1, 20), _LONGEST)
    return attrs.evolve(
        deadline,
        attempts=attempts,
        error=error[:500],
        try_at=now + wait,
        parked=attempts >= PARKED_AFTER,
    )
