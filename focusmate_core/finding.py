"""Finding: what can be asked, which index serves it, where its pages break, and its words."""

from __future__ import annotations

import base64
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any, Generic, Protocol, TypeVar

import attrs

from focusmate_core import codec
from focusmate_core.entities import Column, Declaration, Entity
from focusmate_core.refusals import BadInput, Malformed

LONGEST_INT = 2**63
"""What a storage keeps of whole numbers: 64 bits with sign."""

E = TypeVar("E", bound=Entity)
E_co = TypeVar("E_co", bound=Entity, covariant=True)


@attrs.frozen
class Is:
    """The field equals the value; None is a value like any other."""

    field: str
    value: Any


@attrs.frozen
class Among:
    """The field equals one of at most 100 values."""

    field: str
    values: tuple[Any, ...]


@attrs.frozen
class Between:
    """`low` <= field < `high`; None leaves that side open."""

    field: str
    low: Any = None
    high: Any = None


Condition = Is | Among | Between


def _conditions(given: Iterable[Condition]) -> tuple[Condition, ...]:
    return tuple(given)


def _names(given: Iterable[str]) -> tuple[str, ...]:
    return tuple(given)


@attrs.frozen
class Find(Generic[E]):
    """One question to a storage: conditions, order, words, and which page."""

    entity: type[E]
    where: tuple[Condition, ...] = attrs.field(default=(), converter=_conditions)
    order: tuple[str, ...] = attrs.field(default=(), converter=_names)
    """Fields, all ascending or all with a leading `-`; the key, same direction, breaks ties.
    Ordering by an optional field puts None first when ascending, last when descending."""
    words: str | None = None
    """All must be there, the last as a beginning; in what may be found now (`found_while`)."""
    limit: int = 20
    after: str | None = None
    """The `next` of the page before."""

    @property
    def descending(self) -> bool:
        """Whether the answer runs from high to low."""
        return bool(self.order) and self.order[0].startswith("-")

    @property
    def sort_fields(self) -> tuple[str, ...]:
        """What the answer is sorted by, ties broken: the order and then the key."""
        declared = self.entity.declared
        named = tuple(name.removeprefix("-") for name in self.order)
        return named + tuple(name for name in declared.key if name not in named)

    def start(self) -> tuple[Any, ...] | None:
        """The sort values after which the page begins; None for the first page."""
        return (
            None
            if self.after is None
            else read_cursor(self.entity.declared, self.sort_fields, self.after)
        )

    def next_of(self, last: E) -> str:
        """The cursor after the last thing of a page."""
        return write_cursor([getattr(last, name) for name in self.sort_fields])


@attrs.frozen
class Page(Generic[E_co]):
    """One page of what was found; `next` is the cursor of the page after, None at the end."""

    items: tuple[E_co, ...]
    next: str | None


class Finds(Protocol):
    """What can be asked: a storage's unit, reader, or what a handler is given of them."""

    def find(self, asked: Find[E]) -> Page[E]:
        """One page."""
        ...


PAGE = 1000


def find_all(store: Finds, asked: Find[E]) -> Iterator[E]:
    """Everything that is asked for, page by page."""
    asked = attrs.evolve(asked, limit=PAGE)
    while True:
        page = store.find(asked)
        yield from page.items
        if page.next is None:
            return
        asked = attrs.evolve(asked, after=page.next)


class NoIndex(Exception):
    """No declared index serves this find: it would be slow in production, so it is refused."""


def index_for(asked: Find[Any]) -> tuple[str, ...]:
    """The declared index that serves a find; NoIndex if there is none.

    Served means: fields compared by `Is` come first in the index, all of them, and then what the
    answer is sorted by (or a `Between`, or an `Among`, on the next field when sorted by key alone).
    Further conditions may narrow what the index yields. Words are served by the index of words,
    sorted by key.
    """
    declared: Declaration = asked.entity.declared
    _check(asked, declared)
    if asked.words is not None:
        return _words_index(asked, declared)
    for path in (declared.key, *declared.uniques, *declared.indexes):
        if _serves((*path, *declared.key), asked):
            return path
    msg = (
        f"no index of {declared.cls.__name__} serves {asked.where}, order {asked.order}: "
        f"declare @entity(index=[…]) with the compared fields first and the sorted ones after them"
    )
    raise NoIndex(msg)


