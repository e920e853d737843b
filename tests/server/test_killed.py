"""Processes that are killed: what was due happens at its instant, and nobody misses anything."""

import os
import signal
import time
from datetime import UTC, datetime, timedelta

import pytest

from focusmate_core.fields import instant
from tests.server.running import Person, Running, Watcher, a_room_whose_phase_ends_in


def test_a_phase_that_ends_while_nobody_runs_ends_at_its_own_instant(tmp_path):
    with (
        Running(tmp_path) as server,
        Person(server.http, "ada") as ada,
        Person(server.http, "ben") as ben,
    ):
        room_id, ends_at = a_room_whose_phase_ends_in(5, tmp_path, ada, ben)
        with Watcher(server.realtime, ben.token, f"room:{room_id}") as watcher:
            seen = watcher.subscribed["seq"]
            assert instant(watcher.subscribed["snapshot"]["timer"]["ends_at"]) == ends_at
        server.kill_all()
        assert datetime.now(UTC) < ends_at, "the machine is too slow for this test"
        server.wait()
    time.sleep(max(0.0, (ends_at - datetime.now(UTC)).total_seconds()))
    with Running(tmp_path) as server, Person(server.http, "ben") as ben:
        with Watcher(server.realtime, ben.token, f"room:{room_id}", after=seen) as watcher:
            ended = watcher.wait_for("timer.phase_ended")
        assert ended["seq"] == seen + 1
        assert instant(ended["at"]) == ends_at
        timer = ben.do("timer.state", room_id=room_id)
        assert (timer["phase"], timer["state"]) == ("short_break", "running")
        assert instant(timer["ends_at"]) == ends_at + timedelta(minutes=5)


@pytest.mark.parametrize("role", ["http", "realtime"])
def test_a_role_that_is_killed_is_started_again(tmp_path, role):
    with Running(tmp_path) as server, Person(server.http, "ada") as ada:
        room = ada.do("rooms.open", name="Survivor")
        with Watcher(server.realtime, ada.token, f"room:{room['id']}") as watcher:
            seen = watcher.subscribed["seq"]
        os.kill(server.pid_of(role), signal.SIGKILL)
        # The port stays open meanwhile: who comes is answered by the next process.
        timer = ada.do_whenever_it_can("timer.start", room_id=room["id"])
        with Watcher(server.realtime, ada.token, f"room:{room['id']}", after=seen) as watcher:
            started = watcher.wait_for("timer.started")
            assert (started["seq"], started["data"]["ends_at"]) == (seen + 1, timer["ends_at"])
        assert server.pid_of(role, nth=2)


def test_when_the_supervisor_is_killed_its_children_end_and_leave_the_ports(tmp_path):
    with Running(tmp_path) as server, Person(server.http, "ada") as ada:
        room = ada.do("rooms.open", name="Orphan")
        binds = {
            "FOCUSMATE_HTTP_BIND": server.http.removeprefix("http://"),
            "FOCUSMATE_REALTIME_BIND": server.realtime.removeprefix("ws://").removesuffix("/v1/ws"),
        }
        os.kill(server.process.pid, signal.SIGKILL)
        with Running(tmp_path, **binds) as second:
            assert second.http == server.http
            assert ada.do("rooms.by_id", room_id=room["id"]) == room
        server.wait()


def test_a_second_server_goes_on_writing_when_the_first_is_gone(tmp_path):
    with (
        Running(tmp_path) as first,
        Running(tmp_path) as second,
        Person(second.http, "ada") as ada,
    ):
        room = ada.do("rooms.open", name="Heir")
        first.kill_all()
        first.wait()
        second.wait_for("this process writes", second.logged)
        with Watcher(second.realtime, ada.token, f"room:{room['id']}") as watcher:
            until = time.monotonic() + 10
            while "error" in watcher.ask("timer.start", room_id=room["id"]):
                assert time.monotonic() < until
                time.sleep(0.1)
            assert watcher.wait_for("timer.started")["seq"] == watcher.subscribed["seq"] + 1
        assert ada.do("timer.pause", room_id=room["id"])["state"] == "paused"


def test_a_second_server_that_cannot_go_on_writing_ends_instead_of_holding_the_pen(tmp_path):
    with Running(tmp_path, "http") as first:
        first.wait_for("http listens on")
        with Running(tmp_path, "http") as second:
            second.wait_for("http listens on")
            socket = tmp_path / "focusmate.db.sock"
            socket.unlink()
            socket.mkdir()
            first.kill_all()
            assert second.wait() == 2
            assert any("could not go on writing, and ends" in line for line in second.logged)
            assert second.logged[-1].startswith("focusmate: ")
            socket.rmdir()
            with Running(tmp_path, "http") as third:
                third.wait_for("this process writes", third.logged)
