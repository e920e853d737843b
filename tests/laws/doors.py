"""Every door that there is, each over a town of its own, spoken to in the same way."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import threading
from collections.abc import Iterator
from functools import partial

import trio

from focusmate_core import Engine
from focusmate_core.testing.clock import FakeClock
from focusmate_core.testing.conformance.door import Door, PythonDoor, bundled_engine
from focusmate_core.testing.runner import InlineRunner
from focusmate_falcon import create_app
from focusmate_server.doing import CommandDoor, Who
from focusmate_trio import DoorSettings, listen, serve
from tests.adapters.falcon.test_contract import ByName, ByRoute
from tests.adapters.trio.kit import Client, connected
from tests.server.test_doing import as_words

PATIENT = DoorSettings(command_burst=10_000, frame_burst=10_000)


class Commands:
    """`focusmate do`, in this process: words where they can say it, else JSON on the input."""

    def __init__(self, engine: Engine) -> None:
        self._door = CommandDoor(engine)

    def send(self, wire, data, *, token=None, key=None):
        words = as_words(wire, data)
        out, err, given = io.StringIO(), io.StringIO(), io.BytesIO(json.dumps(data).encode())
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), _input(given):
            asked = ["-"] if words is None else words
            code = self._door.do(wire, asked, who=Who(token=token), key=key)
        return ("error", json.loads(err.getvalue())) if code else ("ok", json.loads(out.getvalue()))


@contextlib.contextmanager
def _input(given: io.BytesIO) -> Iterator[None]:
    former, sys.stdin = sys.stdin, io.TextIOWrapper(given)
    try:
        yield
    finally:
        sys.stdin = former


class WebSocket:
    """Each person on one connection, each stranger on another, from a thread that knows no loop.

    One, because a person over several is idle only when all of them say so: a thing that the other
    doors, which keep no connections, cannot say.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._kept: dict[str, Client] = {}
        self._asked, self._asks = trio.open_memory_channel(0)
        self._is_over = trio.Event()
        self.trio_token = trio.lowlevel.current_trio_token()

    def send(self, wire, data, *, token=None, key=None):
        asked = (wire, data, token, key)
        return trio.from_thread.run(self._answer_to, asked, trio_token=self.trio_token)

    async def _answer_to(self, asked):
        answered, answer = trio.open_memory_channel(1)
        await self._asked.send((asked, answered))
        return await answer.receive()

    async def live(self) -> None:
        """Answer what is asked, in the one task that opens connections and closes them."""
        async with contextlib.AsyncExitStack() as connections:
            async for asked, answered in self._asks:
                await answered.send(await self._send(connections, *asked))
        self._is_over.set()

    async def _hang_up(self) -> None:
        self._asked.close()
        await self._is_over.wait()

    def close(self) -> None:
        """Let everybody hang up while the door still answers that."""
        trio.from_thread.run(self._hang_up, trio_token=self.trio_token)

    async def _send(self, connections, wire, data, token, key):
        async with connected(self._port) as stranger:
            if token is None:
                return await self._say(stranger, wire, data, key)
            signed_in = await stranger.ask("sign_in", token=token)
        if "error" in signed_in:
            return "error", signed_in["error"]
        client = await self._kept_for(signed_in["ok"]["person_id"], token, connections)
        return await self._say(client, wire, data, key)

    async def _kept_for(self, person_id, token, connections) -> Client:
        if person_id not in self._kept:
            opened = await connections.enter_async_context(connected(self._port))
            self._kept[person_id] = opened
        await self._kept[person_id].get("sign_in", token=token)
        return self._kept[person_id]

    async def _say(self, client, wire, data, key):
        frame = {"id": 7, "do": wire, "with": data}
        await client.send(frame if key is None else {**frame, "key": key})
        answer = await client.hear()
        # What cannot be read has no number.
        assert answer.pop("id") == (None if _is_malformed(answer) else 7)
        ((how, told),) = answer.items()
        return how, told


def _is_malformed(answer) -> bool:
    return answer.get("error", {}).get("code") == "malformed"


@contextlib.contextmanager
def _web_socket(engine: Engine) -> Iterator[Door]:
    """The WebSocket door on loopback, its loop in a thread of its own."""
    opened: list[WebSocket] = []
    is_open, scope = threading.Event(), trio.CancelScope()

    async def live() -> None:
        with scope:
            async with trio.open_nursery() as nursery:
                door = partial(serve, engine, InlineRunner(engine), settings=PATIENT)
                ((_, port),) = await nursery.start(partial(door, listeners=listen("127.0.0.1", 0)))
                opened.append(WebSocket(port))
                nursery.start_soon(opened[0].live)
                is_open.set()

    thread = threading.Thread(target=trio.run, args=(live,))
    thread.start()
    try:
        assert is_open.wait(30), "the WebSocket door does not open"
        yield opened[0]
    finally:
        if opened:
            opened[0].close()
            trio.from_thread.run_sync(scope.cancel, trio_token=opened[0].trio_token)
        thread.join()


def _http(how: type[ByName], engine: Engine) -> Door:
    return how(create_app(engine, InlineRunner(engine)))


@contextlib.contextmanager
def all_doors() -> Iterator[dict[str, tuple[Door, Engine]]]:
    """Each door by name, with the engine behind it: all alike, down to the ids they will give."""
    engines = {
        name: bundled_engine(FakeClock())
        for name in ("python", "http by name", "http by route", "web socket", "command line")
    }
    with _web_socket(engines["web socket"]) as web_socket:
        doors = {
            "python": PythonDoor(engines["python"]),
            "http by name": _http(ByName, engines["http by name"]),
            "http by route": _http(ByRoute, engines["http by route"]),
            "web socket": web_socket,
            "command line": Commands(engines["command line"]),
        }
        yield {name: (doors[name], engines[name]) for name in engines}
