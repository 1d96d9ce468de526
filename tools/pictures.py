"""Pictures of the desk for the documentation, and to look at: `python -m tools.pictures [--to FOLDER] [NAME …]`.

Starts the example shop in a folder of its own, signs in, and takes each picture at its width, colours and language.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, expect

from tests.journeys.demo import Demo, demo
from tests.servers.browser import Browser, ColourScheme, browsing
from tests.servers.smtp import SMTPServer

FOLDER = Path(__file__).parent.parent / "docs" / "pictures"
HEIGHT = 900
CUSTOMER = "amelie.laurent@example.com"
PASSWORD_OF_CUSTOMERS = "fig"
FILL_MILLISECONDS = 3500    # what is sent sooner passes for a program's
FAILED = 4                  # how many mails do
ATTEMPTS = 60               # a second each
OWN_LANGUAGE = "en"         # of the employees who look in others
NO_SUCH_USER = "550 5.1.1 <%s>: Recipient address rejected: User unknown"
LIST, CONTACT = "/admin/customer-service/?shop=all", "/customer-service/contact"
NEW_MESSAGE = "/admin/customer-service/new"
OPTIONS, PERMISSIONS = "/admin/customer-service-options/", "/admin/customer-service-permissions/"
SQL = "/admin/customer-service-sql-manager/"
QUESTION = re.compile(r"https?://[^/\s]+(/\S*/question/\S+)")


@dataclass(frozen=True)
class Picture:
    """One picture: its name, the path of its page, who looks (a visitor where nobody is named), and how.

    `opens` is what is clicked first, and stands in the picture then. `language` is that in which the employee looks, where it is not their own.
    """

    name: str
    path: str
    width: int = 1440
    scheme: ColourScheme = "light"
    employee: str = ""
    customer: str = ""
    whole: bool = True
    opens: str = ""
    language: str = ""


# "{thread}" stands for a thread with an answer and a note, "{order}" for the number of an order that was talked about, "{reference}" for its
# reference, "{question}" for the page of a closing question.
PICTURES = (
    Picture("threads-1440-light", LIST, employee="marie"),
    Picture("threads-1440-dark", LIST, scheme="dark", employee="marie"),
    Picture("threads-1024-light", LIST, 1024, employee="marie"),
    Picture("threads-390-light", LIST, 390, employee="marie", whole=False),
    Picture("threads-390-dark", LIST, 390, "dark", employee="marie", whole=False),
    Picture("threads-1280-arabic", "/admin/customer-service/", 1280, employee="layla"),
    Picture("thread-1440-light", "{thread}", employee="marie"),
    Picture("thread-1440-dark", "{thread}", scheme="dark", employee="marie"),
    Picture("thread-1024-light", "{thread}", 1024, employee="marie"),
    Picture("thread-390-light", "{thread}", 390, employee="marie"),
    Picture("threads-1280-french", LIST, 1280, employee="marie", language="fr"),
    Picture("thread-1280-french", "{thread}", 1280, employee="marie", language="fr"),
    Picture("search-1280-light", f"{LIST}&q=order", 1280, employee="marie", whole=False),
    Picture("statistics-1440-light", LIST, employee="marie", whole=False, opens=".cs-figures-fold > summary"),
    Picture("bell-1280-light", LIST, 1280, employee="marie", whole=False, opens=".cs-bell-button"),
    Picture("bell-390-dark", LIST, 390, "dark", employee="marie", whole=False, opens=".cs-bell-button"),
    Picture("sql-query-1280-light", f"{LIST}&status=open&sort=email", 1280, employee="marie", whole=False, opens=".cs-wheel > summary"),
    Picture("sql-manager-1280-light", SQL, 1280, employee="marie"),
    Picture("sql-manager-390-dark", SQL, 390, "dark", employee="marie"),
    Picture("picker-1280-light", LIST, 1280, employee="marie", whole=False, opens=".cs-context > summary"),
    Picture("options-1280-light", f"{OPTIONS}?shop=group-1", 1280, employee="marie", opens="[data-option=default_message] .cs-elsewhere > summary"),
    Picture("options-390-dark", f"{OPTIONS}?shop=shop-1", 390, "dark", employee="marie"),
    Picture("options-1280-arabic", f"{OPTIONS}?shop=all", 1280, employee="marie", language="ar"),
    Picture("permissions-1280-light", PERMISSIONS, 1280, employee="marie"),
    Picture("contacts-1280-light", "/admin/customer-service-contacts/", 1280, employee="marie"),
    Picture("contact-1280-light", "/admin/customer-service-contacts/new/", 1280, employee="marie"),
    Picture("contacts-390-light", "/admin/customer-service-contacts/", 390, employee="marie"),
    Picture("contact-1280-arabic", "/admin/customer-service-contacts/1/?shop=all", 1280, employee="marie", language="ar"),
    Picture("predefined-message-1280-dark", "/admin/customer-service-predefined-messages/1/?shop=all", 1280, "dark", employee="marie"),
    Picture("closing-question-390-light", "{question}", 390),
    Picture("contact-form-1280-light", f"{CONTACT}?language=en", 1280),
    Picture("contact-form-390-dark", f"{CONTACT}?language=en", 390, "dark"),
    Picture("contact-form-390-arabic", f"{CONTACT}?language=ar", 390),
    Picture("forward-1280-light", "{thread}", 1280, employee="marie", whole=False, opens="#cs-forward summary"),
    Picture("predefined-messages-1280-light", "/admin/customer-service-predefined-messages/?shop=all", 1280, employee="marie"),
    Picture("failed-mails-1280-light", "/admin/customer-service-failed-mails/?shop=all", 1280, employee="marie"),
    Picture("failed-mails-390-dark", "/admin/customer-service-failed-mails/?shop=all", 390, "dark", employee="marie"),
    Picture("figures-1280-light", "/admin/customer-service-figures/?shop=all", 1280, employee="marie"),
    Picture("figures-390-dark", "/admin/customer-service-figures/?shop=all", 390, "dark", employee="marie"),
    Picture("new-message-1280-light", NEW_MESSAGE, 1280, employee="marie"),
    Picture("new-message-390-dark", NEW_MESSAGE, 390, "dark", employee="marie"),
    Picture("new-message-1280-arabic", NEW_MESSAGE, 1280, employee="marie", language="ar"),
    Picture("send-later-1280-light", "{thread}", 1280, employee="marie", whole=False, opens=".cs-send-later > summary"),
    Picture("order-panel-1280-light", "/admin/orders/details/?id={order}", 1280, employee="marie"),
    Picture("order-panel-390-dark", "/admin/orders/details/?id={order}", 390, "dark", employee="marie"),
    Picture("order-of-customer-1280-light", "/paris/orders/{reference}", 1280, customer=CUSTOMER),
    Picture("my-messages-390-light", "/customer-service/my-messages", 390, customer=CUSTOMER),
)


def main() -> int:
    """Take the pictures that the command line names, or all; print where they are."""
    parser = argparse.ArgumentParser(prog="python -m tools.pictures", description="Take pictures of the desk.")
    parser.add_argument("names", nargs="*", help="only these")
    parser.add_argument("--to", type=Path, default=FOLDER, help="the folder (%(default)s)")
    wanted = parser.parse_args()
    wanted.to.mkdir(parents=True, exist_ok=True)
    chosen = [picture for picture in PICTURES if not wanted.names or picture.name in wanted.names]
    with (
        tempfile.TemporaryDirectory() as folder,
        SMTPServer() as server,
        demo(Path(folder), mail_url=f"smtp://{server.host}:{server.port}", threads=200) as shop,
        browsing() as browser,
    ):
        for path in take(chosen, shop, browser, server, wanted.to):
            print(path)
    return 0


def take(pictures: list[Picture], shop: Demo, browser: Browser, server: SMTPServer, folder: Path) -> Iterator[Path]:
    """Take pictures one after the other and yield their files."""
    thread = find_thread(shop, browser)
    order, reference = talk_about_order(shop, browser)
    arrange_options(shop, browser)
    question = ask_about_answer(shop, browser, server)
    let_mails_fail(shop, browser, server)
    named = {"{thread}": thread, "{order}": order, "{reference}": reference, "{question}": question}
    for picture in pictures:
        with browser.context(viewport=(picture.width, HEIGHT), colour_scheme=picture.scheme, timezone="Europe/Paris") as context:
            if picture.employee:
                show_in(sign_in(context, shop, picture.employee), picture.language)
            if picture.customer:
                sign_in_customer(context, shop)
            page = context.new_page()
            path = picture.path
            for name, value in named.items():
                path = path.replace(name, value)
            response = page.goto(shop.address + path, wait_until="networkidle")
            assert response is not None, path
            assert response.ok, path
            if picture.whole:
                # What sticks to the window's end stands at the page's end then, and not across it.
                page.set_viewport_size({"width": picture.width, "height": max(HEIGHT, page.evaluate("document.documentElement.scrollHeight"))})
            if picture.opens:
                page.click(picture.opens)
            file = folder / f"{picture.name}.png"
            page.screenshot(path=file, full_page=picture.whole)
            if picture.language:
                show_in(page, OWN_LANGUAGE)
            yield file


def sign_in(context: BrowserContext, shop: Demo, name: str) -> Page:
    """Sign an employee in to the shop's admin."""
    email, password = shop.sign_in_of(name)
    page = context.new_page()
    page.goto(f"{shop.address}/admin/customer-service/")
    page.locator("[name=email]").fill(email)
    page.locator("[name=password]").fill(password)
    with page.expect_navigation():
        page.locator("[name=password]").press("Enter")
    return page


