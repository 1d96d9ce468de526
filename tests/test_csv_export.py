"""The export of the list: whole, in its order, safe in a spreadsheet, and with flat memory however long it is."""

from __future__ import annotations

import csv
import gc
import io
import sqlite3
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cs_plugin.rules.spreadsheet import csv_lines, safe_cell
from cs_plugin.rules.status import Status
from cs_plugin.store import list_rows, walk
from cs_plugin.store.filters import ThreadFilter
from cs_plugin.store.models import Audit
from cs_plugin.store.scope import EVERYTHING, Scope
from cs_plugin.store.sorting import SORTS, Ranks, Sort, ordered_ids
from cs_plugin.web.csv_export import _AT_ONCE
from tests.hosts.store import JOHN, LAYLA, MARIE, Store, make_store
from tests.letterbox import LETTERS, Letter, fill, many
from tests.listed import crowd
from tests.test_thread_list import URL, ids_of

CSV = f"{URL}export.csv"


def rows_in(answer: Any) -> list[list[str]]:
    """Return the cells of an export, its heading first."""
    assert answer.status_code == 200
    text = answer.data.decode()
    assert text.startswith("\ufeff")
    return list(csv.reader(io.StringIO(text[1:], newline="")))


def column(answer: Any, number: int = 0) -> list[str]:
    """Return a column of an export without its heading."""
    return [row[number] for row in rows_in(answer)[1:]]


def at_once(store: Store, threads_there: int) -> int:
    """Return the most memory that an export has used, in bytes, while a client read it piece by piece."""
    with store.app.test_client() as client:
        address = f"{CSV}?sort=-message"
        client.get(address, headers={"X-Employee": MARIE.id}).close()
        gc.collect()
        tracemalloc.start()
        answer = client.get(address, headers={"X-Employee": MARIE.id}, buffered=False)
        lines = sum(piece.count(b"\r\n") for piece in answer.iter_encoded())
        _now, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert lines == threads_there + 1
        return peak


# --- What stands in it ------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("6.12")
def test_an_export_has_the_columns_of_the_list_and_one_line_for_each_thread(store: Store) -> None:
    """Without the actions; what the list shows as "--" is empty, messages are whole, moments are ISO."""
    fill(store, LETTERS)
    answer = store.client(employee=MARIE).get(CSV)
    heading, *rows = rows_in(answer)
    assert heading == ["ID", "Customer", "Email", "Type", "Language", "Status", "Employee", "Messages", "Private", "Last message", "Shop"]
    assert rows[-1] == [
        "1", "Maria Fernández Ortega", "maria.fdez.ortega@example.es", "Webmaster", "English", "Open", "M. Dubois",
        LETTERS[0].text, "Yes", "2026-11-21 18:37:00+00:00", "Paris",
    ]  # fmt: skip
    assert rows[-2][1] == "", "a visitor is not named"
    assert rows[0][6] == "", "nobody has it"
    assert answer.data.count(b"\r\n") == 6


@pytest.mark.shows("6.12")
def test_an_export_speaks_the_employees_language_and_tells_their_time(store: Store) -> None:
    """Words of the columns, of statuses, of yes and no, and the hour of the employee's zone."""
    store.answers.grants[LAYLA.id] = {"view": ["3"], "export": ["3"]}
    fill(store, LETTERS)
    heading, row = rows_in(store.client(employee=LAYLA).get(CSV))
    assert heading[0] == "رقم"
    assert row[5] == "مفتوح"
    assert row[9] == "2026-11-22 00:28:00+04:00"
    assert len(heading) == 10, "whoever sees one shop is told of none"


@pytest.mark.shows("6.12")
@pytest.mark.parametrize(
    "query", ["", "?sort=-email", "?sort=employee&email=sender", "?sort=-last_message&status=open", "?view=waiting", "?shop=shop-2"]
)
def test_an_export_is_the_list_filtered_and_sorted_with_all_of_its_pages(any_store: Store, query: str) -> None:
    """On every database, and longer than one piece."""
    fill(any_store, [*many(23), *LETTERS])
    client = any_store.client(employee=MARIE)
    listed = ids_of(client.get(f"{URL}{query}{'&' if query else '?'}size=50"))
    assert [int(one) for one in column(client.get(CSV + query))] == listed


