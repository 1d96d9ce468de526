"""Mail in: which mailboxes options describe, and of each mail that was read where it lies and what it looked like."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from cs_plugin.store import types

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_OURS = ("mysql", "mariadb")
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DIGEST = sa.LargeBinary(32).with_variant(mysql.BINARY(32), *_OURS)
TABLE = {
    "sqlite_autoincrement": True,
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}
ADDED = ("origin", "place_hash", "shop_ids", "began_at", "first_uid")


def upgrade() -> None:
    with op.batch_alter_table("cs_mailbox") as table:
        table.add_column(sa.Column("origin", sa.String(length=16), server_default="own", nullable=False))
        table.add_column(sa.Column("place_hash", DIGEST, nullable=True))
        table.add_column(sa.Column("shop_ids", sa.JSON(), nullable=True))
        table.add_column(sa.Column("began_at", types.UtcDateTime(), nullable=True))
        table.add_column(sa.Column("first_uid", ID, nullable=True))
    with op.batch_alter_table("cs_sync_run") as table:
        table.add_column(sa.Column("findings", sa.JSON(), nullable=True))
    # Nothing has written to it yet, so that it is made anew.
    op.drop_table("cs_imported_mail")
    _make_imported_mail(
        sa.Column("on_server", sa.Boolean(), nullable=False),
        sa.Column("size", ID, nullable=False),
        sa.Column("sender", sa.String(length=254), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
    )
    op.create_index("ix_cs_imported_mail_run", "cs_imported_mail", ["run_id", "id"], unique=False)
    op.create_index("ix_cs_imported_mail_there", "cs_imported_mail", ["mailbox_id", "on_server", "outcome", "id"], unique=False)


def downgrade() -> None:
    # Which mails were read is known again by nobody who has no sync: what had been removed from the server stays removed.
    op.drop_table("cs_imported_mail")
    _make_imported_mail()
    op.create_index("ix_cs_imported_mail_run", "cs_imported_mail", ["run_id"], unique=False)
    with op.batch_alter_table("cs_sync_run") as table:
        table.drop_column("findings")
    with op.batch_alter_table("cs_mailbox") as table:
        for name in reversed(ADDED):
            table.drop_column(name)


def _make_imported_mail(*columns: sa.Column[object]) -> None:
    op.create_table(
        "cs_imported_mail",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("mailbox_id", ID, nullable=False),
        sa.Column("folder", sa.String(length=255), nullable=False),
        sa.Column("uidvalidity", ID, nullable=True),
        sa.Column("uid", ID, nullable=True),
        sa.Column("uidl_hash", DIGEST, nullable=True),
        sa.Column("message_id_hash", DIGEST, nullable=True),
        sa.Column("content_hash", DIGEST, nullable=True),
        sa.Column("run_id", ID, nullable=True),
        sa.Column("message_id", ID, nullable=True),
        sa.Column("outcome", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.String(length=255), nullable=False),
        *columns,
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_imported_mail")),
        **TABLE,
    )
    op.create_index("ix_cs_imported_mail_content", "cs_imported_mail", ["mailbox_id", "message_id_hash", "content_hash"], unique=False)
    op.create_index(
        "ix_cs_imported_mail_uid",
        "cs_imported_mail",
        ["mailbox_id", "folder", "uidvalidity", "uid"],
        unique=False,
        mysql_length={"folder": 64},
        mariadb_length={"folder": 64},
    )
    op.create_index("ix_cs_imported_mail_uidl", "cs_imported_mail", ["mailbox_id", "uidl_hash"], unique=False)
