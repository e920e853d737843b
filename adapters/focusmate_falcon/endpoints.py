"""Endpoints: one message behind one route, with all that can be known before a request comes."""

import typing
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import attrs
import falcon.asgi

from focusmate_core import codec
from focusmate_core.calls import Call
from focusmate_core.fields import plain_type
from focusmate_core.messages import ANONYMOUS, Actor, Message, Origin
from focusmate_core.ports.runner import Runner
from focusmate_core.refusals import BadInput, FieldProblem, NotSignedIn, UnknownMessage
from focusmate_falcon.answers import json_of
from focusmate_falcon.metering import Meters
from focusmate_falcon.queries import Query
from focusmate_falcon.requests import DoorRequest, check_json
from focusmate_falcon.revisions import asked_for, check_read, etag, has_revision, takes_revision
from focusmate_falcon.routes import Route

KEY = "Idempotency-Key"


@attrs.frozen
class Behind:
    """What all endpoints share: what a token means, what runs a call, and what bounds there are."""

    authenticate: Callable[[str], Actor]
    runner: Runner
    longest_body: int
    meters: Meters


class Endpoint:
    """Takes a request for one message and answers it."""

    __slots__ = (
        "_bare",
        "_behind",
        "_has_revision",
        "_is_query",
        "_location",
        "_message",
        "_meter",
        "_query",
        "_status",
        "_takes_revision",
    )

    def __init__(self, route: Route, message: type[Message[Any]], behind: Behind) -> None:
        self._behind = behind
        self._message = message
        self._query = Query(message)
        self._is_query = message.spec.is_query
        self._status = route.status
        self._location = route.location
        self._bare = _is_whole_in_path(message, route.in_path)
        self._meter = behind.meters.of(message)
        self._takes_revision = takes_revision(message)
        self._has_revision = has_revision(message.spec.answers)

    async def on_command(self, req: DoorRequest, resp: falcon.asgi.Response, **path: str) -> None:
        """Carry out the message that path and body give together."""
        actor = self._actor(req, resp)
        body = await req.body(self._behind.longest_body)
        if req.query_string:
            raise _not_in_the_query(req)
        revision = asked_for(req, is_taken=self._takes_revision)
        if self._is_query:
            answer = await self._carry_out(self._sent(body, req, path, {}), actor, req, resp)
            return check_read(revision, answer)
        await self._carry_out(self._sent(body, req, path, revision), actor, req, resp)
        return None

    async def on_query(self, req: DoorRequest, resp: falcon.asgi.Response, **path: str) -> None:
        """Answer the message that path and query string give together."""
        actor = self._actor(req, resp)
        revision = asked_for(req, is_taken=self._takes_revision)
        data = _merged(self._query.data(req.params), path, "the path")
        message: Message[Any] = codec.value_of(data, self._message)
        check_read(revision, await self._carry_out(message, actor, req, resp))

    def _actor(self, req: DoorRequest, resp: falcon.asgi.Response) -> Actor:
        """Who asks, counted; a token that is not good counts for the address it comes from."""
        try:
            token = req.token()
            actor = ANONYMOUS if token is None else self._behind.authenticate(token)
        except NotSignedIn:
            if self._meter is not None:
                self._meter.take("", req.address, resp)
            raise
        if self._meter is not None:
            self._meter.take(actor.id, req.address, resp)
        return actor

    def _sent(
        self, body: bytes, req: DoorRequest, path: dict[str, str], revision: dict[str, int]
    ) -> Message[Any]:
        if body:
            check_json(req.content_type)
            data = _merged(codec.loads(body), path, "the path")
            return codec.value_of(_merged(data, revision, "the header If-Match"), self._message)
        if self._bare and not revision:
            return self._message(**path)
        return codec.value_of({**path, **revision}, self._message)

    async def _carry_out(
        self, message: Message[Any], actor: Actor, req: DoorRequest, resp: falcon.asgi.Response
    ) -> Any:
        origin = Origin("http", req.address)
        outcome = await self._behind.runner.run(Call(message, actor, origin, req.get_header(KEY)))
        answer = outcome.result()
        resp.status = self._status
        if self._status != HTTPStatus.NO_CONTENT:
            resp.data = json_of(answer)
        if self._has_revision:
            resp.set_header("ETag", etag(answer))
        if self._location is not None:
            resp.set_header("Location", self._location.format(answer))
        return answer


class UnknownName:
    """Where messages are sent by a wire name that no route has."""

    async def on_post(self, _: DoorRequest, _resp: falcon.asgi.Response, wire: str) -> None:
        """Refuse: `UnknownMessage`."""
        raise UnknownMessage(name=wire[:100])


def _is_whole_in_path(message: type[Message[Any]], in_path: frozenset[str]) -> bool:
    """Whether the path alone makes the message, so that its text needs no codec, only its rules."""
    hints = typing.get_type_hints(message, include_extras=True)
    needed = {field.name for field in attrs.fields(message) if field.default is attrs.NOTHING}
    return needed <= in_path and all(plain_type(hints[name]) is str for name in in_path)


def _merged(data: Any, given: dict[str, Any], by: str) -> Any:
    if not given:
        return data
    if not isinstance(data, dict):
        raise BadInput.of("", "must be an object with named fields")
    twice = sorted(data.keys() & given.keys())
    if twice:
        problem = f"is given by {by}; leave it out here"
        raise BadInput(fields=tuple(FieldProblem(name, problem) for name in twice))
    return {**data, **given}


def _not_in_the_query(req: DoorRequest) -> BadInput:
    names = sorted(req.params) or [""]
    problem = "is not taken from the query here; send it in the body"
    return BadInput(fields=tuple(FieldProblem(name[:100], problem) for name in names))
