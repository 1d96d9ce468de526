"""What waits to leave: put in the transaction of what caused it, claimed under a lease, sent, and tried again with growing pauses.

A mail is sent twice in one case only: when the process dies between the server's acceptance and the record of it.
"""

from __future__ import annotations

import datetime as dt
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pluggy
from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from cs_plugin import announce
from cs_plugin.errors import UndeliverableError
from cs_plugin.host import Host
from cs_plugin.mail.compose import to_message
from cs_plugin.mail.transport import Connection, Transport
from cs_plugin.rules.inquiry import StoredFile
from cs_plugin.rules.outgoing import OutgoingMail
from cs_plugin.store.files import FileStore, blob_of
from cs_plugin.store.locking import committed
from cs_plugin.store.models import Blob, Delivery, Message, OutboxFile, OutboxItem, OutboxState

log = logging.getLogger(__name__)

# The pause after each attempt; after the last one the mail counts as failed: two days in all, as RFC 5321, section 4.5.4.1 advises at least.
PAUSES = (
    dt.timedelta(minutes=1),
    dt.timedelta(minutes=5),
    dt.timedelta(minutes=15),
    dt.timedelta(hours=1),
    dt.timedelta(hours=3),
    dt.timedelta(hours=6),
    dt.timedelta(hours=12),
    dt.timedelta(hours=24),
)
# Longer than all time-outs of one mail together, so that nobody claims what is still being sent.
LEASE = dt.timedelta(minutes=10)


def put(session: Session, mail: OutgoingMail, now: dt.datetime, *, thread_id: int | None = None, message_id: int | None = None) -> OutboxItem:
    """Queue a mail in the caller's transaction."""
    recipient = mail.to[0].address
    item = OutboxItem(
        kind=mail.kind,
        state=OutboxState.WAITING,
        shop_id=mail.shop_id,
        thread_id=thread_id,
        message_id=message_id,
        recipient=recipient,
        recipient_domain=recipient.rpartition("@")[2].lower()[:253],
        content=mail.as_row(),
        attempts=0,
        not_before=now,
        created_at=now,
    )
    session.add(item)
    session.flush()
    for position, stored in enumerate(mail.files):
        blob = blob_of(session, stored, now)
        session.add(OutboxFile(outbox_id=item.id, blob_id=blob.id, position=position, name=stored.name, content_type=stored.content_type))
    session.flush()
    return item


def cancel(session: Session, thread_id: int) -> None:
    """Cancel what waits to leave for a thread."""
    waiting = and_(OutboxItem.thread_id == thread_id, OutboxItem.state == OutboxState.WAITING)
    session.execute(update(OutboxItem).where(waiting).values(state=OutboxState.CANCELLED), execution_options={"synchronize_session": False})


def retry(session: Session, message_id: int, now: dt.datetime) -> bool:
    """Let a failed or cancelled mail of a message be tried again from the beginning; say whether there was one."""
    failed = and_(OutboxItem.message_id == message_id, OutboxItem.state.in_((OutboxState.FAILED, OutboxState.CANCELLED)))
    result: Any = session.execute(
        update(OutboxItem).where(failed).values(state=OutboxState.WAITING, attempts=0, not_before=now, lease_owner=None, lease_until=None),
        execution_options={"synchronize_session": False},
    )
    if result.rowcount:
        _note_delivery(session, message_id, Delivery.QUEUED, "", None)
    return bool(result.rowcount)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A mail that is ours to send until the lease ends."""

    item_id: int
    owner: str
    attempts: int
    mail: OutgoingMail
    thread_id: int | None
    message_id: int | None


@dataclass(frozen=True, slots=True)
class Delivered:
    """What came of one round."""

    sent: int = 0
    postponed: int = 0
    failed: int = 0

    def __add__(self, other: Delivered) -> Delivered:
        return Delivered(self.sent + other.sent, self.postponed + other.postponed, self.failed + other.failed)

    @property
    def total(self) -> int:
        """Return how many mails were tried."""
        return self.sent + self.postponed + self.failed


@dataclass(frozen=True, slots=True)
class PostOffice:
    """Deliver what is due. `sessions` opens sessions of our own, never the host's; `clock` tells the time, aware."""

    sessions: Callable[[], Session]
    host: Host
    manager: pluggy.PluginManager
    transport: Transport
    files: FileStore
    clock: Callable[[], dt.datetime]

    def deliver(self, *, most: int = 100) -> Delivered:
        """Send up to `most` due mails, one after the other over one connection, and return what came of them."""
        outcome = Delivered()
        with _LazyConnection(self.transport) as connection:
            for _ in range(most):
                claimed = self._claim()
                if claimed is None:
                    break
                outcome += self._send(claimed, connection)
        return outcome

    def _claim(self) -> Claimed | None:
        with self.sessions() as session:
            return committed(session, lambda: claim(session, self.clock()))

    def _send(self, claimed: Claimed, connection: _LazyConnection) -> Delivered:
        try:
            if not self.host.send_mail(claimed.mail):
                message = to_message(claimed.mail, self.files.open, self.clock())
                connection.send(message, claimed.mail.sender.address, list(claimed.mail.recipients))
        except UndeliverableError as error:
            return self._postpone(claimed, error)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one mail, those behind it must go out
            log.exception("mail %s could not be sent", claimed.item_id)
            return self._postpone(claimed, UndeliverableError(f"{type(error).__name__}: {error}", permanent=False))
        with self.sessions() as session:
            committed(session, lambda: record_sent(session, claimed, self.clock()))
        return Delivered(sent=1)

    def _postpone(self, claimed: Claimed, error: UndeliverableError) -> Delivered:
        def work() -> bool:
            for_good = record_failure(session, claimed, error, self.clock())
            if for_good:
                announce.collect(session, self.manager, "cs_mail_failed", mail=claimed.mail, reason=error.text, thread_id=claimed.thread_id)
            return for_good

        with self.sessions() as session:
            return Delivered(failed=1) if committed(session, work) else Delivered(postponed=1)


