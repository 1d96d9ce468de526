"""A thread's page that stays open: it learns that a held reply has left, lets no one undo what is due, and knows what its own employee wrote."""

from __future__ import annotations

import datetime as dt

import pytest
from playwright.sync_api import Page, expect

from cs_plugin import desk
from tests.browser.test_thread_page_browser import conversation, looking, texts, wrote
from tests.hosts.store import EVERYTHING, JOHN, MARIE, Store
from tests.hosts.writing import do
from tests.servers.browser import Browser
from tests.test_answer_box import release
from tests.test_presence import state_of

__all__ = ["conversation"]

# A tab that comes back into sight asks at once what is new.
LOOK = "document.dispatchEvent(new Event('visibilitychange'))"
HELD = ".cs-held .cs-delivery"
NEWER = "Your answer has not been sent: there are newer messages."


def hold(store: Store, thread_id: int, *, later: bool, **moment: int) -> None:
    """Let Marie answer her own thread with a reply that waits for a moment and changes no status: its release leaves no event."""
    due = store.clock() + dt.timedelta(**moment)
    do(store, lambda bench: desk.assign(bench, store.actor(), thread_id, MARIE.id))
    do(store, lambda bench: desk.reply(bench, store.actor(), thread_id, desk.Answer("On its way.", keep_status=True, release_at=due, later=later)))


def test_a_colleague_sees_within_one_look_that_a_held_reply_has_left(store: Store, browser: Browser, conversation: int) -> None:
    """Its moment stands on it, and goes once it is released, though nothing else has happened in the thread."""
    store.answers.grants[JOHN.id] = EVERYTHING
    with looking(store, browser, employee=JOHN) as shown:
        page = shown.open(conversation)
        hold(store, conversation, later=True, days=1)
        page.evaluate(LOOK)
        expect(page.locator(HELD)).to_contain_text("Leaves on")
        store.clock.forward(days=1)
        release(store)
        page.evaluate(LOOK)
        expect(page.locator(HELD)).to_have_count(0, timeout=8_000)


def test_what_a_colleague_has_just_sent_counts_down_here_too(store: Store, browser: Browser, conversation: int) -> None:
    """The way to undo comes with the reply and goes by itself; the page then looks for what has become of it, also if nothing else tells it to."""
    store.answers.grants[JOHN.id] = EVERYTHING
    with looking(store, browser, employee=JOHN) as shown:
        page = shown.open(conversation)
        hold(store, conversation, later=False, seconds=3)
        page.evaluate(LOOK)
        expect(page.locator(HELD)).to_contain_text("it leaves in a few seconds")
        nothing_is_new(page, state_of(store, conversation))
        store.clock.forward(seconds=3)
        release(store)
        expect(page.locator(HELD)).to_have_count(0)
        expect(page.get_by_role("button", name="Undo")).to_have_count(0)


def nothing_is_new(page: Page, state: str) -> None:
    """Answer a page that asks what is new with the state that it knows."""
    token = page.locator("[name=csrf_token]").first.input_value()
    page.route("**/presence", lambda route: route.fulfill(json={"token": token, "state": state, "people": ""}))


def test_whoever_has_forwarded_a_thread_goes_on_answering(store: Store, browser: Browser, conversation: int) -> None:
    """The note of the forward is no news to the employee who wrote it: what was begun before is sent at once."""
    with looking(store, browser) as shown:
        page = shown.open(conversation)
        page.fill("#cs-text", "I have asked")
        forward(page)
        page.fill("#cs-text", "I have asked a colleague.")
        page.get_by_role("button", name="Reply and close").click()
        expect(page.locator(".cs-said")).to_contain_text("The message was successfully sent to the customer.")
    assert texts(store, conversation)[-1] == "I have asked a colleague."


def forward(page: Page) -> None:
    """Forward the thread to John from its side, with scripts; the address of the page stays as it is."""
    address = page.url
    page.locator("#cs-forward > summary").click()
    page.select_option("#cs-forward-to", label="J. Doe")
    page.get_by_role("button", name="Forward", exact=True).click()
    expect(page.get_by_text("The discussion was forwarded.")).to_be_visible()
    assert page.url == address


@pytest.mark.parametrize("first", [True, False], ids=["before the forward", "after the forward"])
def test_what_the_customer_writes_meanwhile_is_not_passed_over(store: Store, browser: Browser, conversation: int, first: bool) -> None:
    """Written a moment before the forward or after it, the answer is held until the employee has read it."""
    with looking(store, browser) as shown:
        page = shown.open(conversation)
        page.fill("#cs-text", "I have asked a colleague.")
        nothing_is_new(page, state_of(store, conversation))
        if first:
            wrote(store, "Forget it, it has come.")
        forward(page)
        if not first:
            wrote(store, "Forget it, it has come.")
        page.get_by_role("button", name="Reply and close").click()
        expect(page.locator(".cs-answer [role=alert]")).to_contain_text(NEWER)
        expect(page.locator(".cs-message.cs-is-new").filter(has_text="Forget it, it has come.")).to_be_visible()
    assert texts(store, conversation)[-1] != "I have asked a colleague."
