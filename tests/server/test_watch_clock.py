"""The server's clock from afar: however long a ping takes, the estimate is as good as it says."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focusmate_server.watching import clock
from focusmate_server.watching.clock import DRIFT, Reading, ServerClock

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
SPANS = st.floats(0, 2)
PATHS = st.lists(st.tuples(SPANS, SPANS), min_size=1, max_size=8)


class FarServer:
    """A server whose clock differs, behind a network with delays of its own in each direction."""

    def __init__(self, *, ahead=0.0, began=1000.0):
        self.ahead = ahead
        self.steady = began

    def time(self, steady):
        return START + timedelta(seconds=steady + self.ahead)

    def pings(self, paths):
        found = []
        for there, back in paths:
            sent, heard = self.steady, self.steady + there + back
            found.append(Reading.of(sent, heard, self.time(sent + there)))
            self.steady = heard
        return found


def error(known, server, steady):
    return abs((known.at(steady) - server.time(steady)).total_seconds())


@given(PATHS, st.floats(-1e6, 1e6), st.floats(0, 60))
def test_the_error_is_never_more_than_half_the_smallest_round_trip(paths, ahead, later):
    server, known = FarServer(ahead=ahead), ServerClock()
    known.learn(server.pings(paths))
    smallest = min(there + back for there, back in paths)
    assert error(known, server, server.steady + later) <= smallest / 2 + 1e-5


@given(st.lists(PATHS, min_size=1, max_size=6), st.floats(0, 60))
def test_the_error_is_never_more_than_it_says_however_many_rounds(rounds, pause):
    server, known = FarServer(), ServerClock()
    for paths in rounds:
        server.steady += pause
        known.learn(server.pings(paths))
    assert error(known, server, server.steady) <= known.error_at(server.steady) + 1e-5


@given(st.floats(0, 0.04), st.floats(0, 0.04), PATHS, PATHS)
def test_two_who_were_answered_within_40_ms_once_are_never_50_ms_apart(mine, yours, more, others):
    server, one, two = FarServer(), ServerClock(), ServerClock()
    one.learn(server.pings([*more, (mine, 0)]))
    two.learn(server.pings([(0, yours), *others]))
    apart = one.at(server.steady) - two.at(server.steady)
    assert abs(apart) <= timedelta(milliseconds=50)


def test_a_slow_round_does_not_spoil_what_a_quick_one_told():
    server, known = FarServer(), ServerClock()
    known.learn(server.pings([(0.001, 0.001)]))
    server.steady += 30
    known.learn(server.pings([(1.0, 0.0)]))
    assert error(known, server, server.steady) < 0.001


def test_a_known_offset_is_given_up_once_drift_may_have_made_it_worse():
    server, known = FarServer(), ServerClock()
    known.learn(server.pings([(0.001, 0.001)]))
    server.steady += 100
    server.ahead += 100 * DRIFT / 2
    known.learn(server.pings([(0.01, 0.01)]))
    assert error(known, server, server.steady) < 1e-4


def test_a_server_whose_clock_was_set_is_followed_at_the_next_round():
    server, known = FarServer(), ServerClock()
    known.learn(server.pings([(0.001, 0.001)]))
    server.ahead -= 3600
    known.learn(server.pings([(0.2, 0.1)]))
    assert error(known, server, server.steady) <= 0.15 + 1e-6


def test_before_any_ping_there_is_no_time():
    known = ServerClock()
    assert not known.is_known
    with pytest.raises(LookupError):
        known.now()


def test_a_wall_clock_that_is_set_back_here_changes_nothing(monkeypatch):
    known = ServerClock()
    sent = clock.steady()
    known.learn([Reading.of(sent, sent, START)])
    monkeypatch.setattr(clock.time, "time", lambda: 0.0)
    monkeypatch.setattr(clock.time, "time_ns", lambda: 0)
    assert known.now() >= START
