"""Answers as JSON: what the codec would say, written straight from the values."""

from datetime import timedelta
from enum import Enum
from functools import cache
from typing import Any

import attrs
import orjson

from focusmate_core.fields import duration_text


def json_of(answer: Any) -> bytes:
    """The JSON of a view: `codec.plain` and JSON in one go, a quarter quicker than both.

    orjson knows instants and enums by itself, and texts are clean: every field's rule saw to it.
    """
    return orjson.dumps(answer, default=_plain, option=orjson.OPT_UTC_Z)


def _plain(value: Any) -> Any:
    if isinstance(value, timedelta):
        return duration_text(value)
    if isinstance(value, frozenset):
        return sorted(value, key=_by_value)
    return {name: getattr(value, name) for name in _names(type(value))}  # type: ignore[arg-type]  # classes have hashes


def _by_value(item: Any) -> Any:
    return item.value if isinstance(item, Enum) else item


@cache
def _names(cls: type) -> tuple[str, ...]:
    return tuple(field.name for field in attrs.fields(cls))
