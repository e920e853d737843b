"""What is wrong with a request is told as a problem document, and nothing else comes of it."""

import json
import logging
from datetime import timedelta

import falcon.testing
import pytest

from focusmate_core.calls import Outcome
from focusmate_core.refusals import Conflict, Kind, Refusal, Unavailable, refusal
from focusmate_falcon import DoorSettings, create_app
from focusmate_falcon.problems import STATUS, TITLE

LOGIN = {"login": "ada", "password": "correct horse 9"}


def raw(somebody, body, path="/v1/rooms", media="application/json", **headers):
    sent = somebody.headers | {"Content-Type": media, **headers}
    return somebody.door.simulate_post(path, body=body, headers=sent)


def problems(answer):
    assert (answer.status_code, answer.json["code"]) == (422, "bad_input")
    return {problem["field"]: problem["problem"] for problem in answer.json["fields"]}


# -- the body -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "not JSON"),
        (b"{'name': 'Library'}", "not JSON"),
        (b'{"name": "Library",}', "not JSON"),
        (b'{"name": "Library"} {}', "not JSON"),
        (b'{"name": NaN}', "NaN"),
        (b'{"name": 1e999}', "too large"),
        (b'{"name": "a", "name": "b"}', "stands twice"),
        (b'{"plan": {"work": 1, "work": 2}}', "stands twice"),
        (b"[" * 40 + b"]" * 40, "deeper"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "deeper"),
        (b'{"name": "\xff"}', "UTF-8"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b"   ", "not JSON"),
        (b'{"\\ud800": 1}', "character"),
    ],
)
def test_what_is_no_json_or_ambiguous_is_malformed(ada, body, said):
    refused = raw(ada, body)
    assert (refused.status_code, refused.json["code"]) == (400, "malformed")
    assert said in refused.json["detail"]


@pytest.mark.parametrize("body", [b"[]", b"null", b'"name"', b"7", b"true"])
@pytest.mark.parametrize("path", ["/v1/rooms", "/v1/rooms/{room}/join"])
def test_a_body_is_an_object(ada, body, path):
    refused = raw(ada, body, path.format(room=ada.open_room()))
    assert problems(refused) == {"": "must be an object with named fields"}


def test_each_wrong_field_is_named(ada):
    wrong = {
        "name": "",
        "capacity": "7",
        "control": "nobody",
        "plan": {"work": "25", "long_break_every": True, "auto_start_work": 1, "nap": "PT1M"},
        "colour": "red",
    }
    assert set(problems(ada.post("/v1/rooms", wrong))) == {
        "name",
        "capacity",
        "control",
        "plan.work",
        "plan.long_break_every",
        "plan.auto_start_work",
        "plan.nap",
        "colour",
    }


def test_types_are_strict(ada):
    for wrong in ("7", 7.0, True, [7]):
        assert (
            "whole number"
            in problems(ada.post("/v1/rooms", {"name": "a", "capacity": wrong}))["capacity"]
        )


def test_what_is_missing_is_required(ada):
    assert problems(ada.post("/v1/rooms", {})) == {"name": "is required"}
    assert problems(ada.post("/v1/rooms")) == {"name": "is required"}


@pytest.mark.parametrize(
    "media",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/problem+json",
        "application/json; charset=latin-1",
        "application/json-seq",
    ],
)
def test_a_body_says_that_it_is_json(ada, media):
    refused = raw(ada, b'{"name": "Library"}', media=media)
    assert (refused.status_code, refused.json["code"]) == (415, "http.unsupported_media_type")


