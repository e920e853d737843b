"""`focusmate watch` as it is run: on a terminal, in a pipe, through a restart of the server."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time
from contextlib import contextmanager

import pytest

from focusmate_core.fields import instant
from tests.server.running import (
    END_S,
    PASSWORD,
    READY_S,
    Person,
    Running,
    command,
    end_with_the_tests,
    environment,
    run,
)

LEAVES = "\x1b[?7h\x1b[?25h\x1b[?1049l"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with Running(tmp_path_factory.mktemp("server")) as running:
        assert running.realtime
        yield running


@pytest.fixture
def ada(server, request):
    name = re.sub(r"\W", "_", request.node.name)[-30:]
    with Person(server.http, name) as person:
        person.name = name
        yield person


@pytest.fixture
def room_id(ada):
    return ada.do("rooms.open", name="Deep work")["id"]


class Watching:
    """A `focusmate watch` that runs, on a terminal or in a pipe; all that it wrote."""

    def __init__(self, folder, *words, on_terminal=False, **settings):
        self.wrote = ""
        self._reads, writes = pty.openpty() if on_terminal else os.pipe()
        self.terminal = writes if on_terminal else None
        kept = {"NO_COLOR": "1", "TERM": "xterm"} | settings
        self.mode = termios.tcgetattr(writes) if on_terminal else None
        self.process = subprocess.Popen(
            command("watch", *words),
            cwd=folder,
            env=environment(**kept),
            stdin=writes if on_terminal else subprocess.DEVNULL,
            stdout=writes,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=end_with_the_tests,  # noqa: PLW1509  it is one system call
        )
        if not on_terminal:
            os.close(writes)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(END_S)
        self.process.stderr.close()
        for file in {self._reads, self.terminal} - {None}:
            os.close(file)

    def until(self, pattern, after=0):
        """The first match in what it writes from so many characters on, waiting for it."""
        until = time.monotonic() + READY_S
        while not (found := re.search(pattern, self.wrote[after:], re.DOTALL)):
            ready, _, _ = select.select([self._reads], [], [], until - time.monotonic())
            data = os.read(self._reads, 65536) if ready else b""
            assert data, f"no «{pattern}» in {self.wrote}"
            self.wrote += data.decode()
        return found

    def press(self, keys):
        os.write(self._reads, keys)

    def stop_reading(self):
        os.close(self._reads)
        self._reads = None

    def end(self):
        """The exit code, and what was said on stderr."""
        said = self.process.communicate(timeout=END_S)[1]
        return self.process.returncode, said


@contextmanager
def watching(server, *words, **more):
    url = ["--url", server.realtime]
    with Watching(server.folder, *words, *url, **more) as watch:
        yield watch


def test_in_a_pipe_each_event_is_a_line(server, ada, room_id):
    with watching(server, room_id, FOCUSMATE_TOKEN=ada.token) as watch:
        watch.until(r"timer: work, idle, 25:00 left\n")
        ada.do("timer.start", room_id=room_id)
        watch.until(r"timer: work, running, 25:00 left\n")
        ada.do("timer.pause", room_id=room_id)
        watch.until(r"timer: work, paused, [\d:]+ left\n")
        watch.process.send_signal(signal.SIGTERM)
        assert watch.end() == (0, "")
    lines = watch.wrote.splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d  \S", line) for line in lines)
    assert [line[27:] for line in lines[:5]] == [
        "room: Deep work",
        f"people: {ada.name} active",
        "timer: work, idle, 25:00 left",
        f"{ada.name} started work of 25 min",
        "timer: work, running, 25:00 left",
    ]
    assert "\x1b" not in watch.wrote


def test_as_json_a_snapshot_comes_first_and_each_event_is_the_frame_that_came(server, ada, room_id):
    with watching(server, room_id, "--actor", ada.id, "--json") as watch:
        watch.until(r"^\{.*\}\n")
        ada.do("timer.start", room_id=room_id)
        ada.do("timer.reset", room_id=room_id)
        watch.until(r"timer\.reset.*\n")
        watch.process.send_signal(signal.SIGINT)
        assert watch.end() == (0, "")
    answer, *events = frames = [json.loads(line) for line in watch.wrote.splitlines()]
    assert {frame["stream"] for frame in frames} == {f"room:{room_id}"}
    assert answer["resync"] is False
    assert answer["snapshot"]["room"]["name"] == "Deep work"
    assert [event["type"] for event in events] == ["timer.started", "timer.reset"]
    assert [event["seq"] for event in events] == [answer["seq"] + 1, answer["seq"] + 2]


def test_a_reader_who_goes_ends_it_in_peace(server, ada, room_id):
    with watching(server, room_id, "--actor", ada.id) as watch:
        watch.until(r"timer: ")
        watch.stop_reading()
        assert watch.end() == (0, "")


NOWHERE = [
    (">/dev/full", [], "what is shown cannot be written: No space left on device"),
    (">/dev/full", ["--json"], "what is shown cannot be written: No space left on device"),
    (">/dev/full", ["--ticks"], "what is shown cannot be written: No space left on device"),
    (">&-", [], "there is nowhere to show it: the standard output is closed"),
]


@pytest.mark.parametrize(("to", "more", "why"), NOWHERE)
def test_an_output_that_takes_nothing_ends_it_in_one_line(server, ada, room_id, to, more, why):
    words = command("watch", room_id, "--actor", ada.id, "--url", server.realtime, *more)
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {to}', "sh", *words],
        cwd=server.folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=END_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, f"focusmate: {why}\n")


def test_a_terminal_is_drawn_on_and_left_as_it_was(server, ada, room_id):
    with watching(server, room_id, "--actor", ada.id, on_terminal=True) as watch:
        watch.until(r"^\x1b\[\?1049h.*Deep work.*q quits")
        watch.until(rf"● {ada.name}  active  host")
        ada.do("timer.start", room_id=room_id)
        watch.until(rf"{ada.name} started work of 25 min")
        seen = len(watch.wrote)
        watch.until(r"24:5\d", after=seen)
        assert termios.tcgetattr(watch.terminal) != watch.mode
        watch.process.send_signal(signal.SIGINT)
        watch.until(re.escape(LEAVES))
        assert watch.end() == (0, "")
        assert termios.tcgetattr(watch.terminal) == watch.mode


def test_q_quits(server, ada, room_id):
    with watching(server, room_id, "--actor", ada.id, on_terminal=True) as watch:
        watch.until(r"q quits")
        watch.press(b"q")
        watch.until(re.escape(LEAVES))
        assert watch.end() == (0, "")


@pytest.mark.parametrize("on_terminal", [False, True])
def test_a_room_that_is_closed_ends_it_in_peace(server, ada, room_id, on_terminal):
    with watching(server, room_id, "--actor", ada.id, on_terminal=on_terminal) as watch:
        watch.until(r"q quits" if on_terminal else r"timer: ")
        ada.do("rooms.close", room_id=room_id)
        watch.until(re.escape(LEAVES) if on_terminal else r"the room was closed")
        said = "focusmate: the room is closed: nothing happens in it any more\n"
        assert watch.end() == (0, said)


def test_who_leaves_the_room_is_told_that_it_is_over(server, ada, room_id):
    with Person(server.http, f"b{ada.name[-20:]}") as ben:
        ben.do("rooms.join", room_id=room_id)
        with watching(server, room_id, "--actor", ben.id, on_terminal=True) as watch:
            watch.until(r"q quits")
            ben.do("rooms.leave", room_id=room_id)
            watch.until(re.escape(LEAVES))
            code, said = watch.end()
    assert code == 1
    assert (
        said
        == "focusmate: You may watch this stream no more; what comes next in it is for others.\n"
    )


def test_a_server_that_restarts_is_found_again_and_nothing_is_missed(tmp_path):
    with Running(tmp_path) as first:
        realtime, http = first.realtime, first.http
        with Person(http, "ada") as ada:
            room_id = ada.do("rooms.open", name="Deep work")["id"]
            words = (room_id, "--login", "ada", "--url", realtime)
            with Watching(tmp_path, *words, FOCUSMATE_PASSWORD=PASSWORD) as watch:
                watch.until(r"timer: work, idle")
                first.terminate()
                watch.until(r"the server restarts; reconnecting …\n")
                assert first.wait() == 0
                done = run(tmp_path, "do", "timer.start", f"room_id={room_id}", "--actor", ada.id)
                assert done.returncode == 0, done.stderr
                again = {
                    "FOCUSMATE_HTTP_BIND": http.rpartition("/")[2],
                    "FOCUSMATE_REALTIME_BIND": realtime.split("/")[2],
                }
                with Running(tmp_path, **again) as second:
                    assert second.realtime == realtime
                    watch.until(r"connected again\n.*ada started work of 25 min\n")
                    seen = len(watch.wrote)
                    second.kill_all()
                    watch.until(r"reconnecting …\n", after=seen)
                watch.process.send_signal(signal.SIGTERM)
                assert watch.end() == (0, "")
    assert watch.wrote.count("started work of 25 min") == 1


@pytest.mark.parametrize("by_key", [True, False])
def test_a_terminal_that_is_stopped_is_left_all_the_same(server, ada, room_id, by_key):
    with watching(server, room_id, "--actor", ada.id, on_terminal=True) as watch:
        watch.until(r"q quits")
        termios.tcflow(watch.terminal, termios.TCOOFF)
        ada.do("timer.start", room_id=room_id)
        if by_key:
            watch.press(b"q")
        else:
            watch.process.send_signal(signal.SIGTERM)
        assert watch.end() == (0, "")
        assert termios.tcgetattr(watch.terminal) == watch.mode


REFUSED = [
    (["nowhere", "--actor", "x"], {}, "There is no stream «room:nowhere»"),
    (
        ["x", "--actor", "x", "--url", "ws://127.0.0.1:1/"],
        {},
        "there is no server at ws://127.0.0.1:1/v1/ws",
    ),
    (["x", "--actor", "x", "--url", "http://a/"], {}, "--url must be like ws://"),
    (["x", "--actor", "x", "--url", "ws://ex..ample/"], {}, "--url must be like ws://"),
    (["x", "--actor", "x", "--url", "ws://127.0.0.1/v 1"], {}, "--url must be like ws://"),
    (["x"], {}, "say who watches"),
    (["x", "--actor", "x", "--login", "x"], {}, "give one of"),
    (["x", "--login", "x"], {}, "set FOCUSMATE_PASSWORD"),
    (["x", "--login", "nobody"], {"FOCUSMATE_PASSWORD": PASSWORD}, "No account has this name"),
    (["x", "--token-file", "missing"], {}, "missing cannot be read"),
    (["x"], {"FOCUSMATE_TOKEN": "forged"}, "the access token is not good"),
    (["x", "--actor", "x"], {"FOCUSMATE_STORAGE": "sqlite:///other.db"}, "signing key"),
]


@pytest.mark.parametrize(("words", "given", "said"), REFUSED)
def test_what_cannot_be_watched_is_said_in_one_line(server, words, given, said):
    settings = {"FOCUSMATE_REALTIME_BIND": server.realtime.split("/")[2]} | given
    done = run(server.folder, "watch", *words, **settings)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(rf"focusmate: [^\n]*{re.escape(said)}[^\n]*\n", done.stderr)


def test_two_watches_of_two_rooms_go_by_one_clock(server, ada, room_id):
    told = []
    for each in (room_id, ada.do("rooms.open", name="Other")["id"]):
        ada.do("timer.start", room_id=each)
        ends_at = instant(ada.do("timer.state", room_id=each)["ends_at"]).timestamp()
        with watching(server, each, "--actor", ada.id, "--ticks") as watch:
            tick = json.loads(watch.until(r"(\{\"steady\"[^\n]*\"running\"[^\n]*)\n")[1])
        assert tick["left"] == pytest.approx(ends_at - tick["now"], abs=1e-5)
        told.append(tick)
    apart = [tick["now"] - tick["steady"] for tick in told]
    # How far off each may be it says itself: half the round trip of its quickest ping.
    assert abs(apart[0] - apart[1]) <= sum(tick["within"] for tick in told)
