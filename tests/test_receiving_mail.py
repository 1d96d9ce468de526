"""Receiving mail: each mail enters the thread that its keys lead to, where its sender has a part in it; else it begins one, or stays outside."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from cs_plugin import Customer, desk
from cs_plugin.mail.parse import read_mail
from cs_plugin.mail.transport import SentMail
from cs_plugin.rules.incoming import Correspondent, IncomingMail, Landed, Outcome
from cs_plugin.rules.inquiry import AuthorKind, Channel, address_key
from cs_plugin.rules.signing import TagKind
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store.models import (
    Blob,
    BlockedSender,
    Contact,
    Mailbox,
    Message,
    OutboxItem,
    Participant,
    Thread,
    ThreadAlias,
    ThreadEvent,
)
from cs_plugin.store.options import set_option
from tests.hosts.mailing import BOX, EVERY_SHOP, mail, take
from tests.hosts.store import JAN, Store
from tests.hosts.writing import begin, contact_id, do, kept_columns, look, messages_of, thread_of, worked_out

STRANGER = "mallory@stranger.example"
ONE_SHOP = replace(EVERY_SHOP, shop_ids=("1",))


def fetch(store: Store, address: str = BOX, **values: Any) -> None:
    """Let a mailbox be fetched."""
    with store.desk.sessions() as session:
        session.add(Mailbox(address=address, created_at=store.clock(), **values))
        session.commit()


def answer(store: Store, thread_id: int, text: str = "It is on its way.") -> None:
    """Let an employee answer on the page."""
    with store.app.app_context():
        store.desk.do(lambda bench: desk.reply(bench, store.actor(), thread_id, desk.Answer(text)))


def sent(store: Store, *, to: str) -> SentMail:
    """Deliver, and return the newest mail that has left to an address."""
    with store.app.app_context():
        store.desk.office.deliver()
    return [one for one in store.desk.transport.sent if to in one.recipients][-1]  # type: ignore[attr-defined]


def id_of(one: SentMail) -> str:
    """Return the Message-ID of a mail that has left."""
    return str(one.message["Message-ID"])


def way_back(one: SentMail) -> tuple[str, ...]:
    """Return the address to which a mail asks to be answered."""
    return (one.message["Reply-To"].addresses[0].addr_spec.lower(),)


def answering(one: SentMail, text: str = "Thank you.", **changes: Any) -> IncomingMail:
    """Return an answer to a mail that has left, as most mail programs write it."""
    fields: dict[str, Any] = {
        "subject": f"Re: {one.message['Subject']}",
        "in_reply_to": (id_of(one),),
        "references": (id_of(one),),
        "written_to": way_back(one),
        **changes,
    }
    return mail(text, **fields)


def people(*addresses: str) -> tuple[Correspondent, ...]:
    """Return those whom a header names."""
    return tuple(Correspondent(one) for one in addresses)


def let_contact_have(store: Store, address: str, name: str = "Webmaster") -> int:
    """Give a contact an address, and return it."""
    contact = contact_id(store, name)
    with store.desk.sessions() as session:
        session.get_one(Contact, contact).email = address
        session.commit()
    return contact


def choose(store: Store, name: str, value: object) -> None:
    """Set an option."""
    do(store, lambda bench: set_option(bench.session, name, value, bench.now))


def block(store: Store, address: str) -> None:
    """Block a sender in all shops."""
    with store.desk.sessions() as session:
        session.add(BlockedSender(address=address, address_hash=address_key(address), shop_id="", created_at=store.clock()))
        session.commit()


def rows(store: Store, *tables: Any) -> list[int]:
    """Return how many rows tables have."""
    return look(store, lambda session: [session.scalar(select(func.count()).select_from(table)) or 0 for table in tables])


def thread(store: Store, landed: Landed) -> Thread:
    """Return the thread in which a mail has landed."""
    assert landed.thread_id is not None, landed
    return thread_of(store, landed.thread_id)


def message(store: Store, landed: Landed) -> Message:
    """Return the message that a mail has become."""
    assert landed.message_id is not None, landed
    return look(store, lambda session: session.get_one(Message, landed.message_id))


def conversation(store: Store) -> tuple[int, SentMail]:
    """Let Jan write by mail and be answered; return the thread, and the answer as he got it."""
    landed = take(store, mail())
    assert landed.thread_id is not None
    answer(store, landed.thread_id)
    return landed.thread_id, sent(store, to=JAN.email)


# --- A new thread ---------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("10.4")
def test_a_mail_that_belongs_to_no_thread_begins_one(any_store: Store) -> None:
    """On every database: open, with the sender's address, the subject, and kept columns that follow from its one message."""
    landed = take(any_store, mail("Where is it?", subject="My parcel"))
    begun = thread(any_store, landed)
    assert (landed.outcome, landed.reason) == (Outcome.MESSAGE, "begins_a_thread")
    assert (begun.address, begun.subject, begun.status, begun.folder, begun.shop_id) == (JAN.email, "My parcel", Status.OPEN, Folder.LIST, "1")
    assert kept_columns(begun) == worked_out(messages_of(any_store, begun.id))
    written = message(any_store, landed)
    assert (written.author_kind, written.channel, written.text, written.private) == (AuthorKind.CUSTOMER, Channel.MAIL, "Where is it?", False)


