"""Handling: status, assignee, type and bin, one thread or many, each with its event."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import select, update

from cs_plugin import desk, hookimpl
from cs_plugin.desk import Answer
from cs_plugin.errors import InvalidInputError, NotFoundError
from cs_plugin.rules.inquiry import Channel
from cs_plugin.rules.people import Customer
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import threads
from cs_plugin.store.filters import ThreadFilter
from cs_plugin.store.models import ContactShop, Delivery, OutboxItem, OutboxState, Thread, ThreadEvent
from cs_plugin.store.options import set_option
from cs_plugin.store.scope import EVERYTHING
from cs_plugin.store.sorting import NEWEST_FIRST, Ranks, Sort, ordered_ids
from tests.hosts.store import JAN, JOHN, LAYLA, MARIE, Store, make_store
from tests.hosts.writing import (
    JAN_SIGNED_IN,
    begin,
    contact_id,
    do,
    kept_columns,
    look,
    messages_of,
    receive,
    thread_of,
    token_of,
    worked_out,
)
from tests.listed import total_of


def events(store: Store, thread_id: int) -> list[ThreadEvent]:
    """Return the events of a thread in their order."""
    query = select(ThreadEvent).where(ThreadEvent.thread_id == thread_id).order_by(ThreadEvent.id)
    return look(store, lambda session: list(session.scalars(query)))


def listed(store: Store) -> int:
    """Return how many threads the list counts."""
    return look(store, lambda session: total_of(session, EVERYTHING, ThreadFilter()))[0]


def outbox(store: Store, thread_id: int) -> list[OutboxState]:
    """Return where the mails of a thread stand."""
    query = select(OutboxItem.state).where(OutboxItem.thread_id == thread_id).order_by(OutboxItem.id)
    return look(store, lambda session: list(session.scalars(query)))


@pytest.mark.shows("2.5", "5.1")
@pytest.mark.parametrize("before", list(Status))
@pytest.mark.parametrize("after", list(Status))
def test_a_status_is_set_and_leaves_an_event(store: Store, before: Status, after: Status) -> None:
    """Who did it, from what, to what; setting what is set changes nothing and is not told."""
    thread_id = begin(store)
    do(store, lambda bench: bench.session.execute(update(Thread).values(status=before)))
    changed = do(store, lambda bench: desk.set_status(bench, replace(store.actor(), via="list"), [thread_id], after))
    assert thread_of(store, thread_id).status is after
    assert changed == (before is not after)
    told = [(one.kind, one.actor_kind, one.actor_id, one.actor_name, one.via, one.details) for one in events(store, thread_id)]
    one = ("status", "employee", MARIE.id, "Marie Dubois", "list", {"before": before.value, "after": after.value})
    assert told == ([one] if changed else [])


@pytest.mark.shows("6.11", "12.1")
def test_a_bulk_change_reaches_those_that_may_be_changed(any_store: Store) -> None:
    """Others, those that are not there and those of other shops are left out; where none is left it is an error."""
    store = any_store
    mine, closed, berlin = begin(store, "a"), begin(store, "b"), begin(store, "c", shop_id="2")
    store.answers.grants[JOHN.id] = {"view": ["1", "2"], "reply": ["1"]}
    do(store, lambda bench: desk.set_status(bench, store.actor(), [closed], Status.CLOSED))
    assert do(store, lambda bench: desk.set_status(bench, store.actor(JOHN), [mine, mine, closed, berlin, 999, 10**40], Status.CLOSED)) == 1
    assert [thread_of(store, one).status for one in (mine, closed, berlin)] == [Status.CLOSED, Status.CLOSED, Status.OPEN]
    assert do(store, lambda bench: desk.set_status(bench, store.actor(JOHN), [], Status.OPEN)) == 0
    with pytest.raises(NotFoundError):
        do(store, lambda bench: desk.set_status(bench, store.actor(JOHN), [999, -1], Status.OPEN))


@pytest.mark.shows("2.4", "2.5")
def test_a_thread_is_assigned_and_given_back(any_store: Store) -> None:
    """To a colleague, to nobody, to oneself, with an event each; to whom it belongs already is no change."""
    store = any_store
    thread_id = begin(store)
    for assignee in (JOHN.id, JOHN.id, None, None, MARIE.id):
        do(store, lambda bench, assignee=assignee: desk.assign(bench, store.actor(), thread_id, assignee))
        assert thread_of(store, thread_id).assignee_id == assignee
    assert [(one.details["assignee_id"], one.details["assignee_name"]) for one in events(store, thread_id)] == [
        ("2", "John Doe"), (None, ""), ("1", "Marie Dubois"),
    ]
    row = look(store, lambda session: threads.list_page(
        session, EVERYTHING, ThreadFilter(employee="m. dubois"), sort=NEWEST_FIRST, number=1, size=20, ranks=Ranks())).rows[0]
    assert row.assignee is not None
    assert row.assignee.last_name == "Dubois"


@pytest.mark.shows("2.4", "12.1")
@pytest.mark.parametrize("assignee", ["2", "3", "99", "", "x" * 5000, "\x00"])
def test_a_thread_is_not_given_to_whom_may_not_see_it(store: Store, assignee: str) -> None:
    """Neither to an employee of another shop, nor to one who has left, nor to somebody who does not exist."""
    thread_id = begin(store)
    store.answers.grants[JOHN.id] = {"view": ["2"], "reply": ["2"]}
    store.answers.employees[LAYLA.id] = replace(LAYLA, active=False)
    with pytest.raises(InvalidInputError) as error:
        do(store, lambda bench: desk.assign(bench, store.actor(), thread_id, assignee))
    assert error.value.field == "assignee"
    assert thread_of(store, thread_id).assignee_id is None


@pytest.mark.shows("2.4", "5.1")
def test_the_type_of_a_thread_is_changed_to_a_contact_of_its_shop(any_store: Store) -> None:
    """Or to "--"; not to one that does not exist or that the shop does not have."""
    store = any_store
    thread_id = begin(store)
    webmaster, service = contact_id(store, "Webmaster"), contact_id(store)
    do(store, lambda bench: desk.move_to_contact(bench, store.actor(), thread_id, webmaster))
    do(store, lambda bench: desk.move_to_contact(bench, store.actor(), thread_id, webmaster))
    do(store, lambda bench: desk.move_to_contact(bench, store.actor(), thread_id, None))
    assert thread_of(store, thread_id).contact_id is None
    assert [(one.details["before"], one.details["after"], one.details["title"]) for one in events(store, thread_id)] == [
        (service, webmaster, "Webmaster"), (webmaster, None, "--"),
    ]
    do(store, lambda bench: bench.session.query(ContactShop).filter_by(contact_id=webmaster, shop_id="1").delete())
    for wrong in (webmaster, 999, 0, -1, 2**63, 10**40):
        with pytest.raises(InvalidInputError) as error:
            do(store, lambda bench, wrong=wrong: desk.move_to_contact(bench, store.actor(), thread_id, wrong))
        assert error.value.field == "contact"


@pytest.mark.shows("2.10")
def test_a_deleted_thread_is_out_of_everything_and_can_come_back(any_store: Store) -> None:
    """Its waiting mail is cancelled, and an answer that will not arrive says so; it comes back with status and messages, and can be sent again."""
    store = any_store
    thread_id, other = begin(store, "one"), begin(store, "two")
    do(store, lambda bench: desk.reply(bench, store.actor(), thread_id, Answer("On its way")))
    before = thread_of(store, thread_id)
    assert do(store, lambda bench: desk.delete(bench, store.actor(), [thread_id])) == [thread_id]
    assert do(store, lambda bench: desk.delete(bench, store.actor(), [thread_id, other][:1])) == []
    assert (listed(store), thread_of(store, thread_id).binned_at) == (1, store.clock())
    assert set(outbox(store, thread_id)) == {OutboxState.CANCELLED}
    assert OutboxState.CANCELLED not in outbox(store, other)
    reply = messages_of(store, thread_id)[-1]
    assert (reply.delivery, reply.delivery_text) == (Delivery.FAILED, "Not sent: the thread was deleted.")
    with pytest.raises(NotFoundError):
        do(store, lambda bench: desk.retry_mail(bench, store.actor(), thread_id, reply.id))
    assert do(store, lambda bench: desk.restore(bench, store.actor(), [thread_id, other])) == [thread_id]
    after = thread_of(store, thread_id)
    assert (after.folder, after.binned_at, after.status, after.assignee_id) == (Folder.LIST, None, before.status, before.assignee_id)
    assert set(outbox(store, thread_id)) == {OutboxState.CANCELLED}
    do(store, lambda bench: desk.retry_mail(bench, store.actor(), thread_id, reply.id))
    assert messages_of(store, thread_id)[-1].delivery is Delivery.QUEUED
    assert [one.kind for one in events(store, thread_id)] == ["assigned", "status", "deleted", "restored"]


def test_what_was_sent_before_a_deletion_stays_sent(any_store: Store) -> None:
    """Only what waits is cancelled."""
    store = any_store
    thread_id = begin(store)
    do(store, lambda bench: desk.reply(bench, store.actor(), thread_id, Answer("On its way")))
    with store.app.app_context():
        assert store.desk.office.deliver().sent == 3
    do(store, lambda bench: desk.delete(bench, store.actor(), [thread_id]))
    assert set(outbox(store, thread_id)) == {OutboxState.SENT}
    assert messages_of(store, thread_id)[-1].delivery is Delivery.SENT


def test_spam_that_was_deleted_comes_back_as_spam(any_store: Store) -> None:
    """A thread returns to where it lay, also after a second time in the bin."""
    store = any_store
    thread_id = begin(store)
    do(store, lambda bench: bench.session.execute(update(Thread).values(folder=Folder.SPAM)))
    for _ in range(2):
        do(store, lambda bench: desk.delete(bench, store.actor(), [thread_id]))
        do(store, lambda bench: desk.restore(bench, store.actor(), [thread_id]))
        assert thread_of(store, thread_id).folder is Folder.SPAM


def test_a_renamed_customer_is_found_by_the_new_name(any_store: Store) -> None:
    """Every thread of theirs shows it, cleaned; the address of a thread stays."""
    store = any_store
    mine = begin(store, "one", sender=JAN_SIGNED_IN)
    other = begin(store, "two")
    do(store, lambda bench: desk.change_customer(bench, Customer(JAN.id, "new@example.com", "Jan\x00", "Nowak\r\nBcc: x" + "y" * 300)))
    thread = thread_of(store, mine)
    assert thread.customer_name.startswith("Jan Nowak Bcc: xyyy")
    assert (len(thread.customer_name), thread.address) == (200, JAN.email)
    renamed = ThreadFilter(customer="JAN NOWAK")
    assert look(store, lambda session: session.scalars(ordered_ids(EVERYTHING, renamed, Sort())).all()) == [mine]
    assert thread_of(store, other).customer_name == "Ida Vogel"


def test_a_merged_customers_threads_belong_to_the_one_that_is_kept(any_store: Store) -> None:
    """Threads and messages, and nobody else's."""
    store = any_store
    mine, other = begin(store, "one", sender=JAN_SIGNED_IN), begin(store, "two")
    do(store, lambda bench: desk.merge_customers(bench, "8", JAN.id))
    assert (thread_of(store, mine).customer_id, messages_of(store, mine)[0].author_id) == ("8", "8")
    assert thread_of(store, other).customer_id is None


