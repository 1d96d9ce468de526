"""Taking messages out of a thread: into a new one, or into another of the same customer; and the undo of both."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from cs_plugin import desk
from cs_plugin.desk import Answer
from cs_plugin.errors import InvalidInputError, NotFoundError, NotPermittedError
from cs_plugin.rules.inquiry import Channel, Sender, address_key
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import daily, matching
from cs_plugin.store.models import Participant, Thread
from cs_plugin.store.scope import EVERYTHING
from tests.hosts.mailing import mail, take
from tests.hosts.store import JAN, JOHN, Store
from tests.hosts.writing import A_VISITOR, JAN_SIGNED_IN, begin, do, look, messages_of, receive, thread_of, token_of
from tests.test_merging import ANOTHER, is_right, mail_id, merge, merge_ids, reply, rows_of, texts, undo
from tests.test_receiving_mail import answering, fetch, sent


def further(store: Store, thread_id: int, text: str, **changes: Any) -> int:
    """Let the customer write again by the link; return the message."""
    store.clock.forward(seconds=60)
    thread = thread_of(store, thread_id)
    sender = Sender(thread.address, "", "", thread.customer_id, verified=True)
    received = receive(store, text, channel=Channel.LINK, thread_token=token_of(store, thread_id), contact_id=None, sender=sender, **changes)
    assert received.message_id is not None
    return received.message_id


def split(store: Store, thread_id: int, message_id: int, *, following: bool = False) -> int:
    """Split a message off."""
    return do(store, lambda bench: desk.split(bench, store.actor(), thread_id, message_id, following=following))


def move(store: Store, thread_id: int, message_id: int, target_id: int) -> int:
    """Move a message."""
    return do(store, lambda bench: desk.move_message(bench, store.actor(), thread_id, message_id, target_id))


@pytest.mark.shows("5.3", "5.7")
def test_a_message_is_split_off_into_a_new_thread_and_undone(any_store: Store) -> None:
    """The new thread is the same customer's, waits where the message waits, refers to the old one, and is gone again after the undo."""
    store = any_store
    thread_id = begin(store, sender=JAN_SIGNED_IN, order_id="15")
    reply(store, thread_id)
    second = further(store, thread_id, "Another thing")
    reply_id = reply(store, thread_id, "About the first")
    before = rows_of(store, thread_id)
    new = split(store, thread_id, second)
    assert (texts(store, thread_id), texts(store, new)) == (["Where is my parcel?", "It is on its way.", "About the first"], ["Another thing"])
    begun = thread_of(store, new)
    assert (begun.status, begun.address, begun.customer_id, begun.customer_verified, begun.order_id, begun.refers_to_id) == (
        Status.OPEN, JAN.email, JAN.id, True, "15", thread_id,
    )
    moved = messages_of(store, new)[0]
    assert (moved.matched_by, moved.home_thread_id, begun.created_at) == ("was_moved_by_hand", new, moved.created_at)
    is_right(store, thread_id, new)
    undo(store, merge_ids(store, new, "moved_in")[0])
    assert rows_of(store, thread_id) == before
    assert texts(store, new) == []
    assert reply_id in {one.id for one in messages_of(store, thread_id)}
    is_right(store, thread_id, new)
    opened = look(store, lambda session: matching.linked_thread(session, EVERYTHING, store.desk.signer, token_of(store, new)))
    assert opened is not None
    assert opened.id == thread_id


@pytest.mark.shows("5.7")
def test_all_that_follows_a_message_goes_with_it(store: Store) -> None:
    """Notes and answers too, with the status that the conversation had; the part that stays keeps its own."""
    thread_id = begin(store)
    second = further(store, thread_id, "Another thing")
    do(store, lambda bench: desk.add_note(bench, store.actor(), thread_id, "A note"))
    reply(store, thread_id, "An answer")
    before = rows_of(store, thread_id)
    new = split(store, thread_id, second, following=True)
    assert (texts(store, thread_id), texts(store, new)) == (["Where is my parcel?"], ["Another thing", "A note", "An answer"])
    assert (thread_of(store, thread_id).status, thread_of(store, new).status) == (Status.CLOSED, Status.CLOSED)
    undo(store, merge_ids(store, thread_id, "moved_out")[0])
    assert rows_of(store, thread_id) == before


