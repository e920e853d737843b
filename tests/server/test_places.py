"""What stands beside the database: the key, the lock, the socket."""

import threading
from pathlib import Path

import attrs
import pytest

from focusmate_server.keys import signing_key
from focusmate_server.places import LONGEST_SOCKET, Pen, places_of
from focusmate_server.settings import BadSetting, Settings


def test_the_files_are_called_like_the_database(tmp_path):
    found = places_of(Settings(storage=f"sqlite:///{tmp_path}/study.db"))
    names = (found.key.name, found.lock.name, found.socket.name)
    assert names == ("study.db.key", "study.db.lock", "study.db.sock")
    assert found.key.parent == tmp_path
    assert found.storage == f"{tmp_path}/study.db"


def test_two_databases_share_nothing_and_two_names_of_one_share_all(tmp_path):
    (tmp_path / "link.db").symlink_to(tmp_path / "a.db")
    urls = [f"sqlite:///{tmp_path}/{name}" for name in ("a.db", "a.sqlite3", "link.db")]
    first, second, link = (places_of(Settings(storage=url)) for url in urls)
    assert not set(attrs.astuple(first)) & set(attrs.astuple(second))
    assert link == first


def test_what_is_in_no_file_is_told_apart_by_its_url_and_not_by_its_password(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    urls = ["postgresql://ada:one@db/a", "postgresql://ada:one@db/b", "postgresql://ada:two@db/a"]
    first, second, again = (places_of(Settings(storage=url)) for url in urls)
    assert not set(attrs.astuple(first)) & set(attrs.astuple(second))
    assert again == first
    assert "one" not in str(first)
    assert first.key.parent == tmp_path


def test_what_is_set_is_taken(tmp_path):
    asked = Settings(signing_key_file=tmp_path / "k", socket=Path("s"))
    found = places_of(asked)
    assert (found.key, found.socket) == (tmp_path / "k", Path("s"))


def test_a_database_deep_down_has_a_socket_all_the_same(tmp_path):
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    settings = Settings(storage=f"sqlite:///{deep}/focusmate.db")
    found = places_of(settings).socket
    assert len(str(found)) <= LONGEST_SOCKET
    assert found.parent.stat().st_mode & 0o077 == 0
    assert places_of(settings).socket == found
    assert places_of(Settings(storage=f"sqlite:///{deep}/other.db")).socket != found


def test_one_process_holds_the_pen_until_it_gives_it_back(tmp_path):
    first, second = Pen(tmp_path / "lock"), Pen(tmp_path / "lock")
    assert first.take()
    assert not second.take()
    got = threading.Event()
    waiting = threading.Thread(target=lambda: (second.wait(), got.set()))
    waiting.start()
    assert not got.wait(0.1)
    first.release()
    waiting.join(5)
    assert got.is_set()
    second.release()


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BadSetting, match="FOCUSMATE_STORAGE"):
        Pen(tmp_path / "nowhere" / "lock")
    with pytest.raises(BadSetting, match="FOCUSMATE_SIGNING_KEY_FILE"):
        signing_key(tmp_path / "nowhere" / "key")


def test_the_key_is_one_however_many_make_it(tmp_path):
    keys = []
    makers = [
        threading.Thread(target=lambda: keys.append(signing_key(tmp_path / "key")))
        for _ in range(8)
    ]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert len(keys) == 8
    assert len(set(keys)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["key"]
