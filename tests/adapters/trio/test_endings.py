"""What becomes of connections when the sign-in that vouches for them has ended."""

from __future__ import annotations

import logging
from collections import Counter
from contextlib import AsyncExitStack
from datetime import timedelta

import attrs
import pytest
import trio

from focusmate_core import Actor, codec
from focusmate_core.features.people import PersonDeleted
from focusmate_core.outbox import Fresh
from focusmate_core.ports.tokens import Tokens
from focusmate_core.refusals import NotSignedIn, Unavailable
from focusmate_core.testing.runner import InlineRunner
from focusmate_security import SignedTokens
from focusmate_server.keys import KeyFiles, rotate, signing_key
from focusmate_trio import door
from focusmate_trio.door import LOOKS_AT_ONCE
from tests.adapters.trio.kit import QUICK, opened


class Gate:
    """An embedder's own tokens, `name.anything`, and what they stand for now."""

    def __init__(self, town):
        self.town = town
        self.ended = set()
        self.roles = frozenset()
        town.engine._authenticate = self.authenticate

    def authenticate(self, token):
        if token in self.ended:
            raise NotSignedIn
        until = self.town.clock.now() + timedelta(hours=1)
        return Actor(id=token.partition(".")[0], roles=self.roles, expires_at=until)

    def tell(self, *people):
        """Events after which the tokens of these are looked at again; nobody watches a stream."""
        now, fact = self.town.clock.now(), PersonDeleted.fact
        told = [
            Fresh("user:x", fact.wire, fact.version, now, now, codec.dumps({"person_id": person}))
            for person in people
        ]
        with self.town.storage.write() as unit:
            unit.append(told)


@pytest.fixture
def gate(town):
    return Gate(town)


@pytest.fixture
async def house(town, gate):
    async with opened(town) as house:
        yield house


def by(token):
    return {"extra_headers": [(b"Authorization", f"Bearer {token}".encode())]}


async def test_whose_sign_in_has_ended_is_closed_and_everybody_else_stays(house, gate):
    async with (
        house.nameless(**by("ada.1")) as gone,
        house.nameless(**by("ada.2")) as good,
        house.nameless(**by("ben.1")) as ben,
    ):
        for each in (gone, good, ben):
            assert await each.get("ping")
        gate.ended.add("ada.1")
        gate.tell("ada")
        assert await gone.end() == (4401, "the sign-in has ended")
        assert await good.get("ping")
        assert await ben.get("ping")


async def test_what_comes_after_the_end_of_the_sign_in_is_for_others(house, gate):
    async with house.nameless(**by("ada.1")) as ada, house.nameless(**by("ben.1")) as ben:
        for each in (ada, ben):
            await each.get("subscribe", stream="public")
        gate.ended.add("ada.1")
        # In one turn of the door's loop, so in one turn of its tail.
        house.town.open_room(Actor(id="ben"))
        gate.tell("ada", "nobody")
        house.town.open_room(Actor(id="ben"))
        assert (await ada.end())[0] == 4401
        assert [told["type"] for told in ada.told] == ["rooms.opened"]
        assert [told["seq"] for told in await ben.events(2)] == [1, 2]


async def test_whoever_begins_with_a_token_that_was_good_before_is_refused(house, gate):
    async with house.nameless(**by("ada.1")) as ada:
        assert await ada.get("ping")
        gate.ended.add("ada.1")
        async with house.nameless() as other:
            assert await other.code("sign_in", token="ada.1") == "not_signed_in"


async def test_other_roles_are_taken_on_and_subscriptions_looked_at_again(house, gate, monkeypatch):
    gate.roles = frozenset({"moderator"})
    monkeypatch.setattr(house.town.engine, "may_watch", lambda _, actor: "moderator" in actor.roles)
    async with house.nameless(**by("ada.1")) as ada:
        await ada.get("subscribe", stream="public")
        gate.tell("ada")
        await ada.hears_nothing(0.1)
        gate.roles = frozenset()
        gate.tell("ada")
        assert (await ada.hear())["ended"]["code"] == "websocket.may_not_watch"
        assert await ada.get("ping")


