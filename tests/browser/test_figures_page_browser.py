"""The Figures page in a real browser: chosen, read and taken away; wide, on a phone, in the dark, from right to left, without scripts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from cs_plugin import desk
from cs_plugin.store.models import SurveyAnswer
from tests.browser.axe import violations
from tests.hosts.store import EVERYTHING, LAYLA, MARIE, Store
from tests.hosts.writing import begin, do
from tests.servers.browser import Browser
from tests.servers.flask_server import serving

URL = "/cs-admin/customer-service-figures/"


@pytest.fixture
def base(store: Store) -> Iterator[str]:
    """The address of a store in which some threads were answered on some days."""
    for number in range(4):
        thread_id = begin(store, f"Question {number}")
        store.clock.forward(hours=2 + number)
        message_id = do(store, lambda bench, one=thread_id: desk.reply(bench, store.actor(), one, desk.Answer("On its way.")).id)
        its = {"thread_id": thread_id, "message_id": message_id, "shop_id": "1", "score": 2 + number, "comment": ""}
        do(store, lambda bench, its=its: bench.session.add(SurveyAnswer(**its, created_at=bench.now)))
        store.clock.forward(days=1)
    store.answers.grants = {MARIE.id: EVERYTHING, LAYLA.id: EVERYTHING}
    with serving(store.app) as address:
        yield address


def sideways(page: Any) -> int:
    """Return by how many pixels the page is wider than the window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@pytest.mark.shows("6.15")
@pytest.mark.parametrize(
    ("viewport", "scheme", "who"),
    [((1440, 900), "light", MARIE), ((1024, 800), "dark", MARIE), ((390, 844), "light", LAYLA)],
    ids=["wide", "dark", "a phone, from right to left"],
)
def test_the_page_is_accessible_and_fits_with_all_its_tables_open(
    base: str, browser: Browser, viewport: tuple[int, int], scheme: Any, who: Any
) -> None:
    """Axe-core finds nothing, folded or not, and nothing is wider than the window; four charts are pictures with words."""
    with browser.context(viewport=viewport, colour_scheme=scheme) as context:
        page = context.new_page()
        page.set_extra_http_headers({"X-Employee": who.id})
        page.goto(f"{base}{URL}?range=7")
        expect(page.get_by_role("img", include_hidden=False).and_(page.locator(".cs-chart-drawing"))).to_have_count(4)
        assert sideways(page) == 0
        for fold in page.locator(".cs-charts-numbers > summary").all():
            fold.click()
        expect(page.locator(".cs-charts-part table:visible")).to_have_count(7)
        assert (violations(page), sideways(page)) == ([], 0)
        page.goto(f"{base}{URL}?from=2026-11-30&to=2026-11-01")
        expect(page.locator("[aria-invalid=true]")).to_be_visible()
        assert (violations(page), sideways(page)) == ([], 0)


@pytest.mark.shows("6.15")
def test_a_span_is_chosen_and_taken_away_without_scripts(base: str, browser: Browser) -> None:
    """From the list to the page, by days and by a preset, back by the browser's own button; a table is a file."""
    with browser.context(javascript=False) as context:
        page = context.new_page()
        page.set_extra_http_headers({"X-Employee": MARIE.id})
        page.goto(f"{base}/cs-admin/customer-service/")
        page.locator(".cs-page-header").get_by_role("link", name="Figures").click()
        expect(page.get_by_role("link", name="Last 30 days")).to_have_attribute("aria-current", "true")
        page.locator("#cs-period-from").fill("2026-11-21")
        page.locator("#cs-period-to").fill("2026-11-22")
        page.get_by_role("button", name="Show").click()
        expect(page.locator("[data-sum=messages]")).to_have_text("2")
        expect(page.locator("#cs-period-from")).to_have_value("2026-11-21")
        page.get_by_text("The numbers: Messages and answers").click()
        expect(page.get_by_role("row", name="22 Nov 2026")).to_be_visible()
        page.get_by_role("link", name="Last month").click()
        expect(page.get_by_text("No figures of these days")).to_be_visible()
        page.go_back()
        expect(page.locator("[data-sum=messages]")).to_have_text("2")
        with page.expect_download() as waiting:
            page.get_by_role("link", name="Response time as CSV").click()
        assert waiting.value.suggested_filename == "figures-response-2026-11-21-2026-11-22.csv"
