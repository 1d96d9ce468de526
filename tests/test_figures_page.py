"""The Figures page: who sees it, what its address says, its charts and tables in the reader's language, its files, and what it costs."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import event, update

from cs_plugin import desk
from cs_plugin.rules.people import Employee
from cs_plugin.store.models import ContactText, EmployeeName, Message, SurveyAnswer
from cs_plugin.web.charts import HEIGHT, WIDTH, Axes, Series, chart
from cs_plugin.web.figures_page import TABLES
from tests.hosts.store import EVERYTHING, MARIE, Store
from tests.hosts.writing import begin, contact_id, do

URL = "/cs-admin/customer-service-figures/"


def page(store: Store, query: str = "", who: Employee = MARIE) -> str:
    """Return the page, as an employee sees it who may be another than the host's was."""
    store.answers.employees[who.id] = who
    answer = store.client(employee=who).get(URL + query)
    assert answer.status_code == 200
    return str(answer.text)


def lines(store: Store, table: str, query: str = "", who: Employee = MARIE) -> list[list[str]]:
    """Return the lines of a file, its heading first."""
    store.answers.employees[who.id] = who
    answer = store.client(employee=who).get(f"{URL}{table}.csv{query}")
    assert answer.status_code == 200
    assert answer.mimetype == "text/csv"
    text = answer.data.decode()
    assert text.startswith("\ufeff")
    return list(csv.reader(io.StringIO(text[1:], newline="")))


def answered(store: Store, text: str = "Where is it?", hours: float = 2, score: int | None = None, **changes: Any) -> int:
    """Begin a thread, answer it some hours later, and let its customer say how that was."""
    thread_id = begin(store, text, **changes)
    store.clock.forward(seconds=hours * 3600)
    message_id = do(store, lambda bench: desk.reply(bench, store.actor(), thread_id, desk.Answer("On its way.")).id)
    if score is not None:
        its = {"thread_id": thread_id, "message_id": message_id, "shop_id": changes.get("shop_id", "1"), "score": score, "comment": "secret words"}
        do(store, lambda bench: bench.session.add(SurveyAnswer(**its, created_at=bench.now)))
    return thread_id


def sums(text: str) -> dict[str, str]:
    """Return what the period comes to, by name."""
    return dict(re.findall(r'data-sum="(\w+)">([^<]*)<', text))


def rows(text: str, section: str) -> list[list[str]]:
    """Return the rows of the last table of a section."""
    part = text.split(f'id="cs-{section}"')[1].split("</section>")[0]
    body = part.rsplit("<tbody>", 1)[1].split("</tbody>")[0]
    return [re.findall(r"<(?:bdi|td)>([^<]*)<", row) for row in body.split("</tr>") if "<td>" in row]


# --- What it shows ----------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("6.15")
def test_the_page_tells_what_a_period_came_to_by_day_contact_and_employee(store: Store) -> None:
    """Numbers as worked out by hand, in a summary, in charts and in a table below each; comments of customers stay with their threads."""
    answered(store, "first", 1, score=5)
    answered(store, "second", 3, score=2)
    text = page(store)
    assert sums(text) == {
        "messages": "2", "answers": "2", "median": "2.0 hours", "most": "2.8 hours", "waiting": "0", "satisfaction": "3.5 of 5"
    }  # fmt: skip
    assert rows(text, "messages")[-2:] == [["21 Nov 2026", "2", "2", "2"], ["Whole period", "2", "2", "2"]]
    assert rows(text, "response")[-1] == ["Whole period", "2", "2.0", "2.8"]
    assert rows(text, "satisfaction") == [
        ["Very good", "1", "50.0"], ["Good", "0", "0.0"], ["Neither good nor bad", "0", "0.0"], ["Bad", "1", "50.0"], ["Very bad", "0", "0.0"]
    ]  # fmt: skip
    assert rows(text, "contacts") == [["Customer service", "2", "2", "2", "2.0", "2.8", "2", "3.5"]]
    assert rows(text, "employees") == [["M. Dubois", "2", "2", "2.0", "2.8", "2", "3.5"]]
    assert text.count('role="img"') == 4
    assert text.count("<caption") == len(TABLES)
    assert "secret words" not in text
    assert 'style="' not in text


