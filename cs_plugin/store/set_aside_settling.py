"""The mails that were set aside, as an employee may see them, until they are settled. Those of no shop are for whoever sees every shop."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import ColumnElement, and_, delete, func, select, update
from sqlalchemy.orm import Session

from cs_plugin.rules.inquiry import StoredFile
from cs_plugin.rules.signing import without_tags
from cs_plugin.store.models import Attachment, Blob, Mailbox, Message, OutboxFile, SetAsideMail
from cs_plugin.store.scope import Scope
from cs_plugin.store.set_aside import WAITING
from cs_plugin.store.types import can_be_id

_TYPE = "message/rfc822"
_UNSYNCHRONIZED = {"synchronize_session": False}


@dataclass(frozen=True, slots=True)
class KeptMail:
    """A mail that was set aside: where it came in, why it is here, and its whole. `shop_id` is None where nobody could tell the shop."""

    id: int
    shop_id: str | None
    mailbox_id: int | None
    mailbox: str
    cause: str
    sender: str
    subject: str
    since: dt.datetime
    tries: int
    original: StoredFile
    signs: str = ""


@dataclass(frozen=True, slots=True)
class KeptPage:
    """A page of them, and how many there are in all."""

    rows: Sequence[KeptMail]
    number: int
    pages: int
    total: int


def set_aside_page(session: Session, scope: Scope, *, number: int, size: int) -> KeptPage:
    """Return a page of the mails of a scope, the newest first; past the last page, the last one."""
    total = session.scalar(select(func.count()).select_from(SetAsideMail).where(_shown(scope))) or 0
    pages = max(1, -(-total // size))
    number = min(max(1, number), pages)
    query = _query(scope).order_by(SetAsideMail.id.desc()).limit(size).offset((number - 1) * size)
    return KeptPage([_read(row) for row in session.execute(query)], number, pages, total)


def set_aside_in(session: Session, scope: Scope, mail_id: int) -> KeptMail | None:
    """Return a mail of the scope; None for any other."""
    if not can_be_id(mail_id):
        return None
    row = session.execute(_query(scope).where(SetAsideMail.id == mail_id)).one_or_none()
    return None if row is None else _read(row)


def set_aside_among(session: Session, scope: Scope, mail_ids: Collection[int]) -> list[KeptMail]:
    """Return those of these mails that wait and are of the scope, by id."""
    wanted = sorted({one for one in mail_ids if can_be_id(one)})
    return [_read(row) for row in session.execute(_query(scope).where(SetAsideMail.id.in_(wanted)).order_by(SetAsideMail.id))]


def count_set_aside(session: Session, scope: Scope, most: int) -> int:
    """Return how many mails a scope has, counted no further than `most`."""
    some = select(SetAsideMail.id).where(_shown(scope)).limit(most).subquery()
    return session.scalar(select(func.count()).select_from(some)) or 0


def take_away(session: Session, mail_id: int) -> bool:
    """Take a mail away that waits, and say whether it was there: of two who settle it at once one alone does."""
    gone = delete(SetAsideMail).where(SetAsideMail.id == mail_id, SetAsideMail.state == WAITING)
    result: Any = session.execute(gone, execution_options=_UNSYNCHRONIZED)
    return bool(result.rowcount)


def note_try(session: Session, mail_id: int, cause: str) -> bool:
    """Write down that a mail was tried again in vain, and why it is still here; False where it is no longer."""
    waiting = update(SetAsideMail).where(SetAsideMail.id == mail_id, SetAsideMail.state == WAITING)
    result: Any = session.execute(waiting.values(tries=SetAsideMail.tries + 1, cause=cause[:500]), execution_options=_UNSYNCHRONIZED)
    return bool(result.rowcount)


def forget_file(session: Session, key: str) -> bool:
    """Take the row of a file away which nothing refers to any more, and say so: its bytes go once that is committed."""
    users = (Attachment.blob_id, OutboxFile.blob_id, Message.original_blob_id, Message.html_blob_id, SetAsideMail.blob_id)
    unused = and_(Blob.key == key, *(~select(column).where(column == Blob.id).exists() for column in users))
    result: Any = session.execute(delete(Blob).where(unused), execution_options=_UNSYNCHRONIZED)
    return bool(result.rowcount)


def _shown(scope: Scope) -> ColumnElement[bool]:
    # Without a shop a row is in no set of shops, so that it is seen with every shop alone.
    return and_(SetAsideMail.state == WAITING, scope.covers(cast(ColumnElement[str], SetAsideMail.shop_id)))


def _query(scope: Scope) -> Any:
    row = SetAsideMail
    columns = (row.id, row.shop_id, row.mailbox_id, Mailbox.name, Mailbox.address, row.cause, row.sender, row.subject, row.created_at)
    blob = (Blob.size, Blob.sha256, Blob.key)
    query = select(*columns, row.tries, row.signs, *blob).join(Blob, Blob.id == row.blob_id).outerjoin(Mailbox, Mailbox.id == row.mailbox_id)
    return query.where(_shown(scope))


def _read(row: Any) -> KeptMail:
    number, shop_id, mailbox_id, name, address, cause, sender, subject, since, tries, signs, size, sha256, key = row
    original = StoredFile(f"mail-{number}.eml", _TYPE, size, sha256, key)
    return KeptMail(number, shop_id, mailbox_id, name or address or "", cause, sender, without_tags(subject), since, tries, original, signs or "")
