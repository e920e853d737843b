"""Examples: a value for every schema, and every refusal as it is answered."""

import json
import typing
from collections.abc import Mapping
from typing import Any

import attrs

from focusmate_core import codec
from focusmate_core.refusals import Refusal
from focusmate_core.schema import Schemas
from focusmate_falcon.problems import of_refusal

Json = dict[str, Any]

AN_ID = "019b8d62-7a80-7000-8000-00000000000a"
BY_NAME: Mapping[str, Any] = {
    "access_token": "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmVk",
    "avatar_url": "https://example.org/ada.png",
    "bio": "Writes a thesis.",
    "code": "7KQ2-M4XP",
    "description": "Quiet, every morning.",
    "display_name": "Ada",
    "email": "ada@example.org",
    "field": "plan.work",
    "locale": "en-GB",
    "login": "ada",
    "name": "Library",
    "needed": "the host of this room",
    "password": "correct horse 9",
    "problem": "must be from PT1M to PT180M",
    "refresh_token": "eyJhbGciOiJIUzI1NiJ9.e30.cmVuZXdz",
    "status": "completed",
    "stream": "public",
    "time_zone": "Europe/Paris",
    "username": "ada",
}
BY_FORMAT: Mapping[str, Any] = {
    "date": "2026-01-05",
    "date-time": "2026-01-05T09:00:00Z",
    "duration": "PT25M",
    "email": "ada@example.org",
    "uri": "https://example.org/ada.png",
    "uuid": AN_ID,
}
BY_TYPE: Mapping[str, Any] = {"boolean": True, "null": None, "number": 1.5, "object": {}}
_DEPTH = 6


class Examples:
    """Makes values of schemas, whose references `schemas` knows."""

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas

    def of(self, schema: Json, name: str = "", depth: int = 0) -> Any:
        """A value of this schema; `name` is the field's, by which it means something."""
        if "$ref" in schema:
            named = self._schemas.named[schema["$ref"].rpartition("/")[2]]
            return self.of(named, name, depth + 1)
        for key in ("const", "default"):
            if schema.get(key) is not None:
                return schema[key]
        if "enum" in schema:
            return schema["enum"][0]
        if "anyOf" in schema:
            return self.of(schema["anyOf"][0], name, depth)
        given = schema.get("type", "object")
        kind = given if isinstance(given, str) else given[0]
        return self._typed(kind, schema, name, depth)

    def _typed(self, kind: str, schema: Json, name: str, depth: int) -> Any:
        if kind == "object" and "properties" in schema:
            return {each: self.of(it, each, depth) for each, it in schema["properties"].items()}
        if kind == "array":
            return [] if depth > _DEPTH else [self.of(schema["items"], name, depth + 1)]
        if kind == "integer":
            return max(1, schema.get("minimum", 1))
        if kind == "string":
            return _text(schema, name)
        return BY_TYPE[kind]

    def refusal(self, cls: type[Refusal], *, status: int | None = None) -> Json:
        """The problem document of such a refusal."""
        hints = typing.get_type_hints(cls, include_extras=True)
        made = {
            field.name: codec.value_of(
                self.of(self._schemas.told(hints[field.name]), field.name), hints[field.name]
            )
            for field in attrs.fields(cls)
        }
        told: Json = json.loads(of_refusal(cls(**made), status=status).document())
        return told


def _text(schema: Json, name: str) -> str:
    if schema.get("format") in BY_FORMAT:
        return str(BY_FORMAT[schema["format"]])
    found = str(BY_NAME.get(name, "text"))
    return found.ljust(schema.get("minLength", 0), "x")[: schema.get("maxLength")]
