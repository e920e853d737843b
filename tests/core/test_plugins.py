"""Plugins are loaded one by one; what is broken is named and stops nobody else."""

from importlib.metadata import EntryPoint
from types import ModuleType

import pytest

from focusmate_core import Event, event, features, hookimpl
from focusmate_core.plugins import BadPlugin, NoStorage, Plugins, load
from focusmate_core.testing.memory import MemoryStorage
from tests.core import sample


def plugin(name="stranger", **attributes):
    made = ModuleType(name)
    for attribute, value in attributes.items():
        setattr(made, attribute, value)
    return made


@hookimpl
def register_features():
    return [sample]


@hookimpl
def open_storage(url):
    return MemoryStorage() if url.startswith("memory:") else None


@hookimpl
def no_such_hook():
    """A hook that does not exist."""


def wrong_argument():
    @hookimpl(specname="open_storage")
    def open_it(address):
        """A hook with an argument that does not exist."""

    return open_it


def test_the_bundled_features_come_in_by_the_hook_strangers_use():
    assert Plugins().features() == features.BUNDLED


def test_a_plugin_brings_features_after_the_ground():
    plugins = load([plugin(register_features=register_features)], strangers=False)
    assert plugins.features() == (*features.BUNDLED, sample)


def test_a_plugin_opens_the_storage_whose_scheme_it_knows():
    plugins = load([plugin(open_storage=open_storage)], strangers=False)
    assert isinstance(plugins.open_storage("memory:"), MemoryStorage)
    with pytest.raises(NoStorage, match="no plugin opens a storage «nosuch:"):
        plugins.open_storage("nosuch://user:secret@host")


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (plugin(no_such_hook=no_such_hook), "no_such_hook"),
        (plugin(open_storage=wrong_argument()), "address"),
        (plugin(focusmate_api=99), "API 99, and this is 1"),
        (plugin(focusmate_api="1"), "API '1'"),
    ],
)
def test_a_broken_plugin_is_refused_by_name(broken, said):
    plugins = Plugins()
    with pytest.raises(BadPlugin, match=said) as refused:
        plugins.add(broken, "stranger")
    assert "stranger" in str(refused.value)
    assert plugins.features() == features.BUNDLED
    plugins.add(plugin(register_features=register_features), "stranger")


def test_one_name_is_taken_once():
    plugins = Plugins()
    first = plugin()
    plugins.add(first, "stranger")
    with pytest.raises(BadPlugin, match="stranger"):
        plugins.add(plugin(), "stranger")
    assert plugins.manager.get_plugin("stranger") is first


def _clash():
    """A feature with an event of a name that is taken."""
    module = ModuleType("tests_clash")
    module.Twin = event("people.registered")(type("Twin", (Event,), {"__module__": "tests_clash"}))
    return module


def _raises():
    msg = "no luck"
    raise RuntimeError(msg)


@pytest.mark.parametrize(
    ("features_of", "said"),
    [(_raises, "no luck"), (lambda: [_clash()], "rename one"), (lambda: [7], "__dict__")],
)
def test_a_plugin_whose_features_are_faulty_is_refused_by_name_and_the_others_stay(
    features_of, said
):
    plugins = Plugins()
    with pytest.raises(BadPlugin, match=f"stranger: .*{said}"):
        plugins.add(plugin(register_features=hookimpl(features_of)), "stranger")
    assert plugins.features() == features.BUNDLED
    plugins.add(plugin(register_features=register_features), "stranger")
    assert plugins.features() == (*features.BUNDLED, sample)


def test_strangers_are_loaded_one_by_one_and_what_fails_is_named(monkeypatch):
    good = plugin("good", register_features=register_features, focusmate_api=1)
    monkeypatch.setitem(__import__("sys").modules, "tests_good_plugin", good)
    monkeypatch.setitem(
        __import__("sys").modules, "tests_old_plugin", plugin("old", focusmate_api=0)
    )
    points = [
        EntryPoint("missing", "tests_no_such_module", "focusmate"),
        EntryPoint("half", "tests_good_plugin:no_such_name", "focusmate"),
        EntryPoint("old", "tests_old_plugin", "focusmate"),
        EntryPoint("good", "tests_good_plugin", "focusmate"),
    ]
    plugins = Plugins()
    plugins.add_strangers(points)
    assert [left.name for left in plugins.left_out] == ["missing", "half", "old"]
    assert "tests_no_such_module" in plugins.left_out[0].why
    assert plugins.features() == (*features.BUNDLED, sample)


def test_installed_entry_points_are_looked_up(monkeypatch):
    asked = []

    def entry_points(group):
        asked.append(group)
        return ()

    monkeypatch.setattr("focusmate_core.plugins.entry_points", entry_points)
    assert load().left_out == []
    assert asked == ["focusmate"]
