"""Roles: all of them as processes of this machine, or one of them in this process."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence

import click

from focusmate_server import signals
from focusmate_server.readings import Address
from focusmate_server.settings import Settings
from focusmate_server.supervisor import READY

HTTP, REALTIME, WORKER = "http", "realtime", "worker"
WRITER_WITHIN_S = 20.0
"""How long a supervised realtime waits for the writer, which is started at the same moment."""


def serve_all(settings: Settings, options: Sequence[str]) -> int:
    """HTTP with the writer in one process, realtime in another; the exit code."""
    from focusmate_server.greeting import greeting
    from focusmate_server.listening import address_of, listen
    from focusmate_server.places import places_of
    from focusmate_server.supervisor import Role, command_of, supervise

    places_of(settings)  # what is wrong with them is told once, here
    http = listen("FOCUSMATE_HTTP_BIND", settings.http_bind)
    realtime = listen("FOCUSMATE_REALTIME_BIND", settings.realtime_bind)
    roles = [
        Role(HTTP, command_of(HTTP, options), http),
        Role(REALTIME, command_of(REALTIME, options), realtime),
    ]

    def greet() -> None:
        with contextlib.suppress(BrokenPipeError):
            click.echo(greeting(settings, address_of(http), address_of(realtime)))

    return asyncio.run(supervise(roles, greet))


def serve_one(
    role: str, settings: Settings, *, supervised: bool = False, listen_fd: int | None = None
) -> int:
    """One role until a signal comes, or, if it is supervised, until the supervisor is gone."""
    if supervised:
        signals.leave_interrupts_to_the_supervisor()
        threading.Thread(target=_end_with_supervisor, daemon=True).start()
    if role == WORKER:
        from focusmate_server.worker_role import serve_worker

        serve_worker(settings, _announcing(supervised, "the worker is ready"))
        return 0
    if role == HTTP:
        from focusmate_server.http_role import serve_http as serve

        listening = _socket(listen_fd, "FOCUSMATE_HTTP_BIND", settings.http_bind)
    else:
        from focusmate_server.realtime_role import serve_realtime

        listening = _socket(listen_fd, "FOCUSMATE_REALTIME_BIND", settings.realtime_bind)
        within = WRITER_WITHIN_S if supervised else 0.0
        serve = functools.partial(serve_realtime, writer_within=within)
    host, port, *_ = listening.getsockname()
    serve(settings, listening, _announcing(supervised, f"{role} listens on {Address(host, port)}"))
    return 0


def _socket(listen_fd: int | None, setting: str, asked: Address) -> socket.socket:
    if listen_fd is not None:
        return socket.socket(fileno=listen_fd)
    from focusmate_server.listening import listen

    return listen(setting, asked)


def _announcing(supervised: bool, told: str) -> Callable[[], None]:  # noqa: FBT001
    def announce() -> None:
        if supervised:
            sys.stdout.buffer.write(READY)
            sys.stdout.flush()
        else:
            click.echo(told)

    return announce


def _end_with_supervisor() -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
