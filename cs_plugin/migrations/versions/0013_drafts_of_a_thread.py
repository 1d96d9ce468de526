"""An index by which a merge finds what is being written in its threads, and the files that drafts hold."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TABLE = {
    "sqlite_autoincrement": True,
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}


def upgrade() -> None:
    op.create_index("ix_cs_draft_thread", "cs_draft", ["thread_id"], unique=False)
    op.create_table(
        "cs_draft_file",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("draft_id", ID, nullable=False),
        sa.Column("blob_id", ID, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_draft_file")),
        sa.UniqueConstraint("draft_id", "blob_id", name=op.f("uq_cs_draft_file_draft_id_blob_id")),
        **TABLE,
    )
    op.create_index("ix_cs_draft_file_blob", "cs_draft_file", ["blob_id"], unique=False)


def downgrade() -> None:
    op.drop_table("cs_draft_file")
    op.drop_index("ix_cs_draft_thread", table_name="cs_draft")
