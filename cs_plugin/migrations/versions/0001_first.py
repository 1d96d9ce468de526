"""Every table of the desk, those of features to come included."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from cs_plugin.store import types

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_OURS = ("mysql", "mariadb")
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
HOST_ID = sa.String(64).with_variant(mysql.VARCHAR(64, collation="utf8mb4_bin"), *_OURS)
FOLDED = sa.String(254).with_variant(mysql.VARCHAR(254, collation="utf8mb4_bin"), *_OURS)
DIGEST = sa.LargeBinary(32).with_variant(mysql.BINARY(32), *_OURS)
FOLDED_TEXT = sa.Text().with_variant(mysql.MEDIUMTEXT(collation="utf8mb4_bin"), *_OURS)
LONG_TEXT = sa.Text().with_variant(mysql.MEDIUMTEXT(), *_OURS)
TABLE = {
    "sqlite_autoincrement": True,
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}


def upgrade() -> None:
    op.create_table(
        "cs_attachment",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("message_id", ID, nullable=False),
        sa.Column("blob_id", ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("content_type", sa.String(length=127), nullable=False),
        sa.Column("size", ID, nullable=False),
        sa.Column("content_id", sa.String(length=255), nullable=False),
        sa.Column("scanned", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_attachment")),
        **TABLE,
    )
    op.create_index("ix_cs_attachment_blob", "cs_attachment", ["blob_id"], unique=False)
    op.create_index("ix_cs_attachment_message", "cs_attachment", ["message_id", "position"], unique=False)
    op.create_table(
        "cs_audit",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("actor_kind", sa.String(length=16), nullable=False),
        sa.Column("actor_id", HOST_ID, nullable=True),
        sa.Column("actor_name", sa.String(length=200), nullable=False),
        sa.Column("via", sa.String(length=16), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("object_kind", sa.String(length=32), nullable=False),
        sa.Column("object_id", sa.String(length=64), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("network", sa.String(length=64), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_audit")),
        **TABLE,
    )
    op.create_index("ix_cs_audit_created", "cs_audit", ["created_at", "id"], unique=False)
    op.create_index("ix_cs_audit_object", "cs_audit", ["object_kind", "object_id"], unique=False)
    op.create_table(
        "cs_blob",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("sha256", DIGEST, nullable=False),
        sa.Column("size", ID, nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_blob")),
        sa.UniqueConstraint("key", name=op.f("uq_cs_blob_key")),
        **TABLE,
    )
    op.create_index("ix_cs_blob_sha256", "cs_blob", ["sha256"], unique=False)
    op.create_table(
        "cs_blocked_sender",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("address_hash", DIGEST, nullable=False),
        sa.Column("shop_id", HOST_ID, nullable=False),
        sa.Column("employee_id", HOST_ID, nullable=True),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_blocked_sender")),
        sa.UniqueConstraint("address_hash", "shop_id", name=op.f("uq_cs_blocked_sender_address_hash_shop_id")),
        **TABLE,
    )
    op.create_table(
        "cs_contact",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("save_messages", sa.Boolean(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("mails", sa.JSON(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_contact")),
        **TABLE,
    )
    op.create_table(
        "cs_daily_total",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("shop_id", HOST_ID, nullable=False),
        sa.Column("contact_id", ID, nullable=False),
        sa.Column("threads", sa.Integer(), nullable=False),
        sa.Column("customer_messages", sa.Integer(), nullable=False),
        sa.Column("employee_messages", sa.Integer(), nullable=False),
        sa.Column("answers", sa.Integer(), nullable=False),
        sa.Column("response_seconds", sa.Float(), nullable=False),
        sa.Column("active_threads", sa.Integer(), nullable=False),
        sa.Column("pending_threads", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_daily_total")),
        sa.UniqueConstraint("day", "shop_id", "contact_id", name=op.f("uq_cs_daily_total_day_shop_id_contact_id")),
        **TABLE,
    )
    op.create_table(
        "cs_draft",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("employee_id", HOST_ID, nullable=False),
        sa.Column("thread_id", ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("reply", LONG_TEXT, nullable=False),
        sa.Column("note", LONG_TEXT, nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("changed_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_draft")),
        sa.UniqueConstraint("employee_id", "thread_id", name=op.f("uq_cs_draft_employee_id_thread_id")),
        **TABLE,
    )
    op.create_table(
        "cs_employee",
        sa.Column("id", HOST_ID, nullable=False),
        sa.Column("first_name", sa.String(length=100), nullable=False),
        sa.Column("last_name", sa.String(length=100), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("words", FOLDED, nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("seen_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_employee")),
        **TABLE,
    )
    op.create_index("ix_cs_employee_rank", "cs_employee", ["rank"], unique=False)
    op.create_table(
        "cs_employee_preference",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("employee_id", HOST_ID, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("changed_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_employee_preference")),
        sa.UniqueConstraint("employee_id", "name", name=op.f("uq_cs_employee_preference_employee_id_name")),
        **TABLE,
    )
    op.create_table(
        "cs_event",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("thread_id", ID, nullable=False),
        sa.Column("message_id", ID, nullable=True),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("actor_kind", sa.String(length=16), nullable=False),
        sa.Column("actor_id", HOST_ID, nullable=True),
        sa.Column("actor_name", sa.String(length=200), nullable=False),
        sa.Column("via", sa.String(length=16), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_event")),
        **TABLE,
    )
    op.create_index("ix_cs_event_thread", "cs_event", ["thread_id", "id"], unique=False)
    op.create_table(
        "cs_imported_mail",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("mailbox_id", ID, nullable=False),
        sa.Column("folder", sa.String(length=255), nullable=False),
        sa.Column("uidvalidity", ID, nullable=True),
        sa.Column("uid", ID, nullable=True),
        sa.Column("uidl_hash", DIGEST, nullable=True),
        sa.Column("message_id_hash", DIGEST, nullable=True),
        sa.Column("content_hash", DIGEST, nullable=True),
        sa.Column("run_id", ID, nullable=True),
        sa.Column("message_id", ID, nullable=True),
        sa.Column("outcome", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.String(length=255), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_imported_mail")),
        **TABLE,
    )
    op.create_index("ix_cs_imported_mail_content", "cs_imported_mail", ["mailbox_id", "message_id_hash", "content_hash"], unique=False)
    op.create_index("ix_cs_imported_mail_run", "cs_imported_mail", ["run_id"], unique=False)
    op.create_index(
        "ix_cs_imported_mail_uid",
        "cs_imported_mail",
        ["mailbox_id", "folder", "uidvalidity", "uid"],
        unique=False,
        mysql_length={"folder": 64},
        mariadb_length={"folder": 64},
    )
    op.create_index("ix_cs_imported_mail_uidl", "cs_imported_mail", ["mailbox_id", "uidl_hash"], unique=False)
    op.create_table(
        "cs_job",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(length=500), nullable=False),
        sa.Column("employee_id", HOST_ID, nullable=True),
        sa.Column("lease_owner", sa.String(length=64), nullable=True),
        sa.Column("lease_until", types.UtcDateTime(), nullable=True),
        sa.Column("not_before", types.UtcDateTime(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("finished_at", types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_job")),
        **TABLE,
    )
    op.create_index("ix_cs_job_state", "cs_job", ["state", "not_before", "id"], unique=False)
    op.create_table(
        "cs_mailbox",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("breadth", sa.String(length=16), nullable=False),
        sa.Column("breadth_id", HOST_ID, nullable=False),
        sa.Column("contact_id", ID, nullable=True),
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("protocol", sa.String(length=8), nullable=False),
        sa.Column("server", sa.String(length=255), nullable=False),
        sa.Column("port", sa.Integer(), nullable=True),
        sa.Column("username", sa.String(length=255), nullable=False),
        sa.Column("password", LONG_TEXT, nullable=False),
        sa.Column("oauth_token_id", ID, nullable=True),
        sa.Column("flags", sa.JSON(), nullable=False),
        sa.Column("folder", sa.String(length=255), nullable=False),
        sa.Column("afterwards", sa.String(length=16), nullable=False),
        sa.Column("move_to", sa.String(length=255), nullable=False),
        sa.Column("create_threads", sa.Boolean(), nullable=False),
        sa.Column("takes_plus_tags", sa.Boolean(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("start", sa.String(length=16), nullable=False),
        sa.Column("start_on", sa.Date(), nullable=True),
        sa.Column("uidvalidity", ID, nullable=True),
        sa.Column("last_uid", ID, nullable=True),
        sa.Column("lease_owner", sa.String(length=64), nullable=True),
        sa.Column("lease_until", types.UtcDateTime(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("next_run_at", types.UtcDateTime(), nullable=True),
        sa.Column("last_success_at", types.UtcDateTime(), nullable=True),
        sa.Column("last_error", sa.String(length=500), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_mailbox")),
        **TABLE,
    )
    op.create_table(
        "cs_merge",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("kept_thread_id", ID, nullable=False),
        sa.Column("merged_thread_id", ID, nullable=False),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("employee_id", HOST_ID, nullable=True),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("undone_at", types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_merge")),
        **TABLE,
    )
    op.create_index("ix_cs_merge_kept", "cs_merge", ["kept_thread_id"], unique=False)
    op.create_index("ix_cs_merge_merged", "cs_merge", ["merged_thread_id"], unique=False)
    op.create_table(
        "cs_message",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("thread_id", ID, nullable=False),
        sa.Column("home_thread_id", ID, nullable=False),
        sa.Column("shop_id", HOST_ID, nullable=False),
        sa.Column("author_kind", sa.String(length=16), nullable=False),
        sa.Column("author_id", HOST_ID, nullable=True),
        sa.Column("author_name", sa.String(length=200), nullable=False),
        sa.Column("author_address", sa.String(length=254), nullable=False),
        sa.Column("private", sa.Boolean(), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("product_id", HOST_ID, nullable=True),
        sa.Column("product_name", sa.String(length=255), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("text", LONG_TEXT, nullable=False),
        sa.Column("quoted", LONG_TEXT, nullable=True),
        sa.Column("preview", sa.String(length=160), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("cc", sa.JSON(), nullable=True),
        sa.Column("message_id", LONG_TEXT, nullable=True),
        sa.Column("message_id_hash", DIGEST, nullable=True),
        sa.Column("original_blob_id", ID, nullable=True),
        sa.Column("html_blob_id", ID, nullable=True),
        sa.Column("matched_by", sa.String(length=64), nullable=False),
        sa.Column("same_id_other_text", sa.Boolean(), nullable=False),
        sa.Column("linked_message_id", ID, nullable=True),
        sa.Column("delivery", sa.String(length=16), nullable=False),
        sa.Column("delivery_text", sa.String(length=500), nullable=False),
        sa.Column("delivered_at", types.UtcDateTime(), nullable=True),
        sa.Column("released_at", types.UtcDateTime(), nullable=True),
        sa.Column("release_due_at", types.UtcDateTime(), nullable=True),
        sa.Column("response_seconds", sa.Float(), nullable=True),
        sa.Column("network", sa.String(length=64), nullable=False),
        sa.Column("agent", sa.String(length=255), nullable=False),
        sa.Column("sent_at", types.UtcDateTime(), nullable=True),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_message")),
        **TABLE,
    )
    op.create_index("ix_cs_message_answer", "cs_message", ["shop_id", "released_at", "id"], unique=False)
    op.create_index("ix_cs_message_header", "cs_message", ["message_id_hash"], unique=False)
    op.create_index("ix_cs_message_thread", "cs_message", ["thread_id", "id"], unique=False)
    op.create_index("ix_cs_message_written", "cs_message", ["shop_id", "created_at", "id"], unique=False)
    op.create_table(
        "cs_notice",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("employee_id", HOST_ID, nullable=False),
        sa.Column("shop_id", HOST_ID, nullable=False),
        sa.Column("seen_message_id", ID, nullable=False),
        sa.Column("changed_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_notice")),
        sa.UniqueConstraint("employee_id", "shop_id", name=op.f("uq_cs_notice_employee_id_shop_id")),
        **TABLE,
    )
    op.create_table(
        "cs_notice_opened",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("employee_id", HOST_ID, nullable=False),
        sa.Column("thread_id", ID, nullable=False),
        sa.Column("seen_message_id", ID, nullable=False),
        sa.Column("changed_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_notice_opened")),
        sa.UniqueConstraint("employee_id", "thread_id", name=op.f("uq_cs_notice_opened_employee_id_thread_id")),
        **TABLE,
    )
    op.create_table(
        "cs_oauth_token",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("account", sa.String(length=254), nullable=False),
        sa.Column("access_token", LONG_TEXT, nullable=False),
        sa.Column("refresh_token", LONG_TEXT, nullable=False),
        sa.Column("scopes", sa.String(length=500), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("expires_at", types.UtcDateTime(), nullable=True),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_oauth_token")),
        **TABLE,
    )
    op.create_table(
        "cs_option",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("breadth", sa.String(length=16), nullable=False),
        sa.Column("breadth_id", HOST_ID, nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("value", LONG_TEXT, nullable=False),
        sa.Column("encrypted", sa.Boolean(), nullable=False),
        sa.Column("changed_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_option")),
        sa.UniqueConstraint("name", "breadth", "breadth_id", "language", name=op.f("uq_cs_option_name_breadth_breadth_id_language")),
        **TABLE,
    )
    op.create_table(
        "cs_outbox",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("shop_id", HOST_ID, nullable=False),
        sa.Column("thread_id", ID, nullable=True),
        sa.Column("message_id", ID, nullable=True),
        sa.Column("recipient", sa.String(length=254), nullable=False),
        sa.Column("recipient_domain", sa.String(length=253), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.String(length=500), nullable=False),
        sa.Column("last_code", sa.Integer(), nullable=True),
        sa.Column("lease_owner", sa.String(length=64), nullable=True),
        sa.Column("lease_until", types.UtcDateTime(), nullable=True),
        sa.Column("not_before", types.UtcDateTime(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("sent_at", types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_outbox")),
        **TABLE,
    )
    op.create_index("ix_cs_outbox_due", "cs_outbox", ["state", "not_before", "id"], unique=False)
    op.create_index("ix_cs_outbox_message", "cs_outbox", ["message_id"], unique=False)
    op.create_index("ix_cs_outbox_thread", "cs_outbox", ["thread_id"], unique=False)
    op.create_table(
        "cs_outbox_file",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("outbox_id", ID, nullable=False),
        sa.Column("blob_id", ID, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("content_type", sa.String(length=127), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_outbox_file")),
        **TABLE,
    )
    op.create_index("ix_cs_outbox_file_blob", "cs_outbox_file", ["blob_id"], unique=False)
    op.create_index("ix_cs_outbox_file_item", "cs_outbox_file", ["outbox_id", "position"], unique=False)
    op.create_table(
        "cs_participant",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("thread_id", ID, nullable=False),
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("address_hash", DIGEST, nullable=False),
        sa.Column("added_by", HOST_ID, nullable=True),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_participant")),
        sa.UniqueConstraint("thread_id", "address_hash", name=op.f("uq_cs_participant_thread_id_address_hash")),
        **TABLE,
    )
    op.create_table(
        "cs_post",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("hash", DIGEST, nullable=False),
        sa.Column("thread_id", ID, nullable=True),
        sa.Column("message_id", ID, nullable=True),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_post")),
        sa.UniqueConstraint("hash", name=op.f("uq_cs_post_hash")),
        **TABLE,
    )
    op.create_index("ix_cs_post_created", "cs_post", ["created_at"], unique=False)
    op.create_table(
        "cs_predefined_message",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_predefined_message")),
        **TABLE,
    )
    op.create_table(
        "cs_presence",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("thread_id", ID, nullable=False),
        sa.Column("employee_id", HOST_ID, nullable=False),
        sa.Column("employee_name", sa.String(length=200), nullable=False),
        sa.Column("writing_since", types.UtcDateTime(), nullable=True),
        sa.Column("seen_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_presence")),
        sa.UniqueConstraint("thread_id", "employee_id", name=op.f("uq_cs_presence_thread_id_employee_id")),
        **TABLE,
    )
    op.create_table(
        "cs_saved_query",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("employee_id", HOST_ID, nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("sql", LONG_TEXT, nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_saved_query")),
        **TABLE,
    )
    op.create_table(
        "cs_saved_view",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("employee_id", HOST_ID, nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("query", sa.JSON(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_saved_view")),
        **TABLE,
    )
    op.create_index("ix_cs_saved_view_employee", "cs_saved_view", ["employee_id", "position"], unique=False)
    op.create_table(
        "cs_search",
        sa.Column("message_id", ID, autoincrement=False, nullable=False),
        sa.Column("thread_id", ID, nullable=False),
        sa.Column("words", FOLDED_TEXT, nullable=False),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_cs_search")),
        **TABLE,
    )
    op.create_index("ix_cs_search_thread", "cs_search", ["thread_id", "message_id"], unique=False)
    op.create_table(
        "cs_set_aside_mail",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("mailbox_id", ID, nullable=True),
        sa.Column("shop_id", HOST_ID, nullable=True),
        sa.Column("blob_id", ID, nullable=False),
        sa.Column("cause", sa.String(length=500), nullable=False),
        sa.Column("sender", sa.String(length=254), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("settled_at", types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_set_aside_mail")),
        **TABLE,
    )
    op.create_index("ix_cs_set_aside_mail_state", "cs_set_aside_mail", ["state", "id"], unique=False)
    op.create_table(
        "cs_survey_answer",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("thread_id", ID, nullable=False),
        sa.Column("message_id", ID, nullable=True),
        sa.Column("shop_id", HOST_ID, nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("comment", LONG_TEXT, nullable=False),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_survey_answer")),
        sa.UniqueConstraint("thread_id", "message_id", name=op.f("uq_cs_survey_answer_thread_id_message_id")),
        **TABLE,
    )
    op.create_index("ix_cs_survey_answer_shop", "cs_survey_answer", ["shop_id", "created_at"], unique=False)
    op.create_table(
        "cs_sync_run",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("mailbox_id", ID, nullable=False),
        sa.Column("job_id", ID, nullable=True),
        sa.Column("started_by", sa.String(length=64), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("error", sa.String(length=500), nullable=False),
        sa.Column("started_at", types.UtcDateTime(), nullable=False),
        sa.Column("finished_at", types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_sync_run")),
        **TABLE,
    )
    op.create_index("ix_cs_sync_run_mailbox", "cs_sync_run", ["mailbox_id", "id"], unique=False)
    op.create_table(
        "cs_thread",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("shop_id", HOST_ID, nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("contact_id", ID, nullable=True),
        sa.Column("folder", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("assignee_id", HOST_ID, nullable=True),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("address_hash", DIGEST, nullable=False),
        sa.Column("address_sort", FOLDED, nullable=False),
        sa.Column("customer_id", HOST_ID, nullable=True),
        sa.Column("customer_verified", sa.Boolean(), nullable=False),
        sa.Column("customer_name", sa.String(length=200), nullable=False),
        sa.Column("customer_sort", FOLDED, nullable=False),
        sa.Column("order_id", HOST_ID, nullable=True),
        sa.Column("token_nonce", sa.String(length=32), nullable=False),
        sa.Column("refers_to_id", ID, nullable=True),
        sa.Column("merged_into_id", ID, nullable=True),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("binned_at", types.UtcDateTime(), nullable=True),
        sa.Column("last_customer_message_id", ID, nullable=True),
        sa.Column("last_customer_at", types.UtcDateTime(), nullable=True),
        sa.Column("last_customer_sort", types.UtcDateTime(), nullable=False),
        sa.Column("last_customer_text", sa.String(length=160), nullable=False),
        sa.Column("newest_note_id", ID, nullable=True),
        sa.Column("private", sa.Boolean(), nullable=False),
        sa.Column("customer_messages", sa.Integer(), nullable=False),
        sa.Column("employee_messages", sa.Integer(), nullable=False),
        sa.Column("waiting_since", types.UtcDateTime(), nullable=True),
        sa.Column("last_activity_at", types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_thread")),
        **TABLE,
    )
    op.create_index("ix_cs_thread_account", "cs_thread", ["customer_id", "id"], unique=False)
    op.create_index("ix_cs_thread_address", "cs_thread", ["folder", "address_sort", "id"], unique=False)
    op.create_index("ix_cs_thread_customer", "cs_thread", ["folder", "customer_sort", "id"], unique=False)
    op.create_index("ix_cs_thread_last", "cs_thread", ["folder", "last_customer_sort", "id"], unique=False)
    op.create_index("ix_cs_thread_list", "cs_thread", ["folder", "id"], unique=False)
    op.create_index("ix_cs_thread_order", "cs_thread", ["order_id", "id"], unique=False)
    op.create_index("ix_cs_thread_sender", "cs_thread", ["address_hash", "id"], unique=False)
    op.create_index("ix_cs_thread_shop", "cs_thread", ["shop_id", "folder", "id"], unique=False)
    op.create_index("ix_cs_thread_status", "cs_thread", ["folder", "status", "id"], unique=False)
    op.create_index("ix_cs_thread_waiting", "cs_thread", ["folder", "status", "waiting_since", "id"], unique=False)
    op.create_table(
        "cs_thread_alias",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("hash", DIGEST, nullable=False),
        sa.Column("thread_id", ID, nullable=False),
        sa.Column("message_id", ID, nullable=True),
        sa.Column("shop_id", HOST_ID, nullable=True),
        sa.Column("created_at", types.UtcDateTime(), nullable=False),
        sa.Column("revoked_at", types.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_thread_alias")),
        **TABLE,
    )
    op.create_index("ix_cs_thread_alias_key", "cs_thread_alias", ["kind", "hash"], unique=False)
    op.create_index("ix_cs_thread_alias_thread", "cs_thread_alias", ["thread_id"], unique=False)
    op.create_table(
        "cs_worker",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("started_at", types.UtcDateTime(), nullable=False),
        sa.Column("seen_at", types.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_cs_worker")),
        **TABLE,
    )
    op.create_table(
        "cs_contact_shop",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("contact_id", ID, nullable=False),
        sa.Column("shop_id", HOST_ID, nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["cs_contact.id"], name=op.f("fk_cs_contact_shop_contact_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_contact_shop")),
        sa.UniqueConstraint("contact_id", "shop_id", name=op.f("uq_cs_contact_shop_contact_id_shop_id")),
        **TABLE,
    )
    op.create_table(
        "cs_contact_text",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("contact_id", ID, nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("title", sa.String(length=255), nullable=False),
        sa.Column("description", LONG_TEXT, nullable=False),
        sa.Column("signature", LONG_TEXT, nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["cs_contact.id"], name=op.f("fk_cs_contact_text_contact_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_contact_text")),
        sa.UniqueConstraint("contact_id", "language", name=op.f("uq_cs_contact_text_contact_id_language")),
        **TABLE,
    )
    op.create_table(
        "cs_predefined_shop",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("predefined_id", ID, nullable=False),
        sa.Column("shop_id", HOST_ID, nullable=False),
        sa.ForeignKeyConstraint(["predefined_id"], ["cs_predefined_message.id"], name=op.f("fk_cs_predefined_shop_predefined_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_predefined_shop")),
        sa.UniqueConstraint("predefined_id", "shop_id", name=op.f("uq_cs_predefined_shop_predefined_id_shop_id")),
        **TABLE,
    )
    op.create_table(
        "cs_predefined_text",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("predefined_id", ID, nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("text", LONG_TEXT, nullable=False),
        sa.ForeignKeyConstraint(["predefined_id"], ["cs_predefined_message.id"], name=op.f("fk_cs_predefined_text_predefined_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cs_predefined_text")),
        sa.UniqueConstraint("predefined_id", "language", name=op.f("uq_cs_predefined_text_predefined_id_language")),
        **TABLE,
    )


def downgrade() -> None:
    op.drop_table("cs_predefined_text")
    op.drop_table("cs_predefined_shop")
    op.drop_table("cs_contact_text")
    op.drop_table("cs_contact_shop")
    op.drop_table("cs_worker")
    op.drop_index("ix_cs_thread_alias_thread", table_name="cs_thread_alias")
    op.drop_index("ix_cs_thread_alias_key", table_name="cs_thread_alias")
    op.drop_table("cs_thread_alias")
    op.drop_index("ix_cs_thread_waiting", table_name="cs_thread")
    op.drop_index("ix_cs_thread_status", table_name="cs_thread")
    op.drop_index("ix_cs_thread_shop", table_name="cs_thread")
    op.drop_index("ix_cs_thread_sender", table_name="cs_thread")
    op.drop_index("ix_cs_thread_order", table_name="cs_thread")
    op.drop_index("ix_cs_thread_list", table_name="cs_thread")
    op.drop_index("ix_cs_thread_last", table_name="cs_thread")
    op.drop_index("ix_cs_thread_customer", table_name="cs_thread")
    op.drop_index("ix_cs_thread_address", table_name="cs_thread")
    op.drop_index("ix_cs_thread_account", table_name="cs_thread")
    op.drop_table("cs_thread")
    op.drop_index("ix_cs_sync_run_mailbox", table_name="cs_sync_run")
    op.drop_table("cs_sync_run")
    op.drop_index("ix_cs_survey_answer_shop", table_name="cs_survey_answer")
    op.drop_table("cs_survey_answer")
    op.drop_index("ix_cs_set_aside_mail_state", table_name="cs_set_aside_mail")
    op.drop_table("cs_set_aside_mail")
    op.drop_index("ix_cs_search_thread", table_name="cs_search")
    op.drop_table("cs_search")
    op.drop_index("ix_cs_saved_view_employee", table_name="cs_saved_view")
    op.drop_table("cs_saved_view")
    op.drop_table("cs_saved_query")
    op.drop_table("cs_presence")
    op.drop_table("cs_predefined_message")
    op.drop_index("ix_cs_post_created", table_name="cs_post")
    op.drop_table("cs_post")
    op.drop_table("cs_participant")
    op.drop_index("ix_cs_outbox_file_item", table_name="cs_outbox_file")
    op.drop_index("ix_cs_outbox_file_blob", table_name="cs_outbox_file")
    op.drop_table("cs_outbox_file")
    op.drop_index("ix_cs_outbox_thread", table_name="cs_outbox")
    op.drop_index("ix_cs_outbox_message", table_name="cs_outbox")
    op.drop_index("ix_cs_outbox_due", table_name="cs_outbox")
    op.drop_table("cs_outbox")
    op.drop_table("cs_option")
    op.drop_table("cs_oauth_token")
    op.drop_table("cs_notice_opened")
    op.drop_table("cs_notice")
    op.drop_index("ix_cs_message_written", table_name="cs_message")
    op.drop_index("ix_cs_message_thread", table_name="cs_message")
    op.drop_index("ix_cs_message_header", table_name="cs_message")
    op.drop_index("ix_cs_message_answer", table_name="cs_message")
    op.drop_table("cs_message")
    op.drop_index("ix_cs_merge_merged", table_name="cs_merge")
    op.drop_index("ix_cs_merge_kept", table_name="cs_merge")
    op.drop_table("cs_merge")
    op.drop_table("cs_mailbox")
    op.drop_index("ix_cs_job_state", table_name="cs_job")
    op.drop_table("cs_job")
    op.drop_index("ix_cs_imported_mail_uidl", table_name="cs_imported_mail")
    op.drop_index("ix_cs_imported_mail_uid", table_name="cs_imported_mail", mysql_length={"folder": 64}, mariadb_length={"folder": 64})
    op.drop_index("ix_cs_imported_mail_run", table_name="cs_imported_mail")
    op.drop_index("ix_cs_imported_mail_content", table_name="cs_imported_mail")
    op.drop_table("cs_imported_mail")
    op.drop_index("ix_cs_event_thread", table_name="cs_event")
    op.drop_table("cs_event")
    op.drop_table("cs_employee_preference")
    op.drop_index("ix_cs_employee_rank", table_name="cs_employee")
    op.drop_table("cs_employee")
    op.drop_table("cs_draft")
    op.drop_table("cs_daily_total")
    op.drop_table("cs_contact")
    op.drop_table("cs_blocked_sender")
    op.drop_index("ix_cs_blob_sha256", table_name="cs_blob")
    op.drop_table("cs_blob")
    op.drop_index("ix_cs_audit_object", table_name="cs_audit")
    op.drop_index("ix_cs_audit_created", table_name="cs_audit")
    op.drop_table("cs_audit")
    op.drop_index("ix_cs_attachment_message", table_name="cs_attachment")
    op.drop_index("ix_cs_attachment_blob", table_name="cs_attachment")
    op.drop_table("cs_attachment")
