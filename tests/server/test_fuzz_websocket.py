"""Mutated frames: whatever is sent, no fault, no closed door, and what is refused changes nothing.

`FOCUSMATE_SEED=7` repeats what a run printed.
"""

from __future__ import annotations

import json
import logging
import os
import random
from collections import Counter
from copy import deepcopy
from datetime import timedelta

import hypothesis
import pytest
import trio
from trio_websocket import ConnectionClosed

from focusmate_core.features import BUNDLED
from focusmate_core.messages import Access
from focusmate_core.registry import Registry
from focusmate_core.testing.memory import MemoryStorage
from focusmate_core.testing.strategies import data, faults
from focusmate_trio import DoorSettings
from focusmate_trio.asking import Ping, SignInHere, Subscribe, Unsubscribe
from focusmate_trio.frames import CLOSE_CODES
from tests.adapters.trio.kit import connected, everything, frames_in, handshake, masked, opened
from tests.features.town import Town

REGISTRY = Registry(BUNDLED)
OWN = {"sign_in": SignInHere, "subscribe": Subscribe, "unsubscribe": Unsubscribe, "ping": Ping}
OFFERED = OWN | {
    wire: message
    for wire, message in REGISTRY.messages.items()
    if message.spec.access is not Access.SYSTEM
}
LEAVING = {w for w in OFFERED if w not in OWN and OFFERED[w].spec.leaves}
"""Whose refusals leave a trace, and say so."""
TOLERANT = DoorSettings(
    closing_within=timedelta(seconds=0.5),
    commands_per_second=1e6,
    command_burst=1_000_000,
    frames_per_second=1e6,
    frame_burst=1_000_000,
    reading_threads=0,
)
A_TOWN = 250
"""After so many frames another town is taken, so that none grows without end."""
ODD = [
    *(None, True, 0, -1, 7, 1.5, 2**53, 2**63, 10**400, 1e308, "", " ", "\x00", "a" * 70_000),
    *("room:", "public", "user:me", "PT25M", "2026-01-05T09:00:00Z", "\u202e", "🍅" * 3000, [], {}),
    *([[]], {"": {}}, [None] * 1000, {"__class__": "x"}, {"id": 1, "do": "ping"}),
]
TEXTS = ["NaN", "-Infinity", "1e999", "\\ud800", '"', "{", "]", ",", "\x00", "\ufeff", "\\u00", "é"]


def drawn(cls, seed):
    """A few right data of a message."""
    made = []

    @hypothesis.seed(seed)
    @hypothesis.settings(max_examples=5, database=None, phases=[hypothesis.Phase.generate])
    @hypothesis.given(data(cls))
    def gather(right):
        made.append(right)

    gather()
    return made


def pool(seed):
    """Right and wrong data of every message the door takes."""
    made = []
    for wire, cls in OFFERED.items():
        right = drawn(cls, seed)
        wrong = [fault(right[-1]).data for fault in faults(cls)]
        made += [(wire, given) for given in [*right * 4, *wrong]]
    return made


