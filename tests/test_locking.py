"""Locks and what is done again: one thread, one writer, and only what may succeed is tried once more."""

from __future__ import annotations

import datetime as dt
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import psycopg
import pymysql
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.orm import Session

from cs_plugin.rules.permissions import ALL
from cs_plugin.store.locking import committed, insert_if_absent, lock_thread, lock_threads, passing
from cs_plugin.store.models import EmployeePreference, Post, Thread
from cs_plugin.store.posts import claim, forget, lead_to
from cs_plugin.store.scope import EVERYTHING, Scope
from tests.hosts.store import Store, make_store
from tests.hosts.writing import begin, look, thread_of

HUGE = (0, -1, 2**63, 10**40)


def failure(original: BaseException) -> DBAPIError:
    """Return an error as SQLAlchemy hands it on."""
    return OperationalError("UPDATE", {}, original)


def of_postgresql(state: str) -> psycopg.Error:
    """Return an error of PostgreSQL's with a SQLSTATE."""
    return psycopg.errors.lookup(state)("sorry")


@pytest.mark.parametrize(
    ("original", "again"),
    [
        (sqlite3.OperationalError("database is locked"), True),
        (sqlite3.OperationalError("database table is locked: cs_thread"), True),
        (sqlite3.OperationalError("no such table: cs_thread"), False),
        (of_postgresql("40P01"), True),
        (of_postgresql("40001"), True),
        (of_postgresql("55P03"), True),
        (of_postgresql("23505"), False),
        (pymysql.err.OperationalError(1213, "Deadlock found"), True),
        (pymysql.err.OperationalError(1205, "Lock wait timeout exceeded"), True),
        (pymysql.err.OperationalError(1020, "Record has changed since last read"), True),
        (pymysql.err.OperationalError(2013, "Lost connection"), False),
        (pymysql.err.IntegrityError(1062, "Duplicate entry"), False),
    ],
)
def test_only_what_may_succeed_is_done_again(original: Exception, again: bool) -> None:
    """Deadlocks, time-outs and failed serialisations pass; a lost connection does not: the commit may have arrived."""
    assert passing(failure(original)) is again


def test_work_is_done_again_from_the_start(store: Store) -> None:
    """What the first attempt wrote is gone when the second begins."""
    tries: list[int] = []

    def work(session: Session) -> int:
        seen = session.scalar(sa.select(sa.func.count()).select_from(Post)) or 0
        claim(session, b"k" * 32, store.clock())
        tries.append(seen)
        if len(tries) < 3:
            raise failure(sqlite3.OperationalError("database is locked"))
        return len(tries)

    assert look(store, lambda session: committed(session, lambda: work(session))) == 3
    assert tries == [0, 0, 0]
    assert look(store, lambda session: session.scalar(sa.select(sa.func.count()).select_from(Post))) == 1


@pytest.mark.parametrize(
    "error", [failure(sqlite3.OperationalError("no such table")), IntegrityError("", {}, sqlite3.IntegrityError()), ValueError(), KeyboardInterrupt()]
)
def test_any_other_error_ends_the_work_and_undoes_it(store: Store, error: BaseException) -> None:
    """It is raised at once, and nothing of the work stays."""
    tries = []

    def work(session: Session) -> None:
        tries.append(1)
        claim(session, b"k" * 32, store.clock())
        raise error

    with pytest.raises(type(error)):
        look(store, lambda session: committed(session, lambda: work(session)))
    assert tries == [1]
    assert look(store, lambda session: session.scalar(sa.select(sa.func.count()).select_from(Post))) == 0


def test_a_lock_that_never_comes_is_told_in_the_end(store: Store) -> None:
    """After a number of attempts the database's own error is raised."""
    tries = []

    def work() -> None:
        tries.append(1)
        raise failure(pymysql.err.OperationalError(1213, "Deadlock found"))

    with pytest.raises(OperationalError):
        look(store, lambda session: committed(session, work))
    assert len(tries) == 8


