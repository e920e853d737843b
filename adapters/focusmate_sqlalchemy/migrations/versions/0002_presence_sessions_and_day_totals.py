"""Presence, sessions and day totals."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "day_rules",
        sa.Column("person_id", TEXT, nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("time_zone", TEXT, nullable=False),
        sa.Column("day_start", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("person_id", "since"),
    )
    op.create_table(
        "day_totals",
        sa.Column("person_id", TEXT, nullable=False),
        sa.Column("day", TEXT, nullable=False),
        sa.Column("focused", sa.BigInteger(), nullable=False),
        sa.Column("sessions", sa.BigInteger(), nullable=False),
        sa.Column("recorded", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("person_id", "day"),
    )
    op.create_table(
        "desks",
        sa.Column("person_id", TEXT, nullable=False),
        sa.Column("room_id", TEXT, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("person_id"),
    )
    op.create_table(
        "presences",
        sa.Column("person_id", TEXT, nullable=False),
        sa.Column("room_id", TEXT, nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("came", sa.BigInteger(), nullable=False),
        sa.Column("signs", sa.Text(), nullable=False),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("person_id"),
    )
    with op.batch_alter_table("presences", schema=None) as batch_op:
        batch_op.create_index(
            "ix_presences_room_id_person_id", ["room_id", "person_id"], unique=False
        )
        batch_op.create_index(
            "ix_presences_room_id_status_until_person_id",
            ["room_id", "status", "until", "person_id"],
            unique=False,
        )

        batch_op.create_index("ix_presences_until_person_id", ["until", "person_id"], unique=False)

    op.create_table(
        "returns",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("lease", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "sessions",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("person_id", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("is_manual", sa.Boolean(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=False),
        sa.Column("planned", sa.BigInteger(), nullable=False),
        sa.Column("credited", sa.BigInteger(), nullable=False),
        sa.Column("day", TEXT, nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("work", sa.Text(), nullable=True),
        sa.Column("account", sa.Text(), nullable=True),
        sa.Column("productivity", sa.BigInteger(), nullable=True),
        sa.Column("focus", sa.BigInteger(), nullable=True),
        sa.Column("distractions", sa.BigInteger(), nullable=True),
        sa.Column("note", TEXT, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.create_index(
            "ix_sessions_person_id_day_started_at_id",
            ["person_id", "day", "started_at", "id"],
            unique=False,
        )
        batch_op.create_index(
            "ix_sessions_person_id_started_at_id", ["person_id", "started_at", "id"], unique=False
        )
        batch_op.create_index(
            "ix_sessions_person_id_status_started_at_id",
            ["person_id", "status", "started_at", "id"],
            unique=False,
        )

    op.create_table(
        "stays",
        sa.Column("room_id", TEXT, nullable=False),
        sa.Column("came", sa.BigInteger(), nullable=False),
        sa.Column("went", sa.BigInteger(), nullable=False),
        sa.Column("person_id", TEXT, nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("room_id", "came"),
    )
    with op.batch_alter_table("stays", schema=None) as batch_op:
        batch_op.create_index(
            "ix_stays_person_id_room_id_went_came",
            ["person_id", "room_id", "went", "came"],
            unique=False,
        )
        batch_op.create_index(
            "ix_stays_room_id_went_came", ["room_id", "went", "came"], unique=False
        )

    op.create_table(
        "stretches",
        sa.Column("room_id", TEXT, nullable=False),
        sa.Column("run", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("moves_before", sa.BigInteger(), nullable=False),
        sa.Column("moves_after", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("room_id", "run", "number"),
    )
    _change_rooms()
    _change_timers()


def _change_rooms() -> None:
    with op.batch_alter_table("rooms", schema=None, recreate="always") as batch_op:
        batch_op.add_column(_filled("is_public", sa.Boolean(), sa.true()), insert_after="is_open")
        batch_op.add_column(_empty("lapses_at"), insert_after="closed_at")
        batch_op.add_column(_counted("moves"), insert_after="lapses_at")
        batch_op.drop_index(batch_op.f("ix_rooms_is_open_opened_at_id"))
        batch_op.create_index(
            "ix_rooms_is_open_is_public_opened_at_id",
            ["is_open", "is_public", "opened_at", "id"],
            unique=False,
        )
    with op.batch_alter_table("seats", schema=None, recreate="always") as batch_op:
        batch_op.add_column(_filled("is_moderator", sa.Boolean(), sa.false()), insert_after="since")
    _forget_defaults("rooms", "is_public", "moves")
    _forget_defaults("seats", "is_moderator")


def _change_timers() -> None:
    with op.batch_alter_table("timers", schema=None, recreate="always") as batch_op:
        batch_op.add_column(_filled("kind", TEXT, sa.text("'pomodoro'")), insert_after="room_id")
        batch_op.add_column(_empty("suggested_break"), insert_after="left")
        batch_op.add_column(_counted("run"), insert_after="suggested_break")
        batch_op.add_column(_empty("began_at"), insert_after="run")
        batch_op.add_column(_empty("since"), insert_after="began_at")
        batch_op.add_column(_empty("ended_at"), insert_after="since")
        batch_op.add_column(_counted("stretches"), insert_after="ended_at")
        batch_op.add_column(_counted("first_move"), insert_after="stretches")
        batch_op.add_column(_counted("moves"), insert_after="first_move")
    _forget_defaults("timers", "kind", "run", "stretches", "first_move", "moves")
    # What runs now began in a version that did not note when; nobody was seen to be there before.
    op.execute(
        "UPDATE timers SET run = 1, began_at = ends_at - length, since = ends_at - length"
        " WHERE state = 'running'"
    )
    op.execute(
        "UPDATE timers SET run = 1,"
        " began_at = (SELECT opened_at FROM rooms WHERE rooms.id = timers.room_id)"
        " WHERE state = 'paused'"
    )


def _filled(name: str, kind: Any, value: Any) -> sa.Column[Any]:
    """A column that the rows there are need a value for."""
    return sa.Column(name, kind, nullable=False, server_default=value)


def _counted(name: str) -> sa.Column[Any]:
    return _filled(name, sa.BigInteger(), sa.text("0"))


def _empty(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=True)


def _forget_defaults(table: str, *names: str) -> None:
    with op.batch_alter_table(table, schema=None) as batch_op:
        for name in names:
            batch_op.alter_column(name, server_default=None)
