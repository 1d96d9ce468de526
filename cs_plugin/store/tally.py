"""How many threads and messages there are, since the beginning: exact after every write, at a cost that does not grow with the table.

A thread is counted once: in the totals, where it rests, or live, where it has been set apart. Whoever locks a thread sets it apart, with what the
totals hold of it, in the same transaction; a new one is apart from its beginning. `fold` brings threads that are apart back into the totals. So

    count = totals - what they hold of the threads apart + the threads apart as they stand

holds at any moment, whatever becomes of a thread under its lock: a status, a message, a type, the bin, spam, a merge. Rows of the totals are only
added, and a thread's row is its own: no writer waits for another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    Select,
    Table,
    and_,
    case,
    delete,
    event,
    false,
    func,
    insert,
    or_,
    select,
    text,
    union_all,
)
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.orm import Session, UOWTransaction

from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import pack_marks
from cs_plugin.store.models import ContactShop, Thread, ThreadApart, ThreadTotal
from cs_plugin.store.scope import EVERYTHING, Scope

NUMBERS = ("threads", "open_threads", "pending_threads", "customer_messages", "employee_messages")
_QUIET = {"synchronize_session": False}
_PENDING = (Status.PENDING1, Status.PENDING2)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many threads there are, how many of them are open or pending, and how many public messages they hold."""

    threads: int = 0
    open: int = 0
    pending: int = 0
    customer_messages: int = 0
    employee_messages: int = 0

    @property
    def closed(self) -> int:
        """Return how many are neither open nor pending."""
        return self.threads - self.open - self.pending

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.threads + other.threads,
            self.open + other.open,
            self.pending + other.pending,
            self.customer_messages + other.customer_messages,
            self.employee_messages + other.employee_messages,
        )


NONE = Counts()


def counts_by_contact(session: Session, scope: Scope) -> dict[int, Counts]:
    """Return the counts of each contact, 0 for threads of none; a contact that a thread's shop has no longer is none. One query."""
    found: dict[int, Counts] = {}
    for contact_id, *numbers in session.execute(_sums_by_contact(scope)):
        found[int(contact_id)] = found.get(int(contact_id), NONE) + Counts(*(int(number) for number in numbers))
    return found


@lru_cache(maxsize=64)
def _sums_by_contact(scope: Scope) -> Select[Any]:
    """Return the query of the counts; it is kept, since every look at the page asks it and putting it together takes longer than that."""
    every = union_all(*_parts(scope)).subquery()
    sums = select(every.c.shop_id, every.c.contact_id, *(func.sum(every.c[name]).label(name) for name in NUMBERS))
    by_shop = sums.group_by(every.c.shop_id, every.c.contact_id).subquery()
    offered = (ContactShop.contact_id == by_shop.c.contact_id) & (ContactShop.shop_id == by_shop.c.shop_id)
    contact = case((ContactShop.id.is_(None), 0), else_=by_shop.c.contact_id)
    of_all = select(contact, *(func.sum(by_shop.c[name]) for name in NUMBERS))
    return of_all.select_from(by_shop).outerjoin(ContactShop, offered).group_by(contact)


def _parts(scope: Scope) -> tuple[Any, Any, Any]:
    """Return what is added up: the totals, what they hold of the threads apart, taken away, and these as they stand."""
    held = (getattr(ThreadTotal, name) for name in NUMBERS)
    taken = ((-getattr(ThreadApart, name)).label(name) for name in NUMBERS)
    live = select(Thread.shop_id, func.coalesce(Thread.contact_id, 0).label("contact_id"), *_state())
    return (
        select(ThreadTotal.shop_id, ThreadTotal.contact_id, *held).where(scope.covers(ThreadTotal.shop_id)),
        select(ThreadApart.shop_id, ThreadApart.contact_id, *taken).where(scope.covers(ThreadApart.shop_id)),
        # Not as a join: SQLite, which does not know how few they are, may read every thread for it.
        live.where(Thread.id.in_(select(ThreadApart.thread_id)), scope.covers(Thread.shop_id)),
    )


def _state() -> tuple[ColumnElement[int], ...]:
    """Return what a thread comes to as it stands: nothing where it does not lie in the list, or has been merged into another."""
    listed = and_(Thread.folder == Folder.LIST, Thread.merged_into_id.is_(None))
    values: tuple[tuple[ColumnElement[bool], Any], ...] = (
        (listed, 1),
        (listed & (Thread.status == Status.OPEN), 1),
        (listed & Thread.status.in_(_PENDING), 1),
        (listed, Thread.customer_messages),
        (listed, Thread.employee_messages),
    )
    return tuple(case((condition, value), else_=0).label(name) for name, (condition, value) in zip(NUMBERS, values, strict=True))


