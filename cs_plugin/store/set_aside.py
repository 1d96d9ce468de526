"""Mails that were set aside: kept whole, with the cause in words, until somebody has looked at them."""

from __future__ import annotations

import datetime as dt

from sqlalchemy.orm import Session

from cs_plugin.rules.inquiry import MAX_ADDRESS, MAX_SUBJECT, StoredFile, clean_line
from cs_plugin.store.files import blob_of
from cs_plugin.store.models import SetAsideMail

WAITING = "waiting"
_MAX_CAUSE = 500


def set_aside(
    session: Session,
    original: StoredFile,
    cause: str,
    now: dt.datetime,
    *,
    mailbox_id: int | None,
    shop_id: str | None,
    sender: str = "",
    subject: str = "",
    signs: str | None = None,
) -> SetAsideMail:
    """Set a mail aside whose bytes are kept. `cause` is a reason's name, or what an error says; `shop_id` is None where nobody can tell the shop."""
    row = SetAsideMail(
        mailbox_id=mailbox_id,
        shop_id=shop_id,
        blob_id=blob_of(session, original, now).id,
        cause=clean_line(cause, _MAX_CAUSE),
        sender=clean_line(sender, MAX_ADDRESS),
        subject=clean_line(subject, MAX_SUBJECT),
        signs=signs,
        state=WAITING,
        created_at=now,
    )
    session.add(row)
    session.flush()
    return row
