"""What an employee is told on the page of a long thread is in view where they work, and the focus stays there: at the end of the conversation."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from cs_plugin.store.models import Message, SurveyAnswer
from tests.browser.test_thread_page_browser import conversation, looking, wrote
from tests.hosts.store import Store
from tests.hosts.writing import JAN_SIGNED_IN, receive
from tests.servers.browser import Browser

__all__ = ["conversation"]
# Whether the middle of an element is what somebody sees at that place.
UNCOVERED = """(element) => {
    const is = element.getBoundingClientRect(), top = document.elementFromPoint(is.left + is.width / 2, is.top + is.height / 2);
    return Boolean(top) && (element.contains(top) || top.contains(element));
}"""


@pytest.fixture
def long_thread(store: Store, conversation: int) -> int:
    """A thread that is several windows long."""
    for number in range(14):
        store.clock.forward(minutes=1)
        wrote(store, f"Message {number}\n\nwith\nsome\nlines")
    return conversation


def told(page: Page) -> list[str]:
    """Return the lines that are told and stand in the window, uncovered."""
    lines = page.locator(".cs-said > .cs-message-line, [data-part=said] > .cs-message-line").all()
    return [line.inner_text().strip() for line in lines if line.evaluate(UNCOVERED)]


@pytest.mark.parametrize("width", [1440, 390])
def test_what_was_done_at_the_end_of_a_long_thread_is_told_there(store: Store, browser: Browser, long_thread: int, width: int) -> None:
    """By key or by button: whoever stands at the newest message reads that it was done, without scrolling; above, it is told once."""
    store.app.config["CS_UNDO_SECONDS"] = 600
    with looking(store, browser, viewport=(width, 844)) as shown:
        page = shown.open(long_thread)
        expect(page.locator(".cs-message").last).to_be_in_viewport()
        page.keyboard.press("1")
        expect(page.locator(".cs-status-badge")).to_have_text("Pending 1")
        assert told(page) == ["Update successful"]
        page.evaluate("scrollTo(0, 0)")
        assert told(page) == ["Update successful"]
        page.locator("#cs-text").fill("Too fast.")
        page.get_by_role("button", name="Reply and keep status").click()
        page.locator(".cs-message").last.get_by_role("button", name="Undo").click()
        expect(page.locator("#cs-text")).to_have_value("Too fast.")
        assert told(page) == ["The reply was not sent. It stands in the answer box again."]
        page.locator("#cs-text").focus()
        page.get_by_text("Send later", exact=True).click()
        page.get_by_role("button", name="Monday morning").click()
        expect(page.locator(".cs-said")).to_contain_text("The reply will be sent on")
        expect(page.locator("#cs-text")).not_to_have_value("Too fast.")
        page.wait_for_timeout(200)
        assert [line.partition(" on ")[0] for line in told(page)] == ["The reply will be sent"]


def test_what_could_not_be_done_at_the_end_of_a_long_thread_is_told_there(store: Store, browser: Browser, long_thread: int) -> None:
    """A reply that has left cannot be taken back: that stands in view, and stays."""
    store.app.config["CS_UNDO_SECONDS"] = 600
    with looking(store, browser) as shown:
        page = shown.open(long_thread)
        page.locator("#cs-text").fill("It has left.")
        page.get_by_role("button", name="Reply and close").click()
        undo = page.locator(".cs-message").last.locator("form.cs-undo, form[action*=undo]").first
        expect(undo).to_be_visible()
        undo.evaluate("(form) => fetch(form.action, { method: 'POST', body: new URLSearchParams(new FormData(form)) })")
        undo.get_by_role("button").click()
        expect(page.locator("[data-part=said] > .cs-message-line")).to_contain_text("Too late")
        assert [line.partition(":")[0] for line in told(page)] == ["Too late"]


def test_what_is_wrong_with_an_answer_has_the_focus(store: Store, browser: Browser, conversation: int) -> None:
    """The page comes again at its answer box, and whoever writes goes on in the field that is wrong."""
    with looking(store, browser) as shown:
        page = shown.open(conversation)
        page.locator("#cs-text").fill("")
        page.get_by_role("button", name="Reply and close").click()
        expect(page.get_by_text("Reply message is required")).to_be_visible()
        expect(page.locator("#cs-text")).to_be_focused()
        page.locator("#cs-text").fill("It comes on Friday.")
        page.locator(".cs-copies > summary").click()
        page.locator("#cs-cc").fill("nobody")
        page.get_by_role("button", name="Reply and close").click()
        expect(page.locator("#cs-cc-error")).to_be_visible()
        expect(page.locator("#cs-cc")).to_be_focused()


def test_the_focus_stays_where_a_thread_was_handled(store: Store, browser: Browser, conversation: int) -> None:
    """By keyboard alone: the button that comes in place of the one that was pressed has the focus, and a menu or fold that closes keeps it."""
    with looking(store, browser) as shown:
        page = shown.open(conversation)
        page.get_by_role("button", name="Mark as handled").press("Enter")
        expect(page.locator(".cs-status-badge")).to_have_text("Closed")
        expect(page.get_by_role("button", name="Re-open")).to_be_focused()
        page.get_by_role("button", name="More actions").press("Enter")
        page.get_by_role("button", name="Mark as pending 1").press("Enter")
        expect(page.locator(".cs-status-badge")).to_have_text("Pending 1")
        expect(page.get_by_role("button", name="More actions")).to_be_focused()
        page.locator(".cs-forward > summary").press("Enter")
        page.locator("#cs-forward-to").select_option(label="J. Doe")
        page.locator("#cs-forward-send").press("Enter")
        expect(page.locator(".cs-said")).to_contain_text("forwarded")
        expect(page.locator(".cs-forward > summary")).to_be_focused()


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_the_box_covers_nothing_that_has_the_focus(store: Store, browser: Browser, long_thread: int, width: int, height: int) -> None:
    """Whoever walks down the conversation by Tab sees each button that they come to, above the box that stays at the window's end."""
    with looking(store, browser, viewport=(width, height)) as shown:
        page = shown.open(long_thread)
        page.evaluate("scrollTo(0, 0)")
        page.locator(".cs-message summary").first.focus()
        for _ in range(25):
            page.keyboard.press("Tab")
            if page.evaluate("Boolean(document.activeElement.closest('.cs-conversation'))"):
                assert page.evaluate(f"({UNCOVERED})(document.activeElement)"), page.evaluate("document.activeElement.outerHTML")


