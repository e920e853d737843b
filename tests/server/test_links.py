"""A link's last places over real sockets: fifty people want them at once, and as many have one."""

import json
import threading
from collections import Counter

import httpx
import pytest

from focusmate_core.features import credentials, links, rooms, sign_ins
from focusmate_core.ports.passwords import Passwords
from focusmate_core.testing.passwords import FakePasswords
from focusmate_server.settings import Settings
from focusmate_server.wiring import open_engine
from tests.laws.test_docs import shell_of, type_in
from tests.server.running import PASSWORD, Running

AT_ONCE = 50


class People:
    """Many who are signed in at a server: made beside it, since hashing takes long."""

    def __init__(self, folder, number):
        self.engine = open_engine(Settings(storage=f"sqlite:///{folder / 'focusmate.db'}"))
        self.engine.ports[Passwords] = FakePasswords()
        self.tokens = [self._sign_in(f"guest{n}") for n in range(number)]

    def _sign_in(self, name):
        account = {"email": f"{name}@example.org", "username": name}
        self.engine.execute(credentials.Register(password=PASSWORD, **account))
        signed_in = self.engine.execute(sign_ins.SignIn(login=name, password=PASSWORD))
        return signed_in.access_token

    def do(self, token, message):
        return self.engine.execute(message, actor=self.engine.authenticate(token))


def come(url, tokens, code):
    """What they are answered, and how often each: all send when all are connected."""
    start, told = threading.Barrier(len(tokens)), []

    def join(token):
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=url, timeout=60, headers=headers) as client:
            client.get("/health/live")
            start.wait(60)
            answer = client.post("/v1/links/join", json={"code": code})
            told.append((answer.status_code, answer.json().get("code", "ok")))

    threads = [threading.Thread(target=join, args=(token,)) for token in tokens]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    return Counter(told)


def test_of_fifty_who_come_at_once_as_many_are_in_as_the_link_says(tmp_path):
    with Running(tmp_path) as server:
        url = server.http
        people = People(tmp_path, AT_ONCE + 1)
        host, *guests = people.tokens
        for max_uses in (1, 10):
            room = people.do(host, rooms.OpenRoom(name="Library", is_public=False))
            link = people.do(host, links.OpenLink(room_id=room.id, max_uses=max_uses))
            told = come(url, guests, link.code)
            assert told == {(200, "ok"): max_uses, (404, "links.not_good"): AT_ONCE - max_uses}
            (seen,) = people.do(host, links.LinksOfRoom(room_id=room.id)).items
            assert (seen.uses, seen.is_good) == (max_uses, False)
            assert people.do(host, rooms.RoomById(room_id=room.id)).seated == max_uses + 1
            assert link.code not in "\n".join([*server.said, *server.logged])
        people.engine.storage.close()


@pytest.mark.checkout
def test_the_page_of_invitations_shows_what_happens(tmp_path):
    with Running(tmp_path) as server:
        people = People(tmp_path, 2)
        ada, ben = people.tokens
        script = shell_of("docs/invitations.md").replace("http://127.0.0.1:8000", server.http)
        printed = type_in(f"ADA={ada} BEN={ben}\n{script}", tmp_path)
        people.engine.storage.close()
    pending, received, declined, seen, joined, listed = map(json.loads, printed.splitlines())
    assert (pending["state"], declined["state"]) == ("pending", "declined")
    assert received["items"][0]["room"]["name"] == seen["room"]["name"] == joined["name"]
    assert (seen["room"]["seated"], seen["may_join"], joined["seated"]) == (1, True, 2)
    assert [(each["uses"], each["is_good"]) for each in listed["items"]] == [(1, False)]
