"""Threads as they are listed, counted, searched and opened, on each database."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from cs_plugin import desk
from cs_plugin.desk import Answer
from cs_plugin.rules.inquiry import AuthorKind, Channel, Sender, address_key, fold, preview
from cs_plugin.rules.people import Employee
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import search, threads
from cs_plugin.store.employees import remember
from cs_plugin.store.filters import NO_CONTACT, ThreadFilter, where
from cs_plugin.store.matches import COUNT_BOUND
from cs_plugin.store.models import EmployeeName, Message, Thread, ThreadEvent
from cs_plugin.store.scope import EVERYTHING, Scope
from cs_plugin.store.sorting import SORTS, Ranks, Sort, ordered_ids
from tests.hosts.fixtures import DATABASES
from tests.hosts.store import JOHN, LAYLA, MARIE, Store, make_store
from tests.hosts.writing import A_VISITOR, begin, contact_id, do, look, messages_of, receive, thread_of, token_of
from tests.listed import total_of

PARIS_ONLY, NOWHERE = Scope(frozenset({"1"})), Scope(frozenset())
STATUSES = tuple(Status)
MANY = 137
EVERY_ONE = ThreadFilter()


@dataclass
class Filled:
    """A store with many threads that differ in every column and tie in most."""

    store: Store
    ranks: Ranks


@pytest.fixture(scope="module", params=DATABASES)
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A store with many threads, made once for each database and only read."""
    folder = tmp_path_factory.mktemp("filled")
    kind: str = request.param
    server = None if kind == "sqlite" else request.getfixturevalue(f"{kind}_server")
    url = f"sqlite:///{folder}/store.sqlite" if server is None else server.create_database()
    store = make_store(url, folder)
    contacts = [contact_id(store, "Webmaster"), contact_id(store)]
    do(store, lambda bench: fill(bench.session, contacts, store.clock()))
    yield Filled(store, Ranks(contacts=contacts[::-1], languages=["fr", "ar", "en"]))
    with store.app.app_context():
        store.db.session.remove()
        store.db.engine.dispose()
    if server is not None:
        server.drop_database(url)


def fill(session: Session, contacts: list[int], now: dt.datetime) -> None:
    """Write the threads, without the desk: what is listed does not depend on how it came to be."""
    remember(session, [MARIE, JOHN, LAYLA], now)
    for number in range(MANY):
        name = ("Ann Berg", "Élodie Żak", "", "Ёлка Straße")[number % 4]
        address = f"customer{number % 5}@example.com"
        at = None if number % 11 == 0 else now - dt.timedelta(hours=number % 7)
        thread = Thread(
            shop_id=("1", "1", "2")[number % 3],
            language=("en", "fr", "ar")[number % 3],
            contact_id=(None, *contacts)[number % 3],
            folder=Folder.LIST if number % 17 else Folder.SPAM,
            status=STATUSES[number % 4],
            assignee_id=(None, MARIE.id, JOHN.id, LAYLA.id)[number % 4],
            address=address,
            address_hash=address_key(address),
            address_sort=fold(address),
            customer_name=name,
            customer_sort=fold(name),
            token_nonce="n",
            created_at=now,
        )
        session.add(thread)
        session.flush()
        search.index_threads(session, [thread.id])
        if at is not None:
            add_message(session, thread, f"Message {number % 6} of somebody", at)
        if number % 5 == 0:
            add_message(session, thread, f"Note {number}", now, private=True, author_kind=AuthorKind.EMPLOYEE)
        threads.recompute(session, [thread.id])


def add_message(session: Session, thread: Thread, text: str, at: dt.datetime, **changes: Any) -> Message:
    """Write a message into a thread."""
    fields: dict[str, Any] = {"author_kind": AuthorKind.CUSTOMER, "channel": Channel.FORM, **changes}
    where = {"thread_id": thread.id, "home_thread_id": thread.id, "shop_id": thread.shop_id}
    message = Message(text=text, preview=preview(text), created_at=at, **where, **fields)
    session.add(message)
    session.flush()
    search.index(session, message)
    return message


