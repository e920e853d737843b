"""Limits keep the contract, in memory by a fake clock as by the machine's, and forget."""

import threading
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focusmate_core.ports.limits import Rate
from focusmate_core.testing.clock import FakeClock
from focusmate_core.testing.conformance.limits import LimitsContract
from focusmate_core.testing.limits import MemoryLimits
from focusmate_limits import WindowLimits, slots
from focusmate_limits.slots import SLOTS, SlotStorage


class TestMemoryLimits(LimitsContract):
    clock = FakeClock()

    @pytest.fixture
    def limits(self):
        return MemoryLimits(self.clock)

    def let_pass(self, span):
        self.clock.advance(span)


class TestWindowLimits(LimitsContract):
    @pytest.fixture
    def limits(self):
        return WindowLimits()


@pytest.fixture
def now(monkeypatch):
    """The instant the storage takes for now, to be set."""

    class Now:
        at = 1_000_000.0

        def time(self):
            return self.at

    made = Now()
    monkeypatch.setattr(slots, "time", made)
    return made


@given(
    waits=st.lists(st.floats(0, 30) | st.just(0.0), max_size=200),
    most=st.integers(1, 9),
    per=st.integers(1, 60),
)
def test_in_no_span_there_are_more_than_the_rate_and_nobody_waits_much_longer(waits, most, per):
    with pytest.MonkeyPatch.context() as patch:
        clock = type("Now", (), {"at": 1_000_000.0, "time": lambda self: self.at})()
        patch.setattr(slots, "time", clock)
        storage, passed = SlotStorage(), []
        for wait in waits:
            clock.at += wait
            since = sum(at > clock.at - per for at in passed)
            longer = sum(at > clock.at - per - per / SLOTS - 0.001 for at in passed)
            told = storage.acquire_entry("key", most, per)
            assert not (told and since >= most)
            assert told or longer >= most
            assert len(storage.counted("key")) <= SLOTS + 1
            if told:
                passed.append(clock.at)


def test_keys_are_forgotten_when_what_was_counted_is_over(now):
    storage = SlotStorage()
    for second in range(200):
        now.at = 1_000_000.0 + second
        for number in range(100):
            storage.acquire_entry(f"{second}-{number}", 5, 2)
    assert len(storage) <= slots.FIRST_SWEEP


def test_there_are_never_more_keys_than_memory_is_given_for(now, monkeypatch):
    monkeypatch.setattr(slots, "MOST_KEYS", 3000)
    storage = SlotStorage()
    for number in range(20_000):
        storage.acquire_entry(str(number), 5, 3600)
    assert len(storage) <= 6000
    assert storage.get_moving_window("19999", 5, 3600)[1] == 1


def test_a_clock_that_is_set_back_locks_nobody_out(now):
    storage = SlotStorage()
    assert storage.acquire_entry("ada", 1, 60)
    assert not storage.acquire_entry("ada", 1, 60)
    now.at -= 3600
    assert storage.acquire_entry("ada", 1, 60)


def test_counting_starts_no_thread():
    limits, before = WindowLimits(), threading.active_count()
    for number in range(1000):
        limits.take("law", Rate(5, timedelta(seconds=1)), str(number))
    assert threading.active_count() == before


def test_a_busy_key_takes_no_more_room_than_a_quiet_one(now):
    storage = SlotStorage()
    for _ in range(50_000):
        now.at += 0.001
        storage.acquire_entry("ada", 1_000_000, 10)
    window = storage.counted("ada")
    assert len(window) <= SLOTS + 1
    assert storage.get_moving_window("ada", 1_000_000, 10)[1] <= 10_200


def test_resetting_begins_anew_with_everybody():
    storage = SlotStorage()
    storage.acquire_entry("ada", 1, 60)
    assert (storage.check(), storage.reset(), len(storage)) == (True, 1, 0)
    for unasked in (storage.incr, storage.get_expiry, storage.get):
        with pytest.raises(NotImplementedError):
            unasked(*["ada", 60][: 2 if unasked == storage.incr else 1])


def test_two_rates_of_one_limit_are_counted_apart_however_they_take_turns():
    limits, few, many = WindowLimits(), Rate(2, timedelta(minutes=1)), Rate(4, timedelta(minutes=1))
    spent = [limits.spend("law", rate, "ada") for _ in range(3) for rate in (few, many)]
    assert [passes for passes, _ in spent] == [True, True, True, True, False, True]
    assert [allowance.left for _, allowance in spent] == [1, 3, 0, 2, 0, 1]
    assert limits.look("law", few, "ada").left == 0
    assert limits.look("law", many, "ada").left == 1