# --- Anything, in any order ------------------------------------------------------------------------------------------


class Hearing:
    """A plugin that writes down the changes of status that are told."""

    def __init__(self) -> None:
        self.changes: list[tuple[int, str, str]] = []

    @hookimpl
    def cs_status_changed(self, thread: Any, before: str, after: str) -> None:
        self.changes.append((thread.id, before, after))


class Desk(RuleBasedStateMachine):
    """A desk on which people do whatever they like. `folder` is where its database lies."""

    folder: Any = None
    runs = 0

    @initialize(keeps=some.booleans())
    def open_the_store(self, keeps: bool) -> None:
        """Begin with an empty store."""
        type(self).runs += 1
        place = self.folder / str(self.runs)
        place.mkdir()
        self.hearing = Hearing()
        self.store = make_store(f"sqlite:///{place}/store.sqlite", place, plugins=[self.hearing])
        self.ids: list[int] = []
        self.statuses: dict[int, Status] = {}
        self.number = 0
        if keeps:
            do(self.store, lambda bench: set_option(bench.session, "after_reply", "keep", bench.now))

    def teardown(self) -> None:
        """Close the store."""
        if hasattr(self, "store"):
            with self.store.app.app_context():
                self.store.db.session.remove()
                self.store.db.engine.dispose()

    def words(self) -> str:
        """Return a text that nobody has written, a little later."""
        self.number += 1
        self.store.clock.forward(seconds=1)
        return f"text {self.number}"

    def live(self, pick: int) -> int:
        """Return one of the threads."""
        return self.ids[pick % len(self.ids)]

    @rule()
    def a_visitor_begins(self) -> None:
        """Begin a thread."""
        self.ids.append(begin(self.store, self.words()))

    @precondition(lambda self: self.ids)
    @rule(pick=some.integers(0, 9))
    def the_customer_writes(self, pick: int) -> None:
        """Write by the thread's link; a deleted one refuses."""
        thread_id = self.live(pick)
        binned = thread_of(self.store, thread_id).folder is Folder.BIN
        before = len(messages_of(self.store, thread_id))
        try:
            receive(self.store, self.words(), channel=Channel.LINK, thread_token=token_of(self.store, thread_id), contact_id=None)
        except InvalidInputError:
            assert binned
        assert len(messages_of(self.store, thread_id)) == before + (not binned)

    @rule()
    def the_customer_writes_about_an_order(self) -> None:
        """Write on the order page: into the newest thread of that order, or a new one."""
        received = receive(self.store, self.words(), channel=Channel.ORDER_PAGE, order_id="15", sender=JAN_SIGNED_IN)
        if received.thread_id not in self.ids:
            self.ids.append(received.thread_id or 0)

    @precondition(lambda self: self.ids)
    @rule(pick=some.integers(0, 9), then=some.sampled_from([None, *Status]), keep=some.booleans(), seen=some.booleans())
    def an_employee_answers(self, pick: int, then: Status | None, keep: bool, seen: bool) -> None:
        """Answer; a deleted thread refuses."""
        thread_id = self.live(pick)
        newest = messages_of(self.store, thread_id)[-1].id if seen else None
        text = Answer(self.words(), then=then, keep_status=keep, seen_message_id=newest)
        try:
            do(self.store, lambda bench: desk.reply(bench, self.store.actor(), thread_id, text))
        except InvalidInputError:
            assert thread_of(self.store, thread_id).folder is Folder.BIN

    @precondition(lambda self: self.ids)
    @rule(pick=some.integers(0, 9))
    def an_employee_notes(self, pick: int) -> None:
        """Add a note."""
        do(self.store, lambda bench: desk.add_note(bench, self.store.actor(), self.live(pick), self.words()))

    @precondition(lambda self: self.ids)
    @rule(picks=some.lists(some.integers(0, 9), min_size=1, max_size=4), status=some.sampled_from(Status))
    def an_employee_marks(self, picks: list[int], status: Status) -> None:
        """Mark threads in bulk."""
        chosen = [self.live(pick) for pick in picks]
        do(self.store, lambda bench: desk.set_status(bench, self.store.actor(), chosen, status))

    @precondition(lambda self: self.ids)
    @rule(pick=some.integers(0, 9), assignee=some.sampled_from([None, "1", "2"]))
    def an_employee_assigns(self, pick: int, assignee: str | None) -> None:
        """Give a thread to somebody."""
        do(self.store, lambda bench: desk.assign(bench, self.store.actor(), self.live(pick), assignee))

    @precondition(lambda self: self.ids)
    @rule(picks=some.lists(some.integers(0, 9), min_size=1, max_size=3), back=some.booleans())
    def an_employee_deletes_or_restores(self, picks: list[int], back: bool) -> None:
        """Lay threads in the bin, or take them out."""
        verb = desk.restore if back else desk.delete
        do(self.store, lambda bench: verb(bench, self.store.actor(), [self.live(pick) for pick in picks]))

    @precondition(lambda self: self.ids)
    @rule()
    def the_mails_leave(self) -> None:
        """Deliver what is due."""
        with self.store.app.app_context():
            self.store.desk.office.deliver()

    @invariant()
    def what_is_kept_is_what_the_messages_come_to(self) -> None:
        """For every thread, whatever happened to it."""
        for thread_id in getattr(self, "ids", []):
            assert kept_columns(thread_of(self.store, thread_id)) == worked_out(messages_of(self.store, thread_id))

    @invariant()
    def events_and_what_was_told_lead_to_where_a_thread_stands(self) -> None:
        """From open, step by step, without a gap."""
        for thread_id in getattr(self, "ids", []):
            stands = Status.OPEN.value
            steps = [(one.details["before"], one.details["after"]) for one in events(self.store, thread_id) if one.kind == "status"]
            for before, after in steps:
                assert before == stands != after
                stands = after
            assert stands == thread_of(self.store, thread_id).status.value
            assert [(before, after) for number, before, after in self.hearing.changes if number == thread_id] == steps

    @invariant()
    def the_next_unanswered_is_the_one_that_waits_longest(self) -> None:
        """Among the open ones of the list, as Python finds it."""
        if not getattr(self, "ids", []):
            return
        found = look(self.store, lambda session: threads.longest_waiting(session, EVERYTHING))
        here = [one for one in map(self._thread, self.ids) if one.folder is Folder.LIST and one.status is Status.OPEN]
        never = dt.datetime.max.replace(tzinfo=dt.UTC)
        expected = min(here, key=lambda one: (one.waiting_since or never, one.id), default=None)
        assert found == (expected.id if expected else None)

    def _thread(self, thread_id: int) -> Thread:
        return thread_of(self.store, thread_id)

    @invariant()
    def no_mail_waits_for_a_deleted_thread(self) -> None:
        """And an answer that says it is queued is."""
        for thread_id in getattr(self, "ids", []):
            if self._thread(thread_id).folder is Folder.BIN:
                assert OutboxState.WAITING not in outbox(self.store, thread_id)
            queued = {one.id for one in messages_of(self.store, thread_id) if one.delivery is Delivery.QUEUED}
            waiting = look(self.store, lambda session, queued=queued: set(session.scalars(
                select(OutboxItem.message_id).where(OutboxItem.message_id.in_(queued), OutboxItem.state == OutboxState.WAITING))))
            assert waiting == queued


def test_whatever_people_do_the_desk_agrees_with_itself(tmp_path: Any) -> None:
    """Random verbs in random order: kept columns, events, what listeners hear and what waits in the outbox always agree."""

    class HereAndNow(Desk):
        folder = tmp_path

    bounded = settings(max_examples=8, stateful_step_count=20, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(HereAndNow, settings=bounded)
    assert HereAndNow.runs >= 8
