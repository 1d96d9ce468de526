"""Work too long for a request: put in a transaction, claimed under a lease, told how far it is.

A job does its work in pieces, and each piece is committed together with how far the job then is: whoever takes it over goes on where it stopped,
and whoever has lost it writes nothing more.
"""

from __future__ import annotations

import datetime as dt
import logging
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, or_, select, update
from sqlalchemy.orm import Session

from cs_plugin.errors import CustomerServiceError
from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import clean_line
from cs_plugin.store.locking import committed, only_reads, wait_for_turn
from cs_plugin.store.models import Job, JobState
from cs_plugin.store.types import can_be_id
from cs_plugin.store.workers import this_process

log = logging.getLogger(__name__)

# The pause after each attempt that failed; after the last one the job has failed. An attempt that came further than the one before begins anew.
PAUSES = (dt.timedelta(minutes=1), dt.timedelta(minutes=5), dt.timedelta(minutes=30))
# How long a claim lasts after the last sign of progress: no piece of a job may take longer.
LEASE = dt.timedelta(minutes=5)
# How often a job is tried at most without coming further.
ATTEMPTS = len(PAUSES) + 1
# A secret stands under this name in a payload, sealed; it goes as soon as the job has ended, however that comes about.
SEALED = "sealed"
# How long a job that has ended is remembered.
KEPT_FOR = dt.timedelta(days=30)
_CANDIDATES = 20
_MAX_WORDS = 500
_UNSYNCHRONIZED = {"synchronize_session": False}
_ENDED = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


class ClaimLostError(CustomerServiceError):
    """Say that a job is no longer ours: it was cancelled, or somebody else took it over. What was not committed must not be."""


class InterruptedJobError(CustomerServiceError):
    """Say that whoever does the job has to stop: it is given back, and goes on where it was."""


# --- Into the queue, and what is read of it -------------------------------------------------------------------------------------------------------


def put(
    session: Session,
    kind: str,
    payload: Mapping[str, Any],
    now: dt.datetime,
    *,
    employee_id: str | None = None,
    not_before: dt.datetime | None = None,
) -> Job:
    """Queue a job in the caller's transaction. `payload` is what JSON can hold; `kind` is one of those that the edge knows.

    What `payload` holds under SEALED is gone once the job has ended.
    """
    job = Job(kind=kind, state=JobState.WAITING, payload=dict(payload), employee_id=employee_id, not_before=not_before or now, created_at=now)
    session.add(job)
    session.flush()
    return job


