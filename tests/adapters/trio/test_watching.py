"""What those who watch a stream are told: everything, once, in order, while they may watch."""

from __future__ import annotations

import json
import os
import random
from datetime import timedelta

import attrs
import pytest
import trio

from focusmate_core.features import moderation, seats, timer_control
from focusmate_core.refusals import StreamNotFound
from focusmate_core.testing.runner import InlineRunner
from focusmate_trio.asking import Subscribe
from focusmate_trio.hub import Hub
from focusmate_trio.vouching import Vouching
from focusmate_trio.watching import Shared, Watching
from tests.adapters.trio.kit import QUICK, frames_in, opened
from tests.features.town import STORAGES, Town


def numbers(told):
    return [event["seq"] for event in told if "seq" in event]


async def test_two_in_a_room_hold_the_same_end_of_the_phase_and_are_both_told_at_it(house):
    async with house.client("ada") as ada, house.client("bob") as bob:
        room = (await ada.get("rooms.open", name="Library", plan={"auto_start_breaks": True}))["id"]
        await bob.get("rooms.join", room_id=room)
        begun = [await each.get("subscribe", stream=f"room:{room}") for each in (ada, bob)]
        assert begun[0]["snapshot"] == begun[1]["snapshot"]
        await ada.get("timer.start", room_id=room)
        at_ada, at_bob = await ada.hear(), await bob.hear()
        assert at_ada == at_bob
        assert at_ada["type"] == "timer.started"
        assert at_ada["data"]["ends_at"] == "2026-01-05T09:25:00Z"
        house.town.clock.advance(minutes=26)
        house.town.engine.run_due()
        at_ada, at_bob = await ada.events(1), await bob.events(1)
        assert at_ada == at_bob
        assert at_ada[0]["at"] == "2026-01-05T09:25:00Z"


async def test_a_snapshot_says_its_number_and_the_next_event_counts_on(house):
    async with house.client("ada") as ada:
        room = (await ada.get("rooms.open", name="Library"))["id"]
        begun = await ada.get("subscribe", stream=f"room:{room}")
        assert begun["stream"] == f"room:{room}"
        assert begun["seq"] == 3
        assert begun["resync"] is False
        assert begun["now"] == "2026-01-05T09:00:00Z"
        assert set(begun["snapshot"]) == {"room", "seats", "presence", "timer"}
        await ada.get("timer.start", room_id=room)
        assert numbers([await ada.hear()]) == [4]


async def test_whoever_resumes_is_told_what_came_since_in_order(house):
    async with house.client("ada") as ada:
        room = (await ada.get("rooms.open", name="Library"))["id"]
        for do in ("start", "pause", "resume", "reset"):
            await ada.get(f"timer.{do}", room_id=room)
        begun = await ada.get("subscribe", stream=f"room:{room}", after=4)
        assert begun == {
            "stream": f"room:{room}",
            "seq": 4,
            "now": "2026-01-05T09:00:00Z",
            "resync": False,
        }
        assert [event["type"] for event in await ada.events(3)] == [
            "timer.paused",
            "timer.resumed",
            "timer.reset",
        ]
        begun = await ada.get("subscribe", stream=f"room:{room}", after=7)
        assert begun["seq"] == 7
        await ada.hears_nothing()


@pytest.mark.parametrize("after", [99, 0])
async def test_what_is_no_longer_held_or_never_was_is_made_good_by_a_snapshot(house, after):
    async with house.client("ada") as ada:
        room = (await ada.get("rooms.open", name="Library"))["id"]
        house.town.clock.advance(hours=25)
        house.town.engine.sweep(retention=timedelta(hours=24))
    async with house.client("ada") as ada:
        begun = await ada.get("subscribe", stream=f"room:{room}", after=after)
        assert begun["resync"] is True
        assert begun["seq"] == 3
        assert begun["snapshot"]["room"]["id"] == room


async def test_an_event_goes_to_whoever_watches_its_stream_and_to_nobody_else(house):
    async with house.client("ada") as ada, house.client("bob") as bob:
        await bob.get("subscribe", stream="public")
        mine, other = [(await ada.get("rooms.open", name=name))["id"] for name in ("one", "two")]
        assert [event["data"]["room"]["name"] for event in await bob.events(2)] == ["one", "two"]
        await ada.get("subscribe", stream=f"room:{mine}")
        await ada.get("timer.start", room_id=other)
        await ada.hears_nothing()
        await bob.hears_nothing()
        await ada.get("rooms.close", room_id=mine)
        assert (await bob.hear())["type"] == "rooms.closed"


