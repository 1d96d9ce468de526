"""The figures of the Customer Service page: as worked out by hand, right after each verb, kept for exactly whoever may see them."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy import delete, event, insert, select, text, update
from sqlalchemy.orm import Session

from cs_plugin import desk, jobs
from cs_plugin.desk import Answer, Bench
from cs_plugin.rules.inquiry import AuthorKind, Channel, address_key
from cs_plugin.rules.shops import ALL_SHOPS
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import daily, figures, tally, threads
from cs_plugin.store.daily import Span
from cs_plugin.store.figures import KEPT_FOR, KPIS, STATISTICS, TREND_DAYS, WINDOW, Figure
from cs_plugin.store.locking import lock_threads
from cs_plugin.store.models import ContactShop, DailyTotal, ErasedMessage, KeptFigure, Message, RangeMark, Thread, ThreadApart, ThreadTotal
from cs_plugin.store.options import set_option
from cs_plugin.store.scope import EVERYTHING, Scope
from cs_plugin.web import rounds
from tests.hosts.store import MARIE, Store
from tests.hosts.writing import begin, contact_id, do, look, receive, token_of

PARIS, BERLIN, NOWHERE = Scope(frozenset({"1"})), Scope(frozenset({"2"})), Scope(frozenset())
NOW = dt.datetime(2026, 11, 21, 18, 0, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)
INSTANT = dt.timedelta(microseconds=1)


@dataclass(frozen=True)
class Said:
    """A message of the table: how long before NOW it was written, by whom, and after how long a wait it answered."""

    ago: dt.timedelta
    by: AuthorKind = AuthorKind.CUSTOMER
    private: bool = False
    waited: dt.timedelta | None = None
    released: bool = True


def answer(ago: dt.timedelta, waited: dt.timedelta | None, *, released: bool = True) -> Said:
    """Return a public message of an employee."""
    return Said(ago, AuthorKind.EMPLOYEE, waited=waited, released=released)


def note(ago: dt.timedelta) -> Said:
    """Return a private note; a forward leaves such a one."""
    return Said(ago, AuthorKind.EMPLOYEE, private=True)


@dataclass(frozen=True)
class Row:
    """A thread of the table."""

    said: Sequence[Said]
    shop: str = "1"
    status: Status = Status.OPEN
    contact: int | None = None
    folder: Folder = Folder.LIST
    merged_into: int | None = None


MACHINE, OUTSIDER = AuthorKind.MACHINE, AuthorKind.OUTSIDER
# Worked out by hand below; the comments say what each row adds to the window of 30 × 24 hours: public messages / answers and their hours.
TABLE = (
    Row([Said(5 * HOUR), answer(3 * HOUR, 2 * HOUR), note(2 * HOUR)], status=Status.CLOSED),   # 2 / 1: 2 h
    Row([Said(10 * DAY), answer(9 * DAY, 24 * HOUR), Said(8 * DAY), Said(7 * DAY)], contact=1),   # 4 / 1: 24 h
    Row([Said(WINDOW), answer(WINDOW - HOUR, HOUR)], status=Status.PENDING1, contact=1),   # 2 / 1: 1 h; at the very edge
    Row([Said(WINDOW + INSTANT), answer(WINDOW + INSTANT, HOUR)], status=Status.PENDING2),   # nothing: just before the edge
    Row([Said(dt.timedelta()), answer(dt.timedelta(), dt.timedelta())]),   # 2 / 1: 0 h; this very moment
    Row([answer(HOUR, None)], status=Status.CLOSED),   # 1 / 0: it answered nobody
    Row([Said(2 * HOUR), answer(HOUR, HOUR, released=False)]),   # 1 / 0: not yet released
    Row([Said(2 * HOUR), Said(HOUR, MACHINE), Said(HOUR, OUTSIDER, private=True)], contact=2),   # 1 / 0: machine, outsider
    Row([note(HOUR)]),   # nothing: a note alone
    Row([Said(4 * HOUR), answer(HOUR, 3 * HOUR)], folder=Folder.BIN),   # nothing: deleted
    Row([Said(4 * HOUR), answer(HOUR, 3 * HOUR)], folder=Folder.SPAM),   # nothing: spam
    Row([], merged_into=2),   # nothing: moved to the second
    Row([Said(6 * HOUR), answer(HOUR, 5 * HOUR)], shop="2", contact=1),   # 2 / 1: 5 h, in Berlin
    Row([Said(40 * DAY)], shop="2", status=Status.CLOSED, contact=2),   # nothing: long ago
)  # fmt: skip
# threads, open, pending, customer messages, employee messages
PARIS_COUNTS = tally.Counts(9, 5, 2, 9, 6)
BERLIN_COUNTS = tally.Counts(2, 1, 0, 2, 1)
PARIS_WINDOW = Span(8, 5, 7, 4, 27 * 3600.0)
BERLIN_WINDOW = Span(1, 1, 1, 1, 5 * 3600.0)


def write(session: Session, row: Row) -> int:
    """Write a thread of the table, without the desk, as the desk would have left it."""
    thread = Thread(
        shop_id=row.shop,
        language="en",
        contact_id=row.contact,
        folder=row.folder,
        status=row.status,
        merged_into_id=row.merged_into,
        address="somebody@example.com",
        address_hash=address_key("somebody@example.com"),
        token_nonce="n",
        created_at=NOW - max((one.ago for one in row.said), default=HOUR),
    )
    session.add(thread)
    session.flush()
    for one in row.said:
        moment = NOW - one.ago
        released = one.by is AuthorKind.EMPLOYEE and not one.private and one.released
        session.add(
            Message(
                thread_id=thread.id,
                home_thread_id=thread.id,
                shop_id=row.shop,
                author_kind=one.by,
                private=one.private,
                channel=Channel.DESK,
                text="text",
                created_at=moment,
                released_at=moment if released else None,
                response_seconds=one.waited.total_seconds() if one.waited is not None and released else None,
            )
        )
    session.flush()
    threads.recompute(session, [thread.id])
    return thread.id


@pytest.fixture
def tabled(any_store: Store) -> Store:
    """A store that holds the table, on each database in turn."""
    do(any_store, lambda bench: [write(bench.session, row) for row in TABLE])
    return any_store


def counts(store: Store, scope: Scope = EVERYTHING) -> tally.Counts:
    """Return the counts of a scope."""
    return look(store, lambda session: figures.total(tally.counts_by_contact(session, scope)))


def calculated(store: Store, scope: Scope = EVERYTHING) -> dict[str, Figure]:
    """Return the key figures of a scope as they are now."""
    return look(
        store, lambda session: figures.calculate(session, scope, figures.total(tally.counts_by_contact(session, scope)), store.clock.now)
    )


def folded(store: Store) -> None:
    """Bring everything into the totals, as the worker does."""

    def work(bench: Bench) -> None:
        ids = tally.threads_apart(bench.session, after=0, most=10_000)
        lock_threads(bench.session, EVERYTHING, ids)
        tally.fold(bench.session, ids)
        tally.compact(bench.session)

    do(store, work)
    assert look(store, lambda session: session.query(ThreadApart).count()) == 0


# --- By hand ----------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("6.5")
@pytest.mark.parametrize("in_totals", [False, True], ids=["counted live", "in the totals"])
def test_statistics_are_as_worked_out_by_hand(tabled: Store, in_totals: bool) -> None:
    """Deleted, spam and merged threads leave the counts; notes, machines' mails and what is not released count as nobody's message."""
    if in_totals:
        folded(tabled)
    assert counts(tabled, PARIS) == PARIS_COUNTS
    assert counts(tabled, BERLIN) == BERLIN_COUNTS
    assert counts(tabled) == PARIS_COUNTS + BERLIN_COUNTS
    assert counts(tabled, NOWHERE) == tally.NONE
    assert [(one.label, one.of(counts(tabled, PARIS))) for one in STATISTICS] == [
        ("Total threads", 9),
        ("Threads pending", 2),
        ("Total number of customer messages", 9),
        ("Total number of employee messages", 6),
        ("Unread threads", 5),
        ("Closed threads", 2),
    ]


@pytest.mark.shows("6.2")
def test_key_figures_are_as_worked_out_by_hand(tabled: Store) -> None:
    """Each by its formula, over the last 30 × 24 hours to the moment, of each scope."""
    for scope, expected in ((PARIS, PARIS_WINDOW), (BERLIN, BERLIN_WINDOW)):
        assert look(tabled, lambda session, scope=scope: daily.span(session, scope, NOW - WINDOW, NOW + INSTANT)) == expected
    here, there, everywhere = calculated(tabled, PARIS), calculated(tabled, BERLIN), calculated(tabled)
    assert (here["pending"].value, there["pending"].value, everywhere["pending"].value) == (7, 1, 8)
    assert here["response"].value == pytest.approx(27 / 4)
    assert there["response"].value == pytest.approx(5)
    assert everywhere["response"].value == pytest.approx(32 / 5)
    assert here["messages"].value == pytest.approx(13 / 7)
    assert everywhere["messages"].value == pytest.approx(15 / 8)
    nobody = calculated(tabled, NOWHERE)
    assert (nobody["pending"].value, nobody["response"].value, nobody["messages"].value) == (0, None, None)


@pytest.mark.parametrize("scope", [EVERYTHING, PARIS, Scope(frozenset({"1", "2"}))], ids=["all", "one shop", "two shops"])
def test_a_span_is_read_from_its_indexes_alone(store: Store, scope: Scope) -> None:
    """Whatever the scope: what was written before costs nothing, and neither does what is hidden."""
    asked: list[tuple[str, object]] = []

    def listen(_connection: object, _cursor: object, statement: str, parameters: object, *_rest: object) -> None:
        asked.append((statement, parameters))

    engine = store.desk.sessions.kw["bind"]
    event.listen(engine, "before_cursor_execute", listen)
    try:
        look(store, lambda session: daily.span(session, scope, NOW - WINDOW, NOW))
    finally:
        event.remove(engine, "before_cursor_execute", listen)
    [(statement, parameters)] = [one for one in asked if one[0].startswith("SELECT")]
    with engine.connect() as connection:
        plan = "\n".join(str(row[3]) for row in connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, parameters))
    assert "SEARCH cs_message USING COVERING INDEX ix_cs_message_span (created_at>? AND created_at<?)" in plan
    assert "SEARCH cs_message USING COVERING INDEX ix_cs_message_answer (released_at>? AND released_at<?)" in plan
    assert "SCAN cs_" not in plan
    assert "LIST SUBQUERY" not in plan, "what lies in spam and in the bin is read from end to end"


@pytest.mark.shows("6.3")
def test_each_contact_counts_its_open_threads(tabled: Store) -> None:
    """A contact that the thread's shop does not offer is none: its threads are of the type "--"."""
    by_contact = look(tabled, lambda session: tally.counts_by_contact(session, PARIS))
    assert {contact: found.open for contact, found in by_contact.items()} == {0: 3, 1: 1, 2: 1}
    do(tabled, lambda bench: bench.session.execute(delete(ContactShop).where(ContactShop.contact_id == 2, ContactShop.shop_id == "1")))
    by_contact = look(tabled, lambda session: tally.counts_by_contact(session, PARIS))
    assert {contact: found.open for contact, found in by_contact.items()} == {0: 4, 1: 1}
    assert look(tabled, lambda session: tally.counts_by_contact(session, BERLIN))[2].threads == 1


