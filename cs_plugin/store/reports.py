"""The figures of a period: what was written and answered, how fast, by whom and of which contact, how many waited, and what customers said of it.

Everything is counted as it stands now, by the days of a time zone, over what was written in the period: what was written before or after it is not
looked at. Middles and percentiles are exact: the database sorts and counts, and gives back the two numbers between which each lies.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, literal, or_, select, union_all
from sqlalchemy.orm import Session

from cs_plugin.rules.inquiry import AuthorKind
from cs_plugin.rules.periods import Clock, Period, clock_of
from cs_plugin.rules.status import Folder
from cs_plugin.store import tally
from cs_plugin.store.models import ContactShop, DailyTotal, ErasedMessage, Message, SurveyAnswer, Thread
from cs_plugin.store.moments import step_of
from cs_plugin.store.scope import Scope

# Where a statement names no model of ours, its database is told.
_HERE = {"mapper": Message}
_HIDDEN = (Folder.SPAM, Folder.BIN)
# The shares of answers that were given at least as fast: in tenths, so that SQL counts in whole numbers.
_MEDIAN, _MOST = 5, 9
# A part: the column by which it is told apart, and its value there.
_Key = tuple[str, int | str]


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast answers came: how many there are that answered somebody, and the seconds within which half and nine in ten of them came."""

    answers: int = 0
    median: float | None = None
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Opinions:
    """What customers said: how many gave each score."""

    scores: Mapping[int, int] = field(default_factory=dict)

    @property
    def number(self) -> int:
        """Return how many said something."""
        return sum(self.scores.values())

    @property
    def mean(self) -> float | None:
        """Return the mean score; None where nobody said anything."""
        return sum(score * number for score, number in self.scores.items()) / self.number if self.number else None


@dataclass(frozen=True, slots=True)
class Part:
    """What a part of the period, of the contacts or of the employees comes to. `threads` is how many had one of these messages."""

    customer_messages: int = 0
    employee_messages: int = 0
    threads: int = 0
    speed: Speed = Speed()
    opinions: Opinions = Opinions()


