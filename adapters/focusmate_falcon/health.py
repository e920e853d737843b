"""Health: whether the process lives, and whether the parts it rests on are there."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import falcon.asgi
import orjson

LIVE, READY = "/health/live", "/health/ready"
OK = "ok"
NOTED = "ok, but "
"""How a part begins that does its work, and has something to tell an operator."""
Ready = Callable[[], Awaitable[Mapping[str, str]]]
"""What each part says: `ok`, `ok, but …`, or what is wrong with it. It must not block the loop."""


async def nothing_to_ask() -> Mapping[str, str]:
    """Ready, and made of no parts."""
    return {}


class Live:
    """200 as long as the loop turns."""

    async def on_get(self, _: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        resp.data = b'{"status":"ok"}'

    on_head = on_get


class Readiness:
    """200 when every part is fine, else 503; either way with what each part says."""

    def __init__(self, ready: Ready) -> None:
        self._ready = ready

    async def on_get(self, _: Any, resp: falcon.asgi.Response) -> None:
        parts = await self._ready()
        fine = all(said == OK or said.startswith(NOTED) for said in parts.values())
        resp.status = 200 if fine else 503
        told = {"status": OK if fine else "unavailable", "parts": dict(parts)}
        resp.data = orjson.dumps(told)
        if not fine:
            resp.set_header("Retry-After", "1")

    on_head = on_get
