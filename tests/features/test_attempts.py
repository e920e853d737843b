"""Attempts: nobody guesses a password, and nobody is locked out by who tries."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from focusmate_core import Call, Origin
from focusmate_core.features.attempts import AttemptPolicy
from focusmate_core.features.credentials import ChangePassword, Register
from focusmate_core.features.sign_ins import Refresh, SignIn
from focusmate_core.networks import network
from focusmate_core.ports.limits import Rate
from focusmate_core.refusals import NotSignedIn
from tests.features.town import PASSWORD, STORAGES, Town

HOME, SCHOOL = "192.0.2.1", "198.51.100.7"
WRONG = "wrong horse 9"
NEW = "battery staple 7"
POLICY = AttemptPolicy(
    here=Rate(3, timedelta(minutes=15)),
    elsewhere=Rate(6, timedelta(hours=1)),
    address=Rate(10, timedelta(minutes=15)),
    accounts=Rate(2, timedelta(hours=1)),
)


@pytest.fixture
def town(storage):
    return Town(storage, settings=[POLICY])


@pytest.fixture
def ada(town):
    return town.register("ada")


def at(address):
    return {"origin": Origin("http", address)}


def attempt(town, address, login="ada", password=WRONG, **more):
    """The code that an attempt is answered with."""
    return town.code(SignIn(login=login, password=password, **more), **at(address))


def guesses(town, addresses, login="ada"):
    """How many of many guesses are looked at."""
    return [attempt(town, each, login) for each in addresses].count("credentials.wrong")


def strangers(number):
    return [f"203.0.113.{n % 200}" for n in range(number)]


# -- how many guesses there are --------------------------------------------------------------------


@pytest.mark.parametrize("login", ["ada", "nobody", "ada@example.org", "nobody@example.org"])
def test_one_address_has_so_many_guesses_at_one_account_in_any_quarter_of_an_hour(town, ada, login):
    assert guesses(town, [HOME] * 8, login) == POLICY.here.most
    town.clock.advance(minutes=15)
    assert guesses(town, [HOME] * 8, login) == POLICY.here.most


@pytest.mark.parametrize("login", ["ada", "nobody"])
def test_all_addresses_together_have_so_many_guesses_at_one_account(town, ada, login):
    assert guesses(town, strangers(50), login) == POLICY.elsewhere.most
    town.clock.advance(minutes=30)
    assert guesses(town, strangers(50), login) == 0
    town.clock.advance(minutes=30)
    assert guesses(town, strangers(50), login) == POLICY.elsewhere.most


def test_one_address_has_so_many_guesses_at_all_accounts_together(town, ada):
    codes = [attempt(town, HOME, f"name{n}") for n in range(50)]
    assert codes.count("credentials.wrong") == POLICY.address.most
    assert attempt(town, SCHOOL, "name49") == "credentials.wrong"


@pytest.mark.parametrize("login", ["ada", "ADA", " ada "])
def test_one_login_is_one_however_it_is_typed(town, ada, login):
    guesses(town, [HOME] * 3)
    assert attempt(town, HOME, login) == "too_often"


def test_who_waits_as_long_as_they_are_told_may_try_again(town, ada):
    guesses(town, [HOME] * 3)
    town.clock.advance(minutes=4, seconds=30.5)
    refusal = town.refused(SignIn(login="ada", password=PASSWORD), **at(HOME))
    assert refusal.retry_after == 15 * 60 - 4 * 60 - 30
    town.clock.advance(seconds=refusal.retry_after - 1)
    assert attempt(town, HOME) == "too_often"
    town.clock.advance(seconds=1)
    assert attempt(town, HOME, password=PASSWORD) == "ok"


def test_who_is_right_has_all_guesses_again(town, ada):
    for _ in range(5):
        assert guesses(town, [HOME] * 2) == 2
        assert attempt(town, HOME, password=PASSWORD) == "ok"


def test_the_neighbours_in_a_network_of_ipv6_are_one_address(town, ada):
    homes = [f"2001:db8:1:2::{n:x}" for n in range(1, 9)]
    assert guesses(town, homes) == POLICY.here.most
    assert attempt(town, "2001:db8:1:3::1") == "credentials.wrong"


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("a local door", "a local door"),
    ],
)
def test_an_address_is_counted_and_shown_as_its_network(address, counted):
    assert network(address) == counted


def test_where_there_is_no_address_nothing_is_counted(town, ada):
    assert guesses(town, [""] * 30) == 30
    for number in range(5):
        assert town.register(f"name{number}")


# -- nothing tells accounts apart ------------------------------------------------------------------


def cost(town, ask, address):
    """What a sign-in asks of the storage and of the hashes before its unit of work."""
    seen = []
    verify = town.passwords.verify
    with town.storage.read() as reader:
        kinds = {name: getattr(type(reader), name) for name in ("get", "find")}
        cls = type(reader)
    town.passwords.verify = lambda *given: seen.append("verify") or verify(*given)
    try:
        for name, plain in kinds.items():
            spy = lambda *a, name=name, plain=plain, **k: seen.append(name) or plain(*a, **k)  # noqa: E731
            setattr(cls, name, spy)
        code = town.code(ask, **at(address))
    finally:
        town.passwords.verify = verify
        for name, plain in kinds.items():
            setattr(cls, name, plain)
    return code, seen


@pytest.mark.parametrize("is_mail", [False, True])
def test_the_refusal_and_its_work_are_the_same_for_an_unknown_user(town, ada, is_mail):
    logins = ("ada@example.org", "nobody@example.org") if is_mail else ("ada", "nobody")
    known, unknown = ([], [])
    for login, costs in zip(logins, (known, unknown), strict=True):
        ask = SignIn(login=login, password=WRONG)
        costs += [cost(town, ask, HOME) for _ in range(POLICY.here.most + 2)]
    assert known == unknown
    assert [code for code, _ in known] == ["credentials.wrong"] * 3 + ["too_often"] * 2
    assert ["verify" in seen for _, seen in known] == [True] * 3 + [False] * 2


def test_too_many_is_told_before_anything_is_hashed_even_when_it_would_be_right(town, ada):
    guesses(town, [HOME] * 3)
    code, seen = cost(town, SignIn(login="ada", password=PASSWORD), HOME)
    assert (code, "verify" in seen) == ("too_often", False)


# -- nobody is locked out --------------------------------------------------------------------------


def test_who_signed_in_from_here_before_gets_in_whatever_strangers_do(town, ada):
    assert attempt(town, HOME, password=PASSWORD) == "ok"
    guesses(town, strangers(100))
    for number in range(40):
        attempt(town, HOME, f"name{number}")
    assert attempt(town, HOME, password=PASSWORD) == "ok"
    assert attempt(town, SCHOOL, password=PASSWORD) == "too_often"


def test_an_address_stays_known_after_its_sign_in_was_ended_for_as_long_as_it_lasts(town, ada):
    assert attempt(town, HOME, password=PASSWORD) == "ok"
    person = town.engine.authenticate(town.sign_in("ada").access_token)
    town.do(ChangePassword(current_password=PASSWORD, new_password="battery staple 7"), person)
    guesses(town, strangers(100))
    assert attempt(town, HOME, password="battery staple 7") == "ok"
    town.clock.advance(days=30)
    guesses(town, strangers(100))
    assert attempt(town, HOME, password="battery staple 7") == "too_often"


def test_who_is_known_here_is_still_one_who_may_guess_only_so_often(town, ada):
    attempt(town, HOME, password=PASSWORD)
    assert guesses(town, [HOME] * 8) == POLICY.here.most


def test_who_has_signed_in_on_a_device_gets_in_whatever_others_do_behind_the_same_address(
    town, ada
):
    device = town.do(SignIn(login="ada", password=PASSWORD), **at(HOME)).device_token
    guesses(town, [HOME] * 8)
    assert attempt(town, HOME, password=PASSWORD) == "too_often"
    assert attempt(town, HOME, password=PASSWORD, device_token=device) == "ok"
    guesses(town, strangers(100))
    assert attempt(town, SCHOOL, password=PASSWORD, device_token=device) == "ok"


def test_a_device_has_so_many_guesses_of_its_own_and_no_more(town, ada):
    device = town.do(SignIn(login="ada", password=PASSWORD), **at(HOME)).device_token
    told = [attempt(town, each, device_token=device) for each in strangers(8)]
    assert told.count("credentials.wrong") == POLICY.here.most
    assert attempt(town, HOME, password=PASSWORD) == "ok"


def test_only_a_device_of_this_very_account_is_one_it_knows(town, ada):
    town.register("bob")
    bobs = town.sign_in("bob")
    ada_here = town.sign_in("ada")
    guesses(town, [SCHOOL] * 8)
    town.clock.advance(minutes=1)
    no_devices = [bobs.device_token, "nonsense", ada_here.access_token, ada_here.refresh_token]
    for token in no_devices:
        assert attempt(town, SCHOOL, password=PASSWORD, device_token=token) == "too_often"
    assert attempt(town, SCHOOL, login="nobody", device_token=ada_here.device_token) != "ok"
    assert attempt(town, SCHOOL, password=PASSWORD, device_token=ada_here.device_token) == "ok"
    town.clock.advance(days=366)
    guesses(town, [SCHOOL] * 8)
    outdated = ada_here.device_token
    assert attempt(town, SCHOOL, password=PASSWORD, device_token=outdated) == "too_often"


def test_with_the_password_a_device_is_a_strangers_until_it_is_signed_in_on_anew(town, ada):
    tokens = town.do(SignIn(login="ada", password=PASSWORD), **at(SCHOOL))
    person = town.engine.authenticate(tokens.access_token)
    town.do(ChangePassword(current_password=PASSWORD, new_password=NEW), person)
    renewed = town.do(Refresh(refresh_token=tokens.refresh_token))
    guesses(town, [HOME] * 8)
    former, present = tokens.device_token, renewed.device_token
    assert attempt(town, HOME, password=NEW, device_token=former) == "too_often"
    assert attempt(town, HOME, password=NEW, device_token=present) == "ok"


def test_a_device_token_signs_nobody_in(town, ada):
    token = town.sign_in("ada").device_token
    with pytest.raises(NotSignedIn):
        town.engine.authenticate(token)
    assert town.code(Refresh(refresh_token=token)) == "credentials.refresh_not_good"


class Siege(RuleBasedStateMachine):
    """An owner at home, and strangers with as many addresses as they like."""

    storage_of = staticmethod(STORAGES["memory"])
    databases = Path()

    @initialize()
    def open(self):
        self.town = Town(self.storage_of(self.databases), settings=[POLICY])
        self.town.register("ada")
        self.guessed = []
        assert attempt(self.town, HOME, password=PASSWORD) == "ok"

    @rule(address=st.integers(1, 30), login=st.sampled_from(["ada", "ADA", "name1", "name2"]))
    def guess(self, address, login):
        code = attempt(self.town, f"203.0.113.{address}", login)
        if login.casefold() == "ada" and code == "credentials.wrong":
            self.guessed.append(self.town.clock.now())

    @rule(count=st.integers(5, 40))
    def storm(self, count):
        for number in range(count):
            self.guess(number % 30, "ada")

    @rule(name=st.integers(1, 40))
    def somebody_else_at_home_tries_other_names(self, name):
        attempt(self.town, HOME, f"name{name}")

    @rule(span=st.integers(1, 90).map(lambda minutes: timedelta(minutes=minutes)))
    def let_time_pass(self, span):
        self.town.clock.advance(span)

    @rule()
    def owner_slips_once_and_gets_in(self):
        assert attempt(self.town, HOME) == "credentials.wrong"
        assert attempt(self.town, HOME, password=PASSWORD) == "ok"

    @rule()
    def owner_gets_in(self):
        assert attempt(self.town, HOME, password=PASSWORD) == "ok"

    @rule()
    @precondition(lambda self: self.guessed)
    def strangers_had_no_more_than_their_guesses(self):
        since = self.guessed[-1] - POLICY.elsewhere.per
        assert sum(each > since for each in self.guessed) <= POLICY.elsewhere.most

    def teardown(self):
        if hasattr(self, "town"):
            self.town.storage.close()


@pytest.mark.parametrize("name", STORAGES)
def test_whatever_strangers_do_the_owner_gets_in_at_home_and_they_have_few_guesses(name):
    with tempfile.TemporaryDirectory() as folder:
        where = {"storage_of": staticmethod(STORAGES[name]), "databases": Path(folder)}
        steps = settings(stateful_step_count=40 if name == "memory" else 20)
        run_state_machine_as_test(type("Siege", (Siege,), where), settings=steps)


# -- inside, and accounts --------------------------------------------------------------------------


def test_who_is_signed_in_has_so_many_guesses_at_the_password_and_only_by_that_sign_in(town, ada):
    thief, owner = (town.engine.authenticate(town.sign_in("ada").access_token) for _ in range(2))
    wrong = ChangePassword(current_password=WRONG, new_password="battery staple 7")
    right = ChangePassword(current_password=PASSWORD, new_password="battery staple 7")
    codes = [town.code(wrong, thief) for _ in range(5)]
    assert codes == ["credentials.wrong_password"] * 3 + ["too_often"] * 2
    assert town.code(right, thief) == "too_often"
    assert town.code(wrong, owner) == "credentials.wrong_password"
    assert town.code(right, owner) == "ok"


def test_from_one_address_so_many_accounts_are_opened_or_tried_for(town, ada):
    def register(name, address=HOME):
        ask = Register(email=f"{name}@example.org", username=name, password=PASSWORD)
        return town.code(ask, **at(address))

    assert register("ada") == "credentials.username_taken"
    assert [register("bob"), register("cleo")] == ["ok", "too_often"]
    assert register("cleo", SCHOOL) == "ok"
    town.clock.advance(hours=1)
    assert register("dora") == "ok"


def test_where_nobody_limits_accounts_any_number_is_opened(storage):
    town = Town(storage, settings=[AttemptPolicy(accounts=None)])
    names = [f"pupil{number}" for number in range(AttemptPolicy().accounts.most + 1)]
    for name in names:
        ask = Register(email=f"{name}@example.org", username=name, password=PASSWORD)
        assert town.code(ask, **at(SCHOOL)) == "ok"


def test_by_its_own_policy_a_class_behind_one_address_comes_in(storage):
    town = Town(storage)
    names = [f"pupil{number}" for number in range(30)]
    for name in names:
        ask = Register(email=f"{name}@example.org", username=name, password=PASSWORD)
        assert town.code(ask, **at(SCHOOL)) == "ok"
    for name in names:
        assert guesses(town, [SCHOOL] * 2, name) == 2
        assert attempt(town, SCHOOL, name, PASSWORD) == "ok"


def test_a_call_that_was_ready_before_the_count_was_full_is_carried_out(town, ada):
    call = Call(SignIn(login="ada", password=PASSWORD), origin=Origin("http", HOME))
    ready = town.engine.ready(call)
    guesses(town, [HOME] * 8)
    (outcome,) = town.engine.run([ready])
    assert outcome.refusal is None
