"""Locks: one thread, one writer; and which errors of a database mean "try that transaction again"."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from random import uniform
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, Insert, Select, Table, Update, bindparam, column, insert, select, table, update
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from cs_plugin.store import pack_marks, tally
from cs_plugin.store.models import Base, RangeMark, Thread
from cs_plugin.store.schema import VERSION_TABLE
from cs_plugin.store.scope import Scope
from cs_plugin.store.types import can_be_id

log = logging.getLogger(__name__)
Result = TypeVar("Result")
Query = TypeVar("Query", bound=Select[Any])

# Deadlock, lock wait timeout and failed serialisation: PostgreSQL by SQLSTATE, MariaDB by number.
_PASSING_STATES = frozenset({"40001", "40P01", "55P03"})
_PASSING_NUMBERS = frozenset({1020, 1205, 1213})
_ATTEMPTS = 8
RANGE = 5_000   # ids of threads that are counted together
_ONLY_READS = "cs_plugin.only_reads"
_EVERYBODYS = table(VERSION_TABLE, column("version_num"))
# A thread that was merged into one that was merged, and so on; a circle, which only a hand in the database draws, ends here.
MOST_MERGES = 50


def only_reads(session: Session) -> Session:
    """Return a session whose next transaction only reads: one of our own takes no write lock for it.

    Whoever looks every second whether there is something to do keeps no writer waiting, and waits for none.
    """
    session.connection(bind_arguments={"mapper": Thread}, execution_options={_ONLY_READS: True})
    return session


def begin_immediately(connection: Connection) -> None:
    """Take SQLite's only write lock at once: a transaction that reads first, and then writes, cannot wait for it; it fails."""
    in_transaction = connection.connection.dbapi_connection.in_transaction  # type: ignore[union-attr]
    if not in_transaction and not connection.get_execution_options().get(_ONLY_READS):
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def lock_threads(session: Session, scope: Scope, ids: Collection[int], *, changes: bool = True) -> Sequence[Thread]:
    """Lock threads in the order of their ids, so that two writers never wait for each other, and return them as they are now.

    Ids outside the scope are left out. The rows are read by the lock itself: on MariaDB a plain SELECT after it would show an older snapshot.
    Figures (`store.tally`, `store.packed_days`) and lists count a locked thread as it stands from here on, unless nothing of it `changes` under this
    lock.
    """
    wanted = {"ids": sorted({one for one in ids if can_be_id(one)})}
    if _dialect(session) == "sqlite":
        # SQLite has no row locks: the first write takes the database's only one.
        session.execute(_writing_threads(scope, by=int(changes)), wanted, execution_options={"synchronize_session": False})
    locked = session.scalars(locking(session, _reading_threads(scope)), wanted).all()
    if changes:
        # Whatever becomes of them now, figures and counts see it.
        tally.set_apart(session, locked)
        mark(session, [thread.id for thread in locked])
        pack_marks.leave(session, [thread.id for thread in locked])
    return locked


# Put together once: that takes longer than the database does.
@lru_cache(maxsize=64)
def _reading_threads(scope: Scope) -> Select[Any]:
    return select(Thread).where(Thread.id.in_(bindparam("ids", expanding=True)), scope.covers(Thread.shop_id)).order_by(Thread.id)


@lru_cache(maxsize=64)
def _writing_threads(scope: Scope, *, by: int) -> Update:
    chosen = Thread.id.in_(bindparam("ids", expanding=True)), scope.covers(Thread.shop_id)
    return update(Thread).where(*chosen).values(version=Thread.version + by)


def has_one_writer(session: Session) -> bool:
    """Say whether the database lets only one transaction write at a time, so that a long one keeps all others waiting."""
    return _dialect(session) == "sqlite"


def changes_of_others(session: Session) -> tuple[int, int]:
    """Return which connection to SQLite the session has, and a number that changes whenever another one has written: it is that connection's own.

    Nobody is kept waiting for it, and the session is in no transaction afterwards.
    """
    connection = only_reads(session).connection(bind_arguments={"mapper": Thread})
    number = connection.exec_driver_sql("PRAGMA data_version").scalar_one()
    own = id(connection.connection.dbapi_connection)
    session.rollback()
    return own, number


