"""Frames: what the server sends, built once and by hand, since server frames are not masked."""

from typing import Any

from focusmate_core import codec
from focusmate_core.fields import instant_text
from focusmate_core.outbox import Envelope
from focusmate_core.refusals import BadInput, Refusal
from focusmate_core.registry import Registry

SHORT, MEDIUM = 125, 0xFFFF
TEXT, CLOSE = 0x81, 0x88
PING = b"\x89\x00"
"""One for everybody: it is empty, and whatever comes back is a sign of life."""

# -- why a connection is closed -------------------------------------------------------------------

UNSUPPORTED = 1003
TOO_BIG = 1009
BROKEN = 1011
RESTARTING = 1012
TRY_LATER = 1013
NOT_SIGNED_IN = 4401
TOO_SLOW = 4408
TOO_MANY = 4429
CLOSE_CODES = {
    1002: "what came is no WebSocket frame; is corrected",
    1003: "a binary frame; sends text",
    1007: "what came is no UTF-8; is corrected",
    1009: "a message was too big; sends less",
    1011: "a bug of ours, and it is logged; comes back",
    1012: "the server restarts; comes back after the seconds that the reason says "
    "(`retry_after=…`, for each client others), and resumes",
    1013: "the sign-in by header could not be checked just now; comes back",
    4401: "nobody signed in, the token was not good, or the sign-in expired or has ended; "
    "takes a new token and comes back",
    4408: "the client reads more slowly than things happen; comes back and resumes",
    4429: "too many connections of one person, or too often for too long; "
    "closes others, or slows down",
}
"""Why the server closes, and what the client does then."""


def text_frame(payload: bytes) -> bytes:
    """One whole text frame."""
    return _framed(TEXT, payload)


def close_frame(code: int, reason: str = "") -> bytes:
    """One close frame; a reason longer than 123 bytes is cut."""
    told = reason.encode()[:123].decode(errors="ignore").encode()
    return _framed(CLOSE, code.to_bytes(2, "big") + told)


def json_frame(told: dict[str, Any]) -> bytes:
    """Plain data as one text frame."""
    return text_frame(codec.dumps(told).encode())


def _framed(opcode: int, payload: bytes) -> bytes:
    size = len(payload)
    if size <= SHORT:
        return bytes((opcode, size)) + payload
    if size <= MEDIUM:
        return bytes((opcode, 126)) + size.to_bytes(2, "big") + payload
    return bytes((opcode, 127)) + size.to_bytes(8, "big") + payload


# -- what is told ---------------------------------------------------------------------------------


def event_frame(envelope: Envelope, registry: Registry) -> bytes:
    """An event as everybody who watches its stream is sent it.

    Its data stays the text that was stored; only what an older version wrote is decoded, and
    written again as today's.
    """
    data = envelope.data
    known = registry.events.get(envelope.type)
    if known is not None and known.fact.version != envelope.version:
        current = registry.decode_event(envelope.type, envelope.version, data)
        data = codec.dumps(codec.plain(current))
    told = (
        f'{{"stream":{codec.dumps(envelope.stream)},"seq":{envelope.seq},'
        f'"type":"{envelope.type}","at":"{instant_text(envelope.at)}","data":{data}}}'
    )
    return text_frame(told.encode())


def answer_frame(number: int | None, answer: Any) -> bytes:
    """The answer, as plain data, to the frame with this id."""
    return json_frame({"id": number, "ok": answer})


def refusal_frame(number: int | None, refusal: Refusal) -> bytes:
    """The refusal of the frame with this id; null where the id could not be read."""
    return json_frame({"id": number, "error": told_of(refusal)})


def fault_frame(number: int | None, error_id: str) -> bytes:
    """What the frame with this id is answered when there is a bug; the log knows its id."""
    detail = f"Something is broken here, and it is logged as {error_id}; tell who runs this server."
    told = {"code": "fault", "detail": detail, "params": {"error_id": error_id}}
    return json_frame({"id": number, "error": told})


def ended_frame(stream: str, refusal: Refusal) -> bytes:
    """The end of a subscription, and why."""
    return json_frame({"stream": stream, "ended": told_of(refusal)})


def notice_frame(refusal: Refusal) -> bytes:
    """Something the client should know, about no frame and no stream."""
    return json_frame({"notice": told_of(refusal)})


def told_of(refusal: Refusal) -> dict[str, Any]:
    """Code and detail, with the fields of bad input and the parameters of any other refusal."""
    told: dict[str, Any] = {"code": refusal.code, "detail": refusal.detail}
    if isinstance(refusal, BadInput):
        told["fields"] = codec.plain(refusal.fields)
    elif params := codec.plain(refusal.params()):
        told["params"] = params
    return told
