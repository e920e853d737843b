"""Invitations, moderation and safe accounts."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from focusmate_core.finding import tokens

revision = "0003"
down_revision = "0002"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    _change_people()
    _change_rooms()
    _change_sign_ins()
    _change_credentials()
    _add_bans()
    _add_invitations()
    _add_links()
    _add_private_profiles()


def _change_people() -> None:
    with op.batch_alter_table("people", schema=None, recreate="always") as batch_op:
        batch_op.add_column(_filled("bio", TEXT, "''"), insert_after="created_at")
        batch_op.add_column(_empty("avatar_url", TEXT), insert_after="bio")
        batch_op.add_column(_empty("locale", TEXT), insert_after="avatar_url")
        batch_op.add_column(_filled("shows", sa.Text(), "'[]'"), insert_after="locale")
        batch_op.add_column(_filled("revision", sa.BigInteger(), "1"), insert_after="shows")
        batch_op.add_column(_empty("deleted_at", sa.BigInteger()), insert_after="revision")
    _forget_defaults("people", "bio", "shows", "revision")
    words = op.create_table(
        "people_words",
        sa.Column("token", TEXT, nullable=False),
        sa.Column("of_id", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("token", "of_id"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("people_words", schema=None) as batch_op:
        batch_op.create_index("ix_people_words", ["of_id", "token"], unique=True)
    _find_words(words)


def _find_words(words: sa.Table) -> None:
    """People who are there already are found by their names, too."""
    known = op.get_bind().execute(sa.text("SELECT id, username, display_name FROM people"))
    for some in known.yield_per(1000).partitions():
        rows = [
            {"token": token, "of_id": person_id}
            for person_id, *names in some
            for token in sorted(set(tokens("\n".join(names))))
        ]
        op.bulk_insert(words, rows)


def _change_rooms() -> None:
    with op.batch_alter_table("rooms", schema=None, recreate="always") as batch_op:
        batch_op.add_column(_empty("avatar_url", TEXT), insert_after="moves")
        batch_op.add_column(_filled("settings", TEXT, "'{}'"), insert_after="avatar_url")
        batch_op.add_column(_filled("revision", sa.BigInteger(), "1"), insert_after="settings")
        batch_op.create_index(
            "ix_rooms_host_id_is_open_id", ["host_id", "is_open", "id"], unique=False
        )
    _forget_defaults("rooms", "settings", "revision")
    _find_public_rooms_alone()
    with op.batch_alter_table("seats", schema=None) as batch_op:
        batch_op.create_index("ix_seats_person_id_room_id", ["person_id", "room_id"], unique=False)


def _find_public_rooms_alone() -> None:
    """Rooms that are not for everyone to find have no words; what has some has the empty one."""
    op.execute(
        "DELETE FROM rooms_words"
        " WHERE of_id NOT IN (SELECT id FROM rooms WHERE is_open AND is_public)"
    )
    op.execute("INSERT INTO rooms_words (token, of_id) SELECT DISTINCT '', of_id FROM rooms_words")


def _change_sign_ins() -> None:
    with op.batch_alter_table("sign_ins", schema=None, recreate="always") as batch_op:
        batch_op.add_column(_filled("address", TEXT, "''"), insert_after="ended_at")
        batch_op.add_column(_empty("used_at", sa.BigInteger()), insert_after="address")
        batch_op.create_index(
            "ix_sign_ins_person_id_created_at_id", ["person_id", "created_at", "id"], unique=False
        )
    _forget_defaults("sign_ins", "address")


def _change_credentials() -> None:
    with op.batch_alter_table("credentials", schema=None, recreate="always") as batch_op:
        batch_op.add_column(
            _filled("generation", sa.BigInteger(), "1"), insert_after="password_hash"
        )
    _forget_defaults("credentials", "generation")


def _add_bans() -> None:
    op.create_table(
        "bans",
        sa.Column("room_id", TEXT, nullable=False),
        sa.Column("person_id", TEXT, nullable=False),
        sa.Column("by", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("room_id", "person_id"),
    )
    with op.batch_alter_table("bans", schema=None) as batch_op:
        batch_op.create_index("ix_bans_person_id_room_id", ["person_id", "room_id"], unique=False)


def _add_invitations() -> None:
    op.create_table(
        "invitations",
        sa.Column("room_id", TEXT, nullable=False),
        sa.Column("person_id", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("invited_by", TEXT, nullable=False),
        sa.Column("message", TEXT, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("over_at", sa.BigInteger(), nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("room_id", "person_id"),
    )
    with op.batch_alter_table("invitations", schema=None) as batch_op:
        batch_op.create_index(
            "ix_invitations_invited_by_room_id_person_id",
            ["invited_by", "room_id", "person_id"],
            unique=False,
        )
        batch_op.create_index(
            "ix_invitations_over_at_room_id_person_id",
            ["over_at", "room_id", "person_id"],
            unique=False,
        )
        batch_op.create_index(
            "ix_invitations_person_id_state_over_at_room_id",
            ["person_id", "state", "over_at", "room_id"],
            unique=False,
        )
        batch_op.create_index(
            "ix_invitations_room_id_state_over_at_person_id",
            ["room_id", "state", "over_at", "person_id"],
            unique=False,
        )
        batch_op.create_index("ux_invitations_id", ["id"], unique=True)


def _add_links() -> None:
    op.create_table(
        "links",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("room_id", TEXT, nullable=False),
        sa.Column("code", TEXT, nullable=False),
        sa.Column("created_by", TEXT, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("max_uses", sa.BigInteger(), nullable=True),
        sa.Column("over_at", sa.BigInteger(), nullable=False),
        sa.Column("uses", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("links", schema=None) as batch_op:
        batch_op.create_index("ix_links_created_by_id", ["created_by", "id"], unique=False)
        batch_op.create_index("ix_links_over_at_id", ["over_at", "id"], unique=False)
        batch_op.create_index(
            "ix_links_room_id_created_at_id", ["room_id", "created_at", "id"], unique=False
        )
        batch_op.create_index(
            "ix_links_room_id_over_at_id", ["room_id", "over_at", "id"], unique=False
        )
        batch_op.create_index("ux_links_code", ["code"], unique=True)


def _add_private_profiles() -> None:
    op.create_table(
        "private_profiles",
        sa.Column("person_id", TEXT, nullable=False),
        sa.Column("phone", TEXT, nullable=False),
        sa.Column("address", TEXT, nullable=False),
        sa.Column("education", TEXT, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("person_id"),
    )


def _filled(name: str, kind: Any, value: str) -> sa.Column[Any]:
    """A column that the rows there are need a value for."""
    return sa.Column(name, kind, nullable=False, server_default=sa.text(value))


def _empty(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=True)


def _forget_defaults(table: str, *names: str) -> None:
    with op.batch_alter_table(table, schema=None) as batch_op:
        for name in names:
            batch_op.alter_column(name, server_default=None)
