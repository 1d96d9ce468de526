"""Receiving: what a customer sends is stored once, in the right thread, or mailed on; or they are told what is wrong and nothing stays."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from cs_plugin import desk, hookimpl
from cs_plugin.errors import InvalidInputError
from cs_plugin.rules.inquiry import MAX_TEXT, Channel, Inquiry, Sender, StoredFile, address_key
from cs_plugin.rules.orders import Order
from cs_plugin.rules.status import AFTER, Folder, Happening, Status
from cs_plugin.store.models import (
    Attachment,
    BlockedSender,
    Contact,
    ContactShop,
    Message,
    OutboxFile,
    OutboxItem,
    Post,
    SearchText,
    Thread,
    ThreadAlias,
    ThreadEvent,
)
from tests.hosts.store import EVA, JAN, Store, make_store
from tests.hosts.writing import (
    A_VISITOR,
    JAN_SIGNED_IN,
    begin,
    contact_id,
    do,
    inquiry,
    look,
    messages_of,
    receive,
    thread_of,
    token_of,
)

TABLES = (Thread, Message, SearchText, Attachment, OutboxItem, OutboxFile, Post, ThreadEvent, ThreadAlias)
A_FILE = StoredFile("broken jug.jpg", "image/jpeg", 12, b"d" * 32, "k" * 32)
EVA_SIGNED_IN = Sender(EVA.email, EVA.first_name, EVA.last_name, EVA.id, verified=True)


class Listener:
    """A plugin that hears what the desk tells, and may think something is spam, or break."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.spam = False
        self.breaks = False

    def _hear(self, name: str) -> None:
        self.heard.append(name)
        if self.breaks:
            raise RuntimeError("a plugin broke")

    @hookimpl
    def cs_thread_opened(self, thread: Any) -> None:
        self._hear(f"opened {thread.status} {thread.folder}")

    @hookimpl
    def cs_message_received(self, message: Any) -> None:
        self._hear(f"received {message.text}")

    @hookimpl
    def cs_status_changed(self, before: str, after: str) -> None:
        self._hear(f"{before} to {after}")

    @hookimpl
    def cs_check_spam(self, inquiry: Any) -> bool | None:
        if self.breaks:
            raise RuntimeError("a plugin broke")
        return self.spam or None


@pytest.fixture
def listener() -> Listener:
    """What a plugin has heard."""
    return Listener()


@pytest.fixture
def heard(tmp_path: Path, listener: Listener) -> Iterator[Store]:
    """A store with that plugin."""
    made = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, plugins=[listener])
    yield made
    with made.app.app_context():
        made.db.session.remove()
        made.db.engine.dispose()


def rows(store: Store) -> dict[str, int]:
    """Return how many rows each table holds that receiving writes into."""
    return look(store, lambda session: {str(table.__tablename__): session.scalar(select(func.count()).select_from(table)) or 0 for table in TABLES})


def refused(store: Store, sent: Inquiry) -> tuple[str, str]:
    """Return the field and the sentence with which an inquiry is refused; nothing may stay of it, even where a host commits all the same."""
    before = rows(store)
    with store.desk.sessions() as session:
        with pytest.raises(InvalidInputError) as error:
            desk.receive(store.desk.bench(session), sent)
        session.commit()
    assert rows(store) == before
    return error.value.field, error.value.message


def by_link(store: Store, thread_id: int, text: str, **changes: Any) -> Any:
    """Write by the link of a thread."""
    return receive(store, text, channel=Channel.LINK, thread_token=token_of(store, thread_id), contact_id=None, **changes)


# --- What is wrong ---------------------------------------------------------------------------------------------------


@pytest.mark.shows("3.2")
@pytest.mark.parametrize("text", ["", "   \n\t ", "\x00\x00", "\u3000\u2028"])
def test_a_blank_message_is_refused(store: Store, text: str) -> None:
    """Also one of blanks of every kind, or of characters that no text may hold."""
    assert refused(store, inquiry(store, text)) == ("text", "The message cannot be blank.")


