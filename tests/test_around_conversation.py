"""Around the conversation: begun by an employee, laid in spam, linked to an account, and acted on by the host."""

from __future__ import annotations

import pytest

from cs_plugin import desk
from cs_plugin.errors import InvalidInputError, NotPermittedError
from cs_plugin.rules.actions import ThreadAction
from cs_plugin.rules.inquiry import Sender
from cs_plugin.rules.order_references import named_in
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import tally
from cs_plugin.store.models import Delivery, OutboxItem, OutboxState
from cs_plugin.store.scope import EVERYTHING
from tests.hosts.store import EVERYTHING as EVERY_GRANT
from tests.hosts.store import JAN, JOHN, Store
from tests.hosts.writing import JAN_SIGNED_IN, begin, do, kept_columns, look, messages_of, receive, thread_of, worked_out

ONCE = b"x" * 32


def write(store: Store, once: bytes | None = None, **changes: object) -> int:
    """Begin a conversation as Marie."""
    plain = {"shop_id": "1", "language": "en", "subject": "Your guarantee", "text": "It ends soon.", "address": "ida@example.com"}
    opened = desk.Opened(**{**plain, **changes})  # type: ignore[arg-type]
    return do(store, lambda bench: desk.begin_conversation(bench, store.actor(), opened, once=once))


def mails(store: Store, thread_id: int) -> list[OutboxItem]:
    """What was queued for a thread."""
    return look(store, lambda session: session.query(OutboxItem).filter_by(thread_id=thread_id).all())


@pytest.mark.shows("2.1", "2.12")
def test_a_thread_begun_by_an_employees_message_is_closed_and_mailed(any_store: Store) -> None:
    """Its mail tells the subject and the link, and its kept columns are right."""
    number = write(any_store)
    thread, [mail] = thread_of(any_store, number), mails(any_store, number)
    assert (thread.status, thread.customer_id, thread.customer_verified) == (Status.CLOSED, None, False)
    assert mail.recipient == "ida@example.com"
    assert mail.content["subject"].startswith("[Paris] Your guarantee")
    assert "You get this mail because we have something to tell you." in mail.content["text"]
    assert kept_columns(thread) == worked_out(messages_of(any_store, number))


@pytest.mark.shows("2.1", "2.12")
def test_a_phone_call_that_was_noted_leaves_its_thread_open_and_mails_nothing(store: Store) -> None:
    """Nobody's address is needed for it."""
    number = write(store, noted=True, address="", subject="", text="Ida asked for her parcel.")
    thread, [message] = thread_of(store, number), messages_of(store, number)
    assert (thread.status, thread.subject, message.private, message.delivery) == (Status.OPEN, "Phone call", True, Delivery.NONE)
    assert mails(store, number) == []


@pytest.mark.shows("2.12")
def test_an_account_that_the_host_names_is_verified_and_an_address_that_was_typed_is_not(store: Store) -> None:
    """The mail to the account goes to the address that the host has of it."""
    named, typed = thread_of(store, write(store, customer_id=JAN.id, address="")), thread_of(store, write(store, address=JAN.email))
    assert (named.address, named.customer_id, named.customer_verified) == (JAN.email, JAN.id, True)
    assert (typed.address, typed.customer_id, typed.customer_verified) == (JAN.email, None, False)


@pytest.mark.shows("2.12")
def test_the_same_form_begins_one_thread(any_store: Store) -> None:
    """It leads to the first one again."""
    assert write(any_store, ONCE) == write(any_store, ONCE)


@pytest.mark.shows("2.12")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"address": "nobody"}, "to"),
        ({"text": " "}, "text"),
        ({"subject": ""}, "subject"),
        ({"language": "xx"}, "language"),
        ({"contact_id": 99}, "contact"),
        ({"customer_id": "99"}, "to"),
        ({"cc": ("nobody",)}, "cc"),
    ],
)
def test_what_is_wrong_with_a_new_message_stands_at_its_field(store: Store, changes: dict[str, object], field: str) -> None:
    """And nothing is written."""
    with pytest.raises(InvalidInputError) as told:
        write(store, **changes)
    assert told.value.field == field
    assert mails(store, 1) == []