@pytest.mark.shows("6.3")
def test_the_one_that_waited_longest_is_found_by_contact(any_store: Store) -> None:
    """Of each contact, and of none; where nobody waits, the oldest that is open; None where none is."""
    first, second = begin(any_store, "first"), begin(any_store, "second")
    other = begin(any_store, "other", contact_id=contact_id(any_store, "Webmaster"), shop_id="2")
    service, webmaster = contact_id(any_store), contact_id(any_store, "Webmaster")

    def found(contact: int, scope: Scope = EVERYTHING) -> int | None:
        return look(any_store, lambda session: figures.waiting_longest(session, scope, contact))

    assert (found(service), found(webmaster), found(0)) == (first, other, None)
    assert (found(webmaster, PARIS), found(service, NOWHERE)) == (None, None)
    answer_in(any_store, first)
    assert found(service) == second
    do(any_store, lambda bench: desk.set_status(bench, any_store.actor(), [first], Status.OPEN))
    answer_in(any_store, second)
    assert found(service) == first, "nobody waits in it, and it is open all the same"
    do(any_store, lambda bench: desk.move_to_contact(bench, any_store.actor(), first, None))
    assert (found(service), found(0)) == (None, first)


@pytest.mark.shows("6.3")
def test_contacts_without_messages_of_their_own_stand_only_where_some_are_open(any_store: Store) -> None:
    """Each that saves messages, any with open threads, and the order pages' where there are some."""
    mails_on = (Contact(2, "Mails on", saves=False), Contact(3, "Mails on, once saved", saves=False))
    contacts = [Contact(1, "Saves"), *mails_on, Contact(4, "Switched off", active=False)]
    shown = figures.blocks({1: tally.NONE, 3: tally.Counts(2, 1)}, contacts, ("Order messages", "x"))
    assert [(one.title, one.open) for one in shown] == [("Saves", 0), ("Mails on, once saved", 1)]
    shown = figures.blocks({0: tally.Counts(1)}, contacts, ("Order messages", "x"))
    assert [(one.title, one.open) for one in shown] == [("Saves", 0), ("Order messages", 0)]


