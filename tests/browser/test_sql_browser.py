"""The settings wheel, the dialog of the query and the SQL manager in a browser: on a phone, from right to left, with scripts and without."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from cs_plugin.desk.queries import save_query
from tests.browser.axe import violations
from tests.browser.shown import BOTH, Shown, shown_strictly
from tests.hosts.store import EVERYTHING, JOHN, LAYLA, make_store
from tests.hosts.writing import begin, do
from tests.servers.browser import Browser, ColourScheme

LIST, MANAGER = "/cs-admin/customer-service/", "/cs-admin/customer-service-sql-manager/"
SEARCHED = f"{LIST}?shop=all&sort=email&customer=o%27brien"


@pytest.fixture
def shown(tmp_path: Path, browser: Browser) -> Iterator[Shown]:
    """A store with three threads and a saved query; John may not use the SQL manager. Nothing may complain."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path)
    store.answers.grants[LAYLA.id] = EVERYTHING
    store.answers.grants[JOHN.id] = {**EVERYTHING, "sql": ["1"]}
    for number, text in enumerate(("My jug arrived broken", "Where is my parcel? " * 30, "أين طردي؟")):
        begin(store, text, shop_id=str(number + 1))
    do(store, lambda bench: save_query(bench, store.actor(), "Threads by status, with a rather long name that must wrap", "SELECT 1 AS one"))
    do(store, lambda bench: save_query(bench, store.actor(LAYLA), "الكل", "SELECT id FROM cs_thread"))
    with shown_strictly(store, browser) as one:
        yield one


def open_wheel(page: Page) -> None:
    """Open the settings wheel."""
    page.locator(".cs-wheel > summary").click()


@pytest.mark.shows("6.12")
@BOTH
def test_the_wheel_shows_the_query_of_the_list(shown: Shown, scripts: bool) -> None:
    """In a dialog of the list, or on a page of its own; "Close" leads back to the list as it stood."""
    with shown.page(SEARCHED, scripts=scripts) as page:
        open_wheel(page)
        page.get_by_role("link", name="Show SQL query").click()
        expect(page.get_by_role("heading", name="SQL query")).to_be_visible()
        expect(page.locator("#cs-sql-text")).to_contain_text("instr(cs_search_thread.customer, 'o''brien') > 0\n")
        expect(page.locator("#cs-sql-text")).to_contain_text("ORDER BY cs_thread.address_sort ASC")
        if scripts:
            assert violations(page) == []
            page.get_by_role("button", name="Close", exact=True).last.click()
            expect(page.locator("#cs-sql")).to_be_hidden()
        else:
            expect(page.get_by_role("button", name="Copy")).to_have_count(0)
            page.get_by_role("link", name="Close").click()
        expect(page).to_have_url(f"{shown.address}{SEARCHED}")


@pytest.mark.shows("6.12")
def test_the_query_is_copied(shown: Shown) -> None:
    """By the browser's clipboard where it lets us; else it is selected, to be copied by hand."""
    with shown.page(LIST) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=shown.address)
        open_wheel(page)
        page.get_by_role("link", name="Show SQL query").click()
        expect(page.get_by_role("heading", name="SQL query")).to_be_visible()
        page.get_by_role("button", name="Copy").click()
        expect(page.get_by_text("The query was copied.")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()").startswith("SELECT cs_thread.id,\n")
        page.context.clear_permissions()
        page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('not here')); }")
        page.get_by_role("button", name="Copy").click()
        expect(page.get_by_text("The query is selected; copy it with Ctrl+C.")).to_be_visible()
        assert page.evaluate("getSelection().toString()").startswith("SELECT cs_thread.id,\n")


