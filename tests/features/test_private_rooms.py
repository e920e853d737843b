"""Private rooms: for who is not in one it is not there, whatever they ask, and however closely."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from focusmate_core import Actor, Call, Refusal
from focusmate_core.features import BUNDLED
from focusmate_core.features.bans import Ban
from focusmate_core.features.directory import MyRooms, PreviewRoom, PublicRooms
from focusmate_core.features.moderation import BanPerson
from focusmate_core.features.plans import Plan
from focusmate_core.features.presence import PresencePolicy
from focusmate_core.features.profiles import SearchPeople
from focusmate_core.features.room_changes import UpdateRoom
from focusmate_core.features.rooms import CloseRoom, Room, RoomById, Seat
from focusmate_core.features.seats import JoinRoom, LeaveRoom, RoomMembers
from focusmate_core.features.signs import EnterRoom
from focusmate_core.features.timer_control import StartTimer
from focusmate_core.registry import Registry
from focusmate_core.testing import strategies
from focusmate_core.testing.memory import MemoryStorage
from tests.features.town import Town

UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"
ABOUT_A_ROOM = sorted(
    (
        cls
        for cls in Registry(BUNDLED).messages.values()
        if "room_id" in attrs.fields_dict(cls)
        or any(kind == "room" for kind, _ in cls.spec.touches)
    ),
    key=lambda cls: cls.spec.wire,
)


class Overheard:
    """A unit of work, or a view, of a storage; what is asked of it is noted."""

    def __init__(self, unit, trace):
        self._unit = unit
        self._trace = trace

    def __getattr__(self, verb):
        asked = getattr(self._unit, verb)
        if not callable(asked):
            return asked

        def ask(*given, **more):
            self._trace.append((verb, repr(given), repr(more)))
            return asked(*given, **more)

        return ask


class OverheardStorage(MemoryStorage):
    """A storage in memory that can tell what was asked of it."""

    def __init__(self):
        super().__init__()
        self.trace = []

    @contextmanager
    def read(self):
        with super().read() as reader:
            self.trace.append("read")
            yield Overheard(reader, self.trace)

    @contextmanager
    def write(self):
        with super().write() as unit:
            self.trace.append("write")
            yield Overheard(unit, self.trace)


class Hidden:
    """A private room in which much is due, and has been for long: a timer, and who is silent."""

    def __init__(self, storage):
        self.town = town = Town(storage, settings=[PresencePolicy(lease=timedelta(minutes=1))])
        self.ada, self.bob, self.eve = (town.person(name) for name in ("ada", "bob", "eve"))
        plan = Plan(auto_start_breaks=True, auto_start_work=True)
        self.room = town.open_room(self.ada, plan=plan, name="Hideout")
        for who in (self.bob, self.eve):
            town.do(JoinRoom(room_id=self.room.id), who)
        town.do(StartTimer(room_id=self.room.id), self.ada)
        town.do(LeaveRoom(room_id=self.room.id), self.eve)
        town.do(UpdateRoom(room_id=self.room.id, is_public=False), self.ada)
        town.clock.advance(hours=5)

    def told(self, ask):
        """What whoever asks is told, and what it took to find that out."""
        trace = self.town.storage.trace
        trace.clear()
        try:
            answer = ask()
        except Refusal as refusal:
            answer = (type(refusal), str(refusal))
        return answer, list(trace)

    def as_unknown(self, told):
        """The same, as if it had been asked of the unknown room."""
        return instead(told, self.room.id, UNKNOWN)


def instead(told, before, after):
    """All of it, with one id in place of another."""
    if isinstance(told, str):
        return told.replace(before, after)
    if isinstance(told, (tuple, list)):
        return type(told)(instead(each, before, after) for each in told)
    return told


@pytest.fixture(scope="module")
def hidden():
    """What a stranger is refused leaves nothing, so one scene is enough for all of them."""
    return Hidden(OverheardStorage())


@pytest.mark.parametrize("cls", ABOUT_A_ROOM, ids=lambda cls: cls.spec.wire)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_stranger_is_told_the_same_and_at_the_same_cost_as_of_a_room_that_is_not(
    hidden, cls, data
):
    people = [hidden.ada.id, hidden.bob.id, hidden.eve.id]
    ids = st.just(hidden.room.id)
    fields = {"person_id": st.sampled_from(people)} if _names_somebody(cls) else {}
    ask = data.draw(strategies.instances(cls, room_id=ids, **fields))
    key = data.draw(st.sampled_from([None, "k"])) if not cls.spec.is_query else None
    run = hidden.town.engine.execute
    before = hidden.town.storage.fingerprint()
    here = hidden.told(lambda: run(ask, actor=hidden.eve, key=key))
    nowhere = hidden.told(lambda: run(ask.but(room_id=UNKNOWN), actor=hidden.eve, key=key))
    assert hidden.as_unknown(here[0]) == nowhere[0]
    assert hidden.as_unknown(here[1]) == nowhere[1]
    assert hidden.town.storage.fingerprint() == before
    assert issubclass(here[0][0], Refusal)


def _names_somebody(cls):
    return "person_id" in attrs.fields_dict(cls)


def test_what_is_due_in_it_stays_due(hidden):
    with hidden.town.storage.read() as reader:
        assert reader.next_due() < hidden.town.clock.now() - timedelta(hours=4)


@pytest.mark.parametrize("after", [None, 0, 1])
def test_its_stream_is_not_there_for_a_stranger(hidden, after):
    def watch(room_id):
        return hidden.told(
            lambda: hidden.town.engine.subscribe(f"room:{room_id}", actor=hidden.eve, after=after)
        )

    here = watch(hidden.room.id)
    assert hidden.as_unknown(here) == watch(UNKNOWN)
    assert here[0][0].code == "stream_not_found"
    assert not hidden.town.engine.may_watch(f"room:{hidden.room.id}", actor=hidden.eve)


def test_many_questions_at_once_tell_nothing_either(hidden):
    def ask(room_id):
        asked = [RoomById(room_id=room_id), RoomMembers(room_id=room_id), JoinRoom(room_id=room_id)]
        calls = [Call(each, hidden.eve) for each in asked]
        return hidden.told(lambda: [str(each.refusal) for each in hidden.town.engine.run(calls)])

    here = ask(hidden.room.id)
    assert hidden.as_unknown(here) == ask(UNKNOWN)
    assert {text.split(":")[0] for text in here[0]} == {"rooms.not_found"}


def test_it_is_in_no_list_and_in_no_search(hidden):
    town = hidden.town
    for who in (hidden.ada, hidden.bob, hidden.eve):
        for asked in (PublicRooms(with_count=True), PublicRooms(words="hideout", with_count=True)):
            page = town.do(asked, who)
            assert hidden.room.id not in {room.id for room in page.items}
            assert page.count == len(page.items)
    assert hidden.room.id not in {room.id for room in town.do(MyRooms(), hidden.eve).items}


def test_nobodys_profile_tells_where_they_are(hidden):
    for name in ("ada", "bob"):
        found = hidden.town.do(SearchPeople(words=name), hidden.eve)
        assert hidden.room.id not in str(found)


# -- who is in it ---------------------------------------------------------------------------------


@pytest.fixture
def den(town, ada):
    return town.open_room(ada, is_public=False)


def test_whoever_hosts_it_knows_of_it_and_nobody_else_hears_of_it(town, ada, bob, den):
    assert not den.is_public
    assert town.do(RoomById(room_id=den.id), ada) == den
    assert town.told("public") == []
    for ask in (RoomById, PreviewRoom, JoinRoom, LeaveRoom):
        assert town.code(ask(room_id=den.id), bob) == "rooms.not_found"
    town.do(CloseRoom(room_id=den.id), ada)
    assert town.told("public") == []


def test_an_admin_knows_of_it_and_a_moderator_of_the_community_does_not(town, den):
    codes = {}
    for role in ("moderator", "admin"):
        someone = Actor(id=town.somebody().id, roles=frozenset({role}))
        codes[role] = town.code(RoomById(room_id=den.id), someone)
    assert codes == {"moderator": "rooms.not_found", "admin": "ok"}


def test_whoever_sits_in_it_knows_of_it_until_they_leave(town, ada, bob, room):
    town.do(JoinRoom(room_id=room.id), bob)
    town.do(UpdateRoom(room_id=room.id, is_public=False), ada)
    for ask in (RoomById, PreviewRoom, RoomMembers, JoinRoom):
        assert town.code(ask(room_id=room.id), bob) == "ok"
    assert town.engine.may_watch(f"room:{room.id}", actor=bob)
    town.do(LeaveRoom(room_id=room.id), bob)
    for ask in (RoomById, JoinRoom, LeaveRoom):
        assert town.code(ask(room_id=room.id), bob) == "rooms.not_found"


def test_a_host_who_left_it_comes_back(town, ada, den):
    town.do(LeaveRoom(room_id=den.id), ada)
    assert town.do(JoinRoom(room_id=den.id), ada).seated == 1


def test_who_is_banned_from_it_does_not_know_of_it(town, ada, bob, room):
    town.do(JoinRoom(room_id=room.id), bob)
    town.do(UpdateRoom(room_id=room.id, is_public=False), ada)
    town.do(BanPerson(room_id=room.id, person_id=bob.id), ada)
    for ask in (RoomById, PreviewRoom, JoinRoom, LeaveRoom):
        assert town.code(ask(room_id=room.id), bob) == "rooms.not_found"
    with town.storage.read() as reader:
        assert reader.get(Ban, (room.id, bob.id)) is not None


# -- where several may write at once --------------------------------------------------------------


class Waiting:
    """A unit of work that has to wait for the lock of a room, while another one is carried out."""

    is_alone = False

    def __init__(self, unit, storage):
        self._unit = unit
        self._storage = storage

    def get(self, entity, key, *, hold=False):
        if hold and entity is Room and self._storage.meanwhile is not None:
            meanwhile, self._storage.meanwhile = self._storage.meanwhile, None
            meanwhile(self._unit)
        return self._unit.get(entity, key, hold=hold)

    def __getattr__(self, verb):
        return getattr(self._unit, verb)


class WaitingStorage(MemoryStorage):
    """A storage in memory as one of several writers would see another."""

    meanwhile = None

    @contextmanager
    def write(self):
        with super().write() as unit:
            yield Waiting(unit, self)


@pytest.mark.parametrize("ask", [JoinRoom, LeaveRoom, EnterRoom])
def test_who_is_removed_while_they_wait_for_the_room_is_a_stranger_by_then(ask):
    town = Town(WaitingStorage())
    ada, bob = town.somebody(), town.somebody()
    room = town.open_room(ada)
    town.do(JoinRoom(room_id=room.id), bob)
    town.do(UpdateRoom(room_id=room.id, is_public=False), ada)

    def remove(unit):
        unit.delete(Seat, (room.id, bob.id))
        unit.put(unit.get(Room, room.id).but(seated=1))

    town.storage.meanwhile = remove
    assert town.code(ask(room_id=room.id), bob) == "rooms.not_found"
    assert town.storage.meanwhile is None
