"""Aside: a job that may be slow, done beside the executor in the one process that writes."""

from __future__ import annotations

import threading
from collections.abc import Callable

Told = Callable[[int | Exception], None]


class Aside:
    """`work` on a thread of its own, one at a time; what it writes takes the storage's own turn.

    Called while it runs it answers 0 at once: who asks comes again.
    """

    def __init__(
        self, name: str, work: Callable[[], int], after_commit: Callable[[], None]
    ) -> None:
        self._name = name
        self._work = work
        self._after_commit = after_commit
        self._turn = threading.Lock()

    def __call__(self, done: Told) -> None:
        """Begin; `done` gets how many it did, or its fault."""
        if not self._turn.acquire(blocking=False):
            done(0)
            return
        thread = threading.Thread(target=self._live, args=(done,), name=self._name, daemon=True)
        try:
            thread.start()
        except RuntimeError as full:
            self._turn.release()
            done(full)

    def wait(self, timeout: float) -> bool:
        """Take no more; whether what runs ended within so many seconds."""
        return self._turn.acquire(timeout=max(0.0, timeout))

    def _live(self, done: Told) -> None:
        try:
            count: int | Exception = self._work()
            if count:
                self._after_commit()
        except Exception as fault:  # noqa: BLE001  the worker logs it and tries again
            count = fault
        finally:
            self._turn.release()
        done(count)
