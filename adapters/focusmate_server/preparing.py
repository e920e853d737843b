"""Preparing: slow steps in a bounded pool of threads, in turns between those who ask."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

T = TypeVar("T")

WAITING = 32
"""How many may wait for one thread."""


class Turns(Generic[T]):
    """What waits, each of whom has a turn after all others; thread-safe."""

    def __init__(self, most: int, most_of_one: int) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._count = 0
        self._by_whom: dict[str, deque[T]] = {}
        self._lock = threading.Lock()

    def put(self, who: str, item: T) -> bool:
        """Wait for a turn; False, at once, where there is no room for all, or for this one."""
        with self._lock:
            mine = self._by_whom.get(who)
            if self._count >= self._most or (mine and len(mine) >= self._most_of_one):
                return False
            self._by_whom.setdefault(who, deque()).append(item)
            self._count += 1
            return True

    def take(self) -> T:
        """Whose turn it is; LookupError where nobody waits."""
        with self._lock:
            who = next(iter(self._by_whom), None)
            if who is None:
                raise LookupError("nobody waits")
            mine = self._by_whom.pop(who)
            self._count -= 1
            item = mine.popleft()
            if mine:
                self._by_whom[who] = mine
            return item


class Pool(Generic[T]):
    """Threads that prepare what waits; half of the room at the most is one asker's.

    `prepare` is called on a thread of the pool; `refuse` for what is still waiting at the end.
    """

    def __init__(
        self, threads: int, prepare: Callable[[T], None], refuse: Callable[[T], None]
    ) -> None:
        room = threads * WAITING
        self._turns: Turns[T] = Turns(room, room // 2)
        self._prepare = prepare
        self._refuse = refuse
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="focusmate-prepare")
        self._futures: set[Future[None]] = set()

    def submit(self, who: str, item: T) -> None:
        """Have it prepared when its turn comes; refused at once where there is no room."""
        if not self._turns.put(who, item):
            self._refuse(item)
            return
        try:
            future = self._threads.submit(self._take_a_turn)
        except RuntimeError:
            # The pool is shut down: the process is about to end.
            self._refuse(self._turns.take())
            return
        self._futures.add(future)
        future.add_done_callback(self._done)

    def close(self, timeout: float) -> None:
        """Take no more; what still waits after so many seconds is refused."""
        self._threads.shutdown(wait=False)
        wait(tuple(self._futures), timeout)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _take_a_turn(self) -> None:
        self._prepare(self._turns.take())

    def _done(self, future: Future[None]) -> None:
        self._futures.discard(future)
        if future.cancelled():
            self._refuse(self._turns.take())
