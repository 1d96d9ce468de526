"""The bell: a marker is a moment, and a thread can ring for one employee alone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from cs_plugin.store import types

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_OURS = ("mysql", "mariadb")
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
HOST_ID = sa.String(64).with_variant(mysql.VARCHAR(64, collation="utf8mb4_bin"), *_OURS)
TABLE = {
    "sqlite_autoincrement": True,
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}


def upgrade() -> None:
    # Nothing has written to it yet, so that it is made anew.
    op.drop_table("cs_notice")
    _make_markers(sa.Column("seen_until", types.UtcDateTime(), nullable=False))
    op.create_table(
        "cs_notice_rung",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("employee_id", HOST_ID, nullable=False),
        sa.Column("shop_id", HOST_ID, nullable=False),
        sa.Column("thread_id", ID, nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_notice_rung")),
        sa.UniqueConstraint("employee_id", "thread_id", name=op.f("uq_cs_notice_rung_employee_id_thread_id")),
        **TABLE,
    )


def downgrade() -> None:
    op.drop_table("cs_notice_rung")
    # How far somebody has seen is no loss: at worst something rings again.
    op.drop_table("cs_notice")
    _make_markers(
        sa.Column("seen_message_id", ID, nullable=False),
        sa.Column("changed_at", types.UtcDateTime(), nullable=False),
    )


def _make_markers(*columns: sa.Column[object]) -> None:
    op.create_table(
        "cs_notice",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("employee_id", HOST_ID, nullable=False),
        sa.Column("shop_id", HOST_ID, nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_notice")),
        sa.UniqueConstraint("employee_id", "shop_id", name=op.f("uq_cs_notice_employee_id_shop_id")),
        **TABLE,
    )
