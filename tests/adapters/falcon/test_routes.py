"""The main job over HTTP: people, a room and its timer."""

import falcon.testing
import pytest

from focusmate_core import ANONYMOUS
from focusmate_core.calls import Outcome
from focusmate_core.messages import Origin
from focusmate_falcon import create_app

PASSWORD = "correct horse 9"
GRACE = {"email": "grace@example.org", "username": "grace", "password": PASSWORD}


def test_who_registers_is_told_where_the_profile_is(door, ada):
    made = door.simulate_post("/v1/accounts", json=GRACE)
    assert made.status_code == 201
    assert made.headers["location"] == f"/v1/people/{made.json['id']}"
    assert made.json.items() <= ada.get(made.headers["location"]).json.items()
    assert PASSWORD not in made.text


def test_who_is_signed_in_finds_oneself(ada):
    assert ada.get("/v1/people/me").json["id"] == ada.id


def test_a_refresh_token_is_good_once_and_its_second_use_ends_the_family(door, ada):
    signed_in = door.simulate_post("/v1/tokens", json={"login": "ada", "password": PASSWORD})
    first = {"refresh_token": signed_in.json["refresh_token"]}
    second = door.simulate_post("/v1/tokens/refresh", json=first)
    assert second.status_code == 200
    reused = door.simulate_post("/v1/tokens/refresh", json=first)
    assert (reused.status_code, reused.json["code"]) == (401, "credentials.refresh_reused")
    later = {"refresh_token": second.json["refresh_token"]}
    ended = door.simulate_post("/v1/tokens/refresh", json=later)
    assert (ended.status_code, ended.json["code"]) == (401, "credentials.refresh_not_good")


def test_signing_out_answers_nothing_and_ends_the_family(door, ada):
    signed_in = door.simulate_post("/v1/tokens", json={"login": "ada", "password": PASSWORD})
    token = {"refresh_token": signed_in.json["refresh_token"]}
    out = door.simulate_post("/v1/tokens/revoke", json=token)
    assert (out.status_code, out.content) == (204, b"")
    assert "content-type" not in out.headers
    assert door.simulate_post("/v1/tokens/refresh", json=token).status_code == 401


def test_a_room_is_opened_found_joined_left_and_closed(ada, bob):
    made = ada.post("/v1/rooms", {"name": "Library", "plan": {"work": "PT50M"}})
    where = made.headers["location"]
    assert (made.status_code, where) == (201, f"/v1/rooms/{made.json['id']}")
    assert bob.get(where).json == made.json
    assert bob.post(f"{where}/join").json["seated"] == 2
    assert bob.post(f"{where}/leave").json["seated"] == 1
    assert bob.post(f"{where}/close").status_code == 403
    assert ada.post(f"{where}/close").json["is_open"] is False
    assert bob.post(f"{where}/join").json["code"] == "rooms.closed"


def test_the_timer_is_started_paused_resumed_reset_and_seen(ada):
    timer = f"/v1/rooms/{ada.open_room()}/timer"
    steps = [("start", "running"), ("pause", "paused"), ("resume", "running"), ("reset", "idle")]
    for verb, state in steps:
        assert ada.post(f"{timer}/{verb}").json["state"] == state
        assert ada.get(timer).json["state"] == state


def test_a_phase_is_extended_and_skipped_and_a_plan_is_for_the_next_one(ada):
    room = f"/v1/rooms/{ada.open_room()}"
    planned = ada.put(f"{room}/plan", {"plan": {"work": "PT50M"}})
    assert (planned.status_code, planned.json["length"]) == (200, "PT50M")
    assert ada.get(room).json["plan"]["work"] == "PT50M"
    ada.post(f"{room}/timer/start")
    assert ada.post(f"{room}/timer/extend", {"span": "PT10M"}).json["length"] == "PT1H"
    early = ada.post(f"{room}/timer/complete")
    assert (early.status_code, early.json["params"]) == (409, {"left": "PT1H"})
    assert ada.post(f"{room}/timer/skip").json["phase"] == "short_break"


def test_a_moderator_is_appointed_and_dismissed(ada, bob):
    room = f"/v1/rooms/{ada.open_room(control='moderators')}"
    bob.post(f"{room}/join")
    assert bob.post(f"{room}/timer/start").status_code == 403
    appointed = ada.post(f"{room}/moderators", {"person_id": bob.id})
    assert appointed.json["is_moderator"] is True
    assert bob.post(f"{room}/timer/start").json["state"] == "running"
    ada.post(f"{room}/moderators", {"person_id": bob.id, "is_moderator": False})
    assert bob.post(f"{room}/timer/pause").status_code == 403


