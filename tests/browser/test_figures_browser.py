"""The figures above the list in a browser: with several shops and with one, with scripts and without, by keyboard, on a phone, from right to left."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from cs_plugin import desk, jobs
from cs_plugin.desk import Answer
from cs_plugin.rules.status import Status
from cs_plugin.web import rounds
from tests.browser.axe import violations
from tests.browser.shown import BOTH, Shown, shown_strictly
from tests.hosts.store import EVERYTHING, LAYLA, MARIE, PARIS, Store, make_store
from tests.hosts.writing import begin, contact_id, do
from tests.servers.browser import Browser

LIST = "/cs-admin/customer-service/"


def fill(store: Store) -> None:
    """Write a few days of conversations: five open or pending, two answered, one note, in Paris and Berlin."""
    store.answers.grants[LAYLA.id] = EVERYTHING
    first = begin(store, "Where is my parcel?")
    store.clock.forward(hours=5)
    do(store, lambda bench: desk.reply(bench, store.actor(), first, Answer("Tomorrow")))
    store.clock.forward(days=2)
    second = begin(store, "And the other one?")
    store.clock.forward(hours=2)
    do(store, lambda bench: desk.reply(bench, store.actor(), second, Answer("Next week")))
    store.clock.forward(days=1)
    waiting = [begin(store, f"Question {number}", contact_id=contact_id(store)) for number in range(3)]
    do(store, lambda bench: desk.add_note(bench, store.actor(), waiting[0], "A note"))
    do(store, lambda bench: desk.set_status(bench, store.actor(), waiting[2:], Status.PENDING1))
    begin(store, "From Berlin", shop_id="2", contact_id=contact_id(store, "Webmaster"))
    begin(store, "On no subject", contact_id=contact_id(store))
    do(store, lambda bench: desk.move_to_contact(bench, store.actor(), waiting[2] + 2, None))
    with store.app.app_context():
        do(store, lambda bench: jobs.put(bench.session, "totals", {}, bench.now))
        rounds.do_jobs(store.desk)


@pytest.fixture
def shown(tmp_path: Path, browser: Browser) -> Iterator[Shown]:
    """A store with three shops."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path)
    fill(store)
    with shown_strictly(store, browser, home=LIST) as one:
        yield one


@pytest.fixture
def alone(tmp_path: Path, browser: Browser) -> Iterator[Shown]:
    """The same with one shop."""
    store = make_store(f"sqlite:///{tmp_path}/store.sqlite", tmp_path)
    fill(store)
    store.answers.shops = (PARIS,)
    with shown_strictly(store, browser, home=LIST) as one:
        yield one


def figure(page: Page, name: str) -> str:
    """Return how a key figure reads."""
    return " ".join(page.locator(f'[data-kpi="{name}"] b').inner_text().split())


def sideways(page: Page) -> int:
    """Return by how many pixels the page can be scrolled sideways."""
    overflow: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return overflow


@pytest.mark.shows("6.2")
@BOTH
def test_key_figures_stand_above_the_list(shown: Shown, scripts: bool) -> None:
    """Words, numbers, units and trends."""
    with shown.page(scripts=scripts) as page:
        cards = page.locator(".cs-kpi")
        expect(cards.get_by_role("heading")).to_have_text(["Pending discussion threads", "Average response time", "Messages per thread"])
        expect(cards.locator("p:last-child")).to_have_text(["Now", "30 days", "30 days"])
        assert [figure(page, name) for name in ("pending", "response", "messages")] == ["5", "3.5 hours", "1.3"]
        expect(page.get_by_role("img", name=re.compile(r"^Trend: 0 on 27 Oct, 5 on 25 Nov; lowest 0, highest 5$"))).to_have_count(1)
        expect(cards.locator("polyline")).to_have_count(3)
        assert page.locator("#cs-list").evaluate("list => list.getBoundingClientRect().top") < 450


@pytest.mark.shows("6.2")
@BOTH
def test_key_figures_are_of_the_context(shown: Shown, scripts: bool) -> None:
    """Each context has its own; without any data they read 0."""
    with shown.page("?shop=shop-2", scripts=scripts) as page:
        assert [figure(page, name) for name in ("pending", "response", "messages")] == ["1", "0 hours", "1.0"]
        page.goto(page.url.replace("shop-2", "shop-3"))
        assert [figure(page, name) for name in ("pending", "response", "messages")] == ["0", "0 hours", "0"]


@pytest.mark.shows("6.2")
@BOTH
def test_a_figure_is_calculated_anew_when_asked(shown: Shown, scripts: bool) -> None:
    """One card alone, then all; the list stays as it stood, and the time of the calculation is told."""
    with shown.page("?shop=all&sort=-email", scripts=scripts) as page:
        assert figure(page, "pending") == "5"
        begin(shown.store, "Somebody else")
        begin(shown.store, "And another one")
        shown.store.clock.forward(minutes=5)
        page.reload()
        assert (figure(page, "pending"), figure(page, "messages")) == ("5", "1.3")
        page.get_by_role("button", name="Refresh: Pending discussion threads").click()
        expect(page.locator('[data-kpi="pending"] b')).to_have_text("7")
        expect(page.locator('[data-kpi="messages"] b')).to_have_text("1.3")
        expect(page.locator("#cs-kpi-pending")).to_contain_text(f"Calculated {shown.store.clock.now:%-d %b %H:%M}.")
        page.get_by_role("button", name="Refresh all figures").click()
        expect(page.locator('[data-kpi="messages"] b')).to_have_text("1.2")
        expect(page).to_have_url(re.compile(r"\?shop=all&sort=-email$"))
        if scripts:
            expect(page.locator("[data-figures-said]")).to_contain_text("Messages per thread: 1.2")


