"""A watched room is the server's room: after every event, and at every instant in between."""

from datetime import UTC, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focusmate_core import codec
from focusmate_core.features import (
    bans,
    desks,
    presence,
    room_changes,
    rooms,
    seats,
    signs,
    timer,
    timer_control,
)
from focusmate_core.features.invitations import DeclineInvitation
from focusmate_core.features.inviting import InvitePerson, RevokeInvitation
from focusmate_core.features.links import OpenLink, RevokeLink
from focusmate_core.features.moderation import RemovePerson
from focusmate_core.features.plans import Plan, TimerKind
from focusmate_core.fields import instant_text
from focusmate_core.testing.memory import MemoryStorage
from focusmate_server.watching.room import (
    REGISTRY,
    Gap,
    Happened,
    OtherVersion,
    Parts,
    WatchedRoom,
    left,
)
from focusmate_server.watching.screen import Scene, drawn, pause_until_change, room_lines
from focusmate_server.watching.words import WORDS, face, printable, spoken, timer_said, told
from tests.features.town import Town

MINUTE = timedelta(minutes=1)
INNER = {
    bans.PersonBanned,
    presence.PresenceKnown,
    room_changes.RoomReplanned,
    room_changes.RoomWithdrawn,
    seats.RemovedFromRoom,
    seats.SeatTakenAgain,
    timer.WorkEnded,
    timer.WorkPaused,
}
"""Told to nobody, or not on the room's stream."""


class Library:
    """A room in a town, and somebody who watches it."""

    def __init__(self, **more):
        self.town = Town(MemoryStorage())
        self.ada, self.ben = self.town.person("ada"), self.town.person("ben")
        self.names = {self.ada.id: "ada", self.ben.id: "ben"}
        self.room = self.town.open_room(self.ada, **more)
        self.stream = f"room:{self.room.id}"
        self.watched = WatchedRoom(self.subscribed())
        self.happened = []

    def subscribed(self):
        found = self.town.engine.snapshot(self.stream)
        return {"stream": self.stream, "seq": found.seq, "snapshot": found.parts}

    def do(self, cls, by=None, **more):
        return self.town.do(cls(room_id=self.room.id, **more), by or self.ada)

    def frames(self):
        return [
            {
                "stream": each.stream,
                "seq": each.seq,
                "type": each.type,
                "at": instant_text(each.at),
                "data": codec.loads(each.data),
            }
            for each in self.town.told(self.stream, after=self.watched.seq)
        ]

    def hear(self):
        """All that is new; what is watched is then what a new snapshot shows."""
        new = [self.watched.hear(frame) for frame in self.frames()]
        self.happened += new
        assert self.watched.parts == Parts.of(self.subscribed()["snapshot"])
        return [told(each, self.scene().name) for each in new]

    def scene(self, **more):
        return Scene(
            parts=self.watched.parts,
            now=self.town.clock.now(),
            error=0.004,
            names=self.names,
            happened=tuple(self.happened),
            zone=UTC,
            **more,
        )

    def drawn(self, width=60, height=24, **more):
        return "\n".join(drawn(self.scene(**more), width, height))


# -- what is known of the room --------------------------------------------------------------------


def test_every_event_is_said_in_words_and_leaves_what_the_server_has():
    library = Library(plan=Plan(auto_start_breaks=True, long_break_every=0))
    clock, said = library.town.clock, []
    library.do(seats.JoinRoom, library.ben)
    library.do(timer_control.StartTimer)
    clock.advance(minutes=5)
    library.do(timer_control.PauseTimer)
    library.town.do(signs.ReportStatus(is_idle=True), library.ben)
    library.do(timer_control.ExtendPhase, span=5 * MINUTE)
    library.do(timer_control.ResumeTimer)
    library.town.do(signs.ReportStatus(is_idle=False), library.ben)
    said += library.hear()
    clock.advance(minutes=25)
    library.do(timer_control.SkipPhase)
    library.do(seats.AppointModerator, person_id=library.ben.id)
    library.do(seats.AppointModerator, person_id=library.ben.id, is_moderator=False)
    library.do(timer_control.ChangePlan, plan=Plan(kind=TimerKind.FLOWTIME))
    library.do(timer_control.StartTimer)
    clock.advance(minutes=30)
    said += library.hear()
    library.do(timer_control.CompleteTimer)
    library.do(timer_control.ResetTimer)
    library.do(seats.LeaveRoom, library.ben)
    library.do(rooms.CloseRoom)
    said += library.hear()
    assert said == [
        "ben joined",
        "ben came",
        "ada started work of 25 min",
        "ada paused work",
        "ben is idle",
        "ada added 5 min",
        "ada resumed work",
        "ben is active again",
        "work is over; short break runs",
        "ada skipped short break; work is next",
        "ben is a moderator now",
        "ben is no longer a moderator",
        "the room was changed",
        "ada planned flowtime",
        "ada started flowtime",
        "ada completed flowtime; a break of 8 min suits",
        "ada reset the timer",
        "ben left the room",
        "ben went away",
        "the room was closed",
        "the timer was reset",
    ]


