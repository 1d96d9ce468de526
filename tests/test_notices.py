"""What stands under the bell, for whom, and until when; on each database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

import pytest
from sqlalchemy import event, func, select, update
from sqlalchemy.orm import Session

from cs_plugin import desk, outbox
from cs_plugin.desk import Answer
from cs_plugin.errors import UndeliverableError
from cs_plugin.rules.inquiry import AuthorKind, Channel, address_key
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import notices
from cs_plugin.store.locking import committed
from cs_plugin.store.models import Message, Notice, NoticeOpened, NoticeRung, Thread
from cs_plugin.store.notices import Bell, Shown
from cs_plugin.store.scope import EVERYTHING, Scope
from cs_plugin.web.rounds import do_jobs, queue_chores
from tests.hosts.store import EVERYTHING as EVERY_PERMISSION
from tests.hosts.store import JAN, JOHN, MARIE, Store
from tests.hosts.writing import JAN_SIGNED_IN, begin, do, inquiry, look, receive, token_of
from tests.test_writers import at_once, in_own_session

SHOPS = ("1", "2", "3")
PARIS, BERLIN = Scope(frozenset("1")), Scope(frozenset("2"))
pytestmark = pytest.mark.shows("6.1")


def bell(store: Store, who: str = MARIE.id, scope: Scope = EVERYTHING) -> Bell:
    """Return what is under somebody's bell."""
    return look(store, lambda session: notices.bell_of(session, scope, SHOPS, who, store.clock()))


def under(store: Store, who: str = MARIE.id, scope: Scope = EVERYTHING) -> list[int]:
    """Return the threads under somebody's bell, the newest first."""
    found = bell(store, who, scope)
    assert found.number == len(found.newest)
    return [one.thread_id for one in found.newest]


def clear(store: Store, who: str = MARIE.id, scope: Scope = EVERYTHING, shown: Shown | None = None) -> None:
    """Click on a notice that shows what is there now, or what was `shown`."""
    seen = shown or bell(store, who, scope).shown
    do(store, lambda bench: notices.clear(bench.session, scope, SHOPS, who, seen, bench.now))


def opened(store: Store, thread_id: int, who: str = MARIE.id) -> None:
    """Open a thread."""

    def work(bench: desk.Bench) -> None:
        newest = bench.session.scalar(select(func.max(Message.id)).where(Message.thread_id == thread_id))
        notices.open_thread(bench.session, EVERYTHING, who, thread_id, newest or 0, bench.now)

    do(store, work)


def goes_on(store: Store, thread_id: int, text: str) -> None:
    """Let the customer write again, by their link."""
    receive(store, text, channel=Channel.LINK, thread_token=token_of(store, thread_id))


def poured(store: Store, number: int, *, shop_id: str = "1", ago: dt.timedelta = dt.timedelta()) -> list[int]:
    """Write many threads of one message each."""
    return do(store, lambda bench: [thread_id for thread_id, _message in write(bench.session, bench.now - ago, number, shop_id=shop_id)])


def write(session: Session, at: dt.datetime, number: int = 1, *, shop_id: str = "1", text: str = "Hello") -> list[tuple[int, int]]:
    """Write threads of one message each without the desk, and return both ids: what is counted does not depend on how it came to be."""
    threads = [
        Thread(
            shop_id=shop_id, language="en", folder=Folder.LIST, status=Status.OPEN, address=f"c{n}@example.com",
            address_hash=address_key(f"c{n}@example.com"), token_nonce="n", created_at=at,
        )
        for n in range(number)
    ]  # fmt: skip
    session.add_all(threads)
    session.flush()
    messages = [
        Message(
            thread_id=one.id, home_thread_id=one.id, shop_id=shop_id, author_kind=AuthorKind.CUSTOMER, channel=Channel.FORM, text=text,
            preview=text, created_at=at,
        )
        for one in threads
    ]  # fmt: skip
    session.add_all(messages)
    session.flush()
    return [(one.thread_id, one.id) for one in messages]


# --- What rings, and for whom -----------------------------------------------------------------------------------------------------------------------


