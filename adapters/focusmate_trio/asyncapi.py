"""The AsyncAPI 3 document: every frame of a conversation, generated from the messages."""

import importlib.metadata
import inspect
import typing
from collections.abc import Collection, Iterable
from typing import Any

from focusmate_core import codec
from focusmate_core import refusals as common
from focusmate_core.idempotency import LONGEST_KEY, takes_key
from focusmate_core.messages import Access, Message
from focusmate_core.refusals import Refusal
from focusmate_core.registry import Registry
from focusmate_core.schema import Schemas, needed, refusals_in
from focusmate_trio import asking
from focusmate_trio import refusals as own
from focusmate_trio.connection import PROTOCOL
from focusmate_trio.frames import CLOSE_CODES
from focusmate_trio.opening import PATH

Json = dict[str, Any]

SCHEMAS = "#/components/schemas/"
CHANNEL = "#/channels/conversation"

_ALWAYS = (common.NotSignedIn, common.BadInput, common.Unavailable, common.TooOften)
_UNREADABLE = (common.Malformed, common.BadInput, common.UnknownMessage, common.TooOften)
_OWN: dict[str, tuple[type, tuple[type[Refusal], ...]]] = {
    "sign_in": (asking.SignInHere, (own.OtherPerson, own.TooManyConnections)),
    "subscribe": (asking.Subscribe, (own.TooManySubscriptions, common.StreamNotFound)),
    "unsubscribe": (asking.Unsubscribe, ()),
    "ping": (asking.Ping, ()),
}
_ID: Json = {
    "type": ["integer", "null"],
    "minimum": 0,
    "maximum": asking.LARGEST,
    "description": "Comes back with the answer.",
}
_KEY: Json = {
    "type": ["string", "null"],
    "minLength": 1,
    "maxLength": LONGEST_KEY,
    "description": "An idempotency key: within 24 hours one effect and one answer.",
}
_INSTANT: Json = {"type": "string", "format": "date-time"}
_TEXT: Json = {"type": "string"}
_SEQ: Json = {"type": "integer", "minimum": 0}
_HEADERS: Json = {
    "type": "object",
    "properties": {
        "Authorization": {"type": "string", "description": "Bearer and an access token."},
        "Sec-WebSocket-Protocol": {"const": PROTOCOL},
    },
}


def document(registry: Registry) -> Json:
    """The whole document of what these features let a client say and hear."""
    made = _Document(registry)
    for do, (given, refused) in _OWN.items():
        made.add_own(do, given, refused)
    for wire, message in registry.messages.items():
        if message.spec.access is not Access.SYSTEM:
            made.add(wire, message)
    for kind in registry.guards:
        made.add_stream(kind)
    made.add_rest()
    return made.finished()


def page(registry: Registry) -> bytes:
    """The document as it is served."""
    return codec.dumps(document(registry)).encode()


