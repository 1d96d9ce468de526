"""The desk's tables on each database: up, down, compared with the models, and safe when several processes start at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from cs_plugin.store import schema
from cs_plugin.store.fulltext import OF_SQLITE
from cs_plugin.store.models import Base
from cs_plugin.store.types import OneOf

# What later features will stand on, laid out now: a later migration of a million rows is what this spares a store.
LAID_OUT: dict[str, set[str]] = {
    "cs_thread": {
        "version", "shop_id", "language", "contact_id", "folder", "status", "assignee_id", "subject", "address", "address_hash", "customer_id",
        "customer_verified", "customer_name", "order_id", "token_nonce", "private", "last_customer_at", "last_customer_text", "waiting_since",
    },
    "cs_message": {
        "author_kind", "author_id", "channel", "product_id", "home_thread_id", "delivery", "delivery_text", "released_at", "release_due_at",
        "response_seconds", "shop_id", "message_id", "message_id_hash",
    },
    "cs_attachment": {"message_id", "blob_id", "name", "content_type", "size"},
    "cs_blob": {"sha256", "size", "key"},
    "cs_event": {"thread_id", "kind", "actor_kind", "actor_id", "actor_name", "via"},
    "cs_thread_alias": {"kind", "hash", "thread_id"},
    "cs_contact": {"email", "save_messages", "mails"},
    "cs_contact_text": {"language", "title", "description"},
    "cs_contact_shop": {"contact_id", "shop_id"},
    "cs_option": {"name", "breadth", "breadth_id", "language", "value"},
    "cs_mailbox": {"breadth", "contact_id", "server", "folder", "uidvalidity", "last_uid", "lease_owner", "lease_until"},
    "cs_oauth_token": {"provider", "access_token", "refresh_token", "expires_at"},
    "cs_imported_mail": {"mailbox_id", "folder", "uidvalidity", "uid", "uidl_hash", "message_id_hash", "content_hash"},
    "cs_set_aside_mail": {"blob_id", "cause", "state"},
    "cs_sync_run": {"mailbox_id", "counts", "error", "started_at", "finished_at"},
    "cs_job": {"kind", "state", "payload", "done", "total", "lease_owner", "lease_until"},
    "cs_outbox": {"kind", "state", "content", "attempts", "not_before", "lease_owner", "lease_until"},
    "cs_daily_total": {"day", "shop_id", "threads", "customer_messages", "employee_messages", "answers", "response_seconds"},
    "cs_notice": {"employee_id", "shop_id", "seen_until"},
    "cs_notice_opened": {"employee_id", "thread_id", "seen_message_id"},
    "cs_notice_rung": {"employee_id", "shop_id", "thread_id"},
    "cs_presence": {"thread_id", "employee_id", "writing_since", "seen_at"},
    "cs_draft": {"employee_id", "thread_id", "reply", "note"},
    "cs_saved_view": {"employee_id", "name", "query"},
    "cs_saved_query": {"employee_id", "name", "sql"},
    "cs_employee_preference": {"employee_id", "name", "value"},
    "cs_predefined_message": {"position", "active"},
    "cs_predefined_text": {"predefined_id", "language", "name", "text"},
    "cs_merge": {"kept_thread_id", "merged_thread_id", "before", "undone_at"},
    "cs_survey_answer": {"thread_id", "score", "comment"},
    "cs_audit": {"actor_kind", "actor_id", "via", "action", "object_kind", "object_id"},
}

HOSTS_TABLE = "CREATE TABLE shop_order (id INTEGER PRIMARY KEY, reference VARCHAR(20) NOT NULL)"
MADE = "SELECT table_name, engine, table_collation FROM information_schema.tables WHERE table_schema = DATABASE()"
COMPARED_BYTE_BY_BYTE = (
    "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = DATABASE() AND collation_name = 'utf8mb4_bin'"
)
UPGRADE = "import sys, sqlalchemy; from cs_plugin.store import schema; schema.upgrade(sqlalchemy.create_engine(sys.argv[1])); print('up')"


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    """An engine on an empty database, on each in turn."""
    made = sa.create_engine(database_url)
    yield made
    made.dispose()


def tables(engine: sa.Engine) -> set[str]:
    """Return the names of the tables that a database holds, but for the one in which SQLite counts, and those of its index of words."""
    with engine.connect() as connection:
        return {name for name in sa.inspect(connection).get_table_names() if not name.startswith(OF_SQLITE)}


def test_the_tables_go_up_and_agree_with_the_models(engine: sa.Engine) -> None:
    """From an empty database the migrations make exactly what the models say."""
    schema.upgrade(engine)
    with engine.connect() as connection:
        assert schema.differences(connection) == []
        assert schema.current(connection) == schema.head()
    assert tables(engine) == {*Base.metadata.tables, schema.VERSION_TABLE}


def test_the_comparison_sees_a_column_and_an_index_that_are_missing(engine: sa.Engine) -> None:
    """What compares can find fault: else its silence would prove nothing."""
    schema.upgrade(engine)
    with engine.begin() as connection:
        on = " ON cs_thread" if connection.dialect.name == "mysql" else ""
        connection.execute(sa.text(f"DROP INDEX ix_cs_thread_order{on}"))
        connection.execute(sa.text("ALTER TABLE cs_survey_answer DROP COLUMN score"))
    with engine.connect() as connection:
        found = str(schema.differences(connection))
    assert "ix_cs_thread_order" in found
    assert "score" in found


def test_going_down_leaves_the_hosts_tables_and_none_of_ours(engine: sa.Engine) -> None:
    """Down to base takes our tables, our version table and nothing of the host's; and up again works."""
    with engine.begin() as connection:
        connection.execute(sa.text(HOSTS_TABLE))
        connection.execute(sa.text("INSERT INTO shop_order (id, reference) VALUES (7, 'XKBKNABJK')"))
    schema.upgrade(engine)
    schema.downgrade(engine, "base")
    assert tables(engine) == {"shop_order"}
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT reference FROM shop_order")).scalar_one() == "XKBKNABJK"
    schema.upgrade(engine)
    with engine.connect() as connection:
        assert schema.differences(connection) == []


