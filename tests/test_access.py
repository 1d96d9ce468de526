"""Nobody gets in unless the host says so: every route of the desk, walked as everybody who must not be there."""

from __future__ import annotations

import io
import re
from collections.abc import Collection
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from werkzeug.datastructures import FileStorage
from werkzeug.routing import Rule

from cs_plugin import ALL, Employee, OutgoingMail, desk, outbox
from cs_plugin.desk import Bench
from cs_plugin.rules.outgoing import Mailbox
from cs_plugin.store import predefined
from cs_plugin.store.models import (
    Audit,
    ContactShop,
    ContactText,
    Job,
    Message,
    OutboxItem,
    OutboxState,
    PredefinedShop,
    PredefinedText,
    SavedQuery,
    Thread,
    ThreadEvent,
)
from tests.hosts.store import BERLIN, JAN, JOHN, LAYLA, MARIE, Store

SECRET = "the words that only Paris may read"
NOTE = "the note that no customer may read"
EUROPE = ("1", "2")


@pytest.fixture
def walked(store: Store) -> Store:
    """A store with a thread of Paris: a message with a file, a note with a file, an answer; John has no grants, Layla those of Dubai."""
    store.answers.grants[JOHN.id] = {}
    store.answers.grants[LAYLA.id] = {"view": ["3"], "reply": ["3"], "delete": ["3"], "configure": ["3"], "export": ["3"]}
    with store.app.test_request_context():
        received = store.customer_service.hook.cs_contact_form_submitted(
            email=JAN.email,
            text=SECRET,
            contact="Customer service",
            subject=SECRET,
            first_name=JAN.first_name,
            last_name=JAN.last_name,
            customer_id=JAN.id,
            order_id=None,
            shop_id="1",
            language="en",
            files=[FileStorage(io.BytesIO(SECRET.encode()), "secret.txt")],
            post_key="walk",
        )
        store.db.session.commit()
        assert received.thread_id == 1
        store.desk.do(lambda bench: desk.add_note(bench, store.actor(), 1, NOTE))
        store.desk.do(_fill)
    return store


def _fill(bench: Bench) -> None:
    """Let Paris have a predefined message, a mail that failed for good, and another without a thread."""
    message = predefined.new_predefined(bench.session, bench.now)
    predefined.write_words(message, "en", name=SECRET, text=SECRET)
    predefined.write_shops(message, ["1"])
    mail = OutgoingMail("passed_on", Mailbox("a@shop.example"), (Mailbox(JAN.email),), SECRET, SECRET, "", "<1@shop.example>", "en", "1")
    outbox.put(bench.session, mail, bench.now)
    bench.session.execute(update(OutboxItem).values(state=OutboxState.FAILED, last_error=SECRET))


def rules_of_the_desk(store: Store) -> list[Rule]:
    """Return every route that the desk has brought, those for static files aside."""
    of_mail = ("failed_mails", "mailboxes", "set_aside")
    named = ("threads", "contacts", "orders", "predefined", "options", "permissions", "bell", "sql", "admin", *of_mail)
    admin = tuple(f"cs_{one}." for one in named)
    own = ("cs_plugin.", *admin)
    return [rule for rule in store.app.url_map.iter_rules() if rule.endpoint.startswith(own) and not rule.endpoint.endswith("static")]


def admin_rules(store: Store) -> list[Rule]:
    """Return the routes for employees."""
    return [rule for rule in rules_of_the_desk(store) if not rule.endpoint.startswith("cs_plugin.")]


def address_of(store: Store, rule: Rule) -> str:
    """Return the route's address with ids that exist: thread, message, attachment and contact 1."""
    with store.app.test_request_context():
        return store.app.url_map.bind("localhost").build(rule.endpoint, dict.fromkeys(rule.arguments, 1), force_external=False)


FORM = {
    "ids": "1",
    "id": "1",
    "status": "closed",
    "action": "delete",
    "bulk": "delete",
    "kind": "reply",
    "then": "close",
    "text": "intruder",
    "note": "intruder",
    "thread": "1",
    "save": "1",
    "status-1": "closed",
    "deleted": "1",
    "size": "50",
    "assignee": "1",
    "contact": "1",
    "post_key": "1",
    "title-en": "intruder",
    "name-en": "intruder",
    "text-en": "intruder",
    "position": "0",
    "shops": "1",
    "mail": "1",
    "predefined": "1",
    "public": "1",
    "target": "else",
    "address": "intruder@example.com",
    "comment": "intruder",
    "email": "a@example.com",
    "sql": "SELECT id FROM cs_thread",
    "name": "intruder",
    "saved": "1",
}


