"""Merging threads of one customer, and undoing it: messages, statuses, links, mails, notices and figures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import inspect, select, update

from cs_plugin import desk, hookimpl
from cs_plugin.desk import Answer
from cs_plugin.errors import InvalidInputError, NotFoundError, NotPermittedError
from cs_plugin.rules.inquiry import Channel, Sender
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import matching, merges, notices, tally, threads
from cs_plugin.store.models import Draft, Message, NoticeOpened, OutboxItem, SearchText, Thread, ThreadEvent
from cs_plugin.store.scope import EVERYTHING
from tests.hosts.mailing import bounce_of, mail, take
from tests.hosts.store import JAN, JOHN, LAYLA, MARIE, Store
from tests.hosts.writing import A_VISITOR, JAN_SIGNED_IN, begin, do, kept_columns, look, messages_of, receive, thread_of, token_of, worked_out
from tests.test_receiving_mail import answering, fetch, sent

ANOTHER = Sender("other@example.com", "Olga", "Other")


def rows_of(store: Store, *thread_ids: int) -> dict[Any, dict[str, Any]]:
    """Return every column of threads and of their messages, but for the number that counts writes."""

    def read(session: Any) -> dict[Any, dict[str, Any]]:
        found: dict[Any, dict[str, Any]] = {}
        for kind, query in (
            (Thread, select(Thread).where(Thread.id.in_(thread_ids))), (Message, select(Message).where(Message.thread_id.in_(thread_ids)))
        ):
            for row in session.scalars(query):
                found[kind.__name__, row.id] = {one.key: getattr(row, one.key) for one in inspect(kind).column_attrs if one.key != "version"}
        return found

    return look(store, read)


def is_right(store: Store, *thread_ids: int) -> None:
    """See that what is kept of threads is what their messages come to, and that the words are searched where the messages stand."""
    for thread_id in thread_ids:
        assert kept_columns(thread_of(store, thread_id)) == worked_out(messages_of(store, thread_id))
    searched = select(SearchText.message_id).join(Message, Message.id == SearchText.message_id).where(SearchText.thread_id != Message.thread_id)
    assert look(store, lambda session: list(session.scalars(searched))) == []
    assert look(store, tally.is_right)


def merge(store: Store, *thread_ids: int, kept: int | None = None) -> int:
    """Merge threads."""
    return do(store, lambda bench: desk.merge(bench, store.actor(), thread_ids, kept))


def merge_ids(store: Store, thread_id: int, kind: str = "merged") -> list[int]:
    """Return the merges and moves that the events of a thread name."""
    query = select(ThreadEvent).where(ThreadEvent.thread_id == thread_id, ThreadEvent.kind == kind).order_by(ThreadEvent.id)
    return look(store, lambda session: [one.details["merge"] for one in session.scalars(query)])


def undo(store: Store, merge_id: int) -> int:
    """Undo a merge or a move."""
    return do(store, lambda bench: desk.undo(bench, store.actor(), merge_id))


def texts(store: Store, thread_id: int) -> list[str]:
    """Return what stands in a thread."""
    return [one.text for one in messages_of(store, thread_id)]


def reply(store: Store, thread_id: int, text: str = "It is on its way.") -> int:
    """Answer."""
    return do(store, lambda bench: desk.reply(bench, store.actor(), thread_id, Answer(text)).id)


def two(store: Store, **changes: Any) -> tuple[int, int]:
    """Begin two threads of one visitor, the first of them answered, and closed by that."""
    first = begin(store, "Where is my parcel?", **changes)
    store.clock.forward(seconds=60)
    reply(store, first)
    store.clock.forward(seconds=60)
    return first, begin(store, "And my invoice?", **changes)


@pytest.mark.shows("5.7")
def test_merged_threads_are_one_and_an_undone_merge_gives_back_what_was(any_store: Store) -> None:
    """Every column of both threads and of all messages is as it was; only the count of writes has gone on."""
    store = any_store
    first, second = two(store)
    do(store, lambda bench: desk.assign(bench, store.actor(), second, JOHN.id))
    before = rows_of(store, first, second)
    store.clock.forward(seconds=60)
    assert merge(store, first, second) == first
    assert texts(store, first) == ["Where is my parcel?", "It is on its way.", "And my invoice?"]
    assert texts(store, second) == []
    kept, merged = thread_of(store, first), thread_of(store, second)
    assert (kept.status, kept.assignee_id, merged.folder, merged.merged_into_id) == (Status.OPEN, MARIE.id, Folder.MERGED, first)
    assert [one.home_thread_id for one in messages_of(store, first)] == [first, first, second]
    is_right(store, first, second)
    store.clock.forward(seconds=60)
    assert undo(store, merge_ids(store, first)[0]) == second
    assert rows_of(store, first, second) == before
    is_right(store, first, second)


@pytest.mark.shows("5.7")
def test_the_kept_thread_takes_what_it_lacks_and_gives_it_back(store: Store) -> None:
    """Its order, its account and its employee, as far as nobody has changed them since."""
    first = begin(store, sender=Sender(JAN.email, "", ""))
    store.clock.forward(seconds=60)
    second = begin(store, "And my invoice?", sender=JAN_SIGNED_IN, order_id="15")
    do(store, lambda bench: desk.assign(bench, store.actor(), second, JOHN.id))
    before = rows_of(store, first, second)
    merge(store, second, first)
    kept = thread_of(store, first)
    assert (kept.order_id, kept.customer_id, kept.customer_verified, kept.assignee_id) == ("15", JAN.id, True, JOHN.id)
    assert kept.customer_name == "Jan Kowalski"
    undo(store, merge_ids(store, first)[0])
    assert rows_of(store, first, second) == before


@pytest.mark.shows("5.7")
@pytest.mark.parametrize(("one", "other", "after"), [
    (Status.CLOSED, Status.CLOSED, Status.CLOSED), (Status.CLOSED, Status.OPEN, Status.OPEN), (Status.OPEN, Status.CLOSED, Status.OPEN),
    (Status.PENDING1, Status.CLOSED, Status.PENDING1), (Status.PENDING2, Status.OPEN, Status.OPEN), (Status.CLOSED, Status.PENDING1, Status.CLOSED),
])
def test_the_kept_thread_is_open_if_one_was_else_as_it_was(store: Store, one: Status, other: Status, after: Status) -> None:
    """And an undone merge gives both their statuses back."""
    first, second = two(store)
    do(store, lambda bench: desk.set_status(bench, store.actor(), [first], one))
    do(store, lambda bench: desk.set_status(bench, store.actor(), [second], other))
    merge(store, first, second)
    assert thread_of(store, first).status is after
    undo(store, merge_ids(store, first)[0])
    assert (thread_of(store, first).status, thread_of(store, second).status) == (one, other)


@pytest.mark.shows("5.7", "12.1")
def test_only_threads_of_one_customer_in_one_shop_are_merged(store: Store) -> None:
    """Neither of two addresses, nor of two accounts, nor of two shops; and only by whoever may answer there."""
    mine, strangers = begin(store, "Mine"), begin(store, sender=ANOTHER)
    berlin = begin(store, shop_id="2")
    one_account = begin(store, sender=replace(JAN_SIGNED_IN, address="shared@example.com"))
    other_account = begin(store, "Other", sender=Sender("shared@example.com", "Ida", "Vogel", "9", verified=True))
    for one, other in ((mine, strangers), (mine, berlin), (one_account, other_account)):
        with pytest.raises(InvalidInputError) as error:
            merge(store, one, other)
        assert error.value.field == "thread"
    same = begin(store, "Again")
    with pytest.raises(InvalidInputError):
        merge(store, mine)
    store.answers.grants[JOHN.id] = {"view": ["1"], "reply": ["2"]}
    with pytest.raises(NotPermittedError):
        do(store, lambda bench: desk.merge(bench, store.actor(JOHN), [mine, same]))
    store.answers.grants[LAYLA.id] = {"view": ["2"], "reply": ["2"]}
    with pytest.raises(NotFoundError):
        do(store, lambda bench: desk.merge(bench, store.actor(LAYLA), [mine, same]))
    do(store, lambda bench: desk.delete(bench, store.actor(), [same]))
    with pytest.raises(InvalidInputError):
        merge(store, mine, same)
    merged = begin(store, "Once more")
    merge(store, mine, merged)
    with pytest.raises(NotFoundError):
        do(store, lambda bench: desk.undo(bench, store.actor(LAYLA), merge_ids(store, mine)[0]))
    with pytest.raises(NotPermittedError):
        do(store, lambda bench: desk.undo(bench, store.actor(JOHN), merge_ids(store, mine)[0]))


@pytest.mark.shows("5.7")
def test_the_same_account_is_one_customer_whatever_its_address(store: Store) -> None:
    """Both threads were written signed in."""
    first = begin(store, sender=JAN_SIGNED_IN)
    second = begin(store, "From my phone", sender=replace(JAN_SIGNED_IN, address="jan@phone.example"))
    assert merge(store, first, second, kept=second) == second
    assert texts(store, second) == ["Where is my parcel?", "From my phone"]


@pytest.mark.shows("5.7")
def test_the_link_of_either_thread_leads_to_one_conversation_until_the_merge_is_undone(any_store: Store) -> None:
    """What is written by a thread's own link belongs to that thread, and goes back with it."""
    store = any_store
    first, second = two(store)
    by_first, by_second = token_of(store, first), token_of(store, second)
    merge(store, first, second)

    def opens(token: str) -> int | None:
        found = look(store, lambda session: matching.linked_thread(session, EVERYTHING, store.desk.signer, token))
        return found.id if found else None

    assert (opens(by_first), opens(by_second)) == (first, first)
    store.clock.forward(seconds=60)
    for token, text in ((by_first, "By the first link"), (by_second, "By the second link")):
        assert receive(store, text, channel=Channel.LINK, thread_token=token, contact_id=None).thread_id == first
    reply(store, first, "To both")
    undo(store, merge_ids(store, first)[0])
    assert texts(store, first) == ["Where is my parcel?", "It is on its way.", "By the first link", "To both"]
    assert texts(store, second) == ["And my invoice?", "By the second link"]
    assert (opens(by_first), opens(by_second)) == (first, second)
    assert [thread_of(store, one).status for one in (first, second)] == [Status.CLOSED, Status.OPEN]
    is_right(store, first, second)