def is_due_today(session: Session, kind: str, now: dt.datetime) -> bool:
    """Say whether no job of a kind has been queued on this day (UTC), and none has yet to end.

    One from a later day counts for nothing: a clock that was wrong for an hour would put chores off for years.
    """
    today = now.astimezone(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    reasons = and_(Job.created_at < today + dt.timedelta(days=1), or_(Job.created_at >= today, Job.state.not_in(_ENDED)))
    return session.scalar(select(Job.id).where(Job.kind == kind, reasons).limit(1)) is None


def put_daily(session: Session, kind: str, now: dt.datetime) -> bool:
    """Queue a job if `is_due_today`, and say whether it was queued. It begins a transaction: of several at once one alone queues the job."""
    wait_for_turn(session)
    if not is_due_today(session, kind, now):
        return False
    put(session, kind, {}, now)
    return True


def is_open(session: Session, kind: str) -> bool:
    """Say whether a job of a kind waits or runs."""
    return session.scalar(select(Job.id).where(Job.kind == kind, Job.state.not_in(_ENDED)).limit(1)) is not None


def find(session: Session, job_id: int) -> Job | None:
    """Return a job with its state, `done`, `total` (None while unknown), `error` and `result`; None where there is none."""
    return session.get(Job, job_id, populate_existing=True) if can_be_id(job_id) else None


def newest(session: Session, kind: str) -> Job | None:
    """Return the job of a kind that was queued last."""
    return session.scalars(select(Job).where(Job.kind == kind).order_by(Job.id.desc()).limit(1)).first()


def newest_of(session: Session, kind: str, employee_id: str, most: int) -> Sequence[Job]:
    """Return the jobs of a kind that an employee asked for last, the newest first."""
    theirs = and_(Job.kind == kind, Job.employee_id == employee_id)
    return session.scalars(select(Job).where(theirs).order_by(Job.id.desc()).limit(most)).all()


def newest_jobs(session: Session, most: int) -> Sequence[Job]:
    """Return the jobs that were queued last, the newest first."""
    return session.scalars(select(Job).order_by(Job.id.desc()).limit(most)).all()


def waiting_ids(session: Session, kind: str, employee_id: str) -> Sequence[int]:
    """Return the jobs of a kind that an employee has asked for and nobody has taken up, the newest first."""
    theirs = and_(Job.kind == kind, Job.employee_id == employee_id, Job.state == JobState.WAITING)
    return session.scalars(select(Job.id).where(theirs).order_by(Job.id.desc())).all()


def cancel(session: Session, job_id: int, now: dt.datetime) -> bool:
    """Cancel a job, and say whether there was one to cancel. One that runs stops at the end of its piece, which is not written."""
    if not can_be_id(job_id):
        return False
    open_one = and_(Job.id == job_id, Job.state.in_((JobState.WAITING, JobState.RUNNING)))
    payload = session.scalar(select(Job.payload).where(Job.id == job_id)) or {}
    ended: dict[str, Any] = {"state": JobState.CANCELLED, "finished_at": now, "lease_owner": None, "lease_until": None}
    return _changed(session, open_one, **ended, **_without_secret(payload))


def forget(session: Session, before: dt.datetime) -> int:
    """Delete the jobs that ended before a moment, and return how many."""
    result: Any = session.execute(delete(Job).where(Job.state.in_(_ENDED), Job.finished_at < before), execution_options=_UNSYNCHRONIZED)
    return int(result.rowcount)


# --- Claims ---------------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is: pieces done, of how many (None while unknown), and what it needs to go on from there."""

    done: int = 0
    total: int | None = None
    kept: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A job that is ours to do until the lease ends. `attempts` counts this one; `progress` is where the one before has stopped."""

    job_id: int
    owner: str
    kind: str
    payload: Mapping[str, Any]
    employee_id: str | None
    attempts: int
    progress: Progress

    def is_worn_out(self, most: int = ATTEMPTS) -> bool:
        """Say whether all attempts are used up and the last left no record: whatever did it has died each time."""
        return self.attempts > most


def claim(session: Session, now: dt.datetime, lease: dt.timedelta = LEASE) -> Claimed | None:
    """Claim the job that has been due longest, also one whose lease has ended; None where nothing is due. The claim is one conditional UPDATE."""
    due = _due(now)
    owner = f"{this_process()}/{secrets.token_hex(8)}"
    for job_id in session.scalars(select(Job.id).where(due).order_by(Job.not_before, Job.id).limit(_CANDIDATES)).all():
        values = {"state": JobState.RUNNING, "lease_owner": owner, "lease_until": now + lease, "attempts": Job.attempts + 1}
        if _changed(session, and_(Job.id == job_id, due), **values):
            job = session.get_one(Job, job_id, populate_existing=True)
            return Claimed(job_id, owner, job.kind, job.payload, job.employee_id, job.attempts, Progress(job.done, job.total, job.result))
    return None


def something_is_due(session: Session, now: dt.datetime) -> bool:
    """Say whether there is a job to claim."""
    return session.scalar(select(Job.id).where(_due(now)).limit(1)) is not None


def _due(now: dt.datetime) -> ColumnElement[bool]:
    return or_(and_(Job.state == JobState.WAITING, Job.not_before <= now), and_(Job.state == JobState.RUNNING, Job.lease_until < now))


def record(session: Session, claimed: Claimed, progress: Progress, now: dt.datetime, lease: dt.timedelta = LEASE) -> None:
    """Write down how far a job is and renew its lease, in the transaction of the work itself. Raise ClaimLostError where it is no longer ours."""
    values: dict[str, Any] = {"done": progress.done, "total": progress.total, "result": dict(progress.kept), "lease_until": now + lease}
    if progress.done > claimed.progress.done:
        values["attempts"] = 1
    if not _changed(session, _mine(claimed), **values):
        raise ClaimLostError(f"job {claimed.job_id} ({claimed.kind}) was cancelled or taken over")


def finish(session: Session, claimed: Claimed, result: Mapping[str, Any], now: dt.datetime) -> bool:
    """Write down that a job is done; False where it is no longer ours."""
    ended = _without_secret(claimed.payload)
    return _end(session, claimed, state=JobState.DONE, result=dict(result), error="", finished_at=now, **ended)


def fail(session: Session, claimed: Claimed, words: str, now: dt.datetime, *, most: int = ATTEMPTS) -> JobState | None:
    """Write down that an attempt failed, and return what becomes of the job: it waits for the next, or has failed; None where it is not ours.

    `most` is how many attempts there are.
    """
    attempts = session.scalar(select(Job.attempts).where(_mine(claimed)))
    if attempts is None:
        return None
    words = clean_line(words, _MAX_WORDS)
    if attempts < most:
        values: dict[str, Any] = {"state": JobState.WAITING, "not_before": now + PAUSES[attempts - 1]}
    else:
        values = {"state": JobState.FAILED, "finished_at": now, **_without_secret(claimed.payload)}
    return values["state"] if _end(session, claimed, error=words, **values) else None


def give_back(session: Session, claimed: Claimed) -> bool:
    """Let a job wait for somebody else, as far as it is; that uses up no attempt."""
    return _end(session, claimed, state=JobState.WAITING, attempts=Job.attempts - 1)


def release(session: Session, owners: Collection[str]) -> int:
    """Let the jobs of owners that are surely dead be taken over now, and return how many. Each has used up an attempt."""
    theirs = and_(Job.lease_owner.in_(owners), Job.state == JobState.RUNNING)
    result: Any = session.execute(
        update(Job).where(theirs).values(state=JobState.WAITING, lease_owner=None, lease_until=None), execution_options=_UNSYNCHRONIZED
    )
    return int(result.rowcount)


def owners(session: Session) -> set[str]:
    """Return who holds a claim."""
    held = select(Job.lease_owner).where(Job.state == JobState.RUNNING, Job.lease_owner.is_not(None))
    return {owner for owner in session.scalars(held) if owner}


def _mine(claimed: Claimed) -> ColumnElement[bool]:
    return and_(Job.id == claimed.job_id, Job.lease_owner == claimed.owner, Job.state == JobState.RUNNING)


def _end(session: Session, claimed: Claimed, **values: Any) -> bool:
    return _changed(session, _mine(claimed), lease_owner=None, lease_until=None, **values)


def _without_secret(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is written of the payload of a job that has ended."""
    return {"payload": {name: value for name, value in payload.items() if name != SEALED}} if SEALED in payload else {}


def _words_of(error: Exception) -> str:
    """Return an error for whoever reads of the job: a database's own words, without the statement and the values that it was about."""
    said = getattr(error, "orig", None) or error
    return f"{type(said).__name__}: {said}"


def _changed(session: Session, which: ColumnElement[bool], **values: Any) -> bool:
    result: Any = session.execute(update(Job).where(which).values(**values), execution_options=_UNSYNCHRONIZED)
    return bool(result.rowcount)


# --- Doing them -----------------------------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class JobAtWork:
    """A job while it is done: what it is about, how far it is, and how it goes on."""

    claimed: Claimed
    sessions: Callable[[], Session]
    clock: Callable[[], dt.datetime]
    stopping: Callable[[], bool]
    progress: Progress

    @property
    def payload(self) -> Mapping[str, Any]:
        """Return what was put with the job."""
        return self.claimed.payload

    def advance(self, piece: Callable[[Session], Progress]) -> Progress:
        """Do a piece of the work and write down how far the job then is, both in one transaction, which may be done again.

        Raise ClaimLostError where the job is no longer ours (the piece is rolled back then), InterruptedJobError where we have to stop after it.
        """

        def work() -> Progress:
            progress = piece(session)
            record(session, self.claimed, progress, self.clock())
            return progress

        with self.sessions() as session:
            self.progress = committed(session, work)
        if self.stopping():
            raise InterruptedJobError(f"job {self.claimed.job_id} ({self.claimed.kind}) goes on later")
        return self.progress

    def tell(self, progress: Progress) -> None:
        """Write down how far the job is, where the work itself commits. Raise as `advance` does."""
        self.advance(lambda _session: progress)


# Does a job, and returns its result, which JSON can hold.
DoesJob = Callable[[JobAtWork], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class JobOffice:
    """Do the jobs that are due. `sessions` opens sessions of our own; `kinds` names who does what; `clock` tells the time, aware.

    Kinds among `once` are not tried again: somebody waits for their answer, and asks anew.
    """

    sessions: Callable[[], Session]
    kinds: Mapping[str, DoesJob]
    clock: Callable[[], dt.datetime]
    once: Collection[str] = ()

    def do_one(self, *, stopping: Callable[[], bool] = lambda: False) -> int | None:
        """Do the job that has been due longest, and return its id; None where nothing was due.

        Once `stopping` says so the job is given back after its piece, to go on there later.
        """
        with self.sessions() as session:
            # Somebody looks every second, mostly in vain.
            if not something_is_due(only_reads(session), self.clock()):
                return None
            session.rollback()
            claimed = committed(session, lambda: claim(session, self.clock()))
        if claimed is None:
            return None
        self._do(claimed, stopping)
        return claimed.job_id

    def _do(self, claimed: Claimed, stopping: Callable[[], bool]) -> None:
        does = self.kinds.get(claimed.kind)
        if claimed.is_worn_out(self._most(claimed)):
            return self._failed(claimed, _("Each attempt broke off."))
        if does is None:
            return self._failed(claimed, _("This version does not know such a job."))
        try:
            result = does(JobAtWork(claimed, self.sessions, self.clock, stopping, claimed.progress))
        except ClaimLostError as lost:
            log.warning("%s", lost)
        except InterruptedJobError:
            self._in_own(lambda session: give_back(session, claimed))
        except Exception as error:  # whatever is wrong with one job, those behind it must be done
            log.exception("job %s (%s) broke off", claimed.job_id, claimed.kind)
            self._failed(claimed, _words_of(error))
        else:
            self._in_own(lambda session: finish(session, claimed, result, self.clock()))

    def _failed(self, claimed: Claimed, words: str) -> None:
        most = self._most(claimed)
        if self._in_own(lambda session: fail(session, claimed, words, self.clock(), most=most)) is JobState.FAILED:
            log.error("job %s (%s) has failed for good: %s", claimed.job_id, claimed.kind, words)

    def _most(self, claimed: Claimed) -> int:
        return 1 if claimed.kind in self.once else ATTEMPTS

    def _in_own(self, work: Callable[[Session], Any]) -> Any:
        with self.sessions() as session:
            return committed(session, lambda: work(session))