def test_who_is_let_in_and_who_is_not_is_said_in_words():
    library = Library()
    cleo = library.town.person("cleo")
    library.names[cleo.id] = "cleo"
    library.do(seats.JoinRoom, library.ben)
    for answer in (DeclineInvitation, RevokeInvitation):
        invited = library.do(InvitePerson, person_id=cleo.id)
        by = cleo if answer is DeclineInvitation else library.ada
        library.town.do(answer(invitation_id=invited.id), by)
    link = library.do(OpenLink)
    library.do(RevokeLink, link_id=link.id)
    library.do(RemovePerson, person_id=library.ben.id)
    library.do(seats.JoinRoom, library.ben)
    library.do(room_changes.HandOverRoom, person_id=library.ben.id)
    assert library.hear() == [
        "ben joined",
        "ben came",
        "cleo was invited",
        "cleo declined the invitation",
        "cleo was invited",
        "cleo is invited no more",
        "ada made a link into the room",
        "a link leads into the room no more",
        "ben was removed by ada",
        "ben went away",
        "ben joined",
        "ben came",
        "ben is the host now",
        "ada is a moderator now",
    ]


def test_no_event_of_a_room_is_without_words():
    about_rooms = {
        cls
        for cls in REGISTRY.events.values()
        if {"room_id", "room"} & {each.name for each in cls.__attrs_attrs__}
    }
    assert about_rooms - INNER == set(WORDS)


def test_what_a_plugin_tells_is_said_by_its_type():
    happened = Happened(Library().town.clock.now(), "garden.watered", None)
    assert told(happened, str) == "something happened: garden.watered"


def test_an_event_heard_twice_is_heard_once_and_a_gap_is_noticed():
    library = Library()
    library.do(timer_control.StartTimer)
    library.do(timer_control.PauseTimer)
    first, second = library.frames()
    with pytest.raises(Gap):
        library.watched.hear(second)
    assert library.watched.hear(first) is not None
    assert library.watched.hear(first) is None


def test_a_snapshot_of_another_version_is_told_apart():
    subscribed = Library().subscribed()
    for broken in ({}, {**subscribed["snapshot"], "timer": {"state": "melted"}}):
        with pytest.raises(OtherVersion):
            WatchedRoom({**subscribed, "snapshot": broken})


KINDS = st.sampled_from(TimerKind)
DOING = st.sampled_from(
    [timer_control.StartTimer, timer_control.PauseTimer, timer_control.ResumeTimer,
     timer_control.SkipPhase, timer_control.ResetTimer, timer_control.CompleteTimer]
)  # fmt: skip


@given(KINDS, st.lists(st.tuples(DOING, st.integers(0, 2000))), st.booleans())
def test_the_time_watched_is_the_time_the_server_tells(kind, steps, auto):
    library = Library(plan=Plan(kind=kind, auto_start_breaks=auto, auto_start_work=auto))
    for cls, seconds in steps:
        library.town.code(cls(room_id=library.room.id), library.ada)
        library.hear()
        library.town.clock.advance(milliseconds=seconds * 333)
        now = library.town.clock.now()
        state = library.do(timer.TimerState)
        timer_facts = library.watched.parts.timer
        if timer_facts.ends_at is None or now < timer_facts.ends_at:
            assert left(timer_facts, now) == state.left


# -- how it looks ---------------------------------------------------------------------------------


def test_a_running_room_is_drawn():
    library = Library(name="Deep work", capacity=8)
    library.do(seats.JoinRoom, library.ben)
    library.do(timer_control.StartTimer)
    library.hear()
    library.town.clock.advance(minutes=10)
    library.town.clock.advance(milliseconds=1)
    assert library.drawn() == "\n".join(  # noqa: FLY002  a picture
        [
            " Deep work  2 of 8 seated · open to all",
            "",
            " WORK  running",
            " 15:00  ████████████████························",
            " pomodoro · 0 completed · until 09:25:00",
            "",
            " ● ada  active  host",
            " ● ben  active",
            "",
            " 09:00:00  ben joined",
            " 09:00:00  ben came",
            " 09:00:00  ada started work of 25 min",
            "",
            " within 4 ms of the server's clock · q quits",
        ]
    )


