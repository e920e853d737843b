"""Pages: what is written once, at the start, and read by whoever asks."""

import asyncio
import html
import http
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import falcon.asgi

from focusmate_core.registry import Registry
from focusmate_falcon.problems import FAULT, HTTP_DETAIL, STATUS, http_code


class Page:
    """Bytes under a path; what takes long to write is written when somebody first asks for it."""

    def __init__(self, content: bytes | Callable[[], bytes], media_type: str) -> None:
        self._content = content
        self._media_type = media_type

    async def on_get(self, _: Any, resp: falcon.asgi.Response) -> None:
        if not isinstance(self._content, bytes):
            self._content = await asyncio.to_thread(self._content)
        resp.data = self._content
        resp.content_type = self._media_type

    on_head = on_get


def problems_page(registry: Registry) -> bytes:
    """A paragraph for every problem, under its code: where the `type` of a problem leads."""
    told = "".join(
        f'<section id="{html.escape(code)}"><h2>{html.escape(code)}</h2>'
        f"<p>{status} {http.HTTPStatus(status).phrase}. {html.escape(text)}</p></section>\n"
        for code, status, text in sorted(_problems(registry))
    )
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Problems</title>'
    return f"{head}<h1>Problems</h1>\n{told}".encode()


def _problems(registry: Registry) -> Iterator[tuple[str, int, str]]:
    for refusal in registry.refusals.values():
        text = inspect.cleandoc(refusal.__doc__ or "")
        if "{summary}" not in refusal.template:
            text = f"«{refusal.template}» {text}"
        yield refusal.code, STATUS[refusal.kind], text
    yield from ((http_code(status), status, text) for status, text in HTTP_DETAIL.items())
    yield FAULT, 500, "A bug; it is in the server's log under the error id that is told."