NOTHING = Part()


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of a period.

    `steps` has a part for each of the period's steps, `waiting` how many threads were open or pending at the end of each: of days of UTC that were
    written down, and now; None where nobody knows. `contacts` are by id, 0 for none; `employees` by id, "" for nobody that is known.
    """

    period: Period
    whole: Part
    steps: Sequence[Part]
    waiting: Sequence[int | None]
    contacts: Mapping[int, Part]
    employees: Mapping[str, Part]

    @property
    def is_empty(self) -> bool:
        """Say whether there is nothing to tell."""
        return not (self.whole.customer_messages or self.whole.employee_messages or self.whole.opinions.number or any(self.waiting))


def report(session: Session, scope: Scope, period: Period, zone: dt.tzinfo, now: dt.datetime) -> Report:
    """Return the figures of a period for the shops of a scope. Five queries, which cost what was written in the period."""
    clock = clock_of(period, zone)
    parts = _Asked(session, scope, clock, min(clock.until, now + dt.timedelta(microseconds=1))).parts()
    return Report(
        period=period,
        whole=parts[_WHOLE].get(0, NOTHING),
        steps=[parts[_STEP].get(number, NOTHING) for number in range(len(period.steps))],
        waiting=_waiting(session, scope, period, zone, now),
        contacts=parts[_CONTACT],
        employees=parts[_EMPLOYEE],
    )


# --- What was written -------------------------------------------------------------------------------------------------------------------------------

# By which columns parts are told apart, the whole first.
_WHOLE, _STEP, _CONTACT, _EMPLOYEE = "whole", "step", "contact_id", "employee_id"
_PARTS = (_WHOLE, _STEP, _CONTACT, _EMPLOYEE)


@dataclass(frozen=True)
class _Asked:
    """What is asked for: of which shops, and of which span of time."""

    session: Session
    scope: Scope
    clock: Clock
    until: dt.datetime

    def parts(self) -> dict[str, dict[Any, Part]]:
        """Return what was written, answered and said: as a whole, and told apart by each of the columns. Three queries."""
        counts, speeds, opinions = self._counts(), self._speeds(), self._opinions()
        found: dict[str, dict[Any, Part]] = {by: {} for by in _PARTS}
        for by, key in {**counts, **speeds, **opinions}:
            said = Opinions(opinions.get((by, key), {}))
            found[by][key] = Part(*counts.get((by, key), (0, 0, 0)), speeds.get((by, key), Speed()), said)
        return found

    def _counts(self) -> dict[_Key, tuple[int, int, int]]:
        written = union_all(self._by_customers(), self._erased(AuthorKind.CUSTOMER), self._by_employees(), self._erased(AuthorKind.EMPLOYEE))
        # Read once, and counted four ways.
        of = written.cte("written").c
        sums = (func.count().label("every"), func.sum(of.by_employee).label("by_employee"), func.count(of.thread_id.distinct()).label("threads"))
        ways = [
            # An employee's threads are those in which they answered.
            select(*_names(of, by), *sums).where(*([of.by_employee == 1] if by == _EMPLOYEE else [])).group_by(*_grouped(of, by))
            for by in _PARTS
        ]
        found: dict[_Key, tuple[int, int, int]] = {}
        for by, number, name, every, by_employee, threads in self.session.execute(union_all(*ways), bind_arguments=_HERE):
            employees = int(by_employee or 0)
            if every:
                found[_key(by, number, name)] = (int(every) - employees, employees, int(threads))
        return found

    def _speeds(self) -> dict[_Key, Speed]:
        """Return how fast answers came. Each place is asked for, and the database counts up to it."""
        live = self._by_employees().where(Message.response_seconds.is_not(None))
        erased = self._erased(AuthorKind.EMPLOYEE).where(ErasedMessage.response_seconds.is_not(None))
        of = union_all(live, erased).cte("answers").c
        ways = []
        for by in _PARTS:
            place = (func.row_number().over(partition_by=_grouped(of, by) or None, order_by=of.seconds) - 1).label("place")
            number = func.count().over(partition_by=_grouped(of, by) or None).label("answers")
            ranked = select(*_names(of, by), of.seconds, place, number).subquery().c
            beside = [func.abs(10 * ranked.place - tenths * (ranked.answers - 1)) < 10 for tenths in (_MEDIAN, _MOST)]
            ways.append(select(*ranked).where(or_(*beside)))
        places: dict[_Key, dict[int, float]] = {}
        numbers: dict[_Key, int] = {}
        for by, number, name, seconds, at, answers in self.session.execute(union_all(*ways), bind_arguments=_HERE):
            key = _key(by, number, name)
            places.setdefault(key, {})[int(at)] = float(seconds)
            numbers[key] = int(answers)
        return {key: Speed(number, *(_between(places[key], tenths, number) for tenths in (_MEDIAN, _MOST))) for key, number in numbers.items()}

    def _opinions(self) -> dict[_Key, dict[int, int]]:
        of = SurveyAnswer
        step, employee = step_of(of.created_at, self.clock).label(_STEP), func.coalesce(Message.author_id, "").label(_EMPLOYEE)
        query: Any = select(step, _contact().label(_CONTACT), employee, of.score).select_from(of).join(Message, Message.id == of.message_id)
        query = query.join(Thread, Thread.id == Message.thread_id).outerjoin(ContactShop, _offered())
        covered = self.scope.covers(func.coalesce(of.shop_id, ""))
        said = query.where(Thread.folder.not_in(_HIDDEN), self._within(of.created_at), covered).cte("said").c
        ways = [select(*_names(said, by), said.score, func.count().label("number")).group_by(*_grouped(said, by), said.score) for by in _PARTS]
        found: dict[_Key, dict[int, int]] = {}
        for by, number, name, score, count in self.session.execute(union_all(*ways), bind_arguments=_HERE):
            found.setdefault(_key(by, number, name), {})[int(score)] = int(count)
        return found

    def _by_customers(self) -> Select[Any]:
        """Return the public messages of customers, each with its thread: neither notes nor what machines wrote."""
        query = self._messages(Message.created_at, literal(0), literal(""))
        return query.where(Message.author_kind == AuthorKind.CUSTOMER, Message.private.is_(False))

    def _by_employees(self) -> Select[Any]:
        """Return the public messages of employees that were released. Notes are never released."""
        return self._messages(Message.released_at, literal(1), func.coalesce(Message.author_id, ""))

    def _messages(self, moment: Any, by_employee: Any, employee_id: Any) -> Select[Any]:
        query = select(
            step_of(moment, self.clock).label(_STEP),
            _contact().label(_CONTACT),
            employee_id.label(_EMPLOYEE),
            Message.thread_id,
            by_employee.label("by_employee"),
            Message.response_seconds.label("seconds"),
        ).select_from(Message)
        query = query.join(Thread, Thread.id == Message.thread_id).outerjoin(ContactShop, _offered())
        # Of an expression: by the index of the shop, SQLite would read all that was ever written. Deleted and spam threads leave the figures.
        return query.where(self._within(moment), self.scope.covers(func.coalesce(Message.shop_id, "")), Thread.folder.not_in(_HIDDEN))

    def _erased(self, kind: AuthorKind) -> Select[Any]:
        """Return the messages of threads that have been erased since."""
        of = ErasedMessage
        query = select(
            step_of(of.written_at, self.clock).label(_STEP),
            case((ContactShop.id.is_(None), 0), else_=of.contact_id).label(_CONTACT),
            func.coalesce(of.employee_id, "").label(_EMPLOYEE),
            of.gone_id,
            literal(int(kind is AuthorKind.EMPLOYEE)).label("by_employee"),
            of.response_seconds.label("seconds"),
        ).select_from(of)
        query = query.outerjoin(ContactShop, and_(ContactShop.contact_id == of.contact_id, ContactShop.shop_id == of.shop_id))
        return query.where(self._within(of.written_at), self.scope.covers(of.shop_id), of.author_kind == kind)

    def _within(self, moment: Any) -> ColumnElement[bool]:
        return and_(moment >= self.clock.since, moment < self.until)


def _offered() -> ColumnElement[bool]:
    """Return the clause by which the contact of a thread is found where its shop still has it."""
    return and_(ContactShop.contact_id == Thread.contact_id, ContactShop.shop_id == Thread.shop_id)


def _contact() -> ColumnElement[int]:
    return case((ContactShop.id.is_(None), 0), else_=Thread.contact_id)


def _grouped(of: Any, by: str) -> list[Any]:
    return [] if by == _WHOLE else [of[by]]


def _names(of: Any, by: str) -> tuple[Any, Any, Any]:
    """Return what a part is called in SQL: by which column it is told apart, and its value there, a number or a text."""
    number = of[by] if by in (_STEP, _CONTACT) else literal(0)
    name = of[by] if by == _EMPLOYEE else literal("")
    return literal(_PARTS.index(by)).label("by"), number.label("number"), name.label("name")


def _key(by: int, number: Any, name: str) -> _Key:
    # Some databases give whole numbers back as decimals.
    column = _PARTS[int(by)]
    return column, name if column == _EMPLOYEE else int(number or 0)


def _between(places: Mapping[int, float], tenths: int, number: int) -> float:
    """Return the number below which lie so many tenths of a sorted row, of which the neighbours of that place are known; between two, in proportion.

    It is the same as the inclusive method of Python's `statistics.quantiles`, and as SQL's PERCENTILE_CONT.
    """
    whole, rest = divmod(tenths * (number - 1), 10)
    return places[whole] + (places[whole + 1] - places[whole]) * rest / 10 if rest else places[whole]


# --- How many waited --------------------------------------------------------------------------------------------------------------------------------


def _waiting(session: Session, scope: Scope, period: Period, zone: dt.tzinfo, now: dt.datetime) -> list[int | None]:
    """Return how many threads were open or pending at the end of each step, as it was written down of days of UTC; of today, how many are now."""
    today = now.astimezone(zone).date()
    query = select(DailyTotal.day, func.sum(DailyTotal.pending_threads)).where(DailyTotal.day >= period.first, DailyTotal.day <= period.last)
    written_down = session.execute(query.where(scope.covers(DailyTotal.shop_id)).group_by(DailyTotal.day))
    days: dict[dt.date, int] = {day: int(number) for day, number in written_down}
    # A day of UTC may not be over when it is over here.
    running = {today} | ({now.astimezone(dt.UTC).date()} - set(days))
    if any(period.first <= day <= period.last for day in running):
        counts = tally.counts_by_contact(session, scope).values()
        days |= dict.fromkeys(running, sum(one.open + one.pending for one in counts))
    if not period.by_month:
        return [days.get(step) for step in period.steps]
    ends = {(day.year, day.month): number for day, number in sorted(days.items())}
    return [ends.get((step.year, step.month)) for step in period.steps]