@pytest.mark.parametrize("width", [1440, 390])
def test_the_number_of_another_thread_stays_in_one_line(store: Store, browser: Browser, conversation: int, width: int) -> None:
    """A number of six figures, beside a subject that has no room, is one line high."""
    receive(store, "Another question", sender=JAN_SIGNED_IN)
    with looking(store, browser, viewport=(width, 900)) as shown:
        page = shown.open(conversation)
        page.locator("details.cs-side-block:has(.cs-other)").evaluate("(block) => { block.open = true; }")
        number = page.locator(".cs-other > span:not(.cs-status)").first
        number.evaluate("(one) => { one.textContent = '#123456'; one.parentElement.querySelector('.cs-cut').textContent = 'A subject '.repeat(20); }")
        assert number.evaluate("(one) => one.getBoundingClientRect().height") < 24


@pytest.mark.parametrize("width", [1440, 390])
def test_a_word_without_an_end_stays_in_its_message(store: Store, browser: Browser, conversation: int, width: int) -> None:
    """In what a customer quoted, and in what they said to the closing question: it breaks, and the page has nothing to scroll sideways."""
    with store.app.app_context():
        message = store.db.session.query(Message).filter_by(thread_id=conversation, private=False).order_by(Message.id).first()
        message.quoted = "q" * 400
        said = SurveyAnswer(thread_id=conversation, message_id=message.id, shop_id="1", score=1, comment="c" * 400, created_at=store.clock())
        store.db.session.add(said)
        store.db.session.commit()
    with looking(store, browser, viewport=(width, 900)) as shown:
        page = shown.open(conversation)
        page.locator(".cs-quote").first.evaluate("(fold) => { fold.open = true; }")
        for words in (page.get_by_text("c" * 400).first, page.get_by_text("q" * 400)):
            expect(words).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_the_button_that_is_offered_first_stands_at_the_end(store: Store, browser: Browser, conversation: int, direction: str) -> None:
    """Where the moment of a reply that was taken back has no room beside the others, its button stands below them, where it is looked for."""
    with looking(store, browser, viewport=(1180, 900)) as shown:
        page = shown.open(conversation)
        page.locator("#cs-text").fill("On Monday.")
        page.get_by_text("Send later", exact=True).click()
        page.get_by_role("button", name="Monday morning").click()
        page.locator(".cs-is-unsent").get_by_role("button", name="Change").click()
        expect(page.locator("#cs-text")).to_have_value("On Monday.")
        page.evaluate("(direction) => { document.querySelector('.cs-desk').dir = direction; }", direction)
        button, box = page.locator("[data-as-chosen]").bounding_box(), page.locator(".cs-answer-box").bounding_box()
        assert button is not None
        assert box is not None
        end = button["x"] - box["x"] if direction == "rtl" else box["x"] + box["width"] - button["x"] - button["width"]
        assert end < 20
