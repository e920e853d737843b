"""Revisions: what has one answers with an ETag, and is changed or read under If-Match."""

import re
from typing import Any

import attrs
import falcon.asgi

from focusmate_core.messages import Message
from focusmate_core.refusals import BadInput, Outdated, Refusal

FIELD = "revision"
IF_MATCH = "If-Match"
_ANY = "*"
_ETAG = re.compile(r'"(0|[1-9][0-9]{0,17})"')


def takes_revision(message: type[Message[Any]]) -> bool:
    """Whether a message may say which revision it means to change, or to read."""
    if message.spec.is_query:
        return has_revision(message.spec.answers)
    return FIELD in attrs.fields_dict(message)


def has_revision(answer: Any) -> bool:
    """Whether what is answered has a revision of its own."""
    return isinstance(answer, type) and attrs.has(answer) and FIELD in attrs.fields_dict(answer)


def etag(answer: Any) -> str:
    """The revision of an answer as a strong entity tag."""
    return f'"{answer.revision}"'


def asked_for(req: falcon.asgi.Request, *, is_taken: bool) -> dict[str, int]:
    """The field that the header If-Match gives; `BadInput` for what it cannot say, or not here."""
    given = req.get_header(IF_MATCH)
    if given is None:
        return {}
    if not is_taken:
        raise BadInput.of(IF_MATCH, "is not taken here, where nothing has revisions; leave it out")
    if given.strip() == _ANY:
        return {}
    found = _ETAG.fullmatch(given.strip())
    if found is None:
        raise BadInput.of(IF_MATCH, 'must be one ETag as it was answered, such as "3", or *')
    return {FIELD: int(found[1])}


def check_read(asked: dict[str, int], answer: Any) -> None:
    """Refuse `Outdated` where what was read has another revision than was asked for."""
    if asked and asked[FIELD] != answer.revision:
        raise Outdated(revision=answer.revision)


def is_failed_condition(refusal: Refusal, req: falcon.asgi.Request) -> bool:
    """Whether it was the header that asked for another revision than there is: never by `*`."""
    return isinstance(refusal, Outdated) and req.get_header(IF_MATCH, default=_ANY).strip() != _ANY
