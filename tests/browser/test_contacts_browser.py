"""Contacts and predefined messages in a browser: by mouse, by keyboard, on a phone, from right to left, with scripts and without."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from cs_plugin import Employee
from cs_plugin.desk.contacts import ContactDraft, save_contact
from cs_plugin.desk.predefined import PredefinedDraft, save_predefined
from cs_plugin.store.contacts import list_contacts
from cs_plugin.store.models import Contact, PredefinedMessage
from tests.browser.axe import violations
from tests.browser.shown import BOTH, Shown, shown_strictly
from tests.hosts.store import EVERYTHING, LAYLA, MARIE, make_store
from tests.hosts.writing import begin, do, look, thread_of
from tests.servers.browser import Browser, ColourScheme

CONTACTS, PREDEFINED = "/cs-admin/customer-service-contacts/", "/cs-admin/customer-service-predefined-messages/"
QUESTION = "Are you sure you want to delete the selected item(s)?"
EVERY_SHOP = frozenset({"1", "2", "3"})
RETURNS = ContactDraft(
    titles={"en": "Returns", "fr": "Retours", "ar": "المرتجعات"},
    descriptions={"en": "What you send back to us, and what becomes of it", "fr": "Ce que vous renvoyez", "ar": "ما تعيده إلينا"},
    signatures={"en": "The returns desk"},
    email="returns-and-refunds.department@stoneware-and-glass.example",
    save_messages=False,
    active=True,
    position=2,
    shop_ids=frozenset({"1", "2"}),
)
ON_ITS_WAY = PredefinedDraft(
    {"en": "On its way", "fr": "En route", "ar": "في الطريق"},
    {"en": "It is on its way. " * 20, "fr": "C'est en route.", "ar": "الطرد في الطريق."},
    position=0,
    active=True,
    shop_ids=EVERY_SHOP,
)


class ShownContacts(Shown):
    """The contacts of a store, in a browser."""

    def offered(self, shop_id: str = "1") -> list[str]:
        """Return the titles that customers choose from in a shop, in their order."""
        return look(self.store, lambda session: [one.title for one in list_contacts(session, [shop_id], "en", "en")])

    def contact(self, number: int) -> Contact:
        """Return a contact with its words and shops."""

        def whole(session: Any) -> Contact:
            found: Contact = session.get(Contact, number)
            assert found.texts is not None
            assert found.shops is not None
            return found

        return look(self.store, whole)


@pytest.fixture
def shown(tmp_path: Path, browser: Browser) -> Iterator[ShownContacts]:
    """A store with the contacts that it began with, "Returns" of Europe, an inactive one, and a predefined message. Nothing may complain."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path)
    store.answers.grants[LAYLA.id] = EVERYTHING

    resting = replace(RETURNS, titles={"en": "Éclairs & <b>Żurek</b>"}, email="", save_messages=True, active=False, position=3)
    for draft in (RETURNS, resting):
        do(store, lambda bench, draft=draft: save_contact(bench, store.actor(), None, draft))
    do(store, lambda bench: save_predefined(bench, store.actor(), None, ON_ITS_WAY))
    with shown_strictly(store, browser, ShownContacts) as one:
        yield one


def expect_titles(page: Page, *titles: str) -> None:
    """Expect these titles in the list, from top to bottom."""
    expect(page.locator("tbody .cs-contact-title > a")).to_have_text(list(titles))


def sideways(page: Page) -> int:
    """Return by how many pixels the page can be scrolled sideways."""
    overflow: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return overflow


def many(shown: ShownContacts, number: int) -> None:
    """Add contacts to the store."""

    def add(bench: Any) -> None:
        for one in range(number):
            title = {"en": f"Desk {one:02}"}
            save_contact(bench, shown.store.actor(), None, replace(RETURNS, titles=title, descriptions={}, position=10 + one))

    do(shown.store, add)


# --- The list


