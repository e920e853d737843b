"""The people and rooms a server is filled with before anything is measured."""

import json
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any, TypedDict

from tests.benchmarks.contenders import Server

PASSWORD = "violet harbour lantern"
AT_ONCE = 4
SUCCESS = range(200, 300)


class Person(TypedDict):
    """Somebody signed in, with a room of their own."""

    login: str
    password: str
    token: str
    room: str


class Town:
    """People of one server, made when first asked for."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._people: list[Person] = []

    def people(self, count: int) -> list[Person]:
        """Give the first `count` people."""
        missing = range(len(self._people), count)
        if missing:
            self._server.spread_out()
            with ThreadPoolExecutor(AT_ONCE) as threads:
                self._people += threads.map(self._person, missing)
            self._server.draw_in()
        return self._people[:count]

    def join(self, people: list[Person], room: str) -> None:
        for person in people:
            self._ask(f"/v1/rooms/{room}/join", {}, person["token"])

    def _person(self, number: int) -> Person:
        login = f"person{number:05}"
        email = f"{login}@example.org"
        self._ask("/v1/accounts", {"email": email, "username": login, "password": PASSWORD})
        token = self._ask("/v1/tokens", {"login": login, "password": PASSWORD})["access_token"]
        room = self._ask("/v1/rooms", {"name": f"Room {number}"}, token)["id"]
        return Person(login=login, password=PASSWORD, token=token, room=room)

    def _ask(
        self, path: str, content: dict[str, object], token: str | None = None
    ) -> dict[str, Any]:
        connection = HTTPConnection("127.0.0.1", self._server.http_port, timeout=60)
        headers = {"Content-Type": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            connection.request("POST", path, json.dumps(content), headers)
            response = connection.getresponse()
            said = response.read()
        finally:
            connection.close()
        if response.status not in SUCCESS:
            raise RuntimeError(f"{self._server.contender.name}: {path}: {response.status} {said!r}")
        answer: dict[str, Any] = json.loads(said)
        return answer
