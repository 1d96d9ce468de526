"""Mailboxes fetched beside requests: "Run Sync" as a job with its progress, those that are due by themselves, and those that are watched."""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cs_plugin import jobs
from cs_plugin.desk.bench import Bench
from cs_plugin.desk.option_mailboxes import is_resolved, resolve_mailboxes
from cs_plugin.jobs import JobAtWork, Progress
from cs_plugin.store import mailboxes
from cs_plugin.store.locking import committed, only_reads, wait_for_turn
from cs_plugin.store.models import Job, JobState
from cs_plugin.sync import WORKER, Asked, Limits, Report, Surroundings, sync
from cs_plugin.web.mounted import Mounted

log = logging.getLogger(__name__)
JOB = "sync"
# How many mailboxes are fetched at once.
_AT_ONCE = 8
# How often those are looked for that have become due while others are fetched, in seconds.
_LOOK_AGAIN = 1.0
# How often somebody who waits for a mailbox looks, how long they do, and how often progress is written down, in seconds.
_LOOK, _WAIT, _TELL = 0.2, 240.0, 1.0
Stopping = Callable[[], bool]


def surroundings_of(here: Mounted) -> Surroundings:
    """Return what a run works with on this application."""
    config = here.app.config
    return Surroundings(
        here.sessions,
        here.bench,
        here.files,
        here.reach,
        here.clock,
        here.access_token_of,
        Limits(largest=round(config["CS_SYNC_MAX_MB"] * (1 << 20))),
        dt.timedelta(seconds=config["CS_SYNC_SECONDS"] or 60.0),
    )


def bring_up_mailboxes(here: Mounted) -> None:
    """Make the rows of mailboxes be as the options describe them, where they are not."""
    with here.sessions() as session:
        bench = here.bench(session)
        # The host is asked before the first statement.
        if not bench.shops:
            return
        only_reads(session)
        if is_resolved(bench):
            return
        session.rollback()
        committed(session, lambda: resolve_mailboxes(bench.at(here.clock())))


# --- A run that somebody asked for ----------------------------------------------------------------------------------------------------------------


def ask_for_sync(bench: Bench, mailbox_id: int, employee_id: str | None) -> Job:
    """Queue a run over a mailbox in the caller's transaction, unless one waits or runs: then that one is returned."""
    # Of several at once each would find none.
    wait_for_turn(bench.session)
    return open_job(bench.session, mailbox_id) or jobs.put(bench.session, JOB, {"mailbox": mailbox_id}, bench.now, employee_id=employee_id)


def open_job(session: Session, mailbox_id: int) -> Job | None:
    """Return the job of a mailbox that waits or runs; None where there is none."""
    waiting = select(Job).where(Job.kind == JOB, Job.state.in_((JobState.WAITING, JobState.RUNNING))).order_by(Job.id)
    return next((job for job in session.scalars(waiting) if job.payload.get("mailbox") == mailbox_id), None)


def do_sync(here: Mounted, job: JobAtWork) -> Mapping[str, Any]:
    """Fetch a mailbox, telling how far it is; `result` is what `Report` tells: the run's id, counts, and what went wrong in words.

    Where somebody else has the mailbox in hand their run is waited for, since it may have begun before the mail came that is waited for.
    """
    bring_up_mailboxes(here)
    mailbox_id, until = int(job.payload["mailbox"]), time.monotonic() + _WAIT
    around, told = surroundings_of(here), 0.0

    def tell(done: int, total: int) -> None:
        nonlocal told
        if done >= total or time.monotonic() - told >= _TELL:
            told = time.monotonic()
            job.tell(Progress(done, total, dict(job.progress.kept)))

    by = f"employee {job.claimed.employee_id}" if job.claimed.employee_id else "job"
    while True:
        report = sync(around, mailbox_id, Asked(by, job_id=job.claimed.job_id, run_id=job.progress.kept.get("run"), tell=tell))
        if not report.busy or time.monotonic() > until:
            return told_of(report)
        # This says as well whether we have to stop.
        job.tell(job.progress)
        time.sleep(_LOOK)


def told_of(report: Report) -> dict[str, Any]:
    """Return what a job keeps of what came of a run."""
    return {
        "run": report.run_id,
        "counts": dict(report.counts),
        "error": report.error,
        "findings": [{"message": one.message, "values": dict(one.values)} for one in report.findings],
        "busy": report.busy,
    }


# --- Runs that begin by themselves ----------------------------------------------------------------------------------------------------------------


