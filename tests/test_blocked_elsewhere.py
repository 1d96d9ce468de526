"""A blocked sender writes by a link or on an order into a thread of the list: it lands in spam, rings nobody, and one click frees it."""

from __future__ import annotations

from typing import Any

import pytest

from cs_plugin import desk
from cs_plugin.rules.inquiry import Channel, Sender
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import notices, tally
from cs_plugin.store.models import OutboxItem, Thread
from cs_plugin.store.scope import EVERYTHING
from tests.hosts.store import JAN, MARIE, Store
from tests.hosts.visitor import Visitor
from tests.hosts.writing import JAN_SIGNED_IN, begin, contact_id, do, look, messages_of, receive, thread_of, token_of
from tests.test_merging import reply
from tests.test_releases import hold

BY_LINK: dict[str, Any] = {"channel": Channel.LINK, "contact_id": None}
ON_ORDER: dict[str, Any] = {"channel": Channel.ORDER_PAGE, "order_id": "15", "sender": JAN_SIGNED_IN, "contact_id": None}


def blocked_and_answered(store: Store, **changes: Any) -> int:
    """Let somebody have a thread that is answered, and be blocked by another one; return the one that lies in the list."""
    listed = begin(store, "Where is my parcel?", **changes)
    reply(store, listed)
    other = begin(store, "Buy my watches", **{**changes, "order_id": None, "contact_id": contact_id(store), "channel": Channel.FORM})
    do(store, lambda bench: desk.block_senders(bench, store.actor(), [other]))
    store.clock.forward(seconds=60)
    newest = messages_of(store, listed)[-1].id
    do(store, lambda bench: notices.open_thread(bench.session, EVERYTHING, MARIE.id, listed, newest, bench.now))
    return listed


def rings(store: Store, thread_id: int) -> bool:
    """Say whether a thread stands under Marie's bell."""
    return look(store, lambda session: notices.rings(session, EVERYTHING, MARIE.id, thread_id, store.clock()))


@pytest.mark.shows("2.11", "6.1")
@pytest.mark.parametrize("way", ["link", "order"])
def test_what_a_blocked_sender_writes_into_a_thread_of_the_list_lands_in_spam(any_store: Store, way: str) -> None:
    """By link, and signed in on the order: the thread stays closed with its replies, nobody hears of it, and it goes on in one thread in spam."""
    store = any_store
    listed = blocked_and_answered(store, **({} if way == "link" else ON_ORDER))
    waits = hold(store, listed, later=True)
    mails = look(store, lambda session: session.query(OutboxItem).count())
    writing = {**BY_LINK, "thread_token": token_of(store, listed)} if way == "link" else ON_ORDER
    first, second = receive(store, "Buy now", **writing), receive(store, "Buy even more", **writing)
    assert first.thread_id == second.thread_id != listed
    assert first.thread_id is not None
    spam, thread = thread_of(store, first.thread_id), thread_of(store, listed)
    assert (spam.folder, spam.refers_to_id, spam.address, spam.customer_id) == (Folder.SPAM, listed, thread.address, thread.customer_id)
    assert (spam.order_id, spam.customer_verified) == (thread.order_id, thread.customer_verified)
    assert (thread.status, len(messages_of(store, listed))) == (Status.CLOSED, 3)
    assert next(one for one in messages_of(store, listed) if one.id == waits).release_due_at is not None
    assert (rings(store, listed), rings(store, spam.id)) == (False, False)
    assert look(store, lambda session: session.query(OutboxItem).count()) == mails
    assert look(store, tally.is_right)


@pytest.mark.shows("2.11")
def test_one_click_frees_the_sender_and_what_they_wrote(store: Store) -> None:
    """It stands in the list, and the next message goes into the thread that it is written to."""
    listed = blocked_and_answered(store)
    writing = {**BY_LINK, "thread_token": token_of(store, listed)}
    landed = receive(store, "Buy now", **writing).thread_id
    assert landed is not None
    do(store, lambda bench: desk.unblock_senders(bench, store.actor(), [landed]))
    assert (thread_of(store, landed).folder, messages_of(store, landed)[0].text) == (Folder.LIST, "Buy now")
    assert receive(store, "Sorry, where is my parcel?", **writing).thread_id == listed
    assert thread_of(store, listed).status is Status.OPEN


@pytest.mark.shows("2.11", "3.5")
def test_a_blocked_guest_is_shown_success_and_what_they_wrote(store: Store) -> None:
    """Nothing tells them that they are blocked."""
    listed = blocked_and_answered(store)
    visitor = Visitor(store)
    visitor.open(f"/customer-service/thread/{token_of(store, listed)}")
    answer = visitor.post(text="Buy now")
    assert answer.status_code == 303
    assert "Buy now" in visitor.open(answer.location.partition("#")[0])
    assert [one.text for one in messages_of(store, listed)][-1] != "Buy now"


@pytest.mark.shows("2.11")
def test_a_customer_whose_threads_address_is_blocked_is_blocked_by_their_account_too(store: Store) -> None:
    """Though the account has another address by now; somebody else on the same order is not."""
    listed = begin(store, **ON_ORDER)
    other = begin(store, "Buy my watches", sender=Sender(JAN.email, "", ""))
    do(store, lambda bench: desk.block_senders(bench, store.actor(), [other]))
    renamed = Sender("jan.new@example.com", JAN.first_name, JAN.last_name, JAN.id, verified=True)
    assert receive(store, "Buy now", **{**ON_ORDER, "sender": renamed}).thread_id != listed
    assert [one.folder for one in look(store, lambda session: session.query(Thread).order_by(Thread.id).all())] == [
        Folder.LIST, Folder.SPAM, Folder.SPAM]
