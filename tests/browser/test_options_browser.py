"""The Options page in a browser: by mouse, keyboard and finger, on a phone, from right to left, with scripts and without."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Dialog, Locator, Page, expect

from cs_plugin import Employee, Language
from cs_plugin.rules.shops import ALL_SHOPS, Breadth, Context
from cs_plugin.store.options import read_own_options, set_option
from cs_plugin.web import rounds
from tests.browser.axe import violations
from tests.browser.shown import BOTH, Shown, shown_strictly
from tests.hosts.sheet import ADDRESS
from tests.hosts.store import EVERYTHING, LAYLA, MARIE, make_store
from tests.hosts.writing import do, look
from tests.servers.browser import Browser, ColourScheme
from tests.servers.dovecot import PASSWORD, DovecotServer
from tests.servers.processes import HOST, free_port

EUROPE, IN_PARIS = Context(Breadth.GROUP, "1"), Context(Breadth.SHOP, "1")
SAVED = "The settings have been successfully updated."
NOT_SAVED = "Nothing was saved. What you typed is still here."
INFORMATION = (
    "If you want to apply specific settings to a store or a group of shops, you need to select the parameter to modify, "
    "bring your modifications and then save."
)


class ShownOptions(Shown):
    """The options of a store, in a browser."""

    def put(self, name: str, value: Any, context: Context = ALL_SHOPS, language: str = "") -> None:
        """Set an option without the page."""
        do(self.store, lambda bench: set_option(bench.session, name, value, bench.now, context=context, language=language))

    def own(self, context: Context = ALL_SHOPS) -> dict[tuple[str, str], Any]:
        """Return what a context has of its own."""
        return look(self.store, lambda session: dict(read_own_options(session).of(context)))

    def works(self) -> int:
        """Do what waits to be done, as a worker does."""
        with self.store.app.app_context():
            return rounds.do_jobs(self.store.desk)


@pytest.fixture
def shown(tmp_path: Path, browser: Browser) -> Iterator[ShownOptions]:
    """A store with a language that is not enabled. Nothing may complain."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path)
    store.answers.grants[LAYLA.id] = EVERYTHING
    store.answers.languages = (*store.answers.languages, Language("pl", "Polski", enabled=False))

    with shown_strictly(store, browser, ShownOptions, home=ADDRESS, first="?shop=all") as one:
        yield one


def save(page: Page) -> None:
    """Press "Save"."""
    page.get_by_role("button", name="Save").click()


def fill_mailbox(page: Page, server: str = "imap.example.com", port: int | str = 993, user: str = "desk", password: str = "correct horse") -> None:
    """Fill in the four fields."""
    for label, value in (("IMAP URL", server), ("IMAP port", str(port)), ("IMAP user", user), ("IMAP password", password)):
        at(page, label).fill(value)


def at(page: Page, label: str) -> Locator:
    """Return the field of that label."""
    return page.get_by_label(label, exact=True)


def box(page: Page, label: str) -> Locator:
    """Return the box before a field."""
    return page.get_by_role("checkbox", name=f"Own value: {label}", exact=True)


# --- One form


@pytest.mark.shows("8.1", "8.2", "8.4", "8.8")
@BOTH
def test_all_is_filled_in_by_label_and_saved_at_once(shown: ShownOptions, scripts: bool) -> None:
    """A switch, a number, a choice, a server and a password, of all three blocks, with one button."""
    with shown.page(scripts=scripts) as page:
        page.get_by_role("switch", name="Allow file uploading").uncheck()
        fill_mailbox(page)
        page.get_by_role("switch", name="IMAP options (/ssl)").check()
        at(page, "Name shown to customers").select_option("First and last name")
        at(page, "Days to reopen").fill("14")
        save(page)
        expect(page.get_by_role("status").get_by_text(SAVED)).to_be_visible()
        expect(at(page, "IMAP URL")).to_have_value("imap.example.com")
        expect(at(page, "IMAP password")).to_have_value("")
        expect(page.get_by_placeholder("kept; an empty field keeps it")).to_be_visible()
    own = shown.own()
    assert shown.store.desk.vault.open(own.pop(("imap_password", "")), "imap.example.com") == "correct horse"
    assert {name: value for (name, _language), value in own.items()} == {
        "allow_file_uploading": False,
        "imap_url": "imap.example.com",
        "imap_port": 993,
        "imap_user": "desk",
        "imap_ssl": True,
        "name_shown": "full",
        "reopen_days": 14,
    }


