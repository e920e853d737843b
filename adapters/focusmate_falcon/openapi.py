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
    TooOften,
    Unavailable,
)
from focusmate_core.registry import Registry
from focusmate_core.schema import Schemas, needed, refusals_in
from focusmate_falcon.endpoints import KEY
from focusmate_falcon.examples import Examples
from focusmate_falcon.metering import LIMIT, POLICY
from focusmate_falcon.problem_schemas import ProblemSchemas
from focusmate_falcon.problems import (
    FAILED_CONDITION,
    MEDIA_TYPE,
    STATUS,
)
from focusmate_falcon.revisions import IF_MATCH, has_revision, takes_revision
from focusmate_falcon.routes import Route

Json = dict[str, Any]

SCHEMAS = "#/components/schemas/"
EXAMPLES = "#/components/examples/"
HEADERS = "#/components/headers/"
_JSON = "application/json"
_ALWAYS = (NotSignedIn, BadInput, TooOften, Unavailable)
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
_IF_MATCH_PARAMETER: Json = {
    "name": IF_MATCH,
    "in": "header",
    "description": "The ETag of what was read: nothing is done, and 412, if it changed since. "
    "It is the field `revision`, which is left out then.",
    "schema": {"type": "string", "pattern": r'^("(0|[1-9][0-9]{0,17})"|\*)$'},
}
_READ_IF_MATCH_PARAMETER: Json = {
    **_IF_MATCH_PARAMETER,
    "description": "An ETag of it that is known: 412 if it changed since.",
}
_TEXT: Json = {"type": "string"}
_METERED: Json = {POLICY: {"$ref": HEADERS + POLICY}, LIMIT: {"$ref": HEADERS + LIMIT}}
_NAMED_HEADERS: Json = {
    POLICY: {
        "description": "The limit this counts for: so many (`q`) in so many seconds (`w`); "
        "where there is one.",
        "schema": _TEXT,
        "example": '"writes";q=600;w=60',
    },
    LIMIT: {
        "description": "How many are left of it (`r`), for so many seconds (`t`).",
        "schema": _TEXT,
        "example": '"writes";r=599;t=60',
    },
}
_TOLD = (
    "Shared rooms with a timer that the server keeps. /docs shows this document, /docs/problems "
    "has a paragraph for every code, and /asyncapi.json, where it is served, describes the "
    "WebSocket door."
)
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
        self._examples = Examples(self._schemas)
        self._problems = ProblemSchemas(self._schemas, self._examples)
        self._paths: dict[str, Json] = defaultdict(dict)
        self._found: dict[type, frozenset[type[Refusal]]] = {}

    def add(self, route: Route) -> None:
        """Describe one route."""
        message = self._registry.messages[route.wire]
        by_name = route.path.endswith(f"/{route.wire}")
        name = route.wire.replace(".", "_")
        told = inspect.cleandoc(message.__doc__ or route.wire)
        operation: Json = {
            "operationId": f"do_{name}" if by_name else name,
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
        told = self._problems
        return {
            "openapi": "3.1.0",
            "info": {"title": "focusmate", "version": _version(), "description": _TOLD},
            "servers": [{"url": "/"}],
            "paths": {
                **self._paths,
                "/health/live": _health("health_live", [200]),
                "/health/ready": _health("health_ready", [200, 503]),
            },
            "components": {
                "schemas": {**told.schemas, **self._schemas.named},
                "examples": {name: {"value": it} for name, it in told.examples.items()},
                "headers": _NAMED_HEADERS,
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
        if takes_revision(message):
            is_query = message.spec.is_query
            made.append(_READ_IF_MATCH_PARAMETER if is_query else _IF_MATCH_PARAMETER)
        return made

    def _body(self, route: Route, message: type[Message[Any]]) -> Json | None:
        fields = self._schemas.fields(message, without=route.in_path)
        if route.method == "GET" or not fields:
            return None
        whole = self._schemas.given(message)
        rest = self._schemas.message(message, without=route.in_path)
        schema = rest if route.in_path else whole
        example = self._examples.of(rest)
        content = {_JSON: {"schema": schema, "example": example}}
        return {"required": "required" in rest, "content": content}

    def _responses(self, route: Route, message: type[Message[Any]]) -> Json:
        by_status: dict[int, set[str]] = defaultdict(set)
        for refusal in self._refusals(route, message):
            by_status[STATUS[refusal.kind]].add(self._problems.refusal(refusal))
        if takes_revision(message):
            by_status[FAILED_CONDITION].add(self._problems.failed_condition())
        if route.method != "GET":
            for early in _HTTP_WITH_A_BODY:
                by_status[early].add(self._problems.http(early))
        by_status[500].add(self._problems.fault())
        made = {str(route.status): self._success(route, message)}
        for status in sorted(by_status):
            made[str(status)] = _problem_response(status, by_status[status])
        return made

    def _success(self, route: Route, message: type[Message[Any]]) -> Json:
        told: Json = {"description": HTTPStatus(route.status).phrase}
        if route.status != HTTPStatus.NO_CONTENT:
            schema = self._schemas.told(message.spec.answers)
            told["content"] = {_JSON: {"schema": schema, "example": self._examples.of(schema)}}
        headers = _required("Location") if route.location is not None else {}
        if has_revision(message.spec.answers):
            headers = {**headers, **_required("ETag")}
        return {**told, "headers": {**_METERED, **headers}}

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


def _problem_response(status: int, names: Iterable[str]) -> Json:
    refs = [{"$ref": SCHEMAS + name} for name in sorted(names)]
    schema = refs[0] if len(refs) == 1 else {"oneOf": refs}
    told: Json = {
        "description": f"{HTTPStatus(status).phrase}: {', '.join(sorted(names))}",
        "content": {
            MEDIA_TYPE: {
                "schema": schema,
                "examples": {name: {"$ref": EXAMPLES + name} for name in sorted(names)},
            }
        },
    }
    own = _required(_HEADERS[status]) if status in _HEADERS else {}
    return {**told, "headers": {**_METERED, **own}}


def _required(name: str) -> Json:
    return {name: {"required": True, "schema": _TEXT}}


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
