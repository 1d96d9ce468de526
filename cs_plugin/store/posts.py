"""Forms that were posted: the same one is taken once, whoever comes first, on every database without an error to catch."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from cs_plugin.store.locking import insert_if_absent, locking
from cs_plugin.store.models import Post


def claim(session: Session, key: bytes, now: dt.datetime, *, lasts: dt.timedelta | None = None) -> Post | None:
    """Take a post: None when it is ours, else the row of the one that was taken before.

    Two transactions that take the same one wait for each other here. A claim older than `lasts` is given away again; without it, it lasts for ever.
    """
    if insert_if_absent(session, Post, ["hash"], {"hash": key, "created_at": now}):
        return None
    post = session.scalars(locking(session, select(Post).where(Post.hash == key))).one()
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