@pytest.mark.parametrize("name", SORTS)
def test_a_list_is_written_down_in_its_order(any_store: Store, name: str) -> None:
    """By every sort, both ways, longer than what is fetched at once."""
    crowd(any_store, 5_100)
    crowd(any_store, 30, shop_id="2", status=Status.CLOSED, customer_sort="zoe")
    for scope in (EVERYTHING, Scope(frozenset({"2"}))):
        for descending in (True, False):
            sort = Sort(name, descending)
            with any_store.desk.sessions() as session:
                due = list(session.scalars(ordered_ids(scope, ThreadFilter(), sort)))
            written = walk.write_down(any_store.desk.sessions, scope, ThreadFilter(), sort, Ranks())
            assert [one for piece in written.pieces(700) for one in piece] == due


def test_an_export_goes_as_far_as_the_grant(store: Store) -> None:
    """Of the shops in which the employee may export, and in the bin only of those in which they may delete as well; nobody else gets any."""
    fill(store, LETTERS)
    store.answers.grants[JOHN.id] = {"view": ["1", "2", "3"], "export": ["2"]}
    john, marie = store.client(employee=JOHN), store.client(employee=MARIE)
    assert column(john.get(f"{CSV}?shop=all")) == ["2"]
    assert column(john.get(f"{CSV}?shop=shop-1")) == []
    assert column(john.get(f"{CSV}?view=bin")) == []
    store.answers.grants[JOHN.id] = {"view": ["1", "2", "3"], "reply": ["1"]}
    assert john.get(CSV).status_code == 403
    assert len(column(marie.get(CSV))) == 5


def test_an_export_is_nobody_elses_and_is_written_down(store: Store) -> None:
    """No cache keeps it; its name has the date; the host's records say who took what."""
    fill(store, LETTERS)
    answer = store.client(employee=MARIE).get(f"{CSV}?customer=maria&sort=-email&shop=shop-1")
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Disposition"] == "attachment; filename=customer-service-2026-11-21.csv"
    with store.desk.sessions() as session:
        audit = session.scalars(select(Audit)).one()
    assert (audit.actor_id, audit.action, audit.object_kind) == (MARIE.id, "threads_exported", "threads")
    assert audit.details == {"shops": ["1"], "filter": {"customer": "maria", "folder": "list"}, "sort": "-email"}


def test_an_export_of_a_view_that_is_gone_is_not_one_of_all_threads(store: Store) -> None:
    """Deleted meanwhile, or somebody else's: nothing goes out, and nothing is written down."""
    fill(store, LETTERS)
    client = store.client(employee=MARIE)
    assert client.get(f"{CSV}?view=7").status_code == 404
    with store.desk.sessions() as session:
        assert session.scalars(select(Audit)).all() == []


def test_an_export_is_written_down_of_none_who_did_not_ask_for_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link on a stranger's page, and whoever only asks what there would be, read nothing and leave no record."""
    fill(store, LETTERS)
    client = store.client(employee=MARIE)
    with monkeypatch.context() as unread:
        unread.delattr(walk, "write_down")
        assert client.get(CSV, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
        head = client.head(CSV)
    assert (head.status_code, head.headers["Content-Type"], head.data) == (200, "text/csv; charset=utf-8", b"")
    with store.desk.sessions() as session:
        assert session.scalars(select(Audit)).all() == []
    for site in ("same-origin", "none"):
        assert client.get(CSV, headers={"Sec-Fetch-Site": site}).status_code == 200


# --- In a spreadsheet -------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("6.12")
@pytest.mark.parametrize(
    "text",
    [
        "=1+1", "+49 30 123", "-2", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "|calc", "=cmd|' /C calc'!A0",
        "＝1+1", "＋1", "－1", "＠x", " =1+1", "\u200b=1", "\ufeff=1", "\0=1",
    ],
)  # fmt: skip
def test_what_begins_like_a_formula_is_text(text: str) -> None:
    """An apostrophe stands before it, also where something unseen or a full-width sign does."""
    cell = safe_cell(text)
    assert cell.startswith("'")
    assert "\0" not in cell


@pytest.mark.shows("6.12")
@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ('hello;=HYPERLINK("http://x/")', 'hello;\'=HYPERLINK("http://x/")'),
        ("Hello\n=cmd|' /C calc'!A0", "Hello\n'=cmd|' /C calc'!A0"),
        ("a; \u200b＝1", "a; \u200b'＝1"),
        ("one\r\n- two", "one\r\n'- two"),
    ],
)
def test_what_begins_like_a_formula_within_a_cell_is_text(text: str, safe: str) -> None:
    """Where ";" parts the cells, as in most of Europe, quotes in the middle of a line hold nothing together."""
    assert safe_cell(text) == safe