@pytest.mark.shows("2.9")
def test_a_message_has_at_most_twenty_thousand_characters(any_store: Store) -> None:
    """The last one that fits is stored, the first one that does not is refused."""
    assert refused(any_store, inquiry(any_store, "é" * (MAX_TEXT + 1))) == ("text", "The message is too long: %(most)s characters at most.")
    thread_id = begin(any_store, "😀" * MAX_TEXT)
    assert messages_of(any_store, thread_id)[0].text == "😀" * MAX_TEXT


HOSTILE = [
    "",
    " ",
    "jan",
    "jan@",
    "@example.com",
    "jan@@example.com",
    "jan@example",
    "jan@.example.com",
    "jan@exa mple.com",
    "jan@example..com",
    "jan.@example.com",
    ".jan@example.com",
    "ja..n@example.com",
    "jan@-example.com",
    "jan@[127.0.0.1]",
    "jan@127.0.0.1",
    "jan@localhost",
    "Jan <jan@example.com>",
    "jan@example.com, eva@example.com",
    "jan@example.com;eva@example.com",
    "jan@example.com\r\nBcc: everybody@example.com",
    "jan@example.com\nSubject: x",
    "jan\r\n@example.com",
    '"jan\r\nBcc: everybody@example.com"@example.com',
    '"jan\nx"@example.com',
    "jan@example.com\x00.evil.example",
    "ja\x00n@example.com",
    "ja\ud800n@example.com",
    "jan@exa\ud800mple.com",
    "jan\u202e@example.com",
    "jan@example.com\u2028x",
    "jan@" + "a" * 64 + ".com",
    "jan@" + "a." * 130 + "com",
    "é" * 40 + "@" + "é" * 60 + ".example",
    "jan@example.com?cc=eva@example.com",
    "mailto:jan@example.com",
    "<script>@example.com",
    "jan@exam_ple.com",
]


@pytest.mark.shows("3.2")
@pytest.mark.parametrize("address", HOSTILE)
def test_an_address_that_no_mail_can_be_sent_to_is_refused(store: Store, address: str) -> None:
    """Half addresses, several, and those that would write headers of their own."""
    assert refused(store, inquiry(store, sender=Sender(address))) == ("email", "Invalid email address.")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (" jan@example.com ", "jan@example.com"),
        ("Jan.Kowalski+shop@Example.COM", "Jan.Kowalski+shop@example.com"),
        ("o'brien&sons@example.co.uk", "o'brien&sons@example.co.uk"),
        ("jürgen@müller.example", "jürgen@müller.example"),
        ("jan@xn--mller-kva.example", "jan@müller.example"),
        ('"jan kowalski"@example.com', '"jan kowalski"@example.com'),
        ('"jan@home"@example.com', '"jan@home"@example.com'),
        ('"jan"@example.com', "jan@example.com"),
    ],
)
def test_an_address_of_any_honest_kind_is_taken_and_reached(store: Store, given: str, kept: str) -> None:
    """Odd ones, quoted ones and those of other alphabets: the confirmation leaves for that very address."""
    thread_id = begin(store, sender=Sender(given))
    assert thread_of(store, thread_id).address == kept
    with store.app.app_context():
        assert store.desk.office.deliver().sent == 2
    assert (kept,) in [mail.recipients for mail in store.desk.transport.sent]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"contact_id": 999}, "contact"),
        ({"contact_id": 0}, "contact"),
        ({"contact_id": -1}, "contact"),
        ({"contact_id": 2**63}, "contact"),
        ({"contact_id": 10**40}, "contact"),
        ({"contact_id": None}, "contact"),
        ({"shop_id": "99", "contact_id": 1}, "shop"),
        ({"shop_id": "", "contact_id": 1}, "shop"),
        ({"shop_id": "1\x00", "contact_id": 1}, "shop"),
        ({"order_id": "99", "sender": JAN_SIGNED_IN}, "order"),
        ({"order_id": "9" * 500, "sender": JAN_SIGNED_IN}, "order"),
        ({"order_id": "\x00", "sender": JAN_SIGNED_IN}, "order"),
        # Jan's order is nobody else's to name: not a visitor's who types his address, nor another customer's.
        ({"order_id": "15"}, "order"),
        ({"order_id": "15", "sender": replace(JAN_SIGNED_IN, verified=False)}, "order"),
        ({"order_id": "15", "sender": EVA_SIGNED_IN}, "order"),
        ({"thread_token": "forged", "contact_id": None}, "contact"),
        ({"thread_token": "forged", "contact_id": 999}, "contact"),
        ({"channel": Channel.LINK, "thread_token": "forged"}, "text"),
        ({"channel": Channel.LINK, "thread_token": None}, "text"),
        ({"channel": Channel.LINK, "thread_token": "aa" + "b" * 24 + "-9999999999999999999"}, "text"),
    ],
)
def test_what_names_something_that_is_not_there_is_refused(any_store: Store, changes: dict[str, Any], field: str) -> None:
    """A contact, shop, order or link that does not exist, or is not this sender's, on every database the same."""
    assert refused(any_store, inquiry(any_store, **changes))[0] == field