@pytest.mark.shows("5.7", "10.5")
def test_mail_after_a_merge_belongs_to_the_thread_that_its_key_names(any_store: Store) -> None:
    """By its tag, or by the Message-ID that it answers; a bounce finds the mail that it is about, and after an undo each key leads home."""
    store = any_store
    fetch(store)
    one, other = take(store, mail()), take(store, mail("And my invoice?", subject="Invoice"))
    first, second = int(one.thread_id or 0), int(other.thread_id or 0)
    reply(store, first)
    ours = sent(store, to=JAN.email)
    second_reply = reply(store, second, "Here it is.")
    theirs = sent(store, to=JAN.email)
    merge(store, first, second)
    tagged = take(store, answering(theirs, "By the tag of the second"))
    by_id = take(store, answering(theirs, "By the Message-ID alone", written_to=("box@shop.example",), subject="Re: no tag"))
    to_first = take(store, answering(ours, "To the first"))
    assert [landed.thread_id for landed in (tagged, by_id, to_first)] == [first] * 3
    bounced = take(store, bounce_of(str(theirs.message["Message-ID"])))
    assert bounced.thread_id == first
    assert next(message for message in messages_of(store, first) if message.id == second_reply).delivery.value == "failed"
    undo(store, merge_ids(store, first)[0])
    assert texts(store, second)[:4] == ["And my invoice?", "Here it is.", "By the tag of the second", "By the Message-ID alone"]
    assert "To the first" in texts(store, first)
    later = take(store, mail("Once more", in_reply_to=(str(mail_id(store, by_id.message_id)),), subject="Re: no tag"))
    assert later.thread_id == second
    is_right(store, first, second)


