"""Settings of the HTTP door."""

from collections.abc import Callable, Sequence
from datetime import timedelta

import attrs

from focusmate_core.ports.limits import Rate

AddressOf = Callable[[str, Sequence[tuple[bytes, bytes]]], str]
"""Whom a request comes from, of its peer's address and its headers."""


def the_peer(peer: str, _: Sequence[tuple[bytes, bytes]]) -> str:
    """The peer itself, whatever the headers say."""
    return peer


@attrs.frozen
class DoorSettings:
    """How the door guards itself; the defaults are for a server that faces the internet.

    Rates are for each person, and for who is not signed in for each address; None is no limit.
    """

    longest_body: int = 64 * 1024
    """Bytes; above it 413."""
    body_within: timedelta = timedelta(seconds=30)
    """How long a body may take to arrive; above it 408."""
    origins: tuple[str, ...] = ()
    """Web origins whose pages may call the door (`https://app.example.org`), or `*` for any."""
    reads: Rate | None = None
    """How often queries may be sent; above it 429."""
    writes: Rate | None = None
    """How often commands may be sent."""
    sign_ins: Rate | None = None
    """How often an address may send what anybody may and costs much: register, sign in."""
    renewals: Rate | None = None
    """How often an address may renew or end tokens."""
    requests: Rate | None = None
    """How many requests of any sort an address may send, whoever is behind it."""
    address_of: AddressOf = the_peer
    """Whom a request comes from: a proxy in front is to be believed only where it is known."""
