"""Credentials: how people prove who they are, and what nobody learns on the way."""

from __future__ import annotations

import unicodedata
from datetime import timedelta

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from focusmate_core import BadInput, Call, Refusal, codec
from focusmate_core.features.credentials import Credential, Refresh, Register, SignIn, SignOut
from focusmate_core.features.people import Person
from focusmate_core.features.profiles import Me
from focusmate_core.fields import Email
from focusmate_core.testing.conformance.storage.kit import in_threads
from focusmate_core.testing.memory import MemoryStorage
from focusmate_core.testing.strategies import values
from tests.features.town import PASSWORD, Town

MONTH = timedelta(days=30)
MOMENT = timedelta(microseconds=1)


def signing_up(name="ada", **more):
    fields = {"email": f"{name}@example.org", "username": name, "password": PASSWORD}
    return Register(**{**fields, **more})


@pytest.fixture
def ada(town):
    return town.register("ada")


@pytest.fixture
def tokens(town, ada):
    return town.sign_in("ada")


# -- register --------------------------------------------------------------------------------------


def test_who_registers_is_called_by_the_username_unless_another_name_is_given(town):
    assert town.do(signing_up("ada")).display_name == "ada"
    assert town.do(signing_up("bob", display_name="Bob B.")).display_name == "Bob B."


def test_a_username_is_taken_in_whatever_case(town, ada):
    refusal = town.refused(signing_up("ADA", email="other@example.org"))
    assert (refusal.code, refusal.params()) == ("credentials.username_taken", {"username": "ADA"})


def test_an_email_address_is_taken_in_whatever_case(town, ada):
    asked = signing_up("other", email="ADA@Example.ORG")
    assert town.refused(asked).code == "credentials.email_taken"


def test_blanks_around_a_name_or_an_address_are_not_part_of_it(town):
    town.do(signing_up(username=" ada ", email="\tada@example.org "))
    assert town.do(SignIn(login=" ada@example.org", password=PASSWORD))
    assert town.do(SignIn(login="ada ", password=PASSWORD))


def test_who_is_refused_leaves_no_trace(town, ada):
    told = town.all_told()
    for asked in (
        signing_up("ADA", email="other@example.org"),
        signing_up("other", email="ada@example.org"),
        signing_up("common", password="password1"),
    ):
        town.refused(asked)
    assert town.all_told() == told
    assert town.code(SignIn(login="other", password=PASSWORD)) == "credentials.wrong"
    assert town.do(signing_up("other")).username == "other"


@pytest.mark.parametrize("same", ["username", "email"])
def test_of_many_who_register_the_same_at_once_one_is_in_and_the_others_are_told(town, same):
    def one(number):
        name = f"person{number}"
        if same == "username":
            return signing_up("ADA" if number % 2 else "ada", email=f"{name}@example.org")
        return signing_up(name, email="ADA@example.org" if number % 2 else "ada@example.org")

    asked = [one(number) for number in range(20)]
    codes = in_threads(*(lambda ask=ask: town.code(ask) for ask in asked))
    assert sorted(codes) == [*[f"credentials.{same}_taken"] * 19, "ok"]


@pytest.mark.parametrize("password", ["password", "PASSWORD1", "12345678"])
def test_a_password_that_is_guessed_first_is_refused_by_its_field(town, password):
    refusal = town.refused(signing_up(password=password))
    assert isinstance(refusal, BadInput)
    assert [problem.field for problem in refusal.fields] == ["password"]


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("email", "no address"),
        ("email", "ada@localhost"),
        ("username", "ab"),
        ("username", "a" * 31),
        ("username", "ada lovelace"),
        ("username", "ädä"),
        ("password", "short 7"),
        ("password", "a" * 129),
        ("display_name", "a" * 51),
        ("display_name", " "),
    ],
)
def test_what_has_a_wrong_form_is_refused_by_its_field(field, wrong):
    with pytest.raises(BadInput) as refused:
        signing_up(**{field: wrong})
    assert [problem.field for problem in refused.value.fields] == [field]


