"""Credentials: accounts opened, passwords changed and hashed anew, and no secret told."""

from __future__ import annotations

import pytest

from focusmate_core import SYSTEM, BadInput, Call, Kind, Origin, codec
from focusmate_core.features.credentials import ChangePassword, Credential, Register
from focusmate_core.features.people import PersonDeleted
from focusmate_core.features.profiles import Me
from focusmate_core.features.sign_ins import Refresh, SignIn, SignOut, sign_ins_of
from focusmate_core.refusals import NotSignedIn
from focusmate_core.testing.conformance.storage.kit import in_threads
from tests.features.town import PASSWORD

NEW = "battery staple 7"


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


# -- change of password ----------------------------------------------------------------------------


def changing(current=PASSWORD, new=NEW):
    return ChangePassword(current_password=current, new_password=new)


@pytest.fixture
def person(town, tokens):
    return town.engine.authenticate(tokens.access_token)


def test_after_a_change_the_new_password_is_good_and_the_former_is_not(town, person):
    assert town.do(changing(), person) is None
    assert town.code(SignIn(login="ada", password=PASSWORD)) == "credentials.wrong"
    assert town.sign_in("ada", NEW).person_id == person.id
    told = [each for each in town.told(f"user:{person.id}") if each.type.endswith("d_changed")]
    assert [codec.loads(each.data) for each in told] == [
        {"person_id": person.id, "by_sign_in": person.sign_in}
    ]


def test_a_change_ends_all_sign_ins_but_the_one_it_came_by(town, tokens, person):
    other, bobs = town.sign_in("ada"), town.person("bob")
    town.do(changing(), person)
    assert town.engine.authenticate(tokens.access_token) == person
    with pytest.raises(NotSignedIn):
        town.engine.authenticate(other.access_token)
    code = town.code(Refresh(refresh_token=other.refresh_token))
    assert code == "credentials.refresh_not_good"
    assert town.code(Me(), bobs) == "ok"
    assert town.do(Refresh(refresh_token=tokens.refresh_token)).person_id == person.id


def test_the_current_password_is_asked_for_and_a_wrong_one_changes_nothing(town, person):
    before = town.storage.fingerprint() if hasattr(town.storage, "fingerprint") else None
    refusal = town.refused(changing(current="wrong horse 9"), person)
    assert (refusal.code, refusal.kind) == ("credentials.wrong_password", Kind.NOT_ALLOWED)
    assert before is None or town.storage.fingerprint() == before
    assert town.sign_in("ada").person_id == person.id


def test_a_new_password_that_is_guessed_first_is_refused_by_its_field(town, person):
    refusal = town.refused(changing(new="password1"), person)
    assert [problem.field for problem in refusal.fields] == ["new_password"]


def test_who_has_no_password_here_changes_none(town):
    assert town.code(changing(), town.somebody()) == "credentials.wrong_password"


def test_of_two_changes_at_once_the_second_finds_its_password_gone(town, person):
    calls = [
        town.engine.ready(Call(changing(new=new), person)) for new in (NEW, "another staple 7")
    ]
    first, second = town.engine.run(calls)
    assert (first.refusal, second.refusal.code) == (None, "credentials.wrong_password")
    assert town.sign_in("ada", NEW)


def test_a_sign_in_that_was_verified_before_the_change_is_refused_after_it(town, person):
    ready = town.engine.ready(Call(SignIn(login="ada", password=PASSWORD)))
    town.do(changing(), person)
    (outcome,) = town.engine.run([ready])
    assert outcome.refusal.code == "credentials.wrong"


# -- hashed anew -----------------------------------------------------------------------------------


def hash_of(town, person_id):
    with town.storage.read() as reader:
        return reader.get(Credential, person_id).password_hash


def test_a_hash_of_former_parameters_is_made_anew_by_the_next_sign_in(town, ada):
    former = hash_of(town, ada.id)
    town.sign_in("ada")
    assert hash_of(town, ada.id) == former
    town.passwords.parameters += 1
    assert town.code(SignIn(login="ada", password="wrong horse 9")) == "credentials.wrong"
    assert hash_of(town, ada.id) == former
    town.sign_in("ada")
    following = hash_of(town, ada.id)
    assert (town.passwords.is_outdated(former), town.passwords.is_outdated(following)) == (
        True,
        False,
    )
    town.sign_in("ada")
    assert hash_of(town, ada.id) == following


def test_of_two_sign_ins_that_hash_anew_at_once_both_are_in(town, ada):
    town.passwords.parameters += 1
    ask = Call(SignIn(login="ada", password=PASSWORD))
    calls = [town.engine.ready(ask) for _ in range(2)]
    first, second = town.engine.run(calls)
    assert first.answer.person_id == second.answer.person_id == ada.id
    assert hash_of(town, ada.id) == calls[0].prepared.fresh_hash


# -- the end of an account -------------------------------------------------------------------------


def test_with_the_account_goes_what_it_is_signed_in_to_with(town, person):
    with town.storage.write() as unit:
        work = town.engine._work
        ctx = work.context(SYSTEM, Origin(), unit, fresh := [])
        ctx.emit(PersonDeleted(person_id=person.id), to=f"user:{person.id}")
        ctx.react()
        unit.append(fresh)
    assert town.code(SignIn(login="ada@example.org", password=PASSWORD)) == "credentials.wrong"
    with town.storage.read() as reader:
        assert reader.get(Credential, person.id) is None
        assert reader.find(sign_ins_of(person.id)).items == ()


def test_who_takes_their_data_along_finds_their_address_and_no_hash(town, person):
    with town.storage.read() as reader:
        ctx = town.engine._query_context(person, Origin(), reader)
        found = ctx.contributions("export", person.id)
        nobodys = ctx.contributions("export", town.somebody().id)
    assert codec.plain(found["credentials"]) == {"email": "ada@example.org"}
    assert [each.is_current for each in found["sign_ins"]] == [True]
    assert (nobodys["credentials"], nobodys["sign_ins"]) == (None, ())


# -- secrets ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("message", [SignIn, Refresh, SignOut, Register, ChangePassword])
def test_what_carries_a_secret_takes_no_idempotency_key(town, tokens, message):
    asked = {
        SignIn: SignIn(login="ada", password=PASSWORD),
        Refresh: Refresh(refresh_token=tokens.refresh_token),
        SignOut: SignOut(refresh_token=tokens.refresh_token),
        Register: signing_up("bob"),
        ChangePassword: changing(),
    }[message]
    person = town.engine.authenticate(tokens.access_token)
    assert town.refused(asked, person, key="a key").code == "idempotency.key_not_taken"
    assert town.code(asked, person) == "ok"


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
