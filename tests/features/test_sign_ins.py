"""Sign-ins: made by a password, renewed by a token that is good once, and ended for good."""

from __future__ import annotations

import unicodedata
from datetime import timedelta

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from focusmate_core import BadInput, Call, Origin, Refusal, codec
from focusmate_core.bearers import LOOKS_AGAIN
from focusmate_core.features.credentials import Register
from focusmate_core.features.people import Person
from focusmate_core.features.profiles import Me
from focusmate_core.features.sign_ins import (
    MOST,
    Refresh,
    SignIn,
    SignInPolicy,
    SignOut,
    sign_ins_of,
)
from focusmate_core.features.sign_outs import EndSignIn, SignIns, SignOutEverywhere
from focusmate_core.fields import Email
from focusmate_core.finding import find_all
from focusmate_core.ports.tokens import Tokens
from focusmate_core.refusals import NotSignedIn
from focusmate_core.testing.conformance.storage.kit import in_threads
from focusmate_core.testing.memory import MemoryStorage
from focusmate_core.testing.strategies import values
from tests.features.town import PASSWORD, Town

MONTH = timedelta(days=30)
MOMENT = timedelta(microseconds=1)


@pytest.fixture
def ada(town):
    return town.register("ada")


@pytest.fixture
def tokens(town, ada):
    return town.sign_in("ada")


@pytest.fixture
def person(town, tokens):
    return town.engine.authenticate(tokens.access_token)


# -- sign in ---------------------------------------------------------------------------------------


@given(email=values(Email), form=st.sampled_from(["NFC", "NFD"]))
@example(email="André@example.org", form="NFD")
@example(email="andre\u0301@example.org", form="NFC")
@example(email="İo@example.org", form="NFD")
def test_an_email_address_is_the_same_however_it_is_written(email, form):
    town = Town(MemoryStorage())
    ada = town.do(Register(email=email, username="ada", password=PASSWORD))
    for written in (email, unicodedata.normalize(form, email), email.casefold()):
        if len(written.partition("@")[0]) <= 64 and len(written) <= 254:
            assert town.do(SignIn(login=written, password=PASSWORD)).person_id == ada.id
            again = Register(email=written, username="other", password=PASSWORD)
            assert town.code(again) == "credentials.email_taken"


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
    known = ready.prepared.credential
    for former in (known.but(generation=0), known.but(person_id=town.somebody().id)):
        stale = ready.prepared.but(credential=former)
        (outcome,) = town.engine.run([attrs.evolve(ready, prepared=stale)])
        assert outcome.refusal.code == "credentials.wrong"


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
    for login in ("ada", "ada@example.org"):
        assert town.code(SignIn(login=login, password=PASSWORD)) == "credentials.wrong"
    with pytest.raises(NotSignedIn):
        town.engine.authenticate(tokens.access_token)


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


# -- an ended sign-in is good nowhere --------------------------------------------------------------


def is_good(town, tokens):
    """Whether an access token signs somebody in, in this very moment."""
    try:
        town.engine.authenticate(tokens.access_token)
    except NotSignedIn:
        return False
    return True


def test_an_access_token_ends_with_its_sign_in_and_no_other_does(town, tokens):
    other, bobs = town.sign_in("ada"), town.person("bob")
    assert is_good(town, tokens)
    town.do(SignOut(refresh_token=tokens.refresh_token))
    assert [is_good(town, each) for each in (tokens, other)] == [False, True]
    assert town.code(Me(), bobs) == "ok"


def test_a_token_reused_ends_the_access_tokens_of_its_family_too(town, tokens):
    second = refreshed(town, tokens.refresh_token)
    town.code(Refresh(refresh_token=tokens.refresh_token))
    assert not is_good(town, tokens)
    assert not is_good(town, second)
    assert endings(town, tokens.person_id) == ["refresh_reused"]


def endings(town, person_id):
    told = [each for each in town.told(f"user:{person_id}") if each.type.endswith("in_ended")]
    return [codec.loads(each.data)["why"] for each in told]


def test_what_another_process_ended_is_over_within_seconds(town, tokens):
    far = town._engine()
    assert far.authenticate(tokens.access_token)
    town.do(SignOut(refresh_token=tokens.refresh_token))
    assert far.authenticate(tokens.access_token), "it was looked at a moment ago"
    with pytest.raises(NotSignedIn):
        far.authenticate(tokens.access_token, again=True)
    with pytest.raises(NotSignedIn):
        far.authenticate(tokens.access_token)


def test_a_clock_that_is_set_back_keeps_no_token_for_longer(town, tokens):
    far = town._engine()
    assert far.authenticate(tokens.access_token)
    town.do(SignOut(refresh_token=tokens.refresh_token))
    town.clock.set(town.clock.now() - timedelta(hours=1))
    town.clock.advance(seconds=LOOKS_AGAIN)
    with pytest.raises(NotSignedIn):
        far.authenticate(tokens.access_token)


def test_who_is_marked_as_gone_is_signed_in_nowhere(town, tokens):
    with town.storage.write() as unit:
        person = unit.get(Person, tokens.person_id)
        unit.put(person.but(deleted_at=town.clock.now()))
    assert not is_good(town, tokens)
    code = town.code(Refresh(refresh_token=tokens.refresh_token))
    assert code == "credentials.refresh_not_good"
    assert town.code(SignIn(login="ada", password=PASSWORD)) == "credentials.wrong"


