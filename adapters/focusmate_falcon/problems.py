"""Problem documents (RFC 9457): how a refusal, an error of HTTP itself, or a bug is answered."""

import http
import json
import logging
import math
import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import attrs
import falcon
import falcon.asgi

from focusmate_core import codec
from focusmate_core.refusals import BadInput, Kind, Refusal
from focusmate_falcon.revisions import is_failed_condition

MEDIA_TYPE = "application/problem+json"
PAGE = "/docs/problems"
"""The page on which every problem has a paragraph; with `#code` it is the problem's type."""

STATUS: Mapping[Kind, int] = {
    Kind.MALFORMED: 400,
    Kind.NOT_SIGNED_IN: 401,
    Kind.NOT_ALLOWED: 403,
    Kind.NOT_FOUND: 404,
    Kind.IMPOSSIBLE: 409,
    Kind.OUTDATED: 409,
    Kind.TOO_LARGE: 413,
    Kind.INVALID: 422,
    Kind.TOO_OFTEN: 429,
    Kind.UNAVAILABLE: 503,
}
FAILED_CONDITION = 412
"""Instead of 409 where the header If-Match asked for another revision."""
TITLE: Mapping[Kind, str] = {
    Kind.MALFORMED: "Malformed",
    Kind.NOT_SIGNED_IN: "Not signed in",
    Kind.NOT_ALLOWED: "Not allowed",
    Kind.NOT_FOUND: "Not found",
    Kind.IMPOSSIBLE: "Impossible in this state",
    Kind.OUTDATED: "Changed meanwhile",
    Kind.TOO_LARGE: "Too large",
    Kind.INVALID: "Invalid",
    Kind.TOO_OFTEN: "Too often",
    Kind.UNAVAILABLE: "Unavailable",
}
HTTP_DETAIL: Mapping[int, str] = {
    400: "The request cannot be read; look at its method and its headers.",
    404: "There is nothing at this path; /openapi.json lists the paths.",
    405: "This path does not take this method; the header Allow lists those it takes.",
    408: "The body did not arrive in time; send it again.",
    415: "A body must be sent as «Content-Type: application/json», in UTF-8.",
}
"""What is told where an error of HTTP itself does not tell more."""
FAULT = "fault"
"""The code of a bug."""

_LOG = logging.getLogger("focusmate.http")
_CHALLENGE = 'Bearer realm="focusmate"'


@attrs.frozen
class Problem:
    """A problem document before it is JSON, and the headers that go with it."""

    status: int
    code: str
    title: str
    detail: str
    more: Mapping[str, Any] = attrs.Factory(dict)
    headers: Mapping[str, str] = attrs.Factory(dict)

    def document(self) -> bytes:
        """JSON, in ASCII: what it quotes of a request may hold signs that UTF-8 cannot."""
        told = {
            "type": f"{PAGE}#{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            **self.more,
        }
        return json.dumps(told, separators=(",", ":")).encode()


def of_refusal(refusal: Refusal, *, with_token: bool = False, status: int | None = None) -> Problem:
    """A refusal: its parameters under `params`, and for bad input the `fields`."""
    return Problem(
        status or STATUS[refusal.kind],
        refusal.code,
        TITLE[refusal.kind],
        refusal.detail,
        _more(refusal),
        _headers(refusal, with_token=with_token),
    )


def _more(refusal: Refusal) -> dict[str, Any]:
    if isinstance(refusal, BadInput):
        return {"fields": codec.plain(refusal.fields)}
    params = codec.plain(refusal.params())
    return {"params": params} if params else {}


def _headers(refusal: Refusal, *, with_token: bool) -> dict[str, str]:
    if refusal.kind is Kind.NOT_SIGNED_IN:
        wrong = ', error="invalid_token"' if with_token else ""
        return {"WWW-Authenticate": _CHALLENGE + wrong}
    if refusal.kind in {Kind.UNAVAILABLE, Kind.TOO_OFTEN}:
        return {"Retry-After": _seconds(getattr(refusal, "retry_after", 1))}
    return {}


def _seconds(wait: float | timedelta) -> str:
    """Whole seconds, as the header has them: at least one, and never too few."""
    seconds = wait.total_seconds() if isinstance(wait, timedelta) else wait
    return str(max(1, math.ceil(seconds)))


def http_code(status: int) -> str:
    """The code of an error of HTTP itself: `http.not_found`."""
    phrase = http.HTTPStatus(status).phrase
    return "http." + phrase.lower().replace(" ", "_").replace("-", "_")


def of_http(error: falcon.HTTPError) -> Problem:
    """An error of HTTP itself: no such path, a method it does not have, a header it cannot read."""
    status = error.status_code
    title = http.HTTPStatus(status).phrase
    detail = error.description or HTTP_DETAIL.get(status, f"{title}.")
    return Problem(status, http_code(status), title, detail, headers=dict(error.headers or {}))


def of_status(status: int) -> Problem:
    """An error of HTTP itself, as it is told where nobody says more."""
    return of_http(falcon.HTTPError(status))


def of_fault(fault: Exception, where: str) -> Problem:
    """A bug: logged under an id (its `error_id`, if it has one), which is all the answer tells."""
    # A fault that another process met is in its log, under the id it has there.
    error_id = getattr(fault, "error_id", None) or secrets.token_hex(8)
    _LOG.error("%s failed, error id %s", where, error_id, exc_info=fault)
    detail = f"Something is broken here, and it is logged as {error_id}; tell who runs this server."
    return Problem(500, FAULT, "Fault", detail, {"params": {"error_id": error_id}})


def _answer(resp: falcon.asgi.Response, problem: Problem) -> None:
    resp.status = problem.status
    resp.content_type = MEDIA_TYPE
    resp.data = problem.document()
    if problem.headers:
        resp.set_headers(dict(problem.headers))


async def _on_refusal(
    req: falcon.asgi.Request, resp: falcon.asgi.Response, refusal: Refusal, _: dict[str, Any]
) -> None:
    status = FAILED_CONDITION if is_failed_condition(refusal, req) else None
    _answer(resp, of_refusal(refusal, with_token=req.auth is not None, status=status))


async def _on_http_error(
    _: falcon.asgi.Request,
    resp: falcon.asgi.Response,
    error: falcon.HTTPError,
    _params: dict[str, Any],
) -> None:
    _answer(resp, of_http(error))


async def _on_fault(
    req: falcon.asgi.Request, resp: falcon.asgi.Response, fault: Exception, _: dict[str, Any]
) -> None:
    # The route instead of the path, and never the query: what people send stays out of the log.
    _answer(resp, of_fault(fault, f"{req.method} {req.uri_template or '(no route)'}"))


def handle_problems(app: falcon.asgi.App[Any, Any]) -> None:
    """Let the app answer with problem documents whatever is raised in it."""
    app.add_error_handler(Exception, _on_fault)
    app.add_error_handler(falcon.HTTPError, _on_http_error)
    app.add_error_handler(Refusal, _on_refusal)
