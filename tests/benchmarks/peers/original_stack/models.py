"""The peer's tables, mapped by SQLAlchemy's ORM and indexed for every query it makes."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, ForeignKey, Index
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator


class Instant(TypeDecorator[datetime]):
    """An aware UTC instant: SQLite keeps no zone."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value if value is None else value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value if value is None else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """Every table of the peer."""

    type_annotation_map = {datetime: Instant, dict[str, Any]: JSON}  # noqa: RUF012 — SQLAlchemy's way


class Account(Base):
    __tablename__ = "accounts"
    id: Mapped[str] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    username: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str]
    created_at: Mapped[datetime]


class Session(Base):
    __tablename__ = "sessions"
    token_hash: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    expires_at: Mapped[datetime]


class Room(Base):
    __tablename__ = "rooms"
    __table_args__ = (Index("public_rooms", "is_public", "opened_at"),)
    id: Mapped[str] = mapped_column(primary_key=True)
    host_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), index=True)
    name: Mapped[str]
    description: Mapped[str]
    capacity: Mapped[int | None]
    is_public: Mapped[bool]
    controlled_by: Mapped[str]
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    seq: Mapped[int]


class Membership(Base):
    __tablename__ = "memberships"
    room_id: Mapped[str] = mapped_column(ForeignKey("rooms.id"), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"), primary_key=True, index=True)
    joined_at: Mapped[datetime]


class Timer(Base):
    __tablename__ = "timers"
    room_id: Mapped[str] = mapped_column(ForeignKey("rooms.id"), primary_key=True)
    state: Mapped[str]
    phase: Mapped[str]
    ends_at: Mapped[datetime | None]
    left_seconds: Mapped[float]
    rounds: Mapped[int]


class Deadline(Base):
    __tablename__ = "deadlines"
    key: Mapped[str] = mapped_column(primary_key=True)
    due_at: Mapped[datetime | None] = mapped_column(index=True)
    message: Mapped[dict[str, Any]]


class Event(Base):
    __tablename__ = "events"
    stream: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    type: Mapped[str]
    at: Mapped[datetime]
    data: Mapped[dict[str, Any]]
