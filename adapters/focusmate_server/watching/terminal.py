"""The terminal: draws the room, only what is new of it, and leaves everything as it was."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import termios
import threading
import tty
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from typing import Any

import trio

from focusmate_server.watching.clock import steady
from focusmate_server.watching.following import Watch
from focusmate_server.watching.room import Happened
from focusmate_server.watching.screen import Scene, drawn, pause_until_change
from focusmate_server.watching.who import CannotWatch

ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"
"""The other screen, no cursor, and lines that are too long are cut."""
LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l"
SHORTEST_PAUSE = 0.002
QUIT = b"qQ"
FALLBACK = (80, 24)
WRITTEN_WITHIN = 0.5
"""Seconds: a terminal that is stopped takes nothing, and may for long."""


class _Writer:
    """Writes in order on a thread of its own, which nothing waits for at the end."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._texts = queue.SimpleQueue[tuple[str, "Future[None]"]]()
        threading.Thread(target=self._run, daemon=True).start()

    def put(self, text: str) -> Future[None]:
        """Have it written after all before it."""
        done = Future[None]()
        self._texts.put((text, done))
        return done

    def _run(self) -> None:
        while True:
            text, done = self._texts.get()
            data = text.encode(errors="replace")
            try:
                while data:
                    data = data[os.write(self._file, data) :]
            except OSError as failed:
                done.set_exception(failed)
            else:
                done.set_result(None)


class Terminal:
    """Input and output of one terminal."""

    def __init__(self, keys: int, screen: int) -> None:
        self._keys = keys if os.isatty(keys) else None
        self._screen = screen
        self._writer = _Writer(screen)
        self._shown: list[str] = []
        self._mode: list[Any] | None = None

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """Take the terminal, and give it back whatever happens."""
        self.take()
        try:
            yield
        finally:
            self.give_back()

    def take(self) -> None:
        """Keys come at once and unseen; the other screen is shown."""
        if self._keys is not None:
            self._mode = termios.tcgetattr(self._keys)
            tty.setcbreak(self._keys, termios.TCSADRAIN)
        self._writer.put(ENTER)
        self._shown = []

    def give_back(self) -> None:
        """As it was before; a terminal that is gone needs nothing."""
        with contextlib.suppress(OSError):
            self._writer.put(LEAVE).result(WRITTEN_WITHIN)
        with contextlib.suppress(OSError, termios.error):
            if self._keys is not None and self._mode is not None:
                termios.tcsetattr(self._keys, termios.TCSANOW, self._mode)

    def forget(self) -> None:
        """What is shown is not known any more: the window has changed."""
        self._shown = []

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines."""
        try:
            width, height = os.get_terminal_size(self._screen)
        except OSError:
            return FALLBACK
        return (width or FALLBACK[0], height or FALLBACK[1])

    async def show(self, lines: list[str]) -> None:
        """Have these lines on the screen; only what differs is written."""
        said = "" if self._shown else "\x1b[2J"
        for row in range(max(len(lines), len(self._shown))):
            new = lines[row] if row < len(lines) else ""
            old = self._shown[row] if row < len(self._shown) else None
            if new != old:
                said += f"\x1b[{row + 1};1H{new}\x1b[K"
        self._shown = lines
        if said:
            await self._written(said)

    async def _written(self, text: str) -> None:
        done = self._writer.put(text)
        try:
            await trio.to_thread.run_sync(done.result, abandon_on_cancel=True)
        except OSError as failed:
            why = failed.strerror or str(failed)
            raise CannotWatch(f"the terminal cannot be written to: {why}") from None

    async def wait_for_quit(self) -> None:
        """Return when q is pressed; never where there are no keys."""
        while self._keys is not None:
            await trio.lowlevel.wait_readable(self._keys)
            pressed = os.read(self._keys, 100)
            if any(each in QUIT for each in pressed):
                return
            if not pressed:
                break
        await trio.sleep_forever()


class TerminalStage:
    """Shows a watched room on a terminal; `show` runs beside the watch."""

    def __init__(self, terminal: Terminal, *, has_styles: bool) -> None:
        self._terminal = terminal
        self._has_styles = has_styles
        self._changed = trio.Event()

    async def began(self, watch: Watch, *, is_new: bool) -> None:
        """Draw anew."""
        self._changed.set()

    async def happened(self, watch: Watch, frame: Mapping[str, Any], what: Happened) -> None:
        """Draw anew."""
        self._changed.set()

    async def recalled(self, watch: Watch) -> None:
        """Draw anew."""
        self._changed.set()

    async def lost(self, watch: Watch, wait: float) -> None:
        """Draw anew."""
        self._changed.set()

    async def show(self, watch: Watch) -> None:
        """Draw whenever something looks different."""
        watch.names.on_found = self._changed_names
        while True:
            pause = await self._draw(watch)
            with trio.move_on_after(float("inf") if pause is None else pause):
                await self._changed.wait()
                self._changed = trio.Event()

    def _changed_names(self) -> None:
        self._changed.set()

    async def _draw(self, watch: Watch) -> float | None:
        if not watch.is_known:
            await self._terminal.show([f" {watch.trouble or 'connecting …'}"])
            return None
        now = steady()
        scene = Scene(
            parts=watch.room.parts,
            now=watch.clock.at(now) if watch.clock.is_known else None,
            error=watch.clock.error_at(now) if watch.clock.is_known else 0,
            names=watch.names.known,
            happened=(*watch.past, *watch.happened),
            trouble=watch.trouble,
            has_styles=self._has_styles,
        )
        await self._terminal.show(drawn(scene, *self._terminal.size))
        pause = pause_until_change(scene)
        return None if pause is None else max(pause, SHORTEST_PAUSE)

    async def mind_the_window(self) -> None:
        """Draw anew when its size changes; give the terminal back while the program is stopped."""
        asked = (signal.SIGWINCH, signal.SIGTSTP, signal.SIGCONT)
        with trio.open_signal_receiver(*asked) as signals:
            async for each in signals:
                if each == signal.SIGTSTP:
                    self._terminal.give_back()
                    os.kill(os.getpid(), signal.SIGSTOP)
                    self._terminal.take()
                self._terminal.forget()
                self._changed.set()