# -- sign in ---------------------------------------------------------------------------------------


@given(email=values(Email), form=st.sampled_from(["NFC", "NFD"]))
@example(email="André@example.org", form="NFD")
@example(email="andre\u0301@example.org", form="NFC")
@example(email="İo@example.org", form="NFD")
def test_an_email_address_is_the_same_however_it_is_written(email, form):
    town = Town(MemoryStorage())
    ada = town.do(signing_up(email=email))
    for written in (email, unicodedata.normalize(form, email), email.casefold()):
        if len(written.partition("@")[0]) <= 64 and len(written) <= 254:
            assert town.do(SignIn(login=written, password=PASSWORD)).person_id == ada.id
            assert town.code(signing_up("other", email=written)) == "credentials.email_taken"


@pytest.mark.parametrize("login", ["ada", "ADA", "ada@example.org", "Ada@EXAMPLE.org"])
def test_one_signs_in_by_username_or_email_address_in_whatever_case(town, ada, login):
    signed_in = town.do(SignIn(login=login, password=PASSWORD))
    assert signed_in.person_id == ada.id
    assert town.engine.authenticate(signed_in.access_token).id == ada.id


def test_an_unknown_user_and_a_wrong_password_cannot_be_told_apart(town, ada):
    asked = [
        SignIn(login=login, password=password)
        for login in ("ada", "ada@example.org", "nobody", "nobody@example.org")
        for password in ("wrong horse 9", PASSWORD.upper(), PASSWORD + " ")
    ]
    refusals = [town.refused(each) for each in asked]
    assert {(type(r), r.code, r.kind, r.detail, str(r.params())) for r in refusals} == {
        (type(refusals[0]), "credentials.wrong", refusals[0].kind, refusals[0].detail, "{}")
    }


def test_an_unknown_user_costs_a_verification_like_a_known_one(town, ada):
    verified = []
    verify = town.passwords.verify
    town.passwords.verify = lambda *given: verified.append(given) or verify(*given)
    for login in ("ada", "nobody", "ada@example.org", "nobody@example.org"):
        town.code(SignIn(login=login, password="wrong horse 9"))
    assert len(verified) == 4


@given(password=st.text(min_size=8, max_size=128), other=st.text(min_size=8, max_size=128))
def test_only_the_very_password_signs_in(password, other):
    town = Town(MemoryStorage())
    try:
        town.register("ada", password)
    except BadInput:
        return
    assert town.sign_in("ada", password).access_token
    if other != password:
        with pytest.raises(Refusal):
            town.sign_in("ada", other)


def test_a_sign_in_that_was_prepared_before_the_account_changed_is_refused(town, ada):
    ready = town.engine.ready(Call(SignIn(login="ada", password=PASSWORD)))
    for stale in (
        ready.prepared.but(password_hash="the former hash"),
        ready.prepared.but(person_id=town.somebody().id),
    ):
        (outcome,) = town.engine.run([attrs.evolve(ready, prepared=stale)])
        assert outcome.refusal.code == "credentials.wrong"


@pytest.mark.parametrize("message", [SignIn, Refresh, SignOut, Register])
def test_what_carries_a_secret_takes_no_idempotency_key(town, tokens, message):
    asked = {
        SignIn: SignIn(login="ada", password=PASSWORD),
        Refresh: Refresh(refresh_token=tokens.refresh_token),
        SignOut: SignOut(refresh_token=tokens.refresh_token),
        Register: signing_up("bob"),
    }[message]
    assert town.refused(asked, key="a key").code == "idempotency.key_not_taken"
    assert town.code(asked) == "ok"


# -- access tokens ---------------------------------------------------------------------------------


def test_an_access_token_is_good_for_fifteen_minutes(town, tokens):
    assert tokens.access_expires_at == town.clock.now() + timedelta(minutes=15)
    town.clock.advance(timedelta(minutes=15) - timedelta(microseconds=1))
    assert town.engine.authenticate(tokens.access_token).expires_at == tokens.access_expires_at
    town.clock.advance(microseconds=1)
    for _ in range(2):
        with pytest.raises(Refusal) as refused:
            town.engine.authenticate(tokens.access_token)
        assert refused.value.code == "not_signed_in"