def fetch_mail(here: Mounted, *, stopping: Stopping) -> int:
    """Fetch the mailboxes whose run is due, and return how many they were."""
    if not here.app.config["CS_SYNC_SECONDS"]:
        return 0
    running, begun, fetched = dict[Future[None], int](), dict[int, float](), 0
    due = _due(here)
    if not due:
        return 0
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="cs_plugin-mailbox") as pool:
        while due or running:
            for mailbox_id in due:
                running[pool.submit(_fetch_apart, here, stopping, mailbox_id)] = mailbox_id
                begun[mailbox_id] = time.monotonic()
                fetched += 1
            # One whose server stalls holds up itself alone: the others have their next turn meanwhile.
            for one in wait(running, timeout=_LOOK_AGAIN, return_when=FIRST_COMPLETED).done:
                one.result()
                del running[one]
            look = running and not stopping()
            busy, soon = set(running.values()), time.monotonic() - _LOOK_AGAIN
            due = [one for one in _due(here) if one not in busy and begun.get(one, soon) <= soon] if look else []
    return fetched


def _due(here: Mounted) -> Sequence[int]:
    with here.sessions() as session:
        return mailboxes.due(only_reads(session), here.clock())


def _fetch_apart(here: Mounted, stopping: Stopping, mailbox_id: int) -> None:
    with here.app.app_context():
        _fetch(here, stopping, mailbox_id)


def _fetch(here: Mounted, stopping: Stopping, mailbox_id: int) -> None:
    if stopping():
        return
    try:
        report = sync(surroundings_of(here), mailbox_id, Asked(WORKER, stopping=stopping))
    except Exception:  # one mailbox must not stop the next; where the database is away they all end like this, and the round with them
        log.exception("mailbox %s could not be fetched", mailbox_id)
        return
    if report.findings:
        log.warning("mailbox %s (%s): %s", mailbox_id, report.name, report.error)


# --- Mailboxes that are watched -------------------------------------------------------------------------------------------------------------------


class Watchers:
    """Threads that wait at servers until mail comes (IDLE, RFC 2177), one for a mailbox, at most `CS_SYNC_WATCHED` of them.

    They only make a mailbox due. Where a server cannot tell, or a watcher fails, the poll does it.
    """

    def __init__(self, here: Mounted, stopping: Stopping) -> None:
        self._here = here
        self._stopping = stopping
        self._threads: dict[int, threading.Thread] = {}
        self._not_before: dict[int, float] = {}

    def look(self) -> None:
        """Begin to watch the mailboxes that nobody watches, as many as there is room for; those whose server cannot tell are asked again later."""
        most = self._here.app.config["CS_SYNC_WATCHED"] if self._here.app.config["CS_SYNC_SECONDS"] else 0
        self._threads = {mailbox_id: thread for mailbox_id, thread in self._threads.items() if thread.is_alive()}
        for mailbox_id in self._worth_watching():
            if len(self._threads) >= most:
                return
            if mailbox_id not in self._threads and time.monotonic() >= self._not_before.get(mailbox_id, 0.0):
                thread = threading.Thread(target=self._watch, args=(mailbox_id,), name=f"cs_plugin-watch-{mailbox_id}", daemon=True)
                self._threads[mailbox_id] = thread
                thread.start()

    def _worth_watching(self) -> Sequence[int]:
        with self._here.sessions() as session:
            rows = mailboxes.active(only_reads(session))
            return [row.id for row in rows if row.protocol == "imap" and row.failures == 0 and row.last_success_at is not None]

    def _watch(self, mailbox_id: int) -> None:
        pause = _UNWATCHED
        try:
            with self._here.app.app_context():
                pause = watch(self._here, mailbox_id, self._stopping)
        except Exception as error:  # noqa: BLE001 - a server that hangs up, or a database that is away: the run over the mailbox tells of it
            log.info("mailbox %s is not watched for a while: %s", mailbox_id, error)
        self._not_before[mailbox_id] = time.monotonic() + pause

    def join(self) -> None:
        """Wait for the end of all of them, once `stopping` says so."""
        for thread in self._threads.values():
            thread.join()


# How many seconds a server is let alone that cannot tell, and one that failed; how long a mailbox is watched until its row is looked at again, and
# how long the server is waited for at a stretch (RFC 2177: less than 29 minutes).
_CANNOT_TELL, _UNWATCHED = 3600.0, 60.0
_WATCHED, _STRETCH = 1200.0, 300.0


def watch(here: Mounted, mailbox_id: int, stopping: Stopping) -> float:
    """Wait at the server of a mailbox, and make it due whenever mail comes; return how many seconds to let it alone afterwards.

    It ends after twenty minutes, or as soon as the mailbox has failed or is fetched no longer.
    """
    from cs_plugin.sync.run import opened

    until, around = time.monotonic() + _WATCHED, surroundings_of(here)
    with opened(around, mailbox_id) as box:
        while not stopping() and time.monotonic() < until:
            came = box.wait(_STRETCH, stopping)
            if came is None:
                return _CANNOT_TELL
            with here.sessions() as session:
                row = mailboxes.find(only_reads(session), mailbox_id)
                if row is None or not row.active or row.failures:
                    return 0.0
                session.rollback()
                if came:
                    committed(session, lambda: mailboxes.make_due(session, mailbox_id, here.clock()))
    return 0.0
