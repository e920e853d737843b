"""Idempotency keys: the answer a caller was given under a key, kept for a day."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

from focusmate_core import codec
from focusmate_core.entities import Entity, entity
from focusmate_core.fields import rule_of
from focusmate_core.messages import Message
from focusmate_core.refusals import BadInput, KeyNotTaken

KEPT = timedelta(hours=24)
LONGEST_KEY = 255


@entity("answers", key=("caller", "key"), index=["expires_at"])
class Answer(Entity):
    """What a caller was answered under a key; the caller is a person's id, empty for nobody."""

    caller: str
    key: str
    fingerprint: str
    answer: str
    expires_at: datetime
    version: int = 0


def fingerprint(message: Message[Any]) -> str:
    """What tells two messages apart: a digest of wire name and fields."""
    text = codec.dumps([message.spec.wire, codec.plain(message)])
    return hashlib.sha256(text.encode()).hexdigest()


def takes_key(message: type[Message[Any]]) -> bool:
    """Whether an answer may be kept: it is a command and neither it nor its answer is secret."""
    spec = message.spec
    rules = (rule_of(field.type) for field in message.__attrs_attrs__)
    return not (spec.is_query or spec.secret or any(rule and rule.secret for rule in rules))


def check_key(key: str, message: Message[Any]) -> None:
    """Refuse a key that is malformed or that this message does not take."""
    if not (0 < len(key) <= LONGEST_KEY and key.isascii() and key.isprintable()):
        problem = f"must be 1 to {LONGEST_KEY} printable ASCII characters"
        raise BadInput.of("idempotency_key", problem)
    if not takes_key(type(message)):
        raise KeyNotTaken(name=message.spec.wire)
