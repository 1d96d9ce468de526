"""A customer's message to a thread that has been closed for too long begins a new one, and everybody finds from each to the other."""

from __future__ import annotations

import re
import threading
from functools import partial
from typing import Any

import pytest
from sqlalchemy import func, select

from cs_plugin import desk
from cs_plugin.rules.inquiry import Channel, Sender, address_key
from cs_plugin.rules.shops import Breadth, Context
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store.models import BlockedSender, OutboxItem, Participant, Post, Thread, ThreadEvent
from cs_plugin.store.options import set_option
from tests.hosts.store import JAN, MARIE, Store
from tests.hosts.visitor import Visitor, a_file
from tests.hosts.writing import A_VISITOR, JAN_SIGNED_IN, begin, do, look, messages_of, receive, thread_of, token_of

PARIS_ALONE = Context(Breadth.SHOP, "1")


@pytest.fixture(autouse=True)
def within_thirty_days(request: pytest.FixtureRequest) -> None:
    """Paris reopens a thread within 30 days; the other shops always do."""
    store = request.getfixturevalue("any_store" if "any_store" in request.fixturenames else "store")

    def choose(bench: desk.Bench) -> None:
        set_option(bench.session, "reopen_closed", "within", bench.now, context=PARIS_ALONE)
        set_option(bench.session, "reopen_days", 30, bench.now, context=PARIS_ALONE)

    do(store, choose)


def closed(store: Store, **changes: Any) -> int:
    """Begin a thread and answer it, which closes it; return its id."""
    thread_id = begin(store, "Where is my parcel?", **changes)
    do(store, lambda bench: desk.reply(bench, store.actor(), thread_id, desk.Answer("It is on its way.")))
    assert thread_of(store, thread_id).status is Status.CLOSED
    return thread_id


def by_link(store: Store, thread_id: int, text: str = "It never came.", **changes: Any) -> Any:
    """Write by the link of a thread."""
    return receive(store, text, channel=Channel.LINK, thread_token=token_of(store, thread_id), contact_id=None, **changes)


def events_of(store: Store, thread_id: int) -> list[tuple[str, Any]]:
    """Return what the events of a thread tell of other threads."""
    of_thread = select(ThreadEvent).where(ThreadEvent.thread_id == thread_id, ThreadEvent.kind.in_(["continued", "continues"]))
    return look(store, lambda session: [(event.kind, event.details["other"]) for event in session.scalars(of_thread.order_by(ThreadEvent.id))])


# --- Into which thread ------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("8.8")
def test_a_message_after_the_last_day_begins_a_thread_that_refers_to_the_old_one(any_store: Store) -> None:
    """It is with the same customer, about the same, has a token of its own, and waits for an answer; the old one stays as it was."""
    store = any_store
    old_id = closed(store, sender=JAN_SIGNED_IN, order_id="15", subject="Parcel", language="fr")
    friend = {"address": "friend@example.com", "address_hash": address_key("friend@example.com"), "added_by": "1", "created_at": store.clock()}
    do(store, lambda bench: bench.session.add(Participant(thread_id=old_id, **friend)))
    store.clock.forward(days=30, seconds=1)
    new_id = by_link(store, old_id).thread_id
    old, new = thread_of(store, old_id), thread_of(store, new_id)
    assert (old.status, old.customer_messages, [one.text for one in messages_of(store, new_id)]) == (Status.CLOSED, 1, ["It never came."])
    assert (new.refers_to_id, new.status, new.folder, new.waiting_since) == (old_id, Status.OPEN, Folder.LIST, store.clock())
    same = ("shop_id", "language", "contact_id", "subject", "address", "address_hash", "address_sort", "customer_id", "customer_verified",
            "customer_name", "customer_sort", "order_id")
    assert [getattr(new, name) for name in same] == [getattr(old, name) for name in same]
    assert new.token_nonce != old.token_nonce
    assert (events_of(store, old_id), events_of(store, new_id)) == ([("continued", new_id)], [("continues", old_id)])
    taking_part = select(Participant.address).where(Participant.thread_id == new_id)
    assert look(store, lambda session: list(session.scalars(taking_part))) == ["friend@example.com"]
    told = select(OutboxItem.kind).where(OutboxItem.thread_id == new_id)
    assert look(store, lambda session: list(session.scalars(told))) == ["contact_notice"]


