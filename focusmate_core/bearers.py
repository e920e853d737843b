"""Bearers: who a token stands for, remembered for seconds, since a sign-in may end any moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from focusmate_core import codec
from focusmate_core.messages import Actor
from focusmate_core.outbox import Fresh
from focusmate_core.ports.clock import Clock
from focusmate_core.refusals import NotSignedIn
from focusmate_core.registry import Registry

REMEMBERED_TOKENS = 10_000
LOOKS_AGAIN = 5.0
"""Seconds after which a token is looked at again: what another process ended is over by then."""


class Known(NamedTuple):
    """Whom a token stood for when it was looked at, by the reading that never falls."""

    actor: Actor
    looked: float


class Bearers:
    """What an engine remembers of tokens. Thread-safe: what is forgotten is not remembered anew.

    `look` says whom a token stands for, or raises.
    """

    def __init__(self, look: Callable[[str], Actor], registry: Registry, clock: Clock) -> None:
        self._look = look
        self._clock = clock
        self._known: dict[str, Known] = {}
        facts = [event.fact for event in registry.events.values()]
        self._named_by = {
            fact.wire: fact.ends_sign_in for fact in facts if fact.ends_sign_in is not None
        }

    def of(self, token: str, *, again: bool) -> Actor:
        """Whom a token stands for, as it was seconds ago, or is now; `NotSignedIn` once expired."""
        looked, kept = self._clock.monotonic(), self._known
        known = kept.get(token)
        if again or known is None or looked - known.looked >= LOOKS_AGAIN:
            kept.pop(token, None)
            known = Known(self._look(token), looked)
            self._remember(kept, token, known)
        expires_at = known.actor.expires_at
        if expires_at is not None and expires_at <= self._clock.now():
            raise NotSignedIn
        return known.actor

    def _remember(self, kept: dict[str, Known], token: str, known: Known) -> None:
        if known.actor.expires_at is None:
            return
        if len(kept) >= REMEMBERED_TOKENS:
            kept.clear()
        # Into what there was before the look: if somebody was forgotten meanwhile, it is no more.
        kept[token] = known

    def forget(self, committed: Sequence[Fresh]) -> None:
        """Look at the tokens again of all whose sign-ins ended with these events."""
        gone = {
            codec.loads(each.data)[self._named_by[each.type]]
            for each in committed
            if each.type in self._named_by
        }
        if gone:
            kept = list(self._known.items())
            self._known = {token: known for token, known in kept if known.actor.id not in gone}
