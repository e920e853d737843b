"""Codes that are told beforehand: the first is `code-1`."""

import itertools


class SequentialCodes:
    """Keeps the codes port but for chance: the same ones in every run."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def new(self) -> str:
        return f"code-{next(self._numbers)}"