class Slow(InlineRunner):
    """Takes its time."""

    async def run(self, call):
        await trio.sleep(0.2)
        return await super().run(call)


async def test_what_is_on_its_way_is_answered_first_and_events_are_not_heard(town, gate):
    async with (
        opened(town, runner=Slow(town.engine)) as house,
        house.nameless(**by("ada.1")) as ada,
    ):
        await ada.get("subscribe", stream="public")
        await ada.send({"id": 7, "do": "rooms.public"})
        await trio.sleep(0.05)
        gate.ended.add("ada.1")
        gate.tell("ada")
        await trio.sleep(0.05)
        town.open_room(Actor(id="ben"))
        assert (await ada.hear())["id"] == 7
        assert await ada.end() == (4401, "the sign-in has ended")
        assert not ada.told


async def test_while_the_storage_is_away_a_look_waits_and_nothing_is_told_twice(
    house, gate, monkeypatch
):
    async with house.nameless(**by("ada.1")) as ada, house.nameless(**by("ben.1")) as ben:
        await ben.get("subscribe", stream="public")
        assert await ada.get("ping")
        authenticate, tries = house.town.engine.authenticate, []

        def away(token, *, again):
            tries.append(token)
            if len(tries) < 3:
                house.town.storage.close()
                with house.town.storage.read():
                    """It is not there."""
            return authenticate(token, again=again)

        gate.ended.add("ada.1")
        monkeypatch.setattr(house.town.engine, "authenticate", away)
        house.town.open_room(Actor(id="ben"))
        gate.tell("ada")
        await trio.sleep(0.05)
        assert tries == ["ada.1"]
        house.town.storage.open(house.town.engine.entities)
        await trio.sleep(0.3)
        house.town.storage.open(house.town.engine.entities)
        assert (await ada.end())[0] == 4401
        assert (await ben.hear())["seq"] == 1
        await ben.hears_nothing()


async def test_a_bug_in_looking_again_closes_with_1011_and_holds_up_nobody(
    house, gate, monkeypatch, caplog
):
    async with house.nameless(**by("ada.1")) as ada, house.nameless(**by("ben.1")) as ben:
        assert await ada.get("ping")
        await ben.get("subscribe", stream="public")
        monkeypatch.setattr(house.town.engine, "authenticate", lambda *_, **__: 1 / 0)
        gate.tell("ada")
        house.town.open_room(Actor(id="ben"))
        assert (await ada.end())[0] == 1011
        assert (await ben.hear())["type"] == "rooms.opened"
    assert [record.levelno for record in caplog.records if record.exc_info] == [logging.ERROR]


# -- what no event tells ---------------------------------------------------------------------------


OFTEN = attrs.evolve(QUICK, ping_every=timedelta(seconds=0.2))


async def test_an_end_that_nobody_tells_is_noticed_between_two_pings(town, gate):
    async with (
        opened(town, OFTEN) as house,
        house.nameless(**by("ada.1")) as gone,
        house.nameless(**by("ada.2")) as good,
        house.nameless() as nobody,
    ):
        assert await gone.get("ping")
        gate.ended.add("ada.1")
        with trio.fail_after(2):
            assert await gone.end() == (4401, "the sign-in has ended")
        await good.hears_nothing(0.5)
        assert await good.get("ping")
        assert await nobody.code("ping") == "not_signed_in"


async def test_whoever_came_by_a_key_that_is_dropped_is_closed_between_two_pings(town, tmp_path):
    signing_key(path := tmp_path / "key")
    town.fakes[Tokens] = SignedTokens(KeyFiles(path))
    town.engine = town._engine()
    async with opened(town, OFTEN) as house, house.client("ada") as before:
        former = rotate(path)
        async with house.client("ada") as after:
            await before.hears_nothing(0.5)
            former.path.unlink()
            with trio.fail_after(2):
                assert await before.end() == (4401, "the sign-in has ended")
            await after.hears_nothing(0.5)
            assert await after.get("ping")


