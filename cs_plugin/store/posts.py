"""Forms that were posted: the same one is taken once, whoever comes first, on every database without an error to catch."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from cs_plugin.rules.floods import Allowance
from cs_plugin.rules.inquiry import address_key, digest
from cs_plugin.store.locking import insert_if_absent, locking
from cs_plugin.store.models import Post

# How long a claim is kept that lasts for good: far longer than any form can be sent again.
KEPT_FOR = dt.timedelta(days=90)
# A turn matters to those who come while the one before is not committed, or not to be seen yet; whoever has one renews it, so that it is kept.
_TURN_LASTS = dt.timedelta(days=1)


def claim(session: Session, key: bytes, now: dt.datetime, *, lasts: dt.timedelta | None = None) -> Post | None:
    """Take a post: None when it is ours, else the row of the one that was taken before.

    Two transactions that take the same one wait for each other here. A claim older than `lasts` is given away again; without it, it lasts until it
    is forgotten.
    """
    while not insert_if_absent(session, Post, ["hash"], {"hash": key, "created_at": now}):
        post = session.scalars(locking(session, select(Post).where(Post.hash == key))).one_or_none()
        if post is None:
            # It was forgotten, or erased with its thread, between our two statements.
            continue
        if lasts is None or post.created_at >= now - lasts:
            return post
        post.created_at, post.thread_id, post.message_id = now, None, None
        session.flush()
        return None
    return None


def give_back(session: Session, key: bytes) -> None:
    """Give a claim away: what it became is there no more."""
    session.execute(delete(Post).where(Post.hash == key), execution_options={"synchronize_session": False})


def forget(session: Session, before: dt.datetime, *, most: int = 500) -> int:
    """Delete some of the claims from before a moment, the oldest first, and return how many were looked at; 0 once none is left."""
    ids = session.scalars(select(Post.id).where(Post.created_at < before).order_by(Post.created_at).limit(most)).all()
    # Asked again by the statement that deletes: one of them may have been taken anew meanwhile.
    session.execute(delete(Post).where(Post.id.in_(ids), Post.created_at < before), execution_options={"synchronize_session": False})
    return len(ids)


def turn_on_order(shop_id: str, order_id: str, *, customer_id: str | None, address: str) -> bytes:
    """Return the key by which those who write about an order of one customer's (a guest's: of one address) take turns, whoever of them begins."""
    who = ("account", customer_id) if customer_id is not None else ("guest", address_key(address).hex())
    return digest("order", shop_id, order_id, *who)


def take_turn(session: Session, key: bytes, now: dt.datetime) -> Post | None:
    """Take a turn: whoever has it now is waited for. Return what the one before led to; None where that was long ago, or nobody was before."""
    return claim(session, key, now, lasts=_TURN_LASTS)


def was_taken(session: Session, key: bytes) -> bool:
    """Say whether a post has been taken and what became of it is committed."""
    return session.scalar(select(Post.id).where(Post.hash == key)) is not None


def lead_to(session: Session, key: bytes, thread_id: int | None, message_id: int | None) -> None:
    """Note what a post that is ours became."""
    session.execute(
        update(Post).where(Post.hash == key).values(thread_id=thread_id, message_id=message_id), execution_options={"synchronize_session": False}
    )


def spend(session: Session, what: str, allowances: Iterable[Allowance], now: dt.datetime) -> list[bytes] | None:
    """Spend one of what is allowed, in the caller's transaction: return the claims that it took, or None where nothing is left.

    Each of the `most` times is a claim of its own, which is given away again after the span: no more can be spent within it, however many
    transactions try at once, and what is rolled back is not spent.
    """
    spent: list[bytes] = []
    for allowance in allowances:
        key = next((key for key in _free(session, what, allowance, now) if claim(session, key, now, lasts=allowance.within) is None), None)
        if key is None:
            return None
        spent.append(key)
    return spent


def _free(session: Session, what: str, allowance: Allowance, now: dt.datetime) -> Iterator[bytes]:
    """Return the claims that seem to be free; only taking one tells."""
    keys = [digest("allowance", what, str(allowance.within), str(number)) for number in range(allowance.most)]
    taken = set(session.scalars(select(Post.hash).where(Post.hash.in_(keys), Post.created_at >= now - allowance.within)))
    return (key for key in keys if key not in taken)
