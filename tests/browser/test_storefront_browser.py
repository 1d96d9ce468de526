"""The storefront and the contacts pages in a real browser: with and without scripts, on a phone, in the dark, from right to left, by keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import playwright.sync_api
import pytest
from flask import render_template_string
from playwright.sync_api import expect
from sqlalchemy import select

from cs_plugin import desk
from cs_plugin.store.models import Attachment
from tests.browser.axe import violations
from tests.hosts.store import MARIE, Store
from tests.hosts.writing import JAN_SIGNED_IN, begin, do, look, messages_of, token_of
from tests.servers.browser import Browser, ColourScheme
from tests.servers.flask_server import serving

CONTACT = "/customer-service/contact?shop=1&language=en"
SUCCESS = "Your message has been successfully sent to our team."
LOOKS = [((1440, 900), "light"), ((390, 844), "dark")]


@pytest.fixture
def base(store: Store) -> Iterator[str]:
    """The address of a running store with a conversation in it, and a page of the host's with the form."""
    begun = begin(store, "Where is my parcel?", sender=JAN_SIGNED_IN, subject="Parcel")
    do(store, lambda bench: desk.reply(bench, store.actor(), begun, desk.Answer("It is on its way: " + "0" * 200)))

    @store.app.route("/help/<look>")
    def help_page(look: str) -> str:
        css = "/cs-admin/static/bootstrap/bootstrap4/css/bootstrap.min.css" if look == "bootstrap" else ""
        return render_template_string(
            '<!doctype html><html lang="en"><head><meta name="viewport" content="width=device-width"><title>Help</title>'
            '{% if css %}<link rel="stylesheet" href="{{ css }}">{% endif %}</head>'
            '<body><main class="container"><h1>Help</h1>{{ cs_contact_form("1", "en") }}</main></body></html>',
            css=css,
        )

    with serving(store.app) as address:
        yield address


@contextmanager
def watched(page: playwright.sync_api.Page) -> Iterator[list[str]]:
    """Collect what the browser refuses to load or run, and what fails in a script."""
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if "Content Security" in message.text else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield complaints
    assert complaints == []


def wait_a_while(store: Store) -> None:
    """Let the time pass that a person takes to fill in a form."""
    store.clock.forward(seconds=30)


