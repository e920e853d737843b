"""Who waits for something slow has a turn after everybody else, and there is room for others."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focusmate_server.preparing import Pool, Turns

people = st.sampled_from("abcd")


@given(st.lists(people))
def test_nobody_has_a_second_turn_before_everybody_who_waits_had_one(who):
    turns = Turns(1000, 1000)
    for number, each in enumerate(who):
        assert turns.put(each, (each, number))
    taken = [turns.take() for _ in who]
    assert sorted(taken, key=lambda item: item[1]) == list(zip(who, range(len(who)), strict=True))
    while taken:
        waiting = {each for each, _ in taken}
        round_, taken = taken[: len(waiting)], taken[len(waiting) :]
        assert {each for each, _ in round_} == waiting
    with pytest.raises(LookupError):
        turns.take()


@given(st.lists(people, max_size=30), st.integers(1, 10), st.integers(1, 5))
def test_there_is_room_for_so_many_and_for_so_many_of_one(who, most, most_of_one):
    turns, waiting = Turns(most, most_of_one), []
    for each in who:
        fits = len(waiting) < most and waiting.count(each) < most_of_one
        assert turns.put(each, each) is fits
        waiting += [each] * fits
    assert sorted(turns.take() for _ in waiting) == sorted(waiting)


def test_what_waits_at_the_end_is_refused_and_what_comes_after_it_too():
    held, begun, prepared, refused = threading.Event(), threading.Event(), [], []

    def prepare(item):
        begun.set()
        held.wait(30)
        prepared.append(item)

    pool = Pool(1, prepare, refused.append)
    for number in range(3):
        pool.submit("ada", number)
    assert begun.wait(30)
    pool.close(0.01)
    assert refused == [1, 2]
    pool.submit("ada", 3)
    assert refused == [1, 2, 3]
    held.set()
    pool._threads.shutdown()
    assert prepared == [0]
