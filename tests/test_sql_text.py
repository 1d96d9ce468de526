"""The shown SQL of a list, pasted into the SQL manager, gives the listed threads in their order, on each database."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from html import unescape
from typing import Any

import pytest
from sqlalchemy import select

from cs_plugin import Employee
from cs_plugin.rules.inquiry import AuthorKind, address_key, fold
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import search, threads, words
from cs_plugin.store.filters import FILTERS, NO_CONTACT, ThreadFilter
from cs_plugin.store.models import Contact, ContactShop, ContactText, Thread
from cs_plugin.store.scope import EVERYTHING, Scope
from cs_plugin.store.sorting import NEWEST_FIRST, SORTS, Ranks, Sort, ordered_ids
from cs_plugin.store.sql_parser import checked
from cs_plugin.store.sql_results import Bounds, Manager
from cs_plugin.store.sql_text import as_text, formatted, language_of, readable
from tests.hosts.fixtures import DATABASES
from tests.hosts.store import EVERYTHING as EVERY_GRANT
from tests.hosts.store import JOHN, MARIE, Store, make_store
from tests.hosts.writing import contact_id, do, look
from tests.sql_users import manager_of
from tests.test_threads_store import add_message, fill

# Names that somebody may have, each of which would end a literal, a pattern or a line where one is written carelessly.
NAMES = (
    "O'Brien", 'Ann "Annie" Berg', "100% Żółć", "under_score", r"back\slash",
    r"end\'; DROP TABLE cs_thread; --", "?:name %s %(x)s {y}", "/* no */ -- no",
    "Ё é 日本 🙂", "'", "\\", "%", "''", "/", "a\tb", "$$x$$", "AND (SELECT 1) ORDER BY (",
)  # fmt: skip


@dataclass
class Shown:
    """A store with many threads, and the SQL manager of its database."""

    store: Store
    manager: Manager
    ranks: Ranks

    def agrees(self, wanted: ThreadFilter, sort: Sort = NEWEST_FIRST, scope: Scope = EVERYTHING) -> list[int]:
        """Return the ids that a list holds, and see that its shown SQL gives the same, in the same order."""
        query = ordered_ids(scope, wanted, sort, self.ranks)
        listed = look(self.store, lambda session: list(session.scalars(query)))
        database = self.store.desk.engine.dialect.name
        given = self.manager.run(checked(readable(query, database), language_of(database), 10_001), Bounds(30, 10_000))
        assert [row[0] for row in given.rows] == listed
        return listed


@pytest.fixture(scope="module", params=DATABASES)
def shown(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """A store with many threads on each database, made once and only read."""
    folder = tmp_path_factory.mktemp("shown")
    server = None if request.param == "sqlite" else request.getfixturevalue(f"{request.param}_server")
    url = f"sqlite:///{folder}/store.sqlite" if server is None else server.create_database()
    store = make_store(url, folder)
    contacts = [contact_id(store, "Webmaster"), contact_id(store)]
    do(store, lambda bench: fill(bench.session, contacts, store.clock()))
    do(store, lambda bench: name_some(bench.session, store.clock()))
    with manager_of(store) as manager:
        yield Shown(store, manager, Ranks(contacts=contacts[::-1], languages=["fr", "ar", "en"]))
    with store.app.app_context():
        store.db.session.remove()
        store.db.engine.dispose()
    if server is not None:
        server.drop_database(url)


def name_some(session: Any, now: dt.datetime) -> None:
    """Write a thread for each of the names, who wrote their own name."""
    for number, name in enumerate(NAMES):
        address = f"{number}@example.com"
        thread = Thread(
            shop_id="1", language="en", folder=Folder.LIST, status=Status.OPEN, address=address, address_hash=address_key(address),
            address_sort=fold(address), customer_name=name, customer_sort=fold(name), token_nonce="n", created_at=now,
        )  # fmt: skip
        session.add(thread)
        session.flush()
        add_message(session, thread, f"I am {name}!", now)
        add_message(session, thread, "noted", now, private=True, author_kind=AuthorKind.EMPLOYEE)
        search.index_threads(session, [thread.id])
        threads.recompute(session, [thread.id])


AFTERNOON = dt.datetime(2026, 11, 21, 17, tzinfo=dt.timezone(dt.timedelta(hours=2)))
# For each filter what is asked of it.
ASKED: dict[str, tuple[Any, ...]] = {
    "id": (3, 10**18, 2**63 - 1, 2**70),
    "customer": ("ann", "żak", "ЁЛКА", *NAMES, "nobody\0at all", "\ud800x"),
    "email": ("CUSTOMER1@", "%", "@example.com", "o'x"),
    "contact_id": (1, 2, NO_CONTACT, 99),
    "language": ("fr", "x'y", "\\"),
    "status": tuple(Status),
    "employee": ("doe", "marie d", "o'x", "%"),
    "message": ("message 3", "note 15", *NAMES, "qqq"),
    "private": (True, False),
    "since": (AFTERNOON,),
    "until": (AFTERNOON,),
    "assignee_id": (MARIE.id, "o'x", "\\"),
    "unassigned": (True, False),
    "unfinished": (True, False),
    "waits": (True, False),
    "folder": tuple(Folder),
    "person": ("address:3@example.com", "address:o'x%\\", "account:o'x", "account:\\", "account:%", "nobody", ""),
    "q": ("message 3", "#3", "3", "ann", "customer1@", "ab", *NAMES),
}


def test_every_filter_is_asked() -> None:
    """A filter that is new is shown as SQL, too."""
    assert set(FILTERS) <= {field.name for field in fields(ThreadFilter)}
    assert set(ASKED) == {*FILTERS, *words.PLACES}


@pytest.mark.shows("6.12")
@pytest.mark.parametrize("name", ASKED)
def test_the_shown_sql_of_each_filter_gives_the_listed_threads(shown: Shown, name: str) -> None:
    """Whatever is searched, quotes, percent signs, backslashes and every alphabet included."""
    found = [shown.agrees(ThreadFilter(**{name: value})) for value in ASKED[name]]
    assert any(found), "a filter that finds nothing shows nothing"


@pytest.mark.shows("6.12")
@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_found_as_it_stands(shown: Shown, name: str) -> None:
    """The list finds the person by name and by what they wrote; hence so does its SQL."""
    assert shown.agrees(ThreadFilter(customer=name))
    assert shown.agrees(ThreadFilter(message=name))


@pytest.mark.shows("6.12")
@pytest.mark.parametrize("name", SORTS)
def test_the_shown_sql_of_each_sort_gives_the_listed_order(shown: Shown, name: str) -> None:
    """Both ways, for all shops, for some, and for none."""
    for descending in (True, False):
        for scope in (EVERYTHING, Scope(frozenset({"1"})), Scope(frozenset({"1", "2", "o'x"})), Scope(frozenset())):
            shown.agrees(ThreadFilter(), Sort(name, descending), scope)


@pytest.mark.shows("6.12")
def test_everything_at_once(shown: Shown) -> None:
    """All filters together with a sort that joins a table."""
    some = {name: values[0] for name, values in ASKED.items() if name not in ("id", "since", "until", "contact_id")}
    shown.agrees(ThreadFilter(**some), Sort("employee", descending=False), Scope(frozenset({"1"})))
    assert shown.agrees(ThreadFilter(language="en", private=True, message="note"), Sort("employee"))


def test_the_shown_sql_has_a_line_for_each_condition(shown: Shown) -> None:
    """People read it: no value is left out, each clause and condition begins a line, and nothing in quotes is touched."""
    query = ordered_ids(EVERYTHING, ThreadFilter(customer="a FROM b  AND (c", language="fr", folder=Folder.LIST), Sort("email"))
    lines = readable(query, shown.store.desk.engine.dialect.name).splitlines()
    begins = [line.split()[0] for line in lines if not line.startswith(("    ", "  cs_"))]
    assert [one for one in begins if one.isupper()] == ["SELECT", "FROM", "WHERE", "AND", "AND", "ORDER"]
    assert any("a from b and (c" in line for line in lines)
    assert "'fr'" in "".join(lines)
    assert not re.search(r"[\s(]:\w", "\n".join(lines)), "a value that is not written in"
    assert "= 1" not in "".join(lines), "a condition that is asked whether it is one"


@pytest.mark.parametrize("language", ["sqlite", "postgresql", "mysql"])
def test_a_clause_of_each_database_is_negated_and_grouped_as_its_own(language: str) -> None:
    """Its OR keeps its parentheses; what is negated is what that database has, and not the answer compared with a number."""
    either, one = Thread.id.in_([1]) | Thread.private, Thread.id == 3
    held = words.ByDialect(either, one, either)
    text = as_text(select(Thread.id).where(held, ~held, Thread.id > 0), language)
    where = " ".join(text.split()).partition("WHERE ")[2].replace("cs_thread.", "")
    expected = {
        "sqlite": "(id IN (1) OR private = 1) AND NOT (id IN (1) OR private = 1) AND id > 0",
        "postgresql": "id = 3 AND id != 3 AND id > 0",
        "mysql": "(id IN (1) OR private = 1) AND NOT (id IN (1) OR private = 1) AND id > 0",
    }
    assert where == expected[language]


def test_lines_begin_in_queries_and_not_in_lists() -> None:
    """A query in parentheses stands further in; what is merely in parentheses stays on its line."""
    text = "SELECT a, b FROM t WHERE (x OR y) AND c IN (1, 2) AND EXISTS (SELECT 1 FROM u WHERE d AND e) ORDER BY a, b"
    assert formatted(text).splitlines() == [
        "SELECT a,",
        "  b",
        "FROM t",
        "WHERE (x OR y)",
        "  AND c IN (1, 2)",
        "  AND EXISTS (",
        "    SELECT 1",
        "    FROM u",
        "    WHERE d",
        "      AND e",
        "  )",
        "ORDER BY a,",
        "  b",
    ]


@pytest.mark.shows("6.12", "9.1")
def test_a_list_sorted_by_type_names_no_contacts_of_other_shops(store: Store) -> None:
    """Neither in a shop's context nor to somebody who may see one shop alone; those of the context are in their order."""
    store.answers.grants[JOHN.id] = {**EVERY_GRANT, "view": ["1"]}
    ids = dict(do(store, lambda bench: [(shop_id, add_contact(bench.session, shop_id, bench.now)) for shop_id in ("1", "2")]))

    def query(employee: Employee, context: str) -> str:
        page = store.client(employee=employee).get(f"/cs-admin/customer-service/sql?shop={context}&sort=type").text
        return unescape(re.findall(r'id="cs-sql-text"[^>]*><code>(.*?)</code>', page, re.DOTALL)[0])

    assert re.search(rf"\b{ids['2']}\b", query(MARIE, "all"))
    for shown in (query(MARIE, "shop-1"), query(JOHN, "all")):
        assert re.search(rf"\b{ids['1']}\b", shown)
        assert not re.search(rf"\b{ids['2']}\b", shown)


def add_contact(session: Any, shop_id: str, now: dt.datetime) -> int:
    """Make a contact of one shop, with a number that nothing else has."""
    contact = Contact(id=7000 + int(shop_id), email="", save_messages=True, position=9, created_at=now)
    contact.texts, contact.shops = [ContactText(language="en", title=f"Of {shop_id}")], [ContactShop(shop_id=shop_id)]
    session.add(contact)
    session.flush()
    return contact.id
