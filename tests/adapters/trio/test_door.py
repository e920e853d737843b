"""How connections begin and end, and what it costs when they do neither."""

from __future__ import annotations

import json
import logging
import re
import socket
import struct
from contextlib import suppress
from datetime import timedelta

import attrs
import pytest
import trio
from trio_websocket import ConnectionRejected

from focusmate_core.features import timer_control
from focusmate_core.testing.runner import InlineRunner
from tests.adapters.trio.kit import QUICK, everything, frames_in, handshake, masked, opened

# -- the opening ----------------------------------------------------------------------------------


async def test_the_protocol_is_accepted_where_it_is_offered(house):
    async with house.nameless(subprotocols=["other", "focusmate.v1"]) as client:
        assert client.websocket.subprotocol == "focusmate.v1"
    async with house.nameless() as client:
        assert client.websocket.subprotocol is None


async def test_whoever_offers_other_protocols_only_is_refused(house):
    with pytest.RaisesGroup(ConnectionRejected, flatten_subgroups=True) as rejected:
        async with house.nameless(subprotocols=["focusmate.v2"]):
            pass
    (no,) = rejected.value.exceptions
    assert no.status_code == 400


@pytest.mark.parametrize("path", ["/v1/ws", "/v1/ws?room=1"])
async def test_the_door_is_at_its_path(house, path):
    async with house.nameless(path=path) as client:
        assert await client.get("sign_in", token=house.token("ada"))


GET = "GET {} HTTP/1.1\r\nHost: x\r\n\r\n"
UPGRADED = handshake().decode()
LONG = timedelta(seconds=5)
PLAIN = [
    (GET.format("/health/live"), 200),
    (GET.format("/health/live").replace("GET", "HEAD"), 200),
    (GET.format("/v1/ws"), 426),
    (GET.format("/"), 404),
    (GET.format("/v1/rooms"), 404),
    (handshake(path="/v1/other").decode(), 404),
    (UPGRADED.replace("GET", "POST"), 426),
    (UPGRADED.replace("Version: 13", "Version: 12"), 426),
    (UPGRADED.replace("Sec-WebSocket-Key", "X-Key"), 400),
    (UPGRADED.replace("Connection: Upgrade", "Connection: close"), 400),
    (UPGRADED.replace("Host: localhost\r\n", ""), 400),
    (UPGRADED.replace("Host: localhost", "Host: xn--\r\nHost: y"), 400),
    (UPGRADED.replace("localhost", "é"), 400),
    (UPGRADED + "more than is asked for", 400),
    ("GET /v1/ws HTTP/2.0\r\n\r\n", 400),
    ("GET /v1/ws\r\n\r\n", 400),
    ("SSH-2.0-OpenSSH_9.6\r\n\r\n", 400),
    ("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    ("\r\n\r\n", 400),
    ("x", 400),
    ("G" * 20_000, 400),
    ("GET / HTTP/1.1\r\n" + "A: b\r\n" * 5_000 + "\r\n", 400),
]


@pytest.mark.parametrize(("sent", "status"), PLAIN, ids=[repr(sent[:50]) for sent, _ in PLAIN])
async def test_what_is_no_websocket_is_answered_plainly_and_at_once(house, sent, status):
    async with await house.raw(sent.encode()) as stream:
        answer = await everything(stream, 4)
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer
    head, _, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    assert length
    assert len(body) == (0 if sent.startswith("HEAD") else int(length[1]))
    async with house.client("ada") as ada:
        assert await ada.get("ping")


async def test_health_is_told_without_a_websocket(house):
    async with await house.raw(GET.format("/health/live").encode()) as stream:
        answer = await everything(stream)
    assert json.loads(answer.partition(b"\r\n\r\n")[2]) == {"status": "ok"}


async def test_a_head_may_come_in_pieces(house):
    async with await house.raw() as stream:
        for byte in handshake():
            await stream.send_all(bytes((byte,)))
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 101")


HALF = [b"", b"GET", b"GET /v1/ws HTTP/1.1\r\n", handshake()[:-2], handshake()[:-1]]


@pytest.mark.parametrize("sent", HALF)
async def test_silence_and_half_a_handshake_end_after_their_time(town, sent):
    settings = attrs.evolve(QUICK, handshake_within=timedelta(seconds=0.2))
    async with opened(town, settings) as house, await house.raw(sent) as stream:
        assert await everything(stream, 2) == b""


async def test_a_storm_of_garbage_disturbs_nobody_and_leaves_nothing_behind(house, caplog):
    """Half of it hangs up in the rudest way there is."""
    caplog.set_level(logging.INFO)
    async with house.client("ada") as ada:
        async with trio.open_nursery() as nursery:
            for number in range(200):
                nursery.start_soon(_disturb, house, (HALF + PLAIN)[number % len(HALF + PLAIN)])
            for _ in range(20):
                assert await ada.get("ping")
        assert await ada.get("rooms.open", name="Library")
    assert [record.getMessage() for record in caplog.records if record.levelno > 20] == []


async def _disturb(house, sent):
    data = sent if isinstance(sent, bytes) else sent[0].encode()
    with suppress(OSError, trio.BrokenResourceError):
        stream = await house.raw(data)
        await trio.sleep(0.01)
        rude = struct.pack("ii", 1, 0)
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, rude)
        stream.socket.close()


