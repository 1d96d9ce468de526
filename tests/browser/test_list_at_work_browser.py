"""The list at work in a browser: all that match, saved views, keys, the options below; with scripts and without, with several shops and with one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from cs_plugin.rules.status import Status
from tests.browser.axe import violations
from tests.browser.shown import BOTH, shown_strictly
from tests.browser.test_thread_list_browser import LIST, ShownList, numbers, sideways
from tests.hosts.store import EVERYTHING, LAYLA, PARIS, make_store
from tests.letterbox import LETTERS, fill, many
from tests.servers.browser import Browser
from tests.test_jobs import do_all

SHOPS = pytest.mark.parametrize("shown", ["several shops", "one shop"], indirect=True)


@pytest.fixture
def shown(tmp_path: Path, browser: Browser, request: pytest.FixtureRequest) -> Iterator[ShownList]:
    """The list of a store with forty threads, of several shops or of one. Nothing may complain."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path)
    store.answers.grants[LAYLA.id] = EVERYTHING
    if getattr(request, "param", "") == "one shop":
        store.answers.shops = (PARIS,)
    fill(store, many(35))
    fill(store, [LETTERS[0]] * 5 if len(store.answers.shops) == 1 else LETTERS)
    with shown_strictly(store, browser, ShownList, home=LIST) as one:
        yield one


def choose_all(page: Page, *, scripts: bool) -> None:
    """Choose all that match, as one does."""
    if scripts:
        page.wait_for_load_state("load")
        offer = page.get_by_label("all 40 that match")
        expect(offer).to_be_hidden()
        page.get_by_label("Select all of this page").check()
        offer.check()
        expect(page.get_by_role("region", name="Selection")).to_contain_text("all 40 that match")
    else:
        page.get_by_label("all 40 that match").check()


def bulk(page: Page, name: str) -> None:
    """Press a button of the bulk actions."""
    page.locator(".cs-bulk > summary").click()
    page.locator(".cs-bulk").get_by_role("button", name=name).click()


def finish(shown: ShownList, page: Page, *, scripts: bool) -> None:
    """Let what waits be done, and look again, where no script does."""
    do_all(shown.store)
    if not scripts:
        page.get_by_role("link", name="Refresh").first.click()


# --- All that match ---------------------------------------------------------------------------------------------------------------------------------


@BOTH
@SHOPS
@pytest.mark.shows("6.11")
def test_all_that_match_are_marked_in_the_background(shown: ShownList, scripts: bool) -> None:
    """The page says that it begins, and without being loaded again what came of it; elsewhere it goes on."""
    with shown.page("?sort=email", scripts=scripts) as page:
        choose_all(page, scripts=scripts)
        bulk(page, 'Mark as "closed"')
        expect(page.get_by_text('Mark as "closed": this begins in a moment.')).to_be_visible()
        expect(page.get_by_text("You can leave this page.")).to_be_visible()
        expect(page).to_have_url(re.compile("sort=email$"))
        finish(shown, page, scripts=scripts)
        expect(page.get_by_text("Update successful (40 threads)")).to_be_visible(timeout=20_000)
        assert set(shown.statuses().values()) == {Status.CLOSED}


@BOTH
@pytest.mark.shows("6.11")
def test_all_that_match_are_deleted_after_the_question_and_brought_back(shown: ShownList, scripts: bool) -> None:
    """In a dialog, or on a page; with their number."""
    with shown.page(scripts=scripts) as page:
        choose_all(page, scripts=scripts)
        bulk(page, "Delete selection")
        asked = page.get_by_role("dialog") if scripts else page.locator("form.cs-question")
        expect(asked).to_contain_text("Are you sure you want to delete the selected item(s)?")
        expect(asked).to_contain_text("40")
        asked.get_by_role("button", name="Delete", exact=True).click()
        expect(page.get_by_text("Delete selection: this begins in a moment.")).to_be_visible()
        finish(shown, page, scripts=scripts)
        expect(page.get_by_text("The selection has been successfully deleted. (40 threads)")).to_be_visible(timeout=20_000)
        assert shown.statuses() == {}
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_text("40 threads are back in the list.")).to_be_visible()
        assert len(shown.statuses()) == 40


@pytest.mark.shows("6.11")
def test_a_bulk_action_can_be_cancelled_and_put_away(shown: ShownList) -> None:
    """By the button beside it."""
    with shown.page() as page:
        choose_all(page, scripts=True)
        bulk(page, 'Mark as "closed"')
        page.locator(".cs-bulk-job").get_by_role("button", name="Cancel").click()
        expect(page.get_by_text('Mark as "closed" was cancelled; 0 threads had been done before')).to_be_visible()
        page.locator(".cs-bulk-job").get_by_role("button", name="Close").click()
        expect(page.locator(".cs-bulk-job")).to_have_count(0)
        assert Status.CLOSED not in {status for one, status in shown.statuses().items() if one <= 35}


