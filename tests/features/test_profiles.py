"""Profiles: what one says of oneself is seen by all, by oneself or by nobody else, as one wants."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from focusmate_core import BadInput, codec
from focusmate_core.features import profiles
from focusmate_core.features.days import ChangeDays
from focusmate_core.features.people import PersonById, Total
from focusmate_core.features.profiles import (
    ChangePrivateProfile,
    Me,
    MyPrivateProfile,
    SearchPeople,
    UpdateProfile,
)
from focusmate_core.features.records import RecordSession
from focusmate_core.features.stats import LONGEST_RANGE
from focusmate_core.features.timer_control import StartTimer
from focusmate_core.testing.memory import MemoryStorage
from tests.features.test_access import TABLE, Scene
from tests.features.town import Town

MINUTE = timedelta(minutes=1)


@pytest.fixture
def ada(town):
    return town.person("ada")


@pytest.fixture
def bob(town):
    return town.person("bob")


def work(town, person, minutes=25):
    """A whole phase of work, credited."""
    room = town.open_room(person)
    town.do(StartTimer(room_id=room.id), person)
    town.clock.advance(minutes=minutes)
    town.engine.run_due()


def shown(town, person, by):
    return town.do(PersonById(person_id=person.id), by).totals


# -- what everybody may see ------------------------------------------------------------------------


def test_only_what_is_given_changes(town, ada):
    everything = {
        "display_name": "Ada Lovelace",
        "bio": "I count.\nA lot.",
        "avatar_url": "https://example.org/ada.png",
        "locale": "en-GB",
        "shows": frozenset({"focused"}),
    }
    before = town.do(Me(), ada)
    for number, (name, said) in enumerate(everything.items(), 2):
        after = town.do(UpdateProfile(**{name: said}), ada)
        assert after == before.but(**{name: said}, revision=number)
        before = after
    assert town.do(Me(), ada) == before


def test_what_is_empty_is_there_no_more(town, ada):
    said = {"bio": "I count.", "avatar_url": "https://example.org/a.png", "locale": "de-CH"}
    town.do(UpdateProfile(**said, shows=frozenset({"focused"})), ada)
    empty = UpdateProfile(bio="", avatar_url="", locale="", shows=frozenset())
    found = town.do(empty, ada)
    assert (found.bio, found.avatar_url, found.locale, found.shows) == ("", None, None, frozenset())


def test_saying_the_same_again_tells_nothing_and_counts_no_revision(town, ada):
    ask = UpdateProfile(bio="I count.")
    town.do(ask, ada)
    told = town.told(f"user:{ada.id}")
    assert town.do(ask, ada).revision == 2
    assert town.do(UpdateProfile(), ada).revision == 2
    assert town.told(f"user:{ada.id}") == told


def test_a_change_of_another_revision_is_refused_with_the_present_one(town, ada):
    assert town.do(UpdateProfile(bio="one", revision=1), ada).revision == 2
    refused = town.refused(UpdateProfile(bio="two", revision=1), ada)
    assert (refused.code, refused.params()) == ("outdated", {"revision": 2})
    assert town.do(Me(), ada).bio == "one"


@pytest.mark.parametrize("locale", ["de-CH", "en", "zh-Hant-TW", "es-419", "sl-rozaj", "de-1996"])
def test_a_locale_is_a_language_tag(locale):
    assert UpdateProfile(locale=locale).locale == locale


@pytest.mark.parametrize(
    "wrong",
    [
        {"display_name": ""},
        {"display_name": "a" * 51},
        {"bio": "a" * 1001},
        {"avatar_url": "javascript:alert(1)"},
        {"avatar_url": "ada.png"},
        {"locale": "d"},
        {"locale": "de_CH"},
        {"locale": "de-CH-"},
        {"revision": 0},
    ],
)
def test_what_cannot_be_said_is_bad_input(wrong):
    (name,) = wrong
    with pytest.raises(BadInput, match=name):
        UpdateProfile(**wrong)


def test_whoever_has_no_account_has_nothing_to_change(town):
    assert town.code(UpdateProfile(bio="boo"), town.somebody()) == "not_signed_in"


def test_ones_own_profile_says_how_ones_days_go(town, ada):
    assert (town.do(Me(), ada).time_zone, town.do(Me(), ada).day_start) == ("UTC", 0)
    town.do(ChangeDays(time_zone="Asia/Tokyo", day_start=4), ada)
    assert (town.do(Me(), ada).time_zone, town.do(Me(), ada).day_start) == ("Asia/Tokyo", 4)


# -- totals ----------------------------------------------------------------------------------------


def test_everybody_sees_the_totals_that_one_shows_and_no_others(town, ada, bob):
    work(town, ada)
    assert shown(town, ada, bob) == {}
    town.do(UpdateProfile(shows=frozenset({"focused"})), ada)
    assert shown(town, ada, bob) == {"focused": Total(time=25 * MINUTE, count=1)}
    town.do(UpdateProfile(shows=frozenset()), ada)
    assert shown(town, ada, bob) == {}


def test_a_total_that_is_not_shown_is_not_counted(town, ada, bob, monkeypatch):
    def count(*_):
        raise AssertionError("it was counted")

    monkeypatch.setitem(town.engine.registry.contributions["profile"], "focused", count)
    assert shown(town, ada, bob) == {}


def test_what_was_recorded_by_hand_is_in_no_total_that_others_see(town, ada, bob):
    ago = town.clock.now() - timedelta(hours=2)
    town.do(RecordSession(started_at=ago, length=30 * MINUTE), ada)
    town.do(UpdateProfile(shows=frozenset({"focused"})), ada)
    assert shown(town, ada, bob) == {"focused": Total(time=timedelta(0), count=0)}


def test_a_total_is_of_the_last_year_in_ones_own_days(town, ada, bob):
    town.do(UpdateProfile(shows=frozenset({"focused"})), ada)
    town.do(ChangeDays(time_zone="Pacific/Apia"), ada)
    work(town, ada)
    town.clock.advance(days=LONGEST_RANGE - 1)
    assert shown(town, ada, bob)["focused"].count == 1
    town.clock.advance(days=1)
    assert shown(town, ada, bob)["focused"].count == 0


def test_only_what_some_feature_keeps_can_be_shown(town, ada):
    refused = town.refused(UpdateProfile(shows=frozenset({"focused", "height", "age"})), ada)
    assert refused.fields[0].field == "shows"
    assert refused.fields[0].problem == "must be of focused; there is no «age»"


def test_what_a_feature_kept_that_is_gone_is_not_shown(town, ada, bob, monkeypatch):
    town.do(UpdateProfile(shows=frozenset({"focused"})), ada)
    monkeypatch.delitem(town.engine.registry.contributions["profile"], "focused")
    assert shown(town, ada, bob) == {}


# -- search ----------------------------------------------------------------------------------------


def found(town, words, by, **more):
    return [each.username for each in town.do(SearchPeople(words=words, **more), by).items]


def test_people_are_found_by_username_and_display_name_the_last_word_as_a_beginning(town, ada, bob):
    town.do(UpdateProfile(display_name="Ada Lovelace"), ada)
    town.do(UpdateProfile(display_name="공부하는 Bob"), bob)
    assert found(town, "ADA", bob) == ["ada"]
    assert found(town, "ada love", bob) == ["ada"]
    assert found(town, "lovelace ad", bob) == ["ada"]
    assert found(town, "love ada", bob) == []
    assert found(town, "공부", ada) == ["bob"]
    assert found(town, "b", ada) == ["bob"]
    assert found(town, "!", ada) == []


def test_who_has_another_name_now_is_found_by_that(town, ada, bob):
    town.do(UpdateProfile(display_name="Countess"), ada)
    town.do(UpdateProfile(display_name="Augusta"), ada)
    assert (found(town, "countess", bob), found(town, "augusta", bob)) == ([], ["ada"])


def test_nobody_is_found_by_an_e_mail_address(town, ada, bob):
    assert found(town, "ada@example.org", bob) == []
    assert found(town, "example", bob) == []


def test_the_found_come_in_pages_in_the_order_in_which_they_registered(town, ada):
    for n in range(5):
        town.register(f"cleo{n}")
    first = town.do(SearchPeople(words="cleo", limit=3), ada)
    rest = town.do(SearchPeople(words="cleo", limit=3, cursor=first.next_cursor), ada)
    names = [each.username for each in (*first.items, *rest.items)]
    assert names == [f"cleo{n}" for n in range(5)]
    assert rest.next_cursor is None


# -- what nobody else may see ----------------------------------------------------------------------

NOTED = {
    "phone": "+44 20 7946 0815",
    "address": "St James's Square 12\nLondon",
    "education": "Tutored by De Morgan",
}
TEXTS = ["7946", "James's", "Morgan"]


def test_what_is_private_is_there_for_its_owner_alone(town, ada, bob):
    assert set(codec.plain(town.do(MyPrivateProfile(), ada)).values()) == {""}
    for name, noted in NOTED.items():
        town.do(ChangePrivateProfile(**{name: noted}), ada)
    assert codec.plain(town.do(MyPrivateProfile(), ada)) == NOTED
    assert set(codec.plain(town.do(MyPrivateProfile(), bob)).values()) == {""}
    told = town.do(ChangePrivateProfile(phone=""), ada)
    assert codec.plain(told) == NOTED | {"phone": ""}


def test_noting_nothing_keeps_nothing(town, ada):
    town.do(ChangePrivateProfile(), ada)
    town.do(ChangePrivateProfile(phone=""), ada)
    with town.storage.read() as reader:
        assert reader.get(profiles.PrivateProfile, ada.id) is None


def test_whom_an_embedder_vouches_for_may_note_things_too(town):
    ghost = town.somebody()
    assert town.do(ChangePrivateProfile(phone="7"), ghost).phone == "7"


@pytest.mark.parametrize(
    "wrong", [{"phone": "1" * 51}, {"address": "a" * 501}, {"education": "a" * 1001}]
)
def test_what_is_private_is_bounded(wrong):
    with pytest.raises(BadInput):
        ChangePrivateProfile(**wrong)


def is_silent(text):
    return not any(each in text for each in TEXTS)


@pytest.mark.parametrize("wire", sorted(TABLE))
def test_no_answer_to_anybody_else_holds_what_is_private(wire):
    scene = Scene(Town(MemoryStorage()), wire)
    town = scene.town
    for person in (scene.ada, scene.bob):
        town.do(ChangePrivateProfile(**NOTED), person)
    for who, person in scene.people.items():
        if person.id not in {scene.ada.id, scene.bob.id}:
            answer = told_to(town, scene.message(wire), person)
            assert is_silent(answer), (wire, who)
    assert is_silent(repr(town.all_told()))


def told_to(town, message, person):
    """All that somebody learns by a message: its answer, or why there is none."""
    try:
        return repr(town.do(message, person))
    except Exception as refused:  # noqa: BLE001  whatever it is, it is read for what it tells
        return f"{refused!r} {refused}"


def test_what_is_private_stands_in_no_record_and_under_no_key(town, ada, caplog):
    caplog.set_level(logging.DEBUG)
    ask = ChangePrivateProfile(**NOTED)
    assert town.code(ask, ada, key="k1") == "idempotency.key_not_taken"
    town.do(ask, ada)
    assert is_silent(caplog.text)
    with town.storage.read() as reader:
        assert is_silent(repr(reader.get(profiles.PrivateProfile, ada.id)))