def test_an_upgrade_of_what_is_up_changes_nothing(engine: sa.Engine) -> None:
    """Every start may upgrade."""
    schema.upgrade(engine)
    before = tables(engine)
    schema.upgrade(engine)
    assert tables(engine) == before


def test_processes_that_start_at_once_wait_for_each_other(database_url: str) -> None:
    """Three processes upgrade the same empty database at the same moment: all succeed, and the tables are there once."""
    command = [sys.executable, "-c", UPGRADE, database_url]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    ended = [(process.communicate(timeout=120), process.returncode) for process in started]
    assert [(out.strip(), code) for (out, _err), code in ended] == [("up", 0)] * 3, ended
    engine = sa.create_engine(database_url)
    with engine.connect() as connection:
        assert schema.differences(connection) == []
    engine.dispose()


def test_an_engine_that_begins_its_own_transactions_can_be_upgraded(tmp_path: Path) -> None:
    """A host may have SQLAlchemy's own recipe for savepoints on SQLite, which begins a transaction with every connection."""
    engine = sa.create_engine(f"sqlite:///{tmp_path}/host.sqlite")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    schema.upgrade(engine)
    with engine.connect() as connection:
        assert schema.differences(connection) == []
    engine.dispose()


def test_the_hosts_connections_keep_their_patience(tmp_path: Path) -> None:
    """A connection goes back to the host's pool with the busy time-out that it came with."""
    engine = sa.create_engine(f"sqlite:///{tmp_path}/host.sqlite", poolclass=sa.pool.StaticPool)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 1234")
    schema.upgrade(engine)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one() == 1234
    engine.dispose()


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE", "AUTOCOMMIT"])
def test_an_upgrade_works_at_every_isolation_level_of_the_host(postgresql_database: str, level: Any) -> None:
    """A host may have set any level on its engine; our lock and what others committed hold all the same."""
    engine = sa.create_engine(postgresql_database, isolation_level=level)
    schema.upgrade(engine)
    with engine.connect() as connection:
        assert schema.differences(connection) == []
    engine.dispose()


@pytest.mark.parametrize("table", [name for name in Base.metadata.tables if "id" in Base.metadata.tables[name].c])
def test_an_id_never_comes_back_on_sqlite(table: str) -> None:
    """Where a table counts its rows, the id of a deleted row is not given again: old tags and links must not lead to a stranger's thread."""
    column = Base.metadata.tables[table].c.id
    if isinstance(column.type, sa.String):
        assert table == "cs_employee"   # keyed by the host's own ids
        return
    statement = str(sa.schema.CreateTable(Base.metadata.tables[table]).compile(dialect=sa.create_engine("sqlite://").dialect))
    assert "AUTOINCREMENT" in statement


