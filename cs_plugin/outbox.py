"""What waits to leave: put in the transaction of what caused it, claimed under a lease, sent, and tried again with growing pauses.

A mail is sent twice only where a server has accepted it and that could not be recorded: the process died or the connection broke in between, or the
sending outlasted its lease.
"""

from __future__ import annotations

import datetime as dt
import functools
import logging
import secrets
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

import pluggy
from sqlalchemy import ColumnElement, and_, delete, or_, select, true, update
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from cs_plugin import announce
from cs_plugin.errors import UndeliverableError
from cs_plugin.host import Host
from cs_plugin.i18n import marked as _
from cs_plugin.mail.compose import to_message
from cs_plugin.mail.rates import NO_LIMITS, MailRates, RoundOfRates
from cs_plugin.mail.transport import Connection, ConnectionFailedError, Transport
from cs_plugin.rules.inquiry import StoredFile, clean_line
from cs_plugin.rules.outgoing import CARRY_A_MESSAGE, OutgoingMail, Refused
from cs_plugin.rules.status import Folder
from cs_plugin.store import notices
from cs_plugin.store.files import FileStore, blob_of
from cs_plugin.store.locking import committed, lock_thread, lock_threads, locking, only_reads
from cs_plugin.store.models import Attachment, Blob, Delivery, Message, OutboxFile, OutboxItem, OutboxState, Thread, ThreadEvent
from cs_plugin.store.scope import EVERYTHING
from cs_plugin.store.workers import this_process

log = logging.getLogger(__name__)

# The pause after each attempt; after the last one the mail counts as failed: five days in all, as RFC 5321, section 4.5.4.1 advises.
PAUSES = (
    dt.timedelta(minutes=1),
    dt.timedelta(minutes=5),
    dt.timedelta(minutes=15),
    dt.timedelta(hours=1),
    dt.timedelta(hours=3),
    dt.timedelta(hours=6),
    dt.timedelta(hours=12),
    *(dt.timedelta(hours=24),) * 4,
)
# How long a claim lasts beyond all the time-outs of the transport, so that nobody claims what is still being sent; a host's own sending has it whole.
LEASE = dt.timedelta(minutes=10)
# How many connections may break one after the other, each over a mail of its own, until the rest waits for the next round.
_MOST_BROKEN = 2
_CANDIDATES = 20
_FAILED_AT_ONCE = 100
# In seconds. Together far less than the lease, so that what is written down late is still ours to tell.
_PAUSES_TO_WRITE_DOWN = (0.1, 1.0, 2.0, 4.0, 8.0, 16.0)
_MAX_WORDS = 500
_UNSYNCHRONIZED = {"synchronize_session": False}


# --- Into the queue, and out of it before its time ------------------------------------------------------------------------------------------------


def put(session: Session, mail: OutgoingMail, now: dt.datetime, *, thread_id: int | None = None, message_id: int | None = None) -> OutboxItem:
    """Queue a mail in the caller's transaction. One without a thread leaves no trace once it has been sent."""
    recipient = mail.to[0].address
    item = OutboxItem(
        kind=mail.kind,
        state=OutboxState.WAITING,
        shop_id=mail.shop_id,
        thread_id=thread_id,
        message_id=message_id,
        recipient=recipient[:254],
        recipient_domain=recipient.rpartition("@")[2].lower()[:253],
        content=mail.as_row(),
        attempts=0,
        not_before=now,
        created_at=now,
    )
    session.add(item)
    if mail.files:
        # Others need no id of theirs: several are written at once, with the next flush.
        session.flush()
        for position, stored in enumerate(mail.files):
            blob = blob_of(session, stored, now)
            session.add(OutboxFile(outbox_id=item.id, blob_id=blob.id, position=position, name=stored.name, content_type=stored.content_type))
        session.flush()
    return item


