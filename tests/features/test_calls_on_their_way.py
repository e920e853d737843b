"""What came in before a sign-in ended, and is carried out after it, is nobody's word any more."""

from __future__ import annotations

import pytest

from focusmate_core import Actor, Call
from focusmate_core.features.accounts import DeleteAccount
from focusmate_core.features.credentials import ChangePassword
from focusmate_core.features.people import Person
from focusmate_core.features.profiles import UpdateProfile
from focusmate_core.features.roles import ChangeRoles, Role
from focusmate_core.features.rooms import OpenRoom, Room
from focusmate_core.features.sign_outs import EndSignIn, SignOutEverywhere
from focusmate_core.finding import Find, find_all
from tests.features.town import PASSWORD, Town

OPERATOR = Actor(id="the operator", roles=frozenset({"admin"}))
LATE = OpenRoom(name="Too late")
ENDINGS = {
    "deletion": lambda _: DeleteAccount(password=PASSWORD),
    "everywhere": lambda _: SignOutEverywhere(),
    "one": lambda ada: EndSignIn(sign_in_id=ada.sign_in),
}


def ready(town, message, actor):
    return town.engine.ready(Call(message, actor))


def codes(outcomes):
    return [each.refusal.code if each.refusal else "ok" for each in outcomes]


def rooms(town):
    with town.storage.read() as reader:
        return list(find_all(reader, Find(Room)))


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("together", [True, False])
def test_what_waits_while_a_sign_in_ends_is_not_carried_out(town, ending, together):
    ada = town.person("ada")
    calls = [ready(town, ENDINGS[ending](ada), ada), ready(town, LATE, ada)]
    batches = [calls] if together else [[each] for each in calls]
    told = [code for batch in batches for code in codes(town.engine.run(batch))]
    assert told == ["ok", "not_signed_in"]
    assert rooms(town) == []


def test_another_sign_in_of_the_same_person_goes_on(town):
    ada, elsewhere = town.person("ada"), town.sign_in("ada")
    other = town.engine.authenticate(elsewhere.access_token)
    changed = ChangePassword(current_password=PASSWORD, new_password="battery staple 7")
    calls = [ready(town, changed, other), ready(town, LATE, ada), ready(town, LATE, other)]
    assert codes(town.engine.run(calls)) == ["ok", "not_signed_in", "ok"]


def test_whose_role_was_taken_acts_by_it_no_more(town):
    admin, ada = town.person("root"), town.register("ada")
    town.do(ChangeRoles(person_id=admin.id, roles=frozenset({Role.ADMIN})), OPERATOR)
    admin = town.engine.authenticate(town.sign_in("root").access_token)
    take = ChangeRoles(person_id=admin.id, roles=frozenset())
    give = ChangeRoles(person_id=ada.id, roles=frozenset({Role.ADMIN}))
    calls = [ready(town, take, OPERATOR), ready(town, give, admin)]
    assert codes(town.engine.run(calls)) == ["ok", "not_allowed"]
    with town.storage.read() as reader:
        assert reader.get(Person, ada.id).roles == frozenset()


def test_whose_role_another_process_took_gives_none_away_by_it(town):
    admin, ada = town.person("root"), town.register("ada")
    town.do(ChangeRoles(person_id=admin.id, roles=frozenset({Role.ADMIN})), OPERATOR)
    admin = town.engine.authenticate(town.sign_in("root").access_token)
    elsewhere = Town(town.storage, clock=town.clock)
    elsewhere.do(ChangeRoles(person_id=admin.id, roles=frozenset()), OPERATOR)
    here = Town(town.storage, clock=town.clock)
    give = ChangeRoles(person_id=ada.id, roles=frozenset({Role.ADMIN}))
    assert here.code(give, admin) == "not_allowed"


def test_a_refusal_ends_nothing(town):
    ada = town.person("ada")
    nothing = EndSignIn(sign_in_id="01890a5d-ac96-774b-bcce-b302099a8057")
    calls = [ready(town, nothing, ada), ready(town, UpdateProfile(bio="Still here."), ada)]
    assert codes(town.engine.run(calls)) == ["credentials.sign_in_not_found", "ok"]
