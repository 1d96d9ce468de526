"""The order panel, the customer's order form and "My messages" in a real browser: inside Bootstrap 4, Bootstrap 5 and plain pages.

Bootstrap 4 is the one that comes with Flask-Admin; the style sheet of Bootstrap 5 is vendored, with its licence, under vendor/bootstrap-5 (version
5.3.9, MIT).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import playwright.sync_api
import pytest
from flask import Response, render_template_string, send_file
from playwright.sync_api import expect

from cs_plugin import desk
from cs_plugin.desk import Bench
from cs_plugin.rules.inquiry import Channel
from cs_plugin.store import predefined
from tests.browser.axe import violations
from tests.browser.shown import STRICT
from tests.browser.test_storefront_browser import sideways, wait_a_while, watched
from tests.hosts.store import JAN, LAYLA, MARIE, Store
from tests.hosts.writing import JAN_SIGNED_IN, begin, do, messages_of
from tests.servers.browser import Browser, ColourScheme
from tests.servers.flask_server import serving

BOOTSTRAP_5 = Path(__file__).parent / "vendor" / "bootstrap-5" / "bootstrap.min.css"
STYLES = {"plain": "", "bootstrap4": "/cs-admin/static/bootstrap/bootstrap4/css/bootstrap.min.css", "bootstrap5": "/bootstrap5.css"}
PLACES = {
    "panel": ("{{ cs_order_panel('15') }}", ".cs-order-panel"),
    "order": ("{{ cs_customer_order_panel('15', 'token-15') }}", ".cs-order-messages"),
    "account": ("{{ cs_my_messages() }}", ".cs-conversation-page"),
}
WIDTHS = [(1440, 900), (390, 844), (360, 740)]
OVERWRITE = "Do you want to overwrite your existing message?"
ADDED = "Comment successfully added."
# Both before the browser gets to tell that the dialog was closed.
KEEP_AND_CHOOSE_NEXT = """() => {
  document.querySelector("[data-cs-keep]").click();
  const choice = document.querySelector("#cs-order-panel-15-predefined");
  choice.selectedIndex += 1;
  choice.dispatchEvent(new Event("change", { bubbles: true }));
}"""


def fill(store: Store) -> None:
    """Let there be a talk about Jan's order, with a note, long words and a product, and two predefined messages."""
    begun = begin(
        store, "The jug has a crack: " + "0" * 90, sender=JAN_SIGNED_IN, channel=Channel.ORDER_PAGE, order_id="15", product_id="4",
        product_name="Stoneware jug, indigo", subject="XKBKNABJK",
    )
    do(store, lambda bench: desk.add_note(bench, store.actor(), begun, "The box was wrapped twice. Ask the carrier."))
    do(store, lambda bench: desk.reply(bench, store.actor(), begun, desk.Answer("Dear Jan,\n\nwe are sorry. A new one leaves tomorrow.\n\nRegards")))

    def offer(bench: Bench) -> None:
        for name, words in (("Delay", "There is a delay."), ("Sorry", "We are sorry.")):
            message = predefined.new_predefined(bench.session, bench.now)
            predefined.write_words(message, "en", name=name, text=words)
            predefined.write_shops(message, ["1"])
            bench.session.flush()

    do(store, offer)


def stand_in_pages(store: Store) -> None:
    """Let the host have pages of each look with each fragment in it."""

    @store.app.route("/bootstrap5.css")
    def bootstrap5() -> Response:
        return send_file(BOOTSTRAP_5, mimetype="text/css")

    @store.app.route("/<look>/<place>")
    def host_page(look: str, place: str) -> Response:
        html = render_template_string(
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
            '<title>Page of the host</title><link rel="icon" href="data:,">{% if css %}<link rel="stylesheet" href="{{ css }}">{% endif %}</head>'
            '<body><main class="container"><h1>Page of the host</h1>' + PLACES[place][0] + "</main></body></html>",
            css=STYLES[look],
        )
        return Response(html, headers={"Content-Security-Policy": STRICT})


@pytest.fixture
def base(store: Store) -> Iterator[str]:
    """The address of a running store with such pages."""
    fill(store)
    stand_in_pages(store)
    with serving(store.app) as address:
        yield address


@contextmanager
def signed_in(
    browser: Browser, *, viewport: tuple[int, int] = (390, 844), javascript: bool = True, scheme: ColourScheme = "light", employee: str = MARIE.id
) -> Iterator[playwright.sync_api.Page]:
    """A window in which Marie is at work and Jan is at home."""
    with browser.context(viewport=viewport, javascript=javascript, colour_scheme=scheme) as context:
        page = context.new_page()
        page.set_extra_http_headers({"X-Employee": employee, "X-Customer": JAN.id})
        with watched(page):
            yield page


