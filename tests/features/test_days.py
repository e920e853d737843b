"""Days: every instant is in one local day, no day comes twice, and what was counted stays there."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focusmate_core import SYSTEM, Origin
from focusmate_core.context import QueryContext
from focusmate_core.features import days
from focusmate_core.features.days import (
    ChangeDays,
    DayHistory,
    DayRule,
    NoSuchZone,
    WhichDay,
    day_after,
    day_of,
    local_day,
    zone_of,
)
from focusmate_core.finding import Find
from focusmate_core.refusals import BadInput

HOUR = timedelta(hours=1)
MOMENT = timedelta(microseconds=1)
ZONES = [
    "UTC",
    "Europe/Paris",
    "America/New_York",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Honolulu",
]


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def known_day(town, person, at):
    """The day an instant is counted in for a person, as the features above ask for it."""
    with town.storage.read() as reader:
        ctx = QueryContext(SYSTEM, Origin(), town.clock.now(), reader, {}, town.engine.registry)
        return day_of(person.id, at, ctx)


# -- one zone --------------------------------------------------------------------------------------


def length_of(day, zone, day_start):
    """How long a day is, hour by hour of the true time."""
    noon = datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC) + 12 * HOUR
    within = [noon + n * HOUR / 4 for n in range(-4 * 40, 4 * 40)]
    return sum(local_day(at, ZoneInfo(zone), day_start).day == day for at in within) * HOUR / 4


@pytest.mark.parametrize(
    ("day", "zone", "day_start", "hours"),
    [
        ("2026-03-29", "Europe/Paris", 0, 23),
        ("2026-10-25", "Europe/Paris", 0, 25),
        ("2026-03-28", "Europe/Paris", 4, 23),
        ("2026-10-24", "Europe/Paris", 4, 25),
        ("2026-03-29", "Europe/Paris", 4, 24),
        ("2026-03-08", "America/New_York", 0, 23),
        ("2026-11-01", "America/New_York", 0, 25),
        ("2026-10-04", "Australia/Lord_Howe", 0, 23.5),
        ("2026-04-05", "Australia/Lord_Howe", 0, 24.5),
        ("2028-02-29", "Asia/Kathmandu", 0, 24),
        ("2028-02-29", "UTC", 23, 24),
        ("2011-12-30", "Pacific/Apia", 0, 0),
    ],
)
def test_a_day_is_as_long_as_clocks_there_say(day, zone, day_start, hours):
    assert length_of(day, zone, day_start) == hours * HOUR


@pytest.mark.parametrize(
    ("at", "day"),
    [
        (utc(2026, 1, 5, 2, 59, 59), "2026-01-04"),
        (utc(2026, 1, 5, 3), "2026-01-05"),
        (utc(2026, 1, 5, 22, 30), "2026-01-05"),
        (utc(2026, 1, 6, 2, 59), "2026-01-05"),
    ],
)
def test_a_day_that_starts_at_four_holds_the_night_before(at, day):
    assert local_day(at, ZoneInfo("Europe/Paris"), 4).day == day


def test_the_hour_that_comes_twice_is_in_one_day_and_its_offset_says_which_it_was():
    zone = ZoneInfo("Europe/Paris")
    twice = [local_day(utc(2026, 10, 25, hour, 30), zone, 0) for hour in (0, 1)]
    assert [each.day for each in twice] == ["2026-10-25"] * 2
    assert [each.offset for each in twice] == [2 * HOUR, HOUR]


@given(
    st.timedeltas(timedelta(0), timedelta(days=16_000)).map(lambda span: utc(1990, 1, 1) + span),
    st.timedeltas(timedelta(0), timedelta(days=3)),
    st.sampled_from(ZONES),
    st.integers(0, 23),
)
def test_days_never_go_backwards_by_more_than_clocks_do(at, span, zone, day_start):
    first = local_day(at, ZoneInfo(zone), day_start)
    then = local_day(at + span, ZoneInfo(zone), day_start)
    # Where clocks are put back over the day-start itself, the minutes before it come again.
    put_back = first.offset - then.offset
    assert then.day >= first.day or put_back > span


@pytest.mark.parametrize(
    ("day", "after"), [("2028-02-28", "2028-02-29"), ("2026-12-31", "2027-01-01")]
)
def test_the_calendar_says_which_day_is_next(day, after):
    assert day_after(day) == after


# -- one person ------------------------------------------------------------------------------------


def test_who_never_said_has_the_days_of_utc(town, ada):
    today = town.do(WhichDay(), ada)
    assert (today.time_zone, today.day_start, today.today) == ("UTC", 0, "2026-01-05")
    assert today.offset == timedelta(0)


def test_ones_days_go_as_one_says(town, ada, bob):
    told = town.do(ChangeDays(time_zone="Asia/Tokyo", day_start=4), ada)
    assert (told.time_zone, told.day_start) == ("Asia/Tokyo", 4)
    town.clock.set(utc(2026, 1, 5, 18, 59))
    assert town.do(WhichDay(), ada).today == "2026-01-05"
    town.clock.set(utc(2026, 1, 5, 19))
    assert town.do(WhichDay(), ada).today == "2026-01-06"
    assert town.do(WhichDay(), ada).offset == 9 * HOUR
    assert town.do(WhichDay(), bob).time_zone == "UTC"


def test_a_flight_from_tokyo_to_honolulu_has_one_day_for_each_minute(town, ada):
    town.clock.set(utc(2026, 5, 1, 0))
    town.do(ChangeDays(time_zone="Asia/Tokyo"), ada)
    town.clock.set(utc(2026, 5, 3, 21))  # Six in the morning of the 4th in Tokyo.
    before = known_day(town, ada, town.clock.now() - MOMENT)
    town.do(ChangeDays(time_zone="Pacific/Honolulu"), ada)
    after = known_day(town, ada, town.clock.now())
    # In Honolulu it is eleven in the morning of the 3rd: that day goes on, and is one day.
    assert (before.day, before.offset) == ("2026-05-04", 9 * HOUR)
    assert (after.day, after.offset) == ("2026-05-03", -10 * HOUR)
    assert known_day(town, ada, utc(2026, 5, 3, 20)) == before


def test_what_was_before_stays_where_it_was_counted(town, ada):
    night = utc(2026, 1, 5, 23, 30)
    town.clock.set(night + HOUR)
    assert known_day(town, ada, night).day == "2026-01-05"
    town.do(ChangeDays(time_zone="Europe/Paris"), ada)
    assert known_day(town, ada, night).day == "2026-01-05"
    assert known_day(town, ada, town.clock.now()).day == "2026-01-06"


def test_of_two_changes_at_one_instant_the_later_counts(town, ada):
    for zone in ("Asia/Tokyo", "Europe/Paris"):
        town.do(ChangeDays(time_zone=zone), ada)
    assert town.do(WhichDay(), ada).time_zone == "Europe/Paris"


def test_saying_again_what_is_in_force_is_saying_it_once(town, ada):
    town.do(ChangeDays(time_zone="Asia/Tokyo"), ada)
    town.clock.advance(hours=1)
    assert town.do(ChangeDays(time_zone="Asia/Tokyo"), ada).time_zone == "Asia/Tokyo"
    with town.storage.read() as reader:
        assert len(reader.find(Find(DayRule)).items) == 1


@pytest.mark.parametrize("name", ["Mars/Olympus", "Europe", "posix/", "a//b", "Europe/Paris/"])
def test_a_zone_that_nobody_knows_is_refused_by_name(town, ada, name):
    refusal = town.refused(ChangeDays(time_zone=name), ada)
    assert refusal.code == "days.no_such_zone"
    assert refusal.params() == {"name": name}
    assert town.do(WhichDay(), ada).time_zone == "UTC"


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../UTC", "Europe/Paris\x00", "a" * 65, "."])
def test_what_can_be_no_zone_is_bad_input(name):
    with pytest.raises(BadInput):
        ChangeDays(time_zone=name)


@pytest.mark.parametrize("hour", [-1, 24])
def test_a_day_starts_at_an_hour_of_the_day(hour):
    with pytest.raises(BadInput):
        ChangeDays(time_zone="UTC", day_start=hour)


def test_no_minute_waits_for_a_zone_whose_data_was_lost_since(town, ada, monkeypatch):
    town.do(ChangeDays(time_zone="Asia/Tokyo"), ada)
    town.clock.set(utc(2026, 1, 5, 20))

    def lost(name):
        if name == "Asia/Tokyo":
            raise NoSuchZone(name=name)
        return zone_of(name)

    monkeypatch.setattr(days, "zone_of", lost)
    counted = known_day(town, ada, town.clock.now())
    assert (counted.day, counted.offset) == ("2026-01-05", timedelta(0))
    shown = town.do(WhichDay(), ada)
    assert (shown.time_zone, shown.today) == ("Asia/Tokyo", "2026-01-05")
    assert shown.offset == timedelta(0)


def test_after_a_clock_was_set_back_the_last_word_on_ones_days_holds(town, ada):
    town.do(ChangeDays(time_zone="Asia/Tokyo"), ada)
    start = town.clock.now()
    town.clock.set(start - timedelta(hours=1))
    town.do(ChangeDays(time_zone="Europe/Paris"), ada)
    town.clock.set(start + timedelta(hours=1))
    assert town.do(WhichDay(), ada).time_zone == "Europe/Paris"


def test_ones_days_have_a_history_the_latest_first(town, ada, bob):
    assert town.do(DayHistory(), ada).items == ()
    start = town.clock.now()
    for zone in ("Asia/Tokyo", "Europe/Paris", "Pacific/Apia"):
        town.do(ChangeDays(time_zone=zone, day_start=4), ada)
        town.clock.advance(days=1)
    town.do(ChangeDays(time_zone="UTC", day_start=1), bob)
    page = town.do(DayHistory(limit=2), ada)
    assert [each.time_zone for each in page.items] == ["Pacific/Apia", "Europe/Paris"]
    last = town.do(DayHistory(limit=2, cursor=page.next_cursor), ada)
    assert [(each.time_zone, each.since, each.day_start) for each in last.items] == [
        ("Asia/Tokyo", start, 4)
    ]
    assert last.next_cursor is None
    assert town.code(DayHistory(cursor="none of it"), ada) == "bad_input"
