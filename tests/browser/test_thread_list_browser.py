"""The Customer Service page in a browser: by mouse, by keyboard, on a phone, from right to left, with scripts and without."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from cs_plugin.rules.status import Status
from cs_plugin.store.models import Thread
from tests.browser.axe import violations
from tests.browser.shown import BOTH, Shown, shown_strictly
from tests.hosts.store import EVERYTHING, LAYLA, make_store
from tests.letterbox import LETTERS, fill, many
from tests.servers.browser import Browser

LIST = "/cs-admin/customer-service/"


class ShownList(Shown):
    """The list of a store, in a browser."""

    def statuses(self) -> dict[int, Status]:
        """Return the status of every thread in the list."""
        with self.store.app.app_context():
            return {one.id: one.status for one in self.store.db.session.query(Thread).filter(Thread.folder == "list")}


@pytest.fixture
def shown(tmp_path: Path, browser: Browser) -> Iterator[ShownList]:
    """The list of a store with five threads, and with thirty more of other senders before them. Nothing may complain."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path)
    store.answers.grants[LAYLA.id] = EVERYTHING

    fill(store, many(30))
    fill(store, LETTERS)
    with shown_strictly(store, browser, ShownList, home=LIST) as one:
        yield one


def numbers(page: Page) -> list[int]:
    """Return the threads on a page that has been seen to be the one wanted, in their order."""
    page.wait_for_load_state("load")
    return [int(text) for text in page.locator(".cs-thread-id > a").all_inner_texts()]


def expect_numbers(page: Page, wanted: Iterable[int]) -> None:
    """Wait until the page shows these threads, in this order."""
    expect(page.locator(".cs-thread-id > a")).to_have_text([str(one) for one in wanted])


def thread(page: Page, number: int) -> Locator:
    """Return the number of a thread in the list, if it stands there."""
    return page.locator(".cs-thread-id > a").get_by_text(str(number), exact=True)


def sideways(page: Page) -> int:
    """Return by how many pixels the page can be scrolled sideways."""
    overflow: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return overflow


@pytest.mark.shows("6.8", "6.7")
def test_search_sleeps_until_a_field_is_filled_and_again_after_a_search(shown: ShownList) -> None:
    """Enter searches too; "Reset" clears the fields; addresses carry no empty ones."""
    with shown.page("?sort=-email") as page:
        search, customer = page.get_by_role("button", name="Search", exact=True), page.get_by_label("Search: Customer")
        expect(search).to_be_disabled()
        customer.fill("maria")
        expect(search).to_be_enabled()
        customer.fill("")
        expect(search).to_be_disabled()
        customer.fill("maria")
        customer.press("Enter")
        expect(page).to_have_url(re.compile(r"\?shop=all&sort=-email&customer=maria$"))
        expect_numbers(page, [31])
        expect(search).to_be_disabled()
        page.get_by_label("Search: Status").select_option("closed")
        search.click()
        expect(page.get_by_text("No records found")).to_be_visible()
        page.get_by_role("link", name="Reset").click()
        expect(page.get_by_label("Search: Customer")).to_have_value("")
        expect(page).to_have_url(re.compile(r"\?shop=all&sort=-email$"))
        expect(page.get_by_role("link", name="Reset")).to_have_count(0)


@pytest.mark.shows("6.7")
def test_dates_are_picked_in_a_popover(shown: ShownList) -> None:
    """It opens from "Any date" and then shows the days."""
    with shown.page() as page:
        page.get_by_text("Any date").click()
        page.get_by_label("Search: From").fill("2026-11-22")
        page.get_by_role("button", name="Search", exact=True).click()
        expect(page.locator(".cs-dates > summary")).to_contain_text("22 Nov 2026 – …")
        expect(thread(page, 31)).to_have_count(1)
        expect(thread(page, 1)).to_have_count(0)


@BOTH
@pytest.mark.shows("6.7", "6.9")
def test_sort_search_and_page_survive_paging_and_coming_back_from_a_thread(shown: ShownList, scripts: bool) -> None:
    """By the links that stand there, with scripts and without."""
    with shown.page(scripts=scripts) as page:
        page.get_by_role("columnheader", name="Email").get_by_role("link").click()
        page.get_by_label("Search: Email").fill("sender")
        page.get_by_role("button", name="Search", exact=True).click()
        page.get_by_role("link", name="Next").click()
        expect_numbers(page, range(21, 31))
        address = page.url
        page.locator(".cs-thread-message").first.click()
        expect(page).to_have_url(re.compile(r"/customer-service/21/\?back="))
        page.go_back()
        assert page.url == address
        expect_numbers(page, range(21, 31))


