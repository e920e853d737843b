"""Timer start and pause over HTTP, token checked, durable, by 32 connections that never rest."""

import json
import subprocess
import sys
from pathlib import Path

from tests.benchmarks import cores
from tests.benchmarks.contenders import (
    BARE,
    EMPTY_ASGI,
    ORIGINAL_STACK,
    ORIGINAL_STACK_POOLED,
    OURS,
    Contender,
    Server,
)
from tests.benchmarks.harness import Bar, Figure, Place, Results, Sample
from tests.benchmarks.load.generator import Generator
from tests.benchmarks.town import Person, Town

CONNECTIONS = 32
CASE = "durable writes: timer pause/resume over HTTP, 32 connections"


def _rate_limits(results: Results) -> str:
    asgi, bare = results.middle(EMPTY_ASGI.name, "rate"), results.middle(BARE.name, "rate")
    commits = results.middle(BARE.name, "commits")
    parts = (
        (asgi, "empty ASGI requests/s"),
        (bare, "at the generator's best"),
        (commits, "commits/s"),
    )
    return "; ".join(f"{rate:,.0f} {what}" for rate, what in parts if rate)


def _wait_limits(results: Results) -> str:
    asgi = results.middle(EMPTY_ASGI.name, "p99_ms")
    return f"{asgi or 0:.1f} ms for an empty ASGI request"


class DurableWrites:
    """Each connection is one person who pauses and resumes the timer of a room of their own."""

    name = "durable writes"
    contenders: tuple[Contender, ...] = (
        OURS,
        ORIGINAL_STACK,
        ORIGINAL_STACK_POOLED,
        EMPTY_ASGI,
        BARE,
    )
    figures: tuple[Figure, ...] = (
        Figure("rate", CASE, "writes/s", Bar(15, at_least=True), _rate_limits),
        Figure("p99_ms", f"{CASE}: p99", "ms", Bar(1 / 40, at_least=False), _wait_limits),
        Figure("p50_ms", f"{CASE}: p50", "ms"),
    )

    def fill(self, town: Town) -> list[Person]:
        return town.people(CONNECTIONS)

    def round(self, server: Server, filled: list[Person], place: Place) -> Sample:
        plan = {
            "port": server.http_port,
            "people": filled,
            "before": [f"/v1/rooms/{{room}}/timer/{verb}" for verb in ("reset", "start")],
            "paths": [f"/v1/rooms/{{room}}/timer/{verb}" for verb in ("pause", "resume")],
            "warm_s": place.pace.warm_s,
            "measure_s": place.pace.measure_s,
        }
        with Generator("closed_loop", plan, place.cores.commands) as generator:
            heard = generator.hear()
        if heard["failures"]:
            raise RuntimeError(f"{heard['failures']} writes failed: {heard['failed_with']}")
        sample = {key: heard[key] for key in ("rate", "p50_ms", "p99_ms", "generator_cpu")}
        if server.contender is BARE:
            sample["commits"] = _commits(server.home, place)
        return sample


def _commits(folder: Path, place: Place) -> float:
    command = [sys.executable, "-m", "tests.benchmarks.peers.bare.commits", "--folder", str(folder)]
    with cores.on(place.cores.server):
        said = subprocess.run(command, check=True, capture_output=True)
    return float(json.loads(said.stdout)["rate"])