@pytest.mark.shows("3.2")
def test_a_contact_of_another_shop_cannot_be_chosen(any_store: Store) -> None:
    """Only what the shop's own form offers: neither another's nor one that was switched off."""
    store = any_store
    berlin_only = contact_id(store, "Webmaster")

    def move(bench: Any) -> None:
        bench.session.query(ContactShop).filter_by(contact_id=berlin_only, shop_id="1").delete()

    do(store, move)
    assert refused(store, inquiry(store, contact_id=berlin_only)) == ("contact", "Please select a subject from the list provided.")
    assert begin(store, contact_id=berlin_only, shop_id="2")
    do(store, lambda bench: bench.session.query(Contact).filter_by(id=berlin_only).update({"active": False}))
    assert refused(store, inquiry(store, contact_id=berlin_only, shop_id="2"))[0] == "contact"


def test_names_and_subjects_of_any_kind_are_cut_and_cleaned(any_store: Store) -> None:
    """Too long, in lines, with NUL: they are stored as one line that the column holds."""
    store = any_store
    thread_id = begin(
        store,
        sender=Sender("v@example.com", "A" * 500, "Żak\r\nBcc: x@example.com\x00"),
        subject="S" * 500 + "\r\nx",
        product_id="p" * 500,
        product_name="P\x00" * 500,
        agent="Mozilla " * 100,
        network="2001:db8::1" * 20,
        language="x" * 50,
    )
    thread, message = thread_of(store, thread_id), messages_of(store, thread_id)[0]
    assert thread.customer_name == "A" * 100 + " Żak Bcc: x@example.com"
    assert thread.subject == "S" * 255
    assert (len(message.product_name), len(message.product_id or ""), len(message.agent)) == (255, 64, 255)
    assert (len(message.network), len(message.language)) == (64, 16)


# --- Which thread ----------------------------------------------------------------------------------------------------


@pytest.mark.shows("2.1", "2.6")
def test_each_post_of_the_form_begins_an_open_thread(any_store: Store) -> None:
    """Also a second one of the same visitor."""
    store = any_store
    first, second = begin(store, "one"), begin(store, "two")
    assert first != second
    assert thread_of(store, first).status is Status.OPEN
    assert thread_of(store, first).waiting_since == store.clock()


