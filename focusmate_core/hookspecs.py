"""Every question the core asks a plugin; hooks return contributions and act on nothing."""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from focusmate_core.ports.storage import Storage

GROUP = "focusmate"
"""The entry-point group, and the name of the hooks' project."""

API = 1
"""The number of this set of hooks; a plugin module may state the one it was written for as
`focusmate_api = 1` and is refused by name if it is another."""

hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


@hookspec
def register_features() -> Iterable[ModuleType]:  # type: ignore[empty-body]
    """The feature modules this plugin brings; each is read for what its decorators marked."""


@hookspec(firstresult=True)
def open_storage(url: str) -> Storage | None:
    """A storage for this URL, not opened yet, or None if its scheme is not this plugin's."""
