"""Small matters of mail in: a copy that bounces, words of what went wrong, and the "Sync" block beside a form that is wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cs_plugin import desk
from cs_plugin.rules.incoming import Outcome
from cs_plugin.rules.shops import ALL_SHOPS
from cs_plugin.rules.status import Status
from cs_plugin.store.imported import begin_run, tell_run
from cs_plugin.store.models import Delivery, Message, ThreadEvent
from cs_plugin.store.options import set_option
from cs_plugin.web.sync_job import bring_up_mailboxes
from tests.hosts.mail_in import PAGE
from tests.hosts.mailing import bounce_of, mail, take
from tests.hosts.store import MARIE, Store
from tests.hosts.syncing import change, mailbox
from tests.hosts.writing import do, look, thread_of
from tests.test_receiving_mail import conversation, fetch, id_of, sent

COPY = "boss@firm.example"


def describe(store: Store) -> None:
    """Let the options describe a mailbox that nobody connects to."""
    def work(bench: Any) -> None:
        wanted = {"imap_url": "127.0.0.1", "imap_port": 143, "imap_user": "box", "imap_password": store.desk.vault.seal("x", "127.0.0.1")}
        for name, value in wanted.items():
            set_option(bench.session, name, value, bench.now, context=ALL_SHOPS)

    do(store, work)
    with store.app.app_context():
        bring_up_mailboxes(store.desk)


@pytest.mark.shows("10.8", "11.1")
def test_a_copy_that_bounces_is_told_at_its_message_and_fails_nothing(store: Store) -> None:
    """The customer has got the answer: it stays sent, and the thread closed. Whoever got the copy finds no thread by it."""
    fetch(store, takes_plus_tags=True)
    number, _first = conversation(store)
    with store.app.app_context():
        store.desk.do(lambda bench: desk.reply(bench, store.actor(), number, desk.Answer("Here it is.", cc=(COPY,))))
    copy = sent(store, to=COPY)
    landed = take(store, bounce_of(id_of(copy), COPY))
    assert (landed.outcome, landed.thread_id) == (Outcome.BOUNCE, number)
    answer = look(store, lambda session: session.query(Message).filter_by(text="Here it is.").one())
    assert (answer.delivery, thread_of(store, number).status) == (Delivery.SENT, Status.CLOSED)
    assert [one.kind for one in look(store, lambda session: session.query(ThreadEvent).all()) if one.message_id == answer.id][-1] == "delivery_failed"
    assert take(store, mail("Well done.", by=COPY, in_reply_to=(id_of(copy),))).thread_id != number


@pytest.mark.shows("8.6")
def test_what_went_wrong_is_told_in_the_employees_language(store: Store) -> None:
    """With what stands in its sentence, on each page."""
    describe(store)
    message = "The files of mails could not be kept: %(words)s"

    def fail(bench: Any) -> None:
        run = begin_run(bench.session, mailbox(store).id, "worker", bench.now)
        tell_run(bench.session, run.id, error=message % {"words": "no space"}, findings=[{"message": message, "values": {"words": "no space"}}])

    do(store, fail)
    change(store, last_error=message % {"words": "no space"}, failures=3)
    store.answers.employees[MARIE.id] = replace(MARIE, language="fr")
    page = store.client(employee=MARIE).get(f"{PAGE}/").text
    assert "no space" in page
    assert "The files of mails could not be kept" not in page


@pytest.mark.shows("8.6")
def test_a_form_that_is_wrong_keeps_the_sync_block_beside_it(store: Store) -> None:
    """What is kept describes a mailbox, whatever was typed."""
    describe(store)
    client = store.client(employee=MARIE)
    address = PAGE.replace("mailboxes", "options")
    assert 'id="cs-sync"' in client.get(f"{address}/").text
    assert 'id="cs-sync"' in client.post(f"{address}/", data={"csrf_token": "forged"}).text
