"""The desk inside a dashboard of a store's own on Bootstrap 5: nothing of either spoils the other, on a desk and on a phone."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.axe import violations
from tests.hosts.journey import IDA, Walk, opened
from tests.hosts.kinds import kind_of, module_of
from tests.servers.browser import Browser
from tests.servers.flask_server import serving
from tests.servers.smtp import SMTPServer

WIDTHS = ((1440, 900), (390, 844))
# How far content stands out to the right of the window, in pixels.
OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
# What the dashboard's own bar looks like: nothing of ours may change it.
BAR = "() => { const s = getComputedStyle(document.querySelector('nav.navbar')); return [s.fontSize, s.backgroundColor, s.padding, s.lineHeight] }"


@pytest.mark.parametrize("viewport", WIDTHS)
def test_the_desk_fits_into_a_dashboard_on_bootstrap_5(viewport: tuple[int, int], browser: Browser, smtp_server: SMTPServer, tmp_path: Path) -> None:
    """List and thread stand in its layout, as wide as the window and no wider; its bar is as on its own pages; axe finds nothing."""
    kind, module = kind_of("dashboard"), module_of("dashboard")
    walk = Walk(kind, module, opened(kind, module, tmp_path, smtp_server), smtp_server)
    thread_id = walk.a_visitor_writes()
    with serving(walk.app) as address, browser.context(viewport=viewport) as context:
        page = context.new_page()
        page.goto(f"{address}/admin/sign-in")
        page.locator("[name=name]").fill("marie")
        page.locator("[name=name]").press("Enter")
        expect(page.get_by_role("heading", name="Ovens")).to_be_visible()
        page.wait_for_load_state("load")
        own_bar = page.evaluate(BAR)
        page.get_by_role("link", name="Customer Service").click()
        expect(page.get_by_role("row").filter(has_text=IDA)).to_be_visible()
        for name in ("list", "thread"):
            if name == "thread":
                page.goto(f"{page.url.partition('?')[0]}{thread_id}/")
                expect(page.get_by_text("Where is my parcel?").first).to_be_visible()
            page.wait_for_load_state("load")
            page.screenshot(path=tmp_path / f"{name}.png", full_page=True)
            assert page.evaluate(OVERFLOW) <= 0
            assert page.evaluate(BAR) == own_bar
            assert violations(page) == []
