"""A message in a real browser: the mail as it was sent, how far its answer is, and an address at which nothing arrives."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from cs_plugin import UndeliverableError, desk, hookimpl
from tests.browser.axe import violations
from tests.browser.shown import BOTH, Shown, shown_strictly
from tests.hosts.html_mail import PNG, take_html
from tests.hosts.mailing import bounce_of, mail, take
from tests.hosts.store import JAN, Store
from tests.servers.browser import Browser

HTML = (
    "<h2>Broken jug</h2><p>Hello, see <a href='https://pictures.example/jug'>the picture</a>.</p><img src='cid:logo@x' alt='Logo' width=20>"
    "<img src='https://tracker.example/p.png' alt='Lamp'><img src=x onerror='parent.ran=1'><script>parent.ran=1</script>"
)
LONG = "https://shop.example/" + "abcdefghij" * 30


@pytest.fixture
def shown(store: Store, browser: Browser) -> Iterator[Shown]:
    """A store that is served under the strict policy."""
    with shown_strictly(store, browser, home="/cs-admin/customer-service/", first="1/") as served:
        yield served


@pytest.mark.shows("5.3")
@BOTH
def test_an_html_mail_is_shown_as_it_was_sent_and_fetches_pictures_when_asked(shown: Shown, scripts: bool) -> None:
    """"Show original" opens the mail beneath its text, "Show pictures" fetches what lies elsewhere, and nothing in it runs; without scripts too."""
    take_html(shown.store, HTML, parts=(("logo.png", "image/png", PNG, "logo@x"),), text=f"The jug is broken. {LONG} {'w' * 300}")
    with shown.page("", scripts=scripts, viewport=(360, 800)) as page:
        asked = _asked(page)
        page.goto(f"{shown.address}{shown.home}1/")
        expect(page.get_by_role("link", name=LONG)).to_have_attribute("rel", "noopener noreferrer nofollow")
        summary = page.get_by_text("Show original")
        expect(summary).to_be_visible()
        if scripts:
            # What nobody opens is not fetched.
            assert [one for one in asked if one.endswith("/html")] == []
        if scripts:
            summary.focus()
            page.keyboard.press("Enter")
        else:
            summary.click()
        frame = page.frame_locator("iframe")
        expect(frame.get_by_role("heading", name="Broken jug")).to_be_visible()
        expect(frame.get_by_role("img", name="Logo")).to_have_js_property("naturalWidth", 1)
        expect(frame.get_by_text("Pictures from elsewhere are not shown.")).to_be_visible()
        expect(frame.get_by_role("link", name="the picture")).to_have_attribute("title", "https://pictures.example/jug")
        expect(frame.locator("script, [onerror], [onload]")).to_have_count(0)
        assert [one for one in asked if "tracker" in one] == []
        with page.expect_request("https://tracker.example/p.png"):
            page.get_by_role("link", name="Show pictures").click()
        expect(frame.get_by_role("heading", name="Broken jug")).to_be_visible()
        expect(frame.get_by_text("Pictures from elsewhere are not shown.")).to_have_count(0)
        assert page.evaluate("[window.ran ?? 0, document.documentElement.scrollWidth <= innerWidth]") == [0, True] if scripts else True
        if scripts:
            assert violations(page) == []
    # The picture itself is out of a test's reach; and the script that is kept from running is the one by which the test waits for pages to load.
    expected = ("ERR_NAME_NOT_RESOLVED", "because the document's frame is sandboxed")
    shown.complaints[:] = [one for one in shown.complaints if not any(words in one for words in expected)]


@pytest.mark.shows("5.4", "2.2")
def test_how_far_a_mail_is_changes_on_the_open_page(shown: Shown) -> None:
    """Queued becomes failed, with the server's words, and after "Retry" sent: no reload; what is being written stays."""
    take(shown.store, mail(by=JAN.email))
    refusing = True

    class Server:
        @hookimpl
        def cs_send_mail(self) -> bool | None:
            if refusing:
                raise UndeliverableError("552 mailbox full", permanent=True, code=552)
            return True

    shown.store.desk.manager.register(Server())
    _answer(shown.store)
    with shown.page() as page:
        line = page.locator(".cs-message > [data-delivery]")
        expect(line).to_contain_text("Waiting to be sent")
        page.get_by_label("Your answer to").fill("half an answer")
        _deliver(shown.store)
        expect(line).to_contain_text("Failed: 552 mailbox full")
        expect(page.locator("[data-delivery-said]")).to_have_text("Failed: 552 mailbox full")
        refusing = False
        line.get_by_role("button", name="Retry").click()
        expect(line).to_contain_text("Waiting to be sent")
        _deliver(shown.store)
        expect(line).to_contain_text("Sent 21 Nov")
        expect(page.get_by_label("Your answer to")).to_have_value("half an answer")


@pytest.mark.shows("2.2", "5.4")
def test_a_mail_that_came_back_is_told_on_the_message_and_at_the_address(shown: Shown) -> None:
    """The words of the far server stand on the message; beside the address and the answer box stands when; until the customer writes again."""
    store = shown.store
    take(store, mail(by=JAN.email))
    _answer(store)
    _deliver(store)
    sent = store.desk.transport.sent[-1]  # type: ignore[attr-defined]
    store.clock.forward(minutes=5)
    take(store, bounce_of(str(sent.message["Message-ID"]), JAN.email))
    with shown.page() as page:
        expect(page.locator(".cs-message > [data-delivery]")).to_contain_text("Did not arrive: 5.1.1 550 No such user here")
        expect(page.get_by_text("Mail to this address bounced on 21 Nov 18:05")).to_have_count(2)
        assert violations(page) == []
        store.clock.forward(minutes=5)
        take(store, mail("I am here again.", by=JAN.email, in_reply_to=(str(sent.message["Message-ID"]),)))
        page.reload()
        expect(page.get_by_text("I am here again.").first).to_be_visible()
        expect(page.get_by_text("Mail to this address bounced")).to_have_count(0)


def _asked(page: Page) -> list[str]:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    return asked


def _answer(store: Store) -> None:
    with store.app.app_context():
        store.desk.do(lambda bench: desk.reply(bench, store.actor(), 1, desk.Answer("It is on its way.")))


def _deliver(store: Store) -> None:
    with store.app.app_context():
        store.desk.office.deliver()