@pytest.mark.shows("6.10")
def test_a_click_on_a_row_opens_the_thread_and_so_does_view(shown: ShownList) -> None:
    """In the same tab."""
    with shown.page() as page:
        page.locator(".cs-thread").nth(2).get_by_text("Żofia Łęcka").click()
        expect(page).to_have_url(re.compile(r"/customer-service/33/"))
        page.go_back()
        page.get_by_role("link", name="View thread 33").click()
        expect(page).to_have_url(re.compile(r"/customer-service/33/"))


@pytest.mark.shows("6.6")
def test_the_whole_message_is_shown_on_hover_and_on_focus(shown: ShownList) -> None:
    """By mouse and by keyboard."""
    with shown.page() as page:
        row = page.locator(".cs-thread", has_text="31")
        whole = row.locator(".cs-peek")
        expect(whole).to_be_hidden()
        row.locator(".cs-thread-message").hover()
        expect(whole).to_be_visible()
        page.mouse.move(0, 0)
        expect(whole).to_be_hidden()
        row.get_by_role("checkbox").focus()
        page.keyboard.press("Tab")
        expect(row.locator(".cs-thread-id > a")).to_be_focused()
        expect(whole).to_be_visible()


@pytest.mark.shows("6.10")
def test_a_status_in_the_row_saves_by_itself(shown: ShownList) -> None:
    """The icon follows, nothing else moves, and after a reload it is still so."""
    with shown.page("?id=31") as page:
        row = page.locator(".cs-thread")
        page.get_by_label("Status of thread 31").select_option("pending2")
        expect(page.get_by_text("Update successful")).to_be_visible()
        expect(row.locator(".cs-status use")).to_have_attribute("href", "#cs-i-pending2")
        expect(row).not_to_have_class(re.compile("cs-waits"))
        assert shown.statuses()[31] is Status.PENDING2
        page.reload()
        expect(page.get_by_label("Status of thread 31")).to_have_value("pending2")


@pytest.mark.shows("6.10")
def test_a_status_that_could_not_be_saved_goes_back_and_says_so(shown: ShownList) -> None:
    """When the token has expired, or the connection is gone."""
    with shown.page("?id=31") as page:
        page.locator("#cs-rows input[name=csrf_token]").evaluate("(field) => { field.value = 'expired'; }")
        page.get_by_label("Status of thread 31").select_option("closed")
        expect(page.get_by_role("alert")).to_contain_text("nothing was changed. Please try again.")
        expect(page.get_by_label("Status of thread 31")).to_have_value("open")
        page.context.set_offline(True)
        page.get_by_label("Status of thread 31").select_option("closed")
        expect(page.get_by_role("alert")).to_contain_text("The status could not be saved.")
        expect(page.get_by_label("Status of thread 31")).to_have_value("open")
        assert shown.statuses()[31] is Status.OPEN
    # The browser itself reports the refused and the failed request.
    assert len(shown.complaints) == 2
    shown.complaints.clear()


@pytest.mark.shows("6.10")
def test_without_scripts_a_small_save_stands_beside_each_status(shown: ShownList) -> None:
    """It saves its own row and comes back to the same list."""
    with shown.page("?sort=email", scripts=False) as page:
        row = page.locator(".cs-thread").first
        thread_id = numbers(page)[0]
        row.get_by_label("Status of thread").select_option("closed")
        row.get_by_role("button", name="Save").click()
        expect(page).to_have_url(re.compile(r"\?shop=all&sort=email$"))
        expect(page.get_by_text("Update successful")).to_be_visible()
        assert shown.statuses()[thread_id] is Status.CLOSED


@pytest.mark.shows("6.11")
def test_bulk_actions_wake_with_the_selection(shown: ShownList) -> None:
    """The header's box takes the whole page; the bar at the foot counts; the cross clears."""
    with shown.page() as page:
        bulk, bar = page.locator(".cs-bulk > summary"), page.get_by_role("region", name="Selection")
        expect(bulk).to_have_attribute("aria-disabled", "true")
        bulk.click(force=True)
        expect(page.locator(".cs-bulk").get_by_role("button", name='Mark as "closed"')).to_be_hidden()
        expect(bar).to_be_hidden()
        page.get_by_label("Select all of this page").check()
        expect(bar).to_contain_text("20 selected")
        page.get_by_role("button", name="Clear the selection").click()
        expect(bar).to_be_hidden()
        page.get_by_label("Select thread 34").check()
        page.get_by_label("Select thread 35").check()
        expect(bar).to_contain_text("2 selected")
        bulk.click()
        page.locator(".cs-bulk").get_by_role("button", name='Mark as "pending 1"').click()
        expect(page.get_by_text("Update successful")).to_be_visible()
        assert [shown.statuses()[one] for one in (33, 34, 35)] == [Status.PENDING1] * 3
        expect(page.get_by_role("region", name="Selection")).to_be_hidden()