class Turns(trio.abc.Instrument):
    """Counts the turns of the loop."""

    def __init__(self):
        self.count = 0

    def before_io_wait(self, timeout):
        self.count += 1


async def test_many_are_looked_at_a_few_at_a_time_and_each_once_between_two_pings(
    town, gate, monkeypatch
):
    many, looks, turns = 4 * LOOKS_AT_ONCE, [], Turns()
    authenticate = town.engine.authenticate

    def look(token, *, again):
        looks.append((token, turns.count))
        return authenticate(token, again=again)

    trio.lowlevel.add_instrument(turns)
    settings = attrs.evolve(QUICK, ping_every=timedelta(seconds=0.5))
    async with opened(town, settings) as house, AsyncExitStack() as stack:
        for number in range(many):
            await stack.enter_async_context(house.nameless(**by(f"p{number}.1")))
        monkeypatch.setattr(town.engine, "authenticate", look)
        await trio.sleep(1.5)
        monkeypatch.undo()
    by_token, by_turn = (Counter(each) for each in zip(*looks, strict=True))
    assert max(by_turn.values()) == LOOKS_AT_ONCE
    assert len(by_token) == many
    assert max(by_token.values()) <= 4


async def test_whoever_goes_while_others_are_looked_at_is_nobody_s_connection(town, gate):
    async with opened(town, OFTEN) as house:
        most = OFTEN.connections_per_person
        for _ in range(most):
            async with house.nameless(**by("ada.1")) as ada:
                assert await ada.get("ping")
            await trio.sleep(0.05)
        async with AsyncExitStack() as stack:
            for _ in range(most):
                again = await stack.enter_async_context(house.nameless(**by("ada.1")))
                assert await again.get("ping")


async def test_a_look_that_the_storage_cannot_bear_is_taken_again_when_it_is_back(
    town, gate, monkeypatch
):
    monkeypatch.setattr(door, "TICK", 0.05)
    async with opened(town, OFTEN) as house, house.nameless(**by("ada.1")) as ada:
        assert await ada.get("ping")
        authenticate, tries = town.engine.authenticate, []

        def away(token, *, again):
            tries.append(token)
            if len(tries) < 3:
                raise Unavailable(retry_after=1)
            return authenticate(token, again=again)

        monkeypatch.setattr(town.engine, "authenticate", away)
        gate.ended.add("ada.1")
        with trio.fail_after(2):
            assert (await ada.end())[0] == 4401
    assert tries == 3 * ["ada.1"]


# -- where a client is ----------------------------------------------------------------------------


class Noting(InlineRunner):
    """Remembers where each message came from."""

    def __init__(self, engine):
        super().__init__(engine)
        self.origins = []

    async def run(self, call):
        self.origins.append(call.origin.address)
        return await super().run(call)


def from_header(peer, headers):
    return f"{dict(headers)[b'x-forwarded-for'].decode()} by {peer}"


async def test_what_is_asked_comes_from_the_address_that_the_settings_find(town):
    runner = Noting(town.engine)
    behind = attrs.evolve(QUICK, address_of=from_header)
    header = [(b"X-Forwarded-For", b"203.0.113.7")]
    who = {"login": "ada", "password": "wrong password"}
    async with opened(town, behind, runner) as house, house.nameless(extra_headers=header) as one:
        await one.ask("credentials.sign_in", **who)
    async with opened(town, QUICK, runner) as house, house.nameless(extra_headers=header) as one:
        await one.ask("credentials.sign_in", **who)
    assert runner.origins == ["203.0.113.7 by 127.0.0.1", "127.0.0.1"]
