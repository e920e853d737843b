"""Over real sockets: bodies that are too long, too slow or broken off, and the server goes on."""

import http.client
import json
import logging
import socket
import time
from contextlib import contextmanager

import pytest

LONG = 2 * 1024 * 1024
ROOMS = "POST /v1/rooms HTTP/1.1\r\nHost: door\r\nContent-Type: application/json\r\n"


@contextmanager
def connected(address):
    with socket.create_connection(address, timeout=10) as made:
        yield made


def answered(connection):
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    return answer, json.loads(answer.read())


def sent(address, *parts, pause=0.0):
    with connected(address) as connection:
        for part in parts:
            connection.sendall(part.encode() if isinstance(part, str) else part)
            time.sleep(pause)
        return answered(connection)


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


@pytest.fixture(autouse=True)
def goes_on(address, caplog):
    """Whatever was done to it, the server answers afterwards and has logged no error."""
    yield
    answer, said = sent(address, "GET /health/live HTTP/1.1\r\nHost: door\r\n\r\n")
    assert (answer.status, said) == (200, {"status": "ok"})
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == []


def test_two_megabytes_are_refused_before_they_are_read(address):
    answer, said = sent(address, f"{ROOMS}Content-Length: {LONG}\r\n\r\n", b"x")
    assert (answer.status, said["code"]) == (413, "too_large")


def test_who_sends_two_megabytes_all_the_same_is_answered_and_may_go_on(address):
    connection = http.client.HTTPConnection(*address, timeout=10)
    headers = {"Content-Type": "application/json"}
    for body in (b" " * LONG, (b" " * 65536 for _ in range(LONG // 65536))):
        connection.request("POST", "/v1/rooms", body, headers)
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())["code"]) == (413, "too_large")
    connection.request("GET", "/health/live")
    assert connection.getresponse().status == 200
    connection.close()


def test_a_chunked_body_that_does_not_end_is_refused_where_it_is_too_long(address):
    with connected(address) as connection:
        connection.sendall(f"{ROOMS}Transfer-Encoding: chunked\r\n\r\n".encode())
        for _ in range(17):
            connection.sendall(chunk(b" " * 4096))
        answer, said = answered(connection)
        assert (answer.status, said["params"]) == (413, {"longest": 65536})


def test_a_chunked_body_is_read(address):
    account = json.dumps(
        {"email": "ada@example.org", "username": "ada", "password": "correct horse 9"}
    ).encode()
    head = ROOMS.replace("rooms", "accounts") + "Transfer-Encoding: chunked\r\n\r\n"
    parts = [chunk(account[:10]), chunk(account[10:40]), chunk(account[40:]), b"0\r\n\r\n"]
    answer, said = sent(address, head, *parts, pause=0.02)
    assert (answer.status, said["username"]) == (201, "ada")


@pytest.mark.parametrize("begun", [b"", b"{"])
@pytest.mark.parametrize("how", ["Content-Length: 10", "Transfer-Encoding: chunked"])
def test_a_body_that_does_not_arrive_is_waited_for_no_longer_than_that(address, begun, how):
    begun = chunk(begun) if begun and "chunked" in how else begun
    before = time.monotonic()
    answer, said = sent(address, f"{ROOMS}{how}\r\n\r\n", begun)
    assert (answer.status, said["code"]) == (408, "http.request_timeout")
    assert answer.getheader("Connection") == "close"
    assert answer.getheader("X-Content-Type-Options") == "nosniff"
    assert 0.9 < time.monotonic() - before < 5


def test_a_slow_body_holds_nobody_else(address):
    with connected(address) as slow:
        slow.sendall(f"{ROOMS}Content-Length: 10\r\n\r\n{{".encode())
        before = time.monotonic()
        for _ in range(20):
            assert sent(address, "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")[0].status == 200
        assert time.monotonic() - before < 0.9


@pytest.mark.parametrize("how", ["Content-Length: 30", "Transfer-Encoding: chunked"])
def test_a_body_that_breaks_off_changes_nothing_even_where_it_is_whole_json(address, engine, how):
    register = {"email": "ada@example.org", "username": "ada", "password": "correct horse 9"}
    body = json.dumps(register).encode()
    how = how.replace("30", str(len(body) + 5))
    path = ROOMS.replace("rooms", "accounts")
    with connected(address) as connection:
        data = chunk(body) if "chunked" in how else body
        connection.sendall(f"{path}{how}\r\n\r\n".encode() + data)
        time.sleep(0.1)
    time.sleep(0.1)
    with engine.storage.read() as reader:
        assert reader.tail("", 10) == []


def test_who_goes_away_while_asking_is_let_go(address):
    for request in ("", "POST", f"{ROOMS}Content-Length: 10\r\n\r\n", ROOMS):
        with connected(address) as connection:
            connection.sendall(request.encode())


def test_a_query_in_no_encoding_is_no_fault(address):
    with connected(address) as connection:
        connection.sendall(b"GET /v1/rooms?words=\xff\xfe HTTP/1.1\r\nHost: door\r\n\r\n")
        assert connection.recv(100).startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 401 "))


def test_requests_sent_at_once_are_all_answered(address):
    request = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    last = request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    with connected(address) as connection:
        connection.sendall(request * 2 + last)
        told = b"".join(iter(lambda: connection.recv(65536), b""))
    assert told.count(b"HTTP/1.1 200 OK") == 3


def test_who_asks_whether_to_go_on_is_told(address):
    head = f"{ROOMS}Expect: 100-continue\r\nContent-Length: "
    with connected(address) as connection:
        connection.sendall(f"{head}2\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"{}")
        assert answered(connection)[0].status == 422