@pytest.mark.shows("4.1", "4.2", "4.3")
@pytest.mark.parametrize("look", STYLES)
def test_each_fragment_fits_into_each_kind_of_page(base: str, browser: Browser, look: str) -> None:
    """It is accessible, nothing is wider than the window down to 360 px, font and colour are the page's, and a strict policy refuses nothing."""
    with signed_in(browser) as page:
        for place, (_call, within) in PLACES.items():
            for width, height in WIDTHS:
                page.set_viewport_size({"width": width, "height": height})
                page.goto(f"{base}/{look}/{place}")
                assert (place, width, violations(page, within=within), sideways(page)) == (place, width, [], 0)
            style = "element => [getComputedStyle(element).fontFamily, getComputedStyle(element).color]"
            assert page.locator(f"{within} time").first.evaluate(style) == page.locator("main").evaluate(style)


@pytest.mark.parametrize(("viewport", "scheme"), [((1440, 900), "light"), ((390, 844), "dark")])
def test_our_own_pages_are_accessible_and_fit(base: str, browser: Browser, viewport: tuple[int, int], scheme: ColourScheme) -> None:
    """In every state: filled, with errors, asking, with nothing there; the panel from right to left too."""
    own = "/cs-admin/customer-service-orders/?order=15"
    with signed_in(browser, viewport=viewport, scheme=scheme) as page:
        for name in ("order?order=15", "order?token=none", "my-messages", "my-messages/1"):
            path = f"/customer-service/{name}"
            page.goto(base + path)
            assert (path, violations(page), sideways(page)) == (path, [], 0)
        page.goto(f"{base}/customer-service/order?order=15")
        page.click(".cs-send")
        expect(page.locator(".cs-error").first).to_be_visible()
        assert (violations(page), sideways(page)) == ([], 0)
        page.goto(base + own)
        assert (violations(page), sideways(page)) == ([], 0)
        page.get_by_role("button", name="Add message").click()
        expect(page.get_by_text("This field cannot be empty")).to_be_visible()
        assert (violations(page), sideways(page)) == ([], 0)
        page.fill("#cs-order-panel-15-text", "My own words")
        page.select_option("#cs-order-panel-15-predefined", label="Delay")
        expect(page.get_by_role("dialog")).to_be_visible()
        assert violations(page) == []
    with signed_in(browser, viewport=viewport, scheme=scheme, employee=LAYLA.id) as page:
        page.goto(base + own)
        expect(page.locator(".cs-order-panel")).to_have_attribute("dir", "rtl")
        assert (violations(page), sideways(page)) == ([], 0)


def test_a_choice_right_after_an_answer_asks_again(base: str, browser: Browser) -> None:
    """A browser tells that a dialog was closed a moment later: an answer to the first question is none to the second, which stands by then."""
    with signed_in(browser, viewport=(1440, 900)) as page:
        page.goto(f"{base}/bootstrap5/panel")
        words = page.get_by_label("Message", exact=True)
        words.fill("My own words")
        page.select_option("#cs-order-panel-15-predefined", label="Delay")
        expect(page.get_by_role("dialog").get_by_text(OVERWRITE)).to_be_visible()
        page.evaluate(KEEP_AND_CHOOSE_NEXT)
        expect(page.get_by_role("dialog").get_by_text(OVERWRITE)).to_be_visible()
        page.get_by_role("button", name="Overwrite").click()
        expect(words).to_have_value("We are sorry.")


@pytest.mark.shows("4.1")
def test_an_employee_comments_from_the_hosts_page_with_scripts(store: Store, base: str, browser: Browser) -> None:
    """A predefined message fills the empty text, asks before it replaces another; the comment is a private note unless the box is on."""
    with signed_in(browser, viewport=(1440, 900)) as page:
        page.goto(f"{base}/bootstrap5/panel")
        words, dialog = page.get_by_label("Message", exact=True), page.get_by_role("dialog")
        page.select_option("#cs-order-panel-15-predefined", label="Delay")
        expect(words).to_have_value("There is a delay.")
        words.fill("My own words")
        page.select_option("#cs-order-panel-15-predefined", label="Sorry")
        expect(dialog.get_by_text(OVERWRITE)).to_be_visible()
        page.get_by_role("button", name="Keep my message").click()
        expect(words).to_have_value("My own words")
        expect(page.locator("#cs-order-panel-15-predefined")).to_have_value("1")
        page.select_option("#cs-order-panel-15-predefined", label="Sorry")
        page.keyboard.press("Escape")
        expect(words).to_have_value("My own words")
        page.select_option("#cs-order-panel-15-predefined", label="Sorry")
        page.get_by_role("button", name="Overwrite").click()
        expect(words).to_have_value("We are sorry.")
        expect(page.get_by_label("Display to customer?")).not_to_be_checked()
        expect(page.get_by_text("Not visible to the customer, no mail is sent")).to_be_visible()
        page.get_by_role("button", name="Add message").click()
        expect(page.get_by_text(ADDED)).to_be_visible()
        expect(page).to_have_url(f"{base}/bootstrap5/panel#cs-order-panel-15")
        page.get_by_label("Display to customer?").check()
        expect(page.get_by_text("The customer sees it, and gets a mail.", exact=True)).to_be_visible()
        words.fill("It leaves tomorrow.")
        page.get_by_role("button", name="Add message").click()
        expect(page.get_by_text("It leaves tomorrow.")).to_be_visible()
    assert [(one.text, one.private) for one in messages_of(store, 1)[3:]] == [("We are sorry.", True), ("It leaves tomorrow.", False)]


