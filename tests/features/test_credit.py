"""Credit as a pure function: a table of golden values, and a count second by second."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focusmate_core.features.credit import STILL, Ran, Was, account, part_text, span_text

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
ZERO = timedelta(0)


def at(minutes):
    return NOON + minutes * MINUTE


def ran(since, until, before=0, after=9):
    return Ran(at(since), at(until), before, after)


def was(since, until, came=1, went=STILL):
    return Was(at(since), at(until), came, went)


def parts(found):
    """What it adds up to, in minutes: ran, credited, late, away, early."""
    spans = (found.ran, found.credited, found.late, found.away, found.early)
    return tuple(span / MINUTE for span in spans)


WHOLE = [ran(0, 25)]
IN_TWO = [ran(0, 10), ran(20, 35)]


@pytest.mark.parametrize(
    ("runs", "stays", "expected", "first", "last"),
    [
        # The whole phase, and more than that.
        (WHOLE, [was(0, 25)], (25, 25, 0, 0, 0), 0, 25),
        (WHOLE, [was(-60, 90)], (25, 25, 0, 0, 0), 0, 25),
        # Late, early, both.
        (WHOLE, [was(7, 25)], (25, 18, 7, 0, 0), 7, 25),
        (WHOLE, [was(0, 20)], (25, 20, 0, 0, 5), 0, 20),
        (WHOLE, [was(7, 20)], (25, 13, 7, 0, 5), 7, 20),
        # Away in between, once and twice.
        (WHOLE, [was(0, 10), was(13, 25)], (25, 22, 0, 3, 0), 0, 25),
        (WHOLE, [was(2, 5), was(6, 8), was(10, 24)], (25, 19, 2, 3, 1), 2, 24),
        # Not at all: before, after, at the very edges, or nobody.
        (WHOLE, [was(-5, 0)], (25, 0, 25, 0, 0), None, None),
        (WHOLE, [was(25, 30)], (25, 0, 25, 0, 0), None, None),
        (WHOLE, [], (25, 0, 25, 0, 0), None, None),
        ([], [was(0, 25)], (0, 0, 0, 0, 0), None, None),
        # A pause counts for nobody, and being away in it costs nothing.
        (IN_TWO, [was(0, 35)], (25, 25, 0, 0, 0), 0, 35),
        (IN_TWO, [was(0, 10), was(20, 35)], (25, 25, 0, 0, 0), 0, 35),
        (IN_TWO, [was(12, 35)], (25, 15, 10, 0, 0), 20, 35),
        (IN_TWO, [was(0, 15)], (25, 10, 0, 0, 15), 0, 10),
        (IN_TWO, [was(5, 15), was(18, 22)], (25, 7, 5, 0, 13), 5, 22),
        (IN_TWO, [was(0, 8), was(25, 35)], (25, 18, 0, 7, 0), 0, 35),
        (IN_TWO, [was(11, 19)], (25, 0, 25, 0, 0), None, None),
        # A stretch in which they were not at all is being away, if there is one on either side.
        ([ran(0, 5), ran(5, 10), ran(10, 15)], [was(0, 5), was(10, 15)], (15, 10, 0, 5, 0), 0, 15),
    ],
)
def test_credit_is_presence_in_the_time_that_ran(runs, stays, expected, first, last):
    found = account(runs, stays)
    assert parts(found) == expected
    assert found.first_at == (None if first is None else at(first))
    assert found.last_at == (None if last is None else at(last))


@pytest.mark.parametrize(
    ("stay", "credited"),
    [
        (was(0, 25, came=1, went=6), 25),
        (was(0, 25, came=5, went=6), 25),
        # They came after it had ended, or had gone when it began, whatever the clock says.
        (was(0, 25, came=6, went=7), 0),
        (was(0, 25, came=1, went=2), 0),
    ],
)
def test_only_who_was_there_in_the_order_of_things_is_credited(stay, credited):
    assert account([ran(0, 25, before=2, after=5)], [stay]).credited == credited * MINUTE


def test_no_instant_is_credited_twice():
    stays = [was(0, 20, came=1, went=2), was(5, 10, came=3, went=4), was(5, 25, came=5)]
    assert parts(account(WHOLE, stays)) == (25, 25, 0, 0, 0)


# -- second by second ------------------------------------------------------------------------------

happenings = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from(["run", "rest", "come", "go", "other"])),
    max_size=30,
)


class Diary:
    """What happens, told second by second, and as the library would keep it."""

    def __init__(self):
        self.now, self.moves = NOON, 0
        self.runs, self.stays = [], []
        self.run_since = self.here_since = None
        self.seconds = []
        """Of each second in which it ran: whether they were there."""

    def pass_time(self, seconds):
        for _ in range(seconds):
            self.now += SECOND
            if self.run_since:
                self.seconds.append(self.here_since is not None)

    def run(self):
        self.run_since = self.run_since or (self.now, self.moves)

    def rest(self):
        if self.run_since:
            since, before = self.run_since
            self.run_since = None
            self.runs += [Ran(since, self.now, before, self.moves)] * (since < self.now)

    def come(self):
        if not self.here_since:
            self.moves += 1
            self.here_since = (self.now, self.moves)

    def go(self):
        if self.here_since:
            self.moves += 1
            self.stays.append(Was(self.here_since[0], self.now, self.here_since[1], self.moves))
            self.here_since = None

    def other(self):
        self.moves += 1


@given(happenings)
def test_credit_is_what_counting_each_second_gives(happened):
    diary = Diary()
    for seconds, what in happened:
        getattr(diary, what)()
        diary.pass_time(seconds)
    diary.rest()
    diary.go()
    found, seconds = account(diary.runs, diary.stays), diary.seconds
    first = seconds.index(True) if any(seconds) else len(seconds)
    last = len(seconds) - seconds[::-1].index(True) if any(seconds) else len(seconds)
    assert found.ran == len(seconds) * SECOND
    assert found.credited == seconds.count(True) * SECOND
    assert found.late == first * SECOND
    assert found.early == (len(seconds) - last) * SECOND
    assert found.away == seconds[first:last].count(False) * SECOND


spans = st.tuples(st.integers(-50, 50), st.integers(0, 50))


@given(st.lists(spans, max_size=4), st.lists(st.tuples(spans, st.integers(0, 6)), max_size=6))
def test_however_odd_the_record_the_parts_make_the_whole_and_none_is_negative(runs, stays):
    """A clock that is set back makes records that contradict each other."""
    odd = account(
        [ran(since, since + long, n, n + 1) for n, (since, long) in enumerate(runs)],
        [was(since, since + long, came, came + 1) for (since, long), came in stays],
    )
    assert odd.credited + odd.late + odd.away + odd.early == odd.ran
    assert min(odd.credited, odd.late, odd.away, odd.early) >= ZERO


# -- in words --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (ZERO, "0 s"),
        (SECOND, "1 s"),
        (59 * SECOND, "59 s"),
        (MINUTE, "1 min"),
        (90 * SECOND, "1 min 30 s"),
        (MINUTE - timedelta(milliseconds=500), "1 min"),
        (MINUTE - timedelta(milliseconds=501), "59 s"),
        (7 * MINUTE, "7 min"),
        (60 * MINUTE, "1 h"),
        (65 * MINUTE, "1 h 5 min"),
        (65 * MINUTE + SECOND, "1 h 5 min 1 s"),
        (60 * MINUTE + SECOND, "1 h 1 s"),
        (timedelta(hours=24), "24 h"),
    ],
)
def test_a_span_is_told_as_people_tell_it(span, text):
    assert span_text(span) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (25 * MINUTE, 25 * MINUTE, "25 min"),
        (18 * MINUTE, 25 * MINUTE, "18 of 25 min"),
        (MINUTE + 30 * SECOND, 25 * MINUTE, "1 min 30 s of 25 min"),
        (ZERO, 25 * MINUTE, "0 s of 25 min"),
        (30 * MINUTE, 60 * MINUTE, "30 min of 1 h"),
        (60 * MINUTE, 120 * MINUTE, "1 of 2 h"),
        (5 * MINUTE, 65 * MINUTE, "5 min of 1 h 5 min"),
        (65 * MINUTE, 120 * MINUTE, "1 h 5 min of 2 h"),
        (20 * SECOND, 30 * SECOND, "20 of 30 s"),
    ],
)
def test_a_part_is_told_of_its_whole(part, whole, text):
    assert part_text(part, whole) == text
