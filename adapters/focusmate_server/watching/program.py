"""The program: puts together who watches what and where it is shown, and ends in good order."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit, urlunsplit

import attrs
import click
import trio

from focusmate_core.features.rooms import room_stream
from focusmate_security import SignedTokens
from focusmate_server.greeting import realtime_url
from focusmate_server.keys import KeyFiles
from focusmate_server.places import places_of
from focusmate_server.settings import Settings
from focusmate_server.watching.following import Watch
from focusmate_server.watching.paper import JsonStage, LinesStage, Pipe, tick
from focusmate_server.watching.screen import EVENTS
from focusmate_server.watching.terminal import Terminal, TerminalStage
from focusmate_server.watching.who import (
    ByFile,
    ByPassword,
    BySigning,
    ByToken,
    CannotWatch,
    Who,
)
from focusmate_system import SystemClock

DONE, FAILED = 0, 1
KEYS, SCREEN = 0, 1
WHERE = "/v1/ws"
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
Task = Callable[[], Awaitable[None]]
TOKEN, PASSWORD = "FOCUSMATE_TOKEN", "FOCUSMATE_PASSWORD"


@attrs.frozen
class Options:
    """What the command line says."""

    room_id: str
    url: str | None = None
    actor: str | None = None
    login: str | None = None
    token_file: str | None = None
    as_json: bool = False
    ticks: bool = False


def watch(options: Options, settings: Settings) -> int:
    """Watch until somebody ends it or the room is closed; the exit code."""
    try:
        if sys.stdout is None:
            # What is opened next would take its number, and be written into.
            raise CannotWatch("there is nowhere to show it: the standard output is closed")
        url = _checked(options.url or realtime_url(settings.realtime_bind))
        if trio.run(_watch, options, url, who_of(options, settings)):
            click.echo("focusmate: the room is closed: nothing happens in it any more", err=True)
    except CannotWatch as no:
        click.echo(f"focusmate: {' '.join(str(no).split())}", err=True)
        return FAILED
    return DONE


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, rest = parts.hostname or "", parts.path + parts.query
        is_good = parts.scheme in {"ws", "wss"} and host.encode("idna") and parts.port != 0
        is_good = is_good and url.isprintable() and " " not in url and rest.isascii()
    except ValueError:
        is_good = False
    if not is_good:
        raise CannotWatch(f"--url must be like ws://127.0.0.1:8001/v1/ws, not {url}")
    return url if parts.path.strip("/") else urlunsplit(parts._replace(path=WHERE))


def who_of(options: Options, settings: Settings) -> Who:
    """Who watches, by the first of what is given: options before the environment."""
    given = [options.actor, options.login, options.token_file]
    if sum(each is not None for each in given) > 1:
        raise CannotWatch("give one of --actor, --login and --token-file")
    if options.actor is not None:
        return _by_signing(options.actor, settings)
    if options.token_file is not None:
        return ByFile(Path(options.token_file))
    if options.login is not None:
        return ByPassword(options.login, _password())
    if token := os.environ.get(TOKEN):
        return ByToken(token.strip())
    raise CannotWatch(
        f"say who watches: --login NAME, --token-file FILE, or {TOKEN} in the environment; "
        "on the server's own machine --actor ID"
    )


def _by_signing(person_id: str, settings: Settings) -> Who:
    key = places_of(settings).key
    if not key.exists():
        raise CannotWatch(
            f"--actor needs the server's signing key, and {key} is not there: run this in the "
            "server's folder, set FOCUSMATE_STORAGE, or watch with --login"
        )
    return BySigning(person_id, SignedTokens(KeyFiles(key)), SystemClock())


def _password() -> str:
    if known := os.environ.get(PASSWORD):
        return known
    if not os.isatty(KEYS):
        raise CannotWatch(f"there is no terminal to ask for the password: set {PASSWORD}")
    asked: str = click.prompt("Password", hide_input=True, err=True)
    return asked


# -- beside each other ----------------------------------------------------------------------------


async def _watch(options: Options, url: str, who: Who) -> bool:
    """Whether the room is closed, and was not left by who watches."""
    with trio.CancelScope() as scope:
        watch_on = partial(Watch, url, room_stream(options.room_id), who)
        await _shown(options, watch_on, scope.cancel)
    return not scope.cancelled_caught


async def _end_by_signal(end: Callable[[], None]) -> None:
    with trio.open_signal_receiver(*ENDING) as signals:
        async for _ in signals:
            end()


async def _shown(options: Options, watch_on: Callable[..., Watch], end: Callable[[], None]) -> None:
    is_plain = options.as_json or options.ticks
    if os.isatty(SCREEN) and not is_plain and os.environ.get("TERM", "dumb") != "dumb":
        await _on_terminal(watch_on, end)
    else:
        await _on_paper(options, watch_on, end)


async def _on_terminal(watch_on: Callable[..., Watch], end: Callable[[], None]) -> None:
    terminal = Terminal(KEYS, SCREEN)
    stage = TerminalStage(terminal, has_styles=not os.environ.get("NO_COLOR"))
    watch = watch_on(stage, past=EVENTS)

    async def until_quit() -> None:
        await terminal.wait_for_quit()
        end()

    with terminal.taken():
        show = partial(stage.show, watch)
        ending = partial(_end_by_signal, end)
        await _beside(watch, ending, show, stage.mind_the_window, until_quit)


async def _on_paper(
    options: Options, watch_on: Callable[..., Watch], end: Callable[[], None]
) -> None:
    pipe = Pipe(SCREEN, end)
    plain = options.as_json or options.ticks
    watch = watch_on(JsonStage(pipe) if plain else LinesStage(pipe))

    async def until_closed() -> None:
        await pipe.wait_closed()
        end()

    tasks: list[Task] = [partial(_end_by_signal, end), until_closed]
    if options.ticks:
        tasks.append(partial(tick, watch, pipe))
    await _beside(watch, *tasks)


async def _beside(watch: Watch, *tasks: Task) -> None:
    """Watch, with tasks beside it for as long; `CannotWatch` comes out bare, in no group."""
    failed: CannotWatch | None = None
    try:
        async with trio.open_nursery() as nursery:
            for task in tasks:
                nursery.start_soon(task)
            await watch.run()
            nursery.cancel_scope.cancel()
    except* CannotWatch as no:
        failed = cast("CannotWatch", no.exceptions[0])
    if failed is not None:
        raise failed
