"""The worker: has what is due executed on time, lets subscribers hear, sweeps, and looks out."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from focusmate_core.engine import Engine
from focusmate_server.parked import Lookout
from focusmate_server.writer_client import NoWriter

log = logging.getLogger(__name__)

DUE, SUBSCRIBERS, SWEEP = "due", "subscribers", "sweep"
GAP_S = 0.02
"""The least time between two looks, so that a busy server's bell does not keep it busy, too."""
GAP_AFTER_FAULT_S = 0.25
"""The same after a fault, so that the bell does not fill the log."""
LONGEST_S = 1.0
"""The most, so that a clock that was set, or another process's commit, is noticed."""
SWEEP_S = 3600.0
STEP_S = 0.1
"""Between two steps of one sweep; each is small, since writers wait for it."""
LOOK_S = 30.0
"""Between two looks for what is parked."""
FIRST_BACKOFF_S = 0.25
BACKOFF_S = 60.0
DUE_BACKOFF_S = 1.0
"""Timers wait for it: a fault that has passed costs no more than this."""
JOB_WITHIN_S = 60.0
SUBSCRIBERS_WITHIN_S = 600.0
"""How long a job may take before the worker asks anew; who is asked twice does it once."""


class Beat:
    """One job on a thread of its own, so that its faults and its slowness delay no other.

    `turn` does what there is to do and says for how many seconds there is nothing more. After a
    fault it is tried again later, twice as late each time, `backoff` seconds at most.
    """

    def __init__(self, name: str, turn: Callable[[], float], backoff: float) -> None:
        self._name = name
        self._turn = turn
        self._most = backoff
        self._faults = 0
        self._bell = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._live, name=f"focusmate-{name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def ring(self) -> None:
        """Something was committed: look sooner."""
        self._bell.set()

    def ask_to_end(self) -> None:
        """End after the turn at hand."""
        self._stop.set()
        self._bell.set()

    def wait(self, timeout: float) -> bool:
        """Whether it ended within so many seconds."""
        if self._thread.is_alive():
            self._thread.join(max(0.0, timeout))
        return not self._thread.is_alive()

    @property
    def is_alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def _live(self) -> None:
        while not self._stop.is_set():
            self._bell.clear()
            wait = self._turn_or_back_off()
            least = GAP_AFTER_FAULT_S if self._faults else GAP_S
            if not self._stop.wait(min(wait, least)) and wait > least:
                self._bell.wait(wait - least)

    def _turn_or_back_off(self) -> float:
        try:
            wait = self._turn()
        except (NoWriter, ConnectionError) as away:
            # No bug, and for as long as the writer is away the log is told so each second.
            return self._back_off(repr(away))
        except Exception as fault:  # noqa: BLE001  it is logged, and tried again
            return self._back_off("a fault", fault)
        self._faults = 0
        return wait

    def _back_off(self, met: str, bug: Exception | None = None) -> float:
        wait = min(FIRST_BACKOFF_S * 2.0 ** min(self._faults, 10), self._most)
        self._faults += 1
        level = logging.ERROR if bug else logging.WARNING
        told = "«%s» met %s and is tried again in %.2f s"
        log.log(level, told, self._name, met, wait, exc_info=bug)
        return wait


class Worker:
    """A thread a job. `do(job)` has it done in the process that writes, and tells how many it did.

    `do` is called from several threads at once, though never twice for one job.
    """

    def __init__(self, engine: Engine, do: Callable[[str], int]) -> None:
        self._engine = engine
        self._do = do
        self._sweep_at = engine.clock.monotonic() + STEP_S
        self._beats = [Beat(DUE, self._meet_deadlines, DUE_BACKOFF_S)]
        self._lookout = Lookout(engine)
        self._unrung = [
            Beat(SWEEP, self._sweep, BACKOFF_S),
            Beat("parked", self._look_out, BACKOFF_S),
        ]
        if engine.registry.subscriptions:
            self._beats.append(Beat(SUBSCRIBERS, self._let_hear, BACKOFF_S))

    def start(self) -> None:
        """Begin."""
        for beat in self._all:
            beat.start()

    def ring(self) -> None:
        """Something was committed: look whether the next deadline is an earlier one."""
        for beat in self._beats:
            beat.ring()

    def stop(self, timeout: float) -> bool:
        """End after the jobs at hand; whether all did in time (seconds)."""
        until = time.monotonic() + timeout
        for beat in self._all:
            beat.ask_to_end()
        ends = [beat.wait(until - time.monotonic()) for beat in self._all]
        return all(ends)

    @property
    def is_alive(self) -> bool:
        """Whether its threads run."""
        return all(beat.is_alive for beat in self._all)

    @property
    def _all(self) -> list[Beat]:
        return [*self._beats, *self._unrung]

    def _meet_deadlines(self) -> float:
        if overdue(self._engine) >= 0:
            self._do(DUE)
        return max(GAP_S, min(-overdue(self._engine), LONGEST_S))

    def _let_hear(self) -> float:
        return GAP_S if self._do(SUBSCRIBERS) else LONGEST_S

    def _look_out(self) -> float:
        self._lookout.look()
        return LOOK_S

    def _sweep(self) -> float:
        now = self._engine.clock.monotonic
        if now() >= self._sweep_at:
            swept = self._do(SWEEP)
            self._sweep_at = now() + (STEP_S if swept else SWEEP_S)
        return max(GAP_S, min(self._sweep_at - now(), LONGEST_S))


def overdue(engine: Engine) -> float:
    """For how many seconds the next deadline has been due; negative until it is."""
    with engine.storage.read() as reader:
        due = reader.next_due()
    return -LONGEST_S if due is None else (engine.clock.now() - due).total_seconds()