async def test_whoever_unsubscribes_hears_nothing_more_and_may_do_so_twice(house):
    async with house.client("ada") as ada:
        room = (await ada.get("rooms.open", name="Library"))["id"]
        await ada.get("subscribe", stream=f"room:{room}")
        assert await ada.get("unsubscribe", stream=f"room:{room}") == {"stream": f"room:{room}"}
        assert await ada.get("unsubscribe", stream=f"room:{room}")
        await ada.get("timer.start", room_id=room)
        await ada.hears_nothing()


async def test_a_stream_is_for_those_who_may_watch_it(house):
    async with house.client("ada") as ada, house.client("bob") as bob:
        room = (await ada.get("rooms.open", name="Library"))["id"]
        me = (await ada.get("people.me"))["id"]
        assert await bob.code("subscribe", stream=f"room:{room}") == "rooms.not_in_it"
        assert await bob.code("subscribe", stream=f"user:{me}") == "stream_not_found"
        assert await ada.get("subscribe", stream=f"user:{me}")


async def test_one_connection_watches_so_many_streams_and_no_more(town):
    async with (
        opened(town, attrs.evolve(QUICK, subscriptions=1)) as house,
        house.client("ada") as ada,
    ):
        room = (await ada.get("rooms.open", name="Library"))["id"]
        await ada.get("subscribe", stream="public")
        code = await ada.code("subscribe", stream=f"room:{room}")
        assert code == "websocket.too_many_subscriptions"
        assert await ada.get("subscribe", stream="public")
        await ada.get("unsubscribe", stream="public")
        assert await ada.get("subscribe", stream=f"room:{room}")


# -- who is removed hears nothing after the removal -----------------------------------------------


async def test_whoever_leaves_hears_that_and_the_end_and_nothing_after_it(house):
    async with house.client("ada") as ada, house.client("bob") as bob, house.client("bob") as also:
        room = (await ada.get("rooms.open", name="Library"))["id"]
        await bob.get("rooms.join", room_id=room)
        for each in (ada, bob, also):
            await each.get("subscribe", stream=f"room:{room}")
        town, host = house.town, house.town.engine.authenticate(house.token("ada"))
        guest = town.engine.authenticate(house.token("bob"))
        # All in one turn of the door's loop, so in one turn of its tail.
        town.do(seats.LeaveRoom(room_id=room), guest)
        town.do(timer_control.StartTimer(room_id=room), host)
        for each in (bob, also):
            left, ended = await each.events(2)
            assert left["type"] == "rooms.left"
            assert ended["stream"] == f"room:{room}"
            assert ended["ended"]["code"] == "websocket.may_not_watch"
            await each.hears_nothing()
        told = [event["type"] for event in await ada.events(3)]
        assert told == ["rooms.left", "presence.left", "timer.started"]
        await bob.get("rooms.join", room_id=room)
        begun = await bob.get("subscribe", stream=f"room:{room}", after=left["seq"])
        assert [event["type"] for event in await bob.events(4)] == [
            "presence.left",
            "timer.started",
            "rooms.joined",
            "presence.entered",
        ]
        assert begun["seq"] == left["seq"]


async def test_whoever_leaves_and_is_back_at_once_hears_everything(house):
    async with house.client("ada") as ada, house.client("bob") as bob:
        room = (await ada.get("rooms.open", name="Library"))["id"]
        await bob.get("rooms.join", room_id=room)
        await bob.get("subscribe", stream=f"room:{room}")
        guest = house.town.engine.authenticate(house.token("bob"))
        house.town.do(seats.LeaveRoom(room_id=room), guest)
        house.town.do(seats.JoinRoom(room_id=room), guest)
        assert [event["type"] for event in await bob.events(4)] == [
            "rooms.left",
            "presence.left",
            "rooms.joined",
            "presence.entered",
        ]
        await bob.get("ping")
        await bob.hears_nothing()


WAYS_OUT = {
    "leaving": lambda room, _: (seats.LeaveRoom(room_id=room), "bob"),
    "removed": lambda room, person: (
        moderation.RemovePerson(room_id=room, person_id=person),
        "ada",
    ),
    "banned": lambda room, person: (moderation.BanPerson(room_id=room, person_id=person), "ada"),
}


