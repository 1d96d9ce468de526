"""Threads that were merged, and messages that were moved: which thread a message stands in, and what stands beside the messages.

A message belongs to its home, and stands in the thread that its home has been merged into, however often. So a merge points one thread to another,
an undone one points it nowhere again, and a move by hand gives a message another home; what stands where follows from that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, case, or_, select, update
from sqlalchemy.orm import Session

from cs_plugin.rules.merging import MOVED_BY_HAND, Owner
from cs_plugin.rules.status import Folder
from cs_plugin.store.locking import MOST_MERGES, lock_threads, locking
from cs_plugin.store.models import Merge, Message, OutboxItem, SearchText, SurveyAnswer, Thread, ThreadAlias
from cs_plugin.store.scope import Scope
from cs_plugin.store.types import can_be_id

_IDS = 1_000      # ids in one statement
_QUIET = {"synchronize_session": False}


def owner_of(thread: Thread) -> Owner:
    """Return whose a thread is."""
    account = thread.customer_id if thread.customer_verified else None
    return Owner(thread.shop_id, bytes(thread.address_hash) if thread.address else None, account)


def kept_of(session: Session, scope: Scope, thread_id: int) -> Thread | None:
    """Return the thread of the scope that this one has been merged into, however often; itself where it has not been."""
    number: int | None = thread_id
    thread = None
    for _time in range(MOST_MERGES):
        if number is None or not can_be_id(number):
            break
        thread = session.scalars(select(Thread).where(Thread.id == number, scope.covers(Thread.shop_id))).one_or_none()
        number = thread.merged_into_id if thread is not None else None
    return thread


def members_of(session: Session, thread_ids: Collection[int], *, locks: bool = False) -> list[int]:
    """Return these threads and all that have been merged into them, however far down: with `locks`, as they are now, and locked.

    It costs a query, and one more for each level.
    """
    found, latest = set(thread_ids), set(thread_ids)
    while latest:
        query = select(Thread).where(Thread.merged_into_id.in_(sorted(latest))).order_by(Thread.id)
        rows = session.scalars(locking(session, query) if locks else query)
        latest = {one.id for one in rows} - found
        found |= latest
    return sorted(found)


def lines_of(session: Session, thread_ids: Collection[int]) -> set[int]:
    """Return these threads and all that they have been merged into."""
    found, latest = set(thread_ids), set(thread_ids)
    while latest:
        above = session.scalars(select(Thread.merged_into_id).where(Thread.id.in_(sorted(latest)), Thread.merged_into_id.is_not(None)))
        latest = {one for one in above if one is not None} - found
        found |= latest
    return found


def lock_lines(session: Session, scope: Scope, thread_ids: Collection[int]) -> Mapping[int, Thread]:
    """Lock threads of a scope with all that they have been merged into, in the order of their ids, and return them by id, as they are now."""
    wanted = lines_of(session, [one for one in thread_ids if can_be_id(one)])
    while True:
        locked = {one.id: one for one in lock_threads(session, scope, wanted)}
        above = {one.merged_into_id for one in locked.values() if one.merged_into_id is not None} - wanted
        if not above:
            return locked
        wanted |= above


def stands_in(session: Session, scope: Scope, thread_id: int, message_id: int) -> int | None:
    """Return the thread of the scope in which a message stands that has stood in this one; None where it has not, or is not there.

    It has where threads were merged, or messages moved, between the two, whether or not that was undone since.
    """
    if not can_be_id(thread_id) or not can_be_id(message_id):
        return None
    now = session.scalar(select(Message.thread_id).where(Message.id == message_id, scope.covers(Message.shop_id)))
    return now if now is not None and thread_id in _connected(session, now) else None


def homes_of(session: Session, message: Message, *, anew: bool = False) -> set[int]:
    """Return the thread to which a message belongs, and those to which it belonged before it was moved by hand; `anew` as in `locking`."""
    found, latest = {message.home_thread_id}, {message.home_thread_id}
    key = str(message.id)
    for _time in range(MOST_MERGES):
        if message.matched_by != MOVED_BY_HAND or not latest:
            break
        into = Merge.kept_thread_id.in_(sorted(latest)), Merge.undone_at.is_(None)
        query = select(Merge.before).where(*into)
        taken = [before.get("messages", {}).get(key) for before in session.scalars(locking(session, query) if anew else query)]
        latest = {one[0] for one in taken if one is not None} - found
        found |= latest
    return found


def _connected(session: Session, thread_id: int) -> set[int]:
    """Return a thread and all between which and it threads were ever merged, or messages moved."""
    found, latest = {thread_id}, {thread_id}
    for _time in range(MOST_MERGES):
        if not latest:
            break
        touching = or_(Merge.kept_thread_id.in_(sorted(latest)), Merge.merged_thread_id.in_(sorted(latest)))
        rows = session.execute(select(Merge.kept_thread_id, Merge.merged_thread_id).where(touching)).all()
        latest = {one for row in rows for one in row} - found
        found |= latest
    return found


def top_of(locked: Mapping[int, Thread], thread_id: int) -> Thread | None:
    """Return the thread among locked ones that this one has been merged into; None where one on the way is not among them, or in a circle."""
    thread = locked.get(thread_id)
    for _step in range(MOST_MERGES):
        if thread is None or thread.merged_into_id is None:
            return thread
        thread = locked.get(thread.merged_into_id)
    return None


# --- What can be merged -----------------------------------------------------------------------------------------------------------------------------


def suggested(session: Session, scope: Scope, thread: Thread, *, limit: int) -> list[Thread]:
    """Return other threads in the list that may be of the same customer, by account or by address: those of the same order first, then the newest.

    Whether they are is for `rules.merging.is_one_customer` to say. One query.
    """
    theirs: list[ColumnElement[bool]] = []
    if thread.address:
        theirs.append(Thread.address_hash == thread.address_hash)
    if thread.customer_id is not None and thread.customer_verified:
        theirs.append(and_(Thread.customer_id == thread.customer_id, Thread.customer_verified))
    if not theirs:
        return []
    of_order = [case((Thread.order_id == thread.order_id, 0), else_=1)] if thread.order_id is not None else []
    listed = Thread.folder == Folder.LIST, Thread.shop_id == thread.shop_id, scope.covers(Thread.shop_id), Thread.id != thread.id
    return list(session.scalars(select(Thread).where(or_(*theirs), *listed).order_by(*of_order, Thread.id.desc()).limit(limit)))


def merges_among(session: Session, scope: Scope, ids: Collection[int]) -> set[int]:
    """Return which of these merges and moves, between threads of the scope, have not been undone."""
    wanted = sorted({one for one in ids if can_be_id(one)})
    query = select(Merge.id).join(Thread, Thread.id == Merge.kept_thread_id).where(scope.covers(Thread.shop_id))
    return set(session.scalars(query.where(Merge.id.in_(wanted), Merge.undone_at.is_(None))))


def merge_of(session: Session, merge_id: int) -> Merge | None:
    """Return a merge or a move as it is now, locked, for whoever undoes it; the threads that it names are locked first."""
    return session.scalars(locking(session, select(Merge).where(Merge.id == merge_id))).one_or_none()


def merge_named(session: Session, scope: Scope, merge_id: int) -> Merge | None:
    """Return a merge or a move whose two threads both lie in the scope; None for any other."""
    if not can_be_id(merge_id):
        return None
    merge = session.get(Merge, merge_id)
    if merge is None:
        return None
    both = {merge.kept_thread_id, merge.merged_thread_id}
    seen = set(session.scalars(select(Thread.id).where(Thread.id.in_(both), scope.covers(Thread.shop_id))))
    return merge if seen == both else None


# --- Messages, and what stands beside them ----------------------------------------------------------------------------------------------------------


def messages_in(session: Session, thread_id: int, homes: Collection[int] | None = None) -> list[int]:
    """Return the messages of a locked thread, as they are now; those that belong to one of these homes, where some are named."""
    query = select(Message).where(Message.thread_id == thread_id)
    if homes is not None:
        query = query.where(Message.home_thread_id.in_(sorted(homes)))
    return [one.id for one in session.scalars(locking(session, query.order_by(Message.id)))]


def relocate(session: Session, message_ids: Sequence[int], source: int, target: int) -> None:
    """Let messages of a locked thread stand in another locked one, with the words they are searched by, their mails, and what was said to them."""
    for start in range(0, len(message_ids), _IDS):
        some = message_ids[start : start + _IDS]
        for table in (Message, SearchText, SurveyAnswer, OutboxItem):
            column: Any = Message.id if table is Message else table.message_id
            session.execute(
                update(table).where(table.thread_id == source, column.in_(some)).values(thread_id=target), execution_options=_QUIET
            )
    forget_read(session, message_ids)


def lead_keys(session: Session, message_ids: Sequence[int], sources: Collection[int], target: int) -> None:
    """Let the Message-IDs of messages that lead to some threads lead to another.

    A key leads to the thread that its message stood in when it came, which may have been merged since, and again: any of them is to be named.
    """
    for start in range(0, len(message_ids), _IDS):
        named = ThreadAlias.thread_id.in_(sorted(sources)), ThreadAlias.message_id.in_(message_ids[start : start + _IDS])
        session.execute(update(ThreadAlias).where(*named).values(thread_id=target), execution_options=_QUIET)


def mails_without_message(session: Session, thread_id: int) -> list[int]:
    """Return the mails of a thread that are about no single message: notices to employees."""
    query = select(OutboxItem.id).where(OutboxItem.thread_id == thread_id, OutboxItem.message_id.is_(None))
    return list(session.scalars(query.order_by(OutboxItem.id)))


def relocate_mails(session: Session, item_ids: Sequence[int], source: int, target: int) -> None:
    """Let mails of one locked thread be another's."""
    for start in range(0, len(item_ids), _IDS):
        these = OutboxItem.thread_id == source, OutboxItem.id.in_(item_ids[start : start + _IDS])
        session.execute(update(OutboxItem).where(*these).values(thread_id=target), execution_options=_QUIET)


def forget_read(session: Session, message_ids: Iterable[int]) -> None:
    """Let messages that were changed past the session's own objects be read anew."""
    for message_id in message_ids:
        known = session.identity_map.get(session.identity_key(Message, message_id))
        if known is not None:
            session.expire(known)
