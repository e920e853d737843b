"""Following: stays with a room through lost connections, restarts and expired sign-ins."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping
from typing import Any, Protocol

import trio

from focusmate_core.fields import instant
from focusmate_server.watching.clock import Reading, ServerClock
from focusmate_server.watching.line import Line, Lost, Refused, converse
from focusmate_server.watching.names import Names
from focusmate_server.watching.room import (
    Gap,
    Happened,
    OtherVersion,
    WatchedRoom,
    happened_in,
)
from focusmate_server.watching.who import CannotWatch, Who
from focusmate_server.watching.words import people_in, printable

PINGS = 5
PING_EVERY = 30.0
REMEMBERED = 100
SHORTEST_WAIT, LONGEST_WAIT = 0.5, 15.0
LAST_WORDS = 0.5
"""Seconds in which a closed room may tell yet what its closing brought about."""
NOT_SIGNED_IN = "not_signed_in"
RESYNC = "websocket.resync"
EXPIRES = "websocket.sign_in_expires"
PASSING = {
    "answer_lost",
    "fault",
    "too_often",
    "unavailable",
    "websocket.too_many_connections",
}
"""Refusals that say nothing about the next attempt."""


class Stage(Protocol):
    """Where it is shown."""

    async def began(self, watch: Watch, *, is_new: bool) -> None:
        """The room is known from a snapshot; or, not new, what was missed comes next."""
        ...

    async def happened(self, watch: Watch, frame: Mapping[str, Any], what: Happened) -> None:
        """Something happened, and is applied."""
        ...

    async def recalled(self, watch: Watch) -> None:
        """Something that happened before the snapshot is known."""
        ...

    async def lost(self, watch: Watch, wait: float) -> None:
        """There is no connection; the next attempt is in so many seconds."""
        ...


def backoff(tries: int, dice: random.Random) -> float:
    """Seconds until the next attempt, after so many in vain: longer and longer, never in step."""
    longest: float = min(LONGEST_WAIT, SHORTEST_WAIT * 2 ** min(tries, 10))
    return longest * dice.uniform(0.5, 1)


class Watch:
    """One room, watched; `past` says how many events of before are asked for, too."""

    def __init__(self, url: str, stream: str, who: Who, stage: Stage, *, past: int = 0) -> None:
        self.url = url
        self.stream = stream
        self.clock = ServerClock()
        self.names = Names()
        self.past: list[Happened] = []
        self.happened: deque[Happened] = deque(maxlen=REMEMBERED)
        self.subscribed: Mapping[str, Any] = {}
        """What the last subscription was answered, as it came."""
        self.trouble = ""
        self._room: WatchedRoom | None = None
        self._who = who
        self._stage = stage
        self._tries = 0
        self._token = ""
        self._past = past
        self._snapshot_at = 0

    @property
    def is_known(self) -> bool:
        """Whether the room was ever seen."""
        return self._room is not None

    @property
    def room(self) -> WatchedRoom:
        """The room as it is known."""
        if self._room is None:
            raise LookupError("the room was not seen yet")
        return self._room

    @property
    def is_over(self) -> bool:
        """Whether the room is closed, so that nothing happens there any more."""
        return self._room is not None and not self._room.parts.room.is_open

    async def run(self) -> None:
        """Watch until the room is closed; `CannotWatch` where no further attempt would help."""
        dice = random.Random()  # noqa: S311  it keeps clients out of step, and no secret
        while not self.is_over:
            try:
                await self._connect()
            except Lost as lost:
                if self._room is None and not lost.passes:
                    raise CannotWatch(str(lost)) from None
                wait = lost.retry_after
                wait = backoff(self._tries, dice) if wait is None else wait
                self._tries += 1
                self.trouble = f"{lost}; reconnecting …"
                await self._stage.lost(self, wait)
                await trio.sleep(wait)

    # -- one connection ---------------------------------------------------------------------------

    async def _connect(self) -> None:
        tasks = (self._keep_time, self.names.ask)
        await converse(self.url, self._converse, *tasks, failures=(CannotWatch,))

    async def _converse(self, line: Line) -> None:
        try:
            await self._talk(line)
            if self.is_over:
                await self._part(line)
                return
        except (trio.Cancelled, CannotWatch):
            await self._part(line)
            raise
        if line.lost is not None:
            raise line.lost

    async def _talk(self, line: Line) -> None:
        try:
            await self._begin(line)
            while (frame := await self._next(line)) is not None:
                await self._hear(frame, line)
        except Refused as no:
            if self._room is None or no.code not in PASSING:
                raise CannotWatch(str(no)) from None
            raise Lost(str(no), retry_after=no.params.get("retry_after")) from None
        except OtherVersion as odd:
            raise CannotWatch(
                f"the server is of another version than this program: {printable(str(odd))}"
            ) from None

    async def _next(self, line: Line) -> Mapping[str, Any] | None:
        """The next frame; None once the line is lost, or a closed room falls silent."""
        with trio.move_on_after(LAST_WORDS if self.is_over else float("inf")):
            async for frame in line.frames:
                return frame
        return None

    async def _part(self, line: Line) -> None:
        """The end of it all: leave no sign-in behind."""
        with trio.move_on_after(1, shield=True):
            try:
                await self._who.leave(line)
            except Lost:
                return
            await line.close()

    async def _begin(self, line: Line) -> None:
        await self._sign_in(line)
        await self._measure(line)
        await self._subscribe(line, after=None if self._room is None else self._room.seq)
        self._tries = 0

    async def _sign_in(self, line: Line) -> None:
        await self._take(await self._who.token(line), line)

    async def _sign_in_anew(self, line: Line) -> None:
        token = await self._who.token(line)
        # The same once more would change nothing, and be told of again.
        if token != self._token:
            await self._take(token, line)

    async def _take(self, token: str, line: Line) -> None:
        self._token = token
        try:
            await line.ask("sign_in", token=token)
        except Refused as no:
            if no.code != NOT_SIGNED_IN:
                raise
            raise CannotWatch(f"the access token is not good: {self._who.advice}") from None

    async def _subscribe(self, line: Line, after: int | None = None) -> None:
        asked = {"stream": self.stream} | ({} if after is None else {"after": after})
        subscribed = (await line.ask("subscribe", **asked)).ok
        if self._room is None:
            self._room = WatchedRoom(subscribed)
            subscribed = await self._recall(self._room, line) or subscribed
        else:
            self._room.begin(subscribed)
        self.subscribed = subscribed
        self.trouble = ""
        self.names.forget_nameless()
        parts = self._room.parts
        here = [each.person_id for each in parts.presence]
        self.names.want([*here, *(each.person_id for each in parts.seats)])
        await self._stage.began(self, is_new="snapshot" in subscribed)

    async def _recall(self, room: WatchedRoom, line: Line) -> Mapping[str, Any] | None:
        """Subscribe once more, from a few events ago on: they are for the eye alone."""
        self._snapshot_at = room.seq
        if not self._past:
            return None
        after = max(0, room.seq - self._past)
        again: Mapping[str, Any] = (await line.ask("subscribe", stream=self.stream, after=after)).ok
        if "snapshot" in again:
            room.begin(again)
            return again
        return None

    # -- what the server tells --------------------------------------------------------------------

    async def _hear(self, frame: Mapping[str, Any], line: Line) -> None:
        if "notice" in frame:
            if frame["notice"]["code"] == EXPIRES:
                await self._sign_in_anew(line)
        elif frame.get("stream") != self.stream:
            return
        elif "ended" in frame:
            if frame["ended"]["code"] != RESYNC:
                raise CannotWatch(printable(frame["ended"]["detail"]))
            await self._subscribe(line)
        else:
            await self._event(frame, line)

    async def _event(self, frame: Mapping[str, Any], line: Line) -> None:
        try:
            what = self.room.hear(frame)
        except Gap:
            await self._subscribe(line)
            return
        if what is not None:
            self.happened.append(what)
            self.names.want(people_in(what))
            await self._stage.happened(self, frame, what)
        elif frame["seq"] <= self._snapshot_at and len(self.past) < self._past:
            self.past.append(happened_in(frame))
            self.names.want(people_in(self.past[-1]))
            await self._stage.recalled(self)

    # -- the server's clock -----------------------------------------------------------------------

    async def _keep_time(self, line: Line) -> None:
        try:
            while True:
                await trio.sleep(PING_EVERY)
                await self._measure(line)
        except Lost as lost:
            line.drop(lost)
        except Refused as no:
            line.drop(Lost(str(no)))

    async def _measure(self, line: Line) -> None:
        """Ask for the time, a few times; what took least tells most."""
        answers = [await line.ask("ping") for _ in range(PINGS)]
        said = [(each.sent, each.heard, instant(each.ok["now"])) for each in answers]
        self.clock.learn(Reading.of(*each) for each in said)