@pytest.mark.parametrize("way", WAYS_OUT)
async def test_whoever_goes_while_reading_the_snapshot_is_told_so_and_no_more(
    town, monkeypatch, way
):
    """The subscription was allowed, and in the same moment it was not any more."""
    async with opened(town) as house, house.client("ada") as ada, house.client("bob") as bob:
        room = (await ada.get("rooms.open", name="Library"))["id"]
        await bob.get("rooms.join", room_id=room)
        await ada.get("subscribe", stream=f"room:{room}")
        host, guest = [town.engine.authenticate(house.token(name)) for name in ("ada", "bob")]
        subscribe = town.engine.subscribe

        def overtaken(*args, **named):
            found = subscribe(*args, **named)
            ask, who = WAYS_OUT[way](room, guest.id)
            town.do(ask, host if who == "ada" else guest)
            town.do(timer_control.StartTimer(room_id=room), host)
            # The tail has seen both before the snapshot comes back.
            trio.from_thread.run(trio.sleep, 0.1)
            return found

        monkeypatch.setattr(town.engine, "subscribe", overtaken)
        await bob.get("subscribe", stream=f"room:{room}")
        left, ended = await bob.events(2)
        assert left["type"] == "rooms.left"
        assert "ended" in ended
        await bob.hears_nothing()
        monkeypatch.setattr(town.engine, "subscribe", subscribe)
        assert await bob.code("subscribe", stream=f"room:{room}") == "rooms.not_in_it"


def no_end(code, reason):
    """Nobody ends a connection here."""


def no_matter():
    """Nobody follows the outbox here."""


def of_one_door(town, hub, readers):
    runner = InlineRunner(town.engine)
    return Shared(town.engine, runner, QUICK, hub, Vouching(runner, QUICK), b"", no_matter, readers)


async def test_a_connection_that_ended_while_reading_the_snapshot_watches_nothing(
    town, hub, ada, room, monkeypatch
):
    shared = of_one_door(town, hub, readers=trio.CapacityLimiter(1))
    watching = Watching(shared, Listener.Wire(), no_end)
    watching.become(ada)
    subscribe = town.engine.subscribe

    def overtaken(*args, **named):
        trio.from_thread.run_sync(watching.leave)
        return subscribe(*args, **named)

    monkeypatch.setattr(town.engine, "subscribe", overtaken)
    await watching.subscribe(1, Subscribe(stream=f"room:{room.id}"))
    assert watching.wire.written == []
    assert hub.is_idle


async def test_a_renewed_sign_in_with_other_roles_is_looked_at_again(town, hub, ada, monkeypatch):
    shared = of_one_door(town, hub, readers=None)
    watching = Watching(shared, Listener.Wire(), no_end)
    watching.become(attrs.evolve(ada, roles=frozenset({"moderator"})))
    await watching.subscribe(1, Subscribe(stream="public"))
    monkeypatch.setattr(town.engine, "may_watch", lambda _, actor: "moderator" in actor.roles)
    watching.become(attrs.evolve(ada, roles=frozenset({"moderator", "admin"})))
    assert len(watching.wire.written) == 1
    watching.become(ada)
    assert b"may_not_watch" in watching.wire.written[1]
    watching.leave()
    assert hub.is_idle


async def test_whose_roles_change_while_reading_the_snapshot_is_looked_at_under_the_new_ones(
    town, hub, ada, monkeypatch
):
    shared = of_one_door(town, hub, readers=trio.CapacityLimiter(1))
    watching = Watching(shared, Listener.Wire(), no_end)
    watching.become(attrs.evolve(ada, roles=frozenset({"moderator"})))
    asked = []

    def overtaken(stream, *, actor, after):
        asked.append(sorted(actor.roles))
        if len(asked) == 1:
            trio.from_thread.run_sync(watching.become, ada)
            return town.engine.snapshot(stream)
        raise StreamNotFound(stream=stream)

    monkeypatch.setattr(town.engine, "subscribe", overtaken)
    with pytest.raises(StreamNotFound):
        await watching.subscribe(1, Subscribe(stream="public"))
    assert asked == [["moderator"], []]
    assert watching.wire.written == []


async def test_what_a_client_does_here_is_told_without_waiting_for_the_next_look(town):
    rarely = attrs.evolve(QUICK, look_every=timedelta(hours=1), look_when_idle=timedelta(hours=1))
    async with opened(town, rarely) as house, house.client("ada") as ada:
        room = (await ada.get("rooms.open", name="Library"))["id"]
        await ada.get("subscribe", stream=f"room:{room}")
        for number in range(4, 10):
            await ada.get("timer.reset" if number % 2 else "timer.start", room_id=room)
            assert (await ada.hear())["seq"] == number


# -- the storage, and what it makes difficult -----------------------------------------------------


