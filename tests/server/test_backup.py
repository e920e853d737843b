"""A backup taken while others write is whole: what was answered before it, and nothing by half."""

import sqlite3
import threading
import time
from contextlib import closing

import pytest

from tests.server.running import Person, Running, Watcher, run

ROOMS_BEFORE = 50


class Writer(threading.Thread):
    """Opens rooms until it is told to stop; `opened` are those that were answered."""

    def __init__(self, url, name):
        super().__init__(daemon=True)
        self.person, self.opened, self.is_over = Person(url, name), [], threading.Event()

    def run(self):
        with self.person:
            while not self.is_over.is_set():
                self.opened.append(self.person.do("rooms.open", name="Library")["id"])

    def wait_for(self, count):
        until = time.monotonic() + 60
        while len(self.opened) < count:
            assert self.is_alive()
            assert time.monotonic() < until
            time.sleep(0.005)


@pytest.fixture(scope="module")
def backed_up(tmp_path_factory):
    """A folder with a restored copy; the rooms answered before it was made; somebody's tokens."""
    folder, restored = tmp_path_factory.mktemp("server"), tmp_path_factory.mktemp("restored")
    with Running(folder) as server, Person(server.http, "ada") as ada:
        writers = [Writer(server.http, name) for name in ("ben", "cem")]
        for each in writers:
            each.start()
        for each in writers:
            each.wait_for(ROOMS_BEFORE)
        answered = [room for each in writers for room in list(each.opened)]
        done = run(folder, "backup", str(restored / "focusmate.db"))
        after = [len(each.opened) for each in writers]
        for each in writers:
            each.wait_for(after[0] + 1)
            each.is_over.set()
        for each in writers:
            each.join()
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2
    return restored, answered, ada


def rows(folder, sql):
    with closing(sqlite3.connect(folder / "focusmate.db")) as connection:
        return connection.execute(sql).fetchall()


def test_every_write_answered_before_the_backup_is_in_it(backed_up):
    folder, answered, _ = backed_up
    assert len(answered) >= 2 * ROOMS_BEFORE
    assert set(answered) <= {room for (room,) in rows(folder, "SELECT id FROM rooms")}


def test_what_the_outbox_of_a_backup_tells_is_what_is_stored(backed_up):
    folder, _, _ = backed_up
    rooms = {room for (room,) in rows(folder, "SELECT id FROM rooms")}
    opened = "SELECT stream FROM outbox WHERE type = 'rooms.opened' AND stream <> 'public'"
    assert {stream for (stream,) in rows(folder, opened)} == {f"room:{room}" for room in rooms}
    told = rows(folder, "SELECT stream, count(*), min(seq), max(seq) FROM outbox GROUP BY stream")
    assert all((first, last) == (1, count) for _, count, first, last in told)
    heads = dict(rows(folder, "SELECT stream, seq FROM stream_heads"))
    assert heads == {stream: last for stream, _, _, last in told}


def test_a_backup_is_for_this_user_alone_and_leaves_nothing_beside_it(backed_up):
    folder, _, _ = backed_up
    made = {path.name: path.stat().st_mode & 0o777 for path in folder.glob("focusmate.db*")}
    assert {made["focusmate.db"], made["focusmate.db.key"]} == {0o600}
    assert list(folder.glob(".*")) == []


def test_a_server_on_a_backup_goes_on_with_the_same_people_and_streams(backed_up):
    folder, answered, ada = backed_up
    with Running(folder) as server, Person(server.http, "dora") as dora:
        (head,) = rows(folder, "SELECT seq FROM stream_heads WHERE stream = 'public'")[0]
        with Watcher(server.realtime, ada.token, "public", after=head) as watcher:
            opened = dora.do("rooms.open", name="After")
            told = watcher.wait_for("rooms.opened")
        assert (told["seq"], told["data"]["room"]["id"]) == (head + 1, opened["id"])
        assert dora.do("rooms.by_id", room_id=answered[0])["name"] == "Library"


def refused(done):
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("focusmate: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_no_server_is_needed_and_nothing_is_overwritten(tmp_path):
    assert run(tmp_path, "do", "rooms.public", "--actor=ada").returncode == 0
    assert run(tmp_path, "backup", "copy.db").stdout == "copy.db\ncopy.db.key\n"
    kept = {path.name: path.read_bytes() for path in tmp_path.glob("copy*")}
    assert "copy.db is there already" in refused(run(tmp_path, "backup", "copy.db"))
    assert {path.name: path.read_bytes() for path in tmp_path.glob("copy*")} == kept
    assert "other.db cannot be written" in refused(run(tmp_path, "backup", "away/other.db"))


def test_former_keys_go_along_so_that_nobody_has_to_sign_in_anew(tmp_path):
    assert run(tmp_path, "do", "rooms.public", "--actor=ada").returncode == 0
    assert run(tmp_path, "keys", "rotate").returncode == 0
    assert run(tmp_path, "backup", "copy.db").returncode == 0
    names = {path.name.removeprefix("focusmate") for path in tmp_path.glob("focusmate.db.key*")}
    assert len(names) == 2
    for each in names:
        there, here = tmp_path / f"focusmate{each}", tmp_path / f"copy{each}"
        assert here.read_bytes() == there.read_bytes()
        assert here.stat().st_mode & 0o777 == 0o600


def test_a_database_that_is_not_there_is_named_and_not_made(tmp_path):
    assert "there is no database" in refused(run(tmp_path, "backup", "copy.db"))
    assert list(tmp_path.iterdir()) == []


def test_a_database_of_another_version_is_copied_as_it_is(tmp_path):
    assert run(tmp_path, "migrate").returncode == 0
    with closing(sqlite3.connect(tmp_path / "focusmate.db")) as connection, connection:
        connection.execute("DROP TABLE answers")
    done = run(tmp_path, "backup", "copy.db")
    assert (done.returncode, done.stdout) == (0, "copy.db\n")
    with closing(sqlite3.connect(tmp_path / "copy.db")) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    assert "rooms" in names
    assert "answers" not in names
