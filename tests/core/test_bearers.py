"""Tokens are remembered for seconds, and no longer than until somebody's sign-in has ended."""

from __future__ import annotations

from datetime import timedelta

import attrs
import pytest

from focusmate_core import Actor
from focusmate_core.bearers import LOOKS_AGAIN, REMEMBERED_TOKENS, Bearers
from focusmate_core.outbox import Fresh
from focusmate_core.refusals import NotSignedIn
from focusmate_core.testing.clock import FakeClock


@attrs.frozen
class Fact:
    wire: str
    ends_sign_in: str | None


class Ended:
    fact = Fact("sample.ended", "who")


class Other:
    fact = Fact("sample.other", None)


class Town:
    """Somebody vouches for every token that is the name of who is signed in."""

    def __init__(self):
        self.clock = FakeClock()
        self.asked = []
        self.gone = set()
        self.meanwhile = lambda: None
        self.events = {"ended": Ended, "other": Other}
        self.bearers = Bearers(self.look, self, self.clock)
        self.until = self.clock.now() + timedelta(minutes=15)

    def look(self, token):
        self.asked.append(token)
        actor = Actor(id=token, expires_at=self.until)
        if token in self.gone:
            raise NotSignedIn
        self.meanwhile()
        return actor

    def of(self, token, *, again=False):
        return self.bearers.of(token, again=again)

    def commit(self, wire, data):
        at = self.clock.now()
        self.bearers.forget([Fresh("user:1", wire, 1, at, at, data)])


@pytest.fixture
def town():
    return Town()


def test_a_token_is_looked_at_once_in_five_seconds(town):
    for _ in range(3):
        assert town.of("ada").id == "ada"
        town.clock.advance(seconds=LOOKS_AGAIN / 3)
    assert town.asked == ["ada"]
    town.of("ada")
    assert town.asked == ["ada"] * 2


def test_who_asks_again_is_told_what_is_the_case_now(town):
    town.of("ada")
    town.gone.add("ada")
    assert town.of("ada").id == "ada"
    for again in (True, False):
        with pytest.raises(NotSignedIn):
            town.of("ada", again=again)


def test_no_wall_clock_that_is_set_back_or_forth_changes_when_a_token_is_looked_at(town):
    for days in (-3, 3):
        town.of("ada")
        town.clock.set(town.clock.now() + timedelta(days=days))
    assert town.asked == ["ada"]
    town.clock.advance(seconds=LOOKS_AGAIN)
    town.until = town.clock.now() + timedelta(minutes=1)
    assert town.of("ada").expires_at == town.until


def test_after_the_end_of_a_sign_in_only_its_persons_tokens_are_looked_at_again(town):
    for name in ("ada", "bob"):
        town.of(name)
    town.commit("sample.other", '{"who":"ada"}')
    town.commit("sample.ended", '{"who":"ada"}')
    for name in ("ada", "bob"):
        town.of(name)
    assert town.asked == ["ada", "bob", "ada"]


def test_what_was_seen_before_the_end_of_a_sign_in_is_not_remembered_after_it(town):
    town.meanwhile = lambda: town.commit("sample.ended", '{"who":"ada"}')
    assert town.of("ada").id == "ada"
    town.meanwhile = lambda: None
    town.gone.add("ada")
    with pytest.raises(NotSignedIn):
        town.of("ada")


def test_no_more_tokens_are_remembered_than_there_is_room_for(town):
    for number in range(REMEMBERED_TOKENS + 1):
        town.of(str(number))
    town.of("0")
    assert len(town.asked) == REMEMBERED_TOKENS + 2
