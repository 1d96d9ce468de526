"""The whole way in its plainest form: a message becomes a thread, an answer becomes a mail."""

from __future__ import annotations

from cs_plugin import desk
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
