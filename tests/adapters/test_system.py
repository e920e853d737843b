"""The machine's clock tells UTC, its ids are ordered by time, and its codes cannot be guessed."""

import re
import uuid
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from focusmate_core.fields import UUID
from focusmate_core.ports.clock import Clock
from focusmate_core.ports.codes import Codes
from focusmate_core.ports.ids import Ids
from focusmate_system import RandomCodes, RandomIds, SystemClock

INSTANTS = st.datetimes(
    datetime(1970, 1, 1),  # noqa: DTZ001  hypothesis takes bounds without a zone
    datetime(9999, 12, 31, 23, 59, 59),  # noqa: DTZ001
    timezones=st.just(UTC),
)


def test_the_clock_tells_aware_instants_in_utc():
    clock: Clock = SystemClock()
    assert clock.now().utcoffset() == timedelta(0)
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(minutes=1)


def test_the_monotonic_reading_never_falls():
    clock: Clock = SystemClock()
    readings = [clock.monotonic() for _ in range(1000)]
    assert readings == sorted(readings)


@given(INSTANTS)
def test_an_id_is_a_uuid_of_version_7_whose_time_is_the_instant(now: datetime):
    ids: Ids = RandomIds()
    text = ids.new(now)
    assert re.fullmatch(UUID, text)
    made = uuid.UUID(text)
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == (now - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


@given(INSTANTS, st.integers(1, 10**6))
def test_a_later_microsecond_makes_a_greater_id(now: datetime, micros: int):
    ids = RandomIds()
    later = now + timedelta(microseconds=micros)
    assert ids.new(now) < ids.new(later)


def test_ids_of_one_instant_differ():
    ids, now = RandomIds(), datetime(2026, 1, 5, tzinfo=UTC)
    assert len({ids.new(now) for _ in range(10_000)}) == 10_000


def test_a_code_is_made_of_what_can_stand_in_an_address():
    codes: Codes = RandomCodes()
    assert all(re.fullmatch("[A-Za-z0-9_-]{22}", codes.new()) for _ in range(1000))


def test_codes_differ_and_each_of_their_characters_is_left_to_chance():
    codes = RandomCodes()
    made = [codes.new() for _ in range(10_000)]
    assert len(set(made)) == len(made)
    # The last of 22 characters of 6 bits bears the 2 that are left of 128.
    assert [len(set(column)) for column in zip(*made, strict=True)] == [64] * 21 + [4]
