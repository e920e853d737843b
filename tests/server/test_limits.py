"""A server with limits of its settings: who asks too often is told when to come again."""

from datetime import timedelta

import httpx

from focusmate_core.ports.limits import Rate
from focusmate_server.settings import Settings
from tests.server.running import Person, Running


def test_a_person_and_an_address_are_limited_as_the_settings_say(tmp_path):
    limits = {
        "FOCUSMATE_LIMIT_READS": "3/60",
        "FOCUSMATE_LIMIT_WRITES": "2/60",
        "FOCUSMATE_LIMIT_SIGN_INS": "off",
        "FOCUSMATE_TRUSTED_PROXIES": "127.0.0.1",
    }
    with (
        Running(tmp_path, **limits) as server,
        Person(server.http, "ada") as ada,
        httpx.Client(base_url=server.http, headers={"Authorization": f"Bearer {ada.token}"}) as me,
        httpx.Client(base_url=server.http) as nobody,
    ):
        reads = [me.get("/v1/rooms") for _ in range(4)]
        assert [each.status_code for each in reads] == [200, 200, 200, 429]
        assert reads[0].headers["RateLimit-Policy"] == '"reads";q=3;w=60'
        assert 1 <= int(reads[3].headers["Retry-After"]) <= 61
        assert reads[3].json()["code"] == "too_often"
        assert me.post("/v1/rooms", json={"name": "A"}).status_code == 201
        for address in ("203.0.113.1", "203.0.113.2"):
            behind = {"X-Forwarded-For": address}
            told = [nobody.get("/v1/rooms", headers=behind).status_code for _ in range(4)]
            assert told == [401, 401, 401, 429]


def test_headers_of_who_is_no_trusted_proxy_change_nothing(tmp_path):
    with (
        Running(tmp_path, FOCUSMATE_LIMIT_READS="3/60") as server,
        httpx.Client(base_url=server.http) as nobody,
    ):
        told = []
        for number in range(4):
            address = f"203.0.113.{number}"
            behind = {"X-Forwarded-For": address, "Forwarded": f"for={address}"}
            told.append(nobody.get("/v1/rooms", headers=behind).status_code)
        assert told == [401, 401, 401, 429]
        server.wait_for("name it in FOCUSMATE_TRUSTED_PROXIES", server.logged)


def test_a_class_behind_one_address_may_come_in_within_a_minute_by_the_defaults():
    pupils, each_sends = 30, 3  # register, sign in, and once more what was mistyped
    default = Settings()
    assert default.limit_sign_ins == Rate(300, timedelta(minutes=1))
    assert default.limit_sign_ins.most > pupils * each_sends * 2
    assert default.limit_renewals.most > default.limit_sign_ins.most
    assert default.limit_requests.most / default.limit_requests.per.seconds > pupils * 10
