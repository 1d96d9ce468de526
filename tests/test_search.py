"""Searching for words on each database: what is found and what is not, within which bounds, and how what is searched is kept right."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import Session

from cs_plugin import desk
from cs_plugin.health import search as health
from cs_plugin.rules.excerpts import excerpt, marked, places
from cs_plugin.rules.inquiry import Sender, address_key
from cs_plugin.rules.people import Customer
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import fulltext, reindexing, schema, search, threads, words
from cs_plugin.store.filters import ThreadFilter
from cs_plugin.store.matches import COUNT_BOUND
from cs_plugin.store.models import Base, Message, SearchText, Thread, ThreadWords
from cs_plugin.store.scope import EVERYTHING, Scope
from cs_plugin.store.sorting import Ranks, Sort, ordered_ids
from cs_plugin.store.threads import Page
from tests.hosts.store import MARIE, Store
from tests.hosts.writing import JAN_SIGNED_IN, begin, do, look

PARIS = Scope(frozenset({"1"}))


def page(store: Store, wanted: ThreadFilter, scope: Scope = EVERYTHING, **how: Any) -> Page:
    """Return a page of what is found."""
    asked = {"sort": Sort(), "number": 1, "size": 20, "ranks": Ranks(), **how}
    return look(store, lambda session: threads.list_page(session, scope, wanted, **asked))


def found(store: Store, wanted: ThreadFilter, scope: Scope = EVERYTHING) -> list[int]:
    """Return what is found, in order, by the page and by the whole list: they must agree."""
    listed = [row.id for row in page(store, wanted, scope, size=1000).rows]
    whole: list[Any] = look(store, lambda session: list(session.scalars(ordered_ids(scope, wanted, Sort()))))
    assert listed == whole
    return listed


def is_mariadb(store: Store) -> bool:
    """Say whether the store is on MariaDB."""
    return look(store, words.finds_only_words)


def write_many(session: Session, number: int, text: Callable[[int], str], *, shop: Callable[[int], str] = lambda _n: "1") -> None:
    """Write so many threads with one message each, without the desk: their numbers begin at 1."""
    now = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
    alike = {"language": "en", "folder": Folder.LIST, "status": Status.OPEN, "token_nonce": "n", "created_at": now, "address": "a@example.com"}
    alike |= {"address_hash": address_key("a@example.com"), "address_sort": "a@example.com", "customer_sort": "somebody"}
    session.execute(sa.insert(Thread), [{**alike, "shop_id": shop(n)} for n in range(1, number + 1)])
    message = {"author_kind": "customer", "channel": "form", "created_at": now, "text": ""}
    rows = [{**message, "thread_id": n, "home_thread_id": n, "shop_id": shop(n), "text": text(n)} for n in range(1, number + 1)]
    session.execute(sa.insert(Message), rows)
    written = session.execute(sa.select(Message.id, Message.thread_id, Message.text)).all()
    search.index_messages(session, [(row.id, row.thread_id, row.text) for row in written])
    search.index_threads(session, range(1, number + 1))
    session.commit()
    wait_for_index(session, sum("kettle" in text(n) for n in range(1, number + 1)))


def wait_for_index(session: Session, number: int) -> None:
    """Wait until MariaDB finds all that was committed: on a busy machine its full-text index has been seen to find nothing of it at first."""
    dialect = session.get_bind(Thread).dialect.name
    if dialect not in ("mysql", "mariadb"):
        return
    for _try in range(100):
        there = session.scalar(sa.select(sa.func.count()).select_from(SearchText).where(SearchText.words.match("+kettle*")))
        session.commit()
        if there == number:
            return
        time.sleep(0.2)
    raise AssertionError(f"the full-text index finds {there} of {number} texts")


def change(store: Store, statement: Any) -> None:
    """Change something by hand."""
    with store.desk.sessions() as session:
        session.execute(statement)
        session.commit()


# --- What is found ----------------------------------------------------------------------------------------------------------------------------------

# Texts with what their signs would mean to one database or another.
SIGNS = {
    "cats OR dogs": ("cats or dogs", "cats or"),
    "cats and dogs": ("cats and dogs",),
    "NEAR(cats dogs)": ("near(cats",),
    "par* is no parcel": ("par* is",),
    "-minus +plus ~tilde": ("-minus +plus", "~tilde"),
    'say "hello" to it\'s': ('say "hello"', "it's"),
    "100%_sure \\ not": ("100%_sure", "_sure \\ not"),
    "(brackets) {column}: ^start": ("(brackets)", "{column}: ^start"),
    "semi;colon -- comment /* too */": ("semi;colon -- comment", "comment /* too"),
}


@pytest.mark.shows("6.7")
@pytest.mark.parametrize("field", ["message", "q"])
def test_signs_mean_themselves(any_store: Store, field: str) -> None:
    """No operator, wildcard, quote or comment of any database is one here; NUL is left out."""
    store = any_store
    ids = {text: begin(store, text) for text in SIGNS}

    def asking(typed: str) -> ThreadFilter:
        return ThreadFilter(q=typed) if field == "q" else ThreadFilter(message=typed)

    for text, several in SIGNS.items():
        for one in several:
            for typed in (one, one.upper(), f"\x00{one}"):
                assert found(store, asking(typed)) == [ids[text]], typed
    for typed in ("cats* dogs", "cats OR hello", '"cats', "nothing NEAR it", "'; DROP TABLE cs_thread; --"):
        assert found(store, asking(typed)) == []


ALPHABETS = {"Été à Évian": "ÉTÉ À É", "ŻÓŁĆ gęślą": "żółć", "Ёжик в тумане": "ёЖИК", "Hauptstraße": "HAUPTSTRASSE", "أين طردي اليوم": "طردي"}
CHINESE = {"我的包裹在哪里呢": "包裹在哪里", "荷物はどこですか": "どこですか"}


@pytest.mark.shows("6.7")
def test_letters_of_any_case_and_alphabet_meet(any_store: Store) -> None:
    """Chinese and Japanese too, which MariaDB alone does not know."""
    store = any_store
    ids = {text: begin(store, text) for text in ALPHABETS | CHINESE}
    for text, typed in (ALPHABETS if is_mariadb(store) else ALPHABETS | CHINESE).items():
        assert found(store, ThreadFilter(message=typed)) == [ids[text]], typed
        assert found(store, ThreadFilter(q=typed)) == [ids[text]], typed


@pytest.mark.shows("6.7")
def test_a_part_of_a_word_is_found_but_on_mariadb_which_finds_beginnings(any_store: Store) -> None:
    """Its index knows words; the field says so there."""
    store = any_store
    thread_id = begin(store, "The photographers came")
    assert found(store, ThreadFilter(message="photogr")) == [thread_id]
    assert found(store, ThreadFilter(message="the photog")) == [thread_id]
    assert found(store, ThreadFilter(message="ographer")) == ([] if is_mariadb(store) else [thread_id])


def test_words_that_mariadb_leaves_out_of_its_indexes_are_found(any_store: Store) -> None:
    """Its list of words that are too common is not ours."""
    thread_id = begin(any_store, "Who was the one")
    for typed in ("the", "who was", "was"):
        assert found(any_store, ThreadFilter(message=typed)) == [thread_id]


@pytest.mark.shows("6.7")
def test_the_one_box_looks_everywhere(any_store: Store) -> None:
    """The number, the name, the address, the order's reference, the subject, messages and notes."""
    store = any_store
    begin(store, "Another thing altogether")
    sender = Sender("zora@example.org", "Zora", "Quill")
    thread_id = begin(store, "Where is my violin?", sender=sender, subject="Tuning pegs", order_id=None)
    with_order = begin(store, "About this one", sender=JAN_SIGNED_IN)
    do(store, lambda bench: refer_to(bench.session, with_order, "ORD-7781"))
    do(store, lambda bench: desk.add_note(bench, store.actor(MARIE), thread_id, "Call the luthier"))
    for typed in (str(thread_id), f"#{thread_id}", "ZORA", "zora quill", "zora@example", "tuning", "violin", "luthier"):
        assert thread_id in found(store, ThreadFilter(q=typed)), typed
    assert found(store, ThreadFilter(q="ord-7781")) == [with_order]
    assert found(store, ThreadFilter(q="quill tuning")) == []
    assert found(store, ThreadFilter(q="violin", status=Status.CLOSED)) == []
    assert found(store, ThreadFilter(q="violin", email="zora")) == [thread_id]
    assert found(store, ThreadFilter(q="violin", email="jan")) == []


