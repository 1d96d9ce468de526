"""The desk's tables in a database: up, down and compared with the models, safe when several workers start at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from cs_plugin.errors import ConfigurationError
from cs_plugin.store.fulltext import HIDDEN, OF_SQLITE
from cs_plugin.store.models import Base

VERSION_TABLE = "cs_alembic_version"
target_metadata = Base.metadata

# Under which names metadata keeps the key of an engine: where Flask-SQLAlchemy looks for it, and what the first application of the process said.
_BIND_KEY, _SETTLED = "bind_key", "cs_plugin.bind_key"

# Any number that no other program is likely to lock in the same database.
_LOCK = 0x63735F706C7567

# The same on MariaDB, as a piece of SQL: a server's locks are shared by all of its databases, so the name says whose migrations are meant.
MARIADB_LOCK = "CONCAT('cs_plugin.', MD5(DATABASE()))"

# How many seconds a process waits for another that migrates.
_MARIADB_PATIENCE = 300


def is_ours(name: str | None, kind: str, parents: Any = None) -> bool:  # noqa: ARG001 - Alembic passes it
    """Say whether a migration of ours may look at a table or an index; those over words are no model's, and `store.fulltext` looks after them."""
    if kind == "index":
        return name not in HIDDEN
    return kind != "table" or ((name or "").startswith("cs_") and not (name or "").startswith(OF_SQLITE))


def is_not_ours(name: str | None, kind: str, parents: Any = None) -> bool:  # noqa: ARG001 - Alembic passes it
    """Say whether a host's migrations may look at a table: they neither see nor drop ours."""
    return kind != "table" or not (name or "").startswith("cs_")


def bind_to(key: str | None) -> None:
    """Let Flask-SQLAlchemy find the desk's tables in the database of this bind key; None for the host's own.

    It holds for the process, since the tables are declared once in it. Raise ConfigurationError where another application has said otherwise.
    """
    settled = target_metadata.info.setdefault(_SETTLED, key)
    if settled != key:
        raise ConfigurationError(f"CS_BIND_KEY: another application of this process has set it to {settled!r}; {key!r} needs a process of its own")
    if key is not None:
        target_metadata.info[_BIND_KEY] = key


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the tables up to a revision. Several processes that start at once wait for each other."""
    with _exclusive(engine) as connection:
        command.upgrade(_config(connection), revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Take the tables down to a revision; "base" removes them all, and what they hold."""
    with _exclusive(engine) as connection:
        command.downgrade(_config(connection), revision)
        if current(connection) is None:
            connection.execute(text(f"DROP TABLE IF EXISTS {VERSION_TABLE}"))


def current(connection: Connection) -> str | None:
    """Return the revision of a database; None where our tables are not there."""
    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()


def head() -> str:
    """Return the newest revision of this version of the desk."""
    revision = ScriptDirectory(str(files("cs_plugin") / "migrations")).get_current_head()
    assert revision is not None, "the package holds at least one migration"  # noqa: S101 - a broken package, not bad input
    return revision


def differences(connection: Connection) -> list[Any]:
    """Return how the tables of a database differ from the models; empty where they do not."""
    options = {"version_table": VERSION_TABLE, "include_name": is_ours, "compare_type": True}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), target_metadata))


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", "cs_plugin:migrations")
    config.attributes["connection"] = connection
    return config


@contextmanager
def _exclusive(engine: Engine) -> Iterator[Connection]:
    """Hold a lock of the whole database while migrations run, and commit at the end."""
    hold = {"postgresql": _on_postgresql, "sqlite": _on_sqlite}.get(engine.dialect.name, _on_mariadb)
    with engine.connect() as connection, hold(connection):
        yield connection
        connection.commit()


@contextmanager
def _on_postgresql(connection: Connection) -> Iterator[None]:
    # Whatever level the host's engine has: what the process before us committed is to be seen, and the lock is to last as long as the transaction.
    connection.execution_options(isolation_level="READ COMMITTED")
    # It ends with the transaction, also where the process is killed.
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    yield


@contextmanager
def _on_sqlite(connection: Connection) -> Iterator[None]:
    patience = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
    connection.exec_driver_sql("PRAGMA busy_timeout = 60000")
    try:
        if connection.connection.dbapi_connection.in_transaction:  # type: ignore[union-attr]
            # A host's own listener begins a transaction with every connection, and one that has read cannot wait for the lock.
            connection.exec_driver_sql("COMMIT")
        # The driver begins a transaction only before a write that it recognises; a CREATE TABLE is none.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield
    finally:
        # The connection goes back to the host's pool as it came.
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {int(patience)}")


@contextmanager
def _on_mariadb(connection: Connection) -> Iterator[None]:
    # MariaDB commits at each change of a table, so the lock belongs to the connection.
    if connection.execute(text(f"SELECT GET_LOCK({MARIADB_LOCK}, :seconds)"), {"seconds": _MARIADB_PATIENCE}).scalar() != 1:
        raise ConfigurationError("another process has been migrating the desk's tables for long; try again when it has ended")
    try:
        yield
    finally:
        connection.execute(text(f"SELECT RELEASE_LOCK({MARIADB_LOCK})"))
