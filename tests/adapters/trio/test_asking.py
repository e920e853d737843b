"""What a client's frames are answered: each by its id, and whatever is wrong, the door goes on."""

from __future__ import annotations

import contextlib
import json
import logging

import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio_websocket import ConnectionClosed

from focusmate_core.calls import Outcome
from focusmate_core.refusals import BadInput, Unavailable
from focusmate_core.testing.runner import InlineRunner
from focusmate_trio.asking import ask_of
from tests.adapters.trio.kit import QUICK, everything, frames_in, masked, opened

ROOM = "019b8d62-7a80-7000-8000-000000000099"


def nested(depth):
    return '{"id": 1, "do": "ping", "with": ' + "[" * depth + "]" * depth + "}"


def in_room(do, more=""):
    return f'{{"id": 7, "do": "{do}", "with": {{"room_id": "{ROOM}"{more}}}}}'


def to_stream(stream):
    return f'{{"id": 7, "do": "subscribe", "with": {{"stream": "{stream}"}}}}'


BAD = [
    ("", None, "malformed"),
    ("{", None, "malformed"),
    ("{'id': 1}", None, "malformed"),
    ('{"id": 1, "id": 2, "do": "ping"}', None, "malformed"),
    ('{"id": 1, "do": "ping", "with": {"a": 1, "a": 2}}', None, "malformed"),
    ('{"id": 1, "do": "ping", "with": {"a": NaN}}', None, "malformed"),
    ('{"id": 1e999, "do": "ping"}', None, "malformed"),
    ('{"id": ' + "7" * 5000 + ', "do": "ping"}', None, "malformed"),
    (nested(40), None, "malformed"),
    (nested(30_000), None, "malformed"),
    ('{"do":' * 10_000, None, "malformed"),
    ('{"id": 1, "do": "\\ud800"}', None, "malformed"),
    ("null", None, "bad_input"),
    ("[]", None, "bad_input"),
    ('"ping"', None, "bad_input"),
    ("7", None, "bad_input"),
    ('{"id": "7", "do": "ping"}', None, "bad_input"),
    ('{"id": 7.0, "do": "ping"}', None, "bad_input"),
    ('{"id": true, "do": "ping"}', None, "bad_input"),
    ('{"id": -1, "do": "ping"}', None, "bad_input"),
    ('{"id": 9007199254740992, "do": "ping"}', None, "bad_input"),
    ('{"id": 7}', 7, "bad_input"),
    ('{"id": 7, "do": null}', 7, "bad_input"),
    ('{"id": 7, "do": 7}', 7, "bad_input"),
    ('{"id": 7, "do": "ping", "with": null}', 7, "bad_input"),
    ('{"id": 7, "do": "ping", "with": []}', 7, "bad_input"),
    ('{"id": 7, "do": "ping", "with": {"x": 1}}', 7, "bad_input"),
    ('{"id": 7, "do": "ping", "key": 7}', 7, "bad_input"),
    ('{"id": 7, "do": "ping", "key": "k"}', 7, "idempotency.key_not_taken"),
    ('{"id": 7, "do": "people.me", "key": "k"}', 7, "idempotency.key_not_taken"),
    ('{"id": 7, "do": "rooms.open", "with": {"name": "x"}, "key": ""}', 7, "bad_input"),
    ('{"id": 7, "do": "ping", "to": "you"}', 7, "bad_input"),
    ('{"id": 7, "do": "typing"}', 7, "unknown_message"),
    ('{"id": 7, "do": ""}', 7, "unknown_message"),
    ('{"id": 7, "do": "timer.end_phase"}', 7, "unknown_message"),
    ('{"id": 7, "do": "timer.start"}', 7, "bad_input"),
    ('{"id": 7, "do": "timer.start", "with": {"room_id": 7}}', 7, "bad_input"),
    ('{"id": 7, "do": "timer.start", "with": {"room_id": "7"}}', 7, "bad_input"),
    (in_room("timer.start", ', "x": 1'), 7, "bad_input"),
    (in_room("timer.start"), 7, "rooms.not_found"),
    ('{"id": 7, "do": "rooms.open", "with": {"name": "x", "capacity": "7"}}', 7, "bad_input"),
    ('{"id": 7, "do": "subscribe"}', 7, "bad_input"),
    ('{"id": 7, "do": "subscribe", "with": {"stream": 7}}', 7, "bad_input"),
    ('{"id": 7, "do": "subscribe", "with": {"stream": "é"}}', 7, "bad_input"),
    ('{"id": 7, "do": "subscribe", "with": {"stream": "public", "after": -1}}', 7, "bad_input"),
    ('{"id": 7, "do": "subscribe", "with": {"stream": "public", "after": "1"}}', 7, "bad_input"),
    ('{"id": 7, "do": "subscribe", "with": {"stream": "nothing"}}', 7, "stream_not_found"),
    (to_stream("room:" + ROOM), 7, "stream_not_found"),
    (to_stream("user:" + ROOM), 7, "stream_not_found"),
    ('{"id": 7, "do": "unsubscribe", "with": {}}', 7, "bad_input"),
]


