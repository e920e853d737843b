"""The laws of tokens, in any order of signing in, refreshing, repeating and signing out."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from focusmate_core.features.sign_ins import Refresh, SignOut
from focusmate_core.refusals import NotSignedIn
from tests.features.town import STORAGES, Town

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
NOT_GOOD, REUSED = "credentials.refresh_not_good", "credentials.refresh_reused"


@attrs.define(eq=False)
class Family:
    """What was given out at one sign-in and since; only the newest token is good, and once."""

    newest: int = 1
    is_over: bool = False


@attrs.frozen
class Given:
    """A pair of tokens as somebody keeps it, for good or ill."""

    family: Family
    number: int
    tokens: object


class Tokens(RuleBasedStateMachine):
    """One person, several devices, and somebody who repeats old tokens."""

    storage_of = staticmethod(STORAGES["memory"])
    databases = Path()
    kept = Bundle("kept")

    @initialize()
    def open(self):
        self.town = Town(self.storage_of(self.databases))
        self.ada = self.town.register("ada")
        self.given = []

    def give(self, family, number, tokens):
        self.given.append(Given(family, number, tokens))
        return self.given[-1]

    @rule(target=kept)
    def sign_in(self):
        return self.give(Family(), 1, self.town.sign_in("ada"))

    def expected(self, pair):
        """The code of a refresh with this pair."""
        if self.town.clock.now() >= pair.tokens.refresh_expires_at or pair.family.is_over:
            return NOT_GOOD
        return "ok" if pair.number == pair.family.newest else REUSED

    @rule(target=kept, pair=kept)
    def refresh(self, pair):
        expected, ask = self.expected(pair), Refresh(refresh_token=pair.tokens.refresh_token)
        if expected == "ok":
            pair.family.newest += 1
            return self.give(pair.family, pair.family.newest, self.town.do(ask))
        assert self.town.code(ask) == expected
        pair.family.is_over |= expected == REUSED
        return pair

    @rule(pair=consumes(kept))
    def sign_out(self, pair):
        is_known = self.town.clock.now() < pair.tokens.refresh_expires_at
        code = self.town.code(SignOut(refresh_token=pair.tokens.refresh_token))
        assert code == ("ok" if is_known else NOT_GOOD)
        pair.family.is_over |= is_known

    @rule(
        span=st.one_of(st.integers(0, 20).map(MINUTE.__mul__), st.integers(1, 31).map(DAY.__mul__))
    )
    def let_time_pass(self, span):
        self.town.clock.advance(span)

    @rule()
    def sweep(self):
        self.town.engine.sweep(retention=timedelta(days=365))

    @rule()
    def restart(self):
        self.town.restart()

    @invariant()
    def access_tokens_are_good_exactly_until_they_expire(self):
        for pair in self.given[-3:]:
            if self.town.clock.now() < pair.tokens.access_expires_at:
                assert self.town.engine.authenticate(pair.tokens.access_token).id == self.ada.id
                continue
            with pytest.raises(NotSignedIn):
                self.town.engine.authenticate(pair.tokens.access_token)

    def teardown(self):
        if hasattr(self, "town"):
            self.town.storage.close()


@pytest.mark.parametrize("name", STORAGES)
def test_a_refresh_token_is_good_once_and_its_family_ends_with_the_second_time(name):
    with tempfile.TemporaryDirectory() as folder:
        where = {"storage_of": staticmethod(STORAGES[name]), "databases": Path(folder)}
        steps = settings(stateful_step_count=50 if name == "memory" else 25)
        run_state_machine_as_test(type("Tokens", (Tokens,), where), settings=steps)
