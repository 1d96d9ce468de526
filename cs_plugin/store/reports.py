"""The figures of a period: what was written and answered, how fast, by whom and of which contact, how many waited, and what customers said of it.

Everything is counted as it stands now, by the days of a time zone, over what was written in the period: what was written before or after it is not
looked at. Middles and percentiles are exact: the database sorts and counts, and gives back the two numbers between which each lies.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, and_, case, func, literal, or_, select, union_all
from sqlalchemy.orm import Session

from cs_plugin.rules.inquiry import AuthorKind
from cs_plugin.rules.periods import Clock, Period, clock_of
from cs_plugin.rules.status import Folder
from cs_plugin.store import tally
from cs_plugin.store.models import ContactShop, DailyTotal, ErasedMessage, Message, SurveyAnswer, Thread
from cs_plugin.store.moments import step_of
from cs_plugin.store.scope import Scope

_HIDDEN = (Folder.SPAM, Folder.BIN)
# The shares of answers that were given at least as fast: in tenths, so that SQL counts in whole numbers.
_MEDIAN, _MOST = 5, 9


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
    """Return the figures of a period for the shops of a scope. Twelve queries, each of which costs what was written in the period."""
    clock = clock_of(period, zone)
    asked = _Asked(session, scope, clock, min(clock.until, now + dt.timedelta(microseconds=1)))
    steps = asked.parts(_STEP)
    contacts, employees = asked.parts(_CONTACT), asked.parts(_EMPLOYEE)
    employees = {key: part for key, part in employees.items() if part.employee_messages or part.opinions.number}
    return Report(
        period=period,
        whole=asked.parts(_WHOLE).get(0, NOTHING),
        steps=[steps.get(number, NOTHING) for number in range(len(period.steps))],
        waiting=_waiting(session, scope, period, zone, now),
        contacts=contacts,
        employees={str(key): part for key, part in employees.items()},
    )


# --- What was written -------------------------------------------------------------------------------------------------------------------------------

# By which column parts are told apart.
_WHOLE, _STEP, _CONTACT, _EMPLOYEE = "whole", "step", "contact_id", "employee_id"


@dataclass(frozen=True)
class _Asked:
    """What is asked for: of which shops, and of which span of time."""

    session: Session
    scope: Scope
    clock: Clock
    until: dt.datetime

    def parts(self, by: str) -> dict[Any, Part]:
        """Return what was written, answered and said, told apart by one of the columns. Three queries."""
        speeds, opinions = self._speeds(by), self._opinions(by)
        counts = self._counts(by)
        return {
            key: Part(*counts.get(key, (0, 0, 0)), speeds.get(key, Speed()), Opinions(opinions.get(key, {})))
            for key in {**counts, **speeds, **opinions}
        }

    def _counts(self, by: str) -> dict[Hashable, tuple[int, int, int]]:
        of = self._written(by).c
        sums = (func.count(), func.sum(of.by_employee), func.count(of.thread_id.distinct()))
        found = {}
        for key, every, by_employee, threads in self.session.execute(select(of[by], *sums).group_by(of[by])):
            employees = int(by_employee or 0)
            found[_key(key)] = (int(every) - employees, employees, int(threads))
        return found

    def _speeds(self, by: str) -> dict[Hashable, Speed]:
        """Return how fast answers came. Each place is asked for, and the database counts up to it."""
        answers = self._answers(by).c
        place = (func.row_number().over(partition_by=answers[by], order_by=answers.seconds) - 1).label("place")
        number = func.count().over(partition_by=answers[by]).label("number")
        ranked = select(answers[by].label("part"), answers.seconds, place, number).subquery().c
        beside = [func.abs(10 * ranked.place - tenths * (ranked.number - 1)) < 10 for tenths in (_MEDIAN, _MOST)]
        found: dict[Hashable, dict[int, float]] = {}
        numbers: dict[Hashable, int] = {}
        for key, seconds, at, count in self.session.execute(select(ranked.part, ranked.seconds, ranked.place, ranked.number).where(or_(*beside))):
            found.setdefault(_key(key), {})[int(at)] = float(seconds)
            numbers[_key(key)] = int(count)
        return {key: Speed(numbers[key], *(_between(places, tenths, numbers[key]) for tenths in (_MEDIAN, _MOST))) for key, places in found.items()}

    def _opinions(self, by: str) -> dict[Hashable, dict[int, int]]:
        of = SurveyAnswer
        columns: dict[str, Any] = {
            _WHOLE: literal(0),
            _STEP: step_of(of.created_at, self.clock),
            _CONTACT: _contact(),
            _EMPLOYEE: func.coalesce(Message.author_id, ""),
        }
        query: Select[Any] = select(columns[by].label("part"), of.score).select_from(of).join(Message, Message.id == of.message_id)
        query = query.join(Thread, Thread.id == Message.thread_id).where(Thread.folder.not_in(_HIDDEN), self._within(of.created_at))
        said = _of_contacts(query, by).where(self.scope.covers(func.coalesce(of.shop_id, ""))).subquery().c
        found: dict[Hashable, dict[int, int]] = {}
        for key, score, number in self.session.execute(select(said.part, said.score, func.count()).group_by(said.part, said.score)):
            found.setdefault(_key(key), {})[int(score)] = int(number)
        return found

    def _written(self, by: str) -> Subquery:
        """Return the public messages, each with its thread and whose it is: neither notes nor forwards nor what machines wrote."""
        customers = self._messages(Message.created_at, by, literal(0).label("by_employee"), literal("").label("employee_id")).where(
            Message.author_kind == AuthorKind.CUSTOMER, Message.private.is_(False)
        )
        erased = self._erased(by, literal(0)).where(ErasedMessage.author_kind == AuthorKind.CUSTOMER)
        both = (*self._by_employees(by),) if by == _EMPLOYEE else (customers, erased, *self._by_employees(by))
        return union_all(*both).subquery()

    def _answers(self, by: str) -> Subquery:
        """Return those messages of employees that answered somebody, with the seconds that it took."""
        live, erased = self._by_employees(by)
        live, erased = live.where(Message.response_seconds.is_not(None)), erased.where(ErasedMessage.response_seconds.is_not(None))
        return union_all(live, erased).subquery()

    def _by_employees(self, by: str) -> tuple[Select[Any], Select[Any]]:
        """Return the public messages of employees that were released, and those of threads that have been erased since. Notes are never released."""
        live = self._messages(Message.released_at, by, literal(1).label("by_employee"), func.coalesce(Message.author_id, "").label("employee_id"))
        return live, self._erased(by, literal(1)).where(ErasedMessage.author_kind == AuthorKind.EMPLOYEE)

    def _messages(self, moment: Any, by: str, by_employee: Any, employee_id: Any) -> Select[Any]:
        # Deleted and spam threads leave the figures. Of an expression: by the index of the shop, SQLite would read all that was ever written.
        query = select(
            self._step(moment, by), literal(0).label(_WHOLE), _contact().label(_CONTACT) if by == _CONTACT else literal(0).label(_CONTACT),
            employee_id, Message.thread_id, by_employee, Message.response_seconds.label("seconds"),
        ).select_from(Message).join(Thread, Thread.id == Message.thread_id)  # fmt: skip
        return _of_contacts(query, by).where(
            self._within(moment), self.scope.covers(func.coalesce(Message.shop_id, "")), Thread.folder.not_in(_HIDDEN)
        )

    def _erased(self, by: str, by_employee: Any) -> Select[Any]:
        of = ErasedMessage
        contact = case((ContactShop.id.is_(None), 0), else_=of.contact_id) if by == _CONTACT else literal(0)
        query = select(
            self._step(of.written_at, by), literal(0), contact, func.coalesce(of.employee_id, ""), of.gone_id, by_employee, of.response_seconds
        ).select_from(of)
        if by == _CONTACT:
            query = query.outerjoin(ContactShop, and_(ContactShop.contact_id == of.contact_id, ContactShop.shop_id == of.shop_id))
        return query.where(self._within(of.written_at), self.scope.covers(of.shop_id))

    def _step(self, moment: Any, by: str) -> ColumnElement[int]:
        return (step_of(moment, self.clock) if by == _STEP else literal(0)).label(_STEP)

    def _within(self, moment: Any) -> ColumnElement[bool]:
        return and_(moment >= self.clock.since, moment < self.until)


def _of_contacts(query: Select[Any], by: str) -> Select[Any]:
    """Let a query of threads know whether the shop of each still has its contact."""
    if by != _CONTACT:
        return query
    return query.outerjoin(ContactShop, and_(ContactShop.contact_id == Thread.contact_id, ContactShop.shop_id == Thread.shop_id))


def _contact() -> ColumnElement[int]:
    return case((ContactShop.id.is_(None), 0), else_=Thread.contact_id)


def _key(key: Any) -> Hashable:
    # Some databases give whole numbers back as decimals.
    return key if isinstance(key, str) else int(key or 0)


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
