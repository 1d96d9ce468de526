"""What a customer never sees: a note, an outsider's words, an answer not yet released, a machine's mail, another customer's conversation."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from sqlalchemy import select

from cs_plugin import desk
from cs_plugin.desk import Target
from cs_plugin.rules.inquiry import AuthorKind, Channel, Sender
from cs_plugin.store import files, threads
from cs_plugin.store.models import Attachment, Delivery, Message, OutboxFile, OutboxItem
from tests.hosts.store import EVA, JAN, MARIE, Store
from tests.hosts.writing import JAN_SIGNED_IN, begin, do, look, token_of
from tests.test_guest_thread import stored

EVA_SIGNED_IN = Sender(EVA.email, EVA.first_name, EVA.last_name, EVA.id, verified=True)

# Each hidden message: the words that stand in its text, its author's name, its subject and the name of its file.
HIDDEN: dict[str, dict[str, Any]] = {
    "hush-note": {"author_kind": AuthorKind.EMPLOYEE, "private": True},
    "hush-outsider": {"author_kind": AuthorKind.OUTSIDER, "private": True},
    "hush-outsider-public": {"author_kind": AuthorKind.OUTSIDER, "private": False},
    "hush-machine": {"author_kind": AuthorKind.MACHINE, "private": False},
    "hush-held": {"author_kind": AuthorKind.EMPLOYEE, "private": False, "delivery": Delivery.HELD, "released_at": None},
    "hush-scheduled": {"author_kind": AuthorKind.EMPLOYEE, "private": False, "delivery": Delivery.HELD, "released_at": None, "due": 60},
    "hush-future": {"author_kind": AuthorKind.EMPLOYEE, "private": False, "delivery": Delivery.QUEUED, "released": 60},
}
OTHERS = "hush-other"


def hide(store: Store, bench: desk.Bench, thread_id: int, word: str, about: dict[str, Any]) -> None:
    """Write a hidden message with a file into a thread."""
    values = dict(about)
    if "due" in values:
        values["release_due_at"] = bench.now + dt.timedelta(minutes=values.pop("due"))
    if "released" in values:
        values["released_at"] = bench.now + dt.timedelta(minutes=values.pop("released"))
    message = Message(
        thread_id=thread_id, home_thread_id=thread_id, shop_id="1", channel=Channel.DESK, author_id=MARIE.id, author_name=f"{word}-author",
        author_address=f"{word}@example.com", subject=f"{word}-subject", text=f"{word}-text", quoted=f"{word}-quoted", preview=f"{word}-preview",
        product_name=f"{word}-product", language="en", created_at=bench.now, **values,
    )
    bench.session.add(message)
    bench.session.flush()
    files.attach(bench.session, message.id, (stored(store, f"{word}.txt", word.encode()),), bench.now)


@pytest.fixture
def talk(store: Store) -> int:
    """Jan's conversation about an order, with every kind of hidden message in it, and Eva's besides."""
    mine = begin(store, "Where is my parcel?", sender=JAN_SIGNED_IN, order_id="15", files=(stored(store, "mine.txt"),))

    def write(bench: desk.Bench) -> None:
        for word, about in HIDDEN.items():
            hide(store, bench, mine, word, about)
        threads.recompute(bench.session, [mine])

    do(store, write)
    theirs = begin(store, f"{OTHERS}-text", sender=EVA_SIGNED_IN, files=(stored(store, f"{OTHERS}.txt", OTHERS.encode()),))
    do(store, lambda bench: desk.reply(bench, store.actor(), theirs, desk.Answer(f"{OTHERS}-answer", keep_status=True)))
    do(store, lambda bench: desk.add_note(bench, store.actor(), theirs, f"{OTHERS}-note"))
    return mine


def pages_of(store: Store, thread_id: int) -> list[str]:
    """Return the addresses of the storefront at which a customer reads."""
    link = f"/customer-service/thread/{token_of(store, thread_id)}"
    signed_in = ["/customer-service/my-messages", f"/customer-service/my-messages/{thread_id}", "/customer-service/order?order=15"]
    return [link, *signed_in, "/customer-service/contact"]


@pytest.mark.shows("5.4", "5.6", "3.5")
def test_no_page_shows_a_customer_what_is_not_theirs_to_see(store: Store, talk: int) -> None:
    """Link, My messages and order page show the customer's own words and none of the hidden ones, nor their authors, subjects and files."""
    client = store.client(customer=JAN)
    for path in pages_of(store, talk):
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert "hush" not in answer.text, path
    assert "Where is my parcel?" in client.get(pages_of(store, talk)[0]).text
    with store.app.test_request_context(headers={"X-Customer": JAN.id}):
        pages = store.app.jinja_env.globals
        drawn = [str(pages["cs_my_messages"]()), str(pages["cs_customer_order_panel"]("15")), str(pages["cs_contact_form"]())]
    assert any("Where is my parcel?" in html for html in drawn)
    assert not [html for html in drawn if "hush" in html]