@pytest.mark.shows("7.1", "6.7")
@BOTH
def test_every_column_sorts_both_ways(shown: ShownContacts, scripts: bool) -> None:
    """By its heading, which says so; the way back to the order of customers stands above the list."""
    with shown.page(CONTACTS, scripts=scripts) as page:
        expect_titles(page, "Webmaster", "Customer service", "Returns", "Éclairs & <b>Żurek</b>")
        title = page.get_by_role("columnheader", name="Title")
        title.get_by_role("link").click()
        expect(title).to_have_attribute("aria-sort", "ascending")
        expect_titles(page, "Customer service", "Returns", "Webmaster", "Éclairs & <b>Żurek</b>")
        title.get_by_role("link").click()
        expect(title).to_have_attribute("aria-sort", "descending")
        expect(page.locator("tbody .cs-contact-title > a").first).to_have_text("Éclairs & <b>Żurek</b>")
        page.get_by_role("columnheader", name="Email address").get_by_role("link").click()
        expect(page).to_have_url(re.compile(r"\?shop=all&sort=email$"))
        page.get_by_role("link", name="Sort by position").click()
        expect(page.locator("tbody .cs-contact-title > a").first).to_have_text("Webmaster")


@pytest.mark.shows("7.1", "6.8")
def test_search_sleeps_until_a_field_is_filled_and_again_after_a_search(shown: ShownContacts) -> None:
    """In any case, also of letters with accents; "Reset" clears the fields and keeps the sort."""
    with shown.page(f"{CONTACTS}?sort=-id") as page:
        search, title = page.get_by_role("button", name="Search", exact=True), page.get_by_label("Search: Title")
        expect(search).to_be_disabled()
        title.fill("ÉCLAIRS & <B>żUREK")
        expect(search).to_be_enabled()
        title.press("Enter")
        expect(page).to_have_url(re.compile(r"sort=-id&title="))
        expect_titles(page, "Éclairs & <b>Żurek</b>")
        expect(search).to_be_disabled()
        page.get_by_label("Search: ID").fill("1")
        search.click()
        expect(page.get_by_text("No records found")).to_be_visible()
        page.get_by_role("link", name="Reset").click()
        expect(page).to_have_url(re.compile(r"\?shop=all&sort=-id$"))
        expect(page.get_by_label("Search: Title")).to_have_value("")


@pytest.mark.shows("7.1", "6.8")
def test_without_scripts_one_searches_too(shown: ShownContacts) -> None:
    """Both buttons are simply there."""
    with shown.page(CONTACTS, scripts=False) as page:
        page.get_by_label("Search: Description").fill("SEND BACK")
        page.get_by_role("button", name="Search", exact=True).click()
        expect_titles(page, "Returns", "Éclairs & <b>Żurek</b>")
        page.get_by_role("link", name="Reset").click()
        expect(page.locator("tbody tr")).to_have_count(4)


@pytest.mark.shows("7.1", "6.9")
@BOTH
def test_pages_begin_past_twenty_and_their_size_is_remembered(shown: ShownContacts, scripts: bool) -> None:
    """Search, sort and page survive the way into a contact and back; the size is this employee's from then on."""
    many(shown, 25)
    with shown.page(f"{CONTACTS}?sort=-title", scripts=scripts) as page:
        page.get_by_label("Search: Title").fill("desk")
        page.get_by_role("button", name="Search", exact=True).click()
        expect(page.locator("tbody .cs-contact-title > a").first).to_have_text("Desk 24")
        page.get_by_role("link", name="Next").click()
        expect(page.locator("tbody .cs-contact-title > a")).to_have_text([f"Desk {one:02}" for one in (4, 3, 2, 1, 0)])
        address = page.url
        page.get_by_role("link", name="Desk 03", exact=True).click()
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("Successful update.")).to_be_visible()
        assert page.url == address
        page.get_by_label("per page").select_option("50")
        if not scripts:
            page.get_by_role("button", name="Show").click()
        expect(page.locator("tbody tr")).to_have_count(25)
    with shown.page(CONTACTS, scripts=scripts) as page:
        expect(page.locator("tbody tr")).to_have_count(29)


@pytest.mark.shows("7.1", "7.2", "6.10")
@BOTH
def test_a_contact_is_deleted_after_the_question(shown: ShownContacts, scripts: bool) -> None:
    """A dialog with scripts, a page without; Cancel changes nothing; the threads stay without a type."""
    thread_id = begin(shown.store)
    with shown.page(CONTACTS, scripts=scripts) as page:
        for answer in ("Cancel", "Delete"):
            page.get_by_label("Delete Customer service").click()
            expect(page.get_by_text(QUESTION).locator("visible=true")).to_have_count(1)
            expect(page.get_by_text("Its threads stay; they are shown without a type.").locator("visible=true")).to_have_count(1)
            page.get_by_role("button", name=answer, exact=True).or_(page.get_by_role("link", name=answer, exact=True)).locator("visible=true").click()
            expect(page.locator("tbody tr")).to_have_count(4 if answer == "Cancel" else 3)
        expect(page.get_by_text("Successful deletion.")).to_be_visible()
    assert thread_of(shown.store, thread_id).contact_id is None