@pytest.mark.shows("12.1")
@pytest.mark.parametrize("who", ["visitor", "customer", "an employee without grants"])
def test_nobody_without_a_grant_gets_any_page_or_action(walked: Store, who: str) -> None:
    """A visitor, a customer and an employee without grants are refused at every route of the admin, whatever they post."""
    before = snapshot(walked)
    client = walked.client(employee=JOHN if who.startswith("an employee") else None, customer=JAN if who == "customer" else None)
    assert len(admin_rules(walked)) >= 8
    for rule in admin_rules(walked):
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            answer = client.open(address_of(walked, rule), method=method, data=with_token(client, walked) if method == "POST" else None)
            assert answer.status_code == 403, (rule.rule, method, answer.status_code)
            assert SECRET not in answer.text
            assert NOTE not in answer.text
    assert snapshot(walked) == before


@pytest.mark.shows("12.1", "9.1")
def test_an_employee_of_another_shop_sees_and_changes_nothing(walked: Store) -> None:
    """Whoever holds every grant in Dubai alone finds nothing of Paris: no page, file or action, by list or by id; they make for Dubai alone."""
    before = snapshot(walked, EUROPE)
    client = walked.client(employee=LAYLA)
    for rule in admin_rules(walked):
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            answer = client.open(address_of(walked, rule), method=method, data=with_token(client, walked) if method == "POST" else None)
            assert answer.status_code < 500, (rule.rule, method)
            assert SECRET not in answer.text, (rule.rule, method)
            assert NOTE not in answer.text, (rule.rule, method)
            assert JAN.email not in answer.text, (rule.rule, method)
            if "thread_id" in rule.arguments:
                assert answer.status_code == 404, (rule.rule, method, answer.status_code)
    assert snapshot(walked, EUROPE) == before


@pytest.mark.shows("12.1")
@pytest.mark.parametrize("action", ["delete", "discard", "retry", "ask"])
def test_whoever_may_only_look_changes_nothing(walked: Store, action: str) -> None:
    """An employee who may view every shop and do nothing else posts every form of the admin in vain."""
    walked.answers.grants[JOHN.id] = {"view": ALL}
    before = snapshot(walked)
    client = walked.client(employee=JOHN)
    for rule in admin_rules(walked):
        if "POST" in rule.methods:
            answer = client.post(f"{address_of(walked, rule)}?order=15", data={**with_token(client, walked), "action": action})
            assert answer.status_code < 500, rule.rule
    assert snapshot(walked) == before


@pytest.mark.shows("12.1")
def test_without_an_answer_of_the_host_nobody_gets_in(tmp_path: Path) -> None:
    """A host that does not say who is using its admin lets nobody into the desk's."""
    from tests.hosts.store import make_store

    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path)
    store.answers.employees.clear()
    client = store.client(employee=MARIE)
    assert [client.get(address_of(store, rule)).status_code for rule in admin_rules(store) if "GET" in rule.methods] == [
        403 for rule in admin_rules(store) if "GET" in rule.methods
    ]


@pytest.mark.shows("12.1")
def test_an_employee_without_a_grants_answer_views_and_replies_and_nothing_else(walked: Store) -> None:
    """Where the host names an employee and no grants, they read and answer in all shops; they neither delete nor configure."""
    nina = Employee("9", "Nina", "Nowak", "nina@desk.example")
    walked.answers.employees[nina.id] = nina
    client = walked.client(employee=nina)
    assert SECRET in client.get("/cs-admin/customer-service/1/").text
    assert client.get("/cs-admin/customer-service-contacts/").status_code == 403
    with walked.app.test_request_context(headers={"X-Employee": nina.id}):
        grants = walked.desk.host.grants(nina)
        assert grants.allow_everywhere("reply")
        assert not grants.allow_somewhere("delete")


@pytest.mark.shows("12.1")
def test_every_change_wants_the_forms_token(walked: Store) -> None:
    """A POST without the token, as another site would send it, changes nothing at any route."""
    before = snapshot(walked)
    client = walked.client(employee=MARIE)
    for rule in rules_of_the_desk(walked):
        if "POST" in rule.methods:
            answer = client.post(address_of(walked, rule), data=FORM)
            assert answer.status_code < 500, rule.rule
    assert snapshot(walked) == before


def test_what_is_not_there_and_what_is_not_theirs_look_alike(walked: Store) -> None:
    """An employee of Dubai cannot tell a thread of Paris from one that does not exist."""
    client = walked.client(employee=LAYLA)
    there, nowhere = client.get("/cs-admin/customer-service/1/"), client.get("/cs-admin/customer-service/2/")
    assert (there.status_code, re.sub(r"\d", "", there.text)) == (nowhere.status_code, re.sub(r"\d", "", nowhere.text))