@pytest.mark.parametrize("text", [" " * 60 + "=1", "\x0b=1", "\x85=1", "\u2028=1", "\ufe0f=1"])
def test_nothing_unseen_hides_a_formula(text: str) -> None:
    """However much of it stands before the sign."""
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "Ann Berg", "a; b", "a=b", "1,5", "“=”", "Żółty", "مرحبا", "2026-11-21 18:37:00+00:00"])
def test_what_is_no_formula_stays_as_it_is(text: str) -> None:
    """No cell is changed without need."""
    assert safe_cell(text) == text


def test_lines_are_those_of_rfc_4180() -> None:
    """CRLF at the end, quotes where a cell holds commas, quotes or line breaks, and quotes doubled."""
    assert csv_lines([["a", 'b "c"', "d,e"], ["f\ng", "h\r\ni", ""]]) == 'a,"b ""c""","d,e"\r\n"f\ng","h\r\ni",\r\n'


def test_no_message_or_name_runs_in_a_spreadsheet(store: Store) -> None:
    """Names, addresses and messages come from outside."""
    fill(store, [Letter("=HYPERLINK(\"http://evil.example\")", "a@example.com", "=cmd", "Doe", "9")])
    (row,) = rows_in(store.client(employee=MARIE).get(CSV))[1:]
    assert row[1] == "'=cmd Doe"
    assert row[7].startswith("'=HYPERLINK")


# --- While it goes out ------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("6.12")
def test_an_export_takes_no_more_memory_for_ten_times_as_many(tmp_path: Path) -> None:
    """Of fifty thousand as of five thousand threads, sorted by what no index sorts: rows that were kept would take a kilobyte each."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path)
    crowd(store, 5_000)
    few = at_once(store, 5_000)
    crowd(store, 45_000)
    assert at_once(store, 50_000) < few + 12_000_000


def test_nobody_waits_while_a_client_reads_slowly(tmp_path: Path) -> None:
    """Between two pieces no transaction is open: another connection can have the whole database for itself."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path)
    crowd(store, 3 * _AT_ONCE)
    with store.app.test_client() as client:
        pieces = client.get(CSV, headers={"X-Employee": MARIE.id}, buffered=False).iter_encoded()
        for _ in range(3):
            assert next(pieces)
            other = sqlite3.connect(tmp_path / "store.sqlite", timeout=0)
            other.execute("BEGIN EXCLUSIVE")
            other.rollback()
            other.close()


def test_a_client_that_goes_away_ends_the_work(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing more is read, and the ids that were written down are forgotten."""
    crowd(store, 3 * _AT_ONCE)
    read: list[int] = []
    kept: list[walk.WrittenDown] = []
    rows, write_down = list_rows.rows, walk.write_down
    monkeypatch.setattr(list_rows, "rows", lambda session, scope, ids: (read.append(len(ids)), rows(session, scope, ids))[1])
    monkeypatch.setattr(walk, "write_down", lambda *asked: (kept.append(write_down(*asked)), kept[0])[1])
    with store.app.test_client() as client:
        answer = client.get(CSV, headers={"X-Employee": MARIE.id}, buffered=False)
        pieces = answer.iter_encoded()
        next(pieces)
        next(pieces)
        answer.close()
    assert read == [_AT_ONCE]
    with pytest.raises(ValueError, match="closed file"):
        next(iter(kept[0].pieces(1)))
