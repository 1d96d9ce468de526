"""The mails that have failed for good, as an employee may see them: those of the shops that they may view."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from cs_plugin.rules.inquiry import StoredFile
from cs_plugin.rules.outgoing import OutgoingMail
from cs_plugin.rules.signing import without_tags
from cs_plugin.rules.status import Folder
from cs_plugin.store.models import Blob, OutboxFile, OutboxItem, OutboxState, Thread
from cs_plugin.store.scope import Scope
from cs_plugin.store.types import can_be_id


@dataclass(frozen=True, slots=True)
class UndeliveredMail:
    """A mail that nobody tries any more. `mail` is None where another version wrote it and this one cannot read it; `words` are the server's."""

    id: int
    kind: str
    shop_id: str
    thread_id: int | None
    recipients: tuple[str, ...]
    mail: OutgoingMail | None
    since: dt.datetime
    attempts: int
    words: str
    code: int | None

    @property
    def subject(self) -> str:
        """Return the subject, without the key in it; empty where the mail cannot be read."""
        return without_tags(self.mail.subject) if self.mail else ""

    @property
    def text(self) -> str:
        """Return the text part, without the keys in it; empty where the mail cannot be read."""
        return without_tags(self.mail.text) if self.mail else ""


@dataclass(frozen=True, slots=True)
class UndeliveredPage:
    """A page of them, and how many there are in all."""

    rows: Sequence[UndeliveredMail]
    number: int
    pages: int
    total: int


def undelivered_page(session: Session, scope: Scope, *, number: int, size: int) -> UndeliveredPage:
    """Return a page of the failed mails of a scope, the newest first; past the last page, the last one."""
    total = session.scalar(select(func.count()).select_from(OutboxItem).where(_shown(scope))) or 0
    pages = max(1, -(-total // size))
    number = min(max(1, number), pages)
    query = select(OutboxItem).where(_shown(scope)).order_by(OutboxItem.id.desc()).limit(size).offset((number - 1) * size)
    return UndeliveredPage([_read(item) for item in session.scalars(query)], number, pages, total)


def undelivered_in(session: Session, scope: Scope, item_id: int) -> UndeliveredMail | None:
    """Return a failed mail of the scope; None for any other."""
    if not can_be_id(item_id):
        return None
    item = session.scalars(select(OutboxItem).where(OutboxItem.id == item_id, _shown(scope))).one_or_none()
    return None if item is None else _read(item)


def undelivered_among(session: Session, scope: Scope, item_ids: Collection[int]) -> list[UndeliveredMail]:
    """Return those of these mails that have failed and are of the scope, by id."""
    wanted = sorted({one for one in item_ids if can_be_id(one)})
    return [_read(item) for item in session.scalars(select(OutboxItem).where(OutboxItem.id.in_(wanted), _shown(scope)).order_by(OutboxItem.id))]


def undelivered_ids(session: Session, scope: Scope) -> list[int]:
    """Return the ids of all failed mails of a scope."""
    return list(session.scalars(select(OutboxItem.id).where(_shown(scope)).order_by(OutboxItem.id)))


def count_undelivered(session: Session, scope: Scope, most: int) -> int:
    """Return how many failed mails a scope has, counted no further than `most`."""
    some = select(OutboxItem.id).where(_shown(scope)).limit(most).subquery()
    return session.scalar(select(func.count()).select_from(some)) or 0


def files_of(session: Session, item_id: int) -> list[StoredFile]:
    """Return the files that go with a queued mail, in their order."""
    query = (
        select(OutboxFile.name, OutboxFile.content_type, Blob.size, Blob.sha256, Blob.key)
        .join(Blob, Blob.id == OutboxFile.blob_id)
        .where(OutboxFile.outbox_id == item_id)
        .order_by(OutboxFile.position, OutboxFile.id)
    )
    return [StoredFile(*row) for row in session.execute(query)]


def _shown(scope: Scope) -> ColumnElement[bool]:
    """Match what failed in these shops: mails of threads in the list, and mails without a thread. What lies in spam or in the bin shows nowhere."""
    in_list = select(Thread.id).where(Thread.id == OutboxItem.thread_id, Thread.folder == Folder.LIST).exists()
    return and_(OutboxItem.state == OutboxState.FAILED, scope.covers(OutboxItem.shop_id), or_(OutboxItem.thread_id.is_(None), in_list))


def _read(item: OutboxItem) -> UndeliveredMail:
    mail = _mail(item)
    recipients = mail.recipients if mail else (item.recipient,)
    return UndeliveredMail(
        id=item.id,
        kind=item.kind,
        shop_id=item.shop_id,
        thread_id=item.thread_id,
        recipients=recipients,
        mail=mail,
        since=item.created_at,
        attempts=item.attempts,
        # A server repeats the address that it refuses, and the sender's may be the tagged one.
        words=without_tags(item.last_error),
        code=item.last_code,
    )


def _mail(item: OutboxItem) -> OutgoingMail | None:
    try:
        return OutgoingMail.from_row(item.content)
    except (KeyError, TypeError, AttributeError, ValueError):
        return None