@pytest.mark.shows("5.7")
def test_a_thread_never_loses_its_last_message(store: Store) -> None:
    """Nothing would be left in it: it can be merged."""
    thread_id = begin(store)
    only = messages_of(store, thread_id)[0].id
    other = begin(store, "Another")
    for work in (lambda: split(store, thread_id, only, following=True), lambda: move(store, thread_id, only, other)):
        with pytest.raises(InvalidInputError) as error:
            work()
        assert error.value.field == "to"


@pytest.mark.shows("5.3", "5.7")
def test_a_message_is_moved_to_another_thread_of_its_customer_and_undone(any_store: Store) -> None:
    """That thread opens, as if the message had come there; the undo gives both back."""
    store = any_store
    first, second = begin(store), begin(store, "And my invoice?")
    reply(store, second)
    late = further(store, first, "The invoice is wrong")
    before = rows_of(store, first, second)
    assert move(store, first, late, second) == second
    assert (texts(store, first), texts(store, second)[-1]) == (["Where is my parcel?"], "The invoice is wrong")
    assert thread_of(store, second).status is Status.OPEN
    is_right(store, first, second)
    undo(store, merge_ids(store, second, "moved_in")[0])
    assert rows_of(store, first, second) == before
    is_right(store, first, second)
    with pytest.raises(InvalidInputError):
        undo(store, merge_ids(store, second, "moved_in")[0])


@pytest.mark.shows("5.3")
def test_a_message_is_never_moved_to_another_customer_or_shop(store: Store) -> None:
    """Not even by an employee who may answer in both."""
    thread_id = begin(store)
    message = further(store, thread_id, "Mine")
    strangers = begin(store, "Theirs", sender=ANOTHER)
    berlin = begin(store, "There", shop_id="2")
    for target in (strangers, berlin, thread_id):
        with pytest.raises(InvalidInputError):
            move(store, thread_id, message, target)
    with pytest.raises(NotFoundError):
        move(store, thread_id, message, 999)
    mine = begin(store, "Mine as well")
    with pytest.raises(NotFoundError):
        move(store, mine, message, thread_id)
    store.answers.grants[JOHN.id] = {"view": ["1"], "reply": ["2"]}
    with pytest.raises(NotPermittedError):
        do(store, lambda bench: desk.split(bench, store.actor(JOHN), thread_id, message))


@pytest.mark.shows("5.3", "5.7")
def test_a_message_of_another_sender_begins_a_thread_of_its_own_sender(store: Store) -> None:
    """Unverified, and without the order: nobody gets to read what another has written. With what others wrote it stays the customer's."""
    fetch(store)
    thread_id = begin(store, sender=JAN_SIGNED_IN, order_id="15")
    reply(store, thread_id)
    ours = sent(store, to=JAN.email)
    do(store, lambda bench: bench.session.add(_participant(thread_id, bench)))
    landed = take(store, answering(ours, "I am his sister", by="sister@example.com", name="Anna"))
    assert landed.thread_id == thread_id
    message = int(landed.message_id or 0)
    reply(store, thread_id, "To Jan alone")
    whole = split(store, thread_id, message, following=True)
    assert (thread_of(store, whole).address, thread_of(store, whole).customer_id) == (JAN.email, JAN.id)
    undo(store, merge_ids(store, whole, "moved_in")[0])
    alone = split(store, thread_id, message)
    begun = thread_of(store, alone)
    assert (begun.address, begun.customer_name, begun.customer_verified, begun.order_id) == ("sister@example.com", "Anna", False, None)
    token = token_of(store, alone)
    undo(store, merge_ids(store, alone, "moved_in")[0])
    assert thread_of(store, alone).folder is Folder.BIN
    opened = look(store, lambda session: matching.linked_thread(session, EVERYTHING, store.desk.signer, token))
    assert opened is not None
    assert opened.folder is Folder.BIN


def _participant(thread_id: int, bench: desk.Bench) -> Any:
    address = "sister@example.com"
    return Participant(thread_id=thread_id, address=address, address_hash=address_key(address), added_by="1", created_at=bench.now)


