"""Mailboxes, runs and mails set aside in a browser: by mouse, on a phone, from right to left, with scripts and without."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from cs_plugin import Employee
from cs_plugin.desk.mailboxes import MailboxDraft, save_mailbox
from cs_plugin.rules.shops import Breadth, Context
from cs_plugin.store.models import Mailbox
from tests.browser.axe import violations
from tests.browser.shown import BOTH, Shown, shown_strictly
from tests.hosts.mail_in import PAGE, do_jobs
from tests.hosts.store import EVERYTHING, LAYLA, MARIE, make_store
from tests.hosts.writing import do, look
from tests.servers.browser import Browser, ColourScheme
from tests.servers.dovecot import DovecotServer
from tests.test_set_aside import HOSTILE, put

DRAFT = MailboxDraft(
    Context(Breadth.SHOP, "1"), name="Paris desk", server="imap.example.com", port="993", username="desk@paris.example", password="x",
    flags=frozenset({"imap_ssl"}),
)  # fmt: skip
ASIDE = "/cs-admin/customer-service-set-aside/"


@pytest.fixture
def shown(tmp_path: Path, browser: Browser) -> Iterator[Shown]:
    """A store with two mails set aside and a mailbox that waits for its first connection. Nothing may complain."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path)
    store.answers.grants[LAYLA.id] = EVERYTHING
    put(store, HOSTILE, subject="<script>alert(1)</script> and a subject that does not fit into its column", cause="comes_from_a_stranger")
    put(store, "Subject: سؤال\n\nأين طردي؟".encode(), subject="سؤال عن الفستان", shop_id="3", cause="ValueError: not a mail")
    do(store, lambda bench: save_mailbox(bench, store.actor(), None, DRAFT))
    with shown_strictly(store, browser, Shown) as one:
        yield one


@pytest.mark.shows("8.4", "10.1")
@BOTH
def test_a_mailbox_is_tried_and_saved(shown: Shown, dovecot_server: DovecotServer, scripts: bool) -> None:
    """A test lists the folders, of which one is chosen; then it is saved, and asks from when on mail is wanted; with scripts and without."""
    user = dovecot_server.new_user()
    with shown.page(f"{PAGE}/new/?shop=shop-1", scripts=scripts) as page:
        page.get_by_label("Server", exact=True).fill(dovecot_server.host)
        page.get_by_label("Port").fill(str(dovecot_server.imap_port))
        page.get_by_label("User").fill(user)
        page.get_by_label("Password", exact=True).fill(dovecot_server.password)
        with page.expect_response(lambda answer: answer.request.method == "POST"):
            page.get_by_role("button", name="Test connection").click()
        do_jobs(shown.store)
        if not scripts:
            page.get_by_role("button", name="Show the result").click()
        expect(page.get_by_text("It works. Messages in INBOX: 0")).to_be_visible()
        if scripts:
            page.get_by_role("button", name="INBOX").click()
            expect(page.get_by_label("Folder")).to_have_value("INBOX")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("heading", name="First connection")).to_be_visible()
        expect(page.get_by_label("Only mail from now on")).to_be_checked()
        page.get_by_role("button", name="Begin").click()
        expect(page.get_by_text("The mailbox is fetched from now on.")).to_be_visible()
        expect(page.get_by_role("button", name="Run Sync")).to_be_enabled()
    assert look(shown.store, lambda session: session.scalar(select(Mailbox.active).where(Mailbox.username == user)))


@pytest.mark.shows("10.9")
@BOTH
def test_a_mail_set_aside_is_read_and_made_a_thread_of(shown: Shown, scripts: bool) -> None:
    """Nothing of it runs; from the list to the mail, and from there into a thread; with scripts and without."""
    with shown.page(f"{ASIDE}?shop=shop-1", scripts=scripts) as page:
        page.get_by_role("link", name="<script>alert(1)</script>").click()
        expect(page.get_by_text("<script>alert(2)</script>")).to_be_visible()
        page.get_by_role("button", name="Make a thread of it").click()
        expect(page.get_by_text("It is in thread #1 now.")).to_be_visible()


@pytest.mark.parametrize(
    ("employee", "width", "scheme"),
    [(MARIE, 1440, "light"), (LAYLA, 1440, "dark"), (LAYLA, 360, "light"), (MARIE, 390, "dark")],
    ids=["wide", "wide, dark, from right to left", "phone, from right to left", "phone, dark"],
)
def test_axe_finds_nothing_and_nothing_runs_over(shown: Shown, employee: Employee, width: int, scheme: ColourScheme) -> None:
    """No violation, and no page wider than its window."""
    with shown.page(f"{PAGE}/", employee=employee, viewport=(width, 900), colour_scheme=scheme) as page:
        for path in (f"{PAGE}/", f"{PAGE}/1/", f"{PAGE}/new/", f"{PAGE}/1/delete/", f"{PAGE}/1/sync/", ASIDE, f"{ASIDE}1/", f"{ASIDE}2/discard/"):
            page.goto(shown.address + path)
            assert violations(page) == [], path
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