@pytest.mark.shows("6.15", "9.2")
def test_charts_tell_themselves_in_words_and_run_from_left_to_right(store: Store) -> None:
    """Each has a title and a description; in Arabic too time begins at the left, with the numbers and dates that people read there."""
    answered(store)
    text = page(store, "?range=7")
    wanted = r'role="img" aria-labelledby="([\w-]+)" aria-describedby="([\w-]+)">\s*<title id="\1">([^<]*)</title>\s*<desc id="\2">([^<]*)</desc>'
    found = re.search(wanted, text)
    assert found is not None
    assert found[3] == "Messages and answers"
    rows_told = [f"{one}: lowest 0 (15 Nov), highest 1 (21 Nov)." for one in ("Customer messages", "Public answers")]
    assert found[4] == " ".join(["From 15 Nov 2026 to 21 Nov 2026.", *rows_told])
    arabic = page(store, "?range=7", replace(MARIE, language="ar"))
    svg = re.findall(r'<svg class="cs-chart-drawing"[^>]*>', arabic)
    assert len(svg) == 4
    assert all('direction="ltr"' in one for one in svg)
    labels = re.findall(r'<g class="cs-chart-steps">.*?</g>', arabic, re.DOTALL)[0]
    places = [float(one) for one in re.findall(r'<text x="([\d.]+)"', labels)]
    assert places == sorted(places)
    assert "نوفمبر" in labels


@pytest.mark.shows("6.15")
def test_days_are_those_of_the_employees_time_zone(store: Store) -> None:
    """A message of the evening in London belongs to the next day in Auckland; the page says whose days they are."""
    begin(store)
    there = replace(MARIE, timezone="Pacific/Auckland")
    assert rows(page(store, "?from=2026-11-21&to=2026-11-21"), "messages")[0] == ["21 Nov 2026", "1", "0", "1"]
    text = page(store, "?from=2026-11-21&to=2026-11-22", there)
    assert rows(text, "messages") == [
        ["21 Nov 2026", "0", "0", "0"], ["22 Nov 2026", "1", "0", "1"], ["Whole period", "1", "0", "1"]
    ]  # fmt: skip
    assert "Pacific/Auckland" in text


@pytest.mark.shows("6.15")
def test_a_page_without_figures_says_what_will_stand_there(store: Store) -> None:
    """With no chart and no table; the span of time can be chosen all the same."""
    text = page(store, "?from=2025-01-01&to=2025-01-31")
    assert "No figures of these days" in text
    assert "<table" not in text
    assert 'value="2025-01-01"' in text


@pytest.mark.shows("6.15")
@pytest.mark.parametrize(
    ("query", "told", "field"),
    [
        ("?from=yesterday", "Enter a day as year-month-day.", "from"),
        ("?from=2026-11-02&to=2026-11-01", "The last day lies before the first one.", "to"),
        ("?from=2027-01-01", "This day is still to come.", "from"),
        ("?from=2000-01-01&to=2026-01-01", "Choose five years at most.", "from"),
        ("?range=ever", "Choose one of the spans of time.", ""),
        ('?from="><script>alert(1)</script>&to=2026-11-01%00', "Enter a day as year-month-day.", "from"),
    ],
)
def test_a_span_that_cannot_be_shown_is_told_at_its_field(store: Store, query: str, told: str, field: str) -> None:
    """What was typed stays, as text and no markup; no figures are shown, and a file of it is not found."""
    begin(store)
    text = page(store, query)
    assert told in text
    assert "data-sum" not in text
    assert "<script>alert" not in text
    assert ('aria-invalid="true"' in text) is bool(field)
    assert store.client(employee=MARIE).get(f"{URL}messages.csv{query}").status_code == 404


