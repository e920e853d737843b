"""The peer's HTTP routes and their application."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import uuid4

import jwt
from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Request
from fastapi.responses import JSONResponse
from sqlalchemy import or_, select
from sqlalchemy.exc import IntegrityError

from tests.benchmarks.peers.original_stack.database import Database, open_database
from tests.benchmarks.peers.original_stack.door import websocket_door
from tests.benchmarks.peers.original_stack.models import (
    Account,
    Deadline,
    Membership,
    Room,
    Session,
    Timer,
)
from tests.benchmarks.peers.original_stack.security import ACCESS, REFRESH, Security
from tests.benchmarks.peers.original_stack.settings import Settings
from tests.benchmarks.peers.original_stack.shapes import (
    OpenRoom,
    Registered,
    Registration,
    RoomView,
    SignIn,
    TimerView,
    Tokens,
)
from tests.benchmarks.peers.original_stack.timers import LENGTHS, Refused, Timers
from tests.benchmarks.peers.original_stack.watchers import Watchers

routes = APIRouter()


async def _caller(request: Request, authorization: Annotated[str, Header()]) -> str:
    security: Security = request.app.state.security
    try:
        return security.account_of(authorization.removeprefix("Bearer "))
    except jwt.InvalidTokenError as problem:
        raise HTTPException(401, "sign in") from problem


async def _database(request: Request) -> Database:
    return request.app.state.database  # type: ignore[no-any-return]


async def _security(request: Request) -> Security:
    return request.app.state.security  # type: ignore[no-any-return]


async def _timers(request: Request) -> Timers:
    return request.app.state.timers  # type: ignore[no-any-return]


Caller = Annotated[str, Depends(_caller)]
Stored = Annotated[Database, Depends(_database)]
Secure = Annotated[Security, Depends(_security)]
Timing = Annotated[Timers, Depends(_timers)]


@routes.get("/health/ready")
async def ready() -> dict[str, str]:
    return {"status": "ready"}


@routes.post("/v1/accounts", status_code=201)
async def register(ask: Registration, stored: Stored, secure: Secure) -> Registered:
    hashed = await secure.hash(ask.password)
    account = Account(
        id=str(uuid4()),
        email=ask.email.casefold(),
        username=ask.username,
        password_hash=hashed,
        created_at=datetime.now(UTC),
    )
    try:
        async with stored.write.begin() as session:
            session.add(account)
    except IntegrityError as problem:
        raise HTTPException(409, "that name or address is taken") from problem
    return Registered(id=account.id, username=account.username)


@routes.post("/v1/tokens", status_code=201)
async def sign_in(ask: SignIn, stored: Stored, secure: Secure) -> Tokens:
    named = or_(Account.email == ask.login.casefold(), Account.username == ask.login)
    async with stored.read() as session:
        account = await session.scalar(select(Account).where(named))
    if (
        not await secure.matches(ask.password, account.password_hash if account else None)
        or account is None
    ):
        raise HTTPException(401, "unknown user or wrong password")
    token, hashed = secure.refresh_token()
    async with stored.write.begin() as session:
        session.add(
            Session(
                token_hash=hashed, account_id=account.id, expires_at=datetime.now(UTC) + REFRESH
            )
        )
    return Tokens(
        access_token=secure.sign(account.id),
        refresh_token=token,
        expires_in=int(ACCESS.total_seconds()),
    )


@routes.post("/v1/rooms", status_code=201)
async def open_room(ask: OpenRoom, who: Caller, stored: Stored) -> RoomView:
    now = datetime.now(UTC)
    room = Room(
        id=str(uuid4()), host_id=who, opened_at=now, is_public=True, seq=0, **ask.model_dump()
    )
    async with stored.write.begin() as session:
        session.add(room)
        await session.flush()
        session.add(Membership(room_id=room.id, account_id=who, joined_at=now))
        session.add(
            Timer(room_id=room.id, state="IDLE", phase="WORK", left_seconds=_work(), rounds=0)
        )
        session.add(Deadline(key=room.id, message={"do": "timer.end_phase", "room_id": room.id}))
    return RoomView.model_validate(room, from_attributes=True)


def _work() -> float:
    return LENGTHS["WORK"].total_seconds()


@routes.post("/v1/rooms/{room_id}/join")
async def join_room(room_id: str, who: Caller, stored: Stored) -> RoomView:
    async with stored.write.begin() as session:
        room = await session.get(Room, room_id)
        if room is None:
            raise HTTPException(404, "there is no such room")
        if await session.get(Membership, (room_id, who)) is None:
            session.add(Membership(room_id=room_id, account_id=who, joined_at=datetime.now(UTC)))
    return RoomView.model_validate(room, from_attributes=True)


@routes.get("/v1/rooms/{room_id}/timer")
async def timer_state(room_id: str, who: Caller, timers: Timing) -> TimerView:
    return await timers.state(who, room_id)


@routes.post("/v1/rooms/{room_id}/timer/{verb}")
async def timer_command(
    room_id: str, verb: Literal["start", "pause", "resume", "reset"], who: Caller, timers: Timing
) -> TimerView:
    return await timers.command(verb, who, room_id)


async def _refused(_request: Request, refusal: Exception) -> JSONResponse:
    assert isinstance(refusal, Refused)
    return JSONResponse({"detail": refusal.detail}, refusal.status)


async def _end_phases(timers: Timers) -> None:
    while True:
        await asyncio.sleep(0.5)
        await timers.end_due()


def application(settings: Settings) -> FastAPI:
    """Build the application; it opens its database when it starts."""

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        database = await open_database(settings)
        watchers = Watchers()
        app.state.database, app.state.security = database, Security(settings)
        app.state.watchers, app.state.timers = watchers, Timers(database, watchers)
        beside = [
            asyncio.create_task(watchers.broadcast()),
            asyncio.create_task(_end_phases(app.state.timers)),
        ]
        yield
        for task in beside:
            task.cancel()
        for engine in database.engines:
            await engine.dispose()

    app = FastAPI(lifespan=life)
    app.include_router(routes)
    app.add_api_websocket_route("/v1/ws", websocket_door)
    app.add_exception_handler(Refused, _refused)
    return app