@pytest.mark.shows("7.1", "6.11")
@BOTH
def test_a_selection_is_deleted_after_the_question(shown: ShownContacts, scripts: bool) -> None:
    """With scripts "Bulk actions" waits for a selection, and the dialog's cross leads back."""
    with shown.page(CONTACTS, scripts=scripts) as page:
        bulk = page.get_by_role("button", name="Bulk actions")
        if scripts:
            expect(bulk).to_be_disabled()
            page.goto(f"{page.url}?title=nothing+like+this")
            expect(page.get_by_text("No records found")).to_be_visible()
            expect(bulk).to_be_disabled()
            page.go_back()
            page.get_by_role("checkbox", name="Select all of this page").check()
            expect(page.locator("[data-select]:checked")).to_have_count(4)
            page.get_by_role("checkbox", name="Select all of this page").uncheck()
            expect(bulk).to_be_disabled()
        page.get_by_label("Select Returns").check()
        page.get_by_label("Select Webmaster").check()
        bulk.click()
        page.get_by_role("button", name="Delete selection").click()
        if scripts:
            dialog = page.get_by_role("dialog", name="Delete selection")
            expect(dialog.get_by_role("listitem")).to_have_text([re.compile("Webmaster"), re.compile("Returns")])
            dialog.get_by_role("button", name="Close").click()
            bulk.click()
            page.get_by_role("button", name="Delete selection").click()
        expect(page.get_by_text(QUESTION).locator("visible=true")).to_have_count(1)
        page.get_by_role("button", name="Delete", exact=True).locator("visible=true").click()
        expect(page.get_by_text("The selection has been successfully deleted.")).to_be_visible()
        expect_titles(page, "Customer service", "Éclairs & <b>Żurek</b>")


@pytest.mark.shows("7.1")
@BOTH
def test_the_order_is_changed_in_the_list(shown: ShownContacts, scripts: bool) -> None:
    """A button moves a contact past its neighbour, and customers choose in that order; the ends stay ends."""
    with shown.page(CONTACTS, scripts=scripts) as page:
        expect(page.get_by_role("button", name="Move Webmaster up")).to_be_disabled()
        page.get_by_role("button", name="Move Webmaster down").click()
        expect(page.get_by_text("Successful update.")).to_be_visible()
        page.get_by_role("button", name="Move Returns up").click()
        expect(page.locator("tbody .cs-contact-title > a").nth(1)).to_have_text("Returns")
        page.get_by_role("columnheader", name="ID").get_by_role("link").click()
        expect(page.get_by_role("button", name="Move Returns up")).to_have_count(0)
    assert shown.offered() == ["Customer service", "Returns", "Webmaster"]


# --- The form


@pytest.mark.shows("7.1")
@BOTH
def test_a_contact_is_made(shown: ShownContacts, scripts: bool) -> None:
    """In every language, for the shops of the context; it saves nothing unless it is told to."""
    with shown.page(f"{CONTACTS}?shop=group-1", scripts=scripts) as page:
        page.get_by_role("link", name="Add new contact").click()
        expect(page.get_by_text("Emails will be sent to this address.")).to_be_visible()
        expect(page.get_by_role("switch", name="Save messages?")).not_to_be_checked()
        expect(page.get_by_role("switch", name="Active")).to_be_checked()
        expect(page.get_by_label("Position")).to_have_value("4")
        expect(page.locator("[name=shops]:checked")).to_have_count(2)
        page.get_by_label("Title (English)").fill("Orders")
        page.get_by_label("Signature (English)").fill("Your order desk")
        (page.get_by_role("tab", name="Français") if scripts else page.locator("summary", has_text="Français")).click()
        page.get_by_label("Title (Français)").fill("Commandes")
        page.get_by_label("Email address").fill("orders@example.com")
        page.get_by_role("switch", name="Save messages?").check()
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("Successful creation.")).to_be_visible()
    made = shown.contact(5)
    assert {(one.language, one.title, one.signature) for one in made.texts} == {("en", "Orders", "Your order desk"), ("fr", "Commandes", "")}
    assert (made.email, made.save_messages, {one.shop_id for one in made.shops}) == ("orders@example.com", True, {"1", "2"})


