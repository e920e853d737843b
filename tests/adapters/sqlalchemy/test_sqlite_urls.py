"""Which URLs this adapter answers for, and what it says of those it cannot keep."""

import pluggy
import pytest

from focusmate_core import hookspecs
from focusmate_core.testing.conformance.storage.kit import ENTITIES, Thing, keep
from focusmate_sqlalchemy import BadUrl, SqlStorage, plugin


@pytest.fixture
def hooks():
    manager = pluggy.PluginManager(hookspecs.GROUP)
    manager.add_hookspecs(hookspecs)
    manager.register(plugin)
    manager.check_pending()
    return manager.hook


def test_the_plugin_answers_for_sqlite_and_for_nothing_else(hooks, tmp_path):
    assert isinstance(hooks.open_storage(url=f"sqlite:///{tmp_path}/a.db"), SqlStorage)
    assert hooks.open_storage(url="postgresql://localhost/focusmate") is None
    assert hooks.open_storage(url="memory:") is None


def test_a_path_is_relative_with_three_slashes_and_absolute_with_four(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for url in ("sqlite:///here.db", f"sqlite:////{str(tmp_path).lstrip('/')}/there.db"):
        storage = SqlStorage(url)
        storage.open(ENTITIES)
        keep(storage, Thing(id="1"))
        storage.close()
    assert {path.name for path in tmp_path.glob("*.db")} == {"here.db", "there.db"}


def test_a_path_may_hold_any_sign(tmp_path):
    storage = SqlStorage(f"sqlite:///{tmp_path}/100% «room» 공부.db")
    storage.open(ENTITIES)
    storage.close()
    assert [path.name for path in tmp_path.glob("*.db")] == ["100% «room» 공부.db"]


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("sqlite://", "MemoryStorage"),
        ("sqlite:///:memory:", "MemoryStorage"),
        ("sqlite:///a.db?timeout=3", "timeout"),
        ("postgresql://localhost/focusmate", "sqlite:///path"),
        ("nonsense", "sqlite:///path"),
    ],
)
def test_a_url_that_cannot_be_kept_says_why(url, told):
    with pytest.raises(BadUrl, match=told):
        SqlStorage(url)


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(BadUrl, match=r"no folder .*/nowhere"):
        SqlStorage(f"sqlite:///{tmp_path}/nowhere/a.db").open(ENTITIES)