@pytest.mark.shows("5.3", "10.5")
def test_mails_that_answer_a_moved_message_follow_it(any_store: Store) -> None:
    """Whatever tag they carry, as long as that message is the last one that they answer; after an undo they come back with it."""
    store = any_store
    fetch(store)
    thread_id = int(take(store, mail()).thread_id or 0)
    reply(store, thread_id)
    ours = sent(store, to=JAN.email)
    landed = take(store, answering(ours, "Another thing"))
    message = int(landed.message_id or 0)
    new = split(store, thread_id, message)
    its_id = str(mail_id(store, message))
    chain = (str(ours.message["Message-ID"]), its_id)
    after = take(store, answering(ours, "P.S.", in_reply_to=(its_id,), references=chain))
    assert (after.thread_id, after.reason) == (new, "answers_a_moved_message")
    assert take(store, answering(ours, "To the first")).thread_id == thread_id
    undo(store, merge_ids(store, new, "moved_in")[0])
    assert (texts(store, new), "Another thing" in texts(store, thread_id)) == (["P.S."], True)
    back = take(store, answering(ours, "Later", in_reply_to=(its_id,), references=chain))
    assert back.thread_id == thread_id
    is_right(store, thread_id, new)


@pytest.mark.shows("5.7")
def test_a_move_is_undone_after_a_merge_but_not_after_a_further_move(store: Store) -> None:
    """Messages go back wherever their thread stands now; who has moved them on has to undo that first."""
    first, second, third = begin(store, "a"), begin(store, "b"), begin(store, "c")
    late = further(store, first, "late")
    move(store, first, late, second)
    by_move = merge_ids(store, second, "moved_in")[0]
    move(store, second, late, third)
    with pytest.raises(InvalidInputError):
        undo(store, by_move)
    undo(store, merge_ids(store, third, "moved_in")[0])
    merge(store, third, second, kept=third)
    undo(store, by_move)
    assert (texts(store, first), texts(store, third)) == (["a", "late"], ["b", "c"])
    undo(store, merge_ids(store, third)[0])
    assert (texts(store, second), texts(store, third)) == (["b"], ["c"])
    is_right(store, first, second, third)


@pytest.mark.shows("5.7")
def test_a_message_that_was_merged_in_can_be_split_off_and_the_merge_undone(store: Store) -> None:
    """What was moved out by hand stays where it was moved to."""
    first, second = begin(store, "a"), begin(store, "b")
    late = further(store, second, "late")
    merge(store, first, second)
    new = split(store, first, late)
    undo(store, merge_ids(store, first)[0])
    assert (texts(store, first), texts(store, second), texts(store, new)) == (["a"], ["b"], ["late"])
    undo(store, merge_ids(store, new, "moved_in")[0])
    assert texts(store, second) == ["b", "late"]
    is_right(store, first, second, new)


@pytest.mark.shows("5.7", "6.3")
def test_figures_of_a_span_stay_what_they_are_when_messages_change_their_thread(store: Store) -> None:
    """Messages and answers are counted once, wherever they stand; a merged thread is no thread of its own any more."""
    first, second = begin(store, "a"), begin(store, "b", sender=replace(A_VISITOR, first_name="I."))
    do(store, lambda bench: desk.reply(bench, store.actor(), first, Answer("c")))
    since, until = store.clock.now.replace(hour=0), store.clock.now.replace(hour=23)

    def span() -> daily.Span:
        return look(store, lambda session: daily.span(session, EVERYTHING, since, until))

    before = span()
    merge(store, first, second)
    assert replace(span(), threads=2) == before
    assert span().threads == 1
    undo(store, merge_ids(store, first)[0])
    assert span() == before


def test_a_sender_without_an_address_belongs_to_the_threads_customer(store: Store) -> None:
    """What a machine or an employee wrote is split off into a thread of the same customer."""
    thread_id = begin(store, sender=Sender(JAN.email, "Jan", "Kowalski"))
    answer = reply(store, thread_id)
    new = split(store, thread_id, answer)
    assert look(store, lambda session: session.scalar(select(Thread.address).where(Thread.id == new))) == JAN.email