def cancel(session: Session, thread_id: int) -> None:
    """Cancel what waits to leave for a thread. What is being sent at this moment is cancelled by whoever sends it, if it is not taken."""
    waiting = and_(OutboxItem.thread_id == thread_id, OutboxItem.state == OutboxState.WAITING)
    session.execute(update(OutboxItem).where(waiting).values(state=OutboxState.CANCELLED), execution_options=_UNSYNCHRONIZED)


def put_instead(session: Session, thread_id: int, words_of: Callable[[int | None], Mapping[str, str]]) -> None:
    """Let what waits to leave for a locked thread, or has failed, say other words in the place of some.

    `words_of` returns them for a mail about a message of that id, or about none. What is being sent at this moment goes as it is.
    """
    waiting = and_(OutboxItem.thread_id == thread_id, OutboxItem.state.in_((OutboxState.WAITING, OutboxState.FAILED, OutboxState.CANCELLED)))
    for item in session.scalars(locking(session, select(OutboxItem).where(waiting).order_by(OutboxItem.id))):
        item.content = _said_otherwise(item.content, words_of(item.message_id))
    session.flush()


def _said_otherwise(content: Any, words: Mapping[str, str]) -> Any:
    if isinstance(content, str):
        return functools.reduce(lambda text, old: text.replace(old, words[old]), words, content)
    if isinstance(content, Mapping):
        return {name: _said_otherwise(one, words) for name, one in content.items()}
    return [_said_otherwise(one, words) for one in content] if isinstance(content, list) else content


def withdraw(session: Session, message_ids: Collection[int]) -> None:
    """Take back what was queued about messages in this very transaction: nobody is told of what was written long ago."""
    session.flush()
    ids = session.scalars(select(OutboxItem.id).where(OutboxItem.message_id.in_(message_ids), OutboxItem.state == OutboxState.WAITING)).all()
    if ids:
        session.execute(delete(OutboxFile).where(OutboxFile.outbox_id.in_(ids)), execution_options=_UNSYNCHRONIZED)
        session.execute(delete(OutboxItem).where(OutboxItem.id.in_(ids)), execution_options=_UNSYNCHRONIZED)


def retry(session: Session, message_id: int, now: dt.datetime) -> bool:
    """Let the failed or cancelled mails of a message be tried again from the beginning; say whether there was one."""
    failed = and_(OutboxItem.message_id == message_id, OutboxItem.state.in_((OutboxState.FAILED, OutboxState.CANCELLED)))
    kinds = session.scalars(select(OutboxItem.kind).where(failed)).all()
    result: Any = session.execute(
        update(OutboxItem).where(failed).values(state=OutboxState.WAITING, attempts=0, not_before=now, lease_owner=None, lease_until=None),
        execution_options=_UNSYNCHRONIZED,
    )
    if CARRY_A_MESSAGE.intersection(kinds):
        _note_delivery(session, message_id, Delivery.QUEUED, "", None)
    return bool(result.rowcount)


# --- What has failed for good ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FailedMail:
    """A mail that nobody tries any more: those who did not get it, since when it was to go, and the server's words."""

    item_id: int
    kind: str
    recipients: tuple[str, ...]
    since: dt.datetime
    words: str


def failed_mails(session: Session, *, after: int, most: int) -> list[FailedMail]:
    """Return some mails that have failed for good, with or without a thread: those behind an id, the oldest first."""
    failed = and_(OutboxItem.state == OutboxState.FAILED, OutboxItem.id > after)
    items = session.scalars(select(OutboxItem).where(failed).order_by(OutboxItem.id).limit(most))
    return [FailedMail(item.id, item.kind, _recipients(item), item.created_at, item.last_error) for item in items]


def _recipients(item: OutboxItem) -> tuple[str, ...]:
    try:
        return OutgoingMail.from_row(item.content).recipients
    except (KeyError, TypeError, AttributeError, ValueError):  # another version wrote it; the row's own column names the first
        return (item.recipient,)


