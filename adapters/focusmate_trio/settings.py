"""Settings of the WebSocket door."""

from collections.abc import Callable, Sequence
from datetime import timedelta

import attrs

AddressOf = Callable[[str, Sequence[tuple[bytes, bytes]]], str]
"""`(the peer's address, the request's headers) -> the client's address`."""


def peer_itself(peer: str, headers: Sequence[tuple[bytes, bytes]]) -> str:
    """The address of a client that comes by no proxy."""
    return peer


@attrs.frozen
class DoorSettings:
    """How the door guards itself; the defaults are for a server that faces the internet."""

    handshake_within: timedelta = timedelta(seconds=5)
    """How long the opening handshake may take."""
    sign_in_within: timedelta = timedelta(seconds=5)
    """How long a connection may take to sign in; then 4401."""
    closing_within: timedelta = timedelta(seconds=2)
    """How long a peer is given to read what was said last; then it is dropped."""
    expiry_told: timedelta = timedelta(minutes=1)
    """How long before its sign-in expires a client is told."""
    ping_every: timedelta = timedelta(seconds=20)
    """How often every connection is pinged, at the least."""
    renew_every: timedelta | None = None
    """How often the door tells of everybody when they were heard last: a third of the lease under
    which they are present. Never with None, where a presence needs no sign of life."""
    silent_after: timedelta = timedelta(seconds=60)
    """A peer that was not heard for so long is gone."""
    retry_within: timedelta = timedelta(seconds=5)
    """Over which span a shutdown asks its clients to come back, each at its own moment."""
    longest_frame: int = 64 * 1024
    """Bytes of one message from a client; above it 1009."""
    backlog: int = 1024 * 1024
    """Bytes of events that may wait for one connection; above it 4408."""
    send_buffer: int = 128 * 1024
    """Bytes that the kernel is asked to hold for one connection before its backlog begins."""
    subscriptions: int = 50
    """How many streams one connection may watch."""
    connections_per_person: int = 10
    """How many connections one person may have here; above it 4429."""
    commands_per_second: float = 20
    """How many messages of the library one connection may send in the long run."""
    command_burst: int = 40
    """How many of them at once."""
    frames_per_second: float = 100
    """How many frames of any kind one connection may send in the long run."""
    frame_burst: int = 200
    """How many of them at once."""
    frames_waiting: int = 16
    """How many frames are taken off the socket before the first of them is answered."""
    address_of: AddressOf = peer_itself
    """Which address what a client asks for is said to come from, and is limited by."""
    look_every: timedelta = timedelta(milliseconds=3)
    """How often the outbox is looked at while something happens."""
    look_when_idle: timedelta = timedelta(milliseconds=25)
    """How often after a while in which nothing happened."""
    events_per_turn: int = 500
    """How many events are read and sent in one turn of the loop."""
    reading_threads: int = 2
    """How many threads read snapshots; with 0 they are read in the loop itself, as a test may."""

    @property
    def pings_every(self) -> timedelta:
        """So often that each renewal has something to tell of everybody who lives."""
        return min(self.ping_every, self.renew_every or self.ping_every)
