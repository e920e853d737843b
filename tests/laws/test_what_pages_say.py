"""What the pages on time and credit say is what happens: each row of their tables is run."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from focusmate_core import Actor, Engine, Origin, Refusal
from focusmate_core.features import BUNDLED, days, desks, records, rooms, seats, signs
from focusmate_core.features.plans import Plan, TimerKind
from focusmate_core.features.presence import PresencePolicy
from focusmate_core.features.timer_control import (
    CompleteTimer,
    ExtendPhase,
    PauseTimer,
    ResetTimer,
    ResumeTimer,
    SkipPhase,
    StartTimer,
)
from focusmate_core.fields import duration_text
from focusmate_core.messages import SYSTEM
from focusmate_core.testing.clock import START, FakeClock
from focusmate_core.testing.ids import SequentialIds
from focusmate_core.testing.memory import MemoryStorage

DOCS = Path(__file__).parents[2] / "docs"
MINUTE = timedelta(minutes=1)

pytestmark = pytest.mark.checkout


def rows_of(page: str, heading: str) -> list[tuple[str, ...]]:
    """The rows of the tables under a heading, without what makes them up."""
    text = (DOCS / page).read_text(encoding="utf-8")
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.*) \|$", section, re.MULTILINE)
    cells = [tuple(cell.strip().strip("`") for cell in row.split(" | ")) for row in rows]
    return [row for row in cells if not _is_head(row)]


def _is_head(row: tuple[str, ...]) -> bool:
    return set("".join(row)) <= {"-"} or row[0] in {"what happened", "zone", "command"}


class Library:
    """A room in which Ada starts a phase when Ben is there; minutes are counted from then."""

    def __init__(self, *, lease: timedelta | None = None, **plan) -> None:
        self.clock = FakeClock()
        self.ports = {PresencePolicy: PresencePolicy(lease=lease)}
        self.engine = Engine(
            MemoryStorage(),
            features=BUNDLED,
            clock=self.clock,
            ids=SequentialIds(),
            ports=self.ports,
        )
        self.room_id = self.do("ada", rooms.OpenRoom(name="Library", plan=Plan(**plan))).id

    def do(self, who, message):
        actor = SYSTEM if who == "system" else Actor(id=who)
        return self.engine.execute(message, actor=actor, origin=Origin("websocket", "", "1"))

    def here(self, who, message_class, **fields):
        return self.do(who, message_class(room_id=self.room_id, **fields))

    def begin(self):
        self.here("ada", StartTimer)
        return self

    def at(self, minute: float):
        """The instant, with the worker's work done."""
        self.clock.advance(START + minute * MINUTE - self.clock.now())
        self.engine.run_due()
        return self

    def renew(self, *connected: str):
        """The gateway vouches for these, `name` or `name:connection`."""
        heard = []
        for each in connected:
            who, _, connection = each.partition(":")
            heard.append(signs.Heard(person_id=who, connection=connection, quiet=timedelta()))
        self.do("system", signs.RenewPresence(heard=tuple(heard)))

    def live(self, since: float, until: float, *connected: str):
        """Time goes by, and every 20 s the gateway vouches for who is connected."""
        for third in range(round(since * 3), round(until * 3) + 1):
            self.at(third / 3).renew(*connected)
        return self

    def why(self, who="ben") -> str:
        self.engine.run_due()
        told = self.do(who, records.SessionHistory()).items
        return told[0].why if told else "no session"


Scenario = Callable[[], str]
CREDIT: dict[str, Scenario] = {}
LEASES: dict[str, Scenario] = {}
UNKNOWN: dict[str, Scenario] = {}
CLOCKS: dict[str, Scenario] = {}


def told(where: dict[str, Scenario], sentence: str):
    def note(scenario: Scenario) -> Scenario:
        where[sentence] = scenario
        return scenario

    return note


# -- joined: from joining to leaving --------------------------------------------------------------


def both(**plan) -> Library:
    library = Library(**plan)
    library.here("ben", seats.JoinRoom)
    return library.begin()


@told(CREDIT, "Ben is there from beginning to end")
def whole():
    return both().at(25).why()


@told(CREDIT, "He comes 7 minutes late")
def late():
    library = Library().begin().at(7)
    library.here("ben", seats.JoinRoom)
    return library.at(25).why()


@told(CREDIT, "He leaves 7 minutes early")
def early():
    library = both().at(18)
    library.here("ben", seats.LeaveRoom)
    return library.at(25).why()


@told(CREDIT, "He leaves after 10 minutes, and the phase goes on")
def gone():
    library = both().at(10)
    library.here("ben", seats.LeaveRoom)
    return library.at(20).why()


@told(CREDIT, "He leaves after 10 minutes and is back 3 minutes later")
def back():
    library = both().at(10)
    library.here("ben", seats.LeaveRoom)
    library.at(13).here("ben", seats.JoinRoom)
    return library.at(25).why()


@told(CREDIT, "He comes 3 minutes late, is away for 3 minutes, and leaves 5 minutes early")
def everything():
    library = Library().begin().at(3)
    for minute, step in ((3, seats.JoinRoom), (10, seats.LeaveRoom), (13, seats.JoinRoom)):
        library.at(minute).here("ben", step)
    library.at(20).here("ben", seats.LeaveRoom)
    return library.at(25).why()


