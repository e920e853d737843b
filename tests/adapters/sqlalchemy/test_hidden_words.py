"""A search is the same work whatever rooms there are that the asker may not find."""

import pytest

from focusmate_core.features.directory import PublicRooms
from focusmate_core.features.room_changes import UpdateRoom
from focusmate_core.features.rooms import CloseRoom
from focusmate_sqlalchemy import search
from focusmate_sqlalchemy.sqlite_line import SqliteLine
from tests.features.town import Town, sqlite

FEW = 6
A_LOOK_BEYOND = 1
"""A walk of an index takes one step more to end at another row than at the end of the index."""


@pytest.fixture(scope="module")
def databases(tmp_path_factory):
    return tmp_path_factory.mktemp("databases")


@pytest.fixture
def town(databases, monkeypatch):
    monkeypatch.setattr(search, "FEW", FEW)
    town = Town(sqlite(databases))
    yield town
    town.storage.close()


@pytest.fixture
def work(town, monkeypatch):
    """What SQLite does for a message: each statement with its rows, and how many steps it takes."""
    found = []
    rows = SqliteLine.rows

    def counted(self, sql, values):
        steps = []
        self.connection.set_progress_handler(lambda: steps.append(1), 1)
        try:
            answer = rows(self, sql, values)
        finally:
            self.connection.set_progress_handler(None, 0)
        found.append(((sql, tuple(values), answer), len(steps)))
        return answer

    def of(message, by):
        found.clear()
        with monkeypatch.context() as patched:
            patched.setattr(SqliteLine, "rows", counted)
            town.do(message, by)
        return list(found)

    return of


def _private(town, host):
    town.open_room(host, name="Deep library", is_public=False)


def _made_private(town, host):
    room = town.open_room(host, name="Deep library")
    town.do(UpdateRoom(room_id=room.id, is_public=False), host)


def _closed(town, host):
    room = town.open_room(host, name="Deep library")
    town.do(CloseRoom(room_id=room.id), host)


def _closed_in_private(town, host):
    room = town.open_room(host, name="Deep library", is_public=False)
    town.do(CloseRoom(room_id=room.id), host)


@pytest.mark.parametrize("hide", [_private, _made_private, _closed, _closed_in_private])
@pytest.mark.parametrize("words", ["library", "lib", "deep lib", "deep", "none"])
@pytest.mark.parametrize("public", [0, FEW - 1, FEW])
def test_a_search_is_the_same_work_with_and_without_the_hidden_rooms_of_others(
    town, work, hide, words, public
):
    ada, bob, eve = (town.somebody() for _ in range(3))
    for _ in range(public):
        town.open_room(ada, name="Deep library")
        town.clock.advance(seconds=1)
    asked = PublicRooms(words=words, limit=5, with_count=True)
    before = work(asked, eve)
    for _ in range(FEW + 1):
        hide(town, bob)
        after = work(asked, eve)
        assert [told for told, _ in after] == [told for told, _ in before]
        for (_, steps), (_, steps_before) in zip(after, before, strict=True):
            assert 0 < steps_before <= steps <= steps_before + A_LOOK_BEYOND


def test_the_work_is_another_with_one_more_public_room(town, work):
    ada, eve = town.somebody(), town.somebody()
    for _ in range(FEW - 1):
        town.open_room(ada, name="Deep library")
    asked = PublicRooms(words="lib", limit=5)
    before = work(asked, eve)
    town.open_room(ada, name="Deep library")
    assert [told for told, _ in work(asked, eve)] != [told for told, _ in before]
