"""The "Sync" block of a mailbox: "Run Sync", how far a run is, what came of each mail, and how the last runs went."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cs_plugin import i18n
from cs_plugin.desk.mailboxes import awaits_choice, has_begun, name_of_mailbox
from cs_plugin.desk.option_mailboxes import mailbox_in
from cs_plugin.i18n import marked as _
from cs_plugin.rules.incoming import Outcome
from cs_plugin.rules.permissions import Permission
from cs_plugin.rules.shops import Context
from cs_plugin.store import imported, mailbox_setup, workers
from cs_plugin.store.locking import let_go
from cs_plugin.store.mailboxes import shops_of
from cs_plugin.store.models import ImportedMail, Job, JobState, Mailbox, Message, SyncRun
from cs_plugin.web.count_job import ask_for_count, counts_of, is_to_count
from cs_plugin.web.mail_words import OUTCOMES, why
from cs_plugin.web.mailbox_health import as_options_describe, fares_of
from cs_plugin.web.reading import Visit
from cs_plugin.web.sync_job import JOB, open_job

# How many runs are shown, how many mails of the newest, and how many jobs are looked through for one that has just ended.
_RUNS, _MAILS, _JOBS = 10, 100, 20
_JOB_SHOWS = dt.timedelta(minutes=10)
_BUSY = _("Somebody else is fetching this mailbox: what came of that stands in its last run.")


@dataclass(frozen=True, slots=True)
class MailTold:
    """A mail of a run: what came of it and why, in words; `thread_id` where the employee may see the thread, `what` where there is no message."""

    outcome: str
    reason: str
    what: str = ""
    thread_id: int | None = None


@dataclass(frozen=True, slots=True)
class RunTold:
    """A run: when, how many mails of each kind, in words, and what went wrong."""

    id: int
    started_at: dt.datetime
    finished_at: dt.datetime | None
    by: str
    counts: Sequence[tuple[str, int]]
    error: str

    @property
    def total(self) -> int:
        """Return how many mails it is about."""
        return sum(number for _words, number in self.counts)


@dataclass(frozen=True, slots=True)
class Question:
    """From when on mail is wanted, asked until somebody says it. `mails`, `size` and `too_large` are what lies there, None where that is unknown."""

    is_counting: bool
    nobody_works: bool
    mails: int | None = None
    size: int = 0
    too_large: int = 0
    error: str = ""


@dataclass(frozen=True)
class SyncBlock:
    """All that `_sync.html` shows. `job` is what is told of a run that somebody asked for; `place` names the page that it stands on."""

    mailbox: Mailbox
    name: str
    fares: str
    place: str
    job: Mapping[str, Any] | None
    runs: Sequence[RunTold]
    mails: Sequence[MailTold]
    more: int
    may_choose_start: bool
    question: Question | None = None

    @property
    def runs_now(self) -> bool:
        """Say whether a run waits or goes on."""
        return bool(self.job and self.job["runs"])


def block_of_options(here: Visit, context: Context, place: str) -> SyncBlock | None:
    """Return the block of the mailbox that the options of a context describe; None where none is filled, or for whoever may not configure there."""
    if not any(here.grants.allow(Permission.CONFIGURE, shop.id) for shop in context.shops(here.shops)):
        return None
    as_options_describe(here)
    session = here.desk.session()
    bench = here.desk.bench(session)
    bench.ask_host()
    row = mailbox_in(bench, context)
    if row is not None and have_counted(here, session, row):
        row = mailbox_in(bench, context)
    # One that waits for its authorisation is not fetched: the form says what to do.
    waits = row is None or (not row.active and row.oauth_token_id is not None)
    found = None if row is None or waits else block_of(here, session, row, place)
    let_go(session)
    return found


def have_counted(here: Visit, session: Session, row: Mailbox) -> bool:
    """Have the mails of a mailbox counted that awaits the choice, for whoever may make it; say whether that was committed."""
    if not (awaits_choice(row) and _may_choose(here, row) and is_to_count(session, row.id, here.now)):
        return False
    mailbox_id, employee_id = row.id, here.actor().employee.id
    here.desk.do(lambda bench: ask_for_count(bench, mailbox_id, employee_id))
    return True


def block_of(here: Visit, session: Session, row: Mailbox, place: str) -> SyncBlock:
    """Return the block of a mailbox that this employee may see."""
    runs = imported.runs_of(session, row.id, _RUNS)
    newest = next((one for one in runs if one.counts), None)
    mails = imported.mails_of(session, newest.id, most=_MAILS) if newest is not None else ()
    token = mailbox_setup.tokens_of(session, [row]).get(row.oauth_token_id or 0)
    total = sum(newest.counts.values()) if newest is not None else 0
    may_choose = has_begun(row) and _may_choose(here, row)
    asks = may_choose and awaits_choice(row)
    return SyncBlock(
        mailbox=row,
        name=name_of_mailbox(row),
        fares=fares_of(row, token, here.now),
        place=place,
        job=_job(here, session, row.id),
        runs=[_told(here, one) for one in runs],
        mails=_mails(here, session, row, mails),
        more=max(0, total - len(mails)),
        may_choose_start=may_choose and not asks,
        question=_question(here, session, row.id) if asks else None,
    )


def _may_choose(here: Visit, row: Mailbox) -> bool:
    return all(here.grants.allow(Permission.CONFIGURE, shop.id) for shop in shops_of(row, here.shops))


def _question(here: Visit, session: Session, mailbox_id: int) -> Question:
    last, told = counts_of(session, mailbox_id)
    is_counting = last is not None and last.finished_at is None
    nobody = is_counting and not _somebody_works(here, session)
    result: Mapping[str, Any] = told.result if told is not None else {}
    error = " ".join(_say(here, str(one["message"]), **one.get("values", {})) for one in result.get("findings", ()))
    if not is_counting and last is not told:
        error = _say(here, _("The mails could not be counted."))
    return Question(is_counting, nobody, result.get("mails"), result.get("bytes", 0), result.get("too_large", 0), error)


def _somebody_works(here: Visit, session: Session) -> bool:
    return bool(here.desk.app.config["CS_BACKGROUND"]) or workers.some_worker_is_alive(session, here.now)


def _say(here: Visit, message: str, **values: object) -> str:
    return i18n.gettext(here.employee_language, message, **values)


def _job(here: Visit, session: Session, mailbox_id: int) -> Mapping[str, Any] | None:
    """Return what is told of the run that somebody asked for: how far it is, and for a while what kept it from being done."""
    job = open_job(session, mailbox_id)
    if job is not None:
        return {"runs": True, "done": job.done, "total": job.total, "error": "", "nobody_works": not _somebody_works(here, session)}
    query = select(Job).where(Job.kind == JOB, Job.finished_at > here.now - _JOB_SHOWS).order_by(Job.id.desc()).limit(_JOBS)
    ended = next((one for one in session.scalars(query) if one.payload.get("mailbox") == mailbox_id), None)
    if ended is None:
        return None
    error = ended.error if ended.state is JobState.FAILED else ""
    if ended.state is JobState.DONE and ended.result.get("busy"):
        error = _say(here, _BUSY)
    return {"runs": False, "done": ended.done, "total": ended.total, "error": error, "nobody_works": False} if error else None


def _told(here: Visit, run: SyncRun) -> RunTold:
    order = [one.value for one in Outcome]
    counts = [(_say(here, OUTCOMES[name]), run.counts[name]) for name in order if run.counts.get(name)]
    return RunTold(run.id, run.started_at, run.finished_at, _by(here, run.started_by), counts, error_words(here, run))


def error_words(here: Visit, run: SyncRun | None) -> str:
    """Return what went wrong in a run, in the employee's language; empty where nothing did."""
    if run is None or not run.error:
        return ""
    told = run.findings or [{"message": run.error, "values": {}}]
    return " ".join(_say(here, str(one["message"]), **one.get("values", {})) for one in told)


