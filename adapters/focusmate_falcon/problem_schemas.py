"""The schemas of problems: one for each refusal, each error of HTTP itself, and bugs."""

from http import HTTPStatus
from typing import Any

import orjson

from focusmate_core.refusals import Outdated, Refusal
from focusmate_core.schema import Schemas
from focusmate_falcon.examples import Examples
from focusmate_falcon.problems import (
    FAILED_CONDITION,
    FAULT,
    STATUS,
    TITLE,
    Problem,
    http_code,
    of_status,
)

Json = dict[str, Any]

PROBLEM: Json = {
    "type": "object",
    "description": "What went wrong, as RFC 9457 has it; clients decide by `code`.",
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "In English, with what to do next."},
        "code": {"type": "string", "description": "Stable; what a client translates by."},
        "params": {"type": "object", "description": "What the detail speaks of, by name."},
        "fields": {"type": "array", "items": {"$ref": "#/components/schemas/FieldProblem"}},
    },
    "required": ["type", "title", "status", "detail", "code"],
}


class ProblemSchemas:
    """Collects the problems that routes tell of, each with an example under the same name."""

    def __init__(self, schemas: Schemas, makes: Examples) -> None:
        self.schemas: dict[str, Json] = {}
        self.examples: dict[str, Json] = {}
        self._schemas = schemas
        self._makes = makes

    def refusal(self, refusal: type[Refusal]) -> str:
        """The name of its schema, and of its example."""
        name = refusal.__name__
        if name not in self.schemas:
            own = self._schemas.refusal(refusal)
            own["properties"]["status"] = {"const": STATUS[refusal.kind]}
            self.schemas[name] = _problem(TITLE[refusal.kind], own)
            self.examples[name] = self._makes.refusal(refusal)
        return name

    def failed_condition(self) -> str:
        name = f"{Outdated.__name__}SinceRead"
        if name not in self.schemas:
            own = self._schemas.refusal(Outdated)
            own["properties"]["status"] = {"const": FAILED_CONDITION}
            self.schemas[name] = _problem(TITLE[Outdated.kind], own)
            self.examples[name] = self._makes.refusal(Outdated, status=FAILED_CONDITION)
        return name

    def http(self, status: HTTPStatus) -> str:
        told = {"code": {"const": http_code(status)}, "status": {"const": int(status)}}
        name = status.phrase.replace(" ", "")
        self.schemas[name] = _problem(status.phrase, {"properties": told})
        self.examples[name] = orjson.loads(of_status(status).document())
        return name

    def fault(self) -> str:
        params = {"type": "object", "properties": {"error_id": {"type": "string"}}}
        own = {"properties": {"code": {"const": FAULT}, "params": params}, "required": ["params"]}
        self.schemas["Fault"] = _problem("Fault", own)
        problem = Problem(
            500,
            FAULT,
            "Fault",
            "Something is broken here, and it is logged.",
            {"params": {"error_id": "5f2b6a0c9d3e4f17"}},
        )
        self.examples["Fault"] = orjson.loads(problem.document())
        return "Fault"


def _problem(title: str, own: Json) -> Json:
    """Whole, not `allOf`: generators cannot merge a text with the one text it may be."""
    required = [*PROBLEM["required"], *own.get("required", ())]
    told = {**PROBLEM["properties"], "title": {"const": title}, **own["properties"]}
    return {**PROBLEM, **own, "properties": told, "required": list(dict.fromkeys(required))}
