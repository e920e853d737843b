"""Vouching: of all connections it is told when each was heard last, in one message, in time."""

from __future__ import annotations

from datetime import timedelta

import attrs
import pytest
import trio

from focusmate_core import Call, Outcome
from focusmate_core.features.presence import Presence, PresencePolicy, Status
from focusmate_core.features.signs import RenewPresence
from focusmate_core.messages import SYSTEM, Origin
from focusmate_core.refusals import AnswerLost, BadInput, Unavailable
from focusmate_core.testing.memory import MemoryStorage
from focusmate_core.testing.runner import InlineRunner
from focusmate_trio import DoorSettings
from focusmate_trio.vouching import LAST_WITHIN, SOON, TOGETHER, Vouching
from tests.adapters.trio.kit import PATIENCE, QUICK, opened
from tests.features.town import Town

TURN = timedelta(seconds=20)
EVERY = DoorSettings(renew_every=TURN)
FIRST_TURN = 22.5
LEASE = timedelta(seconds=60)


class Recorder:
    """A runner that keeps what was told, and when, and answers as it is made to."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.at: list[float] = []
        self.outcomes: list[Outcome | Exception] = []
        self.hangs = False

    async def run(self, call: Call) -> Outcome:
        self.calls.append(call)
        self.at.append(trio.current_time())
        if self.hangs:
            await trio.sleep_forever()
        outcome = self.outcomes.pop(0) if self.outcomes else Outcome()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    @property
    def told(self) -> list[list[tuple[str, str, float]]]:
        """Person, connection and seconds of quiet, a list a message."""
        return [
            [(h.person_id, h.connection, h.quiet.total_seconds()) for h in call.message.heard]
            for call in self.calls
        ]


class Line:
    """A wire that was heard now, and is heard no more unless it is said."""

    def __init__(self) -> None:
        self.heard_at = trio.current_time()


@pytest.fixture
def runner():
    return Recorder()


@pytest.fixture
async def vouching(runner, nursery, autojump_clock):
    vouching = Vouching(runner, EVERY)
    nursery.start_soon(vouching.live)
    await trio.testing.wait_all_tasks_blocked()
    return vouching


async def until(seconds: float) -> None:
    await trio.sleep_until(seconds + 0.001)


async def test_a_turn_tells_of_all_connections_in_one_message(vouching, runner, autojump_clock):
    lines = [Line(), Line(), Line()]
    for number, person in enumerate(["ben", "ada", "ada"]):
        vouching.came(str(number), person, lines[number])
    await trio.sleep(10)
    lines[0].heard_at = trio.current_time()
    await until(FIRST_TURN)
    assert runner.at == pytest.approx([SOON, FIRST_TURN])
    assert runner.told == [
        [("ada", "1", SOON), ("ada", "2", SOON), ("ben", "0", SOON)],
        [("ada", "1", FIRST_TURN), ("ada", "2", FIRST_TURN), ("ben", "0", FIRST_TURN - 10)],
    ]
    assert {(call.actor, call.origin) for call in runner.calls} == {(SYSTEM, Origin("websocket"))}


async def test_turns_come_for_ever_and_do_not_drift(vouching, runner, autojump_clock):
    vouching.came("1", "ada", Line())
    await until(FIRST_TURN + 100 * 20)
    assert runner.at[1:] == pytest.approx([FIRST_TURN + turn * 20 for turn in range(101)])


async def test_while_nobody_is_connected_nothing_is_told(vouching, runner, autojump_clock):
    await until(10_000)
    assert runner.calls == []


async def test_under_no_lease_nothing_is_told(runner, autojump_clock):
    vouching = Vouching(runner, DoorSettings())
    vouching.came("1", "ada", Line())
    with trio.fail_after(1):
        await vouching.live()
    vouching.went("1")
    await vouching.finish()
    assert runner.calls == []


async def test_who_goes_is_told_of_once_more_within_a_second_and_then_no_more(
    vouching, runner, autojump_clock
):
    vouching.came("1", "ada", Line())
    await trio.sleep(12)
    vouching.went("1")
    vouching.went("1")
    await until(1000)
    assert runner.at[1:] == pytest.approx([12 + SOON])
    assert runner.told[1] == [("ada", "1", 12 + SOON)]


async def test_who_comes_and_goes_at_the_same_time_is_told_of_in_one_message(
    vouching, runner, autojump_clock
):
    for number in range(10):
        vouching.came(str(number), f"person {number}", Line())
        await trio.sleep(SOON / 20)
    vouching.went("0")
    await until(1)
    assert [len(told) for told in runner.told] == [10]


async def test_who_comes_just_before_a_turn_is_told_of_at_it(vouching, runner, autojump_clock):
    await trio.sleep(FIRST_TURN - SOON / 2)
    vouching.came("1", "ada", Line())
    await until(FIRST_TURN + 10)
    assert runner.at == pytest.approx([FIRST_TURN])


async def test_many_are_told_of_in_messages_for_which_nobody_waits_long(
    vouching, runner, autojump_clock
):
    for number in range(2 * TOGETHER + 1):
        vouching.came(str(number), f"person {number}", Line())
    await until(1)
    assert [len(told) for told in runner.told] == [TOGETHER, TOGETHER, 1]
    assert (
        len({connection for told in runner.told for _, connection, _ in told}) == 2 * TOGETHER + 1
    )


async def test_what_would_not_be_taken_is_not_told_and_keeps_nobody_else_from_it(
    vouching, runner, autojump_clock
):
    vouching.came("1", "ada", Line())
    vouching.came("2", "ben", late := Line())
    vouching.came("3", "x" * 201, Line())
    await trio.sleep(3590)
    assert [person for person, *_ in runner.told[-1]] == ["ada", "ben"]
    late.heard_at = trio.current_time()
    await trio.sleep(40)
    assert [person for person, *_ in runner.told[-1]] == ["ben"]


# -- when it cannot be told -----------------------------------------------------------------------


@pytest.mark.parametrize("away", [Unavailable(retry_after=1), AnswerLost()])
async def test_while_nobody_takes_it_everything_is_told_again_soon(
    vouching, runner, autojump_clock, away, caplog
):
    caplog.set_level("INFO")
    vouching.came("1", "ada", Line())
    vouching.came("2", "ben", Line())
    await until(SOON)
    vouching.went("2")
    runner.outcomes = [Outcome(refusal=away)] * 5
    await until(50)
    assert runner.at[1:7] == pytest.approx([SOON + turn * SOON for turn in range(1, 7)], abs=0.01)
    people = [[person for person, *_ in told] for told in runner.told]
    assert people == [["ada", "ben"]] + 6 * [["ben"]] + 2 * [["ada"]]
    assert runner.told[6] == [("ben", "2", pytest.approx(7 * SOON, abs=0.01))]
    said = [record.levelname for record in caplog.records]
    assert said == ["WARNING", "INFO"]


async def test_a_turn_that_failed_is_told_again_as_a_whole(vouching, runner, autojump_clock):
    for number in range(TOGETHER + 5):
        vouching.came(str(number), f"person {number:03}", Line())
    await until(20)
    runner.outcomes = [Outcome(), Outcome(refusal=Unavailable(retry_after=1))]
    await until(FIRST_TURN + 1)
    assert [len(told) for told in runner.told] == [TOGETHER, 5, TOGETHER, 5, 5]


@pytest.mark.parametrize(
    "failed",
    [Outcome(fault=KeyError("x")), Outcome(refusal=BadInput.of("heard", "no")), OSError("gone")],
)
async def test_a_fault_costs_no_neighbour_is_logged_once_and_told_again_at_the_next_turn(
    vouching, runner, autojump_clock, failed, caplog
):
    for number in range(TOGETHER + 5):
        vouching.came(str(number), f"person {number:03}", Line())
    vouching.went("0")
    runner.outcomes = [failed, failed]
    await until(FIRST_TURN)
    # A part in vain is told one by one, and holds up no other.
    alone = [1] * TOGETHER
    assert [len(told) for told in runner.told] == [TOGETHER, *alone, 5, TOGETHER, 5]
    assert runner.told[TOGETHER + 2][0][:2] == ("person 000", "0")
    await until(FIRST_TURN + 20)
    assert [len(told) for told in runner.told[TOGETHER + 4 :]] == [TOGETHER, 4]
    assert len([each for each in caplog.records if each.levelname == "WARNING"]) == 1


async def test_the_end_is_told_even_if_a_message_was_on_its_way(runner, autojump_clock):
    vouching = Vouching(runner, EVERY)
    runner.hangs = True
    with trio.move_on_after(1):
        vouching.came("1", "ada", Line())
        await vouching.live()
    vouching.went("1")
    runner.hangs = False
    with trio.move_on_after(0):
        await vouching.finish()
    assert [[person for person, *_ in told] for told in runner.told] == [["ada"], ["ada"]]


async def test_the_end_waits_no_longer_than_it_is_given(runner, autojump_clock):
    vouching = Vouching(runner, EVERY)
    vouching.came("1", "ada", Line())
    runner.hangs = True
    began = trio.current_time()
    await vouching.finish()
    assert trio.current_time() - began == pytest.approx(LAST_WITHIN)


# -- over sockets ---------------------------------------------------------------------------------


class LeasedTown(Town):
    """A town in which who is not heard for a minute is gone."""

    def _engine(self):
        engine = super()._engine()
        engine.ports[PresencePolicy] = PresencePolicy(lease=LEASE)
        return engine


class Overheard(InlineRunner):
    """A runner that carries out everything, and keeps the renewals."""

    def __init__(self, engine) -> None:
        super().__init__(engine)
        self.renewals: list[RenewPresence] = []
        self.origins: list[Origin] = []

    async def run(self, call):
        outcome = await super().run(call)
        if isinstance(call.message, RenewPresence):
            assert outcome.result() is None
            self.renewals.append(call.message)
        else:
            self.origins.append(call.origin)
        return outcome


OFTEN = attrs.evolve(QUICK, renew_every=timedelta(seconds=0.2))
RARELY = attrs.evolve(QUICK, renew_every=timedelta(hours=1))


@pytest.fixture
def leased():
    return LeasedTown(MemoryStorage())


def here(town, person):
    with town.storage.read() as reader:
        return reader.get(Presence, person.id)


async def come_true(condition):
    with trio.fail_after(PATIENCE):
        while not condition():  # noqa: ASYNC110  it is true of a storage, which tells nobody
            await trio.sleep(0.01)


async def test_all_who_are_signed_in_are_renewed_in_one_message(leased):
    runner = Overheard(leased.engine)
    async with (
        opened(leased, OFTEN, runner) as house,
        house.client("ada"),
        house.client("ada"),
        house.client("ben"),
        house.nameless(),
    ):
        await come_true(lambda: runner.renewals and len(runner.renewals[-1].heard) == 3)
        before = len(runner.renewals)
        await come_true(lambda: len(runner.renewals) > before + 2)
        connections = {tuple(h.connection for h in each.heard) for each in runner.renewals[before:]}
        assert {len(set(each)) for each in connections} == {3}


async def test_what_is_asked_for_bears_the_connection_under_which_it_is_renewed(leased):
    runner = Overheard(leased.engine)
    async with (
        opened(leased, RARELY, runner) as house,
        house.client("ada") as one,
        house.client("ada") as two,
    ):
        for each in (one, two, one):
            await each.get("people.me")
        await come_true(lambda: sum(len(each.heard) for each in runner.renewals) == 2)
    first, second, again = runner.origins
    assert first == again != second
    assert {(each.door, each.address) for each in runner.origins} == {("websocket", "127.0.0.1")}
    renewed = {each.connection for told in runner.renewals for each in told.heard}
    assert renewed == {first.connection, second.connection}


async def test_whoever_is_connected_stays_present_although_nothing_is_said(leased):
    ada = leased.person("ada")
    leased.open_room(ada)
    async with opened(leased, OFTEN) as house, house.client("ada"):
        for _ in range(4):
            leased.clock.advance(seconds=40)
            now = leased.clock.now()
            await come_true(lambda now=now: here(leased, ada).until >= now - timedelta(seconds=30))
        leased.engine.run_due()
        assert here(leased, ada).since == now - timedelta(seconds=160)


async def test_a_person_is_idle_when_all_connections_say_so(leased):
    ada = leased.person("ada")
    leased.open_room(ada)
    leased.clock.advance(seconds=29)
    async with (
        opened(leased, OFTEN) as house,
        house.client("ada") as one,
        house.client("ada") as two,
    ):
        await come_true(lambda: len(here(leased, ada).signs) == 3)
        assert (await one.get("presence.report", is_idle=True))["status"] == "active"
        # Of where she opened the room there was no sign for half a lease.
        leased.clock.advance(seconds=2)
        assert (await two.get("presence.report", is_idle=True))["status"] == "idle"
        seen = here(leased, ada).until
        leased.clock.advance(seconds=5)
        await come_true(lambda: here(leased, ada).until > seen)
        assert here(leased, ada).status is Status.IDLE
        assert (await one.get("presence.report", is_idle=False))["status"] == "active"


async def test_a_connection_that_ends_is_told_of_once_more(leased):
    runner = Overheard(leased.engine)
    async with opened(leased, RARELY, runner) as house:
        async with house.client("ada"):
            await come_true(lambda: len(runner.renewals) == 1)
        await come_true(lambda: len(runner.renewals) == 2)
    first, last = (each.heard for each in runner.renewals)
    assert [each.connection for each in first] == [each.connection for each in last]


async def test_a_door_that_ends_tells_last_when_everybody_was_heard(leased):
    runner = Overheard(leased.engine)
    async with opened(leased, RARELY, runner) as house, house.client("ada") as ada:
        await come_true(lambda: len(runner.renewals) == 1)
        house.stop()
        await ada.end()
    assert len(runner.renewals) == 2
    assert [each.connection for each in runner.renewals[1].heard] == [
        each.connection for each in runner.renewals[0].heard
    ]


async def test_a_peer_that_resets_the_connection_was_heard_doing_so(leased, monkeypatch):
    runner = Overheard(leased.engine)
    async with opened(leased, RARELY, runner) as house:
        ada = await house.raw_websocket("ada")
        await come_true(lambda: len(runner.renewals) == 1)
        await trio.sleep(1)
        # With a linger of nothing the kernel resets instead of saying goodbye.
        ada.socket.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, RESET)
        ada.socket.close()
        await come_true(lambda: len(runner.renewals) == 2)
    (last,) = runner.renewals[1].heard
    assert last.quiet < timedelta(seconds=1)


RESET = b"\x01\x00\x00\x00\x00\x00\x00\x00"


async def test_pings_are_as_frequent_as_renewals_need(leased):
    seldom = attrs.evolve(OFTEN, ping_every=timedelta(hours=1))
    async with opened(leased, seldom) as house:
        stream = await house.raw_websocket("ada")
        data = b""
        with trio.fail_after(PATIENCE):
            while data.count(b"\x89\x00") < 2:
                data += await stream.receive_some()
        await stream.aclose()


@pytest.mark.parametrize(("renew", "pings"), [(None, 20), (0, 20), (60, 20), (10, 10)])
def test_a_door_that_renews_pings_at_least_as_often(renew, pings):
    every = None if renew is None else timedelta(seconds=renew)
    assert DoorSettings(renew_every=every).pings_every == timedelta(seconds=pings)


async def test_who_went_long_ago_is_forgotten_while_nobody_takes_it(
    vouching, runner, autojump_clock
):
    runner.outcomes = [Outcome(refusal=Unavailable(retry_after=1))] * 1000
    vouching.came("here", "ada", Line())
    for number in range(10):
        vouching.came(str(number), "ben", Line())
        vouching.went(str(number))
    await until(TURN.total_seconds() * 4)
    runner.outcomes.clear()
    await until(TURN.total_seconds() * 5)
    assert {person for person, *_ in runner.told[-1]} == {"ada"}
