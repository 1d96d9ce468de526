"""What is kept of mails beside messages, forgotten once their mailbox is gone. In pieces: a store has had millions of mails."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from cs_plugin.store.models import ImportedMail, Mailbox, SyncRun

_ROWS_AT_ONCE = 1_000
_UNSYNCHRONIZED = {"synchronize_session": False}


def forget_gone_mailboxes(session: Session) -> int:
    """Take away some of the rows of mails and runs of mailboxes that are there no longer, and return how many; 0 once none is left."""
    for row in (ImportedMail, SyncRun):
        for mailbox_id in _mailboxes_in(session, row):
            if session.get(Mailbox, mailbox_id) is None:
                ids = session.scalars(select(row.id).where(row.mailbox_id == mailbox_id).limit(_ROWS_AT_ONCE)).all()
                session.execute(delete(row).where(row.id.in_(ids)), execution_options=_UNSYNCHRONIZED)
                return len(ids)
    return 0


def _mailboxes_in(session: Session, row: type[ImportedMail] | type[SyncRun]) -> Sequence[int]:
    # From one to the next by the index: DISTINCT reads it from end to end.
    found, last = list[int](), session.scalar(select(func.min(row.mailbox_id)))
    while last is not None:
        found.append(last)
        last = session.scalar(select(func.min(row.mailbox_id)).where(row.mailbox_id > last))
    return found
