"""Conversing: plays a transcript through a real door, and writes down what is really said.

A transcript is the script and what is expected of it in one text. `#` is a remark, `--` something
that happens, `ada >` a frame that Ada sends, `ada <` one that she is sent, to the byte, and `ada x`
the code and the reason with which she is closed. `⟨…⟩` stands for something told before.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import trio
from trio.testing import MockClock, wait_all_tasks_blocked
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from focusmate_core.testing.memory import MemoryStorage
from focusmate_core.testing.runner import InlineRunner
from focusmate_trio import DoorSettings, listen, serve
from tests.features.town import Town

HERE = Path(__file__).parent / "conversations"
STEP = 15
"""Seconds of the clock in one go: less than anybody may be silent for."""
SETTINGS = DoorSettings(retry_within=timedelta(), reading_threads=0)
UNITS = {"second": 1, "minute": 60, "hour": 3600}
SAID = re.compile(r"(\w+) ([><x]) (.*)")


def transcripts() -> list[Path]:
    """All that there are."""
    return sorted(HERE.glob("*.txt"))


def frames_of(text: str) -> Iterator[tuple[str, str, str]]:
    """Who, in which direction, and what, of every text frame of a transcript."""
    for line in text.splitlines():
        found = SAID.fullmatch(line)
        if found and found[2] in "><" and not found[3].startswith("bytes "):
            yield found[1], found[2], found[3]


class Play:
    """One transcript while it is played; clocks stand still but where it says otherwise."""

    def __init__(self, nursery: trio.Nursery, clock: MockClock) -> None:
        self.lines: list[str] = []
        self._nursery = nursery
        self._clock = clock
        self._town = Town(MemoryStorage())
        self._settings = SETTINGS
        self._port = 0
        self._stop = trio.CancelScope()
        self._sockets: dict[str, WebSocketConnection] = {}
        self._streams: dict[str, trio.SocketStream] = {}
        self._heard: defaultdict[str, list[str]] = defaultdict(list)
        self._names: dict[str, str] = {}

    async def play(self, text: str) -> str:
        """The same transcript with what is said now."""
        for line in text.splitlines():
            said = SAID.fullmatch(line)
            if said and said[2] != ">":
                continue
            self.lines.append(line)
            if said:
                await self._say(said[1], said[3])
            elif line.startswith("-- "):
                await self._happen(line.removeprefix("-- "))
        return "\n".join(self.lines) + "\n"

    # -- what is said -----------------------------------------------------------------------------

    async def _say(self, who: str, text: str) -> None:
        sent: str | bytes = re.sub(r"⟨(.*?)⟩", lambda found: self._meant(found[1]), text)
        if text.startswith("bytes "):
            sent = bytes.fromhex(text.removeprefix("bytes "))
        await self._sockets[who].send_message(sent)
        await self._settle()

    def _meant(self, name: str) -> str:
        token = re.fullmatch(r"(?:a|an|the) (access|refresh) token of (\w+)", name)
        if token:
            return str(getattr(self._town.sign_in(token[2]), f"{token[1]}_token"))
        return self._names[name]

    async def _settle(self) -> None:
        await wait_all_tasks_blocked(0.005)
        for heard in self._heard.values():
            self.lines += heard
            heard.clear()

    def _note(self, who: str, message: str) -> None:
        told = json.loads(message)
        if isinstance(told.get("ok"), dict):
            name = "room" if "host_id" in told["ok"] else "answer"
            self._names |= {name: str(told["ok"].get("id"))}
            tokens = {n: v for n, v in told["ok"].items() if n.endswith("_token")}
            self._names |= {n.replace("_", " "): v for n, v in tokens.items()}
        shown = re.sub(r'("\w+_token":)"[^"]*"', r'\1"…"', message)
        self._heard[who].append(f"{who} < {shown}")

    # -- what happens -----------------------------------------------------------------------------

    async def _happen(self, what: str) -> None:
        for pattern, name in HAPPENINGS.items():
            if found := re.fullmatch(pattern, what):
                await getattr(self, name)(*found.groups())
                return await self._settle()
        raise ValueError(f"nothing of the kind happens: «{what}»")

    async def _register(self, names: str) -> None:
        for name in re.split(", | and ", names):
            self._names[name] = self._town.register(name).id

    async def _be_strict(self, many: str) -> None:
        self._settings = attrs.evolve(SETTINGS, commands_per_second=1, command_burst=int(many))

    async def _be_patient(self, many: str) -> None:
        self._settings = attrs.evolve(SETTINGS, frames_per_second=1, frame_burst=int(many))

    async def _be_small(self, many: str) -> None:
        self._settings = attrs.evolve(SETTINGS, connections_per_person=int(many))

    async def _connect(self, who: str, token: str | None = None) -> None:
        if not self._port:
            self._port = await self._nursery.start(self._open)
        headers = []
        if token:
            value = "no token" if token == "no good token" else self._meant(token)
            headers = [(b"Authorization", f"Bearer {value}".encode())]
        await self._nursery.start(partial(self._live, who, headers))

    async def _open(self, task_status: trio.TaskStatus[int]) -> None:
        with trio.CancelScope() as self._stop, trio.CancelScope():
            runner = InlineRunner(self._town.engine)
            async with trio.open_nursery() as nursery:
                door = partial(serve, self._town.engine, runner, settings=self._settings)
                listeners = listen("127.0.0.1", 0)
                ((_, port),) = await nursery.start(partial(door, listeners=listeners))
                task_status.started(port)

    async def _live(self, who: str, headers: Any, task_status: Any) -> None:
        stream = await trio.open_tcp_stream("127.0.0.1", self._port)
        async with stream, trio.open_nursery() as nursery:
            self._streams[who] = stream
            socket = self._sockets[who] = await wrap_client_stream(
                *(nursery, stream, "localhost", "/v1/ws"),
                extra_headers=headers,
                message_queue_size=1000,
            )
            task_status.started()
            await self._hear(who, socket)
            nursery.cancel_scope.cancel()

    async def _hear(self, who: str, socket: WebSocketConnection) -> None:
        try:
            while True:
                self._note(who, await socket.get_message())
        except ConnectionClosed as closed:
            if closed.reason is not None and who in self._streams:
                told = f"{who} x {closed.reason.code} {closed.reason.reason or ''}"
                self._heard[who].append(told.rstrip())

    async def _hang_up(self, who: str) -> None:
        await self._streams.pop(who).aclose()

    async def _let_time_go_by(self, many: str, unit: str) -> None:
        ahead = int(many) * UNITS[unit]
        while ahead:
            step = min(STEP, ahead)
            ahead -= step
            self._town.clock.advance(seconds=step)
            self._town.engine.run_due()
            self._clock.jump(step)
            await wait_all_tasks_blocked(0.001)

    async def _restart(self) -> None:
        self._stop.cancel()
        self._port = 0

    async def _forget(self) -> None:
        self._town.engine.sweep(retention=timedelta())


HAPPENINGS = {
    r"([\w, ]+?) (?:has an account|have accounts)": "_register",
    r"the door takes (\d+) commands at once, and one a second": "_be_strict",
    r"the door takes (\d+) frames at once, and one a second": "_be_patient",
    r"the door takes (\d+) connections of one person": "_be_small",
    r"(\w+) connects": "_connect",
    r"(\w+) connects with ((?:an access token of \w+)|(?:no good token))": "_connect",
    r"(\w+) hangs up": "_hang_up",
    r"(\d+) (second|minute|hour)s? goe?s? by": "_let_time_go_by",
    r"the server restarts": "_restart",
    r"what happened so far is held no longer": "_forget",
}


async def played(text: str, clock: MockClock) -> str:
    """What a transcript says when it is played, in a trio loop under this clock."""
    async with trio.open_nursery() as nursery:
        try:
            made = await Play(nursery, clock).play(text)
        finally:
            clock.rate = 100  # the end of a door waits for some time, and it need not be ours
        nursery.cancel_scope.cancel()
    return made


def rewrite() -> None:
    """Play every transcript and write down what is said now; `git diff` shows what is different."""
    for path in transcripts():
        clock = MockClock()
        text = path.read_text(encoding="utf-8")
        made = trio.run(played, text, clock, clock=clock)
        path.write_text(made, encoding="utf-8")
        sys.stdout.write(f"{path.name}{'' if made == text else ' is different'}\n")
