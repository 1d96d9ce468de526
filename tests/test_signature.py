"""What an answer begins with: the default message, and the signature of the contact that answers, in the thread's language."""

from __future__ import annotations

import re
from html import unescape

import pytest
from sqlalchemy import select

from cs_plugin import desk
from cs_plugin.rules.inquiry import Channel
from cs_plugin.rules.shops import Breadth, Context
from cs_plugin.store.models import ContactText, OutboxItem
from cs_plugin.store.options import set_option
from tests.hosts.store import MARIE, Store
from tests.hosts.writing import JAN_SIGNED_IN, begin, contact_id, do, look

DEFAULT = "Dear Customer,\n\nRegards,\nCustomer service"


def sign(store: Store, contact: int, **signatures: str) -> None:
    """Give a contact a signature in each of these languages, and none in others."""

    def write(bench: desk.Bench) -> None:
        for text in bench.session.scalars(select(ContactText).where(ContactText.contact_id == contact)):
            text.signature = signatures.pop(text.language, "")
        bench.session.add_all(ContactText(contact_id=contact, language=code, signature=words) for code, words in signatures.items())

    do(store, write)


def box(store: Store, thread_id: int) -> str:
    """Return what stands in the answer box of a thread that nobody has begun to answer."""
    page = store.client(employee=MARIE).get(f"/cs-admin/customer-service/{thread_id}/").text
    found = re.search(r'<textarea[^>]* name="text"[^>]*>\n(.*?)</textarea>', page, re.DOTALL)
    assert found is not None
    return unescape(found[1])


@pytest.mark.shows("8.8", "5.4")
def test_an_answer_begins_with_the_default_message_an_empty_line_and_the_signature(store: Store) -> None:
    """That of the thread's own contact, and of no other."""
    sign(store, contact_id(store), en="Pots & Co\n12 rue des Potiers")
    sign(store, contact_id(store, "Webmaster"), en="The webmaster")
    assert box(store, begin(store)) == f"{DEFAULT}\n\nPots & Co\n12 rue des Potiers"


@pytest.mark.shows("8.8", "9.2")
@pytest.mark.parametrize(
    ("signatures", "begins_with"),
    [
        ({"fr": "Pots et Cie", "en": "Pots & Co"}, "Bonjour\n\nPots et Cie"),
        ({"en": "Pots & Co"}, "Bonjour\n\nPots & Co"),
        ({"ar": "أوانٍ وشركاه"}, "Bonjour"),
        ({}, "Bonjour"),
    ],
)
def test_the_signature_is_in_the_threads_language_else_in_the_default_one(store: Store, signatures: dict[str, str], begins_with: str) -> None:
    """Without either there is none, and no empty line; a third language is not the customer's."""
    do(store, lambda bench: set_option(bench.session, "default_message", "Bonjour", bench.now, language="fr"))
    sign(store, contact_id(store), **signatures)
    assert box(store, begin(store, language="fr")) == begins_with


@pytest.mark.shows("8.8", "9.1")
def test_the_signature_follows_the_default_message_of_the_threads_shop(store: Store) -> None:
    """Berlin greets in its own words; where a shop has emptied its default message only the signature stands."""
    sign(store, contact_id(store), en="Pots & Co")
    for shop_id, words in (("2", "Guten Tag"), ("3", "")):
        context = Context(Breadth.SHOP, shop_id)
        do(store, lambda bench, words=words, context=context: set_option(  # type: ignore[misc]
            bench.session, "default_message", words, bench.now, context=context, language="en"
        ))
    assert [box(store, begin(store, shop_id=shop_id)) for shop_id in "123"] == [f"{DEFAULT}\n\nPots & Co", "Guten Tag\n\nPots & Co", "Pots & Co"]


@pytest.mark.shows("8.8", "4.3")
def test_a_thread_of_an_order_is_signed_by_the_contact_that_writes_for_its_shop(store: Store) -> None:
    """Its mails come from there; one that is written on the order's page, where no text is begun, is signed below it."""
    sign(store, contact_id(store), en="Pots & Co")
    thread_id = begin(store, channel=Channel.ORDER_PAGE, contact_id=None, sender=JAN_SIGNED_IN, order_id="15")
    assert box(store, thread_id) == f"{DEFAULT}\n\nPots & Co"
    do(store, lambda bench: desk.write_on_order(bench, store.actor(), store.answers.orders[0], "It is on its way.", public=True))
    mail = look(store, lambda session: session.scalars(select(OutboxItem.content).where(OutboxItem.kind == "order_message")).one())
    assert "It is on its way.\n\nPots & Co\n" in mail["text"]


@pytest.mark.shows("8.8")
def test_a_mail_is_signed_once_and_as_it_was_written(store: Store) -> None:
    """The signature stands where the employee has seen it, and one that they took out does not come back."""
    sign(store, contact_id(store), en="Pots & Co")
    for text in (box(store, begin(store, "One")), "Short and unsigned"):
        thread_id = begin(store, text)
        do(store, lambda bench, thread_id=thread_id, text=text: desk.reply(bench, store.actor(), thread_id, desk.Answer(text)))  # type: ignore[misc]
        mail = look(store, lambda session, thread_id=thread_id: session.scalars(  # type: ignore[misc]
            select(OutboxItem.content).where(OutboxItem.kind == "reply", OutboxItem.thread_id == thread_id)).one())
        answered = mail["text"].partition("Read the conversation")[0]
        assert answered.count("Pots & Co") == text.count("Pots & Co")