def refer_to(session: Session, thread_id: int, order_id: str) -> None:
    """Let a thread be about an order."""
    session.execute(sa.update(Thread).where(Thread.id == thread_id).values(order_id=order_id))
    search.rename_threads(session, [thread_id])


def test_the_row_tells_the_text_in_which_the_words_stand(any_store: Store) -> None:
    """Of several messages the newest with the words, as it was written."""
    store = any_store
    thread_id = begin(store, "Where is my Violin? First")
    do(store, lambda bench: desk.add_note(bench, store.actor(MARIE), thread_id, "The VIOLIN is lost"))
    do(store, lambda bench: desk.add_note(bench, store.actor(MARIE), thread_id, "Nothing of it here"))
    for wanted in (ThreadFilter(message="violin"), ThreadFilter(q="violin")):
        assert [row.found for row in page(store, wanted).rows] == ["The VIOLIN is lost"]
    assert [row.found for row in page(store, ThreadFilter(email="visitor")).rows] == [""]


# --- Bounds -----------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("6.7")
def test_a_bound_applies_after_scope_and_filters(any_store: Store) -> None:
    """A word of more than 5,000 threads: another shop's never take the place of this one's, nor closed ones that of open ones."""
    store = any_store
    look(store, lambda session: write_many(session, COUNT_BOUND + 300, lambda n: f"a kettle {n}", shop=lambda n: "1" if n <= 40 else "2"))
    everything = page(store, ThreadFilter(message="kettle"))
    assert (everything.total, everything.more) == (COUNT_BOUND, True)
    assert [row.id for row in everything.rows][:2] == [COUNT_BOUND + 300, COUNT_BOUND + 299]
    assert found(store, ThreadFilter(message="kettle"), PARIS) == list(range(40, 0, -1))
    change(store, sa.update(Thread).where(Thread.id.in_([3, 7])).values(status=Status.CLOSED))
    assert found(store, ThreadFilter(message="kettle", status=Status.CLOSED)) == [7, 3]
    assert found(store, ThreadFilter(q="kettle", status=Status.CLOSED)) == [7, 3]
    assert found(store, ThreadFilter(email="example", status=Status.CLOSED)) == [7, 3]