@pytest.mark.shows("10.4")
def test_its_customer_is_known_by_the_address_and_not_verified(store: Store) -> None:
    """Anybody can write an address on an envelope."""
    begun = thread(store, take(store, mail()))
    assert (begun.customer_id, begun.customer_verified) == (JAN.id, False)


def test_a_sender_without_an_account_is_nobodys(store: Store) -> None:
    """The thread has the address and the name alone."""
    begun = thread(store, take(store, mail(by="new@example.com", name="Nora New")))
    assert (begun.customer_id, begun.customer_name) == (None, "Nora New")


def test_the_thread_is_in_the_language_of_the_account(store: Store) -> None:
    """Else in that of the shop."""
    store.answers.customers["7"] = replace(JAN, language="fr")
    assert thread(store, take(store, mail())).language == "fr"
    assert thread(store, take(store, mail(by="new@example.com"))).language == "en"


@pytest.mark.shows("10.4")
def test_without_new_threads_the_mail_stays_on_the_server(any_store: Store) -> None:
    """Nothing of it is stored."""
    before = rows(any_store, Thread, Message, Blob, OutboxItem, ThreadAlias)
    landed = take(any_store, mail(), source=replace(EVERY_SHOP, create_threads=False))
    assert landed == Landed(Outcome.LEFT, "belongs_to_no_thread")
    assert rows(any_store, Thread, Message, Blob, OutboxItem, ThreadAlias) == before


@pytest.mark.shows("10.4")
def test_its_contact_is_the_one_whose_address_was_written_to(store: Store) -> None:
    """Whatever the mailbox's own is, and with a tag behind a plus too."""
    webmaster = contact_id(store, "Webmaster")
    with store.desk.sessions() as session:
        session.get_one(Contact, webmaster).email = "Web@shop.example"
        session.commit()
    source = replace(EVERY_SHOP, contact_id=contact_id(store))
    assert thread(store, take(store, mail(written_to=("web+x@shop.example",)), source=source)).contact_id == webmaster
    assert thread(store, take(store, mail(), source=source)).contact_id == contact_id(store)


@pytest.mark.shows("10.4")
def test_its_shop_is_that_of_the_contact_else_the_first_of_the_mailbox(store: Store) -> None:
    """Of several shops of a contact, the first that the mailbox is fetched for."""
    assert thread(store, take(store, mail(), source=replace(EVERY_SHOP, shop_ids=("2", "1")))).shop_id == "2"
    with store.desk.sessions() as session:
        contact = Contact(email="gulf@shop.example", save_messages=True, active=True, position=5, mails={}, created_at=store.clock())
        from cs_plugin.store.contacts import write_shops

        session.add(contact)
        write_shops(contact, ["3"])
        session.commit()
    written = mail(written_to=("gulf@shop.example",))
    assert thread(store, take(store, written, source=replace(EVERY_SHOP, shop_ids=("1", "2", "3")))).shop_id == "3"


