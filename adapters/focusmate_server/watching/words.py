"""Words: what happens in a room, said in a line each, and the timer in a few."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from focusmate_core.features import (
    invitations,
    links,
    presence,
    room_changes,
    rooms,
    seats,
    timer,
)
from focusmate_core.features.invitations import InvitationState
from focusmate_core.features.plans import Phase, Plan, TimerKind
from focusmate_core.features.presence import Status
from focusmate_core.features.timer_machine import State, TimerFacts
from focusmate_server.watching.room import Happened, counted

Name = Callable[[str], str]
"""What somebody of this id is called."""
PHASES = {Phase.WORK: "work", Phase.SHORT_BREAK: "short break", Phase.LONG_BREAK: "long break"}
KINDS = {
    TimerKind.POMODORO: "pomodoro",
    TimerKind.COUNTDOWN: "countdown",
    TimerKind.FLOWTIME: "flowtime",
}
END_OF_ID = 6
NAMING = ("person_id", "by", "removed_by", "created_by")
"""The fields of events that hold somebody's id whom the words name."""


def printable(text: str) -> str:
    """Text that cannot steer a terminal, wherever it comes from."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def short(person_id: str) -> str:
    """Somebody whose name is not known, by the end of the id."""
    return f"…{printable(person_id[-END_OF_ID:])}"


# -- spans and clocks -----------------------------------------------------------------------------


def spoken(span: timedelta) -> str:
    """A length: `25 min`, `1 h 30 min`, `45 s`."""
    seconds = math.ceil(span.total_seconds())
    hours, minutes, seconds = seconds // 3600, seconds // 60 % 60, seconds % 60
    parts = [f"{n} {unit}" for n, unit in ((hours, "h"), (minutes, "min"), (seconds, "s")) if n]
    return " ".join(parts) or "0 s"


def face(timer: TimerFacts, now: datetime) -> str:
    """What the timer shows: `24:59`, `1:30:00`.

    What is left is rounded up and what has passed down, so a second begins when it does there.
    """
    shown = counted(timer, now).total_seconds()
    is_up = timer.kind is TimerKind.FLOWTIME
    seconds = math.floor(shown) if is_up else math.ceil(shown)
    hours, minutes, seconds = seconds // 3600, seconds // 60 % 60, seconds % 60
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes:02}:{seconds:02}"


def phase_of(facts: TimerFacts) -> str:
    """What the time is for; the kinds with one phase are called by their kind."""
    return PHASES[facts.phase] if facts.kind is TimerKind.POMODORO else KINDS[facts.kind]


def timer_said(facts: TimerFacts, now: datetime) -> str:
    """The timer in a line: `work, running, 24:59 left`."""
    said = f"{phase_of(facts)}, {facts.state.value}"
    if facts.state is State.COMPLETED:
        return f"{said}; a break of {_rest(facts)} suits" if facts.suggested_break else said
    if facts.kind is TimerKind.FLOWTIME:
        return said if facts.state is State.IDLE else f"{said}, {face(facts, now)} so far"
    return f"{said}, {face(facts, now)} left"


def _rest(facts: TimerFacts) -> str:
    return spoken(facts.suggested_break or timedelta(0))


def plan_said(plan: Plan) -> str:
    """A plan in a line: `pomodoro: 25 min work, 5 min break, 15 min after every 4`."""
    if plan.kind is TimerKind.FLOWTIME:
        return "flowtime"
    if plan.kind is TimerKind.COUNTDOWN:
        return f"countdown: {spoken(plan.work)}"
    said = f"pomodoro: {spoken(plan.work)} work, {spoken(plan.short_break)} break"
    if plan.long_break_every:
        said += f", {spoken(plan.long_break)} after every {plan.long_break_every}"
    return said


# -- events ---------------------------------------------------------------------------------------


def told(happened: Happened, name: Name) -> str:
    """What happened, in words; what only a plugin knows is told by its type."""
    words = WORDS.get(type(happened.fact))
    return words(happened.fact, name) if words else f"something happened: {happened.type}"


def people_in(happened: Happened) -> tuple[str, ...]:
    """The ids of whom the words name."""
    fact = happened.fact
    found = [getattr(fact, name, None) for name in NAMING]
    if isinstance(fact, room_changes.RoomHandedOver):
        found.append(fact.room.host_id)
    return tuple(each for each in found if each)


def _changed(fact: presence.PresenceChanged, name: Name) -> str:
    return f"{name(fact.person_id)} is {'idle' if fact.status is Status.IDLE else 'active again'}"


def _came(fact: presence.PresenceEntered, name: Name) -> str:
    return f"{name(fact.person_id)} came{', idle' if fact.status is Status.IDLE else ''}"


def _left(fact: seats.RoomLeft, name: Name) -> str:
    how = f"was removed by {name(fact.removed_by)}" if fact.removed_by else "left the room"
    return f"{name(fact.person_id)} {how}"


def _invitation_ended(fact: invitations.InvitationEnded, name: Name) -> str:
    if fact.state is InvitationState.REVOKED:
        return f"{name(fact.person_id)} is invited no more"
    return f"{name(fact.person_id)} {fact.state.value} the invitation"


def _appointed(fact: seats.ModeratorAppointed, name: Name) -> str:
    is_now = "is a moderator now" if fact.is_moderator else "is no longer a moderator"
    return f"{name(fact.person_id)} {is_now}"


def _started(fact: timer.TimerStarted, name: Name) -> str:
    length = "" if fact.kind is TimerKind.FLOWTIME else f" of {spoken(fact.length)}"
    return f"{name(fact.by)} started {phase_of(fact)}{length}"


def _paused(fact: timer.TimerPaused, name: Name) -> str:
    return f"{name(fact.by)} paused {phase_of(fact)}"


def _resumed(fact: timer.TimerResumed, name: Name) -> str:
    return f"{name(fact.by)} resumed {phase_of(fact)}"


def _reset(fact: timer.TimerReset, name: Name) -> str:
    return f"{name(fact.by)} reset the timer" if fact.by else "the timer was reset"


def _skipped(fact: timer.TimerSkipped, name: Name) -> str:
    return f"{name(fact.by)} skipped {PHASES[fact.skipped]}; {_following(fact)}"


def _ended(fact: timer.PhaseEnded, _: Name) -> str:
    if fact.kind is TimerKind.POMODORO:
        return f"{PHASES[fact.ended]} is over; {_following(fact)}"
    return f"{KINDS[fact.kind]} is over{_suggested(fact)}"


def _following(fact: TimerFacts) -> str:
    return f"{phase_of(fact)} {'runs' if fact.state is State.RUNNING else 'is next'}"


def _suggested(fact: TimerFacts) -> str:
    return f"; a break of {_rest(fact)} suits" if fact.suggested_break else ""


WORDS: dict[type, Callable[[Any, Name], str]] = {
    rooms.RoomOpened: lambda _fact, _name: "the room was opened",
    rooms.RoomClosed: lambda _fact, _name: "the room was closed",
    seats.RoomJoined: lambda fact, name: f"{name(fact.person_id)} joined",
    room_changes.RoomChanged: lambda _fact, _name: "the room was changed",
    room_changes.RoomHandedOver: lambda fact, name: f"{name(fact.room.host_id)} is the host now",
    seats.RoomLeft: _left,
    seats.ModeratorAppointed: _appointed,
    invitations.PersonInvited: lambda fact, name: f"{name(fact.person_id)} was invited",
    invitations.InvitationEnded: _invitation_ended,
    links.LinkOpened: lambda fact, name: f"{name(fact.created_by)} made a link into the room",
    links.LinkRevoked: lambda _fact, _name: "a link leads into the room no more",
    presence.PresenceEntered: _came,
    presence.PresenceLeft: lambda fact, name: f"{name(fact.person_id)} went away",
    presence.PresenceChanged: _changed,
    timer.TimerStarted: _started,
    timer.TimerPaused: _paused,
    timer.TimerResumed: _resumed,
    timer.TimerReset: _reset,
    timer.TimerSkipped: _skipped,
    timer.TimerExtended: lambda fact, name: f"{name(fact.by)} added {spoken(fact.span)}",
    timer.TimerCompleted: lambda f, name: f"{name(f.by)} completed {phase_of(f)}{_suggested(f)}",
    timer.PlanChanged: lambda fact, name: f"{name(fact.by)} planned {plan_said(fact.plan)}",
    timer.PhaseEnded: _ended,
}