@pytest.mark.shows("6.15")
def test_the_address_is_the_state_of_the_page(store: Store) -> None:
    """Presets are links, days a form that asks by GET; the context stays, and the picker keeps the span of time."""
    begin(store)
    text = page(store, "?range=last-month&shop=shop-1")
    assert re.search(r'href="[^"]*range=last-month"[^>]*aria-current="true">Last month<', text)
    assert 'value="2026-10-01"' in text
    assert '<form class="cs-period-days" method="get"' in text
    assert '<input type="hidden" name="shop" value="shop-1">' in text
    assert re.search(r'href="\?[^"]*"|href="[^"]*shop=shop-2&amp;range=last-month"', text)
    assert f'href="{URL}?shop=shop-1"' in store.client(employee=MARIE).get("/cs-admin/customer-service/?shop=shop-1").text


@pytest.mark.shows("6.15")
def test_who_has_left_keeps_their_name_and_nobody_else_has_one(store: Store) -> None:
    """An employee whom the host names no longer is called as the desk last saw them; names are text and no markup."""
    answered(store)
    do(store, lambda bench: bench.session.execute(update(Message).where(Message.author_id.is_not(None)).values(author_id="77")))
    do(store, lambda bench: bench.session.add(EmployeeName(id="77", first_name="=Ada", last_name="<b>King", seen_at=bench.now)))
    text = page(store)
    assert "=. &lt;b&gt;King" in text
    assert "<b>King" not in text


# --- Who may see it ---------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("6.15", "12.1")
def test_the_page_is_for_those_who_may_view_and_its_files_for_those_who_may_export(store: Store) -> None:
    """Of the shops in which they may; a file is not offered to others, and not given to them."""
    answered(store)
    answered(store, "in Berlin", shop_id="2")
    store.answers.grants = {"1": {"view": ["1"]}}
    text = page(store)
    assert rows(text, "messages")[-1] == ["Whole period", "1", "1", "1"]
    assert ".csv" not in text
    assert store.client(employee=MARIE).get(f"{URL}messages.csv").status_code == 403
    store.answers.grants = {"1": {"view": ["1", "2"], "export": ["2"]}}
    assert rows(page(store), "messages")[-1] == ["Whole period", "2", "2", "2"]
    assert lines(store, "messages")[-1] == ["Whole period", "1", "1", "1"]
    store.answers.grants = {"1": {"configure": ["1"]}}
    assert store.client(employee=MARIE).get(URL).status_code == 403
    store.answers.grants = {"1": EVERYTHING}
    assert store.client().get(URL).status_code in (302, 403)
    assert store.client(employee=MARIE).get(f"{URL}secrets.csv").status_code == 404
    assert store.client(employee=MARIE).post(URL).status_code == 405


# --- Files ------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("6.15")
def test_each_table_is_a_file_that_spreadsheets_reckon_with(store: Store) -> None:
    """Days are ISO, numbers have a point and no unit, in every language; a name that begins like a formula stays text."""
    answered(store, hours=1.5, score=4)
    hostile = '=cmd|"/c calc"!A1'
    do(store, lambda bench: bench.session.execute(update(ContactText).values(title=hostile)))
    french = replace(MARIE, language="fr")
    assert lines(store, "messages", "?range=7", french)[-2:][0] == ["2026-11-21", "1", "1", "1"]
    assert lines(store, "response", "?range=7", french)[-1][1:] == ["1", "1.5000", "1.5000"]
    assert lines(store, "waiting", "?range=7", french)[-1] == ["2026-11-21", "0"]
    assert lines(store, "satisfaction", "?range=7", french)[-1][1:] == ["1", "4.0000"]
    assert [row[1:] for row in lines(store, "scores")[1:]] == [["0", "0.0000"], ["1", "100.0000"], *[["0", "0.0000"]] * 3]
    assert lines(store, "contacts")[1] == [f"'{hostile}", "1", "1", "1", "1.5000", "1.5000", "1", "4.0000"]
    assert lines(store, "employees")[1] == ["M. Dubois", "1", "1", "1.5000", "1.5000", "1", "4.0000"]
    answer = store.client(employee=MARIE).get(f"{URL}messages.csv?range=7")
    assert answer.headers["Content-Disposition"] == "attachment; filename=figures-messages-2026-11-15-2026-11-21.csv"
    assert (answer.headers["Cache-Control"], answer.headers["X-Content-Type-Options"]) == ("private, no-store", "nosniff")
    assert lines(store, "messages", "?from=2024-01-01&to=2026-11-21")[1][0] == "2024-01"


