"""To whom a new message goes: never to another person than the form names."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import select

from cs_plugin.store.models import OutboxItem
from tests.hosts.store import EVA, JAN, MARIE, Store
from tests.hosts.writing import JAN_SIGNED_IN, begin, look
from tests.test_thread_page import LIST

WORDS = {"in_shop": "1", "kind": "message", "language": "en", "contact": "", "subject": "Your contract", "text": "Dear Eva"}


def form_about(store: Store, thread_id: int) -> tuple[Any, dict[str, str]]:
    """Open the form of a new message that comes from a thread; return who looks, and what it would post."""
    client = store.client(employee=MARIE)
    page = client.get(f"{LIST}new?about={thread_id}").text
    filled = {name: (re.search(rf'name="{name}"[^>]* value="([^"]*)"', page) or ["", ""])[1] for name in ("csrf_token", "post_key", "to")}
    chosen = re.search(r'name="customer" value="([^"]*)"[^>]* checked', page)
    return client, {**WORDS, **filled, "customer": chosen[1] if chosen else ""}


def recipients(store: Store) -> list[str]:
    """Return to whom replies are queued."""
    return look(store, lambda session: [one.recipient for one in session.scalars(select(OutboxItem)) if one.kind == "reply"])


@pytest.mark.shows("2.12")
def test_an_address_that_was_typed_anew_does_not_go_to_the_account_that_is_still_chosen(store: Store) -> None:
    """Without a script the choice below stays: it is asked which of the two is meant, and nothing is lost."""
    client, form = form_about(store, begin(store, sender=JAN_SIGNED_IN))
    assert (form["to"], form["customer"]) == (JAN.email, JAN.id)
    answer = client.post(f"{LIST}new", data={**form, "to": EVA.email})
    assert (answer.status_code, recipients(store)) == (422, [])
    assert "The customer chosen below has another address. Choose who is meant." in answer.text
    assert f'value="{EVA.email}"' in answer.text
    assert "Dear Eva" in answer.text
    again = dict(re.findall(r'name="(csrf_token|post_key)" value="([^"]*)"', answer.text))
    assert client.post(f"{LIST}new", data={**form, **again, "to": EVA.email, "customer": ""}).status_code == 303
    assert recipients(store) == [EVA.email]


@pytest.mark.shows("2.12")
@pytest.mark.parametrize("to", ["JAN@example.com", "Jan Kowalski"])
def test_a_chosen_account_gets_it_under_the_address_that_the_host_has(store: Store, to: str) -> None:
    """Its own address in any case, or the name it was looked up by."""
    client, form = form_about(store, begin(store, sender=JAN_SIGNED_IN))
    assert client.post(f"{LIST}new", data={**form, "to": to}).status_code == 303
    assert recipients(store) == [JAN.email]


def test_a_thread_that_was_written_from_elsewhere_fills_in_where_the_mail_goes(store: Store) -> None:
    """The account's own address."""
    from_work = JAN_SIGNED_IN.__class__("jan@work.example", JAN.first_name, JAN.last_name, JAN.id, verified=True)
    client, form = form_about(store, begin(store, sender=from_work))
    assert form["to"] == JAN.email
    assert client.post(f"{LIST}new", data=form).status_code == 303
    assert recipients(store) == [JAN.email]