def last_error_words(here: Visit, session: Session, row: Mailbox) -> str:
    """Return what went wrong last with a mailbox, in the employee's language; empty where it works."""
    last = next(iter(imported.runs_of(session, row.id, 1)), None) if row.last_error else None
    # What was written down with the mailbox alone has no values left to fill in.
    return error_words(here, last) or (_say(here, row.last_error) if row.last_error else "")


def _by(here: Visit, started_by: str) -> str:
    kind, _blank, employee_id = started_by.partition(" ")
    if kind == "employee":
        name = next((one.name for one in here.employees if one.id == employee_id), "")
        return name or _say(here, _("an employee"))
    return _say(here, {"worker": _("by itself"), "command": _("by a command")}.get(kind, _("by itself")))


def _mails(here: Visit, session: Session, row: Mailbox, mails: Sequence[ImportedMail]) -> list[MailTold]:
    ids = [one.message_id for one in mails if one.message_id is not None]
    query = select(Message.id, Message.thread_id, Message.shop_id).where(Message.id.in_(ids))
    threads = {one.id: one for one in session.execute(query)} if ids else {}
    # Whom a mail is from is for those alone who may see all that comes in here.
    sees = all(here.grants.allow(Permission.VIEW, shop.id) for shop in shops_of(row, here.shops))
    told = []
    for one in mails:
        message, values = why(one.reason)
        found = threads.get(one.message_id or 0)
        thread_id = found.thread_id if found is not None and here.grants.allow(Permission.VIEW, found.shop_id) else None
        what = " · ".join(text for text in (one.sender, one.subject) if text) if sees else ""
        words = _say(here, OUTCOMES[one.outcome]) if one.outcome in OUTCOMES else one.outcome
        told.append(MailTold(words, _say(here, message, **values) if message else "", what, thread_id))
    return told