@pytest.mark.shows("8.8")
def test_a_message_on_the_last_day_reopens_the_thread(any_store: Store) -> None:
    """The days count from the last message that the customer could read, and a note is none."""
    store = any_store
    old_id = closed(store)
    store.clock.forward(days=20)
    do(store, lambda bench: desk.reply(bench, store.actor(), old_id, desk.Answer("Has it come?")))
    store.clock.forward(days=30)
    assert by_link(store, old_id).thread_id == old_id
    assert thread_of(store, old_id).status is Status.OPEN
    do(store, lambda bench: desk.reply(bench, store.actor(), old_id, desk.Answer("We look into it.")))
    store.clock.forward(days=25)
    do(store, lambda bench: desk.add_note(bench, store.actor(), old_id, "Nothing new"))
    store.clock.forward(days=6)
    assert by_link(store, old_id, "Anything new?").thread_id != old_id


@pytest.mark.shows("8.8")
@pytest.mark.parametrize("status", [Status.OPEN, Status.PENDING1, Status.PENDING2])
def test_a_thread_that_is_not_closed_takes_a_message_however_old_it_is(store: Store, status: Status) -> None:
    """An answer is still owed in it."""
    old_id = closed(store)
    do(store, lambda bench: desk.set_status(bench, store.actor(), [old_id], status))
    store.clock.forward(days=400)
    assert by_link(store, old_id).thread_id == old_id


@pytest.mark.shows("8.8")
def test_a_shop_that_always_reopens_does_so_after_years(store: Store) -> None:
    """Berlin has no value of its own, and the default is always."""
    old_id = closed(store, shop_id="2")
    store.clock.forward(days=2_000)
    assert by_link(store, old_id, shop_id="2").thread_id == old_id


@pytest.mark.shows("8.8", "2.11")
def test_nobody_writes_their_way_out_of_spam(store: Store) -> None:
    """What lies in spam stays in its thread."""
    old_id = closed(store)

    def mark(bench: desk.Bench) -> None:
        bench.session.get_one(Thread, old_id).folder = Folder.SPAM

    do(store, mark)
    store.clock.forward(days=400)
    assert by_link(store, old_id).thread_id == old_id


@pytest.mark.shows("8.8")
def test_the_next_message_to_the_old_thread_goes_where_the_last_one_went(any_store: Store) -> None:
    """Until that one has come to rest as well: then it goes on from there. Each message says why it stands where it does."""
    store = any_store
    old_id = closed(store)
    store.clock.forward(days=31)
    second = by_link(store, old_id, "It never came.").thread_id
    assert by_link(store, old_id, "Hello?").thread_id == second
    do(store, lambda bench: desk.reply(bench, store.actor(), second, desk.Answer("We send another one.")))
    store.clock.forward(days=3)
    assert by_link(store, old_id, "Thank you").thread_id == second
    do(store, lambda bench: desk.set_status(bench, store.actor(), [second], Status.CLOSED))
    store.clock.forward(days=31)
    third = by_link(store, old_id, "It is broken.").thread_id
    assert third not in (old_id, second)
    assert thread_of(store, third).refers_to_id == second
    assert {one.matched_by for one in messages_of(store, second) + messages_of(store, third) if one.matched_by} == {"goes_on_after_a_closed_thread"}


@pytest.mark.shows("8.8", "2.10")
def test_a_new_thread_that_was_deleted_takes_no_message(any_store: Store) -> None:
    """The next message to the old one begins another."""
    store = any_store
    old_id = closed(store)
    store.clock.forward(days=31)
    second = by_link(store, old_id).thread_id
    do(store, lambda bench: desk.delete(bench, store.actor(), [second]))
    third = by_link(store, old_id, "Hello?").thread_id
    assert third not in (old_id, second)
    assert by_link(store, old_id, "Are you there?").thread_id == third