@pytest.mark.shows("10.6")
def test_a_mail_to_two_contacts_is_a_linked_message_in_each(any_store: Store) -> None:
    """On every database, by one write."""
    webmaster = let_contact_have(any_store, "web@shop.example")
    landed = take(any_store, mail(to=people("paris@shop.example"), cc=people("Web@shop.example")))
    (other_id,) = landed.also
    other = look(any_store, lambda session: session.get_one(Message, other_id))
    assert thread(any_store, landed).contact_id == contact_id(any_store)
    assert (thread_of(any_store, other.thread_id).contact_id, other.linked_message_id) == (webmaster, landed.message_id)
    assert message(any_store, landed).linked_message_id is None


def test_an_answer_to_both_is_linked_in_both(store: Store) -> None:
    """By the Message-ID under which both know the first mail."""
    let_contact_have(store, "web@shop.example")
    both = people("paris@shop.example", "web@shop.example")
    first = mail(to=both)
    begun = take(store, first)
    landed = take(store, mail("And another thing.", to=both, in_reply_to=(first.message_id or "",)))
    (other_id,) = landed.also
    other = look(store, lambda session: session.get_one(Message, other_id))
    first_other = look(store, lambda session: session.get_one(Message, begun.also[0]))
    assert (landed.thread_id, other.thread_id, other.linked_message_id) == (begun.thread_id, first_other.thread_id, landed.message_id)
    assert rows(store, Thread) == [2]


ALIASED = """\
X-Original-To: web@shop.example
Delivered-To: box@shop.example
From: Jan Kowalski <jan@example.com>
To: {to}
Subject: The page is broken
Message-ID: <alias@example.com>

Hello
"""


@pytest.mark.shows("10.4")
@pytest.mark.parametrize("to", ["web@shop.example", "undisclosed-recipients:;", "team@elsewhere.example"])
def test_a_mail_to_an_alias_is_one_thread_with_whom_it_was_written_to(store: Store, to: str) -> None:
    """The mailbox behind the alias is a contact's as well, and was not written to."""
    webmaster = let_contact_have(store, "web@shop.example")
    let_contact_have(store, BOX, "Customer service")
    landed = take(store, read_mail(ALIASED.format(to=to).encode()))
    assert (thread(store, landed).contact_id, landed.also, rows(store, Thread)) == (webmaster, (), [1])


@pytest.mark.parametrize("to", ["paris@shop.example", "team@elsewhere.example"])
def test_an_answer_goes_on_only_with_those_whom_its_writer_names(store: Store, to: str) -> None:
    """Not with a contact into whose mailbox it was delivered, where that has a thread of the same conversation."""
    let_contact_have(store, "web@shop.example")
    first = mail(to=people("paris@shop.example", "web@shop.example"))
    begun = take(store, first)
    assert len(begun.also) == 1
    answer = mail("To Paris alone.", to=people(to), written_to=(to, "web@shop.example"))
    landed = take(store, replace(answer, in_reply_to=(first.message_id or "",)))
    assert (landed.thread_id, landed.also) == (begun.thread_id, ())


def test_a_contact_whose_address_has_a_plus_of_its_own_gets_its_mail(store: Store) -> None:
    """What stands behind it is no tag."""
    returns = let_contact_have(store, "info+returns@shop.example")
    assert thread(store, take(store, mail(written_to=("info+returns@shop.example",)))).contact_id == returns
    assert thread(store, take(store, mail(to=people("Info+Returns@shop.example")))).contact_id == returns


@pytest.mark.shows("10.6")
def test_a_mail_that_comes_by_two_mailboxes_is_one_message(any_store: Store) -> None:
    """The second finds it there."""
    one = mail()
    first = take(any_store, one)
    again = take(any_store, one, source=replace(EVERY_SHOP, mailbox_id=2))
    assert again == Landed(Outcome.REPEATED, "came_before", first.thread_id, first.message_id)
    assert rows(any_store, Thread, Message) == [1, 1]


@pytest.mark.shows("10.6")
def test_another_text_under_the_same_message_id_is_stored_and_marked(any_store: Store) -> None:
    """Message-IDs repeat in the wild."""
    one = mail()
    take(any_store, one)
    landed = take(any_store, replace(one, text="Something else."))
    assert (landed.outcome, message(any_store, landed).same_id_other_text) == (Outcome.MESSAGE, True)


