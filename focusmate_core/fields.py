"""The field vocabulary: for each kind of field one rule that cleans a value and describes it."""

from __future__ import annotations

import json
import re
import typing
import unicodedata
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

import attrs

from focusmate_core.refusals import BadInput

Schema = dict[str, Any]


class Rule:
    """What a field may hold, for checking and for describing. Cleaning twice is cleaning once."""

    secret: bool = False

    def clean(self, given: Any) -> Any:
        """The value to keep; ValueError with what is asked for."""
        raise NotImplementedError

    def schema(self) -> Schema:
        """The rule in JSON Schema."""
        raise NotImplementedError


def refuse(asked: str) -> typing.NoReturn:
    """Refuse a value by saying what is asked for."""
    raise ValueError(asked)


def _kind(given: Any) -> str:
    if given is None:
        return "nothing"
    names = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}
    return names.get(type(given), type(given).__name__)


@attrs.frozen
class Text(Rule):
    """Unicode text, trimmed, NFC, without control characters (line ends only if `lines`)."""

    shortest: int = 0
    longest: int = 200
    lines: bool = False

    def clean(self, given: Any) -> str:
        if not isinstance(given, str):
            refuse(f"must be text, not {_kind(given)}")
        kept = given if given.isascii() else unicodedata.normalize("NFC", given)
        kept = kept.strip()
        if not kept.isprintable():
            self._look(kept)
        if not self.shortest <= len(kept) <= self.longest:
            refuse(f"must have {self.shortest} to {self.longest} characters, not {len(kept)}")
        return kept

    def _look(self, kept: str) -> None:
        allowed = "\n\t" if self.lines else ""
        for char in kept:
            if unicodedata.category(char) in {"Cc", "Cs"} and char not in allowed:
                refuse(f"must not contain the control character U+{ord(char):04X}")

    def schema(self) -> Schema:
        return {"type": "string", "minLength": self.shortest, "maxLength": self.longest}


@attrs.frozen
class Pattern(Rule):
    """Text, trimmed and NFC, that a regular expression matches whole; `asked` says it in words."""

    pattern: str
    asked: str
    longest: int
    format: str = ""
    is_id: bool = False
    """Taken as it stands, in lower case: who sends an id did not type it."""
    _regex: re.Pattern[str] = attrs.field(init=False, eq=False, repr=False)

    @_regex.default
    def _compile(self) -> re.Pattern[str]:
        return re.compile(self.pattern)

    def clean(self, given: Any) -> str:
        if not isinstance(given, str):
            refuse(f"must be text, not {_kind(given)}")
        kept = given.lower() if self.is_id else unicodedata.normalize("NFC", given.strip())
        if len(kept) > self.longest or not self._regex.fullmatch(kept):
            refuse(f"must be {self.asked}")
        return kept

    def schema(self) -> Schema:
        told: Schema = {"type": "string", "maxLength": self.longest, "description": self.asked}
        told |= {"format": self.format} if self.format else {"pattern": f"^{self.pattern}$"}
        return told


@attrs.frozen
class Secret(Rule):
    """Text kept exactly as given, that no log, answer or idempotency record may hold."""

    shortest: int = 1
    longest: int = 4096
    secret: bool = attrs.field(default=True, init=False)

    def clean(self, given: Any) -> str:
        if not isinstance(given, str):
            refuse(f"must be text, not {_kind(given)}")
        if not self.shortest <= len(given) <= self.longest:
            refuse(f"must have {self.shortest} to {self.longest} characters")
        if any(unicodedata.category(char) in {"Cc", "Cs"} for char in given):
            refuse("must not contain control characters")
        return given

    def schema(self) -> Schema:
        return {
            "type": "string",
            "format": "password",
            "minLength": self.shortest,
            "maxLength": self.longest,
        }


@attrs.frozen
class Whole(Rule):
    """A whole number within bounds, both included."""

    least: int
    most: int

    def clean(self, given: Any) -> int:
        if type(given) is not int:
            refuse(f"must be a whole number, not {_kind(given)}")
        if not self.least <= given <= self.most:
            refuse(f"must be from {self.least} to {self.most}, not {given}")
        return given

    def schema(self) -> Schema:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


@attrs.frozen
class Span(Rule):
    """A length of time within bounds, both included; ISO 8601 in JSON (`PT25M`)."""

    least: timedelta
    most: timedelta

    def clean(self, given: Any) -> timedelta:
        if not isinstance(given, timedelta):
            refuse(f"must be a duration, not {_kind(given)}")
        if not self.least <= given <= self.most:
            refuse(f"must be from {duration_text(self.least)} to {duration_text(self.most)}")
        return given

    def schema(self) -> Schema:
        least, most = duration_text(self.least), duration_text(self.most)
        return {"type": "string", "format": "duration", "description": f"from {least} to {most}"}