@pytest.mark.shows("6.12")
@BOTH
def test_a_query_goes_from_the_list_into_the_manager_and_runs(shown: Shown, scripts: bool) -> None:
    """With a name; what it gives stands in a table, what was typed stays."""
    with shown.page(f"{LIST}?sort=id", scripts=scripts) as page:
        open_wheel(page)
        page.get_by_role("link", name="Export to SQL Manager").click()
        expect(page.get_by_role("heading", name="SQL Manager")).to_be_visible()
        expect(page.get_by_label("Name", exact=True)).to_have_value("All")
        page.get_by_role("button", name="Run").click()
        expect(page.get_by_role("status").get_by_text("3 rows")).to_be_visible()
        expect(page.get_by_role("row")).to_have_count(4)
        expect(page.get_by_role("row").nth(1)).to_contain_text("My jug arrived broken")
        expect(page.get_by_label("SQL", exact=True)).to_have_value(page.get_by_label("SQL", exact=True).input_value())
        page.get_by_label("Name", exact=True).fill("Everything")
        page.get_by_role("button", name="Save query").click()
        expect(page.get_by_text("The query was saved.")).to_be_visible()
        page.get_by_role("button", name="Delete the query Everything").click()
        expect(page.get_by_text("“Everything” is no longer saved.")).to_be_visible()
        expect(page.get_by_label("SQL", exact=True)).to_have_value(page.get_by_label("SQL", exact=True).input_value())


@pytest.mark.shows("6.12")
def test_ctrl_enter_runs_and_a_mistake_is_told_at_the_field(shown: Shown) -> None:
    """What is wrong is read with the field, and what was typed is still there."""
    with shown.page(MANAGER) as page:
        field = page.get_by_label("SQL", exact=True)
        field.fill("SELECT token_nonce FROM cs_thread")
        field.press("Control+Enter")
        expect(page.get_by_role("alert")).to_contain_text("There is no column token_nonce here.")
        field = page.get_by_label("SQL", exact=True)
        expect(field).to_have_value("SELECT token_nonce FROM cs_thread")
        expect(field).to_have_attribute("aria-invalid", "true")
        assert violations(page) == []
        field.fill("SELECT count(*) AS n FROM cs_thread")
        field.press("Control+Enter")
        expect(page.get_by_role("row").nth(1)).to_contain_text("3")


@pytest.mark.shows("6.12")
@BOTH
def test_where_it_may_not_be_used_the_way_is_disabled_with_the_reason(shown: Shown, scripts: bool) -> None:
    """The button says why, to a screen reader too."""
    with shown.page(LIST, employee=JOHN, scripts=scripts) as page:
        open_wheel(page)
        disabled = page.locator(".cs-wheel").get_by_role("button", name="Export to SQL Manager")
        expect(disabled).to_be_disabled()
        expect(disabled).to_have_accessible_description("You may not use the SQL manager.")
        expect(page.get_by_role("link", name="SQL Manager")).to_have_count(0)
        if scripts:
            assert violations(page) == []
        page.get_by_role("link", name="Show SQL query").click()
        expect(page.locator("#cs-sql-text")).to_contain_text("SELECT cs_thread.id")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("employee", [None, LAYLA], ids=["left to right", "right to left"])
def test_nothing_runs_over_the_edge_and_nothing_is_unreadable(shown: Shown, scheme: ColourScheme, width: int, employee: object) -> None:
    """On a phone and on a desk, light and dark, in both directions: the wheel, the dialog, the manager with a result, and a page of the query."""
    who = {"employee": LAYLA} if employee else {}
    with shown.page(MANAGER, viewport=(width, 800), colour_scheme=scheme, **who) as page:
        field = page.locator("textarea[name=sql]")
        field.fill(
            "SELECT id, address, text, created_at, NULL AS void FROM"
            " (SELECT t.*, m.text FROM cs_thread t JOIN cs_message m ON m.thread_id = t.id) AS x"
        )
        field.press("Control+Enter")
        expect(page.get_by_role("row")).to_have_count(4)
        _fits(page)
        page.goto(f"{shown.address}{LIST}sql?customer={'x' * 190}")
        _fits(page)
        page.goto(f"{shown.address}{LIST}?customer={'x' * 190}")
        page.wait_for_load_state("load")
        open_wheel(page)
        _fits(page)
        page.locator("[data-shows-sql]").click()
        expect(page.locator("#cs-sql")).to_be_visible()
        _fits(page)


def _fits(page: Page) -> None:
    """See that a page is no wider than its window, and that axe finds nothing."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert violations(page) == []
