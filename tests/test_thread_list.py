"""The Customer Service page: what its list shows, searches, sorts and pages, and what is done from it."""

from __future__ import annotations

import datetime as dt
import html
import re
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import event

from cs_plugin import ALL
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store.models import Thread
from cs_plugin.web.list_state import ListState
from cs_plugin.web.thread_list import first_words, list_url_of, may_be_cut
from tests.hosts.store import EVERYTHING, JOHN, LAYLA, MARIE, PARIS, Store
from tests.letterbox import LAYLA_H, LETTERS, MARIA, SPAMMY, YUKI, Letter, fill, many

URL = "/cs-admin/customer-service/"


def text_of(response: Any) -> str:
    """Return a page's text as it is read: without tags, entities resolved."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", response.text)).split())


def ids_of(response: Any) -> list[int]:
    """Return the threads that a page of the list shows, in its order."""
    assert response.status_code == 200
    return [int(number) for number in re.findall(r'cs-thread-id"><a href="[^"]*">(\d+)</a>', response.text)]


def rows_of(response: Any) -> list[str]:
    """Return the rows of the list as they are read."""
    body = response.text.partition("<tbody")[2].partition("</tbody>")[0]
    cells = [re.sub(r"<select.*?</select>|<noscript.*?</noscript>", "", row, flags=re.DOTALL) for row in body.split("<tr ")[1:]]
    return [" ".join(html.unescape(re.sub(r"<[^>]+>|role=\S+ class=\"[^\"]*\">", " ", cell)).split()) for cell in cells]


def token_of(client: Any) -> str:
    """Return a form's token for this client."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get(URL).text)
    assert found
    return found[1]


def post(client: Any, path: str, *, token: str | None = None, json: bool = False, **form: object) -> Any:
    """Post a form of the list."""
    data = {"csrf_token": token_of(client) if token is None else token, **form}
    return client.post(URL + path, data=data, headers={"Accept": "application/json"} if json else {})


def statuses(store: Store) -> dict[int, Status]:
    """Return the status of every thread."""
    with store.app.app_context():
        return {thread.id: thread.status for thread in store.db.session.query(Thread).order_by(Thread.id)}


def in_list(store: Store) -> list[int]:
    """Return the threads that no bin or spam folder holds."""
    with store.app.app_context():
        return [thread.id for thread in store.db.session.query(Thread).filter(Thread.folder == Folder.LIST).order_by(Thread.id)]


# --- What it shows -----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("6.6")
def test_a_row_shows_all_twelve_columns_newest_thread_first(store: Store) -> None:
    """Every column stands in its place, with "--" where there is nothing."""
    fill(store, LETTERS)
    response = store.client(employee=MARIE).get(URL)
    heads = re.findall(r'<th role="columnheader".*?>(?:<a [^>]*>)?([^<]+)', response.text)
    assert heads == [
        "ID", "Customer", "Email", "Type", "Language", "Status", "Employee", "Messages", "Private", "Last message", "Shop", "Actions",
    ]  # fmt: skip
    assert ids_of(response) == [5, 4, 3, 2, 1]
    rows = rows_of(response)
    assert rows[4].startswith("1 Maria Fernández Ortega maria.fdez.ortega@example.es Webmaster English")
    assert "M. Dubois Buenas tardes, sigo sin número de seguim…" in rows[4]
    assert "Yes 21 Nov 18:37 Paris" in rows[4]
    assert rows[3].startswith("2 -- · yuki.tanaka@example.jp yuki.tanaka@example.jp Customer service English -- Hello")
    assert rows[3].endswith("No 21 Nov 19:14 Berlin")


@pytest.mark.shows("6.6")
def test_whole_messages_and_notes_are_there_for_hover_and_focus(store: Store) -> None:
    """What is cut in the row can be read whole without opening the thread."""
    fill(store, [MARIA])
    page = store.client(employee=MARIE).get(URL).text
    assert f'<bdi class="cs-peek">{MARIA.text}</bdi>' in page
    assert f'title="{MARIA.note}"' in page


def test_a_message_that_may_not_fit_its_column_is_there_as_a_whole() -> None:
    """Ideographs are twice as wide as letters."""
    assert not may_be_cut("x" * 24)
    assert may_be_cut("x" * 25)
    assert not may_be_cut("Dzień dobry, żółty kubek")
    assert may_be_cut("包裹在哪里" * 3)