@attrs.frozen
class CalendarDay(Rule):
    """A day of the calendar as `YYYY-MM-DD`, from 1970 to 2999; kept as text."""

    def clean(self, given: Any) -> str:
        if not isinstance(given, str):
            refuse(f"must be text, not {_kind(given)}")
        if not _DAY.fullmatch(given) or not _exists(given):
            refuse("must be a day such as 2026-01-31, from 1970 to 2999")
        return given

    def schema(self) -> Schema:
        return {"type": "string", "format": "date"}


_DAY = re.compile("(19[7-9]|2[0-9]{2})[0-9]-[0-9]{2}-[0-9]{2}")


def _exists(day: str) -> bool:
    try:
        date.fromisoformat(day)
    except ValueError:
        return False
    return True


@attrs.frozen
class JsonObject(Rule):
    """A JSON object of any form, within bounds of its text and depth; kept with sorted keys."""

    largest: int
    """Bytes of its text, which is compact UTF-8."""
    deepest: int = 8

    def clean(self, given: Any) -> dict[str, Any]:
        if type(given) is not dict:
            refuse(f"must be a JSON object, not {_kind(given)}")
        self._look(given, self.deepest)
        text = object_text(given)
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            refuse("must not hold half a surrogate pair, which is no character")
        if size > self.largest:
            refuse(f"must have at most {self.largest} bytes as JSON text, not {size}")
        kept: dict[str, Any] = json.loads(text)
        return kept

    def _look(self, given: Any, left: int) -> None:
        if given is None or type(given) in {str, bool, int, float}:
            return
        if type(given) not in {dict, list}:
            refuse("must hold only what JSON has: objects, lists, text, numbers, true, false")
        if left == 0:
            refuse(f"must not be nested deeper than {self.deepest} levels")
        if type(given) is dict and any(type(name) is not str for name in given):
            refuse("must have only text as names in its objects")
        for inner in given.values() if type(given) is dict else given:
            self._look(inner, left - 1)

    def schema(self) -> Schema:
        asked = f"at most {self.largest} bytes as text, nested at most {self.deepest} levels deep"
        return {"type": "object", "description": asked}


def object_text(given: dict[str, Any]) -> str:
    """A JSON object as its one text: compact, the keys sorted; ValueError for what JSON lacks."""
    try:
        return _OBJECTS.encode(given)
    except ValueError:
        refuse("must not hold a number that is not finite, or has thousands of digits")


_OBJECTS = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), allow_nan=False, sort_keys=True
)


_DURATION = re.compile(
    r"(-?)P(?!$)(?:([0-9]{1,9})D)?(?:T(?=[0-9])(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9})(?:\.([0-9]{1,6}))?S)?)?"
)