@pytest.mark.shows("6.7")
def test_a_sort_over_more_than_5000_sorts_the_newest_and_says_so(any_store: Store) -> None:
    """By ID both ends are true; the whole list holds all of them whatever the sort."""
    store = any_store
    number = COUNT_BOUND + 20
    look(store, lambda session: write_many(session, number, lambda n: f"a kettle {n}"))
    by_date = page(store, ThreadFilter(message="kettle"), sort=Sort("customer", descending=False))
    assert (by_date.newest_sorted, by_date.more, by_date.total) == (True, True, COUNT_BOUND)
    assert [row.id for row in by_date.rows][:2] == [21, 22]
    oldest = page(store, ThreadFilter(message="kettle"), sort=Sort("id", descending=False))
    assert (oldest.newest_sorted, [row.id for row in oldest.rows][:2]) == (False, [1, 2])
    whole = look(store, lambda session: session.scalars(ordered_ids(EVERYTHING, ThreadFilter(message="kettle"), Sort("customer"))).all())
    assert len(whole) == number


@pytest.mark.shows("6.7")
def test_short_words_are_looked_for_among_the_newest_of_the_scope(any_store: Store) -> None:
    """Two letters: no index helps. What other shops have written since does not push this one's out of sight."""
    store = any_store
    number = words.SCANNED + 50
    look(store, lambda session: write_many(session, number, lambda n: "zz" if n <= 30 else "something", shop=lambda n: "1" if n <= 40 else "2"))
    everywhere = page(store, ThreadFilter(message="zz"))
    assert (everywhere.total, everywhere.scanned) == (0, True)
    assert found(store, ThreadFilter(message="ZZ"), PARIS) == list(range(30, 0, -1))
    assert found(store, ThreadFilter(q="zz"), PARIS) == list(range(30, 0, -1))
    assert page(store, ThreadFilter(email="a@"), PARIS).total == 40
    assert not page(store, ThreadFilter(message="something")).scanned


QUERIES = {"absent": 2, "rare": 4, "common": 4}


@pytest.mark.parametrize("kind", QUERIES)
def test_a_search_costs_a_fixed_number_of_queries(any_store: Store, kind: str) -> None:
    """Whatever is found: the index, the threads, their rows, the texts; on PostgreSQL one more for the plan."""
    store = any_store
    look(store, lambda session: write_many(session, COUNT_BOUND + 20, lambda n: f"a kettle {n}" + (" zeppelin" if n % 1000 == 1 else "")))
    typed = {"absent": "nowhere", "rare": "zeppelin", "common": "kettle"}[kind]
    counted: list[str] = []

    def read(session: Session) -> None:
        session.connection()
        sa.event.listen(session.get_bind(), "before_cursor_execute", lambda _c, _u, statement, *_: counted.append(statement))
        threads.list_page(session, EVERYTHING, ThreadFilter(message=typed), sort=Sort(), number=1, size=20, ranks=Ranks())

    look(store, read)
    once_more = [one for one in counted if one.startswith("SET LOCAL")]
    assert len(counted) - len(once_more) == QUERIES[kind], counted


