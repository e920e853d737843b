"""Presence under a lease, over real sockets and processes: who drops, who dies, and who is back."""

import os
import signal
import time
from datetime import UTC, datetime, timedelta

import pytest

from focusmate_core.fields import instant
from tests.server.running import Person, Running, Watcher

LEASE = timedelta(seconds=10)
LEASED = {"FOCUSMATE_LEASE_SECONDS": "10"}


def now():
    return datetime.now(UTC)


@pytest.fixture
def server(tmp_path):
    with Running(tmp_path, **LEASED) as server:
        yield server


@pytest.fixture
def ada(server):
    with Person(server.http, "ada") as ada:
        yield ada


@pytest.fixture
def ben(server):
    with Person(server.http, "ben") as ben:
        yield ben


def a_room_of(host, *guests):
    room_id = host.do("rooms.open", name="Library")["id"]
    for guest in guests:
        guest.do("rooms.join", room_id=room_id)
    return room_id


def watch(server, person, room_id, **more):
    return Watcher(server.realtime, person.token, f"room:{room_id}", **more)


def since(person, room_id):
    """Since when each is in a room."""
    items = person.do("presence.in_room", room_id=room_id)["items"]
    return {each["person_id"]: each["since"] for each in items}


def of(watcher, person):
    """What was told of somebody's presence: its kinds, and how they are."""
    return [
        (event["type"], event["data"].get("status"))
        for event in watcher.events
        if event["type"].startswith("presence.") and event["data"]["person_id"] == person.id
    ]


def wait_until_gone(watcher, person):
    """The event that somebody is away."""
    while True:
        event = watcher.receive()
        is_presence = event.get("type") == "presence.left"
        if is_presence and event["data"]["person_id"] == person.id:
            return event


def test_who_drops_and_is_back_within_the_lease_was_never_away_and_else_since_they_dropped(
    server, ada, ben
):
    room_id = a_room_of(ada, ben)
    before = since(ada, room_id)
    with watch(server, ada, room_id) as watcher:
        for _ in range(2):
            with watch(server, ben, room_id):
                time.sleep(1)
        with watch(server, ben, room_id):
            # So long that without any renewal both had been away meanwhile.
            time.sleep(1.5 * LEASE.total_seconds())
            assert since(ada, room_id) == before
            ada.do("timer.start", room_id=room_id)
            watcher.wait_for("timer.started")
            assert of(watcher, ada) == of(watcher, ben) == []
            dropped = now()
        left = wait_until_gone(watcher, ben)
        assert of(watcher, ben) == [("presence.changed", "idle"), ("presence.left", None)]
    # Not since the renewal before it, which was up to a third of the lease ago.
    assert dropped <= instant(left["at"]) < dropped + LEASE / 2
    assert set(since(ada, room_id)) == {ada.id}


def test_in_two_browsers_a_person_is_as_active_as_the_more_active(server, ada):
    room_id = a_room_of(ada)

    def report(browser, *, is_idle):
        return browser.ask("presence.report", is_idle=is_idle)["ok"]["status"]

    with watch(server, ada, room_id) as one, watch(server, ada, room_id) as two:
        for browser in (one, two):
            report(browser, is_idle=False)
        assert report(one, is_idle=True) == "active"
        until = time.monotonic() + 30
        # By HTTP she opened the room, which is a sign of life for half a lease.
        while report(two, is_idle=True) == "active":
            assert time.monotonic() < until
            time.sleep(0.1)
        assert report(one, is_idle=False) == "active"
        assert report(two, is_idle=True) == "active"
        assert of(two, ada) == [("presence.changed", "idle"), ("presence.changed", "active")]


def test_people_of_a_gateway_that_is_killed_are_away_after_the_lease_unless_they_are_back(
    server, ada, ben
):
    room_id = a_room_of(ada, ben)
    before = since(ada, room_id)
    with watch(server, ada, room_id) as watcher, watch(server, ben, room_id):
        seen = watcher.subscribed["seq"]
        time.sleep(1)
        os.kill(server.pid_of("realtime"), signal.SIGKILL)
        killed = now()
    server.pid_of("realtime", nth=2)
    with watch(server, ada, room_id, after=seen) as watcher:
        left = wait_until_gone(watcher, ben)
        assert instant(before[ben.id]) < instant(left["at"]) <= killed
        assert since(ada, room_id) == {ada.id: before[ada.id]}
        assert ("presence.left", None) not in of(watcher, ada)
    assert ben.do("presence.mine") == {"here": None}
    assert ben.do("presence.enter", room_id=room_id)["since"] > left["at"]


def test_who_was_present_when_the_service_died_has_a_lease_to_be_back(tmp_path):
    with (
        Running(tmp_path, **LEASED) as server,
        Person(server.http, "ada") as ada,
        Person(server.http, "ben") as ben,
    ):
        room_id = a_room_of(ada, ben)
        before = since(ada, room_id)
        with watch(server, ada, room_id) as watcher, watch(server, ben, room_id):
            seen = watcher.subscribed["seq"]
            time.sleep(1)
            server.kill_all()
            killed = now()
        server.wait()
    # Longer than a lease: what ran out meanwhile is judged by when the service was back.
    time.sleep(1.2 * LEASE.total_seconds())
    with (
        Running(tmp_path, **LEASED) as server,
        Person(server.http, "ada") as ada,
        watch(server, ada, room_id, after=seen) as watcher,
    ):
        left = wait_until_gone(watcher, ben)
        assert instant(before[ben.id]) < instant(left["at"]) <= killed
        assert ("presence.left", None) not in of(watcher, ada)
        assert since(ada, room_id) == {ada.id: before[ada.id]}


def test_a_gateway_that_ends_tells_until_when_its_people_were_there(server, ada, ben):
    room_id = a_room_of(ada, ben)
    with watch(server, ada, room_id), watch(server, ben, room_id):
        # Sooner than the first renewal of everybody.
        time.sleep(1.5)
        ended = now()
        os.kill(server.pid_of("realtime"), signal.SIGTERM)
        server.pid_of("realtime", nth=2)
    with watch(server, ada, room_id) as watcher:
        left = wait_until_gone(watcher, ben)
    assert ended <= instant(left["at"]) < ended + LEASE / 2
