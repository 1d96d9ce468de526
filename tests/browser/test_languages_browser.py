"""The desk's pages in each of its languages in a browser: longer words run over nothing, and what must be read is not cut."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from cs_plugin import Employee, Language
from cs_plugin.rules.shops import Breadth, Context
from cs_plugin.rules.status import Status
from cs_plugin.store.options import set_option
from tests.browser.shown import Shown
from tests.hosts.store import EVERYTHING, PARIS, Store, make_store
from tests.hosts.writing import do
from tests.letterbox import LETTERS, Letter, fill
from tests.servers.browser import Browser
from tests.servers.flask_server import serving
from tests.test_languages import ADMIN
from tools.translations import languages

CODES = ("en", *languages())
PAGES = (
    f"{ADMIN}/?shop=all",
    f"{ADMIN}/1/?shop=all",
    f"{ADMIN}-options/?shop=group-1",
    f"{ADMIN}-contacts/?shop=all",
    f"{ADMIN}-contacts/1/?shop=all",
    f"{ADMIN}-permissions/?shop=all",
)
IN_PARIS = Context(Breadth.SHOP, PARIS.id)

# How much wider the page is than its window, and the controls of the desk that stand outside their page or upon each other.
RUNS_OVER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
COLLIDE = """() => {
    const place = (element) => element.getBoundingClientRect(), named = (element) => element.outerHTML.slice(0, 90);
    const floating = ".cs-hidden, .cs-tooltip, .cs-save, .cs-answer, .cs-menu-body, dialog";
    const shown = [...document.querySelectorAll(".cs-desk :is(button, select, input, textarea, summary, a.cs-button)")]
        .filter((one) => one.checkVisibility({ visibilityProperty: true }) && !one.closest(floating) && place(one).width > 2);
    const apart = (a, b) => a.right - b.left <= 1 || b.right - a.left <= 1 || a.bottom - b.top <= 1 || b.bottom - a.top <= 1;
    const belong = (one, other) => one.contains(other) || other.contains(one) || one.closest(".cs-joined")?.contains(other);
    const meet = (one, other) => !belong(one, other) && !apart(place(one), place(other));
    const width = document.documentElement.clientWidth, outside = shown.filter((one) => place(one).left < 0 || place(one).right > width);
    return [
        ...shown.flatMap((one, at) => shown.slice(at + 1).filter((other) => meet(one, other)).map((other) => `${named(one)} upon ${named(other)}`)),
        ...outside.map((one) => `${named(one)} stands outside`),
    ];
}"""
# A selected text that is wider than its select is cut there.
CUT = """() => [...document.querySelectorAll(".cs-thread .cs-col-status select")].flatMap((one) => {
    const words = document.createElement("span");
    words.style.cssText = "position: absolute; white-space: nowrap";
    words.textContent = one.selectedOptions[0].textContent;
    one.parentElement.append(words);   // in the same type
    const style = getComputedStyle(one);
    const room = one.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight), wide = words.getBoundingClientRect().width;
    words.remove();
    return wide > room + 1 ? [`${one.selectedOptions[0].textContent}: ${wide} in ${room}`] : [];
})"""


@pytest.fixture
def speaking(tmp_path: Path, browser: Browser) -> Iterator[Shown]:
    """A store with an employee of each language, conversations, and an option that one shop has of its own."""
    store: Store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path)
    store.answers.languages = [Language(code, code) for code in CODES]
    for code in CODES:
        store.answers.employees[code] = Employee(code, "Noor", "Berg-Sørensen", "noor.berg-soerensen@desk.example", language=code)
        store.answers.grants[code] = EVERYTHING
    fill(store, [*LETTERS, *(Letter(f"A question that is {status}.", status=status) for status in Status)])
    do(store, lambda bench: set_option(bench.session, "default_message", "Hello", bench.now, context=IN_PARIS, language="en"))
    do(store, lambda bench: set_option(bench.session, "allow_file_uploading", False, bench.now, context=IN_PARIS))
    with serving(store.app) as address:
        yield Shown(store, address, browser)
    with store.app.app_context():
        store.db.session.remove()
        store.db.engine.dispose()


def in_each_language(shown: Shown, page: Page, address: str) -> Iterator[str]:
    """Open a page in one language after the other."""
    for code in CODES:
        page.context.set_extra_http_headers({"X-Employee": code})
        response = page.goto(shown.address + address)
        assert response is not None
        assert response.ok
        assert page.locator(".cs-desk").get_attribute("lang") == code
        yield code


@pytest.mark.shows("9.2")
@pytest.mark.parametrize("width", [1280, 360], ids=["desktop", "narrow phone"])
def test_no_page_runs_over_in_any_language(speaking: Shown, browser: Browser, width: int) -> None:
    """Nothing stands beyond the window's edge, and no control upon another."""
    found = {}
    with browser.context(viewport=(width, 900)) as context:
        page = context.new_page()
        for address in PAGES:
            for code in in_each_language(speaking, page, address):
                trouble = page.evaluate(COLLIDE)
                over = page.evaluate(RUNS_OVER)
                if over > 0 or trouble:
                    found[code, address] = (over, trouble)
    assert found == {}


@pytest.mark.shows("6.6", "9.2")
def test_the_status_of_a_row_is_read_whole_in_every_language(speaking: Shown, browser: Browser) -> None:
    """"Pending 1" and "Pending 2" differ in their last character."""
    cut = {}
    with browser.context(viewport=(1280, 900)) as context:
        page = context.new_page()
        for code in in_each_language(speaking, page, PAGES[0]):
            if page.evaluate(CUT):
                cut[code] = page.evaluate(CUT)
    assert cut == {}
