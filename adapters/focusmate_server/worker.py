"""The worker: has what is due executed on time, lets subscribers hear, and sweeps."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from focusmate_core.engine import Engine

log = logging.getLogger(__name__)

DUE, SWEEP = "due", "sweep"
GAP_S = 0.02
"""The least time between two looks, so that a busy server's bell does not keep it busy, too."""
LONGEST_S = 1.0
"""The most, so that a clock that was set, or another process's commit, is noticed."""
SWEEP_S = 3600.0
STEP_S = 1.0
"""Between two steps of one sweep; each is small, since writers wait for it."""
BACKOFF_S = 60.0


class Worker:
    """One thread. `do(job)` has a job done where the executor is, and tells how many it did."""

    def __init__(self, engine: Engine, do: Callable[[str], int]) -> None:
        self._engine = engine
        self._do = do
        self._bell = threading.Event()
        self._stop = threading.Event()
        self._faults = 0
        self._sweep_at = engine.clock.monotonic() + STEP_S
        self._thread = threading.Thread(target=self._live, name="focusmate-worker", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def ring(self) -> None:
        """Something was committed: look whether the next deadline is an earlier one."""
        self._bell.set()

    def stop(self, timeout: float) -> bool:
        """End after the job at hand; whether it did in time (seconds)."""
        self._stop.set()
        self._bell.set()
        if self._thread.is_alive():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    @property
    def is_alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def _live(self) -> None:
        while not self._stop.is_set():
            self._bell.clear()
            wait = self._turn_or_back_off()
            if not self._stop.wait(min(wait, GAP_S)) and wait > GAP_S:
                self._bell.wait(wait - GAP_S)

    def _turn_or_back_off(self) -> float:
        try:
            wait = self._turn()
        except Exception:
            self._faults += 1
            wait = min(2.0 ** min(self._faults - 1, 10), BACKOFF_S)
            log.exception("the worker met a fault and tries again in %d s", wait)
            self._stop.wait(wait - GAP_S)
            return GAP_S
        self._faults = 0
        return wait

    def _turn(self) -> float:
        """Do what there is to do; for how many seconds there is nothing more, as is known now."""
        if overdue(self._engine) >= 0:
            self._do(DUE)
        heard = self._engine.run_subscribers() if self._engine.registry.subscriptions else 0
        self._sweep()
        if heard:
            return GAP_S
        return max(GAP_S, min(-overdue(self._engine), LONGEST_S))

    def _sweep(self) -> None:
        if self._engine.clock.monotonic() >= self._sweep_at:
            swept = self._do(SWEEP)
            self._sweep_at = self._engine.clock.monotonic() + (STEP_S if swept else SWEEP_S)


def overdue(engine: Engine) -> float:
    """For how many seconds the next deadline has been due; negative until it is."""
    with engine.storage.read() as reader:
        due = reader.next_due()
    return -LONGEST_S if due is None else (engine.clock.now() - due).total_seconds()
