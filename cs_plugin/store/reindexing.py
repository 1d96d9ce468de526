"""Compare what is searched with what is written, a part at a time, and mend what differs: somebody may have changed it by hand."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, column, func, inspect, select, table
from sqlalchemy.orm import Session

from cs_plugin.rules.inquiry import fold
from cs_plugin.store import search
from cs_plugin.store.fulltext import MESSAGES, THREADS
from cs_plugin.store.models import Message, SearchText, Thread, ThreadWords

# SQLite's index keeps a row of its own for each that it holds.
_HELD = {name: table(f"{name}_docsize", column("id")) for name in (MESSAGES, THREADS)}
_HERE = {"mapper": Thread}


@dataclass(frozen=True, slots=True)
class Compared:
    """What a part has shown: the ids that are searched wrongly, and the last one that was compared, None at the end."""

    wrong: Sequence[int]
    last: int | None


def compare_messages(session: Session, after: int, most: int) -> Compared:
    """Compare the messages behind an id, `most` of them."""
    written = session.execute(select(Message.id, Message.thread_id, Message.text).where(Message.id > after).order_by(Message.id).limit(most)).all()
    last = written[-1].id if len(written) == most else None
    right = {row.id: (row.thread_id, fold(row.text)) for row in written}
    searched = select(SearchText.message_id, SearchText.thread_id, SearchText.words).where(*_behind(SearchText.message_id, after, last))
    held = {row.message_id: (row.thread_id, row.words) for row in session.execute(searched)}
    return Compared(_different(session, MESSAGES, right, held, after, last), last)


def compare_threads(session: Session, after: int, most: int) -> Compared:
    """Compare what threads behind an id are called, `most` of them."""
    written = session.execute(select(*search.NAMED).where(Thread.id > after).order_by(Thread.id).limit(most)).all()
    last = written[-1].id if len(written) == most else None
    right = {row.id: search.words_of(row) for row in written}
    searched = select(ThreadWords.thread_id, ThreadWords.customer, ThreadWords.address, ThreadWords.about)
    rows = session.execute(searched.where(*_behind(ThreadWords.thread_id, after, last))).mappings()
    return Compared(_different(session, THREADS, right, {row["thread_id"]: dict(row) for row in rows}, after, last), last)


def _behind(key: Any, after: int, last: int | None) -> list[Any]:
    return [key > after, *([key <= last] if last is not None else [])]


def _different(session: Session, name: str, right: dict[int, Any], held: dict[int, Any], after: int, last: int | None) -> list[int]:
    wrong = {one for one in right.keys() | held.keys() if right.get(one) != held.get(one)}
    if search.has_own_index(session):
        indexed = set(session.scalars(select(_HELD[name].c.id).where(*_behind(_HELD[name].c.id, after, last)), bind_arguments=_HERE))
        wrong |= right.keys() - indexed
    return sorted(wrong)


def mend_messages(session: Session, ids: Collection[int]) -> None:
    """Write anew what is searched of these messages; of one that is gone nothing stays."""
    search.forget_messages(session, _indexed(session, MESSAGES, ids), ids)
    rows = session.execute(select(Message.id, Message.thread_id, Message.text).where(Message.id.in_(ids))).all()
    search.index_messages(session, [(row.id, row.thread_id, row.text) for row in rows])


def mend_threads(session: Session, ids: Collection[int]) -> None:
    """Write anew what is searched of these threads; of one that is gone nothing stays."""
    search.forget_names(session, ids, _indexed(session, THREADS, ids))
    search.index_threads(session, ids)


def _indexed(session: Session, name: str, ids: Collection[int]) -> Collection[int]:
    """Return which rows SQLite's index holds: one that it does not hold must not be taken out of it."""
    if not search.has_own_index(session):
        return ids
    return session.scalars(select(_HELD[name].c.id).where(_HELD[name].c.id.in_(ids)), bind_arguments=_HERE).all()


@dataclass(frozen=True, slots=True)
class Counted:
    """How many messages and threads there are, and how many of them are searched."""

    messages: int
    searched_messages: int
    threads: int
    searched_threads: int

    @property
    def agree(self) -> bool:
        """Say whether everything is searched."""
        return self.messages == self.searched_messages and self.threads == self.searched_threads


def counted(connection: Connection) -> Counted:
    """Count what there is and what is searched of it; where SQLite's index holds fewer than its table, that is what counts."""

    def number(what: Any) -> int:
        return connection.scalar(select(func.count()).select_from(what)) or 0

    searched = [number(SearchText), number(ThreadWords)]
    if connection.dialect.name == "sqlite":
        there = set(inspect(connection).get_table_names())
        held = [number(_HELD[name]) if _HELD[name].name in there else 0 for name in (MESSAGES, THREADS)]
        searched = [min(pair) for pair in zip(searched, held, strict=True)]
    return Counted(number(Message), searched[0], number(Thread), searched[1])