@pytest.mark.shows("7.1")
def test_the_languages_are_tabs(shown: ShownContacts) -> None:
    """One stop of the Tab key, arrows go round, Home and End to the ends; a mark shows which one is empty, also as one types."""
    with shown.page(f"{CONTACTS}4/") as page:
        english, french, arabic = (page.get_by_role("tab", name=name) for name in ("English", "Français", "العربية"))
        expect(english).to_have_attribute("aria-selected", "true")
        expect(french).to_contain_text("empty")
        expect(page.get_by_role("tabpanel", name="English")).to_be_visible()
        expect(page.get_by_label("Title (Français)")).to_be_hidden()
        english.focus()
        for key, chosen in (("ArrowRight", french), ("End", arabic), ("ArrowRight", english), ("ArrowLeft", arabic), ("Home", english)):
            page.keyboard.press(key)
            expect(chosen).to_be_focused()
            expect(chosen).to_have_attribute("aria-selected", "true")
        page.keyboard.press("Tab")
        expect(page.get_by_label("Title (English)")).to_be_focused()
        french.click()
        page.get_by_label("Title (Français)").fill("Éclairs")
        expect(french.get_by_text("empty")).to_be_hidden()


@pytest.mark.shows("7.1", "8.4")
@BOTH
def test_what_is_wrong_is_told_by_field_and_language_and_leads_there(shown: ShownContacts, scripts: bool) -> None:
    """At the top a link for each, at the field the sentence; nothing of what was typed is lost."""
    with shown.page(f"{CONTACTS}3/?shop=all", scripts=scripts) as page:
        page.get_by_label("Title (English)").fill("")
        (page.get_by_role("tab", name="Français") if scripts else page.locator("summary", has_text="Français")).click()
        page.get_by_label("Title (Français)").fill("x" * 256)
        page.get_by_label("Email address").fill("nobody")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("alert").get_by_role("link")).to_have_text(
            [
                "Title (English): The field title is required at least in your default language.",
                "Title (Français): This field cannot be longer than 255 characters",
                "Email address: Invalid email address.",
            ]
        )
        page.get_by_role("link", name="Title (Français)").click()
        field = page.get_by_label("Title (Français)")
        expect(field).to_be_visible()
        expect(field).to_have_value("x" * 256)
        if scripts:
            expect(field).to_be_focused()
            expect(page.get_by_role("tab", name="Français")).to_contain_text("wrong")
            assert violations(page) == []


@pytest.mark.shows("7.1")
@BOTH
def test_shops_are_chosen_in_a_tree(shown: ShownContacts, scripts: bool) -> None:
    """With scripts the box of a group checks its shops and shows what they are; without, only shops are checked."""
    with shown.page(f"{CONTACTS}3/?shop=all", scripts=scripts) as page:
        paris, berlin, dubai = (page.get_by_role("checkbox", name=name, exact=True) for name in ("Paris", "Berlin", "Dubai"))
        europe = page.get_by_role("checkbox", name="Group: Europe")
        if scripts:
            expect(europe).to_be_checked()
            berlin.uncheck()
            assert europe.evaluate("box => box.indeterminate")
            europe.check()
            expect(berlin).to_be_checked()
            europe.uncheck()
        else:
            expect(europe).to_have_count(0)
            paris.uncheck()
            berlin.uncheck()
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("alert")).to_contain_text("You have to select at least one shop to associate this item with")
        dubai.check()
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("Successful update.")).to_be_visible()
    assert {one.shop_id for one in shown.contact(3).shops} == {"3"}


