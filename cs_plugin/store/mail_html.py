"""The HTML that a message came with: where its bytes lie, and those of the pictures that came in the same mail."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from cs_plugin.store.models import Attachment, Blob, Message
from cs_plugin.store.scope import Scope
from cs_plugin.store.types import can_be_id

_MOST_PICTURES = 200


@dataclass(frozen=True, slots=True)
class KeptPicture:
    """A part of a mail that its HTML can name by its Content-ID; `size` counts bytes. Nothing says that it is a picture but its first bytes."""

    content_id: str
    key: str
    size: int


@dataclass(frozen=True, slots=True)
class KeptHtml:
    """The HTML of a message: the key under which it is kept, its size in bytes, and what the page that shows it has to know of the message."""

    key: str
    size: int
    shop_id: str
    subject: str
    language: str
    pictures: tuple[KeptPicture, ...]


def html_of(session: Session, scope: Scope, thread_id: int, message_id: int) -> KeptHtml | None:
    """Return the HTML of a message of a thread of the scope; None where it came with none, or is not this person's to see."""
    if not can_be_id(message_id) or not can_be_id(thread_id):
        return None
    there = Message.id == message_id, Message.thread_id == thread_id, scope.covers(Message.shop_id)
    query = select(Blob.key, Blob.size, Message.shop_id, Message.subject, Message.language).join(Message, Message.html_blob_id == Blob.id)
    row = session.execute(query.where(*there)).one_or_none()
    return None if row is None else KeptHtml(*row, pictures=_pictures(session, message_id))


def _pictures(session: Session, message_id: int) -> tuple[KeptPicture, ...]:
    query = select(Attachment.content_id, Blob.key, Blob.size).join(Blob, Blob.id == Attachment.blob_id)
    named = query.where(Attachment.message_id == message_id, Attachment.content_id != "").order_by(Attachment.position).limit(_MOST_PICTURES)
    return tuple(KeptPicture(*row) for row in session.execute(named))
