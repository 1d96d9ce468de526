"""Attacks on the SQL manager: all refused, by the parser, and by the database alone where the parser is passed by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from cs_plugin.errors import RefusedQueryError
from cs_plugin.store import sql_views
from cs_plugin.store.models import Base
from cs_plugin.store.sql_parser import LONGEST, Checked, checked
from cs_plugin.store.sql_results import Bounds, Manager
from cs_plugin.store.sql_server import ServerManager
from cs_plugin.store.sql_sqlite import SQLiteManager
from cs_plugin.store.sql_text import language_of
from tests.hosts.fixtures import DATABASES
from tests.hosts.store import Store, make_store
from tests.hosts.writing import begin
from tests.sql_users import administering, manager_of, user_of

LANGUAGES = ("sqlite", "postgresql", "mysql")

# What is refused wherever it is typed.
EVERYWHERE = (
    # Nothing, and more than one thing.
    "", "  ;  ", "-- nothing", "SELECT 1; SELECT 2", "SELECT 1; DELETE FROM cs_thread", "SELECT 1 --\n; DROP TABLE cs_thread", ";SELECT 1;;SELECT 2",
    # Writes.
    "DELETE FROM cs_thread", "UPDATE cs_thread SET status = 'closed'", "INSERT INTO cs_thread (id) VALUES (1)", "REPLACE INTO cs_thread VALUES (1)",
    "MERGE INTO cs_thread USING cs_thread ON 1 = 1 WHEN MATCHED THEN DELETE", "TRUNCATE TABLE cs_thread",
    "WITH gone AS (DELETE FROM cs_thread RETURNING id) SELECT id FROM gone", "WITH a AS (SELECT 1) DELETE FROM cs_thread",
    "WITH a AS (INSERT INTO cs_thread (id) VALUES (1) RETURNING id) SELECT * FROM a", "(DELETE FROM cs_thread)",
    "SELECT id FROM cs_thread FOR UPDATE", "SELECT id FROM cs_thread FOR SHARE", "SELECT id FROM cs_thread LOCK IN SHARE MODE",
    "SELECT id INTO taken FROM cs_thread", "SELECT id INTO TEMP taken FROM cs_thread",
    # Definitions and commands.
    "DROP TABLE cs_thread", "CREATE TABLE t (a INT)", "CREATE TABLE t AS SELECT id FROM cs_thread", "ALTER TABLE cs_thread ADD a INT", "CREATE VIEW v AS SELECT 1",
    "CREATE FUNCTION f() RETURNS INT RETURN 1", "CREATE TRIGGER t AFTER INSERT ON cs_thread BEGIN SELECT 1; END", "VACUUM", "ANALYZE", "REINDEX", "EXPLAIN SELECT 1",
    "EXPLAIN ANALYZE DELETE FROM cs_thread", "BEGIN", "COMMIT", "ROLLBACK", "SET x = 1", "SHOW TABLES", "DESCRIBE cs_thread", "USE mysql", "CALL p()",
    "GRANT ALL ON cs_thread TO x", "PRAGMA table_info(cs_thread)", "PRAGMA writable_schema = ON", "ATTACH 'x' AS y", "DETACH y", "DO 1", "EXECUTE p", "PREPARE p AS SELECT 1",
    "DEALLOCATE p", "DECLARE c CURSOR FOR SELECT 1", "COPY cs_thread TO '/tmp/x'", "COPY cs_thread TO PROGRAM 'id'", "LOAD DATA INFILE '/etc/passwd' INTO TABLE cs_thread",
    "LOAD 'x'", "LISTEN x", "NOTIFY x", "LOCK TABLE cs_thread", "KILL 1", "SHUTDOWN", "HANDLER cs_thread OPEN", "VALUES (1)", "TABLE cs_thread", "FROM cs_thread",
    # Files.
    "SELECT readfile('/etc/passwd')", "SELECT writefile('/tmp/x', 'y')", "SELECT load_extension('/tmp/x')", "SELECT edit('x')", "SELECT fts3_tokenizer('x')",
    "SELECT pg_read_file('/etc/passwd')", "SELECT pg_read_binary_file('x')", "SELECT pg_ls_dir('.')", "SELECT pg_stat_file('x')", "SELECT LOAD_FILE('/etc/passwd')",
    "SELECT 1 INTO OUTFILE '/tmp/x'", "SELECT 1 INTO DUMPFILE '/tmp/x'", "SELECT id FROM cs_thread INTO OUTFILE '/tmp/x'", "SELECT lo_import('/etc/passwd')",
    "SELECT lo_export(1, '/tmp/x')", "SELECT lo_get(1)", "SELECT xmlparse(document pg_read_file('x'))",
    # Other tables, and all of the host's.
    "SELECT * FROM orders", "SELECT * FROM users", 'SELECT * FROM "user"', "SELECT * FROM cs_option", "SELECT * FROM cs_mailbox", "SELECT * FROM cs_oauth_token",
    "SELECT * FROM cs_thread_alias", "SELECT * FROM cs_audit", "SELECT * FROM cs_saved_query", "SELECT * FROM cs_draft", "SELECT * FROM cs_outbox", "SELECT * FROM cs_blob",
    "SELECT * FROM cs_job", "SELECT * FROM cs_alembic_version", "SELECT * FROM sqlite_master", "SELECT * FROM sqlite_schema", "SELECT * FROM sqlite_temp_master",
    "SELECT * FROM sqlite_sequence", "SELECT * FROM information_schema.tables", "SELECT * FROM pg_catalog.pg_authid", "SELECT * FROM pg_shadow", "SELECT * FROM pg_roles",
    "SELECT * FROM pg_stat_activity", "SELECT * FROM pg_settings", "SELECT * FROM mysql.user", "SELECT * FROM performance_schema.threads", "SELECT * FROM dual",
    "SELECT * FROM main.cs_thread", "SELECT * FROM public.cs_thread", "SELECT * FROM temp.cs_thread", "SELECT * FROM other.public.cs_thread",
    "SELECT id FROM cs_thread WHERE EXISTS (SELECT 1 FROM customers)", "SELECT (SELECT password FROM users LIMIT 1)", "SELECT id FROM cs_thread JOIN users ON true",
    "SELECT id FROM cs_thread UNION SELECT password FROM users", "SELECT id FROM cs_thread, users", "SELECT id FROM cs_thread ORDER BY (SELECT 1 FROM users)",
    "WITH a AS (SELECT * FROM users) SELECT * FROM a", "SELECT * FROM (SELECT * FROM users) AS cs_thread", "SELECT * FROM [users]", "SELECT * FROM `users`",
    # A name that a query gives is no way to what has that name elsewhere.
    "SELECT * FROM users WHERE 1 IN (WITH users AS (SELECT 1) SELECT 1)", "WITH users AS (SELECT * FROM users) SELECT * FROM users",
    "WITH a AS (SELECT * FROM users), users AS (SELECT 1) SELECT * FROM a", "WITH cs_thread AS (SELECT 1) SELECT * FROM cs_thread",
    # Tables that are functions.
    "SELECT * FROM pragma_table_info('cs_thread')", "SELECT * FROM json_each('[1]')", "SELECT * FROM generate_series(1, 1000000000)", "SELECT * FROM dbstat",
    "SELECT * FROM dblink('host=x', 'SELECT 1') AS t(a int)", "SELECT * FROM unnest(ARRAY[1])", "SELECT * FROM JSON_TABLE('[1]', '$[*]' COLUMNS (a INT PATH '$')) t",
    "SELECT * FROM cs_thread, LATERAL (SELECT 1) AS x", "SELECT * FROM pg_ls_dir('.')", "SELECT * FROM query_to_xml('SELECT 1', true, true, '')",
    # Columns that are kept back.
    "SELECT token_nonce FROM cs_thread", "SELECT address_hash FROM cs_thread", "SELECT t.token_nonce FROM cs_thread t", "SELECT network FROM cs_message",
    "SELECT agent FROM cs_message", "SELECT cc FROM cs_message", "SELECT m.message_id_hash FROM cs_message m", "SELECT signature FROM cs_contact_text",
    "SELECT token_nonce, 1 AS token_nonce FROM cs_thread", "SELECT t.token_nonce, 1 AS token_nonce FROM cs_thread t", "SELECT 1 FROM cs_thread ORDER BY token_nonce",
    "SELECT id FROM cs_thread WHERE token_nonce LIKE 'a%'", "SELECT id FROM cs_thread GROUP BY id HAVING max(token_nonce) > 'a'",
    "SELECT m.message_id FROM cs_message m JOIN cs_search s ON s.message_id = m.id", "SELECT message_id FROM cs_message, cs_search",
    "SELECT count(*) FROM cs_thread a JOIN cs_thread b USING (token_nonce)", "SELECT * FROM cs_thread a NATURAL JOIN cs_message b", "SELECT rowid FROM cs_thread",
    "SELECT oid FROM cs_thread", "SELECT ctid FROM cs_thread", "SELECT xmin FROM cs_thread", "SELECT t FROM cs_thread t", "SELECT t, 1 AS t FROM cs_thread t",
    "SELECT (t).token_nonce FROM cs_thread t", "SELECT row_to_json(t) FROM cs_thread t", "SELECT cs_thread FROM cs_thread", "SELECT details FROM cs_event",
    "WITH a (token_nonce) AS (SELECT 1) SELECT token_nonce FROM cs_thread", "SELECT public.cs_thread.id FROM cs_thread",
    # Names that would hide whose column it is: given to columns by their places, to tables in parentheses, and of no table at all.
    "SELECT t.subject FROM cs_thread AS t(id, shop_id, subject)", "SELECT subject FROM cs_thread t (id, shop_id, subject)",
    "SELECT t.id FROM cs_thread AS a JOIN cs_message AS t(id, subject) ON a.id = t.id", "WITH a AS (SELECT 1 AS x) SELECT b.y FROM a AS b(y)",
    "SELECT t.token_nonce, 1 AS token_nonce FROM (cs_thread AS a JOIN cs_message AS b ON a.id = b.thread_id) AS t",
    "SELECT t.token_nonce, 1 AS token_nonce FROM (cs_thread) AS t", "SELECT t.token_nonce, 1 AS token_nonce FROM ((cs_thread)) AS t",
    "SELECT t.id FROM (cs_thread) AS t", "SELECT t.id FROM (cs_thread AS a, cs_message AS b) AS t", "SELECT t.id FROM ((cs_thread AS a)) AS t",
    "SELECT t.network, 1 AS network FROM ((SELECT 1 AS one) AS a JOIN cs_message AS b ON 1 = 1) AS t",
    "SELECT cs_thread.token_nonce, 1 AS token_nonce FROM cs_thread AS x", "SELECT y.token_nonce, 1 AS token_nonce FROM cs_thread AS x",
    "SELECT id FROM cs_thread AS x WHERE 1 IN (SELECT 1 AS token_nonce) AND cs_thread.token_nonce > ''",
    "SELECT a.token_nonce FROM (SELECT 1 AS token_nonce) AS a, cs_thread AS x",
    # Time, memory, and the machine.
    "SELECT pg_sleep(10)", "SELECT pg_sleep_for('1 day')", "SELECT SLEEP(10)", "SELECT BENCHMARK(1000000000, MD5('x'))", "SELECT GET_LOCK('x', 100)",
    "SELECT RELEASE_LOCK('x')", "SELECT pg_advisory_lock(1)", "SELECT randomblob(1000000000)", "SELECT zeroblob(1000000000)", "SELECT repeat('x', 1000000000)",
    "SELECT lpad('x', 1000000000)", "SELECT space(1000000000)", "SELECT printf('%1000000000d', 1)", "SELECT format('%1000000000s', 1)", "SELECT hex(zeroblob(99999999))",
    "SELECT group_concat(text) FROM cs_message", "SELECT string_agg(text, '') FROM cs_message", "SELECT replace(text, 'a', 'aaaaaaaa') FROM cs_message",
    "WITH RECURSIVE bomb (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM bomb) SELECT count(*) FROM bomb",
    "WITH bomb (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM bomb) SELECT count(*) FROM bomb",
    # Functions that do something, or tell of the server.
    "SELECT set_config('statement_timeout', '0', false)", "SELECT current_setting('data_directory')", "SELECT nextval('cs_thread_id_seq')", "SELECT setval('cs_thread_id_seq', 1)",
    "SELECT dblink_exec('host=x', 'DELETE')", "SELECT pg_terminate_backend(1)", "SELECT pg_reload_conf()", "SELECT pg_notify('a', 'b')", "SELECT txid_current()",
    "SELECT query_to_xml('SELECT 1', true, true, '')", "SELECT version()", "SELECT user()", "SELECT current_user", "SELECT session_user", "SELECT database()",
    "SELECT @@version", "SELECT @@secure_file_priv", "SELECT @a := 1", "SELECT last_insert_rowid()", "SELECT changes()", "SELECT sqlite_version()", "SELECT sqlite_source_id()",
    "SELECT updatexml(1, 'x', 1)", "SELECT extractvalue(1, 'x')", "SELECT sys_exec('id')", "SELECT md5('x')", "SELECT pg_catalog.pg_read_file('x')", "SELECT xp_cmdshell('id')",
    "SELECT 'cs_option'::regclass", "SELECT CAST('cs_option' AS regclass)", "SELECT ('cs_option')::regclass::oid", "SELECT 1 COLLATE nocase", "SELECT * FROM cs_thread PROCEDURE ANALYSE()",
    # Quotes and comments.
    "SELECT /*! id */ FROM cs_thread", "SELECT 1 /*!50000 FROM users */", "SELECT 1 /*M! FROM users */", "SELECT 1 /*M!100100 FROM users */", "SELECT /*+ MAX_EXECUTION_TIME(0) */ 1",
    "SELECT 'a", 'SELECT "a', "SELECT `a", "SELECT 1 /* ", "SELECT 1 FROM cs_thread WHERE id = 1 OR 1=1; --", "SELECT $$a", "SELECT U&'\\0061' FROM users",
    "SELECT 1\0; DROP TABLE cs_thread", "SELECT '\ud800'", "SELECT 1\x1b", "SELECT \\'a\\'",
    # More than a parser bears.
    "SELECT " + "(" * 2_000 + "1" + ")" * 2_000, "SELECT " + "1+" * 3_000 + "1", "SELECT " + "NOT " * 3_000 + "1", "SELECT " + "-" * 1_500 + "1", "SELECT " + "- " * 3_000 + "1",
    "SELECT " + "CASE WHEN " * 500 + "1", "SELECT " + "(SELECT " * 500 + "1" + ")" * 500, "SELECT 1" + " UNION SELECT 1" * 1_000, "SELECT " + "a," * 9_000 + "a",
    "SELECT " + "x" * (LONGEST + 1), "SELECT 1 WHERE " + "1 = 1 AND " * 1_500 + "1 = 1", "SELECT 1 WHERE " + "1 IN (" * 300 + "1" + ")" * 300, "((((" * 200, "SELECT [[[[[" * 300,
    "SELECT " + "abs(" * 500 + "1" + ")" * 500, "SELECT 1 FROM cs_thread" + " JOIN cs_thread ON 1" * 1_000, "WITH " * 500 + "SELECT 1", "SELECT " + "EXISTS " * 500 + "(SELECT 1)",
    # What would be no number of rows.
    "SELECT id FROM cs_thread LIMIT ALL", "SELECT id FROM cs_thread LIMIT (SELECT 1)", "SELECT id FROM cs_thread LIMIT -1", "SELECT id FROM cs_thread LIMIT 1 + 1",
    "SELECT id FROM cs_thread FETCH FIRST 1 ROWS WITH TIES", "SELECT id FROM cs_thread TABLESAMPLE SYSTEM (1)", "SELECT id FROM cs_thread FOR SYSTEM_TIME ALL",
    "SELECT SQL_CALC_FOUND_ROWS id FROM cs_thread", "SELECT HIGH_PRIORITY id FROM cs_thread", "SELECT id FROM ONLY cs_thread",
    "SELECT id FROM cs_thread INDEXED BY i", "SELECT id FROM cs_thread USE INDEX (i)",
)  # fmt: skip


@pytest.mark.shows("6.12")
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("text", EVERYWHERE, ids=lambda text: text[:50])
def test_the_parser_refuses_every_attack(text: str, language: str) -> None:
    """Before anything reaches the database, with a sentence that can be shown."""
    with pytest.raises(RefusedQueryError) as refused:
        checked(text, language, 1_001)
    assert refused.value.message % refused.value.values
    assert "%(" not in str(refused.value)


# What people do ask, by the language in which they can.
HARMLESS = {
    "sqlite": ("SELECT strftime('%Y-%m', created_at) AS month, count(*) FROM cs_thread GROUP BY month ORDER BY month",),
    "postgresql": (
        "SELECT date_trunc('month', created_at) AS month, count(*) FILTER (WHERE status = 'open') FROM cs_thread GROUP BY 1 ORDER BY 1",
        "SELECT id FROM cs_thread WHERE created_at > now() - INTERVAL '30 days' AND customer_name ILIKE '%a%'",
    ),
    "mysql": ("SELECT date_format(created_at, '%Y-%m') AS month, count(*) FROM cs_thread GROUP BY month ORDER BY month",),
}
FOR_ALL = (
    "SELECT 1",
    "select * from cs_thread;",
    "SELECT t.*, m.text FROM cs_thread AS t JOIN cs_message AS m ON m.thread_id = t.id WHERE m.private = (1 = 1) ORDER BY m.id DESC LIMIT 5",
    "SELECT status, count(*) AS n, avg(customer_messages) FROM cs_thread GROUP BY status HAVING count(*) > 0 ORDER BY n DESC",
    "SELECT count(DISTINCT t.id) FROM cs_thread t LEFT JOIN cs_event e ON e.thread_id = t.id WHERE e.id IS NULL OR e.kind IN ('status', 'it''s; -- not')",
    "WITH busy AS (SELECT shop_id, count(*) AS n FROM cs_thread GROUP BY shop_id) SELECT shop_id FROM busy WHERE n > 0",
    "WITH a AS (SELECT id FROM cs_contact) SELECT count(*) FROM a",
    "WITH a AS (SELECT c.message_id FROM cs_attachment c) SELECT a.message_id, m.text FROM a JOIN cs_message m ON m.id = a.message_id",
    "SELECT x.message_id, m.text FROM (SELECT s.message_id FROM cs_search s) AS x JOIN cs_message m ON m.id = x.message_id",
    "SELECT a.id FROM (cs_thread AS a JOIN cs_message AS b ON a.id = b.thread_id) WHERE b.text <> ''",
    "SELECT n FROM (SELECT 1 AS n) AS n",
    "SELECT t.id FROM (SELECT id FROM cs_thread UNION SELECT id FROM cs_message) AS t",
    "SELECT id FROM cs_thread UNION SELECT id FROM cs_message ORDER BY 1 LIMIT 3",
    "SELECT CASE WHEN status = 'open' THEN 'yes' ELSE 'no' END, coalesce(assignee_id, '--'), lower(subject), length(subject) FROM cs_thread -- a remark",
    "SELECT row_number() OVER (PARTITION BY shop_id ORDER BY id) AS place, id FROM cs_thread",
    "SELECT id FROM cs_thread WHERE subject LIKE '%\\%' AND NOT EXISTS (SELECT * FROM cs_message WHERE cs_message.thread_id = cs_thread.id AND text = '%s')",
    "SELECT title FROM cs_contact_text WHERE contact_id BETWEEN 1 AND 9 OR title = 'a\\'' OR 1 = 2 ORDER BY title DESC",
)  # fmt: skip


@dataclass
class Attacked:
    """A store with a thread and with tables of its own, and the SQL manager of its database."""

    store: Store
    manager: Manager

    def state(self) -> list[object]:
        """Return what an attack could have changed."""
        with self.store.desk.engine.connect() as connection:
            tables = sorted(sa.inspect(connection).get_table_names())
            return [tables, *(connection.scalar(sa.text(f"SELECT count(*) FROM {name}")) for name in ("cs_thread", "cs_message", "customers"))]


@pytest.fixture(scope="module", params=DATABASES)
def attacked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """A store on each database, with customers of the host's beside our tables."""
    folder = tmp_path_factory.mktemp("attacked")
    server = None if request.param == "sqlite" else request.getfixturevalue(f"{request.param}_server")
    url = f"sqlite:///{folder}/store.sqlite" if server is None else server.create_database()
    store = make_store(url, folder)
    begin(store, "Where is my parcel?")
    with store.desk.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE customers (id INTEGER PRIMARY KEY, password VARCHAR(50))")
        connection.exec_driver_sql("INSERT INTO customers VALUES (1, 'hunter2')")
    with manager_of(store) as manager:
        yield Attacked(store, manager)
    with store.app.app_context():
        store.db.session.remove()
        store.db.engine.dispose()
    if server is not None:
        server.drop_database(url)