@pytest.mark.shows("2.6")
def test_a_typed_address_never_enters_a_thread(any_store: Store) -> None:
    """A stranger who knows Jan's address, his order and his contact begins a thread of their own, in which Jan is not verified."""
    store = any_store
    jans = receive(store, "mine", channel=Channel.ORDER_PAGE, order_id="15", sender=JAN_SIGNED_IN).thread_id
    stranger = begin(store, "I am Jan", sender=Sender(JAN.email, "Jan", "Kowalski"))
    assert stranger != jans
    assert not thread_of(store, stranger).customer_verified
    eva = receive(store, "mine too?", channel=Channel.ORDER_PAGE, order_id="15", sender=EVA_SIGNED_IN).thread_id
    assert eva not in (jans, stranger)
    unverified = replace(JAN_SIGNED_IN, verified=False)
    assert receive(store, "it is me", channel=Channel.ORDER_PAGE, order_id="15", sender=unverified).thread_id not in (jans, stranger, eva)
    assert receive(store, "really mine", channel=Channel.ORDER_PAGE, order_id="15", sender=JAN_SIGNED_IN).thread_id == jans
    assert [one.text for one in messages_of(store, jans or 0)] == ["mine", "really mine"]


@pytest.mark.shows("2.6")
def test_a_verified_customer_goes_on_in_the_newest_thread_of_their_order(any_store: Store) -> None:
    """From the order page and from the form alike; a thread about another order, or none, is not it."""
    store = any_store
    store.answers.orders.append(replace(store.answers.orders[0], id="16", reference="OTHERONE"))
    begin(store, "about nothing", sender=JAN_SIGNED_IN)
    other = receive(store, "about 16", channel=Channel.ORDER_PAGE, order_id="16", sender=JAN_SIGNED_IN).thread_id
    first = receive(store, "about 15", channel=Channel.ORDER_PAGE, order_id="15", sender=JAN_SIGNED_IN).thread_id
    assert first != other
    assert receive(store, "more", channel=Channel.ORDER_PAGE, order_id="15", sender=JAN_SIGNED_IN).thread_id == first
    assert receive(store, "by the form", order_id="15", sender=JAN_SIGNED_IN).thread_id == first
    assert receive(store, "by the reference", order_id="XKBKNABJK", sender=JAN_SIGNED_IN).thread_id == first
    assert [one.matched_by for one in messages_of(store, first or 0)] == ["begins_a_thread", *["is_about_an_order_that_has_a_thread"] * 3]


@pytest.mark.shows("2.6")
def test_a_guest_goes_on_in_the_thread_of_their_order_by_address(any_store: Store) -> None:
    """A guest's order is vouched for by the host's order page; another guest's address does not enter."""
    store = any_store
    guest = Sender("guest@example.com", verified=True)
    store.answers.orders.append(Order("17", "GUEST", "guest@example.com", "1", store.clock(), store.answers.orders[0].total, "EUR", "Paid"))
    first = receive(store, "one", channel=Channel.ORDER_PAGE, order_id="17", sender=guest).thread_id
    assert receive(store, "two", channel=Channel.ORDER_PAGE, order_id="17", sender=replace(guest, address="GUEST@example.com")).thread_id == first
    assert receive(store, "three", channel=Channel.ORDER_PAGE, order_id="17", sender=replace(guest, address="guest2@example.com")).thread_id != first
    assert receive(store, "four", order_id="17", sender=guest).thread_id == first


@pytest.mark.shows("2.2", "2.6")
@pytest.mark.parametrize("status", list(Status))
def test_a_customers_message_opens_the_thread_again(any_store: Store, status: Status) -> None:
    """Whatever status it had; what was open stays so without an event."""
    store = any_store
    thread_id = begin(store)
    do(store, lambda bench: desk.set_status(bench, store.actor(), [thread_id], status))
    assert by_link(store, thread_id, "again").thread_id == thread_id
    assert thread_of(store, thread_id).status is AFTER[Happening.CUSTOMER_WROTE] is Status.OPEN
    events = look(store, lambda session: [one.details for one in session.scalars(select(ThreadEvent).order_by(ThreadEvent.id))])
    went = [] if status is Status.OPEN else [{"before": "open", "after": status.value}, {"before": status.value, "after": "open"}]
    assert events == went


