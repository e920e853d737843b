"""A naive timer to compare ours with: it is counted down, and computes nothing from an instant."""

from __future__ import annotations

from datetime import datetime, timedelta

import attrs

from focusmate_core.features.plans import Plan
from focusmate_core.features.timer import TimerFacts

ZERO = timedelta()


@attrs.frozen
class Told:
    """An event the model expects: its wire name, when it truly happened, and what ended, if so."""

    type: str
    at: datetime
    ended: str | None = None


class NaiveRoom:
    """A room, who sits in it, and its timer; everything by name, as on a whiteboard."""

    def __init__(self, plan: Plan, host: str, now: datetime, *, for_all: bool) -> None:
        self.plan = plan
        self.host = host
        self.for_all = for_all
        self.now = now
        self.seats = {host}
        self.guests = {host}
        self.closed = False
        self.touched = False
        self.told = [Told("rooms.opened", now), Told("rooms.joined", now)]
        self._begin()

    def _begin(self) -> None:
        self.state, self.phase, self.done = "idle", "work", 0
        self.left = self.length = self.plan.work

    # -- time -------------------------------------------------------------------------------------

    def pass_time(self, span: timedelta) -> None:
        """Count down, phase after phase."""
        while span > ZERO:
            step = min(span, self.left) if self.state == "running" else span
            self.now += step
            span -= step
            if self.state == "running":
                self.left -= step
                if self.left == ZERO:
                    self._end()

    def _end(self) -> None:
        ended = self.phase
        if ended == "work":
            self.done += 1
            n = self.plan.long_break_every
            self.phase = "long_break" if n and self.done % n == 0 else "short_break"
            goes_on = self.plan.auto_start_breaks
        else:
            self.phase = "work"
            goes_on = self.plan.auto_start_work
        self.length = {
            "work": self.plan.work,
            "short_break": self.plan.short_break,
            "long_break": self.plan.long_break,
        }[self.phase]
        self.left = self.length
        self.state = "running" if goes_on and self.seats else "idle"
        self.told.append(Told("timer.phase_ended", self.now, ended))

    # -- commands: each gives the code it is refused with, or «ok» --------------------------------

    def control(self, verb: str, who: str) -> str:
        """Start, pause, resume or reset."""
        if self.closed:
            return "rooms.closed"
        if who != self.host and who not in self.seats:
            return "rooms.not_in_it"
        if who != self.host and not self.for_all:
            return "not_allowed"
        return getattr(self, f"_{verb}")()

    def _start(self) -> str:
        if self.state == "paused":
            return "timer.paused"
        if self.state == "idle":
            self._become("running", "timer.started")
        return "ok"

    def _pause(self) -> str:
        if self.state != "running":
            return "timer.not_running"
        return self._become("paused", "timer.paused")

    def _resume(self) -> str:
        if self.state != "paused":
            return "timer.not_paused"
        return self._become("running", "timer.resumed")

    def _reset(self) -> str:
        self._begin()
        return self._become("idle", "timer.reset")

    def _become(self, state: str, told: str) -> str:
        self.state = state
        self.touched = True
        self.told.append(Told(told, self.now))
        return "ok"

    def join(self, who: str) -> str:
        """Sit down."""
        if self.closed:
            return "rooms.closed"
        if who not in self.seats:
            self.seats.add(who)
            self.told.append(Told("rooms.joined", self.now))
        return "ok"

    def leave(self, who: str) -> str:
        """Stand up."""
        if self.closed:
            return "rooms.closed"
        if who in self.seats:
            self.seats.remove(who)
            self.told.append(Told("rooms.left", self.now))
        return "ok"

    def close(self, who: str) -> str:
        """Close for good; who sat there may still look."""
        if who != self.host:
            return "not_allowed"
        if not self.closed:
            self.closed = True
            self.guests, self.seats = self.seats, set()
            self.told.append(Told("rooms.closed", self.now))
            if self.touched:
                self._reset()
        return "ok"

    # -- what is to be seen -----------------------------------------------------------------------

    def watchers(self) -> set[str]:
        """Who may look at the timer."""
        return self.guests if self.closed else self.seats

    def facts(self) -> dict[str, object]:
        """The timer as a stream tells it, in plain words."""
        running, paused = self.state == "running", self.state == "paused"
        return {
            "state": self.state,
            "phase": self.phase,
            "completed": self.done,
            "length": self.length,
            "ends_at": self.now + self.left if running else None,
            "left": self.left if paused else None,
        }


def plain(facts: TimerFacts) -> dict[str, object]:
    """The facts the library tells, in the same words."""
    return {
        "state": facts.state.value,
        "phase": facts.phase.value,
        "completed": facts.completed,
        "length": facts.length,
        "ends_at": facts.ends_at,
        "left": facts.left,
    }