@pytest.mark.parametrize(
    "spoiled",
    ["", "no token at all", "..", "{access}0", "A{access}", ".{access}", "{access}é", "{refresh}"],
)
def test_what_is_no_access_token_signs_nobody_in(town, tokens, spoiled):
    with pytest.raises(Refusal) as refused:
        town.engine.authenticate(
            spoiled.format(access=tokens.access_token, refresh=tokens.refresh_token)
        )
    assert refused.value.code == "not_signed_in"


@pytest.mark.parametrize("fraction", [1, 500_000, 999_999])
def test_both_tokens_are_good_until_the_very_instant_that_was_told(town, ada, fraction):
    town.clock.advance(microseconds=fraction)
    tokens = town.sign_in("ada")
    town.clock.set(tokens.access_expires_at - MOMENT)
    assert town.engine.authenticate(tokens.access_token).expires_at == tokens.access_expires_at
    town.clock.set(tokens.refresh_expires_at - MOMENT)
    assert refreshed(town, tokens.refresh_token).person_id == ada.id


# -- refresh ---------------------------------------------------------------------------------------


def refreshed(town, token):
    return town.do(Refresh(refresh_token=token))


def test_each_refresh_gives_the_next_pair_and_uses_up_the_last(town, tokens):
    for _ in range(5):
        town.clock.advance(days=20)
        following = refreshed(town, tokens.refresh_token)
        assert following.refresh_token != tokens.refresh_token
        assert following.refresh_expires_at == town.clock.now() + MONTH
        assert town.engine.authenticate(following.access_token).id == tokens.person_id
        tokens = following


def test_a_refresh_token_that_comes_twice_ends_its_whole_family(town, tokens):
    second = refreshed(town, tokens.refresh_token)
    third = refreshed(town, second.refresh_token)
    assert town.code(Refresh(refresh_token=second.refresh_token)) == "credentials.refresh_reused"
    for token in (tokens, second, third):
        code = town.code(Refresh(refresh_token=token.refresh_token))
        assert code == "credentials.refresh_not_good"


def test_that_a_family_ended_is_still_known_after_a_restart(town, tokens):
    second = refreshed(town, tokens.refresh_token)
    town.code(Refresh(refresh_token=tokens.refresh_token))
    town.restart()
    code = town.code(Refresh(refresh_token=second.refresh_token))
    assert code == "credentials.refresh_not_good"


def test_another_sign_in_of_the_same_person_is_another_family(town, tokens):
    other = town.sign_in("ada")
    refreshed(town, tokens.refresh_token)
    town.code(Refresh(refresh_token=tokens.refresh_token))
    assert refreshed(town, other.refresh_token).person_id == tokens.person_id


def test_of_many_refreshes_at_once_one_gets_the_next_pair_and_the_family_ends(town, tokens):
    ask = Refresh(refresh_token=tokens.refresh_token)
    codes = in_threads(*[lambda: town.code(ask)] * 12)
    assert sorted(set(codes)) == [
        "credentials.refresh_not_good",
        "credentials.refresh_reused",
        "ok",
    ]
    assert codes.count("ok") == codes.count("credentials.refresh_reused") == 1


def test_a_refresh_token_is_good_for_thirty_days(town, tokens):
    assert tokens.refresh_expires_at == town.clock.now() + MONTH
    town.clock.advance(MONTH)
    code = town.code(Refresh(refresh_token=tokens.refresh_token))
    assert code == "credentials.refresh_not_good"


@pytest.mark.parametrize("spoil", ["x", "é", "."])
@pytest.mark.parametrize("message", [Refresh, SignOut])
def test_what_is_no_refresh_token_is_refused(town, tokens, message, spoil):
    for token in (tokens.refresh_token + spoil, spoil, tokens.access_token):
        assert town.code(message(refresh_token=token)) == "credentials.refresh_not_good"
    assert refreshed(town, tokens.refresh_token)


