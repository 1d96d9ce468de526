"""What "Bulk actions" does with all threads that match, beside requests: put by the list, done piece by piece, and told of on the list.

What it is about is fixed when it is asked for: the filter as it was read, the shops in which the employee held the permission, and the highest id
that they saw. Whether they still may, and whether a thread still matches, is asked anew for each piece.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from cs_plugin import desk, jobs
from cs_plugin.desk import Bench
from cs_plugin.errors import InvalidInputError, NotFoundError, NotPermittedError
from cs_plugin.jobs import JobAtWork, Progress
from cs_plugin.rules.people import Employee
from cs_plugin.rules.permissions import ALL, NO_GRANTS, Actor, Permission
from cs_plugin.rules.status import Status
from cs_plugin.store import threads, walk
from cs_plugin.store.filters import ThreadFilter
from cs_plugin.store.kept_filter import keep_filter, read_filter
from cs_plugin.store.locking import only_reads
from cs_plugin.store.models import Job
from cs_plugin.store.scope import Scope
from cs_plugin.web.mounted import Mounted

JOB = "bulk"
# Threads of one transaction. SQLite has one writer at a time: a piece is short there, and others write between two of them.
_AT_ONCE = {"sqlite": 25}
_AT_ONCE_ELSEWHERE = 200
# Threads that are looked up at once: a search for words asks the whole index each time.
_LOOK = 5_000
DELETE, RESTORE, ASSIGN, SPAM, BLOCK, NOT_SPAM = "delete", "restore", "assign", "spam", "block", "not_spam"
# What each action needs in the shop of a thread.
NEEDS: Mapping[str, Permission] = {
    **{status.value: Permission.REPLY for status in Status},
    ASSIGN: Permission.REPLY,
    SPAM: Permission.REPLY,
    BLOCK: Permission.REPLY,
    NOT_SPAM: Permission.REPLY,
    DELETE: Permission.DELETE,
    RESTORE: Permission.DELETE,
}


@dataclass(frozen=True, slots=True)
class Bulk:
    """What is to be done, with which threads, and for whom.

    `moment` is when it was asked for; what one deletion takes lies in the bin under it, and what is to be restored is found by it. `assignee_id` is
    whom an assignment gives the threads to, None for nobody.
    """

    action: str
    employee: Employee
    scope: Scope
    wanted: ThreadFilter
    up_to: int
    moment: dt.datetime
    assignee_id: str | None = None

    def payload(self) -> dict[str, Any]:
        """Return this as the job keeps it."""
        shops = self.scope.shops
        one = self.employee
        return {
            "action": self.action,
            "employee": {"id": one.id, "first_name": one.first_name, "last_name": one.last_name, "email": one.email},
            "shops": sorted(shops) if isinstance(shops, frozenset) else "all",
            "filter": keep_filter(self.wanted),
            "up_to": self.up_to,
            "moment": self.moment.isoformat(),
            "assignee": self.assignee_id,
        }

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> Bulk:
        """Read what a job keeps."""
        shops = payload["shops"]
        return cls(
            payload["action"],
            Employee(**payload["employee"]),
            Scope(ALL if shops == "all" else frozenset(shops)),
            read_filter(payload["filter"]),
            payload["up_to"],
            dt.datetime.fromisoformat(payload["moment"]),
            payload["assignee"],
        )

    def look(self, session: Session, after: int) -> list[int]:
        """Return the threads behind an id, as many as are looked up at once."""
        if self.action == RESTORE:
            return walk.next_binned_ids(session, self.scope, self.moment, after=after, most=_LOOK)
        return walk.next_ids(session, self.scope, self.wanted, after=after, up_to=self.up_to, most=_LOOK)

    def still(self, session: Session, ids: Collection[int]) -> list[int]:
        """Return which of these threads it is about still: what a colleague has changed since they were looked up is left alone."""
        if self.action == RESTORE:
            return walk.still_binned(session, self.scope, self.moment, ids)
        return walk.still_listed(session, self.scope, self.wanted, ids)


def put(session: Session, bulk: Bulk, now: dt.datetime) -> Job:
    """Queue it, in the caller's transaction."""
    return jobs.put(session, JOB, bulk.payload(), now, employee_id=bulk.employee.id)


