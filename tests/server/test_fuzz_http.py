"""Whatever schemathesis makes of /openapi.json: no fault, nothing untold, no trace of a no."""

import os
import random
from datetime import timedelta

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks

from focusmate_core import Engine
from focusmate_core.features import BUNDLED
from focusmate_core.features.roles import Role
from focusmate_core.messages import ANONYMOUS, SYSTEM
from focusmate_core.ports.limits import Limits
from focusmate_core.refusals import NotSignedIn
from focusmate_core.testing.clock import FakeClock
from focusmate_core.testing.ids import SequentialIds
from focusmate_core.testing.limits import NoLimits
from focusmate_core.testing.memory import MemoryStorage
from focusmate_core.testing.ports import fake_ports
from focusmate_core.testing.runner import InlineRunner
from focusmate_falcon import create_app

PASSWORD = "correct horse 9"
SHORT, LONG = 300, 10_000
LAWS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]


class Town:
    """A door on the memory engine, some people with tokens, and rooms and the like to find."""

    def __init__(self):
        clock = FakeClock()
        self.storage = MemoryStorage()
        ports = fake_ports(clock) | {Limits: NoLimits()}
        ids = SequentialIds()
        self.engine = Engine(self.storage, features=BUNDLED, clock=clock, ids=ids, ports=ports)
        app = create_app(self.engine, InlineRunner(self.engine))
        self.schema = schemathesis.openapi.from_asgi("/openapi.json", app)
        self.tokens, self.ids = {"nobody": ""}, []
        for who in ("ada", "ben", "admin"):
            self._settle(who, who)
        clock.advance(timedelta(minutes=1))
        self.operations = [
            found.ok()
            for found in self.schema.get_all_operations()
            if not found.ok().path.startswith("/health")
        ]
        self.strategies = {}

    def _settle(self, who, name):
        account = {"email": f"{name}@example.org", "username": name, "password": PASSWORD}
        person = self._do("credentials.register", **account)
        if who == "admin":
            self._do(
                "people.change_roles", SYSTEM, person_id=person.id, roles=frozenset([Role.ADMIN])
            )
        tokens = self._do("credentials.sign_in", login=name, password=PASSWORD)
        self.tokens[who] = tokens.access_token
        actor = self.engine.authenticate(tokens.access_token)
        room = self._do("rooms.open", actor, name=name)
        link = self._do("links.open", actor, room_id=room.id)
        self.ids += [person.id, room.id, link.id]

    def _do(self, wire, actor=ANONYMOUS, **fields):
        return self.engine.execute(self.engine.registry.messages[wire](**fields), actor=actor)

    def token_of(self, who):
        """Their token; somebody else's in their place who signed out, or is no more."""
        try:
            self.engine.authenticate(self.tokens[who])
        except NotSignedIn:
            self._settle(who, f"{who}{len(self.ids)}")
        return self.tokens[who]

    def cases(self, operation, mode):
        """What is sent there; None where nothing can be wrong with it."""
        key = (operation.label, mode)
        if key not in self.strategies:
            self.strategies[key] = operation.as_strategy(generation_mode=mode)
        return self.strategies[key]


def send_one(town, data, counted):
    """Send one case, and hold what is answered against the document and the storage."""
    operation = data.draw(st.sampled_from(town.operations), label="operation")
    mode = data.draw(st.sampled_from(list(GenerationMode)), label="mode")
    case = data.draw(town.cases(operation, mode), label="case")
    who = data.draw(st.sampled_from(sorted(town.tokens)), label="who")
    for name in case.path_parameters or ():
        if name.endswith("_id") and data.draw(st.booleans(), label="known"):
            case.path_parameters[name] = data.draw(st.sampled_from(town.ids), label=name)
    case.headers.pop("Authorization", None)
    if who != "nobody":
        case.headers["Authorization"] = f"Bearer {town.token_of(who)}"
    before = town.storage.fingerprint()
    answer = case.call()
    counted[answer.status_code] = counted.get(answer.status_code, 0) + 1
    case.validate_response(answer, checks=LAWS)
    if answer.status_code >= 400 and answer.json()["code"] not in LEAVING:
        assert town.storage.fingerprint() == before


LEAVING = {
    refusal.code
    for message in Engine(
        MemoryStorage(), features=BUNDLED, clock=FakeClock(), ids=SequentialIds()
    ).registry.messages.values()
    for refusal in message.spec.leaves
}
"""What says no and leaves something all the same, as the messages declare it."""


def fuzz(times, number):
    """Send so many; how often each status was answered."""
    town, counted = Town(), {}

    @seed(number)
    @settings(
        max_examples=times,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(data=st.data())
    def send(data):
        send_one(town, data, counted)

    send()
    return counted


def test_what_the_document_allows_and_what_it_forbids_is_answered_as_it_says():
    counted = fuzz(SHORT, 1)
    assert sum(counted.values()) >= SHORT


@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_ten_thousand_cases_are_answered_as_the_document_says():
    number = int(os.environ.get("FOCUSMATE_SEED", random.SystemRandom().randrange(2**32)))
    print(f"FOCUSMATE_SEED={number} says it again")  # noqa: T201
    counted = fuzz(LONG, number)
    print(f"{sum(counted.values())} cases: {dict(sorted(counted.items()))}")  # noqa: T201
    assert sum(counted.values()) >= LONG
