"""There and back: a guest writes through the contact form with a file, an employee answers with a file, the mail arrives at a real server."""

from __future__ import annotations

from email.message import EmailMessage
from email.utils import parseaddr
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.demo import Demo, demo
from tests.servers.browser import Browser
from tests.servers.smtp import SMTPServer

GUEST = "ingrid.holm@example.no"
QUESTION = "The lid of my jug is missing. Here is the packing list; what shall I do?"
ANSWER = "The lid is on its way. The label for sending the wrong one back is attached."


@pytest.mark.shows("3.1", "3.2", "3.4", "5.4", "11.3", "2.3", "2.4")
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_guests_message_is_answered(
    database: str, request: pytest.FixtureRequest, browser: Browser, smtp_server: SMTPServer, tmp_path: Path
) -> None:
    """The example shop, a browser and a mail server: the question with its file is in the list, the answer with its file in the guest's mailbox."""
    url = str(request.getfixturevalue("postgresql_database")) if database == "postgresql" else None
    with demo(tmp_path, database=url, mail_url=f"smtp://{smtp_server.host}:{smtp_server.port}") as shop:
        with browser.context() as context:
            write_as_a_guest(context.new_page(), shop, tmp_path)
        smtp_server.wait_for(2, seconds=30)
        confirmation = mail_to(smtp_server, GUEST)
        with browser.context() as context:
            answer_as_an_employee(context.new_page(), shop, tmp_path)
        smtp_server.wait_for(3, seconds=30)
        reply = [mail.message for mail in smtp_server.received if GUEST in mail.recipients][-1]
        assert_right(reply, confirmation)
        with browser.context() as context:
            read_by_link(context.new_page(), reply)


def write_as_a_guest(page: Page, shop: Demo, folder: Path) -> None:
    """Write through the contact form, as somebody without an account."""
    packing_list = folder / "packing list.txt"
    packing_list.write_text("1 jug, 0 lids\n")
    page.goto(f"{shop.address}/customer-service/contact?language=en")
    page.get_by_label("Subject").select_option(label="Customer service")
    page.get_by_label("Email address").fill(GUEST)
    page.get_by_label("Message").fill(QUESTION)
    page.get_by_label("Attachment").set_input_files(packing_list)
    # Machines fill a form in no time, and are turned away; a person does not.
    page.wait_for_timeout(3000)
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("Your message has been successfully sent to our team.")).to_be_visible()


def answer_as_an_employee(page: Page, shop: Demo, folder: Path) -> None:
    """Sign in to the shop's admin, find the thread, open it, and answer with a file."""
    email, password = shop.sign_in_of("marie")
    label = folder / "return-label.pdf"
    label.write_bytes(b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer\n<< /Root 1 0 R >>\n%%EOF\n")
    page.goto(f"{shop.address}/admin/customer-service/")
    page.locator("[name=email]").fill(email)
    page.locator("[name=password]").fill(password)
    page.locator("[name=password]").press("Enter")
    page.goto(f"{shop.address}/admin/customer-service/?shop=all")
    page.get_by_role("row").filter(has_text=GUEST).get_by_role("link").first.click()
    expect(page.get_by_text(QUESTION).first).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="packing list.txt").click()
    assert Path(download.value.path()).read_text() == "1 jug, 0 lids\n"
    page.get_by_label(f"Your answer to {GUEST}").fill(ANSWER)
    page.locator("input[type=file]").first.set_input_files(label)
    page.get_by_role("button", name="Reply and close").click()
    expect(page.get_by_text("The message was successfully sent to the customer.")).to_be_visible()
    expect(page.get_by_text(ANSWER).first).to_be_visible()


def mail_to(server: SMTPServer, address: str) -> EmailMessage:
    """Return the first mail that an address has got."""
    return next(mail.message for mail in server.received if address in mail.recipients)


def assert_right(reply: EmailMessage, confirmation: EmailMessage) -> None:
    """Look at the answer as a mail program does: both parts, the file, the headers that keep the conversation together."""
    assert parseaddr(str(reply["To"]))[1] == GUEST
    assert str(reply["Subject"]).endswith("An answer to your message is available")
    assert reply["In-Reply-To"] == confirmation["Message-ID"]
    assert confirmation["Message-ID"] in str(reply["References"])
    assert reply["Auto-Submitted"] is None
    assert confirmation["Auto-Submitted"] == "auto-replied"
    text, html = reply.get_body(("plain",)), reply.get_body(("html",))
    assert text is not None
    assert html is not None
    assert ANSWER in " ".join(text.get_content().split())
    assert ANSWER in " ".join(html.get_content().split())
    assert [part.get_filename() for part in reply.iter_attachments()] == ["return-label.pdf"]
    assert QUESTION not in str(confirmation.get_body(("plain",)).get_content())  # type: ignore[union-attr]


def read_by_link(page: Page, reply: EmailMessage) -> None:
    """Open the link of the mail: the whole conversation stands there."""
    body = reply.get_body(("plain",))
    assert body is not None
    link = next(word for word in body.get_content().split() if "/thread/" in word)
    page.goto(link)
    expect(page.get_by_text(QUESTION).first).to_be_visible()
    expect(page.get_by_text(ANSWER).first).to_be_visible()