@pytest.mark.shows("6.13")
def test_an_empty_view_says_what_stands_in_it(store: Store) -> None:
    """Whoever opens it for the first time reads what it is for; an empty search is only that."""
    client = store.client(employee=MARIE)
    assert "<p class=\"cs-muted cs-small\">Deleted threads, for 30 days</p>" in client.get(f"{URL}?view=bin").text
    assert "<p class=\"cs-muted cs-small\">Deleted threads, for 30 days</p>" not in client.get(f"{URL}?view=bin&email=x").text


def test_first_words_are_cut_at_40_characters_and_never_between_a_letter_and_its_accent() -> None:
    """A base letter keeps its combining marks, or goes with them."""
    assert first_words("x" * 40) == "x" * 40
    assert first_words("x" * 41) == "x" * 40 + "…"
    assert first_words("x" * 39 + "e\u0301" + "y" * 9) == "x" * 39 + "…"


@pytest.mark.shows("12.1")
def test_what_customers_write_is_escaped(store: Store) -> None:
    """Neither names nor words nor search fields bring tags into the page."""
    fill(store, [replace(SPAMMY, first_name="<script>alert(1)</script>", customer_id="9")])
    page = store.client(employee=MARIE).get(URL, query_string={"message": '"><script>alert(2)</script>', "id": "<b>"}).text
    assert "<script>alert" not in page
    page = store.client(employee=MARIE).get(URL).text
    assert "<script>alert" not in page
    assert "&lt;b&gt;Partnership&lt;/b&gt;" in page


@pytest.mark.shows("9.1")
def test_one_shop_leaves_no_trace_of_several(store: Store) -> None:
    """No column, no picker, no parameter."""
    store.answers.shops = (PARIS,)
    fill(store, [MARIA])
    page = store.client(employee=MARIE).get(URL)
    assert "Shop" not in text_of(page)
    assert "shop=" not in page.text


@pytest.mark.shows("9.1")
def test_the_context_in_the_url_says_which_shops_are_listed_and_stays(store: Store) -> None:
    """Group 1 is Paris and Berlin; the last context holds where the URL names none; one that does not exist shows all, and is not remembered."""
    fill(store, LETTERS)
    client = store.client(employee=MARIE)
    assert ids_of(client.get(URL + "?shop=shop-3")) == [4]
    assert ids_of(client.get(URL + "?shop=group-1")) == [5, 3, 2, 1]
    assert ids_of(client.get(URL)) == [5, 3, 2, 1]
    assert ids_of(client.get(URL + "?shop=shop-99")) == [5, 4, 3, 2, 1]
    assert ids_of(client.get(URL)) == [5, 3, 2, 1]
    assert ids_of(client.get(URL + "?shop=all")) == [5, 4, 3, 2, 1]


@pytest.mark.shows("9.1", "12.1")
def test_shops_that_an_employee_may_not_see_are_neither_listed_nor_offered(store: Store) -> None:
    """What is not granted is not there, whatever the URL asks for."""
    fill(store, LETTERS)
    store.answers.grants["2"] = {"view": ["1", "2"], "reply": ["1"]}
    client = store.client(employee=JOHN)
    assert ids_of(client.get(URL + "?shop=all")) == [5, 3, 2, 1]
    assert ids_of(client.get(URL + "?shop=shop-3")) == [5, 3, 2, 1]
    assert "Dubai" not in text_of(client.get(URL))


@pytest.mark.shows("12.1")
def test_what_is_not_granted_is_not_offered(store: Store) -> None:
    """Who only views gets no check boxes, no selects and no deletion; who replies in one shop gets them in its rows."""
    fill(store, LETTERS)
    store.answers.grants["2"] = {"view": ALL}
    page = store.client(employee=JOHN).get(URL).text
    assert "cs-thread-check" not in page
    assert 'name="status-' not in page
    assert "data-deletes" not in page
    assert "Bulk actions" not in page
    store.answers.grants["2"] = {"view": ALL, "reply": ["2"]}
    page = store.client(employee=JOHN).get(URL).text
    assert re.findall(r'name="status-(\d+)"', page) == ["2"]
    assert "data-deletes" not in page


@pytest.mark.shows("9.2")
def test_dates_stand_in_the_employees_language_and_zone(store: Store) -> None:
    """Layla works in Dubai, in Arabic, from right to left."""
    store.answers.grants["3"] = EVERYTHING
    fill(store, [MARIA])
    page = store.client(employee=LAYLA).get(URL).text
    assert '<main class="cs-desk" lang="ar" dir="rtl">' in page
    assert "21 نوفمبر 22:37" in page


