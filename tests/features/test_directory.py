"""The directory: the open rooms, listed and searched, page by page; one's own; a look into one."""

from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focusmate_core import ANONYMOUS, Actor, BadInput, Call
from focusmate_core.features.accounts import DeleteAccount
from focusmate_core.features.directory import MyRooms, PreviewRoom, PublicRooms, Standing
from focusmate_core.features.moderation import BanPerson
from focusmate_core.features.rooms import CloseRoom, OpenRoom, RoomById
from focusmate_core.features.seats import AppointModerator, JoinRoom, LeaveRoom
from focusmate_core.finding import matches
from focusmate_core.testing.memory import MemoryStorage
from focusmate_core.testing.strategies import values
from tests.features.test_private_rooms import OverheardStorage
from tests.features.town import PASSWORD, Town


def names(page):
    return [room.name for room in page.items]


def found(town, by, words):
    return names(town.do(PublicRooms(words=words), by))


def open_many(town, host, count, **more):
    asked = (OpenRoom(name=f"Room {number}", **more) for number in range(count))
    return [outcome.answer for outcome in town.engine.run([Call(ask, host) for ask in asked])]


def all_pages(town, by, meanwhile=lambda _: None, **asked):
    """The ids on all pages, each page as a list; something may happen after each page."""
    pages, cursor = [], None
    while True:
        page = town.do(PublicRooms(**asked, cursor=cursor), by)
        pages.append([room.id for room in page.items])
        if page.next_cursor is None:
            return pages
        cursor = page.next_cursor
        meanwhile(len(pages))


def test_the_newest_room_comes_first(town, ada):
    for name in ("first", "second", "third"):
        town.open_room(ada, name=name)
        town.clock.advance(seconds=1)
    assert names(town.do(PublicRooms(), ada)) == ["third", "second", "first"]


def test_only_open_rooms_are_listed_found_and_counted(town, ada):
    rooms = open_many(town, ada, 4)
    town.do(CloseRoom(room_id=rooms[1].id), ada)
    for asked in (PublicRooms(with_count=True), PublicRooms(words="room", with_count=True)):
        page = town.do(asked, ada)
        assert {room.id for room in page.items} == {rooms[n].id for n in (0, 2, 3)}
        assert page.count == 3


def test_a_listed_room_is_as_it_is_now(town, ada, bob, room):
    joined = town.do(JoinRoom(room_id=room.id), bob)
    assert town.do(PublicRooms(), ada).items == (joined,)


# -- pages -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [None, "room"])
@pytest.mark.parametrize("limit", [1, 7, 20, 100])
def test_the_pages_hold_every_room_once_in_one_order(town, ada, words, limit):
    rooms = open_many(town, ada, 20)
    pages = all_pages(town, ada, words=words, limit=limit)
    assert [*chain(*pages)] == [room.id for room in reversed(rooms)]
    assert all(len(page) == limit for page in pages[:-1])


@pytest.mark.parametrize("words", [None, "room"])
def test_pages_are_stable_while_rooms_open_and_close(town, ada, words):
    rooms = open_many(town, ada, 20)

    def meanwhile(page):
        town.clock.advance(seconds=1)
        town.open_room(ada, name=f"Room opened after page {page}")
        town.do(CloseRoom(room_id=rooms[page].id), ada)
        town.do(CloseRoom(room_id=rooms[-page].id), ada)

    seen = [*chain(*all_pages(town, ada, meanwhile, words=words, limit=3))]
    assert len(seen) == len(set(seen))
    stayed = {room.id for room in town.do(PublicRooms(limit=100), ada).items}
    assert stayed & {room.id for room in rooms} <= set(seen) <= {room.id for room in rooms}


def test_a_page_has_twenty_rooms_unless_asked_otherwise(town, ada):
    open_many(town, ada, 25)
    assert len(town.do(PublicRooms(), ada).items) == 20


def test_a_cursor_of_another_list_is_refused_by_its_field(town, ada):
    open_many(town, ada, 3)
    listed = town.do(PublicRooms(limit=1), ada).next_cursor
    searched = town.do(PublicRooms(limit=1, words="room"), ada).next_cursor
    wrong = [
        PublicRooms(cursor=searched),
        PublicRooms(cursor=listed, words="room"),
        PublicRooms(cursor="no cursor"),
        PublicRooms(cursor=listed[:-2]),
    ]
    for asked in wrong:
        refusal = town.refused(asked, ada)
        assert isinstance(refusal, BadInput)
        assert [problem.field for problem in refusal.fields] == ["cursor"]


