"""The peer's requests and answers, as Pydantic models."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(min_length=1, max_length=100)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Registration(Strict):
    email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
    username: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{3,30}$")]
    password: Annotated[str, Field(min_length=8, max_length=128)]


class Registered(BaseModel):
    id: str
    username: str


class SignIn(Strict):
    login: str
    password: str


class Tokens(BaseModel):
    access_token: str
    refresh_token: str
    expires_in: int


class OpenRoom(Strict):
    name: Name
    description: Annotated[str, Field(max_length=1000)] = ""
    capacity: Annotated[int, Field(ge=2, le=1000)] | None = None
    controlled_by: Literal["host", "everyone"] = "host"


class RoomView(BaseModel):
    id: str
    host_id: str
    name: str
    description: str
    capacity: int | None
    opened_at: datetime


class TimerView(BaseModel):
    room_id: str
    state: str
    phase: str
    ends_at: datetime | None
    left_seconds: float
    rounds: int
    now: datetime


class Frame(Strict):
    """What a client says on the WebSocket: {"id": 7, "do": "timer.start", "with": {…}}."""

    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True)

    id: int | None = None
    do: str
    given: dict[str, Any] = Field(default_factory=dict, alias="with")
