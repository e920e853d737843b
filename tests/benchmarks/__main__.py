"""Measure, print one table, write build/bench.json: `python -m tests.benchmarks [--quick]`."""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.cases import every_case
from tests.benchmarks.contenders import ROOT
from tests.benchmarks.cores import allow_many_files, chosen
from tests.benchmarks.harness import Arena, Pace, Place, Row
from tests.benchmarks.report import machine, page, write_docs, write_json

USUAL = Pace(rounds=5, warm_s=1.5, measure_s=5)
QUICK = Pace(rounds=2, warm_s=0.5, measure_s=1.5)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="two short rounds: shows that it works, proves nothing"
    )
    parser.add_argument("--rounds", type=int, help="how often each contender is measured")
    parser.add_argument("--case", action="append", help="only cases whose name holds this word")
    parser.add_argument(
        "--write-docs", action="store_true", help="put the table into docs/performance.md"
    )
    return parser.parse_args()


def main() -> None:
    """Run the chosen cases."""
    given = _arguments()
    pace = QUICK if given.quick else USUAL
    pace = Pace(given.rounds or pace.rounds, pace.warm_s, pace.measure_s)
    place = Place(chosen(), pace)
    cases = [
        case
        for case in every_case()
        if not given.case or any(word in case.name for word in given.case)
    ]
    allow_many_files()
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=build))
    rows: list[Row] = []
    with Arena(folder, place) as arena:
        for case in cases:
            rows += arena.run(case)
    shutil.rmtree(folder)
    facts = machine(place.cores.described(), pace.rounds)
    write_json(build / "bench.json", rows, facts)
    sys.stdout.write(page(rows, facts) + "\n")
    if given.write_docs:
        write_docs(ROOT / "docs" / "performance.md", page(rows, facts))


main()
