"""The entities the storage laws are told with, and the helpers they share."""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import attrs
import pytest

from focusmate_core.entities import Entity, entity
from focusmate_core.finding import Find
from focusmate_core.messages import Value, view
from focusmate_core.outbox import Envelope, Fresh
from focusmate_core.ports.storage import Reader, Storage

T = TypeVar("T")
E = TypeVar("E", bound=Entity)

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
PATIENCE = 30.0
"""Seconds a thread of a law may take; only a storage that hangs takes them."""


class Mood(enum.Enum):
    """An enum as entities have them."""

    CALM = "calm"
    LOUD = "loud"


@view
class Part(Value):
    """A value nested in an entity."""

    name: str
    span: timedelta = timedelta(minutes=25)
    at: datetime | None = None


@entity(
    "kit_things",
    index=["mood", ("shelf", "rank"), ("shelf", "made_at"), ("shelf", "mood", "rank")],
    unique=["label", ("shelf", "slot")],
    search=("title", "note"),
)
class Thing(Entity):
    """Has an index of each kind, a unique field, a unique pair, and text to search."""

    id: str
    shelf: str = "a"
    rank: int = 0
    made_at: datetime | None = None
    label: str | None = None
    slot: int | None = None
    title: str = ""
    note: str | None = None
    mood: Mood = Mood.CALM
    version: int = 0


@entity("kit_pairs", key=("left", "right"), index=[("right", "left")])
class Pair(Entity):
    """Is kept under two fields."""

    left: str
    right: str
    weight: float = 0.0
    version: int = 0


@entity("kit_posters", search=("title",), found_while=("is_up", "is_public"))
class Poster(Entity):
    """Is found by its words only while it is up and public."""

    id: str
    title: str = ""
    is_up: bool = True
    is_public: bool = True
    version: int = 0


@entity("kit_everything")
class Everything(Entity):
    """Has a column of every type, once required and once optional."""

    id: str
    text: str = ""
    flag: bool = False
    number: int = 0
    ratio: float = 0.0
    at: datetime = NOON
    span: timedelta = timedelta()
    mood: Mood = Mood.LOUD
    part: Part = Part(name="")
    parts: tuple[Part, ...] = ()
    names: tuple[str, ...] = ()
    counts: dict[str, int] = attrs.field(factory=dict)
    maybe_text: str | None = None
    maybe_flag: bool | None = None
    maybe_number: int | None = None
    maybe_ratio: float | None = None
    maybe_at: datetime | None = None
    maybe_span: timedelta | None = None
    maybe_mood: Mood | None = None
    maybe_part: Part | None = None
    version: int = 0


@entity("kit_unopened")
class Unopened(Entity):
    """Is never named to a storage."""

    id: str
    version: int = 0


ENTITIES = (Thing, Pair, Poster, Everything)


class Undo(Exception):
    """Raised by a law to leave a unit of work or a savepoint without keeping it."""


class Laws:
    """The fixtures that all storage laws share."""

    @pytest.fixture
    def opened(self, storage: Storage) -> Iterator[Storage]:
        """The storage under test, opened with the kit's entities."""
        storage.open(ENTITIES)
        yield storage
        storage.close()


def keep(storage: Storage, *things: Entity) -> None:
    """Put things in one unit of work."""
    with storage.write() as unit:
        for thing in things:
            unit.put(thing)


def kept(storage: Storage, entity: type[E], key: Any) -> E | None:
    """What a fresh reader gets."""
    with storage.read() as reader:
        return reader.get(entity, key)


def all_pages(reader: Reader, asked: Find[E]) -> list[E]:
    """What is found, page after page, to the end."""
    found: list[E] = []
    while True:
        page = reader.find(asked)
        found += page.items
        if page.next is None:
            return found
        asked = attrs.evolve(asked, after=page.next)


@contextmanager
def taken_back(begun: AbstractContextManager[T]) -> Iterator[T]:
    """Leave a unit of work or a savepoint by an exception, which must come through."""
    with pytest.raises(Undo), begun as entered:  # noqa: PT012  the block is the caller's
        yield entered
        raise Undo


def fresh(stream: str, data: str = "{}", recorded_at: datetime = NOON) -> Fresh:
    """An event to append."""
    return Fresh(stream, "kit.happened", 1, NOON, recorded_at, data)


def said(envelopes: list[Envelope]) -> list[tuple[str, int, str]]:
    """Stream, number and data of each."""
    return [(envelope.stream, envelope.seq, envelope.data) for envelope in envelopes]


def in_threads(*works: Callable[[], T]) -> list[T]:
    """Run all at once, each in a thread of its own; gives their results in order."""
    results: dict[int, T] = {}
    faults: list[BaseException] = []
    start = threading.Barrier(len(works))

    def run(number: int, work: Callable[[], T]) -> None:
        try:
            start.wait(PATIENCE)
            results[number] = work()
        except BaseException as fault:  # noqa: BLE001  raised again below, in the test's thread
            faults.append(fault)

    threads = [
        threading.Thread(target=run, args=(number, work), daemon=True)
        for number, work in enumerate(works)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    if faults:
        raise faults[0]
    assert len(results) == len(works), "a thread hangs in the storage"
    return [results[number] for number in range(len(works))]


def elsewhere(work: Callable[[], T]) -> T:
    """Run in another thread, to the end."""
    return in_threads(work)[0]
