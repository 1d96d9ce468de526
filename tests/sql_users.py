"""The SQL manager's own user of a database, made by the lines that the desk prints."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from cs_plugin.store.sql_results import Manager
from cs_plugin.store.sql_role import made_on_mariadb, made_on_postgresql
from cs_plugin.store.sql_server import ServerManager
from cs_plugin.store.sql_sqlite import SQLiteManager
from cs_plugin.store.sql_text import language_of
from tests.hosts.store import Store

PASSWORD = "a password of its own"


@contextmanager
def administering(url: str) -> Iterator[sa.Connection]:
    """Connect as who may do anything, statement by statement; percent signs are themselves."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect().execution_options(no_parameters=True) as connection:
        yield connection


@contextmanager
def user_of(url: str, *, lines: Sequence[str] | None = None) -> Iterator[sa.URL]:
    """Make a user for the SQL manager of a database, by the desk's own lines or by others, in which {user} is its name; take it away at the end."""
    database = sa.make_url(url)
    name = f"sql_{uuid.uuid4().hex[:10]}"
    on_postgresql = database.get_backend_name() == "postgresql"
    made = (made_on_postgresql if on_postgresql else made_on_mariadb)(database.database, name)
    with administering(url) as connection:
        for line in made if lines is None else (made[0], *(one.format(user=name) for one in lines)):
            connection.exec_driver_sql(line.replace("…", PASSWORD))
        try:
            yield database.set(username=name, password=PASSWORD)
        finally:
            for line in (f"DROP OWNED BY {name}", f"DROP ROLE {name}") if on_postgresql else (f"DROP USER '{name}'@'%'",):
                connection.exec_driver_sql(line)


@contextmanager
def manager_of(store: Store) -> Iterator[Manager]:
    """Give the SQL manager of a store's database."""
    url = store.desk.app.config["SQLALCHEMY_DATABASE_URI"]
    if language_of(sa.make_url(url).get_backend_name()) == "sqlite":
        yield SQLiteManager(Path(sa.make_url(url).database or ""))
        return
    with user_of(url) as user:
        yield ServerManager(user)
