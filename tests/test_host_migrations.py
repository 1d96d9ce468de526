"""A host's own migrations and ours: in one database, each with its own history, and neither sees the other's tables."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask_migrate import Migrate

from cs_plugin.store import schema
from tests.hosts.store import Store, make_store

OURS = frozenset({"cs_thread", "cs_message", "cs_outbox", schema.VERSION_TABLE})
ORDERS = ["migrate before the desk", "migrate after the desk"]


def store_with_baskets(database: str, folder: Path, order: str, **arguments: Any) -> Store:
    """A store with a table and a history of its own, and the desk beside it. `arguments` are Flask-Migrate's."""
    store = make_store(database, folder, mount=False)
    give_baskets(store)
    migrate = Migrate(directory=str(folder / "migrations"), **arguments)
    if order == ORDERS[0]:
        migrate.init_app(store.app, store.db)
    store.customer_service.init_app(store.app, db=store.db)
    if order == ORDERS[1]:
        migrate.init_app(store.app, store.db)
    return store


def give_baskets(store: Store) -> None:
    """Declare a table of the store's own."""
    store.db.Table("basket", sa.Column("id", sa.Integer, primary_key=True), sa.Column("words", sa.String(20)))


def run(store: Store, *command: str) -> str:
    """Run one of the application's commands, and return what it said."""
    done = store.app.test_cli_runner().invoke(args=list(command))
    assert done.exit_code == 0, done.output
    return str(done.output)


def tables(store: Store) -> set[str]:
    """The tables of the database."""
    with store.app.app_context():
        store.db.engine.dispose()
        return set(sa.inspect(store.db.engine).get_table_names())


def new_revisions(store: Store) -> str:
    """Let the host look for what has changed, and return the migration that it has written of it; empty for none."""
    folder = Path(store.app.instance_path) / "migrations" / "versions"
    before = set(folder.glob("*.py"))
    run(store, "db", "migrate", "-m", "changes")
    return "".join(path.read_text() for path in set(folder.glob("*.py")) - before)


@pytest.fixture(params=ORDERS)
def order(request: pytest.FixtureRequest) -> str:
    """Whether Flask-Migrate is set up before the desk or after it."""
    return str(request.param)


@pytest.fixture
def migrated(database_url: str, tmp_path: Path, order: str) -> Any:
    """A store whose first migration has run, with the desk's tables there."""
    store = store_with_baskets(database_url, tmp_path, order)
    run(store, "db", "init")
    run(store, "db", "migrate", "-m", "first")
    run(store, "db", "upgrade")
    run(store, "cs", "upgrade")
    yield store
    with store.app.app_context():
        store.db.session.remove()
        store.db.engine.dispose()


def test_a_hosts_autogenerate_sees_no_change(migrated: Store) -> None:
    """Neither `check` nor `migrate` finds a table of ours to drop; the host's one migration stays the only one.

    With nothing to report, `check` of Flask-Migrate 4.1 ends in an IndexError under newer versions of Alembic, with the desk or without.
    """
    assert OURS | {"basket", "alembic_version"} <= tables(migrated)
    checked = migrated.app.test_cli_runner().invoke(args=["db", "check"])
    assert "No changes in schema detected" in checked.output
    assert "cs_" not in checked.output
    assert new_revisions(migrated) == ""


def test_a_host_goes_up_and_down_without_us_and_we_without_the_host(migrated: Store) -> None:
    """Its downgrade leaves our tables, ours leaves its tables; and both come back."""
    run(migrated, "db", "downgrade", "base")
    assert tables(migrated) >= OURS
    assert "basket" not in tables(migrated)
    run(migrated, "db", "upgrade")
    run(migrated, "cs", "downgrade", "base", "--yes")
    assert {one for one in tables(migrated) if one.startswith("cs_")} == set()
    assert {"basket", "alembic_version"} <= tables(migrated)
    run(migrated, "cs", "upgrade")
    assert tables(migrated) >= OURS
    assert new_revisions(migrated) == ""


def test_without_the_desk_the_host_still_migrates(database_url: str, tmp_path: Path) -> None:
    """A host that has taken the desk out, and left its tables, has a history that stands on its own."""
    store = store_with_baskets(database_url, tmp_path, ORDERS[0])
    run(store, "db", "init")
    run(store, "db", "migrate", "-m", "first")
    run(store, "cs", "upgrade")
    alone = make_store(database_url, tmp_path, mount=False)
    give_baskets(alone)
    Migrate(alone.app, alone.db, directory=str(tmp_path / "migrations"))
    run(alone, "db", "upgrade")
    assert "basket" in tables(alone)
    for one in (store, alone):
        with one.app.app_context():
            one.db.engine.dispose()