@pytest.mark.shows("6.12")
def test_what_is_harmless_runs(attacked: Attacked) -> None:
    """Aggregates, joins, parts with names, windows, dates; a backslash before a quote is read as the database reads it."""
    language = attacked.manager.language
    for text in (*FOR_ALL, *HARMLESS[language]):
        if language != "mysql" and "'a\\''" in text:
            with pytest.raises(RefusedQueryError):
                checked(text, language, 11)
            continue
        attacked.manager.run(checked(text, language, 11), Bounds(20, 10))


# What the database refuses where the parser is not asked at all: each with the databases on which it is said.
PAST_THE_PARSER = (
    ("SELECT password FROM customers", LANGUAGES),
    ("SELECT count(*) FROM customers", LANGUAGES),
    ("SELECT token_nonce FROM cs_thread", LANGUAGES),
    ("SELECT * FROM cs_thread", LANGUAGES),
    ("SELECT id FROM cs_thread WHERE token_nonce > ''", LANGUAGES),
    ("SELECT * FROM cs_option", LANGUAGES),
    ("SELECT count(*) FROM cs_mailbox", LANGUAGES),
    ("SELECT network FROM cs_message", LANGUAGES),
    ("DELETE FROM cs_thread", LANGUAGES),
    ("UPDATE cs_thread SET status = 'closed'", LANGUAGES),
    ("INSERT INTO customers VALUES (2, 'x')", LANGUAGES),
    ("DROP TABLE customers", LANGUAGES),
    ("CREATE TABLE taken (a INTEGER)", LANGUAGES),
    ("CREATE VIEW seen AS SELECT 1", LANGUAGES),
    ("ALTER TABLE customers ADD COLUMN b INTEGER", LANGUAGES),
    ("SELECT * FROM sqlite_master", ("sqlite",)),
    ("SELECT count(*) FROM sqlite_master", ("sqlite",)),
    ("SELECT rowid FROM customers", ("sqlite",)),
    ("SELECT * FROM pragma_table_list", ("sqlite",)),
    ("SELECT count(*) FROM pragma_table_list", ("sqlite",)),
    ("PRAGMA table_info(customers)", ("sqlite",)),
    ("PRAGMA query_only = OFF", ("sqlite",)),
    ("ATTACH ':memory:' AS other", ("sqlite",)),
    ("SELECT load_extension('x')", ("sqlite",)),
    ("SELECT randomblob(10)", ("sqlite",)),
    ("SELECT hex(zeroblob(10))", ("sqlite",)),
    ("SELECT printf('%9999d', 1)", ("sqlite",)),
    ("SELECT group_concat(subject) FROM cs_thread", ("sqlite",)),
    ("SELECT * FROM json_each('[1]')", ("sqlite",)),
    ("BEGIN IMMEDIATE", ("sqlite",)),
    ("SAVEPOINT a", ("sqlite",)),
    ("ANALYZE", ("sqlite",)),
    ("REINDEX", ("sqlite",)),
    ("VACUUM INTO '/tmp/never'", ("sqlite",)),
    ("CREATE TEMP TABLE t (a)", ("sqlite",)),
    ("EXPLAIN SELECT password FROM customers", ("sqlite",)),
    ("SELECT 1; SELECT 2", ("sqlite", "mysql")),
    ("WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n", ("sqlite",)),
    ("SELECT pg_read_file('/etc/passwd')", ("postgresql",)),
    ("SELECT pg_ls_dir('.')", ("postgresql",)),
    ("SELECT lo_import('/etc/passwd')", ("postgresql",)),
    ("COPY cs_thread TO PROGRAM 'id'", ("postgresql",)),
    ("SELECT rolpassword FROM pg_authid", ("postgresql",)),
    ("SELECT nextval('cs_thread_id_seq')", ("postgresql",)),
    ("SELECT id FROM cs_thread FOR UPDATE", ("postgresql", "mysql")),
    ("SELECT cs_thread FROM cs_thread", ("postgresql",)),
    ("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres'", ("postgresql",)),
    ("SELECT * FROM mysql.user", ("mysql",)),
    ("SELECT 1 INTO OUTFILE '/tmp/never'", ("mysql",)),
    ("SET GLOBAL max_connections = 1", ("mysql",)),
    ("CREATE USER x", ("mysql",)),
)  # fmt: skip