def test_the_tokens_of_an_account_that_is_gone_are_good_for_nothing(town, tokens):
    with town.storage.write() as unit:
        unit.delete(Person, tokens.person_id)
    for message in (
        Refresh(refresh_token=tokens.refresh_token),
        SignIn(login="ada", password=PASSWORD),
        SignIn(login="ada@example.org", password=PASSWORD),
    ):
        assert town.code(message) == "credentials.wrong"
    person = town.engine.authenticate(tokens.access_token)
    assert town.code(Me(), person) == "not_signed_in"


# -- sign out --------------------------------------------------------------------------------------


def test_signing_out_ends_the_family_and_twice_is_once(town, tokens):
    for _ in range(2):
        assert town.do(SignOut(refresh_token=tokens.refresh_token)) is None
    code = town.code(Refresh(refresh_token=tokens.refresh_token))
    assert code == "credentials.refresh_not_good"


def test_signing_out_with_a_used_token_ends_the_family_too(town, tokens):
    second = refreshed(town, tokens.refresh_token)
    town.do(SignOut(refresh_token=tokens.refresh_token))
    code = town.code(Refresh(refresh_token=second.refresh_token))
    assert code == "credentials.refresh_not_good"


def test_an_expired_token_signs_nobody_out(town, tokens):
    town.clock.advance(MONTH)
    code = town.code(SignOut(refresh_token=tokens.refresh_token))
    assert code == "credentials.refresh_not_good"


def test_sign_ins_that_expired_are_swept_and_the_others_stay(town, tokens):
    town.clock.advance(days=29)
    later = town.sign_in("ada")
    town.clock.advance(days=1, microseconds=1)
    assert town.engine.sweep(retention=timedelta(days=365)) == 1
    assert town.engine.sweep(retention=timedelta(days=365)) == 0
    assert refreshed(town, later.refresh_token)
    code = town.code(SignOut(refresh_token=tokens.refresh_token))
    assert code == "credentials.refresh_not_good"


# -- secrets ---------------------------------------------------------------------------------------


def test_no_secret_leaves_in_any_view_event_or_message_shown(town, ada, tokens):
    person = town.engine.authenticate(tokens.access_token)
    views = [ada, town.do(Me(), person), town.engine.snapshot(f"user:{ada.id}").parts]
    shown = codec.dumps([codec.plain(view) for view in views])
    told = "".join(envelope.data for envelope in town.all_told())
    for text in (shown, told):
        assert "example.org" not in text
        assert PASSWORD not in text
        assert "for-tests-only$" not in text


def test_a_refusal_tells_no_secret(town, tokens):
    spoiled = tokens.refresh_token + "x"
    refusals = [
        town.refused(SignIn(login="ada", password="wrong horse 9")),
        town.refused(Refresh(refresh_token=spoiled)),
        town.refused(signing_up("ADA")),
        town.refused(signing_up("other", password="password1")),
    ]
    with pytest.raises(BadInput) as wrong_form:
        signing_up(password="2short")
    for refusal in (*refusals, wrong_form.value):
        for secret in ("wrong horse 9", spoiled, PASSWORD, "password1", "2short", "example.org"):
            assert secret not in f"{refusal} {refusal.params()} {refusal!r}"


def test_nothing_that_is_printed_shows_a_secret(town):
    person = town.do(signing_up("cleo"))
    tokens = town.do(SignIn(login="cleo", password=PASSWORD))
    with town.engine.storage.read() as reader:
        credential = reader.get(Credential, person.id)
    asked = [signing_up("dora"), SignIn(login="cleo", password=PASSWORD)]
    asked += [Refresh(refresh_token=tokens.refresh_token)]
    printed = " ".join(map(repr, [*asked, tokens, credential, Call(asked[0])]))
    secrets = [PASSWORD, tokens.access_token, tokens.refresh_token, credential.password_hash]
    assert [secret for secret in secrets if secret in printed] == []
