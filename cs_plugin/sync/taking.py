"""Mails into the desk: a batch is read and kept, the host is asked, and then it is written, in transactions that keep nobody waiting."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from cs_plugin import outbox
from cs_plugin.desk import Bench
from cs_plugin.desk.option_mailboxes import MailboxAtWork
from cs_plugin.desk.receiving_mail import VettedMail, expect_mails, receive_mail, vet_mail
from cs_plugin.desk.receiving_together import receive_mails
from cs_plugin.mail.mailbox import ListedMail
from cs_plugin.rules.incoming import KEPT_HERE, ArrivedMail, Correspondent, IncomingMail, Landed, Outcome
from cs_plugin.rules.inquiry import digest
from cs_plugin.rules.oddities import signs_of
from cs_plugin.store import imported, mailboxes
from cs_plugin.store.imported import Place
from cs_plugin.store.locking import committed, has_one_writer, only_reads, passing
from cs_plugin.store.mail_clues import keys_of
from cs_plugin.store.mailboxes import Turn
from cs_plugin.store.set_aside import set_aside
from cs_plugin.sync.one_writer import OneWriter
from cs_plugin.sync.reading import Came, Read, keep, read, recognise, words_of
from cs_plugin.sync.surroundings import HostFailedError, Surroundings, TurnLostError

log = logging.getLogger(__name__)
_UNREAD = "unread"
# A mail of nobody's (RFC 2606, section 2).
_MADE_UP = IncomingMail(Correspondent("nobody@invalid.example"), "", "", automatic="made_up")


@dataclass(slots=True)
class _Item:
    """A mail on its way into the desk, and what became of it."""

    read: Read
    vetted: VettedMail | None = None
    landed: Landed | None = None


@dataclass
class Taking:
    """What takes the mails of one run.

    `counts` is what came of those that are committed, `gone_…` what was removed from the server since. Mails `of_the_past` stand at the time at
    which they were sent, and nobody is told of them.
    """

    around: Surroundings
    mailbox: MailboxAtWork
    turn: Turn
    run_id: int
    place: Place
    of_the_past: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    gone_uids: list[int] = field(default_factory=list)
    gone_uidls: list[bytes] = field(default_factory=list)
    _lock: OneWriter | None = field(default=None, init=False)
    _put_off: list[Read] = field(default_factory=list, init=False)
    _places: Sequence[int] = ()

    def __post_init__(self) -> None:
        with self.around.sessions() as session:
            self._lock = OneWriter() if has_one_writer(session) else None

    def take(self, came: Sequence[Came], *, last_uid: int | None = None) -> list[Came]:
        """Take mails, and return those that may be removed from the server: the whole of them is kept here, and committed.

        `last_uid` is how far the mailbox has been read once all of them are written. Raise TurnLostError, OSError where the file store takes nothing,
        and what the database raises where it takes nothing; what was committed before stays, and how far that is with it.
        """
        left, kept = list(came), list[Came]()
        while True:
            some = left[: self._fitting(len(left))]
            left = left[len(some) :]
            kept += self._take_some(some, None if left else last_uid, are_last=not left)
            if not left:
                return kept

    def _fitting(self, mails: int) -> int:
        """Return how many of so many mails are taken at once: about as many at each time.

        Where only one can write, that is what the time for one transaction allows; the next ones are read while others can write.
        """
        if self._lock is None or not mails:
            return mails
        times = -(-mails // max(1, self._lock.mails - len(self._put_off)))
        return -(-mails // times)

    def _take_some(self, came: Sequence[Came], last_uid: int | None, *, are_last: bool) -> list[Came]:
        now = self.around.clock()
        mails, self._put_off = [*self._put_off, *map(read, came)], []
        if self._lock is not None and not are_last and not self.of_the_past:
            # In the next transaction they wait for nobody; in this one the lock would be held for their statements as well.
            mails, self._put_off = without_dependent(mails)
        if mails:
            with self.around.sessions() as session:
                only_reads(session)
                self._places = self._places or mailboxes.in_one_place(session, self.mailbox.id)
                known = imported.known_contents(session, self._places, [one.key for one in mails])
            recognise(mails, known)
            keep(self.around.files, self.mailbox.source, mails, now)
        items = [_Item(one) for one in mails]
        with self.around.sessions() as session:
            bench = self.around.bench(session)
            bench.ask_host()
            only_reads(session)
            bench.read_ahead(self.mailbox.source.shop_ids)
            # Whose a mail is follows from our addresses, and a host that is slow is asked while no transaction is open.
            session.rollback()
            if self._lock is not None:
                self._lock.looks(session)
            self._vet_all(bench, items)
            self._write_all(session, bench, items, last_uid)
        return [one.read.came for one in items if one.landed is not None and one.landed.outcome in KEPT_HERE]

    def _vet_all(self, bench: Bench, items: Sequence[_Item]) -> None:
        """Ask the host about mails. What it raises about one of several is that one's mistake; what it raises about all of them is its own.

        Where there is only one, the host is asked about a made-up mail as well, which tells the two apart.
        """
        asked = [(item, item.read.arrived) for item in items if item.read.verdict is None and item.read.arrived is not None]
        failed = list[Exception]()
        for item, arrived in asked:
            try:
                item.vetted = vet_mail(bench.host, arrived, bench.employees, ours=bench.addresses)
            except Exception as error:  # whatever a hook does about one mail, those behind it are read
                log.exception("the host could not be asked about a mail")
                item.read.cause = words_of(error)
                failed.append(error)
        if failed and len(failed) == len(asked) and (len(failed) > 1 or _fails_for_anybody(bench, asked[0][1])):
            raise HostFailedError(words_of(failed[-1]))

    # --- Written ----------------------------------------------------------------------------------------------------------------------------------

    def _write_all(self, session: Session, bench: Bench, items: Sequence[_Item], last_uid: int | None) -> None:
        if not items and last_uid is None:
            return
        try:
            self._write_some(session, bench, items, last_uid)
        except TurnLostError:
            raise
        except Exception as error:
            if not items or (isinstance(error, DBAPIError) and passing(error)):
                raise
            # One of them breaks something: each goes by itself.
            log.warning("a batch of %d mails was rolled back (%s): they are taken one by one", len(items), type(error).__name__)
            self._write_each(session, bench, items)
            if last_uid is not None:
                self._write_some(session, bench, [], last_uid)

    def _write_each(self, session: Session, bench: Bench, items: Sequence[_Item]) -> None:
        for item in items:
            try:
                self._write_some(session, bench, [item])
            except TurnLostError:
                raise
            except Exception as error:
                if isinstance(error, DBAPIError) and passing(error):
                    raise
                log.exception("a mail could not be taken")
                item.read.cause = words_of(error)
                # Where it is the database that takes nothing, this raises too, and no mail is held to be the cause.
                self._write_some(session, bench, [item])

    def _write_some(self, session: Session, bench: Bench, items: Sequence[_Item], last_uid: int | None = None) -> None:
        """Write mails in one transaction, and how far the mailbox is read then."""
        session.rollback()
        # The identity map would grow with the mailbox.
        session.expunge_all()
        if self._lock is not None:
            self._lock.wait(session)

        began = 0.0

        def work() -> None:
            nonlocal began
            here = bench.at(self.around.clock())
            expect_mails(here, [item.vetted for item in items if _is_received(item) and item.vetted is not None])
            # From here on nobody else writes: what was waited for before does not count.
            began = time.monotonic()
            self._receive(session, here, items)
            self._write_rows(session, here, items)
            imported.are_gone(session, self.place, uids=self.gone_uids, uidl_hashes=self.gone_uidls)
            imported.tell_run(session, self.run_id, counts=dict(self.counts + _counted(items)))
            reached = last_uid
            if reached is None:
                reached = self._reached(items)
            cursor = {} if reached is None else {"last_uid": reached}
            if not mailboxes.keep_turn(session, self.turn, here.now, **cursor):
                raise TurnLostError(f"mailbox {self.mailbox.id} was taken over")

        committed(session, work)
        if self._lock is not None:
            self._lock.wrote(len(items), began)
        self.counts += _counted(items)
        self.gone_uids, self.gone_uidls = [], []

    def _reached(self, items: Sequence[_Item]) -> int | None:
        """Return up to which number the mailbox has been read with these mails: not beyond one that is put off."""
        written, put_off = (_new_uids(one.came for one in some) for some in ((item.read for item in items), self._put_off))
        return min(max(written), min(put_off, default=max(written) + 1) - 1) if written else None

    def _receive(self, session: Session, bench: Bench, items: Sequence[_Item]) -> None:
        """Let mails land: those that are received together first, and then whatever follows from what became of them."""
        together = {} if self.of_the_past else {id(item): item.vetted for item in items if _is_received(item) and item.vetted is not None}
        received = dict(zip(together, receive_mails(bench, list(together.values())), strict=True))
        for item in items:
            item.landed = self._land(session, bench, item, received.get(id(item)))
            item.read.became = item.landed.outcome

    def _land(self, session: Session, bench: Bench, item: _Item, received: Landed | None) -> Landed:
        one = item.read
        if one.twin is not None and one.twin.became is not None and one.twin.became not in KEPT_HERE:
            # Nothing of either is kept here, and neither may leave the server.
            return Landed(one.twin.became, one.reason)
        if one.verdict is not None:
            return Landed(one.verdict, one.reason)
        if _is_received(item) and item.vetted is not None:
            landed = received or self._received(session, bench, item.vetted)
            if one.same_id and landed.message_id is not None:
                imported.mark_same_id(session, [landed.message_id, *landed.also])
            if landed.outcome is not Outcome.SET_ASIDE:
                return landed
            return self._set_aside(session, bench, item, landed.reason)
        return self._set_aside(session, bench, item, one.cause or _UNREAD)

    def _received(self, session: Session, bench: Bench, vetted: VettedMail) -> Landed:
        if not self.of_the_past:
            return receive_mail(bench, vetted)
        sent_at = vetted.arrived.mail.sent_at
        landed = receive_mail(bench.at(min(sent_at, bench.now)) if sent_at is not None else bench, vetted)
        if landed.message_id is not None:
            outbox.withdraw(session, [landed.message_id, *landed.also])
        return landed

    def _set_aside(self, session: Session, bench: Bench, item: _Item, cause: str) -> Landed:
        one, source = item.read, self.mailbox.source
        if one.original is None:
            raise AssertionError("what is set aside is kept")
        shop_id = source.shop_ids[0] if len(source.shop_ids) == 1 else None
        set_aside(
            session, one.original, cause, bench.now, mailbox_id=self.mailbox.id, shop_id=shop_id, sender=one.sender, subject=one.subject,
            signs=signs_of(one.mail.automatic, one.mail.oddities) if one.mail is not None else None,
        )
        bench.announce("cs_mail_set_aside", mailbox_id=self.mailbox.id, cause=cause)
        return Landed(Outcome.SET_ASIDE, cause)

    def _row(self, bench: Bench, item: _Item) -> dict[str, Any]:
        one, landed = item.read, item.landed
        if landed is None:
            raise AssertionError("a row tells what became of a mail")
        listed, is_told = one.came.listed, landed.message_id is None
        return {
            "mailbox_id": self.mailbox.id,
            "folder": self.place.folder,
            "uidvalidity": self.place.uidvalidity,
            "uid": listed.uid if listed is not None else None,
            "uidl_hash": uidl_key(listed.uidl) if listed is not None and listed.uidl is not None else None,
            "message_id_hash": one.message_id_hash,
            "content_hash": one.content_hash if one.came.verdict is None else None,
            "run_id": self.run_id,
            "message_id": landed.message_id,
            "outcome": landed.outcome.value,
            "reason": landed.reason[:255],
            "on_server": listed is not None,
            "size": one.came.size,
            "sender": one.sender if is_told else "",
            "subject": one.subject if is_told else "",
            "created_at": bench.now,
        }

    def _write_rows(self, session: Session, bench: Bench, items: Sequence[_Item]) -> None:
        imported.write(session, [self._row(bench, item) for item in items if item.read.came.row_id is None])
        for item in items:
            if item.read.came.row_id is not None:
                imported.rewrite(session, item.read.came.row_id, **self._row(bench, item))

    # --- What was removed from the server ----------------------------------------------------------------------------------------------------------

    def are_gone(self, listed: Sequence[ListedMail]) -> None:
        """Note that mails were removed from the server; it is written with the next transaction."""
        self.gone_uids += [one.uid for one in listed if one.uid is not None]
        self.gone_uidls += [uidl_key(one.uidl) for one in listed if one.uidl is not None]

    def write_gone(self) -> None:
        """Write down what was removed from the server and is not written yet."""
        if self.gone_uids or self.gone_uidls:
            with self.around.sessions() as session:
                self._write_some(session, self.around.bench(session), [])


def _fails_for_anybody(bench: Bench, arrived: ArrivedMail) -> bool:
    """Say whether the host cannot be asked about anybody's mail: a made-up machine's, so that no filter learns from it, in another one's place."""
    try:
        vet_mail(bench.host, replace(arrived, mail=_MADE_UP), bench.employees)
    except Exception:  # a hook may raise anything, as it did about the mail
        log.exception("the host could not be asked about a made-up mail either")
        return True
    return False


