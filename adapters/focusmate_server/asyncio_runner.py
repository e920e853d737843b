"""The executor's runner for doors on an asyncio loop."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

from focusmate_core.calls import Call, Outcome
from focusmate_server.executor import Executor

R = TypeVar("R")


class AsyncioRunner:
    """`Runner` for the loop it is made on: one wake-up of the loop a batch."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._loop = asyncio.get_running_loop()
        # One bound method for all calls: the executor tells callers of one loop together by it.
        self._wake = self._loop.call_soon_threadsafe

    async def run(self, call: Call[R]) -> Outcome[R]:
        """What became of the call; not before it is committed."""
        future: asyncio.Future[Outcome[Any]] = self._loop.create_future()

        def done(outcome: Outcome[Any]) -> None:
            if not future.done():
                future.set_result(outcome)

        self._executor.submit(call, done, self._wake)
        return await future
