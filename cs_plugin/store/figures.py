"""The figures of the Customer Service page, each with its sentence; all of a scope, and the calculated ones kept for exactly that set of shops."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, or_, select, update
from sqlalchemy.orm import Session

from cs_plugin.i18n import marked as _
from cs_plugin.rules.inquiry import digest
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import daily, tally
from cs_plugin.store.daily import Day, Span
from cs_plugin.store.locking import insert_if_absent
from cs_plugin.store.models import ContactShop, KeptFigure, Thread
from cs_plugin.store.scope import Scope
from cs_plugin.store.tally import Counts

WINDOW = dt.timedelta(hours=30 * 24)
TREND_DAYS = 30
# How long a calculated figure is shown before it is calculated anew.
KEPT_FOR = dt.timedelta(minutes=10)
_FORGOTTEN_AFTER = dt.timedelta(days=1)
_QUIET = {"synchronize_session": False}


@dataclass(frozen=True, slots=True)
class Material:
    """What figures are calculated from: how things stand, the window, the day that is not over, and the finished ones."""

    counts: Counts
    window: Span
    today: Span
    days: Sequence[Day | None]


@dataclass(frozen=True, slots=True)
class Kpi:
    """A key figure: its name in forms, its words, its formula, its value, and what it was on a day; None where there is no data."""

    name: str
    label: str
    formula: str
    span: str
    value: Callable[[Material], float | None]
    of_day: Callable[[Day], float | None]
    is_count: bool = False


KPIS = (
    Kpi(
        "pending",
        _("Pending discussion threads"),
        _("Open or pending threads, now."),
        _("Now"),
        lambda of: of.counts.open + of.counts.pending,
        lambda day: day.pending,
        is_count=True,
    ),
    Kpi(
        "response",
        _("Average response time"),
        _("Mean time from the first unanswered customer message to the public answer, over answers of the last 30 × 24 hours."),
        _("30 days"),
        lambda of: of.window.response_hours,
        lambda day: day.span.response_hours,
    ),
    Kpi(
        "messages",
        _("Messages per thread"),
        _("Public messages written in the last 30 × 24 hours ÷ threads that had one."),
        _("30 days"),
        lambda of: of.window.messages_per_thread,
        lambda day: day.span.messages_per_thread,
    ),
)


@dataclass(frozen=True, slots=True)
class Statistic:
    """A figure since the beginning: its name, its words, and what it is of the counts."""

    name: str
    label: str
    of: Callable[[Counts], int]


STATISTICS = (
    Statistic("threads", _("Total threads"), lambda counts: counts.threads),
    Statistic("pending", _("Threads pending"), lambda counts: counts.pending),
    Statistic("customer_messages", _("Total number of customer messages"), lambda counts: counts.customer_messages),
    Statistic("employee_messages", _("Total number of employee messages"), lambda counts: counts.employee_messages),
    Statistic("unread", _("Unread threads"), lambda counts: counts.open),
    Statistic("closed", _("Closed threads"), lambda counts: counts.closed),
)


@dataclass(frozen=True, slots=True)
class Figure:
    """A key figure as it was calculated. `trend` holds a number a day, or None, and ends with the day of the calculation (UTC)."""

    value: float | None
    trend: tuple[float | None, ...]
    calculated_at: dt.datetime

    @property
    def last_day(self) -> dt.date:
        """Return the day that the trend ends with."""
        return self.calculated_at.astimezone(dt.UTC).date()

    @property
    def points(self) -> list[tuple[dt.date, float]]:
        """Return the days of the trend that have a number, the oldest first."""
        first = self.last_day - dt.timedelta(days=len(self.trend) - 1)
        return [(first + dt.timedelta(days=place), number) for place, number in enumerate(self.trend) if number is not None]


def total(counts: Mapping[int, Counts]) -> Counts:
    """Return what the contacts come to together."""
    return sum(counts.values(), tally.NONE)


def kept(session: Session, scope: Scope, now: dt.datetime) -> dict[str, Figure]:
    """Return the figures that were calculated for these very shops not long ago, by name. One query."""
    query = select(KeptFigure.name, KeptFigure.value, KeptFigure.calculated_at).where(KeptFigure.key == _key(scope))
    # One from later than now was calculated by a clock that was wrong.
    fresh = query.where(KeptFigure.calculated_at > now - KEPT_FOR, KeptFigure.calculated_at <= now)
    return {name: Figure(value["value"], tuple(value["trend"]), moment) for name, value, moment in session.execute(fresh)}


def calculate(session: Session, scope: Scope, counts: Counts, now: dt.datetime) -> dict[str, Figure]:
    """Return the key figures as they are now, by name. Three queries, which cost what was written in the window."""
    today = now.astimezone(dt.UTC).date()
    # The very moment of the calculation belongs to it.
    until = now + dt.timedelta(microseconds=1)
    first = today - dt.timedelta(days=TREND_DAYS - 1)
    finished = daily.days(session, scope, first)
    material = Material(
        counts=counts,
        window=daily.span(session, scope, now - WINDOW, until),
        today=daily.span(session, scope, daily.start_of(today), until),
        days=[finished.get(first + dt.timedelta(days=number)) for number in range(TREND_DAYS - 1)],
    )
    return {kpi.name: Figure(kpi.value(material), _trend(kpi, material), now) for kpi in KPIS}


def _trend(kpi: Kpi, material: Material) -> tuple[float | None, ...]:
    today = Day(material.today, material.counts.open + material.counts.pending)
    return tuple(None if day is None else kpi.of_day(day) for day in (*material.days, today))


def keep(session: Session, scope: Scope, figures: Mapping[str, Figure]) -> None:
    """Keep calculated figures for these very shops, unless later ones are kept."""
    key = _key(scope)
    for name, figure in sorted(figures.items()):
        its = {"key": key, "name": name}
        values = {"value": {"value": figure.value, "trend": list(figure.trend)}, "calculated_at": figure.calculated_at}
        if not insert_if_absent(session, KeptFigure, list(its), {**its, **values}):
            earlier = and_(KeptFigure.key == key, KeptFigure.name == name, KeptFigure.calculated_at <= figure.calculated_at)
            session.execute(update(KeptFigure).where(earlier).values(**values), execution_options=_QUIET)


def forget(session: Session, now: dt.datetime) -> None:
    """Forget figures that nobody has looked at for a day."""
    session.execute(delete(KeptFigure).where(KeptFigure.calculated_at < now - _FORGOTTEN_AFTER), execution_options=_QUIET)


def _key(scope: Scope) -> bytes:
    shops = scope.shops
    return digest("figures", json.dumps(sorted(shops)) if isinstance(shops, frozenset) else "all")


# --- Who has waited longest -------------------------------------------------------------------------------------------------------------------------


def waiting_longest(session: Session, scope: Scope, contact_id: int) -> int | None:
    """Return the open thread of a contact (0: of none) whose customer has waited longest, else the oldest that is open; None where none is."""
    its = exists().where(ContactShop.contact_id == Thread.contact_id, ContactShop.shop_id == Thread.shop_id).correlate(Thread)
    of_type: ColumnElement[bool] = and_(Thread.contact_id == contact_id, its) if contact_id else or_(Thread.contact_id.is_(None), ~its)
    listed = and_(Thread.folder == Folder.LIST, Thread.status == Status.OPEN, Thread.merged_into_id.is_(None))
    query = select(Thread.id).where(listed, of_type, scope.covers(Thread.shop_id))
    waiting = session.scalar(query.where(Thread.waiting_since.is_not(None)).order_by(Thread.waiting_since, Thread.id).limit(1))
    return waiting if waiting is not None else session.scalar(query.order_by(Thread.id).limit(1))


@dataclass(frozen=True, slots=True)
class Block:
    """A contact as the page shows it (0: "Order messages"), and how many of its threads are open."""

    contact_id: int
    title: str
    description: str
    open: int


ORDER_MESSAGES = (_("Order messages"), _("Written on the order pages"))


def blocks(counts: Mapping[int, Counts], contacts: Collection[Any], order_messages: tuple[str, str]) -> list[Block]:
    """Return the contacts that save messages or have open threads, and the messages of order pages where there are some.

    `contacts` are those of the context (`store.contacts.ContactWords`), in their order; `order_messages` are title and description in a language.
    """
    shown = [
        Block(one.id, one.title, one.description, counts.get(one.id, tally.NONE).open)
        for one in contacts
        if (one.active and one.save_messages) or counts.get(one.id, tally.NONE).open
    ]
    of_none = counts.get(0, tally.NONE)
    return [*shown, Block(0, *order_messages, of_none.open)] if of_none.threads else shown