def mail_id(store: Store, message_id: int | None) -> str | None:
    """Return the Message-ID of a message."""
    return look(store, lambda session: session.get_one(Message, message_id).message_id)


@pytest.mark.shows("5.7")
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_chains_are_undone_in_either_order(store: Store, order: tuple[int, int]) -> None:
    """C into B, B into A: whichever is undone first, each message goes home."""
    a, b, c = begin(store, "a"), begin(store, "b"), begin(store, "c")
    before = rows_of(store, a, b, c)
    merge(store, b, c)
    merge(store, a, b)
    assert texts(store, a) == ["a", "b", "c"]
    rows = [merge_ids(store, b)[0], merge_ids(store, a)[0]]
    undo(store, rows[order[0]])
    is_right(store, a, b, c)
    undo(store, rows[order[1]])
    assert rows_of(store, a, b, c) == before
    with pytest.raises(InvalidInputError) as error:
        undo(store, rows[0])
    assert error.value.message == "This has been undone already."


@pytest.mark.shows("5.7")
def test_of_several_merged_threads_one_goes_and_the_others_stay(store: Store) -> None:
    """The kept one stays open as long as one that was open is merged into it."""
    a, b, c = begin(store, "a"), begin(store, "b"), begin(store, "c")
    do(store, lambda bench: desk.set_status(bench, store.actor(), [a], Status.CLOSED))
    before = rows_of(store, a, b, c)
    merge(store, a, b, c)
    by_b, by_c = merge_ids(store, a)
    undo(store, by_b)
    assert (texts(store, a), thread_of(store, a).status) == (["a", "c"], Status.OPEN)
    undo(store, by_c)
    assert rows_of(store, a, b, c) == before


