"""Options: each setting as an option of the command line, and the settings that come of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from focusmate_server.settings import CONFIG, NAMES, Settings, load

F = TypeVar("F", bound=Callable[..., Any])


def settings_options(*names: str) -> Callable[[F], F]:
    """Options for these settings, or for all of them, and `--config`."""

    def decorate(function: F) -> F:
        for name, each in reversed(list(NAMES.items())):
            if not names or each.name in names:
                told = f"{each.metadata['help']}  [{name}]"
                function = click.option(_dashed(each.name), each.name, metavar="", help=told)(
                    function
                )
        told = f"A TOML file with settings.  [{CONFIG}; else focusmate.toml, if there is one]"
        return click.option("--config", metavar="", help=told)(function)

    return decorate


def settings_of(given: Mapping[str, Any]) -> Settings:
    """The settings in force; `BadSetting`."""
    return load({k: v for k, v in given.items() if k != "config"}, given["config"])


def as_options(given: Mapping[str, Any]) -> list[str]:
    """What was given, as it is given to another process."""
    return [f"{_dashed(name)}={value}" for name, value in given.items() if value is not None]


def _dashed(name: str) -> str:
    return f"--{name.replace('_', '-')}"