def test_words_that_are_not_so_rare_are_read_to_their_end(store: Store) -> None:
    """On SQLite, where the index knows more than 5,000 rows that reach far back, it is asked for all of them."""
    look(store, lambda session: write_many(session, COUNT_BOUND + 400, lambda n: f"a kettle {n}", shop=lambda n: "1" if n % 2 else "2"))
    asked = look(store, lambda session: words.ask(session, "message", "kettle", most=COUNT_BOUND))
    assert (asked.ids, asked.few) == (None, True)
    assert page(store, ThreadFilter(message="kettle"), PARIS).total == (COUNT_BOUND + 400) // 2


# --- Kept right -------------------------------------------------------------------------------------------------------------------------------------


def test_a_customers_new_name_is_found_and_the_old_one_no_more(any_store: Store) -> None:
    """What a thread is called follows the host."""
    store = any_store
    mine = begin(store, sender=JAN_SIGNED_IN)
    assert JAN_SIGNED_IN.customer_id
    assert found(store, ThreadFilter(customer=JAN_SIGNED_IN.last_name)) == [mine]
    renamed = Customer(JAN_SIGNED_IN.customer_id, "Berenike", "Zachariou", JAN_SIGNED_IN.address)
    do(store, lambda bench: desk.change_customer(bench, renamed))
    assert found(store, ThreadFilter(customer="zachariou")) == [mine]
    assert found(store, ThreadFilter(customer=JAN_SIGNED_IN.last_name)) == []


def erase_everything(store: Store, thread_id: int) -> None:
    """Delete a thread, and erase it for good."""
    do(store, lambda bench: desk.delete(bench, store.actor(), [thread_id]))
    store.clock.forward(days=31)
    do(store, lambda bench: desk.purge_bin(bench, older_than=desk.BIN_KEEPS))


def test_nothing_is_found_of_an_erased_thread(any_store: Store) -> None:
    """Nor does anything of its words stay in the database's index."""
    store = any_store
    gone, left = begin(store, "the zeppelin landed"), begin(store, "the zeppelin burned")
    erase_everything(store, gone)
    assert found(store, ThreadFilter(message="zeppelin")) == [left]
    assert look(store, lambda session: session.scalars(sa.select(ThreadWords.thread_id)).all()) == [left]
    assert look(store, lambda session: session.scalars(sa.select(SearchText.thread_id)).all()) == [left]
    if look(store, search.has_own_index):
        held = "SELECT count(*) FROM cs_fts_message WHERE cs_fts_message MATCH '\"zep\"'"
        assert look(store, lambda session: session.scalar(sa.text(held))) == 1
        # It raises where the index and the table do not say the same.
        look(store, lambda session: session.execute(sa.text("INSERT INTO cs_fts_message (cs_fts_message, rank) VALUES ('integrity-check', 1)")))


def spoil(session: Session) -> None:
    """Change by hand what is searched: a message's words are gone, another's are wrong, one is of no message, and a thread has no name."""
    session.execute(sa.delete(SearchText).where(SearchText.message_id == 1))
    search.forget_messages(session, [2], [2])
    session.execute(sa.insert(SearchText), [{"message_id": 2, "thread_id": 2, "words": "something else"}])
    session.execute(sa.insert(SearchText), [{"message_id": 99, "thread_id": 2, "words": "of no message"}])
    session.execute(sa.delete(ThreadWords).where(ThreadWords.thread_id == 1))
    session.commit()


def run(store: Store, *command: str) -> str:
    """Run a command, and return what it said."""
    done = store.app.test_cli_runner().invoke(args=["cs", *command])
    assert done.exit_code == 0, done.output
    return str(done.output)


def complaints(store: Store) -> list[str]:
    """Return what is found wrong with the search."""
    with store.app.app_context():
        return [one.what for one in health.look_at_search(store.desk) if one.severity.name != "GOOD"]