# --- The thread that it leads to ------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("10.3", "10.6", "10.7")
def test_ten_mails_of_a_conversation_find_their_threads(any_store: Store) -> None:
    """Programs cut, quote, change subjects, drop References and answer from other addresses: one thread, and apart what does not belong to it."""
    store = any_store
    fetch(store, takes_plus_tags=True)
    first = mail("1. Where is my parcel?")
    began = take(store, first)
    number = began.thread_id or 0
    answer(store, number)
    ours = sent(store, to=JAN.email)
    plain: dict[str, Any] = {"written_to": (BOX,)}
    tag = next(iter(re.findall(r"\[#\S+\]", str(ours.message["Subject"]))), "")
    landed = [
        take(store, answering(ours, "2. The usual answer.")),
        take(store, answering(ours, "3. By its References alone.", **plain, subject="Re: parcel", in_reply_to=())),
        take(store, answering(ours, "4. By In-Reply-To alone, another subject.", **plain, subject="Something else", references=())),
        take(store, answering(ours, "5. By the address alone.", subject="", in_reply_to=(), references=())),
        take(store, answering(ours, "6. By the subject alone.", **plain, subject=f"AW: {tag} parcel", in_reply_to=(), references=())),
        take(store, answering(ours, "", quoted="> It is on its way.", **plain)),
        take(store, mail("8. To his own first mail.", in_reply_to=(first.message_id or "",))),
        take(store, answering(ours, "9. From elsewhere.", by="jan@elsewhere.example")),
        take(store, mail("10. A new matter, with nothing of ours in it.", subject="Another parcel")),
    ]
    assert [(one.reason, one.thread_id == number) for one in landed] == [
        ("carries_an_address_tag", True),
        ("answers_a_known_mail", True),
        ("answers_a_known_mail", True),
        ("carries_an_address_tag", True),
        ("carries_a_subject_tag", True),
        ("answers_a_known_mail", True),
        ("answers_a_known_mail", True),
        ("comes_from_a_stranger", False),
        ("begins_a_thread", False),
    ]
    assert len({one.thread_id for one in landed}) == 3
    assert kept_columns(thread_of(store, number)) == worked_out(messages_of(store, number))
    assert [message(store, one).matched_by for one in landed] == [one.reason for one in landed]


@pytest.mark.shows("2.2")
def test_a_customers_answer_reopens_the_thread(any_store: Store) -> None:
    """On every database; the timeline tells by whom."""
    number, ours = conversation(any_store)
    assert thread_of(any_store, number).status is Status.CLOSED
    take(any_store, answering(ours, written_to=(BOX,)) if ours.message["Reply-To"] else mail("Thanks", in_reply_to=(id_of(ours),)))
    assert thread_of(any_store, number).status is Status.OPEN
    events = look(any_store, lambda session: list(session.scalars(select(ThreadEvent.kind).where(ThreadEvent.thread_id == number))))
    assert events.count("status") == 2


def test_a_thread_that_has_come_to_rest_goes_on_in_another_one(store: Store) -> None:
    """As for other channels."""
    number, ours = conversation(store)
    choose(store, "reopen_closed", "within")
    store.clock.forward(days=40)
    landed = take(store, mail("Hello again", in_reply_to=(id_of(ours),)))
    assert landed.thread_id != number
    assert (landed.reason, thread(store, landed).refers_to_id) == ("goes_on_after_a_closed_thread", number)


@pytest.mark.shows("2.10")
def test_a_mail_to_a_deleted_thread_begins_a_new_one(any_store: Store) -> None:
    """Also where unrecognised mails begin none: this one belonged somewhere."""
    number, ours = conversation(any_store)
    do(any_store, lambda bench: desk.delete(bench, any_store.actor(), [number]))
    landed = take(any_store, mail(in_reply_to=(id_of(ours),)), source=replace(EVERY_SHOP, create_threads=False))
    assert (landed.outcome, landed.reason) == (Outcome.MESSAGE, "its_thread_was_deleted")
    assert landed.thread_id != number


def test_what_was_merged_leads_to_the_thread_that_was_kept(any_store: Store) -> None:
    """And its message knows where an undone merge gives it back to."""
    old, ours = conversation(any_store)
    kept_id = begin(any_store, channel=Channel.ORDER_PAGE)
    with any_store.desk.sessions() as session:
        session.get_one(Thread, old).merged_into_id = kept_id
        session.commit()
    landed = take(any_store, mail("After the merge", in_reply_to=(id_of(ours),)))
    written = message(any_store, landed)
    assert (landed.thread_id, written.thread_id, written.home_thread_id) == (kept_id, kept_id, old)