def mark(session: Session, ids: Collection[int]) -> None:
    """Note that threads change, or begin: the totals of their ranges do not count until they are made anew (`store.totals`)."""
    numbers = sorted({one // RANGE for one in ids})
    insert_rows(session, RangeMark, [{"number": number} for number in numbers])


def insert_rows(session: Session, row: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows whose ids nobody needs, in one go, past the session's own objects; what these hold has been flushed where the order matters."""
    if rows:
        # A host may route our models to a database of their own.
        session.connection(bind_arguments={"mapper": row}).execute(_insert_into(row), rows)


def insert_pending(session: Session, row: type[Base]) -> None:
    """Insert the rows of one kind that the session holds and has not flushed, as `insert_rows` does: they leave the session, and have no ids."""
    pending = [one for one in session.new if type(one) is row]
    for one in pending:
        session.expunge(one)
    insert_rows(session, row, [values_of(one) for one in pending])


def values_of(row: Base) -> dict[str, Any]:
    """Return the values that a new row has been given, by the names of its columns."""
    return {name: value for name, value in vars(row).items() if name != "_sa_instance_state"}


@lru_cache(maxsize=64)
def _insert_into(row: type[Base]) -> Insert:
    return insert(cast(Table, row.__table__))


def lock_thread(session: Session, scope: Scope, thread_id: int) -> Thread | None:
    """Lock one thread and return it as it is now, or the one that it has been merged into; None where it does not exist in the scope."""
    thread = next(iter(lock_threads(session, scope, [thread_id])), None)
    # It may have been merged since it was found. Two who lock in opposite orders for it are told of a deadlock, and one of them does it again.
    for _step in range(MOST_MERGES):
        if thread is None or thread.merged_into_id is None:
            return thread
        thread = next(iter(lock_threads(session, scope, [thread.merged_into_id])), None)
    return None


def standing_in(session: Session, thread_id: int) -> int:
    """Return the thread that one has been merged into, itself where it has not been; neither is merged, nor parted, until the transaction ends.

    It is for whoever writes beside a thread and changes nothing of it: such writers do not wait for each other where locks can be shared.
    """
    above: int | None = thread_id
    for _step in range(MOST_MERGES):
        thread_id = above if above is not None else thread_id
        query = select(Thread.merged_into_id).where(Thread.id == thread_id)
        if _dialect(session) == "sqlite":
            # It has one lock, which is taken by writing.
            unchanged = update(Thread).where(Thread.id == thread_id).values(version=Thread.version)
            session.execute(unchanged, execution_options={"synchronize_session": False})
        else:
            query = query.with_for_update(read=True)
        above = session.scalar(query)
        if above is None:
            break
    return thread_id


def wait_for_turn(session: Session) -> None:
    """Begin a transaction that only one process has at a time: the others wait here, and then see what this one has written."""
    # A row that is there as soon as our tables are, and that nobody else writes.
    session.execute(update(_EVERYBODYS).values(version_num=_EVERYBODYS.c.version_num), bind_arguments={"mapper": Thread})


def insert_if_absent(session: Session, row: type[Base], key: Collection[str], values: Mapping[str, object]) -> bool:
    """Insert a row unless one with the same `key` (columns of a unique constraint) is there, and say whether it was inserted.

    Whoever inserts the same one at the same time is waited for: no database reports an error that somebody would have to catch.
    """
    dialect = _dialect(session)
    table = cast(Table, row.__table__)
    # A host may route our models to a database of their own; a plain table would not go there.
    there = {"mapper": row}
    # The defaults that stand in the model are SQLAlchemy's, and these statements apply them too.
    if dialect == "postgresql":
        for_postgresql = postgresql.insert(table).values(**values).on_conflict_do_nothing(index_elements=[*key])
        return session.execute(for_postgresql.returning(*table.primary_key.columns), bind_arguments=there).first() is not None
    if dialect == "sqlite":
        for_sqlite = sqlite.insert(table).values(**values).on_conflict_do_nothing(index_elements=[*key])
        result: Any = session.execute(for_sqlite, bind_arguments=there)
    else:
        result = session.execute(mysql.insert(table).values(**values).prefix_with("IGNORE"), bind_arguments=there)
    return bool(result.rowcount == 1)


def locking(session: Session, query: Query) -> Query:
    """Return a query that reads rows as they are now, and locks them: on MariaDB a plain one shows what the transaction's first one saw."""
    query = query.execution_options(populate_existing=True)
    # SQLite has no row locks, and reads nothing old once a transaction has written.
    return query if _dialect(session) == "sqlite" else query.with_for_update()


def _dialect(session: Session) -> str:
    # The host's session may have a database for each model, and none besides.
    return session.get_bind(Thread).dialect.name


def passing(error: DBAPIError) -> bool:
    """Say whether the same transaction may succeed when it is done again."""
    original = error.orig
    if getattr(original, "sqlstate", None) in _PASSING_STATES:
        return True
    arguments: tuple[object, ...] = getattr(original, "args", ())
    if arguments and arguments[0] in _PASSING_NUMBERS:
        return True
    return "database is locked" in str(original) or "database table is locked" in str(original)


def let_go(session: Session) -> None:
    """End the transaction of what has been read: none stays open while the host is asked, files arrive or a page is drawn.

    It ends with a commit, since what the host has left in its session in the same request is the host's, and is not for us to throw away.
    """
    try:
        session.commit()
    except SQLAlchemyError:
        session.rollback()
        log.exception("what was pending in the session could not be written, and was rolled back")


def committed(session: Session, work: Callable[[], Result]) -> Result:
    """Do the work, commit, and return its result; do the whole again where the database asks for it.

    The work must be such that it can be done again: it reads and writes through this session alone.
    """
    for attempt in range(_ATTEMPTS):
        try:
            result = work()
            session.commit()
        except DBAPIError as error:
            session.rollback()
            if attempt == _ATTEMPTS - 1 or not passing(error):
                raise
            time.sleep(uniform(0.01, 0.05) * 2**attempt)  # noqa: S311 - jitter, not a secret
        except BaseException:
            session.rollback()
            raise
        else:
            return result
    raise AssertionError("unreachable")