@pytest.mark.shows("8.8", "2.6")
@pytest.mark.parametrize("channel", [Channel.FORM, Channel.ORDER_PAGE])
def test_a_message_about_an_order_goes_on_in_one_new_thread(any_store: Store, channel: Channel) -> None:
    """By the contact form as by the order's page: the first begins it, and the next one finds it as the newest of the order."""
    store = any_store
    page = {"channel": Channel.ORDER_PAGE, "contact_id": None, "sender": JAN_SIGNED_IN, "order_id": "15"}
    old_id = closed(store, **page)
    store.clock.forward(days=31)
    sent = page if channel is Channel.ORDER_PAGE else {"sender": JAN_SIGNED_IN, "order_id": "15"}
    new_id = receive(store, "It never came.", **sent).thread_id
    assert new_id != old_id
    assert (thread_of(store, new_id or 0).refers_to_id, thread_of(store, new_id or 0).contact_id) == (old_id, None)
    assert receive(store, "Hello?", **sent).thread_id == new_id


@pytest.mark.shows("2.11", "8.8")
def test_a_thread_that_a_blocked_sender_goes_on_in_lies_in_spam(any_store: Store) -> None:
    """Nothing is mailed about it, what they write next goes there too, and the old one stays where it was."""
    store = any_store
    old_id = closed(store)
    address = {"address": A_VISITOR.address, "address_hash": address_key(A_VISITOR.address), "created_at": store.clock()}
    do(store, lambda bench: bench.session.add(BlockedSender(**address)))
    store.clock.forward(days=31)
    new_id = by_link(store, old_id).thread_id
    assert (thread_of(store, old_id).folder, thread_of(store, new_id).folder) == (Folder.LIST, Folder.SPAM)
    assert by_link(store, old_id, "Hello?").thread_id == new_id
    mailed = select(func.count()).select_from(OutboxItem).where(OutboxItem.thread_id == new_id)
    assert look(store, lambda session: session.scalar(mailed)) == 0


@pytest.mark.shows("2.7", "8.8")
def test_the_same_text_by_the_old_link_and_by_the_new_one_is_taken_once(any_store: Store) -> None:
    """Whichever comes first; another text is another message."""
    store = any_store
    old_id = closed(store)
    store.clock.forward(days=31)
    first = by_link(store, old_id, "It never came.")
    new_id = first.thread_id or 0
    again = by_link(store, new_id, "It never came.")
    assert (again.repeated, again.thread_id, again.message_id) == (True, new_id, first.message_id)
    second = by_link(store, new_id, "Hello?")
    again = by_link(store, old_id, "Hello?")
    assert (again.repeated, again.thread_id, again.message_id) == (True, new_id, second.message_id)
    assert [one.text for one in messages_of(store, new_id)] == ["It never came.", "Hello?"]
    assert not by_link(store, old_id, "Are you there?").repeated


@pytest.mark.shows("2.7", "8.8")
def test_the_same_post_begins_one_thread(any_store: Store) -> None:
    """By its id, and by its text within ten minutes; both lead to the new one."""
    store = any_store
    old_id = closed(store)
    store.clock.forward(days=31)
    first = by_link(store, old_id, post_key="form-1")
    for again in (by_link(store, old_id, post_key="form-1"), by_link(store, old_id, post_key="form-2")):
        assert (again.repeated, again.thread_id, again.message_id) == (True, first.thread_id, first.message_id)
    assert look(store, lambda session: session.scalar(select(func.count()).select_from(Thread))) == 2
    assert look(store, lambda session: set(session.scalars(select(Post.thread_id).where(Post.thread_id.is_not(None))))) >= {first.thread_id}


