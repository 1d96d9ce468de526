"""What machines send: automatic mails, bounces, our own mails that come back. Nothing moves by them but what a bounce says; nobody answers them."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from cs_plugin import desk
from cs_plugin.mail.parse import read_mail
from cs_plugin.rules.incoming import KEPT_HERE, Landed, Outcome
from cs_plugin.rules.inquiry import AuthorKind
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import notices, tally
from cs_plugin.store.figures import calculate, total
from cs_plugin.store.locking import committed
from cs_plugin.store.models import Contact, Delivery, Message, OutboxItem, OutboxState, Thread, ThreadEvent
from cs_plugin.store.scope import EVERYTHING
from tests.hosts.mailing import BOX, EVERY_SHOP, arrived, bounce_of, mail, take
from tests.hosts.store import JAN, JOHN, MARIE, Store
from tests.hosts.writing import KEPT, do, look, messages_of, thread_of
from tests.test_receiving_mail import answer, conversation, fetch, id_of, message, rows, sent, thread, way_back

AUTOMATIC = {"automatic": "auto-submitted", "return_path": ""}


def standing(store: Store) -> dict[str, Any]:
    """Return all that an automatic mail must not change: kept columns, statuses, figures, bells, queued mails."""

    def read(session: Any) -> dict[str, Any]:
        now = store.clock()
        return {
            "threads": [
                (one.id, one.status, *(getattr(one, name) for name in KEPT))
                for one in session.scalars(select(Thread).where(Thread.folder == Folder.LIST).order_by(Thread.id))
            ],
            "figures": calculate(session, EVERYTHING, total(tally.counts_by_contact(session, EVERYTHING)), now),
            "counts": total(tally.counts_by_contact(session, EVERYTHING)),
            "bells": [notices.bell_of(session, EVERYTHING, ["1", "2", "3"], one.id, now).number for one in (MARIE, JOHN)],
            "queued": session.scalar(select(func.count()).select_from(OutboxItem)),
            "events": session.scalar(select(func.count()).select_from(ThreadEvent)),
        }

    return look(store, read)


# --- Automatic mails ------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("2.2", "10.8")
def test_an_automatic_mail_is_stored_and_moves_nothing(any_store: Store) -> None:
    """No kept column, status, figure, bell, event or mail changes, on any database."""
    number, ours = conversation(any_store)
    any_store.clock.forward(hours=1)
    before = standing(any_store)
    landed = take(any_store, mail("I am away.", in_reply_to=(id_of(ours),), **AUTOMATIC))
    assert (landed.outcome, landed.thread_id) == (Outcome.AUTOMATIC, number)
    assert (message(any_store, landed).author_kind, message(any_store, landed).text) == (AuthorKind.MACHINE, "I am away.")
    assert standing(any_store) == before


@pytest.mark.shows("2.2", "10.8")
def test_an_automatic_mail_that_belongs_nowhere_lies_apart(any_store: Store) -> None:
    """It is kept, and counts nowhere; where unrecognised mails begin no thread it stays on the server."""
    before = standing(any_store)
    landed = take(any_store, mail("News of the week", by="news@list.example", **AUTOMATIC))
    assert (landed.outcome, landed.reason, thread(any_store, landed).folder) == (Outcome.AUTOMATIC, "was_written_by_a_machine", Folder.SPAM)
    assert standing(any_store) == before
    closed = replace(EVERY_SHOP, create_threads=False)
    assert take(any_store, mail(**AUTOMATIC), source=closed) == Landed(Outcome.LEFT, "was_written_by_a_machine")


def test_a_persons_answer_to_a_machines_mail_does_not_follow_it_into_spam(store: Store) -> None:
    """It begins a thread that is seen."""
    news = mail("News", by="news@list.example", **AUTOMATIC)
    take(store, news)
    assert thread(store, take(store, mail(in_reply_to=(news.message_id or "",)))).folder is Folder.LIST


def test_a_strangers_machine_gets_nothing_into_the_thread(store: Store) -> None:
    """As a stranger in person."""
    number, ours = conversation(store)
    landed = take(store, mail("Ticket opened", by="desk@other.example", in_reply_to=(id_of(ours),), **AUTOMATIC))
    assert (landed.thread_id != number, thread(store, landed).folder, len(messages_of(store, number))) == (True, Folder.SPAM, 2)


def test_the_next_answer_counts_what_the_machine_sent_not(store: Store) -> None:
    """Kept columns are worked out anew with every message, and leave it out."""
    number, ours = conversation(store)
    last = thread_of(store, number).last_activity_at
    store.clock.forward(hours=1)
    take(store, mail("Away", in_reply_to=(id_of(ours),), **AUTOMATIC))
    do(store, lambda bench: desk.set_status(bench, store.actor(), [number], Status.OPEN))
    do(store, lambda bench: desk.add_note(bench, store.actor(), number, "x"))
    store.clock.forward(hours=1)
    take(store, mail("Away", in_reply_to=(id_of(ours),), **AUTOMATIC))
    found = thread_of(store, number)
    assert (found.last_activity_at, found.customer_messages) == (last + dt.timedelta(hours=1) if last else None, 1)


# --- Lists of ours --------------------------------------------------------------------------------------------------------------------------------

# As Google Groups and Mailman pass a mail on whose sender's domain has what others send for it refused.
BY_A_GROUP = """\
From: "'Jan Kowalski' via Paris" <paris@shop.example>
To: paris@shop.example
Subject: Where is my parcel?
Message-ID: <abc@yahoo.example>
Precedence: list
List-ID: <paris.shop.example>
Mailing-list: list paris@shop.example; contact paris+owners@shop.example

