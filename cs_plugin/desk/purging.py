"""Erase threads for good: those that have lain in the bin for long enough, and closed ones that a shop keeps no longer.

Every row that belongs to them goes with them. Their bytes are swept by another command.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import ColumnElement, and_, delete, false, func, or_, select, update
from sqlalchemy.orm import Session

from cs_plugin.desk.bench import Bench
from cs_plugin.rules.shops import Breadth, Context, line_of
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store.locking import lock_threads, locking
from cs_plugin.store.models import (
    Attachment,
    Delivery,
    Draft,
    ImportedMail,
    Merge,
    Message,
    NoticeOpened,
    OutboxFile,
    OutboxItem,
    OutboxState,
    Participant,
    Post,
    Presence,
    SearchText,
    SurveyAnswer,
    Thread,
    ThreadAlias,
    ThreadEvent,
)
from cs_plugin.store.options import read_own_options
from cs_plugin.store.scope import EVERYTHING

BIN_KEEPS = dt.timedelta(days=30)
_AT_ONCE = 50     # threads of one transaction
_IDS = 1_000      # ids in one statement: databases take so many values and no more
_QUIET = {"synchronize_session": False}
_TO_SEND = (OutboxState.WAITING, OutboxState.CLAIMED)
_TO_DELIVER = (Delivery.HELD, Delivery.QUEUED)

# What belongs to a thread alone, the messages last: others are found by them.
_OF_THREAD = (SearchText, ThreadEvent, ThreadAlias, Participant, Post, SurveyAnswer, NoticeOpened, Presence, Draft, OutboxItem, Message)


def purge_bin(bench: Bench, *, older_than: dt.timedelta) -> int:
    """Erase some of the threads that have lain in the bin for longer than that, and return how many; 0 once none is left."""
    session, before = bench.session, bench.now - older_than
    due = select(Thread.id).where(in_the_bin(before)).order_by(Thread.id).limit(_AT_ONCE)
    locked = lock_threads(session, EVERYTHING, session.scalars(due).all())
    # Whoever held the lock before may have taken a thread out.
    ids = [thread.id for thread in locked if thread.folder is Folder.BIN and thread.binned_at is not None and thread.binned_at < before]
    if ids:
        _erase(session, ids)
    return len(ids)


def in_the_bin(before: dt.datetime) -> ColumnElement[bool]:
    """Return the clause that holds for threads that were laid in the bin before a moment."""
    return and_(Thread.folder == Folder.BIN, Thread.binned_at < before)


# --- Closed threads ---------------------------------------------------------------------------------------------------------------------------------


def purge_closed(bench: Bench) -> int:
    """Erase some of the closed threads that their shops keep no longer, and return how many; 0 once none is left.

    Open and pending ones stay for ever, and so does one that a mail waits to leave for.
    """
    session = bench.session
    kept_since = kept_since_in_shops(bench)
    due = select(Thread.id).where(kept_no_longer(kept_since)).order_by(Thread.id).limit(_AT_ONCE)
    locked = lock_threads(session, EVERYTHING, session.scalars(due).all())
    # Whoever held the lock before may have written in a thread, or opened it again.
    ids = [thread.id for thread in locked if thread.status is Status.CLOSED and _last_activity(thread) < kept_since[thread.shop_id]]
    left = sorted(set(ids) - _with_mail_to_send(session, ids))
    if left:
        _erase(session, left)
    return len(left)


def kept_since_in_shops(bench: Bench) -> Mapping[str, dt.datetime]:
    """Return the shops whose closed threads do not stay for ever, each with the moment before which a thread's last message is too old.

    A shop that the host no longer lists, and that has threads all the same, is kept as the option for all shops says. The host is asked first.
    """
    listed = {shop.id for shop in bench.shops}
    own = read_own_options(bench.session)
    ids = {*listed, *bench.session.scalars(select(Thread.shop_id).distinct())}
    shops = [bench.shop(shop_id) for shop_id in sorted(ids)]
    days = {shop.id: int(own.along(line_of(Context(Breadth.SHOP, shop.id), [shop]))["retention_days"]) for shop in shops}
    return {shop_id: bench.now - dt.timedelta(days=number) for shop_id, number in days.items() if number}


def kept_no_longer(kept_since: Mapping[str, dt.datetime]) -> ColumnElement[bool]:
    """Return the clause that holds for closed threads whose last message or note is older than their shop keeps them."""
    if not kept_since:
        return false()
    last = func.coalesce(Thread.last_activity_at, Thread.created_at)
    old = or_(*(and_(Thread.shop_id == shop_id, last < since) for shop_id, since in kept_since.items()))
    waits = select(OutboxItem.id).where(OutboxItem.thread_id == Thread.id, OutboxItem.state.in_(_TO_SEND)).exists()
    # A reply that is sent later has no mail yet.
    held = select(Message.id).where(Message.thread_id == Thread.id, Message.delivery.in_(_TO_DELIVER)).exists()
    # What lies in the bin goes by its own term.
    return and_(Thread.folder.in_([Folder.LIST, Folder.SPAM]), Thread.status == Status.CLOSED, old, ~waits, ~held)


def _last_activity(thread: Thread) -> dt.datetime:
    return thread.last_activity_at or thread.created_at


def _with_mail_to_send(session: Session, ids: Collection[int]) -> set[int]:
    """Return which of these locked threads have got a mail to send since they were found: failed ones are tried again by a click."""
    queued = select(OutboxItem).where(OutboxItem.thread_id.in_(ids), OutboxItem.state.in_(_TO_SEND))
    held = select(Message).where(Message.thread_id.in_(ids), Message.delivery.in_(_TO_DELIVER))
    return {one.thread_id for query in (queued, held) for one in session.scalars(locking(session, query)) if one.thread_id is not None}


# --- Erasing ----------------------------------------------------------------------------------------------------------------------------------------


def _erase(session: Session, ids: Collection[int]) -> None:
    messages = session.scalars(select(Message.id).where(Message.thread_id.in_(ids)).order_by(Message.id)).all()
    for start in range(0, len(messages), _IDS):
        _let_go_of_messages(session, messages[start : start + _IDS])
    queued = select(OutboxItem.id).where(OutboxItem.thread_id.in_(ids))
    session.execute(delete(OutboxFile).where(OutboxFile.outbox_id.in_(queued)), execution_options=_QUIET)
    for row in _OF_THREAD:
        session.execute(delete(row).where(row.thread_id.in_(ids)), execution_options=_QUIET)
    session.execute(delete(Merge).where(or_(Merge.kept_thread_id.in_(ids), Merge.merged_thread_id.in_(ids))), execution_options=_QUIET)
    for column in (Thread.refers_to_id, Thread.merged_into_id):
        session.execute(update(Thread).where(column.in_(ids)).values({column: None}), execution_options=_QUIET)
    session.execute(delete(Thread).where(Thread.id.in_(ids)), execution_options=_QUIET)
    session.expire_all()


def _let_go_of_messages(session: Session, messages: Sequence[int]) -> None:
    """Erase the files of messages, and what elsewhere points to them; that a mail was read stays known, or it would be read again."""
    session.execute(delete(Attachment).where(Attachment.message_id.in_(messages)), execution_options=_QUIET)
    for column in (Message.linked_message_id, ImportedMail.message_id):
        session.execute(update(column.class_).where(column.in_(messages)).values({column: None}), execution_options=_QUIET)