def test_a_customers_message_rings_for_every_employee(any_store: Store) -> None:
    """Whoever may see it has the thread under the bell, once, with its newest words; the newest thread stands first."""
    store = any_store
    first = begin(store, "Where is my parcel?", sender=JAN_SIGNED_IN)
    store.clock.forward(minutes=1)
    second = begin(store, "Something else")
    store.clock.forward(minutes=1)
    goes_on(store, first, "It is still not here")
    for who in (MARIE.id, JOHN.id):
        assert under(store, who) == [first, second]
    newest = bell(store).newest
    assert [(one.status, one.name, one.address, one.words) for one in newest] == [
        (Status.OPEN, JAN.name, JAN.email, "It is still not here"),
        (Status.OPEN, "", "visitor@example.com", "Something else"),
    ]
    assert newest[0].at == store.clock.now


def test_only_the_newest_five_are_shown_and_at_most_99_are_counted(any_store: Store) -> None:
    """A hundred threads read as more than 99."""
    ids = poured(any_store, 99)
    found = bell(any_store)
    assert (found.number, found.more, len(found.newest)) == (99, False, 5)
    any_store.clock.forward(minutes=1)
    ids += poured(any_store, 1)
    found = bell(any_store)
    assert (found.number, found.more) == (99, True)
    assert found.newest[0].thread_id == ids[-1]


def test_answers_and_notes_ring_for_nobody_and_what_is_public_on_the_order_page_for_all_but_its_author(any_store: Store) -> None:
    """A note there stays silent, an answer on the thread's page too."""
    store = any_store
    store.answers.grants[JOHN.id] = EVERY_PERMISSION
    thread_id = begin(store, sender=JAN_SIGNED_IN)
    clear(store)
    clear(store, JOHN.id)
    do(store, lambda bench: desk.reply(bench, store.actor(), thread_id, Answer("Soon")))
    do(store, lambda bench: desk.add_note(bench, store.actor(), thread_id, "A note"))
    order = store.answers.orders[0]
    noted = do(store, lambda bench: desk.write_on_order(bench, store.actor(), order, "For us alone", public=False))
    assert noted is not None
    assert under(store, JOHN.id) == []
    said = do(store, lambda bench: desk.write_on_order(bench, store.actor(), order, "It leaves tomorrow", public=True))
    assert said is not None
    assert under(store) == []
    assert under(store, JOHN.id) == [said.thread_id]
    assert bell(store, JOHN.id).newest[0].words == "It leaves tomorrow"
    do(store, lambda bench: desk.write_on_order(bench, store.actor(JOHN), order, "Or the day after", public=True))
    assert under(store) == [said.thread_id]
    assert under(store, JOHN.id) == [said.thread_id]


@pytest.mark.parametrize("changes", [{"author_kind": AuthorKind.MACHINE}, {"author_kind": AuthorKind.OUTSIDER, "private": True}])
def test_what_a_machine_or_an_outsider_wrote_rings_for_nobody(any_store: Store, changes: dict[str, object]) -> None:
    """Nor does it hide what the customer wrote before it."""
    store = any_store
    thread_id = begin(store)
    opened(store, thread_id)

    def wrote(bench: desk.Bench) -> None:
        values = {"channel": Channel.MAIL, "text": "Out of office", "created_at": bench.now} | changes
        bench.session.add(Message(thread_id=thread_id, home_thread_id=thread_id, shop_id="1", **values))

    store.clock.forward(minutes=1)
    do(store, wrote)
    assert under(store) == []
    assert under(store, JOHN.id) == [thread_id]


@pytest.mark.parametrize("folder", [Folder.SPAM, Folder.BIN])
def test_what_lies_in_spam_or_in_the_bin_rings_for_nobody(any_store: Store, folder: Folder) -> None:
    """It rings again once it is taken out."""
    thread_id = begin(any_store)
    do(any_store, lambda bench: bench.session.execute(update(Thread).values(folder=folder)))
    assert under(any_store) == []
    assert not look(any_store, lambda session: notices.rings(session, EVERYTHING, MARIE.id, thread_id, any_store.clock()))
    do(any_store, lambda bench: bench.session.execute(update(Thread).values(folder=Folder.LIST)))
    assert under(any_store) == [thread_id]


