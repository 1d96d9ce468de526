"""Who is in a thread at this moment: colleagues who look at it or write in it, and a word by which a page knows that the thread has changed."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from sqlalchemy import and_, delete, func, select, update
from sqlalchemy.orm import Session

from cs_plugin.rules.inquiry import AuthorKind, clean_line
from cs_plugin.rules.people import Employee
from cs_plugin.store.locking import insert_if_absent
from cs_plugin.store.models import Message, Presence, Thread, ThreadEvent
from cs_plugin.store.scope import Scope
from cs_plugin.store.types import can_be_id

# A page that is looked at says so every 12 seconds; whoever has not been heard of for so long is gone.
GONE_AFTER = dt.timedelta(seconds=45)
# What has been written down lately is not written again: most looks only read, also where the database has one writer.
_RENEWED_AFTER = dt.timedelta(seconds=20)
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Present:
    """Somebody who is in a thread."""

    employee_id: str
    name: str
    writing: bool
    seen_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Around:
    """Who is in a thread, whoever writes first, and its `state`: another word once a message, a note or an event is added, or a held reply leaves."""

    state: str
    people: tuple[Present, ...] = ()

    def others(self, employee_id: str) -> tuple[Present, ...]:
        """Return everybody but that employee."""
        return tuple(one for one in self.people if one.employee_id != employee_id)

    def has_lately(self, employee_id: str, *, writing: bool, now: dt.datetime) -> bool:
        """Say whether it need not be written again that an employee is there."""
        return any(one.employee_id == employee_id and one.writing is writing and one.seen_at > now - _RENEWED_AFTER for one in self.people)


def look_around(session: Session, scope: Scope, thread_id: int, now: dt.datetime) -> Around | None:
    """Return who is in a thread of the scope, and its state; None where there is no such thread. Costs one query."""
    if not can_be_id(thread_id):
        return None
    newest = select(func.max(Message.id)).where(Message.thread_id == Thread.id).correlate(Thread).scalar_subquery()
    event = select(func.max(ThreadEvent.id)).where(ThreadEvent.thread_id == Thread.id).correlate(Thread).scalar_subquery()
    # What was held leaves without a new message, and mostly without an event. Asked of the index alone, as `ix_cs_message_thread` holds it.
    unreleased = Message.private.is_(False), Message.author_kind == AuthorKind.EMPLOYEE, Message.released_at.is_(None)
    held = select(func.count()).select_from(Message).where(Message.thread_id == Thread.id, *unreleased).correlate(Thread).scalar_subquery()
    there = and_(Presence.thread_id == Thread.id, Presence.seen_at > now - GONE_AFTER)
    query = (
        select(Thread.folder, newest, event, held, Presence.employee_id, Presence.employee_name, Presence.writing_since, Presence.seen_at)
        .select_from(Thread)
        .outerjoin(Presence, there)
        .where(Thread.id == thread_id, scope.covers(Thread.shop_id))
    )
    rows = session.execute(query).all()
    if not rows:
        return None
    folder, message_id, event_id, waiting = rows[0][:4]
    people = [Present(who, name, since is not None, at) for *_thread, who, name, since, at in rows if who is not None]
    ordered = sorted(people, key=lambda one: (not one.writing, one.name, one.employee_id))
    return Around(f"{message_id or 0}-{event_id or 0}-{waiting}-{folder.value}", tuple(ordered))


def arrive(session: Session, thread_id: int, employee: Employee, *, writing: bool, now: dt.datetime) -> None:
    """Write down that an employee looks at a thread, or writes in it."""
    key = {"thread_id": thread_id, "employee_id": employee.id}
    facts = {"employee_name": clean_line(employee.name, _LONGEST_NAME), "writing_since": now if writing else None, "seen_at": now}
    if insert_if_absent(session, Presence, [*key], {**key, **facts}):
        return
    own = and_(Presence.thread_id == thread_id, Presence.employee_id == employee.id)
    session.execute(update(Presence).where(own).values(**facts), execution_options={"synchronize_session": False})


def leave(session: Session, thread_id: int, employee_id: str) -> None:
    """Forget that an employee is in a thread."""
    own = and_(Presence.thread_id == thread_id, Presence.employee_id == employee_id)
    session.execute(delete(Presence).where(own), execution_options={"synchronize_session": False})


def forget(session: Session, before: dt.datetime, *, most: int = 500) -> int:
    """Delete some of those who have not been heard of since a moment, and return how many were looked at; 0 once none is left."""
    ids = session.scalars(select(Presence.id).where(Presence.seen_at < before).order_by(Presence.id).limit(most)).all()
    session.execute(delete(Presence).where(Presence.id.in_(ids), Presence.seen_at < before), execution_options={"synchronize_session": False})
    return len(ids)