@pytest.mark.shows("7.3")
@BOTH
def test_a_predefined_message_is_made_moved_and_deleted(shown: ShownContacts, scripts: bool) -> None:
    """On the same kind of pages."""
    with shown.page(PREDEFINED, scripts=scripts) as page:
        page.get_by_role("link", name="Add new predefined message").click()
        page.get_by_label("Name (English)").fill("How to return")
        page.get_by_label("Message (English)").fill("Print the label.")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("Successful creation.")).to_be_visible()
        page.get_by_role("button", name="Move How to return up").click()
        expect(page.locator("tbody .cs-predefined-name > a")).to_have_text(["How to return", "On its way"])
        page.get_by_label("Delete On its way").click()
        page.get_by_role("button", name="Delete", exact=True).locator("visible=true").click()
        expect(page.get_by_text("Successful deletion.")).to_be_visible()
    assert look(shown.store, lambda session: session.scalars(select(PredefinedMessage.id)).all()) == [2]


# --- How it looks and reads


@pytest.mark.shows("7.1", "7.3", "9.2")
@pytest.mark.parametrize(
    ("width", "scheme", "employee"),
    [(1440, "light", MARIE), (1280, "dark", MARIE), (390, "light", MARIE), (360, "dark", MARIE), (1280, "light", LAYLA), (360, "light", LAYLA)],
)
def test_the_pages_fit_and_can_be_used_by_everybody(shown: ShownContacts, width: int, scheme: ColourScheme, employee: Employee) -> None:
    """Nothing sticks out sideways and axe finds nothing: wide and on a phone, light and dark, also from right to left."""
    with shown.page(CONTACTS, employee=employee, viewport=(width, 800), colour_scheme=scheme) as page:
        for path in (CONTACTS, f"{CONTACTS}?title=nothing", f"{CONTACTS}3/", f"{CONTACTS}3/delete/", PREDEFINED, f"{PREDEFINED}1/"):
            page.goto(shown.address + path)
            assert (path, violations(page), sideways(page)) == (path, [], 0)


@pytest.mark.shows("8.7")
def test_switching_the_context_asks_before_what_was_typed_is_lost(shown: ShownContacts) -> None:
    """ "Cancel" stays with every word; whoever switches anyway comes to the list of that context."""
    with shown.page(f"{CONTACTS}3/?shop=all") as page:
        page.get_by_label("Title (English)").fill("Half a word")
        page.locator(".cs-context > summary").click()
        page.locator('[data-context="shop-2"]').click()
        dialog = page.get_by_role("dialog", name="Switch context?")
        dialog.get_by_role("button", name="Cancel").click()
        expect(page.get_by_label("Title (English)")).to_have_value("Half a word")
        page.locator(".cs-context > summary").click()
        page.locator('[data-context="shop-2"]').click()
        dialog.get_by_role("button", name="Switch context anyway").click()
        expect(page).to_have_url(re.compile(r"customer-service-contacts/\?shop=shop-2$"))


@pytest.mark.shows("6.8", "6.9")
def test_on_a_phone_cards_are_sorted_and_the_search_unfolds(shown: ShownContacts) -> None:
    """By "Sort by", and by the button "Search fields"."""
    with shown.page(CONTACTS, viewport=(390, 800)) as page:
        page.get_by_label("Sort by").select_option("-title")
        expect(page).to_have_url(re.compile("sort=-title"))
        expect(page.locator("tbody .cs-contact-title > a").first).to_have_text("Éclairs & <b>Żurek</b>")
        field = page.get_by_label("Search: Title")
        expect(field).to_be_hidden()
        page.get_by_role("button", name="Search fields").click()
        field.fill("web")
        page.get_by_role("button", name="Search", exact=True).click()
        expect(page.locator("tbody .cs-contact-title > a")).to_have_text(["Webmaster"])
        expect(field).to_be_visible()


@pytest.mark.shows("7.2")
def test_the_dialogs_can_be_used_by_everybody(shown: ShownContacts) -> None:
    """They are named, tell what becomes of what is deleted, and Escape closes them."""
    with shown.page(f"{CONTACTS}?shop=shop-2") as page:
        page.get_by_label("Delete Webmaster").click()
        dialog = page.get_by_role("dialog", name="Webmaster")
        expect(dialog.get_by_text("It stays in: Paris, Dubai.")).to_be_visible()
        assert violations(page) == []
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        page.get_by_role("checkbox", name="Select all of this page").check()
        page.get_by_role("button", name="Bulk actions").click()
        page.get_by_role("button", name="Delete selection").click()
        expect(page.get_by_role("dialog", name="Delete selection")).to_be_visible()
        assert violations(page) == []