def test_who_is_idle_comes_after_who_is_active_and_who_is_away_last():
    library = Library()
    library.do(seats.JoinRoom, library.ben)
    library.town.do(signs.ReportStatus(is_idle=True), library.ada)
    library.hear()
    assert " ● ben  active\n ○ ada  idle    host" in library.drawn()
    library.town.do(desks.OpenDesk(), library.ben)
    library.hear()
    assert " ○ ada  idle    host\n · ben  away" in library.drawn()


def test_a_flowtime_counts_up_and_suggests_a_break():
    library = Library(plan=Plan(kind=TimerKind.FLOWTIME))
    assert "00:00" in library.drawn()
    library.do(timer_control.StartTimer)
    library.hear()
    library.town.clock.advance(minutes=61, seconds=1.9)
    assert " FLOWTIME  running\n 1:01:01\n flowtime · 0 completed" in library.drawn()
    library.do(timer_control.CompleteTimer)
    library.hear()
    assert " FLOWTIME  completed\n done; a break of 10 min suits\n" in library.drawn()


def test_a_lost_connection_is_said_where_the_eyes_are_and_the_time_goes_on():
    library = Library()
    library.do(timer_control.StartTimer)
    library.hear()
    library.town.clock.advance(seconds=90)
    shown = library.drawn(trouble="the server restarts; reconnecting …")
    assert " 23:30  " in shown
    assert shown.endswith("\n the server restarts; reconnecting …")


@given(st.integers(1, 200), st.integers(1, 60), st.integers(0, 40))
def test_it_never_has_more_lines_than_the_terminal(width, height, guests):
    library = Library(capacity=50)
    for _ in range(guests):
        library.do(seats.JoinRoom, library.town.somebody())
    library.hear()
    shown = drawn(library.scene(), width, height)
    assert len(shown) <= height
    assert guests < 12 or height < 24 or any("more" in line for line in shown)


def test_a_stranger_s_text_cannot_steer_the_terminal():
    assert printable("a\x1b[2Jb\r\n\x9b") == "a\ufffd[2Jb\ufffd\ufffd\ufffd"
    assert printable("Ümläut 日本 🍅") == "Ümläut 日本 🍅"


def test_styles_are_only_there_where_they_are_wanted():
    assert "\x1b[" in Library().drawn(has_styles=True)
    assert "\x1b" not in Library().drawn()


@given(st.integers(0, 25 * 60 * 1000))
def test_each_second_is_drawn_when_it_begins(millis):
    library = Library()
    library.do(timer_control.StartTimer)
    library.hear()
    library.town.clock.advance(milliseconds=millis)
    scene = library.scene()
    pause = pause_until_change(scene)
    if millis == 25 * 60 * 1000:
        assert pause is None
        return
    assert 0 < pause <= 0.1
    before, after = timedelta(seconds=pause * 0.99), timedelta(seconds=pause)
    facts = scene.parts.timer
    assert face(facts, scene.now) == face(facts, scene.now + before)
    assert left(facts, scene.now + after) % timedelta(milliseconds=100) == timedelta(0)


def test_nothing_is_redrawn_while_nothing_changes():
    library = Library()
    assert pause_until_change(library.scene()) is None
    library.do(timer_control.StartTimer)
    library.do(timer_control.PauseTimer)
    library.hear()
    assert pause_until_change(library.scene()) is None


def test_for_who_reads_lines_there_are_lines():
    library = Library()
    library.do(seats.JoinRoom, library.town.somebody())
    library.hear()
    room, people = room_lines(library.scene())
    assert room == "room: Library"
    assert people.startswith("people: ada active, …")
    said = timer_said(library.watched.parts.timer, library.town.clock.now())
    assert said == "work, idle, 25:00 left"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (45, "45 s"), (60, "1 min"), (1500, "25 min"), (5400, "1 h 30 min"),
     (0.2, "1 s"), (3600, "1 h")],
)  # fmt: skip
def test_spans_are_spoken(seconds, said):
    assert spoken(timedelta(seconds=seconds)) == said
