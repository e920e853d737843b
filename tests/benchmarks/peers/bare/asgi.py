"""The emptiest ASGI application: what uvicorn itself allows."""

import argparse
import itertools
import json
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn

NUMBERS = itertools.count(1)
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def empty(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Read the body, answer a number."""
    assert scope["type"] == "http"
    await receive()
    body = json.dumps({"id": str(next(NUMBERS)), "access_token": "nobody's"}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="asgi")
    parser.add_argument("--port", type=int, required=True)
    uvicorn.run(
        empty,
        host="127.0.0.1",
        port=parser.parse_args().port,
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="warning",
    )
