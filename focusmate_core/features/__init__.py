"""The product: `BUNDLED` lists its features from the ground up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from focusmate_core.features import (
    credentials,
    directory,
    people,
    rooms,
    seats,
    timer,
    timer_control,
)
from focusmate_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from types import ModuleType

BUNDLED = (people, credentials, rooms, seats, directory, timer, timer_control)


@hookimpl
def register_features() -> tuple[ModuleType, ...]:
    """The features come in through the hook that strangers use."""
    return BUNDLED
