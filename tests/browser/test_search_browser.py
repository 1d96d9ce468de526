"""Searching in a browser: one box over everything, the words marked where they stand, and what is said of a search that has bounds."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from cs_plugin.rules.inquiry import address_key
from cs_plugin.rules.status import Folder, Status
from cs_plugin.store import search
from cs_plugin.store.matches import COUNT_BOUND
from cs_plugin.store.models import Thread
from tests.browser.axe import violations
from tests.browser.shown import BOTH, Shown, shown_strictly
from tests.hosts.store import EVERYTHING, LAYLA, Store, make_store
from tests.letterbox import LETTERS, Letter, fill, many
from tests.servers.browser import Browser

LIST = "/cs-admin/customer-service/"
LONG = Letter(
    "I have written to you twice already and nobody told me anything about my order, so once more: the <b>Teekanne & Straßenlampe</b> came broken.",
    "lena.otto@example.de",
    "Lena",
    "Otto",
    "777",
)


@pytest.fixture
def shown(tmp_path: Path, browser: Browser) -> Iterator[Shown]:
    """The list of a store with messages of all kinds. Nothing may complain."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path)
    store.answers.grants[LAYLA.id] = EVERYTHING
    fill(store, many(25))
    fill(store, [*LETTERS, LONG])
    with shown_strictly(store, browser, Shown, home=LIST) as one:
        yield one


@BOTH
@pytest.mark.shows("6.7", "6.8")
def test_the_one_box_finds_and_the_words_are_marked(shown: Shown, scripts: bool) -> None:
    """In a message, with letters that were written otherwise; what was typed stays, and "Reset" clears it."""
    with shown.page("?sort=-email", scripts=scripts) as page:
        find = page.get_by_role("searchbox", name="Search number, name, address, order, subject and messages")
        find.fill("STRASSENLAMPE")
        find.press("Enter")
        expect(page).to_have_url(re.compile(r"\?shop=all&(.*&)?q=STRASSENLAMPE"))
        expect(page.locator(".cs-thread")).to_have_count(1)
        expect(page.locator(".cs-found mark")).to_have_text("Straßenlampe")
        expect(page.locator(".cs-found")).to_contain_text("& Straßenlampe</b> came broken.")
        expect(find).to_have_value("STRASSENLAMPE")
        page.get_by_role("link", name="Reset").click()
        expect(page).to_have_url(re.compile(r"\?shop=all&sort=-email$"))
        expect(find).to_have_value("")
        expect(page.locator("mark")).to_have_count(0)


@pytest.mark.shows("6.8")
def test_the_one_box_wakes_search_and_works_with_the_row(shown: Shown) -> None:
    """"Search" sleeps until it is filled; both narrow the list together."""
    with shown.page() as page:
        button = page.get_by_role("button", name="Search", exact=True)
        expect(button).to_be_disabled()
        page.locator("#cs-find").fill("example")
        expect(button).to_be_enabled()
        page.get_by_label("Search: Customer").fill("maria")
        button.click()
        expect(page).to_have_url(re.compile(r"q=example&(.*&)?customer=maria$"))
        expect(page.locator(".cs-thread")).to_have_count(1)
        expect(page.locator(".cs-col-email mark")).to_have_text("example")
        expect(page.locator(".cs-thread-customer mark")).to_have_text("Maria")
        expect(page.get_by_role("button", name="Search", exact=True)).to_be_disabled()


@pytest.mark.shows("6.9")
def test_the_search_survives_a_thread_and_coming_back(shown: Shown) -> None:
    """It stands in the address, as the other fields do."""
    with shown.page("?q=message+number") as page:
        expect(page.locator("mark").first).to_have_text("Message number")
        page.get_by_role("link", name="Next").click()
        expect(page).to_have_url(re.compile(r"page=2&q=message\+number$"))
        page.locator(".cs-thread-message").first.click()
        expect(page).to_have_url(re.compile(r"back=.*q%3Dmessage"))


@BOTH
@pytest.mark.shows("6.7")
def test_short_words_say_how_far_they_are_looked_for(shown: Shown, scripts: bool) -> None:
    """No index helps with two letters."""
    with shown.page("?message=so", scripts=scripts) as page:
        expect(page.get_by_text("For words as short as this only the newest 5,000 messages and threads are looked through.")).to_be_visible()
    with shown.page("?message=once", scripts=scripts) as page:
        expect(page.locator(".cs-search-notice")).to_have_count(0)


def write_many(store: Store) -> None:
    """Write more threads than a search counts."""
    row: dict[str, Any] = {"shop_id": "1", "language": "en", "folder": Folder.LIST, "status": Status.OPEN, "token_nonce": "n"}
    row |= {"created_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC), "address": "k@kettles.example", "address_sort": "k@kettles.example"}
    row |= {"address_hash": address_key("k@kettles.example")}
    with store.desk.sessions() as session:
        ids = session.scalars(sa.insert(Thread).returning(Thread.id), [row] * (COUNT_BOUND + 1)).all()
        search.index_threads(session, ids)
        session.commit()


@pytest.mark.shows("6.7")
def test_a_count_past_5000_and_a_sort_over_it_say_so(shown: Shown) -> None:
    """"5,000+", and a sentence where only the newest are sorted."""
    write_many(shown.store)
    with shown.page("?q=kettles") as page:
        expect(page.locator(".cs-total")).to_have_text("5,000+ threads")
        expect(page.locator(".cs-search-notice")).to_have_count(0)
        page.get_by_role("columnheader", name="Email").get_by_role("link").click()
        said = "More than 5,000 threads were found. The newest 5,000 of them are sorted here."
        expect(page.get_by_text(said)).to_be_visible()


LOOKS = [
    (1440, "light", "en-GB", "?q=stra"),
    (1280, "dark", "en-GB", "?q=example"),
    (390, "light", "en-GB", "?q=ŻÓŁTY"),
    (360, "dark", "en-GB", "?q=so"),
]


@pytest.mark.parametrize(("width", "colours", "locale", "path"), LOOKS, ids=str)
def test_a_search_looks_well_and_is_accessible(shown: Shown, width: int, colours: str, locale: str, path: str) -> None:
    """No scrolling sideways, and nothing that axe-core finds."""
    with shown.page(path, viewport=(width, 900), colour_scheme=colours, locale=locale) as page:
        expect(page.locator("#cs-find")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
        assert violations(page) == []


def test_from_right_to_left_the_box_stands_on_its_side(shown: Shown) -> None:
    """An employee who reads Arabic has it turned round, and finds Arabic words."""
    with shown.page("?q=مقاس", employee=LAYLA) as page:
        expect(page.locator(".cs-found mark")).to_have_text("مقاس")
        expect(page.locator(".cs-desk")).to_have_attribute("dir", "rtl")
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
