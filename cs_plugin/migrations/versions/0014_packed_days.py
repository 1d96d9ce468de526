"""What was written on finished days, packed, and which threads have changed since; threads are found by the day on which they began."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_OURS = ("mysql", "mariadb")
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
HOST_ID = sa.String(64).with_variant(mysql.VARCHAR(64, collation="utf8mb4_bin"), *_OURS)
BYTES = sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), *_OURS)
TABLE = {
    "sqlite_autoincrement": True,
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}


def upgrade() -> None:
    op.create_table(
        "cs_packed_day",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_cs_packed_day")),
        **TABLE,
    )
    op.create_table(
        "cs_packed_figures",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("shop_id", HOST_ID, nullable=False),
        sa.Column("written", BYTES, nullable=False),
        sa.Column("waits", BYTES, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_packed_figures")),
        sa.UniqueConstraint("day", "shop_id", name=op.f("uq_cs_packed_figures_day_shop_id")),
        **TABLE,
    )
    op.create_table(
        "cs_pack_mark",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("marked_id", ID, nullable=False),
        sa.Column("day", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_pack_mark")),
        **TABLE,
    )
    op.create_index("ix_cs_thread_begun", "cs_thread", ["created_at"], unique=False)
    op.create_index("ix_cs_erased_message_gone", "cs_erased_message", ["gone_id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_cs_erased_message_gone", table_name="cs_erased_message")
    op.drop_index("ix_cs_thread_begun", table_name="cs_thread")
    for name in ("cs_pack_mark", "cs_packed_figures", "cs_packed_day"):
        op.drop_table(name)