@pytest.mark.shows("5.7")
@pytest.mark.parametrize("status", [Status.CLOSED, Status.PENDING2])
def test_what_was_merged_long_ago_does_not_keep_a_thread_open(any_store: Store, status: Status) -> None:
    """It was open when it was merged; the kept one was given another status since, and has that again when a later merge is undone."""
    store = any_store
    a, b, c = begin(store, "a"), begin(store, "b"), begin(store, "c")
    merge(store, a, b)
    do(store, lambda bench: desk.set_status(bench, store.actor(), [a], status))
    before = rows_of(store, a, b, c)
    merge(store, a, c)
    assert thread_of(store, a).status is Status.OPEN
    undo(store, merge_ids(store, a)[-1])
    assert rows_of(store, a, b, c) == before


@pytest.mark.shows("5.7")
def test_a_merged_thread_is_in_no_list_and_no_figure_and_takes_no_verb(store: Store) -> None:
    """It cannot be closed, deleted or answered by itself: whoever answers it answers in the one that was kept."""
    first, second = two(store)
    merge(store, first, second)
    counts = look(store, lambda session: tally.counts_by_contact(session, EVERYTHING))
    assert sum(one.threads for one in counts.values()) == 1
    assert look(store, lambda session: threads.longest_waiting(session, EVERYTHING)) == first
    assert look(store, lambda session: threads.others_of(session, EVERYTHING, session.get_one(Thread, first), limit=5)) == []
    with pytest.raises(NotFoundError):
        do(store, lambda bench: desk.set_status(bench, store.actor(), [second], Status.CLOSED))
    assert do(store, lambda bench: desk.set_status(bench, store.actor(), [first, second], Status.PENDING1)) == 1
    reply(store, second, "For both")
    assert texts(store, first)[-1] == "For both"
    assert thread_of(store, second).status is Status.OPEN
    is_right(store, first, second)


@pytest.mark.shows("5.7")
def test_revoking_the_link_revokes_those_of_merged_threads(store: Store) -> None:
    """Whoever holds the link of the merged one would read on by it; an undo brings no revoked link back."""
    first, second = two(store)
    tokens = token_of(store, first), token_of(store, second)
    merge(store, first, second)
    do(store, lambda bench: desk.revoke_link(bench, store.actor(), first))
    undo(store, merge_ids(store, first)[0])
    for token in tokens:
        assert look(store, lambda session, token=token: matching.linked_thread(session, EVERYTHING, store.desk.signer, token)) is None


@pytest.mark.shows("5.7")
def test_mails_that_wait_are_sent_from_the_kept_thread_and_go_back_with_an_undo(store: Store) -> None:
    """What is queued leaves as it would have, and tells its own message."""
    first, second = two(store)
    answer = reply(store, second, "Here it is.")
    do(store, lambda bench: desk.assign(bench, store.actor(), second, JOHN.id))
    items = select(OutboxItem.id).where(OutboxItem.thread_id == second).order_by(OutboxItem.id)
    before = look(store, lambda session: list(session.scalars(items)))
    assert len(before) >= 2
    merge(store, first, second)
    assert look(store, lambda session: list(session.scalars(items))) == []
    sent(store, to=A_VISITOR.address)
    assert look(store, lambda session: session.get_one(Message, answer)).delivery.value == "sent"
    undo(store, merge_ids(store, first)[0])
    assert look(store, lambda session: list(session.scalars(items))) == before


@pytest.mark.shows("5.7")
def test_erasing_the_kept_thread_erases_what_was_merged_into_it(store: Store) -> None:
    """Nothing is left of the customer under the merged one's number."""
    first, second = two(store)
    merge(store, first, second)
    do(store, lambda bench: desk.delete(bench, store.actor(), [first]))
    with pytest.raises(InvalidInputError):
        undo(store, merge_ids(store, first)[0])
    store.clock.forward(days=31)
    do(store, lambda bench: desk.purge_bin(bench, older_than=desk.BIN_KEEPS))
    for table in (Thread, Message, ThreadEvent, SearchText):
        assert look(store, lambda session, table=table: list(session.scalars(select(table)))) == []
    assert look(store, tally.is_right)


