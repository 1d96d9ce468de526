"""Spans of whole days that figures are asked for: which there are to choose from, what is wrong with others, and where each step of one begins."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

MOST_DAYS = 731     # asked for day by day: two years, a leap day included
MOST_YEARS = 5      # asked for month by month
_YEARS = range(1970, 2200)
_DAY = dt.timedelta(days=1)


def _(text: str) -> str:
    return text


class UnreadablePeriodError(ValueError):
    """Say what is wrong with each field of a period: untranslated sentences by the names of the fields."""

    def __init__(self, wrong: Mapping[str, str]) -> None:
        super().__init__(*wrong.values())
        self.wrong = wrong


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days in somebody's time zone, both ends included. `preset` is its name among PRESETS, empty where two days were named."""

    first: dt.date
    last: dt.date
    preset: str = ""

    @property
    def by_month(self) -> bool:
        """Say whether it is told month by month, since its days would be too many."""
        return (self.last - self.first).days >= MOST_DAYS

    @property
    def steps(self) -> Sequence[dt.date]:
        """Return the day with which each step begins: each day, or the first one and the first of each month."""
        if not self.by_month:
            return [self.first + number * _DAY for number in range((self.last - self.first).days + 1)]
        steps = [self.first]
        while (following := _next_month(steps[-1])) <= self.last:
            steps.append(following)
        return steps


@dataclass(frozen=True, slots=True)
class Preset:
    """A period to choose by its name, which stands in URLs; which days it has follows from today's."""

    name: str
    label: str
    days: Callable[[dt.date], tuple[dt.date, dt.date]]


def _next_month(day: dt.date) -> dt.date:
    return (day.replace(day=1) + dt.timedelta(days=32)).replace(day=1)


def _last_days(number: int) -> Callable[[dt.date], tuple[dt.date, dt.date]]:
    return lambda today: (today - dt.timedelta(days=number - 1), today)


def _last_month(today: dt.date) -> tuple[dt.date, dt.date]:
    last = today.replace(day=1) - _DAY
    return last.replace(day=1), last


# Today belongs to those that have not ended.
PRESETS = (
    Preset("7", _("Last 7 days"), _last_days(7)),
    Preset("30", _("Last 30 days"), _last_days(30)),
    Preset("90", _("Last 90 days"), _last_days(90)),
    Preset("month", _("This month"), lambda today: (today.replace(day=1), today)),
    Preset("last-month", _("Last month"), _last_month),
    Preset("year", _("This year"), lambda today: (today.replace(month=1, day=1), today)),
)
_USUAL = "30"


def read_period(said: Mapping[str, str], today: dt.date) -> Period:
    """Read a period from `range`, or from `from` and `to`, as an address says it; where it says nothing it is the last 30 days.

    Where one of the two days is missing, today is the last one and 30 days are asked for. Raise UnreadablePeriodError.
    """
    named = {name: said.get(name, "").strip() for name in ("from", "to")}
    if not any(named.values()):
        wanted = said.get("range", "").strip() or _USUAL
        preset = next((one for one in PRESETS if one.name == wanted), None)
        if preset is None:
            raise UnreadablePeriodError({"": _("Choose one of the spans of time.")})
        return Period(*preset.days(today), preset.name)
    days = {name: _day(text) for name, text in named.items() if text}
    wrong = {name: _("Enter a day as year-month-day.") for name, day in days.items() if day is None}
    if wrong:
        raise UnreadablePeriodError(wrong)
    last = days.get("to") or max(today, days.get("from") or today)
    first = days.get("from") or last - dt.timedelta(days=29)
    return _bounded(Period(first, last), today)


def _bounded(period: Period, today: dt.date) -> Period:
    """Return a period that figures can be told of. One may end with a day to come: nothing has happened on it. Raise UnreadablePeriodError."""
    if period.first > period.last:
        raise UnreadablePeriodError({"to": _("The last day lies before the first one.")})
    if period.first > today:
        raise UnreadablePeriodError({"from": _("This day is still to come.")})
    if (period.last - period.first).days > MOST_YEARS * 366:
        raise UnreadablePeriodError({"from": _("Choose five years at most.")})
    return Period(period.first, min(period.last, today))


def _day(text: str) -> dt.date | None:
    try:
        day = dt.date.fromisoformat(text) if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else None
    except ValueError:
        return None
    return day if day is not None and day.year in _YEARS else None


# --- As moments -------------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Clock:
    """The days of a period as moments: when it begins (included) and ends (excluded), and by how much a clock on the wall differs from UTC.

    `offsets` has pairs of the moment from which a difference holds and its seconds, in their order; the first holds from before the period on.
    `months` has, where steps are months, the moment at which each begins.
    """

    since: dt.datetime
    until: dt.datetime
    first: dt.date
    offsets: Sequence[tuple[dt.datetime, int]]
    months: Sequence[dt.datetime] = ()


def clock_of(period: Period, zone: dt.tzinfo) -> Clock:
    """Return the days of a period as the clocks of a zone count them, with each change of theirs."""
    since, until = begins(period.first, zone), begins(period.last + _DAY, zone)
    offsets = [(since, _offset(since, zone))]
    at = since
    while at < until:
        following = min(at + _DAY, until)
        if _offset(following, zone) != _offset(at, zone):
            change = _change(at, following, zone)
            offsets.append((change, _offset(change, zone)))
        at = following
    months = [begins(step, zone) for step in period.steps] if period.by_month else []
    return Clock(since, until, period.first, offsets, months)


def begins(day: dt.date, zone: dt.tzinfo) -> dt.datetime:
    """Return the moment, in UTC, at which a day of a zone begins: where its clocks skip midnight, the moment at which they do."""
    return dt.datetime.combine(day, dt.time.min, zone).astimezone(dt.UTC)


def _offset(moment: dt.datetime, zone: dt.tzinfo) -> int:
    offset = moment.astimezone(zone).utcoffset()
    return round(offset.total_seconds()) if offset else 0


def _change(before: dt.datetime, after: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
    """Return the second at which clocks change between two moments that they tell apart."""
    old = _offset(before, zone)
    while (gap := after - before) > dt.timedelta(seconds=1):
        middle = before + dt.timedelta(seconds=gap.total_seconds() // 2)
        before, after = (middle, after) if _offset(middle, zone) == old else (before, middle)
    return after
