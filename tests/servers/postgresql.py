"""A PostgreSQL server, which forgets durability for speed: what it holds is thrown away after the run."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path

import psycopg
import sqlalchemy as sa

from tests.servers.databases import DatabaseServer
from tests.servers.processes import HOST, RunningServer, free_port, hand_over, place_for, run_to_its_end, start_server, user_for
from tools.programs import find_program

SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "autovacuum": "off",
}


def start(folder: Path, *, kept: Path | None = None, changed: Mapping[str, str] | None = None) -> RunningServer:
    """Make a cluster in `folder` and start it; under the account `postgres` when we are root, whom it refuses.

    `kept` is a folder outside that outlives the run: what a run before left there is served again. `changed` are settings that go before ours.
    """
    account = user_for("postgres")
    data = folder / "data"
    made = kept is not None and (kept / "PG_VERSION").exists()
    place_for(data, kept)
    if not made:
        hand_over(kept or data, user=account)
        preparation = ("--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
        run_to_its_end((find_program("initdb"), *preparation, "--pgdata", data), folder=data, user=account)
    port = free_port()
    settings = [f"--{name}={value}" for name, value in {**SETTINGS, **(changed or {})}.items()]
    return start_server(
        (find_program("postgres"), "-D", data, "-p", str(port), *settings),
        folder=folder,
        ports=(port,),
        ready=lambda: _lets_in(port),
        user=account,
        end_signal=signal.SIGINT,  # the "fast" end: SIGTERM waits until every client has gone
    )


class PostgreSQLServer(DatabaseServer):
    """A running PostgreSQL server."""

    def __init__(self, running: RunningServer) -> None:
        """Use the server that `start` started."""
        address = sa.URL.create("postgresql+psycopg", username="postgres", host=HOST, port=running.port)
        super().__init__(running, administrator=address.set(database="postgres"), database_url=address)

    def create_database(self, *, template: str | None = None) -> str:
        """Make a database, empty or a copy of `template` (its URL); return its SQLAlchemy URL.

        PostgreSQL copies no database that somebody is connected to.
        """
        source = "template0" if template is None else sa.make_url(template).database or ""
        return self._create(f"TEMPLATE {self._quoted(source)}")

    def database(self, name: str) -> str:
        """Return the URL of the database of a name, which is made where it is not there."""
        if not self._ask("SELECT count(*) FROM pg_database WHERE datname = %s", name):
            self._run(f"CREATE DATABASE {self._quoted(name)} TEMPLATE template0")
        return self._url(name)

    def drop_database(self, url: str) -> None:
        """Drop a database that create_database made, whoever is still connected to it."""
        self._run(f"DROP DATABASE {self._quoted(sa.make_url(url).database or '')} WITH (FORCE)")


def _lets_in(port: int) -> bool:
    """Tell whether the server takes connections: for a moment it listens and answers that it is starting up."""
    try:
        psycopg.connect(host=HOST, port=port, user="postgres", dbname="postgres", connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True