def test_a_desk_is_ones_own_and_nobody_else_knows_of_it(ada, bob):
    desk = ada.post("/v1/desk", {"name": "Mine"})
    assert (desk.status_code, desk.json["capacity"]) == (200, 1)
    assert ada.post("/v1/desk").json["id"] == desk.json["id"]
    assert bob.get(f"/v1/rooms/{desk.json['id']}").status_code == 404
    assert ada.post(f"/v1/rooms/{desk.json['id']}/timer/start").json["state"] == "running"


# -- presence -------------------------------------------------------------------------------------


def test_presence_is_entered_reported_and_seen(ada, bob):
    here = f"/v1/rooms/{ada.open_room()}/presence"
    assert ada.get("/v1/presence").json["here"]["status"] == "active"
    assert bob.post(here).json["code"] == "rooms.not_in_it"
    assert bob.get(here).json["code"] == "rooms.not_in_it"
    assert ada.post(here).json["person_id"] == ada.id
    reported = ada.post("/v1/presence", {"is_idle": True})
    assert (reported.status_code, reported.json["status"]) == (200, "idle")
    assert ada.get(here).json["items"] == [reported.json]
    assert bob.get("/v1/presence").json == {"here": None}
    assert bob.post("/v1/presence", {"is_idle": False}).json["code"] == "presence.nowhere"


# -- sessions, days and totals --------------------------------------------------------------------


def test_what_was_worked_is_in_the_history_and_in_the_total_of_the_day(ada, clock, engine):
    room = f"/v1/rooms/{ada.open_room(plan={'work': 'PT10M'})}"
    ada.post(f"{room}/timer/start")
    clock.advance(minutes=10)
    engine.run_due()
    (session,) = ada.get("/v1/sessions").json["items"]
    assert (session["credited"], session["why"], session["status"]) == (
        "PT10M",
        "10 min",
        "completed",
    )
    assert ada.get(f"/v1/sessions/{session['id']}").json == session
    days = ada.get("/v1/stats/days?first=2026-01-01&last=2026-01-31").json
    assert (days["focused"], days["sessions"], len(days["days"])) == ("PT10M", 1, 1)
    assert ada.post("/v1/stats/recount").json == {"days": 1, "mended": 0}
    removed = ada.delete(f"/v1/sessions/{session['id']}")
    assert (removed.status_code, removed.json["code"]) == (409, "sessions.not_by_hand")


def test_a_record_by_hand_is_made_rated_and_removed(ada, bob):
    made = ada.post("/v1/sessions", {"started_at": "2026-01-05T08:00:00Z", "length": "PT30M"})
    where = made.headers["location"]
    assert (made.status_code, where) == (201, f"/v1/sessions/{made.json['id']}")
    assert ada.get(where).json == made.json
    rated = ada.patch(where, {"focus": 4, "note": "Chapter two"})
    assert rated.json == made.json | {"focus": 4, "note": "Chapter two"}
    assert ada.patch(where).json == rated.json
    for answer in (bob.get(where), bob.patch(where, {"focus": 1}), bob.delete(where)):
        assert (answer.status_code, answer.json["code"]) == (404, "sessions.not_found")
    assert ada.delete(where, key="once").json == rated.json
    assert ada.delete(where, key="once").json == rated.json
    assert ada.get(where).status_code == 404


@pytest.mark.parametrize("started_at", ["0001-01-01T00:00:00Z", "1970-01-01T23:59:59Z"])
def test_what_was_before_all_days_is_no_record(ada, started_at):
    refused = ada.post("/v1/sessions", {"started_at": started_at, "length": "PT8H"})
    assert (refused.status_code, refused.json["fields"][0]["field"]) == (422, "started_at")


def test_a_session_is_scheduled_and_cancelled(ada):
    asked = {"starts_at": "2026-01-06T09:00:00Z", "length": "PT50M"}
    made = ada.post("/v1/sessions/scheduled", asked, key="k")
    where = made.headers["location"]
    assert (made.status_code, made.json["status"]) == (201, "scheduled")
    assert ada.get(where).json == made.json
    for _ in range(2):
        assert ada.post(f"{where}/cancel").json["status"] == "cancelled"


def test_ones_days_are_told_and_set(ada):
    assert ada.get("/v1/days/today").json["today"] == "2026-01-05"
    given = {"time_zone": "America/Los_Angeles", "day_start": 4}
    assert ada.put("/v1/days", given).json == given
    today = ada.get("/v1/days/today").json
    assert today == given | {"today": "2026-01-04", "offset": "-PT8H"}
    for nowhere in ("Atlantis/Capital", "Europe", "localtime", "right/Europe/Paris"):
        refused = ada.put("/v1/days", {"time_zone": nowhere})
        assert (refused.status_code, refused.json["code"]) == (422, "days.no_such_zone")


