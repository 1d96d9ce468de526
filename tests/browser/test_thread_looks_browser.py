"""How the page of a thread looks where a mistake has been seen: what is cut, told twice, or turned the wrong way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from cs_plugin import Employee
from tests.browser.shown import BOTH, Shown, shown_strictly
from tests.browser.test_sections_two_and_five_browser import DESK, IDA, a_file, told
from tests.hosts.html_mail import take_html
from tests.hosts.store import EVERYTHING, LAYLA, MARIE, PARIS, make_store
from tests.hosts.writing import A_VISITOR, begin
from tests.servers.browser import Browser
from tests.test_merging import merge
from tests.test_moving import further
from tests.test_receiving_mail import fetch


@pytest.fixture
def shown(tmp_path: Path, browser: Browser) -> Iterator[Shown]:
    """A store of one shop, in which Marie works in English and Layla in Arabic."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path)
    store.answers.shops = (PARIS,)
    store.answers.grants[LAYLA.id] = EVERYTHING
    with shown_strictly(store, browser, home="") as one:
        yield one


def box(of: Locator) -> tuple[float, float, float, float]:
    """Return where something stands: its left, its top, its right and its bottom."""
    found = of.bounding_box()
    assert found is not None
    return found["x"], found["y"], found["x"] + found["width"], found["y"] + found["height"]


@pytest.mark.parametrize("employee", [MARIE, LAYLA], ids=["left to right", "right to left"])
def test_on_a_phone_the_menu_of_a_message_hangs_within_the_page(shown: Shown, employee: Employee) -> None:
    """Its button stands in the first line of the head, at its end; the menu leaves the window on neither side."""
    store = shown.store
    begin(store, "Where is my parcel?", sender=A_VISITOR)
    further(store, 1, "And my invoice?")
    with shown.page(f"{DESK}1/", employee=employee, viewport=(390, 844)) as page:
        message = page.locator(".cs-message").first
        button = message.locator(".cs-move > summary")
        button.click()
        expect(message.locator(".cs-move .cs-menu-body")).to_be_visible()
        left, _top, right, _bottom = box(message.locator(".cs-move .cs-menu-body"))
        assert left >= 0
        assert right <= 390
        name, mark = box(message.locator("header > b")), box(button)
        assert mark[1] < name[3], "the button stands beside the name, and not beneath it"
        assert (mark[0] < name[0]) is (employee is LAYLA)


def test_on_a_phone_the_bell_stands_beside_the_threads_name(shown: Shown) -> None:
    """It takes no line of its own, and nothing sticks out."""
    begin(shown.store, "Where is my parcel?", sender=A_VISITOR, subject="A subject that is so long that it has to go on in the next line, and on")
    for width in (390, 360):
        with shown.page(f"{DESK}1/", viewport=(width, 844)) as page:
            expect(page.locator(".cs-bell-button")).to_be_visible()
            bell, title, handled = (box(page.locator(one)) for one in (".cs-bell-button", "h1", ".cs-joined"))
            assert bell[3] <= handled[1] + 1
            assert bell[0] >= title[2]
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


@pytest.mark.shows("5.8")
def test_a_merge_is_told_once_where_it_led_to(shown: Shown) -> None:
    """Not a second time from the side of the thread that is gone; that line stands again in its own thread once the merge is undone."""
    store = shown.store
    for text in ("Where is my parcel?", "And my invoice?"):
        begin(store, text, sender=A_VISITOR)
        store.clock.forward(minutes=1)
    merge(store, 1, 2)
    with shown.page(f"{DESK}1/") as page:
        expect(told(page, "Marie Dubois merged thread #2 into this one")).to_have_count(1)
        expect(page.locator("#cs-conversation").get_by_text(re.compile("merged"))).to_have_count(1)
        expect(page.locator(".cs-timeline").get_by_text(re.compile("merged"))).to_have_count(1)
        page.get_by_role("button", name="Undo merge").click()
        expect(page.get_by_text("Undone: see thread #2.")).to_be_visible()
        page.goto(f"{shown.address}{DESK}2/")
        expect(told(page, "Marie Dubois merged this thread into #1")).to_have_count(1)


@pytest.mark.shows("5.3")
def test_what_opens_beneath_a_message_stands_in_one_row(shown: Shown) -> None:
    """History, the original and the mail to download; what is opened takes the width of the message."""
    store = shown.store
    fetch(store)
    take_html(store, "<p>It is broken.</p>", text="It is broken.", by=IDA, quoted="> Here it is.")
    with shown.page(f"{DESK}1/") as page:
        row = [page.locator(one) for one in (".cs-quote", ".cs-original", ".cs-message-original")]
        tops = [box(one)[1] for one in row]
        assert max(tops) - min(tops) < 12
        page.get_by_text("Quoted history and signature").click()
        expect(page.locator(".cs-quote > div")).to_be_visible()
        assert box(row[0])[3] <= box(row[1])[1] + 1


def test_the_size_of_a_chosen_file_is_written_in_the_pages_language(shown: Shown) -> None:
    """As the files of a message are, and beside the name where a text runs from right to left."""
    begin(shown.store, "Where is my parcel?", sender=A_VISITOR)
    for employee, size in ((MARIE, "1 kB"), (LAYLA, "1 كيلوبايت")):
        with shown.page(f"{DESK}1/", employee=employee) as page:
            page.locator("#cs-file").set_input_files([a_file()])
            expect(page.locator("[data-chosen] .cs-muted")).to_have_text(re.compile(size.replace(" ", r"\s")))


@pytest.mark.shows("5.4")
@BOTH
@pytest.mark.parametrize("width", [1280, 390])
def test_after_a_reply_to_a_long_thread_it_is_in_view_with_what_takes_it_back(shown: Shown, scripts: bool, width: int) -> None:
    """The newest message and "Undo" beside what was said, wherever in the thread somebody has read."""
    store = shown.store
    store.app.config["CS_UNDO_SECONDS"] = 600
    begin(store, "Where is my parcel?", sender=A_VISITOR)
    for number in range(25):
        further(store, 1, f"Message {number}\n\nwith\nsome\nlines")
    with shown.page(f"{DESK}1/", scripts=scripts, viewport=(width, 800)) as page:
        page.get_by_label("Your answer to Ida Vogel").fill("It is on its way.")
        page.get_by_role("button", name="Reply and close").click()
        expect(page.locator(".cs-said").get_by_role("button", name="Undo")).to_be_in_viewport(ratio=1)
        expect(page.locator(".cs-said").get_by_text("The message was successfully sent to the customer.")).to_be_in_viewport(ratio=1)
        expect(page.locator(".cs-message").last.get_by_text("It is on its way.")).to_be_in_viewport(ratio=1)
        page.locator(".cs-said").get_by_role("button", name="Undo").click()
        expect(page.get_by_label("Your answer to Ida Vogel")).to_have_value("It is on its way.")
