"""Threads as they are listed page by page and opened; and the columns that are kept on a thread."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import ColumnElement, Table, Update, and_, bindparam, case, exists, func, or_, select, update
from sqlalchemy.orm import Session, aliased, selectinload

from cs_plugin.rules.inquiry import AuthorKind
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import words
from cs_plugin.store.filters import ThreadFilter, where
from cs_plugin.store.list_rows import Row, rows
from cs_plugin.store.locking import locking, mark
from cs_plugin.store.matches import COUNT_BOUND, matching_ids
from cs_plugin.store.merges import members_of
from cs_plugin.store.models import NEVER, Delivery, Message, SearchText, Thread, ThreadEvent
from cs_plugin.store.persons import person_of, threads_of
from cs_plugin.store.ranges import counted_by_ranges, ids_by_ranges
from cs_plugin.store.scope import Scope
from cs_plugin.store.sorting import Ranks, Sort, ordered
from cs_plugin.store.types import MOST_ID, can_be_id

PAGE_SIZES = (20, 50, 300, 1000)
_FEW = 20_000   # threads of a list that are sorted rather than looked up range by range
_SORTED = 64   # characters of the last message by which a list is sorted


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list. `total` is at most 5,000 where `more` says that there are more.

    `newest_sorted` says that only the newest 5,000 were sorted, `scanned` that words were too short for an index: the newest were looked through.
    """

    rows: list[Row]
    number: int
    pages: int
    total: int
    more: bool
    size: int
    newest_sorted: bool = False
    scanned: bool = False


def list_page(
    session: Session, scope: Scope, wanted: ThreadFilter, *, sort: Sort, number: int, size: int, ranks: Ranks, reader: str = ""
) -> Page:
    """Return a page of the list, the nearest that exists to the one asked for, as the employee of the id `reader` sees it.

    Costs four queries, two more where ranges tell, or words are searched.
    The ids are found first, from the nearer end, and the rest of each row is read for them alone.
    """
    if wanted.searches_text:
        return _searched_page(session, scope, wanted, sort=sort, number=number, size=size, ranks=ranks, reader=reader)
    counted = counted_by_ranges(session, scope, wanted, sort)
    total = counted.total if counted else _count_live(session, scope, wanted)
    number, pages, offset = _place_of(number, size, total)
    by_ranges = counted and total and (sort.name == "id" or total > _FEW)
    found = ids_by_ranges(session, scope, wanted, counted, sort, ranks, offset=offset, size=size) if counted and by_ranges else None
    ids = [] if not total else found if found is not None else _by_sorting(session, scope, wanted, sort, ranks, offset=offset, size=size, total=total)
    return Page(rows(session, scope, ids, reader), number, pages, total, False, size)


def _count_live(session: Session, scope: Scope, wanted: ThreadFilter) -> int:
    return session.scalar(select(func.count()).select_from(Thread).where(*where(scope, wanted))) or 0


def _by_sorting(
    session: Session, scope: Scope, wanted: ThreadFilter, sort: Sort, ranks: Ranks, *, offset: int, size: int, total: int
) -> Sequence[int]:
    """Return the ids of a page by walking the list in its order, from the nearer end."""
    backwards = offset > total // 2
    query = ordered(select(Thread.id).where(*where(scope, wanted)), sort, ranks, backwards=backwards)
    if backwards:
        on_page = min(size, total - offset)
        return list(reversed(session.scalars(query.offset(total - offset - on_page).limit(on_page)).all()))
    return session.scalars(query.offset(offset).limit(size)).all()


