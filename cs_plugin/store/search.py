"""The words of messages and threads as they are searched, written in the transaction that writes the message or the thread.

All letters are made alike by `rules.inquiry.fold` first. Where SQLite keeps an index of its own, it is written here too, and by no trigger:
a migration that makes a table anew drops triggers without a word.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from cs_plugin.rules.inquiry import fold
from cs_plugin.store.fulltext import MESSAGES, THREADS
from cs_plugin.store.locking import insert_rows
from cs_plugin.store.models import Message, SearchText, Thread, ThreadWords

_IDS = 1_000   # ids in one statement
_QUIET = {"synchronize_session": False}
_HERE = {"mapper": Thread}   # a host may route our models to a database of their own

_PUT_MESSAGE = text(f"INSERT INTO {MESSAGES} (rowid, words) VALUES (:message_id, :words)")  # noqa: S608 - a name of our own
_TAKE_MESSAGE = text(f"INSERT INTO {MESSAGES} ({MESSAGES}, rowid, words) VALUES ('delete', :message_id, :words)")  # noqa: S608 - a name of our own
_PUT_THREAD = text(f"INSERT INTO {THREADS} (rowid, customer, address, about) VALUES (:thread_id, :customer, :address, :about)")  # noqa: S608
_TAKE_THREAD = text(
    f"INSERT INTO {THREADS} ({THREADS}, rowid, customer, address, about) VALUES ('delete', :thread_id, :customer, :address, :about)"  # noqa: S608
)
_OF_MESSAGE = (SearchText.message_id, SearchText.words)
_OF_THREAD = (ThreadWords.thread_id, ThreadWords.customer, ThreadWords.address, ThreadWords.about)
# What of a thread its words are made from.
NAMED = (Thread.id, Thread.customer_sort, Thread.address_sort, Thread.order_id, Thread.subject)


def index(session: Session, message: Message) -> None:
    """Make a new message's words searchable, folded so that letters of any case meet."""
    index_messages(session, [(message.id, message.thread_id, message.text)])


def index_messages(session: Session, messages: Collection[tuple[int, int, str]]) -> None:
    """Make the words of new messages searchable: of each its id, its thread's id, and its text."""
    rows = [{"message_id": one, "thread_id": thread_id, "words": fold(words)} for one, thread_id, words in messages]
    insert_rows(session, SearchText, rows)
    _put(session, _PUT_MESSAGE, rows)


def index_threads(session: Session, ids: Collection[int]) -> None:
    """Make new threads searchable by what they are called: the customer's name, the address, the order and the subject."""
    wanted = sorted(ids)
    for start in range(0, len(wanted), _IDS):
        rows = [words_of(row) for row in session.execute(select(*NAMED).where(Thread.id.in_(wanted[start : start + _IDS])))]
        insert_rows(session, ThreadWords, rows)
        _put(session, _PUT_THREAD, rows)


def index_thread(session: Session, thread: Thread) -> None:
    """Make a thread that begins searchable likewise: its row need not be read again."""
    index_new_threads(session, [thread])


def index_new_threads(session: Session, threads: Collection[Thread]) -> None:
    """Make several threads that begin searchable, in as many statements as one."""
    rows = [words_of(thread) for thread in threads]
    insert_rows(session, ThreadWords, rows)
    _put(session, _PUT_THREAD, rows)


def _put(session: Session, put: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows and has_own_index(session):
        session.connection(bind_arguments=_HERE).execute(put, rows)


def rename_threads(session: Session, ids: Collection[int]) -> None:
    """Make locked threads searchable by what they are called now."""
    wanted = sorted(ids)
    for start in range(0, len(wanted), _IDS):
        forget_names(session, wanted[start : start + _IDS])
    index_threads(session, wanted)


def words_of(row: Any) -> dict[str, object]:
    """Return what a thread is searched by, of a row of NAMED."""
    # What is referred to and what it is about stand on a line each, so that no word is found across both.
    about = "\n".join((fold(row.order_id or ""), fold(row.subject)))
    return {"thread_id": row.id, "customer": row.customer_sort, "address": row.address_sort, "about": about}


def forget(session: Session, thread_ids: Collection[int]) -> None:
    """Let nothing be found of threads any more, nor of their messages."""
    _forget(session, select(*_OF_MESSAGE).where(SearchText.thread_id.in_(thread_ids)), _TAKE_MESSAGE)
    session.execute(delete(SearchText).where(SearchText.thread_id.in_(thread_ids)), execution_options=_QUIET)
    forget_names(session, thread_ids)


def forget_messages(session: Session, indexed: Collection[int], ids: Collection[int]) -> None:
    """Let nothing be found of messages; those `indexed` are taken out of SQLite's index too."""
    _forget(session, select(*_OF_MESSAGE).where(SearchText.message_id.in_(indexed)), _TAKE_MESSAGE)
    session.execute(delete(SearchText).where(SearchText.message_id.in_(ids)), execution_options=_QUIET)


def forget_names(session: Session, thread_ids: Collection[int], indexed: Collection[int] | None = None) -> None:
    """Let threads not be found by what they are called; `indexed` are those that SQLite's index holds, all of them where nothing is said."""
    held = thread_ids if indexed is None else indexed
    _forget(session, select(*_OF_THREAD).where(ThreadWords.thread_id.in_(held)), _TAKE_THREAD)
    session.execute(delete(ThreadWords).where(ThreadWords.thread_id.in_(thread_ids)), execution_options=_QUIET)


def _forget(session: Session, held: Any, take: Any) -> None:
    """Take rows out of SQLite's index, which has to be told the words that it holds."""
    if has_own_index(session):
        rows = [dict(row) for row in session.execute(held).mappings()]
        if rows:
            session.execute(take, rows, bind_arguments=_HERE)


def has_own_index(session: Session) -> bool:
    """Say whether the database keeps its index of words in a table that is written by hand: SQLite."""
    return session.get_bind(Thread).dialect.name == "sqlite"
