"""An index by which a merge finds what is being written in its threads."""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0011"
branch_labels = None
depends_on = None

INDEX, TABLE = "ix_cs_draft_thread", "cs_draft"


def upgrade() -> None:
    op.create_index(INDEX, TABLE, ["thread_id"], unique=False)


def downgrade() -> None:
    op.drop_index(INDEX, table_name=TABLE)
