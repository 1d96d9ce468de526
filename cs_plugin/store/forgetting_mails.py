"""What is kept of mails beside messages, forgotten: of a person, and of mailboxes that are gone. In pieces: a store has had millions of mails."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from cs_plugin.rules.inquiry import address_key
from cs_plugin.store.models import Blob, ImportedMail, Mailbox, SetAsideMail, SyncRun
from cs_plugin.store.set_aside_settling import forget_file

_ROWS_AT_ONCE = 1_000
_ADDRESS = re.compile(r"[^\s<>\"',;:()]+@[^\s<>\"',;:()]+")
_UNSYNCHRONIZED = {"synchronize_session": False}


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What a piece of the work has forgotten; `file_keys` name bytes to remove once that is committed, `after` is where to go on, None at the end."""

    number: int
    file_keys: tuple[str, ...]
    after: int | None


def forget_set_aside_of(session: Session, addresses: Collection[str], *, after: int = 0) -> Forgotten:
    """Take away the mails that were set aside and come from one of these addresses, whatever the case of its letters."""
    row = SetAsideMail
    found, last = _theirs(session, row, addresses, after)
    keys: list[str] = []
    for mail_id, blob_id in found:
        key = session.scalar(select(Blob.key).where(Blob.id == blob_id))
        session.execute(delete(row).where(row.id == mail_id), execution_options=_UNSYNCHRONIZED)
        if key is not None and forget_file(session, key):
            keys.append(key)
    return Forgotten(len(found), tuple(keys), last)


def forget_imported_of(session: Session, addresses: Collection[str], *, after: int = 0) -> Forgotten:
    """Take away whom mails are from and what they are called, where they come from one of these addresses; that each was read stays known."""
    row = ImportedMail
    found, last = _theirs(session, row, addresses, after)
    if found:
        ids = [mail_id for mail_id, _blob_id in found]
        session.execute(update(row).where(row.id.in_(ids)).values(sender="", subject=""), execution_options=_UNSYNCHRONIZED)
    return Forgotten(len(found), (), last)


def _theirs(
    session: Session, row: type[SetAsideMail] | type[ImportedMail], addresses: Collection[str], after: int
) -> tuple[list[tuple[int, int | None]], int | None]:
    """Return the rows of a piece that come from these addresses, and up to where it was looked; nobody else's whose address ends alike."""
    wanted = {address_key(one) for one in addresses if one}
    if not wanted:
        return [], None
    blob = row.blob_id if row is SetAsideMail else row.id
    likely = or_(*(func.lower(row.sender).contains(one.strip().lower(), autoescape=True) for one in addresses if one.strip()))
    query = select(row.id, row.sender, blob).where(row.id > after, row.sender != "", likely).order_by(row.id).limit(_ROWS_AT_ONCE)
    rows = session.execute(query).all()
    theirs: list[tuple[int, int | None]] = [(one[0], one[2]) for one in rows if any(address_key(said) in wanted for said in _ADDRESS.findall(one[1]))]
    return theirs, rows[-1][0] if len(rows) == _ROWS_AT_ONCE else None


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
