"""Threads that an employee has linked to an account: told by the newest of two events, since the account proves nothing of who wrote."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from cs_plugin.store.models import Thread, ThreadEvent

LINKED, UNLINKED = "customer_linked", "customer_unlinked"


def newest(session: Session, thread_id: int) -> ThreadEvent | None:
    """Return the newest event by which a thread was linked, or let go again."""
    query = select(ThreadEvent).where(ThreadEvent.thread_id == thread_id, ThreadEvent.kind.in_([LINKED, UNLINKED]))
    return session.scalars(query.order_by(ThreadEvent.id.desc()).limit(1)).first()


def is_linked(session: Session, thread: Thread) -> bool:
    """Say whether an employee has linked a thread to the account that it names. That of a verified customer needs no link."""
    if thread.customer_id is None or thread.customer_verified:
        return False
    event = newest(session, thread.id)
    return event is not None and event.kind == LINKED
