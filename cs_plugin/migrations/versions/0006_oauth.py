"""Renewing an authorisation is done by one process at a time: a lease for it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from cs_plugin.store import types

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("cs_oauth_token", sa.Column("lease_owner", sa.String(64), nullable=True))
    op.add_column("cs_oauth_token", sa.Column("lease_until", types.UtcDateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column("cs_oauth_token", "lease_until")
    op.drop_column("cs_oauth_token", "lease_owner")