class _LazyConnection:
    """A connection that is opened at the first mail and again after an error, so that one bad mail does not cost the next its way."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._open: Any = None
        self._connection: Connection | None = None

    def __enter__(self) -> _LazyConnection:
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    def send(self, message: Any, sender: str, recipients: list[str]) -> None:
        if self._connection is None:
            self._open = self._transport.connect()
            self._connection = self._open.__enter__()
        try:
            self._connection.send(message, sender, recipients)
        except BaseException:
            self._close()
            raise

    def _close(self) -> None:
        opened, self._open, self._connection = self._open, None, None
        if opened is not None:
            opened.__exit__(None, None, None)


def claim(session: Session, now: dt.datetime) -> Claimed | None:
    """Claim the mail that has been due longest; None where nothing is due. The claim is one conditional UPDATE."""
    due = or_(
        and_(OutboxItem.state == OutboxState.WAITING, OutboxItem.not_before <= now),
        and_(OutboxItem.state == OutboxState.CLAIMED, OutboxItem.lease_until < now),
    )
    owner = secrets.token_hex(16)
    for item_id in session.scalars(select(OutboxItem.id).where(due).order_by(OutboxItem.not_before, OutboxItem.id).limit(20)).all():
        result: Any = session.execute(
            update(OutboxItem)
            .where(OutboxItem.id == item_id, due)
            .values(state=OutboxState.CLAIMED, lease_owner=owner, lease_until=now + LEASE, attempts=OutboxItem.attempts + 1),
            execution_options={"synchronize_session": False},
        )
        if result.rowcount == 1:
            return _claimed(session, item_id, owner)
    return None


def _claimed(session: Session, item_id: int, owner: str) -> Claimed:
    item = session.get_one(OutboxItem, item_id, populate_existing=True)
    query = (
        select(OutboxFile.name, OutboxFile.content_type, Blob.size, Blob.sha256, Blob.key)
        .join(Blob, Blob.id == OutboxFile.blob_id)
        .where(OutboxFile.outbox_id == item_id)
        .order_by(OutboxFile.position)
    )
    files = tuple(StoredFile(*row) for row in session.execute(query))
    return Claimed(item_id, owner, item.attempts, OutgoingMail.from_row(item.content, files), item.thread_id, item.message_id)


def record_sent(session: Session, claimed: Claimed, now: dt.datetime) -> bool:
    """Record that a mail was taken; False where the claim is no longer ours."""
    if not _settle(session, claimed, state=OutboxState.SENT, sent_at=now, last_error=""):
        return False
    if claimed.message_id is not None and claimed.mail.kind == "reply":
        _note_delivery(session, claimed.message_id, Delivery.SENT, "", now)
    return True


def record_failure(session: Session, claimed: Claimed, error: UndeliverableError, now: dt.datetime) -> bool:
    """Record that a mail was not taken, and when it is tried again; return whether it has failed for good."""
    for_good = error.permanent or claimed.attempts > len(PAUSES)
    words = error.text[:500]
    if for_good:
        ours = _settle(session, claimed, state=OutboxState.FAILED, last_error=words, last_code=error.code)
    else:
        pause = PAUSES[claimed.attempts - 1]
        ours = _settle(session, claimed, state=OutboxState.WAITING, last_error=words, last_code=error.code, not_before=now + pause)
    if ours and claimed.message_id is not None and claimed.mail.kind == "reply":
        _note_delivery(session, claimed.message_id, Delivery.FAILED if for_good else Delivery.QUEUED, words, None)
    return ours and for_good


def _settle(session: Session, claimed: Claimed, **values: Any) -> bool:
    mine = and_(OutboxItem.id == claimed.item_id, OutboxItem.lease_owner == claimed.owner, OutboxItem.state == OutboxState.CLAIMED)
    result: Any = session.execute(
        update(OutboxItem).where(mine).values(lease_owner=None, lease_until=None, **values), execution_options={"synchronize_session": False}
    )
    return bool(result.rowcount)


def _note_delivery(session: Session, message_id: int, delivery: Delivery, words: str, at: dt.datetime | None) -> None:
    session.execute(
        update(Message).where(Message.id == message_id).values(delivery=delivery, delivery_text=words, delivered_at=at),
        execution_options={"synchronize_session": False},
    )