@BOTH
def test_a_selection_is_assigned(shown: ShownList, scripts: bool) -> None:
    """From a dialog, or on a page."""
    with shown.page(scripts=scripts) as page:
        page.wait_for_load_state("load")
        page.get_by_label("Select thread 39").check()
        bulk(page, "Assign")
        asked = page.get_by_role("dialog", name="Assign") if scripts else page.locator("form.cs-question")
        asked.get_by_label("Employee").select_option("J. Doe")
        asked.get_by_role("button", name="Assign").click()
        expect(page.get_by_text("Update successful")).to_be_visible()
        expect(page.locator(".cs-thread", has=page.get_by_label("Select thread 39")).locator(".cs-col-employee")).to_have_text("J. Doe")


# --- Views ------------------------------------------------------------------------------------------------------------------------------------------


@BOTH
@SHOPS
@pytest.mark.shows("6.13")
def test_a_view_is_saved_opened_renamed_and_deleted(shown: ShownList, scripts: bool) -> None:
    """From a dialog or its page; its link opens the list as it stood."""
    with shown.page("?customer=maria&sort=email", scripts=scripts) as page:
        page.wait_for_load_state("load")
        page.get_by_role("link", name="Save view").click()
        form = page.get_by_role("dialog", name="Save view") if scripts else page.locator(".cs-view-panel").first
        form.get_by_label("Name", exact=True).fill("My Marias")
        form.get_by_role("button", name="Save", exact=True).click()
        expect(page).to_have_url(re.compile(r"view=1$"))
        expect(page.locator(".cs-thread")).not_to_have_count(0)
        due = numbers(page)
        page.get_by_role("link", name="All").first.click()
        expect(page).not_to_have_url(re.compile(r"view=1"))
        page.get_by_role("link", name="My Marias").click()
        expect(page.get_by_label("Search: Customer")).to_have_value("maria")
        assert numbers(page) == due
        page.goto(f"{shown.address}{LIST}views")
        page.get_by_label("Name of the view “My Marias”").fill("All Marias")
        page.get_by_role("button", name=re.compile("Save.*My Marias")).click()
        expect(page.get_by_label("Name of the view “All Marias”")).to_be_visible()
        page.get_by_role("button", name="Delete: All Marias").click()
        expect(page.get_by_text("The view was deleted.")).to_be_visible()


@pytest.mark.shows("6.13")
def test_views_count_by_themselves(shown: ShownList) -> None:
    """Numbers stand beside the views soon after the page does."""
    with shown.page() as page:
        views = page.get_by_role("navigation", name="Views")
        expect(views.locator("[data-view=mine] [data-count]")).to_have_text("1")
        expect(views.locator("[data-view=spam] [data-count]")).to_have_text("0")
        expect(views.locator("[data-view=all] [data-count]")).to_have_text("40")


# --- Keys -------------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.shows("6.14")
def test_the_list_is_worked_through_by_keys(shown: ShownList) -> None:
    """They move, select, mark, assign, search, open and explain themselves; whatever they do shows where one is."""
    with shown.page() as page:
        page.wait_for_load_state("load")

        def at(number: int) -> Locator:
            return page.locator(".cs-thread-id > a", has_text=re.compile(f"^{number}$"))

        page.keyboard.press("j")
        expect(at(40)).to_be_focused()
        page.keyboard.press("j")
        page.keyboard.press("j")
        expect(at(38)).to_be_focused()
        page.keyboard.press("k")
        expect(at(39)).to_be_focused()
        page.keyboard.press("x")
        expect(page.get_by_label("Select thread 39")).to_be_checked()
        page.keyboard.press("x")
        expect(page.get_by_label("Select thread 39")).not_to_be_checked()
        at(39).focus()
        page.keyboard.press("e")
        expect(page.get_by_text("Update successful")).to_be_visible()
        expect(page.get_by_label("Status of thread 39")).to_have_value("closed")
        page.keyboard.press("1")
        expect(page.get_by_label("Status of thread 39")).to_have_value("pending1")
        page.keyboard.press("/")
        expect(page.locator("#cs-find, [data-search]").first).to_be_focused()
        page.keyboard.type("jx")
        expect(page.locator("#cs-find, [data-search]").first).to_have_value("jx")
        at(39).focus()
        page.keyboard.press("?")
        expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
        page.keyboard.press("j")
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()
        at(39).focus()
        page.keyboard.press("a")
        expect(page.get_by_role("dialog", name="Assign").get_by_label("Employee")).to_be_focused()
        page.keyboard.press("Escape")
        at(37).focus()
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(r"/customer-service/37/"))


