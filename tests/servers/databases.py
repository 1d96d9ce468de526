"""What the database servers of the tests have in common: an empty database for each test that asks."""

from __future__ import annotations

import uuid
from types import TracebackType
from typing import Self

import sqlalchemy as sa

from tests.servers.processes import RunningServer


class DatabaseServer:
    """A running database server that makes and drops databases; used as a context, it closes its connections."""

    def __init__(self, running: RunningServer, administrator: sa.URL, database_url: sa.URL) -> None:
        """Know the server's process, an address to make databases through, and the address of one, without its name."""
        self.running = running
        self._database_url = database_url
        self._engine = sa.create_engine(administrator, isolation_level="AUTOCOMMIT", pool_pre_ping=True)

    def __enter__(self) -> Self:
        """Use the server."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close our connections; the server itself is ended with the run."""
        self._engine.dispose()

    def drop_database(self, url: str) -> None:
        """Drop a database that create_database made."""
        self._run(f"DROP DATABASE {self._quoted(sa.make_url(url).database or '')}")

    def _create(self, options: str) -> str:
        name = f"test_{uuid.uuid4().hex[:12]}"
        self._run(f"CREATE DATABASE {self._quoted(name)} {options}")
        return self._url(name)

    def _url(self, name: str) -> str:
        return self._database_url.set(database=name).render_as_string(hide_password=False)

    def _ask(self, question: str, *values: str) -> object:
        with self._engine.connect() as connection:
            return connection.exec_driver_sql(question, values).scalar()

    def _run(self, statement: str) -> None:
        with self._engine.connect() as connection:
            connection.exec_driver_sql(statement)

    def _quoted(self, name: str) -> str:
        """Quote a name: databases are named in the statement, where no parameter can stand."""
        return self._engine.dialect.identifier_preparer.quote_identifier(name)
