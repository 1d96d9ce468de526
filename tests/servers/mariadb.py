"""A MariaDB server, which forgets durability for speed: what it holds is thrown away after the run."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pymysql
import sqlalchemy as sa

from tests.servers.databases import DatabaseServer
from tests.servers.processes import HOST, RunningServer, free_port, hand_over, place_for, run_to_its_end, start_server, user_for
from tools.programs import find_program

# "loose": a version that does not know the option starts all the same.
SETTINGS = (
    "--skip-log-bin",
    "--skip-name-resolve",
    "--character-set-server=utf8mb4",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-buffer-pool-size=64M",
    "--innodb-log-file-size=32M",
    "--innodb-fast-shutdown=2",
    "--loose-performance-schema=OFF",
    "--loose-debug-no-sync",
)


def start(folder: Path, *, kept: Path | None = None, changed: Sequence[str] = ()) -> RunningServer:
    """Make a data folder in `folder` and start a server on it; under the account `mysql` when we are root.

    `kept` is a folder outside that outlives the run: what a run before left there is served again. `changed` are settings that go before ours.
    """
    account = user_for("mysql")
    data = folder / "data"
    made = kept is not None and (kept / "mysql").exists()
    place_for(data, kept)
    if not made:
        hand_over(kept or data, user=account)
        preparation = ("--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db", f"--datadir={data}")
        run_to_its_end((find_program("mariadb-install-db"), *preparation), folder=data, user=account)
    port = free_port()
    places = (f"--datadir={data}", f"--socket={data / 'socket'}", f"--port={port}", f"--bind-address={HOST}")
    return start_server(
        (find_program("mariadbd"), "--no-defaults", *places, *SETTINGS, *changed),
        folder=folder,
        ports=(port,),
        ready=lambda: _lets_in(port),
        user=account,
    )


class MariaDBServer(DatabaseServer):
    """A running MariaDB server."""

    def __init__(self, running: RunningServer) -> None:
        """Use the server that `start` started."""
        address = sa.URL.create(
            "mysql+pymysql", username="root", host=HOST, port=running.port, query={"charset": "utf8mb4"}
        )
        super().__init__(running, administrator=address, database_url=address)

    def create_database(self) -> str:
        """Make an empty database that holds every character; return its SQLAlchemy URL."""
        return self._create("CHARACTER SET utf8mb4")

    def database(self, name: str) -> str:
        """Return the URL of the database of a name, which is made where it is not there."""
        self._run(f"CREATE DATABASE IF NOT EXISTS {self._quoted(name)} CHARACTER SET utf8mb4")
        return self._url(name)

    def drop_database(self, url: str) -> None:
        """Drop a database that create_database made, whoever is still connected to it.

        Connections are cut first: a drop waits for open transactions, by default for a day.
        """
        inside = "SELECT id FROM information_schema.processlist WHERE db = %s"
        with self._engine.connect() as connection:
            for (thread,) in connection.exec_driver_sql(inside, (sa.make_url(url).database,)).all():
                # One that has ended by itself meanwhile is unknown.
                with suppress(sa.exc.OperationalError):
                    connection.exec_driver_sql("KILL SOFT CONNECTION %s", (thread,))
        super().drop_database(url)


def _lets_in(port: int) -> bool:
    try:
        pymysql.connect(host=HOST, port=port, user="root", connect_timeout=5).close()
    except pymysql.OperationalError:
        return False
    return True
