"""Threads that go on in another one: a customer wrote again when the first had been closed for too long to be reopened."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, select
from sqlalchemy.orm import Session

from cs_plugin.rules.status import Folder
from cs_plugin.store.locking import lock_threads, locking
from cs_plugin.store.merges import lines_of, members_of, top_of
from cs_plugin.store.models import Message, Participant, Thread, ThreadEvent
from cs_plugin.store.scope import Scope
from cs_plugin.store.threads import public

# The events by which the two know each other. `refers_to_id` alone does not tell: a stranger's mail may refer to a thread as well.
CONTINUED, CONTINUES = "continued", "continues"


def last_public_message_at(session: Session, thread: Thread, now: dt.datetime) -> dt.datetime:
    """Return when a locked thread's last message could be read by its customer; when it began, where there is none."""
    at = func.coalesce(Message.released_at, Message.created_at)
    query = select(Message).where(Message.thread_id == thread.id, public(now)).order_by(at.desc(), Message.id.desc()).limit(1)
    last = session.scalars(locking(session, query)).one_or_none()
    return thread.created_at if last is None else last.released_at or last.created_at


def continuation_of(session: Session, thread: Thread) -> int | None:
    """Return the thread in which a locked one went on last; None where it has not."""
    query = select(ThreadEvent).where(ThreadEvent.thread_id == thread.id, ThreadEvent.kind == CONTINUED)
    event = session.scalars(locking(session, query.order_by(ThreadEvent.id.desc()).limit(1))).one_or_none()
    return None if event is None else named_in(event)


def named_in(event: ThreadEvent) -> int | None:
    """Return the other thread that an event of these two kinds names."""
    number = event.details.get("other")
    return number if isinstance(number, int) else None


def neighbours(session: Session, thread: Thread) -> tuple[Thread | None, Thread | None]:
    """Return the thread that this one continues, and the one in which it goes on: as its customer may read them, None where there is none.

    What has been deleted or given to somebody else is not theirs to read.
    """
    query = select(ThreadEvent).where(ThreadEvent.thread_id == thread.id, ThreadEvent.kind.in_([CONTINUED, CONTINUES])).order_by(ThreadEvent.id)
    named = {event.kind: named_in(event) for event in session.scalars(query)}
    if not named:
        return None, None
    ids = [one for one in named.values() if one]
    found = {one.id: one for one in session.scalars(select(Thread).where(Thread.id.in_(ids), _read_by_its_customer(thread)))}
    return found.get(named.get(CONTINUES) or 0), found.get(named.get(CONTINUED) or 0)


def beside(session: Session, thread_id: int, other_id: int) -> Thread | None:
    """Return another thread where whoever reads the first one as its customer may read it too; None where not."""
    thread = session.get(Thread, thread_id)
    if thread is None or other_id == thread_id:
        return None
    return session.scalars(select(Thread).where(Thread.id == other_id, _read_by_its_customer(thread))).one_or_none()


def _read_by_its_customer(thread: Thread) -> ColumnElement[bool]:
    """Return the clause for threads that the customer of this one may read: what was deleted, merged or given to somebody else is not."""
    return and_(Thread.folder.in_([Folder.LIST, Folder.SPAM]), Thread.shop_id == thread.shop_id, Thread.address_hash == thread.address_hash)


def lock_with_neighbours(session: Session, scope: Scope, thread_id: int) -> list[Thread]:
    """Lock a thread and all from which its customer is led to it, the one asked for first; nothing where it does not lie in the scope.

    Those are the threads that it continues, however far back, and all in which one of them went on, if they are of the same shop and address, and
    what has been merged into one of them.
    """
    ids: set[int] = set()
    found = {thread_id}
    # They are looked up before the first lock, so that all are locked in the order of their ids; what began meanwhile is of a higher one.
    while not found <= ids:
        ids |= found
        found = _named_in(session.scalars(_naming(ids))) | set(members_of(session, ids)) | lines_of(session, ids)
    ids |= found
    while True:
        locked = {one.id: one for one in lock_threads(session, scope, ids)}
        thread = top_of(locked, thread_id)
        if thread is None:
            return []
        named = _named_in(session.scalars(locking(session, _naming(ids)))) | set(members_of(session, ids, locks=True))
        further = named | {one.merged_into_id for one in locked.values() if one.merged_into_id is not None}
        if further <= ids:
            break
        ids |= further
    tops = {number: top_of(locked, number) for number in locked}
    theirs = [locked[number] for number, top in tops.items() if top and (top.shop_id, top.address_hash) == (thread.shop_id, thread.address_hash)]
    return sorted(theirs, key=lambda one: (one.id != thread.id, one.id))


def _naming(ids: Collection[int]) -> Select[Any]:
    return select(ThreadEvent).where(ThreadEvent.thread_id.in_(sorted(ids)), ThreadEvent.kind.in_([CONTINUED, CONTINUES]))


def _named_in(events: Iterable[ThreadEvent]) -> set[int]:
    return {number for event in events if (number := named_in(event)) is not None}


def copy_participants(session: Session, old: Thread, new: Thread) -> None:
    """Let those whom an employee has added to a thread take part in the one that continues it."""
    for one in session.scalars(select(Participant).where(Participant.thread_id == old.id).order_by(Participant.id)).all():
        session.add(
            Participant(thread_id=new.id, address=one.address, address_hash=one.address_hash, added_by=one.added_by, created_at=one.created_at)
        )
