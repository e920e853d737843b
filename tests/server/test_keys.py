"""Signing keys are rotated while a server runs: nobody is signed out, and a dropped key is dead."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from focusmate_core.features.sign_ins import Refresh, SignInPolicy
from focusmate_core.ports.tokens import Tokens
from focusmate_core.testing.clock import FakeClock
from focusmate_core.testing.memory import MemoryStorage
from focusmate_security import SignedTokens
from focusmate_server import keys, rotating
from focusmate_server.keys import KeyFiles, former_of, signing_key
from focusmate_server.settings import BadSetting, CannotStart, Settings
from tests.features.town import Town
from tests.server.running import Person, Running, Watcher, run

HOUR = timedelta(hours=1)


@pytest.fixture
def path(tmp_path):
    signing_key(tmp_path / "study.db.key")
    return tmp_path / "study.db.key"


def later():
    return datetime.now(UTC) + HOUR


def is_good(tokens, token):
    return tokens.verify(token, datetime.now(UTC)) is not None


# -- the files -------------------------------------------------------------------------------------


def test_a_key_of_former_versions_goes_on_and_becomes_a_former_one_as_it_is(path):
    before = path.read_bytes()
    former = keys.rotate(path)
    assert former.path.read_bytes() == before != path.read_bytes()
    assert former_of(path) == [former]
    assert {each.stat().st_mode & 0o777 for each in path.parent.iterdir()} == {0o600}
    assert len(list(path.parent.iterdir())) == 2


def test_who_holds_the_files_signs_with_the_new_key_at_once_and_verifies_with_both(path):
    here, there = SignedTokens(KeyFiles(path)), SignedTokens(KeyFiles(path))
    before = here.sign({}, later())
    former = keys.rotate(path)
    after = here.sign({}, later())
    assert [is_good(there, each) for each in (before, after)] == [True, True]
    assert is_good(SignedTokens(path.read_bytes()), after)
    assert is_good(SignedTokens(former.path.read_bytes()), before)


def test_what_a_key_signed_is_dead_as_soon_as_the_key_is_deleted(path):
    tokens = SignedTokens(KeyFiles(path))
    before = tokens.sign({}, later())
    former = keys.rotate(path)
    assert is_good(tokens, before)
    former.path.unlink()
    assert not is_good(tokens, before)
    assert not is_good(SignedTokens(KeyFiles(path)), before)
    assert is_good(tokens, tokens.sign({}, later()))


def test_a_name_that_is_none_of_a_key_is_no_key(path):
    ring = KeyFiles(path)
    former = keys.rotate(path)
    path.with_name(f"{path.name}.retired-yesterday").write_bytes(b"x" * 32)
    path.with_name("other.db.key.retired-20260101T000000Z").write_bytes(b"x" * 32)
    assert former_of(path) == [former]
    assert ring.verifying("nobody's") == ring.verifying(7) == []
    assert len(ring.verifying(None)) == 2


def test_a_key_that_was_rotated_half_is_one_key(path):
    copy = path.with_name(f"{path.name}.retired-20260101T000000Z")
    copy.hardlink_to(path)
    assert len(KeyFiles(path).verifying(None)) == 1


KILLED = """
import os, pathlib, signal, sys
from focusmate_server import keys
pathlib.Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
keys.rotate(pathlib.Path(sys.argv[1]))
"""


def test_a_rotation_that_was_killed_leaves_no_copy_that_outlives_the_key_s_deletion(path):
    tokens = SignedTokens(KeyFiles(path))
    stolen = tokens.sign({}, later())
    killed = subprocess.run([sys.executable, "-c", KILLED, path], check=False)
    assert killed.returncode == -signal.SIGKILL
    (half,) = former_of(path)
    assert half.path.samefile(path)
    former = keys.rotate(path)
    assert former_of(path) == [former]
    assert not former.path.samefile(path)
    former.path.unlink()
    assert not is_good(tokens, stolen)
    assert not is_good(SignedTokens(KeyFiles(path)), stolen)


def test_a_copy_of_the_newest_key_under_a_former_name_goes_and_other_former_ones_stay(path):
    other = path.with_name(f"{path.name}.retired-20250101T000000Z")
    shutil.copy(path, copy := path.with_name(f"{path.name}.retired-20260101T000000Z"))
    other.write_bytes(b"x" * 32)
    other.chmod(0o600)
    former = keys.rotate(path)
    assert [each.path for each in former_of(path)] == [former.path, other]
    assert not copy.exists()


@pytest.mark.parametrize("spoil", ["gone", "short", "open"])
def test_a_server_that_runs_keeps_its_key_when_the_file_is_spoiled(path, spoil, caplog):
    tokens = SignedTokens(KeyFiles(path))
    before = tokens.sign({}, later())
    if spoil == "gone":
        path.unlink()
    elif spoil == "short":
        path.write_bytes(b"short")
    else:
        path.write_bytes(b"x" * 32)
        path.chmod(0o644)
    assert is_good(tokens, before)
    assert is_good(tokens, tokens.sign({}, later()))
    assert "kept as it was" in caplog.text
    assert path.exists() == (spoil != "gone")


def test_a_former_key_that_others_may_read_is_refused_at_the_start(path):
    keys.rotate(path).path.chmod(0o644)
    with pytest.raises(BadSetting, match="others may read"):
        KeyFiles(path)


def test_of_many_who_rotate_at_once_one_does_and_no_key_is_lost(path):
    tokens, before = SignedTokens(KeyFiles(path)), []
    before.append(tokens.sign({}, later()))
    said = []

    def rotate():
        try:
            said.append(keys.rotate(path))
        except CannotStart as wrong:
            said.append(wrong)

    threads = [threading.Thread(target=rotate) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done = [each for each in said if isinstance(each, keys.Former)]
    assert 1 <= len(done) == len(former_of(path))
    assert is_good(tokens, before[0])


def test_there_is_nothing_to_rotate_before_the_first_start(tmp_path):
    with pytest.raises(CannotStart, match="first start"):
        keys.rotate(tmp_path / "key")
    with pytest.raises(BadSetting, match="cannot be used"):
        list(rotating.listed(Settings(signing_key_file=tmp_path / "key")))
    assert list(tmp_path.iterdir()) == []


# -- the command line ------------------------------------------------------------------------------


def test_it_is_said_which_keys_there_are_and_when_one_can_go(path):
    settings = Settings(signing_key_file=path, refresh_days=7)
    (only,) = rotating.listed(settings)
    assert re.fullmatch(rf"[0-9a-f]{{12}}  signs  {re.escape(str(path))}", only)
    told = list(rotating.rotate(settings))
    (former,) = former_of(path)
    free_at = f"{former.retired_at + timedelta(days=7):%Y-%m-%dT%H:%M:%SZ}"
    assert free_at in told[1]
    assert told[2] == f"  rm {former.path}"
    newest, second, lost = rotating.listed(settings)
    assert newest.endswith(f"  signs  {path}")
    assert second == f"{only[:12]}  verifies; needed until {free_at}  {former.path}"
    assert told[3] == lost
    assert "signs nobody out; only a device" in lost


def test_a_key_deleted_when_that_is_said_makes_devices_strangers_and_ends_no_sign_in(path):
    policy = SignInPolicy(refresh=timedelta(days=7))
    town = Town(MemoryStorage(), clock=FakeClock(datetime.now(UTC)), settings=[policy])
    town.fakes[Tokens] = SignedTokens(KeyFiles(path))
    town.restart()
    town.register("ada")
    before = town.sign_in("ada")
    former = keys.rotate(path)
    after = town.do(Refresh(refresh_token=before.refresh_token))
    town.clock.advance(days=7, minutes=-1)
    after = town.do(Refresh(refresh_token=after.refresh_token))
    town.clock.advance(minutes=1)
    tokens, now = town.fakes[Tokens], town.clock.now()
    signed = (before.refresh_token, before.access_token, before.device_token)
    assert [tokens.verify(each, now) is not None for each in signed] == [False, False, True]
    former.path.unlink()
    assert tokens.verify(before.device_token, now) is None
    assert tokens.verify(after.device_token, now) is not None
    assert town.engine.authenticate(after.access_token)


# -- a server that runs ----------------------------------------------------------------------------


def test_nobody_is_signed_out_by_a_rotation_and_all_are_by_dropping_the_key(tmp_path):
    with Running(tmp_path) as server, Person(server.http, "ada") as ada:
        stream = f"user:{ada.id}"
        before, refresh = ada.token, ada.refresh_token
        done = run(tmp_path, "keys", "rotate")
        assert (done.returncode, done.stderr) == (0, "")
        assert ada.do("people.me")["id"] == ada.id
        renewed = refreshed(server.http, refresh)
        new = renewed.json()["access_token"]
        with Watcher(server.realtime, new, stream), Watcher(server.realtime, before, stream):
            pass
        (former,) = former_of(tmp_path / "focusmate.db.key")
        old_key, new_key = (SignedTokens(KeyFiles(each)) for each in key_files(tmp_path, former))
        assert [is_good(old_key, each) for each in (before, new)] == [True, False]
        assert [is_good(new_key, each) for each in (before, new)] == [True, True]
        former.path.unlink()
        assert refreshed(server.http, refresh).status_code == 401
        assert refreshed(server.http, renewed.json()["refresh_token"]).status_code == 200
        listing = run(tmp_path, "keys", "list").stdout.splitlines()
        assert [line.split("  ")[1] for line in listing] == ["signs"]


def test_a_websocket_is_closed_soon_after_the_key_it_came_by_is_dropped(tmp_path):
    with (
        Running(tmp_path, FOCUSMATE_LEASE_SECONDS="10") as server,
        Person(server.http, "ada") as ada,
    ):
        with Watcher(server.realtime, ada.token, f"user:{ada.id}") as watcher:
            keys.rotate(tmp_path / "focusmate.db.key")
            assert "ok" in watcher.ask("ping")
            (former,) = former_of(tmp_path / "focusmate.db.key")
            former.path.unlink()
            with pytest.raises(ConnectionClosed) as closed:
                watcher.wait_for("nothing", within=10)
        assert closed.value.rcvd.code == 4401


def key_files(folder, former):
    return former.path, folder / "focusmate.db.key"


def refreshed(url, token):
    return httpx.post(f"{url}/v1/tokens/refresh", json={"refresh_token": token})
