"""Mail in: which mail is in hand, what was seen while a mail was read, and whose a key to a thread is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

DIGEST = sa.LargeBinary(32).with_variant(mysql.BINARY(32), "mysql", "mariadb")
_SIGNS = ("cs_message", "cs_set_aside_mail")


def upgrade() -> None:
    op.add_column("cs_mailbox", sa.Column("careful", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("cs_mailbox", sa.Column("in_hand", sa.JSON(), nullable=True))
    for table in _SIGNS:
        op.add_column(table, sa.Column("signs", sa.String(500), nullable=True))
    # Of keys from before nobody can tell whose they are: none of those that lead outside is good any more.
    op.add_column("cs_thread_alias", sa.Column("address_hash", DIGEST, nullable=True))


def downgrade() -> None:
    op.drop_column("cs_thread_alias", "address_hash")
    for table in reversed(_SIGNS):
        op.drop_column(table, "signs")
    op.drop_column("cs_mailbox", "in_hand")
    op.drop_column("cs_mailbox", "careful")
