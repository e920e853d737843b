"""Paper: the room in lines that scroll by, for pipes, files and programs."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

import trio

from focusmate_core.features.timer import TimerChanged
from focusmate_server.watching.clock import steady
from focusmate_server.watching.following import Watch
from focusmate_server.watching.room import Happened, left
from focusmate_server.watching.screen import PEOPLE, Scene, everybody, room_lines, timer_line
from focusmate_server.watching.who import CannotWatch
from focusmate_server.watching.words import people_in, told

NAMES_WITHIN = 2.0
"""Seconds a line waits for the names of whom it speaks."""
TICK = 0.1


class Pipe:
    """Where lines go; `on_closed` is called when nobody reads them any more."""

    def __init__(self, file: int, on_closed: Callable[[], None]) -> None:
        self._file = file
        self._on_closed = on_closed

    async def say(self, line: str) -> None:
        """Write one whole line; however slowly it is read, a signal ends the waiting."""
        data = f"{line}\n".encode(errors="replace")
        try:
            await trio.to_thread.run_sync(self._write, data, abandon_on_cancel=True)
        except BrokenPipeError:
            self._on_closed()
            await trio.sleep_forever()
        except OSError as failed:
            why = failed.strerror or str(failed)
            raise CannotWatch(f"what is shown cannot be written: {why}") from None

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._file, data) :]

    async def wait_closed(self) -> None:
        """Return when a pipe's reader has gone, also while there is nothing to say."""
        if not stat.S_ISFIFO(os.fstat(self._file).st_mode):
            await trio.sleep_forever()
        await trio.lowlevel.wait_readable(self._file)


class LinesStage:
    """One line for each event, and one for what the timer has become."""

    def __init__(self, pipe: Pipe, zone: tzinfo | None = None) -> None:
        self._pipe = pipe
        self._zone = zone
        self._is_lost = False

    async def began(self, watch: Watch, *, is_new: bool) -> None:
        """The room, its people and its timer; only that it goes on, where nothing was missed."""
        self._is_lost = False
        now = watch.clock.now()
        if not is_new:
            await self._say(now, "connected again")
            return
        parts = watch.room.parts
        named = [person_id for person_id, _ in everybody(parts)[:PEOPLE]]
        await watch.names.settled(named, NAMES_WITHIN)
        for line in [*room_lines(self._scene(watch)), timer_line(parts, now)]:
            await self._say(now, line)

    async def happened(self, watch: Watch, frame: Mapping[str, Any], what: Happened) -> None:
        """What happened, and the timer if it is about it."""
        parts = watch.room.parts
        await watch.names.settled(people_in(what), NAMES_WITHIN)
        await self._say(what.at, told(what, self._scene(watch).name))
        if isinstance(what.fact, TimerChanged):
            await self._say(what.at, timer_line(parts, what.at))

    async def recalled(self, watch: Watch) -> None:
        """Nothing: lines are of now."""

    async def lost(self, watch: Watch, wait: float) -> None:
        """Once for each loss, however many attempts follow."""
        if not self._is_lost:
            self._is_lost = True
            now = watch.clock.now() if watch.clock.is_known else datetime.now(UTC)
            await self._say(now, watch.trouble)

    async def _say(self, at: datetime, line: str) -> None:
        stamp = at.astimezone(self._zone).isoformat(timespec="seconds")
        await self._pipe.say(f"{stamp}  {line}")

    def _scene(self, watch: Watch) -> Scene:
        return Scene(watch.room.parts, watch.clock.now(), names=watch.names.known)


class JsonStage:
    """Each event as one line of JSON, and what a subscription is answered where it begins anew."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe

    async def began(self, watch: Watch, *, is_new: bool) -> None:
        """The answer as it came: a snapshot, and the number from which on events follow."""
        if is_new:
            await self._say(watch.subscribed)

    async def happened(self, watch: Watch, frame: Mapping[str, Any], what: Happened) -> None:
        """The frame as it came."""
        await self._say(frame)

    async def recalled(self, watch: Watch) -> None:
        """Nothing: who wants the past subscribes with a number."""

    async def lost(self, watch: Watch, wait: float) -> None:
        """Nothing: the numbers of the events say that none is missing."""

    async def _say(self, frame: Mapping[str, Any]) -> None:
        await self._pipe.say(json.dumps(frame, ensure_ascii=False, separators=(",", ":")))


async def tick(watch: Watch, pipe: Pipe) -> None:
    """Ten times a second what the timer shows at an instant of the steady clock, to be checked."""
    while True:
        if watch.is_known:
            at = steady()
            now, timer = watch.clock.at(at), watch.room.parts.timer
            said = {
                "steady": at,
                "now": now.timestamp(),
                "within": watch.clock.error_at(at),
                "left": left(timer, now).total_seconds(),
                "state": timer.state.value,
            }
            await pipe.say(json.dumps(said))
        await trio.sleep(TICK)
