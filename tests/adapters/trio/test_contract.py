"""The WebSocket door keeps the contract of all doors."""

from __future__ import annotations

import threading
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio

from focusmate_core.testing.conformance.door import DoorContract
from focusmate_core.testing.runner import InlineRunner
from focusmate_trio import listen, serve
from tests.adapters.trio.kit import QUICK, Client, connected


class WebSocketDoor:
    """Each message on a connection of its own, from a test that knows no loop."""

    def __init__(self, port: int, token: trio.lowlevel.TrioToken) -> None:
        self._port = port
        self._token = token

    def send(self, wire, data, *, token=None, key=None):
        send = partial(self._send, wire, data, token, key)
        return trio.from_thread.run(send, trio_token=self._token)

    async def _send(self, wire, data, token, key):
        async with connected(self._port) as client:
            if token is not None:
                answer = await client.ask("sign_in", token=token)
                if "error" in answer:
                    return "error", answer["error"]
            return await _told(client, wire, data, key)


async def _told(client: Client, wire, data, key):
    frame = {"id": 1_000, "do": wire, "with": data}
    await client.send(frame if key is None else {**frame, "key": key})
    answer = await client.hear()
    assert answer.pop("id") == 1_000
    ((how, told),) = answer.items()
    return how, told


@asynccontextmanager
async def _serving(engine):
    async with trio.open_nursery() as nursery:
        door = partial(
            serve,
            engine,
            InlineRunner(engine),
            listeners=listen("127.0.0.1", 0),
            settings=QUICK,
        )
        ((_, port),) = await nursery.start(door)
        yield port
        nursery.cancel_scope.cancel()


class TestWebSocketDoor(DoorContract):
    @pytest.fixture
    def door(self, engine):
        opened, over = threading.Event(), None
        made = []

        async def live():
            nonlocal over
            over = trio.Event()
            async with _serving(engine) as port:
                made.append(WebSocketDoor(port, trio.lowlevel.current_trio_token()))
                opened.set()
                await over.wait()

        thread = threading.Thread(target=trio.run, args=(live,))
        thread.start()
        assert opened.wait(10)
        yield made[0]
        trio.from_thread.run_sync(over.set, trio_token=made[0]._token)
        thread.join()
