"""The question of the first connection, asked of the mailbox that options describe: what lies there, what is fetched meanwhile, and the answer."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from cs_plugin.store.mailboxes import UNCHOSEN
from cs_plugin.store.models import Audit, Job
from cs_plugin.web import count_job
from tests.hosts.mail_in import PAGE, do_jobs, post, said
from tests.hosts.store import LAYLA, MARIE, Store
from tests.hosts.syncing import change, describe, mail, mailbox, run, subjects
from tests.hosts.writing import look
from tests.servers.dovecot import DovecotServer

OPTIONS = "/cs-admin/customer-service-options/"
LIST = "/cs-admin/customer-service/?options=open"
ASKED = "First connection"


@pytest.fixture
def client(store: Store) -> Any:
    """Marie, who may do everything."""
    return store.client(employee=MARIE)


def cs(store: Store, *arguments: str) -> Any:
    """Run a command of the desk, and return its exit code and output."""
    return store.app.test_cli_runner().invoke(args=["cs", *arguments])


def answer(client: Any, store: Store, start: str, since: str = "") -> str:
    """Give the answer in the block, and return the page that it leads to."""
    return said(client, post(client, f"{PAGE}/{mailbox(store).id}/begin", start=start, since=since, place="options"))


@pytest.mark.shows("10.1")
@pytest.mark.parametrize("address", [OPTIONS, LIST])
def test_the_options_mailbox_asks_from_when_on_after_a_count(store: Store, client: Any, dovecot_server: DovecotServer, address: str) -> None:
    """On both pages: how many mails, how large, how many are too large, then three choices of which the first is chosen; nothing is fetched by it."""
    store.app.config["CS_SYNC_MAX_MB"] = 0.01
    user = dovecot_server.new_user()
    dovecot_server.put(user, mail(1), mail(2), mail(3, "too long. " * 2_000))
    describe(store, dovecot_server, user)
    assert "The mails are being counted." in client.get(address).text or "No worker runs, so the mails are not counted." in client.get(address).text
    do_jobs(store)
    page = client.get(address).text
    assert "3 mails lie in INBOX." in page
    assert re.search(r"To fetch: \d", page)
    assert "1 is too large" in page
    choices = re.findall(r'<input type="radio" name="start" value="(\w+)"( checked)?[^>]*><span>(.*?)</span>', page)
    assert choices == [("now", " checked", "Only mail from now on"), ("since", "", "Mail since a date"), ("all", "", "All mail")]
    assert subjects(store) == []
    assert len(look(store, lambda session: session.scalars(select(Job).where(Job.kind == count_job.JOB)).all())) == 1


@pytest.mark.parametrize("pop3", [False, True], ids=["imap", "pop3"])
def test_what_arrives_before_the_answer_is_not_missed(any_store: Store, dovecot_server: DovecotServer, *, pop3: bool) -> None:
    """On every database, by both protocols: "from now on" is from the first connection on, also for what came after the last run."""
    store, user = any_store, dovecot_server.new_user()
    client = store.client(employee=MARIE)
    dovecot_server.put(user, mail(1))
    describe(store, dovecot_server, user, pop3=pop3)
    run(store)
    dovecot_server.put(user, mail(2))
    assert ASKED not in answer(client, store, "now")
    run(store)
    assert subjects(store) == ["Parcel 2"]


@pytest.mark.shows("10.1")
@pytest.mark.parametrize(("start", "since", "came"), [("all", "", 3), ("since", "2026-11-01", 3), ("since", "2099-01-01", 1)])
def test_the_answer_decides_what_comes(store: Store, client: Any, dovecot_server: DovecotServer, start: str, since: str, came: int) -> None:
    """With what was there before; what was fetched meanwhile comes no second time, and is not lost."""
    user = dovecot_server.new_user()
    dovecot_server.put(user, mail(1), mail(2))
    describe(store, dovecot_server, user)
    run(store)
    dovecot_server.put(user, mail(3))
    run(store)
    assert subjects(store) == ["Parcel 3"]
    answer(client, store, start, since)
    run(store)
    run(store)
    assert len(subjects(store)) == came


def test_an_answer_is_asked_for_once(store: Store, client: Any, dovecot_server: DovecotServer) -> None:
    """Who gave it is written down; afterwards earlier mail can be fetched as well, as before."""
    describe(store, dovecot_server, dovecot_server.new_user())
    assert ASKED in client.get(OPTIONS).text
    page = answer(client, store, "now")
    assert "Fetch earlier mail as well" in page
    assert ASKED not in page
    assert mailbox(store).start == "now"
    (action,) = look(store, lambda session: session.scalars(select(Audit.action).where(Audit.object_kind == "mailbox")).all())
    assert action == "mailbox_begun"


def test_a_day_that_is_none_leaves_the_question(store: Store, client: Any, dovecot_server: DovecotServer) -> None:
    """It says how a day is written."""
    describe(store, dovecot_server, dovecot_server.new_user())
    page = answer(client, store, "since", "yesterday")
    assert "Enter a day as year-month-day." in page
    assert ASKED in page
    assert mailbox(store).start == UNCHOSEN


def test_a_mailbox_that_has_begun_before_is_not_asked_about(store: Store, client: Any, dovecot_server: DovecotServer) -> None:
    """As those are that were fetched before anybody was asked; nothing is counted for them either."""
    describe(store, dovecot_server, dovecot_server.new_user())
    change(store, start="now")
    page = client.get(OPTIONS).text
    assert ASKED not in page
    assert "Fetch earlier mail as well" in page
    assert do_jobs(store) == 0


def test_a_count_that_fails_says_why_and_can_be_answered_all_the_same(store: Store, client: Any, dovecot_server: DovecotServer) -> None:
    """In the words of the connection."""
    describe(store, dovecot_server, "nobody-" + dovecot_server.new_user(), imap_password=store.desk.vault.seal("wrong", dovecot_server.host))
    client.get(OPTIONS)
    do_jobs(store)
    page = client.get(OPTIONS).text
    assert re.search(r'<div data-counting="" aria-live="polite">.*?cs-error', page, re.DOTALL)
    assert ASKED in page


def test_a_script_is_told_of_the_count(store: Store, client: Any, dovecot_server: DovecotServer) -> None:
    """Until it is done."""
    describe(store, dovecot_server, dovecot_server.new_user())
    address = re.search(r'data-counting="([^"]+)"', client.get(OPTIONS).text)
    assert address is not None
    assert client.get(address[1].replace("&amp;", "&")).json["done"] is False
    do_jobs(store)
    told = client.get(address[1].replace("&amp;", "&")).json
    assert told["done"] is True
    assert "0 mails lie in INBOX." in told["html"]


@pytest.mark.shows("12.1")
def test_only_who_may_configure_all_its_shops_is_asked(store: Store, dovecot_server: DovecotServer) -> None:
    """Whoever configures one of them sees the block without the question, and no answer of theirs is taken."""
    store.answers.employees[LAYLA.id] = replace(LAYLA, language="en")
    store.answers.grants[LAYLA.id] = {"view": ["3"], "configure": ["3"]}
    describe(store, dovecot_server, dovecot_server.new_user())
    layla = store.client(employee=LAYLA)
    page = layla.get(f"{PAGE}/{mailbox(store).id}/sync/").text
    assert "Run Sync" in page
    assert ASKED not in page
    assert post(layla, f"{PAGE}/{mailbox(store).id}/begin", start="all", place="options").status_code == 403
    assert mailbox(store).start == UNCHOSEN


# --- The command ----------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("10.1")
def test_sync_says_that_nobody_has_chosen_and_takes_the_choice(store: Store, dovecot_server: DovecotServer) -> None:
    """Told with each run until then; "--from all" fetches what was there."""
    user = dovecot_server.new_user()
    dovecot_server.put(user, mail(1))
    describe(store, dovecot_server, user)
    assert "nobody has said otherwise: --from says it" in cs(store, "sync").output
    chosen = cs(store, "sync", "--from", "all")
    assert "1  customers' messages" in chosen.output
    assert "nobody has said" not in chosen.output
    assert "nobody has said" not in cs(store, "sync").output


def test_from_changes_no_answer_unless_its_mailbox_is_named(store: Store, dovecot_server: DovecotServer) -> None:
    """What somebody has chosen stands."""
    user = dovecot_server.new_user()
    dovecot_server.put(user, mail(1))
    describe(store, dovecot_server, user)
    cs(store, "sync", "--from", "now")
    cs(store, "sync", "--from", "2026-11-01")
    assert (mailbox(store).start, subjects(store)) == ("now", [])
    cs(store, "sync", "--mailbox", str(mailbox(store).id), "--from", "2026-11-01")
    assert (mailbox(store).start, subjects(store)) == ("since", ["Parcel 1"])


@pytest.mark.parametrize(("arguments", "words"), [(["yesterday"], "a day as year-month-day"), (["all", "--dry-run"], "Either --dry-run or --from.")])
def test_a_choice_that_is_none_is_refused(store: Store, arguments: list[str], words: str) -> None:
    """Before anything is fetched."""
    result = cs(store, "sync", "--from", *arguments)
    assert result.exit_code == 2
    assert words in result.output
