"""Listening: a door's socket is bound before its role starts, and outlives it."""

from __future__ import annotations

import errno
import socket
import time
from typing import Any

from focusmate_server.readings import Address
from focusmate_server.settings import BadSetting

BACKLOG = 2048
FREE_WITHIN_S = 3.0
"""How long to wait for an address that a server which is just ending still holds."""


def listen(setting: str, asked: Address) -> socket.socket:
    """A socket that listens there; `BadSetting` if the address is taken or none of ours."""
    try:
        family, kind, proto, _, where = socket.getaddrinfo(
            asked.host, asked.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        made = socket.socket(family, kind, proto)
    except OSError as wrong:
        raise BadSetting(f"{setting}: {asked} is no address here ({wrong.strerror})") from None
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        _bind(made, where)
        made.listen(BACKLOG)
    except OSError as wrong:
        made.close()
        taken = wrong.errno == errno.EADDRINUSE
        said = "another program listens there" if taken else wrong.strerror
        raise BadSetting(f"{setting}: {asked} cannot be listened on: {said}") from None
    made.setblocking(False)  # noqa: FBT003  the standard library's
    return made


def _bind(made: socket.socket, where: Any) -> None:
    until = time.monotonic() + FREE_WITHIN_S
    while True:
        try:
            return made.bind(where)
        except OSError as wrong:
            if wrong.errno != errno.EADDRINUSE or time.monotonic() > until:
                raise
        time.sleep(0.05)


def address_of(listening: socket.socket) -> Address:
    """Where it listens: the port that was taken, where any was asked for."""
    host, port, *_ = listening.getsockname()
    return Address(host, port)