@dataclass(frozen=True)
class Contact:
    """A contact as the blocks read it."""

    id: int
    title: str
    saves: bool = True
    active: bool = True
    description: str = ""

    @property
    def save_messages(self) -> bool:
        return self.saves


# --- After each verb --------------------------------------------------------------------------------------------------------------------------------


def worked_out(store: Store, scope: Scope = EVERYTHING) -> tally.Counts:
    """Work the counts out in Python, thread by thread, from the messages themselves."""

    def work(session: Session) -> tally.Counts:
        found = tally.NONE
        for thread in session.scalars(select(Thread)):
            if thread.shop_id not in scope or thread.folder is not Folder.LIST or thread.merged_into_id is not None:
                continue
            said = [one for one in session.scalars(select(Message).where(Message.thread_id == thread.id)) if not one.private]
            is_open, pending = thread.status is Status.OPEN, thread.status in (Status.PENDING1, Status.PENDING2)
            customers = sum(one.author_kind is AuthorKind.CUSTOMER for one in said)
            employees = sum(one.author_kind is AuthorKind.EMPLOYEE and one.released_at is not None for one in said)
            found += tally.Counts(1, int(is_open), int(pending), customers, employees)
        return found

    return look(store, work)


def answer_in(store: Store, thread_id: int) -> None:
    """Answer a thread."""
    do(store, lambda bench: desk.reply(bench, store.actor(), thread_id, Answer("An answer")))


