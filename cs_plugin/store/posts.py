"""Forms that were posted: the same one is taken once, whoever comes first, on every database without an error to catch."""

from __future__ import annotations

import datetime as dt
from typing import Any, cast

from sqlalchemy import Table, select, update
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.orm import Session

from cs_plugin.store.models import Post


def claim(session: Session, key: bytes, now: dt.datetime, *, lasts: dt.timedelta | None = None) -> Post | None:
    """Take a post: None when it is ours, else the row of the one that was taken before.

    Two transactions that take the same one wait for each other here. A claim older than `lasts` is given away again; without it, it lasts for ever.
    """
    if _insert_if_absent(session, key, now):
        return None
    query = select(Post).where(Post.hash == key).execution_options(populate_existing=True)
    if session.get_bind().dialect.name != "sqlite":
        # Read by a lock: the snapshot of this transaction may be older than the row.
        query = query.with_for_update()
    post = session.scalars(query).one()
    if lasts is not None and post.created_at < now - lasts:
        post.created_at, post.thread_id, post.message_id = now, None, None
        session.flush()
        return None
    return post


def lead_to(session: Session, key: bytes, thread_id: int | None, message_id: int | None) -> None:
    """Note what a post that is ours became."""
    session.execute(
        update(Post).where(Post.hash == key).values(thread_id=thread_id, message_id=message_id), execution_options={"synchronize_session": False}
    )


def _insert_if_absent(session: Session, key: bytes, now: dt.datetime) -> bool:
    dialect = session.get_bind().dialect.name
    table = cast(Table, Post.__table__)
    values = {"hash": key, "created_at": now}
    if dialect == "postgresql":
        unless_there = postgresql.insert(table).values(values).on_conflict_do_nothing(index_elements=[table.c.hash])
        return session.execute(unless_there.returning(table.c.id)).first() is not None
    if dialect == "sqlite":
        result: Any = session.execute(sqlite.insert(table).values(values).on_conflict_do_nothing(index_elements=[table.c.hash]))
    else:
        result = session.execute(mysql.insert(table).values(values).prefix_with("IGNORE"))
    return bool(result.rowcount == 1)
