"""The figures of a period, on each database: as worked out by hand and in Python, by the days of a time zone, of whoever may see them."""

from __future__ import annotations

import datetime as dt
import random
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event, insert, select
from sqlalchemy.orm import Session

from cs_plugin import desk
from cs_plugin.rules.inquiry import AuthorKind, Channel, address_key
from cs_plugin.rules.periods import PRESETS, Period, UnreadablePeriodError, begins, clock_of, read_period
from cs_plugin.rules.shops import ALL_SHOPS
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import daily, reports
from cs_plugin.store.models import ContactShop, Message, SurveyAnswer, Thread, ThreadEvent
from cs_plugin.store.options import set_option
from cs_plugin.store.reports import Report, Speed
from cs_plugin.store.scope import EVERYTHING, Scope
from tests.hosts.store import Store
from tests.hosts.writing import begin, do, look

PARIS, NOWHERE = Scope(frozenset({"1"})), Scope(frozenset())
BERLIN_TIME = ZoneInfo("Europe/Berlin")
NOW = dt.datetime(2026, 11, 21, 18, 0, tzinfo=dt.UTC)
TODAY = NOW.date()
HOUR = dt.timedelta(hours=1)


@dataclass
class Said:
    """A message as it is written into the table, and what Python counts it by."""

    thread: int
    shop: str
    folder: Folder
    contact: int | None
    moment: dt.datetime
    kind: AuthorKind
    private: bool = False
    released: bool = True
    author: str | None = None
    seconds: float | None = None
    score: int | None = None

    @property
    def counts(self) -> bool:
        """Say whether it is a public message that figures see."""
        seen = self.kind is AuthorKind.CUSTOMER or (self.kind is AuthorKind.EMPLOYEE and self.released)
        return seen and not self.private and self.folder is Folder.LIST


def write(session: Session, messages: Sequence[Said]) -> None:
    """Write messages with their threads, without the desk, as the desk would have left them."""
    for number in sorted({one.thread for one in messages}):
        its = [one for one in messages if one.thread == number]
        session.add(
            Thread(
                id=number, shop_id=its[0].shop, language="en", contact_id=its[0].contact, folder=its[0].folder, status=Status.CLOSED,
                address="a@example.com", address_hash=address_key("a@example.com"), token_nonce="n", created_at=its[0].moment,
            )
        )  # fmt: skip
        session.flush()
        for one in its:
            employee = one.kind is AuthorKind.EMPLOYEE
            released = one.moment if employee and one.released and not one.private else None
            message = Message(
                thread_id=number, home_thread_id=number, shop_id=one.shop, author_kind=one.kind, author_id=one.author, private=one.private,
                channel=Channel.DESK, text="text", created_at=one.moment, released_at=released, response_seconds=one.seconds if released else None,
            )  # fmt: skip
            session.add(message)
            session.flush()
            if one.score:
                session.add(SurveyAnswer(thread_id=number, message_id=message.id, shop_id=one.shop, score=one.score, created_at=one.moment))
    session.flush()


def report(store: Store, period: Period, *, scope: Scope = EVERYTHING, zone: dt.tzinfo = dt.UTC, now: dt.datetime = NOW) -> Report:
    """Return the figures of a period."""
    return look(store, lambda session: reports.report(session, scope, period, zone, now))


def due(seconds: Iterable[float]) -> Speed:
    """Work out in Python how fast answers came."""
    numbers = sorted(seconds)
    if len(numbers) < 2:
        return Speed(len(numbers), *(numbers * 2 or (None, None)))
    return Speed(len(numbers), statistics.median(numbers), statistics.quantiles(numbers, n=10, method="inclusive")[8])


def alike(found: Speed, expected: Speed) -> bool:
    """Say whether two speeds are the same, but for what MariaDB leaves out of its short numbers: they are told with six digits."""
    numbers = [(one.median or 0.0, one.most or 0.0) for one in (found, expected)]
    return found.answers == expected.answers and numbers[0] == pytest.approx(numbers[1], rel=1e-5)


# --- Against Python ---------------------------------------------------------------------------------------------------------------------------------


