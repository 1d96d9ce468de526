"""Failed mails and predefined messages in a browser: by mouse, on a phone, from right to left, with scripts and without."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from cs_plugin import Employee
from cs_plugin.desk.predefined import PredefinedDraft, save_predefined
from cs_plugin.store.models import OutboxItem, OutboxState, PredefinedMessage
from tests.browser.axe import violations
from tests.browser.shown import BOTH, Shown, shown_strictly
from tests.hosts.store import EVERYTHING, LAYLA, MARIE, make_store
from tests.hosts.writing import do, look
from tests.servers.browser import Browser, ColourScheme
from tests.test_failed_mails import answered, failed

FAILED, PREDEFINED = "/cs-admin/customer-service-failed-mails/", "/cs-admin/customer-service-predefined-messages/"
LONG_WORDS = "My blue jug arrived broken, in three pieces, though the box was whole. " * 6
EVERY_SHOP = frozenset({"1", "2", "3"})
DRAFTS = (
    PredefinedDraft(
        {"en": "On its way", "fr": "En route", "ar": "في الطريق"},
        {"en": "It is on its way. " * 20, "fr": "C'est en route.", "ar": "الطرد في الطريق."},
        position=0,
        active=True,
        shop_ids=EVERY_SHOP,
    ),
    PredefinedDraft(
        {"en": "Returns: how to send something back to us, free of charge"},
        {"en": "Print the label and bring the parcel to any post office."},
        position=1,
        active=False,
        shop_ids=EVERY_SHOP,
    ),
)


class ShownMails(Shown):
    """The failed mails and predefined messages of a store, in a browser."""

    def failed(self) -> set[int]:
        """Return the mails that have failed."""
        return look(self.store, lambda session: set(session.scalars(select(OutboxItem.id).where(OutboxItem.state == OutboxState.FAILED))))


@pytest.fixture
def shown(tmp_path: Path, browser: Browser) -> Iterator[ShownMails]:
    """A store in which an answer and three passed-on messages have failed, with two predefined messages. Nothing may complain."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path)
    store.answers.grants[LAYLA.id] = EVERYTHING

    answered(store)
    failed(store, subject="A question about the blue jug with a long subject that does not fit into its column", text=LONG_WORDS)
    failed(store, 2, shop_id="3", subject="سؤال عن الفستان", language="ar")
    for draft in DRAFTS:
        do(store, lambda bench, draft=draft: save_predefined(bench, store.actor(), None, draft))
    with shown_strictly(store, browser, ShownMails) as one:
        yield one


@pytest.mark.shows("11.1")
@BOTH
def test_a_failed_mail_is_read_and_tried_again(shown: ShownMails, scripts: bool) -> None:
    """From the list to the mail, and from there into the queue; with scripts and without."""
    with shown.page(FAILED, scripts=scripts) as page:
        page.get_by_role("link", name="A question about the blue jug").click()
        expect(page.get_by_text("My blue jug arrived broken")).to_be_visible()
        page.get_by_role("button", name="Retry").click()
        expect(page.get_by_role("status").get_by_text("1 mail will be tried again.")).to_be_visible()
        expect(page.get_by_role("row")).to_have_count(4)
    assert len(shown.failed()) == 3


@pytest.mark.shows("11.1")
@BOTH
def test_selected_mails_are_given_up_after_a_question(shown: ShownMails, scripts: bool) -> None:
    """With scripts the buttons wait for a selection; the question names what goes for good, and "Cancel" leads back."""
    with shown.page(FAILED, scripts=scripts) as page:
        discard = page.get_by_role("button", name="Discard selection")
        if scripts:
            expect(discard).to_be_disabled()
            page.get_by_role("checkbox", name="Select all of this page").check()
            expect(page.locator("[data-select]:checked")).to_have_count(4)
            page.get_by_role("checkbox", name="Select all of this page").uncheck()
            expect(discard).to_be_disabled()
        for box in page.locator("[data-select]").all()[:2]:
            box.check()
        discard.click()
        expect(page.get_by_role("heading", name="Discard 2 mails?")).to_be_visible()
        page.get_by_role("button", name="Discard").click()
        expect(page.get_by_text("2 mails were discarded.")).to_be_visible()
    assert len(shown.failed()) == 2


@pytest.mark.shows("7.3")
@BOTH
def test_a_predefined_message_is_written_found_and_deleted(shown: ShownMails, scripts: bool) -> None:
    """By label and button alone; an error stands at its field, and what was typed is still there."""
    with shown.page(PREDEFINED, scripts=scripts) as page:
        page.get_by_role("link", name="Add new predefined message").click()
        page.get_by_label("Message (English)").fill("We have refunded the parcel.")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("The field name is required at least in your default language.", exact=True)).to_be_visible()
        expect(page.get_by_label("Name (English)")).to_have_accessible_description("The field name is required at least in your default language.")
        page.get_by_label("Name (English)").fill("Refunded")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("Successful creation.")).to_be_visible()
        search = page.get_by_role("button", name="Search", exact=True)
        if scripts:
            expect(search).to_be_disabled()
        page.get_by_label("Search: Name").fill("refund")
        search.click()
        expect(page.get_by_role("link", name="Refunded", exact=True)).to_be_visible()
        expect(page.get_by_role("link", name="On its way", exact=True)).to_have_count(0)
        page.get_by_role("checkbox", name="Select Refunded").check()
        page.get_by_role("button", name="Bulk actions").click()
        page.get_by_role("button", name="Delete selection").click()
        page.get_by_role("button", name="Delete", exact=True).locator("visible=true").click()
        expect(page.get_by_text("The selection has been successfully deleted.")).to_be_visible()
        page.get_by_role("link", name="Reset").click()
        expect(page.get_by_role("link", name="On its way", exact=True)).to_be_visible()
    assert look(shown.store, lambda session: len(session.scalars(select(PredefinedMessage)).all())) == 2


def addresses(shown: ShownMails) -> list[str]:
    """Return the address of each page, those of a mail for the one with the longest words."""
    mail = f"{FAILED}{min(shown.failed()) + 1}/"
    return [FAILED, mail, f"{mail}discard/", PREDEFINED, f"{PREDEFINED}1/", f"{PREDEFINED}1/delete/", f"{PREDEFINED}?name=nothing"]


@pytest.mark.parametrize(
    ("employee", "width", "scheme"),
    [(MARIE, 1280, "light"), (LAYLA, 1280, "dark"), (LAYLA, 360, "light"), (MARIE, 360, "dark")],
    ids=["wide", "wide, dark, from right to left", "phone, from right to left", "phone, dark"],
)
def test_axe_finds_nothing_and_nothing_runs_over(shown: ShownMails, employee: Employee, width: int, scheme: ColourScheme) -> None:
    """No violation, and no page wider than its window."""
    with shown.page(FAILED, employee=employee, viewport=(width, 900), colour_scheme=scheme) as page:
        for path in addresses(shown):
            page.goto(shown.address + path)
            assert violations(page) == [], path
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
