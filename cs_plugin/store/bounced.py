"""The mail of ours that a bounce is about: in the outbox, where it has left, and the message that it carried."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from cs_plugin.rules.inquiry import AuthorKind
from cs_plugin.rules.outgoing import CARRY_A_MESSAGE, OutgoingMail
from cs_plugin.store.models import Delivery, Message, OutboxItem, OutboxState, Thread
from cs_plugin.store.types import can_be_id

_MOST_MAILS = 200


@dataclass(frozen=True, slots=True)
class SentMail:
    """A mail that has left: its row, what kind it is, whom it went to, and the message that it carried, or was a copy of."""

    item_id: int
    kind: str
    recipients: tuple[str, ...]
    message_id: int | None
    copy_of: int | None = None


def sent_mail(session: Session, thread: Thread, message_ids: frozenset[str], recipient: str) -> SentMail | None:
    """Return the newest mail of a locked thread that has one of these Message-IDs; without any, that went to a recipient as the one it was for."""
    query = select(OutboxItem).where(OutboxItem.thread_id == thread.id, OutboxItem.state.in_((OutboxState.SENT, OutboxState.FAILED)))
    for item in session.scalars(query.order_by(OutboxItem.id.desc()).limit(_MOST_MAILS)):
        mail = _mail_of(item)
        if mail is None:
            continue
        meant = mail.message_id in message_ids if message_ids else mail.is_meant_for({recipient}) and item.kind in CARRY_A_MESSAGE
        if meant:
            carried, copied = item.kind in CARRY_A_MESSAGE, item.kind == "copy"
            return SentMail(item.id, item.kind, mail.recipients, item.message_id if carried else None, item.message_id if copied else None)
    return None


def forwarder_of(session: Session, thread: Thread, note_id: int | None) -> str | None:
    """Return the employee who forwarded a thread outside with a note; None where that is not known any more."""
    if note_id is None:
        return None
    query = select(Message.author_id).where(Message.id == note_id, Message.thread_id == thread.id, Message.author_kind == AuthorKind.EMPLOYEE)
    return session.scalar(query)


def mark_bounced(session: Session, sent: SentMail, words: str) -> None:
    """Let a mail that had left count as failed, so that it can be tried again, and let its message say so."""
    session.execute(
        update(OutboxItem)
        .where(OutboxItem.id == sent.item_id)
        .values(state=OutboxState.FAILED, last_error=words[:500], last_code=None, sent_at=None),
        execution_options={"synchronize_session": "fetch"},
    )
    if sent.message_id is not None and can_be_id(sent.message_id):
        session.execute(
            update(Message).where(Message.id == sent.message_id).values(delivery=Delivery.FAILED, delivery_text=words[:500], delivered_at=None),
            execution_options={"synchronize_session": "fetch"},
        )


def _mail_of(item: OutboxItem) -> OutgoingMail | None:
    try:
        return OutgoingMail.from_row(item.content)
    except (KeyError, TypeError, AttributeError, ValueError):  # another version wrote it
        return None
