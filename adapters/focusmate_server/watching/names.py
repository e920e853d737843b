"""Names: what people are called, asked for one by one and remembered."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import trio

from focusmate_server.watching.line import Line, Lost, Refused
from focusmate_server.watching.words import printable

PASSING = {"answer_lost", "too_often", "unavailable"}
"""Refusals that say nothing of somebody's name: they are asked for again."""

SHORTEST_WAIT = 0.01


class Names:
    """Who is called how, as far as it is known; `ask` runs beside everything else."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}
        self._asked: dict[str, None] = {}
        """In order; nobody is asked for twice at a time."""
        self._nameless: set[str] = set()
        self._wanted = trio.Event()
        self._found = trio.Event()
        self.on_found: Callable[[], None] = _nothing

    def want(self, people: Iterable[str]) -> None:
        """Have these asked for."""
        for person_id in people:
            if person_id not in self.known and person_id not in self._nameless:
                self._asked[person_id] = None
        self._wanted.set()

    def forget_nameless(self) -> None:
        """Who had no name so far may have one by now."""
        self._nameless.clear()

    async def settled(self, people: Iterable[str], within: float) -> None:
        """Wait until these are known, or known to have none; not longer than so many seconds."""
        self.want(people)
        with trio.move_on_after(within):
            while any(each in self._asked for each in people):
                await self._found.wait()

    async def ask(self, line: Line) -> None:
        """Ask for whoever is wanted, as long as the line is there."""
        try:
            while True:
                for person_id in tuple(self._asked):
                    await self._ask_for(person_id, line)
                if not self._asked:
                    await self._wanted.wait()
                    self._wanted = trio.Event()
        except Lost as lost:
            line.drop(lost)

    async def _ask_for(self, person_id: str, line: Line) -> None:
        try:
            found = await line.ask("people.by_id", person_id=person_id)
            self.known[person_id] = printable(found.ok["username"])
        except Refused as no:
            if no.code in PASSING:
                await trio.sleep(max(SHORTEST_WAIT, float(no.params.get("retry_after", 1))))
                return
            self._nameless.add(person_id)
        self._asked.pop(person_id, None)
        self._found.set()
        self._found = trio.Event()
        self.on_found()


def _nothing() -> None:
    """Nobody waits."""