@pytest.mark.shows("12.1", "9.1", "5.2")
def test_orders_of_other_shops_are_shown_to_nobody_who_may_not_see_them(walked: Store) -> None:
    """A thread of Paris tells an employee of Paris neither the customer's orders in Dubai nor what these come to; whoever sees both sees both."""
    ours = walked.answers.orders[0]
    walked.answers.orders.append(replace(ours, id="16", reference="DUBAIONLY", shop_id="3", total=Decimal("512.00")))
    walked.answers.grants[JOHN.id] = {"view": ["1"]}
    theirs = walked.client(employee=JOHN).get("/cs-admin/customer-service/1/").text
    assert ours.reference in theirs
    assert "€68.00" in theirs
    assert "DUBAIONLY" not in theirs
    assert "580.00" not in theirs
    every = walked.client(employee=MARIE).get("/cs-admin/customer-service/1/").text
    assert "DUBAIONLY" in every
    assert "580.00" in every


@pytest.mark.shows("12.1", "9.1")
def test_the_threads_own_order_is_not_told_of_where_it_lies_in_a_shop_out_of_sight(walked: Store) -> None:
    """A thread that came to lie in another shop than its order tells nothing of that order."""
    with walked.desk.sessions.begin() as session:
        session.get_one(Thread, 1).order_id = "15"
    walked.answers.orders[0] = replace(walked.answers.orders[0], shop_id="3")
    walked.answers.grants[JOHN.id] = {"view": ["1"]}
    assert "Payment accepted" not in walked.client(employee=JOHN).get("/cs-admin/customer-service/1/").text
    assert "Payment accepted" in walked.client(employee=MARIE).get("/cs-admin/customer-service/1/").text


@pytest.mark.shows("9.1")
def test_a_thread_outside_the_context_offers_to_switch(walked: Store) -> None:
    """An employee who may see Paris and looks at Berlin is offered the way to the thread's shop."""
    answer = walked.client(employee=MARIE).get(f"/cs-admin/customer-service/1/?shop=shop-{BERLIN.id}")
    assert "Switch to Paris" in answer.text
    assert SECRET not in answer.text


def with_token(client: Any, store: Store) -> dict[str, Any]:
    """Return a form that would change something, with a good token of this visitor's own."""
    page = client.get("/customer-service/contact").text
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert token is not None, "the contact form carries a token"
    return {**FORM, "csrf_token": token[1]}


def snapshot(store: Store, shops: Collection[str] = ("1", "2", "3")) -> list[Any]:
    """Return what an intruder could have changed, contacts and predefined messages of these shops."""
    with store.desk.sessions() as session:
        threads = session.execute(select(Thread.id, Thread.status, Thread.folder, Thread.assignee_id, Thread.contact_id)).all()
        messages = session.scalars(select(Message.id)).all()
        mails = session.execute(select(OutboxItem.id, OutboxItem.state).order_by(OutboxItem.id)).all()
        of_contacts = select(ContactShop.shop_id, ContactText.title).join(ContactText, ContactText.contact_id == ContactShop.contact_id)
        same = PredefinedText.predefined_id == PredefinedShop.predefined_id
        of_texts = select(PredefinedShop.shop_id, PredefinedText.name).join(PredefinedText, same)
        contacts = sorted(session.execute(of_contacts.where(ContactShop.shop_id.in_(shops))).all())
        texts = sorted(session.execute(of_texts.where(PredefinedShop.shop_id.in_(shops))).all())
        # Whoever exports what is theirs is written down, and changes nothing by it.
        audits = session.scalars(select(Audit.id).where(Audit.action != "threads_exported")).all()
        rest = [contacts, texts, *(session.scalars(select(model.id)).all() for model in (ThreadEvent, Job, SavedQuery)), audits]
        nonces = session.scalars(select(Thread.token_nonce)).all()
    return [threads, messages, mails, rest, nonces]


def test_an_employee_allowed_everywhere_sees_what_the_others_do_not(walked: Store) -> None:
    """The walk above would prove nothing if the pages did not show it to anybody."""
    assert walked.answers.grants[MARIE.id]["view"] is ALL
    assert SECRET in walked.client(employee=MARIE).get("/cs-admin/customer-service/1/").text
    assert SECRET[:30] in walked.client(employee=MARIE).get("/cs-admin/customer-service/").text
