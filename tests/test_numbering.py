"""Ids of new rows, taken before the rows are written."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from cs_plugin.store.locking import committed
from cs_plugin.store.models import Blob
from cs_plugin.store.numbering import number_rows
from tests.hosts.store import Store
from tests.hosts.writing import look

NOW = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)


def blobs(name: str, number: int) -> list[Blob]:
    """Return rows that nobody has written."""
    return [Blob(sha256=b"s" * 32, size=1, key=f"{name}-{one:03}", created_at=NOW) for one in range(number)]


def write(session: Session, name: str, number: int) -> list[int]:
    """Write rows with ids of their own, and return these."""
    rows = blobs(name, number)
    number_rows(session, rows)
    session.add_all(rows)
    session.flush()
    return [row.id for row in rows]


def keys(session: Session) -> dict[int, str]:
    """Return what is stored."""
    return {row.id: row.key for row in session.execute(sa.select(Blob.id, Blob.key))}


def test_rows_have_ids_in_their_order(any_store: Store) -> None:
    """Also the first rows of a table, one by itself, and those that are written by the database's own numbers in between."""

    def work(session: Session) -> list[int]:
        ids = [*write(session, "first", 5), *write(session, "single", 1), *write(session, "many", 40)]
        session.add(Blob(sha256=b"s" * 32, size=1, key="plain", created_at=NOW))
        session.flush()
        return [*ids, *write(session, "last", 7)]

    ids = look(any_store, lambda session: committed(session, lambda: work(session)))
    assert ids == sorted(set(ids))
    assert len(look(any_store, keys)) == 54
    assert look(any_store, keys)[ids[10]] == "many-004"


def test_ids_of_what_was_rolled_back_come_to_nobody_twice(any_store: Store) -> None:
    """A number that was taken and not used is at most missing."""
    kept = look(any_store, lambda session: committed(session, lambda: write(session, "kept", 4)))

    def in_vain(session: Session) -> list[int]:
        ids = write(session, "gone", 20)
        session.rollback()
        return ids

    look(any_store, in_vain)
    later = look(any_store, lambda session: committed(session, lambda: write(session, "later", 4)))
    assert not set(kept) & set(later)
    assert set(look(any_store, keys)) == {*kept, *later}


def test_many_who_write_at_once_never_have_one_id(any_store: Store) -> None:
    """Each has numbers of their own, whoever commits first."""

    def one(name: str) -> list[int]:
        with any_store.app.app_context(), any_store.desk.sessions() as session:
            return committed(session, lambda: write(session, name, 25))

    with ThreadPoolExecutor(4) as pool:
        ids = [number for several in pool.map(one, "abcdefgh") for number in several]
    assert len(set(ids)) == 8 * 25
    assert set(look(any_store, keys)) == set(ids)


def test_rows_that_have_ids_keep_them(store: Store) -> None:
    """Nothing is numbered twice."""
    rows = blobs("mine", 4)
    for number, row in enumerate(rows, 100):
        row.id = number
    look(store, lambda session: number_rows(session, rows))
    assert [row.id for row in rows] == [100, 101, 102, 103]


@pytest.mark.parametrize("number", [4, 30])
def test_many_rows_are_one_statement_where_ids_are_known(store: Store, number: int) -> None:
    """SQLite would be asked for each id, row by row."""
    look(store, lambda session: committed(session, lambda: write(session, "before", 1)))
    inserts = list[str]()

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        inserts.extend([statement] if statement.startswith("INSERT INTO cs_blob") else [])

    sa.event.listen(store.desk.engine, "before_cursor_execute", note)
    look(store, lambda session: committed(session, lambda: write(session, "many", number)))
    assert len(inserts) == 1
