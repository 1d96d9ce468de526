"""Menus of the page of a thread and of the list: wherever its button stands, what opens lies within the window."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from cs_plugin import Employee, desk
from tests.browser.shown import Shown, shown_strictly
from tests.hosts.store import EVERYTHING, LAYLA, MARIE, make_store
from tests.hosts.writing import A_VISITOR, begin, do
from tests.servers.browser import Browser
from tests.test_moving import further

LIST = "/cs-admin/customer-service/"
# Beside those of desks, tablets and phones, two at which a button begins a line of its own or stands in its midst.
WIDTHS = (1440, 1040, 860, 700, 680, 540, 390, 340)
MENUS = "details:is(.cs-menu, .cs-bell-menu)"
BODY = ":scope > :is(.cs-menu-body, .cs-bell-body)"
READERS = pytest.mark.parametrize("employee", [MARIE, LAYLA], ids=["left to right", "right to left"])


@pytest.fixture
def shown(tmp_path: Path, browser: Browser) -> Iterator[Shown]:
    """A store of several shops with two threads of the same customer; in the first there is a message of each kind."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path)
    store.answers.grants[LAYLA.id] = EVERYTHING
    begin(store, "Where is my parcel?", sender=A_VISITOR)
    further(store, 1, "And my invoice?")
    do(store, lambda bench: desk.reply(bench, store.actor(), 1, desk.Answer("It is on its way.", keep_status=True)))
    do(store, lambda bench: desk.add_note(bench, store.actor(), 1, "Called the carrier."))
    begin(store, "Do you deliver to Potsdam?", sender=A_VISITOR)
    with shown_strictly(store, browser, home=LIST) as one:
        yield one


@READERS
@pytest.mark.parametrize("width", WIDTHS)
def test_every_menu_of_a_thread_opens_within_the_window(shown: Shown, employee: Employee, width: int) -> None:
    """Those of the head, of each message and of the answer box, one by one."""
    with shown.page("1/", employee=employee, viewport=(width, 800)) as page:
        assert sticking_out(page, kinds=6) == {}


@READERS
@pytest.mark.parametrize("width", WIDTHS)
def test_every_menu_of_the_list_opens_within_the_window(shown: Shown, employee: Employee, width: int) -> None:
    """Those of the head, of the tools above the list, and of the search fields, which a narrow window folds away."""
    with shown.page(employee=employee, viewport=(width, 800)) as page:
        page.locator(".cs-thread-check").first.check()
        unfolds = page.locator("[data-unfolds]")
        if unfolds.is_visible():
            unfolds.click()
        assert sticking_out(page, kinds=5) == {}


def sticking_out(page: Page, *, kinds: int) -> dict[str, tuple[float, float]]:
    """Open every menu of a page as a person does, and return the left and the right edge of those that leave the window."""
    width, found, named = page.evaluate("document.documentElement.clientWidth"), {}, set()
    for menu in page.locator(MENUS).all():
        button = menu.locator(":scope > summary")
        # On a phone the answer box has its buttons only while somebody is in it.
        page.evaluate("document.getElementById('cs-text')?.focus()")
        named.add(name_of(button))
        left, right = opens(menu, button)
        if left < -1 or right > width + 1:
            found[name_of(button)] = (round(left), round(right))
        page.keyboard.press("Escape")
        expect(menu.locator(BODY)).to_be_hidden()
    assert len(named) == kinds
    return found


def opens(menu: Locator, button: Locator) -> tuple[float, float]:
    """Open a menu, and return where its body begins and ends."""
    button.click()
    body = menu.locator(BODY)
    expect(body).to_be_visible()
    box = body.bounding_box()
    assert box is not None
    return box["x"], box["x"] + box["width"]


def name_of(button: Locator) -> str:
    """Return what a button is called."""
    return button.get_attribute("aria-label") or button.inner_text().strip()
