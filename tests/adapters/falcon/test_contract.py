"""HTTP keeps the contract of doors: by the messages' names, and by their routes."""

import json
import re
import urllib.parse

import falcon.testing
import pytest

from focusmate_core import Refusal, codec
from focusmate_core.fields import UUID
from focusmate_core.testing.conformance.door import REGISTRY, DoorContract
from focusmate_core.testing.runner import InlineRunner
from focusmate_falcon import create_app
from focusmate_falcon.routes import DO, ROUTES

BY_WIRE = {route.wire: route for route in ROUTES}


class ByName:
    """Sends every message under its wire name."""

    def __init__(self, app):
        self._client = falcon.testing.TestClient(app)

    def send(self, wire, data, *, token=None, key=None):
        path = DO.format(wire=urllib.parse.quote(wire, safe=""))
        return self._ask("POST", path, data, token, key)

    def _ask(self, method, path, data, token, key):
        headers = {"Content-Type": "application/json"}
        headers |= {"Authorization": f"Bearer {token}"} if token is not None else {}
        headers |= {"Idempotency-Key": key} if key is not None else {}
        body = None if data == {} else json.dumps(data)
        answer = self._client.simulate_request(method, path, body=body, headers=headers)
        if answer.status_code < 400:
            return "ok", answer.json if answer.content else None
        assert answer.headers["content-type"] == "application/problem+json"
        return "error", answer.json


class ByRoute(ByName):
    """Sends what has a route there; a query can only say what is right, being text."""

    def send(self, wire, data, *, token=None, key=None):
        route = BY_WIRE.get(wire)
        if route is None or not fits(route, wire, data):
            return super().send(wire, data, token=token, key=key)
        path = route.path.format_map(data)
        rest = {name: value for name, value in data.items() if name not in route.in_path}
        if route.method == "GET" and rest:
            query = {name: as_text(value) for name, value in rest.items()}
            path, rest = f"{path}?{urllib.parse.urlencode(query)}", {}
        return self._ask(route.method, path, rest, token, key)


def fits(route, wire, data):
    if not isinstance(data, dict):
        return False
    if route.method == "GET":
        return is_right(wire, data)
    return all(re.fullmatch(UUID, str(data.get(name))) for name in route.in_path)


def is_right(wire, data):
    try:
        codec.value_of(data, REGISTRY.messages[wire])
    except Refusal:
        return False
    return None not in data.values()


def as_text(value):
    return json.dumps(value) if isinstance(value, bool) else str(value)


class TestByName(DoorContract):
    @pytest.fixture
    def door(self, engine):
        return ByName(create_app(engine, InlineRunner(engine)))


class TestByRoute(DoorContract):
    @pytest.fixture
    def door(self, engine):
        return ByRoute(create_app(engine, InlineRunner(engine)))
