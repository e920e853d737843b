"""Hypothesis strategies read off the messages: what they take, and data with one thing wrong."""

from __future__ import annotations

import enum
import typing
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

import attrs
from hypothesis import strategies as st

from focusmate_core import codec
from focusmate_core.fields import (
    CalendarDay,
    JsonObject,
    Pattern,
    Plain,
    Rule,
    Secret,
    Span,
    Text,
    Whole,
    duration_text,
    is_optional,
    plain_type,
    rule_of,
)
from focusmate_core.messages import Message
from focusmate_core.refusals import BadInput

T = TypeVar("T")
Strategy = st.SearchStrategy[Any]

SHOWN = 40
"""How long generated text is at most, where the rule allows it."""
_LETTERS = st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])
_MICROSECOND = timedelta(microseconds=1)


def values(annotation: Any) -> Strategy:
    """Values that a field of this annotation takes; LookupError if it is of no known kind."""
    if is_optional(annotation):
        return st.none() | values(_required(annotation))
    rule = rule_of(annotation)
    if rule is not None and type(rule) in _RULED:
        return _RULED[type(rule)](rule)
    kind = plain_type(annotation)
    if typing.get_origin(kind) in {tuple, frozenset, dict}:
        return _several(kind)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return st.sampled_from(kind)
    if attrs.has(kind):
        return instances(kind)
    if kind in _PLAIN:
        return _PLAIN[kind]
    raise LookupError(f"no strategy for {annotation!r}; give one by the field's name")


def is_taken(given: Any, annotation: Any) -> bool:
    """Whether a field of this annotation takes plain data."""
    try:
        codec.value_of(given, annotation)
    except BadInput:
        return False
    return True


def instances(cls: type[T], **fields: Strategy) -> st.SearchStrategy[T]:
    """Instances of a message or value class; `fields` replaces strategies by the field's name."""
    hints = typing.get_type_hints(cls, include_extras=True)
    made = {name: values(hints[name]) for name in _names(cls) if name not in fields}
    return st.builds(cls, **made, **fields)


def data(cls: type[Any], **fields: Strategy) -> st.SearchStrategy[dict[str, Any]]:
    """The same as plain data, as a door is sent it."""
    return instances(cls, **fields).map(codec.plain)


@attrs.frozen
class Broken:
    """Plain data of a message with one thing wrong: at `field`, and in which way."""

    field: str
    way: str
    data: dict[str, Any]


def broken(cls: type[Message[Any]], **fields: Strategy) -> st.SearchStrategy[Broken]:
    """Data that is right but for one field: missing, unknown, of a wrong type, out of bounds."""
    return st.tuples(data(cls, **fields), st.sampled_from(faults(cls))).map(
        lambda drawn: drawn[1](drawn[0])
    )


def faults(cls: type[Message[Any]]) -> list[Callable[[dict[str, Any]], Broken]]:
    """Every way this kit knows to break one field of right data."""
    hints = typing.get_type_hints(cls, include_extras=True)
    made = [_fault("no_such_field", 1)]
    for name, field in attrs.fields_dict(typing.cast("type[attrs.AttrsInstance]", cls)).items():
        made += [_fault(name, wrong) for wrong in wrong_for(hints[name])]
        if field.default is attrs.NOTHING:
            made.append(_fault(name, _MISSING))
    return made


_MISSING: Any = object()


def _fault(field: str, wrong: Any) -> Callable[[dict[str, Any]], Broken]:
    def fault(right: dict[str, Any]) -> Broken:
        if wrong is _MISSING:
            return Broken(field, "is missing", {n: v for n, v in right.items() if n != field})
        return Broken(field, f"is {wrong!r}"[:80], {**right, field: wrong})

    return fault


def wrong_for(annotation: Any) -> list[Any]:
    """Plain data that a field of this annotation refuses."""
    rule = rule_of(annotation) or Plain(plain_type(annotation))
    wrong: list[Any] = [[[]]] if isinstance(rule, JsonObject) else [{"no": "such"}, [[]]]
    if not is_optional(annotation):
        wrong.append(None)
    by_kind = _WRONG_FOR.get(type(rule))
    if by_kind is not None:
        wrong += by_kind(rule)
    elif plain_type(annotation) in _WRONG_PLAIN:
        wrong += _WRONG_PLAIN[plain_type(annotation)]
    elif isinstance(plain_type(annotation), type):
        wrong += ["no such member", 1, True]
    return wrong


def _wrong_text(rule: Text) -> list[Any]:
    short = [" " * rule.shortest, ""] if rule.shortest else []
    middle = "a" * max(rule.shortest, 1)
    return [7, True, *short, "a" * (rule.longest + 1), f"{middle}\x00{middle}", "\ud800" + middle]


