"""What a thread keeps of its messages is worked out from the index of its messages alone."""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_INDEX, _MESSAGE = "ix_cs_message_thread", "cs_message"
_BEFORE = ["thread_id", "id"]


def upgrade() -> None:
    op.drop_index(_INDEX, table_name=_MESSAGE)
    op.create_index(_INDEX, _MESSAGE, [*_BEFORE, "private", "author_kind", "released_at", "created_at"], unique=False)


def downgrade() -> None:
    op.drop_index(_INDEX, table_name=_MESSAGE)
    op.create_index(_INDEX, _MESSAGE, _BEFORE, unique=False)
