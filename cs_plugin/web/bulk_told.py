"""What the list tells an employee of the bulk actions that are done beside requests: how far they are, and for a while what came of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from cs_plugin import i18n, jobs
from cs_plugin.desk import Bench
from cs_plugin.i18n import marked as _
from cs_plugin.rules.status import Status
from cs_plugin.store.models import Job, JobState
from cs_plugin.store.preferences import set_preference
from cs_plugin.store.threads import PAGE_SIZES
from cs_plugin.web.bulk_job import ASSIGN, BLOCK, DELETE, JOB, NOT_SPAM, RESTORE, SPAM
from cs_plugin.web.reading import Visit
from cs_plugin.web.status_words import BULK_WORDS

_SHOWS = dt.timedelta(minutes=10)   # how long what came of one is told
_MOST = 5
_READ = "bulk_read"   # the name under which is remembered what is told no more

ACTION_WORDS: Mapping[str, str] = {
    **{status.value: BULK_WORDS[status] for status in Status},
    DELETE: _("Delete selection"),
    RESTORE: _("Undo"),
    ASSIGN: _("Assign"),
    SPAM: _("Mark as spam"),
    BLOCK: _("Block these senders"),
    NOT_SPAM: _("Not spam"),
}
_DONE_WORDS: Mapping[str, str] = {DELETE: _("The selection has been successfully deleted."), RESTORE: _("The threads are back in the list.")}


@dataclass(frozen=True, slots=True)
class BulkTold:
    """A bulk action as the list shows it: a sentence, and how far it is. `undo` is the moment of a deletion that can be taken back."""

    id: int
    runs: bool
    done: int
    total: int | None
    sentence: str
    kind: str
    undo: str = ""


def bulks_told(here: Visit, session: Session) -> list[BulkTold]:
    """Return what is told of the bulk actions of this employee, the newest first. Costs two queries where there are any, else one."""
    found = [job for job in jobs.newest_of(session, JOB, here.actor().employee.id, _MOST) if _runs(job) or _is_new(here, job)]
    if not found:
        return []
    read = here.preferences.get(_READ)
    return [_told(here, job) for job in found if _runs(job) or not isinstance(read, int) or job.id > read]


def cancel(here: Visit, bench: Bench, job_id: int) -> bool:
    """Cancel a bulk action of this employee, and say whether there was one to cancel. What it has done stays done."""
    job = jobs.find(bench.session, job_id)
    if job is None or job.kind != JOB or job.employee_id != here.actor().employee.id:
        return False
    return jobs.cancel(bench.session, job_id, bench.now)


def tell_no_more(here: Visit, bench: Bench) -> None:
    """Tell this employee no more of what has ended."""
    employee_id = here.actor().employee.id
    ended = [job.id for job in jobs.newest_of(bench.session, JOB, employee_id, _MOST) if not _runs(job)]
    if ended:
        set_preference(bench.session, employee_id, _READ, max(ended), bench.now)


def _undo(job: Job, action: str, reached: int) -> str:
    """Return what the button "Undo" says; empty where there is none. More than one click takes back the view "Spam" does, with all that match."""
    if not reached or _runs(job):
        return ""
    if action == DELETE:
        return str(job.payload["moment"])
    return f"{action} {job.payload['moment']}" if action in (SPAM, BLOCK) and reached <= PAGE_SIZES[-1] else ""


def _runs(job: Job) -> bool:
    return job.state in (JobState.WAITING, JobState.RUNNING)


def _is_new(here: Visit, job: Job) -> bool:
    return job.finished_at is not None and here.now - job.finished_at < _SHOWS


def _told(here: Visit, job: Job) -> BulkTold:
    language, action = here.employee_language, job.payload["action"]

    def say(message: str, **values: object) -> str:
        return i18n.gettext(language, message, **values)

    def number(n: int) -> str:
        return i18n.number(language, n)

    title, reached = say(ACTION_WORDS[action]), int(job.result.get("reached", 0))
    undo = _undo(job, action, reached)
    if _runs(job):
        if job.total is None and not job.done:
            return BulkTold(job.id, True, 0, None, say(_("%(action)s: this begins in a moment."), action=title), "info")
        if job.total is None:
            sentence = i18n.ngettext(language, "%(n)s thread is back in the list.", "%(n)s threads are back in the list.", reached)
            return BulkTold(job.id, True, job.done, None, sentence, "info")
        words = say(_("%(action)s: %(done)s of %(total)s threads"), action=title, done=number(job.done), total=number(job.total))
        return BulkTold(job.id, True, job.done, job.total, words, "info")
    if job.state is JobState.DONE:
        asked = int(job.result.get("asked", reached))
        said = say(_DONE_WORDS.get(action, _("Update successful")))
        count = i18n.ngettext(language, "%(n)s thread", "%(n)s threads", reached)
        sentence = say(_("%(said)s (%(count)s)"), said=said, count=count)
        if reached < asked:
            left = _("%(done)s of %(asked)s threads; the others are no longer there, or you may not change them.")
            sentence = f"{said} {say(left, done=number(reached), asked=number(asked))}"
        return BulkTold(job.id, False, job.done, job.total, sentence, "good" if reached else "info", undo)
    if job.state is JobState.CANCELLED:
        words = _("%(action)s was cancelled; %(done)s threads had been done before, and stay so.")
        return BulkTold(job.id, False, job.done, job.total, say(words, action=title, done=number(reached)), "info", undo)
    words = _("%(action)s broke off after %(done)s threads: %(reason)s")
    return BulkTold(job.id, False, job.done, job.total, say(words, action=title, done=number(reached), reason=say(job.error) or "--"), "bad", undo)
