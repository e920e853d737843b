"""A room's Pomodoro timer: its pure transitions and the one transaction that makes them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from tests.benchmarks.peers.original_stack.database import Database
from tests.benchmarks.peers.original_stack.models import Deadline, Event, Membership, Room, Timer
from tests.benchmarks.peers.original_stack.shapes import TimerView
from tests.benchmarks.peers.original_stack.watchers import Watchers

LENGTHS = {
    "WORK": timedelta(minutes=25),
    "SHORT_BREAK": timedelta(minutes=5),
    "LONG_BREAK": timedelta(minutes=15),
}
ROUNDS_BEFORE_LONG_BREAK = 4

AT_STAKE = (
    select(Room, Membership, Timer, Deadline)
    .join(Timer, Timer.room_id == Room.id)
    .join(Deadline, Deadline.key == Room.id)
    .outerjoin(
        Membership, (Membership.room_id == Room.id) & (Membership.account_id == bindparam("who"))
    )
    .where(Room.id == bindparam("room"))
)
DUE = (
    select(Deadline.key)
    .where(Deadline.due_at <= bindparam("now"))
    .order_by(Deadline.due_at)
    .limit(100)
)


class Refused(Exception):
    """A status and a sentence for the caller."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


def start(timer: Timer, now: datetime) -> str | None:
    if timer.state == "RUNNING":
        return None
    if timer.state == "PAUSED":
        return resume(timer, now)
    timer.state, timer.ends_at = "RUNNING", now + LENGTHS[timer.phase]
    return "timer.started"


def pause(timer: Timer, now: datetime) -> str | None:
    if timer.state != "RUNNING" or timer.ends_at is None:
        raise Refused(409, f"the timer is {timer.state}")
    timer.state, timer.left_seconds, timer.ends_at = (
        "PAUSED",
        (timer.ends_at - now).total_seconds(),
        None,
    )
    return "timer.paused"


def resume(timer: Timer, now: datetime) -> str | None:
    if timer.state != "PAUSED":
        raise Refused(409, f"the timer is {timer.state}")
    timer.state, timer.ends_at = "RUNNING", now + timedelta(seconds=timer.left_seconds)
    return "timer.resumed"


def reset(timer: Timer, now: datetime) -> str | None:
    timer.state, timer.phase, timer.ends_at, timer.rounds = "IDLE", "WORK", None, 0
    timer.left_seconds = LENGTHS["WORK"].total_seconds()
    return "timer.reset"


def end_phase(timer: Timer, now: datetime) -> str | None:
    if timer.state != "RUNNING" or timer.ends_at is None or timer.ends_at > now:
        return None
    if timer.phase == "WORK":
        timer.rounds += 1
        timer.phase = "SHORT_BREAK" if timer.rounds % ROUNDS_BEFORE_LONG_BREAK else "LONG_BREAK"
    else:
        timer.phase = "WORK"
    timer.state, timer.ends_at = "IDLE", None
    timer.left_seconds = LENGTHS[timer.phase].total_seconds()
    return "timer.phase_ended"


COMMANDS: dict[str, Callable[[Timer, datetime], str | None]] = {
    "start": start,
    "pause": pause,
    "resume": resume,
    "reset": reset,
}


def view(timer: Timer, now: datetime) -> TimerView:
    left = timer.left_seconds if timer.ends_at is None else (timer.ends_at - now).total_seconds()
    return TimerView(
        room_id=timer.room_id,
        state=timer.state,
        phase=timer.phase,
        ends_at=timer.ends_at,
        left_seconds=max(left, 0.0),
        rounds=timer.rounds,
        now=now,
    )


class Timers:
    """What the routes and the WebSocket ask; everybody is told after the commit."""

    def __init__(self, database: Database, watchers: Watchers) -> None:
        self._database = database
        self._watchers = watchers

    async def state(self, who: str, room_id: str) -> TimerView:
        async with self._database.read() as session:
            _, timer, _ = await _at_stake(session, room_id, who)
        return view(timer, datetime.now(UTC))

    async def command(self, verb: str, who: str, room_id: str) -> TimerView:
        """Change the timer, its deadline and the room's stream in one transaction."""
        async with self._database.write.begin() as session:
            room, timer, deadline = await _at_stake(session, room_id, who)
            if room.controlled_by == "host" and room.host_id != who:
                raise Refused(403, "only the host controls this timer")
            now = datetime.now(UTC)
            event = _record(session, COMMANDS[verb](timer, now), room, timer, deadline, now)
        if event:
            self._watchers.tell(event.stream, encoded(event))
        return view(timer, now)

    async def end_due(self) -> None:
        """End every phase whose time is over."""
        async with self._database.read() as session:
            due = list(await session.scalars(DUE, {"now": datetime.now(UTC)}))
        for room_id in due:
            async with self._database.write.begin() as session:
                room, timer, deadline = await _at_stake(session, room_id, None)
                now = datetime.now(UTC)
                event = _record(session, end_phase(timer, now), room, timer, deadline, now)
            if event:
                self._watchers.tell(event.stream, encoded(event))


async def _at_stake(
    session: AsyncSession, room_id: str, who: str | None
) -> tuple[Room, Timer, Deadline]:
    found = (await session.execute(AT_STAKE, {"room": room_id, "who": who})).one_or_none()
    if found is None or found[0].closed_at is not None:
        raise Refused(404, "there is no such room")
    room, membership, timer, deadline = found
    if who is not None and membership is None:
        raise Refused(403, "join the room first")
    return room, timer, deadline


def _record(
    session: AsyncSession,
    kind: str | None,
    room: Room,
    timer: Timer,
    deadline: Deadline,
    now: datetime,
) -> Event | None:
    if kind is None:
        return None
    deadline.due_at = timer.ends_at
    room.seq += 1
    event = Event(stream=f"room:{room.id}", seq=room.seq, type=kind, at=now, data=_facts(timer))
    session.add(event)
    return event


def _facts(timer: Timer) -> dict[str, Any]:
    ends_at = timer.ends_at.isoformat() if timer.ends_at else None
    return {
        "room_id": timer.room_id,
        "state": timer.state,
        "phase": timer.phase,
        "ends_at": ends_at,
        "left_seconds": timer.left_seconds,
    }


def encoded(event: Event) -> str:
    """The frame every watcher of the stream gets."""
    frame = {
        "stream": event.stream,
        "seq": event.seq,
        "type": event.type,
        "at": event.at,
        "data": event.data,
    }
    return orjson.dumps(frame).decode()