def test_a_link_leads_into_its_own_thread_alone(any_store: Store) -> None:
    """Every other token, changed in one letter, or with another thread's number, opens nothing."""
    store = any_store
    first, second = begin(store, "one"), begin(store, "two")
    token = token_of(store, first)
    assert receive(store, "back", channel=Channel.LINK, thread_token=token.upper(), contact_id=None).thread_id == first
    changed = ("b" if token[5] != "b" else "c").join((token[:5], token[6:]))
    for wrong in (changed, token.replace(f"-{first}", f"-{second}"), token + "0", token[:-2], "", "x" * 5000, f"{token}\x00"):
        assert refused(store, inquiry(store, "in", channel=Channel.LINK, thread_token=wrong)) == ("text", "This conversation is closed.")
    assert len(messages_of(store, second)) == 1


@pytest.mark.shows("2.10")
def test_a_link_of_a_deleted_thread_opens_nothing(any_store: Store) -> None:
    """It says that the conversation is closed; by the form the same person begins a new thread, and so does the next order message."""
    store = any_store
    thread_id = begin(store)
    order_thread = receive(store, "order", channel=Channel.ORDER_PAGE, order_id="15", sender=JAN_SIGNED_IN).thread_id
    token = token_of(store, thread_id)
    do(store, lambda bench: desk.delete(bench, store.actor(), [thread_id, order_thread or 0]))
    assert refused(store, inquiry(store, "hello?", channel=Channel.LINK, thread_token=token)) == ("text", "This conversation is closed.")
    assert receive(store, "hello?", thread_token=token).thread_id not in (None, thread_id)
    assert receive(store, "order again", channel=Channel.ORDER_PAGE, order_id="15", sender=JAN_SIGNED_IN).thread_id != order_thread
    assert len(messages_of(store, thread_id)) == 1


@pytest.mark.shows("6.6")
def test_whoever_comes_by_the_link_is_who_the_thread_is_with(any_store: Store) -> None:
    """The link was sent to that address alone, so the name that was typed with it is shown; a link holder with another address proves nothing."""
    store = any_store
    thread_id = begin(store, "typed", sender=Sender("v@example.com", "Ida", "Vogel"))
    assert not thread_of(store, thread_id).customer_verified
    by_link(store, thread_id, "a friend", sender=Sender("friend@example.com", "A", "Friend"))
    assert not thread_of(store, thread_id).customer_verified
    by_link(store, thread_id, "myself", sender=Sender("V@example.com"))
    thread = thread_of(store, thread_id)
    assert (thread.customer_verified, thread.customer_name, thread.customer_id) == (True, "Ida Vogel", None)


# --- Once ------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("2.7")
def test_the_same_form_is_taken_once_for_ever(any_store: Store) -> None:
    """Also when its text has been changed meanwhile, and days later."""
    store = any_store
    first = receive(store, "one", post_key="form")
    store.clock.forward(days=40)
    again = receive(store, "two", post_key="form")
    assert (again.thread_id, again.message_id, again.repeated) == (first.thread_id, first.message_id, True)
    assert receive(store, "one", post_key="another form").thread_id != first.thread_id


@pytest.mark.shows("2.7")
def test_the_same_text_is_taken_once_within_ten_minutes(any_store: Store) -> None:
    """From the same sender to the same contact, without a file; a little later, or with any of these other, it is another message."""
    store = any_store
    first = receive(store, "the same", post_key="1")
    assert not first.repeated

    def again(text: str = "the same", **changes: Any) -> bool:
        return receive(store, text, **changes).repeated

    assert again(post_key="2")
    assert receive(store, "the same", post_key="2").message_id == first.message_id
    assert again(sender=replace(A_VISITOR, address="Visitor@Example.com", first_name="I."))
    assert again("the same \r\n")
    assert not again("The same")
    assert not again(sender=replace(A_VISITOR, address="other@example.com"))
    assert not again(contact_id=contact_id(store, "Webmaster"))
    assert not again(shop_id="2")
    assert not again(files=(A_FILE,))
    assert not again(files=(A_FILE,))
    assert not again(channel=Channel.LINK, thread_token=token_of(store, first.thread_id or 0), contact_id=None)
    store.clock.forward(minutes=10)
    assert again()
    store.clock.forward(seconds=1)
    assert not again()
    assert again()


