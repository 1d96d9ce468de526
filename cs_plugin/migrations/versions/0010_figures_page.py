"""What figures of a period ask for: whose an answer was and of which contact, also of erased threads, and what customers said, by its time and its message."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
HOST_ID = sa.String(64).with_variant(mysql.VARCHAR(64, collation="utf8mb4_bin"), "mysql", "mariadb")
_ANSWER, _MESSAGE = "ix_cs_message_answer", "cs_message"
_BEFORE = ["released_at", "shop_id", "thread_id", "response_seconds"]
_ERASED, _SURVEY = "cs_erased_message", "cs_survey_answer"


def upgrade() -> None:
    op.drop_index(_ANSWER, table_name=_MESSAGE)
    op.create_index(_ANSWER, _MESSAGE, [*_BEFORE, "author_id"], unique=False)
    op.add_column(_ERASED, sa.Column("contact_id", ID, nullable=True))
    op.add_column(_ERASED, sa.Column("employee_id", HOST_ID, nullable=True))
    op.create_index("ix_cs_survey_answer_message", _SURVEY, ["message_id"], unique=False)
    op.create_index("ix_cs_survey_answer_span", _SURVEY, ["created_at", "shop_id", "message_id"], unique=False)
    op.drop_index("ix_cs_survey_answer_shop", table_name=_SURVEY)


def downgrade() -> None:
    op.create_index("ix_cs_survey_answer_shop", _SURVEY, ["shop_id", "created_at"], unique=False)
    op.drop_index("ix_cs_survey_answer_span", table_name=_SURVEY)
    op.drop_index("ix_cs_survey_answer_message", table_name=_SURVEY)
    op.drop_column(_ERASED, "employee_id")
    op.drop_column(_ERASED, "contact_id")
    op.drop_index(_ANSWER, table_name=_MESSAGE)
    op.create_index(_ANSWER, _MESSAGE, _BEFORE, unique=False)