Hello, where is my parcel?
"""
JAN_THERE = "Jan Kowalski <jan@yahoo.example>"


def take_by_a_group(store: Store, headers: str, mail: str = BY_A_GROUP) -> Landed:
    """Let the desk receive a mail that a group has passed on, with further headers, as a run does: it knows the desk's addresses."""
    one = read_mail(f"{headers}\n{mail}".encode())
    with store.app.app_context(), store.desk.sessions() as session:
        bench = store.desk.bench(session)
        vetted = desk.vet_mail(store.desk.host, arrived(one, store), store.desk.host.employees(), ours=bench.addresses)
        return committed(session, lambda: desk.receive_mail(bench, vetted))


@pytest.mark.shows("10.4", "10.8")
@pytest.mark.parametrize(
    "headers",
    [
        f"X-Original-From: {JAN_THERE}\nReply-To: {JAN_THERE}",
        f"X-Original-From: {JAN_THERE}\nReply-To: paris@shop.example",
        f"Reply-To: Paris <paris@shop.example>, {JAN_THERE}",
        "Reply-To: jan@yahoo.example",
    ],
)
def test_a_mail_that_a_list_of_ours_passed_on_under_its_own_address_is_its_writers(any_store: Store, headers: str) -> None:
    """It begins a thread in the list, with their name and address, on every database."""
    landed = take_by_a_group(any_store, headers)
    begun, written = thread(any_store, landed), message(any_store, landed)
    assert (landed.outcome, begun.folder, begun.address, begun.customer_name) == (Outcome.MESSAGE, Folder.LIST, "jan@yahoo.example", "Jan Kowalski")
    assert (written.author_kind, written.author_address, written.signs) == (AuthorKind.CUSTOMER, "jan@yahoo.example", None)


@pytest.mark.parametrize("sign", ["Auto-Submitted: auto-replied", "X-Autoreply: yes", "X-Precedence: bulk"])
def test_a_machines_mail_by_a_list_of_ours_is_a_machines(store: Store, sign: str) -> None:
    """Only the headers of the list itself are passed over."""
    landed = take_by_a_group(store, f"Reply-To: {JAN_THERE}\n{sign}")
    assert (landed.outcome, thread(store, landed).folder, thread(store, landed).address) == (Outcome.AUTOMATIC, Folder.SPAM, "jan@yahoo.example")