def test_a_deleted_threads_id_is_not_given_again(engine: sa.Engine) -> None:
    """On every database the next row after a deleted one gets a new id."""
    schema.upgrade(engine)
    with engine.begin() as connection:
        insert = sa.text("INSERT INTO cs_participant (thread_id, address, address_hash, created_at) VALUES (:t, '', :h, CURRENT_TIMESTAMP)")
        connection.execute(insert, {"t": 1, "h": b"1" * 32})
        connection.execute(insert, {"t": 2, "h": b"2" * 32})
        last = connection.execute(sa.text("SELECT MAX(id) FROM cs_participant")).scalar_one()
        connection.execute(sa.text("DELETE FROM cs_participant"))
        connection.execute(insert, {"t": 3, "h": b"3" * 32})
        assert connection.execute(sa.text("SELECT id FROM cs_participant")).scalar_one() > last


@pytest.mark.parametrize("table", LAID_OUT)
def test_what_comes_is_laid_out(table: str) -> None:
    """Every table and column that a later feature stands on is there from the first migration."""
    assert LAID_OUT[table] <= set(Base.metadata.tables[table].c.keys())


@pytest.mark.parametrize("table", Base.metadata.tables.values(), ids=str)
def test_every_table_states_what_mariadb_would_else_choose(table: sa.Table) -> None:
    """Engine and character set do not follow the server's settings, and every text column says how long it may be."""
    assert table.name.startswith("cs_")
    assert table.kwargs["mysql_engine"] == table.kwargs["mariadb_engine"] == "InnoDB"
    assert table.kwargs["mysql_charset"] == table.kwargs["mariadb_charset"] == "utf8mb4"
    for column in table.c:
        kind = column.type.dialect_impl(mysql.dialect()) if isinstance(column.type, OneOf) else column.type
        if isinstance(kind, sa.String) and not isinstance(kind, sa.Text):
            assert kind.length, f"{column} does not say its length"
        if isinstance(kind, sa.Text):
            assert isinstance(kind.dialect_impl(mysql.dialect()), mysql.MEDIUMTEXT), f"{column} ends at 64 kB on MariaDB"


def test_the_tables_hold_every_character_in_a_database_that_does_not(mariadb_server: Any) -> None:
    """A host's MariaDB database may still be latin1: ours are utf8mb4 on InnoDB, keys from outside compared byte by byte."""
    url = mariadb_server._create("CHARACTER SET latin1")
    engine = sa.create_engine(url)
    try:
        schema.upgrade(engine)
        with engine.connect() as connection:
            made = connection.execute(sa.text(MADE)).all()
            binary = {tuple(row) for row in connection.execute(sa.text(COMPARED_BYTE_BY_BYTE))}
        ours = [(kind, collation.split("_")[0]) for name, kind, collation in made if name in Base.metadata.tables]
        assert ours == [("InnoDB", "utf8mb4")] * len(Base.metadata.tables)
        assert {("cs_thread", "shop_id"), ("cs_thread", "customer_id"), ("cs_employee", "id"), ("cs_search", "words")} <= binary
    finally:
        engine.dispose()
        mariadb_server.drop_database(url)


def test_a_migration_that_never_gets_its_turn_says_so(
    mariadb_server: Any, mariadb_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where another process holds the lock for too long, ours stops with a sentence; another database of that server migrates beside it."""
    engine, neighbour = sa.create_engine(mariadb_database), sa.create_engine(mariadb_server.create_database())
    monkeypatch.setattr(schema, "_MARIADB_PATIENCE", 0)
    with engine.connect() as other:
        other.execute(sa.text(f"SELECT GET_LOCK({schema.MARIADB_LOCK}, 5)"))
        with pytest.raises(schema.ConfigurationError, match="another process"):
            schema.upgrade(engine)
        schema.upgrade(neighbour)
        other.execute(sa.text(f"SELECT RELEASE_LOCK({schema.MARIADB_LOCK})"))
    schema.upgrade(engine)
    for used in (engine, neighbour):
        used.dispose()
    mariadb_server.drop_database(str(neighbour.url.render_as_string(hide_password=False)))