def duration_text(span: timedelta) -> str:
    """ISO 8601, days to seconds: `PT25M`, `P1DT0.5S`, `-PT1S`; nothing is lost."""
    if span.days < 0:
        return f"-{duration_text(-span)}"
    hours, rest = divmod(span.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    text = f"P{span.days}DT" if span.days else "PT"
    text += f"{hours}H" if hours else ""
    text += f"{minutes}M" if minutes else ""
    if span.microseconds:
        fraction = f"{span.microseconds:06d}".rstrip("0")
        return f"{text}{seconds}.{fraction}S"
    if seconds or text == "PT":
        return f"{text}{seconds}S"
    return text.removesuffix("T")


def duration(text: Any) -> timedelta:
    """The duration an ISO 8601 text names, days to seconds; ValueError for any other."""
    found = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        refuse("must be an ISO 8601 duration of days to seconds, such as PT25M")
    sign, days, hours, minutes, seconds, fraction = found.groups()
    try:
        span = timedelta(
            days=int(days or 0),
            hours=int(hours or 0),
            minutes=int(minutes or 0),
            seconds=int(seconds or 0),
            microseconds=int((fraction or "").ljust(6, "0")),
        )
    except OverflowError:
        refuse("must be a duration shorter than that")
    return -span if sign else span


_INSTANT = re.compile(
    r"[0-9]{4}-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9](?:\.[0-9]{1,6})?(?:Z|[+-][0-9][0-9]:[0-9][0-9])",
    re.IGNORECASE,
)


def instant_text(at: datetime) -> str:
    """RFC 3339 in UTC with `Z`; nothing is lost."""
    return at.isoformat().replace("+00:00", "Z")


def instant(text: Any) -> datetime:
    """The instant an RFC 3339 text names, in UTC; ValueError for any other, naive ones included."""
    if not isinstance(text, str) or not _INSTANT.fullmatch(text):
        refuse("must be an RFC 3339 instant with an offset, such as 2026-01-31T09:00:00Z")
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        refuse("must be an instant that exists")


UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
EMAIL = (
    r"[^@\s\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,64}@"
    r"[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+"
)
URL = r"https?://[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?([/?#][A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*)?"

Id = Annotated[str, Pattern(UUID, "an id (a UUID)", 36, "uuid", is_id=True)]
Email = Annotated[str, Pattern(EMAIL, "an e-mail address, such as ada@example.org", 254, "email")]
Username = Annotated[
    str, Pattern(r"[A-Za-z0-9_-]{3,30}", "3 to 30 letters, digits, «_» or «-»", 30)
]
Url = Annotated[str, Pattern(URL, "a web address, such as https://example.org/a.png", 500)]
UrlOrNone = Annotated[
    str,
    Pattern(
        f"({URL})?", "a web address, such as https://example.org/a.png, or empty for none", 500
    ),
]
Password = Annotated[str, Secret(8, 128)]
Token = Annotated[str, Secret(1, 4096)]
Limit = Annotated[int, Whole(1, 100)]
Day = Annotated[str, CalendarDay()]
FreeForm = Annotated[dict[str, Any], JsonObject(4096)]


def minutes(least: int, most: int) -> Span:
    """A span of that many minutes."""
    return Span(timedelta(minutes=least), timedelta(minutes=most))


def rule_of(annotation: Any) -> Rule | None:
    """The rule an annotation bears: `Annotated[str, Text(1, 80)]`, also with `| None`."""
    parts = typing.get_args(annotation) if is_optional(annotation) else (annotation,)
    for part in parts:
        for extra in getattr(part, "__metadata__", ()):
            if isinstance(extra, Rule):
                return extra
    return None


def is_optional(annotation: Any) -> bool:
    """Whether `None` is allowed."""
    return type(None) in typing.get_args(annotation)


def _cleaner(rule: Rule, *, optional: bool) -> Callable[[Any, attrs.Attribute[Any]], Any]:
    def clean(given: Any, field: attrs.Attribute[Any]) -> Any:
        if given is None and optional:
            return None
        try:
            return rule.clean(given)
        except ValueError as wrong:
            raise BadInput.of(field.name, str(wrong)) from None

    return clean


_PLAIN: dict[Any, Callable[[Any], bool]] = {
    bool: lambda given: type(given) is bool,
    int: lambda given: type(given) is int,
    str: lambda given: isinstance(given, str),
    timedelta: lambda given: isinstance(given, timedelta),
    datetime: lambda given: isinstance(given, datetime) and given.tzinfo is not None,
}


@attrs.frozen
class Plain(Rule):
    """A field without bounds of its own: only its type is checked, and strictly."""

    type: Any

    def clean(self, given: Any) -> Any:
        if not _PLAIN[self.type](given):
            refuse(f"must be {_WORDS[self.type]}, not {_kind(given)}")
        return given

    def schema(self) -> Schema:
        return dict(_SCHEMAS[self.type])


_WORDS = {
    bool: "true or false",
    int: "a whole number",
    str: "text",
    timedelta: "a duration",
    datetime: "an instant with a time zone",
}
_SCHEMAS: dict[Any, Schema] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    str: {"type": "string"},
    timedelta: {"type": "string", "format": "duration"},
    datetime: {"type": "string", "format": "date-time"},
}


def plain_type(annotation: Any) -> Any:
    """The annotation less `| None` and less its rule."""
    if is_optional(annotation):
        annotation = next(a for a in typing.get_args(annotation) if a is not type(None))
    if hasattr(annotation, "__metadata__"):
        annotation = annotation.__origin__
    return annotation


def _marked(field: attrs.Attribute[Any], rule: Rule | None) -> attrs.Attribute[Any]:
    if isinstance(rule, JsonObject):
        # A value has a hash, whatever of any form it bears.
        return field.evolve(hash=False)
    return field.evolve(repr=False) if rule is not None and rule.secret else field


def hiding(cls: type, fields: list[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
    """An attrs field transformer: no `repr`, and so no log or traceback, shows a secret field."""
    # A view may hold others of its own kind, and its name means nothing yet.
    hints = typing.get_type_hints(cls, localns={cls.__name__: cls}, include_extras=True)
    return [_marked(field, rule_of(hints.get(field.name, field.type))) for field in fields]


def cleaning(cls: type, fields: list[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
    """An attrs field transformer: each field with a rule is cleaned by it, however it is made."""
    hints = typing.get_type_hints(cls, include_extras=True)
    made = []
    for field in fields:
        annotation = hints.get(field.name, field.type)
        rule = rule_of(annotation) or (
            Plain(plain_type(annotation)) if plain_type(annotation) in _PLAIN else None
        )
        changed = _marked(field.evolve(type=annotation), rule)
        if rule is not None and field.converter is None:
            clean = _cleaner(rule, optional=is_optional(annotation))
            changed = changed.evolve(converter=attrs.Converter(clean, takes_field=True))
        made.append(changed)
    return made
