"""Vouching: tells, for all connections in one message, when each was heard last."""

import logging
from datetime import timedelta
from typing import Any

import attrs
import trio

from focusmate_core.calls import Call, Outcome
from focusmate_core.features.signs import Heard, RenewPresence
from focusmate_core.messages import SYSTEM, Origin
from focusmate_core.ports.runner import Runner
from focusmate_core.refusals import AnswerLost, BadInput, Unavailable
from focusmate_trio.settings import DoorSettings
from focusmate_trio.stream import Wire

_LOG = logging.getLogger("focusmate.websocket")

DOOR = "websocket"
TOGETHER = 50
"""How many connections a message vouches for; commands wait for as long as it is carried out."""
SOON = 0.5
"""Seconds in which who comes and who goes are gathered."""
LAG = 1 / 8
"""By this part of a turn a renewal follows the pings, so that it has their answers to tell of."""
LAST_WITHIN = 1.5
"""Seconds for the last renewal of a door that ends: with the goodbyes less than it is given."""


@attrs.frozen
class Known:
    """A connection, whose it is, and where it can be seen when it was heard."""

    connection: str
    person_id: str
    wire: Wire

    def heard(self, now: float) -> Heard | None:
        """What is told of it; None for what would not be taken, such as an hour of silence."""
        quiet = timedelta(seconds=max(0.0, now - self.wire.heard_at))
        try:
            return Heard(person_id=self.person_id, connection=self.connection, quiet=quiet)
        except BadInput:
            return None


class Vouching:
    """All signed-in connections of a door, and what is still to be told of them.

    It tells and judges nothing: whose presence is over, and when, is the library's business.
    """

    def __init__(self, runner: Runner, settings: DoorSettings) -> None:
        self._runner = runner
        self._every = settings.renew_every
        self._there: dict[str, Known] = {}
        self._news: dict[str, Known] = {}
        """Who came or went and was not told of yet, or in vain."""
        self._something = trio.Event()
        self._is_troubled = False

    # -- who is there -----------------------------------------------------------------------------

    def came(self, connection: str, person_id: str, wire: Wire) -> None:
        """Vouch for a connection from now on; who comes back in time is to be told of in time."""
        if self._every:
            self._there[connection] = Known(connection, person_id, wire)
            self._tell_soon(connection)

    def went(self, connection: str) -> None:
        """Tell once more when it was heard last, and no more after that."""
        if connection in self._there:
            self._tell_soon(connection)
            del self._there[connection]

    def _tell_soon(self, connection: str) -> None:
        self._news[connection] = self._there[connection]
        self._something.set()

    # -- when it is told --------------------------------------------------------------------------

    async def live(self) -> None:
        """Tell of everybody at each turn, and soon of who comes and goes; for ever."""
        if not self._every:
            return
        every = self._every.total_seconds()
        turn_at = trio.current_time() + every * (1 + LAG)
        while True:
            with trio.move_on_at(turn_at):
                await self._something.wait()
                await trio.sleep(SOON)
            if trio.current_time() >= turn_at:
                self._news.update(self._there)
                turn_at = max(turn_at, trio.current_time() - every) + every
            await self._tell()

    async def finish(self) -> None:
        """Tell of those who went last, if there is time."""
        with trio.move_on_after(LAST_WITHIN, shield=True):
            await self._tell()

    async def _tell(self) -> None:
        news, self._news = self._news, {}
        self._something = trio.Event()
        in_vain: dict[str, Known] = {}
        order = sorted(news, key=lambda each: news[each].person_id)
        try:
            while order:
                part = {each: news[each] for each in order[:TOGETHER]}
                outcome = await self._renew(list(part.values()))
                is_well = self._is_well(outcome)
                if isinstance(outcome.refusal, Unavailable | AnswerLost):
                    self._something.set()
                    break
                if not is_well:
                    in_vain |= await self._tell_singly(part)
                del order[:TOGETHER]
        finally:
            untold = {each: news[each] for each in order} | in_vain | self._news
            self._news = {
                each: known for each, known in untold.items() if self._matters(each, known)
            }

    async def _tell_singly(self, part: dict[str, Known]) -> dict[str, Known]:
        """Tell of each alone, so that what is wrong with one costs no other; who was in vain."""
        outcomes = {each: await self._renew([known]) for each, known in part.items()}
        return {each: part[each] for each, outcome in outcomes.items() if not outcome.is_done}

    def _matters(self, connection: str, known: Known) -> bool:
        """Whether telling of it may change anything: by a whole lease nobody who went is kept."""
        lease = 3 * self._every.total_seconds() if self._every else 0.0
        return connection in self._there or trio.current_time() - known.wire.heard_at < lease

    async def _renew(self, part: list[Known]) -> Outcome[None]:
        now = trio.current_time()
        told = tuple(heard for each in part if (heard := each.heard(now)))
        call: Call[None] = Call(RenewPresence(heard=told), SYSTEM, Origin(DOOR))
        try:
            return await self._runner.run(call)
        except Exception as fault:  # noqa: BLE001  it is logged, and tried again
            return Outcome(fault=fault)

    def _is_well(self, outcome: Outcome[Any]) -> bool:
        """Whether it was done; the first failure after a success is logged, and the reverse."""
        failed = outcome.fault or outcome.refusal
        if failed is not None and not self._is_troubled:
            told = "presence could not be renewed, and is tried again: %r"
            _LOG.warning(told, failed, exc_info=outcome.fault)
        if failed is None and self._is_troubled:
            _LOG.info("presence is renewed again")
        self._is_troubled = failed is not None
        return failed is None