def test_an_empty_desk_says_what_will_stand_here(store: Store) -> None:
    """A new store's employee is not left before a bare table."""
    assert "What customers write to you will stand here" in text_of(store.client(employee=MARIE).get(URL))


def test_a_message_from_last_year_carries_its_year(store: Store) -> None:
    """Two digits of it."""
    fill(store, [MARIA])
    store.clock.forward(days=300)
    assert "21 Nov 26 18:37" in text_of(store.client(employee=MARIE).get(URL))


# --- Search ------------------------------------------------------------------------------------------------------------------------------------

FOUND = {
    "id=3": [3],
    "id=%233": [3],
    "customer=fernández": [1],
    "customer=MARIA+ortega": [],
    "customer=maria+FERNÁNDEZ": [1],
    "customer=żofia": [3],
    "email=EXAMPLE": [5, 4, 3, 2, 1],
    "email=yuki": [2],
    "type=2": [5, 4, 2],
    "type=none": [],
    "language=ar": [4],
    "status=closed": [5],
    "status=pending1": [3],
    "employee=DUB": [1],
    "employee=J. Doe": [3],
    "employee=john doe": [3],
    "message=żółty": [3],
    "message=claim opened": [1],
    "message=100%_SURE": [5],
    "message=%": [5],
    "private=yes": [1],
    "private=no": [5, 4, 3, 2],
    "from=2026-11-22": [],
    "from=2026-11-21&to=2026-11-21": [5, 4, 3, 2, 1],
    "to=2026-11-20": [],
    "email=EXAMPLE&status=open&type=2": [4, 2],
}


@pytest.mark.shows("6.7")
def test_every_field_searches_what_it_says(any_store: Store) -> None:
    """On each database; "contains" in any case, also for Ż and É, and signs that SQL knows mean themselves."""
    fill(any_store, LETTERS)
    client = any_store.client(employee=MARIE)
    for query, expected in FOUND.items():
        pairs = dict(pair.split("=", 1) for pair in query.replace("+", " ").replace("%23", "#").split("&"))
        assert (query, ids_of(client.get(URL, query_string=pairs))) == (query, expected)


@pytest.mark.shows("6.7")
def test_days_are_those_of_the_employees_zone_and_both_are_included(store: Store) -> None:
    """18:37 UTC is 22:37 in Dubai; some hours later it is the next day there, and still the same where Marie works, in UTC."""
    store.answers.grants["3"] = EVERYTHING
    fill(store, [MARIA])
    store.clock.forward(hours=3)
    fill(store, [YUKI])
    layla, marie = store.client(employee=LAYLA), store.client(employee=MARIE)
    assert ids_of(layla.get(URL + "?from=2026-11-21&to=2026-11-21")) == [1]
    assert ids_of(layla.get(URL + "?from=2026-11-22&to=2026-11-22")) == [2]
    assert ids_of(marie.get(URL + "?from=2026-11-21&to=2026-11-21")) == [2, 1]


@pytest.mark.shows("6.8")
def test_nothing_found_reads_no_records_found_and_reset_keeps_sort_and_size(store: Store) -> None:
    """The fields keep what was typed; "Reset" stands only after a search."""
    fill(store, LETTERS)
    client = store.client(employee=MARIE)
    assert ">Reset<" not in client.get(URL).text
    page = client.get(URL + "?customer=nobody&sort=-email&size=50&page=3&shop=all")
    assert "No records found" in text_of(page)
    assert 'value="nobody"' in page.text
    reset = re.search(r'href="([^"]*)">Reset<', page.text)
    assert reset
    assert parse_qs(urlsplit(html.unescape(reset[1])).query) == {"shop": ["all"], "sort": ["-email"], "size": ["50"]}


BAD_VALUES = {
    "id=abc": "ID: Enter the whole number of a thread.",
    "id=-1": "ID: Enter the whole number of a thread.",
    "id=99999999999999999999999": "ID: Enter the whole number of a thread.",
    "type=77": "Type: Choose one of the list.",
    "language=xx": "Language: Choose one of the list.",
    "status=lost": "Status: Choose one of the list.",
    "private=maybe": "Private: Choose one of the list.",
    "from=yesterday": "From: Enter a day as year-month-day.",
    "from=0001-01-01": "From: Enter a day as year-month-day.",
    "to=9999-12-31": "To: Enter a day as year-month-day.",
    "to=2026-02-30": "To: Enter a day as year-month-day.",
    "from=2026-11-22&to=2026-11-20": "To: This day lies before “From”.",
}


