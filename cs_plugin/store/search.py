"""The words of messages as they are searched: one row a message, written in the transaction that writes the message."""

from __future__ import annotations

from sqlalchemy.orm import Session

from cs_plugin.rules.inquiry import fold
from cs_plugin.store.models import Message, SearchText


def index(session: Session, message: Message) -> None:
    """Make a message's words searchable, folded so that letters of any case meet."""
    session.add(SearchText(message_id=message.id, thread_id=message.thread_id, words=fold(message.text)))
