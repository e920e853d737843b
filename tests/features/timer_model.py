"""A naive timer to compare ours with: it is counted down, and computes nothing from an instant."""

from __future__ import annotations

from datetime import datetime, timedelta

import attrs

from focusmate_core.features.plans import Plan
from focusmate_core.features.timer_machine import TimerFacts

ZERO = timedelta()
MINUTE = timedelta(minutes=1)


@attrs.frozen
class Told:
    """An event the model expects: its wire name, when it truly happened, and what ended, if so."""

    type: str
    at: datetime
    ended: str | None = None


class NaiveRoom:
    """A room, who sits in it and who is there, and its timer; by name, as on a whiteboard."""

    def __init__(self, plan: Plan, host: str, now: datetime, *, for_all: bool) -> None:
        self.plan = plan
        self.host = host
        self.for_all = for_all
        self.now = now
        self.seats = {host}
        self.here = {host}
        self.guests = {host}
        self.closed = False
        self.touched = False
        self.told = [Told(f"{wire}", now) for wire in ("rooms.opened", *COMING)]
        self.done = 0
        self._lay_out("work")

    def _lay_out(self, phase: str) -> None:
        self.kind = self.plan.kind.value
        self.phase = phase if self.kind == "pomodoro" else "work"
        self.state = "idle"
        self.length = self.left = self._length()
        self.suggested = None
        self.quiet: timedelta | None = None
        """How long ago a phase was over; None if that is not what happened last."""

    def _length(self) -> timedelta:
        if self.kind == "flowtime":
            return timedelta(hours=24)
        lengths = {"short_break": self.plan.short_break, "long_break": self.plan.long_break}
        return lengths.get(self.phase, self.plan.work)

    # -- time -------------------------------------------------------------------------------------

    def pass_time(self, span: timedelta) -> None:
        """Count down, phase after phase."""
        while span > ZERO:
            step = min(span, self.left) if self.state == "running" else span
            self.now += step
            span -= step
            self.quiet = None if self.quiet is None else self.quiet + step
            if self.state == "running":
                self.left -= step
                if self.left == ZERO:
                    self._end()

    def _end(self) -> None:
        ended = self.phase
        if self.kind != "pomodoro":
            self._be_completed()
        else:
            self.done += ended == "work"
            self._lay_out(self._next_phase())
            self._go_on()
        self.quiet = ZERO
        self.told.append(Told("timer.phase_ended", self.now, ended))

    def _next_phase(self) -> str:
        if self.phase != "work":
            return "work"
        every = self.plan.long_break_every
        return "long_break" if every and self.done % every == 0 else "short_break"

    def _go_on(self) -> None:
        by_itself = self.plan.auto_start_work
        if self.phase != "work":
            by_itself = self.plan.auto_start_breaks
        if by_itself and self.here:
            self.state = "running"

    def _be_completed(self) -> None:
        worked = self.length - self.left
        self.state, self.left = "completed", ZERO
        self.done += 1
        if self.kind == "flowtime":
            rests = {25: 5, 50: 8, 90: 10}
            fitting = [rest for most, rest in rests.items() if worked <= most * MINUTE]
            self.suggested = MINUTE * min(fitting, default=15)

    # -- commands: each gives the code it is refused with, or «ok» --------------------------------

    def control(self, verb: str, who: str, **more: object) -> str:
        """Whatever whoever controls the timer does with it."""
        if self.closed:
            return "rooms.closed"
        if who != self.host and who not in self.seats:
            return "rooms.not_in_it"
        if who != self.host and not self.for_all:
            return "not_allowed"
        return getattr(self, f"_{verb}")(**more)

    def _start(self) -> str:
        if self.state == "paused":
            return "timer.paused"
        if self.state == "completed":
            self._lay_out("work")
        if self.state == "idle":
            self.quiet = None
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
        self.done = 0
        self._lay_out("work")
        return self._become("idle", "timer.reset")

    def _skip(self) -> str:
        if self.kind != "pomodoro":
            return "timer.one_phase"
        goes_on = self.state in {"running", "paused"}
        self._lay_out("short_break" if self.phase == "work" else "work")
        if goes_on:
            self._go_on()
        return self._become(self.state, "timer.skipped")

    def _complete(self) -> str:
        goes_on = self.state in {"running", "paused"}
        if goes_on and self.kind == "flowtime":
            self._be_completed()
            self.quiet = ZERO
            return self._become("completed", "timer.completed")
        if self.quiet is not None and (not goes_on or self.quiet < MINUTE):
            return "ok"
        return "timer.not_over" if goes_on else "timer.not_running"

    def _extend(self, span: timedelta) -> str:
        if self.state not in {"running", "paused"}:
            return "timer.not_running"
        if self.length + span > timedelta(hours=3):
            return "timer.too_long"
        self.length += span
        self.left += span
        return self._become(self.state, "timer.extended")

    def change_plan(self, who: str, plan: Plan) -> str:
        """The host's alone; what goes on goes on as it was planned."""
        if self.closed:
            return "rooms.closed"
        if who != self.host:
            return "not_allowed"
        if plan != self.plan:
            self.plan = plan
            self.told.append(Told("rooms.changed", self.now))
            if self.state == "idle":
                quiet = self.quiet
                self._lay_out(self.phase if plan.kind.value == self.kind else "work")
                self.quiet = quiet
            self._become(self.state, "timer.plan_changed")
        return "ok"

    def _become(self, state: str, told: str) -> str:
        self.state = state
        self.touched = True
        self.told.append(Told(told, self.now))
        return "ok"

    def join(self, who: str) -> str:
        """Sit down and be there."""
        if self.closed:
            return "rooms.closed"
        if who not in self.seats:
            self.seats.add(who)
            self.told.append(Told(COMING[0], self.now))
        if who not in self.here:
            self.here.add(who)
            self.told.append(Told(COMING[1], self.now))
        return "ok"

    def leave(self, who: str) -> str:
        """Stand up."""
        if self.closed:
            return "rooms.closed"
        if who in self.seats:
            self.seats.remove(who)
            self.told.append(Told("rooms.left", self.now))
            self.go_elsewhere(who)
        return "ok"

    def go_elsewhere(self, who: str) -> None:
        """Be there no more, and keep the seat."""
        if who in self.here:
            self.here.remove(who)
            self.told.append(Told("presence.left", self.now))

    def close(self, who: str) -> str:
        """Close for good; who sat there may still look."""
        if who != self.host:
            return "not_allowed"
        if not self.closed:
            self.closed = True
            self.guests, self.seats, self.here = self.seats, set(), set()
            self.told.append(Told("rooms.closed", self.now))
            if self.touched:
                self._reset()
        return "ok"

    # -- what is to be seen -----------------------------------------------------------------------

    def watchers(self) -> set[str]:
        """Who may look at the timer: who sits there, and the host from wherever."""
        return {self.host} | (self.guests if self.closed else self.seats)

    def facts(self) -> dict[str, object]:
        """The timer as a stream tells it, in plain words."""
        running, paused = self.state == "running", self.state == "paused"
        return {
            "kind": self.kind,
            "state": self.state,
            "phase": self.phase,
            "completed": self.done,
            "length": self.length,
            "ends_at": self.now + self.left if running else None,
            "left": self.left if paused else None,
            "suggested_break": self.suggested,
        }


COMING = ("rooms.joined", "presence.entered")


def plain(facts: TimerFacts) -> dict[str, object]:
    """The facts the library tells, in the same words."""
    return {
        "kind": facts.kind.value,
        "state": facts.state.value,
        "phase": facts.phase.value,
        "completed": facts.completed,
        "length": facts.length,
        "ends_at": facts.ends_at,
        "left": facts.left,
        "suggested_break": facts.suggested_break,
    }