@pytest.mark.shows("8.1", "8.4")
def test_the_default_message_is_written_in_one_language_at_a_time(shown: ShownOptions) -> None:
    """The list has all installed languages, marks those that are not enabled and, after an error, the one that is wrong."""
    with shown.page() as page:
        choice = at(page, "Language of Default message")
        assert choice.locator("option").all_text_contents() == ["English", "Français", "العربية", "Polski (disabled)"]
        expect(at(page, "Default message English")).to_be_visible()
        expect(at(page, "Default message Polski (disabled)")).to_be_hidden()
        choice.select_option("Polski (disabled)")
        polish = at(page, "Default message Polski (disabled)")
        expect(polish).to_be_visible()
        expect(at(page, "Default message English")).to_be_hidden()
        polish.evaluate("(field) => { field.value = 'x'.repeat(20001); }")
        choice.select_option("English")
        save(page)
        told = "Default message (Polski): This field cannot be longer than 20000 characters"
        expect(page.get_by_role("alert")).to_contain_text(told)
        expect(choice.locator("option:checked")).to_have_text("Polski (disabled) (!)")
        expect(polish).to_have_accessible_description(re.compile(re.escape(told)))
        choice.select_option("English")
        page.get_by_role("alert").get_by_role("link", name=told).click()
        expect(polish).to_be_focused()
        polish.fill("Dzień dobry,")
        save(page)
        expect(page.get_by_text(SAVED)).to_be_visible()
    assert shown.own() == {("default_message", "pl"): "Dzień dobry,"}


@pytest.mark.shows("8.1")
def test_without_scripts_all_languages_stand_below_each_other(shown: ShownOptions) -> None:
    """Each under its name, and no list that would do nothing."""
    with shown.page(scripts=False) as page:
        for language in ("English", "Français", "العربية", "Polski (disabled)"):
            expect(at(page, f"Default message {language}")).to_be_visible()
        expect(page.locator("[data-language-choice]")).to_be_hidden()
        at(page, "Default message Français").fill("Bonjour !")
        save(page)
        expect(page.get_by_text(SAVED)).to_be_visible()
    assert shown.own() == {("default_message", "fr"): "Bonjour !"}


@pytest.mark.shows("8.4")
@BOTH
def test_a_mailbox_in_half_is_told_at_the_missing_fields(shown: ShownOptions, scripts: bool) -> None:
    """The top of the page leads to each; what was typed is there, and the password need not be typed again."""
    with shown.page(scripts=scripts) as page:
        fill_mailbox(page, port="")
        save(page)
        alert = page.get_by_role("alert")
        expect(alert.get_by_text(NOT_SAVED)).to_be_visible()
        port = at(page, "IMAP port")
        expect(port).to_have_attribute("aria-invalid", "true")
        expect(port).to_have_accessible_description(re.compile("IMAP configuration is not correct$"))
        expect(at(page, "IMAP user")).to_have_value("desk")
        expect(page.get_by_placeholder("typed, not saved yet")).to_be_visible()
        if scripts:
            expect(alert).to_be_focused()
        alert.get_by_role("link", name="IMAP port: IMAP configuration is not correct").click()
        expect(page).to_have_url(re.compile("shop=all"))
        if scripts:
            expect(port).to_be_focused()
        port.fill("993")
        port.press("Enter")
        expect(page.get_by_text(SAVED)).to_be_visible()
    assert shown.store.desk.vault.open(shown.own()["imap_password", ""], "imap.example.com") == "correct horse"


@pytest.mark.shows("8.3")
@BOTH
def test_notls_warns_while_it_is_on(shown: ShownOptions, scripts: bool) -> None:
    """At its field, also before it is saved; the others say nothing."""
    with shown.page(scripts=scripts) as page:
        warning = page.get_by_text("The password then goes over the line for everybody to read.").last
        expect(warning).to_be_hidden()
        page.get_by_role("switch", name="IMAP options (/notls)").check()
        expect(warning).to_be_visible()
        page.get_by_role("switch", name="IMAP options (/notls)").uncheck()
        expect(warning).to_be_hidden()


# --- Tooltips