def test_reindex_mends_what_is_searched(any_store: Store) -> None:
    """`check` sees that something is missing; afterwards all is found, nothing else, and a second run finds nothing to do."""
    store = any_store
    ids = [begin(store, f"the zeppelin {name}", sender=Sender(f"{name}@example.com", name, "")) for name in ("anton", "berta", "caesar")]
    assert complaints(store) == []
    look(store, spoil)
    assert found(store, ThreadFilter(message="zeppelin")) == ids[2:]
    assert "of 3 messages and 2 of 3 threads are searched" in complaints(store)[0]
    assert "3 messages and 1 threads mended" in run(store, "reindex")
    assert found(store, ThreadFilter(message="zeppelin")) == ids[::-1]
    assert found(store, ThreadFilter(message="of no message")) == []
    assert found(store, ThreadFilter(customer="anton")) == ids[:1]
    assert complaints(store) == []
    assert "0 messages and 0 threads mended" in run(store, "reindex")


def test_reindex_goes_on_behind_a_message(any_store: Store) -> None:
    """What stands before it is not compared again."""
    store = any_store
    for number in range(3):
        begin(store, f"the zeppelin {number}")
    change(store, sa.delete(SearchText))
    assert "1 messages and 0 threads mended" in run(store, "reindex", "--after", "2")


def test_parts_are_compared_one_after_the_other(any_store: Store) -> None:
    """Each says where the next begins, the last that it was the last."""
    store = any_store
    look(store, lambda session: write_many(session, 5, lambda n: f"kettle {n}"))
    change(store, sa.delete(ThreadWords).where(ThreadWords.thread_id == 4))
    parts = look(store, lambda session: [reindexing.compare_threads(session, after, 2) for after in (0, 2, 4)])
    assert [(list(part.wrong), part.last) for part in parts] == [([], 2), ([4], 4), ([], None)]


def test_an_index_that_is_missing_is_told_and_made_again(any_store: Store) -> None:
    """With what is there in it."""
    store = any_store
    thread_id = begin(store, "the zeppelin landed")
    with store.app.app_context(), store.desk.engine.begin() as connection:
        fulltext.drop(connection)
    assert "index of words" in complaints(store)[0]
    run(store, "reindex")
    assert complaints(store) == []
    assert found(store, ThreadFilter(message="zeppelin")) == [thread_id]


def test_postgresql_searches_without_its_extension(postgresql_database: str) -> None:
    """A role that may not install it gets every table, and finds everything, slowly; `make` says what is missing."""
    owner = sa.create_engine(postgresql_database)
    with owner.begin() as connection:
        connection.execute(sa.text("DROP ROLE IF EXISTS cs_plain"))
        connection.execute(sa.text("CREATE ROLE cs_plain LOGIN"))
        connection.execute(sa.text("GRANT ALL ON SCHEMA public TO cs_plain"))
    plain = sa.create_engine(postgresql_database)

    @sa.event.listens_for(plain, "connect")
    def become_plain(connection: Any, _record: object) -> None:
        connection.execute("SET ROLE cs_plain")
        connection.commit()

    schema.upgrade(plain)
    with plain.connect() as connection:
        refused = [one.name for one in fulltext.missing(connection)]
        assert schema.differences(connection) == []
    extension_is_there = False
    with owner.connect() as connection:
        extension_is_there = bool(connection.scalar(sa.text("SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'")))
    # PostgreSQL trusts this extension to whoever may create in the database; a plain role may not.
    assert bool(refused) != extension_is_there
    with Session(plain) as session:
        write_many(session, 3, lambda n: f"kettle {n}")
        assert [row.id for row in threads.list_page(
            session, EVERYTHING, ThreadFilter(message="kettle 2"), sort=Sort(), number=1, size=20, ranks=Ranks()).rows] == [2]
    schema.downgrade(plain, "base")
    plain.dispose()
    with owner.begin() as connection:
        connection.execute(sa.text("DROP OWNED BY cs_plain"))
        connection.execute(sa.text("DROP ROLE cs_plain"))
    owner.dispose()


