"""Refusals: what is the case, with what to do next; the only way the library says no."""

from __future__ import annotations

import enum
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, dataclass_transform

import attrs

__all__ = [
    "AnswerLost",
    "BadInput",
    "Conflict",
    "FieldProblem",
    "KeyNotTaken",
    "KeyReused",
    "Kind",
    "Malformed",
    "NotAllowed",
    "NotSignedIn",
    "Outdated",
    "Refusal",
    "StreamNotFound",
    "TooLarge",
    "TooOften",
    "Unavailable",
    "UnknownMessage",
    "refusal",
]

R = TypeVar("R", bound="type[Refusal]")


class Kind(enum.Enum):
    """What sort of no it is; a door maps it to its own signs (an HTTP status, a close code)."""

    MALFORMED = "malformed"
    INVALID = "invalid"
    NOT_SIGNED_IN = "not_signed_in"
    NOT_ALLOWED = "not_allowed"
    NOT_FOUND = "not_found"
    IMPOSSIBLE = "impossible"
    OUTDATED = "outdated"
    TOO_OFTEN = "too_often"
    TOO_LARGE = "too_large"
    UNAVAILABLE = "unavailable"


class Refusal(Exception):
    """A message was understood and is not carried out: raised, nothing of it remains."""

    code: ClassVar[str]
    kind: ClassVar[Kind]
    template: ClassVar[str]
    if TYPE_CHECKING:
        __attrs_attrs__: ClassVar[tuple[attrs.Attribute[Any], ...]]

    @property
    def detail(self) -> str:
        """The refusal in English, with what to do next; clients translate by `code`."""
        return self.template.format_map({name: _said(it) for name, it in self.params().items()})

    def params(self) -> dict[str, Any]:
        """The parameters of this refusal by name, as they stand in the template."""
        return {name: getattr(self, name) for name in attrs.fields_dict(type(self))}

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


def _said(value: Any) -> Any:
    """A parameter as the English text has it: instants in UTC and spans, both to the second."""
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, timedelta):
        return value - value % timedelta(seconds=1)
    return value


@dataclass_transform(kw_only_default=True)
def refusal(code: str, template: str, *, kind: Kind) -> Callable[[R], R]:
    """Make a class of refusals: a stable code, an English template of its fields, and its kind."""

    def build(cls: R) -> R:
        cls.code, cls.template, cls.kind = code, template, kind
        return attrs.define(kw_only=True, slots=False, str=False)(cls)

    return build


@attrs.frozen
class FieldProblem:
    """One field and what is wrong with it; `field` is a dotted path, empty for the whole."""

    field: str
    problem: str


@refusal("bad_input", "{summary}", kind=Kind.INVALID)
class BadInput(Refusal):
    """What was sent does not have the form the message asks for; says each field's problem."""

    fields: tuple[FieldProblem, ...] = ()

    @classmethod
    def of(cls, field: str, problem: str) -> BadInput:
        """A refusal of one field."""
        return cls(fields=(FieldProblem(field, problem),))

    @property
    def detail(self) -> str:
        """All problems in one sentence."""
        said = "; ".join(f"{p.field}: {p.problem}" if p.field else p.problem for p in self.fields)
        return f"{said}. Correct this and send it again."


@refusal("malformed", "The request is not well-formed: {problem}.", kind=Kind.MALFORMED)
class Malformed(Refusal):
    """What was sent cannot be read at all: not JSON, keys twice, too deep, not UTF-8."""

    problem: str


@refusal(
    "too_large",
    "What was sent is larger than {longest} bytes; send less at once.",
    kind=Kind.TOO_LARGE,
)
class TooLarge(Refusal):
    """A body or a frame over the door's limit, in bytes."""

    longest: int


@refusal(
    "not_signed_in",
    "This needs somebody who is signed in; sign in and send the access token.",
    kind=Kind.NOT_SIGNED_IN,
)
class NotSignedIn(Refusal):
    """No token, or one that is wrong or has expired, where the message needs a person."""


@refusal(
    "not_allowed",
    "Only {needed} may do this; ask whoever is.",
    kind=Kind.NOT_ALLOWED,
)
class NotAllowed(Refusal):
    """The caller is known and may not do this; `needed` says who may."""

    needed: str


@refusal(
    "unknown_message",
    "There is no message «{name}»; the messages are listed in the OpenAPI document.",
    kind=Kind.NOT_FOUND,
)
class UnknownMessage(Refusal):
    """No feature that is loaded knows a message of this wire name."""

    name: str


@refusal(
    "stream_not_found",
    "There is no stream «{stream}» that you may watch; there are room:<id>, user:<id>, public.",
    kind=Kind.NOT_FOUND,
)
class StreamNotFound(Refusal):
    """No such stream, or none that this caller may know of."""

    stream: str


@refusal(
    "conflict",
    "Somebody else changed this at the same time; read it again and repeat.",
    kind=Kind.OUTDATED,
)
class Conflict(Refusal):
    """What was read is no longer what is stored; a storage raises it, the engine retries it."""


@refusal(
    "outdated",
    "This was changed since you read it, and is at revision {revision} now; read it again and "
    "decide anew.",
    kind=Kind.OUTDATED,
)
class Outdated(Refusal):
    """The caller asked for a change of one revision, and there is another; nothing was done."""

    revision: int


@refusal(
    "too_often",
    "That was too much at once; wait {retry_after} s and send it again. Nothing was done.",
    kind=Kind.TOO_OFTEN,
)
class TooOften(Refusal):
    """More than somebody, or an address, may send in a while; `retry_after` in seconds."""

    retry_after: float


@refusal(
    "idempotency.key_reused",
    "This idempotency key was used for something else; take a new key for a new request.",
    kind=Kind.IMPOSSIBLE,
)
class KeyReused(Refusal):
    """One key with other content: neither done again nor answered with the former answer."""


@refusal(
    "idempotency.key_not_taken",
    "«{name}» carries a secret or writes nothing, so it takes no idempotency key; send it without.",
    kind=Kind.INVALID,
)
class KeyNotTaken(Refusal):
    """The message takes no idempotency key: its answer may not be kept, or there is no need to."""

    name: str


@refusal(
    "unavailable",
    "The service cannot do this just now; try again in {retry_after} s. Nothing was done.",
    kind=Kind.UNAVAILABLE,
)
class Unavailable(Refusal):
    """Storage is away or the queue is full; `retry_after` in seconds. Nothing is half-done."""

    retry_after: int = 1


@refusal(
    "answer_lost",
    "The answer was lost on its way, and whether it was done is not known; look before you repeat "
    "it, or repeat it under the same idempotency key.",
    kind=Kind.UNAVAILABLE,
)
class AnswerLost(Refusal):
    """The process that carries out commands went away, or did not answer in time."""

    retry_after: int = 1