@pytest.mark.shows("8.2")
@BOTH
def test_a_tooltip_comes_by_mouse_and_by_keyboard(shown: ShownOptions, scripts: bool) -> None:
    """It is also what a screen reader says of the field; Escape closes it, and it comes again."""
    words = "URL for your IMAP server (ie.: mail.server.com)."
    with shown.page(scripts=scripts) as page:
        tip, help_ = page.get_by_role("tooltip").filter(has_text=words), page.get_by_role("button", name="Help: IMAP URL")
        expect(at(page, "IMAP URL")).to_have_accessible_description(words)
        expect(tip).to_be_hidden()
        help_.hover()
        expect(tip).to_be_visible()
        page.get_by_role("heading", name="Options", exact=True).hover()
        expect(tip).to_be_hidden()
        help_.focus()
        expect(tip).to_be_visible()
        if scripts:
            page.keyboard.press("Escape")
            expect(tip).to_be_hidden()
        page.keyboard.press("Tab")
        page.keyboard.press("Shift+Tab")
        expect(tip).to_be_visible()


@pytest.mark.shows("8.2")
def test_a_tooltip_comes_by_touch(shown: ShownOptions) -> None:
    """A tap opens it, a tap elsewhere closes it; on a phone it stays within the window."""
    with shown.browser._chromium.new_context(has_touch=True, is_mobile=True, viewport={"width": 360, "height": 740}) as context:
        page = shown.open(context, "?shop=all")
        tip = page.get_by_role("tooltip").filter(has_text="Use POP3 instead of IMAP.")
        page.get_by_role("button", name="Help: IMAP options (/pop3)").tap()
        expect(tip).to_be_visible()
        place = tip.bounding_box()
        assert place is not None
        assert place["x"] >= 0
        assert place["x"] + place["width"] <= 360
        page.get_by_role("heading", name="Further options").tap()
        expect(tip).to_be_hidden()


# --- Several shops


@pytest.mark.shows("8.7")
def test_a_box_wakes_its_field_and_puts_it_to_sleep_again(shown: ShownOptions) -> None:
    """Asleep it shows the inherited value; what was typed comes back with the box; saved unchecked, the inherited one holds."""
    shown.put("name_shown", "shop")
    shown.put("name_shown", "full", IN_PARIS)
    with shown.page("?shop=shop-1") as page:
        field = at(page, "Name shown to customers")
        expect(box(page, "Name shown to customers")).to_be_checked()
        expect(field).to_have_value("full")
        box(page, "Name shown to customers").uncheck()
        expect(field).to_be_disabled()
        expect(field).to_have_value("shop")
        box(page, "Name shown to customers").check()
        expect(field).to_be_enabled()
        expect(field).to_have_value("full")
        box(page, "Name shown to customers").uncheck()
        switch = page.get_by_role("switch", name="Closing question")
        expect(switch).to_be_disabled()
        box(page, "Closing question").check()
        switch.check()
        save(page)
        expect(page.get_by_text(SAVED)).to_be_visible()
        expect(field).to_have_value("shop")
        expect(field).to_be_disabled()
        expect(switch).to_be_checked()
    assert shown.own(IN_PARIS) == {("closing_question", ""): True}


@pytest.mark.shows("8.7")
def test_without_scripts_the_box_decides(shown: ShownOptions) -> None:
    """Every field can be filled in; only those whose box is checked become the shop's own."""
    with shown.page("?shop=shop-1", scripts=False) as page:
        box(page, "After a reply").check()
        at(page, "After a reply").select_option("keep")
        at(page, "Name shown to customers").select_option("full")
        save(page)
        expect(page.get_by_text(SAVED)).to_be_visible()
        expect(at(page, "Name shown to customers")).to_have_value("first")
        assert shown.own(IN_PARIS) == {("after_reply", ""): "keep"}
        box(page, "After a reply").uncheck()
        save(page)
        expect(at(page, "After a reply")).to_have_value("close")
    assert shown.own(IN_PARIS) == {}


@pytest.mark.shows("8.7")
@BOTH
def test_a_customised_field_leads_to_groups_and_shops(shown: ShownOptions, scripts: bool) -> None:
    """Each marked as "Inherited" or "Customized"; with scripts they are searched by name, and Enter there saves nothing."""
    shown.put("name_shown", "full", IN_PARIS)
    with shown.page(scripts=scripts) as page:
        menu = page.locator("[data-option=name_shown] details")
        menu.get_by_text("1 customized").click()
        marks = ("Europe.*Inherited", "Paris.*Customized", "Berlin.*Inherited", "Gulf.*Inherited", "Dubai.*Inherited")
        expect(menu.get_by_role("link")).to_have_text([re.compile(text) for text in marks])
        search = menu.get_by_placeholder("Search shop name")
        if scripts:
            expect(search).to_be_focused()
            search.fill("PÁR")
            expect(menu.get_by_role("link")).to_have_count(1)
            search.fill("nowhere")
            expect(menu.get_by_role("status")).to_have_text("No shop has this name.")
            search.fill("paris")
            search.press("Enter")
            expect(menu.get_by_role("link")).to_have_count(1)
        else:
            expect(search).to_be_hidden()
        menu.get_by_role("link", name="Paris").click()
        expect(page).to_have_url(re.compile(r"shop=shop-1$"))
        expect(at(page, "Name shown to customers")).to_have_value("full")


