"""Whatever is sent to whichever route: never a fault, never a change by what was refused."""

import json
import re
import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from focusmate_core.features import BUNDLED
from focusmate_core.messages import Access
from focusmate_core.registry import Registry
from focusmate_core.schema import needed
from focusmate_core.testing.strategies import data, faults
from focusmate_falcon.routes import ROUTES, do_route

OFFERED = {
    wire: message
    for wire, message in Registry(BUNDLED).messages.items()
    if message.spec.access is not Access.SYSTEM
}
EVERY = [*ROUTES, *map(do_route, OFFERED)]
PATHS = sorted({route.path for route in EVERY})
AN_ID = "019b8d62-7a80-7000-8000-00000000000a"
RIGHT = {
    "code": "7KQ2M4XP7KQ2M4XP",
    "current_password": "correct horse 9",
    "invitation_id": AN_ID,
    "link_id": AN_ID,
    "new_password": "correct horse 10",
    "roles": ["moderator"],
    "sign_in_id": AN_ID,
    "words": "ada",
    "email": "eve@example.org",
    "first": "2026-01-01",
    "is_idle": True,
    "last": "2026-01-05",
    "length": "PT25M",
    "login": "eve",
    "name": "Library",
    "password": "correct horse 9",
    "person_id": AN_ID,
    "plan": {},
    "refresh_token": "x",
    "room_id": AN_ID,
    "session_id": AN_ID,
    "span": "PT5M",
    "started_at": "2026-01-05T08:00:00Z",
    "starts_at": "2026-01-06T08:00:00Z",
    "time_zone": "Europe/Paris",
    "username": "eve",
}
"""Something right for every field that has no default."""
often = settings(
    max_examples=settings.default.max_examples * 5,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
BODIES = st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode())
PRINTABLE = st.text(string.ascii_letters + string.digits + string.punctuation + " ", max_size=40)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "Authorization": PRINTABLE | PRINTABLE.map("Bearer {}".format),
        "Content-Type": PRINTABLE | st.just("application/json"),
        "Content-Length": st.sampled_from(["x", "-1", "", "3", "99999999999"]),
        "Idempotency-Key": PRINTABLE,
        "Origin": PRINTABLE,
    },
)


def outbox(engine):
    with engine.storage.read() as reader:
        return reader.tail("", 1000)


@pytest.mark.parametrize("wire", OFFERED)
def test_each_wrong_field_is_named_and_nothing_changes(engine, ada, wire):
    right = {name: RIGHT[name] for name in needed(OFFERED[wire])}
    before = outbox(engine)
    for fault in faults(OFFERED[wire]):
        wrong = fault(right)
        body = json.dumps(wrong.data)
        headers = ada.headers | {"Content-Type": "application/json"}
        answer = ada.door.simulate_post(f"/v1/do/{wire}", body=body, headers=headers)
        if r"\ud800" in body:
            assert (answer.status_code, answer.json["code"]) == (400, "malformed"), wrong
        else:
            assert answer.status_code == 422, wrong
            named = {problem["field"].partition(".")[0] for problem in answer.json["fields"]}
            assert wrong.field in named
    assert outbox(engine) == before


def right_data(wire):
    email = {"email": st.just(RIGHT["email"])} if wire == "credentials.register" else {}
    return st.tuples(st.just(wire), data(OFFERED[wire], **email))


@often
@given(sent=st.sampled_from(list(OFFERED)).flatmap(right_data))
def test_what_is_right_is_understood(ada, sent):
    wire, body = sent
    answer = ada.post(f"/v1/do/{wire}", body)
    assert answer.status_code not in {400, 415, 500}
    if answer.status_code == 422 and answer.json["code"] != "days.no_such_zone":
        # A rule of more than form: a cursor is of this list, a password none of the common ones,
        # a range ends after it begins, a record is of a day.
        wrong = {problem["field"] for problem in answer.json["fields"]}
        assert wrong <= {"cursor", "last", "password", "started_at"}


@often
@given(
    path=st.sampled_from(PATHS),
    method=st.sampled_from(["GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"]),
    body=BODIES,
    headers=HEADERS,
    query=PRINTABLE,
    part=PRINTABLE.filter(lambda part: not set(part) & set("?#{}")),
    signed_in=st.booleans(),
)
def test_nothing_that_is_sent_is_a_fault(ada, path, method, body, headers, query, part, signed_in):
    where = re.sub(r"{\w+}", lambda _: part, path)
    headers = headers | (ada.headers if signed_in else {})
    answer = ada.door.simulate_request(
        method, where, query_string=query.lstrip("?"), body=body, headers=headers, held=False
    )
    assert answer.status_code < 500
    if answer.status_code >= 400 and method != "HEAD":
        assert answer.json["status"] == answer.status_code
