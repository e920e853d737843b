"""Query strings: a message's fields from text, as strictly as from JSON."""

import re
import typing
from collections.abc import Callable, Mapping
from typing import Any

from focusmate_core.fields import plain_type
from focusmate_core.messages import Message
from focusmate_core.refusals import BadInput, FieldProblem

Read = Callable[[str], Any]

_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_TRUTH = {"true": True, "false": False}


def _whole(text: str) -> int:
    if not _WHOLE.fullmatch(text):
        msg = "must be a whole number"
        raise ValueError(msg)
    return int(text)


def _truth(text: str) -> bool:
    if text not in _TRUTH:
        msg = "must be true or false"
        raise ValueError(msg)
    return _TRUTH[text]


_READ: Mapping[Any, Read] = {int: _whole, bool: _truth}


class Query:
    """How the fields of one message are read from a query string.

    What is text in JSON (text, ids, instants, durations, choices) is taken as it stands; a list is
    a parameter given several times. `null` cannot be said: leave the parameter out.
    """

    def __init__(self, message: type[Message[Any]]) -> None:
        hints = typing.get_type_hints(message, include_extras=True)
        del hints["spec"]
        self._many = {name for name, hint in hints.items() if _is_listed(hint)}
        self._read = {name: _READ.get(_item_type(hint), str) for name, hint in hints.items()}

    def data(self, params: Mapping[str, str | list[str]]) -> dict[str, Any]:
        """Plain data for the codec, which refuses what is unknown or out of bounds.

        `BadInput` for what is no number, neither true nor false, or given twice.
        """
        found: dict[str, Any] = {}
        problems = []
        for name, given in params.items():
            try:
                found[name] = self._value(name, given)
            except ValueError as wrong:
                problems.append(FieldProblem(name, str(wrong)))
        if problems:
            raise BadInput(fields=tuple(problems))
        return found

    def _value(self, name: str, given: str | list[str]) -> Any:
        read = self._read.get(name, str)
        if name in self._many:
            return [read(text) for text in ([given] if isinstance(given, str) else given)]
        if isinstance(given, str):
            return read(given)
        msg = "is given more than once"
        raise ValueError(msg)


def _is_listed(hint: Any) -> bool:
    return typing.get_origin(plain_type(hint)) in {tuple, frozenset}


def _item_type(hint: Any) -> Any:
    kind = plain_type(hint)
    return plain_type(typing.get_args(kind)[0]) if _is_listed(kind) else kind