def ids_of(filled: Filled, sort: Sort, *, size: int = 20, wanted: ThreadFilter = EVERY_ONE, scope: Scope = EVERYTHING) -> list[int]:
    """Return the ids of all pages, one page after the other."""

    def read(session: Session) -> list[int]:
        first = threads.list_page(session, scope, wanted, sort=sort, number=1, size=size, ranks=filled.ranks)
        rest = [threads.list_page(session, scope, wanted, sort=sort, number=n, size=size, ranks=filled.ranks) for n in range(2, first.pages + 1)]
        return [row.id for page in (first, *rest) for row in page.rows]

    return look(filled.store, read)


def every_thread(filled: Filled) -> list[Thread]:
    """Return all threads of the list."""
    return look(filled.store, lambda session: list(session.scalars(sa.select(Thread).where(Thread.folder == Folder.LIST))))


def sort_key(filled: Filled, name: str, thread: Thread) -> Any:
    """Return what a thread sorts by, worked out in Python."""
    ranked = {row.id: row.rank for row in look(filled.store, lambda session: list(session.scalars(sa.select(EmployeeName))))}
    place = {value: number for number, value in enumerate(filled.ranks.contacts, 1)}
    keys: dict[str, Any] = {
        "id": 0,
        "customer": thread.customer_sort.encode(),
        "email": thread.address_sort,
        "type": place.get(thread.contact_id or 0, 0),
        "language": filled.ranks.languages.index(thread.language),
        "status": STATUSES.index(thread.status),
        "employee": ranked.get(thread.assignee_id or "", 0),
        "message": fold(thread.last_customer_text)[:64],
        "private": thread.private,
        "last_message": thread.last_customer_sort,
    }
    return (keys[name], thread.id)


@pytest.mark.shows("6.7")
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("name", [name for name in SORTS if name != "waiting"])
def test_every_sort_shows_every_thread_once_and_in_order(filled: Filled, name: str, descending: bool) -> None:
    """Threads that tie stay in one order from page to page, so that none is shown twice and none is lost."""
    found = ids_of(filled, Sort(name, descending))
    expected = sorted(every_thread(filled), key=lambda thread: sort_key(filled, name, thread), reverse=descending)
    assert found == [thread.id for thread in expected]


@pytest.mark.parametrize("descending", [False, True])
def test_the_sort_by_waiting_loses_none(filled: Filled, descending: bool) -> None:
    """Also where some wait for nobody, whom each database puts at an end of its own."""
    found = ids_of(filled, Sort("waiting", descending), size=7)
    assert sorted(found) == sorted(thread.id for thread in every_thread(filled))


def test_a_sort_without_ranks_works(filled: Filled) -> None:
    """Where there is no contact and no language to rank, the list is sorted by id."""
    for name in ("type", "language"):
        page = look(filled.store, lambda session, name=name: threads.list_page(
            session, EVERYTHING, ThreadFilter(), sort=Sort(name), number=1, size=20, ranks=Ranks()))
        assert [row.id for row in page.rows] == ids_of(filled, Sort())[:20]


@pytest.mark.shows("6.9")
@pytest.mark.parametrize(("number", "shown"), [(-5, 1), (0, 1), (1, 1), (3, 3), (7, 7), (8, 7), (10**30, 7)])
def test_a_page_that_does_not_exist_is_the_nearest_that_does(filled: Filled, number: int, shown: int) -> None:
    """A page number comes from a URL."""
    page = look(filled.store, lambda session: threads.list_page(
        session, EVERYTHING, ThreadFilter(), sort=Sort(), number=number, size=20, ranks=filled.ranks))
    assert (page.number, page.pages, page.total, page.more) == (shown, 7, len(every_thread(filled)), False)


def test_an_empty_list_has_one_empty_page(filled: Filled) -> None:
    """Nothing found is a page too."""
    page = look(filled.store, lambda session: threads.list_page(
        session, NOWHERE, ThreadFilter(), sort=Sort(), number=3, size=20, ranks=filled.ranks))
    assert (page.rows, page.number, page.pages, page.total) == ([], 1, 1, 0)


def at_noon(filled: Filled) -> dt.datetime:
    """Return the moment in which the threads were made."""
    return filled.store.clock()