def at_random(contacts: Sequence[int]) -> list[Said]:
    """Return messages of some weeks around the night in which clocks are changed in Berlin; many of them lie near a midnight."""
    chance = random.Random(7)
    said = []
    for thread in range(1, 121):
        shop = chance.choice("112")
        folder = chance.choice((Folder.LIST,) * 6 + (Folder.SPAM, Folder.BIN))
        contact = chance.choice((None, *contacts))
        for _number in range(chance.randint(1, 5)):
            day = dt.datetime(2026, 10, 15, tzinfo=BERLIN_TIME).astimezone(dt.UTC) + dt.timedelta(days=chance.randint(0, 20))
            moment = day + chance.choice((dt.timedelta(microseconds=-1), dt.timedelta(), dt.timedelta(seconds=chance.randint(0, 86_399))))
            kind = chance.choice((*[AuthorKind.CUSTOMER, AuthorKind.EMPLOYEE] * 4, AuthorKind.MACHINE, AuthorKind.OUTSIDER))
            employee = kind is AuthorKind.EMPLOYEE
            seconds = chance.choice((None, float(chance.randint(0, 900_000)), chance.uniform(0, 5_000))) if employee else None
            said.append(
                Said(
                    thread, shop, folder, contact, moment, kind, private=chance.random() < 0.1, released=chance.random() < 0.9,
                    author=chance.choice("123") if employee else None, seconds=seconds,
                    score=chance.randint(1, 5) if employee and chance.random() < 0.3 else None,
                )
            )  # fmt: skip
    return said


@pytest.mark.shows("6.15")
def test_figures_are_what_python_works_out_of_the_same_messages(any_store: Store) -> None:
    """By day of Berlin, by contact and by employee: numbers, threads, exact medians and percentiles, and what customers said."""
    contacts = sorted(set(look(any_store, lambda session: session.scalars(select(ContactShop.contact_id)).all())))[:2]
    said = at_random(contacts)
    do(any_store, lambda bench: write(bench.session, said))
    period = Period(dt.date(2026, 10, 20), dt.date(2026, 10, 31))
    for scope, shops in ((EVERYTHING, "12"), (PARIS, "1")):
        found = report(any_store, period, scope=scope, zone=BERLIN_TIME)
        within = [
            one for one in said if one.shop in shops and period.first <= one.moment.astimezone(BERLIN_TIME).date() <= period.last
        ]
        counted = [one for one in within if one.counts]

        def agrees(part: reports.Part, its: Sequence[Said], asked: Sequence[Said]) -> bool:
            customers = sum(one.kind is AuthorKind.CUSTOMER for one in its)
            scores = sorted(one.score for one in asked if one.score and one.folder is Folder.LIST)
            numbers = (part.customer_messages, part.employee_messages, part.threads)
            told = sorted(score for score, number in part.opinions.scores.items() for _one in range(number))
            mean = statistics.fmean(scores) if scores else None
            return (
                numbers == (customers, len(its) - customers, len({one.thread for one in its}))
                and alike(part.speed, due(one.seconds for one in its if one.seconds is not None))
                and told == scores
                and part.opinions.mean == (pytest.approx(mean) if scores else None)
            )

        assert agrees(found.whole, counted, within)
        for number, day in enumerate(period.steps):
            on = [one for one in within if one.moment.astimezone(BERLIN_TIME).date() == day]
            assert agrees(found.steps[number], [one for one in on if one.counts], on), day
        for contact in (0, *contacts):
            its = [one for one in within if (one.contact or 0) == contact]
            assert agrees(found.contacts[contact], [one for one in its if one.counts], its), contact
        for employee in "123":
            its = [one for one in within if one.author == employee]
            assert agrees(found.employees[employee], [one for one in its if one.counts], its), employee


@pytest.mark.shows("6.15")
@pytest.mark.parametrize("number", [1, 2, 3, 10, 11, 12, 101])
def test_percentiles_are_exact_for_any_number_of_answers(store: Store, number: int) -> None:
    """As Python's own inclusive method has them, with equal numbers among them."""
    chance = random.Random(number)
    seconds = [chance.choice((60.0, chance.uniform(0, 10_000))) for _one in range(number)]
    said = [Said(1, "1", Folder.LIST, None, NOW - HOUR, AuthorKind.EMPLOYEE, author="1", seconds=one) for one in seconds]
    do(store, lambda bench: write(bench.session, said))
    assert alike(report(store, Period(TODAY, TODAY)).whole.speed, due(seconds))


