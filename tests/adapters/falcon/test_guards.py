"""What every answer bears: security headers, CORS where it is set; what HEAD and OPTIONS say."""

import falcon.testing
import pytest

from focusmate_core.testing.runner import InlineRunner
from focusmate_falcon import DoorSettings, create_app

APP = "https://app.example.org"
SECURITY = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


@pytest.fixture
def opened(engine):
    def make(*origins):
        settings = DoorSettings(origins=origins)
        return falcon.testing.TestClient(
            create_app(engine, InlineRunner(engine), settings=settings)
        )

    return make


def cors_of(answer):
    return {name for name in answer.headers if name.startswith("access-control-")}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/health/live"),
        ("GET", "/v1/rooms"),
        ("POST", "/v1/rooms"),
        ("DELETE", "/v1/rooms"),
        ("PUT", "/v1/days"),
        ("PATCH", "/v1/sessions/x"),
        ("DELETE", "/v1/sessions/x"),
        ("OPTIONS", "/v1/rooms"),
        ("GET", "/nowhere"),
        ("GET", "/openapi.json"),
        ("GET", "/docs/problems"),
    ],
)
@pytest.mark.parametrize("origins", [(), (APP,)])
def test_every_answer_bears_the_security_headers_once(opened, method, path, origins):
    answer = opened(*origins).simulate_request(method, path)
    assert SECURITY.items() <= dict(answer.headers).items()


def test_by_default_no_page_may_call(opened):
    for method in ("GET", "OPTIONS"):
        headers = {"Origin": APP, "Access-Control-Request-Method": "POST"}
        answer = opened().simulate_request(method, "/v1/rooms", headers=headers)
        assert cors_of(answer) == set()


def test_a_page_of_a_known_origin_may_call(opened):
    door = opened(APP, "http://localhost:5173")
    for origin in (APP, "http://localhost:5173"):
        answer = door.simulate_get("/v1/rooms", headers={"Origin": origin})
        assert answer.headers["access-control-allow-origin"] == origin
        assert answer.headers["vary"] == "Origin"
        assert "Retry-After" in answer.headers["access-control-expose-headers"]


@pytest.mark.parametrize("origin", ["https://evil.example.org", f"{APP}.evil.org", "null", ""])
def test_a_page_of_any_other_origin_may_not(opened, origin):
    for method in ("GET", "OPTIONS"):
        headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        answer = opened(APP).simulate_request(method, "/v1/rooms", headers=headers)
        assert cors_of(answer) == set()


def test_a_browser_that_asks_leave_is_given_it_once_for_all(opened):
    asked = {
        "Origin": APP,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,idempotency-key,if-match",
    }
    leave = opened(APP).simulate_options("/v1/rooms", headers=asked)
    assert (leave.status_code, leave.content) == (204, b"")
    assert leave.headers["access-control-allow-methods"] == "GET, HEAD, POST, PUT, PATCH, DELETE"
    allowed = leave.headers["access-control-allow-headers"].lower().split(", ")
    assert set(allowed) == set(asked["Access-Control-Request-Headers"].split(","))


def test_any_page_may_call_where_that_is_set(opened):
    answer = opened("*").simulate_get("/v1/rooms", headers={"Origin": APP})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert cors_of(opened("*").simulate_get("/v1/rooms")) == set()


def test_the_head_of_an_answer_is_that_of_the_answer(ada):
    for path in ("/v1/rooms", "/health/live", "/health/ready", "/openapi.json"):
        whole = ada.get(path)
        head = ada.door.simulate_head(path, headers=ada.headers)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers == whole.headers
    assert ada.door.simulate_head("/v1/rooms").status_code == 401


def test_a_path_tells_its_methods(door):
    told = door.simulate_options("/v1/rooms/x/timer/start")
    assert (told.status_code, told.headers["allow"]) == (200, "POST")


# -- health ---------------------------------------------------------------------------------------


def test_who_lives_says_so(door):
    assert door.simulate_get("/health/live").json == {"status": "ok"}


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ({}, 200),
        ({"storage": "ok"}, 200),
        ({"worker": "ok, but 1 deadline parked"}, 200),
        ({"storage": "ok", "worker": "40 s behind"}, 503),
    ],
)
def test_who_is_ready_says_so_of_every_part(engine, parts, status):
    async def ready():
        return parts

    client = falcon.testing.TestClient(create_app(engine, InlineRunner(engine), ready=ready))
    answer = client.simulate_get("/health/ready")
    assert (answer.status_code, answer.json["parts"]) == (status, parts)
    assert answer.json["status"] == ("ok" if status == 200 else "unavailable")
    assert ("retry-after" in answer.headers) == (status == 503)