@pytest.mark.shows("6.7")
def test_a_value_that_cannot_be_read_is_told_at_its_field(store: Store) -> None:
    """The field is marked, says what would be right, and keeps what was typed."""
    fill(store, [MARIA])
    client = store.client(employee=MARIE)
    for query, sentence in BAD_VALUES.items():
        page = client.get(f"{URL}?{query}")
        name = query.rpartition("&")[2].partition("=")[0]
        assert page.status_code == 200
        assert sentence in text_of(page)
        assert f'aria-invalid="true" aria-describedby="cs-wrong-{name}"' in page.text


STRANGE = (
    "page=0", "page=-1", "page=99999999999999999999999999", "page=%00", "page=1e9", "page=٣", "size=0", "size=-20", "size=99999", "sort=;drop",
    "sort=-", "sort=--id", "view=nobody", "shop=%00", "shop=group-", "shop=shop-" + "9" * 500, "customer=%00", "customer=%ff%fe",
    "email=" + "x" * 5000,
    "message=%ed%a0%80", "message=%5c", "message=%27%22", "employee=%25_%5c", "id=%00", "id=9223372036854775807",
    "id=9223372036854775808", "from=%00", "to=2199-12-31&from=1970-01-01", "customer=a&customer=b", "type=%00", "language=%00", "=&&==&",
    "back=//evil.example",
)  # fmt: skip


def test_no_url_breaks_the_list(any_store: Store) -> None:
    """Wrong encodings, NUL, huge and negative numbers: a list comes of each of them. What one database takes another refuses."""
    fill(any_store, [MARIA])
    client = any_store.client(employee=MARIE)
    assert [query for query in STRANGE if client.get(f"{URL}?{query}").status_code != 200] == []


# --- Sort and pages ----------------------------------------------------------------------------------------------------------------------------

SORTED = {
    "id": [1, 2, 3, 4, 5],
    "email": [4, 1, 5, 2, 3],
    "type": [2, 4, 5, 1, 3],
    "status": [1, 2, 4, 5, 3],
    "employee": [2, 4, 5, 3, 1],
    "private": [2, 3, 4, 5, 1],
    "last_message": [1, 2, 3, 4, 5],
}


@pytest.mark.shows("6.7")
def test_columns_sort_both_ways(any_store: Store) -> None:
    """On each database alike; where two are equal the newer stands last, or first the other way round."""
    fill(any_store, LETTERS)
    client = any_store.client(employee=MARIE)
    assert {name: ids_of(client.get(f"{URL}?sort={name}")) for name in SORTED} == SORTED
    assert {name: ids_of(client.get(f"{URL}?sort=-{name}")) for name in SORTED} == {name: ids[::-1] for name, ids in SORTED.items()}


@pytest.mark.shows("6.7")
def test_names_languages_and_messages_sort_both_ways(store: Store) -> None:
    """Languages by their own names, whatever their codes."""
    fill(store, LETTERS)
    client = store.client(employee=MARIE)
    for name in ("customer", "language", "message"):
        ascending = ids_of(client.get(f"{URL}?sort={name}"))
        assert sorted(ascending) == [1, 2, 3, 4, 5]
        assert ids_of(client.get(f"{URL}?sort=-{name}")) == ascending[::-1]
    assert ids_of(client.get(f"{URL}?sort=language")) == [1, 2, 5, 3, 4]


def test_the_sorted_column_says_so_and_its_link_turns_it_round(store: Store) -> None:
    """A first click sorts, a second turns round."""
    client = store.client(employee=MARIE)
    page = client.get(URL + "?sort=email").text
    assert re.search(r'cs-col-email" aria-sort="ascending"><a href="[^"]*sort=-email"', page)
    assert len(re.findall("aria-sort", page)) == 1
    page = client.get(URL + "?sort=-email").text
    assert re.search(r'cs-col-email" aria-sort="descending"><a href="[^"]*sort=email"', page)