def test_threads_merged_in_a_circle_lead_nowhere(store: Store) -> None:
    """Nobody makes one, and nobody waits for its end."""
    number, ours = conversation(store)
    with store.desk.sessions() as session:
        session.get_one(Thread, number).merged_into_id = number
        session.commit()
    assert take(store, mail(in_reply_to=(id_of(ours),))).reason == "begins_a_thread"


def test_what_lies_in_spam_stays_there(store: Store) -> None:
    """Nobody writes their way out of it, and nobody is told."""
    number, ours = conversation(store)
    with store.desk.sessions() as session:
        session.get_one(Thread, number).folder = Folder.SPAM
        session.commit()
    before = rows(store, OutboxItem)
    landed = take(store, mail("Buy", in_reply_to=(id_of(ours),)))
    assert (landed.thread_id, thread_of(store, number).folder) == (number, Folder.SPAM)
    assert rows(store, OutboxItem) == before


@pytest.mark.shows("2.11")
def test_a_blocked_senders_mail_goes_to_spam(any_store: Store) -> None:
    """One that begins a thread, and one that answers one."""
    _number, ours = conversation(any_store)
    block(any_store, JAN.email)
    answered, begun = take(any_store, mail(in_reply_to=(id_of(ours),))), take(any_store, mail("And another"))
    assert {thread(any_store, one).folder for one in (answered, begun)} == {Folder.SPAM}
    assert {answered.reason, begun.reason} == {"comes_from_a_blocked_sender"}


def test_the_verified_customer_may_write_from_another_address(store: Store) -> None:
    """Where the host knows it as theirs; an unverified one may not."""
    store.answers.customers["7b"] = Customer("7", "jan@work.example")
    number, ours = conversation(store)
    other = mail(by="jan@work.example", in_reply_to=(id_of(ours),))
    assert take(store, other).reason == "comes_from_a_stranger"
    with store.desk.sessions() as session:
        session.get_one(Thread, number).customer_verified = True
        session.commit()
    assert take(store, replace(other, message_id="<x@work.example>")).thread_id == number


@pytest.mark.shows("10.3")
def test_an_address_that_an_employee_added_takes_part(store: Store) -> None:
    """A copy alone does not: Cc makes nobody a participant."""
    number, ours = conversation(store)
    other = mail(by="aunt@example.com", in_reply_to=(id_of(ours),), cc=(Correspondent("aunt@example.com"),))
    assert take(store, other).thread_id != number
    with store.desk.sessions() as session:
        hashed = address_key("aunt@example.com")
        session.add(Participant(thread_id=number, address="aunt@example.com", address_hash=hashed, added_by="1", created_at=store.clock()))
        session.commit()
    assert take(store, replace(other, message_id="<y@example.com>")).thread_id == number


# --- Strangers ------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("10.3")
@pytest.mark.parametrize("by", ["subject", "address", "message_id"])
def test_a_stranger_who_has_seen_a_key_gets_nothing_into_the_thread(any_store: Store, by: str) -> None:
    """A thread of their own, which refers to it; the customer's one stays as it was."""
    store = any_store
    fetch(store, takes_plus_tags=True)
    number, ours = conversation(store)
    before = kept_columns(thread_of(store, number))
    keys: dict[str, Any] = {
        "subject": {"subject": str(ours.message["Subject"])},
        "address": {"written_to": way_back(ours)},
        "message_id": {"in_reply_to": (id_of(ours),)},
    }[by]
    landed = take(store, mail("Send it to me instead.", by=STRANGER, name="Jan Kowalski", **keys))
    assert (landed.reason, thread(store, landed).refers_to_id) == ("comes_from_a_stranger", number)
    assert landed.thread_id != number
    assert kept_columns(thread_of(store, number)) == before
    assert len(messages_of(store, number)) == 2


