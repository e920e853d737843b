"""The OpenAPI 3.1 document: every route with its message, its answer and all that can go wrong."""

import importlib.metadata
import inspect
from collections import defaultdict
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from focusmate_core.idempotency import LONGEST_KEY, takes_key
from focusmate_core.messages import Access, Message
from focusmate_core.refusals import (
    AnswerLost,
    BadInput,
    KeyNotTaken,
    KeyReused,
    Malformed,
    NotAllowed,
    NotSignedIn,
    Refusal,
    TooLarge,
    Unavailable,
)
from focusmate_core.registry import Registry
from focusmate_core.schema import Schemas, needed, refusals_in
from focusmate_falcon.endpoints import KEY
from focusmate_falcon.problems import FAULT, MEDIA_TYPE, STATUS, TITLE, http_code
from focusmate_falcon.routes import Route

Json = dict[str, Any]

SCHEMAS = "#/components/schemas/"
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
        "fields": {"type": "array", "items": {"$ref": f"{SCHEMAS}FieldProblem"}},
    },
    "required": ["type", "title", "status", "detail", "code"],
}
_JSON = "application/json"
_ALWAYS = (NotSignedIn, BadInput, Unavailable)
_WITH_A_BODY = (Malformed, TooLarge)
_HTTP_WITH_A_BODY = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
_HEADERS: dict[int, str] = {
    401: "WWW-Authenticate",
    429: "Retry-After",
    503: "Retry-After",
}

_KEY_PARAMETER: Json = {
    "name": KEY,
    "in": "header",
    "description": "Within 24 hours one key with one content has one effect and one answer.",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY},
}
_TEXT: Json = {"type": "string"}
_PARTS: Json = {
    "type": "object",
    "properties": {
        "status": _TEXT,
        "parts": {"type": "object", "additionalProperties": _TEXT},
    },
    "required": ["status"],
}


