"""The tail: follows the outbox, and hands what was committed to the hub."""

import logging
from collections.abc import Callable

import trio

from focusmate_core.engine import Engine
from focusmate_core.outbox import Envelope
from focusmate_core.refusals import Unavailable
from focusmate_trio.hub import Hub
from focusmate_trio.settings import DoorSettings

_LOG = logging.getLogger("focusmate.websocket")

EASING = 40
"""The longer nothing happened, the rarer the looks: a fortieth of the quiet, within bounds."""
BACK_OFF = (0.1, 2.0)
"""Seconds to wait when the storage is away: at first, and at most."""


class Tail:
    """One task that follows one outbox; it keeps its place, so that what fails is tried again."""

    def __init__(self, engine: Engine, hub: Hub, settings: DoorSettings) -> None:
        self._engine = engine
        self._hub = hub
        self._limit = settings.events_per_turn
        self._shortest = settings.look_every.total_seconds()
        self._longest = settings.look_when_idle.total_seconds()
        self._in_thread = settings.reading_threads > 0
        self._position = ""
        self._is_behind = False
        """There is more to read, or what there was could not be read."""
        self._nudged = trio.Event()

    def nudge(self) -> None:
        """Look now: something was committed by way of this very process."""
        self._nudged.set()

    async def follow(
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Follow for ever, from the end of what is there at the start; raises if there is none."""
        bell = self._engine.storage.bell()
        with self._engine.storage.read() as reader:
            self._position = reader.end()
        task_status.started()
        try:
            await self._look_for_ever(bell.rung)
        finally:
            bell.close()

    async def _look_for_ever(self, rung: Callable[[], bool]) -> None:
        heard_at, wait = trio.current_time(), BACK_OFF[0]
        while True:
            try:
                if rung() or self._is_behind:
                    self._is_behind = await self._turn()
                    heard_at = trio.current_time()
            except Exception as away:  # noqa: BLE001  whatever it is, the next turn is the cure
                self._tell(away)
                await trio.sleep(wait)
                wait = min(2 * wait, BACK_OFF[1])
                continue
            wait = BACK_OFF[0]
            quiet = trio.current_time() - heard_at
            pause = min(max(quiet / EASING, self._shortest), self._longest)
            with trio.move_on_after(0 if self._is_behind else pause):
                await self._nudged.wait()
                self._nudged = trio.Event()

    def _tell(self, away: Exception) -> None:
        self._is_behind = True
        if isinstance(away, Unavailable):
            _LOG.warning("the storage is away; events wait until it is back")
        else:
            _LOG.error("the outbox cannot be followed; trying again", exc_info=away)

    async def _turn(self) -> bool:
        """Send what came since the last turn; whether there is more."""
        if self._hub.is_idle:
            with self._engine.storage.read() as reader:
                self._position = reader.end()
            return False
        if self._is_behind and self._in_thread:
            came = await trio.to_thread.run_sync(self._read)
        else:
            came = self._read()
        for part in self._hub.turns(came):
            self._hub.publish(part)
            self._position = part[-1].position
            await trio.lowlevel.checkpoint()
        return len(came) >= self._limit

    def _read(self) -> list[Envelope]:
        with self._engine.storage.read() as reader:
            return reader.tail(self._position, self._limit)