@pytest.mark.parametrize(
    "headers", ["", "Reply-To: paris@shop.example", "X-Original-From: Paris <paris+tag@shop.example>\nReply-To: jan@yahoo.example"]
)
def test_a_list_of_ours_that_names_nobody_else_is_left(store: Store, headers: str) -> None:
    """Nobody could be answered but ourselves; it stays on the server."""
    assert take_by_a_group(store, headers) == Landed(Outcome.LEFT, "is_a_machine_at_our_own_address")


def test_a_list_of_somebody_elses_names_nobody(store: Store) -> None:
    """Where From is no address of ours it stays the sender's: answers do not go where a mail asks for them."""
    landed = take_by_a_group(store, f"Reply-To: {JAN_THERE}", BY_A_GROUP.replace("<paris@shop.example>", "<news@list.example>"))
    assert (landed.outcome, thread(store, landed).address) == (Outcome.AUTOMATIC, "news@list.example")


def test_what_no_list_has_passed_on_is_from_whom_it_says(store: Store) -> None:
    """A colleague's mail from our address may ask for answers elsewhere."""
    alone = BY_A_GROUP.replace("Precedence: list\nList-ID: <paris.shop.example>\n", "")
    assert take_by_a_group(store, f"Reply-To: {JAN_THERE}", alone) == Landed(Outcome.SET_ASIDE, "comes_from_an_address_of_ours")


# --- Loops ----------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("10.8")
def test_a_mail_of_ours_that_comes_back_is_not_stored(any_store: Store) -> None:
    """By a list, a copy, or an address of ours; whoever it seems to be from."""
    _number, ours = conversation(any_store)
    before = rows(any_store, Thread, Message)
    landed = take(any_store, mail(message_id=id_of(ours), by="paris@shop.example"))
    assert landed == Landed(Outcome.OWN, "is_a_mail_of_ours")
    assert rows(any_store, Thread, Message) == before


@pytest.mark.shows("10.8")
def test_a_machine_at_an_address_of_ours_is_not_stored(store: Store) -> None:
    """The mailbox of a contact answers our notices by itself. Since nothing of it is kept, it stays on the server."""
    fetch(store)
    for address in ("paris@shop.example", BOX, "BOX@shop.example"):
        assert take(store, mail(by=address, **AUTOMATIC)) == Landed(Outcome.LEFT, "is_a_machine_at_our_own_address")
    assert Outcome.LEFT not in KEPT_HERE
    assert rows(store, Thread, Message) == [0, 0]


@pytest.mark.shows("10.8")
def test_a_persons_mail_from_an_address_of_ours_is_not_lost(store: Store) -> None:
    """A note in the thread that it answers; set aside where it answers none, since an answer to it would come back to us."""
    customers = mail()
    number = take(store, customers).thread_id or 0
    landed = take(store, mail("I called him.", by="paris@shop.example", name="Desk", in_reply_to=(customers.message_id or "",)))
    assert (landed.outcome, landed.thread_id, message(store, landed).private) == (Outcome.NOTE, number, True)
    assert take(store, mail(by="paris@shop.example")) == Landed(Outcome.SET_ASIDE, "comes_from_an_address_of_ours")


@pytest.mark.shows("10.8", "11.4")
def test_a_contact_whose_address_is_the_fetched_mailbox_makes_no_loop(any_store: Store) -> None:
    """No notice goes there, and whatever of ours arrives there becomes no message."""
    store = any_store
    with store.desk.sessions() as session:
        session.query(Contact).update({Contact.email: BOX, Contact.mails: {"mail_confirmation": True}})
        session.commit()
    fetch(store)
    take(store, mail())
    with store.app.app_context():
        store.desk.office.deliver()
    left = list(store.desk.transport.sent)  # type: ignore[attr-defined]
    assert [one.recipients for one in left] == [(JAN.email,)]
    came_back = [take(store, mail(message_id=id_of(one), by=BOX, **AUTOMATIC)).outcome for one in left]
    assert (came_back, rows(store, Thread, Message)) == ([Outcome.OWN], [1, 1])