@pytest.mark.shows("6.12")
def test_the_database_refuses_by_itself(attacked: Attacked) -> None:
    """With the parser passed by, the authorizer and the user's rights hold; nothing is changed, and nothing of the host's is given away."""
    before, ran = attacked.state(), []
    for text, languages in PAST_THE_PARSER:
        if attacked.manager.language in languages:
            try:
                attacked.manager.run(Checked(text), Bounds(3, 10))
            except RefusedQueryError as error:
                assert "hunter2" not in str(error), text
            else:
                ran.append(text)
    assert ran == []
    assert attacked.state() == before
    assert not Path("/tmp/never").exists()




SLEEP = {"postgresql": "SELECT pg_sleep(60)", "mysql": "SELECT SLEEP(60) FROM cs_thread"}


@pytest.mark.shows("6.12")
def test_a_query_that_takes_too_long_is_stopped(attacked: Attacked) -> None:
    """By the database itself, and it is said so."""
    language = attacked.manager.language
    text = SLEEP.get(language, "SELECT count(*) FROM " + ", ".join(f"cs_contact_text c{number}" for number in range(40)))
    query = Checked(text) if language in SLEEP else checked(text, language, 11)
    with pytest.raises(RefusedQueryError, match=r"longer than 0\.3 seconds"):
        attacked.manager.run(query, Bounds(0.3, 10))


