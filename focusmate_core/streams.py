"""Streams: what a watcher is given at first, and who may watch."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs

from focusmate_core import codec
from focusmate_core.context import Ports, QueryContext
from focusmate_core.messages import SYSTEM, Actor, Origin
from focusmate_core.outbox import Envelope, split_stream
from focusmate_core.ports.clock import Clock
from focusmate_core.ports.storage import Reader, Storage
from focusmate_core.refusals import Refusal, StreamNotFound, Unavailable
from focusmate_core.registry import Registry

RESUMED_AT_MOST = 1000
"""How many events a reader is given to catch up; beyond it a snapshot is quicker."""


@attrs.frozen
class Snapshot:
    """The stored facts of a stream after its event `seq`; `parts` is plain data by part."""

    stream: str
    seq: int
    now: datetime
    parts: dict[str, Any]


class Streams:
    """Reads streams from one storage."""

    def __init__(self, storage: Storage, registry: Registry, clock: Clock, ports: Ports) -> None:
        self._storage = storage
        self._registry = registry
        self._clock = clock
        self._ports = ports

    def subscribe(
        self, stream: str, *, actor: Actor, after: int | None = None
    ) -> Snapshot | list[Envelope]:
        """Begin to watch a stream: what came after number `after`, or a snapshot.

        A snapshot also where what came after it is no longer held or too much. One consistent view:
        nothing lies between the snapshot and its number. Refuses whoever may not watch.
        """
        with self._storage.read() as reader:
            self._guard(stream, actor, reader)
            if after is not None:
                missed = self._missed(stream, after, reader)
                if missed is not None:
                    return missed
            return self._snapshot(stream, reader)

    def may_watch(self, stream: str, *, actor: Actor) -> bool:
        """Whether this actor may watch this stream now."""
        try:
            with self._storage.read() as reader:
                self._guard(stream, actor, reader)
        except Unavailable:
            raise
        except Refusal:
            return False
        return True

    def snapshot(self, stream: str) -> Snapshot:
        """The stored facts of a stream and its number, in one view; asks nobody's leave."""
        with self._storage.read() as reader:
            return self._snapshot(stream, reader)

    def _guard(self, stream: str, actor: Actor, reader: Reader) -> None:
        kind, key = split_stream(stream)
        guard = self._registry.guards.get(kind)
        if guard is None:
            raise StreamNotFound(stream=stream[:100])
        guard(key, self._context(actor, reader))

    def _context(self, actor: Actor, reader: Reader) -> QueryContext:
        now = self._clock.now()
        return QueryContext(actor, Origin(), now, reader, self._ports, self._registry)

    def _missed(self, stream: str, after: int, reader: Reader) -> list[Envelope] | None:
        behind = reader.head(stream) - after
        if not 0 <= behind <= RESUMED_AT_MOST:
            return None
        held = reader.read(stream, after, RESUMED_AT_MOST)
        return held if len(held) == behind else None

    def _snapshot(self, stream: str, reader: Reader) -> Snapshot:
        kind, key = split_stream(stream)
        ctx = self._context(SYSTEM, reader)
        parts = self._registry.snapshots.get(kind, {})
        made = {name: codec.plain(part(key, ctx)) for name, part in parts.items()}
        return Snapshot(stream, reader.head(stream), ctx.now, made)
