"""Rotating: what the command line says of the signing keys, and of what an operator does next."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from focusmate_server import keys
from focusmate_server.places import places_of
from focusmate_server.settings import Settings

LOST = (
    "Deleted then, a key signs nobody out; only a device that was not signed in on since it was "
    "replaced is a stranger's, until the next sign-in on it."
)


def rotate(settings: Settings) -> Iterator[str]:
    """Put a new key in the place of the present one; what is to be known of both."""
    path = places_of(settings).key
    former = keys.rotate(path)
    yield f"{path} is a new key and signs from now on, also in a server that runs."
    yield f"The former one still verifies; delete it from {_free_at(former, settings)} on:"
    yield f"  rm {former.path}"
    yield LOST
    yield "If somebody else knows it, delete it now: then everybody signs in anew."


def listed(settings: Settings) -> Iterator[str]:
    """The keys by name, the newest first."""
    path = places_of(settings).key
    ring = keys.ring_of(path)
    yield f"{ring.newest.name}  signs  {path}"
    for name, former in ring.former.items():
        yield f"{name}  verifies; needed until {_free_at(former, settings)}  {former.path}"
    if ring.former:
        yield LOST


def _free_at(former: keys.Former, settings: Settings) -> str:
    """From when on nobody is signed in by it: every refresh token that it signed has expired.

    Its device tokens live longer and sign nobody in, so they do not keep a key that may be known.
    """
    free_at: datetime = former.retired_at + timedelta(days=settings.refresh_days)
    return f"{free_at:%Y-%m-%dT%H:%M:%SZ}"
