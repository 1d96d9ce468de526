"""The totals of ranges of threads: what is counted and listed by them is what is counted and listed without them, whatever changes meanwhile."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from cs_plugin import desk
from cs_plugin.rules.inquiry import address_key, fold
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import locking, search, threads, totals
from cs_plugin.store.employees import remember
from cs_plugin.store.filters import NO_CONTACT, ThreadFilter
from cs_plugin.store.models import ListRange, ListTotal, RangeMark, Thread
from cs_plugin.store.scope import EVERYTHING, Scope
from cs_plugin.store.sorting import SORTS, Ranks, Sort, ordered_ids
from cs_plugin.web import rounds
from tests.hosts.fixtures import DATABASES
from tests.hosts.store import JOHN, LAYLA, MARIE, Store, make_store
from tests.hosts.writing import begin, contact_id, do, look
from tests.listed import total_of

PARIS = Scope(frozenset({"1"}))
MANY = 137
FILTERS = [
    ThreadFilter(),
    ThreadFilter(status=Status.OPEN),
    ThreadFilter(language="fr"),
    ThreadFilter(language="xx"),
    ThreadFilter(contact_id=1),
    ThreadFilter(contact_id=NO_CONTACT),
    ThreadFilter(contact_id=77),
    ThreadFilter(private=True),
    ThreadFilter(private=False),
    ThreadFilter(assignee_id=MARIE.id),
    ThreadFilter(folder=Folder.SPAM),
    ThreadFilter(status=Status.OPEN, language="en"),
    ThreadFilter(unassigned=True),
]


@pytest.fixture(scope="module")
def short_ranges() -> Any:
    """Ranges of ten threads, and no list that is too short for them: what holds for these holds for 5,000."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(locking, "RANGE", 10)
        patch.setattr(totals, "SIZE", 10)
        patch.setattr(threads, "_FEW", 0)
        yield


@pytest.fixture(scope="module", params=DATABASES)
def counted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, short_ranges: None) -> Any:
    """A store with many threads whose ranges have totals; some have changed since."""
    folder = tmp_path_factory.mktemp("counted")
    kind: str = request.param
    server = None if kind == "sqlite" else request.getfixturevalue(f"{kind}_server")
    url = f"sqlite:///{folder}/store.sqlite" if server is None else server.create_database()
    store = make_store(url, folder)
    contacts = [contact_id(store, "Webmaster"), contact_id(store)]
    do(store, lambda bench: write(bench.session, contacts, store.clock()))
    with store.app.app_context():
        rounds.bring_up_totals(store.desk)
    do(store, lambda bench: desk.set_status(bench, store.actor(), [34, 35], Status.PENDING2))
    do(store, lambda bench: desk.assign(bench, store.actor(), 77, JOHN.id))
    yield store
    with store.app.app_context():
        store.db.session.remove()
        store.db.engine.dispose()
    if server is not None:
        server.drop_database(url)


def write(session: Session, contacts: list[int], now: dt.datetime) -> None:
    """Write the threads, without the desk."""
    remember(session, [MARIE, JOHN, LAYLA], now)
    rows = []
    for number in range(MANY):
        name, address = ("Ann Berg", "Élodie Żak", "")[number % 3], f"customer{number % 5}@example.com"
        rows.append({
            "shop_id": ("1", "1", "2")[number % 3], "language": ("en", "fr", "ar", "zz")[number % 4], "contact_id": (None, *contacts, 99)[number % 4],
            "folder": Folder.LIST if number % 17 else Folder.SPAM, "status": tuple(Status)[number % 4], "private": number % 7 == 0,
            "assignee_id": (None, MARIE.id, JOHN.id, LAYLA.id, "gone")[number % 5], "address": address, "address_hash": address_key(address),
            "address_sort": address, "customer_name": name, "customer_sort": fold(name), "token_nonce": "n", "created_at": now,
            "message_sort": f"m{number % 6}",
        })
    session.execute(sa.insert(Thread), rows)
    search.index_threads(session, session.scalars(sa.select(Thread.id)).all())


RANKS = Ranks([2, 1], ["fr", "ar", "en"])


def pages(session: Session, scope: Scope, wanted: ThreadFilter, sort: Sort) -> tuple[list[int], int]:
    """Return the ids of all pages of a list, and its total."""
    asked: dict[str, Any] = {"sort": sort, "size": 20, "ranks": RANKS}
    first = threads.list_page(session, scope, wanted, number=1, **asked)
    rest = [threads.list_page(session, scope, wanted, number=number, **asked) for number in range(2, first.pages + 1)]
    return [row.id for page in (first, *rest) for row in page.rows], first.total


@pytest.mark.shows("6.7", "6.9")
@pytest.mark.parametrize("scope", [EVERYTHING, PARIS], ids=["all", "Paris"])
@pytest.mark.parametrize("wanted", FILTERS, ids=lambda one: ",".join(f"{name}={getattr(one, name)}" for name in one.__slots__ if getattr(one, name)))
def test_lists_by_ranges_are_those_without(counted: Store, scope: Scope, wanted: ThreadFilter) -> None:
    """Every sort, both ways: the same threads in the same order, and the same total."""

    def compare(session: Session) -> None:
        assert session.scalar(sa.select(sa.func.count()).select_from(ListRange))
        assert session.scalar(sa.select(sa.func.count()).select_from(RangeMark))
        for name in SORTS:
            for descending in (True, False):
                sort = Sort(name, descending)
                whole: list[Any] = [*session.scalars(ordered_ids(scope, wanted, sort, RANKS))]
                assert pages(session, scope, wanted, sort) == (whole, len(whole)), str(sort)

    look(counted, compare)