@pytest.mark.shows("6.14")
def test_a_key_marks_what_is_selected_and_another_leads_to_the_next_unanswered_thread(shown: ShownList) -> None:
    """As the buttons do."""
    with shown.page() as page:
        page.wait_for_load_state("load")
        page.get_by_label("Select thread 36").check()
        page.get_by_label("Select thread 35").check()
        page.keyboard.press("2")
        expect(page.get_by_text("Update successful")).to_be_visible()
        assert [shown.statuses()[one] for one in (35, 36)] == [Status.PENDING2] * 2
        page.wait_for_load_state("load")
        page.keyboard.press("g")
        expect(page).to_have_url(re.compile(r"/customer-service/1/"))


@pytest.mark.shows("6.10", "6.14")
@pytest.mark.parametrize("cell", [".cs-thread-id", ".cs-thread-customer", ".cs-col-last"])
def test_the_middle_button_opens_a_row_in_a_tab_of_its_own(shown: ShownList, cell: str) -> None:
    """Wherever in the row; and so does a click with Control held."""
    with shown.page() as page:
        page.wait_for_load_state("load")
        for how in ({"button": "middle"}, {"modifiers": ["Control"]}):
            with page.context.expect_page() as opened:
                page.locator(".cs-thread").nth(2).locator(cell).first.click(**how, force=True)  # type: ignore[arg-type]
            expect(opened.value).to_have_url(re.compile(r"/customer-service/38/"))
            opened.value.close()
        expect(page).to_have_url(re.compile(r"/customer-service/$"))


# --- Options ----------------------------------------------------------------------------------------------------------------------------------------


@BOTH
@SHOPS
@pytest.mark.shows("6.13")
def test_the_options_stand_folded_below_the_list(shown: ShownList, scripts: bool) -> None:
    """Their form comes back to the list as it stood; what is wrong is said at its field, and nothing that was typed is lost."""
    with shown.page("?sort=email", scripts=scripts) as page:
        fold = page.locator(".cs-unfold")
        expect(fold).to_have_attribute("aria-expanded", "false")
        expect(page.locator("#cs-options-form")).to_have_count(0)
        fold.click()
        expect(fold).to_have_attribute("aria-expanded", "true")
        page.wait_for_load_state("load")
        page.get_by_label("Days to reopen", exact=True).fill("many")
        page.locator("#cs-options-form .cs-save").get_by_role("button", name="Save").click()
        expect(page.locator("#cs-option-reopen_days-error, [id^=cs-option-][id$=-error]").first).to_be_visible()
        expect(page.get_by_label("Days to reopen", exact=True)).to_have_value("many")
        assert len(numbers(page)) == 20
        page.wait_for_load_state("load")
        page.get_by_label("Days to reopen", exact=True).fill("12")
        page.locator("#cs-options-form .cs-save").get_by_role("button", name="Save").click()
        expect(page.get_by_text("The settings have been successfully updated.")).to_be_visible()
        expect(page).to_have_url(re.compile(r"sort=email&options=open$"))
        expect(page.get_by_label("Days to reopen", exact=True)).to_have_value("12")


# --- How it looks -----------------------------------------------------------------------------------------------------------------------------------

LOOKS = [
    pytest.param({"viewport": (1280, 900)}, LAYLA, id="1280, right to left"),
    pytest.param({"viewport": (1280, 900), "colour_scheme": "dark"}, None, id="1280, dark"),
    pytest.param({"viewport": (360, 740)}, None, id="360"),
]


@pytest.mark.parametrize(("taste", "who"), LOOKS)
def test_it_is_accessible_and_nothing_sticks_out(shown: ShownList, taste: dict[str, Any], who: Any) -> None:
    """The list with all of it chosen and work in the background, its dialogs, the options below it, and the page of views."""
    people = {"employee": who} if who else {}
    with shown.page("?customer=maria", **taste, **people) as page:
        page.wait_for_load_state("load")
        page.locator(".cs-view-save").evaluate("(link) => link.click()")
        page.locator("#cs-save-view [name=name]").fill("A view with quite a long name, as people give them")
        assert violations(page) == []
        assert sideways(page) == 0
        page.locator("#cs-save-view button[value=save]").click()
        expect(page).to_have_url(re.compile("view=1"))
        page.goto(f"{shown.address}{LIST}")
        page.wait_for_load_state("load")
        page.locator(".cs-thread-check").first.check()
        page.locator(".cs-selection button[value=ask-whom]").click()
        expect(page.locator("#cs-assign")).to_be_visible()
        assert violations(page) == []
        page.keyboard.press("Escape")
        page.locator("#cs-keys").evaluate("(dialog) => dialog.showModal()")
        assert violations(page) == []
        page.keyboard.press("Escape")
        page.locator(".cs-whole input").evaluate("(box) => { box.checked = true; }")
        page.locator(".cs-selection button[value=pending1]").click()
        expect(page.locator(".cs-bulk-job progress")).to_be_visible()
        page.wait_for_load_state("load")
        assert violations(page) == []
        assert sideways(page) == 0
        for path in ("views", "?options=open"):
            page.goto(f"{shown.address}{LIST}{path}")
            page.wait_for_load_state("load")
            assert violations(page) == []
            assert sideways(page) == 0