class Mutator:
    """Breaks right frames in as many ways as there are levels on which a frame is read."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.pool = pool(seed)

    def frame(self):
        wire, given = self.chance.choice(self.pool)
        frame = {"id": self.chance.randrange(100), "do": wire, "with": given}
        return frame | ({"key": self.chance.choice(["k", "", 7, "é"])} if self.often(0.1) else {})

    def often(self, part):
        return self.chance.random() < part

    # -- values -----------------------------------------------------------------------------------

    def values(self):
        frame = json.loads(json.dumps(self.frame()))
        for _ in range(self.chance.randrange(3)):
            self._change(frame)
        return json.dumps(frame)

    def _change(self, told):
        while told:
            places = list(told) if isinstance(told, dict) else range(len(told))
            place = self.chance.choice(list(places))
            if isinstance(told[place], dict | list) and told[place] and self.often(0.7):
                told = told[place]
                continue
            if self.often(0.2) and isinstance(told, dict):
                del told[place]
            elif self.often(0.2) and isinstance(told, dict):
                told[self.chance.choice(["", "id", "with", "x" * 200])] = deepcopy(told[place])
            else:
                told[place] = deepcopy(self.chance.choice(ODD))
            return

    # -- text -------------------------------------------------------------------------------------

    def text(self):
        text = self.values() if self.often(0.5) else json.dumps(self.frame())
        at = self.chance.randrange(len(text) + 1)
        way = self.chance.randrange(6)
        if way == 0:
            return text[:at]
        if way == 1:
            return text[:at] + self.chance.choice(TEXTS) + text[at:]
        if way == 2:
            return text[:at] + text[at + self.chance.randrange(1, 9) :]
        if way == 3:
            return '{"do": "ping", ' + text[1:]
        if way == 4:
            deep = self.chance.choice([31, 33, 1000, 20_000])
            return '{"do": "ping", "with": ' + "[" * deep + "]" * deep + "}"
        return self.chance.choice(['{"with": ', '{"id": ', "", "  "]) + self.chance.choice(TEXTS)

    # -- bytes ------------------------------------------------------------------------------------

    def raw(self):
        """Bytes after a good handshake."""
        return b"".join(self._raw_frame() for _ in range(self.chance.randrange(1, 4)))

    def _raw_frame(self):
        payload = self.text().encode("utf-8", "surrogatepass")[:66_000]
        pick = self.chance.choice
        code = pick([0, 999, 1000, 1005, 1006, 2999, 4401, 5000]).to_bytes(2, "big")
        ways = [
            lambda: masked(payload, self.chance.randrange(256)),
            lambda: masked(payload, mask=False),
            lambda: masked(payload, 0x01) + masked(payload, pick([0x80, 0x00, 0x81])),
            lambda: masked(payload[:200], pick([0x88, 0x89, 0x8A, 0x08])),
            lambda: masked(code + payload[:90], 0x88),
            lambda: masked(b"\xff\xfe" + payload[:50]),
            lambda: self.flipped(masked(payload)),
            lambda: self.chance.randbytes(self.chance.randrange(1, 200)),
            lambda: masked(payload)[: self.chance.randrange(1, 30)],
        ]
        return pick(ways)()

    def flipped(self, sent):
        made = bytearray(sent)
        for _ in range(self.chance.randrange(1, 4)):
            made[self.chance.randrange(min(len(made), 40))] = self.chance.randrange(256)
        return bytes(made)

    def opening(self):
        """Bytes instead of a good handshake."""
        good = handshake(
            self.chance.choice(["", "Authorization: Bearer x\r\n", "Origin: null\r\n"])
        )
        way = self.chance.randrange(4)
        if way == 0:
            return self.flipped(good)
        if way == 1:
            return self.chance.randbytes(self.chance.randrange(1, 300))
        if way == 2:
            return good[: self.chance.randrange(len(good))] + self.chance.randbytes(5)
        return good + self._raw_frame()


class Storm:
    """Sends to a house, and looks after each whether the laws still hold."""

    def __init__(self, house, mutator, seen):
        self.house = house
        self.mutator = mutator
        self.seen = seen
        self.people = 0

    def stored(self):
        return self.house.town.storage.fingerprint()

    def newcomer(self):
        self.people += 1
        return self.house.token(f"eve{self.people}")

    async def frames(self, many):
        """So many text frames, each on a connection that is closed only with a code that may be."""
        left = many
        while left:
            signed_in = self.mutator.often(0.9)
            async with connected(self.house.port) as client:
                if signed_in:
                    await client.get("sign_in", token=self.newcomer())
                left -= await self._talk(client, left)

    async def _talk(self, client, most):
        for count in range(1, most + 1):
            text = self.mutator.values() if self.mutator.often(0.5) else self.mutator.text()
            before = self.stored()
            try:
                await client.send(text)
                while "id" not in (told := await client.hear()):
                    """An event."""
            except ConnectionClosed as closed:
                self.look_at_end(closed.reason.code, text)
                return count
            self.look(told, text)
            if "error" in told and not any(wire in text for wire in LEAVING):
                assert self.stored() == before, text
        return most

    def look(self, told, sent):
        assert told.get("error", {}).get("code") != "fault", (sent, told)
        self.seen["ok" if "ok" in told else told["error"]["code"]] += 1

    def look_at_end(self, code, sent):
        assert code in CLOSE_CODES, (sent, code)
        self.seen[f"closed {code}"] += 1

    async def bytes(self):
        """Bytes that are no good WebSocket, until the door hangs up."""
        sent, token = self.mutator.raw(), self.newcomer()
        stream = await self.house.raw()
        async with stream:
            await stream.send_all(handshake(f"Authorization: Bearer {token}\r\n"))
            head = b""
            while b"\r\n\r\n" not in head:
                head += await stream.receive_some(1)
            before, is_refused = self.stored(), True
            for first, payload in frames_in(await self._answer(stream, sent)):
                if first == 0x81 and "id" in (told := json.loads(payload)):
                    self.look(told, sent)
                    is_refused = is_refused and "ok" not in told
                elif first == 0x88 and payload:
                    code = int.from_bytes(payload[:2], "big")
                    # What the client closes with is said back.
                    assert code in CLOSE_CODES or payload[:2] in unmasked(sent), (sent, code)
                    self.seen[f"closed {code}"] += 1
            if is_refused and not any(wire.encode() in unmasked(sent) for wire in LEAVING):
                assert self.stored() == before, sent

    async def opening(self):
        sent = self.mutator.opening()
        async with await self.house.raw() as stream:
            answer = await self._answer(stream, sent)
        assert answer == b"" or answer[:12] in {
            *(b"HTTP/1.1 101", b"HTTP/1.1 200", b"HTTP/1.1 400", b"HTTP/1.1 404", b"HTTP/1.1 426")
        }, (sent, answer)
        self.seen[answer[:12].decode() or "dropped"] += 1

    async def _answer(self, stream, sent):
        try:
            await stream.send_all(sent)
            await stream.send_eof()
        except trio.BrokenResourceError:
            """It had enough."""
        return await everything(stream)


def unmasked(sent):
    """What the bytes may say, masked by our mask or not at all, at any offset of it."""
    keys = [b"maskmask"[n : n + 4] for n in range(4)]
    return b"|".join([sent, *(_xor(sent, key) for key in keys)])


def _xor(sent, key):
    return bytes(byte ^ key[at % 4] for at, byte in enumerate(sent))


async def hurt(many, seed):
    """So many mutated frames; how often what was told."""
    mutator, seen = Mutator(seed), Counter()
    for _ in range(0, many, A_TOWN):
        async with opened(Town(MemoryStorage()), TOLERANT) as house, house.client("ada") as ada:
            storm = Storm(house, mutator, seen)
            await storm.frames(A_TOWN * 8 // 10)
            for _ in range(A_TOWN // 10):
                await storm.bytes()
                await storm.opening()
            assert await ada.get("ping")
            assert (await ada.get("people.me"))["username"] == "ada"
    return seen


def nothing_is_logged(caplog):
    return [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_mutated_frames_hurt_nobody(caplog):
    seen = await hurt(A_TOWN, 7)
    assert nothing_is_logged(caplog)
    assert {"bad_input", "malformed"} <= seen.keys()


@pytest.mark.torture
@pytest.mark.timeout(3600)
async def test_ten_thousand_mutated_frames_hurt_nobody(caplog):
    seed = int(os.environ.get("FOCUSMATE_SEED") or random.SystemRandom().randrange(2**32))
    print(f"FOCUSMATE_SEED={seed}")  # noqa: T201  what repeats it
    seen = await hurt(10_000, seed)
    print(sum(seen.values()), dict(seen.most_common()))  # noqa: T201
    assert nothing_is_logged(caplog)
