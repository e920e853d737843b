"""What older versions stored is still understood: golden files, one per message and version."""

from __future__ import annotations

import json

import pytest

from focusmate_core import codec
from focusmate_core.features import BUNDLED
from focusmate_core.fields import instant
from focusmate_core.registry import Registry
from focusmate_core.testing.memory import MemoryStorage
from tests.features.town import Town
from tests.golden.__main__ import HERE, NEVER_STORED, file_of, recorded, wanted

REGISTRY = Registry(BUNDLED)
GOLDEN = sorted(HERE.glob("*/*.json"))
EVENTS = [path for path in GOLDEN if path.parent.name == "events"]


def stored(path):
    return json.loads(path.read_text(encoding="utf-8"))


def decoded(path):
    """What the library makes of a golden file, read as it reads its own storage."""
    golden = stored(path)
    decode = REGISTRY.decode_event if path.parent.name == "events" else REGISTRY.decode_message
    return decode(golden["wire"], golden["version"], codec.dumps(golden["data"]))


def holds(new, old):
    """Whether everything that was said is still said; more may be."""
    if isinstance(old, dict):
        return all(name in new and holds(new[name], value) for name, value in old.items())
    return new == old


def test_everything_that_is_stored_has_a_golden_file_for_each_version():
    missing = {name for name in wanted(REGISTRY) if not file_of(*name).exists()}
    assert not missing, "run `python -m tests.golden` and commit what it wrote"


def test_whatever_the_story_stores_has_a_golden_file():
    assert recorded().keys() <= wanted(REGISTRY)


def test_what_is_never_stored_is_something_that_is():
    assert NEVER_STORED.keys() <= REGISTRY.messages.keys() | REGISTRY.events.keys()


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_what_was_stored_then_is_understood_today(path):
    golden, today = stored(path), decoded(path)
    declared = today.fact if path.parent.name == "events" else today.spec
    assert path == file_of(path.parent.name, golden["wire"], golden["version"])
    assert declared.wire == golden["wire"]
    assert declared.version >= golden["version"]
    if declared.version == golden["version"]:
        assert holds(codec.plain(today), golden["data"])


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_what_was_told_then_can_still_be_applied_to_what_is_shown_today(path):
    town = Town(MemoryStorage())
    ada = town.person("ada")
    room = town.open_room(ada)
    parts = town.parts(f"room:{room.id}") | town.parts(f"user:{ada.id}")
    after = REGISTRY.apply(parts, decoded(path), instant(stored(path)["at"]))
    assert after.keys() == parts.keys()
    assert {name: type(part) for name, part in after.items()} == {
        name: type(part) for name, part in parts.items()
    }


def test_a_golden_file_is_missed_when_there_is_a_new_version(monkeypatch):
    started = REGISTRY.events["timer.started"]
    newer = type(started.fact)(started.fact.wire, started.fact.version + 1)
    monkeypatch.setattr(started, "fact", newer)
    assert {name for name in wanted(REGISTRY) if not file_of(*name).exists()} == {
        ("events", "timer.started", newer.version)
    }