@pytest.mark.shows("4.1")
def test_the_same_without_scripts(store: Store, base: str, browser: Browser) -> None:
    """The button "Use" fills the text on our own page, which asks before it overwrites, and the comment leads back to the host's."""
    with signed_in(browser, javascript=False) as page:
        page.goto(f"{base}/bootstrap4/panel")
        words = page.get_by_label("Message", exact=True)
        words.fill("My own words")
        page.select_option("#cs-order-panel-15-predefined", label="Delay")
        page.get_by_role("button", name="Use").click()
        expect(page.get_by_role("alert").get_by_text(OVERWRITE)).to_be_visible()
        expect(words).to_have_value("My own words")
        page.get_by_role("button", name="Overwrite").click()
        expect(words).to_have_value("There is a delay.")
        words.fill("a" * 1201)
        page.get_by_role("button", name="Add message").click()
        expect(page.get_by_text("This field cannot be longer than 1200 characters")).to_be_visible()
        words.fill("Wrapped twice.")
        page.get_by_role("button", name="Add message").click()
        expect(page).to_have_url(f"{base}/bootstrap4/panel#cs-order-panel-15")
        expect(page.get_by_text(ADDED)).to_be_visible()
    assert [(one.text, one.private) for one in messages_of(store, 1)[3:]] == [("Wrapped twice.", True)]


@pytest.mark.shows("4.1")
def test_the_panel_is_used_by_keyboard(store: Store, base: str, browser: Browser) -> None:
    """Tab goes from the drop-down through the text and the box to the button; the count tells what is too long before it is sent."""
    with signed_in(browser) as page:
        page.goto(f"{base}/plain/panel")
        page.focus("#cs-order-panel-15-predefined")
        page.keyboard.press("Tab")   # the link to the predefined messages
        page.keyboard.press("Tab")
        page.keyboard.type("By keyboard")
        expect(page.locator("[data-cs-count]")).to_have_text("11 / 1,200")
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        expect(page.get_by_label("Display to customer?")).to_be_checked()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_text(ADDED)).to_be_visible()
    assert [(one.text, one.private) for one in messages_of(store, 1)[3:]] == [("By keyboard", False)]


@pytest.mark.shows("4.2", "2.7")
@pytest.mark.parametrize(("look", "javascript"), [("plain", True), ("bootstrap4", False), ("bootstrap5", True)])
def test_a_customer_writes_from_the_hosts_order_page(
    store: Store, base: str, browser: Browser, tmp_path: Path, look: str, *, javascript: bool
) -> None:
    """A mistake first, on our own page with everything kept; then the message, back on the host's page with the sentence and the words."""
    photo = tmp_path / "photo.txt"
    photo.write_text("A photograph")
    with signed_in(browser, javascript=javascript) as page:
        page.goto(f"{base}/{look}/order")
        wait_a_while(store)
        page.get_by_label("Product").select_option("Stoneware jug, indigo")
        page.get_by_label("Attachment").set_input_files(photo)
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_text("The message cannot be blank.")).to_be_visible()
        expect(page.get_by_label("Product")).to_have_value("4")
        expect(page.get_by_label("Kept: photo.txt")).to_be_checked()
        page.get_by_label("Message").fill("And the lid too.")
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_text("Message successfully sent")).to_be_visible()
        expect(page).to_have_url(f"{base}/{look}/order#cs-order-messages-15")
        expect(page.locator(".cs-guest-message").first).to_contain_text("And the lid too.")
        with page.expect_download() as download:
            page.get_by_role("link", name="photo.txt").click()
        assert Path(download.value.path()).read_text() == "A photograph"
    last = messages_of(store, 1)[-1]
    assert (last.text, last.product_name) == ("And the lid too.", "Stoneware jug, indigo")


@pytest.mark.shows("3.5")
def test_a_customer_goes_from_the_account_to_a_conversation_and_answers(store: Store, base: str, browser: Browser) -> None:
    """From the host's account page to the thread and back to the list."""
    with signed_in(browser) as page:
        page.goto(f"{base}/bootstrap5/account")
        page.get_by_role("link", name="XKBKNABJK").first.click()
        page.get_by_label("Your answer").fill("Thank you!")
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_text("Message successfully sent")).to_be_visible()
        page.get_by_role("link", name="My messages").click()
        expect(page.get_by_text("Thank you!")).to_be_visible()
        expect(page.get_by_text("Waiting for our answer")).to_be_visible()
    assert messages_of(store, 1)[-1].text == "Thank you!"
