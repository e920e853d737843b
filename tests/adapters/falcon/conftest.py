"""A door over an engine in memory; whatever it answers is held against its own OpenAPI document."""

import functools
import re
import socket
import threading
from datetime import timedelta

import attrs
import falcon.testing
import jsonschema
import pytest
import uvicorn

from focusmate_core import Engine
from focusmate_core.features import BUNDLED
from focusmate_core.testing.clock import FakeClock
from focusmate_core.testing.ids import SequentialIds
from focusmate_core.testing.memory import MemoryStorage
from focusmate_core.testing.ports import fake_ports
from focusmate_core.testing.runner import InlineRunner
from focusmate_falcon import DoorSettings, create_app

PASSWORD = "correct horse 9"


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def engine(clock):
    ids, ports = SequentialIds(), fake_ports(clock)
    return Engine(MemoryStorage(), features=BUNDLED, clock=clock, ids=ids, ports=ports)


@pytest.fixture
def door(engine):
    return HeldClient(create_app(engine, InlineRunner(engine)))


@functools.cache
def documents():
    return {}


def the_document(client):
    """The document of what the bundled features offer: the same for all of these clients."""
    if not documents():
        asked = client.simulate_request("GET", "/openapi.json", held=False)
        documents().update(asked.json)
    return documents()


class HeldClient(falcon.testing.TestClient):
    """Refuses what the door's own document does not announce."""

    def __init__(self, app):
        super().__init__(app)
        self.document = the_document(self)
        self._paths = {
            re.compile(re.sub(r"{\w+}", "[^/]+", path)): item
            for path, item in sorted(self.document["paths"].items(), key=lambda it: "{" in it[0])
        }
        self.held = 0

    def simulate_request(self, method, path, *args, held=True, **more):
        answer = super().simulate_request(method, path, *args, **more)
        operation = self._operation(method, path.partition("?")[0]) if held else None
        if operation is not None:
            self._hold(answer, operation["responses"])
        return answer

    def _operation(self, method, path):
        items = [item for regex, item in self._paths.items() if regex.fullmatch(path)]
        found = [item[method.lower()] for item in items if method.lower() in item]
        return found[0] if found else None

    def _hold(self, answer, responses):
        self.held += 1
        told = responses[str(answer.status_code)]
        for name, header in told.get("headers", {}).items():
            assert name in answer.headers or not header.get("required")
        if "content" not in told:
            assert answer.content == b""
            return
        ((media, content),) = told["content"].items()
        assert answer.headers["content-type"] == media
        schema = {**content["schema"], "components": self.document["components"]}
        jsonschema.Draft202012Validator(schema).validate(answer.json)


@attrs.frozen
class Somebody:
    """A person with an account, who asks the door."""

    door: HeldClient
    id: str
    headers: dict

    def get(self, path, **more):
        return self.door.simulate_get(path, headers=self.headers, **more)

    def post(self, path, json=None, **more):
        return self.ask("POST", path, json, **more)

    def put(self, path, json=None, **more):
        return self.ask("PUT", path, json, **more)

    def patch(self, path, json=None, **more):
        return self.ask("PATCH", path, json, **more)

    def delete(self, path, json=None, **more):
        return self.ask("DELETE", path, json, **more)

    def ask(self, method, path, json=None, *, key=None, **more):
        headers = self.headers | ({"Idempotency-Key": key} if key is not None else {})
        return self.door.simulate_request(method, path, json=json, headers=headers, **more)

    def open_room(self, **more):
        answer = self.post("/v1/rooms", {"name": "Library", **more})
        assert answer.status_code == 201
        return answer.json["id"]


def account(name):
    return {"email": f"{name}@example.org", "username": name, "password": PASSWORD}


@pytest.fixture
def somebody(door):
    def enter(name):
        made = door.simulate_post("/v1/accounts", json=account(name))
        assert made.status_code == 201
        signed_in = door.simulate_post("/v1/tokens", json={"login": name, "password": PASSWORD})
        headers = {"Authorization": f"Bearer {signed_in.json['access_token']}"}
        return Somebody(door, made.json["id"], headers)

    return enter


@pytest.fixture
def ada(somebody):
    return somebody("ada")


@pytest.fixture
def bob(somebody):
    return somebody("bob")


# -- over real sockets ----------------------------------------------------------------------------


@pytest.fixture
def address(engine):
    """Where a real server listens with this door; its bodies have a second to arrive."""
    settings = DoorSettings(body_within=timedelta(seconds=1))
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        create_app(engine, InlineRunner(engine), settings=settings),
        lifespan="off",
        ws="none",
        log_config=None,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield listening.getsockname()
    server.should_exit = True
    thread.join(10)
    assert not thread.is_alive()
    listening.close()
