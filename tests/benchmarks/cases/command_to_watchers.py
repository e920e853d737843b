"""A command's way to the last of 1,000 watchers, while others command by both doors or sign in."""

import time
from dataclasses import asdict, dataclass
from typing import Any

from tests.benchmarks.contenders import BARE, ORIGINAL_STACK, OURS, Contender, Server
from tests.benchmarks.figures import percentile
from tests.benchmarks.harness import Bar, Figure, Place, Results, Sample
from tests.benchmarks.load.generator import Generator
from tests.benchmarks.town import Person, Town

WATCHERS = 1_000
WATCHING_PEOPLE = 100
COMMANDING_PEOPLE = 16
SETTLE_S = 2
SEED = 20_260_101


@dataclass(frozen=True)
class Load:
    """How many of each a second, and what the rows say of it."""

    http: float
    websocket: float
    sign_ins: float
    watched: float
    words: str


FULL = Load(100, 100, 10, 10, "beside 200 commands/s and 10 sign-ins/s")
CALM = Load(10, 10, 0, 5, "beside 20 commands/s")


def _fan_out_limit(key: str) -> Any:
    return lambda results: (
        f"{results.middle(BARE.name, key) or 0:.1f} ms with nothing stored or checked"
    )


def _offered(results: Results) -> str:
    done = [f"{name} {results.middle(name, 'sign_ins') or 0:.1f}/s" for name in results.samples]
    return "answered: " + ", ".join(done)


def _figures(words: str, bar: Bar | None) -> tuple[Figure, ...]:
    case = f"command → frame at the last of 1,000 watchers, {words}"
    said = f"answers to commands, {words}"
    shown = (
        ("last_p99_ms", f"{case}: p99", bar),
        ("last_p50_ms", f"{case}: p50", None),
        ("http_p99_ms", f"{said}, by HTTP: p99", None),
        ("websocket_p99_ms", f"{said}, by WebSocket: p99", None),
    )
    return tuple(Figure(key, row, "ms", held, _fan_out_limit(key)) for key, row, held in shown)


class CommandToWatchers:
    """One watched room, 32 others: half commanded by HTTP, half by WebSocket."""

    contenders: tuple[Contender, ...] = (OURS, ORIGINAL_STACK, BARE)

    def __init__(self, name: str, load: Load, bar: Bar | None, *more: Figure) -> None:
        self.name = name
        self._load = load
        self.figures: tuple[Figure, ...] = (*_figures(load.words, bar), *more)

    def fill(self, town: Town) -> dict[str, Any]:
        everybody = town.people(1 + 2 * COMMANDING_PEOPLE + WATCHING_PEOPLE)
        host, rest = everybody[0], everybody[1:]
        watching = rest[2 * COMMANDING_PEOPLE :]
        town.join(watching, host["room"])
        return {
            "watched": host,
            "by_http": rest[:COMMANDING_PEOPLE],
            "by_websocket": rest[COMMANDING_PEOPLE : 2 * COMMANDING_PEOPLE],
            "sign_ins": watching,
        }

    def round(self, server: Server, filled: dict[str, Any], place: Place) -> Sample:
        host: Person = filled["watched"]
        seen_by = {
            "port": server.realtime_port,
            "stream": f"room:{host['room']}",
            "tokens": [person["token"] for person in filled["sign_ins"]],
            "watchers": WATCHERS,
        }
        plan = {
            "http_port": server.http_port,
            "realtime_port": server.realtime_port,
            "rates": asdict(self._load),
            "seed": SEED,
            "warm_s": place.pace.warm_s,
            "measure_s": 2 * place.pace.measure_s,
            **filled,
        }
        with Generator("watchers", seen_by, place.cores.watchers) as crowd:
            crowd.hear()
            with Generator("open_loop", plan, place.cores.commands) as commands:
                done = commands.hear()
            time.sleep(SETTLE_S)
            crowd.tell("enough")
            seen = crowd.hear()
        return _sample(done, seen)


def _sample(done: dict[str, Any], seen: dict[str, Any]) -> Sample:
    for door in ("http", "websocket"):
        if done[door]["failures"]:
            raise RuntimeError(
                f"{done[door]['failures']} commands by {door} failed: {done[door]['failed_with']}"
            )
    took = sorted(_waits(done["watched"], seen))
    return {
        "last_p50_ms": percentile(took, 50),
        "last_p99_ms": percentile(took, 99),
        "http_p50_ms": done["http"]["p50_ms"],
        "http_p99_ms": done["http"]["p99_ms"],
        "websocket_p50_ms": done["websocket"]["p50_ms"],
        "websocket_p99_ms": done["websocket"]["p99_ms"],
        "sign_in_p99_ms": done["sign_ins"]["p99_ms"],
        "sign_ins": done["sign_ins"]["answered"] / done["lasted"],
        "events": len(took),
        "generator_cpu": done["generator_cpu"],
        "watchers_cpu": seen["generator_cpu"],
    }


def _waits(sent: list[tuple[int, str]], seen: dict[str, Any]) -> list[float]:
    events = seen["events"][-len(sent) :]
    short = [event for event in events if event[2] != seen["watchers"]]
    if seen["lost"] or short or len(events) < len(sent):
        raise RuntimeError(
            f"{seen['lost']} watchers lost, {len(events)} events of {len(sent)}, short: {short[:3]}"
        )
    return [(event[3] - left_ns) / 1e6 for (left_ns, _), event in zip(sent, events, strict=True)]


def full_and_calm() -> tuple[CommandToWatchers, CommandToWatchers]:
    """The case as the bar has it, and a load under which nobody's queue grows."""
    sign_ins = Figure("sign_in_p99_ms", f"sign-ins {FULL.words}: p99", "ms", None, _offered)
    return (
        CommandToWatchers("command to watchers", FULL, Bar(1 / 4, at_least=False), sign_ins),
        CommandToWatchers("command to watchers, calm", CALM, None),
    )