@pytest.mark.shows("6.7")
@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        (ThreadFilter(status=Status.PENDING1), lambda one: one.status is Status.PENDING1),
        (ThreadFilter(language="fr"), lambda one: one.language == "fr"),
        (ThreadFilter(language="xx\x00" + "y" * 99), lambda one: False),
        (ThreadFilter(contact_id=NO_CONTACT), lambda one: one.contact_id is None),
        (ThreadFilter(contact_id=1), lambda one: one.contact_id == 1),
        (ThreadFilter(contact_id=2**63), lambda one: False),
        (ThreadFilter(id=3), lambda one: one.id == 3),
        (ThreadFilter(id=10**40), lambda one: False),
        (ThreadFilter(id=-1), lambda one: False),
        (ThreadFilter(private=True), lambda one: one.private),
        (ThreadFilter(private=False), lambda one: not one.private),
        (ThreadFilter(customer="ÉLODIE"), lambda one: one.customer_name.startswith("Élodie")),
        (ThreadFilter(customer="żak"), lambda one: one.customer_name.startswith("Élodie")),
        (ThreadFilter(customer="ёлка STRASSE"), lambda one: one.customer_name.startswith("Ёлка")),
        (ThreadFilter(customer="nobody"), lambda one: False),
        (ThreadFilter(email="CUSTOMER3@"), lambda one: one.address.startswith("customer3")),
        (ThreadFilter(employee="J. Doe"), lambda one: one.assignee_id == JOHN.id),
        (ThreadFilter(employee="marie dubois"), lambda one: one.assignee_id == MARIE.id),
        (ThreadFilter(message="message 4"), lambda one: one.last_customer_text.startswith("Message 4")),
        (ThreadFilter(message="note 25"), lambda one: one.private and one.newest_note_id is not None and one.id == 26),
        (ThreadFilter(message="%"), lambda one: False),
        (ThreadFilter(customer="_"), lambda one: False),
        (ThreadFilter(email="\\"), lambda one: False),
        (ThreadFilter(message="\x00\ud800nothing such"), lambda one: False),
        (ThreadFilter(assignee_id=LAYLA.id), lambda one: one.assignee_id == LAYLA.id),
        (ThreadFilter(unassigned=True), lambda one: one.assignee_id is None),
        (ThreadFilter(unassigned=False), lambda one: one.assignee_id is not None),
        (ThreadFilter(unfinished=True), lambda one: one.status is not Status.CLOSED),
        (ThreadFilter(waits=True), lambda one: one.status is Status.OPEN and one.waiting_since is not None),
        (ThreadFilter(waits=False), lambda one: one.status is not Status.OPEN or one.waiting_since is None),
        (ThreadFilter(status=Status.OPEN, language="en"), lambda one: one.status is Status.OPEN and one.language == "en"),
    ],
)
def test_each_filter_finds_its_threads_and_no_other(filled: Filled, wanted: ThreadFilter, fits: Any) -> None:
    """What a filter finds, and what it counts, is what Python finds among all threads."""
    expected = [one.id for one in sorted(every_thread(filled), key=lambda one: -one.id) if fits(one)]
    assert ids_of(filled, Sort(), wanted=wanted) == expected
    assert look(filled.store, lambda session: total_of(session, EVERYTHING, wanted)) == (len(expected), False)


@pytest.mark.shows("6.7")
def test_the_dates_of_the_last_message_hold_from_and_until(filled: Filled) -> None:
    """`since` is in, `until` is out; a thread without a customer message is on no day."""
    noon = at_noon(filled)
    wanted = ThreadFilter(since=noon - dt.timedelta(hours=3), until=noon - dt.timedelta(hours=1))
    found = ids_of(filled, Sort(), wanted=wanted)
    threes = [one for one in every_thread(filled) if one.last_customer_at in (noon - dt.timedelta(hours=3), noon - dt.timedelta(hours=2))]
    assert found == sorted((one.id for one in threes), reverse=True)
    without = {one.id for one in every_thread(filled) if one.last_customer_at is None}
    assert without
    assert without.isdisjoint(ids_of(filled, Sort(), wanted=ThreadFilter(until=noon + dt.timedelta(days=1))))


def test_the_spam_folder_is_a_list_of_its_own(filled: Filled) -> None:
    """What lies in another folder is in no list but that one."""
    spam = ids_of(filled, Sort(), wanted=ThreadFilter(folder=Folder.SPAM))
    assert len(spam) == len(range(0, MANY, 17))
    assert set(spam).isdisjoint(ids_of(filled, Sort()))


