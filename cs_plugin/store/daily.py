"""What happened in a span of time: public messages and answers, as they stand now; and the totals of finished days, for trends.

Days are those of UTC. A day's row follows from what is stored, so that it can be written late, twice or after a gap, and is the same.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Float, Subquery, and_, case, delete, exists, func, insert, literal, select, union, union_all, update
from sqlalchemy.orm import Session

from cs_plugin.rules.inquiry import AuthorKind
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store.locking import insert_if_absent
from cs_plugin.store.models import DailyTotal, ErasedMessage, Message, Thread, ThreadApart, ThreadEvent, ThreadTotal
from cs_plugin.store.scope import EVERYTHING, Scope

# How many finished days are written anew each day: what a trend shows, and one more.
DAYS = 31
# How long it stays known that messages of erased threads were written: longer than figures can be asked for.
ERASED_COUNT_FOR = 6 * 366
_HIDDEN = (Folder.SPAM, Folder.BIN)
_QUIET = {"synchronize_session": False}
_IN_PARTS = {"yield_per": 5_000}   # a driver that fetches all at once would hold a month of threads in memory


@dataclass(frozen=True, slots=True)
class Span:
    """What happened in a span of time; `seconds` is the sum over the answers, `threads` how many had a public message."""

    customer_messages: int = 0
    employee_messages: int = 0
    threads: int = 0
    answers: int = 0
    seconds: float = 0.0

    @property
    def response_hours(self) -> float | None:
        """Return the mean response time in hours; None without an answer."""
        return self.seconds / self.answers / 3600 if self.answers else None

    @property
    def messages_per_thread(self) -> float | None:
        """Return how many public messages came on a thread that had one; None where none had."""
        return (self.customer_messages + self.employee_messages) / self.threads if self.threads else None


def span(session: Session, scope: Scope, since: dt.datetime, until: dt.datetime) -> Span:
    """Return what happened from a moment on (included) until another (excluded). One query, which costs what was written meanwhile."""
    written = _written(scope, since, until)
    return _span(session.execute(select(*_sums(written))).one())


def _written(scope: Scope, since: dt.datetime, until: dt.datetime) -> Subquery:
    """Return the public messages of a span, each with whose it is and what it answered: neither notes nor forwards nor what machines wrote."""

    def within(moment: Any) -> ColumnElement[bool]:
        return and_(moment >= since, moment < until)

    # Of an expression: by the index of the shop, SQLite, which does not know how much a span holds, would read all that was ever written.
    in_scope = scope.covers(func.coalesce(Message.shop_id, ""))
    # Deleted and spam threads leave the figures. Asked for each message of the span: however much spam lies there, it costs nothing.
    gone = exists().where(Thread.id == Message.thread_id, Thread.folder.in_(_HIDDEN)).correlate(Message)
    none = literal(0).label("answers"), literal(0.0, Float).label("seconds")
    by_customers = select(Message.shop_id, Message.thread_id, literal(0).label("by_employee"), *none).where(
        within(Message.created_at), Message.author_kind == AuthorKind.CUSTOMER, Message.private.is_(False), in_scope, ~gone
    )
    # Notes are never released.
    by_employees = select(Message.shop_id, Message.thread_id, literal(1), *_answer(Message.response_seconds)).where(
        within(Message.released_at), in_scope, ~gone
    )
    employee = case((ErasedMessage.author_kind == AuthorKind.EMPLOYEE, 1), else_=0)
    erased = select(ErasedMessage.shop_id, ErasedMessage.gone_id, employee, *_answer(ErasedMessage.response_seconds)).where(
        within(ErasedMessage.written_at), scope.covers(ErasedMessage.shop_id)
    )
    return union_all(by_customers, by_employees, erased).subquery()


def _answer(seconds: Any) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    return case((seconds.is_not(None), 1), else_=0).label("answers"), func.coalesce(seconds, literal(0.0, Float)).label("seconds")


def _sums(written: Subquery) -> tuple[ColumnElement[Any], ...]:
    of = written.c
    return func.count(), func.sum(of.by_employee), func.count(of.thread_id.distinct()), func.sum(of.answers), func.sum(of.seconds)


def _span(row: Any) -> Span:
    every, by_employee, threads, answers, seconds = row
    employees = int(by_employee or 0)
    return Span(int(every) - employees, employees, int(threads), int(answers or 0), float(seconds or 0.0))


def keep_erased(session: Session, thread_ids: Collection[int], now: dt.datetime) -> None:
    """Note, of locked threads that are erased next, which public messages still count in the figures of their days; no text and no name is kept."""
    since = _days_ago(now, ERASED_COUNT_FOR)
    # Read without a lock, thread by thread: MariaDB's INSERT … SELECT locks all that it looks through, and whoever writes in any thread would wait.
    listed = and_(Thread.id.in_(sorted(thread_ids)), Thread.folder == Folder.LIST)
    found = session.execute(select(Thread.id, Thread.created_at, Thread.contact_id).where(listed))
    begun = {row.id: (row.created_at, row.contact_id) for row in found}
    if not begun:
        # Messages of no thread are none, and SQLite would read all there are to find that out.
        return
    of = Message
    query = select(of.thread_id, of.shop_id, of.author_kind, of.author_id, of.response_seconds, of.created_at, of.released_at)
    rows = []
    for thread_id, shop_id, author_kind, author_id, seconds, created_at, released_at in session.execute(
        query.where(of.thread_id.in_(sorted(begun)), of.private.is_(False), of.author_kind.in_((AuthorKind.CUSTOMER, AuthorKind.EMPLOYEE)))
    ):
        moment = created_at if author_kind is AuthorKind.CUSTOMER else released_at
        if moment is not None and moment >= since:
            thread_began, contact_id = begun[thread_id]
            its = {"gone_id": thread_id, "shop_id": shop_id, "author_kind": author_kind, "begins": created_at == thread_began}
            # Of whoever asked nothing is kept, not even their number.
            by = author_id if author_kind is AuthorKind.EMPLOYEE else None
            rows.append({**its, "contact_id": contact_id, "employee_id": by, "response_seconds": seconds, "written_at": moment})
    if rows:
        session.execute(insert(ErasedMessage), rows)


# --- Finished days ----------------------------------------------------------------------------------------------------------------------------------


def start_of(day: dt.date) -> dt.datetime:
    """Return the moment at which a day of UTC begins."""
    return dt.datetime.combine(day, dt.time.min, dt.UTC)


def _days_ago(now: dt.datetime, number: int) -> dt.datetime:
    return start_of(now.astimezone(dt.UTC).date() - dt.timedelta(days=number))


def finished_days(now: dt.datetime) -> list[dt.date]:
    """Return the days whose totals are written, the oldest first: the last ones that are over."""
    today = now.astimezone(dt.UTC).date()
    return [today - dt.timedelta(days=number) for number in range(DAYS, 0, -1)]


# How many threads of each shop were open or pending at the end of a day.
Pending = Mapping[dt.date, Mapping[str, int]]


def pending_at_ends(session: Session, days: Sequence[dt.date]) -> Pending:
    """Return how many of the threads that lie in the list were open or pending when each of these days ended, by shop.

    It is worked out backwards, from how they stand now through what has become of their status since. `days` are in their order.
    """
    ends = [start_of(day + dt.timedelta(days=1)) for day in days]
    listed = and_(Thread.folder == Folder.LIST, Thread.merged_into_id.is_(None))
    pending = and_(listed, Thread.status != Status.CLOSED)
    before = select(Thread.shop_id, func.count()).where(pending, Thread.created_at < ends[0]).group_by(Thread.shop_id)
    base = {shop_id: int(number) for shop_id, number in session.execute(before)}
    # What each thread has added to, or taken from, how things stand now, at each end of a day: gathered as changes from one end to the next.
    totals = [Counter(base) for _end in ends]
    since = select(Thread.shop_id, Thread.created_at).where(pending, Thread.created_at >= ends[0])
    for shop_id, created_at in session.execute(since, execution_options=_IN_PARTS):
        for total, end in zip(totals, ends, strict=True):
            if created_at < end:
                total[shop_id] += 1
    changes = (
        select(ThreadEvent.thread_id, ThreadEvent.created_at, ThreadEvent.details, Thread.shop_id, Thread.status, Thread.created_at)
        .join(Thread, Thread.id == ThreadEvent.thread_id)
        .where(ThreadEvent.kind == "status", ThreadEvent.created_at >= ends[0], listed)
        .order_by(ThreadEvent.thread_id, ThreadEvent.id.desc())
    )
    stands: dict[int, bool] = {}
    for thread_id, moment, details, shop_id, status, created_at in session.execute(changes, execution_options=_IN_PARTS):
        after = stands.get(thread_id, status != Status.CLOSED)
        was = str(details.get("before", "")) != Status.CLOSED
        stands[thread_id] = was
        if was == after:
            continue
        for total, end in zip(totals, ends, strict=True):
            if created_at < end <= moment:
                total[shop_id] += 1 if was else -1
    return {day: dict(total) for day, total in zip(days, totals, strict=True)}


@dataclass(frozen=True, slots=True)
class FinishedDay:
    """What there is to write of a finished day: the columns of its row, by shop."""

    day: dt.date
    rows: Mapping[str, Mapping[str, Any]]


def read_day(session: Session, day: dt.date, pending: Mapping[str, int]) -> FinishedDay:
    """Work out the totals of a finished day, for each shop. It only reads, which takes longer than anybody may keep others from writing."""
    since, until = start_of(day), start_of(day + dt.timedelta(days=1))
    written = _written(EVERYTHING, since, until)
    spans = {row[0]: _span(row[1:]) for row in session.execute(select(written.c.shop_id, *_sums(written)).group_by(written.c.shop_id))}
    begun = _begun(session, since, until)
    rows: dict[str, Mapping[str, Any]] = {}
    for shop_id in sorted({*spans, *begun, *pending, *session.scalars(union(select(ThreadTotal.shop_id), select(ThreadApart.shop_id)))}):
        found = spans.get(shop_id, Span())
        rows[shop_id] = {
            "threads": begun.get(shop_id, 0),
            "customer_messages": found.customer_messages,
            "employee_messages": found.employee_messages,
            "answers": found.answers,
            "response_seconds": found.seconds,
            "active_threads": found.threads,
            "pending_threads": pending.get(shop_id, 0),
        }
    return FinishedDay(day, rows)


def write_day(session: Session, finished: FinishedDay) -> None:
    """Write the totals of a finished day, a row for each shop, over those that stand there."""
    for shop_id, values in finished.rows.items():
        key = {"day": finished.day, "shop_id": shop_id, "contact_id": 0}
        if not insert_if_absent(session, DailyTotal, list(key), {**key, **values}):
            session.execute(update(DailyTotal).filter_by(**key).values(**values), execution_options=_QUIET)


def _begun(session: Session, since: dt.datetime, until: dt.datetime) -> dict[str, int]:
    """Return how many threads of each shop have begun in a span: each with a message or a note at that very time."""
    threads = (
        select(Thread.shop_id, func.count(Thread.id.distinct()).label("threads"))
        .join(Message, Message.thread_id == Thread.id)
        .where(Message.created_at >= since, Message.created_at < until, Thread.created_at >= since, Thread.created_at < until)
        .where(Thread.folder == Folder.LIST, Thread.merged_into_id.is_(None))
        .group_by(Thread.shop_id)
    )
    erased = (
        select(ErasedMessage.shop_id, func.count(ErasedMessage.gone_id.distinct()).label("threads"))
        .where(ErasedMessage.written_at >= since, ErasedMessage.written_at < until, ErasedMessage.begins.is_(True))
        .group_by(ErasedMessage.shop_id)
    )
    every = union_all(threads, erased).subquery()
    return {shop_id: int(number) for shop_id, number in session.execute(select(every.c.shop_id, func.sum(every.c.threads)).group_by(every.c.shop_id))}


@dataclass(frozen=True, slots=True)
class Day:
    """A finished day as it was written down."""

    span: Span
    pending: int


def days(session: Session, scope: Scope, since: dt.date) -> dict[dt.date, Day]:
    """Return the finished days from one on that have been written down. One query."""
    of = DailyTotal
    sums = (of.customer_messages, of.employee_messages, of.active_threads, of.answers, of.response_seconds, of.pending_threads)
    query = select(of.day, *(func.sum(one) for one in sums)).where(of.day >= since, scope.covers(of.shop_id)).group_by(of.day)
    found: dict[dt.date, Day] = {}
    for row in session.execute(query):
        day, customers, employees, threads, answers, seconds, pending = tuple(row)
        found[day] = Day(Span(int(customers), int(employees), int(threads), int(answers), float(seconds)), int(pending))
    return found


def forget(session: Session, now: dt.datetime) -> None:
    """Forget what was kept of erased messages for days that nobody can ask for any more."""
    session.execute(delete(ErasedMessage).where(ErasedMessage.written_at < _days_ago(now, ERASED_COUNT_FOR)), execution_options=_QUIET)
