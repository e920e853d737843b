"""Logs: what strangers send fills no log, and what is broken here is in it."""

import logging
import socket
import urllib.parse

import httpx
import pytest

from focusmate_server import logs
from focusmate_server.settings import Settings
from tests.server.running import Running

BROKEN = [
    b"NONSENSE\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64,
    b"GET / HTTP/1.1\r\nHost x\r\n\r\n",
    b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    b"POST /v1/tokens HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
]


def sent(url, request):
    where = urllib.parse.urlsplit(url)
    with socket.create_connection((where.hostname, where.port), timeout=10) as connection:
        connection.sendall(request)
        return connection.recv(65536)


def test_who_sends_what_is_no_request_fills_no_log(tmp_path):
    with Running(tmp_path) as server:
        httpx.get(f"{server.http}/health/live")
        before = list(server.logged)
        for request in BROKEN * 2:
            assert sent(server.http, request).startswith(b"HTTP/1.1 ")
        assert httpx.get(f"{server.http}/health/live").status_code == 200
        server.terminate()
        server.wait()
        told = "\n".join(line for line in server.logged if line not in before)
        assert "warning" not in told
        assert "pip" not in told


@pytest.fixture
def untouched():
    """What `set_up` changes for the whole process, put back."""
    root, level, kept = logging.getLogger(), logging.getLogger().level, logging.getLogger().handlers
    handlers, levels = list(kept), {name: logging.getLogger(name).level for name in logs.QUIET}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, former in levels.items():
        logging.getLogger(name).setLevel(former)


@pytest.mark.usefixtures("untouched")
def test_what_the_server_below_calls_an_error_is_logged(capsys):
    logs.set_up(Settings(log_level="debug"), "http")
    logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    logging.getLogger("uvicorn.error").error("Exception in ASGI application")
    logging.getLogger("asyncio").warning("a coroutine was never awaited")
    told = capsys.readouterr().err
    assert "Exception in ASGI application" in told
    assert "a coroutine was never awaited" in told
    assert "Invalid" not in told