def test_a_row_shows_the_whole_of_a_message_and_of_the_newest_note(filled: Filled) -> None:
    """What the list cuts is there for hover and focus."""
    page = look(filled.store, lambda session: threads.list_page(
        session, EVERYTHING, ThreadFilter(id=26), sort=Sort(), number=1, size=20, ranks=filled.ranks))
    row = page.rows[0]
    assert (row.message, row.note, row.private) == ("Message 1 of somebody", "Note 25", True)
    assert row.assignee is not None
    assert row.assignee.id == MARIE.id


def test_a_list_page_costs_four_queries(filled: Filled) -> None:
    """However many threads there are, and however many are shown."""
    counted = []

    def read(session: Session) -> None:
        session.connection()   # on SQLite that takes the lock, which is no query of the list
        sa.event.listen(session.get_bind(), "before_cursor_execute", lambda *_: counted.append(1))
        threads.list_page(session, EVERYTHING, ThreadFilter(), sort=Sort("employee"), number=2, size=50, ranks=filled.ranks)

    look(filled.store, read)
    assert len(counted) == 4


@pytest.mark.parametrize("sort", [Sort(), Sort("last_message"), Sort("last_message", descending=False), Sort("customer"), Sort("email")])
def test_the_first_page_of_a_large_list_walks_an_index(any_store: Store, sort: Sort) -> None:
    """A list's first page must cost what the page costs: the database reads twenty threads and sorts none."""
    store = any_store

    def plan(session: Session) -> str:
        alike = {"shop_id": "1", "language": "en", "folder": Folder.LIST, "status": Status.OPEN, "token_nonce": "n", "created_at": store.clock()}
        rows = []
        for number in range(4000):
            address, at = f"a{number}@example.com", store.clock() - dt.timedelta(minutes=number % 991)
            own = {"address": address, "address_hash": address_key(address), "address_sort": address, "customer_sort": f"name {number % 977}"}
            rows.append({**alike, **own, "last_customer_sort": at, "last_customer_at": at})
        session.execute(sa.insert(Thread), rows)
        session.commit()
        kind = session.get_bind().dialect.name
        session.execute(sa.text("ANALYZE TABLE cs_thread" if kind == "mysql" else "ANALYZE cs_thread"))
        query = ordered_ids(EVERYTHING, ThreadFilter(), sort).limit(20)
        written = str(query.compile(session.get_bind(), compile_kwargs={"literal_binds": True}))
        explain = "EXPLAIN QUERY PLAN " if kind == "sqlite" else "EXPLAIN "
        return "\n".join(str(tuple(row)) for row in session.execute(sa.text(explain + written)))

    seen = look(store, plan)
    assert "Sort" not in seen
    assert "filesort" not in seen
    assert "TEMP B-TREE" not in seen


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (ThreadFilter(assignee_id="1", unfinished=True), "ix_cs_thread_waiting"),
        (ThreadFilter(waits=True), "ix_cs_thread_waiting"),
        (ThreadFilter(since=dt.datetime(2026, 11, 1, tzinfo=dt.UTC), until=dt.datetime(2026, 11, 3, tzinfo=dt.UTC)), "ix_cs_thread_last"),
    ],
    ids=["mine", "waiting longest", "days"],
)
def test_views_and_days_are_counted_by_an_index_alone(any_store: Store, wanted: ThreadFilter, index: str) -> None:
    """No thread is looked at for it: a look at each costs twenty times the index, in the view that an employee opens most."""
    store = any_store

    def plan(session: Session) -> str:
        alike = {"shop_id": "1", "language": "en", "folder": Folder.LIST, "token_nonce": "n", "address": "a@example.com", "address_hash": b"a" * 32}
        rows = []
        for number in range(4000):
            at = store.clock() - dt.timedelta(hours=number)
            status = Status.OPEN if number % 8 == 0 else Status.CLOSED
            own = {"status": status, "waiting_since": at, "assignee_id": str(number % 7), "last_customer_sort": at, "last_customer_at": at}
            rows.append({**alike, **own, "created_at": at})
        session.execute(sa.insert(Thread), rows)
        session.commit()
        kind = session.get_bind().dialect.name
        session.execute(sa.text("ANALYZE TABLE cs_thread" if kind == "mysql" else "ANALYZE cs_thread"))
        query = sa.select(sa.func.count()).select_from(Thread).where(*where(EVERYTHING, wanted))
        written = str(query.compile(session.get_bind(), compile_kwargs={"literal_binds": True}))
        explain = "EXPLAIN QUERY PLAN " if kind == "sqlite" else "EXPLAIN "
        return "\n".join(str(tuple(row)) for row in session.execute(sa.text(explain + written)))

    seen = look(store, plan)
    assert index in seen
    # PostgreSQL decides by how many pages of the table have changed lately whether it has to look at threads besides.
    assert any(words in seen for words in ("COVERING INDEX", "Index Only Scan", "Bitmap Index Scan", "Using index"))


