"""Records what is stored today: `python -m tests.golden` adds files that are not there yet.

A file that is there is never written again. It stands for what older databases hold: when it no
longer decodes, the class has to take it, or `@upcasts` has to bring it up to date. Conversations
are of today: `python -m tests.golden conversations` plays them and writes down what is said now.
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from focusmate_core import Access, Actor
from focusmate_core.features import (
    accounts,
    credentials,
    invitations,
    inviting,
    links,
    moderation,
    profiles,
    records,
    roles,
    room_changes,
    rooms,
    seats,
    sign_outs,
    signs,
    timer_control,
)
from focusmate_core.features.plans import Plan, TimerKind
from focusmate_core.features.presence import PresencePolicy
from focusmate_core.fields import instant_text
from focusmate_core.registry import Registry
from focusmate_core.testing.memory import MemoryStorage
from tests.features.town import PASSWORD, Town
from tests.golden import conversing

HERE = Path(__file__).parent
Stored = dict[str, Any]


NEVER_STORED = {
    "people.leaving": "told to nobody: for reactions in the same unit of work",
    "rooms.person_banned": "told to nobody: for reactions in the same unit of work",
    "rooms.replanned": "told to nobody: for reactions in the same unit of work",
    "rooms.taken_again": "told to nobody: for reactions in the same unit of work",
    "presence.known": "told to nobody",
    "timer.work_ended": "told to nobody",
    "timer.work_paused": "told to nobody",
    "presence.renew": "sent by a door in the moment, not by a deadline",
    "presence.service_returned": "sent by a server in the moment",
}
"""What no older database can hold, and why; the law that runs the story finds it out if it does."""


def wanted(registry: Registry) -> set[tuple[str, str, int]]:
    """Folder, wire name and version of all that may be stored: facts, and what deadlines send."""
    facts = [("events", cls.fact) for cls in registry.events.values()]
    specs = [("deadlines", cls.spec) for cls in registry.messages.values()]
    sent = [(folder, spec) for folder, spec in specs if spec.access is Access.SYSTEM]
    return {
        (folder, each.wire, version)
        for folder, each in [*facts, *sent]
        if each.wire not in NEVER_STORED
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
    who_is_there(town, room.id, ada, bob)
    town.clock.advance(hours=1)
    town.engine.run_due()
    what_the_timer_can(town, room.id, ada)
    ways_in(town, room.id, ada)
    what_the_host_can(town, ada)
    by_hand(town, ada)
    town.do(timer_control.ResetTimer(room_id=room.id), ada)
    town.do(seats.LeaveRoom(room_id=room.id), bob)
    town.do(rooms.CloseRoom(room_id=room.id), ada)
    what_becomes_of_an_account(town)
    return due


def who_is_there(town: Town, room_id: str, ada: Actor, bob: Actor) -> None:
    """Somebody idle, active again and a moderator."""
    for is_idle in (True, False):
        town.do(signs.ReportStatus(is_idle=is_idle), bob)
    town.do(seats.AppointModerator(room_id=room_id, person_id=bob.id), ada)


def what_the_timer_can(town: Town, room_id: str, ada: Actor) -> None:
    """Skip, extend, and complete a flowtime."""
    town.do(seats.JoinRoom(room_id=room_id), ada)
    town.do(timer_control.SkipPhase(room_id=room_id), ada)
    town.do(timer_control.ResetTimer(room_id=room_id), ada)
    plan = Plan(kind=TimerKind.FLOWTIME)
    town.do(timer_control.ChangePlan(room_id=room_id, plan=plan), ada)
    town.do(timer_control.StartTimer(room_id=room_id), ada)
    town.clock.advance(minutes=10)
    town.do(timer_control.CompleteTimer(room_id=room_id), ada)
    town.do(timer_control.ChangePlan(room_id=room_id, plan=Plan()), ada)
    town.do(timer_control.StartTimer(room_id=room_id), ada)
    span = timedelta(minutes=5)
    town.do(timer_control.ExtendPhase(room_id=room_id, span=span), ada)


def ways_in(town: Town, room_id: str, ada: Actor) -> None:
    """Somebody invited who declines, and a link that is revoked."""
    cleo = town.somebody()
    ask = inviting.InvitePerson(room_id=room_id, person_id=cleo.id, message="같이 하자")
    town.do(invitations.DeclineInvitation(invitation_id=town.do(ask, ada).id), cleo)
    link = town.do(links.OpenLink(room_id=room_id, max_uses=3), ada)
    town.do(links.RevokeLink(room_id=room_id, link_id=link.id), ada)


def what_the_host_can(town: Town, ada: Actor) -> None:
    """Another room, changed, hidden and handed over; somebody is removed from it."""
    eve = town.somebody()
    settings = {"colour": "#2b6", "music": ["비", 7, None]}
    room_id = town.open_room(ada, avatar_url="https://example.org/a.png", settings=settings).id
    town.do(seats.JoinRoom(room_id=room_id), eve)
    town.do(room_changes.UpdateRoom(room_id=room_id, is_public=False, plan=Plan()), ada)
    town.do(moderation.RemovePerson(room_id=room_id, person_id=eve.id), ada)
    town.do(room_changes.UpdateRoom(room_id=room_id, is_public=True), ada)
    town.do(seats.JoinRoom(room_id=room_id), eve)
    town.do(room_changes.HandOverRoom(room_id=room_id, person_id=eve.id), ada)
    town.do(rooms.CloseRoom(room_id=room_id), eve)


def what_becomes_of_an_account(town: Town) -> None:
    """Another password, a role, a sign-in that ends, what one says of oneself, and the end."""
    eve = town.person("eve")
    new = "battery staple 7"
    town.do(credentials.ChangePassword(current_password=PASSWORD, new_password=new), eve)
    admin = Actor(id="root", roles=frozenset({"admin"}))
    town.do(roles.ChangeRoles(person_id=eve.id, roles=frozenset({roles.Role.MODERATOR})), admin)
    town.do(sign_outs.SignOutEverywhere(), eve)
    eve = town.engine.authenticate(town.sign_in("eve", new).access_token)
    said = {"display_name": "이브", "bio": "Hello.\nI read.", "locale": "ko-KR"}
    picture = "https://example.org/eve.png"
    shows = frozenset({"focused"})
    town.do(profiles.UpdateProfile(**said, avatar_url=picture, shows=shows), eve)
    town.do(accounts.DeleteAccount(password=new), eve)


def by_hand(town: Town, ada: Actor) -> None:
    """A session recorded and taken back, one scheduled and cancelled."""
    now, length = town.clock.now(), timedelta(minutes=30)
    ask = records.RecordSession(started_at=now - timedelta(days=1), length=length, note="읽기")
    town.do(records.RemoveSession(session_id=town.do(ask, ada).id), ada)
    ahead = records.ScheduleSession(starts_at=now + timedelta(days=1), length=length)
    town.do(records.CancelSession(session_id=town.do(ahead, ada).id), ada)


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
    town = Town(MemoryStorage(), settings=[PresencePolicy(lease=timedelta(minutes=30))])
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
    if sys.argv[1:] == ["conversations"]:
        conversing.rewrite()
    else:
        main()
