"""Fixtures: a small store on SQLite, and on each database in turn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hosts.store import Store, make_store

DATABASES = ("sqlite", "postgresql", "mariadb")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A small store on SQLite."""
    made = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path)
    yield made
    _dispose(made)


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database: the test runs once on each."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.sqlite"
    return str(request.getfixturevalue(f"{request.param}_database"))


@pytest.fixture
def any_store(database_url: str, tmp_path: Path) -> Iterator[Store]:
    """A small store on each of the three databases in turn."""
    made = make_store(database_url, tmp_path)
    yield made
    _dispose(made)


def _dispose(store: Store) -> None:
    with store.app.app_context():
        store.db.session.remove()
        for engine in store.db.engines.values():
            engine.dispose()