@pytest.mark.shows("6.11")
def test_bulk_actions_without_scripts(shown: ShownList) -> None:
    """The menu opens and its buttons send the selection; nothing selected is told."""
    with shown.page(scripts=False) as page:
        page.locator(".cs-bulk > summary").click()
        page.locator(".cs-bulk").get_by_role("button", name='Mark as "closed"').click()
        expect(page.get_by_role("alert")).to_contain_text("Select at least one thread first.")
        page.get_by_label("Select thread 34").check()
        page.locator(".cs-bulk > summary").click()
        page.locator(".cs-bulk").get_by_role("button", name='Mark as "closed"').click()
        expect(page.get_by_text("Update successful")).to_be_visible()
        assert shown.statuses()[34] is Status.CLOSED


@pytest.mark.shows("6.10", "2.10")
def test_delete_asks_in_a_dialog_that_cross_cancel_and_escape_close(shown: ShownList) -> None:
    """Only "Delete" deletes, and "Undo" takes it back."""
    with shown.page() as page:
        dialog = page.get_by_role("dialog", name="Delete")
        for closing in ("Close", "Cancel", "Escape"):
            page.get_by_label("Delete thread 34").click()
            expect(dialog).to_contain_text("Are you sure you want to delete the selected item(s)?")
            if closing == "Escape":
                page.keyboard.press("Escape")
            else:
                dialog.get_by_role("button", name=closing).click()
            expect(dialog).to_be_hidden()
        assert 34 in shown.statuses()
        page.get_by_label("Delete thread 34").focus()
        page.keyboard.press("Space")
        dialog.get_by_role("button", name="Delete").click()
        expect(page.get_by_text("Successful deletion.")).to_be_visible()
        expect(thread(page, 34)).to_have_count(0)
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_text("1 thread is back in the list.")).to_be_visible()
        expect(thread(page, 34)).to_have_count(1)


@BOTH
@pytest.mark.shows("6.11", "2.10")
def test_a_selection_is_deleted_after_the_question_and_brought_back(shown: ShownList, scripts: bool) -> None:
    """In a dialog, or on a page of its own."""
    with shown.page("?sort=email", scripts=scripts) as page:
        chosen = numbers(page)[:2]
        for thread_id in chosen:
            page.get_by_label(f"Select thread {thread_id}", exact=True).check()
        page.locator(".cs-bulk > summary").click()
        page.locator(".cs-bulk").get_by_role("button", name="Delete selection").click()
        asked = page.get_by_role("dialog") if scripts else page.locator("form.cs-question")
        expect(asked).to_contain_text("Are you sure you want to delete the selected item(s)?")
        asked.get_by_role("button", name="Delete", exact=True).click()
        expect(page.get_by_text("The selection has been successfully deleted.")).to_be_visible()
        expect(page).to_have_url(re.compile(r"\?shop=all&sort=email$"))
        for thread_id in chosen:
            expect(thread(page, thread_id)).to_have_count(0)
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_text("2 threads are back in the list.")).to_be_visible()
        expect(page.locator(".cs-thread-id > a").nth(0)).to_have_text(str(chosen[0]))
        expect(page.locator(".cs-thread-id > a").nth(1)).to_have_text(str(chosen[1]))


@BOTH
@pytest.mark.shows("6.9")
def test_the_page_size_is_chosen_and_kept(shown: ShownList, scripts: bool) -> None:
    """It holds at the next visit too, whose address does not name it."""
    with shown.page(scripts=scripts) as page:
        expect(page.locator(".cs-thread")).to_have_count(20)
        page.get_by_label("per page").select_option("50")
        if not scripts:
            page.get_by_role("button", name="Show").click()
        expect(page).to_have_url(re.compile("size=50"))
        expect(page.locator(".cs-thread")).to_have_count(35)
        page.goto(page.url.partition("?")[0])
        expect(page.locator(".cs-thread")).to_have_count(35)


