"""Passwords are hashed by Argon2id, and only who holds the key makes a token."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import OctKey
from pwdlib.hashers.argon2 import Argon2Hasher

from focusmate_core.ports.passwords import Passwords
from focusmate_core.ports.tokens import Tokens
from focusmate_security import Argon2Passwords, BadKey, FixedKeys, Key, SignedTokens, new_key

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
LATER = NOW + timedelta(minutes=15)
KEY = bytes(range(32))


@pytest.fixture(scope="module")
def passwords() -> Passwords:
    return Argon2Passwords()


def test_a_password_is_verified_by_its_hash_and_no_other_is(passwords: Passwords):
    hashed = passwords.hash("a quiet morning")
    assert passwords.verify("a quiet morning", hashed)
    assert not passwords.verify("a quiet Morning", hashed)
    assert not passwords.verify("a quiet morning", passwords.hash("another one"))


def test_two_hashes_of_one_password_differ_and_none_holds_it(passwords: Passwords):
    one, two = passwords.hash("a quiet morning"), passwords.hash("a quiet morning")
    assert one != two
    assert "quiet" not in one


def test_the_hash_is_argon2id_with_the_second_parameters_of_rfc_9106(passwords: Passwords):
    assert passwords.hash("a quiet morning").startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_for_nobody_a_hash_of_the_same_cost_is_verified_and_it_is_never_right(
    monkeypatch: pytest.MonkeyPatch,
):
    passwords = Argon2Passwords()
    verified = []
    hasher = passwords._hasher
    plain = hasher.verify
    monkeypatch.setattr(
        hasher, "verify", lambda given, hashed: verified.append(hashed) or plain(given, hashed)
    )
    assert not passwords.verify("a quiet morning", None)
    cost = passwords.hash("x").rsplit("$", 2)[0]
    assert [hashed.rsplit("$", 2)[0] for hashed in verified] == [cost]


def test_a_hash_is_outdated_when_its_parameters_are_not_those_of_today(passwords: Passwords):
    assert not passwords.is_outdated(passwords.hash("a quiet morning"))
    cheap = Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1).hash("a quiet morning")
    assert passwords.verify("a quiet morning", cheap)
    assert passwords.is_outdated(cheap)


@pytest.mark.parametrize("common", ["password1", "PASSWORD1", "iloveyou2", "football"])
def test_what_is_guessed_first_is_known_in_whatever_case(passwords: Passwords, common: str):
    assert passwords.is_common(common)


def test_a_sentence_of_ones_own_is_not_common(passwords: Passwords):
    assert not passwords.is_common("a quiet morning")


CLAIMS = st.dictionaries(
    st.text(min_size=1, max_size=8).filter(lambda name: name not in {"exp", "nbf", "iat"}),
    st.text(max_size=20) | st.integers(-(2**31), 2**31) | st.lists(st.text(max_size=5), max_size=3),
    max_size=4,
)


@given(CLAIMS)
def test_what_was_signed_is_what_is_verified(claims: dict[str, object]):
    tokens: Tokens = SignedTokens(KEY)
    expected = {**claims, "exp": int(LATER.timestamp())}
    assert tokens.verify(tokens.sign(claims, LATER), NOW) == expected


def test_a_token_is_good_until_the_instant_it_expires():
    tokens = SignedTokens(KEY)
    token = tokens.sign({"sub": "ada"}, LATER)
    assert tokens.verify(token, LATER - timedelta(microseconds=1))
    assert tokens.verify(token, LATER) is None


@given(st.data())
def test_a_token_with_one_sign_changed_is_none_of_ours(data: st.DataObject):
    tokens = SignedTokens(KEY)
    token = tokens.sign({"sub": "ada"}, LATER)
    # The last sign of a part has bits that decoding drops: a change there may say the same.
    ends = {at for at, sign in enumerate(token + ".") if sign == "."}
    place = data.draw(st.sampled_from([i for i in range(len(token)) if i + 1 not in ends]))
    sign = data.draw(st.sampled_from("abcXYZ019-_.").filter(lambda one: one != token[place]))
    assert tokens.verify(token[:place] + sign + token[place + 1 :], NOW) is None


def _part(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


@pytest.mark.parametrize("algorithm", ["none", "None", "HS512", "RS256"])
def test_no_other_algorithm_is_taken(algorithm: str):
    forged = f"{_part({'alg': algorithm})}.{_part({'sub': 'ada', 'exp': 2**40})}."
    assert SignedTokens(KEY).verify(forged, NOW) is None
    assert SignedTokens(KEY).verify(forged + "x", NOW) is None


@pytest.mark.parametrize("broken", ["", ".", "..", "a.b.c", "é", "\x00", "a" * 5000, "x.y"])
def test_what_is_no_token_is_refused_like_any_other(broken: str):
    assert SignedTokens(KEY).verify(broken, NOW) is None


SIMPLE = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
HEADERS = st.dictionaries(
    st.sampled_from(["alg", "crit", "b64", "typ", "kid", "jwk", "zip", "cty"]),
    SIMPLE
    | st.lists(SIMPLE, max_size=2)
    | st.dictionaries(st.text(max_size=3), SIMPLE, max_size=2),
)


@given(HEADERS)
def test_whatever_a_header_says_a_forged_token_is_only_refused(header: dict[str, object]):
    forged = f"{_part({'alg': 'HS256', **header})}.{_part({'exp': 2**40})}.{_part('x')}"
    assert SignedTokens(KEY).verify(forged, NOW) is None


def test_another_key_makes_no_token_of_ours():
    assert SignedTokens(KEY).verify(SignedTokens(new_key()).sign({}, LATER), NOW) is None


def test_a_short_key_is_refused():
    with pytest.raises(BadKey, match="32 bytes"):
        SignedTokens(KEY[:-1])


# -- several keys ----------------------------------------------------------------------------------

OTHER = bytes(range(1, 33))


def header_of(token: str) -> dict[str, str]:
    body = token.partition(".")[0]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def test_the_newest_key_signs_and_all_that_are_held_verify():
    before = SignedTokens(OTHER).sign({"sub": "ada"}, LATER)
    both = SignedTokens(FixedKeys(KEY, OTHER))
    after = both.sign({"sub": "ada"}, LATER)
    assert both.verify(before, NOW) == both.verify(after, NOW)
    assert both.verify(after, NOW)
    assert SignedTokens(KEY).verify(after, NOW)
    assert SignedTokens(OTHER).verify(after, NOW) is None
    assert SignedTokens(KEY).verify(before, NOW) is None


def test_a_token_names_its_key_by_what_tells_nothing_of_it():
    name = header_of(SignedTokens(KEY).sign({}, LATER))["kid"]
    assert name == Key.of(KEY).name != Key.of(OTHER).name
    assert len(name) == 12
    assert KEY.hex() not in repr(Key.of(KEY))


def test_a_token_that_was_signed_before_keys_had_names_is_verified_by_any_that_is_held():
    claims = {"sub": "ada", "exp": int(LATER.timestamp())}
    nameless = jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(OTHER))
    assert SignedTokens(FixedKeys(KEY, OTHER)).verify(nameless, NOW) == claims
    assert SignedTokens(KEY).verify(nameless, NOW) is None


@pytest.mark.parametrize("name", ["", "nobody's", 7, ["a"], {"a": 1}, "é"])
def test_a_token_under_a_name_that_no_key_has_is_none_of_ours(name: object):
    forged = f"{_part({'alg': 'HS256', 'kid': name})}.{_part({'exp': 2**40})}.{_part('x')}"
    assert SignedTokens(FixedKeys(KEY, OTHER)).verify(forged, NOW) is None


def test_a_token_signed_by_one_key_under_the_name_of_another_is_none_of_ours():
    claims = {"exp": int(LATER.timestamp())}
    header = {"alg": "HS256", "kid": Key.of(OTHER).name}
    crossed = jwt.encode(header, claims, OctKey.import_key(KEY))
    assert SignedTokens(FixedKeys(KEY, OTHER)).verify(crossed, NOW) is None
