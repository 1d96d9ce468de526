"""Single keys on the page of a thread: they act beside the answer box and never within it, where somebody is about to write."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_thread_page_browser import conversation, looking, thread_of
from tests.hosts.store import Store
from tests.servers.browser import Browser

__all__ = ["conversation"]

LETTERS = "aoe12njrkg/?"


def test_whoever_unfolds_the_line_for_copies_writes_in_it(store: Store, browser: Browser, conversation: int) -> None:
    """By mouse and by keyboard: the address is all there, and the thread is as it was."""
    before = thread_of(store, conversation)
    with looking(store, browser) as shown:
        page = shown.open(conversation)
        page.fill("#cs-text", "Your parcel has left.")
        fold = page.locator(".cs-copies > summary")
        fold.click()
        expect(page.locator("#cs-cc")).to_be_focused()
        page.keyboard.type("alain@example.com")
        fold.click()
        expect(page.locator("#cs-cc")).to_be_hidden()
        fold.press("Enter")
        expect(page.locator("#cs-cc")).to_be_focused()
        page.keyboard.type(", eve@example.com")
        expect(page.locator("#cs-cc")).to_have_value("alain@example.com, eve@example.com")
        expect(page.locator("#cs-text")).to_have_value("Your parcel has left.")
    after = thread_of(store, conversation)
    assert (after.status, after.assignee_id, after.version) == (before.status, before.assignee_id, before.version)


@pytest.mark.parametrize("place", [".cs-copies > summary", ".cs-send-later > summary", "button[value=keep]", ".cs-answer-box", "input[value=reply]"])
def test_no_key_acts_from_within_the_answer_box(store: Store, browser: Browser, conversation: int, place: str) -> None:
    """On a button, on a fold, on the box itself: the focus stays, nothing opens, and the thread is as it was."""
    before = thread_of(store, conversation)
    with looking(store, browser) as shown:
        page = shown.open(conversation)
        page.fill("#cs-text", "Half an answer")
        page.locator(f"#cs-answer {place}").first.focus()
        address = page.url
        assert keys_taken(page, LETTERS) == ""
        expect(page.locator(f"#cs-answer {place}").first).to_be_focused()
        expect(page.locator("#cs-keys")).to_be_hidden()
        assert page.url == address
    assert thread_of(store, conversation).version == before.version


def keys_taken(page: Page, keys: str) -> str:
    """Press keys one after the other, and return those that the page took for itself."""
    page.evaluate("() => { window.taken = ''; addEventListener('keydown', (event) => { if (event.defaultPrevented) window.taken += event.key; }); }")
    for key in keys:
        page.keyboard.press(key)
    return str(page.evaluate("window.taken"))


def test_keys_act_beside_the_box_and_escape_within_it(store: Store, browser: Browser, conversation: int) -> None:
    """From the head of the page, from a message and from nowhere; a menu of the box closes by Escape, and its button has the focus again."""
    with looking(store, browser) as shown:
        page = shown.open(conversation)
        page.fill("#cs-text", "Half an answer")
        menu = page.locator(".cs-send-later")
        menu.locator("summary").click()
        expect(menu.locator(".cs-menu-body")).to_be_visible()
        page.keyboard.press("Escape")
        expect(menu.locator(".cs-menu-body")).to_be_hidden()
        expect(menu.locator("summary")).to_be_focused()
        page.get_by_role("button", name="More actions").focus()
        page.keyboard.press("j")
        expect(page.locator(".cs-conversation > .cs-message").last).to_be_focused()
        page.keyboard.press("n")
        expect(page.locator("#cs-note")).to_be_focused()
        page.locator("h1").click()
        page.keyboard.press("1")
        expect(page.locator(".cs-status-badge")).to_have_text("Pending 1")
        expect(page.locator("#cs-text")).to_have_value("Half an answer")
