"""Following a room: through closed connections, gaps and expired sign-ins, up to a last word."""

import json
import random
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
from trio_websocket import ConnectionClosed, serve_websocket

from focusmate_core import codec
from focusmate_core.features import rooms, timer_control
from focusmate_core.fields import instant_text
from focusmate_core.testing.memory import MemoryStorage
from focusmate_server.watching import following
from focusmate_server.watching.following import LONGEST_WAIT, SHORTEST_WAIT, Watch, backoff
from focusmate_server.watching.line import Answer, Refused
from focusmate_server.watching.names import Names
from focusmate_server.watching.who import ByFile, ByPassword, ByToken, CannotWatch
from tests.features.town import Town


class FarServer:
    """Answers as the door does, from a town; `then` holds what follows upon each subscription."""

    def __init__(self):
        self.town = Town(MemoryStorage())
        self.ada = self.town.somebody()
        self.room = self.town.open_room(self.ada)
        self.stream = f"room:{self.room.id}"
        self.asked = []
        self.refusing = {}
        """What is refused, each once."""
        self.then = []
        self.rejecting = []
        """The answers to the first requests, instead of a connection."""
        self._tokens = 0
        self._more = trio.Event()

    async def attend(self, request):
        if self.rejecting:
            await request.reject(self.rejecting.pop(0))
            return
        websocket = await request.accept()
        try:
            while True:
                await self._answer(json.loads(await websocket.get_message()), websocket)
        except ConnectionClosed:
            pass

    async def _answer(self, asked, websocket):
        do, given = asked["do"], asked["with"]
        self.asked.append((do, given))
        self._more.set()
        self._more = trio.Event()
        if do in self.refusing:
            told = {"error": {"detail": "No.", **self.refusing.pop(do)}}
        else:
            told = {"ok": getattr(self, do.replace(".", "_"))(**given)}
        await websocket.send_message(json.dumps({"id": asked["id"], **told}))
        if do == "subscribe" and self.then:
            await self.then.pop(0)(websocket, given.get("after"))

    def sign_in(self, token):
        return {"person_id": self.ada.id, "expires_at": None}

    def credentials_sign_in(self, login, password):
        return self.credentials_refresh("")

    def credentials_refresh(self, refresh_token):
        self._tokens += 1
        number = self._tokens
        return {"access_token": f"access {number}", "refresh_token": f"refresh {number}"}

    def credentials_sign_out(self, refresh_token):
        return None

    def ping(self):
        return {"now": instant_text(self.town.clock.now())}

    def people_by_id(self, person_id):
        return {"username": "ada"}

    def subscribe(self, stream, after=None):
        found = self.town.engine.snapshot(stream)
        if after is not None:
            return {"stream": stream, "seq": after, "resync": False}
        return {"stream": stream, "seq": found.seq, "snapshot": found.parts}

    @property
    def seq(self):
        return self.town.engine.snapshot(self.stream).seq

    def events(self, after):
        return [
            {
                "stream": each.stream,
                "seq": each.seq,
                "type": each.type,
                "at": instant_text(each.at),
                "data": codec.loads(each.data),
            }
            for each in self.town.told(self.stream, after=after)
        ]

    def do(self, *classes):
        for cls in classes:
            self.town.do(cls(room_id=self.room.id), self.ada)

    async def asked_twice(self, wanted):
        while len(self.all_asked(wanted)) < 2:
            await self._more.wait()

    async def asked_more(self):
        await self._more.wait()

    def all_asked(self, *wanted):
        return [given for do, given in self.asked if do in wanted]


def says(*frames):
    async def follows(websocket, after):
        for frame in frames:
            await websocket.send_message(json.dumps(frame))

    return follows


def closes(code, reason=""):
    async def follows(websocket, after):
        await websocket.aclose(code, reason)

    return follows


class Noted:
    """A stage that notes what it is told."""

    def __init__(self):
        self.noted = []
        self._more = trio.Event()

    def note(self, what):
        self.noted.append(what)
        self._more.set()
        self._more = trio.Event()

    async def began(self, watch, *, is_new):
        self.note(f"{'began' if is_new else 'went on'} at {watch.room.seq}")

    async def happened(self, watch, frame, what):
        self.note(what.type)

    async def recalled(self, watch):
        self.note(f"recalled {watch.past[-1].type}")

    async def lost(self, watch, wait):
        self.note(watch.trouble)

    async def more(self):
        await self._more.wait()

    async def until(self, what, times=1):
        while self.noted.count(what) < times:
            await self._more.wait()


