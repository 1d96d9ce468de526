"""How many mails lie in a mailbox of which nobody has said yet from when on its mail is wanted: counted beside requests, for the question."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cs_plugin import jobs
from cs_plugin.desk.bench import Bench
from cs_plugin.jobs import JobAtWork
from cs_plugin.store.locking import wait_for_turn
from cs_plugin.store.models import Job, JobState
from cs_plugin.sync import count_all
from cs_plugin.web.mounted import Mounted
from cs_plugin.web.sync_job import surroundings_of

JOB = "count_mailbox"
# How long a count tells what lies there; nobody looks at a server more often for the sake of a question.
LASTS = dt.timedelta(minutes=10)
# How many counts are looked through for that of one mailbox.
_MOST = 50


def ask_for_count(bench: Bench, mailbox_id: int, employee_id: str | None) -> None:
    """Queue a count of a mailbox in the caller's transaction, unless there is one that still tells what lies there, or one that waits."""
    # Of several at once each would find none.
    wait_for_turn(bench.session)
    if is_to_count(bench.session, mailbox_id, bench.now):
        jobs.put(bench.session, JOB, {"mailbox": mailbox_id}, bench.now, employee_id=employee_id)


def is_to_count(session: Session, mailbox_id: int, now: dt.datetime) -> bool:
    """Say whether a mailbox was not counted yet, or too long ago."""
    last = counts_of(session, mailbox_id)[0]
    return last is None or (last.finished_at is not None and last.finished_at < now - LASTS)


def counts_of(session: Session, mailbox_id: int) -> tuple[Job | None, Job | None]:
    """Return the last count of a mailbox, whatever became of it, and the last one that has an answer."""
    found = session.scalars(select(Job).where(Job.kind == JOB).order_by(Job.id.desc()).limit(_MOST))
    mine = [one for one in found if one.payload.get("mailbox") == mailbox_id]
    return next(iter(mine), None), next((one for one in mine if one.state is JobState.DONE), None)


def do_count(here: Mounted, job: JobAtWork) -> Mapping[str, Any]:
    """Count a mailbox; the result holds how many mails, bytes and mails that are too large, or in words what went wrong."""
    report = count_all(surroundings_of(here), int(job.payload["mailbox"]))
    if report.counted is None:
        return {"findings": [{"message": one.message, "values": dict(one.values)} for one in report.findings]}
    return {"mails": report.counted.mails, "bytes": report.counted.bytes, "too_large": report.counted.too_large}
