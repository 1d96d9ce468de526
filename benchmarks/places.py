"""The databases of the benchmarks, with their data kept in a folder: what a run before has made there is measured again."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Flask
from sqlalchemy import event

from benchmarks import made, stock
from cs_plugin import desk
from cs_plugin.store import schema
from tests.hosts.store import Store, make_store
from tests.servers import mariadb, postgresql
from tests.servers.run import Run

# Changed with what `made` makes, so that nothing older is measured.
_VERSION = 1
_DONE = "bench_done"
_FIRST = "0001"     # what is made is a store of the desk's first days
_PASSABLE = 0o755   # servers run under accounts of their own

# Servers as a shop runs them, with memory and a disk that is waited for; those of the tests forget durability.
_POSTGRESQL = {
    "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "autovacuum": "on", "shared_buffers": "1GB", "work_mem": "32MB",
    "effective_cache_size": "4GB", "maintenance_work_mem": "512MB", "random_page_cost": "1.1", "max_wal_size": "4GB",
}  # fmt: skip
_MARIADB = (
    "--innodb-flush-log-at-trx-commit=1", "--innodb-buffer-pool-size=1G", "--innodb-log-file-size=512M", "--max-allowed-packet=64M",
    "--innodb-fast-shutdown=1",
)  # fmt: skip


class Place(ABC):
    """Where databases of one kind lie."""

    @abstractmethod
    def url(self, name: str) -> str:
        """Return the URL of the database of a name, which is made where it is not there."""

    @abstractmethod
    def drop(self, url: str) -> None:
        """Throw away a database."""


class _Files(Place):
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def url(self, name: str) -> str:
        return f"sqlite:///{self._folder}/{name}.sqlite"

    def drop(self, url: str) -> None:
        for end in ("", "-wal", "-shm"):
            Path(f"{sa.make_url(url).database}{end}").unlink(missing_ok=True)


class _Server(Place):
    def __init__(self, server: postgresql.PostgreSQLServer | mariadb.MariaDBServer) -> None:
        self._server = server

    def url(self, name: str) -> str:
        return self._server.database(name)

    def drop(self, url: str) -> None:
        self._server.drop_database(url)


@contextmanager
def place(database: str, data: Path) -> Iterator[Place]:
    """Give where databases of a kind lie; where they need a server, it runs meanwhile, and its data stays in the folder."""
    data = data.resolve()
    data.mkdir(parents=True, exist_ok=True)
    data.chmod(_PASSABLE)
    if database == "sqlite":
        yield _Files(data)
        return
    start: dict[str, Callable[..., Any]] = {
        "postgresql": partial(postgresql.start, kept=data / database, changed=_POSTGRESQL),
        "mariadb": partial(mariadb.start, kept=data / database, changed=_MARIADB),
    }
    kind = postgresql.PostgreSQLServer if database == "postgresql" else mariadb.MariaDBServer
    run = Run.begin()
    try:
        with kind(run.server(database, start[database])) as server:
            yield _Server(server)
    finally:
        run.end()


@contextmanager
def filled_store(where: Place, threads: int, folder: Path, told: Callable[[str], None]) -> Iterator[Store]:
    """Give a store of so many threads, made now unless it lies there already, on the tables of this version of the desk.

    It is made on the tables of the first revision, and brought up by the migrations: what later versions keep, they make out of an old store anyway.
    """
    name = f"threads_{threads}_{_VERSION}"
    url = where.url(name)
    if not _is_done(url):
        told(f"making {threads:,} threads")
        with _lasting(told):
            where.drop(url)
            url = where.url(name)
            with open_store(url, folder, new=True) as store:
                made.fill(store, threads)
                with store.desk.engine.begin() as connection:
                    connection.exec_driver_sql(f"CREATE TABLE {_DONE} (revision varchar(64))")
                    connection.exec_driver_sql(f"INSERT INTO {_DONE} VALUES ('')")
    with open_store(url, folder) as store:
        with store.desk.engine.connect() as connection:
            revision = connection.exec_driver_sql(f"SELECT revision FROM {_DONE}").scalar_one()
        if revision != schema.head():
            told(f"migrating {threads:,} threads, and making them searchable")
            with _lasting(told):
                made.bring_up(store)
                with store.desk.engine.begin() as connection:
                    connection.exec_driver_sql(f"UPDATE {_DONE} SET revision = '{schema.head()}'")
        yield store


@contextmanager
def _lasting(told: Callable[[str], None]) -> Iterator[None]:
    began = time.monotonic()
    yield
    told(f"done in {time.monotonic() - began:.0f} s")


@contextmanager
def open_store(url: str, folder: Path, *, new: bool = False) -> Iterator[Store]:
    """Open a store with ten shops, and a stock view beside the desk; `new` makes its tables and what a store begins with."""
    # Forms are posted without having been opened; that their tokens are looked at costs nothing to speak of.
    store = make_store(url, folder, mount=False, WTF_CSRF_ENABLED=False, TESTING=False)
    store.answers.shops, store.answers.languages = made.SHOPS, made.LANGUAGES
    store.answers.employees = {one.id: one for one in made.EMPLOYEES}
    _as_the_docs_say(store.app, store.db)
    store.customer_service.init_app(store.app, db=store.db)
    store.desk.clock = store.clock
    stock.add(store.app, store.db)
    with store.app.app_context():
        engine = store.desk.engine   # known from here on, outside of requests too
        if new:
            schema.upgrade(engine, _FIRST)
            with store.desk.sessions() as session:
                desk.make_first_contacts(store.desk.bench(session))
                session.commit()
    yield store
    with store.app.app_context():
        store.db.session.remove()
        for engine in store.db.engines.values():
            engine.dispose()


def _as_the_docs_say(app: Flask, db: Any) -> None:
    """Set SQLite up as docs/operating.md recommends."""
    with app.app_context():
        engine: sa.Engine = db.engine
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def _ahead(connection: Any, _record: object) -> None:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA busy_timeout=15000")


def _is_done(url: str) -> bool:
    engine = sa.create_engine(url)
    try:
        return sa.inspect(engine).has_table(_DONE)
    finally:
        engine.dispose()