@pytest.mark.shows("2.11")
def test_a_thread_marked_as_spam_counts_nowhere_and_its_mail_is_cancelled(any_store: Store) -> None:
    """One verb takes it back, with an event for each."""
    number = begin(any_store)
    count = lambda: look(any_store, lambda session: tally.counts_by_contact(session, EVERYTHING))  # noqa: E731 - asked three times
    before = count()
    assert do(any_store, lambda bench: desk.mark_spam(bench, any_store.actor(), [number])) == [number]
    assert thread_of(any_store, number).folder is Folder.SPAM
    assert {one.state for one in mails(any_store, number)} == {OutboxState.CANCELLED}
    assert count() != before
    do(any_store, lambda bench: desk.not_spam(bench, any_store.actor(), [number]))
    assert count() == before


@pytest.mark.shows("2.11")
@pytest.mark.parametrize("everywhere", [True, False])
def test_what_a_blocked_sender_writes_later_lands_in_spam(any_store: Store, everywhere: bool) -> None:
    """In that shop, or in all; unblocked they are heard again."""
    number = begin(any_store)
    do(any_store, lambda bench: desk.block_senders(bench, any_store.actor(), [number], everywhere=everywhere))
    there, elsewhere = begin(any_store, "Again"), begin(any_store, "In Berlin", shop_id="2")
    assert [thread_of(any_store, one).folder for one in (number, there)] == [Folder.SPAM, Folder.SPAM]
    assert thread_of(any_store, elsewhere).folder is (Folder.SPAM if everywhere else Folder.LIST)
    do(any_store, lambda bench: desk.unblock_senders(bench, any_store.actor(), [number]))
    assert thread_of(any_store, number).folder is Folder.LIST
    assert thread_of(any_store, begin(any_store, "And again")).folder is Folder.LIST


@pytest.mark.shows("2.11", "12.1")
def test_only_who_answers_in_all_shops_blocks_in_all(store: Store) -> None:
    """Nothing is blocked otherwise."""
    store.answers.grants[JOHN.id] = {"view": ["1"], "reply": ["1"]}
    number = begin(store)
    with pytest.raises(NotPermittedError):
        do(store, lambda bench: desk.block_senders(bench, store.actor(JOHN), [number], everywhere=True))
    assert thread_of(store, begin(store, "Again")).folder is Folder.LIST


@pytest.mark.shows("5.2")
def test_a_link_by_hand_verifies_nobody(store: Store) -> None:
    """The account is named, its customer does not find the thread, and the link is taken back whole."""
    number = begin(store, sender=Sender(JAN.email, "J", "K"))
    do(store, lambda bench: desk.link_customer(bench, store.actor(), number, JAN))
    thread = thread_of(store, number)
    assert (thread.customer_id, thread.customer_verified) == (JAN.id, False)
    do(store, lambda bench: desk.unlink_customer(bench, store.actor(), number))
    assert thread_of(store, number).customer_id is None


@pytest.mark.shows("5.2")
def test_an_address_that_no_account_has_is_linked_to_nobody(store: Store) -> None:
    """And neither is a verified customer's thread."""
    for number in (begin(store), receive(store, "Mine", sender=JAN_SIGNED_IN).thread_id):
        with pytest.raises(InvalidInputError):
            do(store, lambda bench, number=number: desk.link_customer(bench, store.actor(), number, JAN))  # type: ignore[misc]


@pytest.mark.shows("5.2")
def test_orders_are_found_by_their_references_in_a_text() -> None:
    """In any case, between marks, and short ones only behind a number sign."""
    text = "Where is xkbknabjk, and what of (2024/0015)? I paid 15 for #16."
    assert named_in([text], ["XKBKNABJK", "2024/0015", "15", "16", "NABJK", "OTHER"]) == ("XKBKNABJK", "2024/0015", "16")


@pytest.mark.parametrize("address", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x", "admin"])
def test_a_button_of_the_hosts_posts_nowhere_but_here(address: str) -> None:
    """The form carries the token."""
    assert not ThreadAction("Refund", address).stays_here
    assert ThreadAction("Refund", "/admin/refund/15").stays_here


def test_the_page_tells_who_may_not_answer_that_they_may_not(store: Store) -> None:
    """Neither the form of a new message nor the list of blocked senders opens."""
    store.answers.grants[JOHN.id] = {"view": EVERY_GRANT["view"]}
    client = store.client(employee=JOHN)
    assert [client.get(f"/cs-admin/customer-service/{page}").status_code for page in ("new", "blocked-senders")] == [403, 403]
