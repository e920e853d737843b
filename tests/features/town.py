"""A small town to state laws in: an engine, a clock, and people who send messages."""

from __future__ import annotations

import shutil
import tempfile
import typing
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from focusmate_core import ANONYMOUS, Actor, Engine, Refusal, codec
from focusmate_core.features import BUNDLED, credentials, rooms, sign_ins
from focusmate_core.outbox import Envelope, split_stream
from focusmate_core.ports.passwords import Passwords
from focusmate_core.ports.storage import Storage
from focusmate_core.testing.clock import FakeClock
from focusmate_core.testing.ids import SequentialIds
from focusmate_core.testing.memory import MemoryStorage
from focusmate_core.testing.ports import fake_ports
from focusmate_sqlalchemy import SqlStorage

PASSWORD = "correct horse 9"
EVERYTHING = 1_000_000


def memory(_: Path) -> Storage:
    """A fresh storage in memory."""
    return MemoryStorage()


def sqlite(folder: Path) -> Storage:
    """A fresh SQLite file in a folder; copied, since making one takes most of a test's time."""
    path = Path(tempfile.mkdtemp(dir=folder)) / "town.db"
    original = folder / "original.db"
    if not original.exists():
        making = SqlStorage(f"sqlite:///{original}.new")
        Town(making)
        making.close()
        Path(f"{original}.new").rename(original)
    shutil.copy(original, path)
    return SqlStorage(f"sqlite:///{path}", synchronous="OFF")


STORAGES: dict[str, Callable[[Path], Storage]] = {"memory": memory, "sqlite": sqlite}


class Town:
    """One engine with all bundled features. Everything is asked of it in messages.

    `settings` are given to the engine among its ports.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        clock: FakeClock | None = None,
        settings: Iterable[Any] = (),
    ) -> None:
        self.settings = {type(each): each for each in settings}
        self.clock = clock or FakeClock()
        self.ids = SequentialIds()
        self.fakes = fake_ports(self.clock)
        self.passwords = self.fakes[Passwords]
        self.storage = storage
        self.engine = self._engine()

    @classmethod
    def around(cls, engine: Engine) -> Town:
        """The town of an engine that there is, behind a door perhaps."""
        town = cls.__new__(cls)
        town.engine, town.storage = engine, engine.storage
        town.clock, town.ids = engine.clock, engine.ids
        return town

    def _engine(self) -> Engine:
        ports = self.fakes | self.settings
        parts = {"features": BUNDLED, "clock": self.clock, "ids": self.ids, "ports": ports}
        return Engine(self.storage, **parts)

    def restart(self) -> None:
        """The service dies and comes back over what it has stored."""
        self.storage.close()
        self.engine = self._engine()

    # -- people -----------------------------------------------------------------------------------

    def somebody(self) -> Actor:
        """A person the embedder vouches for, without an account here."""
        return Actor(id=self.ids.new(self.clock.now()))

    def register(self, name: str, password: str = PASSWORD) -> Any:
        """An account under a name."""
        email = f"{name}@example.org"
        return self.do(credentials.Register(email=email, username=name, password=password))

    def sign_in(self, name: str, password: str = PASSWORD) -> sign_ins.SignedIn:
        """A pair of tokens."""
        return self.do(sign_ins.SignIn(login=name, password=password))

    def person(self, name: str) -> Actor:
        """Somebody who registered and signed in."""
        self.register(name)
        return self.engine.authenticate(self.sign_in(name).access_token)

    # -- messages ---------------------------------------------------------------------------------

    def do(self, message: Any, by: Actor = ANONYMOUS, **more: Any) -> Any:
        """The answer to a message; raises its refusal."""
        return self.engine.execute(message, actor=by, **more)

    def refused(self, message: Any, by: Actor = ANONYMOUS, **more: Any) -> Refusal:
        """The refusal of a message, which must be refused and must leave nothing behind."""
        try:
            answer = self.do(message, by, **more)
        except Refusal as refusal:
            return refusal
        raise AssertionError(f"{message} was not refused but answered {answer}")

    def code(self, message: Any, by: Actor = ANONYMOUS, **more: Any) -> str:
        """The code a message is refused with, or «ok»."""
        try:
            self.do(message, by, **more)
        except Refusal as refusal:
            return refusal.code
        return "ok"

    def open_room(self, host: Actor, **more: Any) -> rooms.RoomView:
        """A room of that host."""
        return self.do(rooms.OpenRoom(**{"name": "Library", **more}), host)

    # -- what was told ----------------------------------------------------------------------------

    def told(self, stream: str, after: int = 0) -> list[Envelope]:
        """All envelopes of a stream after a number."""
        with self.storage.read() as reader:
            return reader.read(stream, after, EVERYTHING)

    def all_told(self) -> list[Envelope]:
        """The whole outbox."""
        with self.storage.read() as reader:
            return reader.tail("", EVERYTHING)

    def types(self, stream: str) -> list[str]:
        """The wire names of a stream's events, in order."""
        return [envelope.type for envelope in self.told(stream)]

    def parts(self, stream: str) -> dict[str, Any]:
        """The parts of a stream's snapshot as the features made them, not as plain data."""
        functions = self.engine.registry.snapshots[split_stream(stream)[0]]
        hints = {name: typing.get_type_hints(part)["return"] for name, part in functions.items()}
        plain = self.engine.snapshot(stream).parts
        return {name: codec.value_of(plain[name], hint) for name, hint in hints.items()}

    def applied(self, parts: dict[str, Any], envelopes: list[Envelope]) -> dict[str, Any]:
        """Parts with events applied, as a watcher does it."""
        for envelope in envelopes:
            parts = self.engine.registry.apply(parts, self.decoded(envelope), envelope.at)
        return parts

    def decoded(self, envelope: Envelope) -> Any:
        """The event in an envelope."""
        registry = self.engine.registry
        return registry.decode_event(envelope.type, envelope.version, envelope.data)


class Watcher:
    """Somebody who was given the snapshot of a stream, and applies what is told from then on."""

    def __init__(self, town: Town, stream: str) -> None:
        self.town = town
        self.stream = stream
        self.parts = town.parts(stream)
        self.seen = town.engine.snapshot(stream).seq

    def catch_up(self) -> list[Envelope]:
        """What is new: without a gap, and making of the former snapshot what a new one shows."""
        new = self.town.told(self.stream, after=self.seen)
        assert [each.seq for each in new] == [self.seen + n for n in range(1, len(new) + 1)]
        self.parts = self.town.applied(self.parts, new)
        self.seen += len(new)
        assert self.parts == self.town.parts(self.stream)
        return new


def is_gapless(envelopes: list[Envelope]) -> bool:
    """Whether a stream counts from 1 without gaps."""
    return [envelope.seq for envelope in envelopes] == list(range(1, len(envelopes) + 1))