@pytest.mark.shows("6.9")
def test_pages_begin_past_twenty_threads_and_keep_sort_and_search(store: Store) -> None:
    """Twenty are one page; with one more there are two, whose links carry the rest of the URL."""
    fill(store, many(20))
    client = store.client(employee=MARIE)
    assert 'aria-label="Pages"' not in client.get(URL).text
    fill(store, [replace(one, address=f"late{one.address}", text=f"Late. {one.text}") for one in many(5)])
    page = client.get(URL + "?sort=email&email=sender&shop=all")
    assert len(ids_of(page)) == 20
    assert "1–20 / 25" in text_of(page)
    following = re.search(r'rel="next" href="([^"]*)"', page.text)
    assert following
    second = client.get(html.unescape(following[1]))
    assert len(ids_of(second)) == 5
    assert parse_qs(urlsplit(html.unescape(following[1])).query) == {"shop": ["all"], "sort": ["email"], "page": ["2"], "email": ["sender"]}
    assert sorted(ids_of(page) + ids_of(second)) == list(range(1, 26))


@pytest.mark.shows("6.9")
def test_a_page_that_does_not_exist_is_the_nearest(store: Store) -> None:
    """Past the end the last, before the beginning the first."""
    fill(store, many(45))
    client = store.client(employee=MARIE)
    assert ids_of(client.get(URL + "?page=99")) == [5, 4, 3, 2, 1]
    assert ids_of(client.get(URL + "?page=0")) == ids_of(client.get(URL + "?page=-3")) == ids_of(client.get(URL))


@pytest.mark.shows("6.9")
def test_the_page_size_is_remembered_for_the_employee_alone(store: Store) -> None:
    """It is kept by a form, never by looking at a link."""
    store.answers.grants["2"] = EVERYTHING
    fill(store, many(45))
    marie, john = store.client(employee=MARIE), store.client(employee=JOHN)
    assert len(ids_of(marie.get(URL + "?size=50"))) == 45
    assert len(ids_of(marie.get(URL))) == 20
    answer = post(marie, "page-size?sort=email", size="50")
    assert answer.status_code == 303
    assert parse_qs(urlsplit(answer.location).query) == {"shop": ["all"], "sort": ["email"], "size": ["50"]}
    assert len(ids_of(marie.get(URL))) == 45
    assert len(ids_of(john.get(URL))) == 20


@pytest.mark.parametrize("size", ["0", "21", "-20", "abc", "", "99999999999999999999", "50\0"])
def test_a_page_size_that_is_not_offered_changes_nothing(store: Store, size: str) -> None:
    """The list says so."""
    client = store.client(employee=MARIE)
    assert post(client, "page-size", size=size).status_code == 303
    assert "Choose a page size of the list." in text_of(client.get(URL))


@pytest.mark.shows("6.9", "6.10")
def test_opening_a_thread_takes_the_state_of_the_list_along(store: Store) -> None:
    """Number, words and "View" lead to the thread, with what is needed to come back to the same list."""
    fill(store, LETTERS)
    page = store.client(employee=MARIE).get(URL + "?sort=-email&status=open&shop=group-1").text
    links = re.findall(r'href="([^"]*/customer-service/1/[^"]*)"', page)
    assert len(links) == 3
    back = parse_qs(urlsplit(html.unescape(links[0])).query)["back"][0]
    with store.app.test_request_context("/"):
        assert parse_qs(urlsplit(list_url_of(back)).query) == {"shop": ["group-1"], "sort": ["-email"], "status": ["open"]}
    assert store.client(employee=MARIE).get(html.unescape(links[0])).status_code == 200


ELSEWHERE = ("https://evil.example/", "//evil.example", "javascript:alert(1)", "/\\evil", "x" * 9000, "sort=-id&next=//evil", "\0", "&" * 999)


@pytest.mark.parametrize("back", ELSEWHERE)
def test_the_way_back_to_the_list_leads_nowhere_else(store: Store, back: str) -> None:
    """Whatever stands in "back", only what a list can say is left of it."""
    with store.app.test_request_context("/"):
        assert list_url_of(back) in (URL, URL + "?sort=-id")


def test_what_a_url_says_is_written_as_it_was_read() -> None:
    """Reading and writing are each other's reverse."""
    query = "shop=group-1&view=mine&sort=-email&size=50&page=3&customer=%C5%BB+%26&from=2026-11-01"
    assert ListState.of_query(query).query == query