# -- who does not read, and who does not speak ----------------------------------------------------


async def test_a_slow_reader_is_closed_with_4408_while_the_others_go_on(town):
    settings = attrs.evolve(QUICK, backlog=20_000, send_buffer=4096, closing_within=LONG)
    async with opened(town, settings) as house, house.client("ada") as ada:
        room = (await ada.get("rooms.open", name="Library"))["id"]
        await ada.get("subscribe", stream=f"room:{room}")
        slow = await house.raw()
        slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        async with slow:
            await _subscribed(slow, house, room)
            host = town.engine.authenticate(house.token("ada"))
            count = 0
            for _ in range(40):
                for ask in (timer_control.StartTimer, timer_control.ResetTimer) * 10:
                    town.do(ask(room_id=room), host)
                    count += 1
                await ada.events(20)
            seen = frames_in(await everything(slow))
        assert int.from_bytes(seen[-1][1][:2], "big") == 4408
        numbers = [told["seq"] for told in map(json.loads, (p for _, p in seen[2:-1]))]
        assert numbers == list(range(4, 4 + len(numbers)))
        assert len(numbers) < count
        async with house.client("ada") as again:
            await again.get("subscribe", stream=f"room:{room}", after=numbers[-1])
            assert (await again.hear())["seq"] == numbers[-1] + 1


async def _subscribed(stream, house, room):
    await stream.send_all(handshake())
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        data += await stream.receive_some(1)
    ask = {"id": 1, "do": "sign_in", "with": {"token": house.token("ada")}}
    await stream.send_all(masked(json.dumps(ask).encode()))
    ask = {"id": 2, "do": "subscribe", "with": {"stream": f"room:{room}"}}
    await stream.send_all(masked(json.dumps(ask).encode()))
    await trio.sleep(0.1)


async def test_everybody_is_pinged_and_whoever_is_silent_is_gone(town):
    settings = attrs.evolve(
        QUICK, ping_every=timedelta(seconds=0.1), silent_after=timedelta(seconds=0.35)
    )
    async with opened(town, settings) as house, house.client("ada") as ada:
        async with await house.raw_websocket("bob") as silent:
            seen = frames_in(await everything(silent, 3))
        assert {frame for frame, _ in seen} == {0x89}
        assert len(seen) >= 2
        assert await ada.get("ping")


async def test_a_connection_that_ended_watches_nothing(house):
    async with house.client("ada") as ada:
        room = (await ada.get("rooms.open", name="Library"))["id"]
        for _ in range(15):
            async with house.client("ada") as other:
                await other.get("subscribe", stream=f"room:{room}")
        await ada.get("subscribe", stream=f"room:{room}")
        await ada.get("timer.start", room_id=room)
        assert (await ada.hear())["type"] == "timer.started"


# -- the end --------------------------------------------------------------------------------------


async def test_at_the_end_everybody_is_told_when_to_come_back(town):
    async with (
        opened(town) as house,
        house.client("ada") as ada,
        house.nameless() as nobody,
        await house.raw(b"GET"),
    ):
        house.stop()
        for client in (ada, nobody):
            code, reason = await client.end()
            assert code == 1012
            assert re.fullmatch(r"retry_after=[0-5]\.\d", reason)


class Slow(InlineRunner):
    """Takes its time."""

    async def run(self, call):
        await trio.sleep(0.3)
        return await super().run(call)


async def test_at_the_end_what_is_on_its_way_is_answered_first(town):
    async with opened(town, runner=Slow(town.engine)) as house, house.client("ada") as ada:
        await ada.send({"id": 1, "do": "people.me"})
        await trio.sleep(0.1)
        house.stop()
        assert (await ada.hear())["ok"]["username"] == "ada"
        assert (await ada.end())[0] == 1012


async def test_the_end_waits_for_nobody_who_does_not_read(town):
    async with opened(town) as house, await house.raw_websocket("ada") as silent:
        begun = trio.current_time()
        house.stop()
        await trio.testing.wait_all_tasks_blocked(0.1)
        assert frames_in(await everything(silent))[-1][0] == 0x88
        assert trio.current_time() - begun < 2


async def test_nobody_is_let_in_after_the_end(town):
    async with opened(town) as house:
        house.stop()
        await trio.testing.wait_all_tasks_blocked(0.01)
        with pytest.raises(OSError, match="connect"):
            await house.raw()
