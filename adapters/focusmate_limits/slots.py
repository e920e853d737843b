"""Slots: moving windows in memory that forget what is over, however many keys there are."""

from __future__ import annotations

import threading
import time
from typing import Any, NoReturn

from limits.storage import MovingWindowSupport, Storage

SLOTS = 64
"""A window counts in so many slots, so a busy key takes no more room than a quiet one."""
MOST_KEYS = 100_000
"""Above it those that came first are forgotten."""
FIRST_SWEEP = 1024


class _Window:
    """What counts for one key; a slot is until when it counts, and how many were taken in it."""

    __slots__ = ("count", "slots")

    def __init__(self) -> None:
        self.count = 0
        self.slots: list[list[Any]] = []

    def counts(self, now: float) -> bool:
        """Whether any of it counts."""
        return bool(self.slots) and self.slots[-1][0] > now

    def forget(self, now: float, expiry: int) -> None:
        """Forget what is over, and what lies ahead, since the machine's clock was set back."""
        while self.slots and not now < self.slots[0][0] <= now + 2 * expiry:
            self.count -= self.slots.pop(0)[1]


class SlotStorage(Storage, MovingWindowSupport):
    """A storage for the library's moving windows.

    Its own `MemoryStorage` keeps every key for ever, and starts a thread every 10 ms, which looks
    at all of them: a server cannot have either. Here one lock holds, and what is over is swept when
    the keys have doubled. A take counts until its slot is over: up to 1/64 of the span longer.
    """

    STORAGE_SCHEME = ["focusmate+slots"]  # noqa: RUF012  as the library declares it

    def __init__(self, uri: str | None = None, **options: float | str | bool) -> None:
        super().__init__(uri, wrap_exceptions=False, **options)
        self._lock = threading.Lock()
        self._windows: dict[str, _Window] = {}
        self._sweep_at = FIRST_SWEEP

    def __len__(self) -> int:
        return len(self._windows)

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count so many more, unless that is above the limit."""
        return self.spend(key, limit, expiry, amount)[0]

    def spend(self, key: str, limit: int, expiry: int, amount: int = 1) -> tuple[bool, int, float]:
        """The same, with what is left then, and in how many seconds something will be again."""
        now = time.time()
        with self._lock:
            window = self._windows.get(key) or self._new_window(key, now)
            slots = window.slots
            if slots and (slots[0][0] <= now or slots[0][0] > now + 2 * expiry):
                window.forget(now, expiry)
            passes = window.count + amount <= limit
            if passes:
                window.count += amount
                if slots and slots[-1][0] > now + expiry:
                    slots[-1][1] += amount
                else:
                    slots.append([now + expiry + expiry / SLOTS, amount])
            return passes, limit - window.count, slots[0][0] - now if slots else 0.0

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """When what counts first was taken, as far as that is known, and how much counts."""
        now = time.time()
        with self._lock:
            window = self._windows.get(key)
            if window is None:
                return now, 0
            window.forget(now, expiry)
            return (window.slots[0][0] if window.slots else now) - expiry, window.count

    def counted(self, key: str) -> list[tuple[float, int]]:
        """The slots of a key: until when each counts, and how many."""
        with self._lock:
            window = self._windows.get(key)
            return [(until, count) for until, count in window.slots] if window else []

    def _new_window(self, key: str, now: float) -> _Window:
        if len(self._windows) >= self._sweep_at:
            kept = {key: it for key, it in self._windows.items() if it.counts(now)}
            for former in list(kept)[: max(0, len(kept) - MOST_KEYS)]:
                del kept[former]
            self._windows = kept
            self._sweep_at = max(FIRST_SWEEP, 2 * len(kept))
        self._windows[key] = window = _Window()
        return window

    def clear(self, key: str) -> None:
        """Begin anew with this key."""
        with self._lock:
            self._windows.pop(key, None)

    def reset(self) -> int:
        """Begin anew with all keys; how many there were."""
        with self._lock:
            count = len(self._windows)
            self._windows.clear()
        return count

    def check(self) -> bool:
        """Memory is always there."""
        return True

    @property
    def base_exceptions(self) -> type[Exception]:
        """What may be raised."""
        return NotImplementedError

    def incr(self, key: str, expiry: int, amount: int = 1) -> NoReturn:
        """Not here: this is for moving windows only."""
        raise NotImplementedError

    def get(self, key: str) -> NoReturn:
        """Not here: this is for moving windows only."""
        raise NotImplementedError

    def get_expiry(self, key: str) -> NoReturn:
        """Not here: this is for moving windows only."""
        raise NotImplementedError