def retry_one(session: Session, item_id: int, now: dt.datetime) -> bool:
    """Let one failed mail be tried again from the beginning. Say False where there is none, or its thread is no longer in the list."""
    item = _locked_failed(session, item_id)
    if item is None:
        return False
    thread = session.get(Thread, item.thread_id) if item.thread_id is not None else None
    if item.thread_id is not None and (thread is None or thread.folder is not Folder.LIST):
        return False
    item.state, item.attempts, item.not_before, item.lease_owner, item.lease_until = OutboxState.WAITING, 0, now, None, None
    if item.kind in CARRY_A_MESSAGE and item.message_id is not None:
        _note_delivery(session, item.message_id, Delivery.QUEUED, "", None)
    session.flush()
    return True


def failed_ids(session: Session, *, after: int, up_to: int, most: int) -> Sequence[int]:
    """Return the ids of some mails that have failed for good, within a range."""
    within = and_(OutboxItem.id > after, OutboxItem.id <= up_to, OutboxItem.state == OutboxState.FAILED)
    return session.scalars(select(OutboxItem.id).where(within).order_by(OutboxItem.id).limit(most)).all()


def retry_many(session: Session, item_ids: Sequence[int], now: dt.datetime) -> int:
    """Let some failed mails be tried again from the beginning, in one transaction, and return how many may be."""
    threads = session.scalars(select(OutboxItem.thread_id).where(OutboxItem.id.in_(item_ids), OutboxItem.thread_id.is_not(None))).all()
    # All threads at once, in the order of their ids: one by one, two who retry would wait for each other.
    lock_threads(session, EVERYTHING, [one for one in threads if one is not None])
    return sum(retry_one(session, item_id, now) for item_id in sorted(item_ids))


def discard(session: Session, item_id: int) -> tuple[str, ...] | None:
    """Give one failed mail up, and return the keys of files to remove; None where there is none.

    One with a thread is cancelled, so that its message still offers to try again; one without is deleted with its files.
    """
    item = _locked_failed(session, item_id)
    if item is None:
        return None
    if item.thread_id is None:
        return _forget(session, item.id)
    item.state = OutboxState.CANCELLED
    session.flush()
    return ()


def _locked_failed(session: Session, item_id: int) -> OutboxItem | None:
    """Lock a failed mail, its thread first as everybody does; None where it is gone or no longer failed."""
    thread_id = session.scalar(select(OutboxItem.thread_id).where(OutboxItem.id == item_id))
    if thread_id is not None:
        lock_thread(session, EVERYTHING, thread_id)
    failed = select(OutboxItem).where(OutboxItem.id == item_id, OutboxItem.state == OutboxState.FAILED)
    return session.scalars(failed.with_for_update().execution_options(populate_existing=True)).one_or_none()


# --- Claims ---------------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Claimed:
    """A mail that is ours to send until the lease ends. `content` is what `OutgoingMail.as_row` wrote; `attempts` counts this one."""

    item_id: int
    owner: str
    kind: str
    recipient: str
    domain: str
    attempts: int
    content: Mapping[str, Any]
    files: tuple[StoredFile, ...]
    thread_id: int | None
    message_id: int | None

    @property
    def mail(self) -> OutgoingMail:
        """Return the mail. What another version wrote, and this one cannot read, raises whatever it raises."""
        return OutgoingMail.from_row(self.content, self.files)

    @property
    def is_worn_out(self) -> bool:
        """Say whether all attempts are used up and the last left no record: whatever sent it has died each time."""
        return self.attempts > len(PAUSES) + 1


@dataclass(frozen=True, slots=True)
class Due:
    """A mail that is due, whoever claims it."""

    item_id: int
    domain: str


