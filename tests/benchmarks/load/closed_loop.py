"""Everybody asks again once answered: how much a server does, and how long the last wait."""

import asyncio
from time import perf_counter
from typing import Any

import uvloop

from tests.benchmarks.figures import percentile
from tests.benchmarks.load.keepalive import KeepAlive, connect, request
from tests.benchmarks.load.plans import Share, read_plan, say

SUCCESS = range(200, 300)


class Asker:
    """One connection going round its requests for ever, keeping the time of each answer."""

    def __init__(self, client: KeepAlive, requests: list[bytes]) -> None:
        self._client = client
        self._requests = requests
        self._turn = 0
        self._asked_at = 0.0
        self._ending = False
        self._ended = asyncio.Event()
        self.counting = False
        self.took: list[float] = []
        self.failures: list[str] = []

    def ask(self) -> None:
        asked = self._requests[self._turn % len(self._requests)]
        self._turn += 1
        self._asked_at = perf_counter()
        self._client.ask(asked, self._answered)

    def _answered(self, status: int, body: bytes) -> None:
        if status not in SUCCESS:
            self.failures.append(f"{status} {body[:200].decode(errors='replace')}")
        elif self.counting:
            self.took.append(perf_counter() - self._asked_at)
        if self._ending or not status:
            self._ended.set()
        else:
            self.ask()

    async def end(self) -> None:
        """Wait for the last answer, so that nothing of this round runs in the next."""
        self._ending = True
        await self._ended.wait()
        self._client.close()


async def _reset(client: KeepAlive, first: list[bytes]) -> None:
    for asked in first:
        answered: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
        client.ask(asked, lambda *answer, answered=answered: answered.set_result(answer))
        status, body = await answered
        if status not in SUCCESS:
            raise RuntimeError(f"could not begin: {status} {body!r}")


def _requests(person: dict[str, Any], paths: list[str]) -> list[bytes]:
    return [request("POST", path.format(**person), person["token"]) for path in paths]


async def run(plan: dict[str, Any]) -> dict[str, Any]:
    """Drive one server by the plan {port, people, before, paths, warm_s, measure_s}."""
    askers = []
    for person in plan["people"]:
        client = await connect(plan["port"])
        await _reset(client, _requests(person, plan["before"]))
        askers.append(Asker(client, _requests(person, plan["paths"])))
    for asker in askers:
        asker.ask()
    await asyncio.sleep(plan["warm_s"])
    share, began = Share(), perf_counter()
    for asker in askers:
        asker.counting = True
    await asyncio.sleep(plan["measure_s"])
    lasted, cpu = perf_counter() - began, share.now()
    for asker in askers:
        asker.counting = False
    await asyncio.gather(*(asker.end() for asker in askers))
    return _summary(askers, lasted, cpu)


def _summary(askers: list[Asker], lasted: float, cpu: float) -> dict[str, Any]:
    took = sorted(moment for asker in askers for moment in asker.took)
    failures = [failure for asker in askers for failure in asker.failures]
    return {
        "rate": len(took) / lasted,
        "p50_ms": percentile(took, 50) * 1000,
        "p99_ms": percentile(took, 99) * 1000,
        "generator_cpu": cpu,
        "failures": len(failures),
        "failed_with": failures[:3],
    }


if __name__ == "__main__":
    say(**uvloop.run(run(read_plan())))
