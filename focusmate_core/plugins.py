"""Plugins: the bundled features, our adapters and strangers' packages, loaded through one door."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import TYPE_CHECKING, Any

import attrs
import pluggy

from focusmate_core import features, hookspecs
from focusmate_core.hookspecs import API, GROUP

if TYPE_CHECKING:
    from focusmate_core.ports.storage import Storage


class BadPlugin(Exception):
    """A plugin cannot be loaded; the text names it and what to change in it."""


class NoStorage(Exception):
    """No loaded plugin opens this URL."""


@attrs.frozen
class Left:
    """A stranger's plugin that was left out, and why."""

    name: str
    why: str


class Plugins:
    """What is loaded. The manager is passed on with it and never global."""

    def __init__(self) -> None:
        self.manager = pluggy.PluginManager(GROUP)
        self.manager.add_hookspecs(hookspecs)
        self.left: list[Left] = []
        self.add(features, "focusmate_core.features")

    def add(self, plugin: Any, name: str) -> None:
        """Register one plugin; `BadPlugin` if it names a hook or an argument that is none."""
        api = getattr(plugin, "focusmate_api", API)
        if api != API:
            msg = (
                f"{name} was written for plugin API {api!r}, and this is {API}: update one of them"
            )
            raise BadPlugin(msg)
        try:
            self.manager.register(plugin, name)
            self.manager.check_pending()
        except (pluggy.PluginValidationError, ValueError) as wrong:
            if self.manager.has_plugin(name):
                self.manager.unregister(name=name)
            raise BadPlugin(f"{name}: {wrong}") from wrong

    def add_strangers(self, found: Iterable[EntryPoint] | None = None) -> None:
        """Load the entry points one by one; what fails is named in `left` and stops no other."""
        for point in entry_points(group=GROUP) if found is None else found:
            try:
                self.add(point.load(), point.name)
            except Exception as wrong:  # noqa: BLE001  a stranger's import may raise anything
                self.left.append(Left(point.name, str(wrong) or repr(wrong)))

    def features(self) -> tuple[ModuleType, ...]:
        """All feature modules, in the order of loading: the bundled ones are the ground."""
        # pluggy calls the last registered first.
        brought = reversed(self.manager.hook.register_features())
        return tuple(module for modules in brought for module in modules)

    def open_storage(self, url: str) -> Storage:
        """The storage that the first plugin to know this URL makes of it; `NoStorage`."""
        storage: Storage | None = self.manager.hook.open_storage(url=url)
        if storage is None:
            scheme = url.partition(":")[0]
            msg = f"no plugin opens a storage «{scheme}:…»: install one, or choose sqlite:///…"
            raise NoStorage(msg)
        return storage


def load(own: Iterable[ModuleType] = (), *, strangers: bool = True) -> Plugins:
    """The bundled features, then the adapters that the caller names, then the strangers'."""
    plugins = Plugins()
    for plugin in own:
        plugins.add(plugin, plugin.__name__)
    if strangers:
        plugins.add_strangers()
    return plugins