def test_a_hosts_own_choice_of_names_still_holds(tmp_path: Path, order: str) -> None:
    """A host that leaves tables of its own out of its migrations goes on doing so; ours are left out besides."""

    def not_reports(name: str | None, kind: str, _parents: object) -> bool:
        return kind != "table" or name != "report"

    store = store_with_baskets(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, order, include_name=not_reports)
    run(store, "db", "init")
    run(store, "db", "migrate", "-m", "first")
    run(store, "db", "upgrade")
    run(store, "cs", "upgrade")
    with store.app.app_context(), store.db.engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE report (id INTEGER)"))
    assert new_revisions(store) == ""
    with store.app.app_context(), store.db.engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE forgotten (id INTEGER)"))
    found = new_revisions(store)
    assert "op.drop_table('forgotten')" in found
    assert "cs_" not in found


OWN_FILTER = """
def include_name(name, kind, parents):
    return kind != "table" or name != "report"
"""
# Two ways in which a store's env.py has a filter of its own: as an argument beside ours, and in the place of ours.
WAYS = {"an argument": "include_name=include_name,\n            **conf_args", "in our place": '**{**conf_args, "include_name": include_name}'}


@pytest.mark.parametrize("way", WAYS)
def test_a_filter_that_stands_in_the_hosts_env_py_holds_beside_ours(tmp_path: Path, order: str, way: str) -> None:
    """It neither clashes with ours nor takes its place: what it leaves out and what is ours stay, what the host forgot is found."""
    url = f"sqlite:///{tmp_path}/store.sqlite"
    run(store_with_baskets(url, tmp_path, order), "db", "init")
    env = tmp_path / "migrations" / "env.py"
    text = env.read_text()
    assert text.count("**conf_args") == 1
    env.write_text(text.replace("**conf_args", WAYS[way]).replace("def get_engine", OWN_FILTER + "\n\ndef get_engine", 1))
    store = store_with_baskets(url, tmp_path, order)
    run(store, "cs", "upgrade")
    run(store, "db", "migrate", "-m", "first")
    run(store, "db", "upgrade")
    assert new_revisions(store) == ""
    with store.app.app_context(), store.db.engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE report (id INTEGER)"))
        connection.execute(sa.text("CREATE TABLE forgotten (id INTEGER)"))
    found = new_revisions(store)
    assert "op.drop_table('forgotten')" in found
    assert "report" not in found
    assert "cs_" not in found


def test_tables_that_a_filter_lets_through_are_left_alone_unless_they_are_the_hosts(tmp_path: Path) -> None:
    """A host that calls a table of its own `cs_…` goes on migrating it."""
    engine = sa.create_engine(f"sqlite:///{tmp_path}/store.sqlite")
    schema.upgrade(engine)
    theirs = sa.MetaData()
    sa.Table("cs_catalogue", theirs, sa.Column("id", sa.Integer, primary_key=True), sa.Column("words", sa.String(20)))
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE cs_catalogue (id INTEGER NOT NULL PRIMARY KEY)"))
        found = compare_metadata(MigrationContext.configure(connection), theirs)
    assert [(one[0], one[2]) for one in found] == [("add_column", "cs_catalogue")]
    engine.dispose()


# What each database keeps besides tables, by name.
LEFTOVERS = {
    "sqlite": "SELECT name FROM sqlite_master WHERE name LIKE '%cs\\_%' ESCAPE '\\'",
    "postgresql": "SELECT relname FROM pg_class WHERE relname LIKE '%cs\\_%' UNION SELECT typname FROM pg_type WHERE typname LIKE '%cs\\_%'",
    "mysql": "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE '%cs\\_%'",
}


def leftovers(store: Store) -> list[str]:
    """Whatever of the desk's is left in the database: tables, indexes, sequences, types."""
    with store.app.app_context(), store.db.engine.connect() as connection:
        return list(connection.execute(sa.text(LEFTOVERS["mysql" if connection.dialect.name == "mariadb" else connection.dialect.name])).scalars())