@pytest.mark.shows("2.8")
def test_what_was_refused_has_not_been_taken(any_store: Store) -> None:
    """After an error the same form with the error mended is stored; so is one whose transaction the host rolled back."""
    store = any_store
    refused(store, inquiry(store, "text", post_key="form", contact_id=999))
    with store.desk.sessions() as session:
        desk.receive(store.desk.bench(session), inquiry(store, "text", post_key="form"))
        session.rollback()
    assert not receive(store, "text", post_key="form").repeated


# --- Contacts that keep nothing --------------------------------------------------------------------------------------


def keep_nothing(store: Store, email: str) -> int:
    """Let a contact keep no messages, and return its id."""
    chosen = contact_id(store, "Webmaster")
    do(store, lambda bench: bench.session.query(Contact).filter_by(id=chosen).update({"save_messages": False, "email": email}))
    return chosen


@pytest.mark.shows("3.4")
def test_a_contact_that_keeps_nothing_is_mailed_the_message_and_its_file(any_store: Store) -> None:
    """No thread and no message is made; the mail and its file are queued, and the sender gets the confirmation."""
    store = any_store
    chosen = keep_nothing(store, "web@shop.example")
    received = receive(store, "The page is broken", contact_id=chosen, files=(A_FILE,), post_key="1")
    assert (received.thread_id, received.message_id, received.repeated) == (None, None, False)
    assert receive(store, "The page is broken", contact_id=chosen, files=(A_FILE,), post_key="1").repeated
    held = rows(store)
    assert (held["cs_thread"], held["cs_message"], held["cs_outbox"], held["cs_outbox_file"]) == (0, 0, 2, 1)
    mails = look(store, lambda session: {one.recipient: json.dumps(one.content) for one in session.scalars(select(OutboxItem))})
    assert set(mails) == {"web@shop.example", A_VISITOR.address}
    assert "The page is broken" in mails["web@shop.example"]
    assert "The page is broken" not in mails[A_VISITOR.address]


@pytest.mark.shows("2.8", "3.4")
def test_a_contact_that_keeps_nothing_and_has_no_address_is_an_error(any_store: Store) -> None:
    """The sender is not told that all is well; sent again when the contact is mended, it arrives."""
    store = any_store
    chosen = keep_nothing(store, "")
    sent = inquiry(store, "Lost?", contact_id=chosen, post_key="1")
    assert refused(store, sent) == ("contact", "An error occurred while sending the message, please try again.")
    keep_nothing(store, "web@shop.example")
    assert not do(store, lambda bench: desk.receive(bench, sent)).repeated
    assert rows(store)["cs_outbox"] == 2


# --- Spam ------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("2.11")
def test_what_the_host_holds_for_spam_is_kept_apart_and_unanswered(heard: Store, listener: Listener) -> None:
    """It lies in the spam folder and no mail is queued; also for a contact that keeps nothing else."""
    listener.spam = True
    chosen = keep_nothing(heard, "web@shop.example")
    for changes in ({}, {"contact_id": chosen}):
        thread_id = begin(heard, "casino", **changes)
        assert thread_of(heard, thread_id).folder is Folder.SPAM
    assert rows(heard)["cs_outbox"] == 0
    assert listener.heard == ["opened open spam", "received casino"] * 2


