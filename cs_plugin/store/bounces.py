"""Which mails of ours came back: those of a thread's messages, and the newest that went to its customer's address."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from cs_plugin.rules.signing import without_tags
from cs_plugin.store.models import Delivery, Message, Thread, ThreadEvent
from cs_plugin.store.scope import Scope

_FAILED = "delivery_failed"
# Newest threads of an address, and newest failures in them, that are looked at.
_MOST_THREADS, _MOST_FAILURES = 20, 20


@dataclass(frozen=True, slots=True)
class Bounced:
    """That a mail to an address came back, and what the server there said."""

    at: dt.datetime
    words: str


def bounced_among(events: Iterable[ThreadEvent]) -> set[int]:
    """Return the messages whose mail came back, as these events tell, oldest first: what failed otherwise since then has not."""
    came_back: dict[int, bool] = {}
    for event in events:
        if event.kind == _FAILED and event.message_id is not None:
            came_back[event.message_id] = _came_back(event)
    return {message_id for message_id, bounced in came_back.items() if bounced}


def bounced_of(session: Session, thread_id: int, message_ids: Collection[int]) -> set[int]:
    """Return which of these messages of a thread have a mail that came back."""
    about = ThreadEvent.message_id.in_(sorted(message_ids))
    query = select(ThreadEvent).where(ThreadEvent.thread_id == thread_id, ThreadEvent.kind == _FAILED, about)
    return bounced_among(session.scalars(query.order_by(ThreadEvent.id)))


def bounced_at(session: Session, scope: Scope, thread: Thread) -> Bounced | None:
    """Return the newest mail to the address of a thread that came back, in its threads of the scope; one query.

    None where none did, or something has been delivered there or has come from there since.
    """
    if not thread.address:
        return None
    same = select(Thread.id).where(Thread.address_hash == thread.address_hash, scope.covers(Thread.shop_id))
    theirs = same.order_by(Thread.id.desc()).limit(_MOST_THREADS).subquery()
    within = select(theirs.c.id)
    since = or_(
        exists().where(Thread.id.in_(within), Thread.last_customer_at > ThreadEvent.created_at),
        exists().where(Message.thread_id.in_(within), Message.delivery == Delivery.SENT, Message.delivered_at > ThreadEvent.created_at),
    )
    failures = select(ThreadEvent, since).join(theirs, theirs.c.id == ThreadEvent.thread_id).where(ThreadEvent.kind == _FAILED)
    address = thread.address.casefold()
    for event, over in session.execute(failures.order_by(ThreadEvent.created_at.desc()).limit(_MOST_FAILURES)):
        named = event.details.get("recipients", ())
        if _came_back(event) and address in {str(one).casefold() for one in named}:
            return None if over else Bounced(event.created_at, without_tags(str(event.details.get("words", ""))))
    return None


def _came_back(event: ThreadEvent) -> bool:
    return event.details.get("bounced") is True
