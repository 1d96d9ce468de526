"""Variables in what is written to a customer elsewhere than in the answer box: on an order, and in a message that begins a conversation."""

from __future__ import annotations

from typing import Any

import pytest

from tests.hosts.store import JAN, MARIE, Store
from tests.hosts.visitor import hidden
from tests.hosts.writing import look, messages_of
from tests.test_order_panel import post, threads

NEW = "/cs-admin/customer-service/new"


def texts(store: Store) -> list[str]:
    """The texts of all messages."""
    return [one.text for thread in threads(store) for one in messages_of(store, thread.id)]


@pytest.mark.shows("5.4")
def test_what_is_written_on_an_order_is_filled_in(store: Store) -> None:
    """The order and its customer are known."""
    answer = post(store, text="Dear {customer_name}, {order_reference} is on its way. {employee_name}, {shop_name}", public="y")
    assert answer.status_code == 303
    assert texts(store) == ["Dear Jan Kowalski, XKBKNABJK is on its way. Marie, Paris"]


@pytest.mark.shows("5.4")
def test_a_variable_without_a_value_keeps_a_message_on_an_order_from_being_sent(store: Store) -> None:
    """It is named, the text stays, and nothing is stored."""
    answer = post(store, text="Track it: {tracking_url}", public="y")
    assert answer.status_code == 422
    assert "Not sent: nothing is known that stands for {tracking_url}." in answer.text
    assert "Track it: {tracking_url}" in answer.text
    assert threads(store) == []


def test_a_note_on_an_order_may_hold_anything(store: Store) -> None:
    """Colleagues read it as it was written."""
    assert post(store, text="Ask for {tracking_url}").status_code == 303
    assert texts(store) == ["Ask for {tracking_url}"]


def begin(store: Store, **fields: str) -> Any:
    """Post the form of a new message as it is shown."""
    client = store.client(employee=MARIE)
    return client.post(NEW, data={**hidden(client.get(NEW).text), "in_shop": "1", "language": "en", "subject": "Your guarantee", **fields})


@pytest.mark.shows("5.4", "2.12")
def test_a_new_message_is_filled_in_where_the_account_is_known(store: Store) -> None:
    """An address that was typed tells no name: that variable keeps the message from being sent."""
    assert begin(store, to=JAN.email, customer=JAN.id, text="Dear {customer_name}").status_code == 303
    assert texts(store) == ["Dear Jan Kowalski"]
    refused = begin(store, to="ida@example.com", text="Dear {customer_name}")
    assert refused.status_code == 422
    assert "Not sent: nothing is known that stands for {customer_name}." in refused.text
    assert look(store, lambda session: len(threads(store))) == 1
