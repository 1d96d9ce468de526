"""One run over a mailbox: whatever is new comes to the desk, and only what is kept here leaves the server.

It can be cut off at any instant and done again. What is committed is known again by its place and its content; what is removed from the server is
what a committed row tells of; and a row that says that its mail lies there still is looked after by the next run.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from cs_plugin import announce
from cs_plugin.desk.option_mailboxes import MOVE, MailboxAtWork, at_work
from cs_plugin.errors import CustomerServiceError, InvalidInputError, NotFoundError
from cs_plugin.i18n import marked as _
from cs_plugin.mail.mailbox import Finding, ListedMail, MailboxError, OpenMailbox, WithheldError, open_mailbox
from cs_plugin.rules.incoming import Outcome
from cs_plugin.store import imported, mailboxes
from cs_plugin.store.imported import WITHHELD, Place, There
from cs_plugin.store.locking import committed, only_reads
from cs_plugin.store.mailboxes import Turn
from cs_plugin.store.models import Mailbox
from cs_plugin.sync.looking import ALL, NOW, SINCE, Cursor, batches, counted, is_before, new_uidls
from cs_plugin.sync.reading import TOO_LARGE, Came
from cs_plugin.sync.surroundings import Asked, Counted, HostFailedError, Report, Surroundings, TurnLostError
from cs_plugin.sync.taking import Taking, uidl_key

log = logging.getLogger(__name__)
_CUT_OFF = _("The run was cut off.")
_TAKEN_OVER = _("Somebody else took the mailbox over.")
_NO_ROOM = _("The files of mails could not be kept: %(words)s")
_DATABASE = _("The database could not be written: %(words)s")
_NO_MAILBOX = _("There is no such mailbox.")
_HOST = _("The store could not be asked who writes: %(words)s")
_BEFORE_START = "before_start"
_MAX_ERROR = 500


class _StoppedError(Exception):
    """Say that the run is to end after the piece in hand."""


def sync(around: Surroundings, mailbox_id: int, asked: Asked) -> Report:
    """Fetch what is new in a mailbox, and return what came of it: also what went wrong, which is written down with the run and the mailbox.

    Whatever `asked.tell` raises comes through, once the run has been ended in order. Raise nothing else but what the database raises where not even
    that can be written down.
    """
    turn = _in_own(around, lambda session: mailboxes.take_turn(session, mailbox_id, around.clock()))
    if turn is None:
        return _not_ours(around, mailbox_id)
    return _Run(around, turn, asked).run()


def count(around: Surroundings, mailbox_id: int) -> Report:
    """Connect and count what a run would fetch: nothing is stored, and nothing is changed on the server."""
    try:
        with around.sessions() as session:
            bench = around.bench(session)
            bench.ask_host()
            row = mailboxes.find(only_reads(session), mailbox_id)
            if row is None:
                return Report(mailbox_id, findings=(Finding(False, _NO_MAILBOX),))
            mailbox = at_work(bench, row)
        with open_mailbox(_signed_in(around, mailbox), around.reach) as box:
            return Report(mailbox_id, mailbox.name, counted=_counted(around, row, mailbox, box))
    except Exception as error:
        findings = findings_of(error)
        if not findings:
            raise
        return Report(mailbox_id, findings=findings)


@contextmanager
def opened(around: Surroundings, mailbox_id: int) -> Iterator[OpenMailbox]:
    """Sign in to a mailbox for the time of a block, whoever has it in hand: to look, and to change nothing. Raise as `findings_of` reads it."""
    with around.sessions() as session:
        bench = around.bench(session)
        bench.ask_host()
        row = mailboxes.find(only_reads(session), mailbox_id)
        if row is None:
            raise NotFoundError("mailbox", mailbox_id)
        mailbox = at_work(bench, row)
    with open_mailbox(_signed_in(around, mailbox), around.reach) as box:
        yield box


def _counted(around: Surroundings, row: Mailbox, mailbox: MailboxAtWork, box: OpenMailbox) -> Counted:
    if box.is_pop3:
        listed = box.list_all()
        new, begins = _new_by_uidl(around, mailbox.id, listed), row.last_uid is None
        before = _from_before(box, new, row) if begins else []
        return counted([one for one in new if one not in before], len(before), len(listed), around.limits)
    # Where mails begin with now, there are none of before to count one by one.
    cursor = Cursor.of(row).on(box, row.start, around.clock())
    listed = box.list_after(cursor.last_uid or 0)
    wanted = [one for one in listed if cursor.wants(one)]
    begins_now = Cursor.of(row).is_new and row.start == NOW
    return counted(wanted, box.total if begins_now else len(listed) - len(wanted), box.total, around.limits)


def _from_before(box: OpenMailbox, new: Sequence[ListedMail], row: Mailbox) -> list[ListedMail]:
    """Return the mails of a POP3 mailbox that were there at the first connection and are not wanted."""
    wanted_from = Cursor.of(row).wanted_from
    if row.start == ALL or (row.start == SINCE and wanted_from is None):
        return []
    return [one for one in new if wanted_from is None or row.start == NOW or is_before(box, one, wanted_from)]


def _new_by_uidl(around: Surroundings, mailbox_id: int, listed: Sequence[ListedMail]) -> list[ListedMail]:
    hashes = [uidl_key(one.uidl) for one in listed if one.uidl is not None]
    with around.sessions() as session:
        known = imported.known_uidls(only_reads(session), mailbox_id, hashes)
    return new_uidls(listed, known)


def _not_ours(around: Surroundings, mailbox_id: int) -> Report:
    with around.sessions() as session:
        row = mailboxes.find(only_reads(session), mailbox_id)
    if row is None:
        return Report(mailbox_id, findings=(Finding(False, _NO_MAILBOX),))
    return Report(mailbox_id, row.name, busy=True)


def _signed_in(around: Surroundings, mailbox: MailboxAtWork) -> Any:
    if mailbox.oauth_token_id is None:
        return mailbox.server
    return replace(mailbox.server, access_token=around.access_token_of(mailbox.oauth_token_id, mailbox.server.server))


def _in_own(around: Surroundings, work: Any) -> Any:
    with around.sessions() as session:
        return committed(session, lambda: work(session))


# --- A run ----------------------------------------------------------------------------------------------------------------------------------------


@dataclass
class _Run:
    """A run that has the mailbox in hand."""

    around: Surroundings
    turn: Turn
    asked: Asked
    mailbox: MailboxAtWork | None = None
    taking: Taking | None = None
    run_id: int | None = None
    _failures: int = 0
    _done: int = 0
    _total: int = 0

    def run(self) -> Report:
        findings, is_over, passed_on = tuple[Finding, ...](), True, None
        try:
            self._begin()
            self._connect()
        except _StoppedError:
            is_over = False
        except Exception as error:
            findings = findings_of(error)
            if not findings:
                # The job was cancelled, or whoever does it has to stop: that is no failure of the mailbox.
                is_over, passed_on = False, error
        report = self._end(findings, is_over=is_over)
        if passed_on is not None:
            raise passed_on
        return report

    def _begin(self) -> None:
        around, now = self.around, self.around.clock()

        def work(session: Any) -> int:
            if self.asked.run_id is not None:
                imported.tell_run(session, self.asked.run_id, error="", finished_at=None)
                return self.asked.run_id
            imported.end_broken_runs(session, self.turn.mailbox_id, _CUT_OFF, now)
            return imported.begin_run(session, self.turn.mailbox_id, self.asked.started_by, now, job_id=self.asked.job_id).id

        self.run_id = _in_own(around, work)
        with around.sessions() as session:
            bench = around.bench(session)
            bench.ask_host()
            row = mailboxes.find(only_reads(session), self.turn.mailbox_id)
            assert row is not None, "whoever takes a turn has found the mailbox"
            self._failures = row.failures
            self.mailbox = at_work(bench, row)

    def _connect(self) -> None:
        assert self.mailbox is not None
        with open_mailbox(_signed_in(self.around, self.mailbox), self.around.reach) as box:
            if box.is_pop3:
                self._all_of_pop3(box)
            else:
                self._all_of_imap(box)
            box.finish()
            if box.is_pop3 and self.taking is not None:
                # Only now is it gone for good (RFC 1939, section 6).
                self.taking.are_gone(self._leaving)
            if self.taking is not None:
                self.taking.write_gone()

    def _row(self) -> Mailbox:
        with self.around.sessions() as session:
            row = mailboxes.find(only_reads(session), self.turn.mailbox_id)
        assert row is not None
        return row

    def _keep(self, **values: Any) -> None:
        def work(session: Any) -> None:
            if not mailboxes.keep_turn(session, self.turn, self.around.clock(), **values):
                raise TurnLostError(f"mailbox {self.turn.mailbox_id} was taken over")

        _in_own(self.around, work)

    def _begin_taking(self, place: Place) -> Taking:
        assert self.mailbox is not None
        assert self.run_id is not None
        self._leaving: list[Came] = []
        self.taking = Taking(self.around, self.mailbox, self.turn, self.run_id, place)
        if self.asked.run_id is not None:
            with self.around.sessions() as session:
                self.taking.counts.update(imported.counts_of(only_reads(session), self.run_id))
        return self.taking

    # --- IMAP -------------------------------------------------------------------------------------------------------------------------------------

    def _all_of_imap(self, box: OpenMailbox) -> None:
        assert self.mailbox is not None
        row, now = self._row(), self.around.clock()
        before = Cursor.of(row)
        cursor = before.on(box, row.start, now)
        if cursor != before:
            began = {"began_at": now} if before.is_new else {}
            self._keep(uidvalidity=cursor.uidvalidity, last_uid=cursor.last_uid, first_uid=cursor.first_uid, **began)
        place = Place(self.mailbox.id, self.mailbox.folder, cursor.uidvalidity)
        self._begin_taking(place)
        self._remove_what_is_kept(box, place)
        again = self._offered_again(place)
        listed = box.list_after(cursor.last_uid or 0)
        with self.around.sessions() as session:
            known = imported.known_uids(only_reads(session), place, [one.uid for one in listed if one.uid is not None])
        wanted = [one for one in listed if one.uid not in known and cursor.wants(one)]
        not_wanted = len(listed) - len(known) - len(wanted)
        if not_wanted:
            assert self.taking is not None
            self.taking.counts[Outcome.BEFORE_START.value] += not_wanted
        self._total = len(again) + len(wanted)
        self._offer([one for one, _there in again], box, {one.uid: there.row_id for one, there in again})
        self._offer(wanted, box, {}, up_to=max((one.uid or 0 for one in listed), default=None))

    def _offered_again(self, place: Place) -> list[tuple[ListedMail, There]]:
        """Return mails that were left on the server, and may be more welcome now."""
        assert self.mailbox is not None
        found, after = list[tuple[ListedMail, There]](), 0
        while some := self._look_again(place, after):
            found += [(ListedMail(size=one.size, uid=one.uid), one) for one in some if one.uid is not None]
            after = some[-1].row_id
        return found

    def _look_again(self, place: Place, after: int) -> Sequence[There]:
        assert self.mailbox is not None
        with self.around.sessions() as session:
            return imported.to_offer_again(
                only_reads(session), place, left=self.mailbox.source.create_threads, up_to_size=self.around.limits.largest, after=after
            )

    def _remove_what_is_kept(self, box: OpenMailbox, place: Place) -> None:
        """Remove from the server what was kept here by a run that was cut off before it had done that, or while nothing was to be removed."""
        assert self.mailbox is not None
        assert self.taking is not None
        while self.mailbox.removes and not self.asked.stopping():
            with self.around.sessions() as session:
                some = imported.to_remove(only_reads(session), place)
            if not some:
                return
            came = [Came(ListedMail(size=one.size, uid=one.uid), b"", one.row_id) for one in some if one.uid is not None]
            self._remove(box, came)
            self.taking.write_gone()

    # --- POP3 -------------------------------------------------------------------------------------------------------------------------------------

    def _all_of_pop3(self, box: OpenMailbox) -> None:
        assert self.mailbox is not None
        row, now = self._row(), self.around.clock()
        place = Place(self.mailbox.id)
        taking = self._begin_taking(place)
        listed = box.list_all()
        by_key = {uidl_key(one.uidl): one for one in listed if one.uidl is not None}
        new = _new_by_uidl(self.around, self.mailbox.id, listed)
        if row.last_uid is None:
            before = _from_before(box, new, row)
            self._write_before(before)
            # By POP3 no mail has a number that lasts: 0 says that the first connection is over.
            self._keep(last_uid=0, began_at=now)
            taking.counts[Outcome.BEFORE_START.value] += len(before)
            left_out = {one.uidl for one in before}
            new = [one for one in new if one.uidl not in left_out]
        self._remove_by_uidl(box, place, by_key)
        again = {by_key[one.uidl_hash].uidl: one.row_id for one in self._again_by_uidl(place) if one.uidl_hash in by_key}
        self._total = len(again) + len(new)
        self._offer([one for one in listed if one.uidl in again], box, again)
        self._offer(new, box, {})

    def _again_by_uidl(self, place: Place) -> list[There]:
        found, after = list[There](), 0
        while some := self._look_again(place, after):
            found += [one for one in some if one.uidl_hash is not None]
            after = some[-1].row_id
        return found

    def _write_before(self, mails: Sequence[ListedMail]) -> None:
        """Write down which mails of a POP3 mailbox were there before it began: nothing else tells them from those that come."""
        assert self.mailbox is not None
        now = self.around.clock()
        base = {
            "mailbox_id": self.mailbox.id, "folder": "", "uidvalidity": None, "uid": None, "message_id_hash": None, "content_hash": None,
            "run_id": None, "message_id": None, "outcome": Outcome.BEFORE_START.value, "reason": _BEFORE_START, "on_server": True, "sender": "",
            "subject": "", "created_at": now,
        }
        for start in range(0, len(mails), 500):
            rows = [{**base, "uidl_hash": uidl_key(one.uidl), "size": one.size} for one in mails[start : start + 500] if one.uidl is not None]
            _in_own(self.around, lambda session, rows=rows: imported.write(session, rows))

    def _remove_by_uidl(self, box: OpenMailbox, place: Place, by_key: dict[bytes, ListedMail]) -> None:
        assert self.mailbox is not None
        assert self.taking is not None
        after, gone = 0, list[bytes]()
        while self.mailbox.removes:
            with self.around.sessions() as session:
                some = imported.to_remove(only_reads(session), place, after=after)
            if not some:
                break
            after = some[-1].row_id
            keys = [one.uidl_hash for one in some if one.uidl_hash is not None]
            self._remove(box, [Came(by_key[key], b"") for key in keys if key in by_key])
            gone += [key for key in keys if key not in by_key]
        # Those the server does not list any more somebody else has removed.
        self.taking.gone_uidls += gone
        self.taking.write_gone()

    # --- Mails ------------------------------------------------------------------------------------------------------------------------------------

    def _offer(self, mails: Sequence[ListedMail], box: OpenMailbox, rows: dict[Any, int], *, up_to: int | None = None) -> None:
        """Fetch mails and take them, batch by batch. `rows` are those that tell of them already, by number or UIDL."""
        assert self.taking is not None
        some = list(batches(mails, self.around.limits))
        for number, batch in enumerate(some):
            came = self._fetched(batch, box, rows)
            last = None if rows else max((one.uid or 0 for one in batch), default=0) or None
            if number == len(some) - 1 and up_to:
                last = up_to
            kept = self.taking.take(came, last_uid=None if box.is_pop3 else last)
            self._remove(box, kept)
            self._done += len(batch)
            self._tell()
        if not some and up_to:
            self._keep(last_uid=up_to)

    def _tell(self) -> None:
        self.asked.tell(self._done, max(self._done, self._total))
        if self.asked.stopping():
            raise _StoppedError

    def _fetched(self, batch: Sequence[ListedMail], box: OpenMailbox, rows: dict[Any, int]) -> list[Came]:
        largest = self.around.limits.largest
        came = list[Came]()
        withheld: Sequence[ListedMail] = ()
        try:
            # One by one: what has come before something is withheld has come.
            for one, raw in box.fetch([one for one in batch if one.size <= largest]):
                came.append(Came(one, raw, _row_of(one, rows)))
        except WithheldError as error:
            withheld = error.mails
        came += [Came(one, b"", _row_of(one, rows), Outcome.LEFT, WITHHELD) for one in withheld]
        heads = ((one, box.fetch_head(one)) for one in batch if one.size > largest)
        came += [Came(one, head, _row_of(one, rows), Outcome.TOO_LARGE, TOO_LARGE) for one, head in heads if head]
        return sorted(came, key=lambda one: ((one.listed.uid or 0, one.listed.number) if one.listed is not None else (0, 0)))

    def _remove(self, box: OpenMailbox, came: Sequence[Came]) -> None:
        """Remove mails from the folder whose rows are committed."""
        assert self.mailbox is not None
        assert self.taking is not None
        listed = [one.listed for one in came if one.listed is not None]
        if not self.mailbox.removes or not listed:
            return
        if self.mailbox.afterwards == MOVE and not box.is_pop3:
            box.move(listed, self.mailbox.move_to)
        else:
            box.delete(listed)
        if box.is_pop3:
            self._leaving += came
        else:
            self.taking.are_gone(came)

    # --- The end ----------------------------------------------------------------------------------------------------------------------------------

    def _end(self, findings: tuple[Finding, ...], *, is_over: bool) -> Report:
        around, now = self.around, self.around.clock()
        name = self.mailbox.name if self.mailbox is not None else ""
        counts = dict(self.taking.counts) if self.taking is not None else {}
        report = Report(self.turn.mailbox_id, name, self.run_id, counts, findings, is_over=is_over)
        error = report.error[:_MAX_ERROR]
        if findings:
            after = mailboxes.after_failure(self._failures + 1, error, now)
        elif is_over:
            after = mailboxes.after_success(now, around.every)
        else:
            after = {"next_run_at": now}
        told = [{"message": one.message, "values": dict(one.values)} for one in findings] or None

        def work(session: Any) -> None:
            mailboxes.end_turn(session, self.turn, **after)
            if self.run_id is None:
                return
            if is_over or self.asked.job_id is None:
                imported.tell_run(session, self.run_id, counts=counts, error=error, findings=told, finished_at=now)
            if is_over:
                bench = around.bench(session)
                announce.collect(
                    session, bench.manager, "cs_sync_finished", mailbox_id=self.turn.mailbox_id, counts=counts, error=error or None
                )

        _in_own(around, work)
        return report


def _row_of(mail: ListedMail, rows: dict[Any, int]) -> int | None:
    return rows.get(mail.uidl if mail.uidl is not None else mail.uid)


def findings_of(error: Exception) -> tuple[Finding, ...]:
    """Return what an error says to whoever looks after the mailbox; nothing for one that is not about it."""
    if isinstance(error, MailboxError):
        return (error.finding, *error.advice)
    if isinstance(error, TurnLostError):
        return (Finding(False, _TAKEN_OVER),)
    if isinstance(error, HostFailedError):
        return (Finding(False, _HOST, {"words": str(error)}),)
    if isinstance(error, InvalidInputError) or (isinstance(error, CustomerServiceError) and hasattr(error, "message")):
        return (Finding(False, str(error.message), {name: str(value) for name, value in getattr(error, "values", {}).items()}),)
    if isinstance(error, OSError):
        return (Finding(False, _NO_ROOM, {"words": error.strerror or str(error)}),)
    if isinstance(error, SQLAlchemyError):
        log.exception("the database takes no mail")
        return (Finding(False, _DATABASE, {"words": str(getattr(error, "orig", None) or error)[:200]}),)
    return ()
