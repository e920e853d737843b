"""Day totals: kept with every credit, found again from the sessions, and right after anything."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from focusmate_core.features.days import ChangeDays
from focusmate_core.features.plans import Plan
from focusmate_core.features.records import RecordSession, RemoveSession
from focusmate_core.features.seats import JoinRoom, LeaveRoom
from focusmate_core.features.sessions import Session
from focusmate_core.features.stats import DaysOf, DayTotal, RecountDays
from focusmate_core.features.timer_control import (
    ChangePlan,
    ExtendPhase,
    PauseTimer,
    ResetTimer,
    ResumeTimer,
    SkipPhase,
    StartTimer,
)
from focusmate_core.finding import Find, Is
from focusmate_core.refusals import BadInput

MINUTE = timedelta(minutes=1)
ZERO = timedelta(0)
TODAY = "2026-01-05"
BY_ITSELF = Plan(auto_start_breaks=True, auto_start_work=True)


def days(town, person, first=TODAY, last=TODAY):
    return town.do(DaysOf(first=first, last=last), person)


def recount(town, person):
    found = town.do(RecountDays(), person)
    return (found.days, found.mended)


def totals(town, person):
    with town.storage.read() as reader:
        return reader.find(Find(DayTotal, where=(Is("person_id", person.id),))).items


def put(town, thing):
    with town.storage.write() as unit:
        return unit.put(thing)


def record(town, person, ago=2, minutes=30):
    started_at = town.clock.now() - timedelta(hours=ago)
    return town.do(RecordSession(started_at=started_at, length=minutes * MINUTE), person)


@pytest.fixture
def worked(town, ada, bob):
    """A morning of four phases; Bob was there for the first and a part of the second."""
    room = town.open_room(ada, plan=BY_ITSELF)
    town.do(JoinRoom(room_id=room.id), bob)
    town.do(StartTimer(room_id=room.id), ada)
    town.clock.advance(minutes=40)
    town.do(LeaveRoom(room_id=room.id), bob)
    town.clock.advance(minutes=75)
    town.do(LeaveRoom(room_id=room.id), ada)
    town.engine.run_due()
    return room


def test_a_day_is_the_sum_of_its_sessions(town, ada, bob, worked):
    found = days(town, ada)
    assert [(each.day, each.focused, each.sessions) for each in found.days] == [
        (TODAY, 100 * MINUTE, 4)
    ]
    assert (found.focused, found.sessions, found.recorded) == (100 * MINUTE, 4, ZERO)
    assert (days(town, bob).focused, days(town, bob).sessions) == (35 * MINUTE, 2)


def test_what_was_recorded_by_hand_is_counted_apart_and_no_more_when_removed(town, ada, worked):
    made = record(town, ada, ago=5)
    found = days(town, ada)
    assert (found.focused, found.sessions, found.recorded) == (100 * MINUTE, 4, 30 * MINUTE)
    town.do(RemoveSession(session_id=made.id), ada)
    assert days(town, ada).recorded == ZERO


def test_a_day_of_which_nothing_is_left_is_no_day(town, ada):
    made = record(town, ada)
    assert len(totals(town, ada)) == 1
    town.do(RemoveSession(session_id=made.id), ada)
    assert totals(town, ada) == ()
    assert days(town, ada).days == ()


def test_days_come_in_order_and_only_those_that_were_asked_for(town, ada):
    for ago in (24, 72, 2, 48, 240):
        record(town, ada, ago=ago)
    found = days(town, ada, "2026-01-02", "2026-01-04")
    assert [each.day for each in found.days] == ["2026-01-02", "2026-01-03", "2026-01-04"]
    assert found.recorded == 90 * MINUTE


@pytest.mark.parametrize(
    ("first", "last", "is_taken"),
    [
        ("2026-01-05", "2026-01-05", True),
        ("2026-01-05", "2026-01-04", False),
        ("2025-01-05", "2026-01-05", True),
        ("2025-01-04", "2026-01-05", False),
        ("2024-01-01", "2024-12-31", True),
        ("1970-01-01", "2999-12-31", False),
        ("2999-12-31", "2999-12-31", True),
    ],
)
def test_a_range_is_a_year_at_most_and_ends_after_it_begins(town, ada, first, last, is_taken):
    if is_taken:
        assert days(town, ada, first, last).focused == ZERO
        return
    refusal = town.refused(DaysOf(first=first, last=last), ada)
    assert isinstance(refusal, BadInput)
    assert [problem.field for problem in refusal.fields] == ["last"]


def test_a_whole_year_of_days_is_one_answer(town, ada):
    first = date(2025, 1, 5)
    for number in range(366):
        day = (first + timedelta(days=number)).isoformat()
        put(town, DayTotal(person_id=ada.id, day=day, recorded=MINUTE))
    found = days(town, ada, "2025-01-05", "2026-01-05")
    assert (len(found.days), found.recorded) == (366, 366 * MINUTE)


def test_each_has_days_of_their_own(town, ada, bob, worked):
    record(town, bob, ago=5)
    assert days(town, ada).recorded == ZERO


# -- recount ---------------------------------------------------------------------------------------


def test_recounting_finds_nothing_to_mend_after_anything(town, ada, bob, worked):
    town.do(ChangeDays(time_zone="Asia/Tokyo", day_start=4), ada)
    record(town, ada, ago=5)
    town.do(RemoveSession(session_id=record(town, ada, ago=9).id), ada)
    for message in (JoinRoom, StartTimer, PauseTimer, ResumeTimer, SkipPhase, StartTimer):
        town.do(message(room_id=worked.id), ada)
        town.clock.advance(minutes=3)
        assert recount(town, ada)[1] == 0
    town.do(ExtendPhase(room_id=worked.id, span=MINUTE), ada)
    town.do(ChangePlan(room_id=worked.id, plan=Plan()), ada)
    for _ in range(3):
        town.clock.advance(hours=5)
        town.engine.run_due()
        town.do(StartTimer(room_id=worked.id), ada)
        assert [recount(town, who)[1] for who in (ada, bob)] == [0, 0]


def test_recounting_of_nothing_is_nothing(town, ada):
    assert recount(town, ada) == (0, 0)


@pytest.mark.parametrize("back", [25, 15])
def test_recounting_finds_nothing_to_mend_after_a_clock_was_set_back(town, ada, bob, back):
    room = town.open_room(ada)
    town.do(JoinRoom(room_id=room.id), bob)
    town.do(StartTimer(room_id=room.id), ada)
    town.clock.advance(minutes=20)
    town.do(LeaveRoom(room_id=room.id), bob)
    town.clock.set(town.clock.now() - back * MINUTE)
    town.do(ResetTimer(room_id=room.id), ada)
    assert [recount(town, who)[1] for who in (ada, bob)] == [0, 0]


def tampered(town, person, **changes):
    (total,) = totals(town, person)
    put(town, total.but(**changes))


@pytest.mark.parametrize(
    "changes", [{"focused": MINUTE}, {"sessions": 7}, {"recorded": MINUTE}], ids=str
)
def test_a_total_that_was_tampered_with_is_mended(town, ada, worked, changes):
    before = days(town, ada)
    tampered(town, ada, **changes)
    assert days(town, ada) != before
    assert recount(town, ada) == (1, 1)
    assert days(town, ada) == before
    assert recount(town, ada) == (1, 0)


def test_a_total_that_was_lost_is_made_again_and_one_that_was_invented_is_removed(
    town, ada, worked
):
    before = days(town, ada, "2026-01-01", "2026-01-31")
    with town.storage.write() as unit:
        unit.delete(DayTotal, (ada.id, TODAY))
    put(town, DayTotal(person_id=ada.id, day="2026-01-20", focused=MINUTE, sessions=1))
    assert recount(town, ada) == (2, 2)
    assert days(town, ada, "2026-01-01", "2026-01-31") == before
    assert len(totals(town, ada)) == 1


def test_a_session_without_credit_is_in_no_total(town, ada, worked):
    with town.storage.read() as reader:
        asked = Find(Session, (Is("person_id", ada.id),), ("day", "started_at"))
        first = reader.find(asked).items[0]
    waiting = first.but(id=town.somebody().id, credited=ZERO, version=0, day="2026-01-09")
    put(town, waiting)
    assert recount(town, ada) == (1, 0)