@pytest.mark.shows("8.4", "8.7")
@BOTH
def test_enter_in_a_field_saves_and_leaves_the_message(shown: ShownOptions, scripts: bool) -> None:
    """The button that closes the message stands first on the page, and is not what Enter presses."""
    with shown.page("?shop=group-1", scripts=scripts) as page:
        box(page, "Days to reopen").check()
        at(page, "Days to reopen").fill("3")
        at(page, "Days to reopen").press("Enter")
        expect(page.get_by_text(SAVED)).to_be_visible()
        expect(page.get_by_text(INFORMATION)).to_be_visible()
    assert shown.own(EUROPE) == {("reopen_days", ""): 3}


@pytest.mark.shows("8.7")
@BOTH
def test_the_message_is_closed_for_good(shown: ShownOptions, scripts: bool) -> None:
    """Nothing that was typed is lost by it; opened again, the page does not say it."""
    with shown.page("?shop=group-1", scripts=scripts) as page:
        expect(page.get_by_text(INFORMATION)).to_be_visible()
        box(page, "Days to reopen").check()
        at(page, "Days to reopen").fill("3")
        page.get_by_role("button", name="Close for good").click()
        expect(page.get_by_text(INFORMATION)).to_have_count(0)
        expect(at(page, "Days to reopen")).to_have_value("3")
        page.goto(f"{shown.address}{ADDRESS}?shop=group-1")
        expect(page.get_by_text(INFORMATION)).to_have_count(0)
        page.goto(f"{shown.address}{ADDRESS}?shop=shop-1")
        expect(page.get_by_text(INFORMATION)).to_be_visible()
    assert shown.own(EUROPE) == {}


@pytest.mark.shows("8.7")
def test_unsaved_changes_are_counted_and_asked_about_before_the_context_changes(shown: ShownOptions) -> None:
    """By the picker and by a drop-down; "Cancel" stays, "Switch context anyway" goes, and an untouched page asks nothing."""
    shown.put("after_reply", "keep", IN_PARIS)
    with shown.page() as page:
        counted = page.locator("[data-unsaved-count]")
        expect(counted).to_have_text("")
        at(page, "IMAP user").fill("desk")
        page.get_by_role("switch", name="Closing question").check()
        expect(counted).to_have_text("Unsaved changes: 2")
        page.get_by_role("switch", name="Closing question").uncheck()
        expect(counted).to_have_text("Unsaved changes: 1")

        dialog = page.get_by_role("dialog", name="Switch context?")
        page.locator(".cs-context summary").click()
        page.locator(".cs-context").get_by_role("link", name="Berlin").click()
        expect(dialog.get_by_text("Switching context now will discard all unsaved changes.")).to_be_visible()
        dialog.get_by_role("button", name="Cancel").click()
        expect(dialog).to_be_hidden()
        expect(page).to_have_url(re.compile("shop=all"))
        expect(at(page, "IMAP user")).to_have_value("desk")

        page.get_by_text("1 customized").click()
        page.locator("[data-option=after_reply]").get_by_role("link", name="Paris").click()
        dialog.get_by_role("button", name="Switch context anyway").click()
        expect(page).to_have_url(re.compile("shop=shop-1"))
        expect(at(page, "IMAP user")).to_have_value("")
        page.locator(".cs-context summary").click()
        page.locator(".cs-context").get_by_role("link", name="Berlin").click()
        expect(page).to_have_url(re.compile("shop=shop-2"))
    assert shown.own() == {}


@pytest.mark.shows("8.7")
def test_leaving_otherwise_asks_as_browsers_do(shown: ShownOptions) -> None:
    """A link elsewhere with unsaved changes, those of a save that failed included; saving asks nothing."""
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    with shown.page() as page:
        page.on("dialog", stay)
        at(page, "IMAP user").fill("desk")
        save(page)
        expect(page.get_by_role("alert")).to_be_visible()
        expect(page.locator("[data-unsaved-count]")).to_have_text("Unsaved changes: 1")
        assert asked == []
        # Browsers ask only on pages that somebody has touched.
        page.get_by_role("heading", name="Options", exact=True).click()
        with page.expect_event("dialog"):
            page.get_by_role("link", name="Customer Service").last.click()
        assert asked == ["beforeunload"]
        expect(at(page, "IMAP user")).to_have_value("desk")
        at(page, "IMAP user").fill("")
        save(page)
        expect(page.get_by_text(SAVED)).to_be_visible()
    assert asked == ["beforeunload"]