@pytest.mark.shows("8.8")
def test_messages_that_come_at_the_same_moment_begin_one_thread(any_store: Store) -> None:
    """Whoever waits for the old thread's lock goes on in what the one before has begun."""
    store = any_store
    old_id = closed(store)
    store.clock.forward(days=31)
    token, together, went = token_of(store, old_id), threading.Barrier(4), []

    def write(text: str) -> None:
        sent = desk.vet(store.desk.host, inquiry_by(token, text))
        together.wait()
        went.append(do(store, lambda bench: desk.receive(bench, sent)).thread_id or 0)

    writers = [threading.Thread(target=in_app, args=(store, write, f"Message {n}")) for n in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(went) == 4
    assert len(set(went)) == 1
    assert old_id not in went
    assert len(messages_of(store, went[0])) == 4


def inquiry_by(token: str, text: str) -> Any:
    """Return what comes by a link."""
    from cs_plugin.rules.inquiry import Inquiry

    return Inquiry(Channel.LINK, "1", "en", Sender(A_VISITOR.address, verified=True), text, thread_token=token)


def in_app(store: Store, work: Any, *arguments: Any) -> None:
    """Do some work inside the store's application."""
    with store.app.app_context():
        work(*arguments)


# --- Who is told, and led where ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("8.8", "3.5")
def test_a_guest_who_answers_by_an_old_link_is_led_to_the_new_conversation(store: Store) -> None:
    """Its own link opens it, with the message, the file and the word that it is new; each page leads to the other. The old link writes there too."""
    old_id = closed(store)
    visitor = Visitor(store)
    visitor.open(f"/customer-service/thread/{token_of(store, old_id)}")
    store.clock.forward(days=31)
    visitor.open(visitor.address)
    answer = visitor.post([a_file()], text="It never came.")
    new_id = look(store, lambda session: session.scalars(select(Thread.id).where(Thread.refers_to_id == old_id)).one())
    new_link = f"/customer-service/thread/{token_of(store, new_id)}"
    assert (answer.status_code, answer.location) == (303, f"{new_link}#cs-contact-form")
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    page = visitor.client.get(new_link).text
    for shown in ("It never came.", "receipt.txt", "Message successfully sent", "so this is a new one."):
        assert shown in page
    assert "It is on its way." not in page
    assert hrefs(page, "Read the earlier conversation") == [visitor.address]
    old_page = visitor.open(visitor.address)
    assert "It never came." not in old_page
    assert hrefs(old_page, "Go to the newer conversation") == [new_link]
    assert visitor.post(text="Hello?").location == f"{new_link}#cs-contact-form"
    assert [one.text for one in messages_of(store, new_id)] == ["It never came.", "Hello?"]


def hrefs(html: str, words: str) -> list[str]:
    """Return where the links of these words lead."""
    return re.findall(rf'<a href="([^"]*)">{words}</a>', html)


@pytest.mark.shows("8.8", "3.5")
def test_a_link_leads_on_to_nothing_that_is_not_its_customers(store: Store) -> None:
    """A new thread that was deleted, or that has become another address's, is not offered on the old one's page."""
    old_id = closed(store)
    store.clock.forward(days=31)
    new_id = by_link(store, old_id).thread_id
    link = f"/customer-service/thread/{token_of(store, old_id)}"
    assert "Go to the newer conversation" in store.client().get(link).text

    def give_away(bench: desk.Bench) -> None:
        thread = bench.session.get_one(Thread, new_id)
        thread.address, thread.address_hash = "other@example.com", address_key("other@example.com")

    do(store, give_away)
    assert "Go to the newer conversation" not in store.client().get(link).text
    assert by_link(store, old_id, "Hello?").thread_id not in (old_id, new_id)
    newest = look(store, lambda session: session.scalars(select(func.max(Thread.id))).one())
    do(store, lambda bench: desk.delete(bench, store.actor(), [newest]))
    assert "Go to the newer conversation" not in store.client().get(link).text


@pytest.mark.shows("8.8", "3.5")
def test_whoever_revokes_a_link_revokes_those_that_lead_to_it(any_store: Store) -> None:
    """A link of any of these threads opens the others too: whoever was to be shut out would come back by it. Another thread's stays as it was."""
    store = any_store
    other_id = begin(store, "Another matter", sender=JAN_SIGNED_IN)
    chain = [closed(store)]
    for text in ("It never came.", "It is broken."):
        store.clock.forward(days=31)
        chain.append(by_link(store, chain[0], text).thread_id)
        do(store, lambda bench: desk.reply(bench, store.actor(), chain[-1], desk.Answer("We send another one.")))
    told = select(ThreadEvent.thread_id).where(ThreadEvent.kind == "link_revoked").order_by(ThreadEvent.id)
    for times, revoked in enumerate((chain[1], chain[0], chain[2]), 1):
        links = [f"/customer-service/thread/{token_of(store, one)}" for one in (*chain, other_id)]
        assert [store.client().get(link).status_code for link in links] == [200, 200, 200, 200]
        do(store, partial(revoke, store, revoked))
        assert [store.client().get(link).status_code for link in links] == [404, 404, 404, 200]
        assert look(store, lambda session: list(session.scalars(told)))[-3:] == [revoked, *(one for one in chain if one != revoked)]
        assert look(store, lambda session: len(list(session.scalars(told)))) == 3 * times


def revoke(store: Store, thread_id: int, bench: desk.Bench) -> None:
    """Revoke the link of a thread."""
    desk.revoke_link(bench, store.actor(), thread_id)


@pytest.mark.shows("8.8", "3.5")
def test_a_post_that_comes_again_leads_to_nothing_that_is_not_its_customers(store: Store) -> None:
    """The thread in which it was stored has become another address's meanwhile: its link is not shown to who holds the old one."""
    old_id = closed(store)
    visitor = Visitor(store)
    visitor.open(f"/customer-service/thread/{token_of(store, old_id)}")
    store.clock.forward(days=31)
    visitor.open(visitor.address)
    visitor.post(text="It never came.")
    new_id = look(store, lambda session: session.scalars(select(Thread.id).where(Thread.refers_to_id == old_id)).one())

    def give_away(bench: desk.Bench) -> None:
        thread = bench.session.get_one(Thread, new_id)
        thread.address, thread.address_hash = "other@example.com", address_key("other@example.com")

    do(store, give_away)
    answer = visitor.post(text="It never came.")
    assert (answer.status_code, answer.location) == (303, f"{visitor.address}#cs-contact-form")


@pytest.mark.shows("8.8", "3.5", "4.2")
def test_a_customer_finds_the_new_thread_in_my_messages_and_on_the_orders_page(store: Store) -> None:
    """They are led from the old thread's page to the new one's, both by their account."""
    old_id = closed(store, channel=Channel.ORDER_PAGE, contact_id=None, sender=JAN_SIGNED_IN, order_id="15")
    store.clock.forward(days=31)
    visitor = Visitor(store, store.client(customer=JAN))
    visitor.open(f"/customer-service/my-messages/{old_id}")
    answer = visitor.post(text="It never came.")
    new_id = look(store, lambda session: session.scalars(select(Thread.id).where(Thread.refers_to_id == old_id)).one())
    assert answer.location == f"/customer-service/my-messages/{new_id}#cs-contact-form"
    assert "It never came." in visitor.open(f"/customer-service/my-messages/{new_id}")
    assert f"/customer-service/my-messages/{new_id}" in visitor.open("/customer-service/my-messages")
    order = visitor.open("/customer-service/order?order=15")
    assert "It never came." in order
    assert "It is on its way." in order


@pytest.mark.shows("8.8", "2.5")
def test_the_timelines_of_both_threads_lead_to_each_other(store: Store) -> None:
    """While the other one can be opened: what is erased is told by its number alone."""
    old_id = closed(store)
    store.clock.forward(days=31)
    new_id = by_link(store, old_id).thread_id
    client = store.client(employee=MARIE)
    old_page, new_page = (client.get(f"/cs-admin/customer-service/{one}/").text for one in (old_id, new_id))
    began, continues = f"which began thread #{new_id}", f"Continues thread #{old_id}"
    assert old_page.count(began) == new_page.count(continues) == 2
    assert len(re.findall(rf'<a href="[^"]*/{new_id}/[^"]*">[^<]*{began}', old_page)) == 2
    assert len(re.findall(rf'<a href="[^"]*/{old_id}/[^"]*">{continues}', new_page)) == 2
    assert "It was written to an earlier thread" in new_page
    do(store, lambda bench: desk.delete(bench, store.actor(), [old_id]))
    store.clock.forward(days=31)
    do(store, lambda bench: desk.purge_bin(bench, older_than=desk.BIN_KEEPS))
    new_page = client.get(f"/cs-admin/customer-service/{new_id}/").text
    assert new_page.count(continues) == 2
    assert not re.search(rf'<a [^>]*>{continues}', new_page)