def _check(asked: Find[Any], declared: Declaration) -> None:
    names = {column.name for column in declared.columns}
    used = {c.field for c in asked.where} | set(asked.sort_fields)
    if used - names:
        msg = f"{declared.cls.__name__} has no field {sorted(used - names)}"
        raise NoIndex(msg)
    if len({name.startswith("-") for name in asked.order}) > 1:
        msg = "all fields of an order go in one direction"
        raise NoIndex(msg)


def _words_index(asked: Find[Any], declared: Declaration) -> tuple[str, ...]:
    if not declared.search:
        msg = f"{declared.cls.__name__} declares no searchable text: @entity(search=(…))"
        raise NoIndex(msg)
    if asked.sort_fields != declared.key:
        msg = "words are found in the order of the key, either way; order by nothing else"
        raise NoIndex(msg)
    return declared.search


def _serves(path: tuple[str, ...], asked: Find[Any]) -> bool:
    equal = {c.field for c in asked.where if isinstance(c, Is)}
    taken = 0
    while taken < len(path) and path[taken] in equal:
        taken += 1
    rest = path[taken:]
    if taken == 0 and asked.where and not _leads(rest, asked):
        # All would have to be walked through to find the few that meet the conditions.
        return False
    sort = tuple(name for name in asked.sort_fields if name not in equal)
    return rest[: len(sort)] == sort or (not asked.order and _leads(rest, asked))


def _leads(rest: tuple[str, ...], asked: Find[Any]) -> bool:
    return bool(rest) and any(
        c.field == rest[0] for c in asked.where if isinstance(c, (Among, Between))
    )


def write_cursor(values: Iterable[Any]) -> str:
    """Sort values as opaque text."""
    text = codec.dumps([codec.plain(value) for value in values])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(declared: Declaration, fields: tuple[str, ...], text: str) -> tuple[Any, ...]:
    """The sort values of a cursor; BadInput on `cursor` if it is none of this list's."""
    columns = {column.name: column for column in declared.columns}
    try:
        plain = codec.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        pairs = zip(fields, plain, strict=True)
        return tuple(_sort_value(value, columns[name]) for name, value in pairs)
    except (ValueError, TypeError, Malformed, BadInput):
        raise _not_a_cursor() from None


def _sort_value(plain: Any, column: Column) -> Any:
    if plain is None and column.optional:
        return None
    value = codec.value_of(plain, column.type)
    if isinstance(value, int) and not -LONGEST_INT <= value < LONGEST_INT:
        raise _not_a_cursor()
    return value


def _not_a_cursor() -> BadInput:
    return BadInput.of("cursor", "must be the next_cursor of this same list")


_WORD = re.compile(r"\w+")
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
    "\uf900-\ufaff\U00020000-\U0003ffff]+"
)
LONGEST_TOKEN = 64


def tokens(text: str) -> tuple[str, ...]:
    """The words of a text, in order: NFKC, case-folded; bigrams where a script has no spaces.

    Each at most 64 characters; longer words are cut, in the text and in the question alike.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return tuple(token for word in _WORD.findall(folded) for token in _cut(word))


def _cut(word: str) -> Iterable[str]:
    at = 0
    for run in _UNSPACED.finditer(word):
        if run.start() > at:
            yield word[at : run.start()][:LONGEST_TOKEN]
        signs = run.group()
        yield from (signs[i : i + 2] for i in range(max(1, len(signs) - 1)))
        at = run.end()
    if at < len(word):
        yield word[at:][:LONGEST_TOKEN]


def matches(question: str, text: str) -> bool:
    """Whether a text has all words of a question, the last one as a prefix.

    The one meaning of search; an adapter's index must agree with it. A question without words
    matches nothing.
    """
    return matches_tokens(tokens(question), frozenset(tokens(text)))


def matches_tokens(asked: tuple[str, ...], held: frozenset[str]) -> bool:
    """`matches` on tokens."""
    if not asked:
        return False
    *whole, last = asked
    return all(word in held for word in whole) and any(word.startswith(last) for word in held)