def set_apart(session: Session, threads: Sequence[Thread]) -> None:
    """Count locked threads live from here on, unless they are already. Call it before anything of them is written."""
    _insert_apart(session, [{"thread_id": one.id, **_place(one), **_standing(one)} for one in threads])


def set_new_apart(session: Session, thread_ids: Collection[int]) -> None:
    """Count threads live that were inserted past the session's own objects, and that no totals hold."""
    found = session.execute(select(Thread.id, Thread.shop_id).where(Thread.id.in_(sorted(thread_ids))))
    _insert_apart(session, [_nothing(thread_id, shop_id) for thread_id, shop_id in found])
    pack_marks.leave(session, thread_ids)


def _place(thread: Thread) -> dict[str, Any]:
    return {"shop_id": thread.shop_id, "contact_id": thread.contact_id or 0}


def _standing(thread: Thread) -> dict[str, int]:
    """Return what a thread comes to as it stands, as `_state` does in SQL."""
    listed = thread.folder is Folder.LIST and thread.merged_into_id is None
    is_open, pending = thread.status is Status.OPEN, thread.status in _PENDING
    numbers = (1, int(is_open), int(pending), thread.customer_messages, thread.employee_messages) if listed else (0,) * len(NUMBERS)
    return dict(zip(NUMBERS, numbers, strict=True))


def _nothing(thread_id: int, shop_id: str) -> dict[str, Any]:
    return {"thread_id": thread_id, "shop_id": shop_id, "contact_id": 0, **dict.fromkeys(NUMBERS, 0)}


