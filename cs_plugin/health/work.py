"""What waits to be done: mails, jobs, and who does it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from cs_plugin.health.findings import Finding, advice, good, kept_from_the_log, warning, wrong
from cs_plugin.store.contacts import contacts_in
from cs_plugin.store.models import Job, JobState, OutboxItem, OutboxState, RangeMark, Worker
from cs_plugin.store.scope import EVERYTHING
from cs_plugin.store.workers import workers_alive
from cs_plugin.web.mounted import Mounted

SUBJECT = "Mail and jobs"
# Mail that has been due for so long is delivered by nobody; a job's lease that ended so long ago, or one that nobody has begun, likewise.
LATE = dt.timedelta(minutes=15)
# Changes of threads that nobody has counted; whoever counts takes thousands at once.
MANY_MARKS = 100_000
_WORK = "flask cs work"


def look_at_queue(here: Mounted) -> Iterator[Finding]:
    """Say how many mails wait, since when the oldest is due, and how many have failed for good."""
    now = here.clock()
    with here.sessions() as session:
        waiting = _count(session, OutboxItem.state == OutboxState.WAITING)
        failed = _count(session, OutboxItem.state == OutboxState.FAILED)
        # One that is being sent is late only where whoever sent it is gone.
        due = session.scalar(
            select(func.min(OutboxItem.not_before)).where(
                or_(
                    and_(OutboxItem.state == OutboxState.WAITING, OutboxItem.not_before <= now),
                    and_(OutboxItem.state == OutboxState.CLAIMED, OutboxItem.lease_until < now),
                )
            )
        )
    if due is not None and now - due > LATE:
        yield wrong(
            SUBJECT,
            f"{waiting} mails wait, and the oldest has been due for {_span(now - due)}: nobody delivers.",
            "Customers get no answers and nobody is told of new messages.",
            _WORK,
        )
    else:
        yield good(SUBJECT, f"{waiting} mails wait." if waiting else "No mail waits.")
    if failed:
        yield warning(
            SUBJECT,
            f"{failed} mails have failed for good.",
            "Somebody has not got an answer or a notice, and will not.",
            "flask cs failed",
            "flask cs failed --retry all",
        )


def look_at_jobs(here: Mounted) -> Iterator[Finding]:
    """Say whether jobs are stuck or have failed."""
    before = here.clock() - LATE
    with here.sessions() as session:
        stuck = session.scalar(
            select(func.count())
            .select_from(Job)
            .where(
                or_(
                    and_(Job.state == JobState.WAITING, Job.not_before < before),
                    and_(Job.state == JobState.RUNNING, Job.lease_until < before),
                )
            )
        )
        failed = session.scalar(select(func.count()).select_from(Job).where(Job.state == JobState.FAILED))
    if stuck:
        yield wrong(SUBJECT, f"{stuck} jobs should have been done long ago.", "What employees or the clock have begun does not end.", _WORK)
    if failed:
        yield warning(SUBJECT, f"{failed} jobs have failed.", "What they were to do is not done; the log of that time says why.")


def look_at_marks(here: Mounted) -> Iterator[Finding]:
    """Say where nobody counts anew what has changed in lists."""
    with here.sessions() as session:
        many = session.scalar(select(RangeMark.id).order_by(RangeMark.id).offset(MANY_MARKS).limit(1)) is not None
    if many:
        yield warning(
            SUBJECT,
            f"More than {MANY_MARKS:,} changes of threads have not been counted: nobody does it.",
            "Each look at a list counts all its threads, and what is to be counted takes up more and more of the database.",
            _WORK,
        )


def look_at_worker(here: Mounted) -> Iterator[Finding]:
    """Say who delivers: a worker, the web processes, or nobody."""
    with here.sessions() as session:
        seen = session.scalar(select(func.max(Worker.seen_at)))
        alive = workers_alive(session, here.clock())
    last = f" The last one was seen {_span(here.clock() - seen)} ago." if seen is not None else ""
    if alive:
        yield good(SUBJECT, "A worker runs." if alive == 1 else f"{alive} workers run.")
    elif here.app.config["CS_BACKGROUND"]:
        yield advice(
            SUBJECT,
            f"No worker runs: each web process delivers mail while visitors come.{last}",
            "A quiet store sends its mail late: nothing leaves before the first request after a restart.",
            _WORK,
        )
    else:
        yield warning(
            SUBJECT,
            f"No worker runs, and web processes deliver nothing since CS_BACKGROUND is off.{last}",
            "No mail leaves, unless cron runs `flask cs deliver`.",
            _WORK,
        )


def look_at_people(here: Mounted) -> Iterator[Finding]:
    """Say where mail has no sender, and where nobody is told of new messages."""
    if not (here.app.config["CS_MAIL_FROM"] or here.app.config.get("MAIL_DEFAULT_SENDER")):
        yield warning(
            SUBJECT,
            f"Mail comes from {here.default_sender} where neither contact nor shop has an address: set CS_MAIL_FROM.",
            "Such mail is refused or lands in the spam folder, and nobody can answer it.",
            'app.config["CS_MAIL_FROM"] = "Customer service <service@your-shop.example>"',
        )
    with kept_from_the_log(), here.app.test_request_context():
        shops = here.host.shops()
    with here.sessions() as session:
        contacts = contacts_in(session, EVERYTHING)
        told = [contact.email for contact in contacts if contact.email]
    if not contacts:
        yield wrong(
            SUBJECT,
            "There is no contact, so that the contact form offers no subject and takes no messages.",
            "`flask cs upgrade` makes the first two, once: who has deleted them adds others.",
            "Add a contact in the admin, under Contacts",
        )
    if not told and not any(shop.email for shop in shops):
        yield warning(
            SUBJECT,
            "Nobody is told of new messages by mail: no contact and no shop has an address.",
            "Messages wait until an employee looks at the Customer Service page.",
            "Give a contact an address in the admin, or a shop one: Shop(…, email=…)",
        )
    elif told:
        yield good(SUBJECT, f"Told of new messages: {', '.join(sorted(set(told))[:5])}")


def _count(session: Session, *where: object) -> int:
    return session.scalar(select(func.count()).select_from(OutboxItem).where(*where)) or 0  # type: ignore[arg-type]  # conditions on columns


def _span(span: dt.timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    if minutes < 120:
        return f"{minutes} minutes"
    return f"{minutes // 60} hours" if minutes < 48 * 60 else f"{minutes // (24 * 60)} days"