# --- Days -------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("6.15")
@pytest.mark.parametrize(
    ("zone", "first", "hours"),
    [
        ("Europe/Berlin", dt.date(2026, 10, 24), [24, 25, 24]),   # clocks go back at three in the night
        ("America/New_York", dt.date(2026, 3, 7), [24, 23, 24]),   # and on
        ("Asia/Kathmandu", dt.date(2026, 5, 1), [24, 24, 24]),   # a quarter of an hour from all others
        ("Pacific/Apia", dt.date(2011, 12, 28), [24, 24, 0, 24]),   # a day that never was
        ("Asia/Beirut", dt.date(2022, 3, 26), [24, 23, 24]),   # clocks skip midnight
        ("America/Havana", dt.date(2025, 11, 1), [24, 25, 24]),   # midnight comes twice
        ("Pacific/Kiritimati", dt.date(2026, 11, 19), [24, 24, 24]),   # fourteen hours ahead
    ],
)
def test_days_are_those_of_the_clocks_on_the_wall(any_store: Store, zone: str, first: dt.date, hours: list[int]) -> None:
    """One message an hour, at the first and the last instant of it: each day has as many as it has hours, and none is lost or counted twice."""
    there = ZoneInfo(zone)
    period = Period(first, first + dt.timedelta(days=len(hours) - 1))
    clock = clock_of(period, there)
    instant = dt.timedelta(microseconds=1)
    moments = [begins(first, there) + number * HOUR for number in range(-2, sum(hours) + 2)]
    customer = AuthorKind.CUSTOMER
    said = [Said(1, "1", Folder.LIST, None, one + edge, customer) for one in moments for edge in (dt.timedelta(), HOUR - instant)]
    do(any_store, lambda bench: write(bench.session, said))
    found = report(any_store, period, zone=there, now=NOW + dt.timedelta(days=30))
    assert [part.customer_messages for part in found.steps] == [2 * number for number in hours]
    assert clock.until - clock.since == sum(hours) * HOUR


@pytest.mark.shows("6.15")
def test_a_long_period_is_told_month_by_month(any_store: Store) -> None:
    """The first and the last month may be parts of one; percentiles are those of the month and not the mean of its days'."""
    period = Period(dt.date(2024, 9, 15), TODAY)
    assert period.by_month
    assert (period.steps[0], period.steps[1], period.steps[-1]) == (dt.date(2024, 9, 15), dt.date(2024, 10, 1), dt.date(2026, 11, 1))
    edges = [(dt.datetime(2024, 9, 14, 23, 59, tzinfo=BERLIN_TIME), 1.0), (dt.datetime(2024, 9, 15, tzinfo=BERLIN_TIME), 2.0)]
    edges += [(dt.datetime(2024, 9, 30, 23, 59, tzinfo=BERLIN_TIME), 4.0), (dt.datetime(2024, 10, 1, tzinfo=BERLIN_TIME), 9.0)]
    employee = AuthorKind.EMPLOYEE
    said = [Said(1, "1", Folder.LIST, None, moment.astimezone(dt.UTC), employee, author="1", seconds=waited) for moment, waited in edges]
    do(any_store, lambda bench: write(bench.session, said))
    found = report(any_store, period, zone=BERLIN_TIME)
    assert [part.employee_messages for part in found.steps] == [2, 1, *[0] * 25]
    assert found.steps[0].speed.median == pytest.approx(3.0)
    assert found.whole.speed.median == pytest.approx(4.0)


@pytest.mark.shows("6.15")
def test_periods_are_read_from_an_address() -> None:
    """Each by its name, or by its days; without either it is the last 30 days, and a day to come has no figures."""
    today = dt.date(2026, 3, 1)
    found = {one.name: one.days(today) for one in PRESETS}
    assert found == {
        "30": (dt.date(2026, 1, 31), today),
        "7": (dt.date(2026, 2, 23), today),
        "90": (dt.date(2025, 12, 2), today),
        "month": (today, today),
        "last-month": (dt.date(2026, 2, 1), dt.date(2026, 2, 28)),
        "year": (dt.date(2026, 1, 1), today),
    }
    assert read_period({}, today) == Period(dt.date(2026, 1, 31), today, "30")
    assert read_period({"range": "year", "from": "2026-02-01", "to": "2026-02-03"}, today) == Period(dt.date(2026, 2, 1), dt.date(2026, 2, 3))
    assert read_period({"from": "2026-02-01"}, today) == Period(dt.date(2026, 2, 1), today)
    assert read_period({"to": "2026-02-28"}, today) == Period(dt.date(2026, 1, 30), dt.date(2026, 2, 28))
    assert read_period({"from": "2026-02-01", "to": "2026-12-31"}, today) == Period(dt.date(2026, 2, 1), today)


