"""The address in mails: configured, or the shop's own, never what a visitor makes up."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from tests.hosts.store import MARIE, PARIS, Store


def mails_after_a_post(store: Store, address: str) -> str:
    """Post a message under an address of the store, and return all mails that it caused."""
    with store.app.test_request_context(base_url=address):
        store.customer_service.hook.cs_contact_form_submitted(
            email="victim@example.com", text="Hello", contact="Customer service", subject="", first_name="", last_name="", customer_id=None,
            order_id=None, shop_id="1", language="en", files=(), post_key=address,
        )  # fmt: skip
        store.db.session.commit()
        store.desk.office.deliver()
    return "".join(mail.message.as_string() for mail in store.desk.transport.sent)


@pytest.mark.shows("11.3")
def test_a_made_up_host_never_reaches_a_mail(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever posts under a Host header of their own gets no link to their page mailed to anybody; the log says what to configure."""
    store.answers.shops = [replace(PARIS, url="")]
    with caplog.at_level(logging.WARNING):
        assert "evil.example" not in mails_after_a_post(store, "https://evil.example")
    assert "CS_STOREFRONT_URL" in caplog.text


def test_the_shops_own_address_counts(store: Store) -> None:
    """Where nothing is configured, links lead to the shop's own origin, whatever the request says."""
    assert "https://paris.example/customer-service/thread/" in mails_after_a_post(store, "https://evil.example").replace("=\n", "")


def test_the_configured_address_counts_most(store: Store) -> None:
    """CS_STOREFRONT_URL stands above the shop's own URL."""
    store.app.config["CS_STOREFRONT_URL"] = "https://help.example/base/"
    assert "https://help.example/base/customer-service/thread/" in mails_after_a_post(store, "https://evil.example").replace("=\n", "")


def test_a_developers_own_machine_names_itself(store: Store) -> None:
    """On localhost, without any configuration, the link works for whoever tries the store out."""
    store.answers.shops = [replace(PARIS, url="")]
    assert "http://localhost:5000/customer-service/thread/" in mails_after_a_post(store, "http://localhost:5000").replace("=\n", "")


def test_what_is_mailed_later_on_a_developers_own_machine_leads_to_where_it_was_asked_for(store: Store) -> None:
    """A reply is mailed seconds after the request, by what works beside requests; a visitor's made-up host is never remembered."""
    store.answers.shops = [replace(PARIS, url="")]
    client = store.client(employee=MARIE)
    assert client.get("/cs-admin/customer-service/", base_url="http://127.0.0.1:5000").status_code == 200
    assert client.get("/cs-admin/customer-service/", base_url="https://evil.example").status_code == 200
    assert store.desk.storefront(store.answers.shops[0]) == "http://127.0.0.1:5000/customer-service"
