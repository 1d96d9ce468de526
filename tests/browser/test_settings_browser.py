"""Contacts, options, shops, languages and permissions in a browser, as one sentence of docs/behaviour.md after the other says it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect
from sqlalchemy import select

from cs_plugin.rules.shops import ALL_SHOPS, Breadth, Context, Shop
from cs_plugin.store.models import OutboxItem
from cs_plugin.store.options import set_option
from tests.browser.shown import BOTH, Shown, shown_strictly
from tests.hosts.store import JAN, JOHN, make_store
from tests.hosts.writing import begin, do, look
from tests.servers.browser import Browser

DESK, CONTACTS = "/cs-admin/customer-service/", "/cs-admin/customer-service-contacts/"
PREDEFINED, OPTIONS = "/cs-admin/customer-service-predefined-messages/", "/cs-admin/customer-service-options/"
IN_DUBAI = Context(Breadth.SHOP, "3")
SAVED = "The settings have been successfully updated."
INCOMPLETE = "IMAP configuration is not correct"
FLAG = "IMAP options (/{})"

# Section 8.2 as it was asked for, word for word: label and tooltip.
ASKED_FOR = (
    ("IMAP URL", "URL for your IMAP server (ie.: mail.server.com)."),
    ("IMAP port", "Port to use to connect to your IMAP server."),
    ("IMAP user", "User to use to connect to your IMAP server."),
    ("IMAP password", "Password to use to connect to your IMAP server."),
    ("Delete messages", "Delete messages after synchronization. If you do not enable this option, the synchronization will take more time."),
    ("Create new threads", "Create new threads for unrecognized emails."),
    ("IMAP options (/pop3)", "Use POP3 instead of IMAP."),
    ("IMAP options (/norsh)", "Do not use RSH or SSH to establish a preauthenticated IMAP sessions."),
    ("IMAP options (/ssl)", "Use the Secure Socket Layer (TLS/SSL) to encrypt the session."),
    ("IMAP options (/validate-cert)", "Validate certificates from the TLS/SSL server."),
    (
        "IMAP options (/novalidate-cert)",
        "Do not validate certificates from the TLS/SSL server. This is only needed if a server uses self-signed certificates.",
    ),
    ("IMAP options (/tls)", "Force use of start-TLS to encrypt the session, and reject connection to servers that do not support it."),
    ("IMAP options (/notls)", "Do not use start-TLS to encrypt the session, even with servers that support it."),
)


@pytest.fixture
def shown(tmp_path: Path, browser: Browser) -> Iterator[Shown]:
    """A store as it is on its first day."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path)
    with shown_strictly(store, browser, headers={"X-Customer": JAN.id}) as one:
        yield one


def put(shown: Shown, context: Context = ALL_SHOPS, language: str = "", **options: Any) -> None:
    """Set options without the page."""

    def work(bench: Any) -> None:
        for name, value in options.items():
            set_option(bench.session, name, value, bench.now, context=context, language=language)

    do(shown.store, work)


def go(page: Page, shown: Shown, path: str) -> int:
    """Go to a page, and return the status of its answer."""
    answer = page.goto(shown.address + path)
    assert answer is not None
    return answer.status


def switch(page: Page, flag: str) -> Locator:
    """Return the switch of a flag."""
    return page.get_by_role("switch", name=FLAG.format(flag), exact=True)


def save(page: Page) -> None:
    """Press "Save"."""
    page.get_by_role("button", name="Save", exact=True).click()


# --- 7 Contacts


@pytest.mark.shows("7.2", "7.1")
def test_a_new_desk_has_two_contacts_that_save_messages(shown: Shown) -> None:
    """The list has the five columns that were asked for, and the two contacts with their descriptions."""
    with shown.page(CONTACTS) as page:
        heads = page.get_by_role("columnheader")
        for name in ("ID", "Title", "Email address", "Description", "Actions"):
            expect(heads.filter(has_text=re.compile(rf"^\s*{name}\s*$"))).to_have_count(1)
        expect(page.get_by_role("row", name="Webmaster")).to_contain_text("If a technical problem occurs on this website")
        expect(page.get_by_role("row", name="Customer service")).to_contain_text("For any question about a product, an order")
        for title in ("Webmaster", "Customer service"):
            page.get_by_role("link", name=title, exact=True).click()
            expect(page.get_by_role("switch", name="Save messages?")).to_be_checked()
            page.goto(shown.address + CONTACTS)


