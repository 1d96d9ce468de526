"""Threads about an order, as its page in the admin and its customer's page show them.

An employee reads within a Scope. The customer reads what is verified to be theirs: by the account whose order it is, or by a guest's address.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, false, func, or_, select
from sqlalchemy.orm import Session, selectinload

from cs_plugin.rules.inquiry import address_key
from cs_plugin.rules.orders import Order
from cs_plugin.rules.status import Folder
from cs_plugin.store.locking import locking
from cs_plugin.store.models import Message, Thread
from cs_plugin.store.scope import Scope
from cs_plugin.store.threads import public
from cs_plugin.store.types import can_be_id


def threads_of_order(session: Session, scope: Scope, order: Order) -> list[Thread]:
    """Return the threads about an order that an employee may see, newest first: spam and bin left out."""
    query = select(Thread).where(*_about(order), Thread.folder == Folder.LIST, scope.covers(Thread.shop_id))
    return list(session.scalars(query.order_by(Thread.id.desc())))


def messages_of_order(session: Session, scope: Scope, order: Order, *, newest: int) -> tuple[int, list[Message]]:
    """Return how many messages and notes these threads hold, and the newest of them, oldest first, with their attachments."""
    listed = select(Thread.id).where(*_about(order), Thread.folder == Folder.LIST, scope.covers(Thread.shop_id))
    theirs = (Message.thread_id.in_(listed), scope.covers(Message.shop_id))
    total = session.scalar(select(func.count()).select_from(Message).where(*theirs)) or 0
    query = select(Message).where(*theirs).options(selectinload(Message.attachments)).order_by(Message.id.desc()).limit(newest)
    return total, list(reversed(session.scalars(query).all()))


def newest_of_owner(session: Session, order: Order) -> int | None:
    """Return the newest thread between the shop and the order's own customer, as it is now, for whoever is about to write in it."""
    return session.scalar(locking(session, _newest_of_owner(order).with_only_columns(Thread.id)))


def contact_of_owner(session: Session, order: Order) -> int | None:
    """Return the contact of that thread; None where there is none yet, as where it has none."""
    return session.scalar(_newest_of_owner(order).with_only_columns(Thread.contact_id))


def _newest_of_owner(order: Order) -> Select[Any]:
    return select(Thread).where(*_about(order), _owned(order), Thread.folder == Folder.LIST).order_by(Thread.id.desc()).limit(1)


def messages_for_owner(session: Session, order: Order, now: dt.datetime, *, newest: int, before: int | None = None) -> list[Message]:
    """Return what the customer of an order sees of its threads, newest first, with attachments; those before a message id where one is given."""
    query = select(Message).where(Message.thread_id.in_(_shown_to_owner(order)), public(now)).options(selectinload(Message.attachments))
    if before is not None:
        query = query.where(Message.id < before)
    return list(session.scalars(query.order_by(Message.id.desc()).limit(newest)))


def message_for_owner(session: Session, order: Order, message_id: int, now: dt.datetime) -> Message | None:
    """Return one message of an order's threads as its customer may see it; None for any other."""
    if not can_be_id(message_id):
        return None
    return session.scalars(
        select(Message).where(Message.id == message_id, Message.thread_id.in_(_shown_to_owner(order)), public(now))
    ).one_or_none()


def _shown_to_owner(order: Order) -> Select[Any]:
    # Whoever was marked as spam is not told: their own words stand there as before.
    return select(Thread.id).where(*_about(order), _owned(order), Thread.folder.in_([Folder.LIST, Folder.SPAM]))


def _about(order: Order) -> Sequence[ColumnElement[bool]]:
    # The same number of an order may exist in two shops.
    return Thread.order_id == order.id, Thread.shop_id == order.shop_id


def _owned(order: Order) -> ColumnElement[bool]:
    """Return the clause for threads of the order's own customer, verified: whoever else wrote about it neither reads nor gets what belongs to them.

    A guest who has opened an account since has begun as an address.
    """
    guest = and_(Thread.customer_id.is_(None), Thread.address_hash == address_key(order.email)) if order.email.strip() else false()
    if order.customer_id is None:
        return and_(Thread.customer_verified, guest)
    return and_(Thread.customer_verified, or_(Thread.customer_id == order.customer_id, guest))
