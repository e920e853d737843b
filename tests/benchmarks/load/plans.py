"""What a load generator is told on its standard input and what it answers on its output."""

import json
import sys
import time
from typing import Any, TextIO


def read_plan(source: TextIO = sys.stdin) -> dict[str, Any]:
    """Take one line of JSON."""
    plan: dict[str, Any] = json.loads(source.readline())
    return plan


def say(**facts: object) -> None:
    """Write one line of JSON."""
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


class Share:
    """How much of a core this process has used since it was made."""

    def __init__(self) -> None:
        self._wall, self._used = time.monotonic(), time.process_time()

    def now(self) -> float:
        return (time.process_time() - self._used) / (time.monotonic() - self._wall)