@pytest.mark.shows("7.2")
@BOTH
def test_a_contact_is_taken_out_of_the_context_and_deleted_with_its_last_shop(shown: Shown, scripts: bool) -> None:
    """Deleted in Dubai it is there in Europe; deleted in Europe too it is gone, and stays so."""
    with shown.page(f"{CONTACTS}?shop=shop-3", scripts=scripts) as page:
        for context, there in (("shop-3", "group-1"), ("group-1", "")):
            page.goto(f"{shown.address}{CONTACTS}?shop={context}")
            page.get_by_label("Delete Webmaster").click()
            page.get_by_role("button", name="Delete", exact=True).locator("visible=true").click()
            expect(page.get_by_text("Successful deletion.")).to_be_visible()
            expect(page.get_by_role("link", name="Webmaster", exact=True)).to_have_count(0)
            if there:
                page.goto(f"{shown.address}{CONTACTS}?shop={there}")
                expect(page.get_by_role("link", name="Webmaster", exact=True)).to_be_visible()
        page.goto(f"{shown.address}{CONTACTS}?shop=all")
        expect(page.get_by_role("link", name="Webmaster", exact=True)).to_have_count(0)


@pytest.mark.shows("7.1", "3.4")
@BOTH
def test_a_contact_that_saves_nothing_needs_an_address_to_mail_to(shown: Shown, scripts: bool) -> None:
    """Said at the field, and nothing that was typed is lost."""
    with shown.page(f"{CONTACTS}?shop=all", scripts=scripts) as page:
        page.get_by_role("link", name="Add new contact").click()
        page.wait_for_load_state()   # the languages become tabs as the page loads, and a field that is moved loses the cursor
        page.get_by_label("Title (English)").fill("Press")
        save(page)
        field = page.get_by_label("Email address")
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(page.get_by_label("Title (English)")).to_have_value("Press")
        field.fill("press@example.com")
        save(page)
        expect(page.get_by_text("Successful creation.")).to_be_visible()


# --- 8 Options


@pytest.mark.shows("8.1", "8.2")
def test_every_label_and_tooltip_is_the_one_that_was_asked_for(shown: Shown) -> None:
    """Found by its label, told by its tooltip; all switches of the mailbox start off, and uploading is on."""
    with shown.page(f"{OPTIONS}?shop=all") as page:
        for label, tooltip in ASKED_FOR:
            field = page.get_by_label(label, exact=True)
            expect(field).to_have_accessible_description(re.compile(rf"^{re.escape(tooltip)}"))
            page.get_by_role("button", name=f"Help: {label}", exact=True).focus()
            expect(page.get_by_role("tooltip").filter(has_text=tooltip).locator("visible=true").first).to_be_visible()
            if field.get_attribute("role") == "switch":
                expect(field).not_to_be_checked()
        uploading = page.get_by_role("switch", name="Allow file uploading")
        expect(uploading).to_be_checked()
        expect(uploading).to_have_accessible_description("Allow customers to upload files using the contact page.")
        english = page.get_by_label("Default message English")
        expect(english).to_have_value("Dear Customer,\n\nRegards,\nCustomer service")
        expect(english).to_have_accessible_description(
            "Please fill out the message fields that appear by default when you answer a thread on the customer service page"
        )


