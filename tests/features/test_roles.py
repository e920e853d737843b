"""Roles: given and taken by admins, in force at once, and an admin is always left."""

from __future__ import annotations

import pytest

from focusmate_core import Actor, Call, codec
from focusmate_core.features.people import Person
from focusmate_core.features.roles import ChangeRoles, PersonRoles, Role
from focusmate_core.refusals import NotSignedIn

OPERATOR = Actor(roles=frozenset({"admin"}))
"""Who runs the server's machine: `focusmate do … --role admin`, as nobody in particular."""
MODERATOR, ADMIN = frozenset({Role.MODERATOR}), frozenset({Role.ADMIN})
NOBODY = "01890a5d-ac96-774b-bcce-000000000001"


class Somebody:
    """A person with an account, seen through their token as each request sees them."""

    def __init__(self, town, name):
        self.town = town
        town.register(name)
        self.tokens = town.sign_in(name)
        self.id = self.tokens.person_id

    @property
    def actor(self):
        return self.town.engine.authenticate(self.tokens.access_token)


@pytest.fixture
def ada(town):
    return Somebody(town, "ada")


@pytest.fixture
def bob(town):
    return Somebody(town, "bob")


def change(town, who, roles, by=OPERATOR):
    return town.do(ChangeRoles(person_id=who.id, roles=roles), by)


def refused(town, who, roles, by):
    return town.refused(ChangeRoles(person_id=who.id, roles=roles), by).code


def test_the_first_admin_is_made_on_the_servers_machine_and_makes_the_others(town, ada, bob):
    assert refused(town, bob, MODERATOR, ada.actor) == "not_allowed"
    assert change(town, ada, ADMIN) == PersonRoles(person_id=ada.id, roles=ADMIN)
    assert ada.actor.roles == {"admin"}
    change(town, bob, MODERATOR | ADMIN, ada.actor)
    assert bob.actor.roles == {"moderator", "admin"}


def test_a_role_that_is_taken_is_gone_at_once_and_everybody_stays_signed_in(town, ada, bob):
    change(town, ada, ADMIN)
    change(town, bob, ADMIN, ada.actor)
    before = bob.actor
    change(town, bob, frozenset(), ada.actor)
    assert bob.actor.roles == frozenset()
    assert refused(town, ada, frozenset(), bob.actor) == "not_allowed"
    assert refused(town, ada, frozenset(), before) == "not_allowed"


def test_a_change_is_told_to_its_person_and_no_change_is_told_to_nobody(town, ada):
    for _ in range(2):
        change(town, ada, MODERATOR | ADMIN)
    told = [each for each in town.told(f"user:{ada.id}") if each.type == "people.roles_changed"]
    assert [codec.loads(each.data) for each in told] == [
        {"person_id": ada.id, "roles": ["admin", "moderator"]}
    ]


def test_nobody_changes_their_own_roles_so_that_an_admin_is_left(town, ada):
    change(town, ada, ADMIN)
    for roles in (frozenset(), MODERATOR, ADMIN):
        assert refused(town, ada, roles, ada.actor) == "people.own_roles"
    assert ada.actor.roles == {"admin"}


def test_of_two_admins_who_take_the_role_from_each_other_at_once_one_is_left(town, ada, bob):
    for each in (ada, bob):
        change(town, each, ADMIN)
    calls = [
        Call(ChangeRoles(person_id=other.id, roles=frozenset()), each.actor)
        for each, other in ((ada, bob), (bob, ada))
    ]
    first, second = town.engine.run(calls)
    assert (first.refusal, second.refusal.code) == (None, "not_allowed")
    assert (ada.actor.roles, bob.actor.roles) == ({"admin"}, frozenset())


def test_who_is_unknown_or_gone_has_no_roles(town, ada):
    code = town.code(ChangeRoles(person_id=NOBODY, roles=ADMIN), OPERATOR)
    assert code == "people.not_found"
    with town.storage.write() as unit:
        unit.put(unit.get(Person, ada.id).but(deleted_at=town.clock.now()))
    assert refused(town, ada, ADMIN, OPERATOR) == "people.not_found"
    with pytest.raises(NotSignedIn):
        _ = ada.actor


def test_a_role_that_there_is_not_is_refused_by_its_field(town):
    with pytest.raises(Exception, match="roles"):
        codec.value_of({"person_id": NOBODY, "roles": ["king"]}, ChangeRoles)
