"""The outbox: streams, their numbers, and the envelope an event travels in."""

from __future__ import annotations

from datetime import datetime

import attrs


@attrs.frozen
class Fresh:
    """An event of the unit of work at hand, not numbered yet."""

    stream: str
    type: str
    version: int
    at: datetime
    recorded_at: datetime
    data: str
    """The event's fields as JSON text: encoded once, here, and never again on its way."""


@attrs.frozen
class Envelope(Fresh):
    """An event as it stands in the outbox."""

    seq: int
    """Counts 1, 2, 3 … in its stream, without gaps, in commit order."""
    position: str
    """Opaque; orders the whole outbox for the tail and the subscribers."""


START = ""
"""The position before the first event."""


def stream_of(kind: str, key: str = "") -> str:
    """The name of a stream: `room:<id>`, `user:<id>`, or a kind alone, `public`."""
    return f"{kind}:{key}" if key else kind


def split_stream(stream: str) -> tuple[str, str]:
    """Kind and id of a stream's name; the id is empty for a stream like `public`."""
    kind, _, key = stream.partition(":")
    return kind, key
