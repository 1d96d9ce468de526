"""What comes in while a reply can still be taken back, in a browser: it is told beside what is being written, and nobody loses their place."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.test_thread_page_browser import conversation, looking, wrote
from tests.hosts.store import Store
from tests.servers.browser import Browser

__all__ = ["conversation"]


@pytest.mark.shows("5.4", "5.6")
def test_what_comes_in_while_a_reply_can_be_taken_back_is_told_and_takes_no_focus(store: Store, browser: Browser, conversation: int) -> None:
    """The page that shows what became of the reply tells of the customer's message too, and the keyboard stays where it was."""
    store.app.config["CS_UNDO_SECONDS"] = 1
    with looking(store, browser) as shown:
        page = shown.open(conversation)
        box = page.get_by_label("Your answer to Jan Kowalski")
        box.fill("It comes on Friday.")
        page.get_by_role("button", name="Reply and close").click()
        expect(page.locator(".cs-said")).to_contain_text("The message was successfully sent to the customer.")
        box.fill("And the invoice")
        place = page.locator(".cs-conversation summary").first
        place.focus()
        wrote(store, "Forget it, it has come.")
        expect(page.locator("[data-news-words]")).to_contain_text("Jan Kowalski")
        expect(page.locator(".cs-message.cs-is-new")).to_have_count(1)
        expect(page.locator(".cs-is-unsent")).to_contain_text("Held because the customer wrote")
        expect(place).to_be_focused()
        expect(box).to_have_value("And the invoice")
        assert shown.faults == []