def test_a_token_without_a_sign_in_is_the_word_of_who_holds_the_key_and_gives_no_role(town, ada):
    claims = {"use": "access", "sub": ada.id, "sid": "", "roles": ["admin"]}
    until = town.clock.now() + timedelta(minutes=1)
    actor = town.engine.authenticate(town.fakes[Tokens].sign(claims, until))
    assert (actor.id, actor.roles, actor.sign_in) == (ada.id, frozenset(), "")
    assert actor.expires_at == until


@pytest.mark.parametrize("access", [timedelta(minutes=1), timedelta(minutes=30)])
def test_how_long_tokens_are_good_is_a_setting(storage, access):
    town = Town(storage, settings=[SignInPolicy(access=access, refresh=timedelta(days=7))])
    town.register("ada")
    tokens, now = town.sign_in("ada"), town.clock.now()
    assert tokens.access_expires_at == now + access
    assert tokens.refresh_expires_at == now + timedelta(days=7)


# -- listed and ended ------------------------------------------------------------------------------


def listed(town, person, **more):
    return town.do(SignIns(**more), person)


def test_one_sees_where_one_is_signed_in_the_newest_first_and_which_is_this(town, tokens, person):
    town.person("bob")
    town.clock.advance(minutes=1)
    ask = SignIn(login="ada", password=PASSWORD)
    town.do(ask, origin=Origin("http", "2001:db8:1:2:3:4:5:6"))
    town.clock.advance(minutes=1)
    refreshed(town, tokens.refresh_token)
    newest, this = listed(town, person).items
    assert (newest.address, newest.used_at, newest.is_current) == ("2001:db8:1:2::/64", None, False)
    assert (this.id, this.is_current, this.used_at) == (person.sign_in, True, town.clock.now())
    assert this.expires_at == town.clock.now() + MONTH


def test_the_list_is_paged_and_each_stands_in_it_once(town, person):
    for _ in range(6):
        town.clock.advance(seconds=1)
        town.sign_in("ada")
    found, cursor = [], None
    while True:
        page = listed(town, person, limit=3, cursor=cursor)
        found += [each.id for each in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert found == sorted(set(found), reverse=True)
    assert len(found) == 7
    assert town.refused(SignIns(cursor="nonsense"), person).code == "bad_input"


def test_what_has_ended_or_expired_is_not_listed(town, tokens, person):
    other = town.sign_in("ada")
    town.do(SignOut(refresh_token=other.refresh_token))
    assert [each.id for each in listed(town, person).items] == [person.sign_in]
    town.clock.advance(MONTH)
    assert listed(town, person).items == ()


def test_one_ends_a_sign_in_from_another_and_twice_is_once(town, tokens, person):
    other = town.sign_in("ada")
    its_id = town.engine.authenticate(other.access_token).sign_in
    for _ in range(2):
        assert town.do(EndSignIn(sign_in_id=its_id), person) is None
    assert [is_good(town, each) for each in (tokens, other)] == [True, False]
    assert endings(town, person.id) == ["ended"]


def test_an_unknown_sign_in_is_refused_like_somebody_elses_and_like_one_that_expired(town, person):
    bob = town.person("bob")
    refusals = [town.refused(EndSignIn(sign_in_id=each), person) for each in (bob.sign_in, bob.id)]
    town.clock.advance(MONTH)
    refusals.append(town.refused(EndSignIn(sign_in_id=person.sign_in), person))
    assert {str(each) for each in refusals} == {str(refusals[0])}
    assert refusals[0].code == "credentials.sign_in_not_found"


@pytest.mark.parametrize("keep_this", [True, False])
def test_signing_out_everywhere_ends_all_of_ones_own_and_may_keep_this(
    town, tokens, person, keep_this
):
    others, bob = (
        [town.sign_in("ada") for _ in range(3)],
        town.sign_in(town.register("bob").username),
    )
    assert town.do(SignOutEverywhere(keep_this=keep_this), person) is None
    assert not any(is_good(town, each) for each in others)
    assert (is_good(town, tokens), is_good(town, bob)) == (keep_this, True)
    assert town.code(SignOutEverywhere(), town.somebody()) == "ok"


def test_of_a_person_so_many_sign_ins_are_kept_and_what_is_over_makes_place_first(town, person):
    first, second = (town.sign_in("ada") for _ in range(2))
    town.do(SignOut(refresh_token=second.refresh_token))
    for _ in range(MOST - 2):
        town.clock.advance(seconds=1)
        town.sign_in("ada")
    code = town.code(Refresh(refresh_token=second.refresh_token))
    assert code == "credentials.refresh_not_good"
    assert is_good(town, first)
    assert endings(town, person.id) == ["signed_out"]
    refreshed(town, first.refresh_token)
    town.sign_in("ada")
    assert endings(town, person.id) == ["signed_out", "too_many"]
    assert is_good(town, first)
    with town.storage.read() as reader:
        kept = [each.id for each in find_all(reader, sign_ins_of(person.id))]
    assert len(kept) == MOST
    assert person.sign_in not in kept
