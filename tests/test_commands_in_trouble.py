"""What `flask cs …` says where the database or the store fails it: a sentence, and no traceback."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import event
from sqlalchemy.exc import ProgrammingError

from cs_plugin.store.models import Base
from tests.hosts.served import environment, worker
from tests.hosts.store import Store, make_store
from tests.hosts.syncing import mail
from tests.servers.processes import wait_until
from tests.test_cli import run
from tests.test_mail_in_commands import mbox

COMMANDS = (["jobs"], ["failed"], ["sync"], ["options", "list"], ["options", "set", "files_per_message=7"], ["deliver"])


def told(result: Result) -> str:
    """Return what a command has said that has failed in words."""
    assert (result.exit_code, type(result.exception)) == (1, SystemExit), result.exception
    return result.output


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_says_what_makes_the_tables_that_it_misses(store: Store, command: list[str]) -> None:
    """Somebody has installed the desk, and reads on only now."""
    run(store, "downgrade", "base", "--yes")
    assert told(run(store, *command)) == "Error: The desk's tables are not there: run flask cs upgrade.\n"


def test_the_tables_are_missed_on_every_database(any_store: Store) -> None:
    """Each has an error of its own for that."""
    Base.metadata.drop_all(any_store.desk.engine)
    assert told(run(any_store, "jobs")).startswith("Error: The desk's tables ")


@pytest.mark.parametrize("command", [["import", "mbox", "old.mbox", "--shop", "1"], ["options", "set", "files_per_message=7"]], ids=" ".join)
def test_a_command_says_that_the_database_is_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]) -> None:
    """Another program holds it, for longer than anybody waits."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path)
    event.listen(store.desk.engine, "connect", lambda connection, _record: connection.execute("PRAGMA busy_timeout=10"))
    store.desk.engine.dispose()
    monkeypatch.chdir(tmp_path)
    mbox(tmp_path, mail(1))
    with sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        said = told(run(store, *command))
    assert said == "Error: The database did not do it: OperationalError: database is locked\n"


def test_a_mistake_of_ours_is_not_hidden(store: Store) -> None:
    """What the database refuses while all of it is there is for whoever mends the desk."""

    def refuse(_connection: object, _cursor: object, statement: str, *_others: object) -> None:
        if "FROM cs_job" in statement:
            raise ProgrammingError(statement, {}, sqlite3.ProgrammingError("it makes no sense"))

    event.listen(store.desk.engine, "before_cursor_execute", refuse)
    assert isinstance(run(store, "jobs").exception, ProgrammingError)


def test_a_command_says_which_answer_of_the_store_is_of_no_use(store: Store) -> None:
    """In a line, as `flask cs options` does."""
    store.answers.shops = ()
    assert told(run(store, "sync")).splitlines()[-1].startswith("Error: cs_list_shops answered ()")


def test_a_worker_that_begins_before_its_tables_says_so_first(tmp_path: Path) -> None:
    """It waits for them, and the traceback of each duty that fails is a long text."""
    log = tmp_path / "work.log"
    log.touch()
    with worker(log, environment(tmp_path, f"sqlite:///{tmp_path}/store.sqlite", "memory:")) as running:
        wait_until(lambda: "The worker has begun" in log.read_text(), seconds=60.0, what="the worker has begun")
        assert running.poll() is None
    said, _begun, _traceback = log.read_text().partition("The worker has begun")
    assert "Nothing can be done yet. The desk's tables are not there: run flask cs upgrade.\n" in said
