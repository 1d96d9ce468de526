"""Script attempts in every field that a stranger can fill: stored, shown on every page, and never run."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Response
from playwright.sync_api import Page
from sqlalchemy import select
from werkzeug.datastructures import FileStorage

from cs_plugin import Customer, OutgoingMail, desk, outbox
from cs_plugin.rules.inquiry import Channel, Inquiry, Sender, StoredFile
from cs_plugin.rules.outgoing import Mailbox
from cs_plugin.rules.signing import TagKind
from cs_plugin.store import files, predefined
from cs_plugin.store.models import OutboxItem, OutboxState, Thread
from tests.browser.shown import STRICT
from tests.hosts.store import JAN, MARIE, Store
from tests.servers.browser import Browser
from tests.servers.flask_server import serving

ATTEMPT = "<img src=x onerror=\"document.title='ran'\"><script>document.title='ran'</script>"
BREAKOUTS = f"\"'>{ATTEMPT}</textarea></title></script></style>{{{{7*7}}}}{{% raw %}}javascript:alert(1)"
QUOTED = "\"<svg/onload=document.title='ran'>\"@example.com"


@pytest.fixture
def attacked(store: Store) -> Store:
    """A store in which a stranger has filled every field with script, under a policy that reports what would have run."""
    store.app.config["CS_MAIL_FROM"] = "desk@shop.example"
    hostile = replace(JAN, first_name=BREAKOUTS[:90], last_name=ATTEMPT[:90])
    store.answers.customers[JAN.id] = Customer(hostile.id, hostile.email, hostile.first_name, hostile.last_name)
    store.answers.orders[0] = replace(store.answers.orders[0], reference=BREAKOUTS, status=BREAKOUTS)

    @store.app.after_request
    def strictly(response: Response) -> Response:
        response.headers.setdefault("Content-Security-Policy", STRICT)
        return response

    with store.app.test_request_context():
        stored = _file(store)
        contact = 2
        inquiry = Inquiry(
            channel=Channel.FORM,
            shop_id="1",
            language="en",
            sender=Sender(QUOTED, BREAKOUTS, ATTEMPT, JAN.id, verified=True),
            text=BREAKOUTS,
            contact_id=contact,
            subject=BREAKOUTS,
            order_id="15",
            product_id="4",
            product_name=BREAKOUTS,
            files=(stored,),
            network=BREAKOUTS,
            agent=BREAKOUTS,
        )
        store.desk.do(lambda bench: desk.receive(bench, inquiry))
        store.desk.do(lambda bench: desk.add_note(bench, store.actor(), 1, BREAKOUTS, (stored,)))
        store.desk.do(lambda bench: desk.reply(bench, store.actor(), 1, desk.Answer(BREAKOUTS, files=(stored,), keep_status=True)))
        store.desk.office.deliver()
        store.desk.do(_fill)
        order = store.answers.orders[0]
        store.desk.do(lambda bench: desk.write_on_order(bench, store.actor(), order, BREAKOUTS, public=True))
    return store


def _fill(bench: desk.Bench) -> None:
    """Let a predefined message, a mail that failed and the words of its server hold the attempt."""
    message = predefined.new_predefined(bench.session, bench.now)
    predefined.write_words(message, "en", name=BREAKOUTS[:128], text=BREAKOUTS)
    predefined.write_shops(message, ["1"])
    sender, to = Mailbox("a@shop.example", BREAKOUTS), (Mailbox(JAN.email, BREAKOUTS),)
    mail = OutgoingMail("passed_on", sender, to, BREAKOUTS, BREAKOUTS, "", "<1@x>", "en", "1")
    failed = outbox.put(bench.session, mail, bench.now)
    failed.state, failed.last_error = OutboxState.FAILED, BREAKOUTS


def test_no_page_of_the_admin_runs_what_a_stranger_wrote(attacked: Store, browser: Browser) -> None:
    """List, thread, deletion and contacts show the words as words, and the policy has nothing to report."""
    paths = ("", "?customer=%3Cscript%3E&email=%22%3E%3Cscript%3E&message=</textarea><script>alert(1)</script>&sort=<script>", "1/", "1/delete")
    with serving(attacked.app) as address, browser.context() as context:
        context.set_extra_http_headers({"X-Employee": MARIE.id})
        page = context.new_page()
        others = ("-contacts/", "-orders/?order=15", "-predefined-messages/", "-predefined-messages/1/", "-predefined-messages/1/delete/")
        with attacked.desk.sessions() as session:
            failed = session.scalars(select(OutboxItem.id).where(OutboxItem.state == OutboxState.FAILED)).one()
        mails = ("-failed-mails/", f"-failed-mails/{failed}/", f"-failed-mails/{failed}/discard/")
        for path in [*(f"/cs-admin/customer-service/{path}" for path in paths), *(f"/cs-admin/customer-service{path}" for path in (*others, *mails))]:
            assert_nothing_ran(page, address + path)
        page.goto(f"{address}/cs-admin/customer-service/1/")
        assert "<script>document.title='ran'</script>" in page.inner_text("body")


def test_no_page_of_the_storefront_runs_what_a_stranger_wrote(attacked: Store, browser: Browser) -> None:
    """The conversation behind the link and the contact form show the words as words."""
    with attacked.desk.sessions() as session:
        nonce = session.get_one(Thread, 1).token_nonce
    link = f"/customer-service/thread/{attacked.desk.signer.sign(TagKind.LINK, 1, nonce)}"
    with serving(attacked.app) as address, browser.context() as context:
        context.set_extra_http_headers({"X-Customer": JAN.id})
        page = context.new_page()
        own = ("/customer-service/order?order=15", "/customer-service/my-messages", "/customer-service/my-messages/1")
        for path in (*own, link, "/customer-service/contact", "/customer-service/contact?shop=<script>&language=<script>&next=javascript:alert(1)"):
            assert_nothing_ran(page, address + path)


def test_no_mail_runs_what_a_stranger_wrote(attacked: Store, browser: Browser, tmp_path: Path) -> None:
    """The HTML part of every mail is opened as a page without any policy: nothing in it runs."""
    assert len(attacked.desk.transport.sent) >= 2
    with browser.context() as context:
        page = context.new_page()
        for number, mail in enumerate(attacked.desk.transport.sent):
            part = mail.message.get_body(("html",))
            assert part is not None
            path = tmp_path / f"mail-{number}.html"
            path.write_text(part.get_content())
            assert_nothing_ran(page, path.as_uri())


def assert_nothing_ran(page: Page, address: str) -> None:
    """Open a page and let it settle: no script of a stranger has run or been stopped, no dialog has opened."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.goto(address, wait_until="load")
    assert page.title() != "ran", address
    assert page.locator("img[src=x], svg[onload], body script:not([src])").count() == 0, address
    assert [words for words in said if "Content Security Policy" in words or "javascript" in words.lower()] == [], address


def _file(store: Store) -> StoredFile:
    with files.taken_down(io.BytesIO(b"harmless"), 1000) as path:
        return store.desk.files.keep(path, f"{ATTEMPT}.txt", "text/plain")


def test_the_attempt_is_one(browser: Browser, tmp_path: Path) -> None:
    """Unescaped, these words do run: otherwise the tests above would show nothing."""
    path = tmp_path / "page.html"
    path.write_text(f"<!doctype html><title>still</title>{BREAKOUTS}")
    with browser.context() as context:
        page = context.new_page()
        page.goto(path.as_uri(), wait_until="load")
        assert page.title() == "ran"


def test_a_name_of_a_file_reaches_the_disk_as_a_name(attacked: Store) -> None:
    """A download's name holds no markup that a header could be broken with."""
    upload = FileStorage(io.BytesIO(b"x"), 'a"\r\nX-Evil: 1\r\n\r\n<script>.txt')
    assert "\r" not in files.file_name(upload.filename or "")
