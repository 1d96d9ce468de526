"""Threads as the customer with an account sees them: all that are verified to be theirs, and nothing by a mere address."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from cs_plugin.rules.inquiry import AuthorKind
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store.merges import kept_of
from cs_plugin.store.models import Message, Thread
from cs_plugin.store.scope import EVERYTHING
from cs_plugin.store.threads import public
from cs_plugin.store.types import can_be_id


@dataclass(frozen=True, slots=True)
class CustomerRow:
    """A thread in its customer's list. `last_words` begin its newest public message, written at `at`; `answered` says that it is the shop's."""

    id: int
    shop_id: str
    status: Status
    subject: str
    order_id: str | None
    answered: bool
    last_words: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class CustomerPage:
    """One page of a customer's list."""

    rows: tuple[CustomerRow, ...]
    number: int
    pages: int
    total: int


def threads_of_customer(session: Session, customer_id: str, now: dt.datetime, *, number: int, size: int) -> CustomerPage:
    """Return a page of a customer's public threads, those with the newest message first, the nearest that exists to the one asked for.

    Costs three queries.
    """
    theirs = (_of(customer_id), Thread.folder.in_([Folder.LIST, Folder.SPAM]))
    total = session.scalar(select(func.count()).select_from(Thread).where(*theirs)) or 0
    pages = max(1, -(-total // size))
    number = min(max(1, number), pages)
    newest = select(func.max(Message.id)).where(Message.thread_id == Thread.id, public(now)).correlate(Thread).scalar_subquery()
    query = select(Thread).where(*theirs).order_by(func.coalesce(newest, 0).desc(), Thread.id.desc()).offset((number - 1) * size).limit(size)
    listed = session.scalars(query).all()
    last = _last_messages(session, [thread.id for thread in listed], now)
    rows = tuple(_row(thread, last[thread.id]) for thread in listed if thread.id in last)
    return CustomerPage(rows, number, pages, total)


def thread_of_customer(session: Session, customer_id: str, thread_id: int) -> Thread | None:
    """Return a thread of this very customer, whatever folder it lies in, or the one that it has been merged into.

    None for any other, and for one that holds notes alone.
    """
    if not can_be_id(thread_id):
        return None
    own = session.scalars(select(Thread).where(Thread.id == thread_id, _of(customer_id))).one_or_none()
    if own is not None:
        return own
    kept = kept_of(session, EVERYTHING, thread_id)
    if kept is None or kept.id == thread_id:
        return None
    return session.scalars(select(Thread).where(Thread.id == kept.id, _of(customer_id))).one_or_none()


def _of(customer_id: str) -> ColumnElement[bool]:
    said = or_(Thread.customer_messages > 0, Thread.employee_messages > 0)
    return and_(Thread.customer_id == customer_id, Thread.customer_verified, said)


def _last_messages(session: Session, thread_ids: Sequence[int], now: dt.datetime) -> dict[int, Message]:
    newest = select(func.max(Message.id)).where(Message.thread_id.in_(thread_ids), public(now)).group_by(Message.thread_id)
    return {message.thread_id: message for message in session.scalars(select(Message).where(Message.id.in_(newest)))}


def _row(thread: Thread, last: Message) -> CustomerRow:
    return CustomerRow(
        id=thread.id,
        shop_id=thread.shop_id,
        status=thread.status,
        subject=thread.subject,
        order_id=thread.order_id,
        answered=last.author_kind is AuthorKind.EMPLOYEE,
        last_words=last.preview,
        at=last.released_at or last.created_at,
    )
