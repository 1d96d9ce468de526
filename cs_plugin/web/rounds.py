"""What is done beside requests, round by round: deliver, do jobs, clear up. The worker, the background thread and any other scheduler call these.

Nothing is kept between two calls: the rows are the queue, and several callers at once do nothing twice. Each works inside a context of the
application, without a request. `stopping` is asked between two mails, and between two pieces of a job.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cs_plugin import desk, jobs, outbox
from cs_plugin.jobs import JobAtWork, JobOffice, Progress
from cs_plugin.outbox import Delivered
from cs_plugin.rules.status import Folder
from cs_plugin.store import daily, drafts, figures, files, imported, notices, packed_days, posts, presence, tally, totals, workers
from cs_plugin.store.daily import FinishedDay
from cs_plugin.store.files import Swept
from cs_plugin.store.forgetting_mails import forget_gone_mailboxes
from cs_plugin.store.locking import committed, has_one_writer, lock_threads, only_reads, wait_for_turn
from cs_plugin.store.models import OutboxItem, OutboxState, Thread
from cs_plugin.store.scope import EVERYTHING
from cs_plugin.store.types import can_be_id
from cs_plugin.web import bulk_job, connection, count_job, releases, set_aside, sync_job
from cs_plugin.web.floods import floods_of
from cs_plugin.web.mounted import Mounted

# What is done once a day, by whoever comes first.
DAILY = ("sweep", "purge", "retention", "tidy", "totals")
_MAILS_AT_ONCE = 50
_RUNS_AT_ONCE = 20
# Threads that are counted in one transaction, and how many that are counted live call for it before the day is over.
_FOLDED_AT_ONCE, _FOLDED_BY_ONE_WRITER, _MANY_APART = 200, 50, 2_000

Stopping = Callable[[], bool]
Result = TypeVar("Result")


def never() -> bool:
    """Say that nobody asks for an end."""
    return False


# --- Rounds ---------------------------------------------------------------------------------------------------------------------------------------


def deliver(here: Mounted, *, stopping: Stopping = never, most: int = 100) -> Delivered:
    """Release the replies that are due, and send the mails that are, up to `most`."""
    releases.release_due(here, stopping=stopping)
    return here.office.deliver(most=most, stopping=stopping)


def bring_up_mailboxes(here: Mounted) -> None:
    """Make the rows of mailboxes be as the options describe them."""
    sync_job.bring_up_mailboxes(here)


def fetch_mail(here: Mounted, *, stopping: Stopping = never) -> int:
    """Fetch the mailboxes that are due, and return how many they were."""
    return sync_job.fetch_mail(here, stopping=stopping)


def do_jobs(here: Mounted, *, stopping: Stopping = never) -> int:
    """Do the jobs that are due, one after the other, and return how many were taken up."""
    office, taken = job_office(here), 0
    while not stopping() and office.do_one(stopping=stopping) is not None:
        taken += 1
    return taken


def bring_up_totals(here: Mounted, *, stopping: Stopping = never) -> None:
    """Count anew what has changed in finished ranges of threads, so that lists need not count them, and pack finished days for figures."""
    _count_ranges(here, stopping)
    _pack_days(here, stopping)


def _count_ranges(here: Mounted, stopping: Stopping) -> None:
    while not stopping():
        with here.sessions() as session:
            only_reads(session)
            looked = totals.look(session) if totals.is_due(session) else None
        if looked is None:
            return
        _in_own(here, partial(totals.write_down, looked=looked))
        if not looked.more:
            return


def _pack_days(here: Mounted, stopping: Stopping) -> None:
    """Pack the days that are over, and those anew whose threads have changed: once another day is over, or where many have."""
    with here.sessions() as session:
        only_reads(session)
        days = packed_days.unpacked(session, here.clock())
        settles = bool(days) or packed_days.are_many_marked(session)
    for day in days:
        if stopping():
            return
        _pack(here, day)
    while settles and not stopping():
        with here.sessions() as session:
            marked = packed_days.marked(only_reads(session))
        # A mark goes once all of its days have been packed since it was read; where somebody else was quicker, theirs may be older than the mark.
        if marked is None or not all(not stopping() and _pack(here, day) for day in marked.days):
            return
        left = marked.marks
        while left:
            left = _in_own(here, partial(packed_days.settle, marks=left))
        settles = marked.more


def _pack(here: Mounted, day: dt.date) -> bool:
    with here.sessions() as session:
        looked = packed_days.look(only_reads(session), day)
    return looked.same or _in_own(here, partial(packed_days.write_down, looked=looked))


def bring_back(here: Mounted, *, stopping: Stopping = never) -> None:
    """Bring the threads that are counted live into the totals where they have piled up: for whoever calls no jobs."""
    with here.sessions() as session:
        piled_up = tally.are_many_apart(only_reads(session), _MANY_APART)
    after: int | None = 0 if piled_up else None
    while after is not None and not stopping():
        ids = _in_own(here, partial(_fold_some, after=after))
        after = ids[-1] if ids else None
    if piled_up:
        _in_own(here, tally.compact)


def queue_chores(here: Mounted) -> list[str]:
    """Queue what is to be done daily and has not been queued today, and what has piled up, and return the kinds of it."""
    with here.sessions() as session:
        only_reads(session)
        due = [kind for kind in DAILY if jobs.is_due_today(session, kind, here.clock())]
        piled_up = _has_piled_up(session)
    return [*(kind for kind in due if _queue(here, kind)), *(["fold"] if piled_up and _in_own(here, partial(_queue_fold, here)) else [])]


def _has_piled_up(session: Session) -> bool:
    """Say whether so many threads are counted live that each look at the figures would cost them."""
    return tally.are_many_apart(session, _MANY_APART) and not jobs.is_open(session, "fold")


def _queue_fold(here: Mounted, session: Session) -> bool:
    wait_for_turn(session)
    if not _has_piled_up(session):
        return False
    jobs.put(session, "fold", {}, here.clock())
    return True


def _queue(here: Mounted, kind: str) -> bool:
    return _in_own(here, lambda session: jobs.put_daily(session, kind, here.clock()))


def take_over(here: Mounted) -> int:
    """Let what surely dead processes of this machine had claimed be done by others, and return how much it was."""
    with here.sessions() as session:
        only_reads(session)
        mails, tasks = _dead(outbox.owners(session)), _dead(jobs.owners(session))
    if not mails and not tasks:
        return 0
    return _in_own(here, lambda session: outbox.release(session, mails, here.clock()) + jobs.release(session, tasks))


def _dead(owners: Collection[str]) -> list[str]:
    return [owner for owner in owners if workers.is_surely_dead(owner)]


def job_office(here: Mounted) -> JobOffice:
    """Return what does jobs."""
    return JobOffice(here.sessions, {kind: partial(does, here) for kind, does in KINDS.items()}, here.clock, once=ONCE)


def a_worker_is_alive(here: Mounted) -> bool:
    """Say whether a worker has given a sign of life within a minute."""
    with here.sessions() as session:
        return workers.some_worker_is_alive(only_reads(session), here.clock())


def _in_own(here: Mounted, work: Callable[[Session], Result]) -> Result:
    with here.sessions() as session:
        return committed(session, lambda: work(session))


# --- Jobs -----------------------------------------------------------------------------------------------------------------------------------------


def _sweep(here: Mounted, job: JobAtWork) -> Mapping[str, Any]:
    """Remove files that were chosen in a form and never sent."""
    begun = Swept(job.progress.kept.get("files", 0), job.progress.kept.get("after", ""))

    def tell(swept: Swept) -> None:
        # What counts as coming further is how far the store has been looked through, and not only what there was to remove.
        job.tell(Progress(job.progress.done + 1, None, {"files": swept.files, "after": swept.after}))

    with here.sessions() as session:
        return {"files": files.sweep(session, here.files, here.clock() - files.UNUSED_LASTS, tell=tell, begun=begun)}


def _purge(here: Mounted, job: JobAtWork) -> Mapping[str, Any]:
    """Erase the threads that have lain in the bin for long enough."""
    before = here.clock() - desk.BIN_KEEPS
    due = select(func.count()).select_from(Thread).where(Thread.folder == Folder.BIN, Thread.binned_at < before)
    with here.sessions() as session:
        total = job.progress.done + (only_reads(session).scalar(due) or 0)

    def some(session: Session) -> Progress:
        erased = desk.purge_bin(here.bench(session), older_than=desk.BIN_KEEPS)
        return replace(job.progress, done=job.progress.done + erased, total=total)

    _while_it_comes_on(job, some)
    return {"threads": job.progress.done}


def _retention(here: Mounted, job: JobAtWork) -> Mapping[str, Any]:
    """Erase the closed threads that their shops keep no longer."""
    with here.sessions() as session:
        bench = here.bench(session)
        bench.ask_host()
        only_reads(session)
        due = select(func.count()).select_from(Thread).where(desk.kept_no_longer(desk.kept_since_in_shops(bench)))
        total = job.progress.done + (session.scalar(due) or 0)

    def some(session: Session) -> Progress:
        purged = desk.purge_closed(here.bench(session), after=job.progress.kept.get("after", 0))
        return Progress(job.progress.done + purged.erased, total, {"after": purged.after})

    while job.progress.kept.get("after", 0) is not None:
        job.advance(some)
    return {"threads": job.progress.done}


def _tidy(here: Mounted, job: JobAtWork) -> Mapping[str, Any]:
    """Forget what nobody asks for any more: jobs that ended long ago, dead workers, posts, notices and syncs, drafts, and who was in a thread."""

    def work(session: Session) -> int:
        workers.forget_the_dead(session, here.clock())
        return jobs.forget(session, here.clock() - jobs.KEPT_FOR)

    ended = _in_own(here, work)
    while _in_own(here, lambda session: notices.forget(session, here.clock() - notices.NEWS_LASTS)):
        pass
    while _in_own(here, lambda session: drafts.forget(session, here.clock() - drafts.KEPT_FOR)):
        pass
    while _in_own(here, lambda session: presence.forget(session, here.clock() - presence.GONE_AFTER)):
        pass
    while _in_own(here, forget_gone_mailboxes):
        pass
    while _in_own(here, lambda session: imported.forget_runs(session, here.clock() - imported.TOLD_FOR, most=_RUNS_AT_ONCE)):
        pass
    # Confirmations are counted by such claims as well.
    before = here.clock() - max([posts.KEPT_FOR, *(allowance.within for allowance in floods_of(here.app).confirmations)])

    def some(session: Session) -> Progress:
        return replace(job.progress, done=job.progress.done + posts.forget(session, before))

    _while_it_comes_on(job, some)
    return {"jobs": ended, "posts": job.progress.done}


def _fold(_here: Mounted, job: JobAtWork) -> Mapping[str, Any]:
    """Bring the threads that are counted live into the totals."""

    def some(session: Session) -> Progress:
        ids = _fold_some(session, after=job.progress.kept.get("after", 0))
        return Progress(job.progress.done + len(ids), None, {**job.progress.kept, "after": ids[-1] if ids else None})

    while job.progress.kept.get("after", 0) is not None:
        job.advance(some)
    folded = job.progress.done
    job.advance(lambda session: _compacted(session, job.progress))
    return {"threads": folded}


def _fold_some(session: Session, *, after: int) -> list[int]:
    most = _FOLDED_BY_ONE_WRITER if has_one_writer(session) else _FOLDED_AT_ONCE
    ids = tally.threads_apart(session, after=after, most=most)
    lock_threads(session, EVERYTHING, ids, changes=False)
    tally.fold(session, ids)
    return ids


def _compacted(session: Session, progress: Progress) -> Progress:
    tally.compact(session)
    return progress


def _totals(here: Mounted, job: JobAtWork) -> Mapping[str, Any]:
    """Write the totals of the days that are over, and bring the threads that are counted live into those since the beginning."""
    days = [day for day in daily.finished_days(here.clock()) if day.isoformat() > job.progress.kept.get("day", "")]
    if days:
        with here.sessions() as session:
            pending = daily.pending_at_ends(only_reads(session), days)

    def write(finished: FinishedDay, session: Session) -> Progress:
        daily.write_day(session, finished)
        return Progress(job.progress.done + 1, None, {**job.progress.kept, "day": finished.day.isoformat()})

    for day in days:
        with here.sessions() as session:
            finished = daily.read_day(only_reads(session), day, pending[day])
        job.advance(partial(write, finished))
    job.advance(lambda session: _forgotten(session, here.clock(), job.progress))
    _fold(here, job)
    return {"days": daily.DAYS}


def _forgotten(session: Session, now: dt.datetime, progress: Progress) -> Progress:
    daily.forget(session, now)
    packed_days.forget(session, now)
    figures.forget(session, now)
    return progress


def _while_it_comes_on(job: JobAtWork, some: Callable[[Session], Progress]) -> None:
    """Do pieces of a job until one finds nothing more to do."""
    done = -1
    while job.progress.done > done:
        done = job.progress.done
        job.advance(some)


def _retry_failed_mails(here: Mounted, job: JobAtWork) -> Mapping[str, Any]:
    """Let mails that have failed for good be tried again: those of `payload["ids"]`, or all that had failed when the job was put.

    The payload says {"ids": [1, 2]} or {"all": true}.
    """
    wanted = sorted({int(one) for one in job.payload.get("ids", ()) if can_be_id(int(one))}) if not job.payload.get("all") else None
    if not job.progress.kept:
        _begin_to_retry(here, job, wanted)

    def some(session: Session) -> Progress:
        kept = job.progress.kept
        if wanted is None:
            ids = outbox.failed_ids(session, after=kept["after"], up_to=kept["up_to"], most=_MAILS_AT_ONCE)
        else:
            ids = [one for one in wanted if one > kept["after"]][:_MAILS_AT_ONCE]
        retried = kept["retried"] + outbox.retry_many(session, ids, here.clock())
        end = ids[-1] if ids else kept["up_to"]
        return Progress(job.progress.done + len(ids), job.progress.total, {**kept, "after": end, "retried": retried})

    while job.progress.kept["after"] < job.progress.kept["up_to"]:
        job.advance(some)
    retried = job.progress.kept["retried"]
    return {"retried": retried, "left": job.progress.done - retried}


def _begin_to_retry(here: Mounted, job: JobAtWork, wanted: list[int] | None) -> None:
    """Write down how much there is to do, and where it ends: what fails meanwhile is not tried for ever."""
    failed = select(func.count(), func.max(OutboxItem.id)).where(OutboxItem.state == OutboxState.FAILED)
    with here.sessions() as session:
        total, last = only_reads(session).execute(failed).one() if wanted is None else (len(wanted), wanted[-1] if wanted else 0)
    job.tell(Progress(0, total, {"after": 0, "up_to": last or 0, "retried": 0}))


# Who does which job. A name stays once jobs of it may lie in somebody's queue.
KINDS: Mapping[str, Callable[[Mounted, JobAtWork], Mapping[str, Any]]] = {
    "sweep": _sweep,
    "purge": _purge,
    "retention": _retention,
    "tidy": _tidy,
    "totals": _totals,
    "fold": _fold,
    "retry_failed_mails": _retry_failed_mails,
    bulk_job.JOB: bulk_job.do_bulk,
    connection.JOB: connection.do_test,
    count_job.JOB: count_job.do_count,
    set_aside.JOB: set_aside.retry_set_aside,
    sync_job.JOB: sync_job.do_sync,
}
# Somebody waits for these, and asks again: they are not repeated.
ONCE = frozenset({connection.JOB, count_job.JOB})