@given(cursor=values(PublicRooms.__annotations__["cursor"]), words=st.none() | st.just("room"))
def test_no_cursor_breaks_the_list(cursor, words):
    town = Town(MemoryStorage())
    ada = town.somebody()
    assert town.code(PublicRooms(cursor=cursor, words=words), ada) in {"ok", "bad_input"}


# -- counting --------------------------------------------------------------------------------------


def test_nothing_is_counted_unless_asked_for(town, ada, room):
    assert town.do(PublicRooms(), ada).count is None
    assert town.do(PublicRooms(with_count=True), ada).count == 1


@pytest.mark.parametrize("words", [None, "room"])
def test_the_count_is_exact_to_a_thousand_and_then_says_more(town, ada, words):
    asked = PublicRooms(with_count=True, limit=1, words=words)
    rooms = open_many(town, ada, 1_000)
    assert town.do(asked, ada).count == 1_000
    open_many(town, ada, 3)
    assert town.do(asked, ada).count == 1_001
    for room in rooms[:4]:
        town.do(CloseRoom(room_id=room.id), ada)
    assert town.do(asked, ada).count == 999


# -- words -----------------------------------------------------------------------------------------


@pytest.fixture
def library(town, ada):
    town.open_room(ada, name="Deep Work Library", description="quiet; bring your own tea")
    town.open_room(ada, name="공부방", description="조용한 방")
    town.open_room(ada, name='The "quoted" room', description="don't panic")
    town.open_room(ada, name="Café Über", description="100% focus_time")
    return town


@pytest.mark.parametrize(
    ("words", "room"),
    [
        ("library", "Deep Work Library"),
        ("LIBRARY deep", "Deep Work Library"),
        ("lib", "Deep Work Library"),
        ("work tea", "Deep Work Library"),
        ("공부방", "공부방"),
        ("공부", "공부방"),
        ("조용", "공부방"),
        ('"quoted"', 'The "quoted" room'),
        ("quot", 'The "quoted" room'),
        ("don't", 'The "quoted" room'),
        ("panic'", 'The "quoted" room'),
        ("CAFÉ", "Café Über"),
        ("cafe\u0301", "Café Über"),
        ("über", "Café Über"),
        ("100%", "Café Über"),
    ],
)
def test_all_words_must_be_there_the_last_as_a_beginning(library, ada, words, room):
    assert found(library, ada, words) == [room]


@pytest.mark.parametrize(
    "words",
    [
        "lib deep",
        "ibrary",
        "library 공부방",
        "cafe",
        '"',
        "' OR 1=1 --",
        "*",
        "%",
        "AND",
        "(",
        "\\",
    ],
)
def test_other_words_find_nothing_and_break_nothing(library, ada, words):
    assert found(library, ada, words) == []


texts = st.text(st.sampled_from("ab 공부방\"'-*%_ÄßÉ"), min_size=1, max_size=12).filter(str.strip)


@given(titles=st.lists(texts, max_size=6), words=texts)
def test_what_is_found_is_what_the_one_meaning_of_search_says(titles, words):
    town = Town(MemoryStorage())
    ada = town.somebody()
    for title in titles:
        town.open_room(ada, name=title)
    expected = [room for room in town.do(PublicRooms(), ada).items if matches(words, room.name)]
    assert sorted(found(town, ada, words)) == sorted(room.name for room in expected)


@pytest.mark.parametrize("words", ["", "  ", "a" * 201, 7])
def test_words_of_a_wrong_form_are_refused_by_their_field(words):
    with pytest.raises(BadInput) as refused:
        PublicRooms(words=words)
    assert [problem.field for problem in refused.value.fields] == ["words"]


# -- who may watch ---------------------------------------------------------------------------------


def test_what_is_public_is_watched_by_anybody_who_is_signed_in(town, ada, bob, room):
    assert town.engine.may_watch("public", actor=bob)
    assert not town.engine.may_watch("public", actor=ANONYMOUS)
    assert not town.engine.may_watch("public", actor=Actor())
    assert not town.engine.may_watch("public:everything", actor=bob)
    (opened,) = town.engine.subscribe("public", actor=bob, after=0)
    assert town.decoded(opened).room == room


# -- one's own ------------------------------------------------------------------------------------


def own(town, by, **asked):
    """All pages of one's own rooms."""
    pages, cursor = [], None
    while True:
        page = town.do(MyRooms(**asked, cursor=cursor), by)
        pages.append([room.id for room in page.items])
        if page.next_cursor is None:
            return pages
        cursor = page.next_cursor