# --- Drawing ----------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("6.15")
@pytest.mark.parametrize("highest", [0, 1, 2, 3, 7, 10, 99, 1_234, 10**6])
def test_a_scale_has_round_numbers_and_holds_what_is_drawn(highest: int) -> None:
    """From nought to the highest and a little more, in whole steps; nothing is drawn outside."""
    drawn = chart("c", "t", "w", [Series("one", "l", [0, highest])], Axes(["a", "b"], "u", lambda one: f"{one:g}"))
    numbers = [float(mark.label) for mark in drawn.scale]
    assert numbers[0] == 0
    assert max(highest, 1) <= numbers[-1] <= max(highest, 1) * 2.5
    assert 2 <= len(numbers) <= 7
    assert all(number == int(number) for number in numbers)
    for dot in drawn.lines[0].dots:
        assert 0 < float(dot.x) < WIDTH
        assert 0 < float(dot.y) < HEIGHT


@pytest.mark.shows("6.15")
def test_a_line_is_interrupted_where_there_is_no_number() -> None:
    """A number that stands alone is a dot; of a long line only those are."""
    row = [None, 1.0, None, 2.0, 3.0, *[None] * 95]
    drawn = chart("c", "t", "w", [Series("one", "l", row)], Axes([str(one) for one in range(100)], "u", str))
    assert drawn.lines[0].path.count("M") == 2
    assert drawn.lines[0].path.count("L") == 1
    assert [dot.words for dot in drawn.lines[0].dots] == ["1: 1.0"]
    assert len(drawn.steps) <= 7


@pytest.mark.shows("6.15")
@pytest.mark.parametrize("number", [1, 2, 3, 7, 8, 9, 13, 30, 31, 60, 100, 365])
def test_the_first_and_the_last_step_are_labelled(number: int) -> None:
    """At most seven are, none closer to the next than the others are, and a narrow page leaves neither end out."""
    drawn = chart("c", "t", "w", [Series("one", "l", [1.0] * number)], Axes([str(one) for one in range(number)], "u", str))
    told = [int(mark.label) for mark in drawn.steps]
    assert (told[0], told[-1]) == (0, number - 1)
    assert told == sorted(set(told))
    assert len(told) <= 7
    apart = [after - before for before, after in pairwise(told)]
    assert min(apart, default=1) >= min(apart[:1], default=1)
    kept = [int(mark.label) for mark in drawn.steps if not mark.minor]
    assert {0, number - 1} <= set(kept)


# --- What it costs ----------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("6.15")
def test_the_page_asks_the_database_few_questions(store: Store) -> None:
    """However many days, contacts and employees there are."""
    for text in ("one", "two", "three"):
        answered(store, text, contact_id=contact_id(store, "Webmaster") if text == "one" else contact_id(store))
    asked: list[str] = []

    def listen(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        asked.append(statement)

    client = store.client(employee=MARIE)
    client.get(URL)
    engine = store.desk.sessions.kw["bind"]
    event.listen(engine, "before_cursor_execute", listen)
    try:
        assert client.get(f"{URL}?range=year").status_code == 200
    finally:
        event.remove(engine, "before_cursor_execute", listen)
    selects = [one for one in asked if one.startswith(("SELECT", "WITH"))]
    assert len(selects) <= 20, "\n".join(selects)
    assert not [one for one in asked if one.startswith(("INSERT", "UPDATE", "DELETE"))]
