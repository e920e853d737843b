"""The command line: serve, migrate, backup, keys, do, watch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from focusmate_server.options import as_options, settings_of, settings_options
from focusmate_server.settings import CannotStart

REFUSED, CANNOT_START = 1, 2


def main() -> NoReturn:
    """Run the command line; 0 done, 1 refused or failed, 2 not started."""
    try:
        code = commands(prog_name="focusmate", standalone_mode=False)
    except CannotStart as wrong:
        _end(CANNOT_START, str(wrong))
    except click.ClickException as wrong:
        wrong.show()
        sys.exit(wrong.exit_code)
    except click.Abort:
        _end(REFUSED, "interrupted")
    sys.exit(code or 0)


def _end(code: int, why: str) -> NoReturn:
    click.echo(f"focusmate: {' '.join(why.split())}", err=True)
    sys.exit(code)


def _version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:  # noqa: FBT001  click's
    if asked:
        from importlib.metadata import version

        click.echo(f"focusmate {version('focusmate')}")
        ctx.exit()


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Say which version this is.",
)
def commands() -> None:
    """Focusing together: shared rooms with a timer that the server keeps."""


@commands.command()
@click.argument("role", required=False, type=click.Choice(["http", "realtime", "worker"]))
@click.option("--supervised", is_flag=True, hidden=True)
@click.option("--listen-fd", type=int, hidden=True)
@settings_options()
def serve(role: str | None, supervised: bool, listen_fd: int | None, **given: Any) -> int:  # noqa: FBT001
    """Serve all roles on this machine, or one of them."""
    from focusmate_server import logs, roles

    settings = settings_of(given)
    logs.set_up(settings, role or "serve")
    if role is None:
        return roles.serve_all(settings, as_options(given))
    return roles.serve_one(role, settings, supervised=supervised, listen_fd=listen_fd)


@commands.command()
@settings_options("storage", "log_level", "log_format")
def migrate(**given: Any) -> None:
    """Bring the database to this version. Stop the server and back up before."""
    from focusmate_server import logs, wiring

    settings = settings_of(given)
    logs.set_up(settings, "migrate")
    wiring.migrate(settings)
    click.echo(f"{settings.storage} is up to date")


@commands.command()
@click.argument("file", type=click.Path(path_type=Path))
@settings_options("storage", "signing_key_file", "log_level", "log_format")
def backup(file: Path, **given: Any) -> None:
    """Copy the database to FILE and its keys to FILE.key…, also while a server runs.

    What is there already is not overwritten.
    """
    from focusmate_server import backups, logs

    settings = settings_of(given)
    logs.set_up(settings, "backup")
    for made in backups.back_up(settings, file):
        click.echo(made)


@commands.group()
def keys() -> None:
    """The keys that sign tokens."""


@keys.command()
@settings_options("storage", "signing_key_file", "refresh_days")
def rotate(**given: Any) -> None:
    """Sign with a new key from now on, also in a server that runs; the former one still verifies.

    Nobody is signed out by this. It says until when the former key is needed.
    """
    from focusmate_server import rotating

    for line in rotating.rotate(settings_of(given)):
        click.echo(line)


@keys.command("list")
@settings_options("storage", "signing_key_file", "refresh_days")
def list_keys(**given: Any) -> None:
    """Say which keys there are, and from when on each former one can be deleted."""
    from focusmate_server import rotating

    for line in rotating.listed(settings_of(given)):
        click.echo(line)


@commands.command()
@click.argument("wire")
@click.argument("fields", nargs=-1, metavar="[FIELD=VALUE]...")
@click.option("--actor", default="", metavar="ID", help="Do it as the person of this id.")
@click.option("--role", "granted", multiple=True, type=click.Choice(["moderator", "admin"]))
@click.option("--token", metavar="", help="Do it as the person this access token was given to.")
@click.option("--key", metavar="", help="An idempotency key: repeated, it is done once.")
@settings_options(
    "storage",
    "signing_key_file",
    "socket",
    "presence",
    "lease_seconds",
    "log_level",
    "log_format",
)
def do(
    wire: str,
    fields: tuple[str, ...],
    actor: str,
    granted: tuple[str, ...],
    token: str | None,
    key: str | None,
    **given: Any,
) -> int:
    """Send one message, such as rooms.open name="Deep work" plan.work=PT50M.

    A single - takes the fields as JSON from the input. The answer is JSON, and so is a refusal, on
    stderr, with exit code 1. Who runs this owns the database, and so may act as anybody.
    """
    from focusmate_server import doing, logs

    settings = settings_of(given)
    logs.set_up(settings, "do")
    with doing.door_to(settings) as door:
        return door.do(wire, fields, who=doing.Who(actor, frozenset(granted), token), key=key)


@commands.command()
@click.argument("room_id", metavar="ROOM")
@click.option("--url", metavar="", help="The WebSocket door, such as wss://example.org/v1/ws.")
@click.option("--login", metavar="NAME", help="Sign in; the password is asked for.")
@click.option("--token-file", metavar="FILE", help="Where an access token stands.")
@click.option("--actor", metavar="ID", help="Watch as this person, on the server's own machine.")
@click.option("--json", "as_json", is_flag=True, help="Print each event as a line of JSON.")
@click.option("--ticks", is_flag=True, hidden=True)
@settings_options("storage", "signing_key_file", "realtime_bind")
def watch(config: str | None, **given: Any) -> int:
    """Show a room live: who is there, the timer, what happens. Ends with q.

    Without --login, --token-file or --actor the access token is FOCUSMATE_TOKEN.
    """
    from focusmate_server.watching import program

    names = ("storage", "signing_key_file", "realtime_bind")
    settings = settings_of({name: given.pop(name) for name in names} | {"config": config})
    return program.watch(program.Options(**given), settings)