LETTERS = [
    ("Été à Évian", "ÉTÉ À É"),
    ("ŻÓŁĆ", "żółć"),
    ("Ёжик в тумане", "ёЖИК"),
    ("Hauptstraße 5", "HAUPTSTRASSE"),
    ("HAUPTSTRASSE", "hauptstraße"),
    ("İstanbul", "istanbul"),
    ("İSTANBUL", "İstanbul"),
    ("ISPARTA", "ısparta"),
    ("我的包裹在哪里", "包裹"),
    ("أين طردي؟", "طردي"),
    ("E\u0301tat", "état"),
    ("ﬁne ﷺ", "fine"),
    ("ＦＵＬＬ　ＷＩＤＴＨ", "full width"),
    ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"),
    ("100 % of _it_ \\ 'quoted' \"twice\"", "100 % of _it_ \\ 'QUOTED' \"t"),
    ("two\n\n lines   here", "two lines here"),
    ("😀 smile", "😀"),
]


@pytest.mark.shows("6.7")
def test_words_are_found_in_any_case_and_alphabet(any_store: Store) -> None:
    """Letters of every alphabet meet whatever their case, and signs mean themselves; another emoji is another word."""
    store = any_store
    ids = {}
    for number, (text, _wanted) in enumerate(LETTERS):
        sender = Sender(f"v{number}@example.com", clean(text), "")
        ids[text] = begin(store, text, sender=sender)
    for text, wanted in LETTERS:
        for chosen in (ThreadFilter(message=wanted), ThreadFilter(customer=wanted)):
            found = look(store, lambda session, chosen=chosen: session.scalars(ordered_ids(EVERYTHING, chosen, Sort())).all())
            assert ids[text] in found, (text, chosen)
            assert len(found) <= 2, (text, chosen)
    for sign in ("😡", "%o", "_i_", "e"):
        wanted = ThreadFilter(message=sign)
        found = set(look(store, lambda session, wanted=wanted: session.scalars(ordered_ids(EVERYTHING, wanted, Sort())).all()))
        assert found == {ids[text] for text, _wanted in LETTERS if fold(sign) in fold(text)}, sign


def clean(text: str) -> str:
    """Return a text as a name holds it."""
    return " ".join(text.split())


def test_an_accent_is_a_letter_of_its_own(any_store: Store) -> None:
    """"e" does not find "é": all databases agree on that, MariaDB's usual collation does not."""
    begin(any_store, "été")
    assert look(any_store, lambda session: total_of(session, EVERYTHING, ThreadFilter(message="ete"))) == (0, False)
    assert look(any_store, lambda session: total_of(session, EVERYTHING, ThreadFilter(message="été"))) == (1, False)


@pytest.mark.shows("6.7")
def test_a_count_of_text_matches_is_bounded(any_store: Store) -> None:
    """Past 5,000 a search for text says so; any other filter counts exactly."""
    store = any_store

    def write(session: Session) -> None:
        row = {"shop_id": "1", "language": "en", "folder": Folder.LIST, "status": Status.OPEN, "token_nonce": "n", "created_at": store.clock()}
        row |= {"address": "a@example.com", "address_hash": b"a" * 32, "address_sort": "a@example.com"}
        session.execute(sa.insert(Thread), [row] * (COUNT_BOUND + 1))
        search.index_threads(session, session.scalars(sa.select(Thread.id)).all())
        session.commit()

    look(store, write)
    text, exact = ThreadFilter(email="example"), ThreadFilter(language="en")
    assert look(store, lambda session: total_of(session, EVERYTHING, text)) == (COUNT_BOUND, True)
    assert look(store, lambda session: total_of(session, EVERYTHING, exact)) == (COUNT_BOUND + 1, False)
    page = look(store, lambda session: threads.list_page(session, EVERYTHING, text, sort=Sort(), number=10**9, size=1000, ranks=Ranks()))
    assert (page.number, page.pages, len(page.rows), page.more) == (5, 5, 1000, True)


