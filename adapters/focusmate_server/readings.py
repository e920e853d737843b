"""Readings: how each kind of setting is read; the value, or ValueError with what is asked for."""

import ipaddress
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from focusmate_core.ports.limits import Rate


class Address(NamedTuple):
    """Where to listen."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


Read = Callable[[Any], Any]
LAST_PORT = 2**16 - 1
_BIND = re.compile(r"(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<host>[A-Za-z0-9._-]+)):(?P<port>\d{1,5})")
_ORIGIN = re.compile(
    r"\*|https?://[A-Za-z0-9._-]+(:\d{1,5})?|https?://\[[0-9a-fA-F:.]+\](:\d{1,5})?"
)
_RATE = re.compile(r"(?P<most>[0-9]{1,9})/(?P<seconds>[0-9]{1,5})")
OFF = "off"
LONGEST_RATE = 86_400
_URL = re.compile(r"[a-z][a-z0-9+.-]*:.+", re.DOTALL)


def _no(asked: str, given: Any) -> ValueError:
    return ValueError(f"must be {asked}, not {given!r}")


def read_bind(given: Any) -> Address:
    """`host:port`, `[::1]:port`; port 0 takes any that is free."""
    found = _BIND.fullmatch(given) if isinstance(given, str) else None
    if found is None or int(found["port"]) > LAST_PORT:
        raise _no("host:port", given)
    return Address(found["six"] or found["host"], int(found["port"]))


def read_url(given: Any) -> str:
    """A storage's URL; which ones there are is the storages' business."""
    if not isinstance(given, str) or not _URL.fullmatch(given):
        raise _no("a URL such as sqlite:///focusmate.db", given)
    return given


def read_path(given: Any) -> Path:
    """The path of a file."""
    if not isinstance(given, str) or not given.strip() or "\0" in given:
        raise _no("the path of a file", given)
    return Path(given).expanduser()


def read_origins(given: Any) -> tuple[str, ...]:
    """A list in TOML, separated by commas elsewhere."""
    asked = "origins such as https://app.example.org, separated by commas, or *"
    parts = [part.strip() for part in given.split(",")] if isinstance(given, str) else given
    if not isinstance(parts, list):
        raise _no(asked, given)
    kept = [part for part in parts if part != ""]
    if not all(isinstance(part, str) and _ORIGIN.fullmatch(part) for part in kept):
        raise _no(asked, given)
    return tuple(kept)


def read_networks(given: Any) -> tuple[str, ...]:
    """Addresses and networks: a list in TOML, separated by commas elsewhere."""
    asked = "addresses or networks such as 127.0.0.1 or 10.0.0.0/8, separated by commas"
    parts = given.split(",") if isinstance(given, str) else given
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise _no(asked, given)
    try:
        return tuple(str(ipaddress.ip_network(part.strip())) for part in parts if part.strip())
    except ValueError:
        raise _no(asked, given) from None


def read_rate(given: Any) -> Rate | None:
    """So many in so many seconds, `600/60`; None for `off`."""
    if given == OFF:
        return None
    found = _RATE.fullmatch(given) if isinstance(given, str) else None
    if found is None or not int(found["most"]) or not 1 <= int(found["seconds"]) <= LONGEST_RATE:
        raise _no("a number and seconds, such as 600/60, or off", given)
    return Rate(int(found["most"]), timedelta(seconds=int(found["seconds"])))


def read_whole(least: int, most: int) -> Read:
    """A whole number within bounds, both included."""

    def read(given: Any) -> int:
        asked = f"a whole number from {least} to {most}"
        digits = isinstance(given, str) and re.fullmatch("[0-9]{1,9}", given)
        number = int(given) if digits or type(given) is int else None
        if number is None or not least <= number <= most:
            raise _no(asked, given)
        return number

    return read


def read_choice(*choices: str) -> Read:
    """One of a few words."""

    def read(given: Any) -> str:
        if given not in choices:
            raise _no(f"one of {', '.join(choices)}", given)
        return str(given)

    return read
