"""Files of an answer that nobody has sent yet, in a real browser: they are in the draft as soon as they are chosen."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.axe import violations
from tests.browser.test_drafts_browser import ANSWER, saved, thread
from tests.browser.test_thread_page_browser import PDF, looking, texts
from tests.hosts.store import Store
from tests.servers.browser import Browser

__all__ = ["thread"]


@pytest.mark.shows("5.5")
def test_a_chosen_file_is_there_when_the_page_is_opened_again(store: Store, browser: Browser, thread: int) -> None:
    """Chosen, it is in the draft before anything is typed or sent; opened again, it stands in the box, can be taken off, and is sent once."""
    with looking(store, browser) as shown:
        page = shown.open(thread)
        page.locator("#cs-file").set_input_files([PDF])
        saved(page)
        expect(page.locator("[data-chosen] bdi")).to_have_text(["label.pdf"])
        assert violations(page) == []
        again = shown.open(thread)
        expect(again.locator("label.cs-file bdi")).to_have_text(["label.pdf"])
        again.get_by_label(ANSWER).fill("Here it is.")
        again.get_by_role("button", name="Reply and close").click()
        expect(again.locator(".cs-message").last.locator(".cs-file bdi")).to_have_text(["label.pdf"])
        assert shown.faults == []
    assert texts(store, thread)[-1] == "Here it is."


@pytest.mark.shows("5.5")
def test_a_file_of_a_discarded_draft_is_gone_and_comes_back_with_it(store: Store, browser: Browser, thread: int) -> None:
    """Its chip as well; taken off, it is in no draft."""
    with looking(store, browser) as shown:
        page = shown.open(thread)
        page.locator("#cs-file").set_input_files([PDF])
        saved(page)
        page.get_by_role("button", name="Discard draft").click()
        expect(page.locator("[data-chosen]")).to_be_hidden()
        page.locator("[data-draft-told]").get_by_role("button").first.click()
        expect(page.locator("[data-chosen]")).to_be_visible()
        saved(page)
        page.get_by_role("button", name="Remove label.pdf").click()
        expect(page.locator("[data-draft-words]")).to_have_text("")
        again = shown.open(thread)
        expect(again.get_by_label(ANSWER)).to_be_visible()
        expect(again.locator(".cs-file")).to_have_count(0)
        assert shown.faults == []
