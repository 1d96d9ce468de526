"""Replies that are stored and not released yet: which are due, which wait in a thread, and how one is taken away or takes its place at the end."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from cs_plugin.store import posts, search
from cs_plugin.store.locking import locking
from cs_plugin.store.models import Attachment, Blob, Delivery, Message, Thread, ThreadEvent
from cs_plugin.store.types import can_be_id

_QUIET = {"synchronize_session": False}
_AT = "at"
_ONCE = "once"


@dataclass(frozen=True, slots=True)
class Due:
    """A reply whose moment has come, and who wrote it."""

    message_id: int
    thread_id: int
    author_id: str


def due(session: Session, now: dt.datetime, *, most: int = 50) -> Sequence[Due]:
    """Return some replies whose moment has come, the one that has waited longest first."""
    of = Message
    query = select(of.id, of.thread_id, of.author_id).where(of.release_due_at <= now).order_by(of.release_due_at, of.id).limit(most)
    return [Due(message_id, thread_id, author_id or "") for message_id, thread_id, author_id in session.execute(query)]


def held_message(session: Session, thread: Thread, message_id: int) -> Message | None:
    """Return a reply of a locked thread that is not released yet, as it is now; None where it has been, or was taken back."""
    if not can_be_id(message_id):
        return None
    chosen = Message.id == message_id, Message.thread_id == thread.id, Message.delivery == Delivery.HELD
    return session.scalars(locking(session, select(Message).where(*chosen))).one_or_none()


def came_by(once: bytes | None) -> dict[str, str]:
    """Return the claim of the form that a reply came by, as `release` keeps it; nothing without one."""
    return {_ONCE: once.hex()} if once is not None else {}


def chosen_moment(message: Message) -> dict[str, str]:
    """Return the moment that somebody chose for a reply to leave, as `release` keeps it for one that waits for somebody; nothing without one."""
    due = message.release_due_at
    return {_AT: due.isoformat()} if due is not None and (message.release or {}).get("later") else {}


def leaves_at(message: Message) -> dt.datetime | None:
    """Return the moment that somebody chose for a held reply to leave, though it may not leave by itself any more; None where nobody did."""
    kept = {**(message.release or {}), **chosen_moment(message)}.get(_AT)
    return dt.datetime.fromisoformat(kept) if kept else None


def waiting_in(session: Session, thread_ids: Collection[int]) -> Sequence[Message]:
    """Return the replies of locked threads that leave by themselves when their moment comes, as they are now."""
    if not thread_ids:
        return []
    chosen = Message.thread_id.in_(sorted(thread_ids)), Message.delivery == Delivery.HELD, Message.release_due_at.is_not(None)
    return session.scalars(locking(session, select(Message).where(*chosen).order_by(Message.id))).all()


def put_last(session: Session, message: Message, now: dt.datetime) -> Message:
    """Return a held reply of a locked thread as the newest message there: one that others have been written behind takes a new number.

    The customer reads a conversation in the order of its numbers, and whose message was answered is told by them.
    """
    newer = select(Message.id).where(Message.thread_id == message.thread_id, Message.id > message.id).limit(1)
    if session.scalar(locking(session, newer)) is None:
        return message
    session.flush()
    values: dict[str, Any] = {column.key: getattr(message, column.key) for column in Message.__table__.columns if column.key != "id"}
    last = Message(**{**values, "created_at": now})
    session.add(last)
    session.flush()
    session.execute(update(Attachment).where(Attachment.message_id == message.id).values(message_id=last.id), execution_options=_QUIET)
    _let_events_name(session, message, last.id)
    _delete(session, message)
    search.index(session, last)
    return last


def remove(session: Session, message: Message, now: dt.datetime) -> None:
    """Take a held reply of a locked thread away, as if it had not been written; the bytes of its files stay until they are swept.

    The form that it came by may come once more: in another window it still stands there, and what it holds has gone nowhere.
    """
    session.flush()
    once = (message.release or {}).get(_ONCE)
    if once:
        posts.give_back(session, bytes.fromhex(once))
    # A draft may hold them from now on: they are as new as what was just uploaded, however long the reply has waited.
    theirs = session.scalars(select(Attachment.blob_id).where(Attachment.message_id == message.id)).all()
    session.execute(update(Blob).where(Blob.id.in_(theirs)).values(created_at=now), execution_options=_QUIET)
    session.execute(delete(Attachment).where(Attachment.message_id == message.id), execution_options=_QUIET)
    _let_events_name(session, message, None)
    _delete(session, message)


def _let_events_name(session: Session, message: Message, message_id: int | None) -> None:
    of_it = ThreadEvent.thread_id == message.thread_id, ThreadEvent.message_id == message.id
    session.execute(update(ThreadEvent).where(*of_it).values(message_id=message_id), execution_options=_QUIET)


def _delete(session: Session, message: Message) -> None:
    search.forget_messages(session, [message.id], [message.id])
    session.delete(message)
    session.flush()
