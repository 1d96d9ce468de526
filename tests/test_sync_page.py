"""The "Sync" block: when it is there, what "Run Sync" does, how far a run is, and what came of each mail, to whom."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, update

from cs_plugin.rules.shops import ALL_SHOPS, Breadth, Context
from cs_plugin.store.models import Job, Mailbox, Message
from cs_plugin.store.options import set_option
from tests.hosts.mail_in import FORM, PAGE, do_jobs, made, mail, on_server, post, said
from tests.hosts.store import JOHN, LAYLA, MARIE, Store
from tests.hosts.writing import do, look
from tests.servers.dovecot import DovecotServer

OPTIONS = "/cs-admin/customer-service-options/"
LIST = "/cs-admin/customer-service/"


@pytest.fixture
def client(store: Store) -> Any:
    """Marie, who may do everything. Layla views Paris and Dubai, and configures Dubai; she reads English here."""
    store.answers.employees[LAYLA.id] = replace(LAYLA, language="en")
    store.answers.grants[LAYLA.id] = {"view": ["1", "3"], "configure": ["3"]}
    return store.client(employee=MARIE)


def describe(store: Store, dovecot: DovecotServer, user: str, context: Context = ALL_SHOPS, *, deletes: bool = False) -> None:
    """Let options describe a mailbox on the test's server."""

    def work(bench: Any) -> None:
        values = {"imap_url": dovecot.host, "imap_port": dovecot.imap_port, "imap_user": user, "create_new_threads": True, "delete_messages": deletes}
        for name, value in {**values, "imap_password": bench.vault.seal(dovecot.password, dovecot.host)}.items():
            set_option(bench.session, name, value, bench.now, context=context)

    do(store, work)


def mailbox_id_of(store: Store) -> int:
    """Return the id of the only mailbox."""
    return look(store, lambda session: session.scalars(select(Mailbox.id)).one())


def run(store: Store, client: Any, mailbox_id: int, place: str = "options") -> str:
    """Press "Run Sync", let the worker do it, and return the page that the button stood on."""
    answer = post(client, f"{PAGE}/{mailbox_id}/sync", place=place)
    assert answer.status_code == 303
    do_jobs(store)
    return str(client.get(answer.location).text)


@pytest.mark.shows("8.6")
def test_the_block_is_there_only_when_a_mailbox_is_filled(store: Store, client: Any, dovecot_server: DovecotServer) -> None:
    """On the options page and folded below the list, with the words letter for letter."""
    for address in (OPTIONS, f"{LIST}?options=open"):
        assert "Run Sync" not in client.get(address).text
    describe(store, dovecot_server, dovecot_server.new_user())
    for address in (OPTIONS, f"{LIST}?options=open"):
        page = client.get(address).text
        assert 'title="Click to synchronize mail automatically"' in page
        assert re.search(r"</svg>Run Sync</button>", page)
        assert '<h2 id="cs-sync-title">Sync</h2>' in page


@pytest.mark.shows("8.6")
def test_run_sync_fetches_in_the_background_and_tells_what_came_of_each_mail(any_store: Store, dovecot_server: DovecotServer) -> None:
    """On every database: progress, then a link to each thread, the run with its counts, and the time of the last success."""
    store, user = any_store, dovecot_server.new_user()
    client = store.client(employee=MARIE)
    describe(store, dovecot_server, user)
    client.get(OPTIONS)
    mailbox_id = mailbox_id_of(store)
    run(store, client, mailbox_id)
    dovecot_server.put(user, mail("First", number=1), mail("Second", text="Another.", number=2))
    asked = post(client, f"{PAGE}/{mailbox_id}/sync", place="options")
    waits = client.get(asked.location).text
    assert "No worker runs, so the run waits." in waits
    assert "<progress" in waits
    do_jobs(store)
    page = client.get(asked.location).text
    for thread_id in look(store, lambda session: list(session.scalars(select(Message.thread_id)))):
        assert f'href="/cs-admin/customer-service/{thread_id}/">Thread: #{thread_id}</a>' in page
    assert "Message of a customer: 2" in page
    assert "It leads to no thread, and begins one." in page
    assert "Last success:" in page
    assert "Marie Dubois" in page


def test_a_run_tells_a_script_how_far_it_is(store: Store, client: Any, dovecot_server: DovecotServer) -> None:
    """Until it is done."""
    describe(store, dovecot_server, dovecot_server.new_user())
    client.get(OPTIONS)
    mailbox_id = mailbox_id_of(store)
    page = client.get(post(client, f"{PAGE}/{mailbox_id}/sync", place="options").location).text
    address = re.search(r'data-sync="([^"]+)"', page)
    assert address is not None
    assert client.get(address[1].replace("&amp;", "&")).json["done"] is False
    do_jobs(store)
    answer = client.get(address[1].replace("&amp;", "&")).json
    assert answer["done"] is True
    assert "Last runs" in answer["html"]


def test_two_clicks_are_one_run(store: Store, client: Any, dovecot_server: DovecotServer) -> None:
    """The second finds the first one waiting."""
    describe(store, dovecot_server, dovecot_server.new_user())
    client.get(OPTIONS)
    mailbox_id = mailbox_id_of(store)
    for _ in range(2):
        post(client, f"{PAGE}/{mailbox_id}/sync", place="options")
    assert len(look(store, lambda session: session.scalars(select(Job).where(Job.kind == "sync")).all())) == 1


