"""One run over a mailbox: whatever is new comes to the desk, and only what is kept here leaves the server.

It can be cut off at any instant and done again. What is committed is known again by its place and its content; what is removed from the server is
what a committed row tells of; and a row that says that its mail lies there still is looked after by the next run.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from cs_plugin import announce
from cs_plugin.desk.option_mailboxes import MailboxAtWork, at_work
from cs_plugin.errors import BadHostAnswerError, CustomerServiceError, NotFoundError
from cs_plugin.i18n import marked as _
from cs_plugin.mail.mailbox import Finding, MailboxError, MailServer, OpenMailbox, TokenRefusedError, open_mailbox
from cs_plugin.store import imported, mailboxes
from cs_plugin.store.imported import Place
from cs_plugin.store.locking import only_reads
from cs_plugin.store.mailboxes import Turn
from cs_plugin.store.models import Mailbox
from cs_plugin.sync.fetching import ImapFetching, Pop3Fetching, StoppedError, from_before, in_own, keep_turn, new_by_uidl
from cs_plugin.sync.holding import Holding, held
from cs_plugin.sync.in_hand import Hand
from cs_plugin.sync.looking import FROM_NOW, Cursor, counted
from cs_plugin.sync.surroundings import WORKER, Asked, Counted, HostFailedError, Report, Surroundings, TurnLostError
from cs_plugin.sync.taking import Taking

log = logging.getLogger(__name__)
_CUT_OFF = _("The run was cut off.")
_TAKEN_OVER = _("Somebody else took the mailbox over.")
_NO_ROOM = _("The files of mails could not be kept: %(words)s")
_DATABASE = _("The database could not be written: %(words)s")
_NO_MAILBOX = _("There is no such mailbox.")
_HOST = _("The store could not be asked who writes: %(words)s")
_MAX_ERROR = 500


def sync(around: Surroundings, mailbox_id: int, asked: Asked) -> Report:
    """Fetch what is new in a mailbox, and return what came of it: also what went wrong, which is written down with the run and the mailbox.

    Whatever `asked.tell` raises comes through, once the run has been ended in order. Raise nothing else but what the database raises where not even
    that can be written down.
    """
    turn = in_own(around, lambda session: mailboxes.take_turn(session, mailbox_id, around.clock()))
    return _not_ours(around, mailbox_id) if turn is None else _Run(around, turn, asked).run()


def count(around: Surroundings, mailbox_id: int) -> Report:
    """Connect and count what a run would fetch: nothing is stored, and nothing is changed on the server."""
    return _looked(around, mailbox_id, lambda row, box: _counted(around, row, box))


def count_all(around: Surroundings, mailbox_id: int) -> Report:
    """Connect and count all that lies in the folder, however far it has been read: nothing is stored, and nothing is changed on the server."""

    def work(_row: Mailbox, box: OpenMailbox) -> Counted:
        listed = box.list_all() if box.is_pop3 else box.list_after(0)
        return counted(listed, 0, len(listed), around.limits)

    return _looked(around, mailbox_id, work)


def _looked(around: Surroundings, mailbox_id: int, work: Callable[[Mailbox, OpenMailbox], Counted]) -> Report:
    try:
        row = mailbox_row(around, mailbox_id)
        with opened(around, mailbox_id) as box:
            return Report(mailbox_id, row.name, counted=work(row, box))
    except Exception as error:
        findings = findings_of(error)
        if not findings:
            raise
        return Report(mailbox_id, findings=findings)


@contextmanager
def opened(around: Surroundings, mailbox_id: int) -> Iterator[OpenMailbox]:
    """Sign in to a mailbox for the time of a block, whoever has it in hand: to look, and to change nothing. Raise as `findings_of` reads it."""
    mailbox = opened_up(around, mailbox_row(around, mailbox_id))
    with _open(around, mailbox) as box:
        yield box


@contextmanager
def _open(around: Surroundings, mailbox: MailboxAtWork) -> Iterator[OpenMailbox]:
    server = _signed_in(around, mailbox)
    with ExitStack() as stack:
        try:
            box = stack.enter_context(open_mailbox(server, around.reach))
        except TokenRefusedError:
            # Taken back before its time: the provider gives another one, or says that the authorisation has ended.
            box = stack.enter_context(open_mailbox(_signed_in(around, mailbox, server.access_token), around.reach))
        yield box


def mailbox_row(around: Surroundings, mailbox_id: int) -> Mailbox:
    """Return the row of a mailbox. Raise NotFoundError."""
    with around.sessions() as session:
        row = mailboxes.find(only_reads(session), mailbox_id)
    if row is None:
        raise NotFoundError("mailbox", mailbox_id)
    return row


def opened_up(around: Surroundings, row: Mailbox, *, with_password: bool = True) -> MailboxAtWork:
    """Return what a run needs of a mailbox; the host is asked for its shops first. Raise as `at_work` does."""
    with around.sessions() as session:
        bench = around.bench(session)
        bench.ask_host()
        only_reads(session)
        return at_work(bench, row, with_password=with_password)


def _signed_in(around: Surroundings, mailbox: MailboxAtWork, refused: str = "") -> MailServer:
    if mailbox.oauth_token_id is None:
        return mailbox.server
    return replace(mailbox.server, access_token=around.access_token_of(mailbox.oauth_token_id, mailbox.server.server, refused))


def _not_ours(around: Surroundings, mailbox_id: int) -> Report:
    try:
        return Report(mailbox_id, mailbox_row(around, mailbox_id).name, busy=True)
    except NotFoundError as error:
        return Report(mailbox_id, findings=findings_of(error))


def _counted(around: Surroundings, row: Mailbox, box: OpenMailbox) -> Counted:
    if box.is_pop3:
        listed = box.list_all()
        new = new_by_uidl(around, row.id, listed)
        before = {one.uidl for one in from_before(box, new, row)} if row.last_uid is None else set()
        return counted([one for one in new if one.uidl not in before], len(before), len(listed), around.limits)
    before_run = Cursor.of(row)
    cursor = before_run.on(box, row.start, around.clock())
    listed = box.list_after(cursor.last_uid or 0)
    wanted = [one for one in listed if cursor.wants(one)]
    # Where mail is wanted from now on, nothing from before is listed.
    older = box.total if before_run.is_new and row.start in FROM_NOW else len(listed) - len(wanted)
    return counted(wanted, older, box.total, around.limits)


# --- A run ----------------------------------------------------------------------------------------------------------------------------------------


@dataclass
class _Run:
    """A run that has the mailbox in hand."""

    around: Surroundings
    turn: Turn
    asked: Asked
    mailbox: MailboxAtWork | None = None
    taking: Taking | None = None
    hand: Hand | None = None
    run_id: int | None = None
    _failures: int = 0

    def run(self) -> Report:
        findings, is_over, passed_on = tuple[Finding, ...](), True, None
        try:
            self._fetch(self._begun())
        except StoppedError:
            is_over = False
        except Exception as error:  # noqa: BLE001 - whatever goes wrong, the mailbox is let go; what is not about it is raised below
            findings = findings_of(error)
            if not findings:
                # The job was cancelled, or whoever does it has to stop: that is no failure of the mailbox.
                is_over, passed_on = False, error
        report = self._end(findings, is_over=is_over)
        if passed_on is not None:
            raise passed_on
        return report

    def _begun(self) -> int:
        """Write down that the run begins, and return its id."""

        def work(session: Session) -> int:
            if self.asked.run_id is not None:
                imported.tell_run(session, self.asked.run_id, error="", finished_at=None)
                return self.asked.run_id
            now = self.around.clock()
            imported.end_broken_runs(session, self.turn.mailbox_id, _CUT_OFF, now)
            return imported.begin_run(session, self.turn.mailbox_id, self.asked.started_by, now, job_id=self.asked.job_id).id

        self.run_id = in_own(self.around, work)
        return self.run_id

    def _fetch(self, run_id: int) -> None:
        around, row = self.around, mailbox_row(self.around, self.turn.mailbox_id)
        self._failures = row.failures
        self.mailbox = mailbox = opened_up(around, row)
        with around.sessions() as session:
            counts = imported.counts_of(only_reads(session), run_id)
        with held(around, self.turn) as holding, _open(around, mailbox) as box:
            asked = _telling(self.asked, holding)
            self.taking = Taking(around, mailbox, self.turn, run_id, Place(mailbox.id), counts=Counter(counts))
            self.hand = Hand.of(row, self._keep)
            (Pop3Fetching if box.is_pop3 else ImapFetching)(around, asked, mailbox, box, self.taking, self.hand).all(row)

    def _keep(self, **values: object) -> None:
        keep_turn(self.around, self.turn, **values)

    def _end(self, findings: tuple[Finding, ...], *, is_over: bool) -> Report:
        around, now = self.around, self.around.clock()
        name = self.mailbox.name if self.mailbox is not None else ""
        counts = dict(self.taking.counts) if self.taking is not None else {}
        report = Report(self.turn.mailbox_id, name, self.run_id, counts, findings, is_over=is_over)
        error = report.error[:_MAX_ERROR]
        after: Mapping[str, Any] = {"next_run_at": now}
        if findings:
            after = mailboxes.after_failure(self._failures + 1, error, now)
        elif is_over:
            after = mailboxes.after_success(now, around.every)
        if self.hand is not None:
            after = {**after, **self.hand.at_end(went_well=is_over and not findings)}
        told = [{"message": one.message, "values": dict(one.values)} for one in findings] or None

        def work(session: Session) -> None:
            mailboxes.end_turn(session, self.turn, **after)
            if self.run_id is None:
                return
            if self.asked.started_by == WORKER and not counts and not findings:
                # Somebody looks every minute, mostly in vain; that the mailbox answers stands with the mailbox.
                imported.forget_run(session, self.run_id)
            elif is_over or self.asked.job_id is None:
                imported.tell_run(session, self.run_id, counts=counts, error=error, findings=told, finished_at=now)
            if is_over and (counts or findings):
                manager = around.bench(session).manager
                told_to = {"mailbox_id": self.turn.mailbox_id, "counts": counts, "error": error or None}
                announce.collect(session, manager, "cs_sync_finished", **told_to)

        in_own(around, work)
        return report


def _telling(asked: Asked, holding: Holding) -> Asked:
    def tell(done: int, total: int) -> None:
        holding.moved()
        asked.tell(done, total)

    return replace(asked, tell=tell)


def findings_of(error: Exception) -> tuple[Finding, ...]:
    """Return what an error says to whoever looks after the mailbox; nothing for one that is not about it."""
    if isinstance(error, MailboxError):
        return (error.finding, *error.advice)
    if isinstance(error, TurnLostError):
        return (Finding(False, _TAKEN_OVER),)
    if isinstance(error, (HostFailedError, BadHostAnswerError)):
        return (Finding(False, _HOST, {"words": str(error)}),)
    if isinstance(error, NotFoundError):
        return (Finding(False, _NO_MAILBOX),)
    if isinstance(error, CustomerServiceError) and isinstance(getattr(error, "message", None), str):
        # What is wrong with a password, or with an authorisation, each in its own words.
        values = getattr(error, "values", {})
        return (Finding(False, str(getattr(error, "message", "")), {name: str(value) for name, value in values.items()}),)
    if isinstance(error, OSError):
        return (Finding(False, _NO_ROOM, {"words": error.strerror or str(error)}),)
    if isinstance(error, SQLAlchemyError):
        log.error("the database takes no mail", exc_info=error)
        return (Finding(False, _DATABASE, {"words": str(getattr(error, "orig", None) or error)[:200]}),)
    return ()