VERBS: dict[str, Callable[[Store, list[int]], object]] = {
    "receive": lambda store, _ids: begin(store, "One more"),
    "receive again": lambda store, ids: receive(store, "Still waiting", channel=Channel.LINK, thread_token=token_of(store, ids[0]), contact_id=None),
    "reply": lambda store, ids: answer_in(store, ids[0]),
    "note": lambda store, ids: do(store, lambda bench: desk.add_note(bench, store.actor(), ids[0], "A note")),
    "status": lambda store, ids: do(store, lambda bench: desk.set_status(bench, store.actor(), ids, Status.PENDING2)),
    "delete": lambda store, ids: do(store, lambda bench: desk.delete(bench, store.actor(), ids[:2])),
    "restore": lambda store, ids: do(
        store, lambda bench: (desk.delete(bench, store.actor(), ids), desk.restore(bench, store.actor(), ids[1:]))
    ),
    "type": lambda store, ids: do(store, lambda bench: desk.move_to_contact(bench, store.actor(), ids[0], None)),
    "delete and purge": lambda store, ids: (
        do(store, lambda bench: desk.delete(bench, store.actor(), ids[:1])),
        store.clock.forward(days=31),
        do(store, lambda bench: desk.purge_bin(bench, older_than=desk.BIN_KEEPS)),
    ),
    "spam and back": lambda store, ids: (
        do(store, lambda bench: setattr(lock_threads(bench.session, EVERYTHING, ids)[0], "folder", Folder.SPAM)),
        do(store, lambda bench: desk.not_spam(bench, store.actor(), ids[:1])),
    ),
    "spam": lambda store, ids: do(store, lambda bench: setattr(lock_threads(bench.session, EVERYTHING, ids)[0], "folder", Folder.SPAM)),
    "merge": lambda store, ids: do(store, lambda bench: merge(bench, ids[0], ids[1])),
    "another shop": lambda store, ids: do(store, lambda bench: setattr(lock_threads(bench.session, EVERYTHING, ids)[0], "shop_id", "2")),
}


def merge(bench: Bench, kept: int, merged: int) -> None:
    """Leave two threads as a merge leaves them."""
    _kept, gone = lock_threads(bench.session, EVERYTHING, [kept, merged])
    bench.session.execute(update(Message).where(Message.thread_id == merged).values(thread_id=kept))
    gone.merged_into_id = kept
    threads.recompute(bench.session, [kept, merged])


@pytest.mark.shows("6.5")
@pytest.mark.parametrize("name", VERBS)
def test_statistics_are_right_after_each_verb(any_store: Store, name: str) -> None:
    """Whether the threads were counted live before or rested in the totals, and again once they are brought back."""
    ids = [begin(any_store, f"Thread {number}") for number in range(3)]
    folded(any_store)
    assert counts(any_store) == worked_out(any_store)
    VERBS[name](any_store, ids)
    for scope in (EVERYTHING, PARIS, BERLIN):
        assert counts(any_store, scope) == worked_out(any_store, scope)
    folded(any_store)
    for scope in (EVERYTHING, PARIS, BERLIN):
        assert counts(any_store, scope) == worked_out(any_store, scope)