@pytest.fixture
def far(monkeypatch):
    monkeypatch.setattr(following, "SHORTEST_WAIT", 0.001)
    return FarServer()


@asynccontextmanager
async def watching(far, who=None, **more):
    """Somebody who watches until the end of the block, and what is noted of it."""
    stage = Noted()

    async def run(watch):
        try:
            await watch.run()
            stage.note("over")
        except CannotWatch as no:
            stage.note(f"cannot watch: {no}")

    async with trio.open_nursery() as nursery:
        serve = partial(serve_websocket, far.attend, "127.0.0.1", 0, None)
        server = await nursery.start(serve)
        url = f"ws://127.0.0.1:{server.port}"
        watch = Watch(url, far.stream, who or ByToken("t"), stage, **more)
        async with trio.open_nursery() as own:
            own.start_soon(run, watch)
            with trio.fail_after(30):
                yield watch, stage
            own.cancel_scope.cancel()
        nursery.cancel_scope.cancel()


def later(far, *classes):
    """Something happens after the subscription, and is told."""

    async def follows(websocket, after):
        seq = far.seq
        far.do(*classes)
        await says(*far.events(seq))(websocket, after)

    return follows


async def test_it_begins_with_a_snapshot_and_goes_on_with_events(far):
    far.then = [later(far, timer_control.StartTimer, timer_control.PauseTimer)]
    seq = far.seq
    async with watching(far) as (watch, stage):
        await stage.until("timer.paused")
        assert watch.room.parts.timer.state.value == "paused"
    assert stage.noted == [f"began at {seq}", "timer.started", "timer.paused"]
    assert far.all_asked("subscribe") == [{"stream": far.stream}]


async def test_what_happened_before_is_recalled_and_changes_nothing(far):
    far.do(timer_control.StartTimer, timer_control.PauseTimer)
    seq = far.seq

    async def recalls(websocket, after):
        far.do(timer_control.ResumeTimer)
        await says(*far.events(after))(websocket, after)

    far.then = [says(), recalls]
    async with watching(far, past=2) as (watch, stage):
        await stage.until("timer.resumed")
        assert watch.room.parts.timer.state.value == "running"
    assert stage.noted == [
        f"began at {seq}",
        "recalled timer.started",
        "recalled timer.paused",
        "timer.resumed",
    ]


async def test_a_lost_connection_is_taken_up_where_it_was_lost(far):
    seq = far.seq
    far.then = [
        closes(1012, "retry_after=0.01"),
        closes(4408, "too slow"),
        closes(1011),
        later(far, timer_control.StartTimer),
    ]
    async with watching(far) as (_, stage):
        await stage.until("timer.started")
    assert stage.noted == [
        f"began at {seq}",
        "the server restarts; reconnecting …",
        f"went on at {seq}",
        "too slow; reconnecting …",
        f"went on at {seq}",
        "the server closed the connection (1011); reconnecting …",
        f"went on at {seq}",
        "timer.started",
    ]
    asked = [given.get("after") for given in far.all_asked("subscribe")]
    assert asked == [None, seq, seq, seq]


async def test_a_gap_and_a_resync_are_answered_with_a_new_snapshot(far):
    async def misses_one(websocket, after):
        seq = far.seq
        far.do(timer_control.StartTimer, timer_control.PauseTimer)
        await says(*far.events(seq)[1:])(websocket, after)

    ended = {"code": "websocket.resync", "detail": "Subscribe again."}
    far.then = [misses_one, says({"stream": far.stream, "ended": ended})]
    async with watching(far) as (watch, stage):
        await stage.until(f"began at {far.seq + 2}", times=2)
        assert watch.room.parts.timer.state.value == "paused"
    assert [given.get("after") for given in far.all_asked("subscribe")] == [None, None, None]


async def test_a_room_that_is_closed_is_watched_to_its_last_word_and_no_longer(far):
    seq = far.seq
    far.then = [later(far, timer_control.StartTimer, rooms.CloseRoom)]
    async with watching(far, ByPassword("ada", "a quiet morning")) as (watch, stage):
        await stage.until("over")
        assert watch.is_over
    assert stage.noted[1:-1] == [each["type"] for each in far.events(seq)]
    assert len(far.all_asked("credentials.sign_out")) == 1


async def test_a_room_that_was_closed_before_is_shown_once(far):
    far.do(rooms.CloseRoom)
    async with watching(far) as (_, stage):
        await stage.until("over")
    assert stage.noted == [f"began at {far.seq}", "over"]


