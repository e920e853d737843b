"""Returning: whoever begins to write says first that the service is back."""

from __future__ import annotations

import logging
import time

from focusmate_core.calls import Call
from focusmate_core.engine import Engine
from focusmate_core.features.signs import ReturnService
from focusmate_core.messages import SYSTEM, Origin

WITHIN_S, RETRY_S = 10.0, 0.2
"""How long to wait for a storage that is away just then, and between two tries."""
log = logging.getLogger(__name__)


def say_returned(engine: Engine, within: float = WITHIN_S) -> None:
    """Say that the service is back, before anything is judged by how long it was away.

    While the storage is away nothing is judged either; after so many seconds the log is told, and
    the process begins all the same.
    """
    until = time.monotonic() + within
    while True:
        outcome = engine.outcome(Call(ReturnService(), SYSTEM, Origin("worker")))
        failed = outcome.refusal or outcome.fault
        if failed is None:
            return
        if outcome.fault is not None or time.monotonic() >= until:
            told = "it could not be noted that the service is back, so leases may end early: %r"
            log.error(told, failed, exc_info=outcome.fault)
            return
        time.sleep(RETRY_S)