@pytest.mark.shows("6.2")
def test_what_is_deleted_leaves_the_key_figures_and_comes_back(any_store: Store) -> None:
    """At once, and with everything that was written in it."""
    kept, gone = begin(any_store, "kept"), begin(any_store, "gone")
    any_store.clock.forward(hours=2)
    answer_in(any_store, kept)
    any_store.clock.forward(hours=4)
    answer_in(any_store, gone)
    assert calculated(any_store)["response"].value == pytest.approx(4)
    do(any_store, lambda bench: desk.delete(bench, any_store.actor(), [gone]))
    assert calculated(any_store)["response"].value == pytest.approx(2)
    do(any_store, lambda bench: desk.restore(bench, any_store.actor(), [gone]))
    assert calculated(any_store)["response"].value == pytest.approx(4)


@pytest.mark.shows("6.5", "6.2")
def test_what_was_erased_of_the_list_stays_counted(any_store: Store) -> None:
    """Closed threads that their shop keeps no longer go for good: they stay in every figure, also when all is counted anew."""
    do(any_store, lambda bench: set_option(bench.session, "retention_days", 5, bench.now, context=ALL_SHOPS))
    old, deleted = begin(any_store, "old"), begin(any_store, "deleted")
    any_store.clock.forward(hours=2)
    answer_in(any_store, old)
    do(any_store, lambda bench: desk.delete(bench, any_store.actor(), [deleted]))
    with any_store.app.app_context():
        any_store.desk.office.deliver(most=100)
    folded(any_store)
    any_store.clock.forward(days=10)
    begin(any_store, "young")
    before, figure = counts(any_store), calculated(any_store)
    assert do(any_store, lambda bench: desk.purge_closed(bench).erased) == 1
    assert look(any_store, lambda session: session.get(Thread, old)) is None
    assert (counts(any_store), calculated(any_store)) == (before, figure)
    folded(any_store)
    assert counts(any_store) == before == tally.Counts(2, 1, 0, 2, 1)
    do(any_store, lambda bench: tally.recount(bench.session))
    assert counts(any_store) == before
    any_store.clock.forward(days=daily.ERASED_COUNT_FOR)
    run_totals(any_store)
    assert look(any_store, lambda session: session.query(ErasedMessage).count()) == 0
    assert counts(any_store) == before


@pytest.mark.shows("6.5")
@pytest.mark.parametrize("by", ["bin", "term"])
def test_what_was_merged_into_an_erased_thread_goes_with_it(any_store: Store, by: str) -> None:
    """Nothing of it stands alone, and what was counted stays counted."""
    do(any_store, lambda bench: set_option(bench.session, "retention_days", 5, bench.now, context=ALL_SHOPS))
    kept, merged = begin(any_store, "kept"), begin(any_store, "merged")
    do(any_store, lambda bench: desk.merge(bench, any_store.actor(), [kept, merged], kept))
    if by == "bin":
        do(any_store, lambda bench: desk.delete(bench, any_store.actor(), [kept]))
    else:
        do(any_store, lambda bench: desk.set_status(bench, any_store.actor(), [kept], Status.CLOSED))
    with any_store.app.app_context():
        any_store.desk.office.deliver(most=100)
    folded(any_store)
    any_store.clock.forward(days=40)
    before = counts(any_store)
    if by == "bin":
        assert do(any_store, lambda bench: desk.purge_bin(bench, older_than=desk.BIN_KEEPS)) == 1
    else:
        assert do(any_store, lambda bench: desk.purge_closed(bench).erased) == 1
    assert look(any_store, lambda session: session.get(Thread, merged)) is None
    assert counts(any_store) == before
    folded(any_store)
    assert counts(any_store) == before


def test_counting_anew_finds_what_was_written_past_the_desk(tabled: Store) -> None:
    """Where another program has written threads, or a copy was put back."""
    do(tabled, lambda bench: bench.session.execute(delete(ThreadApart)))
    assert counts(tabled) == tally.NONE
    do(tabled, lambda bench: tally.recount(bench.session))
    assert counts(tabled) == PARIS_COUNTS + BERLIN_COUNTS
    do(tabled, lambda bench: tally.recount(bench.session))
    assert counts(tabled) == PARIS_COUNTS + BERLIN_COUNTS