async def test_who_may_watch_no_more_is_told_so(far):
    gone = {"code": "websocket.may_not_watch", "detail": "You may watch this no more."}
    far.then = [says({"stream": far.stream, "ended": gone})]
    async with watching(far) as (_, stage):
        await stage.until("cannot watch: You may watch this no more.")


@pytest.mark.parametrize("do", ["sign_in", "ping", "subscribe"])
async def test_a_refusal_at_first_is_the_last_word(far, do):
    far.refusing = {do: {"code": "unavailable"}}
    async with watching(far) as (_, stage):
        await stage.until("cannot watch: No.")


async def test_a_refusal_later_is_the_last_word_unless_it_passes(far):
    async def loses(websocket, after):
        far.refusing = {"subscribe": {"code": "unavailable", "params": {"retry_after": 0.01}}}
        await websocket.aclose(1011)

    async def loses_for_good(websocket, after):
        far.refusing = {"subscribe": {"code": "rooms.not_in_it"}}
        await websocket.aclose(1011)

    far.then = [loses, loses_for_good]
    async with watching(far) as (_, stage):
        await stage.until("cannot watch: No.")
    assert "No.; reconnecting …" in stage.noted


async def test_a_token_that_is_used_up_ends_it_with_what_to_do(far):
    async def expires(websocket, after):
        far.refusing = {"sign_in": {"code": "not_signed_in"}}
        await websocket.aclose(4401, "the sign-in expired")

    far.then = [expires]
    async with watching(far) as (_, stage):
        await stage.until(f"cannot watch: the access token is not good: {ByToken.advice}")


EXPIRES = {"notice": {"code": "websocket.sign_in_expires", "detail": "Soon."}}


async def test_who_signed_in_by_password_signs_in_anew_before_the_end_and_out_at_the_end(far):
    far.then = [says(EXPIRES)]
    async with watching(far, ByPassword("ada", "a quiet morning")) as (_, stage):
        await stage.until(f"began at {far.seq}")
        await far.asked_twice("sign_in")
    tokens = [given["token"] for given in far.all_asked("sign_in")]
    assert tokens == ["access 1", "access 2"]
    assert far.all_asked("credentials.refresh") == [{"refresh_token": "refresh 1"}]
    assert far.all_asked("credentials.sign_out") == [{"refresh_token": "refresh 2"}]


async def test_who_is_refused_signs_out_too(far):
    far.refusing = {"subscribe": {"code": "rooms.not_in_it"}}
    async with watching(far, ByPassword("ada", "a quiet morning")) as (_, stage):
        await stage.until("cannot watch: No.")
        while not far.all_asked("credentials.sign_out"):
            await far.asked_more()
    assert far.all_asked("credentials.sign_out") == [{"refresh_token": "refresh 1"}]


async def test_a_refresh_token_that_is_not_good_any_more_falls_back_on_the_password(far):
    far.refusing = {"credentials.refresh": {"code": "credentials.refresh_reused"}}
    far.then = [closes(4401, "the sign-in expired")]
    async with watching(far, ByPassword("ada", "a quiet morning")) as (_, stage):
        await stage.until(f"went on at {far.seq}")
    assert len(far.all_asked("credentials.sign_in")) == 2


async def test_a_wrong_password_is_told(far):
    far.refusing = {"credentials.sign_in": {"code": "credentials.wrong"}}
    async with watching(far, ByPassword("ada", "?")) as (_, stage):
        await stage.until("cannot watch: No.")


async def test_a_file_is_read_again_when_its_token_expires(far, tmp_path):
    file = tmp_path / "token"
    file.write_text("first\n")

    async def expires(websocket, after):
        file.write_text("second\n")
        await says(EXPIRES, EXPIRES)(websocket, after)

    far.then = [expires, closes(1011)]
    async with watching(far, ByFile(file)) as _:
        await far.asked_twice("sign_in")
    assert [given["token"] for given in far.all_asked("sign_in")] == ["first", "second"]


async def test_names_are_asked_for_once(far):
    far.then = [later(far, timer_control.StartTimer, timer_control.PauseTimer)]
    async with watching(far) as (watch, stage):
        await stage.until("timer.paused")
        await watch.names.settled([far.ada.id], within=30)
        assert watch.names.known == {far.ada.id: "ada"}
    assert far.all_asked("people.by_id") == [{"person_id": far.ada.id}]


