"""Records what is stored today: `python -m tests.golden` adds files that are not there yet.

A file that is there is never written again. It stands for what older databases hold: when it no
longer decodes, the class has to take it, or `@upcasts` has to bring it up to date.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from focusmate_core import Access
from focusmate_core.features import rooms, seats, timer_control
from focusmate_core.features.plans import Plan
from focusmate_core.fields import instant_text
from focusmate_core.registry import Registry
from focusmate_core.testing.memory import MemoryStorage
from tests.features.town import Town

HERE = Path(__file__).parent
Stored = dict[str, Any]


def wanted(registry: Registry) -> set[tuple[str, str, int]]:
    """Folder, wire name and version of all that may be stored: facts, and what deadlines send."""
    facts = [("events", cls.fact) for cls in registry.events.values()]
    specs = [("deadlines", cls.spec) for cls in registry.messages.values()]
    sent = [(folder, spec) for folder, spec in specs if spec.access is Access.SYSTEM]
    return {
        (folder, each.wire, version)
        for folder, each in [*facts, *sent]
        for version in range(1, each.version + 1)
    }


def file_of(folder: str, wire: str, version: int) -> Path:
    """Where one of them is kept."""
    return HERE / folder / f"{wire}.{version}.json"


def story(town: Town) -> list[Stored]:
    """Everything that can happen, once; gives the deadlines met on the way."""
    town.register("ada")
    ada, bob = town.somebody(), town.somebody()
    plan = Plan(auto_start_breaks=True)
    room = town.open_room(ada, name="공부방", description="quiet", capacity=10, plan=plan)
    town.do(seats.JoinRoom(room_id=room.id), bob)
    steps = (timer_control.StartTimer, timer_control.PauseTimer, timer_control.ResumeTimer)
    for step in steps:
        town.do(step(room_id=room.id), ada)
        town.clock.advance(minutes=5, microseconds=1)
    due = [vars_of(each) for each in town.storage.fingerprint()["deadlines"].values()]
    town.clock.advance(hours=1)
    town.engine.run_due()
    town.do(timer_control.ResetTimer(room_id=room.id), ada)
    town.do(seats.LeaveRoom(room_id=room.id), bob)
    town.do(rooms.CloseRoom(room_id=room.id), ada)
    return due


def vars_of(deadline: Any) -> Stored:
    """A deadline as it is stored."""
    return {
        "key": deadline.key,
        "due_at": instant_text(deadline.due_at),
        "wire": deadline.wire,
        "version": deadline.version,
        "data": json.loads(deadline.data),
    }


def recorded() -> dict[tuple[str, str, int], Stored]:
    """One of each that the story stores, as it is stored today."""
    town = Town(MemoryStorage())
    found = {("deadlines", each["wire"], each["version"]): each for each in story(town)}
    for envelope in town.all_told():
        told = {
            "stream": envelope.stream,
            "at": instant_text(envelope.at),
            "wire": envelope.type,
            "version": envelope.version,
            "data": json.loads(envelope.data),
        }
        found.setdefault(("events", envelope.type, envelope.version), told)
    return found


def main() -> None:
    """Write what is missing; say what the story does not tell."""
    found = recorded()
    for name in sorted(wanted(Town(MemoryStorage()).engine.registry)):
        path = file_of(*name)
        if path.exists():
            continue
        if name not in found:
            raise SystemExit(
                f"the story in tests/golden does not store {name}: let it happen there"
            )
        path.parent.mkdir(exist_ok=True)
        text = json.dumps(found[name], ensure_ascii=False, indent=2)
        path.write_text(f"{text}\n", encoding="utf-8")
        sys.stdout.write(f"{path.relative_to(HERE)}\n")


if __name__ == "__main__":
    main()
