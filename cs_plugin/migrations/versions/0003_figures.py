"""Figures: totals since the beginning, what is counted besides them, figures as they were calculated, and indexes that hold a span of time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from cs_plugin.store import types

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_OURS = ("mysql", "mariadb")
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
HOST_ID = sa.String(64).with_variant(mysql.VARCHAR(64, collation="utf8mb4_bin"), *_OURS)
DIGEST = sa.LargeBinary(32).with_variant(mysql.BINARY(32), *_OURS)
TABLE = {
    "sqlite_autoincrement": True,
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}
NUMBERS = ("threads", "open_threads", "pending_threads", "customer_messages", "employee_messages")


def upgrade() -> None:
    op.create_table(
        "cs_thread_total",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("shop_id", HOST_ID, nullable=False),
        sa.Column("contact_id", ID, nullable=False),
        sa.Column("erased", sa.Boolean(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in NUMBERS),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_thread_total")),
        **TABLE,
    )
    op.create_table(
        "cs_thread_apart",
        sa.Column("thread_id", ID, autoincrement=False, nullable=False),
        sa.Column("shop_id", HOST_ID, nullable=False),
        sa.Column("contact_id", ID, nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in NUMBERS),
        sa.PrimaryKeyConstraint("thread_id", name=op.f("pk_cs_thread_apart")),
        **TABLE,
    )
    op.create_table(
        "cs_erased_message",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("gone_id", ID, nullable=False),
        sa.Column("shop_id", HOST_ID, nullable=False),
        sa.Column("author_kind", sa.String(length=16), nullable=False),
        sa.Column("begins", sa.Boolean(), nullable=False),
        sa.Column("response_seconds", sa.Float(), nullable=True),
        sa.Column("written_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_erased_message")),
        **TABLE,
    )
    op.create_index("ix_cs_erased_message_written", "cs_erased_message", ["written_at"], unique=False)
    op.create_table(
        "cs_figure",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("key", DIGEST, nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("calculated_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_figure")),
        sa.UniqueConstraint("key", "name", name=op.f("uq_cs_figure_key_name")),
        **TABLE,
    )
    op.create_index("ix_cs_figure_calculated", "cs_figure", ["calculated_at"], unique=False)
    op.drop_index("ix_cs_message_answer", table_name="cs_message")
    op.create_index("ix_cs_message_span", "cs_message", ["created_at", "author_kind", "private", "shop_id", "thread_id"], unique=False)
    op.create_index("ix_cs_message_answer", "cs_message", ["released_at", "shop_id", "thread_id", "response_seconds"], unique=False)
    op.create_index("ix_cs_event_kind", "cs_event", ["kind", "created_at"], unique=False)
    _count_what_is_there()


def _count_what_is_there() -> None:
    thread = sa.table("cs_thread", *(sa.column(name) for name in ("shop_id", "contact_id", "folder", "merged_into_id", "status", *NUMBERS[3:])))
    total = sa.table("cs_thread_total", *(sa.column(name) for name in ("shop_id", "contact_id", *NUMBERS)), sa.column("erased", sa.Boolean()))
    contact = sa.func.coalesce(thread.c.contact_id, 0)
    state = (
        sa.func.count(),
        sa.func.sum(sa.case((thread.c.status == "open", 1), else_=0)),
        sa.func.sum(sa.case((thread.c.status.in_(["pending1", "pending2"]), 1), else_=0)),
        sa.func.sum(thread.c.customer_messages),
        sa.func.sum(thread.c.employee_messages),
    )
    listed = sa.and_(thread.c.folder == "list", thread.c.merged_into_id.is_(None))
    counted = sa.select(thread.c.shop_id, contact, *state, sa.false()).where(listed).group_by(thread.c.shop_id, contact)
    op.execute(sa.insert(total).from_select(["shop_id", "contact_id", *NUMBERS, "erased"], counted))


def downgrade() -> None:
    op.drop_index("ix_cs_event_kind", table_name="cs_event")
    op.drop_index("ix_cs_message_answer", table_name="cs_message")
    op.drop_index("ix_cs_message_span", table_name="cs_message")
    op.create_index("ix_cs_message_answer", "cs_message", ["shop_id", "released_at", "id"], unique=False)
    for name in ("cs_figure", "cs_erased_message", "cs_thread_apart", "cs_thread_total"):
        op.drop_table(name)
