"""Erase what has lain in the bin for long enough: the threads, and every row that belongs to them. Their bytes are swept by another command."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from cs_plugin.desk.bench import Bench
from cs_plugin.rules.status import Folder
from cs_plugin.store.locking import lock_threads
from cs_plugin.store.models import (
    Attachment,
    Draft,
    ImportedMail,
    Merge,
    Message,
    NoticeOpened,
    OutboxFile,
    OutboxItem,
    Participant,
    Post,
    Presence,
    SearchText,
    SurveyAnswer,
    Thread,
    ThreadAlias,
    ThreadEvent,
)
from cs_plugin.store.scope import EVERYTHING

BIN_KEEPS = dt.timedelta(days=30)
_AT_ONCE = 50     # threads of one transaction
_IDS = 1_000      # ids in one statement: databases take so many values and no more
_QUIET = {"synchronize_session": False}

# What belongs to a thread alone, the messages last: others are found by them.
_OF_THREAD = (SearchText, ThreadEvent, ThreadAlias, Participant, Post, SurveyAnswer, NoticeOpened, Presence, Draft, OutboxItem, Message)


def purge_bin(bench: Bench, *, older_than: dt.timedelta) -> int:
    """Erase some of the threads that have lain in the bin for longer than that, and return how many; 0 once none is left."""
    session, before = bench.session, bench.now - older_than
    due = select(Thread.id).where(Thread.folder == Folder.BIN, Thread.binned_at < before).order_by(Thread.id).limit(_AT_ONCE)
    locked = lock_threads(session, EVERYTHING, session.scalars(due).all())
    # Whoever held the lock before may have taken a thread out.
    ids = [thread.id for thread in locked if thread.folder is Folder.BIN and thread.binned_at is not None and thread.binned_at < before]
    if ids:
        _erase(session, ids)
    return len(ids)


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