def do_bulk(here: Mounted, job: JobAtWork) -> Mapping[str, Any]:
    """Do what is left of it: piece by piece in the order of the ids, each with the employee's permissions as they are then."""
    bulk = Bulk.of(job.payload)
    most = _AT_ONCE.get(here.engine.dialect.name, _AT_ONCE_ELSEWHERE)
    # What is looked up is kept nowhere: how far the job is tells whoever takes it over where to look again.
    ids = _look(here, bulk, job.progress.kept.get("after", 0))
    if not job.progress.kept:
        job.tell(Progress(0, _total(here, bulk, ids), {"after": 0, "reached": 0}))
    while ids:
        for start in range(0, len(ids), most):
            piece = ids[start : start + most]
            left = _in_read(here, partial(bulk.still, ids=piece))
            if not left:
                continue
            began = time.monotonic()
            job.advance(lambda session, left=left, last=piece[-1]: _piece(here, session, bulk, job.progress, left, last))  # type: ignore[misc]
            if here.engine.dialect.name == "sqlite":
                # As long as the piece took, anybody else can write.
                time.sleep(time.monotonic() - began)
        ids = _look(here, bulk, ids[-1]) if len(ids) == _LOOK else []
    return {"reached": job.progress.kept["reached"], "asked": job.progress.done}


def _look(here: Mounted, bulk: Bulk, after: int) -> list[int]:
    ids: list[int] = _in_read(here, partial(bulk.look, after=after))
    return ids


def _total(here: Mounted, bulk: Bulk, first: Collection[int]) -> int | None:
    """Return how many threads it is about: those of the first look where it has found all, else they are counted."""
    if bulk.action == RESTORE:
        return None
    if len(first) < _LOOK:
        return len(first)
    total: int = _in_read(here, lambda session: walk.count_up_to(session, bulk.scope, bulk.wanted, bulk.up_to))
    return total


def _in_read(here: Mounted, read: Callable[[Session], Any]) -> Any:
    with here.sessions() as session:
        return read(only_reads(session))


def _piece(here: Mounted, session: Session, bulk: Bulk, progress: Progress, ids: list[int], last: int) -> Progress:
    bench = here.bench(session)
    # The host is asked before the first statement: nothing is locked yet.
    bench.ask_host()
    actor = _actor(bench, bulk)
    try:
        reached = _do(bench, actor, bulk, ids)
    except (NotFoundError, NotPermittedError, InvalidInputError):
        # None of them is there any more, or the employee may not do this any more: the others are looked at all the same.
        reached = 0
    kept = {"after": last, "reached": progress.kept["reached"] + reached}
    total = None if progress.total is None else max(progress.total, progress.done + len(ids))
    return Progress(progress.done + len(ids), total, kept)


def _actor(bench: Bench, bulk: Bulk) -> Actor:
    """Return the employee as the host knows them now, with what it grants them now; nothing for one who has left."""
    employee = next((one for one in bench.employees if one.id == bulk.employee.id), bulk.employee)
    granted = bench.host.told_grants(employee).grants if employee.active else NO_GRANTS
    return Actor(employee, granted.within(bulk.scope.shops), "list")


def _do(bench: Bench, actor: Actor, bulk: Bulk, ids: Collection[int]) -> int:
    """Do the action with these threads, and return how many are then as they should be."""
    if bulk.action == DELETE:
        return len(desk.delete(bench, actor, ids, moment=bulk.moment))
    if bulk.action == RESTORE:
        return len(desk.restore(bench, actor, ids))
    if bulk.action == ASSIGN:
        return desk.assign_several(bench, actor, ids, bulk.assignee_id, tells=False)
    if bulk.action == SPAM:
        # Each piece at the moment of the whole, by which it is taken back.
        return len(desk.mark_spam(bench.at(bulk.moment), actor, ids))
    if bulk.action == BLOCK:
        return len(desk.block_senders(bench.at(bulk.moment), actor, ids))
    if bulk.action == NOT_SPAM:
        return len(desk.not_spam(bench, actor, ids))
    desk.set_status(bench, actor, ids, Status(bulk.action))
    return len(threads.among(bench.session, Scope(actor.grants.shops(Permission.REPLY)), ids))