@pytest.mark.parametrize(("frame", "number", "code"), BAD, ids=[frame[:60] for frame, *_ in BAD])
async def test_a_bad_frame_is_answered_with_its_code_and_the_connection_goes_on(
    house, frame, number, code
):
    async with house.client("ada") as ada:
        before = house.town.storage.fingerprint()
        await ada.send(frame)
        answer = await ada.hear()
        assert (answer["id"], answer["error"]["code"]) == (number, code)
        assert answer["error"]["detail"]
        assert ("fields" in answer["error"]) == (code == "bad_input")
        assert house.town.storage.fingerprint() == before
        assert await ada.get("ping") == {"now": "2026-01-05T09:00:00Z"}


async def test_every_wrong_field_is_named_as_by_any_other_door(house):
    async with house.client("ada") as ada:
        answer = await ada.ask("timer.start", room_id=7, speed=2)
        assert answer["error"]["fields"] == [
            {"field": "room_id", "problem": "must be text, not a whole number"},
            {"field": "speed", "problem": "is not a field of this"},
        ]


async def test_a_refusal_bears_its_parameters(house):
    async with house.client("ada") as ada, house.client("bob") as bob, house.client("cleo") as cleo:
        room = await ada.get("rooms.open", name="Library", capacity=2)
        await bob.get("rooms.join", room_id=room["id"])
        answer = await cleo.ask("rooms.join", room_id=room["id"])
        assert answer["error"]["code"] == "rooms.full"
        assert answer["error"]["params"] == {"capacity": 2}


async def test_a_frame_without_an_id_is_answered_with_null(house):
    async with house.client("ada") as ada:
        await ada.send({"do": "ping"})
        assert (await ada.hear())["id"] is None


async def test_frames_are_answered_in_their_order(house):
    async with house.client("ada") as ada:
        for number in range(12):
            do = "rooms.open" if number % 3 else "ping"
            await ada.send({"id": number, "do": do, "with": {"name": "x"} if number % 3 else {}})
        assert [(await ada.hear())["id"] for _ in range(12)] == list(range(12))


async def test_one_idempotency_key_has_one_effect_and_one_answer(house):
    async with house.client("ada") as ada, house.client("ada") as again:
        one = await ada.ask("rooms.open", key="k", name="Library")
        assert (await again.ask("rooms.open", key="k", name="Library"))["ok"] == one["ok"]
        other = await ada.ask("rooms.open", key="k", name="Café")
        assert other["error"]["code"] == "idempotency.key_reused"
        assert (await ada.get("rooms.public", with_count=True))["count"] == 1


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["id", "do", "with", "key", "x"]) | st.text(), inner)
        ),
    )
)
def test_whatever_a_frame_holds_it_is_an_ask_or_bad_input(told):
    try:
        ask = ask_of(told)
    except BadInput as refused:
        problems = refused.fields
    else:
        problems = (ask,) if isinstance(ask.do, str) else ()
    assert problems


