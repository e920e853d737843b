"""People: who somebody is to the others."""

from __future__ import annotations

import pytest

from focusmate_core import ANONYMOUS, Actor
from focusmate_core.features.people import OwnView, PersonById
from focusmate_core.features.profiles import Me, UpdateProfile
from focusmate_core.messages import view_of
from tests.features.town import Watcher


@pytest.fixture
def ada(town):
    return town.person("ada")


@pytest.fixture
def bob(town):
    return town.person("bob")


def test_one_sees_oneself_as_registered(town, ada):
    seen = town.do(Me(), ada)
    assert (seen.id, seen.username, seen.display_name) == (ada.id, "ada", "ada")
    assert seen.created_at == town.clock.now()


PUBLIC = ("id", "username", "display_name", "created_at", "bio", "avatar_url")


def test_others_see_what_one_says_of_oneself(town, ada, bob):
    town.do(UpdateProfile(bio="I count.", avatar_url="https://example.org/a.png"), ada)
    seen, own = town.do(PersonById(person_id=ada.id), bob), town.do(Me(), ada)
    assert [getattr(seen, name) for name in PUBLIC] == [getattr(own, name) for name in PUBLIC]
    assert (seen.is_deleted, seen.totals) == (False, {})


def test_an_id_is_the_same_in_capital_letters(town, ada, bob):
    assert town.do(PersonById(person_id=ada.id.upper()), bob).id == ada.id


def test_nobody_is_found_under_an_unknown_id(town, ada):
    assert town.code(PersonById(person_id=town.somebody().id), ada) == "people.not_found"


def test_a_person_whom_only_the_embedder_knows_has_no_profile(town):
    ghost = town.somebody()
    assert town.code(Me(), ghost) == "not_signed_in"
    assert town.engine.subscribe(f"user:{ghost.id}", actor=ghost).parts["person"] is None


# -- the stream user:<id> --------------------------------------------------------------------------


def test_ones_own_stream_begins_with_the_registration(town, ada):
    (registered,) = town.engine.subscribe(f"user:{ada.id}", actor=ada, after=0)
    assert registered.type == "people.registered"
    assert town.decoded(registered).person.username == town.do(Me(), ada).username


def test_a_snapshot_of_oneself_is_what_the_events_make(town, ada):
    stream = f"user:{ada.id}"
    nobody = town.parts(f"user:{town.somebody().id}")
    assert town.applied(nobody, town.told(stream)) == town.parts(stream)
    assert town.parts(stream)["person"] == view_of(OwnView, town.do(Me(), ada))


def test_whoever_watches_themselves_is_told_what_they_say(town, ada):
    watcher = Watcher(town, f"user:{ada.id}")
    town.do(UpdateProfile(display_name="Countess", locale="en-GB"), ada)
    town.do(UpdateProfile(bio="I count."), ada)
    assert [each.type for each in watcher.catch_up()] == ["people.changed"] * 2
    assert watcher.parts["person"].revision == 3


def test_nobody_watches_anybody_else(town, ada, bob):
    impostor = Actor(id=bob.id, roles=frozenset({"admin", "moderator"}))
    for other in (bob, impostor, ANONYMOUS):
        assert not town.engine.may_watch(f"user:{ada.id}", actor=other)
    assert town.engine.may_watch(f"user:{ada.id}", actor=ada)


def test_nobody_is_not_somebody(town):
    assert not town.engine.may_watch("user:", actor=ANONYMOUS)
