"""Commands at a steady rate by both doors, sign-ins, and one watched room's commands one by one."""

import asyncio
import itertools
import json
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop

from tests.benchmarks.figures import percentile
from tests.benchmarks.load.doors import Answer, HttpDoor, WebSocketDoor, websocket
from tests.benchmarks.load.keepalive import request
from tests.benchmarks.load.plans import Share, read_plan, say

AT_ONCE = 20


class Tally:
    """Answer times of one kind of request, from the instant it was due to leave."""

    def __init__(self) -> None:
        self.took: list[float] = []
        self.failures: list[str] = []
        self.asked = 0

    async def of(self, answered: Awaitable[Answer]) -> None:
        began = time.perf_counter()
        self.asked += 1
        good, said = await answered
        if good:
            self.took.append(time.perf_counter() - began)
        else:
            self.failures.append(said)

    def summary(self) -> dict[str, Any]:
        took = sorted(self.took)
        return {
            "asked": self.asked,
            "answered": len(took),
            "p50_ms": percentile(took, 50) * 1000,
            "p99_ms": percentile(took, 99) * 1000,
            "failures": len(self.failures),
            "failed_with": self.failures[:3],
        }


Send = Callable[[], Awaitable[Answer]]


class Toggler:
    """One room's pause and resume in turn, by either door."""

    def __init__(self, person: dict[str, Any], http: HttpDoor, door: WebSocketDoor | None) -> None:
        self._http, self._door = http, door
        self._room = person["room"]
        self._verbs = itertools.cycle(("pause", "resume"))
        self._asked = {
            verb: request("POST", f"/v1/rooms/{self._room}/timer/{verb}", person["token"])
            for verb in ("reset", "start", "pause", "resume")
        }

    async def begin(self) -> None:
        for verb in ("reset", "start"):
            good, said = await self._http.ask(self._asked[verb])
            if not good:
                raise RuntimeError(f"could not begin: {said}")

    def by_http(self) -> Awaitable[Answer]:
        return self._http.ask(self._asked[next(self._verbs)])

    def by_websocket(self) -> Awaitable[Answer]:
        assert self._door is not None
        return self._door.ask(f"timer.{next(self._verbs)}", {"room_id": self._room})

    def close(self) -> None:
        self._http.close()
        if self._door:
            self._door.close()


async def paced(
    per_second: float, until: float, chance: random.Random, sends: list[Send], tally: Tally
) -> None:
    """Send at a jittered steady rate whether or not the answers come, then wait for them."""
    if not per_second:
        return
    answers = set()
    slot = 1 / per_second
    began = time.perf_counter()
    for turn in itertools.count():
        due = began + (turn + chance.random()) * slot
        if due >= until:
            break
        await asyncio.sleep(due - time.perf_counter())
        answers.add(asyncio.ensure_future(tally.of(sends[turn % len(sends)]())))
    await asyncio.gather(*answers)


async def one_by_one(per_second: float, until: float, room: Toggler) -> list[tuple[int, str]]:
    """Command the watched room by both doors in turn, each once the one before was answered."""
    sent: list[tuple[int, str]] = []
    due = time.perf_counter()
    for send, door in itertools.cycle(((room.by_http, "http"), (room.by_websocket, "websocket"))):
        due = max(due + 1 / per_second, time.perf_counter())
        if due >= until:
            return sent
        await asyncio.sleep(due - time.perf_counter())
        left_ns = time.monotonic_ns()
        good, said = await send()
        if not good:
            raise RuntimeError(f"the watched room refused: {said}")
        sent.append((left_ns, door))
    raise AssertionError


class SignIns:
    """A bounded crowd: who finds twenty waiting goes away and is counted as turned back."""

    def __init__(self, doors: list[HttpDoor], people: list[dict[str, Any]]) -> None:
        self._free = deque(doors)
        self._people = itertools.cycle(people)
        self.turned_back = 0

    async def send(self) -> Answer:
        if not self._free:
            self.turned_back += 1
            return False, "turned back"
        door, person = self._free.popleft(), next(self._people)
        body = json.dumps({"login": person["login"], "password": person["password"]}).encode()
        try:
            return await door.ask(request("POST", "/v1/tokens", None, body))
        finally:
            self._free.append(door)


class Everybody:
    """All who take part in one round, connected."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.plan = plan
        self.by_http: list[Toggler] = []
        self.by_websocket: list[Toggler] = []
        self.desk: SignIns
        self.watched: Toggler

    async def connect(self) -> None:
        plan = self.plan
        for person in plan["by_http"]:
            self.by_http.append(Toggler(person, self._http(), None))
        for person in plan["by_websocket"]:
            self.by_websocket.append(await self._both(person))
        self.watched = await self._both(plan["watched"])
        self.desk = SignIns([self._http() for _ in range(AT_ONCE)], plan["sign_ins"])
        for toggler in (*self.by_http, *self.by_websocket, self.watched):
            await toggler.begin()

    def _http(self) -> HttpDoor:
        return HttpDoor(self.plan["http_port"])

    async def _both(self, person: dict[str, Any]) -> Toggler:
        return Toggler(
            person, self._http(), await websocket(self.plan["realtime_port"], person["token"])
        )

    def close(self) -> None:
        for toggler in (*self.by_http, *self.by_websocket, self.watched):
            toggler.close()


async def run(plan: dict[str, Any]) -> dict[str, Any]:
    """Follow the plan {http_port, realtime_port, rates, measure_s, warm_s, seed, who does what}."""
    everybody = Everybody(plan)
    await everybody.connect()
    await _load(everybody, plan["warm_s"], random.Random(plan["seed"]))
    share = Share()
    result = await _load(everybody, plan["measure_s"], random.Random(plan["seed"] + 1))
    result["generator_cpu"] = share.now()
    everybody.close()
    return result


async def _load(everybody: Everybody, lasts: float, chance: random.Random) -> dict[str, Any]:
    rates = everybody.plan["rates"]
    until = time.perf_counter() + lasts
    http, websockets, sign_ins = Tally(), Tally(), Tally()
    everybody.desk.turned_back = 0
    watched, *_ = await asyncio.gather(
        one_by_one(rates["watched"], until, everybody.watched),
        paced(rates["http"], until, chance, [room.by_http for room in everybody.by_http], http),
        paced(
            rates["websocket"],
            until,
            chance,
            [room.by_websocket for room in everybody.by_websocket],
            websockets,
        ),
        paced(rates["sign_ins"], until, chance, [everybody.desk.send], sign_ins),
    )
    return {
        "watched": watched,
        "http": http.summary(),
        "websocket": websockets.summary(),
        "sign_ins": {**sign_ins.summary(), "turned_back": everybody.desk.turned_back},
        "lasted": time.perf_counter() - until + lasts,
    }


if __name__ == "__main__":
    say(**uvloop.run(run(read_plan())))
