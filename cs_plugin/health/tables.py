"""The database: the desk's tables in it, and how it is set up."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from importlib.resources import files

from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from cs_plugin.health.findings import Finding, advice, good, said, warning, wrong
from cs_plugin.store import schema
from cs_plugin.web.mounted import Mounted, utc_now

SUBJECT = "Database"
_UPGRADE = "flask cs upgrade"
_MOST_TOLD = 10
_ENOUGH_PATIENCE = 5000   # milliseconds
_MOST_APART = dt.timedelta(seconds=30)

_SQLITE_LINES = (
    "from sqlalchemy import event",
    "",
    "with app.app_context():",
    '    @event.listens_for(db.engine, "connect")',
    "    def set_up_sqlite(connection, _record):",
    '        connection.execute("PRAGMA journal_mode=WAL")',
    '        connection.execute("PRAGMA busy_timeout=15000")',
)


def look_at_tables(here: Mounted) -> Iterator[Finding]:
    """Say whether the desk's tables are there, and those of this version."""
    try:
        with here.engine.connect() as connection:
            yield from _schema(connection)
    except Exception as error:  # noqa: BLE001 - a driver raises what it likes, also before SQLAlchemy can wrap it
        yield wrong(SUBJECT, f"The database cannot be reached: {said(error)}", "Nothing works until it can: the contact form asks to try again.")


def are_there(here: Mounted) -> bool:
    """Say whether the tables can be asked: they are those of this version."""
    try:
        with here.engine.connect() as connection:
            return schema.current(connection) == schema.head()
    except Exception:  # noqa: BLE001 - `look_at_tables` has said what is wrong
        return False


def _schema(connection: Connection) -> Iterator[Finding]:
    current, head = schema.current(connection), schema.head()
    if current is None:
        yield wrong(SUBJECT, "The desk's tables are not there: run flask cs upgrade.", "No message can be taken.", _UPGRADE)
    elif current not in _known():
        yield wrong(
            SUBJECT,
            f"The desk's tables are at {current}, which this version does not know: a newer one made them.",
            "This version may fail on them, or write what the newer one cannot read.",
            "pip install --upgrade cs-plugin",
        )
    elif current != head:
        yield wrong(SUBJECT, f"The desk's tables are at {current}, this version needs {head}: run flask cs upgrade.", "Pages fail.", _UPGRADE)
    else:
        differences = schema.differences(connection)
        if differences:
            told = [str(one) for one in differences[:_MOST_TOLD]]
            words = "The desk's tables differ from this version's:"
            yield wrong(SUBJECT, words, "Somebody has changed them by hand; messages may fail to be stored.", *told)
        else:
            yield good(SUBJECT, f"The desk's tables are at {current}, as they should be.")


def _known() -> set[str]:
    return {one.revision for one in ScriptDirectory(str(files("cs_plugin") / "migrations")).walk_revisions()}


def look_at_database(here: Mounted) -> Iterator[Finding]:
    """Say how the database is set up, with the exact lines for what could be better."""
    with here.engine.connect() as connection:
        name = connection.dialect.name
        yield good(SUBJECT, f"{name} {'.'.join(str(part) for part in connection.dialect.server_version_info or ())}".rstrip())
        if name == "sqlite":
            yield from _sqlite(connection)
        elif name == "postgresql":
            yield from _postgresql(connection)
        else:
            yield from _mariadb(connection)


def _sqlite(connection: Connection) -> Iterator[Finding]:
    journal = str(connection.exec_driver_sql("PRAGMA journal_mode").scalar_one())
    patience = int(connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one())
    if journal not in ("wal", "memory"):
        yield advice(
            SUBJECT,
            f"SQLite keeps its journal as {journal!r}, and not ahead of the writes (WAL).",
            "Readers wait for every writer: pages hang while mail is delivered.",
            *_SQLITE_LINES,
        )
    else:
        yield good(SUBJECT, f"SQLite's journal: {journal}.")
    if patience < _ENOUGH_PATIENCE:
        yield warning(
            SUBJECT,
            f"SQLite waits only {patience} ms for another writer.",
            'Two people who write at the same time get "database is locked".',
            *_SQLITE_LINES,
        )


def _postgresql(connection: Connection) -> Iterator[Finding]:
    encoding = str(connection.execute(text("SHOW server_encoding")).scalar_one())
    if encoding != "UTF8":
        yield wrong(SUBJECT, f"The database is encoded in {encoding}.", "Letters it does not have cannot be stored.", "createdb --encoding UTF8 …")
    if int(connection.execute(text("SHOW server_version_num")).scalar_one()) < 150_000:
        yield warning(SUBJECT, "PostgreSQL is older than 15.", "The desk is not tried with it.")
    level = str(connection.execute(text("SHOW transaction_isolation")).scalar_one()).upper()
    yield from _isolation(level)
    yield from _clock(connection.execute(text("SELECT clock_timestamp()")).scalar_one())


def _mariadb(connection: Connection) -> Iterator[Finding]:
    charset = str(connection.execute(text("SELECT @@character_set_connection")).scalar_one())
    if charset != "utf8mb4":
        yield wrong(
            SUBJECT,
            f"The connection speaks {charset}, not utf8mb4.",
            "Messages with emojis, and many Chinese names, cannot be stored.",
            'SQLALCHEMY_DATABASE_URI = "mysql+pymysql://…?charset=utf8mb4"',
        )
    else:
        yield good(SUBJECT, "The connection speaks utf8mb4.")
    level = str(connection.execute(text("SELECT @@transaction_isolation" if _is_mysql(connection) else "SELECT @@tx_isolation")).scalar_one())
    yield from _isolation(level.replace("-", " "))
    yield from _clock(connection.execute(text("SELECT UTC_TIMESTAMP(6)")).scalar_one().replace(tzinfo=dt.UTC))


def _is_mysql(connection: Connection) -> bool:
    return not getattr(connection.dialect, "is_mariadb", False)


def _isolation(level: str) -> Iterator[Finding]:
    if level in ("READ COMMITTED", "REPEATABLE READ"):
        yield good(SUBJECT, f"Transactions are isolated as {level}.")
        return
    costs = "Transactions see what others may still undo." if level == "READ UNCOMMITTED" else "Many of them fail and are done again: it gets slow."
    yield warning(SUBJECT, f"Transactions are isolated as {level}.", costs, 'SQLALCHEMY_ENGINE_OPTIONS = {"isolation_level": "READ COMMITTED"}')


def _clock(moment: dt.datetime) -> Iterator[Finding]:
    apart = abs(moment - utc_now())
    if apart > _MOST_APART:
        yield warning(
            SUBJECT,
            f"The clocks of the database and of this machine are {apart.total_seconds():.0f} s apart.",
            "Mails may be sent twice or late where machines disagree about what time it is.",
            "timedatectl set-ntp true",
        )