@pytest.mark.parametrize(
    "media",
    ["application/json", "application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"'],
)
def test_json_is_taken_under_its_names(ada, media):
    assert raw(ada, b'{"name": "Library"}', media=media).status_code == 201


def test_a_body_has_an_end(engine, ada):
    longest = DoorSettings().longest_body
    refused = raw(ada, b" " * (longest + 1))
    assert (refused.status_code, refused.json["code"]) == (413, "too_large")
    assert refused.json["params"] == {"longest": longest}
    room = json.dumps({"name": "Library"}).encode()
    assert raw(ada, room.ljust(longest)).status_code == 201


# -- path and query -------------------------------------------------------------------------------


def test_what_the_path_gives_is_not_given_again(ada):
    room = ada.open_room()
    for given in (room, "other"):
        refused = ada.post(f"/v1/rooms/{room}/join", {"room_id": given})
        assert problems(refused) == {"room_id": "is given by the path; leave it out here"}
        asked = ada.get(f"/v1/rooms/{room}?room_id={given}")
        assert problems(asked) == {"room_id": "is given by the path; leave it out here"}


@pytest.mark.parametrize("wrong", ["7", "x" * 500, "%00", "%F0%9F%98%80", "..", "{room_id}"])
def test_an_id_in_the_path_is_held_to_its_form(ada, wrong):
    assert problems(ada.post(f"/v1/rooms/{wrong}/timer/start")) == {
        "room_id": "must be an id (a UUID)"
    }
    assert problems(ada.get(f"/v1/rooms/{wrong}")) == {"room_id": "must be an id (a UUID)"}


def test_who_is_not_there_is_not_found(ada):
    for path in (f"/v1/rooms/{ada.id}", f"/v1/people/{ada.open_room()}"):
        assert ada.get(path).status_code == 404


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("limit=x", {"limit": "must be a whole number"}),
        ("limit=", {"limit": "must be a whole number"}),
        ("limit=1.0", {"limit": "must be a whole number"}),
        ("limit=%2B1", {"limit": "must be a whole number"}),
        ("limit=0x1", {"limit": "must be a whole number"}),
        ("limit=" + "9" * 30, {"limit": "must be a whole number"}),
        ("limit=101", {"limit": "must be from 1 to 100, not 101"}),
        ("limit=-1", {"limit": "must be from 1 to 100, not -1"}),
        ("with_count=1", {"with_count": "must be true or false"}),
        ("with_count=True", {"with_count": "must be true or false"}),
        ("limit=1&limit=2", {"limit": "is given more than once"}),
        ("page=2", {"page": "is not a field of this"}),
        ("spec=2", {"spec": "is not a field of this"}),
        ("cursor=x", {"cursor": "must be the next_cursor of this same list"}),
        ("words=" + "x" * 201, {"words": "must have 1 to 200 characters, not 201"}),
        ("words=", {"words": "must have 1 to 200 characters, not 0"}),
        ("a=1&b=2", {"a": "is not a field of this", "b": "is not a field of this"}),
    ],
)
def test_a_query_is_read_as_strictly_as_json(ada, query, wrong):
    assert problems(ada.get(f"/v1/rooms?{query}")) == wrong


def test_a_query_in_no_encoding_is_read_with_replaced_signs(ada):
    assert ada.get("/v1/rooms?words=%ff%fe").json["items"] == []


def test_a_command_takes_nothing_from_the_query(ada):
    refused = ada.post("/v1/rooms?name=Library&name=Attic&plan", {"name": "Library"})
    asked = "is not taken from the query here; send it in the body"
    assert problems(refused) == {"name": asked, "plan": asked}
    assert ada.get("/v1/rooms").json["items"] == []


# -- who asks -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given", ["Bearer", "Bearer ", "Bearer x", "Basic YTpi", "Token x", "x", "Bearer é"]
)
def test_who_shows_no_good_token_is_not_signed_in(door, given):
    refused = door.simulate_get("/v1/rooms", headers={"Authorization": given})
    assert (refused.status_code, refused.json["code"]) == (401, "not_signed_in")
    told = refused.headers["www-authenticate"]
    assert told == 'Bearer realm="focusmate", error="invalid_token"'


def test_who_shows_nothing_is_asked_to_sign_in(door, ada):
    for answer in (
        door.simulate_get("/v1/people/me"),
        door.simulate_post("/v1/rooms", json={"name": "Library"}),
        door.simulate_post(f"/v1/rooms/{ada.open_room()}/timer/start"),
    ):
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Bearer realm="focusmate"'


def test_a_token_ends(clock, ada):
    assert ada.get("/v1/people/me").status_code == 200
    clock.advance(timedelta(minutes=15))
    assert ada.get("/v1/people/me").status_code == 401


def test_the_scheme_is_said_in_any_case(ada):
    token = ada.headers["Authorization"].partition(" ")[2]
    headers = {"Authorization": f"bearer  {token}"}
    assert ada.door.simulate_get("/v1/people/me", headers=headers).status_code == 200


def test_unknown_people_and_wrong_passwords_are_told_alike(door, ada):
    wrong = door.simulate_post("/v1/tokens", json=LOGIN | {"password": "wrong horse 9"})
    unknown = door.simulate_post("/v1/tokens", json=LOGIN | {"login": "nobody"})
    assert wrong.status_code == 401
    assert (wrong.content, wrong.headers) == (unknown.content, unknown.headers)


