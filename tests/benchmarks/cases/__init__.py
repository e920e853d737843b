"""What `make bench` measures: each case is a `harness.Case`, and is listed here."""

from tests.benchmarks.cases.command_to_watchers import full_and_calm
from tests.benchmarks.cases.durable_writes import DurableWrites
from tests.benchmarks.harness import Case


def every_case() -> list[Case]:
    """Give all cases in the order of the table."""
    return [DurableWrites(), *full_and_calm()]
