"""People: whose connections there are, and what becomes of them when a sign-in has ended."""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Generic, Protocol, TypeVar

from focusmate_core.engine import Engine
from focusmate_core.messages import Actor
from focusmate_core.outbox import Envelope
from focusmate_core.refusals import Refusal, Unavailable
from focusmate_trio.frames import BROKEN, NOT_SIGNED_IN

_LOG = logging.getLogger("focusmate.websocket")


class SignedIn(Protocol):
    """A connection as far as it is somebody's."""

    actor: Actor
    token: str
    """What it was signed in with last."""

    def become(self, actor: Actor) -> None:
        """Be this person's from now on, under these roles."""

    def turn_out(self, code: int, reason: str) -> None:
        """Hear nothing any more, and be closed."""


C = TypeVar("C", bound=SignedIn)


class People(Generic[C]):
    """All connections that are signed in, by person. Belongs to one loop, never waits."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._by_id: defaultdict[str, dict[C, None]] = defaultdict(dict)
        facts = [event.fact for event in engine.registry.events.values()]
        self._named_by = {
            fact.wire: fact.ends_sign_in for fact in facts if fact.ends_sign_in is not None
        }
        """By the events after which tokens are looked at again, the field with the person."""

    @property
    def is_idle(self) -> bool:
        """Whether no event matters to anybody."""
        return not (self._by_id and self._named_by)

    def add(self, connection: C) -> None:
        """Know a connection as its person's."""
        self._by_id[connection.actor.id][connection] = None

    def remove(self, connection: C) -> None:
        """Forget a connection of its person."""
        mine = self._by_id[connection.actor.id]
        mine.pop(connection, None)
        if not mine:
            del self._by_id[connection.actor.id]

    def of(self, person: str) -> Sequence[C]:
        """The connections of a person."""
        return tuple(self._by_id.get(person, ()))

    def everybody(self) -> Sequence[C]:
        """All connections, those of one person together."""
        return tuple(chain.from_iterable(self._by_id.values()))

    # -- sign-ins that end ------------------------------------------------------------------------

    def has_ended(self, envelope: Envelope) -> bool:
        """Whether a sign-in of somebody has ended with this event."""
        return envelope.type in self._named_by

    def look_again(self, envelopes: Iterable[Envelope]) -> None:
        """Let those stay of whom a sign-in has ended, and whose own has not.

        Raises `Unavailable`, and is called again with the same; who was looked at stays looked at.
        """
        for person in dict.fromkeys(self._named_in(envelopes)):
            for connection in self.of(person):
                self.look_at(connection)

    def _named_in(self, envelopes: Iterable[Envelope]) -> Iterator[str]:
        for envelope in envelopes:
            field = self._named_by.get(envelope.type)
            if field is not None:
                yield str(json.loads(envelope.data)[field])

    def look_at(self, connection: C) -> None:
        """Let a connection stay whose sign-in is still good; raises `Unavailable`."""
        if connection not in self._by_id.get(connection.actor.id, ()):
            return
        try:
            connection.become(self._engine.authenticate(connection.token, again=True))
        except Unavailable:
            raise
        except Refusal:
            connection.turn_out(NOT_SIGNED_IN, self._why_not(connection))
        except Exception as fault:  # noqa: BLE001  it is logged, and nobody stays on its account
            _LOG.error("a token could not be looked at again", exc_info=fault)
            connection.turn_out(BROKEN, "a bug, and it is logged")

    def _why_not(self, connection: C) -> str:
        until = connection.actor.expires_at
        is_expired = until is not None and until <= self._engine.clock.now()
        return "the sign-in expired" if is_expired else "the sign-in has ended"
