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
from focusmate_core.registry import Registry

if TYPE_CHECKING:
    from focusmate_core.ports.storage import Storage


class BadPlugin(Exception):
    """A plugin cannot be loaded; the text names it and what to change in it."""


class NoStorage(Exception):
    """No loaded plugin opens this URL."""


@attrs.frozen
class LeftOut:
    """A stranger's plugin that is not loaded, and why."""

    name: str
    why: str


class Plugins:
    """What is loaded. The manager is passed on with it and never global."""

    def __init__(self) -> None:
        self.manager = pluggy.PluginManager(GROUP)
        self.manager.add_hookspecs(hookspecs)
        self.left_out: list[LeftOut] = []
        self._features: list[ModuleType] = []
        self.add(features, "focusmate_core.features")

    def add(self, plugin: Any, name: str) -> None:
        """Register one plugin, with its features; `BadPlugin` says what is wrong with it.

        Wrong is a hook or an argument that is none, another plugin API, a hook that raises, or a
        feature that contradicts itself or one that is loaded.
        """
        api = getattr(plugin, "focusmate_api", API)
        if api != API:
            msg = (
                f"{name} was written for plugin API {api!r}, and this is {API}: update one of them"
            )
            raise BadPlugin(msg)
        if self.manager.has_plugin(name):
            msg = f"{name} is loaded already: give one of the two another name"
            raise BadPlugin(msg)
        try:
            self.manager.register(plugin, name)
            self.manager.check_pending()
            brought = [module for modules in self._alone(plugin)() for module in modules]
            Registry((*self._features, *brought))
        except Exception as wrong:
            if self.manager.has_plugin(name):
                self.manager.unregister(name=name)
            raise BadPlugin(f"{name}: {str(wrong) or repr(wrong)}") from wrong
        self._features += brought

    def _alone(self, plugin: Any) -> Any:
        """One plugin's hook for features alone: what it raises is known to be its own."""
        others = [each for each in self.manager.get_plugins() if each is not plugin]
        return self.manager.subset_hook_caller("register_features", others)

    def add_strangers(self, found: Iterable[EntryPoint] | None = None) -> None:
        """Load the entry points one by one; what fails is named and stops no other."""
        for point in entry_points(group=GROUP) if found is None else found:
            try:
                self.add(point.load(), point.name)
            except Exception as wrong:  # noqa: BLE001  a stranger's import may raise anything
                self.left_out.append(LeftOut(point.name, str(wrong) or repr(wrong)))

    def features(self) -> tuple[ModuleType, ...]:
        """All feature modules, in the order of loading: the bundled ones are the ground."""
        return tuple(self._features)

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