def _is_received(item: _Item) -> bool:
    """Say whether the desk decides on a mail: nothing is known of it, and nothing is wrong with it."""
    return item.read.verdict is None and item.vetted is not None and not item.read.cause


def without_dependent(mails: Sequence[Read]) -> tuple[list[Read], list[Read]]:
    """Return mails without those whose place depends on one before them, and these, in their order; all of them where that is most of them."""
    now, later, before = list[Read](), list[Read](), set[bytes | int]()
    for one in mails:
        keys = keys_of(one.mail) if one.mail is not None else frozenset[bytes | int]()
        (now if keys.isdisjoint(before) else later).append(one)
        before |= keys
    return (now, later) if len(later) < len(now) else (list(mails), [])


def _new_uids(mails: Iterable[Came]) -> list[int]:
    """Return the numbers of those mails that come for the first time."""
    return [one.listed.uid for one in mails if one.listed is not None and one.listed.uid is not None and one.row_id is None]


def _counted(items: Sequence[_Item]) -> Counter[str]:
    return Counter(item.landed.outcome.value for item in items if item.landed is not None)


def uidl_key(uidl: bytes) -> bytes:
    """Return the digest under which a UIDL is kept: at most 70 bytes, which servers do not always keep to (RFC 1939, section 7)."""
    return digest("uidl", uidl.decode("latin-1"))