@pytest.mark.shows("6.2")
def test_a_formula_is_read_by_keyboard_and_closed_by_escape(shown: Shown) -> None:
    """Focus shows it; Escape hides it until the button is left."""
    with shown.page() as page:
        button, tip = page.get_by_role("button", name="Refresh: Average response time"), page.locator("#cs-kpi-response")
        expect(tip).to_be_hidden()
        button.focus()
        expect(tip).to_be_visible()
        expect(tip).to_contain_text("Mean time from the first unanswered customer message to the public answer")
        page.keyboard.press("Escape")
        expect(tip).to_be_hidden()
        page.keyboard.press("Tab")
        button.focus()
        expect(tip).to_be_visible()


@pytest.mark.shows("6.3")
@BOTH
def test_contact_blocks_lead_to_the_one_that_waited_longest(shown: Shown, scripts: bool) -> None:
    """Title, description, how many; one without any says so; back leads to the list as it stood."""
    with shown.page(scripts=scripts) as page:
        blocks = page.locator(".cs-contact")
        expect(blocks.get_by_role("heading")).to_have_text(["Webmaster", "Customer service", "Order messages"])
        expect(blocks.locator(".cs-contact-words")).to_have_text(
            ["If a technical problem occurs on this website", "For any question about a product, an order", "Written on the order pages"]
        )
        expect(blocks.locator("> :last-child")).to_have_text(
            ["1 new message: Webmaster", "2 new messages: Customer service", "1 new message: Order messages"]
        )
        blocks.get_by_role("link", name="2 new messages").click()
        expect(page).to_have_url(re.compile(rf"{LIST}3/"))
        page.goto(f"{shown.address}{LIST}?shop=shop-1")
        expect(blocks.locator("> :last-child")).to_have_text(["No new message", "2 new messages: Customer service", "1 new message: Order messages"])


@pytest.mark.shows("6.4", "6.5")
@BOTH
def test_statistics_and_meanings_fold_and_stay_so(shown: Shown, scripts: bool) -> None:
    """For this employee alone: words, numbers and statuses in the panel."""
    with shown.page(scripts=scripts) as page:
        panel = page.locator(".cs-figures-fold")
        expect(panel.locator("dl").first).to_be_hidden()
        panel.locator("summary").click()
        expect(panel.locator(".cs-stats dt")).to_have_text(
            [
                "Total threads", "Threads pending", "Total number of customer messages", "Total number of employee messages",
                "Unread threads", "Closed threads",
            ]
        )  # fmt: skip
        expect(panel.locator(".cs-stats dd")).to_have_text(["7", "1", "7", "2", "4", "2"])
        expect(panel.locator(".cs-meaning dt")).to_have_text(["Open", "Closed", "Pending 1", "Pending 2"])
        expect(panel.locator(".cs-meaning dd")).to_have_text(
            ["The thread needs to be answered", "The thread is resolved", "Will be answered later", "Will be answered later"]
        )
        expect(panel.locator(".cs-meaning svg")).to_have_count(4)
        if scripts:
            with page.expect_response(lambda answer: "figures-fold" in answer.url):
                panel.locator("summary").click()
            with page.expect_response(lambda answer: "figures-fold" in answer.url):
                panel.locator("summary").click()
        else:
            page.get_by_role("button", name="Keep unfolded").click()
        page.goto(f"{shown.address}{LIST}")
        expect(panel.locator("dl").first).to_be_visible()
        with shown.page(employee=LAYLA, scripts=scripts) as other:
            expect(other.locator(".cs-figures-fold dl").first).to_be_hidden()


@pytest.mark.shows("6.2", "6.3", "6.4", "6.5")
@BOTH
def test_with_one_shop_the_figures_are_there_and_nothing_speaks_of_several(alone: Shown, scripts: bool) -> None:
    """The same cards, blocks and panel; addresses name no shop."""
    with alone.page(scripts=scripts) as page:
        assert figure(page, "response") == "3.5 hours"
        expect(page.locator(".cs-contact")).to_have_count(3)
        page.get_by_role("button", name="Refresh all figures").click()
        expect(page.locator(".cs-kpi")).to_have_count(3)
        assert "shop=" not in page.url
        assert page.locator('[href*="shop="], [action*="shop="]').count() == 0


@pytest.mark.shows("6.2", "6.3", "6.4", "6.5")
@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_figures_are_within_reach_of_everybody(shown: Shown, width: int, colours: str) -> None:
    """No fault by axe, folded and unfolded, in either direction; nothing can be scrolled sideways."""
    for employee in (MARIE, LAYLA):
        taste: dict[str, Any] = {"viewport": (width, 800), "colour_scheme": colours}
        with shown.page(employee=employee, **taste) as page:
            expect(page.locator(".cs-kpi")).to_have_count(3)
            assert sideways(page) == 0
            assert violations(page) == []
            page.locator(".cs-figures-fold summary").click()
            expect(page.locator(".cs-stats")).to_be_visible()
            assert sideways(page) == 0
            assert violations(page) == []


@pytest.mark.shows("6.2")
def test_time_runs_from_left_to_right_in_every_language(shown: Shown) -> None:
    """A trend is drawn the same for those who read from right to left, and mirrored by no style."""
    lines = []
    for employee in (MARIE, LAYLA):
        with shown.page(employee=employee) as page:
            line = page.locator('[data-kpi="pending"] .cs-sparkline')
            lines.append(line.locator("polyline").get_attribute("points"))
            assert line.evaluate("line => getComputedStyle(line).transform") == "none"
    assert lines[0] == lines[1]
