"""A reply that is taken back in a browser: how it was to be sent stands out again, and is done by one click."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from cs_plugin.store.models import Message
from tests.browser.axe import violations
from tests.browser.test_thread_page_browser import conversation, looking
from tests.hosts.store import Store
from tests.hosts.writing import messages_of
from tests.servers.browser import Browser

__all__ = ["conversation"]
ANSWER = "Your answer to Jan Kowalski"


def waiting(store: Store, thread_id: int) -> Message:
    """Return the only reply that waits to leave."""
    (found,) = (one for one in messages_of(store, thread_id) if one.release_due_at is not None)
    return found


def wanted(message: Message) -> tuple[str | None, bool]:
    """Return the status that a reply gives its thread, and whether somebody chose when it leaves."""
    assert message.release is not None
    return message.release["then"], message.release["later"]


@pytest.mark.shows("5.4")
@pytest.mark.parametrize("javascript", [True, False], ids=["with scripts", "without scripts"])
def test_a_reply_that_was_to_leave_later_leaves_at_the_same_moment_after_a_change(
    store: Store, browser: Browser, conversation: int, javascript: bool
) -> None:
    """Changed, kept as a draft with other words, opened again and sent: the moment and the status are those that were chosen first."""
    with looking(store, browser, javascript=javascript) as shown:
        page = shown.open(conversation)
        box = page.get_by_label(ANSWER)
        box.fill("On Monday.")
        page.get_by_text("Send later", exact=True).click()
        page.get_by_label("When it leaves").select_option("pending1")
        page.get_by_label("Date and hour").fill("2026-11-30T09:30")
        page.get_by_role("button", name="Send at this moment").click()
        expect(page.locator(".cs-said")).to_contain_text("The reply will be sent on")
        first = waiting(store, conversation)
        page.locator(".cs-is-unsent").get_by_role("button", name="Change").click()
        expect(box).to_have_value("On Monday.")
        again = page.get_by_role("button", name=re.compile("^Send on "))
        expect(again).to_have_class(re.compile("cs-button-main"))
        expect(page.locator(".cs-answer-send .cs-button-main").locator("visible=true")).to_have_count(1)
        expect(page.get_by_label("Date and hour")).to_have_value("2026-11-30T09:30")
        if javascript:
            assert violations(page) == []
        if javascript:
            with page.expect_response("**/draft*"):
                box.fill("On Monday, I think.")
        else:
            box.fill("On Monday, I think.")
            page.get_by_role("button", name="Save draft").click()
        shown.open(conversation)
        expect(box).to_have_value(re.compile("^On Monday, I think"))
        again.click()
        expect(page.locator(".cs-said")).to_contain_text("The reply will be sent on")
    second = waiting(store, conversation)
    assert second.id != first.id
    assert (second.release_due_at, wanted(second)) == (first.release_due_at, wanted(first))


@pytest.mark.shows("5.4")
def test_a_status_that_was_chosen_gets_a_button_of_its_own_until_the_draft_is_discarded(store: Store, browser: Browser, conversation: int) -> None:
    """It goes with the words, and comes back with them."""
    store.app.config["CS_UNDO_SECONDS"] = 600
    with looking(store, browser) as shown:
        page = shown.open(conversation)
        box = page.get_by_label(ANSWER)
        box.fill("We are looking for it.")
        page.get_by_text("Reply and…", exact=True).click()
        page.get_by_role("button", name="Pending 2", exact=True).click()
        page.locator(".cs-said").get_by_role("button", name="Undo").click()
        again = page.get_by_role("button", name='Reply and mark as "Pending 2"')
        expect(again).to_be_visible()
        assert violations(page) == []
        page.get_by_role("button", name="Discard draft").click()
        expect(page.get_by_text("The draft was discarded.")).to_be_visible()
        expect(again).to_be_hidden()
        page.get_by_role("button", name="Undo").click()
        expect(again).to_be_visible()
        expect(box).to_have_value("We are looking for it.")
        again.click()
        expect(page.locator(".cs-said")).to_contain_text("The message was successfully sent to the customer.")
        assert wanted(waiting(store, conversation)) == ("pending2", False)