@pytest.mark.shows("8.3")
@BOTH
def test_flags_that_contradict_each_other_are_refused_at_both_of_their_fields(shown: Shown, scripts: bool) -> None:
    """Each pair; nothing is saved, and both switches stay on to be put right. /norsh says that it has no effect."""
    with shown.page(f"{OPTIONS}?shop=all", scripts=scripts) as page:
        expect(switch(page, "norsh")).to_have_accessible_description(re.compile(r"This option has no effect: no remote shell is ever used\.$"))
        for one, other in (("ssl", "tls"), ("ssl", "notls"), ("tls", "notls"), ("validate-cert", "novalidate-cert")):
            page.goto(f"{shown.address}{OPTIONS}?shop=all")
            switch(page, one).check()
            switch(page, other).check()
            save(page)
            for flag, against in ((one, other), (other, one)):
                expect(switch(page, flag)).to_have_accessible_description(re.compile(rf"This cannot be used together with /{against}\.$"))
                expect(switch(page, flag)).to_be_checked()
        page.goto(f"{shown.address}{OPTIONS}?shop=all")
        expect(switch(page, "validate-cert")).not_to_be_checked()


@pytest.mark.shows("8.5", "8.4")
@BOTH
def test_the_mailbox_of_a_context_is_whole_with_what_it_inherits(shown: Shown, scripts: bool) -> None:
    """Dubai takes a user of its own into the mailbox of all shops; a server of its own asks for the password of that server."""
    with shown.page(f"{OPTIONS}?shop=all", scripts=scripts) as page:
        for label, value in (("IMAP URL", "imap.example.com"), ("IMAP port", "993"), ("IMAP user", "desk"), ("IMAP password", "correct horse")):
            page.get_by_label(label, exact=True).fill(value)
        switch(page, "ssl").check()
        save(page)
        expect(page.get_by_text(SAVED)).to_be_visible()
        page.goto(f"{shown.address}{OPTIONS}?shop=shop-3")
        expect(page.get_by_label("IMAP URL", exact=True)).to_have_value("imap.example.com")
        expect(switch(page, "ssl")).to_be_checked()
        for label, value in (("IMAP port", ""), ("IMAP user", "gulf")):
            page.get_by_role("checkbox", name=f"Own value: {label}", exact=True).check()
            page.get_by_label(label, exact=True).fill(value)
        save(page)
        expect(page.get_by_label("IMAP port", exact=True)).to_have_accessible_description(re.compile(f"{INCOMPLETE}$"))
        expect(page.get_by_label("IMAP user", exact=True)).to_have_value("gulf")
        page.get_by_label("IMAP port", exact=True).fill("143")
        save(page)
        expect(page.get_by_text(SAVED)).to_be_visible()
        page.get_by_role("checkbox", name="Own value: IMAP URL", exact=True).check()
        page.get_by_label("IMAP URL", exact=True).fill("dubai.example.com")
        save(page)
        password = page.get_by_label("IMAP password", exact=True)
        expect(password).to_have_attribute("aria-invalid", "true")
        page.goto(f"{shown.address}{OPTIONS}?shop=all")
        expect(page.get_by_label("IMAP user", exact=True)).to_have_value("desk")


@pytest.mark.shows("8.8")
@BOTH
def test_what_the_further_options_say_is_what_a_reply_does(shown: Shown, scripts: bool) -> None:
    """With "Keep its status", "Reply and keep status" is the first choice; without "Assign on first reply" nobody takes the thread by it."""
    thread_id = begin(shown.store)
    with shown.page(f"{OPTIONS}?shop=all", scripts=scripts) as page:
        expect(page.get_by_role("switch", name="Closing question")).not_to_be_checked()
        page.get_by_label("After a reply", exact=True).select_option("Keep its status")
        page.get_by_role("switch", name="Assign on first reply").uncheck()
        save(page)
        expect(page.get_by_text(SAVED)).to_be_visible()
        page.goto(f"{shown.address}{DESK}{thread_id}/")
        expect(page.locator(".cs-answer-send .cs-button-main")).to_have_text("Reply and keep status")
        page.locator("#cs-text").fill("It is on its way.")
        page.get_by_role("button", name="Reply and keep status").click()
        expect(page.get_by_text("The message was successfully sent to the customer.")).to_be_visible()
        expect(page.locator(".cs-status-badge")).to_have_text("Open")
        expect(page.get_by_label("Employee", exact=True).locator("option:checked")).to_have_text("--")


