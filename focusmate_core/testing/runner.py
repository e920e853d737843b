"""A runner for tests: each call at once, where it is asked for."""

from __future__ import annotations

from typing import TypeVar

from focusmate_core.calls import Call, Outcome
from focusmate_core.engine import Engine

R = TypeVar("R")


class InlineRunner:
    """`Runner` without threads: the loop that asks also does the work."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def run(self, call: Call[R]) -> Outcome[R]:
        """What became of the call."""
        return self._engine.outcome(call)
