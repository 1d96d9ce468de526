"""Sections 2 and 5 around the conversation in a browser: begun, laid in spam, deleted, linked, and handled by single keys."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from cs_plugin.rules.inquiry import Sender
from cs_plugin.rules.status import Folder, Status
from tests.browser.axe import violations
from tests.browser.shown import Shown, shown_strictly
from tests.hosts.store import JAN, PARIS, Store
from tests.hosts.writing import JAN_SIGNED_IN, begin, thread_of
from tests.servers.browser import Browser

HOME = "/cs-admin/customer-service/"


@pytest.fixture
def shown(store: Store, browser: Browser) -> Iterator[Shown]:
    """A store of one shop with two threads: Jan's, signed in, and one from his address alone."""
    store.answers.shops = (PARIS,)
    store.answers.urls["order"] = "/orders/{id}"
    begin(store, "Where is my order XKBKNABJK?", sender=JAN_SIGNED_IN)
    store.clock.forward(minutes=5)
    begin(store, "It is me again", sender=Sender(JAN.email, "J", "K"))
    with shown_strictly(store, browser, home=HOME) as one:
        yield one


@pytest.mark.shows("2.1", "2.12")
@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_an_employee_begins_a_conversation_and_notes_a_call(shown: Shown, scripts: bool) -> None:
    """The customer is found by name; what is missing stands at its field and nothing is lost; the call leaves its thread open."""
    with shown.page("", scripts=scripts) as page:
        page.get_by_role("link", name="New message", exact=True).click()
        page.get_by_label("To", exact=True).fill("Kowalski")
        page.get_by_role("button", name="Find customer").last.click()
        expect(page.get_by_role("radio", name="Jan Kowalski")).to_be_checked()
        page.get_by_label("Message", exact=True).last.fill("Your guarantee ends soon.")
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_text("This field cannot be empty")).to_be_visible()
        page.get_by_label("Subject").fill("Your guarantee")
        if scripts:
            assert violations(page) == []
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_text("The message was successfully sent to the customer.")).to_be_visible()
        expect(page.locator(".cs-status-badge")).to_have_text("Closed")
        expect(page.locator(".cs-message").last).to_contain_text("Your guarantee ends soon.")
        page.goto(f"{shown.address}{HOME}new")
        page.get_by_text("Phone call", exact=True).click()
        page.get_by_label("Private note").fill("Ida asked for her parcel.")
        page.get_by_role("button", name="Add private note").click()
        expect(page.get_by_text("The phone call was noted.")).to_be_visible()
        expect(page.locator(".cs-status-badge")).to_have_text("Open")


@pytest.mark.shows("2.10", "2.11")
def test_spam_blocking_and_deletion_are_each_taken_back_by_one_click(shown: Shown) -> None:
    """On the thread and for a selection; whom nobody hears stands on a page of its own."""
    with shown.page("2/") as page:
        for deed, said, back in (
            ("Mark as spam", "This thread lies in spam.", "Not spam"),
            ("Block this sender", "This thread lies in spam: its sender is blocked.", "Unblock this sender"),
        ):
            page.get_by_label("More actions").click()
            page.get_by_role("button", name=deed, exact=True).click()
            expect(page.get_by_text(said, exact=True)).to_be_visible()
            page.get_by_role("button", name=back).first.click()
            expect(page.get_by_text(said, exact=True)).to_have_count(0)
        page.goto(f"{shown.address}{HOME}")
        page.locator(".cs-thread-check").first.check()
        page.locator(".cs-bulk > summary").click()
        page.get_by_role("button", name="Block these senders").click()
        expect(page.get_by_text("The senders were blocked.")).to_be_visible()
        page.goto(f"{shown.address}{HOME}blocked-senders")
        expect(page.get_by_text(JAN.email).first).to_be_visible()
        assert violations(page) == []
        page.get_by_role("button", name="Unblock").click()
        expect(page.get_by_text("Nobody is blocked.")).to_be_visible()
        page.goto(f"{shown.address}{HOME}1/")
        page.get_by_label("More actions").click()
        page.get_by_role("link", name="Delete").or_(page.get_by_role("button", name="Delete")).first.click()
        expect(page.get_by_text("Are you sure you want to delete the selected item(s)?")).to_be_visible()
        page.locator("#cs-delete").get_by_role("button", name="Delete").click()
        expect(page.get_by_text("Successful deletion.")).to_be_visible()
        assert thread_of(shown.store, 1).folder is Folder.BIN
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_text("1 thread is back in the list.")).to_be_visible()


