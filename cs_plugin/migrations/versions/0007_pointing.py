"""Indexes by which is found what points to a thread or a message: whoever erases looks there, and read the whole tables before."""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# Index, table and column. Few rows point to another, and only these stand in them where the database can leave the others out.
POINTING = (
    ("ix_cs_thread_refers", "cs_thread", "refers_to_id"),
    ("ix_cs_thread_merged", "cs_thread", "merged_into_id"),
    ("ix_cs_message_linked", "cs_message", "linked_message_id"),
    ("ix_cs_imported_mail_message", "cs_imported_mail", "message_id"),
)


def upgrade() -> None:
    for name, table, column in POINTING:
        some = text(f"{column} IS NOT NULL")
        op.create_index(name, table, [column], unique=False, sqlite_where=some, postgresql_where=some)


def downgrade() -> None:
    for name, table, _column in reversed(POINTING):
        op.drop_index(name, table_name=table)