@pytest.mark.shows("8.8", "10.3")
def test_a_strangers_mail_is_set_aside_where_the_option_says_so(any_store: Store) -> None:
    """Nothing of it is stored as a message."""
    _number, ours = conversation(any_store)
    choose(any_store, "unknown_sender", "set_aside")
    before = rows(any_store, Thread, Message)
    assert take(any_store, mail(by=STRANGER, in_reply_to=(id_of(ours),))) == Landed(Outcome.SET_ASIDE, "comes_from_a_stranger")
    assert rows(any_store, Thread, Message) == before


def test_a_stranger_goes_on_in_the_thread_that_they_began(store: Store) -> None:
    """Though their mails still carry the key of the other one."""
    _number, ours = conversation(store)
    first = mail(by=STRANGER, subject=str(ours.message["Subject"]))
    own = take(store, first)
    second = mail("And?", by=STRANGER, subject=str(ours.message["Subject"]), in_reply_to=(first.message_id or "",))
    assert take(store, second).thread_id == own.thread_id


@pytest.mark.shows("10.3")
@pytest.mark.parametrize("broken", ["forged", "revoked", "other", "of_a_link"])
def test_a_token_that_is_no_good_matches_nothing(any_store: Store, broken: str) -> None:
    """Forged, revoked, of another thread, or made for something else: all are the same as none, also from the customer's own address."""
    store = any_store
    number, _ours = conversation(store)
    nonce = thread_of(store, number).token_nonce
    sign = store.desk.signer.sign
    tags = {
        "forged": f"{'a' * 26}-{number}",
        "revoked": sign(TagKind.SUBJECT, number, nonce),
        "other": sign(TagKind.SUBJECT, number + 1, nonce).rpartition("-")[0] + f"-{number}",
        "of_a_link": sign(TagKind.LINK, number, nonce),
    }
    if broken == "revoked":
        do(store, lambda bench: desk.revoke_link(bench, store.actor(), number))
    tag = tags[broken]
    landed = take(store, mail(subject=f"[#{tag}] parcel", written_to=(f"box+{tag}@shop.example",)))
    assert (landed.reason, landed.thread_id != number) == ("begins_a_thread", True)


@pytest.mark.shows("10.3")
def test_a_guessed_message_id_leads_nowhere(store: Store) -> None:
    """Only the one that was given does, letter for letter."""
    _number, ours = conversation(store)
    guessed = [id_of(ours).upper(), id_of(ours)[:-2] + "x>", "<1@localhost>", "<>", ""]
    assert {take(store, mail(in_reply_to=(one,))).reason for one in guessed} == {"begins_a_thread"}


@pytest.mark.shows("9.1", "10.3")
def test_a_key_of_another_shop_leads_nowhere(any_store: Store) -> None:
    """By whatever it is carried: the mailbox is fetched for other shops."""
    store = any_store
    fetch(store, takes_plus_tags=True)
    _number, ours = conversation(store)
    landed = take(store, answering(ours), source=replace(EVERY_SHOP, shop_ids=("2", "3")))
    assert (landed.reason, thread(store, landed).shop_id, thread(store, landed).refers_to_id) == ("begins_a_thread", "2", None)


def test_mails_without_a_sender_have_no_part_in_each_others_threads(store: Store) -> None:
    """An empty address is nobody's."""
    first = mail(sender=None)
    begun = take(store, first)
    landed = take(store, mail(sender=None, in_reply_to=(first.message_id or "",)))
    assert (landed.reason, landed.thread_id != begun.thread_id) == ("comes_from_a_stranger", True)


def test_a_sender_to_whom_nothing_can_be_sent_is_kept_by_name(store: Store) -> None:
    """The thread has no address, so that no answer leaves for nowhere."""
    landed = take(store, mail(by="not an address", name="Someone"))
    assert (thread(store, landed).address, message(store, landed).author_address) == ("", "not an address")


def test_answers_do_not_go_where_a_mail_asks_for_them(store: Store) -> None:
    """Who writes in a customer's name does not get the answers; the timeline tells of it."""
    begun = thread(store, take(store, mail(reply_to=(Correspondent(STRANGER),))))
    events = look(store, lambda session: list(session.scalars(select(ThreadEvent).where(ThreadEvent.thread_id == begun.id))))
    assert (begun.address, [(one.kind, one.details) for one in events]) == (JAN.email, [("answers_elsewhere", {"address": STRANGER})])
