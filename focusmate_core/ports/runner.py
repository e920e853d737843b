"""The runner port: how an asynchronous door has a call executed without waiting in its loop."""

from typing import Protocol, TypeVar

from focusmate_core.calls import Call, Outcome

R = TypeVar("R")


class Runner(Protocol):
    """Prepares and runs a call, on whatever thread or process; never raises for a call.

    A call that is cancelled may still be carried out. When there is no room for more calls it
    answers `Unavailable` at once.
    """

    async def run(self, call: Call[R]) -> Outcome[R]:
        """What became of the call; not before it is committed."""
        ...