# --- 9 Multistore and languages


@pytest.mark.shows("9.1")
def test_with_one_shop_nothing_speaks_of_several(shown: Shown) -> None:
    """On no page of the desk: no picker, no column, no tree, no box, no name of the shop or its group."""
    thread_id = begin(shown.store)
    shown.store.answers.shops = (Shop("1", "Paris", "https://paris.example", group_id="1", group_name="Europe"),)
    paths = (DESK, f"{DESK}{thread_id}/", CONTACTS, f"{CONTACTS}1/", f"{CONTACTS}new/", PREDEFINED, f"{PREDEFINED}new/", OPTIONS)
    with shown.page(DESK) as page:
        for path in paths:
            assert (path, go(page, shown, path)) == (path, 200)
            words = page.locator(".cs-desk").inner_text().replace("The shop's name", "")
            assert (path, re.findall(r"\b(?:[Aa]ll shops|Shop association|Shop:|Group:|Inherited|Customized|Paris|Europe)\b", words)) == (path, [])
            assert page.locator("[data-context], [name=own], [name=shops]").count() == 0, path


@pytest.mark.shows("9.2", "8.1")
def test_texts_are_the_customers_languages_and_fall_back_to_the_default_one(shown: Shown) -> None:
    """A French answer begins in French, is mailed in French; a text that is missing in a language is that of the default one."""
    put(shown, language="en", default_message="Hello,")
    put(shown, language="fr", default_message="Bonjour,")
    french, arabic = begin(shown.store, "Où est mon colis ?", language="fr"), begin(shown.store, "أين طردي؟", language="ar")
    with shown.page(f"{DESK}{french}/") as page:
        expect(page.locator("#cs-text")).to_have_value("Bonjour,")
        page.get_by_role("button", name="Reply and close").click()
        expect(page.get_by_text("The message was successfully sent to the customer.")).to_be_visible()
        page.goto(f"{shown.address}{DESK}{arabic}/")
        expect(page.locator("#cs-text")).to_have_value("Hello,")
    (reply,) = look(shown.store, lambda session: session.scalars(select(OutboxItem).where(OutboxItem.kind == "reply")).all())
    assert (reply.content["language"], "Bonjour," in reply.content["text"]) == ("fr", True)


# --- 12 Who may do what


@pytest.mark.shows("12.1")
def test_pages_and_buttons_are_there_for_those_who_may_and_refused_to_others(shown: Shown) -> None:
    """Nobody and an employee without a permission for it get no page; one of whom the host says nothing reads and replies."""
    thread_id = begin(shown.store)
    settings = (CONTACTS, PREDEFINED, OPTIONS)
    with shown.page(DESK, employee=None) as page:
        assert [go(page, shown, path) for path in (DESK, f"{DESK}{thread_id}/", *settings)] == [403] * 5
    assert JOHN.id not in shown.store.answers.grants
    with shown.page(f"{DESK}{thread_id}/", employee=JOHN) as page:
        expect(page.locator("#cs-answer")).to_be_visible()
        page.get_by_role("button", name="More actions").click()
        expect(page.locator(".cs-menu-body").get_by_text("Delete")).to_have_count(0)
        assert [go(page, shown, path) for path in settings] == [403] * 3
    shown.store.answers.grants[JOHN.id] = {"view": ["1"]}
    with shown.page(f"{DESK}{thread_id}/", employee=JOHN) as page:
        expect(page.locator(".cs-conversation")).to_be_visible()
        expect(page.locator("#cs-answer")).to_have_count(0)
        expect(page.get_by_role("button", name="Mark as handled")).to_have_count(0)
    shown.store.answers.grants[JOHN.id] = {}
    with shown.page(DESK, employee=JOHN) as page:
        assert [go(page, shown, path) for path in (DESK, *settings)] == [403] * 4
