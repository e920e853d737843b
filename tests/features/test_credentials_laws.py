"""The laws of tokens, in any order of signing in, stealing, refreshing, changing and ending."""

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
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from focusmate_core.features.credentials import ChangePassword
from focusmate_core.features.sign_ins import Refresh, SignOut
from focusmate_core.features.sign_outs import EndSignIn, SignIns, SignOutEverywhere
from focusmate_core.refusals import NotSignedIn
from tests.features.town import STORAGES, Town

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
NOT_GOOD, REUSED = "credentials.refresh_not_good", "credentials.refresh_reused"


@attrs.define(eq=False)
class Family:
    """What was given out at one sign-in and since; only the newest token is good, and once."""

    name: str
    id: str = ""
    newest: int = 1
    expires_at: object = None
    is_over: bool = False


@attrs.define(eq=False)
class Holder:
    """Somebody who holds a pair of tokens: its owner's device, or a thief with a copy of it."""

    family: Family
    number: int
    tokens: object


class Tokens(RuleBasedStateMachine):
    """Two people with several devices, and thieves who copy what a device holds."""

    storage_of = staticmethod(STORAGES["memory"])
    databases = Path()
    holders = Bundle("holders")
    people = st.sampled_from(["ada", "bob"])

    @initialize()
    def open(self):
        self.town = Town(self.storage_of(self.databases))
        self.passwords = {"ada": "correct horse 1", "bob": "correct horse 2"}
        self.ids = {
            name: self.town.register(name, word).id for name, word in self.passwords.items()
        }
        self.families, self.all_holders = [], []

    def held(self, family, number, tokens):
        family.expires_at = tokens.refresh_expires_at
        self.all_holders.append(Holder(family, number, tokens))
        return self.all_holders[-1]

    @rule(target=holders, name=people)
    def sign_in(self, name):
        tokens = self.town.sign_in(name, self.passwords[name])
        family = Family(name, self.town.engine.authenticate(tokens.access_token).sign_in)
        self.families.append(family)
        return self.held(family, 1, tokens)

    @rule(target=holders, holder=holders)
    def steal(self, holder):
        return self.held(holder.family, holder.number, holder.tokens)

    def expected(self, holder):
        """The code of a refresh by this holder."""
        if self.town.clock.now() >= holder.tokens.refresh_expires_at or holder.family.is_over:
            return NOT_GOOD
        return "ok" if holder.number == holder.family.newest else REUSED

    @rule(holder=holders)
    def refresh(self, holder):
        expected, ask = self.expected(holder), Refresh(refresh_token=holder.tokens.refresh_token)
        if expected == "ok":
            holder.tokens = self.town.do(ask)
            holder.family.newest += 1
            holder.number = holder.family.newest
            holder.family.expires_at = holder.tokens.refresh_expires_at
            return
        assert self.town.code(ask) == expected
        holder.family.is_over |= expected == REUSED

    @rule(holder=holders)
    def sign_out(self, holder):
        is_known = self.town.clock.now() < holder.tokens.refresh_expires_at
        code = self.town.code(SignOut(refresh_token=holder.tokens.refresh_token))
        assert code == ("ok" if is_known else NOT_GOOD)
        holder.family.is_over |= is_known

    # -- what is done by who is signed in ---------------------------------------------------------

    def actor(self, holder):
        """Who a holder is to the engine; nobody, when their access token is good no more."""
        try:
            return self.town.engine.authenticate(holder.tokens.access_token)
        except NotSignedIn:
            return None

    def all_of(self, name):
        return [family for family in self.families if family.name == name]

    @rule(holder=holders, other=holders)
    def end_another(self, holder, other):
        actor, family = self.actor(holder), other.family
        if actor is None or self.town.clock.now() >= family.expires_at:
            return
        is_own = holder.family.name == family.name
        code = self.town.code(EndSignIn(sign_in_id=family.id), actor)
        assert code == ("ok" if is_own else "credentials.sign_in_not_found")
        family.is_over |= is_own

    @rule(holder=holders, keep=st.booleans())
    def end_all(self, holder, keep):
        actor = self.actor(holder)
        if actor is not None:
            self.town.do(SignOutEverywhere(keep_this=keep), actor)
            for family in self.all_of(holder.family.name):
                family.is_over |= not keep or family is not holder.family

    @rule(holder=holders, number=st.integers(1, 3))
    def change_password(self, holder, number):
        actor, name = self.actor(holder), holder.family.name
        if actor is not None:
            new = f"correct horse {number}"
            ask = ChangePassword(current_password=self.passwords[name], new_password=new)
            self.town.do(ask, actor)
            self.passwords[name] = new
            for family in self.all_of(name):
                family.is_over |= family is not holder.family

    # -- time -------------------------------------------------------------------------------------

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

    # -- what is always so ------------------------------------------------------------------------

    @invariant()
    def an_access_token_is_good_until_it_expires_or_its_family_ends(self):
        for holder in self.all_holders[-4:]:
            is_in_time = self.town.clock.now() < holder.tokens.access_expires_at
            actor = self.actor(holder)
            assert (actor is not None) == (is_in_time and not holder.family.is_over)
            assert actor is None or actor.id == self.ids[holder.family.name]

    @invariant()
    def a_person_sees_the_families_that_go_on_and_no_others(self):
        holder = next((each for each in self.all_holders[-4:] if self.actor(each)), None)
        if holder is not None:
            page = self.town.do(SignIns(limit=100), self.actor(holder))
            now, mine = self.town.clock.now(), self.all_of(holder.family.name)
            going_on = {each.id for each in mine if not each.is_over and now < each.expires_at}
            assert {each.id for each in page.items} == going_on

    def teardown(self):
        if hasattr(self, "town"):
            self.town.storage.close()


@pytest.mark.parametrize("name", STORAGES)
def test_whoever_holds_a_token_it_is_good_once_and_its_family_ends_with_the_second_time(name):
    with tempfile.TemporaryDirectory() as folder:
        where = {"storage_of": staticmethod(STORAGES[name]), "databases": Path(folder)}
        steps = settings(stateful_step_count=40 if name == "memory" else 20)
        run_state_machine_as_test(type("Tokens", (Tokens,), where), settings=steps)


def test_whoever_of_owner_and_thief_uses_a_token_first_both_are_signed_out_and_nobody_else():
    town = Town(STORAGES["memory"](Path()))
    town.register("ada")
    stolen, elsewhere, bobs = town.sign_in("ada"), town.sign_in("ada"), town.person("bob")
    ask = Refresh(refresh_token=stolen.refresh_token)
    got = town.do(ask)
    assert town.code(ask) == REUSED
    for tokens in (stolen, got):
        assert town.code(Refresh(refresh_token=tokens.refresh_token)) == NOT_GOOD
        with pytest.raises(NotSignedIn):
            town.engine.authenticate(tokens.access_token)
    assert town.do(Refresh(refresh_token=elsewhere.refresh_token)).person_id == got.person_id
    assert town.code(SignIns(), bobs) == "ok"
