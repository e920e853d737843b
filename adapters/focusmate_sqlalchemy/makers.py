"""Makers: for each entity the functions between its things and its rows, written out once.

A loop over the fields takes twice the time of the statement itself, so what it would do is written
out as a function for each entity, as attrs does for `__init__`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import attrs

from focusmate_core.entities import Column, Declaration
from focusmate_sqlalchemy.kinds import Kind

_SOURCE = """
def thing(row):
    {row} = row
    return cls({fields})

def stored(thing):
    return cls({copies})

def inserted(thing):
    return ({all_values})

def updated(thing):
    return ({other_values}{key_values}thing.version,)
"""


class Maker:
    """The functions of one entity."""

    thing: Callable[[Sequence[Any]], Any]
    """The thing that a row of all columns is."""
    stored: Callable[[Any], Any]
    """The thing as it is once it is put: one version on."""
    inserted: Callable[[Any], tuple[Any, ...]]
    """What its columns are to hold once it is put."""
    updated: Callable[[Any], tuple[Any, ...]]
    """The same, the key last, and then the version that was read."""

    def __init__(self, declared: Declaration, kinds: dict[str, Kind]) -> None:
        fields = attrs.fields_dict(cast("Any", declared.cls))
        columns = declared.columns
        alias = {name: fields[name].alias for name in kinds}
        names = [column.name for column in columns]
        value = {column.name: _value(column, kinds[column.name]) for column in columns}
        source = _SOURCE.format(
            row=_listed(f"r_{name}" for name in names),
            fields=_listed(f"{alias[c.name]}={_field(c, kinds[c.name])}" for c in columns),
            copies=_listed(f"{alias[name]}={_next(name)}" for name in names),
            all_values=_listed(value[name] for name in names),
            other_values=_listed(value[name] for name in names if name not in declared.key),
            key_values=_listed(value[name] for name in declared.key),
        )
        made: dict[str, Any] = {"cls": declared.cls}
        made |= {f"in_{name}": kind.way_in for name, kind in kinds.items()}
        made |= {f"out_{name}": kind.way_out for name, kind in kinds.items()}
        exec(compile(source, f"<rows of {declared.name}>", "exec"), made)  # noqa: S102  of names that are fields
        self.thing, self.stored = made["thing"], made["stored"]
        self.inserted, self.updated = made["inserted"], made["updated"]


def _listed(parts: Any) -> str:
    return "".join(f"{part}, " for part in parts)


def _next(name: str) -> str:
    return "thing.version + 1" if name == "version" else f"thing.{name}"


def _value(column: Column, kind: Kind) -> str:
    return _by_way(_next(column.name), f"in_{column.name}", column, kind.way_in)


def _field(column: Column, kind: Kind) -> str:
    return _by_way(f"r_{column.name}", f"out_{column.name}", column, kind.way_out)


def _by_way(given: str, name: str, column: Column, way: Any) -> str:
    if way is None:
        return given
    return (
        f"None if {given} is None else {name}({given})" if column.optional else f"{name}({given})"
    )