@pytest.mark.parametrize("database_url", ["postgresql", "mariadb"], indirect=True)
def test_counting_anew_waits_for_whoever_has_locked_a_thread(any_store: Store) -> None:
    """Also where that thread is counted live already, and nothing of it has been written yet."""
    thread_id = begin(any_store, "A thread")
    recounted = threading.Thread(target=lambda: do(any_store, lambda bench: tally.recount(bench.session)))
    with any_store.desk.sessions() as session:
        [thread] = lock_threads(session, EVERYTHING, [thread_id])
        recounted.start()
        recounted.join(0.5)
        thread.status = Status.CLOSED
        session.commit()
    recounted.join(20)
    assert not recounted.is_alive()
    assert counts(any_store) == worked_out(any_store) == tally.Counts(1, 0, 0, 1, 0)


def test_totals_are_few_again_once_they_are_compacted(tabled: Store) -> None:
    """Each bringing back adds rows; what stays is one for each shop and contact that has something."""
    folded(tabled)
    for _time in range(3):
        do(tabled, lambda bench: desk.set_status(bench, tabled.actor(), [1, 2], Status.PENDING1))
        do(tabled, lambda bench: desk.set_status(bench, tabled.actor(), [1, 2], Status.OPEN))
        folded(tabled)
    rows = look(tabled, lambda session: session.execute(select(ThreadTotal.shop_id, ThreadTotal.contact_id, ThreadTotal.erased)).all())
    assert len(rows) == len(set(rows))


# --- Days -------------------------------------------------------------------------------------------------------------------------------------------


def run_totals(store: Store) -> None:
    """Let the worker do the daily job, and see that it ended well."""
    with store.app.app_context():
        put = do(store, lambda bench: jobs.put(bench.session, "totals", {}, bench.now).id)
        assert rounds.job_office(store.desk).do_one() == put
    ended = look(store, lambda session: jobs.find(session, put))
    assert ended is not None
    assert (ended.state, ended.error) == (jobs.JobState.DONE, "")


def stored_days(store: Store) -> dict[tuple[dt.date, str], tuple[Any, ...]]:
    """Return the rows of finished days."""
    of = DailyTotal
    columns = (of.threads, of.customer_messages, of.employee_messages, of.answers, of.response_seconds, of.active_threads, of.pending_threads)
    rows = look(store, lambda session: session.execute(select(of.day, of.shop_id, *columns)).all())
    found = {(row[0], row[1]): tuple(row[2:]) for row in rows}
    assert len(found) == len(rows)
    return found


def day_worked_out(store: Store, day: dt.date, shop: str) -> tuple[Any, ...]:
    """Work a finished day of a shop out in Python, message by message, but for how many were pending."""
    since, until = daily.start_of(day), daily.start_of(day + DAY)

    def work(session: Session) -> tuple[Any, ...]:
        listed = {one.id: one for one in session.scalars(select(Thread)) if one.folder is Folder.LIST and one.shop_id == shop}
        written = [one for one in session.scalars(select(Message)) if one.thread_id in listed and not one.private]
        customers = [one for one in written if one.author_kind is AuthorKind.CUSTOMER and since <= one.created_at < until]
        employees = [one for one in written if one.released_at is not None and since <= one.released_at < until]
        waits = [one.response_seconds for one in employees if one.response_seconds is not None]
        active = {one.thread_id for one in (*customers, *employees)}
        begun = [one for one in listed.values() if since <= one.created_at < until and one.merged_into_id is None]
        return len(begun), len(customers), len(employees), len(waits), pytest.approx(sum(waits)), len(active)

    return look(store, work)


@pytest.mark.shows("6.2")
def test_finished_days_are_as_a_recomputation_has_them(tabled: Store) -> None:
    """All 31 days, each shop, from the start of a day of UTC to its end; today is not among them."""
    run_totals(tabled)
    found = stored_days(tabled)
    assert {day for day, _shop in found} == set(daily.finished_days(NOW))
    assert max(day for day, _shop in found) == NOW.date() - DAY
    for (day, shop), row in found.items():
        assert row[:-1] == day_worked_out(tabled, day, shop), (day, shop)


@pytest.mark.shows("6.2")
def test_the_daily_job_gives_the_same_rows_again_late_and_after_a_gap(tabled: Store) -> None:
    """Run twice it changes nothing; run late it fills the days between; a day that is missing comes back as it was."""
    run_totals(tabled)
    first = stored_days(tabled)
    run_totals(tabled)
    assert stored_days(tabled) == first
    gap = NOW.date() - 5 * DAY
    do(tabled, lambda bench: bench.session.execute(delete(DailyTotal).where(DailyTotal.day == gap)))
    run_totals(tabled)
    assert stored_days(tabled) == first
    tabled.clock.forward(days=4)
    run_totals(tabled)
    late = stored_days(tabled)
    assert {key: row for key, row in late.items() if key in first} == first
    assert {day for day, _shop in late} - {day for day, _shop in first} == {NOW.date() + n * DAY for n in range(4)}