def show_in(page: Page, language: str) -> None:
    """Show the admin to an employee in a language from now on; as it is, where none is named."""
    if language:
        with page.expect_navigation():
            page.locator(f".top-person [name=language][value={language}]").click()


def arrange_options(shop: Demo, browser: Browser) -> None:
    """Let a group and a shop have values of their own, and all shops ask about their answers."""
    with browser.context() as context:
        page = sign_in(context, shop, "marie")
        for place, name, text in (("shop-1", "default_message", "Hello,\n\nYours, Paris"), ("group-1", "reopen_days", "14")):
            page.goto(f"{shop.address}{OPTIONS}?shop={place}")
            row = page.locator(f"[data-option={name}]")
            row.locator("[data-own]").check()
            row.locator(".cs-input:visible").first.fill(text)
            _save(page)
        page.goto(f"{shop.address}{OPTIONS}?shop=all")
        page.get_by_role("switch", name="Closing question").check()
        _save(page)


def _save(page: Page) -> None:
    page.locator(".cs-save .cs-button-main").click()
    expect(page.get_by_text("The settings have been successfully updated.")).to_be_visible()


def ask_about_answer(shop: Demo, browser: Browser, server: SMTPServer) -> str:
    """Answer an open thread and return the path of the closing question that the mail leads to."""
    with browser.context() as context:
        page = sign_in(context, shop, "marie")
        page.goto(f"{shop.address}{LIST}&status=open&language=en")
        page.locator("tr.cs-thread .cs-thread-id a").first.click()
        page.locator("#cs-text").fill("Yes, all our jugs are dishwasher-safe.")
        page.get_by_role("button", name="Reply and close").click()
        expect(page.locator(".cs-status-closed").first).to_be_visible()
        for _attempt in range(ATTEMPTS):
            texts = [part.get_content() for mail in list(server.received) for part in mail.message.walk() if part.get_content_type() == "text/plain"]
            if found := QUESTION.search("\n".join(texts)):
                return found[1]
            page.wait_for_timeout(1000)
        raise AssertionError("no mail asks the closing question")


