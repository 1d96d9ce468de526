"""Marks of threads whose packed days may be wrong: left by whoever locks or begins a thread, in the same transaction (`store.packed_days`)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from typing import cast

from sqlalchemy import Table, event, insert
from sqlalchemy.orm import Session, UOWTransaction

from cs_plugin.store.models import PackMark, Thread


def leave(session: Session, thread_ids: Collection[int]) -> None:
    """Let figures count threads live until the days on which they have something are packed anew."""
    _insert(session, ((thread_id, None) for thread_id in sorted(thread_ids)))


def leave_days(session: Session, days: Iterable[tuple[int, dt.date]]) -> None:
    """Let days be packed anew on which threads had something that goes next: afterwards nothing tells which they were."""
    _insert(session, sorted(set(days)))


def _insert(session: Session, marks: Iterable[tuple[int, dt.date | None]]) -> None:
    rows = [{"marked_id": thread_id, "day": day} for thread_id, day in marks]
    if rows:
        # On the connection: a session that is flushing executes nothing. A host may route our models to a database of their own.
        session.connection(bind_arguments={"mapper": PackMark}).execute(insert(cast(Table, PackMark.__table__)), rows)


@event.listens_for(Session, "after_flush")
def _new_ones_are_marked(session: Session, _flushed: UOWTransaction) -> None:
    ids = [one.id for one in session.new if isinstance(one, Thread)]
    if ids:
        leave(session, ids)
