"""The greeting: where the server listens, and what to paste to see it work."""

from __future__ import annotations

import importlib.resources
import os
import sys
from importlib.metadata import version
from pathlib import Path

from focusmate_server.readings import Address
from focusmate_server.settings import Settings

EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  told apart, not listened on


def greeting(settings: Settings, http: Address, realtime: Address) -> str:
    """What is printed once both doors are open."""
    return f"""\
focusmate {version("focusmate")} is ready, with everything in {settings.storage}
  HTTP       {http_url(http)}
  WebSocket  {realtime_url(realtime)}

Two people, a room and a timer: paste this into another terminal, in this folder.

{first_steps(http, realtime)}"""


def first_steps(http: Address, realtime: Address) -> str:
    """The commands to paste, for these addresses and this Python."""
    text = importlib.resources.files(__package__).joinpath("first_steps.sh").read_text()
    for name, meant in {
        "{http}": http_url(http),
        "{realtime}": realtime_url(realtime),
        "{python}": _python(),
    }.items():
        text = text.replace(name, meant)
    return text


def http_url(bound: Address) -> str:
    """Where a client on this machine finds the HTTP door."""
    return f"http://{_near(bound)}"


def realtime_url(bound: Address) -> str:
    """Where a client on this machine finds the WebSocket door."""
    return f"ws://{_near(bound)}/v1/ws"


def _near(bound: Address) -> Address:
    return Address(EVERYWHERE.get(bound.host, bound.host), bound.port)


def _python() -> str:
    here = Path.cwd()
    running = Path(sys.executable)
    return os.path.relpath(running, here) if running.is_relative_to(here) else str(running)
