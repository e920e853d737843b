"""Nested values as JSON text, decoded once for each text: most rows hold one of a few plans."""

from __future__ import annotations

import enum
import typing
from typing import Any, cast

import attrs

from focusmate_core import codec
from focusmate_core.entities import STORED
from focusmate_core.messages import Value

_MOST = 4096


class Nested:
    """The way of values of one annotation into a text column and out."""

    def __init__(self, annotation: Any) -> None:
        self._annotation = annotation

    def write(self, value: Any) -> str:
        return codec.dumps(codec.plain(value))

    def read(self, text: str) -> Any:
        return codec.value_of(codec.loads(text), self._annotation)


class Remembered(Nested):
    """The same for values that cannot change: one text gives one value, again and again.

    A value is known by its identity, since equal ones (1 and True) may differ in their text; the
    value is kept with its text, so that its identity stays its own.
    """

    def __init__(self, annotation: Any) -> None:
        super().__init__(annotation)
        self._values: dict[str, Any] = {}
        self._texts: dict[int, tuple[Any, str]] = {}

    def write(self, value: Any) -> str:
        known = self._texts.get(id(value))
        if known is not None:
            return known[1]
        text = super().write(value)
        self._remember(value, text)
        return text

    def read(self, text: str) -> Any:
        known = self._values.get(text)
        if known is None:
            known = super().read(text)
            self._values[text] = known
            self._remember(known, text)
        return known

    def _remember(self, value: Any, text: str) -> None:
        if len(self._texts) >= _MOST:
            self._texts.clear()
            self._values.clear()
        self._texts[id(value)] = value, text


def nested(annotation: Any) -> Nested:
    """The way of such values."""
    return (Remembered if is_frozen(annotation) else Nested)(annotation)


def is_frozen(annotation: Any) -> bool:
    """Whether no value of an annotation can be changed in place, however deep one looks."""
    if annotation in STORED or annotation is type(None) or annotation is Ellipsis:
        return True
    if typing.get_origin(annotation) is typing.Annotated:
        return is_frozen(annotation.__origin__)
    parts = typing.get_args(annotation)
    if parts:
        return typing.get_origin(annotation) not in {dict, list, set} and all(map(is_frozen, parts))
    if not isinstance(annotation, type):
        return False
    if issubclass(annotation, Value):
        hints = typing.get_type_hints(annotation, include_extras=True)
        return all(is_frozen(hints[name]) for name in attrs.fields_dict(cast("Any", annotation)))
    return issubclass(annotation, enum.Enum)
