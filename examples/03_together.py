"""Two people in one room of a running server, by HTTP and WebSocket: what each of them sees.

`python examples/03_together.py`, beside `focusmate serve`, takes a minute and a half: what is
shorter than a minute is no session. `--seconds=5` shows just that.
"""

import argparse
import json
import secrets
import urllib.request
from typing import Any, ClassVar, cast

import trio
import trio_websocket

Json = dict[str, Any]
LEAST = 75
"""In so many seconds Ben, who misses a sixth, gets more than the minute that a session needs."""

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("http", nargs="?", default="http://127.0.0.1:8000")
parser.add_argument("realtime", nargs="?", default="ws://127.0.0.1:8001/v1/ws")
parser.add_argument("--seconds", type=float, default=90, help="how long they focus")
asked = parser.parse_args()


def post(path: str, body: Json, token: str = "") -> Json:
    """Send a message by HTTP."""
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    content = json.dumps(body).encode()
    request = urllib.request.Request(asked.http + path, content, headers)  # noqa: S310
    with urllib.request.urlopen(request) as answer:  # noqa: S310  the server's own address
        return cast("Json", json.load(answer))


class Person:
    """Somebody with an account and a WebSocket, who says what they see."""

    names: ClassVar[dict[str, str]] = {}

    def __init__(self, name: str) -> None:
        login, password = f"{name}-{secrets.token_hex(4)}", secrets.token_urlsafe()
        account = {"email": f"{login}@example.org", "username": login, "password": password}
        self.id = post("/v1/accounts", account)["id"]
        self.token = post("/v1/tokens", {"login": login, "password": password})["access_token"]
        self.name = self.names[self.id] = name
        self.is_credited = trio.Event()
        self._answered, self._answers = trio.open_memory_channel[Json](1)

    async def live(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Be connected and hear: answers, and what happens on the streams one watches."""
        async with trio_websocket.open_websocket_url(asked.realtime) as self._socket:
            task_status.started()
            while True:
                frame = json.loads(await self._socket.get_message())
                if "type" in frame:
                    self.see(frame["type"], frame["data"])
                elif "id" in frame:
                    await self._answered.send(frame)

    async def ask(self, do: str, **fields: Any) -> Json:
        """Send one message and wait for its answer."""
        await self._socket.send_message(json.dumps({"id": 1, "do": do, "with": fields}))
        answer = await self._answers.receive()
        if "error" in answer:
            raise SystemExit(f"{self.name}: {do}: {answer['error']['detail']}")
        return cast("Json", answer["ok"])

    def see(self, kind: str, data: Json) -> None:
        """Say what happened, and to whom."""
        who = self.names.get(data.get("person_id") or data.get("by", ""), "")
        told = {
            "timer.completed": f"a break of {data.get('suggested_break')} would be good",
            "sessions.credited": data.get("session", {}).get("why"),
        }
        print(f"{self.name} sees {kind}", *filter(None, [who, told.get(kind)]), flush=True)
        if kind == "sessions.credited":
            self.is_credited.set()

    async def come(self, room_id: str) -> None:
        """Sit down in a room, and watch it and what is one's own."""
        await self.ask("sign_in", token=self.token)
        await self.ask("rooms.join", room_id=room_id)
        await self.ask("subscribe", stream=f"user:{self.id}")
        seen = await self.ask("subscribe", stream=f"room:{room_id}")
        here = [self.names[each["person_id"]] for each in seen["snapshot"]["presence"]]
        print(f"{self.name} finds {', '.join(sorted(here))}", flush=True)

    async def look_back(self) -> None:
        """Say that one is still there, so that it is known at once, and see what it was worth."""
        await self.ask("presence.report", is_idle=False)
        if asked.seconds >= LEAST:
            await self.is_credited.wait()
        for session in (await self.ask("sessions.history"))["items"]:
            print(f"{self.name} was credited {session['why']}", flush=True)
        if not self.is_credited.is_set():
            print(f"{self.name} has no session: it was less than a minute", flush=True)


async def focus() -> None:
    """Ada begins; Ben comes when a sixth of the time is over."""
    ada, ben = Person("Ada"), Person("Ben")
    room = post("/v1/rooms", {"name": "Together", "plan": {"kind": "flowtime"}}, ada.token)
    async with trio.open_nursery() as nursery:
        await nursery.start(ada.live)
        await ada.come(room["id"])
        await ada.ask("timer.start", room_id=room["id"])
        await trio.sleep(asked.seconds / 6)
        await nursery.start(ben.live)
        await ben.come(room["id"])
        await trio.sleep(asked.seconds * 5 / 6)
        await ada.ask("timer.complete", room_id=room["id"])
        await ada.look_back()
        await ben.look_back()
        nursery.cancel_scope.cancel()


trio.run(focus)
