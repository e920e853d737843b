"""How often: each person, and each address of who is nobody, and every answer says what is left."""

import re
from datetime import timedelta

import attrs
import falcon.testing
import pytest

from focusmate_core.ports.limits import Rate
from focusmate_core.testing.limits import MemoryLimits
from focusmate_core.testing.runner import InlineRunner
from focusmate_falcon import DoorSettings, create_app
from tests.adapters.falcon.conftest import PASSWORD, account

MINUTE = timedelta(minutes=1)
RATES = DoorSettings(reads=Rate(3, MINUTE), writes=Rate(2, MINUTE), sign_ins=Rate(5, MINUTE))
ELSEWHERE = {"remote_addr": "198.51.100.9"}


@pytest.fixture
def opened(engine, clock):
    def make(**settings):
        app = create_app(
            engine,
            InlineRunner(engine),
            settings=attrs.evolve(RATES, **settings),
            limits=MemoryLimits(clock),
        )
        return falcon.testing.TestClient(app)

    return make


@pytest.fixture
def client(opened):
    return opened()


def signed_in(client, name, **more):
    client.simulate_post("/v1/accounts", json=account(name), **more)
    proof = {"login": name, "password": PASSWORD}
    token = client.simulate_post("/v1/tokens", json=proof, **more).json["access_token"]
    return {"Authorization": f"Bearer {token}"}


def asked(client, times, headers=None, path="/v1/rooms", **more):
    answers = [client.simulate_get(path, headers=headers, **more) for _ in range(times)]
    return [answer.status_code for answer in answers]


def test_each_answer_says_what_is_left_and_then_when_to_come_again(client, clock):
    ada = signed_in(client, "ada")
    told = [client.simulate_get("/v1/rooms", headers=ada) for _ in range(4)]
    assert {answer.headers["ratelimit-policy"] for answer in told} == {'"reads";q=3;w=60'}
    assert [answer.headers["ratelimit"] for answer in told] == [
        '"reads";r=2;t=60',
        '"reads";r=1;t=60',
        '"reads";r=0;t=60',
        '"reads";r=0;t=60',
    ]
    refused = told[3]
    assert (refused.status_code, refused.json["code"]) == (429, "too_often")
    assert refused.json["params"] == {"retry_after": 60}
    assert refused.headers["retry-after"] == "60"
    clock.advance(timedelta(seconds=60))
    assert asked(client, 1, ada) == [200]


def test_a_wait_is_told_in_whole_seconds_that_are_enough(client, clock):
    ada = signed_in(client, "ada")
    asked(client, 3, ada)
    clock.advance(MINUTE - timedelta(milliseconds=300))
    assert client.simulate_get("/v1/rooms", headers=ada).headers["retry-after"] == "1"


def test_people_behind_one_address_do_not_count_for_one_another(client):
    ada, ben = signed_in(client, "ada"), signed_in(client, "ben")
    assert asked(client, 4, ada) == [200, 200, 200, 429]
    assert asked(client, 4, ben) == [200, 200, 200, 429]
    assert asked(client, 1, ada, **ELSEWHERE) == [429]


def test_reading_and_writing_are_counted_apart(client):
    ada = signed_in(client, "ada")
    asked(client, 4, ada)
    opened = [client.simulate_post("/v1/rooms", json={"name": "A"}, headers=ada) for _ in range(3)]
    assert [answer.status_code for answer in opened] == [201, 201, 429]


@pytest.mark.parametrize("headers", [None, {"Authorization": "Bearer forged"}])
def test_who_is_nobody_counts_by_address_whatever_token_they_make_up(client, headers):
    assert asked(client, 4, headers) == [401, 401, 401, 429]
    assert asked(client, 1, headers, **ELSEWHERE) == [401]


def test_signing_in_counts_by_address_also_for_who_is_signed_in(client):
    ada = signed_in(client, "ada")
    proof = {"login": "ada", "password": "wrong horse 9"}
    told = [client.simulate_post("/v1/tokens", json=proof, headers=ada) for _ in range(4)]
    assert [answer.status_code for answer in told] == [401, 401, 401, 429]
    assert told[3].headers["ratelimit-policy"] == '"sign_ins";q=5;w=60'
    assert client.simulate_post("/v1/tokens", json=proof, **ELSEWHERE).status_code == 401


def test_who_sends_nonsense_to_renew_with_keeps_nobody_from_signing_in(opened):
    client = opened(sign_ins=Rate(2, MINUTE), renewals=Rate(3, MINUTE))
    for path in ("/v1/tokens/refresh", "/v1/tokens/revoke"):
        for _ in range(2):
            last = client.simulate_post(path, json={"refresh_token": "nonsense"})
    assert (last.status_code, last.json["code"]) == (429, "too_often")
    assert last.headers["ratelimit-policy"] == '"renewals";q=3;w=60'
    ada = signed_in(client, "ada")
    assert asked(client, 1, ada) == [200]


def test_a_network_of_ipv6_is_one_address(client):
    hosts = [f"2001:db8:1:2::{number:x}" for number in range(1, 5)]
    told = [asked(client, 1, remote_addr=host) for host in hosts]
    assert told == [[401], [401], [401], [429]]
    assert asked(client, 1, remote_addr="2001:db8:1:3::1") == [401]


def test_the_same_address_in_both_forms_is_one(client):
    told = [asked(client, 1, remote_addr=host) for host in ["::ffff:192.0.2.1", "192.0.2.1"] * 2]
    assert told == [[401], [401], [401], [429]]


def test_a_flood_is_refused_before_anything_is_looked_at(opened):
    client = opened(requests=Rate(2, MINUTE))
    assert asked(client, 3, path="/nowhere") == [404, 404, 429]
    refused = client.simulate_post("/v1/accounts", body="x" * 100_000)
    assert (refused.status_code, refused.json["code"]) == (429, "too_often")
    assert int(refused.headers["retry-after"]) == 60
    assert refused.headers["ratelimit-policy"] == '"requests";q=2;w=60'
    assert refused.headers["ratelimit"] == '"requests";r=0;t=60'
    assert refused.headers["cache-control"] == "no-store"
    assert asked(client, 1, path="/openapi.json", **ELSEWHERE) == [200]


def test_a_flood_does_not_make_the_server_seem_dead(opened):
    client = opened(requests=Rate(1, MINUTE))
    assert asked(client, 2, path="/nowhere") == [404, 429]
    for path in ("/health/live", "/health/ready"):
        assert asked(client, 3, path=path) == [200, 200, 200]


def test_who_is_behind_a_proxy_counts_as_oneself(opened):
    client = opened(address_of=lambda _, headers: dict(headers)[b"x-real"].decode())
    for host in ("192.0.2.1", "192.0.2.2"):
        assert asked(client, 4, {"X-Real": host}) == [401, 401, 401, 429]


def test_without_rates_nothing_is_counted_and_nothing_told(opened):
    client = opened(reads=None, writes=None, sign_ins=None)
    ada = signed_in(client, "ada")
    assert asked(client, 50, ada) == [200] * 50
    told = client.simulate_get("/v1/rooms", headers=ada).headers
    assert not [name for name in told if re.match("ratelimit", name, re.IGNORECASE)]


def test_a_rate_needs_something_that_counts(engine):
    with pytest.raises(ValueError, match=r"DoorSettings\.reads is a rate"):
        create_app(engine, InlineRunner(engine), settings=RATES)