@pytest.mark.shows("2.2")
def test_a_mail_that_fails_for_good_rings_for_the_assignee_alone(any_store: Store) -> None:
    """Again when the next one fails, and not after the thread was opened or the bell cleared."""
    store = any_store
    thread_id = begin(store)
    for who in (MARIE, JOHN):
        clear(store, who.id)

    def fails() -> None:
        store.clock.forward(minutes=1)
        do(store, lambda bench: desk.reply(bench, store.actor(), thread_id, Answer("Soon")))

        def fail(bench: desk.Bench) -> None:
            while claimed := outbox.claim(bench.session, bench.now):
                outbox.record(bench.session, claimed, UndeliverableError("550 no such user", permanent=True, code=550), bench.now)

        do(store, fail)

    fails()
    assert under(store) == [thread_id]
    assert under(store, JOHN.id) == []
    assert under(store, scope=BERLIN) == []
    shown = bell(store).shown
    store.clock.forward(minutes=1)
    fails()
    clear(store, shown=shown)
    assert under(store) == [thread_id]
    clear(store)
    assert under(store) == []
    fails()
    assert under(store) == [thread_id]
    opened(store, thread_id)
    assert under(store) == []


def test_news_lasts_thirty_days(any_store: Store) -> None:
    """Also for an employee who comes for the first time; for whom there is no row before they have clicked."""
    poured(any_store, 2, ago=dt.timedelta(days=31))
    recent = poured(any_store, 1, ago=dt.timedelta(days=29))
    assert under(any_store, "somebody new") == recent
    assert look(any_store, lambda session: session.scalar(select(func.count()).select_from(Notice))) == 0
    any_store.clock.forward(days=2)
    assert under(any_store, "somebody new") == []


# --- What takes them away ---------------------------------------------------------------------------------------------------------------------------


def test_clearing_takes_all_of_one_employee_away_and_nothing_of_another(any_store: Store) -> None:
    """Old ones and new ones; what comes later rings."""
    store = any_store
    begin(store, "An old one")
    store.clock.forward(hours=3)
    again = begin(store, "A new one")
    clear(store)
    assert under(store) == []
    assert len(under(store, JOHN.id)) == 2
    goes_on(store, again, "One more thing")
    assert under(store) == [again]


def test_clearing_more_than_99_takes_all_of_them_away(any_store: Store) -> None:
    """Those beyond the hundred that are counted too, however young they are."""
    poured(any_store, 60, ago=dt.timedelta(days=2))
    poured(any_store, 150)
    clear(any_store)
    assert under(any_store) == []
    assert bell(any_store, JOHN.id).more


def test_clearing_one_shop_leaves_the_others(any_store: Store) -> None:
    """Both ways: a group's click clears its shops."""
    store = any_store
    paris, berlin, dubai = (begin(store, f"Shop {shop}", shop_id=shop) for shop in SHOPS)
    clear(store, scope=PARIS)
    assert under(store, scope=PARIS) == []
    assert sorted(under(store)) == [berlin, dubai]
    clear(store, scope=Scope(frozenset({"1", "2"})))
    assert under(store) == [dubai]
    assert sorted(under(store, JOHN.id)) == [paris, berlin, dubai]


def test_opening_a_thread_takes_away_its_own_alone(any_store: Store) -> None:
    """For that employee, up to what they have seen."""
    store = any_store
    first, second = begin(store, "One"), begin(store, "Two")
    opened(store, first)
    assert under(store) == [second]
    assert sorted(under(store, JOHN.id)) == [first, second]
    goes_on(store, first, "Again")
    assert sorted(under(store)) == [first, second]


def test_a_thread_outside_the_scope_is_not_opened(any_store: Store) -> None:
    """It rings on."""
    thread_id = begin(any_store, shop_id="1")
    do(any_store, lambda bench: notices.open_thread(bench.session, BERLIN, MARIE.id, thread_id, 99, bench.now))
    assert under(any_store) == [thread_id]


