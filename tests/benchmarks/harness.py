"""Measures cases: every contender in turn, round after round, and each figure beside its peer's."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Protocol, Self

from tests.benchmarks.contenders import Contender, Server
from tests.benchmarks.cores import Cores
from tests.benchmarks.figures import spread
from tests.benchmarks.town import Town

Sample = dict[str, float]


@dataclass(frozen=True)
class Bar:
    """What the ratio ours ÷ peer must reach: at least, or at most."""

    ratio: float
    at_least: bool

    def met(self, ratio: float) -> bool:
        return ratio >= self.ratio if self.at_least else ratio <= self.ratio

    def __str__(self) -> str:
        return f"≥ {self.ratio:g} ×" if self.at_least else f"≤ 1/{1 / self.ratio:g}"


@dataclass(frozen=True)
class Figure:
    """One row: which number of a sample it shows, and what the peer's is held against."""

    key: str
    case: str
    unit: str
    bar: Bar | None = None
    limit: Callable[["Results"], str] = lambda _: ""


@dataclass(frozen=True)
class Pace:
    """How long and how often things are measured."""

    rounds: int
    warm_s: float
    measure_s: float


@dataclass(frozen=True)
class Place:
    """Where the measuring happens."""

    cores: Cores
    pace: Pace


@dataclass(frozen=True)
class Results:
    """The samples of every contender, in the order of the rounds, and why some have none."""

    samples: dict[str, list[Sample]]
    missing: dict[str, str]

    def of(self, name: str, key: str) -> list[float]:
        return [sample[key] for sample in self.samples.get(name, []) if key in sample]

    def middle(self, name: str, key: str) -> float | None:
        values = self.of(name, key)
        return median(values) if values else None


class Case(Protocol):
    """What is measured: who takes part, filled with whom, what one round is, what it shows."""

    name: str
    contenders: tuple[Contender, ...]
    figures: tuple[Figure, ...]

    def fill(self, town: Town) -> Any:
        """Make the people and rooms that a round needs."""

    def round(self, server: Server, filled: Any, place: Place) -> Sample:
        """Measure once."""


@dataclass
class Row:
    """One line of the table."""

    case: str
    unit: str
    ours: float | None
    peers: dict[str, float | None]
    limit: str
    ratio: float | None
    bar: str | None
    met: bool | None
    spread: dict[str, Any]
    notes: list[str] = field(default_factory=list)


class Arena:
    """The servers of a run, each started and filled once and frozen whenever it is not its turn."""

    def __init__(self, folder: Path, place: Place) -> None:
        self._folder = folder
        self._place = place
        self._stack = ExitStack()
        self._servers: dict[str, tuple[Server, Town]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def server(self, contender: Contender) -> tuple[Server, Town]:
        """Give a thawed server."""
        if contender.name not in self._servers:
            home = self._folder / contender.name.replace(" ", "_")
            home.mkdir(parents=True)
            server = Server(contender, home, self._place.cores)
            self._stack.callback(server.stop)
            self._servers[contender.name] = server, Town(server)
        server, town = self._servers[contender.name]
        server.thaw()
        return server, town

    def run(self, case: Case) -> list[Row]:
        """Measure every contender in every round, one after the other."""
        missing = {one.name: why for one in case.contenders if (why := one.missing())}
        present = [one for one in case.contenders if one.name not in missing]
        filled: dict[str, Any] = {}
        for contender in present:
            tell(f"{case.name}: filling {contender.name}")
            server, town = self.server(contender)
            filled[contender.name] = case.fill(town)
            server.freeze()
        results = Results({one.name: [] for one in present}, missing)
        for turn in range(self._place.pace.rounds):
            for contender in present:
                sample = self._once(case, contender, filled[contender.name])
                results.samples[contender.name].append(sample)
                shown = ", ".join(f"{key} {value:,.4g}" for key, value in sample.items())
                tell(f"{case.name}: round {turn + 1}, {contender.name}: {shown}")
        return list(rows(case, results))

    def _once(self, case: Case, contender: Contender, filled: Any) -> Sample:
        server, town = self.server(contender)
        try:
            town.renew()
            return case.round(server, filled, self._place)
        except RuntimeError:
            tell(server.log())
            raise
        finally:
            server.freeze()


def tell(line: str) -> None:
    """Show progress."""
    sys.stderr.write(line + "\n")


def rows(case: Case, results: Results) -> Iterator[Row]:
    """Make a case's lines; a ratio is the median of the rounds', each to the peer's beside it."""
    ours = next(one.name for one in case.contenders if one.role == "ours")
    peers = [one.name for one in case.contenders if one.role == "peer"]
    notes = _notes(case, results)
    for figure in case.figures:
        mine, theirs = results.of(ours, figure.key), results.of(peers[0], figure.key)
        ratios = [one / other for one, other in zip(mine, theirs, strict=False) if other]
        ratio = median(ratios) if ratios else None
        yield Row(
            case=figure.case,
            unit=figure.unit,
            ours=results.middle(ours, figure.key),
            peers={name: results.middle(name, figure.key) for name in peers},
            limit=figure.limit(results),
            ratio=ratio,
            bar=str(figure.bar) if figure.bar else None,
            met=figure.bar.met(ratio) if figure.bar and ratio is not None else None,
            spread=_spreads(
                {ours: mine, **{name: results.of(name, figure.key) for name in peers}}, ratios
            ),
            notes=notes,
        )


def _notes(case: Case, results: Results) -> list[str]:
    notes = [f"{name} is missing: {why}" for name, why in results.missing.items()]
    for key, who in (("generator_cpu", "load generator"), ("watchers_cpu", "watchers' process")):
        used = {name: max(results.of(name, key), default=0) for name in results.samples}
        shares = ", ".join(f"{name} {share:.0%}" for name, share in used.items() if share)
        if shares:
            notes.append(f"{case.name}: the {who} used at most, of its core, beside {shares}")
    return notes


def _spreads(values: dict[str, list[float]], ratios: Sequence[float]) -> dict[str, Any]:
    return {**{name: spread(given) for name, given in values.items()}, "ratio": spread(ratios)}
