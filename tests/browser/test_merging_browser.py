"""Merging, splitting and moving in a browser: from the thread's page and from the list, and the undo of each."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.axe import violations
from tests.browser.test_thread_page_browser import looking
from tests.hosts.store import Store
from tests.servers.browser import Browser
from tests.test_merging import texts, two
from tests.test_moving import further


@pytest.mark.shows("5.7")
def test_threads_are_merged_from_the_page_and_from_the_list_and_undone(store: Store, browser: Browser) -> None:
    """The menu leads to what suits, it is asked which one stays, and the timeline offers the undo; the list merges what is selected."""
    first, second = two(store)
    with looking(store, browser, viewport=(1280, 900)) as shown:
        page = shown.open(first)
        page.get_by_role("button", name="More actions").click()
        page.get_by_role("link", name="Merge with…").click()
        expect(page.get_by_role("heading", name=f"Merge thread #{first}")).to_be_visible()
        page.get_by_role("checkbox").check()
        assert violations(page) == []
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_role("radio").first).to_be_checked()
        assert violations(page) == []
        page.get_by_role("button", name="Merge", exact=True).click()
        expect(page.get_by_text(f"The threads are merged into #{first}.")).to_be_visible()
        expect(page.locator("#cs-conversation")).to_contain_text("And my invoice?")
        assert violations(page) == []
        page.get_by_role("button", name="Undo merge").click()
        expect(page.get_by_text(f"Undone: see thread #{second}.")).to_be_visible()
        expect(page.locator("#cs-conversation")).not_to_contain_text("And my invoice?")
        page.goto(f"{shown.address}/cs-admin/customer-service/")
        for number in (first, second):
            page.locator(f'input[name="thread"][value="{number}"]').check()
        page.get_by_role("region", name="Selection").get_by_role("button", name="Merge").click()
        page.get_by_role("radio").last.check()
        page.get_by_role("button", name="Merge", exact=True).click()
        expect(page.get_by_role("heading", name=f"Thread: #{second}")).to_be_visible()
        expect(page.locator("#cs-conversation")).to_contain_text("Where is my parcel?")
    assert texts(store, first) == []


@pytest.mark.shows("5.3", "5.7")
def test_a_message_is_split_off_and_moved_with_one_click(store: Store, browser: Browser) -> None:
    """Its menu says why it landed there; on a phone too, and from there it goes into a new thread or into another one."""
    first, second = two(store)
    late, later = further(store, first, "Another thing"), further(store, first, "And another")
    with looking(store, browser, viewport=(390, 844)) as shown:
        page = shown.open(first)
        menu = page.locator(f"#message-{late} .cs-move")
        menu.get_by_role("button", name="Move this message").click()
        expect(menu.get_by_text("Why it landed here")).to_be_visible()
        assert violations(page) == []
        menu.get_by_role("button", name=f"Move to thread #{second}").click()
        expect(page.get_by_text(f"The message stands in thread #{second} now.")).to_be_visible()
        expect(page.locator("#cs-conversation")).not_to_contain_text("Another thing")
        menu = page.locator(f"#message-{later} .cs-move")
        menu.get_by_role("button", name="Move this message").click()
        menu.get_by_role("button", name="Move to a new thread", exact=True).click()
        expect(page.get_by_text("The new thread is #3.")).to_be_visible()
        page.get_by_role("button", name="Undo move").last.click()
        expect(page.locator("#cs-conversation")).to_contain_text("And another")
    assert texts(store, second)[-1] == "Another thing"