def test_what_came_after_the_list_was_shown_rings_on(any_store: Store) -> None:
    """A click takes away what its page showed: neither a new thread nor a new message of a shown one."""
    store = any_store
    first, second = begin(store, "One"), begin(store, "Two")
    shown = bell(store).shown
    store.clock.forward(seconds=40)
    third = begin(store, "Three")
    goes_on(store, first, "One more")
    clear(store, shown=shown)
    assert sorted(under(store)) == [first, third]
    assert second not in under(store)


@pytest.mark.parametrize("database_url", ["postgresql", "mariadb"], indirect=True)
@pytest.mark.parametrize("many", [False, True], ids=["few", "more than 99"])
def test_a_message_that_is_committed_late_still_rings(any_store: Store, many: bool) -> None:
    """Its number is lower than that of one that was shown and cleared meanwhile. SQLite has one writer at a time, and none that is late."""
    store = any_store
    if many:
        poured(store, 120)
    with store.desk.sessions() as slow:
        ((_thread, late),) = write(slow, store.clock(), text="I am late")
        ((_thread, quick),) = do(store, lambda bench: write(bench.session, bench.now, text="I am on time"))
        assert late < quick
        clear(store)
        assert under(store) == []
        store.clock.forward(minutes=5)
        clear(store)
        slow.commit()
    found = bell(store)
    assert [one.words for one in found.newest] == ["I am late"]


def test_marks_only_move_forward(any_store: Store) -> None:
    """An old tab that is clicked last, and a page that was drawn before another, bring nothing back."""
    store = any_store
    thread_id = begin(store)
    old = bell(store).shown
    store.clock.forward(hours=1)
    goes_on(store, thread_id, "Again")
    clear(store)
    clear(store, shown=old)
    assert under(store) == []
    do(store, lambda bench: notices.open_thread(bench.session, EVERYTHING, MARIE.id, thread_id, 1, bench.now))
    store.clock.forward(hours=1)
    assert under(store) == []


def test_a_click_from_the_future_or_with_made_up_numbers_takes_away_no_more_than_a_click_now(any_store: Store) -> None:
    """What is yet to come rings; a message of another shop is not marked."""
    store = any_store
    thread_id, other = begin(store), begin(store, "Elsewhere", shop_id="2")
    far = Shown(store.clock() + dt.timedelta(days=400), frozenset({2**70, -1, 0, *range(1, 50)}), frozenset({2**70}))
    clear(store, scope=PARIS, shown=far)
    assert under(store) == [other]
    store.clock.forward(minutes=1)
    goes_on(store, thread_id, "Later")
    assert under(store) == [thread_id, other]


def test_many_clicks_at_once_leave_one_mark(any_store: Store) -> None:
    """Two tabs and an opened thread, at the same moment: no error, nothing lost, nothing twice."""
    store = any_store
    thread_id = begin(store)
    poured(store, 5)
    shown = bell(store).shown

    def click(bench: desk.Bench) -> None:
        notices.clear(bench.session, EVERYTHING, SHOPS, MARIE.id, shown, bench.now)

    def look_at(bench: desk.Bench) -> None:
        notices.open_thread(bench.session, EVERYTHING, MARIE.id, thread_id, 1, bench.now)

    at_once(store, in_own_session, [[click, look_at] * 5 for _ in range(4)])
    assert under(store) == []

    def rows(session: object) -> Sequence[int]:
        return [session.scalar(select(func.count()).select_from(row)) for row in (Notice, NoticeOpened)]  # type: ignore[attr-defined]

    assert look(store, rows) == [3, 6]