def _place_of(number: int, size: int, total: int) -> tuple[int, int, int]:
    """Return the page that is nearest to a number, how many there are, and how many threads stand before it."""
    pages = max(1, -(-total // size))
    number = min(max(1, number), pages)
    return number, pages, (number - 1) * size


def _searched_page(
    session: Session, scope: Scope, wanted: ThreadFilter, *, sort: Sort, number: int, size: int, ranks: Ranks, reader: str
) -> Page:
    words.plan_each_time(session)
    by_id = sort.name == "id"
    found = matching_ids(session, scope, wanted, descending=sort.descending or not by_id)
    more, found = len(found) > COUNT_BOUND, found[:COUNT_BOUND]
    number, pages, offset = _place_of(number, size, len(found))
    if by_id or not found:
        ids = list(found[offset : offset + size])
    else:
        among = Thread.id.in_(bindparam("found", list(found), expanding=True, literal_execute=True))
        ids = list(session.scalars(ordered(select(Thread.id).where(among), sort, ranks).offset(offset).limit(size)).all())
    said = wanted.message if wanted.message is not None else wanted.q
    texts = words.texts_with(session, ids, said) if said is not None and ids else {}
    found_rows = [replace(row, found=texts.get(row.id, "")) for row in rows(session, scope, ids, reader)]
    scanned = any(not words.asks_an_index(session, one) for one in wanted.texts.values())
    return Page(found_rows, number, pages, len(found), more, size, newest_sorted=more and not by_id, scanned=scanned)

def get(session: Session, scope: Scope, thread_id: int) -> Thread | None:
    """Return a thread of the scope; None where it does not exist or is not this person's to see."""
    if not can_be_id(thread_id):
        return None
    return session.scalars(select(Thread).where(Thread.id == thread_id, scope.covers(Thread.shop_id))).one_or_none()


def among(session: Session, scope: Scope, ids: Collection[int]) -> set[int]:
    """Return which of these threads lie in the scope."""
    wanted = sorted({one for one in ids if can_be_id(one)})
    return set(session.scalars(select(Thread.id).where(Thread.id.in_(wanted), scope.covers(Thread.shop_id))))


def shop_of(session: Session, thread_id: int, granted: Scope) -> str | None:
    """Return the shop of a thread that the employee may see in some context."""
    if not can_be_id(thread_id):
        return None
    return session.scalar(select(Thread.shop_id).where(Thread.id == thread_id, granted.covers(Thread.shop_id)))


def messages(session: Session, scope: Scope, thread_id: int, *, newest: int, before: int | None = None) -> list[Message]:
    """Return the newest messages of a thread, oldest first, with their attachments; those before a message id where one is given."""
    query = select(Message).where(Message.thread_id == thread_id, scope.covers(Message.shop_id)).options(selectinload(Message.attachments))
    if before is not None:
        query = query.where(Message.id < min(before, MOST_ID))
    return list(reversed(session.scalars(query.order_by(Message.id.desc()).limit(newest)).all()))


def message(session: Session, thread: Thread, message_id: int) -> Message | None:
    """Return a message of that very thread; None where it has none of that id."""
    if not can_be_id(message_id):
        return None
    return session.scalars(select(Message).where(Message.id == message_id, Message.thread_id == thread.id)).one_or_none()


def newest_message(session: Session, thread: Thread) -> int | None:
    """Return the newest message or note that somebody wrote in a locked thread; what machines sent does not count."""
    query = select(Message.id).where(Message.thread_id == thread.id, Message.author_kind != AuthorKind.MACHINE)
    return session.scalar(locking(session, query.order_by(Message.id.desc()).limit(1)))


def public(now: dt.datetime) -> ColumnElement[bool]:
    """Return the clause that holds for messages that the customer may see."""
    by_customer = Message.author_kind == AuthorKind.CUSTOMER
    by_employee = and_(Message.author_kind == AuthorKind.EMPLOYEE, Message.released_at.is_not(None), Message.released_at <= now)
    return and_(Message.private.is_(False), or_(by_customer, by_employee))


def public_messages(session: Session, thread_id: int, now: dt.datetime, *, newest: int = 200, before: int | None = None) -> list[Message]:
    """Return what the customer of a thread sees of it, oldest first: neither notes nor outsiders' answers nor replies not yet released.

    Those before a message id, where one is given.
    """
    query = select(Message).where(Message.thread_id == thread_id, public(now)).options(selectinload(Message.attachments))
    if before is not None:
        query = query.where(Message.id < min(before, MOST_ID))
    return list(reversed(session.scalars(query.order_by(Message.id.desc()).limit(newest)).all()))


def public_message(session: Session, thread_id: int, message_id: int, now: dt.datetime) -> Message | None:
    """Return one message of a thread as its customer may see it; None for any other."""
    if not can_be_id(message_id):
        return None
    return session.scalars(select(Message).where(Message.id == message_id, Message.thread_id == thread_id, public(now))).one_or_none()


def events(
    session: Session, scope: Scope, thread_id: int, *, newest: int, after: dt.datetime | None = None, until: dt.datetime | None = None
) -> list[ThreadEvent]:
    """Return the newest events of a thread and of all that have been merged into it, oldest first; `after` is excluded, `until` included."""
    query = select(ThreadEvent).where(ThreadEvent.thread_id.in_(members_of(session, [thread_id])), thread_in(scope, ThreadEvent.thread_id))
    if after is not None:
        query = query.where(ThreadEvent.created_at > after)
    if until is not None:
        query = query.where(ThreadEvent.created_at <= until)
    return list(reversed(session.scalars(query.order_by(ThreadEvent.id.desc()).limit(newest)).all()))


def thread_in(scope: Scope, column: Any) -> ColumnElement[bool]:
    """Return the clause that holds where a thread's id stands for a thread of the scope."""
    return exists().where(Thread.id == column, scope.covers(Thread.shop_id))


def others_of(session: Session, scope: Scope, thread: Thread, *, limit: int) -> list[Thread]:
    """Return other threads of the same customer, or of the same address where there is no verified customer, newest first."""
    query = select(Thread).where(_same_person(thread), Thread.id != thread.id, Thread.folder == Folder.LIST, scope.covers(Thread.shop_id))
    return list(session.scalars(query.order_by(Thread.id.desc()).limit(limit)))


def counts_of_person(session: Session, scope: Scope, thread: Thread) -> tuple[int, int]:
    """Return how many threads in the list this customer has, and how many of them are open: those that the list of `persons.person_of` shows."""
    open_ones = func.coalesce(func.sum(case((Thread.status == Status.OPEN, 1), else_=0)), 0)
    query = select(func.count(), open_ones).where(_same_person(thread), Thread.folder == Folder.LIST, scope.covers(Thread.shop_id))
    total, opened = session.execute(query).one()
    return int(total), int(opened)


def _same_person(thread: Thread) -> ColumnElement[bool]:
    person = person_of(thread)
    return threads_of(person) if person is not None else Thread.id == thread.id


def longest_waiting(session: Session, scope: Scope, *, besides: int | None = None) -> int | None:
    """Return the open thread whose customer has waited longest, else the oldest that was opened though nobody waits; None where none is open.

    One whose reply is on its way has been answered for whoever goes on from thread to thread, though it counts as waiting until that has left.
    """
    leaves = exists().where(Message.thread_id == Thread.id, Message.delivery == Delivery.HELD, Message.release_due_at.is_not(None))
    query = select(Thread.id).where(Thread.folder == Folder.LIST, Thread.status == Status.OPEN, scope.covers(Thread.shop_id), ~leaves)
    if besides is not None:
        query = query.where(Thread.id != besides)
    waiting = session.scalar(query.where(Thread.waiting_since.is_not(None)).order_by(Thread.waiting_since, Thread.id).limit(1))
    return waiting if waiting is not None else session.scalar(query.order_by(Thread.id).limit(1))


def recompute(session: Session, thread_ids: Collection[int]) -> None:
    """Write the kept columns of threads anew from their messages, in one statement; the threads are locked by the caller.

    Adding up in Python loses what another writer has added meanwhile.
    """
    if not thread_ids:
        return
    session.flush()
    mark(session, thread_ids)
    statement, kept = _recomputing()
    # Past the session, which would put an update of its objects together anew each time. A host may route our models to a database of their own.
    session.connection(bind_arguments={"mapper": Thread}).execute(statement, {"ids": sorted(thread_ids)})
    for thread_id in thread_ids:
        thread = session.identity_map.get(session.identity_key(Thread, thread_id))
        if thread is not None:
            # What is not kept here nobody has written, and need not be read again.
            session.expire(thread, kept)


@lru_cache(maxsize=1)
def _recomputing() -> tuple[Update, tuple[str, ...]]:
    """Return the statement and the names of what it writes; it is kept, since putting it together takes longer than the database does."""

    def by_customer(row: Any) -> ColumnElement[bool]:
        return and_(row.thread_id == Thread.id, row.private.is_(False), row.author_kind == AuthorKind.CUSTOMER)

    def by_employee(row: Any) -> ColumnElement[bool]:
        return and_(row.thread_id == Thread.id, row.private.is_(False), row.author_kind == AuthorKind.EMPLOYEE, row.released_at.is_not(None))

    def note(row: Any) -> ColumnElement[bool]:
        return and_(row.thread_id == Thread.id, row.private.is_(True))

    def one(column: Any, *clauses: Any) -> Any:
        return select(column).where(*clauses).correlate(Thread).scalar_subquery()

    def last(name: str, which: Callable[[Any], ColumnElement[bool]]) -> Any:
        # From the newest backwards to the first that is meant, by the index of the thread; the highest of all would be found by reading each of them.
        row = aliased(Message)
        newest = select(getattr(row, name)).where(which(row)).order_by(row.thread_id.desc(), row.id.desc()).limit(1)
        return newest.correlate(Thread).scalar_subquery()

    last_id = last("id", by_customer)
    # By id, not by time: a message that waited for the lock behind an answer is older than it, and was not what it answered.
    unanswered = Message.id > func.coalesce(last("id", by_employee), 0)

    kept: dict[str, Any] = {
        "version": Thread.version + 1,
        "last_customer_message_id": last_id,
        "last_customer_at": last("created_at", by_customer),
        "last_customer_sort": func.coalesce(last("created_at", by_customer), NEVER),
        "last_customer_text": func.coalesce(last("preview", by_customer), ""),
        "message_sort": func.coalesce(one(func.substr(SearchText.words, 1, _SORTED), SearchText.message_id == last_id), ""),
        "newest_note_id": last("id", note),
        "private": exists().where(note(Message)).correlate(Thread),
        "customer_messages": one(func.count(), by_customer(Message)),
        "employee_messages": one(func.count(), by_employee(Message)),
        "waiting_since": one(func.min(Message.created_at), by_customer(Message), unanswered),
        # What a machine sends is no activity: a thread that only answers itself comes to rest.
        "last_activity_at": one(func.max(Message.created_at), Message.thread_id == Thread.id, Message.author_kind != AuthorKind.MACHINE),
    }
    return update(cast(Table, Thread.__table__)).where(Thread.id.in_(bindparam("ids", expanding=True))).values(**kept), tuple(kept)
