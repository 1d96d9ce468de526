"""Forwarding in a browser: from the menu and from the side, with scripts and without, on a phone, from right to left; and the mails of a contact."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.axe import violations
from tests.browser.test_thread_page_browser import conversation, looking
from tests.hosts.store import JOHN, LAYLA, Store
from tests.servers.browser import Browser
from tests.test_letters import change, sent

__all__ = ["conversation"]

SUPPLIER = "eva@supplier.example"


@pytest.mark.shows("5.6")
def test_a_discussion_is_forwarded_from_the_menu(store: Store, browser: Browser, conversation: int) -> None:
    """The menu opens the form at its first field; the address is asked for somebody else only; what is written in the answer box stays."""
    with looking(store, browser, viewport=(1280, 900)) as shown:
        page = shown.open(conversation)
        page.fill("#cs-text", "Half an answer")
        page.get_by_role("button", name="More actions").click()
        page.get_by_role("link", name="Forward this discussion to another employee").click()
        expect(page.locator("#cs-forward-to")).to_be_focused()
        expect(page.locator("#cs-forward-address")).to_be_hidden()
        assert violations(page) == []
        page.select_option("#cs-forward-to", label="Someone else")
        expect(page.locator("#cs-forward-address")).to_be_visible()
        page.fill("#cs-forward-address", "eva")
        page.fill("#cs-forward-comment", "Please look.")
        page.get_by_role("button", name="Forward", exact=True).click()
        expect(page.locator("#cs-forward-address-error")).to_have_text("The email address is invalid.")
        expect(page.locator("#cs-forward-address")).to_be_focused()
        expect(page.locator("#cs-forward-comment")).to_have_value("Please look.")
        assert violations(page) == []
        page.fill("#cs-forward-address", SUPPLIER)
        page.keyboard.press("Enter")
        expect(page.get_by_text("The discussion was forwarded.")).to_be_visible()
        expect(page.locator("#cs-forward-comment")).to_be_hidden()
        expect(page.locator(".cs-note").last).to_contain_text(f"Message forwarded to {SUPPLIER}")
        expect(page.locator("#cs-text")).to_have_value("Half an answer")
        assert shown.faults == []
    assert [mail.recipients for mail in sent(store)][-1] == (SUPPLIER,)


@pytest.mark.shows("5.6")
def test_what_is_being_forwarded_outlives_other_changes(store: Store, browser: Browser, conversation: int) -> None:
    """A status that is set beside it loses neither the choice nor the comment."""
    with looking(store, browser, viewport=(1280, 900)) as shown:
        page = shown.open(conversation)
        page.locator("#cs-forward > summary").click()
        page.select_option("#cs-forward-to", label="J. Doe")
        page.fill("#cs-forward-comment", "Please look.")
        page.select_option("#cs-status", "pending1")
        expect(page.get_by_text("Update successful")).to_be_visible()
        expect(page.locator("#cs-forward-comment")).to_have_value("Please look.")
        page.get_by_role("button", name="Forward", exact=True).click()
        expect(page.get_by_text("The discussion was forwarded.")).to_be_visible()
        expect(page.locator("#cs-assignee")).to_have_value(JOHN.id)
        assert shown.faults == []


@pytest.mark.shows("5.6")
def test_a_discussion_is_forwarded_without_scripts_on_a_phone(store: Store, browser: Browser, conversation: int) -> None:
    """The fold opens by itself, and the page says that it was done."""
    with looking(store, browser, viewport=(390, 800), javascript=False) as shown:
        page = shown.open(conversation)
        page.locator("#cs-forward > summary").click()
        page.select_option("#cs-forward-to", label="Someone else")
        page.fill("#cs-forward-address", SUPPLIER)
        page.get_by_role("button", name="Forward", exact=True).click()
        expect(page.get_by_text("The discussion was forwarded.")).to_be_visible()
        assert shown.faults == []


def test_the_form_fits_and_reads_from_right_to_left(store: Store, browser: Browser, conversation: int) -> None:
    """In Arabic on a phone in the dark: nothing sticks out, axe finds nothing."""
    store.answers.grants[LAYLA.id] = {"view": ["1"], "reply": ["1"]}
    with looking(store, browser, employee=LAYLA, viewport=(390, 800), colour_scheme="dark") as shown:
        page = shown.open(conversation)
        page.locator("#cs-forward > summary").click()
        page.select_option("#cs-forward-to", "else")
        expect(page.locator("#cs-forward-address")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert violations(page) == []
        assert shown.faults == []


@pytest.mark.shows("11.4")
def test_the_mails_of_a_contact_are_switched_on_its_form(store: Store, browser: Browser, conversation: int) -> None:
    """Folded, a sentence each; what was switched off stays so, and a form without the boxes changes none. Mails are not confirmed at first."""
    with looking(store, browser, viewport=(1280, 900)) as shown:
        page = shown.page
        page.goto(f"{shown.address}/cs-admin/customer-service-contacts/2/")
        expect(page.get_by_label("Answer", exact=True)).to_be_hidden()
        page.get_by_text("1 switched off").click()
        expect(page.get_by_label("Confirmation of a mail")).not_to_be_checked()
        page.get_by_label("Answer", exact=True).uncheck()
        assert violations(page) == []
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("Successful update.")).to_be_visible()
        page.goto(f"{shown.address}/cs-admin/customer-service-contacts/2/")
        expect(page.get_by_text("2 switched off")).to_be_visible()
        shown.open(conversation)
        expect(page.get_by_text("No mail goes out: answers are switched off for this contact.")).to_be_visible()
        page.fill("#cs-text", "It is here.")
        page.get_by_role("button", name="Reply and close").click()
        expect(page.get_by_text("The message was saved. No mail goes out for this contact.")).to_be_visible()
        expect(page.get_by_text("Not mailed: this mail is switched off for the contact.")).to_be_visible()
        assert violations(page) == []
        assert shown.faults == []
    change(store, mails={})