@pytest.mark.shows("6.9")
def test_the_number_of_queries_does_not_grow_with_the_page(store: Store) -> None:
    """Twenty rows and three hundred cost the same: the two of the bell, that of mailboxes that fail and that of the menu's number included."""
    fill(store, [replace(one, note="A note", assignee_id="1") if n % 3 else one for n, one in enumerate(many(320))])
    client = store.client(employee=MARIE)
    client.get(URL)

    def queries(path: str, rows: int) -> list[str]:
        asked: list[str] = []

        def listen(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            asked.append(statement)

        with store.app.app_context():
            engine = store.db.engine
        event.listen(engine, "before_cursor_execute", listen)
        try:
            assert len(ids_of(client.get(path))) == rows
        finally:
            event.remove(engine, "before_cursor_execute", listen)
        return asked

    twenty, all_of_them = queries(URL, 20), queries(URL + "?size=300", 300)
    assert len(all_of_them) == len(twenty) == 18
    assert [one for one in all_of_them if not one.lstrip().upper().startswith("SELECT")] == []


# --- Views -------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("6.9")
def test_views_narrow_the_list_to_what_somebody_works_through(any_store: Store) -> None:
    """Mine and unassigned leave out what is closed; the longest wait comes first."""
    fill(any_store, [MARIA, replace(MARIA, text="Solved", status=Status.CLOSED), YUKI, LAYLA_H, SPAMMY])
    client = any_store.client(employee=MARIE)
    assert ids_of(client.get(URL + "?view=mine")) == [1]
    assert ids_of(client.get(URL + "?view=unassigned")) == [4, 3]
    assert ids_of(client.get(URL + "?view=waiting")) == [1, 3, 4]


def test_threads_of_somebody_who_has_left_count_as_unassigned(store: Store) -> None:
    """The name stays on the row."""
    fill(store, [replace(MARIA, assignee_id="2"), YUKI])
    client = store.client(employee=MARIE)
    assert ids_of(client.get(URL + "?view=unassigned")) == [2]
    del store.answers.employees["2"]
    client.get(URL)
    page = client.get(URL + "?view=unassigned")
    assert ids_of(page) == [2, 1]
    assert "J. Doe" in rows_of(page)[1]


def test_a_renamed_employee_is_shown_found_and_sorted_by_the_new_name(store: Store) -> None:
    """The list learns of it by itself."""
    fill(store, LETTERS)
    store.answers.employees["2"] = replace(JOHN, last_name="Aalto")
    client = store.client(employee=MARIE)
    assert "J. Aalto" in text_of(client.get(URL))
    assert ids_of(client.get(URL + "?employee=aalto")) == [3]


# --- Status in the row and bulk ----------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("6.10")
def test_a_status_is_saved_in_the_row(store: Store) -> None:
    """The same list comes back, and says "Update successful"; only the row whose "Save" was pressed has changed."""
    fill(store, LETTERS)
    client = store.client(employee=MARIE)
    answer = post(client, "status?sort=email&page=1&shop=all", save="2", **{"status-2": "pending2", "status-1": "closed"})
    assert (answer.status_code, answer.location) == (303, URL + "?shop=all&sort=email")
    assert "Update successful" in text_of(client.get(answer.location))
    assert "Update successful" not in text_of(client.get(answer.location))
    assert statuses(store)[2] is Status.PENDING2
    assert statuses(store)[1] is Status.OPEN


@pytest.mark.shows("6.10")
def test_a_script_is_told_what_came_of_it(store: Store) -> None:
    """No page is drawn for it, and nothing waits to be said on the next."""
    fill(store, LETTERS)
    client = store.client(employee=MARIE)
    answer = post(client, "status", json=True, save="1", **{"status-1": "closed"})
    assert (answer.status_code, answer.json) == (200, {"good": True, "text": "Update successful"})
    assert "Update successful" not in text_of(client.get(URL))
    refused = post(client, "status", json=True, token="wrong", save="1", **{"status-1": "open"})
    assert (refused.status_code, refused.json["good"]) == (409, False)
    assert statuses(store)[1] is Status.CLOSED


BULK = {"open": Status.OPEN, "closed": Status.CLOSED, "pending1": Status.PENDING1, "pending2": Status.PENDING2}


@pytest.mark.shows("6.11")
@pytest.mark.parametrize("action", BULK)
def test_bulk_actions_mark_the_selected_threads(store: Store, action: str) -> None:
    """And no other."""
    fill(store, LETTERS)
    client = store.client(employee=MARIE)
    before = statuses(store)
    answer = post(client, "bulk?sort=-email", action=action, thread=["1", "3"])
    assert answer.status_code == 303
    assert "Update successful" in text_of(client.get(answer.location))
    assert statuses(store) == before | {1: BULK[action], 3: BULK[action]}


@pytest.mark.shows("6.11")
def test_bulk_actions_are_named_as_they_are_known(store: Store) -> None:
    """Letter for letter."""
    page = text_of(store.client(employee=MARIE).get(URL))
    for words in ('Mark as "opened"', 'Mark as "closed"', 'Mark as "pending 1"', 'Mark as "pending 2"', "Delete selection"):
        assert words in page


@pytest.mark.shows("6.11", "12.1")
def test_threads_that_may_not_be_changed_are_left_out_and_counted(store: Store) -> None:
    """John replies in Paris only."""
    fill(store, LETTERS)
    store.answers.grants["2"] = {"view": ALL, "reply": ["1"], "delete": ["1"]}
    client = store.client(employee=JOHN)
    post(client, "bulk", action="closed", thread=["1", "2", "4"])
    assert "Update successful 1 of 3 threads; the others are no longer there, or you may not change them." in text_of(client.get(URL))
    assert [statuses(store)[one] for one in (1, 2, 4)] == [Status.CLOSED, Status.OPEN, Status.OPEN]
    post(client, "bulk", action="delete", thread=["2", "3"])
    assert "The selection has been successfully deleted. 1 of 2 threads" in text_of(client.get(URL))
    assert in_list(store) == [1, 2, 4, 5]


@pytest.mark.shows("12.1")
def test_who_may_not_change_threads_changes_none(store: Store) -> None:
    """The desk refuses, whatever is posted."""
    fill(store, LETTERS)
    store.answers.grants["2"] = {"view": ALL}
    client = store.client(employee=JOHN)
    before = statuses(store)
    for path, form in (
        ("bulk", {"action": "closed", "thread": ["1", "2"]}),
        ("bulk", {"action": "delete", "thread": ["1"]}),
        ("delete", {"thread": "1"}),
        ("status", {"save": "1", "status-1": "closed"}),
    ):
        assert post(client, path, **form).status_code == 303
        assert "Nothing was" in text_of(client.get(URL))
    assert statuses(store) == before
    assert in_list(store) == [1, 2, 3, 4, 5]


@pytest.mark.shows("6.11")
def test_nothing_selected_is_told(store: Store) -> None:
    """Without scripts the button is always there."""
    client = store.client(employee=MARIE)
    post(client, "bulk", action="closed")
    assert "Select at least one thread first." in text_of(client.get(URL))


BAD_FORMS = (
    ("bulk", {"action": "closed", "thread": ["abc", "-1", "0", "\0", "9" * 40, "9223372036854775807"]}),
    ("bulk", {"action": "\0", "thread": ["1"]}),
    ("bulk", {"thread": ["1"]}),
    ("bulk", {"action": "delete", "thread": ["77"]}),
    ("bulk", {"action": "delete", "thread": [str(n) for n in range(2, 1500)]}),
    ("status", {}),
    ("status", {"save": "1"}),
    ("status", {"save": "1", "status-1": "lost"}),
    ("status", {"save": "9" * 30, "status-1": "open"}),
    ("status", {"save": "77", "status-77": "open"}),
    ("delete", {}),
    ("delete", {"thread": "77"}),
    ("delete", {"thread": "\0"}),
    ("undo", {}),
    ("undo", {"deleted": "77"}),
    ("undo", {"deleted": "yesterday"}),
    ("undo", {"deleted": "2026-11-21T00:00:00"}),
    ("undo", {"deleted": "0001-01-01T00:00:00+14:00"}),
    ("undo", {"deleted": "9999-12-31T23:59:59-23:59"}),
    ("undo", {"deleted": "\0"}),
)


def test_no_form_breaks_the_list(store: Store) -> None:
    """A wrong id, status or action changes nothing and is told."""
    fill(store, [MARIA])
    client = store.client(employee=MARIE)
    for path, form in BAD_FORMS:
        assert (path, form, post(client, path, **form).status_code) == (path, form, 303)
        assert 'class="cs-message-line cs-is-bad"' in client.get(URL).text
    assert statuses(store) == {1: Status.OPEN}
    assert in_list(store) == [1]


@pytest.mark.shows("12.1")
@pytest.mark.parametrize("path", ["bulk", "status", "delete", "undo", "page-size"])
def test_a_form_without_a_good_token_changes_nothing_and_says_so(store: Store, path: str) -> None:
    """The list comes back as it stood."""
    fill(store, [MARIA])
    client = store.client(employee=MARIE)
    form = {"thread": "1", "action": "delete", "save": "1", "status-1": "closed", "size": "50", "deleted": "1"}
    answer = client.post(f"{URL}{path}?sort=email&shop=all", data={**form, "csrf_token": "wrong"})
    assert (answer.status_code, answer.location) == (303, URL + "?shop=all&sort=email")
    assert "nothing was changed. Please try again." in text_of(client.get(answer.location))
    assert statuses(store) == {1: Status.OPEN}
    assert in_list(store) == [1]


# --- Delete and undo ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("6.10", "2.10")
def test_delete_asks_on_a_page_of_its_own_and_can_be_undone(store: Store) -> None:
    """Without scripts: question, "Successful deletion.", "Undo"; the list keeps its state throughout."""
    fill(store, LETTERS)
    client = store.client(employee=MARIE)
    state = "shop=all&sort=email"
    page = client.get(f"{URL}?{state}").text
    link = re.search(r'href="([^"]*)" data-deletes="3"', page)
    assert link
    question = client.get(html.unescape(link[1]))
    assert "Are you sure you want to delete the selected item(s)?" in text_of(question)
    assert f'href="{URL}?shop=all&amp;sort=email">Cancel' in question.text
    assert in_list(store) == [1, 2, 3, 4, 5]
    answer = post(client, f"delete?{state}", thread="3")
    assert (answer.status_code, answer.location) == (303, f"{URL}?{state}")
    after = client.get(answer.location)
    assert "Successful deletion." in text_of(after)
    assert 3 not in ids_of(after)
    undo = re.search(r'name="deleted" value="([^"]+)"', after.text)
    assert undo
    answer = post(client, f"undo?{state}", deleted=undo[1])
    assert answer.location == f"{URL}?{state}"
    again = client.get(answer.location)
    assert "1 thread is back in the list." in text_of(again)
    assert 3 in ids_of(again)


@pytest.mark.shows("6.11", "2.10")
def test_deleting_a_selection_asks_once_and_can_be_undone_as_a_whole(store: Store) -> None:
    """Without scripts the question stands on a page; what was deleted before stays deleted."""
    fill(store, LETTERS)
    client = store.client(employee=MARIE)
    post(client, "delete", thread="5")
    store.clock.forward(minutes=1)
    question = post(client, "bulk", action="ask", thread=["1", "4"])
    assert question.status_code == 200
    assert "Are you sure you want to delete the selected item(s)?" in text_of(question)
    assert re.findall(r'name="thread" value="(\d+)"', question.text) == ["1", "4"]
    assert in_list(store) == [1, 2, 3, 4]
    answer = post(client, "bulk", action="delete", thread=["1", "4"])
    after = client.get(answer.location)
    assert "The selection has been successfully deleted." in text_of(after)
    assert ids_of(after) == [3, 2]
    undo = re.findall(r'name="deleted" value="([^"]+)"', after.text)
    post(client, "undo", deleted=undo[-1])
    assert "2 threads are back in the list." in text_of(client.get(URL))
    assert in_list(store) == [1, 2, 3, 4]


def test_undo_brings_back_only_what_may_be_deleted(store: Store) -> None:
    """Somebody else's undo button is of no use without the permission."""
    fill(store, [MARIA])
    store.answers.grants["2"] = {"view": ALL, "reply": ALL}
    post(store.client(employee=MARIE), "delete", thread="1")
    john = store.client(employee=JOHN)
    fill(store, [Letter("Another one")])
    post(john, "undo", deleted="1")
    post(john, "undo", deleted=dt.datetime(2026, 11, 21, 18, 37, tzinfo=dt.UTC).isoformat())
    assert in_list(store) == [2]


def test_the_hosts_own_messages_are_left_to_the_host(store: Store) -> None:
    """They are shown in the host's place, once, and not as ours."""
    client = store.client(employee=MARIE)
    with client.session_transaction() as session:
        session["_flashes"] = [("message", "Welcome back"), ("cs-good", "Update successful")]
    page = client.get(URL).text
    assert re.search(r'class="alert[^"]*">.*?Welcome back', page, re.DOTALL)
    assert page.count("Update successful") == 1
    assert "Welcome back" not in client.get(URL).text