async def test_while_the_storage_is_away_nothing_is_lost(house):
    async with house.client("ada") as ada:
        room = (await ada.get("rooms.open", name="Library"))["id"]
        await ada.get("subscribe", stream=f"room:{room}")
        host = house.town.engine.authenticate(house.token("ada"))
        house.town.do(timer_control.StartTimer(room_id=room), host)
        house.town.storage.close()
        assert await ada.code("people.me") == "unavailable"
        assert await ada.code("subscribe", stream="public") == "unavailable"
        await ada.hears_nothing()
        house.town.storage.open(house.town.engine.entities)
        house.town.do(timer_control.PauseTimer(room_id=room), host)
        assert numbers(await ada.events(2)) == [4, 5]


class Listener:
    """Somebody who watches a hub without a socket."""

    class Wire:
        def __init__(self):
            self.written = []

        def push(self, frame):
            self.written.append(frame)

        answer = push

    def __init__(self, actor):
        self.actor = actor
        self.wire = self.Wire()
        self.ended = []

    def stopped(self, stream):
        self.ended.append(stream)

    @property
    def heard(self):
        payloads = [json.loads(payload) for _, payload in frames_in(b"".join(self.wire.written))]
        return [told.get("seq", told.get("ended", {}).get("code")) for told in payloads]


@pytest.fixture
def ada(town):
    return town.somebody()


@pytest.fixture
def room(town, ada):
    return town.open_room(ada)


@pytest.fixture
def hub(town, monkeypatch):
    monkeypatch.setattr("focusmate_trio.hub.Wire", Listener.Wire)
    return Hub(town.engine)


def entered(hub, watcher, stream, given):
    hub.people.add(watcher)
    with hub.expecting(stream) as channel:
        assert hub.missed(channel, given) == []
        hub.enter(watcher, channel, given)
    return watcher


def toggled(town, room, host, times):
    """So many events more; gives the whole stream."""
    asks = [timer_control.PauseTimer, timer_control.ResumeTimer]
    for turn in range(times):
        ask = asks[turn % 2 - 1] if turn else timer_control.StartTimer
        town.do(ask(room_id=room.id), host)
    return town.told(f"room:{room.id}")


def test_what_comes_twice_or_late_is_told_once_and_what_is_missing_is_fetched(town, hub, ada, room):
    listener = entered(hub, Listener(ada), f"room:{room.id}", 2)
    told = {envelope.seq: envelope for envelope in toggled(town, room, ada, 6)}
    hub.publish([told[3]])
    hub.publish([told[3]])
    hub.publish([told[6]])
    hub.publish([told[4], told[5], told[7]])
    assert listener.heard == [3, 4, 5, 6, 7]


def test_a_snapshot_may_be_ahead_of_what_has_come_by(town, hub, ada, room):
    told = {envelope.seq: envelope for envelope in toggled(town, room, ada, 6)}
    stream = f"room:{room.id}"
    early, late = entered(hub, Listener(ada), stream, 3), entered(hub, Listener(ada), stream, 6)
    hub.publish([told[4], told[5]])
    assert (early.heard, late.heard) == ([4, 5], [])
    hub.publish([told[6], told[7]])
    assert (early.heard, late.heard) == ([4, 5, 6, 7], [7])
    hub.publish([attrs.evolve(told[7], seq=8)])
    assert (early.heard[-1], late.heard) == (8, [7, 8])


def test_whoever_begins_anew_is_told_once(town, hub, ada, room):
    told = toggled(town, room, ada, 6)
    stream = f"room:{room.id}"
    other, listener = [entered(hub, Listener(ada), stream, 2) for _ in range(2)]
    entered(hub, listener, stream, 4)
    hub.publish(told[2:6])
    assert (other.heard, listener.heard) == ([3, 4, 5, 6], [5, 6])
    entered(hub, listener, stream, 6)
    hub.publish(told[6:])
    assert (other.heard[4:], listener.heard[2:]) == ([7, 8, 9], [7, 8, 9])


def test_what_came_by_while_a_snapshot_was_read_is_known(town, hub, ada, room):
    told = toggled(town, room, ada, 4)
    with hub.expecting(f"room:{room.id}") as channel:
        hub.publish(told[2:5])
        assert [envelope.seq for envelope in hub.missed(channel, 3)] == [4, 5]
        assert hub.missed(channel, 6) == []
    assert hub.is_idle


def test_a_gap_that_cannot_be_closed_ends_the_watching_and_says_so(town, hub, ada, room):
    listener = entered(hub, Listener(ada), f"room:{room.id}", 2)
    told = toggled(town, room, ada, 4)
    town.clock.advance(hours=1)
    town.engine.sweep(retention=timedelta(minutes=1))
    hub.publish([told[5]])
    assert listener.heard == ["websocket.resync"]
    assert listener.ended == [f"room:{room.id}"]
    hub.people.remove(listener)
    assert hub.is_idle


