"""What limits promise: subclass `LimitsContract` and give the fixture `limits`."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from focusmate_core.ports.limits import Limits, Rate

HOUR = timedelta(hours=1)
THREE = Rate(3, HOUR)
QUICK = Rate(2, timedelta(seconds=1))
PATIENCE = 30.0
"""Seconds after which something that should have come does not come at all."""


def taken(limits: Limits, rate: Rate, key: str, times: int) -> list[bool]:
    """What each of so many takes was told."""
    return [limits.take("law", rate, key) for _ in range(times)]


class LimitsContract:
    """Laws of the limits port; the fixture `limits` gives limits that have counted nothing yet."""

    def let_pass(self, span: timedelta) -> None:
        """Let so much time pass; whoever goes by a fake clock turns it on."""
        threading.Event().wait(span.total_seconds())

    def test_no_more_pass_than_the_rate_says(self, limits: Limits) -> None:
        assert taken(limits, THREE, "ada", 6) == [True] * 3 + [False] * 3

    def test_each_key_and_each_limit_counts_for_itself(self, limits: Limits) -> None:
        taken(limits, THREE, "ada", 4)
        assert limits.take("law", THREE, "ben")
        assert limits.take("other law", THREE, "ada")

    @pytest.mark.parametrize("key", ["", "a/b", "a b", "키", "::1", "x" * 300])
    def test_any_text_is_a_key(self, limits: Limits, key: str) -> None:
        assert taken(limits, THREE, key, 4) == [True] * 3 + [False]
        assert limits.take("law", THREE, key + "/")

    def test_looking_tells_what_is_left_and_counts_nothing(self, limits: Limits) -> None:
        seen = []
        for _ in range(4):
            limits.look("law", THREE, "ada")
            allowance = limits.look("law", THREE, "ada")
            seen.append((allowance.left, allowance.wait > timedelta(0)))
            limits.take("law", THREE, "ada")
        assert seen == [(3, False), (2, False), (1, False), (0, True)]

    def test_spending_is_taking_and_looking_in_one(self, limits: Limits) -> None:
        spent = [limits.spend("law", THREE, "ada") for _ in range(4)]
        assert [passes for passes, _ in spent] == [True, True, True, False]
        assert [allowance.left for _, allowance in spent] == [2, 1, 0, 0]
        assert [allowance.wait > timedelta(0) for _, allowance in spent] == [False] * 2 + [True] * 2
        assert not limits.take("law", THREE, "ada")

    def test_after_the_wait_it_says_one_more_passes(self, limits: Limits) -> None:
        assert False in taken(limits, QUICK, "ada", 1000)
        for _ in range(2):
            # What counts may be over between the two; then there is nothing to wait for.
            self.let_pass(limits.look("law", QUICK, "ada").wait)
            assert limits.take("law", QUICK, "ada")

    def test_what_was_refused_does_not_count(self, limits: Limits) -> None:
        taken(limits, QUICK, "ada", 50)
        self.let_pass(QUICK.per + QUICK.per / 10)
        assert limits.look("law", QUICK, "ada").left == QUICK.most

    def test_clearing_begins_anew_with_this_key_alone(self, limits: Limits) -> None:
        taken(limits, THREE, "ada", 4)
        taken(limits, THREE, "ben", 4)
        limits.clear("law", THREE, "ada")
        limits.clear("law", THREE, "nobody")
        assert limits.look("law", THREE, "ada").left == THREE.most
        assert not limits.take("law", THREE, "ben")

    def test_threads_together_get_no_more_than_one_alone(self, limits: Limits) -> None:
        rate, told = Rate(1000, HOUR), []
        begin = threading.Barrier(8)

        def live() -> None:
            begin.wait(PATIENCE)
            told.extend(taken(limits, rate, "ada", 250))

        threads = [threading.Thread(target=live) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert (len(told), sum(told)) == (2000, 1000)
