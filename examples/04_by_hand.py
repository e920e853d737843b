"""A client written by hand, from what /docs says and with the standard library alone.

`python examples/04_by_hand.py`, beside `focusmate serve`: two people, a room, its timer; tokens
that are renewed, a limit that is kept, and a change that must not overwrite another's.
"""

import http.client
import json
import secrets
import sys
import time
import urllib.parse
from typing import Any

Json = dict[str, Any]
SERVER = urllib.parse.urlsplit(sys.argv[1] if sys.argv[1:] else "http://127.0.0.1:8000")
PATIENCE = 3


class Refused(Exception):
    """What the server said no with; `code` is stable, `detail` says what to do next."""

    def __init__(self, status: int, problem: Json) -> None:
        super().__init__(f"{status} {problem['code']}: {problem['detail']}")
        self.status, self.code = status, problem["code"]


class Client:
    """One person's way in: keeps one connection, and the tokens fresh."""

    def __init__(self) -> None:
        self._line = http.client.HTTPConnection(SERVER.netloc, timeout=10)
        self._tokens: Json = {}

    def sign_in(self, login: str, password: str) -> None:
        self._tokens = self.ask("POST", "/v1/tokens", {"login": login, "password": password})[0]

    def ask(
        self, method: str, path: str, body: Json | None = None, **headers: str
    ) -> tuple[Json, str]:
        """The answer and its ETag; renews the tokens once, waits as long as it is told to."""
        for _ in range(PATIENCE):
            status, told, received = self._send(method, path, body, headers)
            if status == http.client.UNAUTHORIZED and self._tokens:
                self._renew()
            elif status in {http.client.TOO_MANY_REQUESTS, http.client.SERVICE_UNAVAILABLE}:
                time.sleep(int(received["Retry-After"]))
            else:
                break
        if status >= http.client.BAD_REQUEST:
            raise Refused(status, told)
        return told, received.get("ETag", "")

    def _renew(self) -> None:
        # A refresh token is good for once; sent with the old access token it would be refused.
        refresh_token = self._tokens["refresh_token"]
        self._tokens = {}
        self._tokens = self.ask("POST", "/v1/tokens/refresh", {"refresh_token": refresh_token})[0]

    def forget_access(self) -> None:
        """As if fifteen minutes had passed."""
        self._tokens |= {"access_token": "expired"}

    def _send(
        self, method: str, path: str, body: Json | None, headers: dict[str, str]
    ) -> tuple[int, Json, http.client.HTTPMessage]:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if "access_token" in self._tokens:
            sent["Authorization"] = f"Bearer {self._tokens['access_token']}"
        if body is not None:
            sent["Content-Type"] = "application/json"
        self._line.request(method, path, None if body is None else json.dumps(body), sent)
        answer = self._line.getresponse()
        content = answer.read()
        return answer.status, json.loads(content) if content else {}, answer.headers

    def close(self) -> None:
        self._line.close()


def somebody(name: str) -> Client:
    """Somebody new, signed in."""
    client, password = Client(), secrets.token_urlsafe()
    login = f"{name}-{secrets.token_hex(4)}"
    account = {"email": f"{login}@example.org", "username": login, "password": password}
    client.ask("POST", "/v1/accounts", account)
    client.sign_in(login, password)
    return client


ada, ben = somebody("ada"), somebody("ben")

room, _ = ada.ask("POST", "/v1/rooms", {"name": "Library"}, Idempotency_Key=secrets.token_hex())
there = f"/v1/rooms/{room['id']}"
print("Ben sits down:", ben.ask("POST", f"{there}/join")[0]["seated"], "of them are there")

ada.ask("POST", f"{there}/timer/start")
ada.forget_access()
print("Ada's token has ended; renewed, she pauses:", end=" ")
print(ada.ask("POST", f"{there}/timer/pause")[0]["state"])
print("Ben sees:", ben.ask("GET", f"{there}/timer")[0]["state"])

try:
    ben.ask("POST", f"{there}/timer/start")
except Refused as no:
    print("Ben starts it:", no)

read, etag = ada.ask("GET", there)
ada.ask("PATCH", there, {"description": "Quiet, please."}, If_Match=etag)
try:
    ada.ask("PATCH", there, {"description": "Be loud!"}, If_Match=etag)
except Refused as no:
    print("From another window:", no.status, no.code)
print("It says:", ada.ask("GET", there)[0]["description"])

for client in (ada, ben):
    client.close()
