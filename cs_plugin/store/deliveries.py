"""Where the mails of some messages stand."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from cs_plugin.store.models import Message
from cs_plugin.store.scope import Scope
from cs_plugin.store.types import can_be_id


def deliveries_of(session: Session, scope: Scope, thread_id: int, message_ids: Collection[int]) -> list[Message]:
    """Return these messages as far as a thread of the scope has them, oldest first."""
    wanted = sorted({one for one in message_ids if can_be_id(one)})
    query = select(Message).where(Message.id.in_(wanted), Message.thread_id == thread_id, scope.covers(Message.shop_id))
    return list(session.scalars(query.options(selectinload(Message.attachments)).order_by(Message.id)))
