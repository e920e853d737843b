"""The screen: a watched room drawn as lines, from what is known and the server's time alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, tzinfo

import attrs

from focusmate_core.features.presence import Status
from focusmate_core.features.timer_machine import State, TimerFacts
from focusmate_server.watching.room import Happened, Parts, counted, left
from focusmate_server.watching.words import (
    KINDS,
    face,
    phase_of,
    printable,
    short,
    spoken,
    timer_said,
    told,
)

LONGEST_BAR = 40
EVENTS = 10
PEOPLE = 12
FRAME = timedelta(milliseconds=100)
_EIGHTHS = " ▏▎▍▌▋▊▉"
AWAY = "away"
_MARKS = {Status.ACTIVE.value: "●", Status.IDLE.value: "○", AWAY: "·"}
_STYLES = {"bold": "1", "dim": "2", "green": "32", "yellow": "33", "red": "31"}
_HOW = {Status.ACTIVE.value: "green", Status.IDLE.value: "yellow", AWAY: "dim"}
_STATES = {State.RUNNING: "green", State.PAUSED: "yellow"}


@attrs.frozen
class Scene:
    """All that is drawn; `now` is None until the server's clock is known."""

    parts: Parts
    now: datetime | None
    error: float = 0.0
    names: Mapping[str, str] = attrs.field(factory=dict)
    happened: Sequence[Happened] = ()
    trouble: str = ""
    """Why it is not live at the moment."""
    zone: tzinfo | None = None
    has_styles: bool = False

    def name(self, person_id: str) -> str:
        """What somebody is called here."""
        return self.names.get(person_id) or short(person_id)

    def styled(self, text: str, style: str) -> str:
        """Text in a style, where there are any."""
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self.has_styles else text


def drawn(scene: Scene, width: int, height: int) -> list[str]:
    """The lines of the screen; each may be wider than it, which then cuts it off."""
    above = [*_title(scene), "", *_timer(scene, width), "", *_people(scene, height), ""]
    footer = ["", _footer(scene)]
    room = max(0, min(EVENTS, height - len(above) - len(footer) - 1))
    lines = [*above, *_events(scene, room), *footer]
    return [f" {line}" if line else "" for line in lines][:height]


def pause_until_change(scene: Scene) -> float | None:
    """Seconds until it looks different by time alone; None if only what happens changes it.

    Ten frames a second, in step with the server's seconds.
    """
    if scene.now is None or scene.parts.timer.state is not State.RUNNING:
        return None
    rest = left(scene.parts.timer, scene.now)
    return (rest % FRAME or FRAME).total_seconds() if rest else None


def timer_line(parts: Parts, now: datetime) -> str:
    """The timer in one line, for who reads lines."""
    return f"timer: {timer_said(parts.timer, now)}"


def room_lines(scene: Scene) -> list[str]:
    """The room in two lines, for who reads lines: what it is, and who is there."""
    room = scene.parts.room
    state = "" if room.is_open else ", closed"
    people = [f"{scene.name(each)} {how}" for each, how in everybody(scene.parts)[:PEOPLE]]
    more = len(scene.parts.seats) - len(people)
    there = ", ".join(people + ([f"{more} more"] if more > 0 else []))
    return [f"room: {printable(room.name)}{state}", f"people: {there or 'nobody'}"]


def everybody(parts: Parts) -> list[tuple[str, str]]:
    """Who has a seat, and how they are: the active first, who is away last."""
    here = {each.person_id: each.status.value for each in parts.presence}
    order = list(_MARKS)
    seated = [(each.person_id, here.get(each.person_id, AWAY)) for each in parts.seats]
    return sorted(seated, key=lambda each: order.index(each[1]))


# -- the parts of the screen ----------------------------------------------------------------------


def _title(scene: Scene) -> list[str]:
    room = scene.parts.room
    seats = f"{room.seated}" if room.capacity is None else f"{room.seated} of {room.capacity}"
    kind = "open to all" if room.is_public else "private"
    more = f"{seats} seated · {kind}" if room.is_open else "closed"
    title = scene.styled(printable(room.name), "bold")
    return [f"{title}  {scene.styled(more, 'dim')}"]


def _timer(scene: Scene, width: int) -> list[str]:
    timer = scene.parts.timer
    state = scene.styled(timer.state.value, _STATES.get(timer.state, "dim"))
    head = f"{scene.styled(phase_of(timer).upper(), 'bold')}  {state}"
    if scene.now is None:
        return [head, "", ""]
    if timer.state is State.COMPLETED:
        return [head, _suggestion(timer), scene.styled(_counts(scene), "dim")]
    shown = scene.styled(face(timer, scene.now), "bold")
    line = f"{shown}  {_bar(timer, scene.now, min(LONGEST_BAR, width - 14))}".rstrip()
    return [head, line, scene.styled(_counts(scene), "dim")]


def _suggestion(timer: TimerFacts) -> str:
    if timer.suggested_break is None:
        return "done"
    return f"done; a break of {spoken(timer.suggested_break)} suits"


def _bar(timer: TimerFacts, now: datetime, width: int) -> str:
    """How much of the phase has passed, in eighths of a cell; nothing where no end is planned."""
    if timer.suggested_break or counted(timer, now) != left(timer, now) or width <= 0:
        return ""
    passed = (timer.length - left(timer, now)) / timer.length
    eighths = min(8 * width, max(0, int(passed * 8 * width)))
    cells = "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()
    return f"{cells:·<{width}}"


def _counts(scene: Scene) -> str:
    timer = scene.parts.timer
    kind, done = KINDS[timer.kind], timer.completed
    words = [kind, f"{done} completed"]
    if timer.ends_at is not None and kind != "flowtime":
        words.append(f"until {_clock(timer.ends_at, scene)}")
    return " · ".join(words)


def _people(scene: Scene, height: int) -> list[str]:
    people = everybody(scene.parts)
    room = min(PEOPLE, max(1, height - 16))
    shown = people if len(people) <= room else people[: max(1, room - 1)]
    wide = max((len(scene.name(each)) for each, _ in shown), default=0)
    lines = [_person(scene, each, how, wide) for each, how in shown]
    if more := len(people) - len(shown):
        lines.append(scene.styled(f"  and {more} more", "dim"))
    return lines or [scene.styled("nobody has a seat here", "dim")]


def _person(scene: Scene, person_id: str, how: str, wide: int) -> str:
    host = "  host" if person_id == scene.parts.room.host_id else ""
    seat = next(each for each in scene.parts.seats if each.person_id == person_id)
    moderator = "  moderator" if seat.is_moderator else ""
    mark = scene.styled(_MARKS[how], _HOW[how])
    said = f"{how:<6}" if host or moderator else how
    return f"{mark} {scene.name(person_id):<{wide}}  {said}{scene.styled(host + moderator, 'dim')}"


def _events(scene: Scene, room: int) -> list[str]:
    return [
        f"{scene.styled(_clock(each.at, scene), 'dim')}  {told(each, scene.name)}"
        for each in list(scene.happened)[-room:] if room
    ]  # fmt: skip


def _clock(at: datetime, scene: Scene) -> str:
    return at.astimezone(scene.zone).strftime("%H:%M:%S")


def _footer(scene: Scene) -> str:
    if scene.trouble:
        return scene.styled(scene.trouble, "red")
    if scene.now is None:
        return ""
    millis = max(1, round(scene.error * 1000))
    return scene.styled(f"within {millis} ms of the server's clock · q quits", "dim")