# -- limits ---------------------------------------------------------------------------------------


async def test_too_many_commands_are_refused_until_tokens_have_come_back(town):
    settings = attrs.evolve(QUICK, commands_per_second=10, command_burst=3)
    async with opened(town, settings) as house, house.client("ada") as ada:
        for _ in range(3):
            await ada.get("people.me")
        answer = await ada.ask("people.me")
        assert answer["error"]["code"] == "too_often"
        wait = answer["error"]["params"]["retry_after"]
        assert 0 < wait <= 0.1
        assert await ada.get("ping")
        await trio.sleep(wait)
        assert await ada.get("people.me")


async def test_too_many_frames_of_any_kind_are_refused(town):
    settings = attrs.evolve(QUICK, frames_per_second=0.01, frame_burst=3)
    async with opened(town, settings) as house, house.client("ada") as ada:
        await ada.get("ping")
        await ada.get("ping")
        assert await ada.code("ping") == "too_often"


async def test_a_client_that_resumes_all_its_streams_at_once_is_not_too_often(house):
    async with house.client("ada") as ada:
        for number in range(100):
            await ada.send({"id": number, "do": "subscribe", "with": {"stream": "public"}})
        assert all(["ok" in await ada.hear() for _ in range(100)])


async def test_binary_frames_close_with_1003(house):
    async with house.client("ada") as ada:
        await ada.websocket.send_message(b'{"id": 1, "do": "ping"}')
        assert (await ada.end())[0] == 1003


@pytest.mark.parametrize("sent", ["x" * 65_537, "é" * 32_769, "x" * 2_000_000])
async def test_a_frame_that_is_too_big_closes_with_1009(house, sent):
    async with house.client("ada") as ada, trio.open_nursery() as nursery:
        nursery.start_soon(_send_all_the_same, ada, sent)
        assert (await ada.end())[0] == 1009


async def _send_all_the_same(client, sent):
    with contextlib.suppress(ConnectionClosed):
        await client.send(sent)


async def test_a_frame_as_big_as_may_be_is_read(house):
    async with house.client("ada") as ada:
        frame = '{"id": 7, "do": "ping", "with": {"x": "%s"}}'
        await ada.send(frame % ("x" * (65_536 - len(frame) + 2)))
        assert (await ada.hear())["error"]["code"] == "bad_input"


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (masked(b"\xff\xfe"), 1007),
        (masked(b'{"do":"ping"}', mask=False), 1002),
        (masked(b"", 0x83), 1002),
        (masked(b"", 0xF1), 1002),
        (masked(b"x" * 126, 0x89), 1002),
        (masked(b"x", 0x80), 1002),
        (masked(b"\x00", 0x88), 1002),
    ],
)
async def test_what_is_no_websocket_frame_closes_with_its_code(house, sent, code):
    async with await house.raw_websocket("ada") as stream:
        await stream.send_all(sent)
        with trio.fail_after(5):
            data = b""
            while more := await stream.receive_some():
                data += more
        kind, payload = frames_in(data)[-1]
        assert (kind, int.from_bytes(payload[:2], "big")) == (0x88, code)
    async with house.client("ada") as ada:
        assert await ada.get("ping")


async def test_whoever_talks_on_after_the_end_breaks_nothing(house, caplog):
    caplog.set_level(logging.INFO)
    async with await house.raw_websocket("ada") as stream:
        close = masked(b"\x03\xe8", 0x88)
        await stream.send_all(close + masked(b"x", 0x89) + close + masked(b'{"do":"ping"}'))
        with trio.fail_after(5):
            try:
                while await stream.receive_some():
                    pass
            except trio.BrokenResourceError:
                pass
    async with house.client("ada") as ada:
        assert await ada.get("ping")
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


# -- what goes wrong on our side ------------------------------------------------------------------