def _wrong_pattern(rule: Pattern) -> list[Any]:
    wrong = [7, True, "", "a" * (rule.longest + 1), "no such\n", "\ud800", "\ud800@example.org"]
    return [each for each in wrong if not _takes(rule)(each)]


def _wrong_secret(rule: Secret) -> list[Any]:
    return [7, True, "a" * (rule.shortest - 1), "a" * (rule.longest + 1), "\x00" * rule.shortest]


def _wrong_whole(rule: Whole) -> list[Any]:
    return ["7", True, rule.least + 0.5, float(rule.least), rule.least - 1, rule.most + 1]


def _wrong_span(rule: Span) -> list[Any]:
    beyond = [rule.least - _MICROSECOND, rule.most + _MICROSECOND]
    return ["25", "P1M", "P1Y", "", 25, True, *map(duration_text, beyond)]


def _wrong_day(_: CalendarDay) -> list[Any]:
    return [7, True, "", "2026-02-30", "2026-1-1", "1969-12-31", "3000-01-01", "\ud800"]


def _wrong_object(rule: JsonObject) -> list[Any]:
    deep: Any = {}
    for _ in range(rule.deepest):
        deep = {"a": deep}
    return [7, True, "{}", {"a": "a" * rule.largest}, deep, {"a": "\ud800"}, {"\ud800": 1}]


_WRONG_FOR: dict[type[Rule], Callable[[Any], list[Any]]] = {
    Text: _wrong_text,
    Pattern: _wrong_pattern,
    Secret: _wrong_secret,
    Whole: _wrong_whole,
    Span: _wrong_span,
    CalendarDay: _wrong_day,
    JsonObject: _wrong_object,
}
_WRONG_PLAIN: dict[Any, list[Any]] = {
    bool: ["false", 0, 1],
    int: ["7", 1.9, True],
    str: [7, True],
    float: ["1.5", True],
    datetime: ["2026-01-31T09:00:00", "2026-01-31", "2026-02-30T09:00:00Z", 0, "now"],
    timedelta: ["25", "P1M", 25, True],
}
_PLAIN: Mapping[Any, Strategy] = {
    Any: st.deferred(lambda: _FORMLESS),
    bool: st.booleans(),
    int: st.integers(-(2**63), 2**63 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False),
    str: st.text(_LETTERS, max_size=SHOWN),
    datetime: st.datetimes(timezones=st.just(UTC)),
    timedelta: st.timedeltas(),
}


def _text(rule: Text) -> Strategy:
    longest = max(rule.shortest, min(rule.longest, SHOWN))
    drawn = st.text(_LETTERS, min_size=rule.shortest, max_size=longest)
    return drawn.filter(_takes(rule)).map(rule.clean)


def _pattern(rule: Pattern) -> Strategy:
    if rule.format == "uuid":
        return st.uuids().map(str)
    return st.from_regex(rule.pattern, fullmatch=True).filter(_takes(rule)).map(rule.clean)


def _secret(rule: Secret) -> Strategy:
    longest = max(rule.shortest, min(rule.longest, SHOWN))
    return st.text(_LETTERS, min_size=rule.shortest, max_size=longest)


_FORMLESS: Strategy = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(_LETTERS, max_size=9),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(_LETTERS), inner),
    max_leaves=5,
)


def _object(rule: JsonObject) -> Strategy:
    return _named(_FORMLESS).filter(_takes(rule)).map(rule.clean)


_RULED: dict[type[Rule], Callable[[Any], Strategy]] = {
    Text: _text,
    Pattern: _pattern,
    Secret: _secret,
    Whole: lambda rule: st.integers(rule.least, rule.most),
    Span: lambda rule: st.timedeltas(rule.least, rule.most),
    CalendarDay: lambda _: st.dates(date(1970, 1, 1), date(2999, 12, 31)).map(str),
    JsonObject: _object,
}


def _takes(rule: Rule) -> Callable[[Any], bool]:
    def takes(given: Any) -> bool:
        try:
            rule.clean(given)
        except ValueError:
            return False
        return True

    return takes


def _several(kind: Any) -> Strategy:
    inner = values(typing.get_args(kind)[-1 if typing.get_origin(kind) is dict else 0])
    if typing.get_origin(kind) is dict:
        return _named(inner)
    if typing.get_origin(kind) is tuple:
        return st.lists(inner, max_size=3).map(tuple)
    return st.frozensets(inner, max_size=3)


def _named(inner: Strategy) -> Strategy:
    return st.dictionaries(st.text(_LETTERS, max_size=9), inner, max_size=3)


def _required(annotation: Any) -> Any:
    return next(part for part in typing.get_args(annotation) if part is not type(None))


def _names(cls: Any) -> list[str]:
    return [field.name for field in attrs.fields(cls) if field.init]