@pytest.mark.shows("5.6", "3.5")
def test_no_guessed_id_opens_a_file_or_a_thread_of_somebody_else(store: Store, talk: int) -> None:
    """Every file of the store is asked for at every message by every door of the customer's: their own comes, nothing else does."""
    messages = look(store, lambda session: list(session.scalars(select(Message.id))))
    attachments = look(store, lambda session: list(session.scalars(select(Attachment.id))))
    client = store.client(customer=JAN)
    link = f"/customer-service/thread/{token_of(store, talk)}"
    doors = [f"{link}/files", f"/customer-service/my-messages/{talk}/files", "/customer-service/order/files"]
    for door in doors:
        found = {
            client.get(f"{door}/{message}/{attachment}{'?order=15' if door.endswith('order/files') else ''}").data
            for message in messages for attachment in attachments
        }
        assert not [content for content in found if b"hush" in content], door
    for other in (talk + 1, talk + 2, 0, -1):
        assert client.get(f"/customer-service/my-messages/{other}").status_code == 404
    token = token_of(store, talk + 1)
    forged = f"{token_of(store, talk).rpartition('-')[0]}-{token.rpartition('-')[2]}"
    assert store.client().get(f"/customer-service/thread/{forged}").status_code == 404
    assert store.client(customer=EVA).get("/customer-service/order?order=15").status_code == 404


@pytest.mark.shows("5.4", "5.6", "3.5")
def test_no_mail_carries_what_its_reader_may_not_see(store: Store, talk: int) -> None:
    """Whatever is queued for the customer, for somebody outside and as a copy holds none of the hidden words, in no part, header or file."""
    do(store, lambda bench: desk.reply(bench, store.actor(), talk, desk.Answer("It is on its way.", cc=("friend@example.com",), keep_status=True)))
    receive_again = Sender(JAN.email, JAN.first_name, JAN.last_name, JAN.id, verified=True)
    begin(store, "Another matter", sender=receive_again)
    once = {"reference": "XKBKNABJK", "once": b"\0" * 32}
    do(store, lambda bench: desk.forward(bench, store.actor(), talk, Target(address="carrier@example.com"), "Please look", **once))
    to_theirs = {JAN.email, "friend@example.com", "carrier@example.com"}

    def queued(session: Any) -> list[tuple[str, str]]:
        found = []
        for item in session.scalars(select(OutboxItem)):
            addresses = {one["address"] for one in (*item.content["to"], *item.content.get("cc", ()))}
            if addresses & to_theirs:
                names = session.scalars(select(OutboxFile.name).where(OutboxFile.outbox_id == item.id)).all()
                found.append((item.kind, json.dumps(item.content) + " ".join(names)))
        return found

    mails = look(store, queued)
    assert {kind for kind, _words in mails} >= {"reply", "forward", "confirmation"}
    assert not [kind for kind, words in mails if "hush" in words]
    with store.app.app_context():
        store.desk.office.deliver()
    left = [one for one in store.desk.transport.sent if to_theirs & set(one.recipients)]  # type: ignore[attr-defined]
    assert len(left) >= len(mails)
    for one in left:
        assert "hush" not in "".join(str(part.get_content()) for part in one.message.walk() if not part.is_multipart())
        assert "hush" not in str(one.message)


@pytest.mark.shows("5.4")
def test_an_answer_that_is_not_released_counts_for_the_customer_as_none(store: Store, talk: int) -> None:
    """Until it is released the customer's list says that an answer is waited for."""
    page = store.client(customer=JAN).get("/customer-service/my-messages").text
    assert "Waiting for our answer" in page