def test_a_page_beyond_the_end_is_the_last(counted: Store) -> None:
    """Also where ranges tell where it stands."""
    page = look(counted, lambda session: threads.list_page(
        session, EVERYTHING, ThreadFilter(), sort=Sort(), number=10**12, size=20, ranks=RANKS))
    assert (page.number, page.rows[-1].id) == (page.pages, 2)


def test_a_page_by_ranges_costs_a_fixed_number_of_queries(counted: Store) -> None:
    """However many ranges there are."""

    def read(session: Session) -> dict[str, int]:
        costs = {}
        session.connection()
        statements: list[str] = []
        sa.event.listen(session.get_bind(), "before_cursor_execute", lambda _c, _u, statement, *_: statements.append(statement))
        for name in ("id", "customer", "language", "employee"):
            statements.clear()
            threads.list_page(session, EVERYTHING, ThreadFilter(), sort=Sort(name), number=2, size=20, ranks=RANKS)
            costs[name] = len(statements)
        return costs

    assert look(counted, read) == {"id": 5, "customer": 5, "language": 5, "employee": 6}


@pytest.mark.parametrize("analyzed", [False, True], ids=["as it comes", "after ANALYZE"])
@pytest.mark.parametrize("scope", [EVERYTHING, PARIS], ids=["all", "Paris"])
def test_sqlite_reads_threads_of_a_range_by_their_ids(tmp_path: Path, short_ranges: None, scope: Scope, analyzed: bool) -> None:
    """Whatever a list is narrowed to and sorted by: it knows how to without being told, also where it has not counted its tables."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path)
    do(store, lambda bench: write(bench.session, [contact_id(store, "Webmaster"), contact_id(store)], store.clock()))
    with store.app.app_context():
        rounds.bring_up_totals(store.desk)
    if analyzed:
        with store.desk.engine.begin() as connection:
            connection.exec_driver_sql("ANALYZE")

    def read(session: Session) -> list[str]:
        asked: list[tuple[str, Any]] = []
        session.connection()
        engine = session.get_bind()
        note = lambda _c, _u, statement, values, *_: asked.append((statement, values))  # noqa: E731 - taken off again below
        sa.event.listen(engine, "before_cursor_execute", note)
        for wanted in FILTERS[:11]:
            for sort in (Sort("id"), *([Sort("status"), Sort("type", False)] if wanted.is_empty else [])):
                threads.list_page(session, scope, wanted, sort=sort, number=2, size=20, ranks=RANKS)
        sa.event.remove(engine, "before_cursor_execute", note)
        by_ranges = [(statement, values) for statement, values in asked if "cs_thread.id >= " in statement]
        assert len(by_ranges) > len(FILTERS)
        plans = [session.connection().exec_driver_sql("EXPLAIN QUERY PLAN " + statement, values).all() for statement, values in by_ranges]
        return [row[3] for plan in plans for row in plan if "cs_thread" in row[3] and "cs_thread_" not in row[3].split(" USING ")[0]]

    steps = look(store, read)
    assert steps
    assert [step for step in steps if "id>?" not in step.replace("rowid", "id")] == []


@pytest.mark.usefixtures("short_ranges")
def test_every_change_marks_its_range_until_it_is_counted_anew(any_store: Store) -> None:
    """What people do, what customers write and what is erased: the total is right before the worker comes by, and after."""
    store = any_store
    ids = [begin(store, f"Thread {number}") for number in range(25)]

    def total(wanted: ThreadFilter) -> int:
        return look(store, lambda session: total_of(session, EVERYTHING, wanted))[0]

    def bring_up() -> None:
        with store.app.app_context():
            rounds.bring_up_totals(store.desk)
        assert look(store, lambda session: session.scalar(sa.select(sa.func.count()).select_from(RangeMark))) == 0

    def check(opened: int, closed: int) -> None:
        for _ in range(2):
            assert (total(ThreadFilter(status=Status.OPEN)), total(ThreadFilter(status=Status.CLOSED))) == (opened, closed)
            assert total(ThreadFilter()) == opened + closed
            bring_up()

    bring_up()
    assert look(store, lambda session: sorted(session.scalars(sa.select(ListRange.number)))) == [0, 1]
    do(store, lambda bench: desk.set_status(bench, store.actor(), ids[:3], Status.CLOSED))
    check(22, 3)
    do(store, lambda bench: desk.delete(bench, store.actor(), ids[2:5]))
    check(20, 2)
    do(store, lambda bench: desk.restore(bench, store.actor(), ids[2:4]))
    check(21, 3)
    do(store, lambda bench: desk.add_note(bench, store.actor(), ids[7], "private"))
    assert total(ThreadFilter(private=True)) == 1
    store.clock.forward(days=31)
    do(store, lambda bench: desk.purge_bin(bench, older_than=desk.BIN_KEEPS))
    check(21, 3)
    begin(store, "one more")
    check(22, 3)
    assert look(store, lambda session: session.scalar(sa.select(sa.func.sum(ListTotal.threads)).where(ListTotal.field == "all"))) == 18