def next_due(session: Session, now: dt.datetime, *, passing_over: Collection[str] = ()) -> list[Due]:
    """Return some mails that are due, but for those to some domains; the one that has been due longest first.

    Of each kind by itself: so the index gives the first ones, however many are due, and nothing is sorted.
    """
    chosen = OutboxItem.recipient_domain.not_in(passing_over) if passing_over else true()
    columns = select(OutboxItem.not_before, OutboxItem.id, OutboxItem.recipient_domain)
    first = columns.where(chosen).order_by(OutboxItem.not_before, OutboxItem.id).limit(_CANDIDATES)
    oldest = sorted((row.not_before, row.id, row.recipient_domain) for kind in _due(now) for row in session.execute(first.where(kind)))
    return [Due(item_id, domain) for _not_before, item_id, domain in oldest[:_CANDIDATES]]


def claim(session: Session, now: dt.datetime, lease: dt.timedelta = LEASE, *, among: Sequence[Due] | None = None) -> Claimed | None:
    """Claim the mail that has been due longest, or the first that still is of some; None where nothing is due.

    The claim is one conditional UPDATE.
    """
    owner = f"{this_process()}/{secrets.token_hex(8)}"
    for due in next_due(session, now) if among is None else among:
        result: Any = session.execute(
            update(OutboxItem)
            .where(OutboxItem.id == due.item_id, or_(*_due(now)))
            .values(state=OutboxState.CLAIMED, lease_owner=owner, lease_until=now + lease, attempts=OutboxItem.attempts + 1),
            execution_options=_UNSYNCHRONIZED,
        )
        if result.rowcount == 1:
            return _claimed(session, due.item_id, owner)
    return None


