"""Replies that are released later say what becomes of their thread then, and are found by when they are due."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_NAME, _TABLE = "ix_cs_message_release", "cs_message"
_SOME = sa.text("release_due_at IS NOT NULL")


def upgrade() -> None:
    op.add_column(_TABLE, sa.Column("release", sa.JSON(), nullable=True))
    op.create_index(_NAME, _TABLE, ["release_due_at"], unique=False, sqlite_where=_SOME, postgresql_where=_SOME)


def downgrade() -> None:
    op.drop_index(_NAME, table_name=_TABLE)
    with op.batch_alter_table(_TABLE) as batch:
        batch.drop_column("release")