class _Document:
    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._schemas = Schemas(SCHEMAS)
        self._refusals: dict[str, Json] = {}
        self._messages: dict[str, Json] = {}
        self._operations: dict[str, Json] = {}
        self._answers: dict[str, Json] = {
            "sign_in": _object(person_id=_TEXT, expires_at=_or_null(_INSTANT)),
            "subscribe": self._beginning(),
            "unsubscribe": _object(stream=_TEXT),
            "ping": _object(now=_INSTANT),
        }

    # -- what a client asks for -------------------------------------------------------------------

    def add_own(self, do: str, given: type, refused: Collection[type[Refusal]]) -> None:
        """Describe what the door itself does."""
        found = {*refused, *_ALWAYS, common.KeyNotTaken}
        if do == "subscribe":
            found |= refusals_in(*self._registry.guards.values())
        self._add(do, given, self._answers[do], found)

    def add(self, do: str, message: type[Message[Any]]) -> None:
        """Describe a message of the library."""
        answer = self._schemas.told(message.spec.answers)
        self._add(do, message, answer, self._refused(message), takes=takes_key(message))

    def _refused(self, message: type[Message[Any]]) -> set[type[Refusal]]:
        spec, registry = message.spec, self._registry
        steps = [registry.handlers[message], registry.preparations.get(message)]
        steps += [registry.knowers.get(kind) for kind, _ in spec.touches]
        found = {*refusals_in(*filter(None, steps)), *spec.leaves, *_ALWAYS}
        found.add(common.KeyReused if takes_key(message) else common.KeyNotTaken)
        if not spec.is_query:
            found.add(common.AnswerLost)
        if spec.access not in {Access.ANYONE, Access.SIGNED_IN}:
            found.add(common.NotAllowed)
        return found

    def _add(
        self,
        do: str,
        given: type,
        answer: Json,
        refused: Iterable[type[Refusal]],
        *,
        takes: bool = False,
    ) -> None:
        told = inspect.cleandoc(given.__doc__ or do)
        asked: Json = {"id": _ID, "do": {"const": do}, "with": self._schemas.message(given)}
        if takes:
            asked["key"] = _KEY
        required = ["do", *(["with"] if needed(given) else [])]
        payload = {"type": "object", "properties": asked, "required": required}
        self._message(do, {**payload, "additionalProperties": False}, told)
        self._message(f"{do}.ok", _object(id=_ID, ok=answer), f"What {do} is answered.")
        error = _object(id=_ID, error=self._one_of(refused))
        self._message(f"{do}.error", error, f"Why {do} was not done.")
        self._operations[do] = {
            "action": "receive",
            "channel": {"$ref": CHANNEL},
            "summary": told.partition("\n")[0],
            "description": told,
            "messages": _said(do),
            "reply": {"channel": {"$ref": CHANNEL}, "messages": _said(f"{do}.ok", f"{do}.error")},
        }

    def _beginning(self) -> Json:
        snapshots = [self._snapshot(kind) for kind in self._registry.guards]
        begun = _object(stream=_TEXT, seq=_SEQ, now=_INSTANT, resync={"type": "boolean"})
        begun["properties"]["snapshot"] = {
            "description": "Left out where the events since `after` follow instead.",
            "anyOf": snapshots,
        }
        return begun

    def _snapshot(self, kind: str) -> Json:
        parts = self._registry.snapshots.get(kind, {})
        told = {
            name: self._schemas.told(typing.get_type_hints(part, include_extras=True)["return"])
            for name, part in parts.items()
        }
        return {"title": f"The snapshot of a stream {kind}", **_object(**told)}

    # -- what a client is told --------------------------------------------------------------------

    def add_stream(self, kind: str) -> None:
        """Describe what may come on the streams of a kind."""
        wires = [wire for wire in self._registry.events if self._may_come(wire, kind)]
        for wire in wires:
            cls = self._registry.events[wire]
            event = _object(
                stream=_TEXT,
                seq={**_SEQ, "minimum": 1},
                type={"const": wire},
                at=_INSTANT,
                data=self._schemas.told(cls),
            )
            self._message(f"event.{wire}", event, inspect.cleandoc(cls.__doc__ or wire))
        told = f"What may come on a stream {kind} that is watched, and the end of watching it."
        self._send(f"watch.{kind}", told, [*(f"event.{wire}" for wire in wires), "ended"])

    def _may_come(self, wire: str, kind: str) -> bool:
        """Not what changes only what other streams show; the rest is known to its feature alone."""
        reduced = self._registry.reducers.get(self._registry.events[wire], ())
        shown = self._registry.snapshots.get(kind)
        return not (reduced and shown) or any(part in shown for part, _ in reduced)

    def add_rest(self) -> None:
        """Describe what comes by itself, and the answer to what cannot be read."""
        ended = _object(stream=_TEXT, ended=self._one_of((own.MayNotWatch, own.Resync)))
        self._message("ended", ended, "A stream is watched no more, although nobody asked for it.")
        notice = _object(notice=self._one_of((own.SignInExpires,)))
        self._message("notice", notice, "Something about the connection.")
        self._send("notice", "What the client should know of its connection.", ["notice"])
        error = _object(id=_ID, error=self._one_of(_UNREADABLE))
        self._message("error", error, "Why nothing was done; `id` is null if it was not readable.")
        self._send("refuse", "The answer to a frame that asks for nothing known.", ["error"])

    def _send(self, name: str, told: str, messages: Iterable[str]) -> None:
        self._operations[name] = {
            "action": "send",
            "channel": {"$ref": CHANNEL},
            "summary": told,
            "messages": _said(*messages),
        }

    # -- the parts --------------------------------------------------------------------------------

    def _message(self, name: str, payload: Json, told: str) -> None:
        self._messages[name] = {
            "name": name.removeprefix("event."),
            "summary": told.partition("\n")[0],
            "contentType": "application/json",
            "payload": payload,
        }

    def _one_of(self, refused: Iterable[type[Refusal]]) -> Json:
        names = sorted({self._refusal(each) for each in refused} | {self._fault()})
        return {"oneOf": [{"$ref": SCHEMAS + name} for name in names]}

    def _refusal(self, refused: type[Refusal]) -> str:
        name = f"refusal.{refused.code}"
        if name not in self._refusals:
            made = self._schemas.refusal(refused)
            made["properties"]["detail"] = {"type": "string", "description": refused.template}
            made["required"].append("detail")
            self._refusals[name] = made
        return name

    def _fault(self) -> str:
        told = _object(code={"const": "fault"}, detail=_TEXT, params=_object(error_id=_TEXT))
        self._refusals["fault"] = {"description": "A bug; the log knows its id.", **told}
        return "fault"

    def finished(self) -> Json:
        """The whole document."""
        listed = {name: {"$ref": f"#/components/messages/{name}"} for name in self._messages}
        return {
            "asyncapi": "3.0.0",
            "info": {"title": "focusmate", "version": _version()},
            "defaultContentType": "application/json",
            "servers": {"realtime": _server()},
            "channels": {"conversation": {**_channel(), "messages": listed}},
            "operations": self._operations,
            "components": {
                "messages": self._messages,
                "schemas": {**self._refusals, **self._schemas.named},
                "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            },
        }


def _server() -> Json:
    told = "The address of the realtime role, or of the proxy before it, which does TLS (`wss`)."
    return {
        "host": "{host}",
        "protocol": "ws",
        "description": told,
        "variables": {"host": {"default": "localhost:8001"}},
        "security": [{"$ref": "#/components/securitySchemes/bearer"}],
    }


def _channel() -> Json:
    told = "Signed in by the header Authorization, or by the frame `sign_in`; never in the URL."
    binding = {"method": "GET", "headers": _HEADERS, "bindingVersion": "0.1.0"}
    return {
        "address": PATH,
        "title": "One connection",
        "description": told,
        "bindings": {"ws": binding},
        "x-protocol": PROTOCOL,
        "x-close-codes": {str(code): why for code, why in CLOSE_CODES.items()},
    }


def _said(*names: str) -> list[Json]:
    return [{"$ref": f"{CHANNEL}/messages/{name}"} for name in names]


def _object(**properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _or_null(schema: Json) -> Json:
    return {**schema, "type": [schema["type"], "null"]}


def _version() -> str:
    try:
        return importlib.metadata.version("focusmate")
    except importlib.metadata.PackageNotFoundError:
        return "0"
