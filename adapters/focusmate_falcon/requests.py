"""Requests: the body, bounded in size; the bearer token; and fields given as text in a query."""

import urllib.parse
from typing import Any

import falcon
import falcon.asgi

from focusmate_core.refusals import Malformed, NotSignedIn, TooLarge


class DoorRequest(falcon.asgi.Request):
    """A request that reads its own body: Falcon's stream would not tell that it broke off."""

    __slots__ = ("_event", "_next_event")

    def __init__(
        self, scope: dict[str, Any], receive: Any, first_event: Any = None, options: Any = None
    ) -> None:
        query = scope["query_string"]
        if not query.isascii():
            quoted = urllib.parse.quote_from_bytes(query, safe="!$%&'()*+,-./:;=?@_~")
            scope = {**scope, "query_string": quoted.encode()}
        super().__init__(scope, receive, first_event=first_event, options=options)
        self._event = first_event
        self._next_event = receive

    @property
    def address(self) -> str:
        """The peer's address, empty where there is none (a local socket).

        Falcon's own would let a forged header speak for the peer.
        """
        host, _ = self.scope.get("client") or ("", 0)
        return str(host)

    def token(self) -> str | None:
        """The bearer token; `NotSignedIn` for another scheme than Bearer."""
        given = self.auth
        if given is None:
            return None
        scheme, _, token = given.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise NotSignedIn
        return token.strip()

    async def body(self, longest: int) -> bytes:
        """The whole body; `TooLarge` above so many bytes, as soon as that is clear."""
        event = self._event
        if event.get("more_body"):
            return await self._gathered(longest)
        whole: bytes = event.get("body", b"")
        if len(whole) > longest:
            raise TooLarge(longest=longest)
        return whole

    async def _gathered(self, longest: int) -> bytes:
        event, gathered = self._event, bytearray()
        declared = self.content_length or 0
        while True:
            gathered += event.get("body", b"")
            if max(len(gathered), declared) > longest:
                raise TooLarge(longest=longest)
            if not event.get("more_body"):
                return bytes(gathered)
            event = await self._next_event()
            if event["type"] == "http.disconnect":
                raise Malformed(problem="its body broke off")


def check_json(content_type: str | None) -> None:
    """Refuse a body that does not say it is JSON, in UTF-8: 415."""
    if content_type == falcon.MEDIA_JSON:
        return
    media, _, params = (content_type or "").lower().partition(";")
    name, _, charset = params.strip().partition("=")
    if media.strip() != falcon.MEDIA_JSON or (name and (name, charset.strip('"')) != UTF_8):
        raise falcon.HTTPUnsupportedMediaType


UTF_8 = ("charset", "utf-8")
