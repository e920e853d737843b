"""A server as `make run` starts it: two people, a room, a timer, a watcher; and its end."""

import asyncio
import json
import subprocess
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from focusmate_core.fields import instant
from focusmate_security import SignedTokens
from focusmate_server.keys import signing_key
from focusmate_system import RandomIds
from tests.server.running import (
    PASSWORD,
    Person,
    Running,
    Watcher,
    a_room_whose_phase_ends_in,
    run,
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Running(tmp_path_factory.mktemp("server")) as running:
        assert running.realtime
        yield running


def test_a_watcher_sees_what_another_starts_by_http(server):
    with Person(server.http, "ada") as ada, Person(server.http, "ben") as ben:
        room = ada.do("rooms.open", name="Deep work")
        ben.do("rooms.join", room_id=room["id"])
        with Watcher(server.realtime, ben.token, f"room:{room['id']}") as watcher:
            timer = ada.do("timer.start", room_id=room["id"])
            started = watcher.wait_for("timer.started")
            assert started["data"]["ends_at"] == timer["ends_at"]
            paused = watcher.ask("timer.pause", room_id=room["id"])
            assert paused["error"]["code"] == "not_allowed"


def test_both_are_told_of_the_end_without_asking(server):
    with Person(server.http, "hers") as ada, Person(server.http, "his") as ben:
        room_id, ends_at = a_room_whose_phase_ends_in(3, server.folder, ada, ben)
        with (
            Watcher(server.realtime, ada.token, f"room:{room_id}") as hers,
            Watcher(server.realtime, ben.token, f"room:{room_id}") as his,
        ):
            told = [each.wait_for("timer.phase_ended") for each in (hers, his)]
            late = datetime.now(UTC) - ends_at
        assert told[0] == told[1]
        assert instant(told[0]["at"]) == ends_at
        assert late < timedelta(seconds=2)
        assert ben.do("timer.state", room_id=room_id)["phase"] == "short_break"


def test_what_it_prints_can_be_pasted(server, tmp_path):
    server.wait_for("^}$")
    script = "\n".join(server.said[server.said.index("") :])
    script = script[script.index("post()") :]
    done = subprocess.run(
        ["bash", "-e"], input=script, cwd=tmp_path, capture_output=True, text=True, check=False,
        timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    seen = [line for line in done.stdout.splitlines() if line.startswith("Ben sees ")]
    assert '"type":"timer.started"' in seen[-1]


def test_of_500_who_join_a_room_for_ten_at_once_ten_are_in(server):
    with Person(server.http, "gil") as gil:
        room = gil.do("rooms.open", name="Ten", capacity=10)
        token_of = token_maker(server.folder)
        asked = [("rooms.join", {"room_id": room["id"]}, token_of(n), None) for n in range(500)]
        told = all_at_once(server.http, asked)
        assert Counter(told) == {(200, None): 9, (409, "rooms.full"): 491}
        assert gil.do("rooms.by_id", room_id=room["id"])["seated"] == 10


def test_one_key_100_times_at_once_is_one_effect_and_one_answer(server):
    with Person(server.http, "hal") as hal:
        asked = [("rooms.open", {"name": "Onceonly"}, hal.token, "once")] * 100
        assert Counter(all_at_once(server.http, asked)) == {(200, None): 100}
        assert len(hal.do("rooms.public", words="onceonly")["items"]) == 1


def token_maker(folder):
    """Tokens for people whom only an embedder knows, signed by the server's own key."""
    tokens = SignedTokens(signing_key(folder / "focusmate.db.key"))
    now = datetime.now(UTC)

    def token_of(number):
        claims = {"use": "access", "sub": RandomIds().new(now), "sid": "", "n": number}
        return tokens.sign(claims, now + timedelta(minutes=10))

    return token_of


def all_at_once(url, asked):
    """Each message on its own connection; what was answered, as status and code."""

    async def send(client, wire, fields, token, key):
        headers = {"Authorization": f"Bearer {token}"} | ({"Idempotency-Key": key} if key else {})
        answer = await client.post(f"/v1/do/{wire}", json=fields, headers=headers)
        return answer.status_code, answer.json().get("code")

    async def send_all():
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as client:
            return await asyncio.gather(*(send(client, *each) for each in asked))

    return asyncio.run(send_all())


def test_every_part_says_that_it_is_there(server):
    answer = httpx.get(f"{server.http}/health/ready")
    assert answer.status_code == 200
    assert set(answer.json()["parts"]) == {"storage", "executor", "queue", "worker"}


def test_a_command_typed_beside_it_goes_through_it(server):
    with Person(server.http, "cora") as cora:
        done = run(
            server.folder, "do", "rooms.open", "name=7", "plan.work=PT50M", "--token", cora.token
        )
        assert done.returncode == 0, done.stderr
        assert '"name": "7"' in done.stdout
        again = run(server.folder, "do", "rooms.close", "room_id=nonsense", f"--actor={cora.id}")
        assert (again.returncode, again.stdout) == (1, "")
        assert json.loads(again.stderr)["fields"][0]["field"] == "room_id"


def test_no_secret_is_logged(server):
    with Person(server.http, "dora") as dora:
        httpx.post(f"{server.http}/v1/tokens", json={"login": "dora", "password": "wrong" * 3})
        logged = "\n".join(server.logged)
        for secret in (PASSWORD, dora.token, dora.refresh_token, "wrongwrong"):
            assert secret not in logged


def test_a_second_server_on_the_same_database_joins_the_first(server):
    with Running(server.folder) as second, Person(second.http, "emil") as emil:
        room = emil.do("rooms.open", name="Two doors")
        with Person(server.http, "fay") as fay:
            fay.do("rooms.join", room_id=room["id"])
            with Watcher(server.realtime, fay.token, f"room:{room['id']}") as watcher:
                emil.do("timer.start", room_id=room["id"])
                watcher.wait_for("timer.started")
        assert "another process writes" in "\n".join(second.logged)
        second.terminate()
        assert second.wait() == 0


def test_a_second_server_on_the_same_address_is_told_so(server):
    bind = server.http.removeprefix("http://")
    done = run(server.folder, "serve", FOCUSMATE_HTTP_BIND=bind)
    assert done.returncode == 2
    said = f"focusmate: FOCUSMATE_HTTP_BIND: {bind} cannot be listened on: another program"
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1


def test_the_other_roles_alone_need_a_writer(tmp_path):
    for role in ("realtime", "worker"):
        done = run(tmp_path, "serve", role, FOCUSMATE_REALTIME_BIND="127.0.0.1:0")
        assert done.returncode == 2
        assert done.stderr.startswith("focusmate: no writer at ")
        assert done.stderr.endswith(": start `focusmate serve http` first\n")


def test_each_role_serves_alone(tmp_path):
    with (
        Running(tmp_path, "http", FOCUSMATE_LOG_FORMAT="json") as http,
        Person("http://" + http.wait_for("http listens on (.*)")[1], "ada") as ada,
        Running(tmp_path, "realtime") as realtime,
        Running(tmp_path, "worker") as worker,
    ):
        url = "ws://" + realtime.wait_for("realtime listens on (.*)")[1] + "/v1/ws"
        worker.wait_for("the worker is ready")
        with Watcher(url, ada.token, f"user:{ada.id}") as watcher:
            assert watcher.ask("rooms.open", name="Alone")["ok"]["seated"] == 1
        for role in (worker, realtime, http):
            role.terminate()
            assert role.wait() == 0, role.logged
        for line in http.logged:
            assert {"event", "level", "role", "timestamp"} <= json.loads(line).keys()


@pytest.mark.parametrize("how", ["SIGTERM", "Ctrl-C"])
def test_asked_to_end_it_answers_what_it_took_and_says_goodbye(tmp_path, how):
    with Running(tmp_path) as server, Person(server.http, "ada") as ada:
        room = ada.do("rooms.open", name="Last")
        with Watcher(server.realtime, ada.token, f"room:{room['id']}") as watcher:
            began = time.monotonic()
            server.terminate() if how == "SIGTERM" else server.interrupt()
            with pytest.raises(ConnectionClosed) as closed:
                watcher.wait_for("never")
            assert closed.value.rcvd.code == 1012
        assert server.wait() == 0
        assert time.monotonic() - began < 10
        assert not any("Traceback" in line for line in server.logged)