def test_messages_come_oldest_first_the_newest_part_of_a_long_thread(any_store: Store) -> None:
    """A very long thread shows its end, and what stands before a message on demand."""
    store = any_store
    thread_id = begin(store, "1")

    def write(session: Session) -> None:
        thread = session.get_one(Thread, thread_id)
        for number in range(2, 8):
            add_message(session, thread, str(number), store.clock())
        session.commit()

    look(store, write)
    newest = look(store, lambda session: threads.messages(session, EVERYTHING, thread_id, newest=3))
    assert [one.text for one in newest] == ["5", "6", "7"]
    earlier = look(store, lambda session: threads.messages(session, EVERYTHING, thread_id, newest=3, before=newest[0].id))
    assert [one.text for one in earlier] == ["2", "3", "4"]
    assert [one.text for one in look(store, lambda session: threads.messages(session, EVERYTHING, thread_id, newest=1, before=10**40))] == ["7"]
    assert look(store, lambda session: threads.messages(session, EVERYTHING, thread_id, newest=3, before=-1)) == []


@pytest.mark.shows("5.4")
def test_a_customer_sees_only_what_is_theirs_to_see(any_store: Store) -> None:
    """Notes, an outsider's answers, automatic mail and replies not yet released are never among the public messages."""
    store = any_store
    thread_id = begin(store, "from the customer")
    now = store.clock()

    def write(session: Session) -> None:
        thread = session.get_one(Thread, thread_id)
        employee = {"author_kind": AuthorKind.EMPLOYEE, "channel": Channel.DESK}
        add_message(session, thread, "an answer", now, released_at=now, **employee)
        add_message(session, thread, "a note", now, private=True, **employee)
        add_message(session, thread, "a note with a slip", now, private=True, released_at=now, **employee)
        add_message(session, thread, "held back", now, **employee)
        add_message(session, thread, "for later", now, released_at=now + dt.timedelta(seconds=1), **employee)
        add_message(session, thread, "an outsider", now, author_kind=AuthorKind.OUTSIDER, released_at=now)
        add_message(session, thread, "an outsider's private answer", now, author_kind=AuthorKind.OUTSIDER, private=True)
        add_message(session, thread, "out of office", now, author_kind=AuthorKind.MACHINE)
        add_message(session, thread, "a customer's words as a note", now, private=True)
        session.commit()

    look(store, write)
    seen = look(store, lambda session: [one.text for one in threads.public_messages(session, thread_id, now)])
    assert seen == ["from the customer", "an answer"]
    later = look(store, lambda session: [one.text for one in threads.public_messages(session, thread_id, now + dt.timedelta(seconds=1), newest=2)])
    assert later == ["an answer", "for later"]


@pytest.mark.shows("5.1")
def test_the_next_unanswered_is_the_one_that_waited_longest(any_store: Store) -> None:
    """Then the next; then one that was only opened again; then none."""
    store = any_store
    first = begin(store, "first")
    store.clock.forward(minutes=1)
    second = begin(store, "second")
    actor = store.actor()

    def next_one(**named: Any) -> int | None:
        return look(store, lambda session: threads.longest_waiting(session, EVERYTHING, **named))

    assert next_one() == first
    assert next_one(besides=first) == second
    store.clock.forward(minutes=1)
    do(store, lambda bench: desk.reply(bench, actor, first, Answer("done")))
    assert next_one() == second
    store.clock.forward(minutes=1)
    receive(store, "again", channel=Channel.LINK, thread_token=token_of(store, first), contact_id=None)
    assert next_one() == second
    do(store, lambda bench: desk.reply(bench, actor, second, Answer("done")))
    assert next_one() == first
    do(store, lambda bench: desk.reply(bench, actor, first, Answer("done")))
    assert next_one() is None
    do(store, lambda bench: desk.set_status(bench, actor, [second], Status.OPEN))
    assert next_one() == second
    do(store, lambda bench: desk.delete(bench, actor, [second]))
    assert next_one() is None


