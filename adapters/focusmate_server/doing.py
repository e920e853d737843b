"""Doing: one message from the command line, through the server that runs, or without one."""

from __future__ import annotations

import contextlib
import json
import logging
import secrets
import sys
import typing
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

import attrs
import click

from focusmate_core import codec
from focusmate_core.calls import Call
from focusmate_core.engine import Engine
from focusmate_core.fields import plain_type
from focusmate_core.messages import Actor, Message, Origin
from focusmate_core.refusals import BadInput, Malformed, Refusal
from focusmate_server.frames import RemoteFault
from focusmate_server.places import places_of
from focusmate_server.returning import Returning
from focusmate_server.settings import Settings
from focusmate_server.wiring import open_engine
from focusmate_server.writer_client import NoWriter, WriterClient

DONE, REFUSED = 0, 1
FROM_INPUT = "-"
log = logging.getLogger(__name__)
AS_TEXT = (str, datetime, timedelta)
"""What is given as text in JSON, so that it needs no quotes here."""


@attrs.frozen
class Who:
    """Who acts: by a token, or by the word of whoever runs the command."""

    id: str = ""
    roles: frozenset[str] = frozenset()
    token: str | None = None


@contextlib.contextmanager
def door_to(settings: Settings) -> Iterator[CommandDoor]:
    """The door of the command line; the writer carries out what is asked, if there is one."""
    engine = open_engine(settings, hashes=False)
    try:
        client = WriterClient(places_of(settings), engine.registry)
    except NoWriter:
        engine.storage.close()
        engine = open_engine(settings)
        client = None
    try:
        yield CommandDoor(engine, client)
    finally:
        if client is not None:
            client.close()
        engine.storage.close()


class CommandDoor:
    """Takes messages as words and prints what became of them."""

    def __init__(self, engine: Engine, client: WriterClient | None = None) -> None:
        self._engine = engine
        self._is_alone = client is None
        self._run = engine.outcome if client is None else client.run

    def do(
        self, wire: str, words: Iterable[str], *, who: Who = Who(), key: str | None = None
    ) -> int:
        """Send one message; the answer goes to stdout, a refusal to stderr, both as JSON."""
        try:
            actor = self._actor(who)
            cls = self._engine.registry.message(wire)
            message: Message[Any] = codec.value_of(given(cls, tuple(words)), cls)
            if self._is_alone and not cls.spec.is_query:
                # Else whoever was present when the server ended would be gone by this message.
                Returning(self._engine).say()
            answer = self._run(Call(message, actor, Origin("cli"), key)).result()
        except Refusal as no:
            click.echo(_readable(_told(no)), err=True)
            return REFUSED
        except Exception as fault:  # noqa: BLE001  it is told by its id
            click.echo(f"focusmate: {_logged(wire, fault)}", err=True)
            return REFUSED
        click.echo(_readable(codec.plain(answer)))
        return DONE

    def _actor(self, who: Who) -> Actor:
        if who.token is not None:
            return self._engine.authenticate(who.token)
        return Actor(id=who.id, roles=who.roles)


def _logged(wire: str, fault: Exception) -> str:
    """One line about a bug; what it was stands in the writer's log, or at debug in our own."""
    if isinstance(fault, RemoteFault):
        return f"{wire} failed, and the server has logged it as {fault.error_id}"
    error_id = secrets.token_hex(8)
    log.debug("%s failed, error id %s", wire, error_id, exc_info=fault)
    what = f"{wire} failed, error id {error_id}: {type(fault).__name__}"
    return f"{what}; with --log-level=debug the log says where"


def _readable(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, indent=2)


def _told(no: Refusal) -> dict[str, Any]:
    said = {"code": no.code, "detail": no.detail}
    if isinstance(no, BadInput):
        return said | {"fields": codec.plain(no.fields)}
    params = codec.plain(no.params())
    return said | {"params": params} if params else said


def given(cls: type[Message[Any]], words: Sequence[str]) -> Any:
    """What the words say; `-` alone is for JSON on the input, where nobody else sees a secret."""
    if tuple(words) == (FROM_INPUT,):
        return codec.loads(sys.stdin.buffer.read())
    return fields_of(cls, words)


def fields_of(cls: type[Message[Any]], words: Iterable[str]) -> dict[str, Any]:
    """The fields in `name=value` and `outer.inner=value`; a value is JSON, or else text."""
    fields: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise BadInput.of("", f"«{word}» is not of the form field=value")
        _put(fields, name, _value(_kind_of(cls, name), value))
    return fields


def _put(fields: dict[str, Any], name: str, value: Any) -> None:
    *outer, last = name.split(".")
    for part in outer:
        fields = fields.setdefault(part, {})
        if not isinstance(fields, dict):
            raise BadInput.of(name, "is given twice")
    if last in fields:
        raise BadInput.of(name, "is given twice")
    fields[last] = value


def _value(kind: Any, text: str) -> Any:
    if isinstance(kind, type) and issubclass(kind, (*AS_TEXT, Enum)):
        return text
    try:
        return codec.loads(text)
    except Malformed:
        return text


def _kind_of(cls: Any, name: str) -> Any:
    """The type of a field, given its dotted name; None if there is none."""
    for part in name.split("."):
        hints = typing.get_type_hints(cls, include_extras=True) if attrs.has(cls) else {}
        if part not in hints:
            return None
        cls = plain_type(hints[part])
    return cls