@pytest.mark.shows("8.6")
def test_a_run_that_failed_says_why_and_is_kept(store: Store, client: Any, dovecot_server: DovecotServer) -> None:
    """In plain words, on the block and in the list of mailboxes."""
    mailbox_id = made(store, client, **on_server(dovecot_server, "nobody"))
    post(client, f"{PAGE}/{mailbox_id}/begin", start="all")
    page = run(store, client, mailbox_id, "mailbox")
    assert re.search(r'cs-sync-runs.*cs-error', page, re.DOTALL)
    row = look(store, lambda session: session.get_one(Mailbox, mailbox_id))
    assert row.failures == 1
    assert row.last_error
    assert row.last_error.split(".")[0] in client.get(f"{PAGE}/").text.replace("&#39;", "'")


def test_mails_that_are_left_are_told_with_what_they_are(store: Store, client: Any, dovecot_server: DovecotServer) -> None:
    """Whom they are from and why, since nobody sees them anywhere else here."""
    user = dovecot_server.new_user()
    mailbox_id = made(store, client, **on_server(dovecot_server, user, switches=[]))
    dovecot_server.put(user, mail("Left behind"))
    post(client, f"{PAGE}/{mailbox_id}/begin", start="all")
    page = run(store, client, mailbox_id, "mailbox")
    assert "ida@example.com · Left behind" in page
    assert "Left on the server" in page
    assert "It belongs to no thread, and “Create new threads” is off." in page


@pytest.mark.shows("10.1")
def test_earlier_mail_is_fetched_when_somebody_asks_for_it(store: Store, client: Any, dovecot_server: DovecotServer) -> None:
    """A mailbox of the options begins with now; what was there comes once it is wanted, and nothing comes twice."""
    user = dovecot_server.new_user()
    dovecot_server.put(user, mail("Old"))
    describe(store, dovecot_server, user)
    client.get(OPTIONS)
    mailbox_id = mailbox_id_of(store)
    run(store, client, mailbox_id)
    assert look(store, lambda session: session.scalars(select(Message)).all()) == []
    said(client, post(client, f"{PAGE}/{mailbox_id}/begin", start="all", place="options"))
    run(store, client, mailbox_id)
    run(store, client, mailbox_id)
    assert len(look(store, lambda session: session.scalars(select(Message)).all())) == 1


def test_a_mailbox_that_is_switched_off_is_not_run(store: Store, client: Any) -> None:
    """The button sleeps, and a form that is posted all the same is told."""
    mailbox_id = made(store, client)
    do(store, lambda bench: bench.session.execute(update(Mailbox).values(active=False, began_at=bench.now)))
    assert re.search(r"<button[^>]* disabled>[^<]*<svg.*?</svg>Run Sync", client.get(f"{PAGE}/{mailbox_id}/sync/").text, re.DOTALL)
    assert "This mailbox is switched off." in said(client, post(client, f"{PAGE}/{mailbox_id}/sync"))
    assert look(store, lambda session: session.scalars(select(Job).where(Job.kind == "sync")).all()) == []


@pytest.mark.shows("8.6", "12.1")
def test_a_report_shows_no_thread_and_no_sender_of_another_shop(store: Store, client: Any, dovecot_server: DovecotServer) -> None:
    """Layla configures Dubai: of a mailbox of all shops she reads how it goes, and not who wrote to Paris."""
    user = dovecot_server.new_user()
    describe(store, dovecot_server, user)
    client.get(OPTIONS)
    mailbox_id = mailbox_id_of(store)
    run(store, client, mailbox_id)
    dovecot_server.put(user, mail("Secret"), mail("Left", sender="", number=3))
    run(store, client, mailbox_id)
    store.answers.grants[LAYLA.id] = {"view": ["3"], "configure": ["3"]}
    layla = store.client(employee=LAYLA)
    page = layla.get(f"{PAGE}/{mailbox_id}/sync/").text
    assert "Message of a customer" in page
    assert "Thread: #" not in page
    assert "Secret" not in page
    assert "ida@example.com" not in page


def test_only_who_may_configure_runs_it(store: Store, client: Any) -> None:
    """For others there is no such page."""
    store.answers.grants[JOHN.id] = {"view": ["1"], "reply": ["1"]}
    mailbox_id = made(store, client)
    john = store.client(employee=JOHN)
    assert post(john, f"{PAGE}/{mailbox_id}/sync").status_code == 403
    assert "Run Sync" not in john.get(f"{LIST}?options=open").text


def test_the_block_of_a_shop_is_that_of_its_own_mailbox(store: Store, client: Any, dovecot_server: DovecotServer) -> None:
    """The context says which mailbox it is."""
    paris, everybody = dovecot_server.new_user(), dovecot_server.new_user()
    describe(store, dovecot_server, everybody)
    describe(store, dovecot_server, paris, Context(Breadth.SHOP, "1"))
    assert f"{paris} (" in client.get(f"{OPTIONS}?shop=shop-1").text
    assert f"{everybody} (" in client.get(f"{OPTIONS}?shop=shop-2").text


def test_a_form_that_is_too_old_runs_nothing(store: Store, client: Any) -> None:
    """Its token is not good any more."""
    mailbox_id = made(store, client, **FORM)
    assert client.post(f"{PAGE}/{mailbox_id}/sync", data={"csrf_token": "old"}).status_code == 303
    assert look(store, lambda session: session.scalars(select(Job).where(Job.kind == "sync")).all()) == []