@pytest.mark.shows("9.1")
def test_the_context_of_shops_is_picked_from_the_header(shown: ShownList) -> None:
    """Its menu opens by click and closes by Escape; the sort stays."""
    with shown.page("?sort=email") as page:
        page.locator(".cs-context > summary").click()
        page.keyboard.press("Escape")
        expect(page.get_by_role("link", name="Dubai")).to_be_hidden()
        page.locator(".cs-context > summary").click()
        page.get_by_role("link", name="Dubai").click()
        expect(page).to_have_url(re.compile(r"\?shop=shop-3&sort=email$"))
        expect_numbers(page, [34])
        expect(page.locator(".cs-context > summary")).to_contain_text("Dubai")


def test_on_a_phone_the_list_is_cards_that_sort_search_and_open(shown: ShownList) -> None:
    """Search fields are folded away until wanted; the host's menu opens without Bootstrap's scripts."""
    with shown.page(viewport=(360, 740)) as page:
        expect(page.get_by_label("Search: Customer")).to_be_hidden()
        page.get_by_label("Sort by").select_option("email")
        expect(page).to_have_url(re.compile("sort=email"))
        page.get_by_role("button", name="Search fields").click()
        page.get_by_label("Search: Customer").fill("maria")
        page.get_by_role("button", name="Search", exact=True).click()
        expect_numbers(page, [31])
        menu = page.locator("#admin-navbar-collapse")
        expect(menu).to_be_hidden()
        page.get_by_label("Toggle navigation").click()
        expect(menu.get_by_role("link", name="Contacts")).to_be_visible()
        page.get_by_label("Toggle navigation").click()
        page.locator(".cs-thread-message").click()
        expect(page).to_have_url(re.compile(r"/customer-service/31/"))


def test_the_hosts_menus_open_without_its_scripts(tmp_path: Path, browser: Browser) -> None:
    """Flask-Admin's category menus are links with a "javascript:" address, which a strict policy refuses; ours opens and closes them."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path, CS_ADMIN_CATEGORY="Customers")
    with shown_strictly(store, browser, home=LIST) as shown, shown.page() as page:
        contacts = page.get_by_role("link", name="Contacts")
        expect(contacts).to_be_hidden()
        page.get_by_role("button", name="Customers").or_(page.get_by_role("link", name="Customers", exact=True)).click()
        expect(contacts).to_be_visible()
        page.keyboard.press("Escape")
        expect(contacts).to_be_hidden()
        page.get_by_text("Customers", exact=True).click()
        page.get_by_role("heading", level=1).click()
        expect(contacts).to_be_hidden()


LOOKS = [
    pytest.param({"viewport": (1440, 900)}, id="1440"),
    pytest.param({"viewport": (1280, 900)}, id="1280"),
    pytest.param({"viewport": (1280, 900), "colour_scheme": "dark"}, id="1280 dark"),
    pytest.param({"viewport": (1024, 800)}, id="1024"),
    pytest.param({"viewport": (390, 844), "colour_scheme": "dark"}, id="390 dark"),
    pytest.param({"viewport": (360, 740)}, id="360"),
    pytest.param({"viewport": (1280, 900), "employee": LAYLA}, id="1280 right to left"),
    pytest.param({"viewport": (360, 740), "employee": LAYLA}, id="360 right to left"),
]


@pytest.mark.parametrize("look", LOOKS)
def test_nothing_is_cut_and_everybody_can_use_it(shown: ShownList, look: dict[str, Any]) -> None:
    """No scrolling sideways and no violation of axe-core's rules: the list, a selection, an open dialog, a refused search."""
    with shown.page("?size=20", **look) as page:
        assert sideways(page) == 0
        assert violations(page) == []
        page.locator(".cs-thread-check").nth(1).check()
        assert sideways(page) == 0
        assert violations(page) == []
        page.locator("[data-deletes]").first.click()
        assert violations(page) == []
        page.goto(page.url.partition("?")[0] + "?id=abc&from=yesterday")
        assert sideways(page) == 0
        assert violations(page) == []


def test_all_columns_fit_without_scripts_too(shown: ShownList) -> None:
    """With "Save" beside each status."""
    for width in (1280, 1024, 360):
        with shown.page(scripts=False, viewport=(width, 800)) as page:
            right = [box["x"] + box["width"] for box in (one.bounding_box() for one in page.locator(".cs-thread").all()) if box]
            assert max(right) <= width