@pytest.mark.shows("10.8", "11.4")
def test_mail_born_threads_get_no_confirmation_unless_switched_on(store: Store) -> None:
    """And it answers the mail that it confirms."""
    take(store, mail())
    assert "confirmation" not in kinds(store)
    with store.desk.sessions() as session:
        session.query(Contact).update({Contact.mails: {"mail_confirmation": True}})
        session.commit()
    one = mail("Another")
    take(store, one)
    assert sent(store, to=JAN.email).message["In-Reply-To"] == one.message_id


@pytest.mark.shows("10.8")
def test_two_desks_that_confirm_each_others_mails_fall_silent(any_store: Store) -> None:
    """The other one's confirmations say nothing of a machine, and lead nowhere: each would begin a thread and be confirmed in its turn."""
    store = any_store
    with store.desk.sessions() as session:
        session.query(Contact).update({Contact.mails: {"mail_confirmation": True, "contact_notice": False}})
        session.commit()
    said, exchanged = 0, 0
    take(store, mail("Hello", by="desk@other.example"))
    while exchanged < 50 and kinds(store).count("confirmation") > said:
        said, exchanged = kinds(store).count("confirmation"), exchanged + 1
        store.clock.forward(minutes=1)
        take(store, mail("Your message has been received", by="desk@other.example"))
    assert said == 3, kinds(store)
    # One that says what it is is not answered even once.
    take(store, mail("Your message has been received", by="robot@other.example", **AUTOMATIC))
    assert kinds(store).count("confirmation") == said


def kinds(store: Store) -> list[str]:
    """Return which mails have been queued."""
    return look(store, lambda session: list(session.scalars(select(OutboxItem.kind).order_by(OutboxItem.id))))


def test_old_mail_is_announced_to_nobody(store: Store) -> None:
    """A mailbox that is fetched for the first time holds what people have read long ago."""
    with store.app.app_context(), store.desk.sessions() as session:
        from tests.hosts.mailing import arrived

        old = replace(arrived(mail(), store), arrived_at=store.clock() - dt.timedelta(days=30))
        vetted = desk.vet_mail(store.desk.host, old, store.desk.host.employees())
        desk.receive_mail(store.desk.bench(session), vetted)
        session.commit()
    assert kinds(store) == []


def seen(store: Store, number: int) -> None:
    """Let everybody have seen the thread: what rings from here on is new."""
    newest = messages_of(store, number)[-1].id
    with store.desk.sessions() as session:
        for one in (MARIE, JOHN):
            notices.open_thread(session, EVERYTHING, one.id, number, newest, store.clock())
        session.commit()


# --- Bounces --------------------------------------------------------------------------------------------------------------------------------------


def answer_of(store: Store, number: int) -> Message:
    """Return the employee's answer in a thread."""
    return next(one for one in messages_of(store, number) if one.author_kind is AuthorKind.EMPLOYEE)


@pytest.mark.shows("2.2", "10.8")
@pytest.mark.parametrize("by", ["message_id", "references", "address"])
def test_a_bounce_for_good_fails_the_answer_and_rings(any_store: Store, by: str) -> None:
    """Found by our Message-ID, in the report or in its headers, or by the address that the envelope named."""
    store = any_store
    fetch(store, "box@shop.example", takes_plus_tags=True)
    number, ours = conversation(store)
    seen(store, number)
    told = {
        "message_id": bounce_of(id_of(ours)),
        "references": bounce_of(None, references=(id_of(ours),)),
        "address": bounce_of(None, written_to=way_back(ours)),
    }[by]
    landed = take(store, told)
    failed = answer_of(store, number)
    assert (landed.outcome, landed.thread_id) == (Outcome.BOUNCE, number)
    assert (failed.delivery, failed.delivery_text) == (Delivery.FAILED, "5.1.1 550 No such user here (jan@example.com)")
    assert thread_of(store, number).status is Status.OPEN
    assert look(store, lambda session: notices.rings(session, EVERYTHING, MARIE.id, number, store.clock()))
    assert not look(store, lambda session: notices.rings(session, EVERYTHING, JOHN.id, number, store.clock()))
    (event,) = look(store, lambda session: list(session.scalars(select(ThreadEvent).where(ThreadEvent.kind == "delivery_failed"))))
    assert event.details["recipients"] == [JAN.email]


