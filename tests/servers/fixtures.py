"""The fixtures that give tests their servers. A server starts when the first test asks for it.

PostgreSQL and MariaDB are shared by all workers of a run; Redis, Dovecot and the browser are a worker's own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import playwright.sync_api
import pytest

from tests.servers import dovecot, mariadb, postgresql, redis
from tests.servers.browser import Browser, browsing
from tests.servers.run import Run
from tests.servers.smtp import SMTPServer

RUN = pytest.StashKey[Run]()
FOLDER_GIVEN = "servers_folder"

# aiosmtpd warns of passwords without TLS, which nobody overhears on the loopback.
QUIET = "ignore:Requiring AUTH while not requiring TLS:UserWarning"


def pytest_configure(config: pytest.Config) -> None:
    """Begin the run, or join the controller's as one of its workers."""
    config.addinivalue_line("filterwarnings", QUIET)
    given: dict[str, Any] | None = getattr(config, "workerinput", None)
    config.stash[RUN] = Run.begin() if given is None else Run(Path(given[FOLDER_GIVEN]))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:  # pytest-xdist has no public type for a worker's node
    """Tell a worker, before it starts, where the run is written down."""
    node.workerinput[FOLDER_GIVEN] = str(node.config.stash[RUN].folder)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the run, once its workers are gone."""
    if not hasattr(config, "workerinput"):
        config.stash[RUN].end()


@pytest.fixture(scope="session")
def server_run(pytestconfig: pytest.Config) -> Run:
    """The run that servers are started in."""
    return pytestconfig.stash[RUN]


@pytest.fixture(scope="session")
def postgresql_server(server_run: Run) -> Iterator[postgresql.PostgreSQLServer]:
    """The run's PostgreSQL server."""
    with postgresql.PostgreSQLServer(server_run.server("postgresql", postgresql.start)) as server:
        yield server


@pytest.fixture
def postgresql_database(postgresql_server: postgresql.PostgreSQLServer) -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    url = postgresql_server.create_database()
    yield url
    postgresql_server.drop_database(url)


@pytest.fixture(scope="session")
def mariadb_server(server_run: Run) -> Iterator[mariadb.MariaDBServer]:
    """The run's MariaDB server."""
    with mariadb.MariaDBServer(server_run.server("mariadb", mariadb.start)) as server:
        yield server


@pytest.fixture
def mariadb_database(mariadb_server: mariadb.MariaDBServer) -> Iterator[str]:
    """The URL of an empty MariaDB database."""
    url = mariadb_server.create_database()
    yield url
    mariadb_server.drop_database(url)


@pytest.fixture(scope="session")
def redis_server(server_run: Run) -> redis.RedisServer:
    """A Redis server of this worker's own."""
    return redis.RedisServer(server_run.server(_own("redis"), redis.start))


@pytest.fixture(scope="session")
def dovecot_server(server_run: Run) -> dovecot.DovecotServer:
    """A Dovecot server of this worker's own."""
    return dovecot.DovecotServer(server_run.server(_own("dovecot"), dovecot.start))


@pytest.fixture
def smtp_server() -> Iterator[SMTPServer]:
    """A well-behaved SMTP server that has received nothing."""
    with SMTPServer() as server:
        yield server


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """This worker's browser."""
    with browsing() as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[playwright.sync_api.Page]:
    """An empty page in a window of its own."""
    with browser.context() as context:
        yield context.new_page()


def _own(name: str) -> str:
    """Name a server that no other worker of the run uses."""
    return f"{name}-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