@pytest.mark.shows("6.15")
@pytest.mark.parametrize(
    ("said", "field", "told"),
    [
        ({"range": "8"}, "", "Choose one of the spans of time."),
        ({"from": "yesterday"}, "from", "Enter a day as year-month-day."),
        ({"from": "2026-02-30", "to": "2026-03-01"}, "from", "Enter a day as year-month-day."),
        ({"from": "2026-01-01", "to": "0001-01-01"}, "to", "Enter a day as year-month-day."),
        ({"from": "2026-01-02", "to": "2026-01-01"}, "to", "The last day lies before the first one."),
        ({"from": "2026-03-02"}, "from", "This day is still to come."),
        ({"from": "2020-01-01", "to": "2026-01-01"}, "from", "Choose five years at most."),
    ],
)
def test_a_period_that_cannot_be_read_says_why(said: dict[str, str], field: str, told: str) -> None:
    """At the field that is wrong."""
    with pytest.raises(UnreadablePeriodError) as raised:
        read_period(said, dt.date(2026, 3, 1))
    assert raised.value.wrong == {field: told}


# --- What counts ------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("6.15")
def test_a_contact_that_the_shop_has_no_longer_is_none(any_store: Store) -> None:
    """As in the list, its threads are of the type "--"; a contact of another shop's too."""
    mine, theirs = 1, 999
    said = [Said(number, "1", Folder.LIST, contact, NOW - HOUR, AuthorKind.CUSTOMER) for number, contact in enumerate((mine, theirs, None), 1)]
    do(any_store, lambda bench: write(bench.session, said))
    found = report(any_store, Period(TODAY, TODAY))
    assert {contact: part.customer_messages for contact, part in found.contacts.items()} == {0: 2, 1: 1}
    assert report(any_store, Period(TODAY, TODAY), scope=NOWHERE).is_empty


@pytest.mark.shows("6.15", "6.5")
def test_what_was_erased_stays_in_the_figures_of_its_days(any_store: Store) -> None:
    """By contact and by employee too, and for longer than anybody can ask; what customers said goes with their thread."""
    do(any_store, lambda bench: set_option(bench.session, "retention_days", 40, bench.now, context=ALL_SHOPS))
    thread = begin(any_store)
    any_store.clock.forward(hours=2)
    answered = do(any_store, lambda bench: desk.reply(bench, any_store.actor(), thread, desk.Answer("It is on its way.")).id)
    moment = any_store.clock.now
    survey = {"thread_id": thread, "message_id": answered, "shop_id": "1", "score": 4, "comment": "Thanks", "created_at": moment}
    do(any_store, lambda bench: bench.session.execute(insert(SurveyAnswer).values(**survey)))
    with any_store.app.app_context():
        any_store.desk.office.deliver(most=100)
    any_store.clock.forward(days=60)
    period = Period(moment.date(), moment.date())
    before = report(any_store, period, now=any_store.clock.now)
    assert before.whole.opinions.scores == {4: 1}
    assert before.employees[any_store.actor().employee.id].speed == Speed(1, 7200.0, 7200.0)
    assert do(any_store, lambda bench: desk.purge_closed(bench).erased) == 1
    do(any_store, lambda bench: daily.forget(bench.session, bench.now))
    after = report(any_store, period, now=any_store.clock.now)
    assert (after.whole.customer_messages, after.whole.employee_messages, after.whole.speed) == (1, 1, Speed(1, 7200.0, 7200.0))
    assert {key: part.speed for key, part in after.contacts.items()} == {key: part.speed for key, part in before.contacts.items()}
    assert {key: (part.employee_messages, part.threads) for key, part in after.employees.items()} == {any_store.actor().employee.id: (1, 1)}
    assert after.whole.opinions.number == 0
    any_store.clock.forward(days=daily.ERASED_COUNT_FOR)
    do(any_store, lambda bench: daily.forget(bench.session, bench.now))
    assert report(any_store, period, now=any_store.clock.now).is_empty


