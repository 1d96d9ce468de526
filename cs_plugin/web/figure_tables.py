"""The figures of a period in tables and charts, in the language of whoever reads them; a table holds its numbers for spreadsheets as well."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cs_plugin import i18n
from cs_plugin.i18n import marked as _
from cs_plugin.rules.opinions import SCORES
from cs_plugin.store.reports import Part, Report
from cs_plugin.web.charts import Axes, Chart, Series, chart

_NONE = "--"


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell as people read it, and as a spreadsheet reckons with it."""

    shown: str
    plain: str


@dataclass(frozen=True, slots=True)
class Column:
    """A column of numbers: its heading, and its cell in a row."""

    heading: str
    cell: Callable[[Part], Cell]


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its name in addresses, its words, the heading of its first column and those of the others, and its rows, each with its own heading."""

    name: str
    caption: str
    first: str
    headings: Sequence[str]
    rows: Sequence[tuple[Cell, Sequence[Cell]]]

    def lines(self) -> list[list[str]]:
        """Return the lines of a spreadsheet."""
        return [[self.first, *self.headings], *([head.plain, *(cell.plain for cell in cells)] for head, cells in self.rows)]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page: its name, its title, how its numbers are made, its chart where it has one, and its tables."""

    name: str
    title: str
    formula: str
    chart: Chart | None
    tables: Sequence[Table]


@dataclass(frozen=True, slots=True)
class Names:
    """How contacts (0: none) and employees ("": nobody that is known) are called."""

    contacts: Mapping[int, str]
    employees: Mapping[str, str]


