"""Erase threads for good: those that have lain in the bin for long enough, and closed ones that a shop keeps no longer.

Every row that belongs to them goes with them. Their bytes are swept by another command.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, false, func, or_, select, update
from sqlalchemy.orm import Session

from cs_plugin.desk.bench import Bench
from cs_plugin.rules.shops import Breadth, Context, line_of
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import daily, packed_days, search, tally
from cs_plugin.store.locking import lock_threads, locking
from cs_plugin.store.merges import members_of
from cs_plugin.store.models import (
    Attachment,
    Delivery,
    Draft,
    ImportedMail,
    Merge,
    Message,
    NoticeOpened,
    NoticeRung,
    OutboxFile,
    OutboxItem,
    OutboxState,
    Participant,
    Post,
    Presence,
    SurveyAnswer,
    Thread,
    ThreadAlias,
    ThreadEvent,
)
from cs_plugin.store.options import read_own_options
from cs_plugin.store.scope import EVERYTHING

BIN_KEEPS = dt.timedelta(days=30)
_AT_ONCE = 50     # threads of one transaction
_LOOKED_THROUGH = 2_000   # threads among which they are looked for
_IDS = 1_000      # ids in one statement: databases take so many values and no more
_QUIET = {"synchronize_session": False}
_TO_SEND = (OutboxState.WAITING, OutboxState.CLAIMED)
_TO_DELIVER = (Delivery.HELD, Delivery.QUEUED)

# What belongs to a thread alone, the messages last: others are found by them.
_OF_THREAD = (ThreadEvent, ThreadAlias, Participant, Presence, OutboxItem, Message)


def purge_bin(bench: Bench, *, older_than: dt.timedelta) -> int:
    """Erase some of the threads that have lain in the bin for longer than that, and return how many; 0 once none is left."""
    session, before = bench.session, bench.now - older_than
    due = select(Thread.id).where(in_the_bin(before)).order_by(Thread.id).limit(_AT_ONCE)
    locked = _lock_to_erase(session, session.scalars(due).all())
    # Whoever held the lock before may have taken a thread out.
    ids = [thread.id for thread in locked if thread.folder is Folder.BIN and thread.binned_at is not None and thread.binned_at < before]
    if ids:
        _erase(session, ids, bench.now)
    return len(ids)


def in_the_bin(before: dt.datetime) -> ColumnElement[bool]:
    """Return the clause that holds for threads that were laid in the bin before a moment."""
    return and_(Thread.folder == Folder.BIN, Thread.binned_at < before)


# --- Closed threads ---------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Purged:
    """How many threads a piece of the work has erased, and up to which one it has looked through them: None at the end."""

    erased: int
    after: int | None


def purge_closed(bench: Bench, *, after: int = 0) -> Purged:
    """Look through some of the threads behind an id, and erase the closed ones that their shops keep no longer.

    Open and pending ones stay for ever, and so does one that a mail waits to leave for.
    """
    session = bench.session
    # No index tells which are due. Looked through from one id to another, a million threads are read once and not again for each piece.
    some = select(Thread.id).where(Thread.id > after).order_by(Thread.id).limit(_LOOKED_THROUGH).subquery()
    last = session.scalar(select(func.max(some.c.id)))
    kept_since = kept_since_in_shops(bench) if last is not None else {}
    if last is None or not kept_since:
        return Purged(0, None)
    due = select(Thread.id).where(Thread.id > after, Thread.id <= last, _closed_for_long(kept_since)).order_by(Thread.id).limit(_AT_ONCE)
    found = session.scalars(due).all()
    locked = _lock_to_erase(session, found)
    # Whoever held the lock before may have written in a thread, or opened it again.
    ids = [thread.id for thread in locked if thread.status is Status.CLOSED and _last_activity(thread) < kept_since[thread.shop_id]]
    left = sorted(set(ids) - _with_mail_to_send(session, ids))
    if left:
        _erase(session, left, bench.now)
    return Purged(len(left), found[-1] if len(found) == _AT_ONCE else last)


def kept_since_in_shops(bench: Bench) -> Mapping[str, dt.datetime]:
    """Return the shops whose closed threads do not stay for ever, each with the moment before which a thread's last message is too old.

    A shop that the host no longer lists, and that has threads all the same, is kept as the option for all shops says. The host is asked first.
    """
    listed = {shop.id for shop in bench.shops}
    own = read_own_options(bench.session)
    ids = {*listed, *_shops_with_threads(bench.session)}
    shops = [bench.shop(shop_id) for shop_id in sorted(ids)]
    lines = {shop.id: line_of(Context(Breadth.SHOP, shop.id), [shop]) for shop in shops}
    # Where somebody has set what nobody can read, it may have been that everything is kept.
    unclear = {context for context, (name, _language) in own.of_no_use if name == "retention_days"}
    days = {shop_id: int(own.along(line)["retention_days"]) for shop_id, line in lines.items() if unclear.isdisjoint(line)}
    return {shop_id: bench.now - dt.timedelta(days=number) for shop_id, number in days.items() if number}


def _shops_with_threads(session: Session) -> Iterator[str]:
    # From one to the next by the index: DISTINCT reads it from end to end, for each piece of the work.
    shop_id = session.scalar(select(func.min(Thread.shop_id)))
    while shop_id is not None:
        yield shop_id
        shop_id = session.scalar(select(func.min(Thread.shop_id)).where(Thread.shop_id > shop_id))


def kept_no_longer(kept_since: Mapping[str, dt.datetime]) -> ColumnElement[bool]:
    """Return the clause that holds for closed threads that are erased: their last message or note is older than their shop keeps them."""
    waits = select(OutboxItem.id).where(OutboxItem.thread_id == Thread.id, OutboxItem.state.in_(_TO_SEND)).exists()
    # A reply that is sent later has no mail yet.
    held = select(Message.id).where(Message.thread_id == Thread.id, Message.delivery.in_(_TO_DELIVER)).exists()
    return and_(_closed_for_long(kept_since), ~waits, ~held)


def _closed_for_long(kept_since: Mapping[str, dt.datetime]) -> ColumnElement[bool]:
    if not kept_since:
        return false()
    last = func.coalesce(Thread.last_activity_at, Thread.created_at)
    old = or_(*(and_(Thread.shop_id == shop_id, last < since) for shop_id, since in kept_since.items()))
    # What lies in the bin goes by its own term.
    return and_(Thread.folder.in_([Folder.LIST, Folder.SPAM]), Thread.status == Status.CLOSED, old)


def _last_activity(thread: Thread) -> dt.datetime:
    return thread.last_activity_at or thread.created_at


def _with_mail_to_send(session: Session, ids: Collection[int]) -> set[int]:
    """Return which of these locked threads have got a mail to send since they were found: failed ones are tried again by a click."""
    queued = select(OutboxItem).where(OutboxItem.thread_id.in_(ids), OutboxItem.state.in_(_TO_SEND))
    held = select(Message).where(Message.thread_id.in_(ids), Message.delivery.in_(_TO_DELIVER))
    return {one.thread_id for query in (queued, held) for one in session.scalars(locking(session, query)) if one.thread_id is not None}


# --- Erasing ----------------------------------------------------------------------------------------------------------------------------------------


def _lock_to_erase(session: Session, found: Collection[int]) -> list[Thread]:
    """Lock threads that may be erased, and return them as they are now. Those that were merged into one are locked too: they go with it."""
    every = members_of(session, found) if found else []
    return [thread for thread in lock_threads(session, EVERYTHING, every) if thread.id in found]


def _erase(session: Session, found: Collection[int], now: dt.datetime) -> None:
    # Of a thread that was merged into one of them nothing is left but its name and its address.
    ids = members_of(session, found)
    # What was erased stays countable.
    daily.keep_erased(session, ids, now)
    tally.keep_erased(session, ids)
    packed_days.keep_days(session, ids)
    messages = session.scalars(select(Message.id).where(Message.thread_id.in_(ids)).order_by(Message.id)).all()
    for start in range(0, len(messages), _IDS):
        _let_go_of_messages(session, messages[start : start + _IDS])
    queued = select(OutboxItem.id).where(OutboxItem.thread_id.in_(ids))
    session.execute(delete(OutboxFile).where(OutboxFile.outbox_id.in_(queued)), execution_options=_QUIET)
    search.forget(session, ids)
    for row in _OF_THREAD:
        session.execute(delete(row).where(row.thread_id.in_(ids)), execution_options=_QUIET)
    _delete_pointing(session, Post.thread_id, ids)
    _delete_pointing(session, NoticeOpened.thread_id, ids)
    _delete_pointing(session, NoticeRung.thread_id, ids)
    _delete_pointing(session, Draft.thread_id, ids)
    session.execute(delete(Merge).where(or_(Merge.kept_thread_id.in_(ids), Merge.merged_thread_id.in_(ids))), execution_options=_QUIET)
    for column in (Thread.refers_to_id, Thread.merged_into_id):
        _let_point_nowhere(session, column, ids)
    session.execute(delete(Thread).where(Thread.id.in_(ids)), execution_options=_QUIET)
    session.expire_all()


def _let_go_of_messages(session: Session, messages: Sequence[int]) -> None:
    """Erase the files of messages, and what elsewhere points to them; that a mail was read stays known, or it would be read again."""
    # What a customer said of an answer belongs to that message, whatever thread it was said in.
    for row in (Attachment, SurveyAnswer):
        session.execute(delete(row).where(row.message_id.in_(messages)), execution_options=_QUIET)
    for column in (Message.linked_message_id, ImportedMail.message_id):
        _let_point_nowhere(session, column, messages)


# These rows are looked up without a lock, and written by their ids: a statement that has to look through a whole table locks every row of it on
# MariaDB, and whoever writes in any thread would wait. An index leads to those that point to a thread or a message; the other tables are short.


def _let_point_nowhere(session: Session, column: Any, ids: Collection[int]) -> None:
    table = column.class_
    pointing = session.scalars(select(table.id).where(column.in_(ids)).order_by(table.id)).all()
    if pointing:
        session.execute(update(table).where(table.id.in_(pointing)).values({column: None}), execution_options=_QUIET)


def _delete_pointing(session: Session, column: Any, ids: Collection[int]) -> None:
    table = column.class_
    pointing = session.scalars(select(table.id).where(column.in_(ids)).order_by(table.id)).all()
    for start in range(0, len(pointing), _IDS):
        session.execute(delete(table).where(table.id.in_(pointing[start : start + _IDS])), execution_options=_QUIET)
