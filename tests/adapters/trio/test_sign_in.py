"""Who a connection belongs to, and until when."""

from __future__ import annotations

from datetime import timedelta

import attrs
import pytest

from tests.adapters.trio.kit import QUICK, opened
from tests.features.town import PASSWORD

SOON = timedelta(seconds=0.1)


async def test_the_first_frame_says_whose_the_connection_is(house):
    async with house.nameless() as client:
        token = house.token("ada")
        told = await client.get("sign_in", token=token)
        assert told["person_id"] == house.town.engine.authenticate(token).id
        assert told["expires_at"] == "2026-01-05T09:15:00Z"
        assert (await client.get("people.me"))["username"] == "ada"


async def test_a_header_says_it_where_one_can_be_set(house):
    header = [(b"Authorization", b"Bearer " + house.token("ada").encode())]
    async with house.nameless(extra_headers=header) as client:
        assert (await client.get("people.me"))["username"] == "ada"


@pytest.mark.parametrize("header", [b"Bearer wrong", b"Bearer", b"Basic YTpi", b""])
async def test_a_header_that_is_not_good_closes_with_4401(house, header):
    async with house.nameless(extra_headers=[(b"Authorization", header)]) as client:
        assert (await client.end())[0] == 4401


@pytest.mark.parametrize("token", ["wrong", "é", "a.b.c", "x" * 4096])
async def test_a_token_that_is_not_good_is_refused_and_closes_with_4401(house, token):
    async with house.nameless() as client:
        assert await client.code("sign_in", token=token) == "not_signed_in"
        assert (await client.end())[0] == 4401


async def test_a_refresh_token_is_no_access_token(house):
    house.token("ada")
    async with house.nameless() as client:
        token = house.town.sign_in("ada").refresh_token
        assert await client.code("sign_in", token=token) == "not_signed_in"


async def test_before_the_sign_in_only_what_anyone_may_send_is_done(house):
    async with house.nameless() as client:
        for do in ("ping", "subscribe", "people.me"):
            assert await client.code(do) == "not_signed_in"
        assert await client.code("rooms.nowhere") == "unknown_message"
        assert await client.code("sign_in") == "bad_input"
        who = {"login": "ada", "password": PASSWORD}
        assert await client.code("credentials.sign_in", **who) == "credentials.wrong"
        await client.get("credentials.register", email="a@b.org", username="ada", password=PASSWORD)
        token = (await client.get("credentials.sign_in", **who))["access_token"]
        assert await client.get("sign_in", token=token)
        assert (await client.get("people.me"))["username"] == "ada"


async def test_whoever_does_not_sign_in_is_closed_with_4401(town):
    async with (
        opened(town, attrs.evolve(QUICK, sign_in_within=SOON)) as house,
        house.nameless() as client,
        house.client("ada") as ada,
    ):
        assert await client.end() == (4401, "nobody signed in")
        assert await ada.get("ping")


@pytest.fixture
async def lively(town):
    """A door whose keeper looks often."""
    async with opened(town, attrs.evolve(QUICK, ping_every=timedelta(seconds=0.05))) as house:
        yield house


async def test_a_minute_before_the_end_the_client_is_told_once_and_at_the_end_closed(lively):
    async with lively.client("ada") as ada:
        lively.town.clock.advance(minutes=13, seconds=59)
        await ada.hears_nothing()
        lively.town.clock.advance(seconds=1)
        told = await ada.hear()
        assert told["notice"]["code"] == "websocket.sign_in_expires"
        assert told["notice"]["params"] == {"expires_at": "2026-01-05T09:15:00Z"}
        await ada.hears_nothing()
        lively.town.clock.advance(minutes=1)
        assert await ada.end() == (4401, "the sign-in expired")


async def test_a_renewed_sign_in_lets_the_connection_live_on(lively):
    async with lively.client("ada") as ada:
        room = lively.town.open_room(lively.town.engine.authenticate(lively.token("ada")))
        await ada.get("subscribe", stream=f"room:{room.id}")
        lively.town.clock.advance(minutes=14)
        await ada.hear()
        told = await ada.get("sign_in", token=lively.token("ada"))
        assert told["expires_at"] == "2026-01-05T09:29:00Z"
        lively.town.clock.advance(minutes=2)
        await ada.get("timer.start", room_id=room.id)
        assert (await ada.hear())["type"] == "timer.started"


async def test_nobody_else_may_take_over_a_connection(house):
    async with house.client("ada") as ada:
        assert await ada.code("sign_in", token=house.token("bob")) == "websocket.other_person"
        assert await ada.code("sign_in", token="wrong") == "not_signed_in"
        assert (await ada.get("people.me"))["username"] == "ada"


async def test_an_expired_sign_in_does_nothing_more(house):
    async with house.client("ada") as ada:
        house.town.clock.advance(minutes=15)
        assert await ada.code("people.me") == "not_signed_in"
        assert (await ada.end())[0] == 4401


async def test_one_person_has_ten_connections_and_may_have_another_once_one_is_closed(town):
    settings = attrs.evolve(QUICK, connections_per_person=2)
    async with (
        opened(town, settings) as house,
        house.client("ada"),
        house.client("bob"),
        house.nameless() as third,
    ):
        async with house.client("ada"):
            answer = await third.ask("sign_in", token=house.token("ada"))
            assert answer["error"]["code"] == "websocket.too_many_connections"
            assert answer["error"]["params"] == {"most": 2}
            assert (await third.end())[0] == 4429
        async with house.client("ada") as again:
            assert await again.get("ping")
