"""Settings: what can be set, from a TOML file, the environment and the command line."""

import difflib
import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs

from focusmate_core.ports.limits import Rate
from focusmate_server.readings import (
    Address,
    Read,
    read_bind,
    read_choice,
    read_networks,
    read_origins,
    read_path,
    read_rate,
    read_url,
    read_whole,
)

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


# -- what can be set ------------------------------------------------------------------------------


LEASED = "leased"
X_FORWARDED_FOR, FORWARDED = "x-forwarded-for", "forwarded"


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
    proxy_header: str = attrs.field(
        default=X_FORWARDED_FOR,
        metadata=_told(
            read_choice(X_FORWARDED_FOR, FORWARDED), "The one header in which they say it."
        ),
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
    limit_renewals: Rate | None = attrs.field(
        default=Rate(3000, MINUTE),
        metadata=_told(read_rate, "How often an address may renew and end tokens, or off."),
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
