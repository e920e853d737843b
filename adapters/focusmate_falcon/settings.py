"""Settings of the HTTP door."""

from datetime import timedelta

import attrs


@attrs.frozen
class DoorSettings:
    """How the door guards itself; the defaults are for a server that faces the internet."""

    longest_body: int = 64 * 1024
    """Bytes; above it 413."""
    body_within: timedelta = timedelta(seconds=30)
    """How long a body may take to arrive; above it 408."""
    origins: tuple[str, ...] = ()
    """Web origins whose pages may call the door (`https://app.example.org`), or `*` for any."""
