"""A client that a generator writes from /openapi.json does the main job with a real server."""

import importlib
import json
import subprocess
import sys
from http import HTTPStatus

import httpx
import pytest

from tests.server.running import Running

ADA = {"email": "ada@example.org", "username": "ada", "password": "correct horse 9"}
BEN = {"email": "ben@example.org", "username": "ben", "password": "correct horse 9"}
PACKAGE = "generated_focusmate"
CONFIG = "package_name_override: generated_focusmate\nproject_name_override: generated\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Running(tmp_path_factory.mktemp("server")) as running:
        yield running.http


@pytest.fixture(scope="module")
def generated(server, tmp_path_factory):
    """What imports a module of the package that was generated."""
    folder = tmp_path_factory.mktemp("generated")
    document = httpx.get(f"{server}/openapi.json").raise_for_status().json()
    (folder / "openapi.json").write_text(json.dumps(document))
    (folder / "config.yaml").write_text(CONFIG + "post_hooks: []\n")
    words = ["generate", "--path", "openapi.json", "--config", "config.yaml", "--meta", "none"]
    done = subprocess.run(
        [sys.executable, "-m", "openapi_python_client", *words, "--output-path", PACKAGE],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr, done.stdout
    sys.path.insert(0, str(folder))
    yield lambda name: importlib.import_module(f"{PACKAGE}.{name}")
    sys.path.remove(str(folder))
    for name in [each for each in sys.modules if each.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


class Client:
    """One person with the generated client; without an account, nobody."""

    def __init__(self, generated, url, account=None):
        self._import = generated
        self._models = generated("models")
        self._client = generated("client").Client(base_url=url)
        if account is None:
            return
        proof = {"login": account["username"], "password": account["password"]}
        self.ask("credentials", "credentials_register", "Register", account)
        tokens = self.ask("credentials", "credentials_sign_in", "SignIn", proof)
        self.close()
        signed_in = generated("client").AuthenticatedClient
        self._client = signed_in(base_url=url, token=tokens.access_token)

    def close(self):
        self._client.get_httpx_client().close()

    def ask(self, tag, operation, body=None, fields=None, *path, **headers):
        """What is answered, as one of the generated models."""
        call = self._import(f"api.{tag}.{operation}").sync_detailed
        given = {} if body is None else {"body": getattr(self._models, body).from_dict(fields)}
        answer = call(*path, client=self._client, **given, **headers)
        assert answer.parsed is not None, (answer.status_code, answer.content)
        return answer.parsed


@pytest.fixture
def enter(generated, server):
    entered = []

    def make(account=None):
        entered.append(Client(generated, server, account))
        return entered[-1]

    yield make
    for client in entered:
        client.close()


def test_two_people_focus_together_by_a_client_nobody_wrote(enter):
    ada, ben = enter(ADA), enter(BEN)
    room = ada.ask("rooms", "rooms_open", "OpenRoom", {"name": "Library"}, idempotency_key="a1")
    again = ada.ask("rooms", "rooms_open", "OpenRoom", {"name": "Library"}, idempotency_key="a1")
    assert again.id == room.id
    assert ben.ask("rooms", "rooms_join", None, None, room.id).seated == 2
    started = ada.ask("timer", "timer_start", None, None, room.id)
    seen = ben.ask("timer", "timer_state", None, None, room.id)
    assert (started.state.value, seen.state.value) == ("running", "running")
    assert seen.ends_at == started.ends_at
    assert [each.id for each in ben.ask("rooms", "rooms_public").items] == [room.id]


def test_what_is_refused_is_one_of_its_types(enter):
    eve = enter({**ADA, "email": "eve@example.org", "username": "eve"})
    room = eve.ask("rooms", "rooms_open", "OpenRoom", {"name": "Study"})
    idle = eve.ask("timer", "timer_pause", None, None, room.id)
    assert (type(idle).__name__, idle.code) == ("TimerIsNotRunning", "timer.not_running")
    assert "start" in idle.detail
    me = eve.ask("people", "people_me")
    etag = f'"{me.revision}"'
    eve.ask("people", "people_update", "UpdateProfile", {"bio": "One."}, if_match=etag)
    late = eve.ask("people", "people_update", "UpdateProfile", {"bio": "Two."}, if_match=etag)
    assert (late.code, late.status, late.params.revision) == ("outdated", 412, me.revision + 1)
    unknown = enter().ask("rooms", "rooms_public")
    assert (type(unknown).__name__, unknown.status) == ("NotSignedIn", HTTPStatus.UNAUTHORIZED)
