"""The index of what waits holds whose a thread is, and which shop's: the views of what is not closed are counted by it alone."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_NAME, _TABLE = "ix_cs_thread_waiting", "cs_thread"
_BEFORE = ["folder", "status", "waiting_since", "id"]


def upgrade() -> None:
    op.drop_index(_NAME, table_name=_TABLE)
    op.create_index(_NAME, _TABLE, [*_BEFORE, "assignee_id", "shop_id"], unique=False)


def downgrade() -> None:
    op.drop_index(_NAME, table_name=_TABLE)
    op.create_index(_NAME, _TABLE, _BEFORE, unique=False)
