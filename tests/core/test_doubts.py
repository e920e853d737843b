"""Doubts last for a while, and are not kept for ever."""

from datetime import timedelta

from focusmate_core.doubts import FIRST_SWEEP, LASTS, Doubts
from focusmate_core.testing.clock import FakeClock


def test_a_doubt_is_there_at_once_and_over_after_a_while():
    clock = FakeClock()
    doubts = Doubts(clock)
    assert not doubts.about("ada")
    doubts.have("ada")
    assert doubts.about("ada")
    assert not doubts.about("bob")
    clock.advance(timedelta(seconds=LASTS) - timedelta.resolution)
    assert doubts.about("ada")
    clock.advance(timedelta.resolution)
    assert not doubts.about("ada")


def test_those_that_are_over_are_forgotten_and_no_others():
    clock = FakeClock()
    doubts = Doubts(clock)
    for number in range(FIRST_SWEEP):
        doubts.have(f"former {number}")
    clock.advance(seconds=LASTS)
    for number in range(2 * FIRST_SWEEP):
        doubts.have(f"present {number}")
    assert all(doubts.about(f"present {number}") for number in range(2 * FIRST_SWEEP))
    assert len(doubts._until) <= 2 * FIRST_SWEEP + 1