def sideways(page: playwright.sync_api.Page) -> int:
    """Return by how many pixels the page is wider than the window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@pytest.mark.parametrize(("viewport", "scheme"), LOOKS)
def test_every_page_is_accessible_and_fits(store: Store, base: str, browser: Browser, viewport: tuple[int, int], scheme: ColourScheme) -> None:
    """axe-core finds nothing, nothing is wider than the window, and the policy refuses nothing, in every state of every page."""
    link = f"/customer-service/thread/{token_of(store, 1)}"
    with browser.context(viewport=viewport, colour_scheme=scheme) as context:
        page = context.new_page()
        with watched(page):
            for path in (CONTACT, "/customer-service/contact?shop=3&language=ar", link, f"{link}?language=ar", "/customer-service/thread/none"):
                page.goto(base + path)
                assert (path, violations(page), sideways(page)) == (path, [], 0)
                if page.locator(".cs-send").count():
                    page.set_input_files("#cs-file", {"name": "receipt.txt", "mimeType": "text/plain", "buffer": b"Paid."})
                    page.click(".cs-send")
                    expect(page.locator(".cs-error").first).to_be_visible()
                    assert (path, violations(page), sideways(page)) == (path, [], 0)


@pytest.mark.parametrize(("viewport", "scheme"), LOOKS)
def test_the_pages_of_contacts_are_accessible_and_fit(base: str, browser: Browser, viewport: tuple[int, int], scheme: ColourScheme) -> None:
    """The same for list, form, form with errors and the question before a deletion."""
    contacts = "/cs-admin/customer-service-contacts/"
    with browser.context(viewport=viewport, colour_scheme=scheme) as context:
        page = context.new_page()
        page.set_extra_http_headers({"X-Employee": MARIE.id})
        with watched(page):
            for path in (contacts, f"{contacts}1/", f"{contacts}1/delete/", f"{contacts}new/"):
                page.goto(base + path)
                assert (path, violations(page, within=".cs-desk"), sideways(page)) == (path, [], 0)
            page.get_by_role("button", name="Save").click()
            expect(page.get_by_text("The field title is required at least in your default language.", exact=True)).to_be_visible()
            assert violations(page, within=".cs-desk") == []


@pytest.mark.shows("3.1", "3.2")
@pytest.mark.parametrize("javascript", [True, False])
def test_a_visitor_writes_with_a_file(store: Store, base: str, browser: Browser, tmp_path: Path, *, javascript: bool) -> None:
    """With scripts and without: a mistake first, then the message with the file that was kept."""
    receipt = tmp_path / "receipt.txt"
    receipt.write_text("Paid in full.")
    with browser.context(viewport=(390, 844), javascript=javascript) as context:
        page = context.new_page()
        page.goto(base + CONTACT)
        wait_a_while(store)
        page.get_by_label("Subject").select_option("Customer service")
        page.get_by_label("Email address").fill("ida@example")
        page.get_by_label("Attachment").set_input_files(receipt)
        page.get_by_label("Message").fill("Here is my receipt.")
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_text("Invalid email address.")).to_be_visible()
        assert page.get_by_label("Message").input_value() == "Here is my receipt."
        assert page.get_by_label("Kept: receipt.txt").is_checked()
        page.get_by_label("Email address").fill("ida@example.com")
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_text(SUCCESS)).to_be_visible()
    assert messages_of(store, 2)[0].text == "Here is my receipt."
    assert look(store, lambda session: session.scalars(select(Attachment.name)).all()) == ["receipt.txt"]


@pytest.mark.shows("3.2", "3.3")
def test_the_script_tells_of_a_file_before_it_is_sent(store: Store, base: str, page: playwright.sync_api.Page) -> None:
    """A file that would be refused is told at once and not sent; a good one in its place is."""
    page.goto(base + CONTACT)
    wait_a_while(store)
    page.select_option("#cs-contact", "2")
    page.fill("#cs-email", "ida@example.com")
    page.fill("#cs-text", "A film")
    page.set_input_files("#cs-file", {"name": "film.mov", "mimeType": "video/quicktime", "buffer": b"0" * 100})
    assert page.inner_text("#cs-file-error") == "film.mov: Bad file extension"
    page.click(".cs-send")
    assert page.locator("#cs-file").evaluate("field => field === document.activeElement")
    page.set_input_files("#cs-file", {"name": "big.txt", "mimeType": "text/plain", "buffer": b"0" * 10_000_001})
    assert page.inner_text("#cs-file-error") == "big.txt: The file is too large."
    page.set_input_files("#cs-file", [{"name": f"{number}.txt", "mimeType": "text/plain", "buffer": b"0"} for number in range(6)])
    assert page.inner_text("#cs-file-error") == "Too many files: 5 at most."
    page.set_input_files("#cs-file", {"name": "small.txt", "mimeType": "text/plain", "buffer": b"0"})
    assert page.inner_text("#cs-file-error") == ""
    page.click(".cs-send")
    expect(page.get_by_text(SUCCESS)).to_be_visible()


@pytest.mark.shows("3.2")
def test_too_large_a_file_shows_the_form_and_not_a_broken_connection(store: Store, base: str, browser: Browser, tmp_path: Path) -> None:
    """Without scripts too the browser gets to see the page, with the text that stood behind the file."""
    film = tmp_path / "film.txt"
    film.write_bytes(b"0" * 40_000_000)
    with browser.context(javascript=False) as context:
        page = context.new_page()
        page.goto(base + CONTACT)
        wait_a_while(store)
        page.set_input_files("#cs-file", film)
        page.fill("#cs-text", "A text behind a large file")
        page.click(".cs-send")
        expect(page.get_by_text("The file is too large.")).to_be_visible()
        assert page.input_value("#cs-text") == "A text behind a large file"


def test_the_form_is_filled_in_and_sent_by_keyboard(store: Store, base: str, page: playwright.sync_api.Page) -> None:
    """Tab goes through the fields in their order, past the honeypot, to the button."""
    page.goto(base + CONTACT)
    wait_a_while(store)
    page.focus("#cs-contact")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.type("ida@example.com")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "cs-file"
    page.keyboard.press("Tab")
    page.keyboard.type("By keyboard alone")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.type") == "submit"
    page.keyboard.press("Enter")
    page.get_by_text(SUCCESS).wait_for()
    assert messages_of(store, 2)[0].text == "By keyboard alone"


@pytest.mark.shows("3.1")
@pytest.mark.parametrize("host", ["plain", "bootstrap"])
def test_the_embedded_form_takes_the_looks_of_its_page(store: Store, base: str, page: playwright.sync_api.Page, host: str) -> None:
    """It stands in the host's page with the host's font and colour, is accessible there, fits a phone, and success leads back."""
    page.set_viewport_size({"width": 390, "height": 844})
    with watched(page):
        page.goto(f"{base}/help/{host}")
        wait_a_while(store)
        style = "element => [getComputedStyle(element).fontFamily, getComputedStyle(element).color]"
        assert page.locator("#cs-text").evaluate(style) == page.locator("h1").evaluate(style)
        assert (violations(page, within=".cs-contact-form"), sideways(page)) == ([], 0)
        page.select_option("#cs-contact", "2")
        page.fill("#cs-email", "ida@example.com")
        page.fill("#cs-text", "From the help page")
        page.click(".cs-send")
        expect(page).to_have_url(f"{base}/help/{host}#cs-contact-form")
        expect(page.get_by_text(SUCCESS)).to_be_visible()


@pytest.mark.shows("3.5")
@pytest.mark.parametrize("javascript", [True, False])
def test_a_guest_reads_and_answers_by_the_link(store: Store, base: str, browser: Browser, *, javascript: bool) -> None:
    """The conversation is there without an account, the answer goes into it, and the page says that it was sent."""
    with browser.context(viewport=(390, 844), javascript=javascript, timezone="Asia/Tokyo") as context:
        page = context.new_page()
        page.goto(f"{base}/customer-service/thread/{token_of(store, 1)}")
        expect(page.get_by_text("Where is my parcel?")).to_be_visible()
        # The hour in the visitor's own zone, where a script can know it; else with the zone's name.
        assert page.locator("time").first.inner_text() == ("22 Nov 2026, 03:00" if javascript else "21 Nov 2026 18:00 UTC")
        page.get_by_label("Your answer").fill("Thank you!")
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_text("Message successfully sent")).to_be_visible()
        expect(page.get_by_text("Thank you!")).to_be_visible()
    assert [one.text for one in messages_of(store, 1)][-1] == "Thank you!"
