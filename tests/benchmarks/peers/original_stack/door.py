"""The peer's WebSocket: sign in by the first frame, subscribe, command."""

from typing import Any

import jwt
import orjson
from fastapi import WebSocket, WebSocketDisconnect
from pydantic import ValidationError

from tests.benchmarks.peers.original_stack.shapes import Frame
from tests.benchmarks.peers.original_stack.timers import COMMANDS, Refused, Timers

UNAUTHORISED = 4401


async def websocket_door(socket: WebSocket) -> None:
    """Answer one client's frames in order until it leaves."""
    await socket.accept()
    try:
        who = await _signed_in(socket)
        while who is not None:
            frame = Frame.model_validate_json(await socket.receive_text())
            await _reply(socket, frame, await _answer(socket, who, frame))
    except (WebSocketDisconnect, ValidationError, RuntimeError):
        return
    finally:
        socket.app.state.watchers.drop(socket)


async def _signed_in(socket: WebSocket) -> str | None:
    frame = Frame.model_validate_json(await socket.receive_text())
    try:
        who: str = socket.app.state.security.account_of(str(frame.given["token"]))
    except (jwt.InvalidTokenError, KeyError):
        await socket.close(UNAUTHORISED)
        return None
    await _reply(socket, frame, {"ok": {"account_id": who}})
    return who


async def _answer(socket: WebSocket, who: str, frame: Frame) -> dict[str, Any]:
    timers: Timers = socket.app.state.timers
    try:
        if frame.do == "subscribe":
            stream = str(frame.given["stream"])
            snapshot = await timers.state(who, stream.removeprefix("room:"))
            socket.app.state.watchers.add(stream, socket)
            return {"ok": {"stream": stream, "snapshot": snapshot.model_dump(mode="json")}}
        kind, _, verb = frame.do.partition(".")
        if kind != "timer" or verb not in COMMANDS:
            return {"error": {"code": "unknown_message", "detail": f"there is no {frame.do}"}}
        done = await timers.command(verb, who, str(frame.given["room_id"]))
        return {"ok": done.model_dump(mode="json")}
    except Refused as refusal:
        return {"error": {"code": refusal.status, "detail": refusal.detail}}


async def _reply(socket: WebSocket, frame: Frame, answer: dict[str, Any]) -> None:
    await socket.send_text(orjson.dumps({"id": frame.id, **answer}).decode())