@told(CREDIT, "After 10 minutes he enters another room")
def moved():
    library = both().at(10)
    library.do("ben", desks.OpenDesk())
    return library.at(25).why()


@told(CREDIT, "He comes for the last 30 seconds")
def last_seconds():
    library = Library().begin().at(24.5)
    library.here("ben", seats.JoinRoom)
    return library.at(25).why()


@told(CREDIT, "Ada pauses the timer for 5 minutes")
def paused():
    library = both().at(10)
    library.here("ada", PauseTimer)
    library.at(15).here("ada", ResumeTimer)
    return library.at(30).why()


@told(CREDIT, "The timer is paused, and he is away only then")
def away_in_the_pause():
    library = both().at(10)
    library.here("ada", PauseTimer)
    library.here("ben", seats.LeaveRoom)
    library.at(15).here("ben", seats.JoinRoom)
    library.here("ada", ResumeTimer)
    return library.at(30).why()


@told(CREDIT, "Ada extends the phase by 5 minutes")
def extended():
    library = both().at(20)
    library.here("ada", ExtendPhase, span=5 * MINUTE)
    return library.at(30).why()


@told(CREDIT, "Ada skips the rest after 10 minutes")
def skipped():
    library = both().at(10)
    library.here("ada", SkipPhase)
    return library.why()


@told(CREDIT, "Ada resets the timer after 10 minutes")
def put_back():
    library = both().at(10)
    library.here("ada", ResetTimer)
    return library.why()


@told(CREDIT, "He comes 4 minutes late, and Ada closes the room after 10")
def closed():
    library = Library().begin().at(4)
    library.here("ben", seats.JoinRoom)
    library.at(10).here("ada", rooms.CloseRoom)
    return library.why()


@told(CREDIT, "A countdown of 50 minutes; he comes 4 minutes late")
def countdown():
    library = Library(kind=TimerKind.COUNTDOWN, work=50 * MINUTE).begin().at(4)
    library.here("ben", seats.JoinRoom)
    return library.at(50).why()


@told(CREDIT, "A flowtime, completed after 62 minutes; he comes 4 minutes late")
def flowtime():
    library = Library(kind=TimerKind.FLOWTIME).begin().at(4)
    library.here("ben", seats.JoinRoom)
    library.at(62).here("ada", CompleteTimer)
    return library.why()


# -- leased: up to the last sign of life ----------------------------------------------------------


def connected() -> Library:
    library = Library(lease=MINUTE)
    library.here("ben", seats.JoinRoom)
    return library.begin()


@told(LEASES, "Ben stays connected")
def stays_connected():
    return connected().live(0, 25, "ada:1", "ben:1").why()


@told(LEASES, "His connection is gone for 40 seconds")
def gone_within_the_lease():
    library = connected().live(0, 10, "ada:1", "ben:1").live(10 + 1 / 3, 10 + 1 / 3, "ada:1")
    return library.live(10 + 2 / 3, 25, "ada:1", "ben:1").why()


@told(LEASES, "His connection is gone for 3 minutes; then his client enters again")
def gone_beyond_the_lease():
    library = connected().live(0, 10, "ada:1", "ben:1").live(10 + 1 / 3, 13, "ada:1")
    library.here("ben", signs.EnterRoom)
    return library.live(13 + 1 / 3, 25, "ada:1", "ben:1").why()


@told(LEASES, "It is gone for 3 minutes, and his client does not enter again")
def does_not_enter():
    library = connected().live(0, 10, "ada:1", "ben:1").live(10 + 1 / 3, 13, "ada:1")
    return library.live(13, 25, "ada:1", "ben:1").why()


@told(LEASES, "He closes his computer after 10 minutes")
def gone_for_good():
    return connected().live(0, 10, "ada:1", "ben:1").live(10 + 1 / 3, 27, "ada:1").why()


@told(LEASES, "He has two browsers and closes one after 10 minutes")
def two_browsers():
    library = connected().live(0, 10, "ada:1", "ben:1", "ben:2")
    return library.live(10 + 1 / 3, 25, "ada:1", "ben:2").why()


def down(from_minute=10, until=40) -> Library:
    library = connected().live(0, from_minute, "ada:1", "ben:1")
    library.clock.advance(START + until * MINUTE - library.clock.now())
    library.do("system", signs.ReturnService())
    library.engine.run_due()
    return library


@told(LEASES, "The server is away from minute 10 to minute 40; he is back within a minute of that")
def down_and_back():
    return down().live(40 + 2 / 3, 42, "ben:1").why()


@told(LEASES, "The server is away from minute 10 to minute 40; he is back 2 minutes after that")
def down_and_back_late():
    library = down().at(42)
    library.here("ben", signs.EnterRoom)
    return library.why()


@told(LEASES, "The server is away from minute 10 to minute 40; he never comes back")
def down_and_gone():
    return down().live(40 + 1 / 3, 45, "ada:1").why()


