"""JSON Schema of messages, answers, events and refusals, each read off its class."""

from __future__ import annotations

import enum
import inspect
import typing
from collections.abc import Callable, Collection, Iterator
from datetime import timedelta
from types import CodeType, FunctionType
from typing import Any

import attrs

from focusmate_core.fields import (
    Plain,
    Schema,
    duration_text,
    is_optional,
    plain_type,
    rule_of,
)
from focusmate_core.messages import Value
from focusmate_core.refusals import Refusal

NUMBER: Schema = {"type": "number"}
NULL: Schema = {"type": "null"}


class Schemas:
    """Schemas of annotations; each class stands once in `named` and is referred to at `place`.

    What is `given` by a caller may leave out what has a default and may hold nothing unknown; what
    is `told` is complete, and whoever reads it passes over what it does not know.
    """

    def __init__(self, place: str = "#/$defs/") -> None:
        self.named: dict[str, Schema] = {}
        self._place = place
        self._owners: dict[str, type] = {}

    def given(self, annotation: Any) -> Schema:
        """What a caller may send for this annotation."""
        return self._of(annotation, given=True)

    def told(self, annotation: Any) -> Schema:
        """What is answered, or sent to watchers, for this annotation."""
        return self._of(annotation, given=False)

    def fields(self, cls: type, *, without: Collection[str] = ()) -> dict[str, Schema]:
        """What may be given for each field of a message, by name."""
        hints = typing.get_type_hints(cls, include_extras=True)
        return {
            field.name: _with_default(self.given(hints[field.name]), field.default)
            for field in attrs.fields(cls)
            if field.name not in without
        }

    def message(self, cls: type, *, without: Collection[str] = ()) -> Schema:
        """A message as an object of its own, less some fields that are given elsewhere."""
        return _object(self.fields(cls, without=without), needed(cls), cls, open_ended=False)

    def refusal(self, cls: type[Refusal]) -> Schema:
        """The `code` of a refusal, its parameters as `params`, and `fields` of bad input."""
        hints = typing.get_type_hints(cls, include_extras=True)
        params = {field.name: self.told(hints[field.name]) for field in attrs.fields(cls)}
        properties: dict[str, Schema] = {"code": {"const": cls.code}}
        if "fields" in params:
            properties["fields"] = params.pop("fields")
        if params:
            properties["params"] = _object(params, list(params), None)
        return _object(properties, list(properties), cls)

    def _of(self, annotation: Any, *, given: bool) -> Schema:
        if annotation is Any:
            return {}
        if annotation in {None, type(None)}:
            return dict(NULL)
        if is_optional(annotation):
            rest = [part for part in typing.get_args(annotation) if part is not type(None)]
            return _or_null(self._of(_only(rest, annotation), given=given))
        rule = rule_of(annotation)
        if rule is not None:
            return rule.schema() | ({"writeOnly": True} if given and rule.secret else {})
        return self._unruled(plain_type(annotation), given=given)

    def _unruled(self, kind: Any, *, given: bool) -> Schema:
        origin, parts = typing.get_origin(kind), typing.get_args(kind)
        if origin in {tuple, frozenset}:
            unique = {"uniqueItems": True} if origin is frozenset else {}
            return {"type": "array", "items": self._of(parts[0], given=given), **unique}
        if origin is dict:
            return {"type": "object", "additionalProperties": self._of(parts[1], given=given)}
        if kind is float:
            return dict(NUMBER)
        if isinstance(kind, type) and issubclass(kind, enum.Enum):
            return {"type": "string", "enum": [member.value for member in kind]}
        if attrs.has(kind):
            return self._class(kind, given=given)
        return Plain(kind).schema()

    def _class(self, cls: type, *, given: bool) -> Schema:
        defaults = any(field.default is not attrs.NOTHING for field in attrs.fields(cls))
        suffix = "Given" if given and defaults and not hasattr(cls, "spec") else ""
        name = cls.__name__ + suffix
        if self._owners.setdefault(name, cls) is not cls:
            name = f"{cls.__module__.rpartition('.')[2]}.{name}"
            self._owners[name] = cls
        if name not in self.named:
            self.named[name] = {}  # a class that holds itself ends here
            self.named[name] = self.message(cls) if given else self._told_class(cls)
        return {"$ref": self._place + name}

    def _told_class(self, cls: type) -> Schema:
        hints = typing.get_type_hints(cls, include_extras=True)
        properties = {field.name: self.told(hints[field.name]) for field in attrs.fields(cls)}
        return _object(properties, list(properties), cls)


def needed(cls: type) -> list[str]:
    """The fields of a message that have no default."""
    return [field.name for field in attrs.fields(cls) if field.default is attrs.NOTHING]


def _only(parts: list[Any], annotation: Any) -> Any:
    if len(parts) != 1:
        msg = f"a field is of one type, perhaps or None, not {annotation}"
        raise TypeError(msg)
    return parts[0]


def _object(
    properties: dict[str, Schema],
    required: Collection[str],
    cls: type | None,
    *,
    open_ended: bool = True,
) -> Schema:
    made: Schema = {"type": "object", "properties": properties}
    kept = [name for name in required if name in properties]
    if kept:
        made["required"] = kept
    if not open_ended:
        made["additionalProperties"] = False
    if cls is not None and cls.__doc__:
        made["description"] = inspect.cleandoc(cls.__doc__)
    return made


def _or_null(schema: Schema) -> Schema:
    if isinstance(schema.get("type"), str) and "enum" not in schema:
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, dict(NULL)]}


def _with_default(schema: Schema, default: Any) -> Schema:
    if default is attrs.NOTHING or isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        return schema
    return {**schema, "default": _plain(default)}


def _plain(value: Any) -> Any:
    if isinstance(value, timedelta):
        return duration_text(value)
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, (tuple, frozenset)):
        return [_plain(item) for item in value]
    if isinstance(value, Value):
        return {
            field.name: _plain(getattr(value, field.name)) for field in attrs.fields(type(value))
        }
    return value


# -- which refusals there may be ------------------------------------------------------------------


def refusals_in(*functions: Callable[..., Any]) -> frozenset[type[Refusal]]:
    """The refusals that functions may raise: those that their code, or what it calls, names.

    Followed are calls of functions, and of methods of the values that a module knows; not what is
    done behind a port. It may name one too many, which some other line prevents.
    """
    found: set[type[Refusal]] = set()
    seen: set[FunctionType] = set()
    ahead = [function for function in functions if isinstance(function, FunctionType)]
    while ahead:
        function = ahead.pop()
        if function in seen:
            continue
        seen.add(function)
        for thing in _named(function):
            if isinstance(thing, FunctionType):
                ahead.append(thing)
            elif issubclass(thing, Refusal) and thing is not Refusal:
                found.add(thing)
    return frozenset(found)


def _named(function: FunctionType) -> Iterator[Any]:
    known = function.__globals__
    nouns = [thing for thing in known.values() if _is_class(thing, Value)]
    for name in _names(function.__code__):
        thing = known.get(name)
        if isinstance(thing, FunctionType) or _is_class(thing, Refusal):
            yield thing
        for noun in nouns:
            method = getattr(noun, name, None)
            if isinstance(method, FunctionType):
                yield method


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _is_class(thing: Any, base: type) -> bool:
    return isinstance(thing, type) and issubclass(thing, base)
