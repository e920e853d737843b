"""The people and rooms a server is filled with before anything is measured."""

import json
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any, TypedDict, TypeVar

from tests.benchmarks.contenders import Server

PASSWORD = "violet harbour lantern"
AT_ONCE = 4
RENEWED_AFTER_S = 300
Made = TypeVar("Made")
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
        self._signed_in_at = 0.0

    def people(self, count: int) -> list[Person]:
        """Give the first `count` people."""
        missing = range(len(self._people), count)
        if missing:
            self._signed_in_at = self._signed_in_at or time.monotonic()
            self._people += self._many(self._person, missing)
        return self._people[:count]

    def renew(self) -> None:
        """Sign everybody in again whose token may expire before the round is over."""
        if time.monotonic() - self._signed_in_at > RENEWED_AFTER_S:
            self._signed_in_at = time.monotonic()
            for person, token in zip(
                self._people, self._many(self._token, self._people), strict=True
            ):
                person["token"] = token

    def _many(self, make: Callable[[Any], Made], of: Iterable[Any]) -> list[Made]:
        self._server.spread_out()
        with ThreadPoolExecutor(AT_ONCE) as threads:
            made = list(threads.map(make, of))
        self._server.draw_in()
        return made

    def _token(self, person: Person) -> str:
        asked: dict[str, object] = {"login": person["login"], "password": person["password"]}
        token: str = self._ask("/v1/tokens", asked)["access_token"]
        return token

    def join(self, people: list[Person], room: str) -> None:
        for person in people:
            self._ask(f"/v1/rooms/{room}/join", {}, person["token"])

    def _person(self, number: int) -> Person:
        login = f"person{number:05}"
        email = f"{login}@example.org"
        self._ask("/v1/accounts", {"email": email, "username": login, "password": PASSWORD})
        person = Person(login=login, password=PASSWORD, token="", room="")
        person["token"] = self._token(person)
        person["room"] = self._ask("/v1/rooms", {"name": f"Room {number}"}, person["token"])["id"]
        return person

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