@told(UNKNOWN, "The phase has just ended, and the gateway vouched for Ben 20 seconds before")
def just_ended():
    return connected().live(0, 24 + 2 / 3, "ada:1", "ben:1").at(25).why()


@told(UNKNOWN, "The gateway vouches for him again")
def vouched_for():
    library = connected().live(0, 24 + 2 / 3, "ada:1", "ben:1").at(25)
    library.at(25 + 1 / 3).renew("ben:1")
    return library.why()


@told(UNKNOWN, "Nobody hears of him any more, and his lease runs out")
def never_seen_again():
    return connected().live(0, 24 + 2 / 3, "ada:1", "ben:1").at(26).why()


@told(UNKNOWN, "The server is away from minute 10 to minute 40, and has just come back")
def just_back():
    return down().why()


# -- clocks that are set back ---------------------------------------------------------------------


@told(CLOCKS, "Both are there; after 10 minutes the clock is set back by 5")
def set_back():
    library = both().at(10)
    library.clock.set(START + 5 * MINUTE)
    return library.at(25).why()


@told(CLOCKS, "The clock is set back by 5 after 10 minutes, and then Ben comes")
def set_back_and_come():
    library = Library().begin().at(10)
    library.clock.set(START + 5 * MINUTE)
    library.here("ben", seats.JoinRoom)
    return library.at(25).why()


@told(CLOCKS, "The phase is over; the clock is set back into its midst, and then Ben comes")
def set_back_into_the_phase():
    library = Library().begin().at(25)
    library.clock.set(START + 15 * MINUTE)
    library.here("ben", seats.JoinRoom)
    return library.at(30).why()


@told(CLOCKS, "Ben leaves after 10 minutes, the clock is set back by 5, and he comes again")
def leave_set_back_and_come():
    library = both().at(10)
    library.here("ben", seats.LeaveRoom)
    library.clock.set(START + 5 * MINUTE)
    library.here("ben", seats.JoinRoom)
    return library.at(25).why()


ALL = {
    ("credit.md", "What is credited"): CREDIT,
    ("credit.md", "Signs of life"): LEASES,
    ("credit.md", "What is not known yet"): UNKNOWN,
    ("time.md", "When a clock is set back"): CLOCKS,
}


@pytest.mark.parametrize("where", ALL, ids=lambda where: where[1])
def test_every_row_says_what_happens(where):
    expected = [(sentence, scenario()) for sentence, scenario in ALL[where].items()]
    assert rows_of(*where) == expected


# -- which day it is ------------------------------------------------------------------------------


def counted(zone: str, begins: str, instant: str) -> tuple[str, str, str]:
    """What clocks show there, the day it is counted in, and the offset."""
    at = datetime.fromisoformat(instant)
    clock = FakeClock(at)
    engine = Engine(MemoryStorage(), features=BUNDLED, clock=clock, ids=SequentialIds())
    change = days.ChangeDays(time_zone=zone, day_start=int(begins))
    engine.execute(change, actor=Actor(id="ada"))
    today = engine.execute(days.WhichDay(), actor=Actor(id="ada"))
    return f"{at + today.offset:%H:%M}", today.today, duration_text(today.offset)


def test_every_instant_is_counted_in_the_day_that_the_page_says():
    rows = rows_of("time.md", "Which day it is")
    assert len(rows) > 10
    assert rows == [(*row[:3], *counted(*row[:3])) for row in rows]


# -- what a command does to a timer ---------------------------------------------------------------

COMMANDS = {
    "start": StartTimer,
    "pause": PauseTimer,
    "resume": ResumeTimer,
    "reset": ResetTimer,
    "skip": SkipPhase,
    "complete": CompleteTimer,
    "extend": ExtendPhase,
}


def in_state(state: str) -> Library:
    library = Library(kind=TimerKind.COUNTDOWN if state == "completed" else TimerKind.POMODORO)
    if state != "idle":
        library.begin().at(5)
    if state == "paused":
        library.here("ada", PauseTimer)
    return library.at(25) if state == "completed" else library


def outcome(state: str, command: str) -> str:
    library = in_state(state)
    fields = {"span": MINUTE} if command == "extend" else {}
    try:
        timer = library.here("ada", COMMANDS[command], **fields)
    except Refusal as refused:
        return refused.code
    return f"{timer.state.value}, {timer.phase.value}"


def test_every_command_does_in_every_state_what_the_page_says():
    states = ("idle", "running", "paused", "completed")
    expected = [
        (f"timer.{command}", *(outcome(state, command) for state in states)) for command in COMMANDS
    ]
    assert rows_of("time.md", "What a command does") == [
        tuple(cell.replace("`", "") for cell in row) for row in expected
    ]


def test_what_is_impossible_says_what_to_do():
    for state, command, text in (
        ("idle", "pause", "The timer is idle; start or resume it first."),
        ("idle", "complete", "The timer is idle; start or resume it first."),
        ("completed", "extend", "The timer is completed; start or resume it first."),
    ):
        library = in_state(state)
        fields = {"span": MINUTE} if command == "extend" else {}
        with pytest.raises(Refusal) as refused:
            library.here("ada", COMMANDS[command], **fields)
        assert refused.value.detail == text