def test_a_locked_thread_is_read_as_it_is_now(any_store: Store) -> None:
    """Who waited for the lock sees what the one before wrote, also where the transaction had read the thread earlier."""
    store = any_store
    thread_id = begin(store)
    holds, waits = Event(), Event()

    def first() -> None:
        with store.desk.sessions() as session:
            thread = lock_thread(session, EVERYTHING, thread_id)
            assert thread is not None
            holds.set()
            waits.wait(timeout=30)
            thread.subject = "written under the first lock"
            session.commit()

    def second() -> str:
        with store.desk.sessions() as session:
            if store.desk.engine.dialect.name == "sqlite":
                waits.set()
            else:
                assert session.get_one(Thread, thread_id).subject == ""
                waits.set()
            thread = lock_thread(session, EVERYTHING, thread_id)
            assert thread is not None
            session.commit()
            return thread.subject

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(first)
        assert holds.wait(timeout=30)
        other = pool.submit(second)
        assert other.result(timeout=60) == "written under the first lock"
        one.result(timeout=60)


def test_threads_are_locked_in_the_order_of_their_ids(any_store: Store) -> None:
    """Two writers that name the same threads in opposite orders never wait for each other in a circle."""
    store = any_store
    ids = [begin(store, f"Thread {number}") for number in range(5)]
    assert look(store, lambda session: [one.id for one in lock_threads(session, EVERYTHING, [*ids[::-1], *ids])]) == ids


def test_only_threads_of_the_scope_are_locked(any_store: Store) -> None:
    """A thread of another shop is neither locked nor returned, and its version stays."""
    store = any_store
    mine, other = begin(store), begin(store, shop_id="2")
    before = thread_of(store, other).version

    def lock(session: Session) -> list[int]:
        found = [one.id for one in lock_threads(session, Scope(frozenset({"1"})), [mine, other])]
        assert lock_thread(session, Scope(frozenset()), mine) is None
        session.commit()
        return found

    assert look(store, lock) == [mine]
    assert thread_of(store, other).version == before


@pytest.mark.parametrize("number", HUGE)
def test_a_number_that_no_row_can_have_locks_nothing(any_store: Store, number: int) -> None:
    """Numbers come from URLs."""
    assert look(any_store, lambda session: lock_thread(session, Scope(ALL), number)) is None


def test_a_row_is_inserted_once(any_store: Store) -> None:
    """The second to insert is told that the row was there, and the first one's values stay."""

    def insert(session: Session, value: int) -> bool:
        row = {"employee_id": "1", "name": "page_size", "value": value, "changed_at": any_store.clock()}
        done = insert_if_absent(session, EmployeePreference, ["employee_id", "name"], row)
        session.commit()
        return done

    assert look(any_store, lambda session: [insert(session, 20), insert(session, 50)]) == [True, False]
    assert look(any_store, lambda session: session.scalars(sa.select(EmployeePreference.value)).all()) == [20]


def test_a_claim_that_is_given_back_can_be_taken_again(any_store: Store) -> None:
    """Work that was rolled back has claimed nothing: the sender may try again."""
    key = b"k" * 32

    def undone(session: Session) -> bool:
        ours = claim(session, key, any_store.clock()) is None
        session.rollback()
        return ours

    assert look(any_store, undone)
    assert look(any_store, undone)


def test_a_claim_ends_when_its_time_is_over(any_store: Store) -> None:
    """A claim that lasts ten minutes is given away after them, and not before."""
    store, key = any_store, b"k" * 32
    lasts = dt.timedelta(minutes=10)

    def take(session: Session) -> bool:
        ours = claim(session, key, store.clock(), lasts=lasts) is None
        if ours:
            lead_to(session, key, 7, 8)
        session.commit()
        return ours

    assert look(store, take)
    store.clock.forward(minutes=10)
    assert not look(store, take)
    store.clock.forward(seconds=1)
    assert look(store, take)
    assert not look(store, take)


def test_a_claim_that_is_forgotten_while_somebody_takes_it_is_theirs(postgresql_database: str, tmp_path: Path) -> None:
    """It is there when they insert, and gone when they look: nobody is told of an error."""
    store, key = make_store(postgresql_database, tmp_path), b"k" * 32
    with store.desk.sessions() as session:
        assert claim(session, key, store.clock()) is None
        session.commit()
    forgotten: list[int] = []

    def meanwhile(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("SELECT") and "FOR UPDATE" in statement and not forgotten:
            forgotten.append(0)
            with store.desk.sessions() as other:
                forgotten.append(forget(other, store.clock() + dt.timedelta(seconds=1)))
                other.commit()

    with store.app.app_context(), store.desk.sessions() as session:
        sa.event.listen(store.desk.engine, "before_cursor_execute", meanwhile)
        ours = claim(session, key, store.clock())
        sa.event.remove(store.desk.engine, "before_cursor_execute", meanwhile)
        session.commit()
        store.db.engine.dispose()
    assert forgotten == [0, 1]
    assert ours is None