@pytest.mark.shows("2.11")
def test_a_blocked_sender_writes_into_the_spam_folder(any_store: Store) -> None:
    """By address in any case; where a block names a shop, in that shop alone."""
    store = any_store

    def block(bench: Any) -> None:
        for address, shop_id in (("everywhere@example.com", ""), ("paris@example.com", "1")):
            bench.session.add(BlockedSender(address=address, address_hash=address_key(address), shop_id=shop_id, created_at=bench.now))

    do(store, block)
    spam = [
        begin(store, "casino", sender=Sender(address), shop_id=shop_id)
        for address, shop_id in (("Everywhere@example.com", "1"), ("everywhere@example.com", "2"), ("paris@example.com", "1"))
    ]
    assert [thread_of(store, one).folder for one in spam] == [Folder.SPAM] * 3
    assert rows(store)["cs_outbox"] == 0
    assert thread_of(store, begin(store, "honest", sender=Sender("paris@example.com"), shop_id="2")).folder is Folder.LIST


# --- What is told ----------------------------------------------------------------------------------------------------


def test_listeners_hear_what_was_committed(heard: Store, listener: Listener) -> None:
    """After the commit, once, in the order in which it happened; of a repeated post they hear nothing."""
    thread_id = begin(heard, "one", post_key="1")
    receive(heard, "one", post_key="1")
    do(heard, lambda bench: desk.set_status(bench, heard.actor(), [thread_id], Status.PENDING1))
    by_link(heard, thread_id, "two")
    assert listener.heard == ["opened open list", "received one", "open to pending1", "pending1 to open", "received two"]


def test_listeners_hear_nothing_of_what_was_undone(heard: Store, listener: Listener) -> None:
    """Neither of what was refused nor of what was rolled back."""
    refused(heard, inquiry(heard, ""))
    with heard.desk.sessions() as session:
        desk.receive(heard.desk.bench(session), inquiry(heard, "undone"))
        session.rollback()
    assert listener.heard == []


def test_a_plugin_that_breaks_changes_nothing_for_the_customer(heard: Store, listener: Listener) -> None:
    """Whatever it raises, the message is stored, confirmed and shown."""
    listener.breaks = True
    thread_id = begin(heard, "one")
    by_link(heard, thread_id, "two")
    assert [one.text for one in messages_of(heard, thread_id)] == ["one", "two"]
    assert thread_of(heard, thread_id).folder is Folder.LIST
    assert len(listener.heard) == 3


# --- What is written -------------------------------------------------------------------------------------------------


@pytest.mark.shows("3.4")
def test_all_that_a_message_says_is_kept(any_store: Store) -> None:
    """Sender, product, file, moment, words for the search, and the mails to both."""
    store = any_store
    sent_at = store.clock() - dt.timedelta(hours=2)
    received = receive(
        store, "The jug is broken", channel=Channel.ORDER_PAGE, order_id="15", product_id="4", product_name="Stoneware jug, indigo",
        files=(A_FILE,), sender=JAN_SIGNED_IN, sent_at=sent_at, network="192.0.2.7", agent="Mozilla",
    )
    thread, (message,) = thread_of(store, received.thread_id or 0), messages_of(store, received.thread_id or 0)
    assert (thread.customer_id, thread.customer_verified, thread.customer_name, thread.order_id) == ("7", True, "Jan Kowalski", "15")
    assert (message.author_name, message.author_id, message.product_name, message.sent_at) == ("Jan Kowalski", "7", "Stoneware jug, indigo", sent_at)
    assert (message.network, message.agent, message.channel) == ("192.0.2.7", "Mozilla", Channel.ORDER_PAGE)
    assert look(store, lambda session: session.scalars(select(Attachment.name)).all()) == ["broken jug.jpg"]
    assert look(store, lambda session: session.scalars(select(SearchText.words)).all()) == ["the jug is broken"]


def test_a_mail_may_be_longer_than_a_form_and_empty(any_store: Store) -> None:
    """What a mail holds is not the sender's slip: it is stored."""
    store = any_store
    long = begin(store, "x" * (MAX_TEXT + 1), channel=Channel.MAIL, message_id="<" + "m" * 300 + "@x>")
    assert len(messages_of(store, long)[0].text) == MAX_TEXT + 1
    assert messages_of(store, begin(store, "", channel=Channel.MAIL))[0].text == ""