@pytest.mark.parametrize("code", ["too_often", "unavailable", "answer_lost"])
async def test_a_name_that_is_not_told_just_now_is_asked_for_again(far, code):
    far.refusing = {"people.by_id": {"code": code, "params": {"retry_after": 0.01}}}
    async with watching(far) as (watch, stage):
        await stage.until(f"began at {far.seq}")
        await watch.names.settled([far.ada.id], within=30)
        assert watch.names.known == {far.ada.id: "ada"}


class Registrar:
    """A line on which nobody has a name at first."""

    def __init__(self):
        self.knows = False

    async def ask(self, do, *, person_id):
        if not self.knows:
            raise Refused({"code": "people.not_found", "detail": "No."})
        return Answer({"username": "ada"}, sent=0, heard=0)


async def test_who_had_no_name_is_asked_for_again_once_the_nameless_are_forgotten():
    names, line = Names(), Registrar()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(names.ask, line)
        await names.settled(["ada"], within=30)
        line.knows = True
        await names.settled(["ada"], within=30)
        assert names.known == {}
        names.forget_nameless()
        await names.settled(["ada"], within=30)
        assert names.known == {"ada": "ada"}
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("told", ["refused", "ended", "closed"])
async def test_what_a_server_says_cannot_steer_a_terminal(far, told):
    evil = {"code": "x", "detail": "No\x1b[2J."}
    if told == "refused":
        far.refusing = {"subscribe": evil}
    elif told == "ended":
        far.then = [says({"stream": far.stream, "ended": evil})]
    else:
        far.then = [closes(4408, "No\x1b[2J.")]
    async with watching(far) as (_, stage):
        while not any("No�[2J." in each for each in stage.noted):
            await stage.more()


async def test_what_is_not_found_is_said_with_what_to_look_at(far):
    far.rejecting = [404]
    async with watching(far) as (_, stage):
        while not stage.noted:
            await stage.more()
    assert "answers 404, and is no focusmate server: is /v1/ws at its end" in stage.noted[0]


async def test_a_server_that_is_not_up_yet_is_tried_again(far):
    far.rejecting = [502, 503]
    async with watching(far) as (_, stage):
        await stage.until(f"began at {far.seq}")
    tried = [each.partition(" answers ")[2] for each in stage.noted[:2]]
    assert tried == ["502 just now; reconnecting …", "503 just now; reconnecting …"]


async def test_where_nobody_listens_it_is_said_at_once():
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    port = listener.socket.getsockname()[1]
    await listener.aclose()
    watch = Watch(f"ws://127.0.0.1:{port}", "room:x", ByToken("t"), Noted())
    with pytest.raises(CannotWatch, match=r"there is no server at ws://.* \(Connection refused\)"):
        await watch.run()


@pytest.mark.parametrize("answer", [b"HTTP/1.1 101 Switching Protocols\r\n\r\n", b"odd\r\n\r\n"])
async def test_what_is_no_websocket_is_said_at_once(answer):
    async def answers(stream):
        await stream.receive_some()
        await stream.send_all(answer)

    async with trio.open_nursery() as nursery:
        listener = (await nursery.start(trio.serve_tcp, answers, 0))[0]
        port = listener.socket.getsockname()[1]
        watch = Watch(f"ws://127.0.0.1:{port}", "room:x", ByToken("t"), Noted())
        with pytest.raises(CannotWatch, match="does not answer as a WebSocket does"):
            await watch.run()
        nursery.cancel_scope.cancel()


async def test_what_is_wrong_with_a_secure_connection_is_said():
    async def answers(stream):
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with trio.open_nursery() as nursery:
        listener = (await nursery.start(trio.serve_tcp, answers, 0))[0]
        port = listener.socket.getsockname()[1]
        watch = Watch(f"wss://127.0.0.1:{port}", "room:x", ByToken("t"), Noted())
        with pytest.raises(CannotWatch, match=r"no secure connection to wss://.* \([a-z ]+\)"):
            await watch.run()
        nursery.cancel_scope.cancel()


def test_attempts_come_more_and_more_rarely_and_never_in_step():
    dice = random.Random(7)
    waits = [[backoff(tries, dice) for _ in range(100)] for tries in range(2000)]
    assert all(SHORTEST_WAIT / 2 <= wait <= LONGEST_WAIT for many in waits for wait in many)
    assert max(waits[0]) <= SHORTEST_WAIT < min(waits[-1])
    assert all(len(set(many)) > 90 for many in waits)