def _insert_apart(session: Session, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    dialect = session.get_bind(Thread).dialect.name
    table = cast(Table, ThreadApart.__table__)
    statement: Any
    if dialect == "postgresql":
        statement = postgresql.insert(table).on_conflict_do_nothing(index_elements=["thread_id"])
    elif dialect == "sqlite":
        statement = sqlite.insert(table).on_conflict_do_nothing(index_elements=["thread_id"])
    else:
        statement = mysql.insert(table).prefix_with("IGNORE")
    # A host may route our models to a database of their own; a plain table would not go there.
    session.execute(statement, rows, bind_arguments={"mapper": ThreadApart})


@event.listens_for(Session, "after_flush")
def _new_ones_are_apart(session: Session, _flushed: UOWTransaction) -> None:
    rows = [_nothing(one.id, one.shop_id) for one in session.new if isinstance(one, Thread)]
    if rows:
        # On the connection: a session that is flushing executes nothing.
        session.connection(bind_arguments={"mapper": ThreadApart}).execute(insert(ThreadApart), rows)


# --- Back into the totals ---------------------------------------------------------------------------------------------------------------------------


def threads_apart(session: Session, *, after: int, most: int) -> list[int]:
    """Return some of the threads that are counted live, by id."""
    query = select(ThreadApart.thread_id).where(ThreadApart.thread_id > after).order_by(ThreadApart.thread_id).limit(most)
    return list(session.scalars(query))


def are_many_apart(session: Session, many: int) -> bool:
    """Say whether more threads than that are counted live."""
    return session.scalar(select(ThreadApart.thread_id).order_by(ThreadApart.thread_id).offset(many).limit(1)) is not None


def fold(session: Session, thread_ids: Collection[int]) -> None:
    """Bring locked threads into the totals as they stand."""
    _fold(session, thread_ids, erased=False)


def keep_erased(session: Session, thread_ids: Collection[int]) -> None:
    """Let locked threads stay in the totals that are erased next, in the same transaction; what was in no list was not counted, and is not."""
    _fold(session, thread_ids, erased=True)


def _fold(session: Session, thread_ids: Collection[int], *, erased: bool) -> None:
    ids = sorted(thread_ids)
    if not ids:
        return
    session.flush()
    # By their ids, one table after the other: a statement that joins them may read a small one from end to end, and MariaDB locks what it reads.
    apart = session.scalars(_as_it_is(session, select(ThreadApart).where(ThreadApart.thread_id.in_(ids)))).all()
    counted_live = {row.thread_id for row in apart}
    threads = session.scalars(_as_it_is(session, select(Thread).where(Thread.id.in_(ids)).order_by(Thread.id))).all()
    sums: dict[tuple[str, int, bool], Counter[str]] = {}
    for row in apart:
        sums.setdefault((row.shop_id, row.contact_id, False), Counter()).subtract({name: getattr(row, name) for name in NUMBERS})
    for thread in threads:
        if thread.id in counted_live:
            sums.setdefault((thread.shop_id, thread.contact_id or 0, erased), Counter()).update(_standing(thread))
    for (shop_id, contact_id, of_erased), numbers in sums.items():
        if any(numbers.values()):
            session.add(ThreadTotal(shop_id=shop_id, contact_id=contact_id, erased=of_erased, **{name: numbers[name] for name in NUMBERS}))
    for row in apart:
        session.delete(row)
    session.flush()


def _as_it_is(session: Session, query: Select[Any]) -> Select[Any]:
    """Return a query that reads rows as they are now, on MariaDB too, and locks them."""
    query = query.execution_options(populate_existing=True)
    return query if session.get_bind(Thread).dialect.name == "sqlite" else query.with_for_update()


def compact(session: Session) -> None:
    """Write the totals of each shop and contact in one row again. What others add meanwhile stays as they add it."""
    query = select(ThreadTotal).order_by(ThreadTotal.id)
    if session.get_bind(Thread).dialect.name != "sqlite":
        query = query.with_for_update()
    rows = session.scalars(query).all()
    sums: dict[tuple[str, int, bool], list[int]] = {}
    for row in rows:
        numbers = sums.setdefault((row.shop_id, row.contact_id, row.erased), [0] * len(NUMBERS))
        for place, name in enumerate(NUMBERS):
            numbers[place] += getattr(row, name)
    kept = {key: numbers for key, numbers in sums.items() if any(numbers)}
    if len(kept) == len(rows):
        return
    for row in rows:
        session.delete(row)
    for (shop_id, contact_id, erased), numbers in kept.items():
        session.add(ThreadTotal(shop_id=shop_id, contact_id=contact_id, erased=erased, **dict(zip(NUMBERS, numbers, strict=True))))
    session.flush()


def is_right(session: Session) -> bool:
    """Say whether what is counted is what there is, by a look at every thread. It only reads, and sees one moment, whoever writes meanwhile."""
    totals, apart, live = _parts(EVERYTHING)
    there = (func.sum(-one).label(name) for name, one in zip(NUMBERS, _state(), strict=True))
    contact = func.coalesce(Thread.contact_id, 0)
    every = union_all(
        totals.where(ThreadTotal.erased.is_(False)), apart, live, select(Thread.shop_id, contact, *there).group_by(Thread.shop_id, contact)
    ).subquery()
    differs = or_(*(func.sum(every.c[name]) != 0 for name in NUMBERS))
    wrong = select(every.c.shop_id).group_by(every.c.shop_id, every.c.contact_id).having(differs).limit(1)
    return session.scalar(wrong, bind_arguments={"mapper": Thread}) is None


def recount(session: Session) -> None:
    """Count every thread anew, in one transaction in which nobody else writes a thread; what was erased stays as it was counted.

    It is for tables that were written past the desk: put back from a copy, or filled by another program. MariaDB needs its own isolation level for
    it, REPEATABLE READ: only there DELETE and INSERT … SELECT lock all that they read, with what lies between. Whoever waits for the other is told of
    a deadlock then, so call it in `store.locking.committed`.
    """
    # Whoever has locked a thread, and not yet written it, is waited for too: their row apart would be gone by then. SQLite has one writer anyway.
    if session.get_bind(Thread).dialect.name == "postgresql":
        session.execute(text("LOCK TABLE cs_thread IN EXCLUSIVE MODE"), bind_arguments={"mapper": Thread})
    session.execute(delete(ThreadApart), execution_options=_QUIET)
    session.execute(delete(ThreadTotal).where(ThreadTotal.erased.is_(False)), execution_options=_QUIET)
    every = select(Thread.shop_id, func.coalesce(Thread.contact_id, 0), false(), *(func.sum(one) for one in _state()))
    columns = ("shop_id", "contact_id", "erased", *NUMBERS)
    statement = insert(cast(Table, ThreadTotal.__table__)).from_select(columns, every.group_by(Thread.shop_id, Thread.contact_id))
    session.execute(statement, bind_arguments={"mapper": ThreadTotal})
