"""The figures of a period: what was written and answered, how fast, by whom and of which contact, how many waited, and what customers said of it.

Everything is counted as it stands now, by the days of a time zone. What was written comes from `store.packed_days` and is counted here, so that
middles and percentiles are exact, and a thread that had messages on several days is one of the whole.
"""

from __future__ import annotations

import datetime as dt
from array import array
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from sqlalchemy import and_, case, func, literal, select, union_all
from sqlalchemy.orm import Session

from cs_plugin.rules.periods import Clock, Period, begins, clock_of
from cs_plugin.rules.status import Folder
from cs_plugin.store import tally
from cs_plugin.store.models import ContactShop, Message, SurveyAnswer, Thread
from cs_plugin.store.moments import step_of
from cs_plugin.store.packed_days import Told, Waits, Written, steps_of, tell
from cs_plugin.store.packing import EIGHT, FRACTIONS
from cs_plugin.store.scope import Scope

# Where a statement names no model of ours, its database is told.
_HERE = {"mapper": Message}
_HIDDEN = (Folder.SPAM, Folder.BIN)
# The shares of answers that were given at least as fast, in tenths.
_MEDIAN, _MOST = 5, 9
# The end of all seconds: later than anything is written.
_FAR = 2**40
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


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of a period.

    `steps` has a part for each of the period's steps, `waiting` how many threads were open or pending at the end of each, or are now: of those that
    lie in the list now. `contacts` are by id, 0 for none; `employees` by id, "" for nobody that is known.
    """

    period: Period
    whole: Part
    steps: Sequence[Part]
    waiting: Sequence[int]
    contacts: Mapping[int, Part]
    employees: Mapping[str, Part]

    @property
    def is_empty(self) -> bool:
        """Say whether there is nothing to tell."""
        return not (self.whole.customer_messages or self.whole.employee_messages or self.whole.opinions.number or any(self.waiting))


def report(session: Session, scope: Scope, period: Period, zone: dt.tzinfo, now: dt.datetime) -> Report:
    """Return the figures of a period for the shops of a scope."""
    clock = clock_of(period, zone)
    until = min(clock.until, now + dt.timedelta(microseconds=1))
    edges = [round(begins(step, zone).timestamp()) for step in period.steps] + [round(clock.until.timestamp())]
    offered = {(row.contact_id, row.shop_id) for row in session.execute(select(ContactShop.contact_id, ContactShop.shop_id))}
    sums, waits = _Sums(edges, offered), _Waits(edges)
    tell(session, scope, clock.since, until, now, Told(sums.add, waits.add))
    counts = tally.counts_by_contact(session, scope).values()
    opinions = _opinions(session, scope, clock, until)
    return Report(
        period=period,
        whole=_part(sums.steps, opinions, _WHOLE, 0),
        steps=[_part([step], opinions, _STEP, number) for number, step in enumerate(sums.steps)],
        waiting=waits.ends(sum(one.open + one.pending for one in counts)),
        contacts=_parts(sums.by_contact(), opinions, _CONTACT),
        employees=_parts(sums.by_employee(), opinions, _EMPLOYEE),
    )


# --- What was written -------------------------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Sum:
    """Public messages as they are added up: how many, in which threads (once for each message), and how long timed answers took."""

    customers: int = 0
    employees: int = 0
    threads: array[int] = field(default_factory=lambda: array(EIGHT))
    seconds: array[float] = field(default_factory=lambda: array(FRACTIONS))


class _Sums:
    """What was written, by step, and by contact and employee."""

    def __init__(self, edges: Sequence[int], offered: Collection[tuple[int, str]]) -> None:
        self._edges, self._offered = edges, offered
        self.steps = [_Sum() for _edge in edges[1:]]
        # By contact (0: none) and employee, None for customers.
        self._of: dict[tuple[int, str | None], _Sum] = defaultdict(_Sum)

    def add(self, written: Written) -> None:
        """Add messages up, where they were written in the period."""
        places = []
        for number, first, end in steps_of(written, self._edges):
            step = self.steps[number]
            # Customers and employees stand apart, and the kind of the first tells which they are.
            if written.kinds[written.of[first]][2] is None:
                step.customers += end - first
            else:
                step.employees += end - first
            step.threads.extend(written.threads[first:end])
            step.seconds.extend(written.seconds[first:end])
            places += [first, end]
        if not places:
            return
        first, end = places[0], places[-1]
        sums = [self._of[contact if (contact, shop_id) in self._offered else 0, employee] for shop_id, contact, employee in written.kinds]
        put = [one.threads.append for one in sums]
        for kind, thread in zip(written.of[first:end], written.threads[first:end], strict=True):
            put[kind](thread)
        if written.seconds:
            time = [one.seconds.append for one in sums]
            for kind, seconds in zip(written.of[first:end], written.seconds[first:end], strict=True):
                time[kind](seconds)

    def by_contact(self) -> dict[int, list[_Sum]]:
        """Return what there is of each contact."""
        return _sorted_by(self._counted(), lambda key: key[0])

    def by_employee(self) -> dict[str, list[_Sum]]:
        """Return what each employee has written."""
        return _sorted_by(self._counted(), lambda key: key[1])

    def _counted(self) -> Iterator[tuple[tuple[int, str | None], _Sum]]:
        for key, one in self._of.items():
            number = len(one.threads)
            if number:
                yield key, _Sum(*((number, 0) if key[1] is None else (0, number)), one.threads, one.seconds)


def _sorted_by(sums: Iterable[tuple[Any, _Sum]], key: Callable[[Any], Any]) -> dict[Any, list[_Sum]]:
    found: dict[Any, list[_Sum]] = {}
    for of, one in sums:
        if key(of) is not None:
            found.setdefault(key(of), []).append(one)
    return found


def _parts(sums: Mapping[Any, Sequence[_Sum]], opinions: Mapping[_Key, Mapping[int, int]], by: str) -> dict[Any, Part]:
    every = {**sums, **{name: () for column, name in opinions if column == by and name not in sums}}
    return {name: _part(its, opinions, by, name) for name, its in every.items()}


def _part(sums: Sequence[_Sum], opinions: Mapping[_Key, Mapping[int, int]], by: str, name: int | str) -> Part:
    customers, employees = sum(one.customers for one in sums), sum(one.employees for one in sums)
    threads = len(set(chain.from_iterable(one.threads for one in sums)))
    seconds = sorted(chain.from_iterable(one.seconds for one in sums))
    speed = Speed(len(seconds), *(_at(seconds, tenths) for tenths in (_MEDIAN, _MOST))) if seconds else Speed()
    return Part(customers, employees, threads, speed, Opinions(opinions.get((by, name), {})))


def _at(numbers: Sequence[float], tenths: int) -> float:
    """Return the number below which lie so many tenths of a sorted row; between two of them, in proportion.

    It is the same as the inclusive method of Python's `statistics.quantiles`, and as SQL's PERCENTILE_CONT.
    """
    whole, rest = divmod(tenths * (len(numbers) - 1), 10)
    return numbers[whole] + (numbers[whole + 1] - numbers[whole]) * rest / 10 if rest else numbers[whole]


# --- How many waited --------------------------------------------------------------------------------------------------------------------------------


class _Waits:
    """How many threads waited at the end of each step, worked out backwards from how many do now."""

    def __init__(self, edges: Sequence[int]) -> None:
        # What came behind the last step is one more.
        self._edges = [*edges, _FAR]
        self._changes = [0] * len(edges)

    def add(self, waits: Waits) -> None:
        """Add up who began to wait, and who ceased to."""
        for number, first, end in steps_of(waits, self._edges):
            self._changes[number] += sum(waits.signs[first:end])

    def ends(self, now: int) -> list[int]:
        """Return how many waited at the end of each step, of so many that do now."""
        *steps, later = self._changes
        ends = [now - later]
        for change in reversed(steps[1:]):
            ends.append(ends[-1] - change)
        return ends[::-1]


# --- What customers said ----------------------------------------------------------------------------------------------------------------------------

# By which columns parts are told apart, the whole first.
_WHOLE, _STEP, _CONTACT, _EMPLOYEE = "whole", "step", "contact_id", "employee_id"
_PARTS = (_WHOLE, _STEP, _CONTACT, _EMPLOYEE)


def _opinions(session: Session, scope: Scope, clock: Clock, until: dt.datetime) -> dict[_Key, dict[int, int]]:
    """Return how many gave each score: as a whole, and told apart by each of the columns. Read once, and counted four ways."""
    of = SurveyAnswer
    contact = case((ContactShop.id.is_(None), 0), else_=Thread.contact_id).label(_CONTACT)
    step, employee = step_of(of.created_at, clock).label(_STEP), func.coalesce(Message.author_id, "").label(_EMPLOYEE)
    query: Any = select(step, contact, employee, of.score).select_from(of).join(Message, Message.id == of.message_id)
    query = query.join(Thread, Thread.id == Message.thread_id)
    # A contact that the shop of a thread has no longer is none.
    query = query.outerjoin(ContactShop, and_(ContactShop.contact_id == Thread.contact_id, ContactShop.shop_id == Thread.shop_id))
    within = and_(of.created_at >= clock.since, of.created_at < until)
    # Of an expression: by the index of the shop, SQLite would read all that was ever said.
    said = query.where(Thread.folder.not_in(_HIDDEN), within, scope.covers(func.coalesce(of.shop_id, ""))).cte("said").c
    ways = [select(*_names(said, by), said.score, func.count().label("number")).group_by(*_grouped(said, by), said.score) for by in _PARTS]
    found: dict[_Key, dict[int, int]] = {}
    for by, number, name, score, count in session.execute(union_all(*ways), bind_arguments=_HERE):
        found.setdefault(_key(by, number, name), {})[int(score)] = int(count)
    return found


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