@dataclass(frozen=True)
class Teller:
    """Who tells of a report: in a language, with the names of contacts and employees."""

    language: str
    report: Report
    names: Names

    def say(self, message: str, **values: object) -> str:
        """Return a text in the language."""
        return i18n.gettext(self.language, message, **values)

    # --- Numbers --------------------------------------------------------------------------------------------------------------------------------

    def whole(self, value: float | None) -> Cell:
        """Write a whole number."""
        return _nothing() if value is None else Cell(i18n.number(self.language, int(value)), str(int(value)))

    def hours(self, seconds: float | None) -> Cell:
        """Write seconds as hours."""
        return _nothing() if seconds is None else Cell(i18n.one_decimal(self.language, seconds / 3600), f"{seconds / 3600:.4f}")

    def score(self, mean: float | None) -> Cell:
        """Write a mean score."""
        return _nothing() if mean is None else Cell(i18n.one_decimal(self.language, mean), f"{mean:.4f}")

    # --- Steps ----------------------------------------------------------------------------------------------------------------------------------

    @property
    def _labels(self) -> list[str]:
        """Return the short names of the steps, for axes."""
        period = self.report.period
        write = i18n.month if period.by_month else i18n.day_without_year if period.first.year == period.last.year else i18n.day
        return [write(self.language, step) for step in period.steps]

    @property
    def _heads(self) -> list[Cell]:
        """Return the names of the steps, for tables."""
        by_month, steps = self.report.period.by_month, self.report.period.steps
        write = i18n.month if by_month else i18n.day
        return [Cell(write(self.language, step), f"{step:%Y-%m}" if by_month else step.isoformat()) for step in steps]

    @property
    def _step(self) -> str:
        return self.say(_("Month") if self.report.period.by_month else _("Day"))

    # --- The page -------------------------------------------------------------------------------------------------------------------------------

    def sections(self) -> list[Section]:
        """Return the parts of the page in their order."""
        return [self._messages(), self._waiting(), self._response(), self._satisfaction(), self._by_contact(), self._by_employee()]

    def tables(self) -> dict[str, Table]:
        """Return all tables by their names."""
        return {table.name: table for section in self.sections() for table in section.tables}

    def summary(self) -> list[tuple[str, str, str]]:
        """Return what the period comes to: a name, its words and its number, each."""
        whole = self.report.whole
        opinion = self.score(whole.opinions.mean).shown
        return [
            ("messages", self.say(_("Customer messages")), self.whole(whole.customer_messages).shown),
            ("answers", self.say(_("Public answers")), self.whole(whole.employee_messages).shown),
            ("median", self.say(_("Median response time")), self._in_hours(whole.speed.median)),
            ("most", self.say(_("Nine in ten answered within")), self._in_hours(whole.speed.most)),
            ("waiting", self.say(_("Waiting threads at the end")), self.whole(self.report.waiting[-1]).shown),
            ("satisfaction", self.say(_("Satisfaction")), self.say(_("%(score)s of %(most)s"), score=opinion, most=i18n.number(self.language, 5))
             if whole.opinions.number else _NONE),
        ]  # fmt: skip

    def _in_hours(self, seconds: float | None) -> str:
        return _NONE if seconds is None else self.say(_("%(x)s hours"), x=self.hours(seconds).shown)

    def _messages(self) -> Section:
        columns = [
            Column(self.say(_("Customer messages")), lambda part: self.whole(part.customer_messages)),
            Column(self.say(_("Public answers")), lambda part: self.whole(part.employee_messages)),
            Column(self.say(_("Threads")), lambda part: self.whole(part.threads)),
        ]
        steps = self.report.steps
        rows = [
            Series("one", self.say(_("Customer messages")), [part.customer_messages for part in steps]),
            Series("two", self.say(_("Public answers")), [part.employee_messages for part in steps]),
        ]
        title = self.say(_("Messages and answers"))
        return Section(
            name="messages",
            title=title,
            formula=self.say(
                _("Public messages of customers, and of employees once they are released. Notes, forwards and automatic mails never count.")
            ),
            chart=self._chart("messages", title, rows, Axes(self._labels, self.say(_("Messages")), lambda one: self.whole(one).shown)),
            tables=[self._by_step("messages", title, columns)],
        )

    def _waiting(self) -> Section:
        title = self.say(_("Waiting threads"))
        waiting = self.report.waiting
        rows = [Series("one", title, waiting)]
        table = Table(
            "waiting", title, self._step, [self.say(_("Open or pending"))],
            [(head, [self.whole(number)]) for head, number in zip(self._heads, waiting, strict=True)],
        )  # fmt: skip
        return Section(
            name="waiting",
            title=title,
            formula=self.say(
                _(
                    "Threads that were open or pending when each day or month ended; of today, now. They are worked out from how threads stand now, "
                    "and what has become of their status since: threads that were deleted, erased, merged or marked as spam are left out."
                )
            ),
            chart=self._chart("waiting", title, rows, Axes(self._labels, self.say(_("Threads")), lambda one: self.whole(one).shown)),
            tables=[table],
        )

    def _response(self) -> Section:
        title = self.say(_("Response time"))
        steps = self.report.steps
        rows = [
            Series("one", self.say(_("Median")), [_in_hours(part.speed.median) for part in steps]),
            Series("two", self.say(_("90th percentile")), [_in_hours(part.speed.most) for part in steps]),
        ]
        axes = Axes(self._labels, self.say(_("Hours")), lambda one: i18n.number(self.language, round(one, 2)), whole=False)
        return Section(
            name="response",
            title=title,
            formula=self.say(
                _(
                    "From the first unanswered customer message to the public answer: half of the answers came within the median, "
                    "nine in ten within the 90th percentile. Both are exact."
                )
            ),
            chart=self._chart("response", title, rows, axes),
            tables=[self._by_step("response", title, self._speed())],
        )

    def _satisfaction(self) -> Section:
        title = self.say(_("Satisfaction"))
        rows = [Series("one", self.say(_("Mean score")), [part.opinions.mean for part in self.report.steps])]
        axes = Axes(self._labels, self.say(_("From 1 to 5")), lambda one: i18n.number(self.language, round(one, 1)), lowest=1.0, highest=5.0)
        scores, number = self.report.whole.opinions.scores, self.report.whole.opinions.number
        shares = [
            (Cell(self.say(words), f"{score} {self.say(words)}"),
             [self.whole(scores.get(score, 0)), self._share(scores.get(score, 0), number)])
            for score, words in sorted(SCORES.items(), reverse=True)
        ]  # fmt: skip
        by_score = Table("scores", self.say(_("Scores")), self.say(_("Score")), [self.say(_("Answers")), self.say(_("Share (%)"))], shares)
        return Section(
            name="satisfaction",
            title=title,
            formula=self.say(_("What customers said to the closing question, from 1 (very bad) to 5 (very good), on the day on which they did.")),
            chart=self._chart("satisfaction", title, rows, axes),
            tables=[self._by_step("satisfaction", title, self._opinions()), by_score],
        )

    def _by_contact(self) -> Section:
        parts, title = self.report.contacts, self.say(_("By contact"))
        named = {**self.names.contacts, 0: _NONE}
        columns = [
            Column(self.say(_("Customer messages")), lambda part: self.whole(part.customer_messages)),
            Column(self.say(_("Public answers")), lambda part: self.whole(part.employee_messages)),
            Column(self.say(_("Threads")), lambda part: self.whole(part.threads)),
            *self._speed()[1:],
            *self._opinions(),
        ]
        order = [*self.names.contacts, *(one for one in parts if one not in self.names.contacts)]
        rows = [(_named(named.get(one, f"#{one}")), [column.cell(parts[one]) for column in columns]) for one in order if one in parts]
        table = Table("contacts", title, self.say(_("Contact")), [column.heading for column in columns], rows)
        formula = self.say(_("By the contact that each thread has now; \"--\" are messages on order pages, and contacts that are gone."))
        return Section("contacts", title, formula, None, [table])

    def _by_employee(self) -> Section:
        parts, title = self.report.employees, self.say(_("By employee"))
        columns = [
            Column(self.say(_("Public answers")), lambda part: self.whole(part.employee_messages)),
            Column(self.say(_("Threads")), lambda part: self.whole(part.threads)),
            *self._speed()[1:],
            *self._opinions(),
        ]
        named = {one: self.names.employees.get(one, one or _NONE) for one in parts}
        order = sorted(parts, key=lambda one: (-parts[one].employee_messages, named[one], one))
        rows = [(_named(named[one]), [column.cell(parts[one]) for column in columns]) for one in order]
        table = Table("employees", title, self.say(_("Employee")), [column.heading for column in columns], rows)
        formula = self.say(_("By whoever wrote each answer; a thread in which two have answered is one of each."))
        return Section("employees", title, formula, None, [table])

    # --- Parts of it ----------------------------------------------------------------------------------------------------------------------------

    def _speed(self) -> list[Column]:
        return [
            Column(self.say(_("Timed answers")), lambda part: self.whole(part.speed.answers)),
            Column(self.say(_("Median (hours)")), lambda part: self.hours(part.speed.median)),
            Column(self.say(_("90th percentile (hours)")), lambda part: self.hours(part.speed.most)),
        ]

    def _opinions(self) -> list[Column]:
        return [
            Column(self.say(_("Scores given")), lambda part: self.whole(part.opinions.number)),
            Column(self.say(_("Mean score")), lambda part: self.score(part.opinions.mean)),
        ]

    def _share(self, number: int, of: int) -> Cell:
        if not of:
            return _nothing()
        return Cell(i18n.one_decimal(self.language, 100 * number / of), f"{100 * number / of:.4f}")

    def _by_step(self, name: str, caption: str, columns: Sequence[Column]) -> Table:
        """Return a table with a row for each step, and one for the whole period at its end."""
        parts = [*self.report.steps, self.report.whole]
        heads = [*self._heads, _named(self.say(_("Whole period")))]
        rows = [(head, [column.cell(part) for column in columns]) for head, part in zip(heads, parts, strict=True)]
        return Table(name, caption, self._step, [column.heading for column in columns], rows)

    def _chart(self, name: str, title: str, rows: Sequence[Series], axes: Axes) -> Chart:
        """Draw rows, and tell how low and how high each went."""
        told = [self._told(row, axes) for row in rows]
        first, last = (i18n.day(self.language, day) for day in (self.report.period.first, self.report.period.last))
        span = self.say(_("From %(first)s to %(last)s."), first=first, last=last)
        return chart(name, title, " ".join([span, *told]), rows, axes)

    def _told(self, row: Series, axes: Axes) -> str:
        known = [(value, place) for place, value in enumerate(row.values) if value is not None]
        if not known:
            return self.say(_("%(label)s: no numbers."), label=row.label)
        (low, low_at), (high, high_at) = min(known), max(known)
        return self.say(
            _("%(label)s: lowest %(low)s (%(low_at)s), highest %(high)s (%(high_at)s)."),
            label=row.label, low=axes.write(low), low_at=axes.labels[low_at], high=axes.write(high), high_at=axes.labels[high_at],
        )  # fmt: skip


def _in_hours(seconds: float | None) -> float | None:
    return None if seconds is None else seconds / 3600


def _nothing() -> Cell:
    return Cell(_NONE, "")


def _named(text: str) -> Cell:
    return Cell(text, "" if text == _NONE else text)