@pytest.mark.shows("6.15")
def test_waiting_threads_are_those_of_the_ends_of_days_by_the_clocks_on_the_wall(any_store: Store) -> None:
    """Worked out from what has become of their status since; today's are those that wait now, and of a month its end counts."""
    thread = begin(any_store)   # in the evening; in Auckland it is the next morning
    begun = any_store.clock.now.date()
    any_store.clock.forward(hours=5)
    do(any_store, lambda bench: desk.set_status(bench, any_store.actor(), [thread], Status.CLOSED))
    any_store.clock.forward(days=2)
    do(any_store, lambda bench: desk.set_status(bench, any_store.actor(), [thread], Status.PENDING1))
    begin(any_store, "In Berlin?", shop_id="2")
    any_store.clock.forward(days=1)
    now = any_store.clock.now
    period = Period(begun - dt.timedelta(days=1), now.date())
    assert report(any_store, period, now=now).waiting == [0, *waiting_at_ends(any_store, period, dt.UTC)]
    auckland = ZoneInfo("Pacific/Auckland")
    there = Period(begun - dt.timedelta(days=1), now.astimezone(auckland).date())
    assert report(any_store, there, zone=auckland, now=now).waiting == [0, *waiting_at_ends(any_store, there, auckland)]
    assert report(any_store, period, scope=PARIS, now=now).waiting[-1] == 1
    assert report(any_store, period, scope=NOWHERE, now=now).waiting == [0] * len(period.steps)
    months = report(any_store, Period(now.date() - dt.timedelta(days=800), now.date()), now=now)
    assert months.waiting == [*[0] * (len(months.waiting) - 1), 2]


def waiting_at_ends(store: Store, period: Period, zone: dt.tzinfo) -> list[int]:
    """Work out in Python how many threads waited at the end of each day but the first, from their events alone."""
    found = []
    threads, events = look(store, lambda session: (session.scalars(select(Thread)).all(), session.scalars(select(ThreadEvent)).all()))
    for step in period.steps[1:]:
        end, waiting = begins(step + dt.timedelta(days=1), zone), 0
        for thread in threads:
            its = [one for one in events if one.thread_id == thread.id and one.kind == "status"]
            past = [one.details["after"] for one in its if one.created_at < end]
            status = past[-1] if past else its[0].details["before"] if its else thread.status
            waiting += thread.created_at < end and status != Status.CLOSED
        found.append(waiting)
    return found


# --- What it costs ----------------------------------------------------------------------------------------------------------------------------------


def statements(store: Store, period: Period, scope: Scope) -> list[tuple[str, Any]]:
    """Return the SELECTs of a report."""
    asked: list[tuple[str, Any]] = []

    def listen(_connection: object, _cursor: object, statement: str, parameters: object, *_rest: object) -> None:
        asked.append((statement, parameters))

    engine = store.desk.sessions.kw["bind"]
    event.listen(engine, "before_cursor_execute", listen)
    try:
        report(store, period, scope=scope)
    finally:
        event.remove(engine, "before_cursor_execute", listen)
    return [one for one in asked if one[0].startswith(("SELECT", "WITH"))]


@pytest.mark.shows("6.15")
@pytest.mark.parametrize("scope", [EVERYTHING, PARIS, Scope(frozenset({"1", "2"}))], ids=["all", "one shop", "two shops"])
def test_a_report_costs_what_was_written_in_its_period(store: Store, scope: Scope) -> None:
    """Also where no day is packed: no long table is read from end to end, however many shops are asked for."""
    asked = statements(store, Period(TODAY - dt.timedelta(days=29), TODAY), scope)
    assert len(asked) == 13
    plans = []
    with store.desk.sessions.kw["bind"].connect() as connection:
        for statement, parameters in asked:
            plan = connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, parameters)
            plans += [str(row[3]) for row in plan]
    read = [line for line in plans if "SCAN cs_" in line]
    # These hold a row for each shop and contact, what is counted live, or a row for each day.
    assert {line.split()[1] for line in read} <= {"cs_thread_total", "cs_thread_apart", "cs_contact_shop", "cs_pack_mark", "cs_packed_day"}
    assert any("ix_cs_message_span (created_at>? AND created_at<?)" in line for line in plans)
    assert any("ix_cs_message_answer (released_at>? AND released_at<?)" in line for line in plans)
