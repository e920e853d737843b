"""Settings: who has the last word, and that nothing is passed over in silence."""

import os
import re
from datetime import timedelta
from pathlib import Path

import pytest

from focusmate_core.ports.limits import Rate
from focusmate_server.readings import Address
from focusmate_server.settings import NAMES, BadSetting, Settings, load

BAD = {
    "FOCUSMATE_HTTP_BIND": ["abc", "", "127.0.0.1", ":8000", "127.0.0.1:70000", "a b:1"],
    "FOCUSMATE_REALTIME_BIND": ["127.0.0.1:-1"],
    "FOCUSMATE_STORAGE": ["nonsense", ""],
    "FOCUSMATE_CORS_ORIGINS": ["https://app.example.org/path", "app.example.org"],
    "FOCUSMATE_TRUSTED_PROXIES": ["localhost", "10.0.0.1/8", "1.2.3", "10.0.0.0/33"],
    "FOCUSMATE_PROXY_HEADER": ["x-real-ip", "", "X-Forwarded-For, Forwarded"],
    "FOCUSMATE_LIMIT_READS": ["600", "0/60", "600/0", "600/60s", "OFF", "-1/60"],
    "FOCUSMATE_LIMIT_WRITES": ["", "1/100000"],
    "FOCUSMATE_LIMIT_SIGN_INS": ["many"],
    "FOCUSMATE_LIMIT_RENEWALS": ["60/"],
    "FOCUSMATE_LIMIT_REQUESTS": ["1 / 2"],
    "FOCUSMATE_LIMIT_ACCOUNTS": ["100"],
    "FOCUSMATE_ACCESS_MINUTES": ["0", "61"],
    "FOCUSMATE_REFRESH_DAYS": ["0", "366"],
    "FOCUSMATE_RETENTION_DAYS": ["0", "3651", "²"],
    "FOCUSMATE_LOG_LEVEL": ["loud"],
    "FOCUSMATE_LOG_FORMAT": ["xml"],
    "FOCUSMATE_PRESENCE": ["rented", "", "Leased"],
    "FOCUSMATE_LEASE_SECONDS": ["9", "3601", "60.0", "PT60S"],
    "FOCUSMATE_BATCH": ["many"],
    "FOCUSMATE_QUEUE": ["-1"],
    "FOCUSMATE_PREPARERS": ["1.5", "9" * 5000],
    "FOCUSMATE_SIGNING_KEY_FILE": [""],
    "FOCUSMATE_SOCKET": [" "],
    "FOCUSMATE_CONFIG": ["nowhere.toml"],
    "FOCUSMATE_HTP_BIND": ["127.0.0.1:8000"],
}


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """In an empty folder, and with no setting in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("FOCUSMATE_"):
            monkeypatch.delenv(name)


def test_every_setting_is_tried_with_a_bad_value():
    assert set(NAMES) < set(BAD)


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, many in BAD.items() for v in many])
def test_a_bad_value_is_refused_by_the_name_of_its_setting(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(BadSetting, match=name) as refused:
        load()
    assert "\n" not in str(refused.value)


def test_a_name_that_is_no_setting_is_refused_with_the_one_that_was_meant(monkeypatch):
    monkeypatch.setenv("FOCUSMATE_REALTIM_BIND", "127.0.0.1:1")
    with pytest.raises(BadSetting, match="did you mean FOCUSMATE_REALTIME_BIND"):
        load()


def test_names_that_belong_to_tests_are_let_be(monkeypatch):
    monkeypatch.setenv("FOCUSMATE_TEST_SEED", "7")
    assert load() == Settings()


def test_secrets_for_a_watch_are_let_be_and_names_like_theirs_are_not(monkeypatch):
    monkeypatch.setenv("FOCUSMATE_TOKEN", "t")
    monkeypatch.setenv("FOCUSMATE_PASSWORD", "p")
    assert load() == Settings()
    monkeypatch.setenv("FOCUSMATE_TOKENS", "t")
    with pytest.raises(BadSetting, match="FOCUSMATE_TOKENS is no setting"):
        load()


def test_the_command_line_goes_before_the_environment_before_the_file(monkeypatch, tmp_path):
    Path("focusmate.toml").write_text("batch = 1\nqueue = 1\nhttp_bind = 'localhost:1'\n")
    monkeypatch.setenv("FOCUSMATE_BATCH", "2")
    monkeypatch.setenv("FOCUSMATE_QUEUE", "2")
    settings = load({"batch": "3", "preparers": None})
    assert (settings.batch, settings.queue, settings.http_bind.port) == (3, 2, 1)
    assert settings.preparers == Settings().preparers


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("http_bnd = 'x'", "http_bnd"),
        ("[server]\nbatch = 1", "server.batch"),
        ("batch =", "named.toml cannot be read"),
        ("batch = '1.0'", "FOCUSMATE_BATCH"),
        ("batch = true", "FOCUSMATE_BATCH"),
        ("http_bind = 8000", "FOCUSMATE_HTTP_BIND"),
        ("storage = ['sqlite:///x.db']", "FOCUSMATE_STORAGE"),
        ("cors_origins = [1]", "FOCUSMATE_CORS_ORIGINS"),
        ("cors_origins = 1", "FOCUSMATE_CORS_ORIGINS"),
        ("socket = 1", "FOCUSMATE_SOCKET"),
    ],
)
def test_a_file_says_nothing_that_is_passed_over(text, said):
    Path("named.toml").write_text(text)
    with pytest.raises(BadSetting, match=said):
        load(config="named.toml")


def test_a_file_that_is_not_utf_8_is_refused():
    Path("focusmate.toml").write_bytes(b"storage = '\xff'")
    with pytest.raises(BadSetting, match=r"focusmate\.toml cannot be read"):
        load()


def test_every_kind_is_read(monkeypatch):
    monkeypatch.setenv("FOCUSMATE_HTTP_BIND", "[::1]:0")
    monkeypatch.setenv("FOCUSMATE_CORS_ORIGINS", "https://a.example, http://localhost:3000,")
    monkeypatch.setenv("FOCUSMATE_SIGNING_KEY_FILE", "keys/signing.key")
    monkeypatch.setenv("FOCUSMATE_TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8,")
    monkeypatch.setenv("FOCUSMATE_LIMIT_READS", "7/60")
    monkeypatch.setenv("FOCUSMATE_LIMIT_WRITES", "off")
    settings = load()
    assert settings.trusted_proxies == ("127.0.0.1/32", "10.0.0.0/8")
    assert settings.limit_reads == Rate(7, timedelta(minutes=1))
    assert settings.limit_writes is None
    assert settings.http_bind == Address("::1", 0)
    assert str(settings.http_bind) == "[::1]:0"
    assert settings.cors_origins == ("https://a.example", "http://localhost:3000")
    assert settings.signing_key_file is not None
    assert settings.signing_key_file.name == "signing.key"


@pytest.mark.checkout
def test_every_setting_is_told_to_operators():
    page = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    told = re.findall(r"^\| `(FOCUSMATE_\w+)` \|", page, re.MULTILINE)
    assert told == list(NAMES)