def test_what_has_bounced_can_be_tried_again(store: Store) -> None:
    """As what a server refused at once."""
    number, ours = conversation(store)
    take(store, bounce_of(id_of(ours)))
    do(store, lambda bench: desk.retry_mail(bench, store.actor(), number, answer_of(store, number).id))
    assert answer_of(store, number).delivery is Delivery.QUEUED
    assert id_of(sent(store, to=JAN.email)) == id_of(ours)
    assert answer_of(store, number).delivery is Delivery.SENT


@pytest.mark.shows("10.8")
def test_a_bounce_that_is_not_for_good_is_only_told(any_store: Store) -> None:
    """The answer counts as sent, the thread stays closed, and nobody is rung."""
    number, ours = conversation(any_store)
    seen(any_store, number)
    landed = take(any_store, bounce_of(id_of(ours), permanent=False))
    assert (landed.outcome, landed.reason) == (Outcome.BOUNCE, "tells_that_a_mail_of_ours_waits")
    assert (answer_of(any_store, number).delivery, thread_of(any_store, number).status) == (Delivery.SENT, Status.CLOSED)
    assert not look(any_store, lambda session: notices.rings(session, EVERYTHING, MARIE.id, number, any_store.clock()))
    assert look(any_store, lambda session: session.scalar(select(ThreadEvent.kind).order_by(ThreadEvent.id.desc()).limit(1))) == "delivery_delayed"


@pytest.mark.shows("10.8")
def test_a_bounce_about_no_mail_of_ours_lies_apart(any_store: Store) -> None:
    """Somebody has sent in our name: nothing is counted, no thread touched."""
    number, _ours = conversation(any_store)
    before = standing(any_store)
    landed = take(any_store, bounce_of("<made-up@shop.example>"))
    assert (landed.outcome, thread(any_store, landed).folder) == (Outcome.AUTOMATIC, Folder.SPAM)
    assert (standing(any_store), len(messages_of(any_store, number))) == (before, 2)


def test_a_bounce_of_a_notice_reopens_nothing(store: Store) -> None:
    """It is told in the thread that the contact could not be told."""
    number = take(store, mail()).thread_id or 0
    notice = sent(store, to="paris@shop.example")
    answer(store, number)
    sent(store, to=JAN.email)
    landed = take(store, bounce_of(id_of(notice), "paris@shop.example"))
    assert (landed.outcome, thread_of(store, number).status) == (Outcome.BOUNCE, Status.CLOSED)
    state = look(store, lambda session: session.scalar(select(OutboxItem.state).where(OutboxItem.kind == "contact_notice")))
    assert (state, answer_of(store, number).delivery) == (OutboxState.FAILED, Delivery.SENT)


def test_a_bounce_is_not_shown_to_the_customer(store: Store) -> None:
    """Nor an out-of-office: what machines send is for employees."""
    number, ours = conversation(store)
    take(store, bounce_of(id_of(ours)))
    with store.app.app_context():
        link = store.desk.do(lambda bench: bench.link(bench.session.get_one(Thread, number)))
    page = store.client().get(link.removeprefix("https://paris.example"))
    assert page.status_code == 200
    assert "could not be delivered" not in page.text


def test_a_delivery_that_failed_moves_no_other_shops_thread(store: Store) -> None:
    """A mailbox of other shops learns nothing of it."""
    number, ours = conversation(store)
    take(store, bounce_of(id_of(ours)), source=replace(EVERY_SHOP, shop_ids=("2",)))
    assert answer_of(store, number).delivery is Delivery.SENT