def test_what_is_remembered_does_not_grow(any_store: Store) -> None:
    """A later click forgets the threads of an earlier one; what nobody clicks away is forgotten by the daily rounds."""
    store = any_store
    thread_id = begin(store)
    poured(store, 7)
    clear(store)
    store.clock.forward(hours=1)
    poured(store, 1)
    clear(store)
    left = look(store, lambda session: session.scalar(select(func.count()).select_from(NoticeOpened)))
    assert left == 1
    do(store, lambda bench: notices.ring(bench.session, bench.session.get_one(Thread, thread_id), [JOHN.id], bench.now))
    opened(store, thread_id, JOHN.id)
    do(store, lambda bench: notices.ring(bench.session, bench.session.get_one(Thread, thread_id), [JOHN.id], bench.now))
    store.clock.forward(days=31)
    with store.app.app_context():
        queue_chores(store.desk)
        do_jobs(store.desk)
    for row in (NoticeOpened, NoticeRung):
        assert look(store, lambda session, row=row: session.scalar(select(func.count()).select_from(row))) == 0  # type: ignore[misc]


def test_a_purged_thread_leaves_nothing_behind(any_store: Store) -> None:
    """Neither a mark nor a ring."""
    store = any_store
    thread_id = begin(store)
    opened(store, thread_id)
    do(store, lambda bench: notices.ring(bench.session, bench.session.get_one(Thread, thread_id), [MARIE.id], bench.now))
    do(store, lambda bench: desk.delete(bench, store.actor(), [thread_id]))
    store.clock.forward(days=31)
    do(store, lambda bench: desk.purge_bin(bench, older_than=desk.BIN_KEEPS))
    for row in (NoticeOpened, NoticeRung):
        assert look(store, lambda session, row=row: session.scalar(select(func.count()).select_from(row))) == 0  # type: ignore[misc]


def test_what_is_older_than_hundreds_of_opened_threads_still_rings(any_store: Store) -> None:
    """Somebody who opens the newest one by one, day after day, and never clears the bell."""
    store = any_store
    old = poured(store, 3, ago=dt.timedelta(days=2))

    def see(bench: desk.Bench) -> None:
        seen = write(bench.session, bench.now, 410)
        bench.session.add_all(
            NoticeOpened(employee_id=MARIE.id, thread_id=thread_id, seen_message_id=message_id, changed_at=bench.now)
            for thread_id, message_id in seen
        )

    do(store, see)
    assert sorted(under(store)) == old
    assert bell(store, JOHN.id).more


# --- What it costs ----------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", [EVERYTHING, Scope(frozenset({"1", "2"}))], ids=["all shops", "two shops"])
def test_the_bell_costs_two_queries_and_reads_no_whole_table(any_store: Store, scope: Scope) -> None:
    """Whatever is there: the plan goes over the shop's messages by their time."""
    store = any_store
    poured(store, 150)
    poured(store, 30, shop_id="2")
    asked: list[tuple[str, object]] = []

    def listen(_connection: object, _cursor: object, statement: str, parameters: object, *_rest: object) -> None:
        asked.append((statement, parameters))

    engine = store.desk.sessions.kw["bind"]
    event.listen(engine, "before_cursor_execute", listen)
    try:
        bell(store, scope=scope)
    finally:
        event.remove(engine, "before_cursor_execute", listen)
    asked = [one for one in asked if one[0].startswith("SELECT")]
    assert len(asked) == 2
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            plan = "\n".join(str(row[3]) for row in connection.exec_driver_sql("EXPLAIN QUERY PLAN " + asked[0][0], asked[0][1]))
        assert plan.count("SEARCH cs_message USING INDEX ix_cs_message_written (shop_id=? AND created_at>?)") == sum(shop in scope for shop in SHOPS)
        assert "SCAN cs_" not in plan


def test_a_message_can_be_given_back_to_the_bell_by_nobody_elses_clock(any_store: Store) -> None:
    """A message whose writer's clock is some minutes behind rings all the same."""
    store = any_store
    begin(store, "First")
    clear(store)
    behind = replace(store.clock, now=store.clock.now - dt.timedelta(minutes=8))
    late = inquiry(store, "From a server that is slow")
    with store.desk.sessions() as session:
        committed(session, lambda: desk.receive(replace(store.desk.bench(session), now=behind()), late))
    assert [one.words for one in bell(store).newest] == ["From a server that is slow"]