# --- "Test connection"


@pytest.mark.shows("8.4")
@BOTH
@pytest.mark.parametrize("works", [True, False], ids=["works", "refused"])
def test_the_answer_of_a_test_stands_beside_its_button(shown: ShownOptions, dovecot_server: DovecotServer, scripts: bool, works: bool) -> None:
    """In plain words, with nothing saved and the form as it was typed; without scripts a button asks for it."""
    port = dovecot_server.imap_port if works else free_port()
    with shown.page(scripts=scripts) as page:
        fill_mailbox(page, HOST, port, dovecot_server.new_user(), PASSWORD)
        at(page, "Days to reopen").fill("3")
        page.get_by_role("button", name="Test connection").click()
        # CS_BACKGROUND is off and no worker runs: the page says so, until there is one.
        expect(page.get_by_text("No worker runs")).to_be_visible()
        assert shown.works() == 1
        if not scripts:
            page.get_by_role("button", name="Show the result").click()
        answer = page.locator("[data-trial]")
        expect(answer).to_contain_text("It works." if works else "Nothing listens at port")
        expect(page.get_by_role("button", name="Show the result")).to_have_count(0)
        expect(at(page, "Days to reopen")).to_have_value("3")
    assert shown.own() == {}


@pytest.mark.shows("8.4")
@BOTH
def test_what_cannot_be_tried_is_told_at_its_field(shown: ShownOptions, scripts: bool) -> None:
    """As when it is saved."""
    with shown.page(scripts=scripts) as page:
        fill_mailbox(page, password="")
        page.get_by_role("button", name="Test connection").click()
        expect(page.get_by_role("alert")).to_contain_text("The connection was not tested. Please look at these fields first.")
        expect(at(page, "IMAP password")).to_have_accessible_description(re.compile("IMAP configuration is not correct$"))
        expect(at(page, "IMAP URL")).to_have_value("imap.example.com")


# --- For everybody


@pytest.mark.parametrize(
    ("employee", "width", "scheme"),
    [(MARIE, 1440, "light"), (LAYLA, 1280, "dark"), (LAYLA, 390, "light"), (MARIE, 360, "dark")],
    ids=["wide", "laptop, dark, from right to left", "phone, from right to left", "small phone, dark"],
)
def test_axe_finds_nothing_and_nothing_runs_over(shown: ShownOptions, employee: Employee, width: int, scheme: ColourScheme) -> None:
    """For all shops and in a group, with errors, a warning, an open drop-down, an open tooltip and the question; no page wider than its window."""
    shown.put("name_shown", "full", IN_PARIS)
    with shown.page(employee=employee, viewport=(width, 900), colour_scheme=scheme) as page:
        look_at(page)
        page.goto(f"{shown.address}{ADDRESS}?shop=group-1")
        page.locator("[data-own][value=imap_url]").check()
        page.locator("#cs-option-imap_url").fill("imap.example.com")
        page.locator("[data-own][value=imap_notls]").check()
        page.locator("#cs-option-imap_notls").check()
        page.locator(".cs-save button").click()
        expect(page.locator("[data-summary]")).to_be_visible()
        page.locator("[data-option=name_shown] summary").click()
        look_at(page)
        page.locator("[data-option=imap_url] [data-help] button").focus()
        look_at(page)
        page.locator(".cs-context summary").click()
        page.locator(".cs-context a").first.click()
        expect(page.locator("#cs-unsaved")).to_be_visible()
        look_at(page)


def look_at(page: Page) -> None:
    """Find nothing wrong with a page."""
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_a_page_that_can_only_be_looked_at_says_so_to_everybody(shown: ShownOptions) -> None:
    """No button to save, every field asleep, and axe finds nothing."""
    shown.store.answers.grants[LAYLA.id] = {"view": ["1", "3"], "configure": ["3"]}
    with shown.page(employee=LAYLA) as page:
        expect(page.locator("#cs-option-imap_url")).to_be_disabled()
        expect(page.locator(".cs-save")).to_have_count(0)
        look_at(page)
        page.get_by_role("note").get_by_role("link").last.click()
        expect(page).to_have_url(re.compile("shop=shop-3"))
        expect(page.locator(".cs-save button")).to_be_visible()
