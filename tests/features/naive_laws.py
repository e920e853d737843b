"""The laws of credit: what holds of a history in between, and when all of it is known."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from focusmate_core.features.credit import ZERO
from focusmate_core.features.sessions import Session
from focusmate_core.features.signs import MyPresence
from focusmate_core.features.stats import RecountDays
from focusmate_core.features.timer import TimerState
from focusmate_core.features.timer_machine import State, Timer
from tests.features.naive_credit import MINUTE, Credit, RoomLog
from tests.features.naive_history import NAMES, History


class LawfulHistory(History):
    """A history that is looked at, and ended; a broken law raises AssertionError."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.compared = 0

    # -- laws in between --------------------------------------------------------------------------

    def look(self) -> None:
        """Every state is legal, and who has followed the stream sees what is stored."""
        for watcher in self.watchers:
            watcher.catch_up()
        with self.town.storage.read() as reader:
            for room_id in self.rooms:
                check_legal(reader.get(Timer, room_id))
        for name in NAMES:
            self.check_days(name)

    def look_while_it_passes(self, number: int, span: timedelta, looks: int) -> None:
        """What is left of a phase never rises without a command."""
        ask, host = TimerState(room_id=self.room(number)), self.people[self.host_of(number)]
        before = self.town.do(ask, host)
        for _ in range(looks):
            self.let_pass(span / looks)
            seen = self.town.do(ask, host)
            if (seen.phase, seen.completed) == (before.phase, before.completed):
                assert seen.left <= before.left
            assert self.town.do(ask, host) == seen
            before = seen

    def check_days(self, name: str) -> None:
        """A recount finds nothing to mend."""
        assert self.day_totals(name) == counted(self.sessions(name))

    def recount(self, who: str) -> None:
        assert self.send(RecountDays(), who)[1].mended == 0

    # -- the end ----------------------------------------------------------------------------------

    def end(self) -> None:
        """All that can be known becomes known: who is there leaves or lapses, all phases end."""
        if self.lease is None:
            for name in NAMES:
                here = self.town.do(MyPresence(), self.people[name]).here
                if here is not None:
                    assert self.move("leave", self.rooms.index(here.room_id), name, 0) == "ok"
        self.let_pass(timedelta(days=4))
        self.work()
        assert self.next_due() is None

    def check(self) -> None:
        """All laws of a history that has ended."""
        self.look()
        due, most = self._due(), None
        if self.was_set_back and self.lease is None:
            most = self._due(is_generous=True)
        for name in NAMES:
            self._check_person(name, due, most)
            self.recount(name)
        assert not due, "what is due was not credited"

    def _due(self, *, is_generous: bool = False) -> dict[Any, Credit]:
        logs = [RoomLog(self.town, room_id, is_generous=is_generous) for room_id in self.rooms]
        return {
            (each.person_id, each.phase.room_id, each.phase.run): each
            for log in logs
            for each in log.credits()
            if not self._is_vague(goes_on=each.phase.ending is None)
        }

    def _is_vague(self, *, goes_on: bool) -> bool:
        """Of a phase that never ends, what was said at the leaving remains.

        A clock that is set back later lets it have run for less.
        """
        return goes_on and self.was_set_back

    def _check_person(self, name: str, due: dict[Any, Credit], most: Any) -> None:
        made = [each for each in self.sessions(name) if each.work]
        pieces = []
        for session in made:
            if self._is_vague(goes_on=session.work.over_at is None):
                continue
            which = session.person_id, session.work.room_id, session.work.run
            least = due.pop(which, None)
            credit = least if most is None else most.get(which)
            assert credit is not None, f"credited without a reason: {session}"
            if most is None:
                assert session.credited == credit.credited, (session, credit)
            else:
                assert (least.credited if least else ZERO) <= session.credited <= credit.credited
            self._check_session(name, session, credit)
            pieces += credit.pieces
        total = sum((each.credited for each in made), ZERO)
        assert total <= self.passed
        assert name != "zed" or not made
        if not self.was_set_back:
            assert all(before[1] <= after[0] for before, after in pairwise(sorted(pieces)))
            assert self.lease is None or self.was_bridged or total <= self._vouched(name)

    def _check_session(self, name: str, session: Session, credit: Credit) -> None:
        self.compared += 1
        phase, parts = credit.phase, session.account
        assert session.credited == parts.credited >= MINUTE
        assert parts.ran == parts.credited + parts.late + parts.away + parts.early
        assert min(parts.late, parts.away, parts.early) >= ZERO
        assert session.status.value == STATUSES[phase.ending]
        if phase.ending is not None:
            assert parts.ran == phase.ran
            assert session.planned == (phase.ran if phase.kind == "flowtime" else phase.length)
        if not self.was_set_back:
            assert (session.started_at, session.ended_at) == (credit.first_at, credit.last_at)
            shown = local_day(session.started_at, self.rules[name])
            assert (session.day, session.offset) == shown

    def _vouched(self, name: str) -> timedelta:
        """For how long there were signs of life no further apart than a lease."""
        gaps = [after - before for before, after in pairwise(sorted(self.signs[name]))]
        return sum((gap for gap in gaps if gap < self.lease), ZERO)


STATUSES = {
    "over": "completed",
    "skipped": "cancelled",
    "reset": "cancelled",
    "closed": "cancelled",
    None: "active",
}


def check_legal(timer: Timer | None) -> None:
    """What Timer's docstring says."""
    if timer is None:
        return
    running, paused = timer.state is State.RUNNING, timer.state is State.PAUSED
    assert (timer.ends_at is not None) == (timer.since is not None) == running
    assert (timer.left is not None) == paused
    assert (timer.began_at is not None) == (running or paused)
    assert timer.suggested_break is None or timer.state is State.COMPLETED
    assert timer.left is None or ZERO <= timer.left <= timer.length
    assert timer.completed >= 0


def local_day(at: datetime, rules: list[tuple[datetime, str, int]]) -> tuple[str, timedelta]:
    """The local date and offset by the last rule said before; before the day starts, the eve's."""
    zone, day_start = "UTC", 0
    for since, name, hour in rules:
        if since <= at:
            zone, day_start = name, hour
    local = at.astimezone(ZoneInfo(zone))
    day = local.date() if local.hour >= day_start else local.date() - timedelta(days=1)
    return day.isoformat(), local.utcoffset()


def counted(sessions: Iterable[Session]) -> dict[str, tuple[timedelta, int, timedelta]]:
    """The totals of the days, from the sessions, with nothing for a day without anything."""
    days: defaultdict[str, tuple[timedelta, int, timedelta]] = defaultdict(lambda: (ZERO, 0, ZERO))
    for each in sessions:
        if each.credited:
            assert each.credited >= MINUTE
            focused, number, recorded = days[each.day]
            if each.is_manual:
                days[each.day] = focused, number, recorded + each.credited
            else:
                days[each.day] = focused + each.credited, number + 1, recorded
    return dict(days)
