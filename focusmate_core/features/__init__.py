"""The product: `BUNDLED` lists its features from the ground up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from focusmate_core.features import (
    credentials,
    crediting,
    days,
    desks,
    directory,
    leases,
    people,
    presence,
    records,
    rooms,
    seats,
    sessions,
    signs,
    stats,
    timer,
    timer_control,
    timer_machine,
)
from focusmate_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from types import ModuleType

BUNDLED = (
    people,
    days,
    credentials,
    rooms,
    seats,
    directory,
    desks,
    presence,
    leases,
    signs,
    timer_machine,
    timer,
    timer_control,
    sessions,
    crediting,
    records,
    stats,
)


@hookimpl
def register_features() -> tuple[ModuleType, ...]:
    """The features come in through the hook that strangers use."""
    return BUNDLED
