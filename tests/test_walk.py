"""The whole way in its plainest form: a message becomes a thread, an answer becomes a mail."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, select

from cs_plugin import desk
from cs_plugin.store.models import Contact, ContactShop, ContactText, Option
from tests.hosts.store import Store


def test_a_message_becomes_a_thread_and_its_answer_becomes_a_mail(any_store: Store) -> None:
    """On every database a customer's form ends as a mail to that customer, in the conversation that the confirmation began."""
    store = any_store
    with store.app.app_context():
        received = store.customer_service.hook.cs_contact_form_submitted(
            email="jan@example.com",
            text="Where is my parcel?",
            contact="Customer service",
            subject="Parcel",
            first_name="",
            last_name="",
            customer_id=None,
            order_id=None,
            shop_id="1",
            language="en",
            files=(),
            post_key="one",
        )
        store.db.session.commit()
        store.desk.do(lambda bench: desk.reply(bench, store.actor(), received.thread_id, desk.Answer("It is on its way.")))
        assert store.desk.office.deliver().sent == 3
        confirmation, _notice, reply = store.desk.transport.sent
        assert reply.recipients == ("jan@example.com",)
        assert "It is on its way." in reply.message.get_body(("plain",)).get_content()
        assert reply.message["In-Reply-To"] == confirmation.message["Message-ID"]


@pytest.mark.shows("7.2", "11.3")
def test_contacts_without_an_address_use_each_shops(store: Store) -> None:
    """The first contacts of a store whose shops have addresses of their own are written from, and told at, the shop of the thread."""
    with store.app.app_context():
        with store.desk.sessions() as session:
            session.execute(delete(ContactShop))
            session.execute(delete(ContactText))
            session.execute(delete(Contact))
            # As if they had never been made: they are made once.
            session.execute(delete(Option))
            session.commit()
            assert desk.make_first_contacts(store.desk.bench(session))
            session.commit()
            assert set(session.scalars(select(Contact.email))) == {""}
        store.customer_service.hook.cs_contact_form_submitted(
            email="jan@example.com",
            text="Hallo",
            contact="Webmaster",
            subject="",
            first_name="",
            last_name="",
            customer_id=None,
            order_id=None,
            shop_id="2",
            language="en",
            files=(),
            post_key="berlin",
        )
        store.db.session.commit()
        store.desk.office.deliver()
    confirmation, notice = store.desk.transport.sent
    assert notice.recipients == ("berlin@shop.example",)
    assert str(confirmation.message["From"]) == "Berlin · Webmaster <berlin@shop.example>"