def test_the_migration_fills_in_what_is_there_and_goes_down_again(database_url: str) -> None:
    """Threads and messages of before are found after it; down and up once more, with the data, changes nothing."""
    engine = sa.create_engine(database_url)
    schema.upgrade(engine, "0001")
    now = dt.datetime(2026, 11, 1)  # noqa: DTZ001 - a plain table keeps no zone
    tables = sa.MetaData()
    with engine.begin() as connection:
        tables.reflect(connection, only=["cs_thread", "cs_search"])
        thread = {name: None if column.nullable else _filler(column, now) for name, column in tables.tables["cs_thread"].c.items() if name != "id"}
        thread |= {"folder": "list", "status": "open", "customer_sort": "zora quill", "address_sort": "zora@example.org", "subject": "Tuning PEGS"}
        thread |= {"order_id": "ORD-7", "last_customer_message_id": 5, "shop_id": "1"}
        connection.execute(sa.insert(tables.tables["cs_thread"]), [thread])
        connection.execute(sa.insert(tables.tables["cs_search"]), [{"message_id": 5, "thread_id": 1, "words": "the violin is broken"}])
    for _ in range(2):
        schema.upgrade(engine)
        with Session(engine) as session:
            for typed in ("zora", "example", "pegs", "ord-7", "violin"):
                query = ordered_ids(EVERYTHING, ThreadFilter(q=typed), Sort())
                listed: list[Any] = [*session.scalars(query)]
                assert listed == [1], typed
            assert session.scalar(sa.select(Thread.message_sort)) == "the violin is broken"
        schema.downgrade(engine, "0001")
        with engine.connect() as connection:
            assert not [name for name in sa.inspect(connection).get_table_names() if name.startswith(("cs_fts", "cs_search_"))]
            assert connection.scalar(sa.text("SELECT count(*) FROM cs_search")) == 1
    schema.upgrade(engine)
    with engine.connect() as connection:
        assert schema.differences(connection) == []
    engine.dispose()


def _filler(column: sa.Column[Any], now: dt.datetime) -> Any:
    kind = column.type
    if isinstance(kind, sa.LargeBinary | mysql.BINARY):
        return b"x" * 32
    return now if isinstance(kind, sa.DateTime) else 0 if isinstance(kind, sa.Integer) else False if isinstance(kind, sa.Boolean) else ""


def test_every_table_of_words_is_one_of_ours() -> None:
    """What our own migrations leave alone is no table of the models."""
    assert not [name for name in Base.metadata.tables if not schema.is_ours(name, "table")]


# --- Where the words stand --------------------------------------------------------------------------------------------------------------------------

STAND = [
    ("Hello ÉTÉ x", "été", ["ÉTÉ"]),
    ("Hauptstraße 5 weiter", "HAUPTSTRASSE", ["Hauptstraße"]),
    ("HAUPTSTRASSE", "hauptstraße", ["HAUPTSTRASSE"]),
    ("Maß und Mass", "mass", ["Maß", "Mass"]),
    ("ein ﬁne day", "fine", ["ﬁne"]),
    ("E\u0301tat lieu", "état", ["E\u0301tat"]),
    ("two\n\n lines  here", "two lines here", ["two\n\n lines  here"]),
    ("أين طردي؟", "طردي", ["طردي"]),
    ("我的包裹在哪里", "包裹", ["包裹"]),
    ("İstanbul and ISTANBUL", "istanbul", ["İstanbul", "ISTANBUL"]),
    ("\u1112\u1161\u11ab\u1100\u1173\u11af", "한글", ["\u1112\u1161\u11ab\u1100\u1173\u11af"]),
    ("x" * 9000 + " Straße", "strasse", ["Straße"]),
    ("<b>bold</b> & more", "<b>bold", ["<b>bold"]),
    ("a+b (c) [d]", "(c) [d]", ["(c) [d]"]),
    ("\U0001f469\u200d\U0001f469\u200d\U0001f467 family", "family", ["family"]),
    ("e\u0301e", "e", ["e"]),
    ("nothing here", "else", []),
    ("anything", " ", []),
]


@pytest.mark.parametrize(("text", "typed", "expected"), STAND)
def test_the_places_are_those_of_the_text_as_it_was_written(text: str, typed: str, expected: list[str]) -> None:
    """Folded letters are led back to the letters they were, with their accents; no place parts a letter."""
    stand = places(text, typed)
    assert [text[start:end] for start, end in stand] == expected
    assert "".join(piece.text for piece in marked(text, typed)) == text


def test_an_excerpt_begins_a_little_before_the_words_and_is_one_line() -> None:
    """What is left out is told by dots."""
    shown = excerpt("A long introduction.\nThen my Straße\n\nand " + "more of it " * 30, "STRASSE")
    assert "".join(one.text for one in shown).startswith("…Then my Straße and more of it")
    assert [one.text for one in shown if one.found] == ["Straße"]
    assert shown[-1].text == "…"
    assert excerpt("nothing", "else") == []
