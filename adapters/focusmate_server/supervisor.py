"""The supervisor: starts the roles as processes, starts anew what dies, and ends with them."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence

import attrs

log = logging.getLogger(__name__)

READY = b"ready\n"
QUICK_S = 1.0
"""Who dies sooner after being ready, or before, died quickly."""
QUICK_DEATHS = 5
"""So many in a row end the supervisor: starting again does not help."""
FIRST_WAIT_S, LONGEST_WAIT_S = 0.1, 5.0
END_WITHIN_S = 6.0
"""How long a role is given to end, before it is killed."""


class Broken(Exception):
    """A role cannot be kept running; `code` is what the whole program ends with."""

    def __init__(self, role: str, code: int) -> None:
        super().__init__(f"{role} cannot be kept running")
        self.code = code


@attrs.define(eq=False)
class Role:
    """One role's process, over and over; its listening socket stays open in between."""

    name: str
    command: Sequence[str]
    listening: socket.socket
    process: asyncio.subprocess.Process | None = None
    ready: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def keep(self) -> None:
        """Start it again whenever it dies, until cancelled; `Broken` if that does not help."""
        quick = 0
        while True:
            code, lived = await self._once()
            if not self.ready.is_set():
                raise Broken(self.name, code)
            quick = quick + 1 if lived < QUICK_S else 0
            if quick >= QUICK_DEATHS:
                log.error("%s died %d times at once", self.name, quick)
                raise Broken(self.name, code)
            wait = min(FIRST_WAIT_S * 2**quick, LONGEST_WAIT_S)
            log.error("%s ended with %d; it is started again in %.1f s", self.name, code, wait)
            await asyncio.sleep(wait)

    async def _once(self) -> tuple[int, float]:
        """Run the process; its exit code, and for how many seconds it was ready."""
        self.process = process = await self._start()
        assert process.stdout is not None
        line = await process.stdout.readline()
        since = time.monotonic()
        if line == READY:
            log.info("%s is ready, process %d", self.name, process.pid)
            self.ready.set()
        code = await process.wait()
        return code, time.monotonic() - since if line == READY else 0.0

    async def _start(self) -> asyncio.subprocess.Process:
        # The role sees its input end when we are gone, however we went.
        number = self.listening.fileno()
        return await asyncio.create_subprocess_exec(
            *self.command,
            f"--listen-fd={number}",
            pass_fds=(number,),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )

    async def end(self) -> None:
        """Ask it to end, and kill it if it does not in time."""
        process = self.process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), END_WITHIN_S)
        if process.returncode is None:
            log.error("%s did not end within %d s and is killed", self.name, END_WITHIN_S)
            self.kill()
            await process.wait()

    def kill(self) -> None:
        """End it at once."""
        if self.process is not None and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()


async def supervise(roles: Sequence[Role], greet: Callable[[], None]) -> int:
    """Keep these running until a signal comes, or one of them cannot be; the exit code.

    `greet` is called once all are ready. They are ended last to first.
    """
    told = asyncio.Event()
    _on_signals(functools.partial(_end_or_kill, told, roles))
    keepers = [asyncio.create_task(role.keep()) for role in roles]
    greeter = asyncio.create_task(_greet(roles, greet))
    end = asyncio.create_task(told.wait())
    await asyncio.wait([end, *keepers], return_when=asyncio.FIRST_COMPLETED)
    for task in (end, greeter, *keepers):
        task.cancel()
    ends = await asyncio.gather(*keepers, greeter, return_exceptions=True)
    for role in reversed(roles):
        role.listening.close()
        await role.end()
    return max(_code(each) for each in ends)


def _end_or_kill(told: asyncio.Event, roles: Sequence[Role]) -> None:
    """The first signal asks, the second does not."""
    if told.is_set():
        for role in roles:
            role.kill()
    told.set()


def _code(end: BaseException | None) -> int:
    if isinstance(end, Broken):
        return end.code if end.code > 0 else 1
    if end is None or isinstance(end, asyncio.CancelledError):
        return 0
    raise end


async def _greet(roles: Sequence[Role], greet: Callable[[], None]) -> None:
    for role in roles:
        await role.ready.wait()
    greet()


def _on_signals(act: Callable[[], object]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, act)


def command_of(role: str, options: Sequence[str]) -> list[str]:
    """How a role is started as a process of its own."""
    # -P: what lies in the folder where it is started is not to be imported.
    return [sys.executable, "-P", "-m", "focusmate_server", "serve", role, "--supervised", *options]
