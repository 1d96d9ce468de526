"""Blocked senders: addresses whose messages lie in spam, in one shop or in all of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, delete, select, true
from sqlalchemy.orm import Session

from cs_plugin.rules.inquiry import address_key
from cs_plugin.rules.permissions import Shops
from cs_plugin.rules.status import Folder
from cs_plugin.store.locking import insert_if_absent
from cs_plugin.store.models import BlockedSender, Thread, ThreadEvent
from cs_plugin.store.scope import Scope
from cs_plugin.store.types import can_be_id

ALL_SHOPS = ""   # in the place of a shop's id


def block(session: Session, address: str, shop_id: str, employee_id: str, now: dt.datetime) -> bool:
    """Block an address in a shop, or in all of them; say whether it was not blocked there already."""
    key = {"address_hash": address_key(address), "shop_id": shop_id}
    values = {**key, "address": address, "employee_id": employee_id, "created_at": now}
    return insert_if_absent(session, BlockedSender, ["address_hash", "shop_id"], values)


def unblock_address(session: Session, address: str, shop_ids: Collection[str]) -> bool:
    """Unblock an address in some shops (`ALL_SHOPS` is one of them); say whether it was blocked there."""
    rows = delete(BlockedSender).where(BlockedSender.address_hash == address_key(address), BlockedSender.shop_id.in_(shop_ids))
    done: Any = session.execute(rows, execution_options={"synchronize_session": False})
    return bool(done.rowcount)


def blocked_in(session: Session, address: str, shop_id: str) -> BlockedSender | None:
    """Return how an address is blocked in a shop: the row of all shops goes first. None where it is not."""
    query = select(BlockedSender).where(BlockedSender.address_hash == address_key(address), BlockedSender.shop_id.in_([ALL_SHOPS, shop_id]))
    return session.scalars(query.order_by(BlockedSender.shop_id).limit(1)).first()


def blocked_senders(session: Session, shops: Shops, *, most: int, before: int | None = None) -> Sequence[BlockedSender]:
    """Return the newest blocked senders of these shops, `before` a row where one is given."""
    query = select(BlockedSender).where(_seen(shops))
    if before is not None:
        query = query.where(BlockedSender.id < before)
    return session.scalars(query.order_by(BlockedSender.id.desc()).limit(most)).all()


def blocked_sender(session: Session, shops: Shops, blocked_id: int) -> BlockedSender | None:
    """Return one row that somebody with these shops may see: those of all shops are for whoever has all."""
    if not can_be_id(blocked_id):
        return None
    return session.scalars(select(BlockedSender).where(BlockedSender.id == blocked_id, _seen(shops))).one_or_none()


def _seen(shops: Shops) -> ColumnElement[bool]:
    if not isinstance(shops, frozenset):
        return true()
    # Who was blocked in all shops may be a stranger's customer.
    return BlockedSender.shop_id.in_(sorted(shops))


def laid_in_spam_at(session: Session, scope: Scope, moment: dt.datetime, employee_id: str, *, most: int) -> list[int]:
    """Return the threads of the scope that an employee laid in spam at that very moment, and that lie there still."""
    marked = select(ThreadEvent.thread_id).where(ThreadEvent.kind == "spam", ThreadEvent.created_at == moment, ThreadEvent.actor_id == employee_id)
    query = select(Thread.id).where(Thread.id.in_(marked), Thread.folder == Folder.SPAM, scope.covers(Thread.shop_id))
    return list(session.scalars(query.order_by(Thread.id).limit(most)))