def sign_in_customer(context: BrowserContext, shop: Demo) -> Page:
    """Sign in the customer whom the shop names, in English."""
    page = context.new_page()
    page.goto(f"{shop.address}/paris/sign-in")
    page.locator("[name=email]").fill(CUSTOMER)
    page.locator("[name=password]").fill(PASSWORD_OF_CUSTOMERS)
    with page.expect_navigation():
        page.locator("[name=password]").press("Enter")
    with page.expect_navigation():
        page.get_by_role("button", name="English").or_(page.get_by_role("link", name="English")).click()
    return page


def talk_about_order(shop: Demo, browser: Browser) -> tuple[str, str]:
    """Let the customer write about their newest order, and an employee note and answer; return the order's number and reference."""
    with browser.context() as context:
        page = sign_in_customer(context, shop)
        page.goto(f"{shop.address}/paris/account")
        page.locator(".orders a").first.click()
        reference = page.url.rpartition("/")[2]
        write = page.locator(".cs-order-form")
        write.locator("[name=product]").select_option(index=1)
        write.locator("[name=text]").fill("Hello,\n\nthe jug has arrived in two pieces; the bowl is whole. Could you send another one before Friday?")
        page.wait_for_timeout(FILL_MILLISECONDS)
        write.locator(".cs-send").click()
        expect(page.locator(".cs-sent")).to_be_visible()
    with browser.context() as context:
        page = sign_in(context, shop, "marie")
        page.goto(f"{shop.address}/admin/orders/?search={reference}")
        page.get_by_role("link", name=reference).click()
        comment = page.locator(".cs-op-form")
        comment.locator("[name=text]").fill("Two left in Lyon. Packed double this time.")
        comment.locator("[name=add]").click()
        comment.locator("[name=text]").fill("We are sorry! A new jug has left Lyon today and reaches you on Thursday.")
        comment.locator("[name=public]").check()
        comment.locator("[name=add]").click()
        expect(page.locator(".cs-op-employee")).to_have_count(1)
        return page.url.rpartition("id=")[2].partition("#")[0], reference


