"""What the stream under a connection writes: whole frames in their order, within a bound."""

from __future__ import annotations

import socket
from contextlib import asynccontextmanager

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from focusmate_trio.frames import TOO_SLOW, close_frame, text_frame
from focusmate_trio.stream import Wire
from tests.adapters.trio.kit import frames_in

SMALL = 4096


@asynccontextmanager
async def wired(backlog=1 << 20):
    """A wire, and the other end of its socket, both with small buffers."""
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(False)  # noqa: FBT003
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
    async with trio.open_nursery() as nursery:
        wire = Wire(ours, backlog=backlog, spawn=nursery.start_soon)
        yield wire, trio.SocketStream(trio.socket.from_stdlib_socket(theirs))
        wire.drop()
        theirs.close()


async def taken(stream, size):
    data = b""
    with trio.fail_after(5):
        while len(data) < size:
            data += await stream.receive_some(size - len(data))
    return data


async def rest(stream):
    data = b""
    with trio.fail_after(5):
        while more := await stream.receive_some():
            data += more
    return data


async def test_a_frame_that_fits_leaves_at_once():
    async with wired() as (wire, peer):
        wire.push(b"one")
        wire.push(b"two")
        assert await taken(peer, 6) == b"onetwo"


STEPS = st.lists(
    st.tuples(st.sampled_from(["push", "answer", "send_all", "read"]), st.integers(1, 20_000)),
    max_size=25,
)


@given(STEPS)
@settings(max_examples=40)
def test_whatever_is_written_from_whichever_side_arrives_whole_and_in_order(steps):
    trio.run(_in_order, steps)


async def _in_order(steps):
    async with wired() as (wire, peer), trio.open_nursery() as nursery:
        written, read = b"", b""
        for number, (step, size) in enumerate(steps):
            frame = text_frame(bytes((number,)) * size)
            if step == "read":
                with trio.move_on_after(0):
                    read += await peer.receive_some(size)
                await trio.lowlevel.checkpoint()
                continue
            written += frame
            if step == "send_all":
                nursery.start_soon(wire.send_all, frame)
                await trio.testing.wait_all_tasks_blocked()
            else:
                getattr(wire, step)(frame)
        read += await taken(peer, len(written) - len(read))
        assert read == written


@given(st.lists(st.integers(1, 30_000), min_size=5, max_size=40), st.integers(20_000, 60_000))
def test_a_peer_that_is_too_slow_is_left_with_whole_frames_and_told_why(sizes, backlog):
    trio.run(_too_slow, sizes, backlog)


async def _too_slow(sizes, backlog):
    slow = []
    async with wired(backlog) as (wire, peer):
        wire.on_slow = lambda: slow.append(1)
        frames = [text_frame(bytes((number,)) * size) for number, size in enumerate(sizes)]
        for frame in frames:
            wire.push(frame)
        if not slow:
            assert await taken(peer, sum(map(len, frames))) == b"".join(frames)
            return
        assert wire.is_shut
        wire.push(b"dropped")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wire.linger)
            data = await rest(peer)
            await peer.aclose()
        assert slow == [1]
        seen = frames_in(data)
        assert sum(len(text_frame(payload)) for _, payload in seen) == len(data)
        assert int.from_bytes(seen[-1][1][:2], "big") == TOO_SLOW
        assert b"".join(frames).startswith(b"".join(text_frame(told) for _, told in seen[:-1]))


async def test_an_answer_of_any_length_is_no_slowness_and_events_may_follow_it():
    async with wired(backlog=10_000) as (wire, peer):
        wire.answer(b"a" * 500_000)
        wire.push(b"b" * 10_000)
        assert not wire.is_shut
        assert await taken(peer, 510_000) == b"a" * 500_000 + b"b" * 10_000
        await wire.wait_room(0)
        wire.push(b"c" * 200_000)
        wire.push(b"d" * 20_000)
        assert wire.is_shut


async def test_nothing_follows_a_close_frame_whoever_wrote_it():
    async with wired() as (wire, peer):
        wire.finish(close_frame(1012, "later"))
        wire.push(b"dropped")
        wire.answer(b"dropped")
        wire.finish(b"dropped")
        await wire.send_all(b"dropped")
        assert await taken(peer, len(close_frame(1012, "later"))) == close_frame(1012, "later")
        wire.drop()
        assert await rest(peer) == b""
    async with wired() as (wire, peer):
        await wire.send_all(close_frame(1000))
        wire.push(b"dropped")
        wire.drop()
        assert await rest(peer) == close_frame(1000)


async def test_the_answer_to_a_handshake_is_no_close_frame():
    async with wired() as (wire, _):
        await wire.send_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        assert not wire.is_shut


async def test_whoever_waits_for_room_goes_on_when_the_peer_reads_or_is_gone():
    async with wired() as (wire, peer):
        wire.push(b"x" * 300_000)
        with trio.move_on_after(0.05) as waited:
            await wire.wait_room()
        assert waited.cancelled_caught
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wire.wait_room)
            await taken(peer, 300_000)
        wire.push(b"x" * 300_000)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wire.wait_room)
            await trio.testing.wait_all_tasks_blocked()
            wire.drop()


async def test_a_dropped_wire_wakes_whoever_reads_and_says_so_to_whoever_writes():
    async with wired() as (wire, _):
        async with trio.open_nursery() as nursery:

            async def read():
                with pytest.raises(trio.ClosedResourceError):
                    await wire.receive_some()

            nursery.start_soon(read)
            await trio.testing.wait_all_tasks_blocked()
            wire.drop()
            wire.drop()
        with pytest.raises(trio.ClosedResourceError):
            await wire.send_all(b"x")
        wire.push(b"x")


async def test_a_peer_that_hung_up_is_noticed_by_the_next_frame():
    async with wired() as (wire, peer):
        ended = []
        wire.on_end = lambda: ended.append(1)
        await peer.aclose()
        wire.push(b"x")
        wire.push(b"x")
        assert wire.is_gone
        assert ended == [1]


async def test_what_was_unread_is_read_first():
    async with wired() as (wire, peer):
        await peer.send_all(b"later")
        wire.unread(b"first")
        assert [await wire.receive_some(), await wire.receive_some()] == [b"first", b"later"]


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_a_frame_built_by_hand_says_its_length(size):
    assert frames_in(text_frame(b"x" * size)) == [(0x81, b"x" * size)]


def test_the_reason_of_a_close_frame_is_cut_between_characters():
    ((_, payload),) = frames_in(close_frame(4408, "é" * 100))
    assert payload == (4408).to_bytes(2, "big") + ("é" * 61).encode()