@pytest.mark.shows("5.7", "6.12")
def test_what_rings_rings_on_and_what_was_seen_stays_seen(any_store: Store) -> None:
    """In every case of two threads, each seen or not, before and after the merge and its undo."""
    store = any_store

    def rings(thread_id: int) -> bool:
        return look(store, lambda session: notices.rings(session, EVERYTHING, MARIE.id, thread_id, store.clock()))

    def opened(thread_id: int) -> None:
        newest = messages_of(store, thread_id)[-1].id
        do(store, lambda bench: notices.open_thread(bench.session, EVERYTHING, MARIE.id, thread_id, newest, bench.now))

    for seen_first, seen_second in ((True, True), (True, False), (False, True), (False, False)):
        first, second = begin(store, f"{seen_first} {seen_second}"), begin(store, f"second of {seen_first} {seen_second}")
        store.clock.forward(seconds=60)
        if seen_first:
            opened(first)
        if seen_second:
            opened(second)
        before = rings(first), rings(second)
        assert before == (not seen_first, not seen_second)
        merge(store, first, second)
        assert (rings(first), rings(second)) == (any(before), False)
        undo(store, merge_ids(store, first)[0])
        assert (rings(first), rings(second)) == before
        merge(store, first, second)
        opened(first)
        undo(store, merge_ids(store, first)[-1])
        assert (rings(first), rings(second)) == (False, False)
    assert look(store, lambda session: len(session.scalars(select(NoticeOpened)).all())) > 0


@pytest.mark.shows("5.5", "5.7")
def test_what_is_being_written_goes_on_in_the_kept_thread(store: Store) -> None:
    """Beside what was written there; an undo gives both back, unless somebody has gone on writing."""
    first, second = two(store)

    def write(bench: desk.Bench) -> None:
        bench.session.add_all([
            Draft(employee_id="1", thread_id=first, version=3, reply="One", note="", details={}, changed_at=bench.now),
            Draft(employee_id="1", thread_id=second, version=1, reply="Two", note="N", details={}, changed_at=bench.now),
            Draft(employee_id="2", thread_id=second, version=1, reply="Three", note="", details={}, changed_at=bench.now),
        ])

    do(store, write)

    def drafts(thread_id: int) -> list[tuple[str, str, str]]:
        query = select(Draft).where(Draft.thread_id == thread_id).order_by(Draft.employee_id)
        return look(store, lambda session: [(one.employee_id, one.reply, one.note) for one in session.scalars(query)])

    merge(store, first, second)
    assert drafts(first) == [("1", "One\n\nTwo", "N"), ("2", "Three", "")]
    do(store, lambda bench: bench.session.execute(
        update(Draft).where(Draft.thread_id == first, Draft.employee_id == "2").values(version=2, reply="Three and more")))
    undo(store, merge_ids(store, first)[0])
    assert drafts(first) == [("1", "One", ""), ("2", "Three and more", "")]
    assert drafts(second) == [("1", "Two", "N"), ("2", "Three", "")]


@pytest.mark.shows("5.7")
def test_listeners_hear_of_a_merge(store: Store) -> None:
    """With the thread that was kept, and those that were merged into it."""
    heard: list[Any] = []

    class Listener:
        @hookimpl
        def cs_threads_merged(self, thread: Any, merged_ids: Any, employee: Any) -> None:
            heard.append((thread.id, thread.status, list(merged_ids), employee.id))

    store.desk.manager.register(Listener())
    first, second = two(store)
    with store.app.app_context():
        store.desk.do(lambda bench: desk.merge(bench, store.actor(), [first, second]))
    assert heard == [(first, Status.OPEN, [second], MARIE.id)]


def test_a_circle_of_merges_ends(store: Store) -> None:
    """Nothing of ours draws one; where a hand in the database has, the thread is not found, and nobody waits for ever."""
    thread_id = begin(store)
    do(store, lambda bench: bench.session.execute(update(Thread).where(Thread.id == thread_id).values(merged_into_id=thread_id)))
    with pytest.raises(NotFoundError):
        do(store, lambda bench: desk.reply(bench, store.actor(), thread_id, desk.Answer("Hello")))
    with pytest.raises(NotFoundError):
        do(store, lambda bench: desk.merge(bench, store.actor(), [thread_id, begin(store, "Another")]))


def test_threads_of_the_same_order_are_suggested_first(store: Store) -> None:
    """Then the newest; of another customer's nothing is."""
    wanted, same_order, newest = (begin(store, text, sender=JAN_SIGNED_IN) for text in ("Where is it?", "And the bill?", "Something else"))
    begin(store, "Not theirs", sender=Sender("eva@example.com", "Eva", "Novak"))
    do(store, lambda bench: bench.session.execute(update(Thread).where(Thread.id.in_([wanted, same_order])).values(order_id="15")))
    found = look(store, lambda session: [one.id for one in merges.suggested(session, EVERYTHING, session.get_one(Thread, wanted), limit=5)])
    assert found == [same_order, newest]
