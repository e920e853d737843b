"""The fakes do as they are told, keep their ports, and refuse what the real ones refuse."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focusmate_core.ports.limits import Rate
from focusmate_core.testing.clock import START, FakeClock
from focusmate_core.testing.ids import SequentialIds
from focusmate_core.testing.limits import NoLimits
from focusmate_core.testing.passwords import COMMON, FakePasswords
from focusmate_core.testing.tokens import FakeTokens

HOUR = timedelta(hours=1)


def test_time_stands_still_until_it_is_told_to_pass():
    clock = FakeClock()
    assert (clock.now(), clock.now(), clock.monotonic()) == (START, START, 0.0)
    assert clock.advance(HOUR, minutes=30) == START + 1.5 * HOUR
    assert (clock.now(), clock.monotonic()) == (START + 1.5 * HOUR, 5400.0)


def test_the_wall_clock_may_be_turned_while_no_time_passes():
    clock = FakeClock()
    clock.advance(HOUR)
    clock.set(datetime(2020, 1, 1, 2, tzinfo=timezone(2 * HOUR)))
    assert (clock.now(), clock.monotonic()) == (datetime(2020, 1, 1, tzinfo=UTC), 3600.0)
    assert clock.now().tzinfo is UTC


def test_time_does_not_pass_backwards_and_has_a_zone():
    clock = FakeClock()
    with pytest.raises(ValueError, match="set"):
        clock.advance(-HOUR)
    with pytest.raises(ValueError, match="time zone"):
        clock.set(datetime(2026, 1, 1))  # noqa: DTZ001  on purpose


@given(st.lists(st.integers(0, 10**12), min_size=2, max_size=20))
def test_ids_are_uuids_of_version_7_ordered_by_time_and_never_twice(offsets):
    ids, start = SequentialIds(), datetime(1970, 1, 1, tzinfo=UTC)
    made = [ids.new(start + timedelta(milliseconds=at)) for at in offsets]
    assert len(set(made)) == len(made)
    for at, each in zip(offsets, made, strict=True):
        parsed = UUID(each)
        assert (parsed.version, parsed.variant, parsed.int >> 80) == (7, UUID(each).variant, at)
    assert [ids.new(start) < ids.new(start) for _ in range(20)] == [True] * 20
    assert SequentialIds().new(START) == SequentialIds().new(START)


def test_a_password_is_verified_by_its_hash_alone():
    passwords = FakePasswords()
    hashed = passwords.hash("correct horse")
    assert passwords.hash("correct horse") != hashed
    assert "for-tests-only" in hashed
    assert "horse" not in hashed
    assert passwords.verify("correct horse", hashed)
    assert not passwords.verify("wrong horse", hashed)
    assert not passwords.verify("correct horse", None)
    assert passwords.slow


def test_common_passwords_are_known():
    assert all(FakePasswords().is_common(each.upper()) for each in COMMON)
    assert not FakePasswords().is_common("correct horse")


def test_a_token_says_what_was_signed_until_it_expires():
    tokens, until = FakeTokens(), START + HOUR
    token = tokens.sign({"sub": "ada"}, until)
    assert tokens.verify(token, START) == {"sub": "ada", "exp": int(until.timestamp())}
    assert tokens.verify(token, until - timedelta(microseconds=1)) is not None
    assert tokens.verify(token, until) is None


def test_a_token_that_was_forged_or_broken_is_refused():
    tokens = FakeTokens()
    token = tokens.sign({"sub": "ada"}, START + HOUR)
    for wrong in ("", ".", "x", token[:-1], token[1:], f"x{token}", f"{token}ä", "\ud800.x"):
        assert tokens.verify(wrong, START) is None
    assert FakeTokens(b"another key").verify(token, START) is None


def test_where_nothing_is_limited_there_is_always_as_much_left():
    limits, rate = NoLimits(), Rate(1, HOUR)
    assert [limits.take("law", rate, "ada") for _ in range(3)] == [True] * 3
    passes, allowed = limits.spend("law", rate, "ada")
    assert (passes, allowed.left, allowed.wait) == (True, 1, timedelta(0))
    limits.clear("law", rate, "ada")