def test_ones_own_rooms_are_those_one_sits_in_or_hosts_the_newest_first(town, ada, bob):
    rooms = [town.open_room(host, is_public=host is ada) for host in (ada, bob, ada, bob, ada)]
    for room in rooms[:3:2]:
        town.do(JoinRoom(room_id=room.id), bob)
    town.do(LeaveRoom(room_id=rooms[3].id), bob)
    assert own(town, bob) == [[rooms[n].id for n in (3, 2, 1, 0)]]
    assert own(town, ada) == [[rooms[n].id for n in (4, 2, 0)]]
    town.do(LeaveRoom(room_id=rooms[2].id), bob)
    assert own(town, bob) == [[rooms[n].id for n in (3, 1, 0)]]


def test_closed_rooms_are_among_ones_own_only_when_asked_for(town, ada, room):
    other = town.open_room(ada)
    town.do(CloseRoom(room_id=room.id), ada)
    assert own(town, ada) == [[other.id]]
    assert own(town, ada, with_closed=True) == [[other.id, room.id]]


@pytest.mark.parametrize("limit", [1, 7, 100])
def test_ones_own_rooms_are_all_there_page_by_page_however_many_are_closed(town, ada, bob, limit):
    rooms = open_many(town, ada, 130)
    town.engine.run([Call(JoinRoom(room_id=room.id), bob) for room in rooms])
    open_ones = rooms[::13]
    closed = [room for room in rooms if room not in open_ones]
    town.engine.run([Call(CloseRoom(room_id=room.id), ada) for room in closed])
    expected = [room.id for room in reversed(open_ones)]
    for who in (ada, bob):
        pages = own(town, who, limit=limit)
        assert [each for page in pages for each in page] == expected
        assert {len(page) for page in pages[:-1]} <= {limit}
        everything = own(town, who, limit=limit, with_closed=True)
        assert [each for page in everything for each in page] == [each.id for each in rooms[::-1]]


def test_for_ones_open_rooms_those_that_are_closed_are_not_read():
    town = Town(OverheardStorage())
    ada = town.somebody()
    closed, room = town.open_room(ada), town.open_room(ada)
    town.do(LeaveRoom(room_id=closed.id), ada)
    town.do(CloseRoom(room_id=closed.id), ada)
    for with_closed in (False, True):
        town.storage.trace.clear()
        ids = [each.id for each in town.do(MyRooms(with_closed=with_closed), ada).items]
        assert ids == [room.id, closed.id][: 1 + with_closed]
        assert (closed.id in str(town.storage.trace)) is with_closed


def test_who_has_no_room_has_none(town, bob, room):
    assert own(town, bob) == [[]]


# -- before joining -------------------------------------------------------------------------------


def seen(town, room, by):
    preview = town.do(PreviewRoom(room_id=room.id), by)
    assert preview.room == town.do(RoomById(room_id=room.id), by)
    assert preview.may_join is (preview.refusal is None)
    return preview.standing, preview.refusal


def test_before_joining_one_sees_how_one_stands_to_a_room(town, ada, bob):
    room = town.open_room(ada, capacity=2)
    assert seen(town, room, ada) == (Standing.HOST, None)
    assert seen(town, room, bob) == (Standing.NONE, None)
    town.do(JoinRoom(room_id=room.id), bob)
    assert seen(town, room, bob) == (Standing.MEMBER, None)
    assert seen(town, room, town.somebody()) == (Standing.NONE, "rooms.full")
    town.do(AppointModerator(room_id=room.id, person_id=bob.id), ada)
    assert seen(town, room, bob) == (Standing.MODERATOR, None)
    town.do(LeaveRoom(room_id=room.id), ada)
    assert seen(town, room, ada) == (Standing.HOST, None)


def test_what_a_preview_says_of_joining_joining_says(town, ada, bob):
    rooms = [town.open_room(ada, capacity=2) for _ in range(4)]
    town.do(JoinRoom(room_id=rooms[1].id), town.somebody())
    town.do(BanPerson(room_id=rooms[2].id, person_id=bob.id), ada)
    town.do(CloseRoom(room_id=rooms[3].id), ada)
    for room in rooms:
        _, refusal = seen(town, room, bob)
        assert town.code(JoinRoom(room_id=room.id), bob) == (refusal or "ok")


def test_a_host_has_a_name_where_there_is_an_account(town, ada, bob, room):
    cleo = town.person("cleo")
    named = town.open_room(cleo)
    names = [town.do(PreviewRoom(room_id=each.id), bob).host_name for each in (room, named)]
    assert names == [None, "cleo"]


def test_a_host_whose_account_has_ended_is_a_deleted_user(town, bob):
    cleo = town.person("cleo")
    room = town.open_room(cleo)
    town.do(CloseRoom(room_id=room.id), cleo)
    town.do(DeleteAccount(password=PASSWORD), cleo)
    assert town.do(PreviewRoom(room_id=room.id), bob).host_name == "deleted user"