class Broken:
    """A runner that gives what it is told to."""

    def __init__(self, outcome):
        self.outcome = outcome

    async def run(self, call):
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@pytest.mark.parametrize("outcome", [Outcome(fault=ValueError("secret")), KeyError("secret")])
async def test_a_bug_is_told_by_an_id_that_is_in_the_log_and_nothing_else(town, caplog, outcome):
    async with opened(town, runner=Broken(outcome)) as house, house.client("ada") as ada:
        answer = await ada.ask("people.me")
        assert answer["error"]["code"] == "fault"
        assert "secret" not in json.dumps(answer)
        assert answer["error"]["params"]["error_id"] in caplog.text
        assert await ada.get("ping")


async def test_a_bug_outside_of_any_frame_ends_one_connection_with_1011(house, monkeypatch, caplog):
    async with house.client("ada") as ada:
        token = house.token("bob")
        authenticate = house.town.engine.authenticate
        monkeypatch.setattr(house.town.engine, "authenticate", lambda *_, **__: 1 / 0)
        header = [(b"Authorization", f"Bearer {token}".encode())]
        async with house.nameless(extra_headers=header) as bob:
            assert (await bob.end())[0] == 1011
        assert "ZeroDivisionError" in caplog.text
        monkeypatch.setattr(house.town.engine, "authenticate", authenticate)
        assert await ada.get("ping")


async def test_a_writer_that_is_away_is_told_with_when_to_try_again(town):
    runner = Broken(Outcome(refusal=Unavailable(retry_after=2)))
    async with opened(town, runner=runner) as house, house.client("ada") as ada:
        answer = await ada.ask("people.me")
        assert answer["error"]["code"] == "unavailable"
        assert answer["error"]["params"] == {"retry_after": 2}


class Slow(InlineRunner):
    """A runner that waits until it is told to go on."""

    def __init__(self, engine):
        super().__init__(engine)
        self.go = trio.Event()

    async def run(self, call):
        if call.message.spec.wire == "people.me":
            await self.go.wait()
        return await super().run(call)


async def test_a_slow_query_holds_back_no_delivery(town):
    runner = Slow(town.engine)
    async with (
        opened(town, runner=runner) as house,
        house.client("ada") as ada,
        house.client("bob") as bob,
    ):
        room = await ada.get("rooms.open", name="Library")
        stream = f"room:{room['id']}"
        await ada.get("subscribe", stream=stream)
        await ada.send({"id": 98, "do": "people.me"})
        await ada.send({"id": 99, "do": "ping"})
        await bob.get("rooms.join", room_id=room["id"])
        told = [each["type"] for each in await ada.events(2)]
        assert told == ["rooms.joined", "presence.entered"]
        runner.go.set()
        assert [(await ada.hear())["id"] for _ in range(2)] == [98, 99]


async def test_whoever_goes_on_although_it_is_too_often_is_closed_with_4429(town):
    settings = attrs.evolve(QUICK, frames_per_second=0.01, frame_burst=5)
    async with opened(town, settings) as house, house.client("ada") as ada:
        for frame in ['{"do": "ping"}', "{"] * 6:
            await ada.send(frame)
        assert (await ada.end())[0] == 4429
        codes = [told["error"]["code"] for told in ada.told if "error" in told]
        assert codes == ["malformed", "malformed"] + 6 * ["too_often"]


async def test_whoever_pings_without_end_is_closed_with_4429_signed_in_or_not(town):
    settings = attrs.evolve(QUICK, frames_per_second=0.01, frame_burst=5)
    async with opened(town, settings) as house:
        for name in (None, "ada"):
            async with await house.raw_websocket(name) as stream:
                await stream.send_all(20 * masked(b"x", 0x89))
                told = frames_in(await everything(stream))
            *pongs, (last, payload) = told
            assert pongs == 5 * [(0x8A, b"x")]
            assert (last, payload[:2]) == (0x88, (4429).to_bytes(2, "big"))


async def test_pings_of_a_client_are_counted_with_its_other_frames(town):
    settings = attrs.evolve(QUICK, frames_per_second=0.01, frame_burst=5)
    async with opened(town, settings) as house, house.client("ada") as ada:
        for _ in range(3):
            await ada.websocket.ping()
        await ada.get("ping")
        assert await ada.code("ping") == "too_often"