# -- paths and methods ----------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/", "/v2/rooms", "/v1/rooms//", "/é"])
def test_what_is_not_there_is_a_problem_too(door, path):
    answer = door.simulate_get(path)
    assert (answer.status_code, answer.json["code"]) == (404, "http.not_found")
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_path_says_which_methods_it_takes(door):
    for method in ("DELETE", "PUT", "PATCH", "PROPFIND"):
        answer = door.simulate_request(method, "/v1/rooms")
        assert (answer.status_code, answer.json["code"]) == (405, "http.method_not_allowed")
        assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "POST", "OPTIONS"}
    assert door.simulate_request("WEBSOCKET", "/v1/rooms").status_code == 400


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/v1/days", {"PUT"}),
        ("/v1/rooms/x/plan", {"PUT"}),
        ("/v1/rooms/x/presence", {"GET", "HEAD", "POST"}),
        ("/v1/sessions/x", {"GET", "HEAD", "PATCH", "DELETE"}),
        ("/v1/sessions/scheduled", {"POST"}),
    ],
)
def test_a_path_takes_its_own_methods_and_no_others(door, path, methods):
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - methods:
        answer = door.simulate_request(method, path, held=False)
        assert (answer.status_code, answer.json["code"]) == (405, "http.method_not_allowed")
        assert set(answer.headers["allow"].split(", ")) == methods | {"OPTIONS"}
    assert set(door.simulate_options(path).headers["allow"].split(", ")) == methods


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_every_command_takes_its_fields_from_the_body_alone(ada, method):
    path = "/v1/days" if method == "PUT" else f"/v1/sessions/{ada.id}"
    refused = ada.ask(method, path, {"time_zone": "UTC"}, query_string="limit=1")
    assert (refused.status_code, refused.json["fields"][0]["field"]) == (422, "limit")
    refused = ada.ask(method, path, {"no_such": 1})
    assert (refused.status_code, refused.json["code"]) == (422, "bad_input")
    assert "no_such" in {problem["field"] for problem in refused.json["fields"]}
    refused = ada.door.simulate_request(method, path, body="{}", headers=ada.headers)
    assert (refused.status_code, refused.json["code"]) == (415, "http.unsupported_media_type")
    headers = ada.headers | {"Content-Type": "application/json"}
    refused = ada.door.simulate_request(method, path, body="{", headers=headers)
    assert (refused.status_code, refused.json["code"]) == (400, "malformed")


# -- what is nobody's fault, and what is ours -----------------------------------------------------


class Answering:
    """A runner with which everything comes out in one way."""

    def __init__(self, **outcome):
        self._outcome = Outcome(**outcome)

    async def run(self, call):
        return self._outcome


def answered(engine, **outcome):
    client = falcon.testing.TestClient(create_app(engine, Answering(**outcome)))
    return client.simulate_get("/v1/people/me")


def test_who_is_away_says_when_to_come_back(engine):
    answer = answered(engine, refusal=Unavailable(retry_after=7))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")


def test_a_bug_is_told_by_an_id_that_is_in_the_log_with_the_trace(engine, caplog):
    with caplog.at_level(logging.ERROR):
        answer = answered(engine, fault=ZeroDivisionError("the hidden reason"))
    assert (answer.status_code, answer.json["code"]) == (500, "fault")
    assert "hidden" not in answer.text
    assert "Traceback" not in answer.text
    assert answer.json["params"]["error_id"] in caplog.text
    assert "ZeroDivisionError: the hidden reason" in caplog.text
    assert "GET /v1/people/me failed" in caplog.text


def test_a_bug_in_what_a_token_means_is_told_the_same_way(engine, caplog):
    def broken(token):
        raise LookupError(token)

    engine._authenticate = broken
    client = falcon.testing.TestClient(create_app(engine, Answering(answer=None)))
    headers = {"Authorization": "Bearer x"}
    answer = client.simulate_get("/v1/rooms?words=private", headers=headers)
    assert answer.status_code == 500
    assert "private" not in caplog.text


@refusal("test.refused", "No.", kind=Kind.MALFORMED)
class Refused(Refusal):
    """For each kind in turn."""


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_of_no_has_its_status_and_its_title(engine, kind, monkeypatch):
    monkeypatch.setattr(Refused, "kind", kind)
    answer = answered(engine, refusal=Refused())
    assert answer.status_code == STATUS[kind]
    assert answer.json == {
        "type": "/docs/problems#test.refused",
        "title": TITLE[kind],
        "status": STATUS[kind],
        "detail": "No.",
        "code": "test.refused",
    }
    assert ("retry-after" in answer.headers) == (answer.status_code in {429, 503})
    assert ("www-authenticate" in answer.headers) == (answer.status_code == 401)


def test_an_update_that_was_lost_is_told_as_such(engine):
    answer = answered(engine, refusal=Conflict())
    assert (answer.status_code, answer.json["code"]) == (409, "conflict")