def test_a_finished_day_is_worked_out_before_anything_is_locked_for_it(tabled: Store) -> None:
    """From BEGIN IMMEDIATE on nobody else writes to SQLite: then there is nothing left to do but to write the rows; and so it is elsewhere."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    def ended(_connection: Any) -> None:
        statements.append("END")

    engine = tabled.desk.engine
    noted: list[tuple[str, Callable[..., None]]] = [("before_cursor_execute", note), ("commit", ended), ("rollback", ended)]
    for name, listens in noted:
        event.listen(engine, name, listens)
    run_totals(tabled)
    for name, listens in noted:
        event.remove(engine, name, listens)
    transactions = [one.strip().splitlines() for one in "\n".join(" ".join(one.split()) for one in statements).split("END")]
    writing = [one for one in transactions if any("cs_daily_total" in statement for statement in one)]
    assert len(writing) == daily.DAYS
    for lines in writing:
        done = lines[1:] if lines[0] == "BEGIN IMMEDIATE" else lines
        assert (lines[0] == "BEGIN IMMEDIATE") is (engine.dialect.name == "sqlite")
        assert {" ".join(line.split(" ")[: 3 if line.startswith("INSERT") else 2]).replace(" IGNORE", "") for line in done} <= {
            "INSERT INTO cs_daily_total", "INSERT INTO", "UPDATE cs_daily_total", "UPDATE cs_job"
        }, lines  # fmt: skip
        assert not any("SELECT" in line for line in done)


@pytest.mark.shows("6.2")
def test_how_many_waited_at_the_end_of_a_day_is_known_later(any_store: Store) -> None:
    """It is worked out from what has become of each thread since, however late the job runs."""
    ends: dict[dt.date, int] = {}

    def day_ends() -> None:
        ends[any_store.clock.now.date()] = counts(any_store).open + counts(any_store).pending
        any_store.clock.forward(days=1)

    day_ends()
    one, two = begin(any_store, "one"), begin(any_store, "two")
    day_ends()
    answer_in(any_store, one)
    begin(any_store, "three")
    day_ends()
    do(any_store, lambda bench: desk.set_status(bench, any_store.actor(), [one], Status.PENDING1))
    do(any_store, lambda bench: desk.set_status(bench, any_store.actor(), [two], Status.CLOSED))
    do(any_store, lambda bench: desk.set_status(bench, any_store.actor(), [two], Status.OPEN))
    do(any_store, lambda bench: desk.set_status(bench, any_store.actor(), [two], Status.CLOSED))
    begin(any_store, "four", shop_id="2")
    day_ends()
    assert list(ends.values()) == [0, 2, 2, 3]
    run_totals(any_store)
    found = stored_days(any_store)
    assert {day: sum(row[-1] for (of, _shop), row in found.items() if of == day) for day in ends} == ends


@pytest.mark.shows("6.2")
def test_a_trend_is_finished_days_and_today_live(tabled: Store) -> None:
    """Thirty numbers, the last of today; before the job has run only that one."""
    alone = calculated(tabled, PARIS)
    assert [place for place, number in enumerate(alone["pending"].trend) if number is not None] == [TREND_DAYS - 1]
    run_totals(tabled)
    shown = calculated(tabled, PARIS)
    found = stored_days(tabled)
    days = [NOW.date() - n * DAY for n in range(TREND_DAYS - 1, 0, -1)]
    rows = [found[(day, "1")] for day in days]
    assert shown["pending"].trend == (*(row[6] for row in rows), 7)
    # Today in Paris: four messages of customers and three of employees in five threads; two were answers, which took 2 h together.
    assert shown["response"].trend == (*(row[4] / row[3] / 3600 if row[3] else None for row in rows), pytest.approx(1.0))
    assert shown["messages"].trend == (*((row[1] + row[2]) / row[5] if row[5] else None for row in rows), pytest.approx(7 / 5))
    assert shown["pending"].points[-1] == (NOW.date(), 7)


@pytest.mark.shows("6.2")
def test_the_worker_counts_what_has_piled_up(any_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """More often than once a day where many threads are counted live; never twice at a time."""
    monkeypatch.setattr(rounds, "_MANY_APART", 2)
    with any_store.app.app_context():
        rounds.queue_chores(any_store.desk)
        while rounds.job_office(any_store.desk).do_one() is not None:
            pass
        for number in range(3):
            begin(any_store, f"Thread {number}")
        assert rounds.queue_chores(any_store.desk) == ["fold"]
        assert rounds.queue_chores(any_store.desk) == []
        rounds.bring_up_totals(any_store.desk)
        before = look(any_store, lambda session: session.scalars(select(Thread.version).order_by(Thread.id)).all())
        assert rounds.do_jobs(any_store.desk) == 1
    assert look(any_store, lambda session: session.query(ThreadApart).count()) == 0
    assert look(any_store, lambda session: session.query(RangeMark).count()) == 0, "nothing has changed that lists would have to count anew"
    assert look(any_store, lambda session: session.scalars(select(Thread.version).order_by(Thread.id)).all()) == before
    assert counts(any_store) == tally.Counts(3, 3, 0, 3, 0)


# --- Kept -------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("6.2")
def test_figures_are_kept_for_exactly_these_shops_and_for_a_while(any_store: Store) -> None:
    """Another set of shops never gets them, nor does a clock that ran ahead; later ones are not overwritten by earlier ones."""
    now = any_store.clock.now
    figure = Figure(4.5, (None, 3.0, 4.5), now)

    def kept(scope: Scope, moment: dt.datetime = now) -> dict[str, Figure]:
        return look(any_store, lambda session: figures.kept(session, scope, moment))

    both = Scope(frozenset({"1", "2"}))
    do(any_store, lambda bench: figures.keep(bench.session, both, {"response": figure}))
    assert kept(both) == {"response": figure}
    assert kept(Scope(frozenset({"2", "1"}))) == {"response": figure}
    for other in (PARIS, BERLIN, NOWHERE, EVERYTHING, Scope(frozenset({"1,2"})), Scope(frozenset({"1", "2", "3"}))):
        assert kept(other) == {}
    assert kept(both, now + KEPT_FOR) == kept(both, now - INSTANT) == {}
    do(any_store, lambda bench: figures.keep(bench.session, both, {"response": replace(figure, value=1.0, calculated_at=now - HOUR)}))
    assert kept(both) == {"response": figure}
    later = replace(figure, value=2.0, calculated_at=now + HOUR)
    do(any_store, lambda bench: figures.keep(bench.session, both, {"response": later}))
    assert kept(both, now + HOUR) == {"response": later}
    any_store.clock.forward(days=2)
    run_totals(any_store)
    assert look(any_store, lambda session: session.query(KeptFigure).count()) == 0


@pytest.mark.shows("6.2")
def test_figures_that_cannot_be_kept_are_shown_all_the_same(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """The list opens where the database takes no writing just now, and the log tells of it."""
    begin(store)
    refuse = "CREATE TRIGGER refuse BEFORE INSERT ON cs_figure BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
    do(store, lambda bench: bench.session.execute(text(refuse)))
    answer = store.client(employee=MARIE).get("/cs-admin/customer-service/")
    assert answer.status_code == 200
    assert "Pending discussion threads" in answer.text
    assert "calculated figures could not be kept" in caplog.text
    do(store, lambda bench: bench.session.execute(text("DROP TRIGGER refuse")))
    assert store.client(employee=MARIE).get("/cs-admin/customer-service/").status_code == 200
    assert look(store, lambda session: session.query(KeptFigure).count()) == len(KPIS)


def test_names_and_words_of_figures_are_those_that_are_written() -> None:
    """Letter for letter."""
    assert [kpi.label for kpi in KPIS] == ["Pending discussion threads", "Average response time", "Messages per thread"]
    assert [kpi.span for kpi in KPIS[1:]] == ["30 days", "30 days"]


def test_threads_that_were_written_in_bulk_are_counted_once_they_are_set_apart(any_store: Store) -> None:
    """Sample data and imports go past the session's objects."""
    row = {"shop_id": "1", "language": "en", "status": "open", "address_hash": b"0" * 32, "token_nonce": "n", "created_at": NOW}
    do(any_store, lambda bench: bench.session.execute(insert(Thread), [row, row]))
    ids = look(any_store, lambda session: list(session.scalars(select(Thread.id))))
    assert counts(any_store) == tally.NONE
    do(any_store, lambda bench: tally.set_new_apart(bench.session, ids))
    assert counts(any_store) == tally.Counts(2, 2, 0, 0, 0)