class Document:
    """Builds the document of one registry, route by route."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._schemas = Schemas(SCHEMAS)
        self._problems: dict[str, Json] = {}
        self._paths: dict[str, Json] = defaultdict(dict)
        self._found: dict[type, frozenset[type[Refusal]]] = {}

    def add(self, route: Route) -> None:
        """Describe one route."""
        message = self._registry.messages[route.wire]
        by_name = route.path.endswith(f"/{route.wire}")
        told = inspect.cleandoc(message.__doc__ or route.wire)
        operation: Json = {
            "operationId": f"do.{route.wire}" if by_name else route.wire,
            "tags": ["by name" if by_name else route.wire.partition(".")[0]],
            "summary": told.partition("\n")[0],
            "description": told,
            "security": [] if message.spec.access is Access.ANYONE else [{"bearer": []}],
            "parameters": self._parameters(route, message),
            "responses": self._responses(route, message),
        }
        body = self._body(route, message)
        if body is not None:
            operation["requestBody"] = body
        self._paths[route.path][route.method.lower()] = operation

    def finished(self) -> Json:
        """The whole document."""
        problems = {"Problem": PROBLEM, **self._problems}
        return {
            "openapi": "3.1.0",
            "info": {"title": "focusmate", "version": _version()},
            "servers": [{"url": "/"}],
            "paths": {
                **self._paths,
                "/health/live": _health("health.live", [200]),
                "/health/ready": _health("health.ready", [200, 503]),
            },
            "components": {
                "schemas": {**problems, **self._schemas.named},
                "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            },
        }

    def _parameters(self, route: Route, message: type[Message[Any]]) -> list[Json]:
        fields = self._schemas.fields(message)
        made = [
            {"name": name, "in": "path", "required": True, "schema": fields[name]}
            for name in sorted(route.in_path)
        ]
        if route.method == "GET":
            asked = {name: fields[name] for name in fields if name not in route.in_path}
            made += [
                {"name": name, "in": "query", "required": name in needed(message), "schema": schema}
                for name, schema in asked.items()
            ]
        if takes_key(message):
            made.append(_KEY_PARAMETER)
        return made

    def _body(self, route: Route, message: type[Message[Any]]) -> Json | None:
        fields = self._schemas.fields(message, without=route.in_path)
        if route.method == "GET" or not fields:
            return None
        whole = self._schemas.given(message)
        rest = self._schemas.message(message, without=route.in_path)
        schema = rest if route.in_path else whole
        return {"required": "required" in rest, "content": {_JSON: {"schema": schema}}}

    def _responses(self, route: Route, message: type[Message[Any]]) -> Json:
        by_status: dict[int, set[str]] = defaultdict(set)
        for refusal in self._refusals(route, message):
            by_status[STATUS[refusal.kind]].add(self._refusal(refusal))
        if route.method != "GET":
            for early in _HTTP_WITH_A_BODY:
                by_status[early].add(self._http(early))
        by_status[500].add(self._fault())
        made = {str(route.status): self._success(route, message)}
        for status in sorted(by_status):
            made[str(status)] = _problem_response(status, by_status[status])
        return made

    def _success(self, route: Route, message: type[Message[Any]]) -> Json:
        told: Json = {"description": HTTPStatus(route.status).phrase}
        if route.status != HTTPStatus.NO_CONTENT:
            told["content"] = {_JSON: {"schema": self._schemas.told(message.spec.answers)}}
        if route.location is not None:
            told["headers"] = {"Location": {"schema": {"type": "string"}}}
        return told

    def _refusals(self, route: Route, message: type[Message[Any]]) -> Iterable[type[Refusal]]:
        spec = message.spec
        found = {*self._named_by_its_code(message), *spec.leaves, *_ALWAYS}
        found.add(KeyReused if takes_key(message) else KeyNotTaken)
        if not spec.is_query:
            found.add(AnswerLost)
        if spec.access not in {Access.ANYONE, Access.SIGNED_IN}:
            found.add(NotAllowed)
        return found.union(_WITH_A_BODY if route.method != "GET" else ())

    def _named_by_its_code(self, message: type[Message[Any]]) -> frozenset[type[Refusal]]:
        if message not in self._found:
            prepare = self._registry.preparations.get(message)
            steps = [self._registry.handlers[message], *([prepare] if prepare else [])]
            self._found[message] = refusals_in(*steps)
        return self._found[message]

    def _refusal(self, refusal: type[Refusal]) -> str:
        """The name of its schema."""
        name = refusal.__name__
        if name not in self._problems:
            own = self._schemas.refusal(refusal)
            own["properties"]["status"] = {"const": STATUS[refusal.kind]}
            self._problems[name] = _problem(TITLE[refusal.kind], own)
        return name

    def _http(self, status: HTTPStatus) -> str:
        told = {"code": {"const": http_code(status)}, "status": {"const": int(status)}}
        name = status.phrase.replace(" ", "")
        self._problems[name] = _problem(status.phrase, {"properties": told})
        return name

    def _fault(self) -> str:
        params = {"type": "object", "properties": {"error_id": {"type": "string"}}}
        own = {"properties": {"code": {"const": FAULT}, "params": params}, "required": ["params"]}
        self._problems["Fault"] = _problem("Fault", own)
        return "Fault"


def _problem(title: str, own: Json) -> Json:
    return {"title": title, "allOf": [{"$ref": f"{SCHEMAS}Problem"}, own]}


def _problem_response(status: int, names: Iterable[str]) -> Json:
    refs = [{"$ref": SCHEMAS + name} for name in sorted(names)]
    schema = refs[0] if len(refs) == 1 else {"oneOf": refs}
    told: Json = {
        "description": f"{HTTPStatus(status).phrase}: {', '.join(sorted(names))}",
        "content": {MEDIA_TYPE: {"schema": schema}},
    }
    if status in _HEADERS:
        told["headers"] = {_HEADERS[status]: {"schema": {"type": "string"}}}
    return told


def _health(name: str, statuses: Iterable[int]) -> Json:
    content = {_JSON: {"schema": _PARTS}}
    told = {
        str(each): {"description": HTTPStatus(each).phrase, "content": content} for each in statuses
    }
    return {"get": {"operationId": name, "tags": ["health"], "security": [], "responses": told}}


def _version() -> str:
    try:
        return importlib.metadata.version("focusmate")
    except importlib.metadata.PackageNotFoundError:
        return "0"