def test_an_event_that_cannot_be_sent_ends_its_stream_and_no_other(town, hub, ada, room, caplog):
    other = town.open_room(ada)
    mine = entered(hub, Listener(ada), f"room:{room.id}", 2)
    also = entered(hub, Listener(ada), f"room:{other.id}", 2)
    broken = attrs.evolve(toggled(town, room, ada, 1)[2], version=99, data="{")
    hub.publish([broken, toggled(town, other, ada, 1)[2]])
    assert (mine.heard, also.heard) == (["websocket.resync"], [3])
    assert "cannot be sent" in caplog.text


def test_several_events_for_one_watcher_leave_in_one_write(town, hub, ada, room):
    other = town.open_room(ada)
    both, one = Listener(ada), Listener(ada)
    entered(hub, both, f"room:{other.id}", 3)
    # She left this one for the other.
    for each in (both, one):
        entered(hub, each, f"room:{room.id}", 4)
    hub.publish(toggled(town, other, ada, 2)[3:] + toggled(town, room, ada, 3)[4:])
    assert (len(both.wire.written), len(one.wire.written)) == (1, 1)
    assert (both.heard, one.heard) == ([4, 5, 5, 6, 7], [5, 6, 7])


def test_one_frame_is_built_for_all(town, hub, ada, room):
    listeners = [entered(hub, Listener(ada), f"room:{room.id}", 2) for _ in range(5)]
    hub.publish(toggled(town, room, ada, 1)[2:])
    assert len({id(each.wire.written[0]) for each in listeners}) == 1


# -- under stress ---------------------------------------------------------------------------------


@pytest.mark.parametrize("storage", STORAGES)
async def test_nothing_lies_between_a_snapshot_and_what_comes_live(storage, tmp_path):
    """A writer in a thread, watchers who come, resume and go: each sees all, once, in order."""
    seed = int(os.environ.get("FOCUSMATE_TEST_SEED") or random.randrange(1 << 30))
    print(f"FOCUSMATE_TEST_SEED={seed} says it again")  # noqa: T201
    dice = random.Random(seed)
    town = Town(STORAGES[storage](tmp_path))
    settings = attrs.evolve(QUICK, connections_per_person=50, events_per_turn=7, command_burst=9999)
    try:
        async with opened(town, settings) as house:
            actor = town.person("ada")
            token = town.sign_in("ada").access_token
            opened_rooms = [town.open_room(actor) for _ in range(3)]
            over = trio.Event()
            async with trio.open_nursery() as nursery:
                for number in range(8):
                    nursery.start_soon(
                        _watch, house, token, opened_rooms, over, dice.random(), number
                    )
                await trio.to_thread.run_sync(_write, town, actor, opened_rooms, dice.random())
                over.set()
    finally:
        town.storage.close()


def _write(town, actor, opened_rooms, seed):
    dice = random.Random(seed)
    for _ in range(400):
        room = dice.choice(opened_rooms)
        ask = dice.choice([timer_control.StartTimer, timer_control.ResetTimer])
        town.engine.execute(ask(room_id=room.id), actor=actor)


async def _watch(house, token, opened_rooms, over, seed, number):
    dice = random.Random(seed)
    seen = {}
    while not over.is_set():
        async with house.nameless() as client:
            await client.get("sign_in", token=token)
            for room in opened_rooms:
                await _resume(client, f"room:{room.id}", seen)
            for _ in range(dice.randrange(40)):
                with trio.move_on_after(0.05):
                    _count(await client.hear(), seen)
            if dice.random() < 0.3:
                seen.pop(f"room:{dice.choice(opened_rooms).id}", None)
    async with house.nameless() as client:
        await client.get("sign_in", token=token)
        for room in opened_rooms:
            await _resume(client, f"room:{room.id}", seen)
        heads = {stream: len(house.town.told(stream)) for stream in seen}
        while seen != heads:
            _count(await client.hear(), seen)


async def _resume(client, stream, seen):
    after = {"after": seen[stream]} if stream in seen else {}
    begun = await client.get("subscribe", stream=stream, **after)
    assert begun["seq"] == seen.setdefault(stream, begun["seq"])
    # What came before the answer is of the other streams.
    while client.told:
        _count(client.told.popleft(), seen)


def _count(event, seen):
    assert event["seq"] == seen[event["stream"]] + 1
    seen[event["stream"]] += 1