@pytest.mark.shows("6.12")
def test_rows_past_the_limit_are_cut_and_told(attacked: Attacked) -> None:
    """Whether the query has a limit of its own or not; one that is smaller holds."""

    def run(text: str) -> tuple[int, bool]:
        result = attacked.manager.run(checked(text, attacked.manager.language, 6), Bounds(20, 5))
        return len(result.rows), result.cut

    many = "SELECT a.id FROM cs_contact_text a, cs_contact_text b, cs_contact_text c"
    assert run(many) == (5, True)
    assert run(f"{many} LIMIT 999999999") == (5, True)
    assert run(f"{many} LIMIT 3") == (3, False)
    assert run("SELECT id FROM cs_thread") == (1, False)


@pytest.mark.shows("6.12")
def test_rows_that_hold_too_much_are_cut_and_told(attacked: Attacked) -> None:
    """However few they are, and fetched piece by piece: what is cut is never held."""
    long = "x" * 15_000
    many = f"SELECT '{long}' AS a FROM cs_contact_text a, cs_contact_text b, cs_contact_text c, cs_contact_text d"
    query = checked(many, attacked.manager.language, 5_001)
    result = attacked.manager.run(query, Bounds(20, 5_000, size=1_000_000))
    assert (len(result.rows), result.cut) == (1_000_000 // len(long), True)
    whole = attacked.manager.run(checked(f"{many} LIMIT 30", attacked.manager.language, 5_001), Bounds(20, 5_000, size=1_000_000))
    assert (len(whole.rows), whole.cut) == (30, False)
    none = attacked.manager.run(checked("SELECT id, subject FROM cs_thread WHERE 1 = 2", attacked.manager.language, 11), Bounds(20, 10))
    assert (none.columns, none.rows, none.cut) == (("id", "subject"), [], False)


def test_a_value_that_is_too_large_is_not_made_on_sqlite(attacked: Attacked) -> None:
    """Out of short ones: it is told as the mistake that it is."""
    if isinstance(attacked.manager, SQLiteManager):
        doubled = "WITH a AS (SELECT '" + "x" * 15_000 + "' AS v)"
        text = f"{doubled} SELECT {' || '.join(['v'] * 80)} FROM a"
        with pytest.raises(RefusedQueryError, match="too big"):
            attacked.manager.run(checked(text, "sqlite", 11), Bounds(20, 10))


def test_mistakes_are_told_in_the_databases_words(attacked: Attacked) -> None:
    """What somebody has typed wrongly is theirs to read; what concerns the machine is nobody's."""
    with pytest.raises(RefusedQueryError, match=r"The database says: .*subject|read only the views"):   # MariaDB: not granted
        attacked.manager.run(Checked("SELECT subject FROM cs_search"), Bounds(5, 5))
    broken = attacked.manager
    if isinstance(broken, SQLiteManager):
        with pytest.raises(RefusedQueryError, match=r"^The database could not run this query\.$"):
            SQLiteManager(Path("/nowhere/at/all.sqlite")).run(Checked("SELECT 1"), Bounds())
    elif isinstance(broken, ServerManager):
        for url in (broken.url.set(password="wrong" if broken.language == "mysql" else None, port=1), broken.url.set(database="nowhere")):
            with pytest.raises(RefusedQueryError, match=r"^The database could not run this query\.$|read only the views"):
                ServerManager(url).run(Checked("SELECT 1"), Bounds())
            assert "does not answer" in ServerManager(url).faults()[0]


def test_a_thread_that_is_being_written_is_read_all_the_same(attacked: Attacked) -> None:
    """A query waits for no writer for longer than its patience, and a writer never for a query."""
    with attacked.store.desk.sessions() as session:
        session.execute(sa.text("UPDATE cs_thread SET subject = 'changed'"))
        result = attacked.manager.run(checked("SELECT subject FROM cs_thread", attacked.manager.language, 6), Bounds(20, 5))
        session.rollback()
    assert result.rows[0][0] != "changed"


# --- The user of a server ---------------------------------------------------------------------------------------------------------------------------

# What a user may not have, beside the lines that are right: each is a fault.
TOO_MUCH = {
    "postgresql": (
        "GRANT SELECT ON customers TO {user}", "GRANT SELECT (password) ON customers TO {user}", "GRANT SELECT ON cs_thread TO {user}",
        "GRANT SELECT (token_nonce) ON cs_thread TO {user}", "GRANT INSERT ON customers TO {user}", "GRANT UPDATE (subject) ON cs_thread TO {user}",
        "GRANT pg_read_server_files TO {user}", "GRANT pg_read_all_data TO {user}", "GRANT pg_execute_server_program TO {user}", "ALTER ROLE {user} SUPERUSER",
        "ALTER ROLE {user} CREATEROLE", "ALTER ROLE {user} CREATEDB", "GRANT CREATE ON SCHEMA public TO {user}", "GRANT USAGE ON SEQUENCE cs_thread_id_seq TO {user}",
        "CREATE FUNCTION peek() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT password FROM customers LIMIT 1'", "ALTER TABLE customers OWNER TO {user}",
    ),
    "mysql": (
        "GRANT SELECT ON *.* TO '{user}'@'%'", "GRANT SELECT ON {database}.* TO '{user}'@'%'", "GRANT SELECT ON {database}.customers TO '{user}'@'%'",
        "GRANT SELECT (password) ON {database}.customers TO '{user}'@'%'", "GRANT SELECT (token_nonce) ON {database}.cs_thread TO '{user}'@'%'",
        "GRANT SELECT ON {database}.cs_thread TO '{user}'@'%'", "GRANT FILE ON *.* TO '{user}'@'%'", "GRANT INSERT (subject) ON {database}.cs_thread TO '{user}'@'%'",
        "GRANT EXECUTE ON {database}.* TO '{user}'@'%'", "GRANT PROCESS ON *.* TO '{user}'@'%'", "GRANT SELECT (id) ON {database}.cs_thread TO '{user}'@'%' WITH GRANT OPTION",
    ),
}  # fmt: skip


@pytest.mark.shows("6.12")
@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_user_that_may_do_more_is_refused(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> None:
    """Whatever it is that it may do beyond reading the views; what is missing is told as the lines that give it, and these make it right."""
    url = str(request.getfixturevalue(f"{kind}_database"))
    store = make_store(url, tmp_path)
    database = sa.make_url(url).database
    with administering(url) as administrator:
        administrator.exec_driver_sql("CREATE TABLE customers (id INTEGER PRIMARY KEY, password VARCHAR(50))")
    with user_of(url) as right:
        assert ServerManager(right).faults() == []
    for line in TOO_MUCH[language_of(sa.make_url(url).get_backend_name())]:
        with user_of(url) as user, administering(url) as administrator:
            administrator.exec_driver_sql(line.format(user=user.username, database=database))
            manager = ServerManager(user)
            assert manager.faults(), line
            with pytest.raises(RefusedQueryError, match="off"):
                manager.run(Checked("SELECT 1"), Bounds())
            if "peek()" in line:
                administrator.exec_driver_sql("DROP FUNCTION peek")
            if "OWNER" in line:
                administrator.exec_driver_sql("ALTER TABLE customers OWNER TO postgres")
    # MariaDB lets nobody into a database of which they may read nothing.
    whom = "{user}" if kind == "postgresql" else "'{user}'@'%'"
    with user_of(url, lines=(f"GRANT SELECT (id) ON cs_event TO {whom}",)) as nobody, administering(url) as administrator:
        missing = ServerManager(nobody).faults()
        assert len(missing) == len(sql_views.VIEWS)
        for line in missing:
            administrator.exec_driver_sql(line)
        assert ServerManager(nobody).faults() == []
        assert ServerManager(nobody).run(checked("SELECT count(*) FROM cs_thread", store.desk.engine.dialect.name.replace("mariadb", "mysql"), 2), Bounds()).rows
    with store.app.app_context():
        store.db.session.remove()
        store.db.engine.dispose()


def test_an_administrator_is_no_user_for_queries(attacked: Attacked) -> None:
    """The store's own user, with which the desk works, is refused with the lines that make another."""
    if isinstance(attacked.manager, ServerManager):
        faults = ServerManager(attacked.store.desk.engine.url).faults()
        assert any(line.startswith("GRANT SELECT (") for line in faults)
        assert any(line.startswith("CREATE ") for line in faults)


# --- The views --------------------------------------------------------------------------------------------------------------------------------------

# Names of columns that hold what nobody may read by a query: secrets, keys, hashes, addresses of networks, and what goes with them.
NEVER = ("password", "token", "nonce", "hash", "secret", "network", "agent", "key", "blob", "payload", "content", "lease_", "value", "signature")


def test_views_offer_columns_that_are_there_and_none_that_are_secret() -> None:
    """Each is a table of ours; what has the name of a secret is in none."""
    for view in sql_views.VIEWS:
        table = Base.metadata.tables[view.name]
        assert set(view.columns) <= set(table.columns.keys()), view.name
        assert len(set(view.columns)) == len(view.columns)
        for column in view.columns:
            assert column == "content_type" or not any(word in column for word in NEVER), (view.name, column)
