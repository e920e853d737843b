"""Settings: what can be set, from a TOML file, the environment and the command line."""

import difflib
import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import attrs

from focusmate_core.ports.limits import Rate

PREFIX = "FOCUSMATE_"
CONFIG = "FOCUSMATE_CONFIG"
CONFIG_DEFAULT = Path("focusmate.toml")
OTHERS = ("FOCUSMATE_TEST_", "FOCUSMATE_TOKEN", "FOCUSMATE_PASSWORD")
"""Environment names that are no settings and may be there all the same; one that ends in `_` is a
prefix."""


class CannotStart(Exception):
    """Why the program does not start, in one line that says what to change."""


class BadSetting(CannotStart):
    """A setting that says nothing usable; the text names it."""


class Address(NamedTuple):
    """Where to listen."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


# -- how each kind is read: gives the value, or ValueError with what is asked for ------------------

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


# -- what can be set ------------------------------------------------------------------------------


LEASED = "leased"


MINUTE = timedelta(minutes=1)


def _told(read: Read, told: str) -> dict[str, Any]:
    return {"read": read, "help": told}


@attrs.frozen
class Settings:
    """All settings; `http_bind` is FOCUSMATE_HTTP_BIND, `--http-bind`, and `http_bind` in TOML."""

    storage: str = attrs.field(
        default="sqlite:///focusmate.db",
        metadata=_told(read_url, "Where everything is kept, as a URL."),
    )
    http_bind: Address = attrs.field(
        default=Address("127.0.0.1", 8000),
        metadata=_told(read_bind, "Where the HTTP door listens, host:port."),
    )
    realtime_bind: Address = attrs.field(
        default=Address("127.0.0.1", 8001),
        metadata=_told(read_bind, "Where the WebSocket door listens, host:port."),
    )
    signing_key_file: Path | None = attrs.field(
        default=None,
        metadata=_told(read_path, "The key that signs tokens; made at first, beside the database."),
    )
    socket: Path | None = attrs.field(
        default=None,
        metadata=_told(read_path, "The local socket of the writer; beside the database."),
    )
    cors_origins: tuple[str, ...] = attrs.field(
        default=(),
        metadata=_told(read_origins, "Web origins that may call the HTTP door, or *."),
    )
    trusted_proxies: tuple[str, ...] = attrs.field(
        default=(),
        metadata=_told(read_networks, "Proxies that say rightly whom a request comes from."),
    )
    limit_reads: Rate | None = attrs.field(
        default=Rate(1200, MINUTE),
        metadata=_told(read_rate, "How often each person may ask by HTTP, as 1200/60, or off."),
    )
    limit_writes: Rate | None = attrs.field(
        default=Rate(600, MINUTE),
        metadata=_told(read_rate, "How often each person may send commands by HTTP, or off."),
    )
    limit_sign_ins: Rate | None = attrs.field(
        default=Rate(300, MINUTE),
        metadata=_told(read_rate, "How often an address may register and sign in, or off."),
    )
    limit_requests: Rate | None = attrs.field(
        default=Rate(6000, MINUTE / 6),
        metadata=_told(read_rate, "How often an address may ask anything by HTTP, or off."),
    )
    limit_accounts: Rate | None = attrs.field(
        default=Rate(100, 60 * MINUTE),
        metadata=_told(read_rate, "How many accounts an address may try to open, or off."),
    )
    access_minutes: int = attrs.field(
        default=15,
        metadata=_told(read_whole(1, 60), "How long an access token lasts without a refresh."),
    )
    refresh_days: int = attrs.field(
        default=30,
        metadata=_told(read_whole(1, 365), "How long who does not come back stays signed in."),
    )
    retention_days: int = attrs.field(
        default=30,
        metadata=_told(read_whole(1, 3650), "How long events are held for who missed them."),
    )
    log_level: str = attrs.field(
        default="info",
        metadata=_told(read_choice("debug", "info", "warning", "error"), "What is logged."),
    )
    log_format: str = attrs.field(
        default="console",
        metadata=_told(read_choice("console", "json"), "How it is logged."),
    )
    presence: str = attrs.field(
        default=LEASED,
        metadata=_told(read_choice(LEASED, "joined"), "What ends a presence: leased or joined."),
    )
    lease_seconds: int = attrs.field(
        default=60,
        metadata=_told(read_whole(10, 3600), "How long who is silent still counts as there."),
    )
    batch: int = attrs.field(
        default=256,
        metadata=_told(read_whole(1, 10_000), "How many commands share a commit at most."),
    )
    queue: int = attrs.field(
        default=4096,
        metadata=_told(read_whole(1, 1_000_000), "How many commands may wait; more are refused."),
    )
    preparers: int = attrs.field(
        default=2,
        metadata=_told(read_whole(1, 256), "How many threads hash passwords, 64 MiB each."),
    )

    @property
    def lease(self) -> timedelta | None:
        """After how long without a sign of life a presence is over; None for no such end."""
        return timedelta(seconds=self.lease_seconds) if self.presence == LEASED else None


NAMES: Mapping[str, "attrs.Attribute[Any]"] = {
    PREFIX + each.name.upper(): each for each in attrs.fields(Settings)
}


def load(given: Mapping[str, Any] | None = None, config: str | None = None) -> Settings:
    """The settings in force: `given` on the command line, else environment, file, default.

    `BadSetting` names what cannot be used, be it a value, a name nobody knows, or a file that was
    named and is not there.
    """
    import typed_settings
    from typed_settings.exceptions import ConfigFileLoadError, InvalidOptionsError
    from typed_settings.loaders import DictLoader

    _refuse_unknown(os.environ)
    loaders: list[Any] = [
        *_file_loaders(config or os.environ.get(CONFIG)),
        typed_settings.EnvLoader(prefix=PREFIX),
        DictLoader({k: v for k, v in (given or {}).items() if v is not None}),
    ]
    try:
        return typed_settings.load_settings(Settings, loaders, processors=[_cleaned])
    except InvalidOptionsError as wrong:
        known = ", ".join(each.name for each in NAMES.values())
        raise BadSetting(f"{wrong}; the settings are {known}") from None
    except (ConfigFileLoadError, OSError, UnicodeDecodeError) as wrong:
        named = config or os.environ.get(CONFIG) or CONFIG_DEFAULT
        raise BadSetting(f"the settings file {named} cannot be read: {wrong}") from None


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    for name in sorted(environment):
        if not name.startswith(PREFIX) or name in {*NAMES, CONFIG, *OTHERS}:
            continue
        if name.startswith(tuple(each for each in OTHERS if each.endswith("_"))):
            continue
        meant = difflib.get_close_matches(name, [*NAMES, CONFIG], n=1)
        hint = f"did you mean {meant[0]}?" if meant else f"there are {', '.join(NAMES)}"
        raise BadSetting(f"{name} is no setting; {hint}")


def _file_loaders(named: str | None) -> list[Any]:
    from typed_settings import FileLoader, TomlFormat

    path = CONFIG_DEFAULT if named is None else Path(named)
    if not path.is_file():
        if named is None:
            return []
        raise BadSetting(f"{CONFIG} (--config) names {named!r}, which is no file")
    return [FileLoader(formats={"*": TomlFormat(None)}, files=[f"!{path.resolve()}"])]


def _cleaned(settings_dict: dict[str, Any], settings_cls: type, options: object) -> dict[str, Any]:
    # What typed-settings itself says of a bad value does not name the setting; here it has a name.
    found = settings_dict
    for name, each in NAMES.items():
        given = found.get(each.name, each.default)
        if given is each.default:
            continue
        try:
            found[each.name] = each.metadata["read"](given)
        except ValueError as wrong:
            raise BadSetting(f"{name} {wrong}") from None
    return found