def test_nothing_is_left_of_the_desk_after_it_was_taken_down(migrated: Store) -> None:
    """On every database: no table, index, sequence or type of ours, no version table; and the store without the desk has nothing to migrate."""
    assert leftovers(migrated)
    run(migrated, "cs", "downgrade", "base", "--yes")
    assert leftovers(migrated) == []
    folder, url = Path(migrated.app.instance_path), migrated.app.config["SQLALCHEMY_DATABASE_URI"]
    # An application for each command, as on a command line: Flask-Migrate keeps what the first one needed.
    checked, migrating = (alone(url, folder) for _ in range(2))
    said = checked.app.test_cli_runner().invoke(args=["db", "check"]).output
    assert "Detected removed" not in said
    assert "New upgrade operations" not in said
    assert new_revisions(migrating) == ""
    for store in (checked, migrating):
        with store.app.app_context():
            store.db.engine.dispose()


def alone(database: str, folder: Path) -> Store:
    """The store with baskets, without the desk."""
    store = make_store(database, folder, mount=False)
    give_baskets(store)
    Migrate(store.app, store.db, directory=str(folder / "migrations"))
    return store


# A store in a process that has never heard of the desk.
FORGOTTEN = """
    import pathlib
    import sys
    from flask import Flask
    from flask_migrate import Migrate
    from flask_sqlalchemy import SQLAlchemy

    app = Flask("store")
    app.config["SQLALCHEMY_DATABASE_URI"] = sys.argv[1]
    db = SQLAlchemy(app)
    db.Table("basket", db.Column("id", db.Integer, primary_key=True), db.Column("words", db.String(20)))
    Migrate(app, db, directory=sys.argv[2])
    for words in (["db", "migrate", "-m", "clean"], ["db", "upgrade"]):
        done = app.test_cli_runner().invoke(args=words)
        assert done.exit_code == 0, done.output
        # Parts of SQLite's index of words go with it, as docs/hosts.md says.
        for path in pathlib.Path(sys.argv[2], "versions").glob("*_clean.py"):
            lines = path.read_text().splitlines()
            parts = [line for line in lines if "drop_table('cs_fts_message_" in line or "drop_table('cs_fts_thread_" in line]
            path.write_text("\\n".join(line for line in lines if line not in parts))
    assert "cs_plugin" not in sys.modules
"""


def test_a_store_that_was_not_taken_down_first_can_drop_our_tables_by_its_own_migration(tmp_path: Path) -> None:
    """Once the desk is gone, nothing hides its tables: the store's next migration proposes to drop them, and does it."""
    url = f"sqlite:///{tmp_path}/store.sqlite"
    store = store_with_baskets(url, tmp_path, ORDERS[0])
    for words in (("db", "init"), ("db", "migrate", "-m", "first"), ("db", "upgrade"), ("cs", "upgrade")):
        run(store, *words)
    command = (sys.executable, "-c", textwrap.dedent(FORGOTTEN), url, str(tmp_path / "migrations"))
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    assert leftovers(store) == []
    assert tables(store) == {"basket", "alembic_version"}


def test_the_host_is_asked_once_however_many_contexts_were_entered(tmp_path: Path) -> None:
    """The filter is put around the host's once, not once a request."""
    asked: list[str | None] = []

    def note(name: str | None, _kind: str, _parents: object) -> bool:
        asked.append(name)
        return True

    store = store_with_baskets(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, ORDERS[0], include_name=note)
    for _ in range(5):
        store.client().get("/whoami")
    assert store.app.extensions["migrate"].configure_args["include_name"]("basket", "table", {})
    assert asked == ["basket"]
    assert not store.app.extensions["migrate"].configure_args["include_name"]("cs_thread", "table", {})


@pytest.mark.skipif(importlib.util.find_spec("flask_alembic") is None, reason="Flask-Alembic is not installed")
def test_flask_alembic_sees_no_change_either(database_url: str, tmp_path: Path, order: str) -> None:
    """The other way in which hosts migrate, set up before the desk or after it."""
    from flask_alembic import Alembic

    store = make_store(database_url, tmp_path, mount=False)
    store.app.config["ALEMBIC"] = {"script_location": str(tmp_path / "migrations")}
    give_baskets(store)
    alembic = Alembic()
    if order == ORDERS[0]:
        alembic.init_app(store.app)
    store.customer_service.init_app(store.app, db=store.db)
    if order == ORDERS[1]:
        alembic.init_app(store.app)
    with store.app.app_context():
        schema.upgrade(store.desk.engine)
        alembic.revision("first")
        alembic.upgrade()
        assert not alembic.compare_metadata()
    assert OURS | {"basket"} <= tables(store)
    run(store, "cs", "downgrade", "base", "--yes")
    with store.app.app_context():
        assert not alembic.compare_metadata()
    assert leftovers(store) == []
    with store.app.app_context():
        store.db.session.remove()
        store.db.engine.dispose()
