"""Start a load generator on its core, give it its plan, take its answer."""

import json
import subprocess
import sys
from typing import Any, Self

from tests.benchmarks import cores


class Generator:
    """One `tests.benchmarks.load.<name>` process."""

    def __init__(self, name: str, plan: dict[str, Any], where: frozenset[int] | None) -> None:
        self._name = name
        with cores.on(where):
            self._process = subprocess.Popen(
                [sys.executable, "-m", f"tests.benchmarks.load.{name}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        self.tell(json.dumps(plan))

    def tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """Wait for its next line of JSON."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the load generator {self._name} ended with {self._process.wait()}")
        heard: dict[str, Any] = json.loads(line)
        return heard

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.terminate()
        self._process.communicate()