@pytest.mark.shows("5.2")
def test_other_threads_of_the_same_person_are_counted(any_store: Store) -> None:
    """By account where the customer is verified, else by address; what is deleted counts no more."""
    store = any_store
    mine = [begin(store, f"Thread {number}") for number in range(3)]
    begin(store, "another's", sender=replace(A_VISITOR, address="other@example.com"))
    do(store, lambda bench: desk.set_status(bench, store.actor(), mine[:1], Status.CLOSED))
    thread = thread_of(store, mine[0])
    assert look(store, lambda session: threads.counts_of_person(session, EVERYTHING, thread)) == (3, 2)
    assert look(store, lambda session: [one.id for one in threads.others_of(session, EVERYTHING, thread, limit=5)]) == [mine[2], mine[1]]
    do(store, lambda bench: desk.delete(bench, store.actor(), mine[2:]))
    assert look(store, lambda session: threads.counts_of_person(session, EVERYTHING, thread)) == (2, 1)


def test_kept_columns_of_a_thread_without_messages_are_empty(any_store: Store) -> None:
    """Where the last message has been taken away nothing stays of it."""
    store = any_store
    thread_id = begin(store)

    def take_away(session: Session) -> None:
        session.execute(sa.delete(Message))
        threads.recompute(session, [thread_id])
        session.commit()

    look(store, take_away)
    thread = thread_of(store, thread_id)
    assert (thread.last_customer_message_id, thread.last_customer_at, thread.last_customer_text, thread.customer_messages) == (None, None, "", 0)
    assert (thread.waiting_since, thread.last_activity_at, thread.private) == (None, None, False)


def test_many_threads_are_recomputed_in_one_statement(any_store: Store) -> None:
    """A bulk change costs one statement, not one a thread."""
    store = any_store
    ids = [begin(store, f"Thread {number}") for number in range(4)]
    before = {one: threads_facts(store, one) for one in ids}

    def spoil(session: Session) -> None:
        session.execute(sa.update(Thread).values(customer_messages=99, last_customer_text="wrong", waiting_since=None))
        threads.recompute(session, ids)
        session.commit()

    look(store, spoil)
    assert {one: threads_facts(store, one) for one in ids} == before


def threads_facts(store: Store, thread_id: int) -> tuple[object, ...]:
    """Return some kept columns."""
    thread = thread_of(store, thread_id)
    return thread.customer_messages, thread.last_customer_text, thread.waiting_since, thread.last_customer_message_id


def test_events_come_oldest_first(any_store: Store) -> None:
    """The newest events of a thread, in the order in which they happened."""
    store = any_store
    thread_id = begin(store)
    for status in (Status.CLOSED, Status.PENDING1, Status.OPEN):
        do(store, lambda bench, status=status: desk.set_status(bench, store.actor(), [thread_id], status))
    seen = look(store, lambda session: [one.details["after"] for one in threads.events(session, EVERYTHING, thread_id, newest=2)])
    assert seen == ["pending1", "open"]
    assert look(store, lambda session: session.scalar(sa.select(sa.func.count()).select_from(ThreadEvent))) == 3


def test_an_employee_keeps_a_name_of_any_kind(any_store: Store) -> None:
    """A name that is too long, or holds what no database takes, is cut and cleaned; a changed one moves its rank."""
    store = any_store
    odd = Employee("x", "A" * 300 + "\x00", "Öz\r\nBcc: x", "a" * 300)
    do(store, lambda bench: remember(bench.session, [odd, JOHN, MARIE], bench.now))
    do(store, lambda bench: remember(bench.session, [replace(MARIE, last_name="Aaron"), odd], bench.now))
    rows = look(store, lambda session: list(session.scalars(sa.select(EmployeeName).order_by(EmployeeName.rank))))
    assert [row.last_name for row in rows] == ["Aaron", "Doe", "Öz Bcc: x"]
    assert len(rows[-1].first_name) == 100
    assert messages_of(store, 1) == []
