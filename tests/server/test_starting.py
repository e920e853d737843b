"""What is in the way of a start is told in one line that names it, and nothing is left behind."""

import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from focusmate_sqlalchemy.tables import VERSION_TABLE
from tests.server.running import run

BAD = {"FOCUSMATE_HTTP_BIND": "abc", "FOCUSMATE_SOCKET": "/" + "x" * 200}


def refused(done):
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("focusmate: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


@pytest.mark.parametrize("name", BAD)
def test_a_bad_setting_stops_the_start(tmp_path, name):
    said = refused(run(tmp_path, "serve", **{name: BAD[name]}))
    assert name in said
    assert not list(tmp_path.iterdir())


def test_a_storage_that_no_plugin_opens_is_named(tmp_path):
    binds = {"FOCUSMATE_HTTP_BIND": "127.0.0.1:0", "FOCUSMATE_REALTIME_BIND": "127.0.0.1:0"}
    done = run(tmp_path, "serve", FOCUSMATE_STORAGE="oracle://somewhere", **binds)
    assert "FOCUSMATE_STORAGE" in refused(done)


def test_an_older_database_says_what_to_do(tmp_path):
    assert run(tmp_path, "migrate").stdout == "sqlite:///focusmate.db is up to date\n"
    change(tmp_path / "focusmate.db", "DROP TABLE answers")
    done = run(tmp_path, "serve", "http", FOCUSMATE_HTTP_BIND="127.0.0.1:0")
    assert "run `focusmate migrate`" in refused(done)
    assert run(tmp_path, "migrate").returncode == 0
    assert run(tmp_path, "do", "rooms.public", "--actor=ada").returncode == 0


def test_a_newer_database_is_left_alone(tmp_path):
    assert run(tmp_path, "migrate").returncode == 0
    change(tmp_path / "focusmate.db", f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    done = run(tmp_path, "serve", "http", FOCUSMATE_HTTP_BIND="127.0.0.1:0")
    assert "newer focusmate" in refused(done)
    assert "newer focusmate" in refused(run(tmp_path, "migrate"))


def change(database, sql):
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(sql)


def test_the_key_is_made_once_for_this_user_alone_and_refused_to_others(tmp_path):
    key = tmp_path / "focusmate.db.key"
    assert run(tmp_path, "do", "rooms.public", "--actor=ada").returncode == 0
    made = key.read_bytes()
    assert key.stat().st_mode & 0o777 == 0o600
    assert run(tmp_path, "do", "rooms.public", "--actor=ada").returncode == 0
    assert key.read_bytes() == made
    key.chmod(0o640)
    assert "FOCUSMATE_SIGNING_KEY_FILE" in refused(run(tmp_path, "do", "rooms.public"))
    key.chmod(0o600)
    key.write_bytes(b"")
    assert "FOCUSMATE_SIGNING_KEY_FILE" in refused(run(tmp_path, "do", "rooms.public"))


def test_the_version_and_the_help_are_told(tmp_path):
    assert run(tmp_path, "--version").stdout.startswith("focusmate ")
    assert "FOCUSMATE_HTTP_BIND" in run(tmp_path, "serve", "--help").stdout
    assert not list(tmp_path.iterdir())


def test_without_the_server_s_extra_the_command_says_what_to_install(tmp_path):
    program = "import sys; sys.modules['click'] = None; import focusmate_server.cli as c; c.main()"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "focusmate[server]" in refused(done)
