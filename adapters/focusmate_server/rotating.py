"""Rotating: what the command line says of the signing keys, and of what an operator does next."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from focusmate_server import keys
from focusmate_server.places import places_of
from focusmate_server.settings import Settings


def rotate(settings: Settings) -> Iterator[str]:
    """Put a new key in the place of the present one; what is to be known of both."""
    path = places_of(settings).key
    former = keys.rotate(path)
    yield f"{path} is a new key and signs from now on, also in a server that runs."
    yield f"The former one still verifies; delete it from {_free_at(former, settings)} on:"
    yield f"  rm {former.path}"
    yield "If somebody else knows it, delete it now: then everybody signs in anew."


def listed(settings: Settings) -> Iterator[str]:
    """The keys by name, the newest first."""
    path = places_of(settings).key
    ring = keys.ring_of(path)
    yield f"{ring.newest.name}  signs  {path}"
    for name, former in ring.former.items():
        yield f"{name}  verifies until {_free_at(former, settings)}  {former.path}"


def _free_at(former: keys.Former, settings: Settings) -> str:
    """From when on every token that it signed has expired, by the longest lifetime there is."""
    free_at: datetime = former.retired_at + timedelta(days=settings.refresh_days)
    return f"{free_at:%Y-%m-%dT%H:%M:%SZ}"