# -- what holds for all ---------------------------------------------------------------------------


def test_what_is_impossible_is_told_with_the_state_it_is_in(ada):
    refused = ada.post(f"/v1/rooms/{ada.open_room()}/timer/pause")
    assert refused.status_code == 409
    assert refused.json["code"] == "timer.not_running"
    assert refused.json["params"] == {"state": "idle"}


def test_rooms_are_listed_a_page_at_a_time(ada):
    opened = [ada.open_room(name=f"Reading room {n}") for n in range(5)]
    first = ada.get("/v1/rooms?limit=3&with_count=true").json
    rest = ada.get("/v1/rooms", params={"limit": 3, "cursor": first["next_cursor"]}).json
    assert [room["id"] for room in first["items"] + rest["items"]] == opened[::-1]
    assert (first["count"], rest["count"], rest["next_cursor"]) == (5, None, None)


def test_rooms_are_found_by_words_in_any_script(ada):
    ada.open_room(name="quiet corner")
    wanted = ada.open_room(name="공부방 & tea")
    for words in ("공부", "tea", "te"):
        found = ada.get("/v1/rooms", params={"words": words}).json
        assert [room["id"] for room in found["items"]] == [wanted]


def test_one_key_is_one_room(ada):
    first, second = (ada.post("/v1/rooms", {"name": "Library"}, key="k") for _ in range(2))
    assert first.json == second.json
    assert (second.status_code, second.headers["location"]) == (201, first.headers["location"])
    other = ada.post("/v1/rooms", {"name": "Attic"}, key="k")
    assert (other.status_code, other.json["code"]) == (409, "idempotency.key_reused")


@pytest.mark.parametrize(
    ("key", "code"), [("", "bad_input"), ("x" * 256, "bad_input"), ("é", "bad_input")]
)
def test_a_key_is_printable_ascii(ada, key, code):
    refused = ada.post("/v1/rooms", {"name": "Library"}, key=key)
    assert (refused.status_code, refused.json["code"]) == (422, code)
    assert refused.json["fields"][0]["field"] == "idempotency_key"


def test_what_carries_a_secret_or_reads_takes_no_key(door, ada):
    for path in ("/v1/people/me", "/v1/rooms"):
        refused = door.simulate_get(path, headers=ada.headers | {"Idempotency-Key": "k"})
        assert refused.json["code"] == "idempotency.key_not_taken"


def test_every_message_is_taken_by_its_name(ada):
    opened = ada.post("/v1/do/rooms.open", {"name": "Library"})
    assert opened.status_code == 200
    asked = {"room_id": opened.json["id"]}
    assert ada.post("/v1/do/timer.start", asked).json["state"] == "running"
    assert ada.post("/v1/do/timer.state", asked).json["state"] == "running"
    assert ada.post("/v1/do/rooms.public", {"limit": 1}).json["items"] == [opened.json]
    assert ada.post("/v1/do/people.me").json["id"] == ada.id


def test_what_answers_nothing_by_its_name_answers_null(door, ada):
    signed_in = door.simulate_post("/v1/tokens", json={"login": "ada", "password": PASSWORD})
    token = {"refresh_token": signed_in.json["refresh_token"]}
    out = door.simulate_post("/v1/do/credentials.sign_out", json=token)
    assert (out.status_code, out.content) == (200, b"null")


@pytest.mark.parametrize("wire", ["timer.end_phase", "timer.stop", "rooms", "x" * 300])
def test_the_systems_own_messages_do_not_exist_and_neither_do_unknown_ones(ada, wire):
    refused = ada.post(f"/v1/do/{wire}", {"room_id": ada.id})
    assert (refused.status_code, refused.json["code"]) == (404, "unknown_message")
    assert refused.json["params"] == {"name": wire[:100]}


def test_the_address_of_who_asks_goes_with_the_call_and_no_header_forges_it(engine):
    seen = []

    class Recording:
        async def run(self, call):
            seen.append(call)
            return Outcome(answer=None)

    client = falcon.testing.TestClient(create_app(engine, Recording()))
    forged = {"X-Forwarded-For": "192.0.2.7, 192.0.2.1", "Forwarded": "for=192.0.2.1"}
    client.simulate_post("/v1/do/people.me", remote_addr="192.0.2.7", headers=forged)
    assert seen[0].origin == Origin("http", "192.0.2.7")
    assert seen[0].actor == ANONYMOUS
