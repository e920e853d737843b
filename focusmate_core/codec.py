"""The codec: messages to and from plain data, strictly, and JSON that says one thing only."""

from __future__ import annotations

import enum
import functools
import json
import math
import typing
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import attrs

from focusmate_core.fields import Plain as PlainRule
from focusmate_core.fields import (
    duration,
    duration_text,
    instant,
    instant_text,
    rule_of,
)
from focusmate_core.refusals import BadInput, FieldProblem, Malformed

if TYPE_CHECKING:
    from cattrs import Converter

T = TypeVar("T")
Structure = Callable[[Any, Any], Any]

DEEPEST = 32
"""How deep JSON may be nested."""


def plain(value: Any) -> Any:
    """A message, view, event or nested value as plain data: dicts, lists, text, numbers."""
    return _converter().unstructure(value)


def value_of(data: Any, annotation: type[T] | Any) -> T:
    """What plain data says, as the annotated type; `BadInput` names every field that is wrong."""
    try:
        return typing.cast("T", _converter().structure(data, annotation))
    except Exception as wrong:  # noqa: BLE001  cattrs groups whatever the hooks raised
        raise BadInput(fields=tuple(_problems(wrong, ""))) from None


def dumps(data: Any) -> str:
    """Plain data as compact JSON text."""
    return _ENCODER.encode(data)


def loads(raw: bytes | str) -> Any:
    """Plain data from JSON; `Malformed` for what is no JSON, keys twice, NaN, or too deep."""
    try:
        text = raw if isinstance(raw, str) else raw.decode()
        data = _DECODER.decode(text)
    except UnicodeDecodeError:
        raise Malformed(problem="it is not UTF-8") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError as wrong:
        raise Malformed(problem=f"it is not JSON ({wrong})") from None
    if text.count("[") + text.count("{") > DEEPEST:
        _look_for_depth(data, DEEPEST)
    if "\\u" in text:
        _look_for_halves(data)
    return data


def _too_deep() -> Malformed:
    return Malformed(problem=f"it is nested deeper than {DEEPEST} levels")


def _look_for_depth(data: Any, left: int) -> None:
    if not isinstance(data, (dict, list)):
        return
    if left == 0:
        raise _too_deep()
    for inner in data.values() if isinstance(data, dict) else data:
        _look_for_depth(inner, left - 1)


def _look_for_halves(data: Any) -> None:
    try:
        dumps(data).encode()
    except UnicodeEncodeError:
        raise Malformed(problem="it holds half a surrogate pair, which is no character") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        # `made` is emptied by its first sight of each name, so this takes one walk.
        twice = next(name for name, _ in pairs if made.pop(name, made) is made)
        msg = f"the key «{twice[:50]}» stands twice in one object"
        raise ValueError(msg)
    return made


def _no_constant(name: str) -> Any:
    msg = f"{name} is no JSON number"
    raise ValueError(msg)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        msg = "a number is too large"
        raise ValueError(msg)
    return number


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite
)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path and name else path or name


def _problems(wrong: BaseException, path: str) -> list[FieldProblem]:
    from cattrs import ClassValidationError, ForbiddenExtraKeysError, IterableValidationError

    if isinstance(wrong, (ClassValidationError, IterableValidationError)):
        noted, others = wrong.group_exceptions()
        found = []
        for inner, note in noted:
            name = note.name if hasattr(note, "name") else str(note.index)
            found += _problems(inner, _join(path, name))
        for inner in others:
            found += _problems(inner, path)
        return found
    if isinstance(wrong, ForbiddenExtraKeysError):
        extra = sorted(str(name)[:100] for name in wrong.extra_fields)
        return [FieldProblem(_join(path, name), "is not a field of this") for name in extra]
    if isinstance(wrong, BadInput):
        return [FieldProblem(_join(path, p.field), p.problem) for p in wrong.fields]
    if isinstance(wrong, KeyError):
        return [FieldProblem(path, "is required")]
    return [FieldProblem(path, str(wrong))]


def _strict(kind: Any) -> Structure:
    rule = PlainRule(kind)
    return lambda given, _: rule.clean(given)


def _number(given: Any, _: Any) -> float:
    if type(given) not in {int, float}:
        msg = "must be a number"
        raise ValueError(msg)
    return float(given)


def _nothing(given: Any, _: Any) -> None:
    if given is not None:
        msg = "must be null"
        raise ValueError(msg)


def _ruled(annotation: Any, converter: Converter) -> Structure:
    rule, base = rule_of(annotation), annotation.__origin__
    if rule is None:
        return converter.get_structure_hook(base)
    if base in {datetime, timedelta}:
        read = instant if base is datetime else duration
        return lambda given, _: rule.clean(read(given))
    return lambda given, _: rule.clean(given)


def _enum_member(given: Any, cls: type[enum.Enum]) -> Any:
    members = {member.value: member for member in cls}
    if not isinstance(given, str) or given not in members:
        msg = f"must be one of {', '.join(members)}"
        raise ValueError(msg)
    return members[given]


def _fields_of(cls: Any, converter: Converter) -> Structure:
    from cattrs.gen import make_dict_structure_fn

    inner = make_dict_structure_fn(
        cls, converter, _cattrs_forbid_extra_keys=True, _cattrs_detailed_validation=True
    )

    def structure(given: Any, annotation: Any) -> Any:
        if not isinstance(given, dict):
            msg = "must be an object with named fields"
            raise TypeError(msg)
        return inner(given, annotation)

    return structure


def _listed(annotation: Any, converter: Converter) -> Structure:
    item = typing.get_args(annotation)[0]
    make = typing.get_origin(annotation)

    def structure(given: Any, _: Any) -> Any:
        if not isinstance(given, (list, tuple)):
            msg = "must be a list"
            raise TypeError(msg)
        return make(converter.structure(given, list[item]))  # type: ignore[valid-type]

    return structure


def _plain_set(given: frozenset[Any]) -> list[Any]:
    return sorted(plain(item) for item in given)


def _is_listed(annotation: Any) -> bool:
    return typing.get_origin(annotation) in {tuple, frozenset}


def _is_set(annotation: Any) -> bool:
    return typing.get_origin(annotation) is frozenset


def _is_annotated(annotation: Any) -> bool:
    return typing.get_origin(annotation) is Annotated


def _is_enum(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, enum.Enum)


@functools.cache
def _converter() -> Converter:
    # cattrs is half of the import time of the whole core, so it comes with its first use.
    from cattrs import Converter

    made = Converter(detailed_validation=True, forbid_extra_keys=True)
    for kind in (str, int, bool):
        made.register_structure_hook(kind, _strict(kind))
    made.register_structure_hook(float, _number)
    made.register_structure_hook(type(None), _nothing)
    made.register_structure_hook(datetime, lambda given, _: instant(given))
    made.register_structure_hook(timedelta, lambda given, _: duration(given))
    made.register_unstructure_hook(datetime, instant_text)
    made.register_unstructure_hook(timedelta, duration_text)
    made.register_structure_hook_func(_is_enum, _enum_member)
    made.register_structure_hook_factory(attrs.has, _fields_of)
    made.register_structure_hook_factory(_is_listed, _listed)
    made.register_structure_hook_factory(_is_annotated, _ruled)
    made.register_unstructure_hook(frozenset, _plain_set)
    made.register_unstructure_hook_func(_is_set, _plain_set)
    return made