def _due(now: dt.datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Match what waits and may leave; and what somebody has claimed and kept for longer than the lease."""
    return (
        and_(OutboxItem.state == OutboxState.WAITING, OutboxItem.not_before <= now),
        and_(OutboxItem.state == OutboxState.CLAIMED, OutboxItem.lease_until < now),
    )


def give_back(session: Session, claimed: Claimed) -> None:
    """Let a mail wait as if it had not been claimed."""
    session.execute(
        update(OutboxItem)
        .where(_mine(claimed))
        .values(state=OutboxState.WAITING, attempts=OutboxItem.attempts - 1, lease_owner=None, lease_until=None),
        execution_options=_UNSYNCHRONIZED,
    )


def owners(session: Session) -> set[str]:
    """Return who holds a claim."""
    held = select(OutboxItem.lease_owner).where(OutboxItem.state == OutboxState.CLAIMED, OutboxItem.lease_owner.is_not(None))
    return {owner for owner in session.scalars(held) if owner}


def release(session: Session, owners: Collection[str], now: dt.datetime) -> int:
    """Let the mails of owners that are surely dead be sent by somebody else, and return how many they were.

    Each has used up an attempt. A mail under which a process died a second time waits for its pause: it may be what kills them.
    """
    released = 0
    theirs = select(OutboxItem.id, OutboxItem.attempts).where(OutboxItem.lease_owner.in_(owners), OutboxItem.state == OutboxState.CLAIMED)
    for item_id, attempts in session.execute(theirs).all():
        values: dict[str, Any] = {"state": OutboxState.WAITING, "lease_owner": None, "lease_until": None}
        if attempts > 1:
            values["not_before"] = now + PAUSES[min(attempts - 2, len(PAUSES) - 1)]
        still_theirs = and_(OutboxItem.id == item_id, OutboxItem.lease_owner.in_(owners), OutboxItem.state == OutboxState.CLAIMED)
        result: Any = session.execute(update(OutboxItem).where(still_theirs).values(**values), execution_options=_UNSYNCHRONIZED)
        released += result.rowcount
    return released


def _mine(claimed: Claimed) -> ColumnElement[bool]:
    return and_(OutboxItem.id == claimed.item_id, OutboxItem.lease_owner == claimed.owner, OutboxItem.state == OutboxState.CLAIMED)


def _claimed(session: Session, item_id: int, owner: str) -> Claimed:
    item = session.get_one(OutboxItem, item_id, populate_existing=True)
    query = (
        select(OutboxFile.name, OutboxFile.content_type, Blob.size, Blob.sha256, Blob.key)
        .join(Blob, Blob.id == OutboxFile.blob_id)
        .where(OutboxFile.outbox_id == item_id)
        .order_by(OutboxFile.position)
    )
    files = tuple(StoredFile(*row) for row in session.execute(query))
    return Claimed(
        item_id, owner, item.kind, item.recipient, item.recipient_domain, item.attempts, item.content, files, item.thread_id, item.message_id
    )


# --- Delivery -------------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Delivered:
    """What came of one round."""

    sent: int = 0
    postponed: int = 0
    failed: int = 0
    no_way: bool = field(default=False, compare=False)  # the server is the trouble: what is due waits for it

    def __add__(self, other: Delivered) -> Delivered:
        sums = (self.sent + other.sent, self.postponed + other.postponed, self.failed + other.failed)
        return Delivered(*sums, no_way=self.no_way or other.no_way)

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
    rates: MailRates = NO_LIMITS

    def deliver(self, *, most: int = 100, stopping: Callable[[], bool] = lambda: False) -> Delivered:
        """Send up to `most` due mails, one after the other over one connection, and return what came of them; none after `stopping` says so.

        A server that is down costs one mail one attempt; the others are left for the next round as they are. One that breaks off over a mail does
        so, often, for the sake of whom that mail goes to: mails to other domains go first then.
        """
        outcome = Delivered()
        turn = _Turn(self.rates.one_round())
        with _Way(self.transport) as way:
            while outcome.total < most and not way.closed and not stopping():
                claimed = self._next(turn)
                if claimed is None:
                    break
                before = way.broken
                outcome += self._send(claimed, way)
                if way.broken > before:
                    turn.broke_off.add(claimed.domain)
            if way.closed:
                log.warning("the mail server is of no use at the moment: what is due waits for it")
            return outcome + Delivered(no_way=way.closed)

    def _next(self, turn: _Turn) -> Claimed | None:
        """Claim the mail whose turn it is; None where nothing is due that may leave."""
        while turn.rates.may_leave():
            due = self._due(turn)
            if due and not turn.rates.may_reach(due[0].domain):
                turn.limited.add(due[0].domain)
            elif due and (claimed := self._claim(turn, due)):
                return claimed
            elif not due and not turn.broke_off:
                return None
            elif not due:
                turn.broke_off.clear()
        return None

    def _due(self, turn: _Turn) -> list[Due]:
        """Look what is due. That writes nothing: whoever looks every second, mostly in vain, must keep nobody waiting."""
        with self.sessions() as session:
            return next_due(only_reads(session), self.clock(), passing_over=turn.passed_over)

    def _claim(self, turn: _Turn, due: Sequence[Due]) -> Claimed | None:
        lease = LEASE + dt.timedelta(seconds=self.transport.patience)
        with self.sessions() as session:
            claimed = committed(session, lambda: claim(session, self.clock(), lease, among=due))
            if claimed is None or turn.rates.count(claimed.domain):
                return claimed
            committed(session, lambda: give_back(session, claimed))
            turn.limited.add(claimed.domain)
            return None

    def _send(self, claimed: Claimed, way: _Way) -> Delivered:
        if claimed.is_worn_out:
            return self._record(claimed, UndeliverableError(_("Each attempt to send this mail broke off; it may have arrived."), permanent=True))
        try:
            refused = self._hand_over(claimed.mail, way)
        except UndeliverableError as error:
            return self._record(claimed, error)
        except Exception as error:  # whatever is wrong with one mail, those behind it must go out
            log.exception("mail %s could not be sent", claimed.item_id)
            return self._record(claimed, UndeliverableError(f"{type(error).__name__}: {error}", permanent=False))
        return self._record(claimed, refused)

    def failed(self) -> Iterator[FailedMail]:
        """Yield the mails that have failed for good; a hundred thousand of them would not fit into memory with all that they say."""
        after = 0
        while True:
            with self.sessions() as session:
                some = failed_mails(only_reads(session), after=after, most=_FAILED_AT_ONCE)
            yield from some
            if not some:
                return
            after = some[-1].item_id

    def retry(self, item_id: int) -> bool:
        """Let a failed mail be tried again from the beginning; say whether there was one that may be."""
        with self.sessions() as session:
            return committed(session, lambda: retry_one(session, item_id, self.clock()))

    def discard(self, item_id: int) -> bool:
        """Give a failed mail up; say whether there was one."""
        with self.sessions() as session:
            unneeded = committed(session, lambda: discard(session, item_id))
        self._remove(unneeded or ())
        return unneeded is not None

    def _hand_over(self, mail: OutgoingMail, way: _Way) -> tuple[Refused, ...]:
        if self.host.send_mail(mail):
            return ()
        return way.send(to_message(mail, self.files.open, self.clock()), mail.envelope_sender, mail.recipients)

    def _record(self, claimed: Claimed, came_of_it: UndeliverableError | tuple[Refused, ...]) -> Delivered:
        def work(session: Session) -> Recorded:
            recorded = record(session, claimed, came_of_it, self.clock())
            if recorded.state is OutboxState.FAILED and recorded.mail is not None:
                announce.collect(
                    session, self.manager, "cs_mail_failed", mail=recorded.mail, reason=recorded.words, thread_id=claimed.thread_id
                )
            return recorded

        recorded = self._written_down(work)
        self._remove(recorded.unneeded)
        if recorded.state is OutboxState.FAILED:
            recipients = ", ".join(recorded.mail.recipients if recorded.mail else (claimed.recipient,))
            log.error("mail %s (%s) to %s has failed for good: %s", claimed.item_id, claimed.kind, recipients, recorded.words)
        if recorded.state is None:
            log.error("mail %s took longer than its lease: somebody else may have sent it too", claimed.item_id)
        return Delivered(
            sent=int(recorded.state is OutboxState.SENT),
            postponed=int(recorded.state is OutboxState.WAITING),
            failed=int(recorded.state in (OutboxState.FAILED, OutboxState.CANCELLED, None)),
        )

    def _written_down(self, work: Callable[[Session], Recorded]) -> Recorded:
        """Do the work in a session of its own and commit it; again, for half a minute, where the database is away.

        What a server has taken and nobody has written down goes out twice; and the line to the database may have been cut by whoever cuts those that
        are silent for as long as a mail takes.
        """
        for pause in _PAUSES_TO_WRITE_DOWN:
            try:
                with self.sessions() as session:
                    return committed(session, lambda: work(session))
            except (OperationalError, InterfaceError) as error:
                log.warning("what came of a mail could not be written down; it is tried again in %s seconds: %s", pause, error)
                time.sleep(pause)
        with self.sessions() as session:
            return committed(session, lambda: work(session))

    def _remove(self, keys: Sequence[str]) -> None:
        """Remove files whose rows are gone. What stays behind is swept like an upload that was never sent."""
        for key in keys:
            try:
                self.files.remove(key)
            except OSError:
                log.exception("file %s could not be removed", key)


@dataclass(slots=True)
class _Turn:
    """Whose turn it is in one round: not that of domains whose limit is used up, and last that of domains over whose mails the line broke off."""

    rates: RoundOfRates
    limited: set[str] = field(default_factory=set)
    broke_off: set[str] = field(default_factory=set)

    @property
    def passed_over(self) -> set[str]:
        """Return the domains that have to wait."""
        return self.limited | self.broke_off


class _Way:
    """The way out during one round: a connection that is opened at the first mail, kept for those behind it, and opened again when it broke."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._open: AbstractContextManager[Connection] | None = None
        self._connection: Connection | None = None
        self.broken = 0

    def __enter__(self) -> _Way:
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    @property
    def closed(self) -> bool:
        """Say whether it is of no use to try more mails in this round."""
        return self.broken >= _MOST_BROKEN

    def send(self, message: EmailMessage, sender: str, recipients: Sequence[str]) -> tuple[Refused, ...]:
        """Hand over a mail, and return who did not get it. Raise UndeliverableError where nobody did."""
        used = self._connection is not None
        try:
            refused = self._connected().send(message, sender, recipients)
        except ConnectionFailedError as error:
            self._close()
            if used and not error.in_doubt and not error.timed_out:
                # Servers end a connection after so many mails, or after a pause: that is no fault of this mail's.
                return self.send(message, sender, recipients)
            self.broken += 1
            raise
        except UndeliverableError:
            self.broken = 0
            raise
        except BaseException:
            self._close()
            raise
        self.broken = 0
        return refused

    def _connected(self) -> Connection:
        if self._connection is None:
            opened = self._transport.connect()
            try:
                self._connection = opened.__enter__()
            except ConnectionFailedError:
                self.broken = _MOST_BROKEN
                raise
            self._open = opened
        return self._connection

    def _close(self) -> None:
        opened, self._open, self._connection = self._open, None, None
        if opened is not None:
            opened.__exit__(None, None, None)


# --- What came of it ------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was written down of an attempt: None as the state where the claim was no longer ours. `unneeded` are the keys of files to remove."""

    state: OutboxState | None
    words: str = ""
    mail: OutgoingMail | None = None
    unneeded: tuple[str, ...] = ()


def record(session: Session, claimed: Claimed, came_of_it: UndeliverableError | tuple[Refused, ...], now: dt.datetime) -> Recorded:
    """Write down what came of an attempt, if the claim is still ours: an error where nobody got the mail, else those who did not."""
    thread = lock_thread(session, EVERYTHING, claimed.thread_id) if claimed.thread_id is not None else None
    outcome = _outcome(claimed, came_of_it, binned=thread is not None and thread.folder is Folder.BIN)
    if not _settle(session, claimed, outcome, now):
        return Recorded(None)
    if claimed.kind in CARRY_A_MESSAGE and claimed.message_id is not None:
        _tell_message(session, claimed.message_id, outcome, now)
    if outcome.state is OutboxState.FAILED and thread is not None:
        _leave_event(session, thread, claimed, outcome, now)
        if claimed.kind in CARRY_A_MESSAGE and thread.assignee_id is not None:
            notices.ring(session, thread, [thread.assignee_id], now)
    unneeded = _forget(session, claimed.item_id) if outcome.state is OutboxState.SENT and claimed.thread_id is None else ()
    return Recorded(outcome.state, outcome.words, outcome.mail, unneeded)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What is to be written: the new state, the server's words, and the mail as it has yet to go (None where it could not be read)."""

    state: OutboxState
    words: str
    code: int | None
    mail: OutgoingMail | None
    reached: bool
    not_before: dt.timedelta | None = None


def _outcome(claimed: Claimed, came_of_it: UndeliverableError | tuple[Refused, ...], *, binned: bool) -> _Outcome:
    mail = _readable(claimed)
    if isinstance(came_of_it, UndeliverableError):
        missed = mail.recipients if mail else ()
        words, code, passes = came_of_it.text, came_of_it.code, not came_of_it.permanent
    else:
        missed = tuple(one.address for one in came_of_it)
        words = " · ".join(one.words for one in came_of_it)
        code, passes = came_of_it[0].code if came_of_it else None, any(not one.permanent for one in came_of_it)
        if not came_of_it:
            return _Outcome(OutboxState.SENT, "", None, mail, reached=True)
    words = clean_line(words, _MAX_WORDS)
    reached = mail is not None and not mail.is_meant_for(missed)
    left = mail.left_for(missed) if mail else None
    if passes and claimed.attempts <= len(PAUSES) and not binned:
        return _Outcome(OutboxState.WAITING, words, code, left, reached, PAUSES[claimed.attempts - 1])
    if passes and binned:
        return _Outcome(OutboxState.CANCELLED, words, code, left, reached)
    # Whoever it was written to has got it: a copy that did not arrive is told of, but it is no failure that could be tried again.
    return _Outcome(OutboxState.SENT if reached else OutboxState.FAILED, words, code, left, reached)


def _readable(claimed: Claimed) -> OutgoingMail | None:
    try:
        return claimed.mail
    except Exception:  # what an older or newer version wrote may lack anything; it fails by itself and stays in the queue
        log.exception("mail %s cannot be read", claimed.item_id)
        return None


def _settle(session: Session, claimed: Claimed, outcome: _Outcome, now: dt.datetime) -> bool:
    values: dict[str, Any] = {"state": outcome.state, "last_error": outcome.words, "last_code": outcome.code}
    if outcome.state is OutboxState.SENT:
        values["sent_at"] = now
    elif outcome.mail is not None:
        values["content"] = outcome.mail.as_row()
    if outcome.not_before is not None:
        values["not_before"] = now + outcome.not_before
    result: Any = session.execute(
        update(OutboxItem).where(_mine(claimed)).values(lease_owner=None, lease_until=None, **values), execution_options=_UNSYNCHRONIZED
    )
    return bool(result.rowcount)


def _tell_message(session: Session, message_id: int, outcome: _Outcome, now: dt.datetime) -> None:
    if outcome.reached:
        # A copy that is taken later does not change when the customer got theirs.
        before = session.scalar(select(Message.delivered_at).where(Message.id == message_id))
        _note_delivery(session, message_id, Delivery.SENT, outcome.words, before or now)
    elif outcome.state is OutboxState.WAITING:
        _note_delivery(session, message_id, Delivery.QUEUED, outcome.words, None)
    elif outcome.state is OutboxState.CANCELLED:
        _note_delivery(session, message_id, Delivery.FAILED, _("Not sent: the thread was deleted."), None)
    else:
        _note_delivery(session, message_id, Delivery.FAILED, outcome.words, None)


def _note_delivery(session: Session, message_id: int, delivery: Delivery, words: str, at: dt.datetime | None) -> None:
    session.execute(
        update(Message).where(Message.id == message_id).values(delivery=delivery, delivery_text=words, delivered_at=at),
        execution_options=_UNSYNCHRONIZED,
    )


def _leave_event(session: Session, thread: Thread, claimed: Claimed, outcome: _Outcome, now: dt.datetime) -> None:
    recipients = list(outcome.mail.recipients) if outcome.mail else []
    session.add(
        ThreadEvent(
            thread_id=thread.id,
            message_id=claimed.message_id,
            kind="delivery_failed",
            actor_kind="desk",
            via="mail",
            details={"mail": claimed.kind, "recipients": recipients, "words": outcome.words},
            created_at=now,
        )
    )


def _forget(session: Session, item_id: int) -> tuple[str, ...]:
    """Delete a queued mail with the rows of its files, and return the keys of those that nobody else needs."""
    blob_ids = list(session.scalars(select(OutboxFile.blob_id).where(OutboxFile.outbox_id == item_id)))
    session.execute(delete(OutboxFile).where(OutboxFile.outbox_id == item_id))
    session.execute(delete(OutboxItem).where(OutboxItem.id == item_id))
    needed = {
        *session.scalars(select(OutboxFile.blob_id).where(OutboxFile.blob_id.in_(blob_ids))),
        *session.scalars(select(Attachment.blob_id).where(Attachment.blob_id.in_(blob_ids))),
    }
    gone = [blob_id for blob_id in blob_ids if blob_id not in needed]
    keys = tuple(session.scalars(select(Blob.key).where(Blob.id.in_(gone))))
    session.execute(delete(Blob).where(Blob.id.in_(gone)))
    return keys