@pytest.mark.shows("5.1", "5.2", "5.8")
def test_a_thread_tells_whose_it_is_and_what_happened(shown: Shown) -> None:
    """An order of the sender's own that they name is a link; an address that is only the same is linked by one click, and that is taken back."""
    with shown.page("1/") as page:
        expect(page.get_by_text("Named in the messages:")).to_be_visible()
        expect(page.locator(".cs-named-orders a")).to_have_attribute("href", "/orders/15")
        expect(page.get_by_text("Customer since: 14 Mar 2024")).to_be_visible()
        page.goto(f"{shown.address}{HOME}2/")
        expect(page.locator(".cs-side")).to_contain_text("same address as Jan Kowalski")
        expect(page.locator(".cs-named-orders")).to_have_count(0)
        page.get_by_role("button", name="Link to this customer").click()
        expect(page.get_by_text("Linked by an employee; nothing has proved who wrote.")).to_be_visible()
        expect(page.locator(".cs-timeline li").first).to_contain_text(re.compile("linked the thread to the customer .*Jan Kowalski"))
        page.locator(".cs-side").get_by_role("button", name="Undo").click()
        expect(page.get_by_role("button", name="Link to this customer")).to_be_visible()


@pytest.mark.shows("5.1")
def test_a_thread_is_handled_by_single_keys_unless_they_are_switched_off(shown: Shown) -> None:
    """Each key does what its list says, never while somebody types."""
    with shown.page("2/") as page:
        badge, keys = page.locator(".cs-status-badge"), page.get_by_role("dialog", name="Keys")
        for key, status in (("1", "Pending 1"), ("2", "Pending 2"), ("e", "Closed"), ("o", "Open")):
            page.keyboard.press(key)
            expect(badge).to_have_text(status)
        page.keyboard.press("j")
        expect(page.locator(".cs-message").last).to_be_focused()
        page.keyboard.press("a")
        expect(page.locator("#cs-assignee")).to_be_focused()
        page.locator("#cs-assignee").blur()
        page.keyboard.press("n")
        expect(page.locator("#cs-note")).to_be_focused()
        page.keyboard.type("e?")
        expect(page.locator("#cs-note")).to_have_value("e?")
        expect(badge).to_have_text("Open")
        page.locator("#cs-note").blur()
        page.keyboard.press("r")
        expect(page.locator("#cs-text")).to_be_focused()
        page.locator("#cs-text").blur()
        page.keyboard.press("?")
        expect(keys).to_be_visible()
        assert violations(page) == []
        keys.get_by_role("button", name="Switch keys off").click()
        expect(page.get_by_text("Keys are switched off.")).to_be_visible()
        page.keyboard.press("e")
        page.get_by_label("More actions").click()
        page.get_by_role("button", name="Keys").click()
        keys.get_by_role("button", name="Switch keys on").click()
        expect(page.get_by_text("Keys are switched on.")).to_be_visible()
        assert thread_of(shown.store, 2).status is Status.OPEN
        page.keyboard.press("g")
        expect(page.get_by_role("heading", name="Thread: #1")).to_be_visible()
        page.keyboard.press("/")
        expect(page).to_have_url(re.compile(r"/customer-service/(\?.*)?$"))
