"""Words that are found: an index over them on each database, the words of threads beside those of messages, a sort by what was written last,
and totals of finished ranges of threads."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from cs_plugin.rules.inquiry import fold
from cs_plugin.store import fulltext

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_OURS = ("mysql", "mariadb")
HOST_ID = sa.String(64).with_variant(mysql.VARCHAR(64, collation="utf8mb4_bin"), *_OURS)
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
FOLDED = sa.String(254).with_variant(mysql.VARCHAR(254, collation="utf8mb4_bin"), *_OURS)
FOLDED_START = sa.String(64).with_variant(mysql.VARCHAR(64, collation="utf8mb4_bin"), *_OURS)
FOLDED_TEXT = sa.Text().with_variant(mysql.MEDIUMTEXT(collation="utf8mb4_bin"), *_OURS)
TABLE = {
    "sqlite_autoincrement": True,
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}
_TOTAL_OF = ("folder", "field", "value", "shop_id", "number")
_AT_ONCE = 2_000   # threads whose words are written in one statement

_THREADS = sa.table(
    "cs_thread",
    sa.column("id"),
    sa.column("customer_sort"),
    sa.column("address_sort"),
    sa.column("order_id"),
    sa.column("subject"),
    sa.column("message_sort"),
    sa.column("last_customer_message_id"),
)
_WORDS = sa.table("cs_search_thread", sa.column("thread_id"), sa.column("customer"), sa.column("address"), sa.column("about"))
_SEARCH = sa.table("cs_search", sa.column("message_id"), sa.column("words"))


def upgrade() -> None:
    op.create_table(
        "cs_search_thread",
        sa.Column("thread_id", ID, autoincrement=False, nullable=False),
        sa.Column("customer", FOLDED, nullable=False),
        sa.Column("address", FOLDED, nullable=False),
        sa.Column("about", FOLDED_TEXT, nullable=False),
        sa.PrimaryKeyConstraint("thread_id", name=op.f("pk_cs_search_thread")),
        **TABLE,
    )
    op.create_table(
        "cs_list_range",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        _key("range", "number"),
        **TABLE,
    )
    op.create_table(
        "cs_list_total",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("folder", sa.String(length=16), nullable=False),
        sa.Column("shop_id", HOST_ID, nullable=False),
        sa.Column("field", sa.String(length=16), nullable=False),
        sa.Column("value", HOST_ID, nullable=False),
        sa.Column("threads", sa.Integer(), nullable=False),
        _key("total", "id"),
        sa.UniqueConstraint(*_TOTAL_OF, name=op.f("uq_cs_list_total_folder_field_value_shop_id_number")),
        **TABLE,
    )
    op.create_index("ix_cs_list_total_number", "cs_list_total", ["number"], unique=False)
    op.create_table(
        "cs_list_mark",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        _key("mark", "id"),
        **TABLE,
    )
    op.create_index("ix_cs_list_mark_number", "cs_list_mark", ["number"], unique=False)
    op.add_column("cs_thread", sa.Column("message_sort", FOLDED_START, nullable=False, server_default=""))
    connection = op.get_bind()
    _write_words(connection)
    connection.execute(sa.update(_THREADS).values(message_sort=sa.func.coalesce(_first_words(), "")))
    op.drop_index("ix_cs_thread_status", table_name="cs_thread")
    op.create_index("ix_cs_thread_message", "cs_thread", ["folder", "message_sort", "id"], unique=False)
    fulltext.make(connection)


def _key(name: str, column: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(column, name=op.f(f"pk_cs_list_{name}"))


def _write_words(connection: sa.Connection) -> None:
    after = 0
    columns = (_THREADS.c.id, _THREADS.c.customer_sort, _THREADS.c.address_sort, _THREADS.c.order_id, _THREADS.c.subject)
    while rows := connection.execute(sa.select(*columns).where(_THREADS.c.id > after).order_by(_THREADS.c.id).limit(_AT_ONCE)).all():
        after = rows[-1].id
        words = [
            {
                "thread_id": row.id,
                "customer": row.customer_sort,
                "address": row.address_sort,
                "about": "\n".join((fold(row.order_id or ""), fold(row.subject))),
            }
            for row in rows
        ]
        connection.execute(sa.insert(_WORDS), words)


def _first_words() -> sa.ScalarSelect[str]:
    last = _SEARCH.c.message_id == _THREADS.c.last_customer_message_id
    return sa.select(sa.func.substr(_SEARCH.c.words, 1, 64)).where(last).correlate(_THREADS).scalar_subquery()


def downgrade() -> None:
    fulltext.drop(op.get_bind())
    op.drop_index("ix_cs_thread_message", table_name="cs_thread")
    op.create_index("ix_cs_thread_status", "cs_thread", ["folder", "status", "id"], unique=False)
    op.drop_column("cs_thread", "message_sort")
    op.drop_table("cs_search_thread")
    op.drop_index("ix_cs_list_mark_number", table_name="cs_list_mark")
    op.drop_table("cs_list_mark")
    op.drop_index("ix_cs_list_total_number", table_name="cs_list_total")
    op.drop_table("cs_list_total")
    op.drop_table("cs_list_range")
