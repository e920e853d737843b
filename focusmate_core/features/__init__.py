"""The product: `BUNDLED` lists its features from the ground up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from focusmate_core.features import (
    accounts,
    attempts,
    bans,
    credentials,
    crediting,
    days,
    desks,
    directory,
    invitations,
    inviting,
    leases,
    leaving,
    links,
    moderation,
    people,
    presence,
    profiles,
    records,
    roles,
    room_changes,
    rooms,
    seats,
    sessions,
    sign_ins,
    sign_outs,
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
    profiles,
    roles,
    attempts,
    credentials,
    sign_ins,
    sign_outs,
    accounts,
    rooms,
    bans,
    seats,
    directory,
    desks,
    room_changes,
    moderation,
    invitations,
    inviting,
    links,
    presence,
    leases,
    leaving,
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