def let_mails_fail(shop: Demo, browser: Browser, server: SMTPServer) -> None:
    """Let answers go to customers whose mailboxes are gone."""
    with browser.context() as context:
        page = sign_in(context, shop, "marie")
        page.goto(f"{shop.address}{LIST}&status=open")
        threads = [link.get_attribute("href") for link in page.locator("tr.cs-thread .cs-thread-id a").all()][-FAILED:]
        for thread in threads:
            page.goto(f"{shop.address}{thread}")
            address = page.locator(".cs-answer-to bdi").last.inner_text()
            server.refuse_recipient(address, NO_SUCH_USER % address)
            page.locator("#cs-text").fill("Thank you for your message. We look into it and write again tomorrow.")
            page.get_by_role("button", name="Reply and close").click()
            expect(page.locator(".cs-status-closed").first).to_be_visible()
        page.goto(f"{shop.address}/admin/customer-service-failed-mails/?shop=all")
        for _attempt in range(ATTEMPTS):
            if page.locator(".cs-failed-list tbody tr").count() >= len(threads):
                return
            page.wait_for_timeout(1000)
            page.reload()
        raise AssertionError("the mails have not failed in time")


def find_thread(shop: Demo, browser: Browser) -> str:
    """Return the path of a thread with a note and an answer, the newest there is."""
    with browser.context() as context:
        page = sign_in(context, shop, "marie")
        page.goto(f"{shop.address}/admin/customer-service/?private=yes&status=closed&shop=all")
        for address in [link.get_attribute("href") or "" for link in page.locator("tr.cs-thread .cs-thread-id a").all()]:
            page.goto(f"{shop.address}{address}")
            if page.locator(".cs-from-employee").count() and page.locator(".cs-from-customer").count() > 1:
                return address
        raise AssertionError("the sample has no thread with a note and an answer")


if __name__ == "__main__":
    sys.exit(main())
